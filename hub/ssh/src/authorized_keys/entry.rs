//! A key that may log in, and the conditions under which it may.

use std::net::IpAddr;
use std::time::SystemTime;

use cmp_protocol::ClientName;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{HashAlg, PublicKey};

use super::Refusal;
use super::source_match::SourceList;

/// A usable line of the file.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) key: PublicKey,
    pub(super) client: ClientName,
    pub(super) line: usize,
    pub(super) forced_command: Option<String>,
    pub(super) pty_allowed: bool,
    pub(super) conditions: Conditions,
    pub(super) comment: String,
}

impl Entry {
    /// The public key, without its comment.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Whose key it is.
    pub fn client(&self) -> &ClientName {
        &self.client
    }

    /// The line's number in the file, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The value of `command=`, which sshd runs in place of whatever a session asks for. Bytes that
    /// are not UTF-8 are replaced by U+FFFD.
    pub fn forced_command(&self) -> Option<&str> {
        self.forced_command.as_deref()
    }

    /// Whether a terminal is given when asked for: what remains after `restrict`, `no-pty` and
    /// `pty` in the order they stand.
    pub fn pty_allowed(&self) -> bool {
        self.pty_allowed
    }

    /// The last second in which the key is accepted (`expiry-time=`).
    pub fn expiry(&self) -> Option<SystemTime> {
        self.conditions.valid_until
    }

    /// What stands behind the key. Bytes that are not UTF-8 are replaced by U+FFFD.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// The fingerprint as `ssh-keygen -l` prints it: `SHA256:` and unpadded base64.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The key's type as the file names it, for example `ssh-ed25519`.
    pub fn key_type(&self) -> String {
        self.key.algorithm().to_string()
    }

    /// The size of the key, see [`key_bits`].
    pub fn key_bits(&self) -> Option<usize> {
        key_bits(&self.key)
    }
}

/// The size in bits of an RSA modulus or a DSA prime. `None` for key types whose name says it.
pub fn key_bits(key: &PublicKey) -> Option<usize> {
    let number = match key.key_data() {
        KeyData::Rsa(rsa) => rsa.n(),
        KeyData::Dsa(dsa) => dsa.p(),
        _ => return None,
    };
    let bytes = number.as_positive_bytes()?;
    let leading_zeros = bytes.first()?.leading_zeros() as usize;
    Some(bytes.len() * 8 - leading_zeros)
}

/// What must hold besides the key. The default always holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    /// `from=`.
    pub(super) sources: Option<SourceList>,
    /// `expiry-time=`.
    pub(super) valid_until: Option<SystemTime>,
}

impl Conditions {
    /// Checks the conditions of the line with this number, in sshd's order.
    pub(super) fn check(&self, line: usize, peer: IpAddr, now: SystemTime) -> Result<(), Refusal> {
        // sshd compares whole seconds and accepts the last one.
        let expired =
            |until: &SystemTime| now.duration_since(*until).is_ok_and(|d| d.as_secs() > 0);
        if let Some(at) = self.valid_until.filter(expired) {
            return Err(Refusal::Expired { line, at });
        }
        match &self.sources {
            Some(sources) if !sources.admits(peer) => Err(Refusal::AddressNotAllowed {
                line,
                peer: peer.to_canonical(),
            }),
            _ => Ok(()),
        }
    }
}
