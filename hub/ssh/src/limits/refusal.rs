//! What is refused: the kinds, their counts, and one log line for each as long as the log can take
//! it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::log_limit::{LogLimit, LogLimitSettings, Verdict};

/// Why a connection, or something a peer wanted on it, was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalKind {
    /// The system had no resources for one more connection (see [`accept`](crate::accept)).
    Accept,
    /// The source has a penalty (see [`penalties`](super::penalties)).
    Penalty,
    /// Too many connections have not logged in (see [`startups`](super::startups)).
    MaxStartups,
    /// Too many connections in all.
    TotalConnections,
    /// Too many connections from one source.
    SourceConnections,
    /// Too many connections of one client.
    ClientConnections,
    /// No key exchange in time (see [`login_grace`](super::login_grace)).
    KeyExchangeTime,
    /// No login in time.
    LoginGraceTime,
    /// No algorithm in common.
    Algorithms,
    /// The key, or the way it signs, is not accepted.
    UserKey,
    /// Too many attempts to log in.
    AuthTries,
    /// Too many channels on one connection.
    Channels,
}

impl RefusalKind {
    /// All kinds, in order.
    pub const ALL: [Self; 12] = [
        Self::Accept,
        Self::Penalty,
        Self::MaxStartups,
        Self::TotalConnections,
        Self::SourceConnections,
        Self::ClientConnections,
        Self::KeyExchangeTime,
        Self::LoginGraceTime,
        Self::Algorithms,
        Self::UserKey,
        Self::AuthTries,
        Self::Channels,
    ];

    /// The name in logs and metrics: lower case, with underscores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Penalty => "penalty",
            Self::MaxStartups => "max_startups",
            Self::TotalConnections => "total_connections",
            Self::SourceConnections => "source_connections",
            Self::ClientConnections => "client_connections",
            Self::KeyExchangeTime => "key_exchange_time",
            Self::LoginGraceTime => "login_grace_time",
            Self::Algorithms => "algorithms",
            Self::UserKey => "user_key",
            Self::AuthTries => "auth_tries",
            Self::Channels => "channels",
        }
    }
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many refusals of each kind there were since the start.
#[derive(Debug, Default)]
pub struct RefusalCounters([AtomicU64; RefusalKind::ALL.len()]);

