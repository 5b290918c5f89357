//! The terminal between a client and the hub, when the client asked for one.
//!
//! With sshd, a Linux pseudo-terminal stands there: it echoes what the client types, lets it edit
//! the line, and gives the program whole lines. The hub has no program that a terminal could be
//! put in front of, so this module does what the kernel's line discipline does (`N_TTY`,
//! `drivers/tty/n_tty.c`), byte for byte.
//!
//! Comes in: bytes of the client ([`LineDiscipline::input`]) and of the hub
//! ([`LineDiscipline::output`]). Goes out: bytes for the client, and [`TtyEvent`]s for the hub.
//! Nothing here waits, and nothing fails.
//!
//! # Which kernel
//!
//! The current one (compared with 6.18). Kernels before 3.12 rang the bell (`\a`) for each byte
//! of an over-long line and did not echo it; kernels since then echo it and ring no bell,
//! whatever `IMAXBEL` says.
//!
//! # Where it differs on purpose
//!
//! The kernel's result can depend on how the input was cut into packets and on how fast both
//! sides read. Here, it is always the result for a byte at a time and prompt readers:
//!
//! - `INTR`, `QUIT` and `SUSP` flush the unfinished line, but neither the echo of what came before
//!   them in the same packet nor a line that was already complete.
//! - `STOP` holds the echo of what comes after it, but of nothing before it in the same packet.
//! - One key can make more echo than the kernel's buffer of 4096 bytes holds: erasing or
//!   reprinting a line of more than about 1000 bytes. The kernel then garbles the echo; here, it
//!   is complete.
//! - With `PARMRK`, byte 255 as one of the last of an over-long line corrupts the kernel's buffer;
//!   here, it counts as any other.
//!
//! `ECHOPRT`, tab expansion (`XTABS`) and `EXTPROC` are missing: SSH has no opcode for them.

mod bytes;
mod editing;
mod modes;
mod screen;
#[cfg(test)]
mod tests;

pub use modes::TtyModes;

use bytes::{ByteSet, is_control};
use screen::{EchoStep, Screen};

/// Most bytes of a line, its terminator not counted (`N_TTY_BUF_SIZE` less one). What comes after
/// them is echoed, but not stored, until the line ends or is erased.
const LINE_MAX: usize = 4095;

/// Most bytes of the line that one call of [`LineDiscipline::input`] echoes again for `REPRINT`;
/// beyond, the character does nothing. Each takes a single byte of input, so that a packet of them
/// would make thousands of times its size of echo.
const REPRINT_MAX: usize = 64 * 1024;

/// What the program behind the terminal gets to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtyEvent<'a> {
    /// What one read(2) returns, 1 to 4097 bytes.
    ///
    /// In canonical mode that is a line with its terminator (newline, `EOL` or `EOL2`), or the
    /// part of it that `EOF` pushed, which has none. Newlines that were typed after `LNEXT` are
    /// in the middle: to split lines as a program would, take the data for a stream.
    Data(&'a [u8]),
    /// `EOF` at the start of a line: a read(2) that returns 0. A program ends here; the terminal
    /// itself would go on.
    EndOfFile,
    /// A signal for the program in the foreground.
    Signal(TtySignal),
}

/// The signals that a terminal sends on input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtySignal {
    /// SIGINT. Ends a program that does not care for it.
    Interrupt,
    /// SIGQUIT. Ends a program that does not care for it.
    Quit,
    /// SIGTSTP. Does not stop what sshd runs as a forced command: the kernel ignores it for an
    /// orphaned process group, where nobody could continue it.
    Suspend,
}

/// The state of one terminal. Holds at most 4097 bytes of an unfinished line, and 3.7 KiB of echo
/// while it is stopped.
#[derive(Debug)]
pub struct LineDiscipline {
    modes: TtyModes,
    /// Bytes that need more than to be echoed and stored.
    special: ByteSet,
    /// Bytes that are echoed and stored as they are, and take up a column.
    plain: ByteSet,
    /// The unfinished line; without `ICANON`, what the program has not got yet.
    line: Vec<u8>,
    /// The previous byte was `LNEXT`.
    literal_next: bool,
    reprint_left: usize,
    screen: Screen,
}

impl LineDiscipline {
    /// A fresh terminal in these modes, which it keeps, with the cursor in the first column.
    pub fn new(modes: TtyModes) -> Self {
        let special = modes.special();
        let plain = (0..0xff)
            .filter(|&byte| {
                !is_control(byte) && !special.contains(byte) && modes.preprocess(byte) == byte
            })
            .collect();
        Self {
            special,
            plain,
            line: Vec::new(),
            literal_next: false,
            reprint_left: REPRINT_MAX,
            screen: Screen::new(&modes),
            modes,
        }
    }

