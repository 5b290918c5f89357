//! What can be wrong with a line of the file, in words a person can act on.

use cmp_protocol::{ClientName, NameError};

use super::line::MAX_LINE_LEN;
use super::{MAX_FILE_LEN, MAX_KEYS};

/// A remark on one line of the file. Every line that cannot be used has one; a line that works,
/// but not in all it says, has one too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Problem {
    /// The line's number in the file, counted from 1.
    pub line: usize,
    /// What is wrong with it, and the way out.
    pub reason: Reason,
}

/// What is wrong with a line of the file.
///
/// Texts taken from the file are shortened to 60 characters and shown escaped, so that a message
/// is one printable line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The line is over the limit.
    #[error("the line is longer than {MAX_LINE_LEN} bytes and is skipped")]
    LineTooLong,
    /// The line holds a NUL byte, at which sshd stops reading it.
    #[error("the line holds a NUL byte and is skipped")]
    NulByte,
    /// A quote is opened and not closed.
    #[error("a quoted option value has no closing quote")]
    MissingEndQuote,
    /// What should be a key is none.
    #[error(
        "no public key is found; expected: options (without spaces outside quotes), \
         key type, base64 key, comment"
    )]
    NoKey,
    /// A key of SSH protocol 1: bits, exponent, modulus.
    #[error("this is a key for SSH protocol 1, which no longer exists; list a newer key")]
    Protocol1Key,
    /// The key type is not known here.
    #[error("keys of type {0:?} are not supported")]
    UnsupportedKeyType(String),
    /// The base64 part is damaged or does not belong to the key type.
    #[error("the {key_type} key cannot be read ({detail}); copy it again from the .pub file")]
    DamagedKey {
        /// The type the line names.
        key_type: String,
        /// What the decoder says.
        detail: String,
    },
    /// A certificate stands where a key belongs.
    #[error("this is a certificate, which is not supported; list the client's own key")]
    Certificate,
    /// An option sshd(8) does not document.
    #[error("the option {0:?} is unknown, so the key is not used")]
    UnknownOption(String),
    /// An option that needs a value has none, or it is not in double quotes.
    #[error("the option {0} needs a value in double quotes")]
    UnquotedValue(&'static str),
    /// An option that may be given once is given again.
    #[error("the option {0} is given more than once, so the key is not used")]
    RepeatedOption(&'static str),
    /// The value of an option does not have its form.
    #[error("{value:?} is not a valid value for the option {option}, so the key is not used")]
    InvalidValue {
        /// The option's name.
        option: &'static str,
        /// Its value.
        value: String,
    },
    /// `cert-authority`.
    #[error("certificate authorities are not supported; list the client's own key")]
    CertAuthority,
    /// `principals=` on a plain key, which sshd refuses as well.
    #[error("principals= is valid for certificate authorities only, so the key is not used")]
    PrincipalsOfPlainKey,
    /// `verify-required` on a security key.
    #[error(
        "verify-required cannot be checked here, so the key is not used; \
         list a key that is not on a security key"
    )]
    VerifyRequired,
    /// A security key without `no-touch-required`.
    #[error(
        "the touch of a security key, which sshd asks for, cannot be checked here, so the key is \
         not used; no-touch-required accepts its signatures without that check"
    )]
    TouchRequired,
    /// An item of `from=` that is neither an address, a network nor a pattern.
    #[error("{item:?} in from= is {rule}, so the key is not used")]
    InvalidSource {
        /// The item as written.
        item: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// `from=` excludes by host name.
    #[error(
        "{0:?} in from= excludes hosts by name, and the hub does not look up names, so the key \
         is not used; exclude addresses"
    )]
    ExcludedHostName(String),
    /// `from=` lists host names beside addresses; the entry works for the addresses.
    #[error(
        "{0:?} in from= is a host name, and the hub does not look up names; \
         the key works from the listed addresses only"
    )]
    IgnoredHostName(String),
    /// `from=` lists host names only; the entry never matches.
    #[error(
        "from= lists host names only, such as {0:?}, and the hub does not look up names; \
         the key does not work from anywhere until addresses are listed"
    )]
    HostNamesOnly(String),
    /// Nothing on the line says who the client is.
    #[error(
        "nothing says which client this key belongs to; add environment=\"CMP_CLIENT=name\", or a \
         command=\"…\" that ends in the name"
    )]
    NoClientName,
    /// The name belongs to a client inside the hub.
    #[error("the name {0} belongs to a client inside the hub; give the key another")]
    ReservedClientName(ClientName),
    /// The client's name breaks the rule for client names.
    #[error("{0}, so the key is not used")]
    InvalidClientName(NameError),
    /// The file is over the limit.
    #[error("the file is longer than {MAX_FILE_LEN} bytes; this line and all after it are ignored")]
    FileTooLong,
    /// The file has more keys than are read.
    #[error("the file has more than {MAX_KEYS} keys; this line and all after it are ignored")]
    TooManyKeys,
    /// There are more problems than are worth listing.
    #[error("the file has more problems; those from here on are not listed")]
    TooManyProblems,
}

impl Reason {
    /// Whether it is unknown when the line applies: its `from=` or `expiry-time=` is not
    /// understood here, and sshd, which is more lenient in some forms, might.
    pub(super) fn hides_conditions(&self) -> bool {
        matches!(
            self,
            Self::InvalidSource { .. }
                | Self::InvalidValue {
                    option: "expiry-time",
                    ..
                }
        )
    }
}

/// The first 60 characters of a text from the file, for a message.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}
