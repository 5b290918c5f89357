//! What a client sent on a channel and its session has not taken yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::gate::{Fill, Gate};

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
    fill: Fill,
    eof: bool,
    /// Nobody takes input any more.
    unwanted: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
    gate: Arc<Gate>,
    full: usize,
    overfull: usize,
    gone: CancellationToken,
}

/// The connection's end. Dropping it says that the channel is gone.
#[derive(Debug)]
pub(crate) struct InputSender(Arc<Shared>);

/// The session's end. Dropping it lets later input be thrown away.
#[derive(Debug)]
pub(crate) struct InputReceiver(Arc<Shared>);

/// The input of a channel of this window. A quarter of a window of waiting input shuts the gate;
/// it can hold a window more (see [`gate`](crate::gate)), and one packet on top.
pub(crate) fn channel_input(gate: Arc<Gate>, window: usize) -> (InputSender, InputReceiver) {
    let full = window / 4;
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        arrived: Notify::new(),
        gate,
        full,
        overfull: full.saturating_add(window),
        gone: CancellationToken::new(),
    });
    (InputSender(shared.clone()), InputReceiver(shared))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The buffer is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refill(&self, state: &mut State) {
        let fill = match state.bytes.len() {
            length if length >= self.overfull => Fill::Overfull,
            length if length >= self.full => Fill::Full,
            _ => Fill::Room,
        };
        self.gate.refill(state.fill, fill);
        state.fill = fill;
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
        self.0.refill(&mut state);
        drop(state);
        self.0.arrived.notify_one();
    }

    /// Whether as much waits as shuts the gate.
    pub(crate) fn is_full(&self) -> bool {
        self.0.lock().fill != Fill::Room
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
                    self.0.refill(&mut state);
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
        self.0.refill(&mut state);
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
    async fn the_gate_knows_how_full_it_is() {
        let (sender, mut receiver, gate) = input();
        let shown = |gate: &Gate| {
            format!("{gate:?}")
                .split("writers")
                .next()
                .unwrap()
                .to_owned()
        };
        assert!(shown(&gate).contains("full: 0, overfull: 0"));
        sender.push(b"ab");
        assert!(shown(&gate).contains("full: 1, overfull: 0"));
        sender.push(b"cdefghij");
        assert!(shown(&gate).contains("full: 0, overfull: 1"));
        receiver.next(false).await;
        assert!(shown(&gate).contains("full: 0, overfull: 0"));
        sender.push(b"0123456789");
        drop(receiver);
        assert!(shown(&gate).contains("full: 0, overfull: 0"));
        sender.push(b"0123456789");
        assert!(shown(&gate).contains("full: 0, overfull: 0"));
    }
}
