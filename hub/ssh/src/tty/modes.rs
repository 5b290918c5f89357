//! Terminal modes, as an SSH client sends them with its request for a terminal.

use super::bytes::{ByteSet, to_lower};

/// The special characters (`c_cc` of termios(3)); 0 means that there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct ControlChars {
    pub(super) interrupt: u8,
    pub(super) quit: u8,
    pub(super) suspend: u8,
    pub(super) erase: u8,
    pub(super) word_erase: u8,
    pub(super) kill: u8,
    pub(super) reprint: u8,
    pub(super) literal_next: u8,
    pub(super) end_of_file: u8,
    pub(super) end_of_line: u8,
    pub(super) end_of_line_2: u8,
    pub(super) start: u8,
    pub(super) stop: u8,
}

/// What happens to bytes on their way in (`c_iflag`).
#[derive(Clone, Copy, Debug)]
pub(super) struct InputModes {
    pub(super) parmrk: bool,
    pub(super) istrip: bool,
    pub(super) inlcr: bool,
    pub(super) igncr: bool,
    pub(super) icrnl: bool,
    pub(super) iuclc: bool,
    pub(super) ixon: bool,
    pub(super) ixany: bool,
    pub(super) iutf8: bool,
}

/// Echo, line editing and signals (`c_lflag`).
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalModes {
    pub(super) isig: bool,
    pub(super) icanon: bool,
    pub(super) echo: bool,
    pub(super) echoe: bool,
    pub(super) echok: bool,
    pub(super) echonl: bool,
    pub(super) noflsh: bool,
    pub(super) iexten: bool,
    pub(super) echoctl: bool,
    pub(super) echoke: bool,
}

/// What happens to bytes on their way out (`c_oflag`).
#[derive(Clone, Copy, Debug)]
pub(super) struct OutputModes {
    pub(super) opost: bool,
    pub(super) olcuc: bool,
    pub(super) onlcr: bool,
    pub(super) ocrnl: bool,
    pub(super) onocr: bool,
    pub(super) onlret: bool,
}

/// The modes of one terminal.
///
/// The default is what Linux gives a fresh pseudo-terminal (`tty_std_termios` and `INIT_C_CC` in
/// the kernel; also shown by `stty -a` in a new terminal).
#[derive(Clone, Copy, Debug)]
pub struct TtyModes {
    pub(super) chars: ControlChars,
    pub(super) input: InputModes,
    pub(super) local: LocalModes,
    pub(super) output: OutputModes,
}

impl Default for TtyModes {
    fn default() -> Self {
        Self {
            chars: ControlChars {
                interrupt: ctrl(b'C'),
                quit: ctrl(b'\\'),
                suspend: ctrl(b'Z'),
                erase: 0x7f,
                word_erase: ctrl(b'W'),
                kill: ctrl(b'U'),
                reprint: ctrl(b'R'),
                literal_next: ctrl(b'V'),
                end_of_file: ctrl(b'D'),
                end_of_line: 0,
                end_of_line_2: 0,
                start: ctrl(b'Q'),
                stop: ctrl(b'S'),
            },
            input: InputModes {
                parmrk: false,
                istrip: false,
                inlcr: false,
                igncr: false,
                icrnl: true,
                iuclc: false,
                ixon: true,
                ixany: false,
                iutf8: false,
            },
            local: LocalModes {
                isig: true,
                icanon: true,
                echo: true,
                echoe: true,
                echok: true,
                echonl: false,
                noflsh: false,
                iexten: true,
                echoctl: true,
                echoke: true,
            },
            output: OutputModes {
                opost: true,
                olcuc: false,
                onlcr: true,
                ocrnl: false,
                onocr: false,
                onlret: false,
            },
        }
    }
}

