//! The limits of connections: which are admitted, how long they may take to log in, and how
//! refusals are counted and logged.
//!
//! Nothing in here knows SSH or opens a socket. Decisions are pure: time and random numbers come
//! from the caller. The listeners of a hub share one [`ConnectionLimits`], for a peer must not gain
//! by trying one port after the other.

pub mod connections;
pub mod counter;
pub mod log_limit;
pub mod login_grace;
pub mod penalties;
pub mod refusal;
pub mod source;
pub mod startups;

#[cfg(test)]
pub(crate) mod captured_log;

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use connections::{ConnectionCountSettings, ConnectionCounts, ConnectionGuard, TooManyConnections};
use counter::KeyedCounter;
use log_limit::LogLimitSettings;
use penalties::{Penalties, Penalty, PenaltyKind, PenaltySettings};
use refusal::{RefusalKind, Refusals};
use source::NetBlockSize;
use startups::{MaxStartups, StartupGuard, Startups};

/// Everything that decides whether a connection is admitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionLimitSettings {
    /// Connections that have not logged in.
    pub max_startups: MaxStartups,
    /// What misdeeds cost.
    pub penalties: PenaltySettings,
    /// Connections in all and from one source.
    pub connections: ConnectionCountSettings,
    /// Which addresses are one source, for penalties and counts alike.
    pub net_block_size: NetBlockSize,
    /// How many refusals are logged.
    pub log: LogLimitSettings,
}

/// The state behind [`ConnectionLimitSettings`], shared by all listeners and connections.
#[derive(Debug)]
pub struct ConnectionLimits {
    penalties: Mutex<Penalties>,
    startups: Startups,
    connections: ConnectionCounts,
    refusals: Refusals,
}

/// An admitted connection's place in the counts; dropping it gives the place back.
#[derive(Debug)]
pub struct Admission {
    startup: StartupGuard,
    _connection: ConnectionGuard,
}

impl Admission {
    /// The connection has logged in: it counts no longer against [`MaxStartups`].
    pub fn authenticated(&mut self) {
        self.startup.authenticated();
    }
}

/// Why a connection is not admitted. The text is for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The source sits out a penalty.
    #[error("{block} has a penalty for {kind}, {} s left", remaining.as_secs_f32().ceil())]
    Penalty {
        /// The source.
        block: IpNet,
        /// What it did last.
        kind: PenaltyKind,
        /// Time left to sit out.
        remaining: Duration,
    },
    /// Dropped by [`MaxStartups`].
    #[error("past MaxStartups: {unauthenticated} connections have not logged in")]
    MaxStartups {
        /// Connections that have not logged in.
        unauthenticated: usize,
    },
    /// As many connections as may exist in all.
    #[error("{limit} connections in all, which is the limit")]
    TotalConnections {
        /// The limit.
        limit: usize,
    },
    /// As many connections as one source may have.
    #[error("{limit} connections from {block}, which is the limit for one source")]
    SourceConnections {
        /// The source.
        block: IpNet,
        /// The limit.
        limit: usize,
    },
}

impl NotAdmitted {
    /// How it is counted.
    pub fn kind(&self) -> RefusalKind {
        match self {
            Self::Penalty { .. } => RefusalKind::Penalty,
            Self::MaxStartups { .. } => RefusalKind::MaxStartups,
            Self::TotalConnections { .. } => RefusalKind::TotalConnections,
            Self::SourceConnections { .. } => RefusalKind::SourceConnections,
        }
    }

    /// What the peer is told in place of the server's version: a line that is no version, as RFC
    /// 4253 section 4.2 allows before it. Both texts are sshd's (sshd.c, `drop_connection`): the
    /// first of OpenSSH before 9.8, the second since.
    pub fn farewell(&self) -> &'static [u8] {
        match self {
            Self::MaxStartups { .. } => b"Exceeded MaxStartups\r\n",
            Self::Penalty { .. }
            | Self::TotalConnections { .. }
            | Self::SourceConnections { .. } => b"Not allowed at this time\r\n",
        }
    }
}

impl From<TooManyConnections> for NotAdmitted {
    fn from(too_many: TooManyConnections) -> Self {
        match too_many {
            TooManyConnections::InTotal { limit } => Self::TotalConnections { limit },
            TooManyConnections::FromSource { block, limit } => {
                Self::SourceConnections { block, limit }
            }
        }
    }
}

