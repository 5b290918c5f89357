//! A session's two ends: what it submits, and what it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cmp_protocol::{ClientName, Command, Form, RoleName, Submission};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::hub::{Input, Signal};
use crate::outbox::{OutboxEcho, OutboxReader};

/// The number of a session, unique while the hub runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a session has carried so far; the transport counts.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Bytes from the client.
    pub bytes_in: AtomicU64,
    /// Bytes to the client.
    pub bytes_out: AtomicU64,
    /// Lines from the client.
    pub lines_in: AtomicU64,
    /// Events to the client.
    pub events_out: AtomicU64,
}

impl Traffic {
    /// Adds to one of the counts.
    pub fn add(counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Ordering::Relaxed);
    }
}

/// What a transport says of a session that it opens.
#[derive(Debug, Clone)]
pub struct Attach {
    /// Who it is, by its key.
    pub client: ClientName,
    /// Where it comes from, for people: an address and port, or `internal`.
    pub peer: String,
    /// How it is spoken to.
    pub form: Form,
}

/// An open session.
#[derive(Debug)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// The role it has.
    pub role: RoleName,
    /// What the client says goes in here.
    pub input: SessionInput,
    /// What the client is told comes out here.
    pub output: OutboxReader,
    /// Bytes of the transport's own, in order with the output.
    pub echo: OutboxEcho,
    /// What it has carried.
    pub traffic: Arc<Traffic>,
}

/// The hub has ended: nothing can be submitted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hub has ended")]
pub struct HubEnded;

/// Where a session submits its commands. Dropping it detaches the session: what was submitted
/// is still done.
#[derive(Debug)]
pub struct SessionInput {
    pub(crate) id: SessionId,
    pub(crate) commands: mpsc::Sender<Input>,
    pub(crate) signals: mpsc::UnboundedSender<Signal>,
    pub(crate) credit: CommandCredit,
    pub(crate) reason: String,
}

/// Room for one command; comes back to its session when the command is done.
pub(crate) type Credit = OwnedSemaphorePermit;

/// The commands that a session may have under way.
///
/// A long text takes the room of several, so that all that are under way fill no more than half of
/// an outbox: between the moment when a reader is seen to be behind, and the one when it is ended
/// for that, is a time in which its sender can be held back.
#[derive(Debug)]
pub(crate) struct CommandCredit {
    free: Arc<Semaphore>,
    most: u32,
    bytes_each: usize,
}

/// What an event takes in an outbox besides its text, about.
const EVENT_BYTES: usize = 256;

impl CommandCredit {
    /// Room for up to `most` commands, and for half of `outbox_bytes`.
    pub(crate) fn new(most: usize, outbox_bytes: usize) -> Self {
        let most = u32::try_from(most).unwrap_or(u32::MAX).max(1);
        Self {
            free: Arc::new(Semaphore::new(most as usize)),
            most,
            bytes_each: (outbox_bytes / 2 / most as usize).max(1),
        }
    }

    async fn acquire(&self, submission: &Submission) -> Result<Credit, HubEnded> {
        let text = match &submission.command {
            Ok(
                Command::Chat { text }
                | Command::Relay { text, .. }
                | Command::Broadcast { text, .. }
                | Command::Reply { text, .. }
                | Command::Request { params: text, .. },
            ) => text.len(),
            _ => 0,
        };
        let pieces = (EVENT_BYTES + text).div_ceil(self.bytes_each);
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        let credit = self
            .free
            .clone()
            .acquire_many_owned(pieces.clamp(1, self.most));
        credit.await.map_err(|_| HubEnded)
    }
}

impl SessionInput {
    /// Submits one line. Waits while too many of this session's commands are under way: that is
    /// the backpressure on a client that writes too fast.
    pub async fn submit(&self, submission: Submission) -> Result<(), HubEnded> {
        let credit = self.credit.acquire(&submission).await?;
        let input = Input::Submit {
            session: self.id,
            submission,
            credit,
        };
        self.commands.send(input).await.map_err(|_| HubEnded)
    }

    /// Says that the client will send no more. When all that was submitted is done and its
    /// requests are answered, the output ends with [`crate::End::Finished`].
    pub async fn finish(&self) -> Result<(), HubEnded> {
        self.commands
            .send(Input::Finish { session: self.id })
            .await
            .map_err(|_| HubEnded)
    }

    /// Sets why the session ends, for the log and for those who follow `presence`; used when
    /// this is dropped.
    pub fn set_reason(&mut self, reason: impl Into<String>) {
        self.reason = reason.into();
    }
}

impl Drop for SessionInput {
    fn drop(&mut self) {
        let reason = std::mem::take(&mut self.reason);
        // Unbounded, but every session sends exactly one: bounded by the number of sessions.
        // An error means that the hub has ended, and with it the session.
        let _ = self.signals.send(Signal::Detach {
            session: self.id,
            reason,
        });
    }
}
