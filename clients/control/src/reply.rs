//! Reply lines: bounded, and one line each.

use bytes::Bytes;

/// The longest text of a reply, in bytes: with the hub's own words around it, it fits into a
/// line of IRC (512 bytes, RFC 1459 §2.3).
pub const MAX_REPLY: usize = 400;

/// Ends a text that was cut.
const CUT: &[u8] = b"...";

/// The first word of a reply that says why a request can't be answered.
pub(crate) const ERROR: &str = "ERROR";

/// `text` as the text of one reply: CR, LF and NUL become spaces, and what is longer than
/// [`MAX_REPLY`] is cut, ends in `...`, and is not cut within a UTF-8 character.
pub(crate) fn line(text: impl Into<Vec<u8>>) -> Bytes {
    let mut text = text.into();
    if text.len() > MAX_REPLY {
        text.truncate(cut_at(&text, MAX_REPLY - CUT.len()));
        text.extend_from_slice(CUT);
    }
    for byte in &mut text {
        if matches!(byte, b'\r' | b'\n' | 0) {
            *byte = b' ';
        }
    }
    text.into()
}

/// The reply that says why there is no answer.
pub(crate) fn error(reason: &str) -> Bytes {
    line(format!("{ERROR} {reason}"))
}

/// Where to cut so that at most `most` bytes stay and no UTF-8 character is divided. Bytes that
/// are not UTF-8 are cut at `most`.
fn cut_at(text: &[u8], most: usize) -> usize {
    // A character has at most three continuation bytes.
    (most.saturating_sub(3)..=most)
        .rev()
        .find(|at| text.get(*at).is_some_and(|byte| byte & 0xc0 != 0x80))
        .unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_one_line() {
        assert_eq!(line("a\r\nb\0c"), "a  b c");
        assert_eq!(line(&b"na\xefve"[..]), &b"na\xefve"[..]);
    }

    #[test]
    fn a_long_reply_is_cut_between_characters() {
        assert_eq!(line("x".repeat(MAX_REPLY)), "x".repeat(MAX_REPLY));
        let cut = line("x".repeat(MAX_REPLY + 1));
        assert_eq!(cut, format!("{}...", "x".repeat(MAX_REPLY - 3)));
        // Two bytes each; 397 would be in the middle of one.
        let cut = line("é".repeat(300));
        assert_eq!(cut, format!("{}...", "é".repeat(198)));
        // Not UTF-8 at all: cut where the bound is.
        assert_eq!(line(vec![0x80; 500]).len(), MAX_REPLY);
    }

    #[test]
    fn an_error_begins_with_its_word() {
        assert_eq!(error("no"), "ERROR no");
    }
}
