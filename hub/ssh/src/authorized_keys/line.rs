//! One line of the file, taken apart: options, key, comment. Source: `auth_check_authkey_line` in
//! OpenSSH's `auth2-pubkeyfile.c`, `sshkey_advance_past_options` in its `authfile.c`.

use russh::keys::PublicKey;
use russh::keys::ssh_key::Algorithm;
use russh::keys::ssh_key::public::KeyData;

use super::options::KeyOptions;
use super::problem::{Reason, excerpt};

/// The longest line that is read, in bytes without its end: OpenSSH's own limit in 2014
/// (`SSH_MAX_PUBKEY_BYTES`).
pub(super) const MAX_LINE_LEN: usize = 8192;

const BLANK: [char; 2] = [' ', '\t'];

/// A line that holds a key.
#[derive(Debug)]
pub(super) struct KeyLine {
    /// Without a comment.
    pub(super) key: PublicKey,
    /// The rest of the line. Bytes that are not UTF-8 are replaced by U+FFFD.
    pub(super) comment: String,
    /// The options, or why they cannot be used.
    pub(super) options: Result<KeyOptions, Reason>,
}

/// Takes a line apart, given without its LF. `Ok(None)` is a blank line or a comment; an error is
/// a line without a readable key.
pub(super) fn parse(line: &[u8]) -> Result<Option<KeyLine>, Reason> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let content = line.trim_ascii_start();
    if content.is_empty() || content.starts_with(b"#") {
        return Ok(None);
    }
    if line.len() > MAX_LINE_LEN {
        return Err(Reason::LineTooLong);
    }
    if line.contains(&0) {
        return Err(Reason::NulByte);
    }
    let text = String::from_utf8_lossy(line);
    let text = text.trim_matches(BLANK);
    if KeyType::of(next_word(text).0).is_some() {
        let (key, comment) = read_key(text)?;
        return Ok(Some(KeyLine {
            key,
            comment,
            options: Ok(KeyOptions::default()),
        }));
    }
    let (options, rest) = split_options(text)?;
    if KeyType::of(next_word(rest).0).is_none() {
        return Err(explain_missing_key(options, rest));
    }
    let (key, comment) = read_key(rest)?;
    Ok(Some(KeyLine {
        key,
        comment,
        options: KeyOptions::parse(options),
    }))
}

/// What the type word in front of a key announces.
enum KeyType {
    Key,
    Certificate,
}

impl KeyType {
    fn of(word: &str) -> Option<Self> {
        if Algorithm::new_certificate(word).is_ok() {
            return Some(Self::Certificate);
        }
        match Algorithm::new(word).ok()? {
            // `rsa-sha2-*` names a signature, not a key.
            Algorithm::Other(_) | Algorithm::Rsa { hash: Some(_) } => None,
            _ => Some(Self::Key),
        }
    }
}

/// Reads `type base64 comment`.
fn read_key(text: &str) -> Result<(PublicKey, String), Reason> {
    let (key_type, rest) = next_word(text);
    if let Some(KeyType::Certificate) = KeyType::of(key_type) {
        return Err(Reason::Certificate);
    }
    let (blob, comment) = next_word(rest);
    let key = PublicKey::from_openssh(&format!("{key_type} {blob}")).map_err(|error| {
        Reason::DamagedKey {
            key_type: excerpt(key_type),
            detail: error.to_string(),
        }
    })?;
    // A certificate's blob may stand behind the name of a plain key type.
    match key.key_data() {
        KeyData::Certificate(_) => Err(Reason::Certificate),
        _ => Ok((key, comment.to_owned())),
    }
}

/// The text up to the first space or tab, and the rest without blanks before it.
fn next_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_at(text.find(BLANK).unwrap_or(text.len()));
    (word, rest.trim_start_matches(BLANK))
}

/// Splits at the first blank that is not in quotes.
fn split_options(text: &str) -> Result<(&str, &str), Reason> {
    let mut quoted = false;
    let mut previous = None;
    for (index, character) in text.char_indices() {
        let escaped = previous.replace(character) == Some('\\') && character == '"';
        if character == '"' && !escaped {
            quoted = !quoted;
        } else if BLANK.contains(&character) && !quoted {
            let (options, rest) = text.split_at(index);
            return Ok((options, rest.trim_start_matches(BLANK)));
        }
    }
    if quoted {
        Err(Reason::MissingEndQuote)
    } else {
        Ok((text, ""))
    }
}

