//! What the control server needs of its connection to a hub.

use std::future::Future;

use cmp_protocol::{Event, Submission};

/// The connection to the hub has ended: nothing more can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link to the hub is closed")]
pub struct LinkClosed;

/// A session at a hub, whatever carries it: inside the hub's process, or over SSH.
///
/// The hub must let this client `PROVIDE`, `REP`, `END` and `RESUME`, and deliver broadcasts.
pub trait Link: Send {
    /// Hands one command to the hub. May wait while the hub has enough to do; need not be
    /// cancel safe.
    fn send(
        &mut self,
        submission: Submission,
    ) -> impl Future<Output = Result<(), LinkClosed>> + Send;

    /// The next event; none when the session has ended. Must be cancel safe: an event is not
    /// lost when the future is dropped before it is ready.
    fn receive(&mut self) -> impl Future<Output = Option<Event>> + Send;
}
