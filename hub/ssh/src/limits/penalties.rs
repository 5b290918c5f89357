//! Sources that behaved badly are refused for a while: `PerSourcePenalties` in `sshd_config(5)`,
//! after srclimit.c of OpenSSH 9.8 and later.
//!
//! In comes what a source did and when; out goes whether it may connect. Every misdeed adds time to
//! what the source has left to sit out, up to a maximum. A source is refused from the moment it has
//! more than a minimum left until all of it has passed.
//!
//! The table is bounded. When it is full, OpenSSH can refuse everybody (`deny-all`) or forget the
//! penalty that would end first (`permissive`, its default). Here it is always the latter: a botnet
//! must not be able to lock everyone out.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::source::NetBlockSize;

/// No penalty is longer, whatever the settings say; it also keeps every sum of times in range.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// What a source did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PenaltyKind {
    /// It left after at least one failed authentication (OpenSSH's `authfail`).
    AuthFail,
    /// It left without trying to authenticate (`noauth`).
    NoAuth,
    /// It had not logged in when the login grace time was over (`grace-exceeded`).
    GraceExceeded,
    /// It broke the protocol as no honest client does, or made the connection's task fail
    /// (`crash`).
    Crash,
}

impl PenaltyKind {
    /// The name as in `sshd_config(5)`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthFail => "authfail",
            Self::NoAuth => "noauth",
            Self::GraceExceeded => "grace-exceeded",
            Self::Crash => "crash",
        }
    }
}

impl fmt::Display for PenaltyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long each misdeed counts, and for whom. The defaults are OpenSSH's, but for the exempt list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PenaltySettings {
    /// Whether penalties are given at all. Default true.
    pub enabled: bool,
    /// Time for [`PenaltyKind::AuthFail`]; zero for none. Default 5 s.
    pub auth_fail: Duration,
    /// Time for [`PenaltyKind::NoAuth`]; zero for none. Default 1 s.
    pub no_auth: Duration,
    /// Time for [`PenaltyKind::GraceExceeded`]; zero for none. Default 10 s.
    pub grace_exceeded: Duration,
    /// Time for [`PenaltyKind::Crash`]; zero for none. Default 90 s.
    pub crash: Duration,
    /// A source is refused only from the moment it has more than this left. Default 15 s.
    pub min: Duration,
    /// A source never has more than this left; above a year is taken as a year. Default 600 s.
    pub max: Duration,
    /// How many sources are remembered, of IPv4 and of IPv6 each, so that those with many IPv6
    /// networks cannot push out the others. When one more comes, the penalty that would end first
    /// is forgotten. Default 65536 (about 20 MB if both are full).
    pub max_sources: usize,
    /// Networks that never get a penalty. Default 127.0.0.0/8 and `::1`: programs on the hub's own
    /// machine share one address.
    pub exempt: Vec<IpNet>,
}

impl Default for PenaltySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            auth_fail: Duration::from_secs(5),
            no_auth: Duration::from_secs(1),
            grace_exceeded: Duration::from_secs(10),
            crash: Duration::from_secs(90),
            min: Duration::from_secs(15),
            max: Duration::from_mins(10),
            max_sources: 65536,
            exempt: vec![
                Ipv4Net::new_assert([127, 0, 0, 0].into(), 8).into(),
                Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128).into(),
            ],
        }
    }
}

impl PenaltySettings {
    fn time_for(&self, kind: PenaltyKind) -> Duration {
        match kind {
            PenaltyKind::AuthFail => self.auth_fail,
            PenaltyKind::NoAuth => self.no_auth,
            PenaltyKind::GraceExceeded => self.grace_exceeded,
            PenaltyKind::Crash => self.crash,
        }
    }
}

/// The penalty a source has at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Penalty {
    /// The source.
    pub block: IpNet,
    /// What it did last.
    pub kind: PenaltyKind,
    /// Time left to sit out.
    pub remaining: Duration,
    /// Whether the source is refused, or only on its way there.
    pub active: bool,
}