impl TtyModes {
    /// The default modes, changed by what the client sent: pairs of opcode and argument in the
    /// order of the request (RFC 4254 section 8). As in OpenSSH's `ttymodes.c`, the last of
    /// several wins, a special character of 255 is none, only the low 8 bits of another count,
    /// and reading stops at opcode 0 (`TTY_OP_END`) or one above 159.
    ///
    /// Opcodes without a meaning on a Linux pseudo-terminal do nothing: parity, character size
    /// and speed, `IXOFF`, `IMAXBEL`, `XCASE`, `TOSTOP`, `PENDIN` and the characters that `N_TTY`
    /// does not know.
    pub fn from_ssh(modes: impl IntoIterator<Item = (u8, u32)>) -> Self {
        let mut result = Self::default();
        for (opcode, argument) in modes {
            if !(1..160).contains(&opcode) {
                break;
            }
            result.apply(opcode, argument);
        }
        result
    }

    fn apply(&mut self, opcode: u8, argument: u32) {
        let Self {
            chars,
            input,
            local,
            output,
        } = self;
        let character = control_char(argument);
        let on = argument != 0;
        match opcode {
            1 => chars.interrupt = character,
            2 => chars.quit = character,
            3 => chars.erase = character,
            4 => chars.kill = character,
            5 => chars.end_of_file = character,
            6 => chars.end_of_line = character,
            7 => chars.end_of_line_2 = character,
            8 => chars.start = character,
            9 => chars.stop = character,
            10 => chars.suspend = character,
            12 => chars.reprint = character,
            13 => chars.word_erase = character,
            14 => chars.literal_next = character,
            31 => input.parmrk = on,
            33 => input.istrip = on,
            34 => input.inlcr = on,
            35 => input.igncr = on,
            36 => input.icrnl = on,
            37 => input.iuclc = on,
            38 => input.ixon = on,
            39 => input.ixany = on,
            42 => input.iutf8 = on,
            50 => local.isig = on,
            51 => local.icanon = on,
            53 => local.echo = on,
            54 => local.echoe = on,
            55 => local.echok = on,
            56 => local.echonl = on,
            57 => local.noflsh = on,
            59 => local.iexten = on,
            60 => local.echoctl = on,
            61 => local.echoke = on,
            70 => output.opost = on,
            71 => output.olcuc = on,
            72 => output.onlcr = on,
            73 => output.ocrnl = on,
            74 => output.onocr = on,
            75 => output.onlret = on,
            _ => {}
        }
    }

    /// The byte as the rest of the line discipline sees it (`ISTRIP`, `IUCLC`).
    pub(super) fn preprocess(&self, byte: u8) -> u8 {
        let byte = if self.input.istrip { byte & 0x7f } else { byte };
        if self.input.iuclc && self.local.iexten {
            to_lower(byte)
        } else {
            byte
        }
    }

    /// The bytes that are more than data in these modes (`char_map` in `n_tty_set_termios`).
    ///
    /// What is not in here is echoed and stored as it is, which shows with a newline in
    /// non-canonical mode: it is echoed as `^J`.
    pub(super) fn special(&self) -> ByteSet {
        let Self {
            chars,
            input,
            local,
            ..
        } = self;
        let mut set = ByteSet::default();
        if input.igncr || input.icrnl {
            set.insert(b'\r');
        }
        if input.inlcr || local.icanon {
            set.insert(b'\n');
        }
        if local.icanon {
            set.extend([
                chars.erase,
                chars.kill,
                chars.end_of_file,
                chars.end_of_line,
            ]);
            if local.iexten {
                set.extend([chars.word_erase, chars.literal_next, chars.reprint]);
                set.insert(chars.end_of_line_2);
            }
        }
        if input.ixon {
            set.extend([chars.start, chars.stop]);
        }
        if local.isig {
            set.extend([chars.interrupt, chars.quit, chars.suspend]);
        }
        set.remove(0);
        set
    }
}

const fn ctrl(letter: u8) -> u8 {
    letter & 0x1f
}

fn control_char(argument: u32) -> u8 {
    match argument {
        255 => 0,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "sshd keeps the low 8 bits as well"
        )]
        other => other as u8,
    }
}