/// The most helpful reason for a line without a key of a known type: the words before (`first`)
/// and after the first blank outside quotes.
fn explain_missing_key(first: &str, rest: &str) -> Reason {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    // A base64 key begins with a short length in four bytes.
    let is_blob = |word: &str| word.starts_with("AAAA");
    let (second, after_second) = next_word(rest);
    let (third, _) = next_word(after_second);
    if is_blob(second) {
        Reason::UnsupportedKeyType(excerpt(first))
    } else if is_blob(third) {
        Reason::UnsupportedKeyType(excerpt(second))
    } else if is_number(second) && is_number(third) {
        Reason::Protocol1Key
    } else {
        Reason::NoKey
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorized_keys::fixtures::{ED25519, RSA};

    fn key(line: &str) -> KeyLine {
        parse(line.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn blank_lines_and_comments_are_no_keys() {
        for line in [
            "", " ", "\t", "\r", " \t\r", "#", "# x", "  # x", "#\0", "\x0c",
        ] {
            assert!(parse(line.as_bytes()).unwrap().is_none(), "{line:?}");
        }
    }

    #[test]
    fn options_key_and_comment_are_told_apart() {
        for (line, options, comment) in [
            (ED25519.to_owned(), "", ""),
            (format!("{ED25519} paul@host"), "", "paul@host"),
            (
                format!("{ED25519} two words, \"quote"),
                "",
                "two words, \"quote",
            ),
            (
                format!("  \t{}  c \t", ED25519.replace(' ', " \t ")),
                "",
                "c",
            ),
            (format!("{ED25519}\r"), "", ""),
            (format!("{ED25519} c\r"), "", "c"),
            (format!("no-pty {ED25519} c"), "no-pty", "c"),
            (format!("no-pty\t{ED25519}\tc"), "no-pty", "c"),
            (format!("no-pty, {ED25519}"), "no-pty,", ""),
            (format!("command=\"a b\" {ED25519}"), "command=\"a b\"", ""),
            (
                format!("command=\"a \\\" b\" \t {ED25519}"),
                "command=\"a \\\" b\"",
                "",
            ),
            (
                format!("command=\"{RSA}\" {ED25519} c"),
                &*format!("command=\"{RSA}\""),
                "c",
            ),
        ] {
            let parsed = key(&line);
            assert_eq!(parsed.key.to_openssh().unwrap(), ED25519, "{line}");
            assert_eq!(parsed.comment, comment, "{line}");
            assert_eq!(parsed.options, KeyOptions::parse(options), "{line}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_do_no_harm() {
        let mut line = b"command=\"ruby ".to_vec();
        line.extend_from_slice(b"\xe9\" ");
        line.extend_from_slice(ED25519.as_bytes());
        line.extend_from_slice(b" Andr\xe9@host");
        let parsed = parse(&line).unwrap().unwrap();
        assert_eq!(parsed.comment, "Andr\u{fffd}@host");
        assert_eq!(
            parsed.options.unwrap().forced_command.as_deref(),
            Some("ruby \u{fffd}")
        );
    }

    #[test]
    fn lines_without_a_key() {
        let damaged = |line: &str| matches!(parse(line.as_bytes()), Err(Reason::DamagedKey { .. }));
        let (key_type, blob) = ED25519.split_once(' ').unwrap();
        assert!(damaged(key_type));
        assert!(damaged(&format!("{key_type} !!!!")));
        assert!(damaged(&format!("{key_type} {}", &blob[..40])));
        assert!(damaged(&format!("{key_type} {blob}AAAA")));
        assert!(damaged(&format!("ssh-rsa {blob}")));
        assert!(damaged(&format!("no-pty {key_type} AAAA")));

        let reason = |line: &str| parse(line.as_bytes()).unwrap_err();
        for (line, expected) in [
            ("garbage", Reason::NoKey),
            ("no-pty", Reason::NoKey),
            ("no-pty ", Reason::NoKey),
            ("no-pty, no-user-rc ssh-rsa", Reason::NoKey),
            ("\u{fffd}\u{fffd}", Reason::NoKey),
            ("command=\"x ssh-rsa AAAA", Reason::MissingEndQuote),
            ("1024 35 1234567890 paul@host", Reason::Protocol1Key),
            ("no-pty 1024 35 1234567890 paul@host", Reason::Protocol1Key),
            (
                "ssh-foo AAAAB3Nz",
                Reason::UnsupportedKeyType("ssh-foo".into()),
            ),
            (
                "no-pty ssh-foo AAAAB3Nz c",
                Reason::UnsupportedKeyType("ssh-foo".into()),
            ),
            (
                "rsa-sha2-256 AAAAB3Nz",
                Reason::UnsupportedKeyType("rsa-sha2-256".into()),
            ),
            (
                "ssh-ed25519-cert-v01@openssh.com AAAAB3Nz",
                Reason::Certificate,
            ),
            (
                "no-pty ssh-rsa-cert-v01@openssh.com AAAAB3Nz",
                Reason::Certificate,
            ),
            ("no-pty ssh-rsa\0 AAAAB3Nz", Reason::NulByte),
        ] {
            assert_eq!(reason(line), expected, "{line:?}");
        }
    }

    #[test]
    fn lines_have_a_limit() {
        let longest = format!("{ED25519} {}", "c".repeat(MAX_LINE_LEN - ED25519.len() - 1));
        assert_eq!(longest.len(), MAX_LINE_LEN);
        assert!(parse(longest.as_bytes()).unwrap().is_some());
        assert!(parse(format!("{longest}\r").as_bytes()).unwrap().is_some());
        let too_long = format!("{longest}c");
        assert_eq!(parse(too_long.as_bytes()).unwrap_err(), Reason::LineTooLong);
        let comment = format!("# {too_long}");
        assert!(parse(comment.as_bytes()).unwrap().is_none());
    }
}