impl RefusalCounters {
    /// Counts one refusal.
    pub fn count(&self, kind: RefusalKind) {
        if let Some(counter) = self.0.get(kind as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Refusals of one kind so far.
    pub fn get(&self, kind: RefusalKind) -> u64 {
        self.0
            .get(kind as usize)
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// All kinds with their counts so far, those at zero included, in the order of
    /// [`RefusalKind::ALL`].
    pub fn snapshot(&self) -> [(RefusalKind, u64); RefusalKind::ALL.len()] {
        RefusalKind::ALL.map(|kind| (kind, self.get(kind)))
    }
}

/// The one place that refusals are reported to: counts each, and logs each unless the log has had
/// enough of its kind.
#[derive(Debug)]
pub struct Refusals {
    counters: RefusalCounters,
    log_limit: Mutex<LogLimit>,
    log_window: Duration,
}

impl Refusals {
    /// Starts with all counters at zero.
    pub fn new(settings: LogLimitSettings) -> Self {
        Self {
            counters: RefusalCounters::default(),
            log_limit: Mutex::new(LogLimit::new(settings)),
            log_window: settings.window,
        }
    }

    /// The counters, for metrics.
    pub fn counters(&self) -> &RefusalCounters {
        &self.counters
    }

    /// Counts a refusal, and logs it at level warn unless the log has had enough of its kind.
    ///
    /// `reason` is for the operator: what was refused, and what would help. It must hold no
    /// secrets, and control characters of a peer's making only escaped.
    pub fn report(
        &self,
        kind: RefusalKind,
        peer: Option<SocketAddr>,
        reason: &dyn fmt::Display,
        now: Instant,
    ) {
        self.counters.count(kind);
        let verdict = self.with_log_limit(|limit| limit.on_refusal(kind, now));
        if let Verdict::Log { suppressed_before } = verdict {
            log_suppressed(kind, suppressed_before);
            let peer = peer.map(tracing::field::display);
            tracing::warn!(kind = kind.as_str(), peer, "refused: {reason}");
        }
    }

    /// Logs how many refusals were left out, for the kinds whose window is over. Called now and
    /// then, so that the last burst before a calm is reported too.
    pub fn report_suppressed(&self, now: Instant) {
        for (kind, suppressed) in self.with_log_limit(|limit| limit.ended(now)) {
            log_suppressed(kind, suppressed);
        }
    }

    /// How often [`report_suppressed`](Self::report_suppressed) is worth a call.
    pub(crate) fn log_window(&self) -> Duration {
        self.log_window
    }

    fn with_log_limit<T>(&self, act: impl FnOnce(&mut LogLimit) -> T) -> T {
        // Counts of log lines: worth going on with after a panic elsewhere.
        act(&mut self
            .log_limit
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

fn log_suppressed(kind: RefusalKind, suppressed: u64) {
    if suppressed > 0 {
        tracing::warn!(
            kind = kind.as_str(),
            suppressed,
            "suppressed {suppressed} further refusals of kind {kind}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::captured_log::CapturedLog;

    #[test]
    fn the_snapshot_has_every_kind_once_under_its_own_name() {
        let counters = RefusalCounters::default();
        for (nth, kind) in RefusalKind::ALL.into_iter().enumerate() {
            for _ in 0..=nth {
                counters.count(kind);
            }
        }
        let snapshot = counters.snapshot();
        for (nth, (kind, count)) in snapshot.into_iter().enumerate() {
            assert_eq!(count, nth as u64 + 1, "{kind}");
        }
        let names: std::collections::BTreeSet<_> = snapshot
            .into_iter()
            .map(|(kind, _)| kind.as_str())
            .collect();
        assert_eq!(names.len(), RefusalKind::ALL.len());
    }

    #[test]
    fn every_refusal_is_counted_and_the_log_stays_short() {
        let settings = LogLimitSettings {
            lines: 2,
            window: Duration::from_secs(10),
        };
        let refusals = Refusals::new(settings);
        let (log, start) = (CapturedLog::default(), Instant::now());
        let peer = Some("192.0.2.1:4711".parse().unwrap());
        tracing::subscriber::with_default(log.clone(), || {
            for _ in 0..100 {
                refusals.report(RefusalKind::MaxStartups, peer, &"too many", start);
            }
            refusals.report(RefusalKind::Penalty, None, &"authfail", start);
            refusals.report_suppressed(start + Duration::from_secs(9));
            refusals.report_suppressed(start + Duration::from_secs(10));
            refusals.report_suppressed(start + Duration::from_secs(20));
        });
        assert_eq!(refusals.counters().get(RefusalKind::MaxStartups), 100);
        assert_eq!(refusals.counters().get(RefusalKind::Penalty), 1);
        assert_eq!(
            log.lines(),
            [
                "WARN refused: too many kind=max_startups peer=192.0.2.1:4711",
                "WARN refused: too many kind=max_startups peer=192.0.2.1:4711",
                "WARN refused: authfail kind=penalty",
                "WARN suppressed 98 further refusals of kind max_startups kind=max_startups \
                 suppressed=98",
            ]
        );
    }

    #[test]
    fn the_next_line_after_a_burst_says_how_many_were_left_out() {
        let settings = LogLimitSettings {
            lines: 1,
            window: Duration::from_secs(10),
        };
        let refusals = Refusals::new(settings);
        let (log, start) = (CapturedLog::default(), Instant::now());
        tracing::subscriber::with_default(log.clone(), || {
            for second in [0, 1, 2, 15] {
                let now = start + Duration::from_secs(second);
                refusals.report(RefusalKind::Channels, None, &format!("at {second}"), now);
            }
        });
        assert_eq!(
            log.lines(),
            [
                "WARN refused: at 0 kind=channels",
                "WARN suppressed 2 further refusals of kind channels kind=channels suppressed=2",
                "WARN refused: at 15 kind=channels",
            ]
        );
    }
}
