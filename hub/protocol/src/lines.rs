//! Lines out of a stream of bytes.

use bytes::Bytes;

/// What [`LineSplitter::take_line`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The bytes of one line, without its LF.
    Complete(Bytes),
    /// A line longer than the bound. Told once per such line; its bytes are dropped.
    TooLong,
}

/// Cuts a stream of bytes into lines ended by LF, holding never more than one line of the
/// given length.
///
/// Bytes are not looked at otherwise: NUL, CR inside a line and 8-bit bytes pass unaltered.
#[derive(Debug)]
pub struct LineSplitter {
    max_len: usize,
    strip_cr: bool,
    /// The line begun so far. At most `max_len` bytes.
    begun: Vec<u8>,
    /// With `strip_cr`: a CR was read after `begun`, and belongs to the line only if no LF
    /// follows.
    pending_cr: bool,
    /// The line is too long and was reported; skip up to its LF.
    skipping: bool,
}

impl LineSplitter {
    /// A splitter for lines of at most `max_len` bytes, line end not counted.
    pub fn new(max_len: usize) -> Self {
        Self {
            max_len,
            strip_cr: false,
            begun: Vec::new(),
            pending_cr: false,
            skipping: false,
        }
    }

    /// Takes CR LF for a line end as well: one CR before the LF, or before the end of input, is
    /// dropped and not counted.
    #[must_use]
    pub fn strip_cr(self) -> Self {
        Self {
            strip_cr: true,
            ..self
        }
    }

    /// Reads from the front of `input` up to the end of the next line and gives that line;
    /// `None` when all of `input` is read and no line ended. `input` is left at the first byte
    /// not yet read, so call this until it gives `None`:
    ///
    /// ```
    /// use cmp_protocol::{Line, LineSplitter};
    /// let mut splitter = LineSplitter::new(4096);
    /// let mut input = &b"PING\nPA"[..];
    /// assert_eq!(splitter.take_line(&mut input), Some(Line::Complete("PING".into())));
    /// assert_eq!(splitter.take_line(&mut input), None);
    /// assert!(input.is_empty());
    /// assert_eq!(splitter.finish(), Some(Line::Complete("PA".into())));
    /// ```
    pub fn take_line(&mut self, input: &mut &[u8]) -> Option<Line> {
        let mut parts = input.splitn(2, |byte| *byte == b'\n');
        let part = parts.next().unwrap_or_default();
        let rest = parts.next();
        *input = rest.unwrap_or_default();
        let line_ended = rest.is_some();

        let reported = std::mem::take(&mut self.skipping);
        if reported || !self.append(part) {
            // Nothing of the line is kept; unless its LF was seen, the rest of it goes too.
            self.begun = Vec::new();
            self.pending_cr = false;
            self.skipping = !line_ended;
            if reported {
                return if line_ended {
                    self.take_line(input)
                } else {
                    None
                };
            }
            return Some(Line::TooLong);
        }
        line_ended.then(|| self.complete())
    }

    /// The last line, if the input ended without an LF after it. Call once, at end of input.
    pub fn finish(&mut self) -> Option<Line> {
        let begun = !self.begun.is_empty() || self.pending_cr;
        begun.then(|| self.complete())
    }

    /// Adds `part`, which has no LF, to the begun line; false when that gets too long.
    fn append(&mut self, part: &[u8]) -> bool {
        let (kept, cr) = match part.split_last() {
            Some((b'\r', kept)) if self.strip_cr => (kept, true),
            _ => (part, false),
        };
        if self.pending_cr && !part.is_empty() {
            self.pending_cr = false;
            if self.begun.len() == self.max_len {
                return false;
            }
            self.begun.push(b'\r');
        }
        if self.begun.len() + kept.len() > self.max_len {
            return false;
        }
        self.begun.extend_from_slice(kept);
        self.pending_cr |= cr;
        true
    }

    fn complete(&mut self) -> Line {
        self.pending_cr = false;
        Line::Complete(std::mem::take(&mut self.begun).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &'static str) -> Line {
        Line::Complete(line.into())
    }

    #[test]
    fn an_overlong_line_is_told_once_and_the_next_one_is_read() {
        let mut splitter = LineSplitter::new(4);
        let mut input = &b"12345"[..];
        assert_eq!(splitter.take_line(&mut input), Some(Line::TooLong));
        for mut more in [&b"678"[..], b"9", b""] {
            assert_eq!(splitter.take_line(&mut more), None);
        }
        let mut input = &b"0\n1234\n12345\nPING\n"[..];
        assert_eq!(splitter.take_line(&mut input), Some(complete("1234")));
        assert_eq!(splitter.take_line(&mut input), Some(Line::TooLong));
        assert_eq!(splitter.take_line(&mut input), Some(complete("PING")));
        assert_eq!(splitter.take_line(&mut input), None);
        assert_eq!(splitter.finish(), None);
    }

    #[test]
    fn no_more_than_a_line_is_kept() {
        let mut splitter = LineSplitter::new(4096).strip_cr();
        let mut told = 0;
        for chunk in vec![b'x'; 1 << 20].chunks(1000) {
            let mut chunk = chunk;
            while let Some(line) = splitter.take_line(&mut chunk) {
                assert_eq!(line, Line::TooLong);
                told += 1;
            }
            assert!(splitter.begun.len() <= 4096);
            assert!(splitter.begun.capacity() <= 2 * 4096);
        }
        assert_eq!(told, 1);
        assert_eq!(splitter.finish(), None);
    }

    #[test]
    fn a_cr_is_dropped_only_before_the_end_of_a_line() {
        let mut splitter = LineSplitter::new(3).strip_cr();
        let mut input = &b"a\rb\r\n123\r\n12\r\r\n\r"[..];
        assert_eq!(splitter.take_line(&mut input), Some(complete("a\rb")));
        assert_eq!(splitter.take_line(&mut input), Some(complete("123")));
        assert_eq!(splitter.take_line(&mut input), Some(complete("12\r")));
        assert_eq!(splitter.take_line(&mut input), None);
        assert_eq!(splitter.finish(), Some(complete("")));

        let mut input = &b"PING\r\n"[..];
        let mut splitter = LineSplitter::new(8);
        assert_eq!(splitter.take_line(&mut input), Some(complete("PING\r")));
    }
}
