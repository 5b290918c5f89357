//! What the operator sets.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::hosts::{HostError, HostKey, HostTable};
use crate::reply::{ERROR, MAX_REPLY};

/// The most lines of rules.
pub const MAX_RULES: usize = 50;

/// The most broadcasts kept for `LAST`.
pub const MAX_HISTORY: usize = 10_000;

/// The bounds of [`Settings::dns_timeout`]. The upper one leaves time within the ten seconds
/// that a hub gives a request.
pub const DNS_TIMEOUTS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(8);

/// The shortest [`Settings::mmdb_check`].
pub const MIN_MMDB_CHECK: Duration = Duration::from_millis(10);

/// The rules given when the operator sets none: those under which the old service was used, in
/// our words.
pub const DEFAULT_RULES: [&str; 8] = [
    "These are the default rules; the operator of this hub has set no others.",
    "No conversation over the bots: answer where the message comes from.",
    "Do not send the same message again within a couple of minutes, and do not work around the \
     timer.",
    "Send messages only for the channel, server or site that you send them from.",
    "No advertising.",
    "Messages are about QuakeWorld; what is not goes under the kind spam.",
    "Write English.",
    "You are warned first; where there are too many warnings, the bot is removed.",
];

/// Settings of the control server, as the operator gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Short names, in the order in which `HOSTS` shows them; at most
    /// [`MAX_HOSTS`](crate::MAX_HOSTS). Default: none.
    pub hosts: Vec<(HostKey, String)>,
    /// Whether an address without short name is asked for in the DNS (a PTR query, only for
    /// addresses of the public internet, and only when somebody asks `RESOLVE`). Default: yes.
    pub reverse_dns: bool,
    /// The DNS server to ask. Default: those of `/etc/resolv.conf`, or 127.0.0.1 when it names
    /// none (resolv.conf(5)).
    pub dns_server: Option<SocketAddr>,
    /// The time for one reverse name, waiting for its turn included; then the answer is given
    /// without it. Within [`DNS_TIMEOUTS`]. Default: 2 s.
    pub dns_timeout: Duration,
    /// A `MaxMind` DB file with countries, asked before the embedded data. Default: none.
    pub mmdb: Option<PathBuf>,
    /// How often to look whether that file has changed; at least [`MIN_MMDB_CHECK`].
    /// Default: 30 s.
    pub mmdb_check: Duration,
    /// The answer to `RULES`, one line each; at most [`MAX_RULES`] lines of at most
    /// [`MAX_REPLY`](crate::MAX_REPLY) bytes. Default: [`DEFAULT_RULES`].
    pub rules: Vec<String>,
    /// How many broadcasts are kept for `LAST`; at most [`MAX_HISTORY`]. Default: 1000.
    pub history: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            reverse_dns: true,
            dns_server: None,
            dns_timeout: Duration::from_secs(2),
            mmdb: None,
            mmdb_check: Duration::from_secs(30),
            rules: DEFAULT_RULES.map(str::to_owned).to_vec(),
            history: 1000,
        }
    }
}

/// Why settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The host table does not hold.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Too many lines of rules.
    #[error("{0} lines of rules are more than {MAX_RULES}")]
    TooManyRules(usize),
    /// A line of the rules can't be sent as it is.
    #[error(
        "rule {0} is not one line of 1 to {MAX_REPLY} bytes that begins with another word than \
         ERROR"
    )]
    Rule(usize),
    /// More broadcasts than are kept.
    #[error("a history of {0} broadcasts is more than {MAX_HISTORY}")]
    History(usize),
    /// A time limit that makes no sense.
    #[error("a DNS time limit of {0:?} is not within {DNS_TIMEOUTS:?}")]
    DnsTimeout(Duration),
    /// An interval that would keep the machine busy.
    #[error("looking after the MMDB file every {0:?} is more often than every {MIN_MMDB_CHECK:?}")]
    MmdbCheck(Duration),
}

