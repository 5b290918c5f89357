//! How a connection ended: what is logged, counted and penalised.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cmp_core::Traffic;
use russh::Error;

use super::Connection;
use crate::algorithms::explain_no_common;
use crate::limits::penalties::PenaltyKind;
use crate::limits::refusal::RefusalKind;
use crate::socket::ByteCounts;

/// What a connection has carried, over all its sessions.
#[derive(Debug)]
pub(crate) struct Totals {
    wire: Arc<ByteCounts>,
    sessions: AtomicU64,
    lines_in: AtomicU64,
    events_out: AtomicU64,
}

impl Totals {
    pub(super) fn new(wire: Arc<ByteCounts>) -> Self {
        Self {
            wire,
            sessions: AtomicU64::new(0),
            lines_in: AtomicU64::new(0),
            events_out: AtomicU64::new(0),
        }
    }

    /// A session has ended.
    pub(crate) fn add(&self, session: &Traffic) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.sessions.fetch_add(1, Ordering::Relaxed);
        self.lines_in
            .fetch_add(load(&session.lines_in), Ordering::Relaxed);
        self.events_out
            .fetch_add(load(&session.events_out), Ordering::Relaxed);
    }
}

impl Connection {
    /// The last act of a connection.
    pub(super) fn conclude(&self, result: Result<(), Error>) {
        if let Err(Error::Join(error)) = &result {
            tracing::error!(peer = %self.peer, %error, "the task of a connection failed");
        }
        let login = self.phase.borrow().login().cloned();
        let Some(login) = login else {
            self.conclude_stranger(result);
            return;
        };
        let decided = super::lock(&self.reason).take();
        let reason = decided
            .or_else(|| super::lock(&self.session_end).take())
            .unwrap_or_else(|| match result {
                Ok(()) => "disconnected by the client".to_owned(),
                Err(error) => explain(&error),
            });
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        tracing::info!(
            client = %login.client,
            peer = %self.peer,
            reason,
            bytes_in = self.totals.wire.received(),
            bytes_out = self.totals.wire.sent(),
            sessions = load(&self.totals.sessions),
            lines_in = load(&self.totals.lines_in),
            events_out = load(&self.totals.events_out),
            "logout"
        );
    }

    fn conclude_stranger(&self, result: Result<(), Error>) {
        let limits = &self.server.limits;
        let now = tokio::time::Instant::now().into_std();
        let report = |kind, reason: &dyn std::fmt::Display| {
            limits.refusals().report(kind, Some(self.peer), reason, now);
        };
        let attempts = self.attempts();
        let penalty = if let Some(timeout) = self.grace.timeout() {
            report(timeout.refusal(), &timeout);
            timeout.penalty()
        } else if super::lock(&self.reason).is_some() {
            // By the hub's own will.
            return;
        } else if !attempts.is_empty() {
            let most = self.server.settings.max_auth_tries;
            let kind = if attempts.failures() >= most {
                RefusalKind::AuthTries
            } else {
                RefusalKind::UserKey
            };
            report(kind, &*attempts);
            PenaltyKind::AuthFail
        } else {
            match result {
                Err(Error::NoCommonAlgo { kind, theirs, .. }) => {
                    report(RefusalKind::Algorithms, &explain_no_common(&kind, &theirs));
                    PenaltyKind::NoAuth
                }
                Err(Error::Kex | Error::InvalidConfig(_)) => {
                    let reason = "no Diffie-Hellman group in common: client asks for one that is \
                                  too small or larger than 3072 bits; give it a newer SSH library";
                    report(RefusalKind::Algorithms, &reason);
                    PenaltyKind::NoAuth
                }
                Err(error) if breaks_protocol(&error) => {
                    tracing::debug!(peer = %self.peer, %error, "broke the protocol before its login");
                    PenaltyKind::Crash
                }
                ended => {
                    tracing::debug!(peer = %self.peer, ?ended, "left without a login");
                    PenaltyKind::NoAuth
                }
            }
        };
        limits.penalise(self.peer.ip(), penalty, now);
    }
}

/// What no client does that speaks SSH, or what made the connection's task fail.
fn breaks_protocol(error: &Error) -> bool {
    matches!(
        error,
        Error::KexInit
            | Error::PacketAuth
            | Error::Inconsistent
            | Error::IndexOutOfBounds
            | Error::PacketSize(_)
            | Error::Pending
            | Error::DecryptionError
            | Error::StrictKeyExchangeViolation { .. }
            | Error::SshEncoding(_)
            | Error::SshKey(_)
            | Error::Signature(_)
            | Error::Utf8(_)
            | Error::Join(_)
    )
}

/// Why a logged-in client's connection ended, for people.
fn explain(error: &Error) -> String {
    match error {
        Error::KeepaliveTimeout => "no answer to keepalives".into(),
        Error::InactivityTimeout => "nothing moved for too long".into(),
        Error::IO(error) => format!("connection lost ({})", error.kind()),
        other => format!("connection lost ({other})"),
    }
}