/// The sources with a penalty.
///
/// Neither waits nor reads the clock: every call takes the time. Times of several callers may come
/// out of order; an earlier one makes a penalty look longer, but never over the maximum.
#[derive(Debug)]
pub struct Penalties {
    settings: PenaltySettings,
    block_size: NetBlockSize,
    ipv4: Table,
    ipv6: Table,
}

impl Penalties {
    /// Starts with nobody penalised.
    pub fn new(settings: PenaltySettings, block_size: NetBlockSize) -> Self {
        Self {
            settings,
            block_size,
            ipv4: Table::default(),
            ipv6: Table::default(),
        }
    }

    /// Adds the time for `kind` to what `source` has left, up to the maximum, and returns what it
    /// has now. `None` if nothing was added: penalties are off, the kind has none, the source is
    /// exempt, or the table is full of penalties that end later.
    pub fn penalise(&mut self, source: IpAddr, kind: PenaltyKind, now: Instant) -> Option<Penalty> {
        let time = self.settings.time_for(kind);
        if !self.settings.enabled || time.is_zero() || self.is_exempt(source) {
            return None;
        }
        let block = self.block_size.block_of(source);
        let (max, min) = (self.settings.max.min(LONGEST), self.settings.min);
        let max_sources = self.settings.max_sources;
        let table = self.table(block);
        table.expire(now);
        let before = table.remove(block);
        let left = before.map_or(Duration::ZERO, |entry| entry.left(now));
        let remaining = left.saturating_add(time).min(max);
        let active = before.is_some_and(|entry| entry.active) || remaining > min;
        table.insert(
            block,
            Entry {
                ends: now.checked_add(remaining)?,
                kind,
                active,
            },
        );
        if table.len() > max_sources {
            table.forget_first();
        }
        table.get(block)?;
        Some(Penalty {
            block,
            kind,
            remaining,
            active,
        })
    }

    /// The penalty for which a connection from `source` is to be refused, if there is one.
    pub fn check(&mut self, source: IpAddr, now: Instant) -> Option<Penalty> {
        if !self.settings.enabled || self.is_exempt(source) {
            return None;
        }
        let block = self.block_size.block_of(source);
        let max = self.settings.max.min(LONGEST);
        let table = self.table(block);
        table.expire(now);
        let entry = table.get(block).filter(|entry| entry.active)?;
        let remaining = entry.left(now).min(max);
        Some(Penalty {
            block,
            kind: entry.kind,
            remaining,
            active: true,
        })
    }

    /// How many sources are remembered, refused or not, those included whose time is over but which
    /// have not been cleared away yet.
    pub fn sources(&self) -> usize {
        self.ipv4.len() + self.ipv6.len()
    }

    fn is_exempt(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.settings
            .exempt
            .iter()
            .any(|network| network.contains(&source))
    }

    fn table(&mut self, block: IpNet) -> &mut Table {
        match block {
            IpNet::V4(_) => &mut self.ipv4,
            IpNet::V6(_) => &mut self.ipv6,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    ends: Instant,
    kind: PenaltyKind,
    active: bool,
}

impl Entry {
    fn left(&self, now: Instant) -> Duration {
        self.ends.saturating_duration_since(now)
    }
}

/// Entries found by source and by the time they end. Both hold the same entries.
#[derive(Debug, Default)]
struct Table {
    by_block: HashMap<IpNet, Entry>,
    by_end: BTreeSet<(Instant, IpNet)>,
}

impl Table {
    fn len(&self) -> usize {
        self.by_block.len()
    }

    fn get(&self, block: IpNet) -> Option<Entry> {
        self.by_block.get(&block).copied()
    }

    fn insert(&mut self, block: IpNet, entry: Entry) {
        self.remove(block);
        self.by_block.insert(block, entry);
        self.by_end.insert((entry.ends, block));
    }

    fn remove(&mut self, block: IpNet) -> Option<Entry> {
        let entry = self.by_block.remove(&block)?;
        self.by_end.remove(&(entry.ends, block));
        Some(entry)
    }

    fn expire(&mut self, now: Instant) {
        while self.by_end.first().is_some_and(|(ends, _)| *ends <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, block)) = self.by_end.pop_first() {
            self.by_block.remove(&block);
        }
    }
}

#[cfg(test)]
mod tests;
