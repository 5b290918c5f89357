//! What an admin asks of the hub, and what he is told.

use std::time::Duration;

use cmp_protocol::{ClientName, RoleName};

use crate::moderation::{Ban, BanId, BanTarget, OriginRecord};
use crate::session::SessionId;

/// Which sessions are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Every session of a client.
    Client(ClientName),
    /// One session.
    Session(SessionId),
}

/// What an admin asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminRequest {
    /// The open sessions.
    Sessions,
    /// End sessions.
    Kick {
        /// Which.
        who: Who,
        /// Shown to the client as its last line.
        reason: String,
    },
    /// Ban from now on.
    Ban {
        /// Against what.
        target: BanTarget,
        /// Shown to the banned.
        reason: String,
        /// For how long; none means for ever.
        duration: Option<Duration>,
    },
    /// Lift a ban.
    Unban {
        /// Which.
        id: BanId,
    },
    /// The bans that hold.
    Bans,
    /// Mute an origin, or lift its mute and warnings with a duration of zero.
    Mute {
        /// Which.
        origin: Vec<u8>,
        /// For how long.
        duration: Duration,
    },
    /// The origins with warnings or a mute.
    Origins,
    /// Say a chat line in the name of the hub.
    Say {
        /// The line.
        text: Vec<u8>,
    },
    /// Counters.
    Stats,
}

/// What an admin is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminReply {
    /// It was done.
    Done {
        /// What was done, for people.
        what: String,
    },
    /// The open sessions, by number.
    Sessions(Vec<SessionInfo>),
    /// The bans that hold, by number.
    Bans(Vec<Ban>),
    /// The origins with warnings or a mute, by name.
    Origins(Vec<OriginRecord>),
    /// Counters.
    Stats(Box<Stats>),
}

/// Why an admin request was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AdminError(pub String);

/// One open session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its number.
    pub id: SessionId,
    /// Whose it is.
    pub client: ClientName,
    /// Its role.
    pub role: RoleName,
    /// Where it comes from.
    pub peer: String,
    /// `central` or `json`.
    pub dialect: &'static str,
    /// How long it has been open.
    pub age: Duration,
    /// How long ago its client last sent a command.
    pub idle: Duration,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
    /// Lines from the client.
    pub lines_in: u64,
    /// Events to the client.
    pub events_out: u64,
    /// Bytes that wait to be written.
    pub waiting: usize,
}

/// Counters since the start, and levels of now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// How long the hub has run.
    pub uptime: Duration,
    /// Sessions open now.
    pub sessions: u64,
    /// Clients connected now.
    pub clients: u64,
    /// Sessions opened.
    pub attached: u64,
    /// Sessions ended because they read too slowly.
    pub slow_readers: u64,
    /// Chat lines accepted.
    pub chat: u64,
    /// Broadcasts accepted.
    pub broadcasts: u64,
    /// Relayed lines accepted.
    pub relayed: u64,
    /// Events put into outboxes.
    pub deliveries: u64,
    /// Commands refused.
    pub refused: u64,
    /// Requests made.
    pub requests: u64,
    /// Requests that a provider did not finish in time.
    pub request_timeouts: u64,
    /// Messages stored.
    pub stored: u64,
    /// Messages that were delivered and could not be stored.
    pub not_stored: u64,
    /// Records of warned origins that are in memory only, because too many waited to be stored.
    pub origins_not_stored: u64,
    /// Broadcasts refused because the store did not take them.
    pub unavailable: u64,
    /// Messages that wait to be stored now.
    pub store_queue: u64,
    /// Whether the last transaction of the store went well.
    pub store_healthy: bool,
}
