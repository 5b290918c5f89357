//! Random early drop of connections that have not logged in yet: `MaxStartups` in
//! `sshd_config(5)`.

use super::counter::{Counter, CounterGuard};

/// How many connections may exist that have not logged in, as `MaxStartups start:rate:full`.
///
/// The default is `100:30:1000` where OpenSSH has `10:30:100`: sshd pays a process for each, the
/// hub a task of some 50 KB; and after a network failure all bots of a community come back in the
/// same second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxStartups {
    /// Below this many connections without a login, every new one is admitted.
    pub start: usize,
    /// At `start`, so many of a hundred new connections are dropped; from there the share grows in
    /// a straight line to all of them at `full`. 0 to 100; more is taken as 100.
    pub rate_percent: u8,
    /// With this many connections without a login, every new one is dropped. A `full` that is not
    /// over `start` makes `start` the point where all are dropped.
    pub full: usize,
}

impl Default for MaxStartups {
    fn default() -> Self {
        Self {
            start: 100,
            rate_percent: 30,
            full: 1000,
        }
    }
}

impl MaxStartups {
    /// Whether a new connection is dropped while `unauthenticated` others have not logged in.
    ///
    /// `random` is any number from an even distribution; it is used modulo 100, with whole percents
    /// as in `should_drop_connection` of OpenSSH's sshd.c.
    pub fn drops(self, unauthenticated: usize, random: u32) -> bool {
        if unauthenticated < self.start {
            return false;
        }
        let rate = u128::from(self.rate_percent.min(100));
        let (Some(past), Some(span)) = (
            unauthenticated.checked_sub(self.start),
            self.full.checked_sub(self.start),
        ) else {
            return true;
        };
        if past >= span {
            return true;
        }
        // 128 bits: no product of a count and a percentage overflows.
        let percent = (100 - rate) * past as u128 / span as u128 + rate;
        u128::from(random % 100) < percent
    }
}

/// The connections that have not logged in, counted against [`MaxStartups`].
#[derive(Debug)]
pub struct Startups {
    limit: MaxStartups,
    unauthenticated: Counter,
}

impl Startups {
    /// Starts with no connections.
    pub fn new(limit: MaxStartups) -> Self {
        Self {
            limit,
            unauthenticated: Counter::default(),
        }
    }

    /// How many connections have not logged in.
    pub fn unauthenticated(&self) -> usize {
        self.unauthenticated.get()
    }

    /// Counts a new connection, or `None` if it is to be dropped. For `random` see
    /// [`MaxStartups::drops`].
    pub fn try_start(&self, random: u32) -> Option<StartupGuard> {
        self.unauthenticated
            .try_acquire(|count| !self.limit.drops(count, random))
            .map(|guard| StartupGuard(Some(guard)))
    }
}

/// A connection that counts as not logged in until it is dropped or
/// [`authenticated`](Self::authenticated) is called.
#[derive(Debug)]
pub struct StartupGuard(Option<CounterGuard>);

impl StartupGuard {
    /// The connection has logged in: it counts no longer. Calling it again does nothing.
    pub fn authenticated(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPENSSH: MaxStartups = MaxStartups {
        start: 10,
        rate_percent: 30,
        full: 100,
    };

    /// How many of the hundred possible random numbers drop a connection.
    fn dropped_percent(limit: MaxStartups, unauthenticated: usize) -> usize {
        (0..100)
            .filter(|random| limit.drops(unauthenticated, *random))
            .count()
    }

    #[test]
    fn drops_as_many_as_openssh() {
        // p = (100 - rate) * (startups - begin) / (max - begin) + rate, in whole numbers.
        for (unauthenticated, percent) in [
            (0, 0),
            (9, 0),
            (10, 30),
            (11, 30),
            (12, 31),
            (55, 65),
            (99, 99),
            (100, 100),
        ] {
            assert_eq!(
                dropped_percent(OPENSSH, unauthenticated),
                percent,
                "at {unauthenticated}"
            );
        }
        assert_eq!(dropped_percent(OPENSSH, usize::MAX), 100);
    }

    #[test]
    fn the_same_random_number_decides_the_same() {
        assert!(OPENSSH.drops(10, 29));
        assert!(!OPENSSH.drops(10, 30));
        assert!(OPENSSH.drops(10, 129), "used modulo 100");
    }

    #[test]
    fn a_rate_of_a_hundred_drops_all_from_start() {
        let limit = MaxStartups {
            start: 10,
            rate_percent: 100,
            full: 100,
        };
        assert_eq!(dropped_percent(limit, 9), 0);
        assert_eq!(dropped_percent(limit, 10), 100);
    }

    #[test]
    fn counts_until_login_or_drop() {
        let startups = Startups::new(MaxStartups {
            start: 2,
            rate_percent: 30,
            full: 2,
        });
        let mut first = startups.try_start(0).unwrap();
        let second = startups.try_start(0).unwrap();
        assert!(startups.try_start(99).is_none());

        first.authenticated();
        assert_eq!(startups.unauthenticated(), 1);
        first.authenticated();
        drop(first);
        assert_eq!(
            startups.unauthenticated(),
            1,
            "a login frees one place, once"
        );

        let third = startups.try_start(99).unwrap();
        drop((second, third));
        assert_eq!(startups.unauthenticated(), 0);
    }

    proptest! {
        #[test]
        fn any_setting_is_safe_and_more_connections_never_mean_fewer_drops(
            start: usize, rate_percent: u8, full: usize, count: usize, random: u32
        ) {
            let limit = MaxStartups { start, rate_percent, full };
            let dropped = limit.drops(count, random);
            prop_assert!(!(dropped && count < start));
            prop_assert!(dropped || count < start || count < full);
            prop_assert!(!dropped || limit.drops(count.saturating_add(1), random));
        }
    }
}
