//! A channel, as its session writes to it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{ChannelWriteHalf, Error, Sig};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;

/// How a session ends, as the client is told.
#[derive(Debug, Clone)]
pub(crate) enum Exit {
    /// Like a process that exits.
    Status(u32),
    /// Like a process that is killed.
    Signal(Sig),
    /// Not at all: the channel is gone.
    Gone,
}

/// A write was not done: the client does not read, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotWritten;

/// Writes wait for the client's window of this channel, and so leave the other channels of the
/// connection alone: data beyond the window would wait in the SSH library, which then takes nothing
/// from anybody. They end when the channel is gone, which the library itself does not say.
pub(crate) struct ChannelOutput {
    writer: ChannelWriteHalf<Msg>,
    handle: Handle,
    connection: Arc<Connection>,
    gone: CancellationToken,
}

/// How long writing is held for the last messages of a channel to be handed over.
const TOGETHER: Duration = Duration::from_millis(10);

/// Bytes handed over at once; the standard maximum of a packet.
const PIECE: usize = 32 * 1024;

impl ChannelOutput {
    pub(crate) fn new(
        writer: ChannelWriteHalf<Msg>,
        handle: Handle,
        connection: &Arc<Connection>,
        gone: CancellationToken,
    ) -> Self {
        Self {
            writer,
            handle,
            connection: connection.clone(),
            gone,
        }
    }

    /// Writes bytes as long as `give_up`, which is asked anew for each piece, does not return.
    pub(crate) async fn write<F: Future<Output = ()>>(
        &self,
        bytes: Vec<u8>,
        mut give_up: impl FnMut() -> F,
    ) -> Result<(), NotWritten> {
        let mut bytes = Bytes::from(bytes);
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            self.unless(give_up(), self.writer.data_bytes(piece))
                .await?;
        }
        Ok(())
    }

    /// Writes to the client's standard error, or gives up when a piece stands still for `stall`.
    pub(crate) async fn write_stderr(
        &self,
        bytes: Vec<u8>,
        stall: Duration,
    ) -> Result<(), NotWritten> {
        // SSH_EXTENDED_DATA_STDERR, RFC 4254 section 5.2.
        const STDERR: u32 = 1;
        let mut bytes = Bytes::from(bytes);
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            let give_up = tokio::time::sleep(stall);
            self.unless(give_up, self.writer.extended_data_bytes(STDERR, piece))
                .await?;
        }
        Ok(())
    }

    async fn unless(
        &self,
        give_up: impl Future<Output = ()>,
        write: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), NotWritten> {
        tokio::select! {
            biased;
            () = self.gone.cancelled() => Err(NotWritten),
            written = write => written.map_err(|_| NotWritten),
            () = give_up => Err(NotWritten),
        }
    }

    /// Ends the channel, with a process's last messages in the order of sshd. None of them needs the
    /// client's window; if they cannot be sent in time, its whole connection stands still, and is
    /// cut.
    ///
    /// A client that has sent its own EOF answers ours by closing the channel, and what the library
    /// is given after that is dropped: so all are handed over before the first goes out.
    pub(crate) async fn finish(self, exit: Exit) {
        let id = self.writer.id();
        let hand_over = async {
            self.writer.eof().await?;
            match exit {
                Exit::Status(status) => self.writer.exit_status(status).await?,
                Exit::Signal(signal) => {
                    let request = self.handle.exit_signal_request(
                        id,
                        signal,
                        false,
                        String::new(),
                        String::new(),
                    );
                    request.await.map_err(|()| Error::SendError)?;
                }
                Exit::Gone => return Ok(()),
            }
            self.writer.close().await
        };
        let close = async {
            let mut hand_over = pin!(hand_over);
            let holding = self.connection.gate.hold_writing();
            let together = timeout(TOGETHER, &mut hand_over).await;
            drop(holding);
            match together {
                Ok(handed_over) => handed_over?,
                // The library's queue is full and moves only when it can write.
                Err(_) => hand_over.await?,
            }
            self.connection.gate.write_flows().await;
            Ok::<(), Error>(())
        };
        let grace = self.connection.server.settings.close_grace;
        let late = tokio::select! {
            () = self.gone.cancelled() => false,
            closed = timeout(grace, close) => closed.is_err(),
        };
        if late {
            self.connection.cut.cancel();
        }
    }
}
