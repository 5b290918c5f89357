//! Who may log in: the file `authorized_keys`, as sshd reads it.
//!
//! Comes in: the bytes of the file. Goes out: the [`Entry`] of each usable line, a [`Problem`] for
//! each line that is not, and the answer to "may this key log in from this address now":
//! [`AuthorizedKeys::find`]. A bad line never spoils the rest of the file.
//! Not done here: whether a key is too weak (see [`key_bits`]), what a client may do once it is
//! in, and watching the file for changes.
//!
//! The format and the meaning of options are those of sshd(8), "`AUTHORIZED_KEYS` FILE FORMAT"
//! (OpenSSH 9.2 to 10). An option has one of three outcomes:
//!
//! - **honoured**: `from`, `expiry-time`, `restrict`, `pty`, `no-pty`, `command`, and of
//!   `environment` the variable `CMP_CLIENT` (others are left out, as sshd does by default);
//!   `no-touch-required`; and `verify-required` on keys that are not on a security key, where it
//!   means nothing.
//! - **honoured by not having the thing at all**: everything about port, agent and X11 forwarding,
//!   tunnels and user-rc.
//! - **not honoured, so the key is unusable**: `cert-authority`, `principals`, `verify-required`
//!   and the touch of a security key (russh does not show the signature's flags), host names
//!   excluded in `from`, and every option that is unknown or malformed.
//!
//! Times without `Z` in `expiry-time=` are local times of the system's zone (`TZ`,
//! `/etc/localtime`; UTC if there is none).

mod entry;
mod expiry;
#[cfg(test)]
mod fixtures;
mod forwarding;
mod line;
mod load;
mod lookup;
mod naming;
mod options;
mod problem;
mod source_match;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use russh::keys::ssh_key::Algorithm;
use russh::keys::ssh_key::public::KeyData;

pub use entry::{Entry, key_bits};
pub use load::LoadError;
pub use lookup::{Lookup, Refusal};
pub use naming::{ClientNaming, NamingError};
pub use problem::{Problem, Reason};

use entry::Conditions;
use line::KeyLine;
use lookup::{Listed, Unusable};
use options::KeyOptions;
use source_match::{HostNames, SourceList};

/// The longest file that is read, in bytes: 30,000 lines with RSA keys and options. What comes
/// after is ignored and reported.
pub const MAX_FILE_LEN: usize = 16 * 1024 * 1024;

/// How many lines with keys are read. Those that come after are ignored and reported.
pub const MAX_KEYS: usize = 100_000;

/// How many problems are listed at most; the last one says that there are more.
pub const MAX_PROBLEMS: usize = 1000;

/// The index of the last problem that is listed.
const LAST_PROBLEM: usize = MAX_PROBLEMS - 1;

/// A parsed file.
#[derive(Debug, Default)]
pub struct AuthorizedKeys {
    entries: Vec<Entry>,
    problems: Vec<Problem>,
    /// For each key the lines that hold it, in the file's order.
    lines_of_key: HashMap<KeyData, Vec<Listed>>,
}

impl AuthorizedKeys {
    /// Parses the content of a file. Never fails: what cannot be used is among the problems, and
    /// only usable keys are let in.
    pub fn parse(content: &[u8], naming: &ClientNaming) -> Self {
        Self::parse_within(content, naming, MAX_FILE_LEN, MAX_KEYS)
    }

    fn parse_within(
        content: &[u8],
        naming: &ClientNaming,
        max_len: usize,
        max_keys: usize,
    ) -> Self {
        let mut parsed = Self::default();
        // Editors of Windows put a byte order mark in front.
        let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let mut end = content.len() - text.len();
        let mut keys = 0;
        for (index, bytes) in text.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            end += bytes.len();
            if end > max_len {
                parsed.report(number, Reason::FileTooLong);
                break;
            }
            end += 1;
            match line::parse(bytes) {
                Ok(None) => {}
                Ok(Some(_)) if keys == max_keys => {
                    parsed.report(number, Reason::TooManyKeys);
                    break;
                }
                Ok(Some(key_line)) => {
                    keys += 1;
                    parsed.add(number, key_line, naming);
                }
                Err(reason) => parsed.report(number, reason),
            }
        }
        parsed
    }

    /// The usable entries, in the file's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is wrong with the file, in its order; [`MAX_PROBLEMS`] at most.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn report(&mut self, line: usize, reason: Reason) {
        let reason = match self.problems.len() {
            ..LAST_PROBLEM => reason,
            LAST_PROBLEM => Reason::TooManyProblems,
            _ => return,
        };
        self.problems.push(Problem { line, reason });
    }

    fn add(&mut self, line: usize, key_line: KeyLine, naming: &ClientNaming) {
        let key_data = key_line.key.key_data().clone();
        let listed = match self.judge(line, key_line, naming) {
            Ok(entry) => {
                self.entries.push(entry);
                Listed::Usable(self.entries.len() - 1)
            }
            Err(unusable) => {
                self.report(line, unusable.reason.clone());
                Listed::Unusable(unusable)
            }
        };
        self.lines_of_key.entry(key_data).or_default().push(listed);
    }

    /// Decides whether a line with a readable key becomes an entry.
    fn judge(
        &mut self,
        line: usize,
        key_line: KeyLine,
        naming: &ClientNaming,
    ) -> Result<Entry, Box<Unusable>> {
        let KeyLine {
            key,
            comment,
            options,
        } = key_line;
        let unusable = |reason, conditions| {
            Box::new(Unusable {
                line,
                reason,
                conditions,
            })
        };
        let skipped = |reason: Reason| {
            let conditions = reason.hides_conditions().then(Conditions::default);
            unusable(reason, conditions)
        };
        let options = options.map_err(skipped)?;
        if options.cert_authority {
            return Err(skipped(Reason::CertAuthority));
        }
        if options.has_principals {
            return Err(skipped(Reason::PrincipalsOfPlainKey));
        }
        let sources = options
            .from
            .as_deref()
            .map(SourceList::parse)
            .transpose()
            .map_err(skipped)?;
        let host_names = sources
            .as_ref()
            .map_or(HostNames::None, SourceList::host_names);
        let obstacle = match host_names {
            HostNames::None => None,
            HostNames::Unusable(reason) => Some(reason),
            HostNames::Remark(reason) => {
                self.report(line, reason);
                None
            }
        };
        let client = obstacle
            .or_else(|| unchecked_touch(&key.algorithm(), &options))
            .map_or_else(
                || naming.client(options.forced_command.as_deref(), options.client.as_deref()),
                Err,
            );
        let conditions = Conditions {
            sources,
            valid_until: options.valid_until,
        };
        match client {
            Ok(client) => Ok(Entry {
                key,
                client,
                line,
                forced_command: options.forced_command,
                pty_allowed: options.pty_allowed,
                conditions,
                comment,
            }),
            Err(reason) => Err(unusable(reason, Some(conditions))),
        }
    }
}

/// What stands against a security key: russh verifies its signatures, but does not show whether
/// the key was touched or its holder verified (`PROTOCOL.u2f` in OpenSSH).
fn unchecked_touch(algorithm: &Algorithm, options: &KeyOptions) -> Option<Reason> {
    match algorithm {
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 if options.verify_required => {
            Some(Reason::VerifyRequired)
        }
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 if options.touch_required => {
            Some(Reason::TouchRequired)
        }
        _ => None,
    }
}
