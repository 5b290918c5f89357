//! Bans, warnings and mutes: what is decided against nicks, origins, clients and texts.

use bytes::Bytes;
use cmp_protocol::ClientName;

/// The number of a ban, given by the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BanId(pub u64);

/// What a ban holds against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BanTarget {
    /// Broadcasts by this nick, case ignored for ASCII.
    Nick(Bytes),
    /// Broadcasts from this origin, case ignored for ASCII.
    Origin(Bytes),
    /// Every message of this client.
    Client(ClientName),
    /// Messages whose text matches this regular expression (syntax of the regex crate).
    Text(String),
}

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Its number.
    pub id: BanId,
    /// What it holds against.
    pub target: BanTarget,
    /// Why, for the banned and for admins.
    pub reason: String,
    /// Who set it.
    pub by: ClientName,
    /// When it was set: milliseconds since 1970-01-01T00:00Z.
    pub since_ms: u64,
    /// When it ends, same unit; none means never.
    pub until_ms: Option<u64>,
}

/// The warnings and the mute of one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginRecord {
    /// The origin, ASCII letters in lower case.
    pub origin: Bytes,
    /// Warnings counted since `first_warning_ms`.
    pub warnings: u32,
    /// When the first of them was given: milliseconds since 1970-01-01T00:00Z.
    pub first_warning_ms: u64,
    /// Until when it is muted, same unit; none or a past moment means not muted.
    pub muted_until_ms: Option<u64>,
}
