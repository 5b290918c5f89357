//! May this key log in from there now?

use std::net::IpAddr;
use std::time::SystemTime;

use jiff::Timestamp;
use russh::keys::PublicKey;

use super::entry::Conditions;
use super::{AuthorizedKeys, Entry, Reason};

/// The answer to a key that wants to log in.
#[derive(Debug, Clone)]
pub enum Lookup<'a> {
    /// It may, by this entry.
    Granted(&'a Entry),
    /// It may not.
    Refused(Refusal),
}

/// Why a key may not log in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No line holds it.
    #[error("the key is not in the file of authorized keys")]
    UnknownKey,
    /// `from=` does not admit the address.
    #[error("from= on line {line} does not admit {peer}")]
    AddressNotAllowed {
        /// The line's number.
        line: usize,
        /// The address; an IPv4 address mapped to IPv6 is shown as IPv4.
        peer: IpAddr,
    },
    /// `expiry-time=` has passed.
    #[error("the key on line {line} expired at {}", utc(at))]
    Expired {
        /// The line's number.
        line: usize,
        /// The last second in which it was accepted.
        at: SystemTime,
    },
    /// The line cannot be used.
    #[error("the key on line {line} is not usable: {reason}")]
    Unusable {
        /// The line's number.
        line: usize,
        /// What is wrong with it.
        reason: Reason,
    },
}

fn utc(time: &SystemTime) -> String {
    Timestamp::try_from(*time).map_or_else(|_| "an unknown time".to_owned(), |at| at.to_string())
}

/// A line with a readable key, as a search sees it.
#[derive(Debug)]
pub(super) enum Listed {
    /// The index of its entry.
    Usable(usize),
    /// A line without an entry.
    Unusable(Box<Unusable>),
}

/// Why a line with a readable key has no entry.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) line: usize,
    pub(super) reason: Reason,
    /// `None` where sshd cannot use the line either and goes on to the next one. Otherwise sshd
    /// might use the line if these hold, and the search ends there, so that no later line gives
    /// what sshd would refuse.
    pub(super) conditions: Option<Conditions>,
}

impl AuthorizedKeys {
    /// Looks for `key`, offered by the address `peer` at the time `now`.
    ///
    /// As in sshd, the first line with the key whose `from=` and `expiry-time=` hold decides, with
    /// its options. If there is none, the answer names what stood against the last line with the
    /// key. An IPv4 address mapped to IPv6 is treated as IPv4.
    pub fn find(&self, key: &PublicKey, peer: IpAddr, now: SystemTime) -> Lookup<'_> {
        let mut refusal = Refusal::UnknownKey;
        for listed in self.lines_of_key.get(key.key_data()).into_iter().flatten() {
            refusal = match listed {
                Listed::Usable(index) => {
                    let Some(entry) = self.entries.get(*index) else {
                        continue;
                    };
                    match entry.conditions.check(entry.line, peer, now) {
                        Ok(()) => return Lookup::Granted(entry),
                        Err(refusal) => refusal,
                    }
                }
                Listed::Unusable(unusable) => {
                    let Unusable {
                        line,
                        reason,
                        conditions,
                    } = &**unusable;
                    let unusable = Refusal::Unusable {
                        line: *line,
                        reason: reason.clone(),
                    };
                    match conditions.as_ref().map(|c| c.check(*line, peer, now)) {
                        Some(Ok(())) => return Lookup::Refused(unusable),
                        Some(Err(refusal)) => refusal,
                        None => unusable,
                    }
                }
            };
        }
        Lookup::Refused(refusal)
    }
}
