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
