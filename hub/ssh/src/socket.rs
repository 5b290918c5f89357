//! A connection's stream, as the SSH library gets it.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Bytes that passed a [`CancellableStream`] so far, as they were on the wire.
#[derive(Debug, Default)]
pub struct ByteCounts {
    received: AtomicU64,
    sent: AtomicU64,
}

impl ByteCounts {
    /// Bytes that came from the peer.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes that the kernel took for the peer.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// A stream that ends as soon as its token is cancelled.
///
/// From then on every read and write fails with [`io::ErrorKind::ConnectionAborted`], also those
/// that wait already, for a peer that sends nothing or reads nothing. So whoever owns the stream
/// gets it back and can drop it, whatever the peer does; and anybody who holds the token can make
/// that happen.
///
/// What was written before stays with the kernel, which goes on sending it after the socket is
/// closed.
pub struct CancellableStream<S> {
    inner: S,
    token: CancellationToken,
    // A future keeps one waker. Reader and writer may be different tasks, so each has its own.
    reader_cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    writer_cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    bytes: Arc<ByteCounts>,
}

impl<S> CancellableStream<S> {
    /// Wraps `inner`, which ends when `token` is cancelled.
    pub fn new(inner: S, token: CancellationToken) -> Self {
        Self {
            inner,
            reader_cancelled: Box::pin(token.clone().cancelled_owned()),
            writer_cancelled: Box::pin(token.clone().cancelled_owned()),
            token,
            bytes: Arc::default(),
        }
    }

    /// The byte counts. They can be read while somebody else owns the stream, and after its end.
    pub fn bytes(&self) -> Arc<ByteCounts> {
        Arc::clone(&self.bytes)
    }
}

impl<S: fmt::Debug> fmt::Debug for CancellableStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellableStream")
            .field("inner", &self.inner)
            .field("cancelled", &self.token.is_cancelled())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

fn aborted<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
}

