//! The way out: the hub's output and the echo, and where the cursor stands because of them.

use std::collections::VecDeque;

use super::bytes::{is_control, is_utf8_continuation, to_upper};
use super::modes::{OutputModes, TtyModes};

/// Columns between two tab stops.
const TAB: u32 = 8;

/// How much echo a stopped terminal keeps, in the kernel's echo buffer units
/// (`ECHO_DISCARD_WATERMARK`); beyond it, the oldest is dropped.
const HELD_ECHO_MAX: usize = 4096 - (256 + 32);

/// One step of echo. What a step writes depends on the cursor at the time it is carried out.
#[derive(Clone, Copy, Debug)]
pub(super) enum EchoStep {
    /// A byte, post-processed like output.
    Byte(u8),
    /// A control character as `^X`.
    Caret(u8),
    /// The input line begins at the cursor.
    MarkLineStart,
    /// Back over a tab. `columns_before` (modulo 8) are those that the line takes up between the
    /// previous tab, or its own start, and this tab.
    EraseTab { columns_before: u8, after_tab: bool },
}

impl EchoStep {
    /// The room it takes in the kernel's echo buffer.
    fn size(self) -> usize {
        match self {
            Self::Byte(0xff) | Self::Caret(_) | Self::MarkLineStart => 2,
            Self::Byte(_) => 1,
            Self::EraseTab { .. } => 3,
        }
    }
}

/// The client's screen as the kernel imagines it: a column, and no right margin.
#[derive(Debug)]
pub(super) struct Screen {
    modes: OutputModes,
    utf8: bool,
    column: u32,
    line_start_column: u32,
    stopped: bool,
    held: VecDeque<EchoStep>,
    held_size: usize,
}

impl Screen {
    pub(super) fn new(modes: &TtyModes) -> Self {
        Self {
            modes: modes.output,
            utf8: modes.input.iutf8,
            column: 0,
            line_start_column: 0,
            stopped: false,
            held: VecDeque::new(),
            held_size: 0,
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Lets output go on, the held echo first.
    pub(super) fn start(&mut self, to: &mut Vec<u8>) {
        self.stopped = false;
        self.held_size = 0;
        for step in std::mem::take(&mut self.held) {
            self.carry_out(step, to);
        }
    }

    pub(super) fn discard_held_echo(&mut self) {
        self.held.clear();
        self.held_size = 0;
    }

    /// Output of the program (`n_tty_write`).
    pub(super) fn write(&mut self, mut bytes: &[u8], to: &mut Vec<u8>) {
        if !self.modes.opost {
            to.extend_from_slice(bytes);
            return;
        }
        while !bytes.is_empty() {
            let (printable, rest) = bytes.split_at(self.printable_prefix(bytes));
            to.extend_from_slice(printable);
            self.advance(printable);
            bytes = rest;
            if let Some((&byte, rest)) = bytes.split_first() {
                self.post_process(byte, to);
                bytes = rest;
            }
        }
    }

    pub(super) fn echo(&mut self, step: EchoStep, to: &mut Vec<u8>) {
        if self.stopped {
            self.hold(step);
        } else {
            self.carry_out(step, to);
        }
    }

    fn hold(&mut self, step: EchoStep) {
        self.held.push_back(step);
        self.held_size += step.size();
        while self.held_size >= HELD_ECHO_MAX
            && let Some(oldest) = self.held.pop_front()
        {
            self.held_size -= oldest.size();
        }
    }

    fn carry_out(&mut self, step: EchoStep, to: &mut Vec<u8>) {
        match step {
            // The kernel escapes this one in its echo buffer, and so past the post-processing.
            EchoStep::Byte(0xff) => {
                to.push(0xff);
                self.column = self.column.wrapping_add(1);
            }
            EchoStep::Byte(byte) if self.modes.opost => self.post_process(byte, to),
            EchoStep::Byte(byte) => to.push(byte),
            EchoStep::Caret(byte) => {
                to.extend_from_slice(&[b'^', byte ^ 0x40]);
                self.column = self.column.wrapping_add(2);
            }
            EchoStep::MarkLineStart => self.line_start_column = self.column,
            EchoStep::EraseTab {
                columns_before,
                after_tab,
            } => {
                let origin = if after_tab { 0 } else { self.line_start_column };
                let columns = TAB - origin.wrapping_add(columns_before.into()) % TAB;
                to.extend((0..columns).map(|_| 0x08));
                self.column = self.column.saturating_sub(columns);
            }
        }
    }

    /// One byte as `do_output_char` sends it.
    fn post_process(&mut self, byte: u8, to: &mut Vec<u8>) {
        match byte {
            b'\n' if self.modes.onlcr => {
                self.begin_line();
                to.extend_from_slice(b"\r\n");
            }
            b'\n' => {
                if self.modes.onlret {
                    self.column = 0;
                }
                self.line_start_column = self.column;
                to.push(byte);
            }
            b'\r' if self.modes.onocr && self.column == 0 => {}
            b'\r' if self.modes.ocrnl => {
                if self.modes.onlret {
                    self.begin_line();
                }
                to.push(b'\n');
            }
            b'\r' => {
                self.begin_line();
                to.push(byte);
            }
            b'\t' => {
                self.column = self.column.wrapping_add(TAB - self.column % TAB);
                to.push(byte);
            }
            0x08 => {
                self.column = self.column.saturating_sub(1);
                to.push(byte);
            }
            control if is_control(control) => to.push(control),
            printable => {
                let shown = if self.modes.olcuc {
                    to_upper(printable)
                } else {
                    printable
                };
                to.push(shown);
                self.advance(&[shown]);
            }
        }
    }

    fn begin_line(&mut self) {
        self.column = 0;
        self.line_start_column = 0;
    }

    /// How many bytes from the start go out as they are.
    fn printable_prefix(&self, bytes: &[u8]) -> usize {
        if self.modes.olcuc {
            return 0;
        }
        bytes.iter().take_while(|byte| !is_control(**byte)).count()
    }

    fn advance(&mut self, printed: &[u8]) {
        let columns = printed
            .iter()
            .filter(|byte| !(self.utf8 && is_utf8_continuation(**byte)));
        // Modulo 2^32, as the kernel's `unsigned int`.
        #[expect(clippy::cast_possible_truncation)]
        let columns = columns.count() as u32;
        self.column = self.column.wrapping_add(columns);
    }
}
