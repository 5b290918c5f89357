//! What a client sent on a channel and its session has not taken yet.
//!
//! A client that writes too fast is held back by the window of its channel, and no other channel is.
//! The SSH library gives a channel new window as soon as data arrives, not when it was used, and has
//! no call to give it later. What can be set is to how much the window is filled up
//! ([`InputSender::next_window`]): while enough input waits, to [`DRIP`] bytes. A client then sends a
//! byte or two for each round trip, so its next data asks again how much it may send.
//!
//! What is beyond the window never stops a connection from being read: the client's own messages
//! that open the window for our output must get through.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;

/// What a session gets from its channel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// All the bytes that waited.
    Data(Vec<u8>),
    /// The client will send no more.
    Eof,
    /// The client closed the channel, or the connection is gone.
    Closed,
}

#[derive(Debug, Default)]
struct State {
    /// One buffer, so that many small packets take no more memory than their bytes.
    bytes: Vec<u8>,
    /// The gate is shut because of this channel.
    shuts_gate: bool,
    eof: bool,
    /// Nobody takes input any more.
    unwanted: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
    gate: Arc<Gate>,
    window: u32,
    gone: CancellationToken,
}

/// The least window that is filled up when it is used up, and not before: half of it is one byte.
const DRIP: u32 = 2;

/// The connection's end. Dropping it says that the channel is gone.
#[derive(Debug)]
pub(crate) struct InputSender(Arc<Shared>);

/// The session's end. Dropping it lets later input be thrown away.
#[derive(Debug)]
pub(crate) struct InputReceiver(Arc<Shared>);

/// The input of a channel of this window. It can hold two windows and one packet: all of a window
/// may arrive when it was filled up just before enough waited; the gate is shut at the second.
pub(crate) fn channel_input(gate: Arc<Gate>, window: u32) -> (InputSender, InputReceiver) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        arrived: Notify::new(),
        gate,
        window,
        gone: CancellationToken::new(),
    });
    (InputSender(shared.clone()), InputReceiver(shared))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The buffer is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called after each change of the bytes.
    fn mind_gate(&self, state: &mut State) {
        let overfull = state.bytes.len() >= 2 * self.window as usize;
        match (state.shuts_gate, overfull) {
            (false, true) => self.gate.shut(),
            (true, false) => self.gate.open(),
            _ => return,
        }
        state.shuts_gate = overfull;
    }
}

impl InputSender {
    /// Bytes have arrived. Does not wait: the gate sees to it that there are not too many.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut state = self.0.lock();
        // After its end there is no input (RFC 4254 section 5.3).
        if state.unwanted || state.eof {
            return;
        }
        state.bytes.extend_from_slice(bytes);
        self.0.mind_gate(&mut state);
        drop(state);
        self.0.arrived.notify_one();
    }

    /// Whether enough waits to keep the session busy: a quarter of a window.
    pub(crate) fn is_full(&self) -> bool {
        self.0.lock().bytes.len() >= self.0.window as usize / 4
    }

    /// To how many bytes the client's window is to be filled up, the next time that less than half
    /// of it is left.
    pub(crate) fn next_window(&self) -> u32 {
        if self.is_full() { DRIP } else { self.0.window }
    }

    /// The client will send no more.
    pub(crate) fn eof(&self) {
        self.0.lock().eof = true;
        self.0.arrived.notify_one();
    }
}

impl Drop for InputSender {
    fn drop(&mut self) {
        self.0.gone.cancel();
    }
}

impl InputReceiver {
    /// Waits for what comes next. `eof_told` is whether [`Input::Eof`] was returned before: then it
    /// waits for [`Input::Closed`]. Cancel safe.
    pub(crate) async fn next(&mut self, eof_told: bool) -> Input {
        loop {
            let arrived = self.0.arrived.notified();
            // Asked first: what came before the channel was gone is taken before its end.
            let gone = self.0.gone.is_cancelled();
            {
                let mut state = self.0.lock();
                if !state.bytes.is_empty() {
                    let bytes = std::mem::take(&mut state.bytes);
                    self.0.mind_gate(&mut state);
                    return Input::Data(bytes);
                }
                if state.eof && !eof_told {
                    return Input::Eof;
                }
            }
            if gone {
                return Input::Closed;
            }
            tokio::select! {
                () = arrived => {}
                () = self.0.gone.cancelled() => {}
            }
        }
    }

    /// Fires when the client closed the channel, or the connection is gone.
    pub(crate) fn gone(&self) -> CancellationToken {
        self.0.gone.clone()
    }
}

impl Drop for InputReceiver {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.unwanted = true;
        state.bytes = Vec::new();
        self.0.mind_gate(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> (InputSender, InputReceiver, Arc<Gate>) {
        let gate = Arc::new(Gate::default());
        let (sender, receiver) = channel_input(gate.clone(), 8);
        (sender, receiver, gate)
    }

    #[tokio::test]
    async fn packets_are_taken_together_and_the_end_comes_last() {
        let (sender, mut receiver, _gate) = input();
        sender.push(b"ab");
        sender.push(b"c");
        sender.eof();
        sender.push(b"after the end");
        drop(sender);
        assert_eq!(receiver.next(false).await, Input::Data(b"abc".to_vec()));
        assert_eq!(receiver.next(false).await, Input::Eof);
        assert_eq!(receiver.next(true).await, Input::Closed);
    }

    #[tokio::test]
    async fn the_next_thing_is_waited_for() {
        let (sender, mut receiver, _gate) = input();
        let taken =
            tokio::spawn(async move { (receiver.next(false).await, receiver.next(false).await) });
        tokio::task::yield_now().await;
        sender.push(b"x");
        tokio::task::yield_now().await;
        drop(sender);
        assert_eq!(
            taken.await.unwrap(),
            (Input::Data(b"x".to_vec()), Input::Closed)
        );
    }

    #[tokio::test]
    async fn while_enough_waits_the_window_is_not_filled_up() {
        let (sender, mut receiver, _gate) = input();
        sender.push(b"a");
        assert_eq!(sender.next_window(), 8);
        sender.push(b"b");
        assert_eq!(sender.next_window(), DRIP);
        receiver.next(false).await;
        assert_eq!(sender.next_window(), 8);
        sender.push(b"abc");
        drop(receiver);
        assert_eq!(sender.next_window(), 8);
    }

    #[tokio::test]
    async fn two_windows_shut_the_gate_until_they_are_taken_or_unwanted() {
        let (sender, mut receiver, gate) = input();
        let is_shut = || format!("{gate:?}").contains("overfull: 1");
        sender.push(b"0123456789abcde");
        assert!(!is_shut());
        sender.push(b"f");
        assert!(is_shut());
        receiver.next(false).await;
        assert!(!is_shut());
        sender.push(b"0123456789abcdef");
        assert!(is_shut());
        drop(receiver);
        assert!(!is_shut());
        sender.push(b"0123456789abcdef");
        assert!(!is_shut());
    }
}
