//! Who may log in: the decision on one key, and the record of what was tried in vain.

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use cmp_protocol::ClientName;
use russh::keys::{Algorithm, PublicKey};

use crate::algorithms::{Profile, UnfitKey};
use crate::authorized_keys::{self, AuthorizedKeys, Entry, Lookup};

/// Why a key was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// Nobody may use such a key.
    #[error("{0}")]
    Unfit(#[from] UnfitKey),
    /// This one is not let in.
    #[error("{fingerprint}: {reason}")]
    NotListed {
        /// Of the key.
        fingerprint: String,
        /// What the file says.
        reason: authorized_keys::Refusal,
    },
}

/// Whether `key`, used with `algorithm` from the address `peer`, may log in at the time `now`.
pub(crate) fn decide<'a>(
    profile: Profile,
    keys: &'a AuthorizedKeys,
    key: &PublicKey,
    algorithm: &Algorithm,
    peer: IpAddr,
    now: SystemTime,
) -> Result<&'a Entry, Denied> {
    profile.check_user_key(key, algorithm)?;
    match keys.find(key, peer, now) {
        Lookup::Granted(entry) => Ok(entry),
        Lookup::Refused(reason) => Err(Denied::NotListed {
            fingerprint: key.fingerprint(russh::keys::HashAlg::Sha256).to_string(),
            reason,
        }),
    }
}

/// Who has logged in, and how.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) client: ClientName,
    pub(crate) key: PublicKey,
    pub(crate) fingerprint: String,
    /// What the key signed with.
    pub(crate) algorithm: Algorithm,
    /// The line of `authorized_keys`.
    pub(crate) line: usize,
}

impl Login {
    pub(crate) fn new(entry: &Entry, algorithm: &Algorithm) -> Self {
        Self {
            client: entry.client().clone(),
            key: entry.key().clone(),
            fingerprint: entry.fingerprint(),
            algorithm: algorithm.clone(),
            line: entry.line(),
        }
    }
}

/// Different reasons that are worth keeping; a client has no more tries than a few.
const MAX_REASONS: usize = 10;

/// What a peer tried to log in with, for the one line that is logged if it never succeeds.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    failures: usize,
    reasons: Vec<String>,
}

impl Attempts {
    /// A key was not accepted.
    pub(crate) fn denied(&mut self, denied: &Denied) {
        self.failed(denied.to_string());
    }

    /// A method that does not exist here was tried. `none`, which asks for the methods, is no try.
    pub(crate) fn method(&mut self, name: &str) {
        self.failed(format!(
            "client tries the method {name}; only publickey exists here"
        ));
    }

    /// Nothing has been tried.
    pub(crate) fn is_empty(&self) -> bool {
        self.failures == 0
    }

    /// How often something was tried in vain. A wrong signature is not in it: the SSH library
    /// refuses it by itself.
    pub(crate) fn failures(&self) -> usize {
        self.failures
    }

    fn failed(&mut self, reason: String) {
        self.failures += 1;
        if self.reasons.len() < MAX_REASONS && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no login: ")?;
        for (nth, reason) in self.reasons.iter().enumerate() {
            let separator = if nth == 0 { "" } else { "; " };
            write!(f, "{separator}{reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_reason_is_told_once_and_there_are_not_too_many() {
        let mut attempts = Attempts::default();
        assert!(attempts.is_empty());
        attempts.denied(&Denied::Unfit(UnfitKey::Sha1Signature));
        attempts.denied(&Denied::Unfit(UnfitKey::Sha1Signature));
        attempts.method("password");
        let line = attempts.to_string();
        assert_eq!(line.matches("SHA-1").count(), 1, "{line}");
        assert!(
            line.contains("; client tries the method password"),
            "{line}"
        );
        for n in 0..1000 {
            attempts.method(&n.to_string());
        }
        assert!(attempts.to_string().len() < 2000);
        assert_eq!(attempts.failures(), 1003);
    }
}