    /// Takes bytes from the client, cut in any way; appends the echo to `echo`, and hands what
    /// the program gets to `events`, in order.
    ///
    /// The echo belongs before whatever the hub answers to the events. It is no longer than
    /// 10 times the input plus 192 KiB.
    pub fn input(
        &mut self,
        mut bytes: &[u8],
        echo: &mut Vec<u8>,
        mut events: impl FnMut(TtyEvent<'_>),
    ) {
        self.reprint_left = REPRINT_MAX;
        while let Some((&first, after_first)) = bytes.split_first() {
            let (plain, after_plain) = bytes.split_at(self.plain_prefix(bytes));
            if plain.is_empty() {
                self.take_byte(first, echo, &mut events);
                bytes = after_first;
            } else {
                self.take_plain(plain, echo);
                bytes = after_plain;
            }
            if !self.modes.local.icanon && self.line.len() >= LINE_MAX {
                self.deliver(&mut events);
            }
        }
        if !self.modes.local.icanon {
            self.deliver(&mut events);
        }
    }

    /// Takes bytes from the hub; appends to `to` what the client gets (`OPOST` and its kind).
    ///
    /// A program would have to wait while the terminal [is stopped](Self::is_stopped); here, that
    /// is up to the caller.
    pub fn output(&mut self, bytes: &[u8], to: &mut Vec<u8>) {
        self.screen.write(bytes, to);
    }

    /// Whether the client stopped the output (`STOP`, ctrl-S) and has not yet let it go on
    /// (`START`, ctrl-Q; also a signal character, or any with `IXANY`).
    ///
    /// Neither of the two characters is echoed or stored. Meanwhile input goes on, and its echo is
    /// held back: the last 3.7 KiB of it, older echo is dropped, as in the kernel. It is for the
    /// caller to hold back the output, within the bounds it has for a client that does not read.
    pub fn is_stopped(&self) -> bool {
        self.screen.is_stopped()
    }

    /// How many bytes from the start are echoed like output, and stored.
    fn plain_prefix(&self, bytes: &[u8]) -> usize {
        if self.literal_next || self.screen.is_stopped() {
            return 0;
        }
        let room = LINE_MAX.saturating_sub(self.line.len());
        bytes
            .iter()
            .take(room)
            .take_while(|byte| self.plain.contains(**byte))
            .count()
    }

    fn take_plain(&mut self, bytes: &[u8], echo: &mut Vec<u8>) {
        if self.modes.local.echo {
            self.mark_line_start(echo);
            self.screen.write(bytes, echo);
        }
        self.line.extend_from_slice(bytes);
    }

    fn take_byte(&mut self, raw: u8, echo: &mut Vec<u8>, events: &mut impl FnMut(TtyEvent<'_>)) {
        // The kernel keeps one byte over the limit, so that the line can end with it, and
        // overwrites it with the next.
        self.line.truncate(LINE_MAX);
        let byte = self.modes.preprocess(raw);
        if std::mem::take(&mut self.literal_next) || !self.special.contains(byte) {
            self.restart_on_any(echo);
            self.take_data(byte, self.echo_of(byte), echo);
        } else {
            self.take_special(byte, echo, events);
        }
    }

    fn take_special(
        &mut self,
        byte: u8,
        echo: &mut Vec<u8>,
        events: &mut impl FnMut(TtyEvent<'_>),
    ) {
        let TtyModes {
            chars,
            input,
            local,
            ..
        } = self.modes;
        if input.ixon && byte == chars.start {
            self.screen.start(echo);
            return;
        }
        if input.ixon && byte == chars.stop {
            self.screen.stop();
            return;
        }
        if local.isig
            && let Some(signal) = self.signal_of(byte)
        {
            self.signal(signal, byte, echo, events);
            return;
        }
        self.restart_on_any(echo);
        let byte = match byte {
            b'\r' if input.igncr => return,
            b'\r' if input.icrnl => b'\n',
            b'\n' if input.inlcr => b'\r',
            other => other,
        };
        if local.icanon && self.take_editing(byte, echo, events) {
            return;
        }
        let step = if byte == b'\n' {
            EchoStep::Byte(byte)
        } else {
            self.echo_of(byte)
        };
        self.take_data(byte, step, echo);
    }

    fn take_data(&mut self, byte: u8, step: EchoStep, echo: &mut Vec<u8>) {
        if self.modes.local.echo {
            self.mark_line_start(echo);
            self.screen.echo(step, echo);
        }
        self.store(byte);
    }

    fn store(&mut self, byte: u8) {
        // PARMRK marks errors with 255, so that a real one is doubled.
        if byte == 0xff && self.modes.input.parmrk {
            self.line.push(byte);
        }
        self.line.push(byte);
    }

    fn deliver(&mut self, events: &mut impl FnMut(TtyEvent<'_>)) {
        if !self.line.is_empty() {
            events(TtyEvent::Data(&self.line));
            self.line.clear();
        }
    }

    fn signal_of(&self, byte: u8) -> Option<TtySignal> {
        let chars = self.modes.chars;
        match byte {
            _ if byte == chars.interrupt => Some(TtySignal::Interrupt),
            _ if byte == chars.quit => Some(TtySignal::Quit),
            _ if byte == chars.suspend => Some(TtySignal::Suspend),
            _ => None,
        }
    }

    fn signal(
        &mut self,
        signal: TtySignal,
        byte: u8,
        echo: &mut Vec<u8>,
        events: &mut impl FnMut(TtyEvent<'_>),
    ) {
        let TtyModes { input, local, .. } = self.modes;
        if !local.icanon {
            self.deliver(events);
        }
        if !local.noflsh {
            self.line.clear();
            self.screen.discard_held_echo();
        }
        if input.ixon {
            self.screen.start(echo);
        }
        if local.echo {
            self.screen.echo(self.echo_of(byte), echo);
        }
        events(TtyEvent::Signal(signal));
    }

    fn restart_on_any(&mut self, echo: &mut Vec<u8>) {
        if self.modes.input.ixany {
            self.screen.start(echo);
        }
    }

    /// Needed to erase tabs later: they reach to a column that depends on where the line began.
    fn mark_line_start(&mut self, echo: &mut Vec<u8>) {
        if self.line.is_empty() {
            self.screen.echo(EchoStep::MarkLineStart, echo);
        }
    }

    /// How a byte is echoed: as it is, or as `^X` (`ECHOCTL`).
    fn echo_of(&self, byte: u8) -> EchoStep {
        if self.modes.local.echoctl && is_control(byte) && byte != b'\t' {
            EchoStep::Caret(byte)
        } else {
            EchoStep::Byte(byte)
        }
    }
}
