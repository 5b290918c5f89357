//! What happened since the start, for metrics. Refusals are counted by
//! [`Refusals`](crate::limits::refusal::Refusals).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::counter::{Counter, CounterGuard};

/// Counts over all listeners that share them.
#[derive(Debug, Default)]
pub struct Counters {
    accepted: AtomicU64,
    logins: AtomicU64,
    logged_in: Counter,
    sessions: AtomicU64,
    open_sessions: Counter,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections that were admitted.
    pub accepted: u64,
    /// Connections that logged in.
    pub logins: u64,
    /// Connections that are logged in now.
    pub logged_in: usize,
    /// Sessions that were started: shells, commands and subsystems.
    pub sessions: u64,
    /// Sessions that are open now.
    pub open_sessions: usize,
}

impl Counters {
    /// The counts of now.
    pub fn get(&self) -> Counts {
        Counts {
            accepted: self.accepted.load(Ordering::Relaxed),
            logins: self.logins.load(Ordering::Relaxed),
            logged_in: self.logged_in.get(),
            sessions: self.sessions.load(Ordering::Relaxed),
            open_sessions: self.open_sessions.get(),
        }
    }

    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection has logged in, and is so until the guard is dropped.
    pub(crate) fn logged_in(&self) -> Option<CounterGuard> {
        self.logins.fetch_add(1, Ordering::Relaxed);
        self.logged_in.try_acquire(|_| true)
    }

    /// A session was started, and is open until the guard is dropped.
    pub(crate) fn session(&self) -> Option<CounterGuard> {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        self.open_sessions.try_acquire(|_| true)
    }
}
