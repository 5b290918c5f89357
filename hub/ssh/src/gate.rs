//! The last bound on what a client sends: reading from a connection stops while one of its sessions
//! has far more input than it takes.
//!
//! A well-behaved client is slowed by the window of its channel (see
//! [`channel_input`](crate::channel_input)) and never gets here. One that writes beyond its window,
//! or floods several sessions of one connection at once, does. Everything else of the connection
//! goes on meanwhile: its output, its timers, a key exchange that was begun.
//!
//! The gate can hold writing as well, for a moment: what the SSH library is given meanwhile goes out
//! together, so that a client's answer to the first message can't come between it and the next.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::{io, mem, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

#[derive(Debug, Default)]
struct State {
    /// Channels that have too much input.
    overfull: usize,
    reader: Option<Waker>,
    /// Those who hold writing.
    holding: usize,
    writer: Option<Waker>,
}

/// Says whether a connection is read, and knows whether it can be written.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// The last write has to wait for the peer.
    write_waits: watch::Sender<bool>,
}

impl Gate {
    /// A channel has too much input.
    pub(crate) fn shut(&self) {
        self.lock().overfull += 1;
    }

    /// A channel has no longer too much input.
    pub(crate) fn open(&self) {
        let mut state = self.lock();
        state.overfull -= 1;
        let reader = if state.overfull == 0 {
            state.reader.take()
        } else {
            None
        };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Holds writing until the guard is dropped.
    pub(crate) fn hold_writing(&self) -> Holding<'_> {
        self.lock().holding += 1;
        Holding(self)
    }

    /// Ready when the connection may be written.
    fn poll_write_allowed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.holding > 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Returns when the kernel takes what is written: at once, unless the peer does not read.
    pub(crate) async fn write_flows(&self) {
        // The sender is this gate's own, so it is not closed.
        let _ = self.write_waits.subscribe().wait_for(|waits| !waits).await;
    }

    /// Ready when the connection may be read.
    fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.overfull > 0 {
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

/// Somebody who holds writing.
#[derive(Debug)]
pub(crate) struct Holding<'a>(&'a Gate);

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.holding -= 1;
        let writer = if state.holding == 0 {
            state.writer.take()
        } else {
            None
        };
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
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
        if this.gate.poll_write_allowed(cx).is_pending() {
            return Poll::Pending;
        }
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
    async fn the_gate_is_shut_until_every_channel_has_room() {
        let (mut stream, gate, mut far) = gated();
        far.write_all(b"ab").await.unwrap();
        gate.shut();
        gate.shut();
        assert_eq!(read_now(&mut stream).await, None);
        let reading = tokio::spawn(async move { stream.read_u8().await.unwrap() });
        tokio::task::yield_now().await;
        gate.open();
        tokio::task::yield_now().await;
        assert!(!reading.is_finished());
        gate.open();
        assert_eq!(reading.await.unwrap(), b'a');
    }

    #[tokio::test]
    async fn what_is_written_while_writing_is_held_goes_out_afterwards() {
        let (mut stream, gate, mut far) = gated();
        let holding = gate.hold_writing();
        let writing = tokio::spawn(async move { stream.write_all(b"ab").await });
        tokio::task::yield_now().await;
        assert!(!writing.is_finished());
        gate.write_flows().await;
        drop(holding);
        writing.await.unwrap().unwrap();
        assert_eq!(far.read_u8().await.unwrap(), b'a');
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