impl<S: AsyncWrite + Unpin> CancellableStream<S> {
    fn poll_writer<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.token.is_cancelled() {
            return aborted();
        }
        let done = act(Pin::new(&mut self.inner), cx);
        if done.is_pending() && self.writer_cancelled.as_mut().poll(cx).is_ready() {
            return aborted();
        }
        done
    }

    fn count_sent(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(length)) = written {
            self.bytes.sent.fetch_add(*length as u64, Ordering::Relaxed);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CancellableStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.token.is_cancelled() {
            return aborted();
        }
        let before = buffer.filled().len();
        let done = Pin::new(&mut this.inner).poll_read(cx, buffer);
        if done.is_pending() && this.reader_cancelled.as_mut().poll(cx).is_ready() {
            return aborted();
        }
        let length = buffer.filled().len().saturating_sub(before);
        this.bytes
            .received
            .fetch_add(length as u64, Ordering::Relaxed);
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CancellableStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = this.poll_writer(cx, |inner, cx| inner.poll_write(cx, bytes));
        this.count_sent(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = this.poll_writer(cx, |inner, cx| inner.poll_write_vectored(cx, slices));
        this.count_sent(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_writer(cx, S::poll_flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_writer(cx, S::poll_shutdown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    /// How long a test waits for what must happen at once.
    const AT_MOST: Duration = Duration::from_secs(20);

    async fn connected() -> (CancellableStream<TcpStream>, CancellationToken, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let token = CancellationToken::new();
        let stream = CancellableStream::new(accepted.unwrap().0, token.clone());
        (stream, token, peer.unwrap())
    }

    async fn ended<T>(task: JoinHandle<T>) -> T {
        timeout(AT_MOST, task)
            .await
            .expect("ends when cancelled")
            .unwrap()
    }

    fn write_until_error(
        mut writer: impl AsyncWrite + Unpin + Send + 'static,
    ) -> JoinHandle<io::ErrorKind> {
        tokio::spawn(async move {
            loop {
                if let Err(error) = writer.write_all(&[7; 16384]).await {
                    return error.kind();
                }
            }
        })
    }

    fn read_to_end(
        mut reader: impl AsyncRead + Unpin + Send + 'static,
    ) -> JoinHandle<io::Result<usize>> {
        tokio::spawn(async move { reader.read_to_end(&mut Vec::new()).await })
    }

    /// Returns when writing has stalled: the runtime had nothing else to do, twice, and the count
    /// of sent bytes stood still.
    async fn stalled(bytes: &ByteCounts) {
        let mut before = 0;
        while before == 0 || before != bytes.sent() {
            before = bytes.sent();
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn passes_bytes_and_counts_them() {
        let (mut stream, _token, mut peer) = connected().await;
        let bytes = stream.bytes();
        let mut received = [0; 14];
        let in_two_pieces = async {
            peer.write_all(b"SSH-2.0-").await.unwrap();
            while bytes.received() < 8 {
                tokio::task::yield_now().await;
            }
            peer.write_all(b"peer\r\n").await.unwrap();
        };
        let (read, ()) = tokio::join!(stream.read_exact(&mut received), in_two_pieces);
        read.unwrap();
        assert_eq!(&received, b"SSH-2.0-peer\r\n");

        stream.write_all(b"SSH-2.0-").await.unwrap();
        let hub = [IoSlice::new(b"h"), IoSlice::new(b"ub\r\n")];
        assert_eq!(stream.write_vectored(&hub).await.unwrap(), 5);
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"SSH-2.0-hub\r\n");

        drop(stream);
        assert_eq!((bytes.received(), bytes.sent()), (14, 13));
    }

    #[tokio::test]
    async fn the_end_of_the_peer_is_still_an_end_and_no_error() {
        let (stream, _token, peer) = connected().await;
        drop(peer);
        assert_eq!(ended(read_to_end(stream)).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_read_from_a_silent_peer_ends() {
        let (stream, token, _peer) = connected().await;
        let reader = read_to_end(stream);
        tokio::task::yield_now().await;
        token.cancel();
        assert_eq!(
            ended(reader).await.unwrap_err().kind(),
            io::ErrorKind::ConnectionAborted
        );
    }

    #[tokio::test]
    async fn a_write_to_a_peer_that_never_reads_ends() {
        let (stream, token, _peer) = connected().await;
        let bytes = stream.bytes();
        let writer = write_until_error(stream);
        stalled(&bytes).await;
        token.cancel();
        assert_eq!(ended(writer).await, io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn reader_and_writer_in_different_tasks_both_end() {
        let (stream, token, _peer) = connected().await;
        let bytes = stream.bytes();
        let (reader, writer) = split(stream);
        let (reader, writer) = (read_to_end(reader), write_until_error(writer));
        stalled(&bytes).await;
        token.cancel();
        assert_eq!(
            ended(reader).await.unwrap_err().kind(),
            io::ErrorKind::ConnectionAborted
        );
        assert_eq!(ended(writer).await, io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn nothing_passes_after_the_end() {
        let (mut stream, token, mut peer) = connected().await;
        peer.write_all(b"too late").await.unwrap();
        token.cancel();
        let aborted = io::ErrorKind::ConnectionAborted;
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), aborted);
        assert_eq!(stream.write_all(b"x").await.unwrap_err().kind(), aborted);
        assert_eq!(stream.flush().await.unwrap_err().kind(), aborted);
        assert_eq!(stream.shutdown().await.unwrap_err().kind(), aborted);
        assert_eq!((stream.bytes().received(), stream.bytes().sent()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_peer_is_ended_by_the_grace_time() {
        use crate::limits::login_grace::{LoginGrace, LoginGraceSettings, LoginTimeout};

        let (mut peer, server) = tokio::io::duplex(64);
        let token = CancellationToken::new();
        let stream = CancellableStream::new(server, token.clone());
        let bytes = stream.bytes();
        let grace = LoginGrace::start(LoginGraceSettings::default(), token);
        grace.key_exchange_done();
        let start = tokio::time::Instant::now();
        let reader = read_to_end(stream);
        let mut drip = tokio::time::interval(Duration::from_secs(20));
        loop {
            drip.tick().await;
            if peer.write_all(b"x").await.is_err() {
                break;
            }
        }
        assert_eq!(
            ended(reader).await.unwrap_err().kind(),
            io::ErrorKind::ConnectionAborted
        );
        assert_eq!(grace.timeout(), Some(LoginTimeout::Login));
        assert!(bytes.received() >= 6, "it did drip");
        assert!(start.elapsed() <= Duration::from_secs(140));
    }
}
