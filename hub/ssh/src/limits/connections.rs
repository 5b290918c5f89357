//! How many connections may exist: in all, from one source, and of one client.

use std::net::IpAddr;

use ipnet::IpNet;

use super::counter::{Counter, CounterGuard, KeyedCounter, KeyedGuard};
use super::source::NetBlockSize;

/// How many connections may exist, logged in or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionCountSettings {
    /// Connections in all. Default 4096; each takes a file descriptor, so the process needs a
    /// higher `ulimit -n` than this to reach it.
    pub total: usize,
    /// Connections from one source (see [`NetBlockSize`]). Default 256: a web portal opens one for
    /// each of its visitors.
    pub per_source: usize,
}

impl Default for ConnectionCountSettings {
    fn default() -> Self {
        Self {
            total: 4096,
            per_source: 256,
        }
    }
}

/// The connections that exist, and the limits of their number.
#[derive(Debug)]
pub struct ConnectionCounts {
    settings: ConnectionCountSettings,
    block_size: NetBlockSize,
    total: Counter,
    per_source: KeyedCounter<IpNet>,
    /// Connections of each client, known by name once it has logged in. The limit is the client's
    /// own, so it comes with each call.
    pub per_client: KeyedCounter<String>,
}

/// Which count is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooManyConnections {
    /// As many connections as may exist in all.
    InTotal {
        /// The limit.
        limit: usize,
    },
    /// As many connections as one source may have.
    FromSource {
        /// The source.
        block: IpNet,
        /// The limit.
        limit: usize,
    },
}

/// A connection, counted for its source and in all until dropped.
#[derive(Debug)]
pub struct ConnectionGuard {
    _total: CounterGuard,
    _source: KeyedGuard<IpNet>,
}

impl ConnectionCounts {
    /// Starts with no connections.
    pub fn new(settings: ConnectionCountSettings, block_size: NetBlockSize) -> Self {
        Self {
            settings,
            block_size,
            total: Counter::default(),
            per_source: KeyedCounter::default(),
            per_client: KeyedCounter::default(),
        }
    }

    /// How many connections exist.
    pub fn total(&self) -> usize {
        self.total.get()
    }

    /// Counts a new connection from `source`, unless its source or the whole has as many as may be.
    pub fn try_acquire(&self, source: IpAddr) -> Result<ConnectionGuard, TooManyConnections> {
        let ConnectionCountSettings { total, per_source } = self.settings;
        let block = self.block_size.block_of(source);
        let source = self.per_source.try_acquire(&block, per_source).ok_or(
            TooManyConnections::FromSource {
                block,
                limit: per_source,
            },
        )?;
        let total = self
            .total
            .try_acquire(|count| count < total)
            .ok_or(TooManyConnections::InTotal { limit: total })?;
        Ok(ConnectionGuard {
            _total: total,
            _source: source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(total: usize, per_source: usize) -> ConnectionCounts {
        ConnectionCounts::new(
            ConnectionCountSettings { total, per_source },
            NetBlockSize::default(),
        )
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_source_does_not_take_the_places_of_others() {
        let counts = counts(10, 2);
        let first = counts.try_acquire(ip("192.0.2.1")).unwrap();
        let _second = counts.try_acquire(ip("::ffff:192.0.2.1")).unwrap();
        assert_eq!(
            counts.try_acquire(ip("192.0.2.1")).unwrap_err(),
            TooManyConnections::FromSource {
                block: "192.0.2.1/32".parse().unwrap(),
                limit: 2
            }
        );
        let _other = counts.try_acquire(ip("192.0.2.2")).unwrap();
        drop(first);
        let _third = counts.try_acquire(ip("192.0.2.1")).unwrap();
        assert_eq!(counts.total(), 3);
    }

    #[test]
    fn addresses_of_one_ipv6_block_are_one_source() {
        let counts = counts(10, 1);
        let _first = counts.try_acquire(ip("2001:db8::1")).unwrap();
        assert!(counts.try_acquire(ip("2001:db8::2")).is_err());
        assert!(counts.try_acquire(ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn the_total_is_bounded_and_a_refusal_leaves_nothing_counted() {
        let counts = counts(1, 5);
        let first = counts.try_acquire(ip("192.0.2.1")).unwrap();
        assert_eq!(
            counts.try_acquire(ip("192.0.2.2")).unwrap_err(),
            TooManyConnections::InTotal { limit: 1 }
        );
        assert_eq!(
            counts.per_source.keys(),
            1,
            "the refused source is not in the table"
        );
        drop(first);
        assert_eq!(counts.total(), 0);
        assert_eq!(counts.per_source.keys(), 0);
    }

    #[test]
    fn each_client_has_a_limit_of_its_own() {
        let counts = counts(10, 10);
        let first = counts.per_client.try_acquire("paul_specbot", 1).unwrap();
        assert!(counts.per_client.try_acquire("paul_specbot", 1).is_none());
        let _portal = counts.per_client.try_acquire("portal", 5).unwrap();
        drop(first);
        assert!(counts.per_client.try_acquire("paul_specbot", 1).is_some());
    }
}
