//! Backpressure on what a client sends: reading from a connection stops while one of its sessions
//! has more input than it can take.
//!
//! The SSH library gives a channel new window as soon as data arrives, not when it was used, and
//! has no call to give it later. What it does not read, a client cannot send: so the socket is
//! where a client that writes too fast is held back. Everything else of the connection goes on
//! meanwhile: its output, its timers, a key exchange that was begun.
//!
//! There is one danger in it: the client's window for our own output is opened by a message that
//! waits, unread, behind its input. If the session takes no input because its output stands still,
//! both would wait for ever. So while a write is under way, a whole window more is let in, which is
//! all that can be in front of that message.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::{io, mem, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// How much input of one channel waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Fill {
    /// There is room.
    #[default]
    Room,
    /// Enough to keep the session busy.
    Full,
    /// Full, and a window more.
    Overfull,
}

#[derive(Debug, Default)]
struct State {
    full: usize,
    overfull: usize,
    writers: usize,
    reader: Option<Waker>,
}

impl State {
    fn is_shut(&self) -> bool {
        self.overfull > 0 || (self.full > 0 && self.writers == 0)
    }

    fn count(&mut self, fill: Fill) -> Option<&mut usize> {
        match fill {
            Fill::Room => None,
            Fill::Full => Some(&mut self.full),
            Fill::Overfull => Some(&mut self.overfull),
        }
    }
}

/// Says whether a connection is read, and knows whether it can be written.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// The last write has to wait for the peer.
    write_waits: watch::Sender<bool>,
}

impl Gate {
    /// A channel's input went from one fill to another.
    pub(crate) fn refill(&self, from: Fill, to: Fill) {
        if from != to {
            self.change(|state| {
                if let Some(count) = state.count(from) {
                    *count -= 1;
                }
                if let Some(count) = state.count(to) {
                    *count += 1;
                }
            });
        }
    }

    /// A session waits to write, until the guard is dropped.
    pub(crate) fn writing(&self) -> Writing<'_> {
        self.change(|state| state.writers += 1);
        Writing(self)
    }

    /// Returns when the kernel takes what is written: at once, unless the peer does not read.
    pub(crate) async fn write_flows(&self) {
        // The sender is this gate's own, so it is not closed.
        let _ = self.write_waits.subscribe().wait_for(|waits| !waits).await;
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let reader = if state.is_shut() {
            None
        } else {
            state.reader.take()
        };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Ready when the connection may be read.
    fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.is_shut() {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn note_write<T>(&self, write: &Poll<T>) {
        let waits = write.is_pending();
        self.write_waits
            .send_if_modified(|before| mem::replace(before, waits) != waits);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Counts; nothing panics halfway through a change of them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that waits to write.
#[derive(Debug)]
pub(crate) struct Writing<'a>(&'a Gate);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.writers -= 1);
    }
}

/// A stream that is read only while its gate is open.
#[derive(Debug)]
pub(crate) struct GatedStream<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S> GatedStream<S> {
    pub(crate) fn new(inner: S, gate: Arc<Gate>) -> Self {
        Self { inner, gate }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GatedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.gate.poll_open(cx) {
            Poll::Ready(()) => Pin::new(&mut this.inner).poll_read(cx, buffer),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GatedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.gate.note_write(&written);
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn gated() -> (GatedStream<DuplexStream>, Arc<Gate>, DuplexStream) {
        let (near, far) = duplex(4);
        let gate = Arc::new(Gate::default());
        (GatedStream::new(near, gate.clone()), gate, far)
    }

    /// What a read gives without waiting.
    async fn read_now(stream: &mut GatedStream<DuplexStream>) -> Option<u8> {
        let mut byte = [0];
        tokio::select! {
            biased;
            read = stream.read_exact(&mut byte) => { read.unwrap(); Some(byte[0]) }
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn a_full_channel_shuts_the_gate_until_it_has_room() {
        let (mut stream, gate, mut far) = gated();
        far.write_all(b"ab").await.unwrap();
        gate.refill(Fill::Room, Fill::Full);
        assert_eq!(read_now(&mut stream).await, None);
        let reading = tokio::spawn(async move { stream.read_u8().await.unwrap() });
        tokio::task::yield_now().await;
        assert!(!reading.is_finished());
        gate.refill(Fill::Full, Fill::Room);
        assert_eq!(reading.await.unwrap(), b'a');
    }

    #[tokio::test]
    async fn while_a_session_waits_to_write_a_window_more_is_let_in() {
        let (mut stream, gate, mut far) = gated();
        far.write_all(b"abc").await.unwrap();
        gate.refill(Fill::Room, Fill::Full);
        let writing = gate.writing();
        assert_eq!(read_now(&mut stream).await, Some(b'a'));
        gate.refill(Fill::Full, Fill::Overfull);
        assert_eq!(read_now(&mut stream).await, None);
        gate.refill(Fill::Overfull, Fill::Full);
        assert_eq!(read_now(&mut stream).await, Some(b'b'));
        drop(writing);
        assert_eq!(read_now(&mut stream).await, None);
    }

    #[tokio::test]
    async fn it_is_known_when_the_peer_does_not_read() {
        let (mut stream, gate, mut far) = gated();
        gate.write_flows().await;
        let writing = tokio::spawn(async move { stream.write_all(b"123456").await });
        tokio::task::yield_now().await;
        let flows = tokio::spawn(async move { gate.write_flows().await });
        tokio::task::yield_now().await;
        assert!(!flows.is_finished());
        far.read_exact(&mut [0; 6]).await.unwrap();
        writing.await.unwrap().unwrap();
        flows.await.unwrap();
    }
}