impl ConnectionLimits {
    /// Starts with no connections and nobody penalised.
    pub fn new(settings: ConnectionLimitSettings) -> Self {
        let block_size = settings.net_block_size;
        Self {
            penalties: Mutex::new(Penalties::new(settings.penalties, block_size)),
            startups: Startups::new(settings.max_startups),
            connections: ConnectionCounts::new(settings.connections, block_size),
            refusals: Refusals::new(settings.log),
        }
    }

    /// Counts a new connection from `source` if nothing speaks against it, asking in sshd's order:
    /// penalty, [`MaxStartups`], then the numbers of connections. A refusal is not reported here.
    ///
    /// For `random` see [`MaxStartups::drops`].
    pub fn admit(
        &self,
        source: IpAddr,
        now: Instant,
        random: u32,
    ) -> Result<Admission, NotAdmitted> {
        let penalty = self.with_penalties(|penalties| penalties.check(source, now));
        if let Some(Penalty {
            block,
            kind,
            remaining,
            ..
        }) = penalty
        {
            return Err(NotAdmitted::Penalty {
                block,
                kind,
                remaining,
            });
        }
        let startup = self
            .startups
            .try_start(random)
            .ok_or_else(|| NotAdmitted::MaxStartups {
                unauthenticated: self.startups.unauthenticated(),
            })?;
        let connection = self.connections.try_acquire(source)?;
        Ok(Admission {
            startup,
            _connection: connection,
        })
    }

    /// A connection from `source` ended with a misdeed. Returns the penalty the source has now, see
    /// [`Penalties::penalise`].
    pub fn penalise(&self, source: IpAddr, kind: PenaltyKind, now: Instant) -> Option<Penalty> {
        let penalty = self.with_penalties(|penalties| penalties.penalise(source, kind, now))?;
        tracing::debug!(
            source = %penalty.block,
            kind = kind.as_str(),
            active = penalty.active,
            "penalty: {} s left",
            penalty.remaining.as_secs_f32()
        );
        Some(penalty)
    }

    /// Connections of each client, counted once it has logged in.
    pub fn per_client(&self) -> &KeyedCounter<String> {
        &self.connections.per_client
    }

    /// Where refusals are reported to, and their counts.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// How many connections exist.
    pub fn connections(&self) -> usize {
        self.connections.total()
    }

    /// How many of them have not logged in.
    pub fn unauthenticated(&self) -> usize {
        self.startups.unauthenticated()
    }

    fn with_penalties<T>(&self, act: impl FnOnce(&mut Penalties) -> T) -> T {
        // Nothing in there panics halfway through a change.
        act(&mut self
            .penalties
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(settings: ConnectionLimitSettings) -> ConnectionLimits {
        ConnectionLimits::new(settings)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_penalised_source_is_refused_and_takes_no_place() {
        let (limits, now) = (limits(ConnectionLimitSettings::default()), Instant::now());
        let bad = ip("192.0.2.1");
        limits.penalise(bad, PenaltyKind::Crash, now);
        let refused = limits
            .admit(bad, now + Duration::from_millis(500), 99)
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "192.0.2.1/32 has a penalty for crash, 90 s left"
        );
        assert_eq!(refused.kind(), RefusalKind::Penalty);
        assert_eq!((limits.connections(), limits.unauthenticated()), (0, 0));
        assert!(limits.admit(bad, now + Duration::from_secs(90), 99).is_ok());
    }

    #[test]
    fn a_login_frees_the_place_of_a_startup_but_not_of_a_connection() {
        let limits = limits(ConnectionLimitSettings {
            max_startups: MaxStartups {
                start: 1,
                rate_percent: 100,
                full: 1,
            },
            connections: ConnectionCountSettings {
                total: 2,
                per_source: 2,
            },
            ..ConnectionLimitSettings::default()
        });
        let (peer, now) = (ip("192.0.2.1"), Instant::now());
        let mut first = limits.admit(peer, now, 99).unwrap();
        assert_eq!(
            limits.admit(peer, now, 99).unwrap_err(),
            NotAdmitted::MaxStartups { unauthenticated: 1 }
        );
        first.authenticated();
        let mut second = limits.admit(peer, now, 99).unwrap();
        second.authenticated();
        assert_eq!(
            limits.admit(peer, now, 99).unwrap_err().kind(),
            RefusalKind::SourceConnections
        );
        assert_eq!(
            limits.admit(ip("192.0.2.2"), now, 99).unwrap_err().kind(),
            RefusalKind::TotalConnections
        );
        assert_eq!((limits.connections(), limits.unauthenticated()), (2, 0));
        drop((first, second));
        assert_eq!(limits.connections(), 0);
    }
}