impl Settings {
    /// Checks everything that can be checked without reading a file.
    pub fn check(self) -> Result<CheckedSettings, SettingsError> {
        if self.rules.len() > MAX_RULES {
            return Err(SettingsError::TooManyRules(self.rules.len()));
        }
        if let Some(bad) = self.rules.iter().position(|rule| !is_rule(rule)) {
            return Err(SettingsError::Rule(bad + 1));
        }
        if self.history > MAX_HISTORY {
            return Err(SettingsError::History(self.history));
        }
        if !DNS_TIMEOUTS.contains(&self.dns_timeout) {
            return Err(SettingsError::DnsTimeout(self.dns_timeout));
        }
        if self.mmdb_check < MIN_MMDB_CHECK {
            return Err(SettingsError::MmdbCheck(self.mmdb_check));
        }
        Ok(CheckedSettings {
            hosts: HostTable::new(self.hosts)?,
            reverse: self.reverse_dns.then_some(ReverseSettings {
                server: self.dns_server,
                timeout: self.dns_timeout,
            }),
            mmdb: self.mmdb,
            mmdb_check: self.mmdb_check,
            rules: self.rules,
            history: self.history,
        })
    }
}

fn is_rule(rule: &str) -> bool {
    (1..=MAX_REPLY).contains(&rule.len())
        && !rule.chars().any(char::is_control)
        && rule.split(' ').next() != Some(ERROR)
}

/// Settings that hold; made by [`Settings::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedSettings {
    pub(crate) hosts: HostTable,
    pub(crate) reverse: Option<ReverseSettings>,
    pub(crate) mmdb: Option<PathBuf>,
    pub(crate) mmdb_check: Duration,
    pub(crate) rules: Vec<String>,
    pub(crate) history: usize,
}

/// How reverse names are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReverseSettings {
    pub(crate) server: Option<SocketAddr>,
    pub(crate) timeout: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_hold() {
        let checked = Settings::default().check().unwrap();
        assert_eq!(checked.rules, DEFAULT_RULES);
        assert!(checked.reverse.is_some());
    }

    #[test]
    fn each_bound_is_checked() {
        let good = Settings::default;
        let second = Duration::from_secs(1);
        let rule = |text: &str| Settings {
            rules: vec!["Fine.".to_owned(), text.to_owned()],
            ..good()
        };
        for (settings, error) in [
            (
                Settings {
                    history: MAX_HISTORY + 1,
                    ..good()
                },
                SettingsError::History(MAX_HISTORY + 1),
            ),
            (
                Settings {
                    dns_timeout: second * 9,
                    ..good()
                },
                SettingsError::DnsTimeout(second * 9),
            ),
            (
                Settings {
                    dns_timeout: Duration::ZERO,
                    ..good()
                },
                SettingsError::DnsTimeout(Duration::ZERO),
            ),
            (
                Settings {
                    mmdb_check: Duration::ZERO,
                    ..good()
                },
                SettingsError::MmdbCheck(Duration::ZERO),
            ),
            (
                Settings {
                    rules: vec!["x".to_owned(); MAX_RULES + 1],
                    ..good()
                },
                SettingsError::TooManyRules(MAX_RULES + 1),
            ),
            (rule(""), SettingsError::Rule(2)),
            (rule("two\nlines"), SettingsError::Rule(2)),
            (rule("ERROR is the first word"), SettingsError::Rule(2)),
            (rule(&"x".repeat(MAX_REPLY + 1)), SettingsError::Rule(2)),
            (
                Settings {
                    hosts: vec![("192.0.2.1".parse().unwrap(), "two words".to_owned())],
                    ..good()
                },
                SettingsError::Host(HostError::ShortName {
                    key: "192.0.2.1".parse().unwrap(),
                    name: "two words".to_owned(),
                }),
            ),
        ] {
            assert_eq!(settings.check(), Err(error));
        }
    }
}
