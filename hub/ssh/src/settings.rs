//! What an operator can set on a listener.

use std::time::Duration;

use crate::algorithms::Profile;
use crate::limits::login_grace::LoginGraceSettings;

/// The settings of one listener and its connections.
///
/// The limits that several listeners share are not here but in
/// [`ConnectionLimitSettings`](crate::limits::ConnectionLimitSettings).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The algorithms that are offered and accepted. Default [`Profile::Modern`].
    pub profile: Profile,
    /// The longest line that is taken, in bytes, its end not counted. A longer one is answered with
    /// an error, and the session goes on. Default 4096, the size of a terminal's line.
    pub max_line_len: usize,
    /// After so long without a byte from a client it is asked for a sign of life
    /// (`ClientAliveInterval` in `sshd_config(5)`). Default 60 s; under 100 ms is taken as 100 ms.
    ///
    /// A client that reads nothing while it sleeps, as PHP scripts do, cannot answer: this times
    /// `keepalive_max` is how long one may sleep.
    pub keepalive_interval: Duration,
    /// After so many unanswered requests a connection is ended (`ClientAliveCountMax`). Default 10.
    /// 0 is taken as 1.
    ///
    /// A connection on which nothing at all moves for two intervals longer is ended too, even if its
    /// peer's machine cannot be written to.
    pub keepalive_max: usize,
    /// The time a peer has for its key exchange and to log in. Default 30 s and 120 s.
    pub login_grace: LoginGraceSettings,
    /// Keys that may be tried and refused before a connection is ended (`MaxAuthTries`). Default 6
    /// as in OpenSSH.
    pub max_auth_tries: usize,
    /// Connections that one client may have at once, over all listeners. Default 32; the sessions
    /// on them are limited by the hub's policy.
    pub connections_per_client: usize,
    /// Channels that may be open on one connection (`MaxSessions`). Default 10 as in OpenSSH.
    pub max_sessions: usize,
    /// Bytes that a client may send on a channel before it has to wait. Default 128 KiB.
    ///
    /// It bounds the memory that the input of a slow session takes: four times this at most. At
    /// least 32 KiB; less is taken as that.
    pub window_size: u32,
    /// How long a session that the hub ends may take to read what waits for it, its last line
    /// included. Default 2 s.
    pub close_grace: Duration,
    /// How long a session that the client ended may stand still before what it has not read is
    /// given up. Default 60 s.
    pub drain_stall: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: Profile::Modern,
            max_line_len: 4096,
            keepalive_interval: Duration::from_secs(60),
            keepalive_max: 10,
            login_grace: LoginGraceSettings::default(),
            max_auth_tries: 6,
            connections_per_client: 32,
            max_sessions: 10,
            window_size: 128 * 1024,
            close_grace: Duration::from_secs(2),
            drain_stall: Duration::from_secs(60),
        }
    }
}
