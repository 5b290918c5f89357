//! Canonical mode: the characters that end a line, or change it before it ends.

use super::bytes::{is_control, is_utf8_continuation, is_word};
use super::screen::EchoStep;
use super::{LineDiscipline, TtyEvent};

/// How much an erasing character takes away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Character,
    Word,
    Line,
}

impl LineDiscipline {
    /// Handles a byte of canonical mode (`n_tty_receive_char_canon`); false if it is mere data.
    pub(super) fn take_editing(
        &mut self,
        byte: u8,
        echo: &mut Vec<u8>,
        events: &mut impl FnMut(TtyEvent<'_>),
    ) -> bool {
        let (chars, local) = (self.modes.chars, self.modes.local);
        if byte == chars.erase || byte == chars.kill || (byte == chars.word_erase && local.iexten) {
            self.erase(byte, echo);
        } else if byte == chars.literal_next && local.iexten {
            self.literal_next = true;
            if local.echo && local.echoctl {
                self.screen.echo(EchoStep::Byte(b'^'), echo);
                self.screen.echo(EchoStep::Byte(0x08), echo);
            }
        } else if byte == chars.reprint && local.echo && local.iexten {
            self.reprint(byte, echo);
        } else if byte == b'\n' {
            if local.echo || local.echonl {
                self.screen.echo(EchoStep::Byte(byte), echo);
            }
            self.line.push(byte);
            self.deliver(events);
        } else if byte == chars.end_of_file {
            if self.line.is_empty() {
                events(TtyEvent::EndOfFile);
            }
            self.deliver(events);
        } else if byte == chars.end_of_line || (byte == chars.end_of_line_2 && local.iexten) {
            self.take_data(byte, self.echo_of(byte), echo);
            self.deliver(events);
        } else {
            return false;
        }
        true
    }

    /// Echoes the line again, on a new one.
    fn reprint(&mut self, byte: u8, echo: &mut Vec<u8>) {
        let Some(left) = self.reprint_left.checked_sub(self.line.len()) else {
            return;
        };
        self.reprint_left = left;
        self.screen.echo(self.echo_of(byte), echo);
        self.screen.echo(EchoStep::Byte(b'\n'), echo);
        for &stored in &self.line {
            let step = self.echo_of(stored);
            self.screen.echo(step, echo);
        }
    }

    /// `eraser`: takes a character, a word or the line away, and rubs it out on the screen.
    fn erase(&mut self, byte: u8, echo: &mut Vec<u8>) {
        let (chars, local) = (self.modes.chars, self.modes.local);
        if self.line.is_empty() {
            return;
        }
        let extent = match byte {
            _ if byte == chars.erase => Extent::Character,
            _ if byte == chars.word_erase => Extent::Word,
            _ => Extent::Line,
        };
        if extent == Extent::Line && !(local.echo && local.echok && local.echoke && local.echoe) {
            self.line.clear();
            if local.echo {
                self.screen.echo(self.echo_of(byte), echo);
            }
            if local.echo && local.echok {
                self.screen.echo(EchoStep::Byte(b'\n'), echo);
            }
            return;
        }
        let mut in_word = false;
        while let Some((start, lead)) = self.last_character() {
            if extent == Extent::Word {
                if in_word && !is_word(lead) {
                    break;
                }
                in_word = is_word(lead);
            }
            self.line.truncate(start);
            if local.echo {
                self.rub_out(lead, extent, echo);
            }
            if extent == Extent::Character {
                break;
            }
        }
    }

    /// Where the last character of the line starts, and its first byte. None if there is no
    /// character: a line of nothing but UTF-8 continuation bytes is not erased.
    fn last_character(&self) -> Option<(usize, u8)> {
        let utf8 = self.modes.input.iutf8;
        let mut from_end = self.line.iter().copied().enumerate().rev();
        from_end.find(|(_, byte)| !(utf8 && is_utf8_continuation(*byte)))
    }

    /// Echo for a character, of which `lead` is the first byte, that has just left the line.
    fn rub_out(&mut self, lead: u8, extent: Extent, echo: &mut Vec<u8>) {
        let local = self.modes.local;
        if extent == Extent::Character && !local.echoe {
            self.screen.echo(self.echo_of(self.modes.chars.erase), echo);
        } else if lead == b'\t' {
            self.screen.echo(self.erase_tab(), echo);
        } else {
            let columns = self.columns_of(lead);
            for _ in 0..columns {
                for byte in *b"\x08 \x08" {
                    self.screen.echo(EchoStep::Byte(byte), echo);
                }
            }
        }
    }

    /// The step that goes back over a tab that stood after the line as it is now.
    fn erase_tab(&self) -> EchoStep {
        let previous_tab = self.line.iter().rposition(|byte| *byte == b'\t');
        let before = self
            .line
            .get(previous_tab.map_or(0, |tab| tab + 1)..)
            .unwrap_or_default();
        let columns: usize = before
            .iter()
            .filter(|byte| !(self.modes.input.iutf8 && is_utf8_continuation(**byte)))
            .map(|byte| self.columns_of(*byte))
            .sum();
        #[expect(clippy::cast_possible_truncation, reason = "less than 8")]
        let columns_before = (columns % 8) as u8;
        EchoStep::EraseTab {
            columns_before,
            after_tab: previous_tab.is_some(),
        }
    }

    /// The columns that the echo of a stored byte, not a tab, takes up.
    fn columns_of(&self, byte: u8) -> usize {
        match (is_control(byte), self.modes.local.echoctl) {
            (false, _) => 1,
            (true, true) => 2,
            (true, false) => 0,
        }
    }
}
