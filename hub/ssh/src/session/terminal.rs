//! The terminal of a session, shared by its two directions.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::tty::{LineDiscipline, TtyEvent, TtyModes, TtySignal};

/// What a terminal hands to its program.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Bytes, to be read as a stream.
    Data(Vec<u8>),
    /// End of input.
    EndOfFile,
    /// A signal.
    Signal(TtySignal),
}

#[derive(Debug)]
pub(super) struct Terminal {
    discipline: Mutex<LineDiscipline>,
    started: Notify,
}

impl Terminal {
    pub(super) fn new(modes: TtyModes) -> Self {
        Self {
            discipline: Mutex::new(LineDiscipline::new(modes)),
            started: Notify::new(),
        }
    }

    /// Takes bytes of the client: returns their echo, and what the program gets.
    pub(super) fn input(&self, bytes: &[u8]) -> (Vec<u8>, Vec<Typed>) {
        let (mut echo, mut typed) = (Vec::new(), Vec::new());
        self.lock().input(bytes, &mut echo, |event| {
            typed.push(match event {
                TtyEvent::Data(data) => Typed::Data(data.to_vec()),
                TtyEvent::EndOfFile => Typed::EndOfFile,
                TtyEvent::Signal(signal) => Typed::Signal(signal),
            });
        });
        self.started.notify_one();
        (echo, typed)
    }

    /// Takes bytes of the hub; appends what the client gets.
    pub(super) fn output(&self, bytes: &[u8], to: &mut Vec<u8>) {
        self.lock().output(bytes, to);
    }

    /// Returns when the client has not stopped the output.
    pub(super) async fn flows(&self) {
        loop {
            let started = self.started.notified();
            if !self.lock().is_stopped() {
                return;
            }
            started.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, LineDiscipline> {
        // Nothing in there panics.
        self.discipline
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
