//! A pseudo-terminal of the kernel, with a client on one side and a reader on the other.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio, read, write};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios,
    tcgetattr, tcsetattr,
};

const CHARS: &[(u8, SpecialCodeIndex)] = &[
    (1, SpecialCodeIndex::VINTR),
    (2, SpecialCodeIndex::VQUIT),
    (3, SpecialCodeIndex::VERASE),
    (4, SpecialCodeIndex::VKILL),
    (5, SpecialCodeIndex::VEOF),
    (6, SpecialCodeIndex::VEOL),
    (7, SpecialCodeIndex::VEOL2),
    (8, SpecialCodeIndex::VSTART),
    (9, SpecialCodeIndex::VSTOP),
    (10, SpecialCodeIndex::VSUSP),
    (12, SpecialCodeIndex::VREPRINT),
    (13, SpecialCodeIndex::VWERASE),
    (14, SpecialCodeIndex::VLNEXT),
    (16, SpecialCodeIndex::VSWTC),
    (18, SpecialCodeIndex::VDISCARD),
];

const INPUT: &[(u8, InputModes)] = &[
    (30, InputModes::IGNPAR),
    (31, InputModes::PARMRK),
    (32, InputModes::INPCK),
    (33, InputModes::ISTRIP),
    (34, InputModes::INLCR),
    (35, InputModes::IGNCR),
    (36, InputModes::ICRNL),
    (37, InputModes::from_bits_retain(0o1000)), // IUCLC
    (38, InputModes::IXON),
    (39, InputModes::IXANY),
    (40, InputModes::IXOFF),
    (41, InputModes::IMAXBEL),
    (42, InputModes::IUTF8),
];

const LOCAL: &[(u8, LocalModes)] = &[
    (50, LocalModes::ISIG),
    (51, LocalModes::ICANON),
    (52, LocalModes::XCASE),
    (53, LocalModes::ECHO),
    (54, LocalModes::ECHOE),
    (55, LocalModes::ECHOK),
    (56, LocalModes::ECHONL),
    (57, LocalModes::NOFLSH),
    (58, LocalModes::TOSTOP),
    (59, LocalModes::IEXTEN),
    (60, LocalModes::ECHOCTL),
    (61, LocalModes::ECHOKE),
    (62, LocalModes::PENDIN),
];

const OUTPUT: &[(u8, OutputModes)] = &[
    (70, OutputModes::OPOST),
    (71, OutputModes::OLCUC),
    (72, OutputModes::ONLCR),
    (73, OutputModes::OCRNL),
    (74, OutputModes::ONOCR),
    (75, OutputModes::ONLRET),
];

const CONTROL: &[(u8, ControlModes)] = &[
    (90, ControlModes::CS7),
    (92, ControlModes::PARENB),
    (93, ControlModes::PARODD),
];

/// The opcodes that set a special character.
pub(super) fn char_opcodes() -> Vec<u8> {
    CHARS.iter().map(|(opcode, _)| *opcode).collect()
}

/// The opcodes that switch something on or off.
pub(super) fn flag_opcodes() -> Vec<u8> {
    let input = INPUT.iter().map(|(opcode, _)| *opcode);
    let local = LOCAL.iter().map(|(opcode, _)| *opcode);
    let output = OUTPUT.iter().map(|(opcode, _)| *opcode);
    let control = CONTROL.iter().map(|(opcode, _)| *opcode);
    input.chain(local).chain(output).chain(control).collect()
}

/// What sshd does with one mode that the client sent (`TTYCHAR` and `TTYMODE` in OpenSSH's
/// ttymodes.c).
fn apply(termios: &mut Termios, opcode: u8, argument: u32) {
    let on = argument != 0;
    if let Some((_, index)) = CHARS.iter().find(|(code, _)| *code == opcode) {
        let character = if argument == 255 {
            0
        } else {
            (argument & 0xff) as u8
        };
        termios.special_codes[*index] = character;
    } else if let Some((_, flag)) = INPUT.iter().find(|(code, _)| *code == opcode) {
        termios.input_modes.set(*flag, on);
    } else if let Some((_, flag)) = LOCAL.iter().find(|(code, _)| *code == opcode) {
        termios.local_modes.set(*flag, on);
    } else if let Some((_, flag)) = OUTPUT.iter().find(|(code, _)| *code == opcode) {
        termios.output_modes.set(*flag, on);
    } else if let Some((_, flag)) = CONTROL.iter().find(|(code, _)| *code == opcode) {
        termios.control_modes.set(*flag, on);
    }
}

/// The terminal, and all that both sides have got from it.
pub(super) struct KernelTty {
    client: OwnedFd,
    program: OwnedFd,
    /// Every byte the client got.
    pub(super) echo: Vec<u8>,
    /// What each read(2) of the program returned; nothing at end of file.
    pub(super) reads: Vec<Vec<u8>>,
}

impl KernelTty {
    pub(super) fn new(modes: &[(u8, u32)]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let client = openpt(flags).unwrap();
        unlockpt(&client).unwrap();
        let program = ioctl_tiocgptpeer(&client, flags).unwrap();
        let mut termios = tcgetattr(&program).unwrap();
        for (opcode, argument) in modes {
            apply(&mut termios, *opcode, *argument);
        }
        tcsetattr(&program, OptionalActions::Now, &termios).unwrap();
        ioctl_fionbio(&client, true).unwrap();
        ioctl_fionbio(&program, true).unwrap();
        Self {
            client,
            program,
            echo: Vec::new(),
            reads: Vec::new(),
        }
    }

    /// The client sends bytes in one write, and both sides take what comes of it.
    pub(super) fn input(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match write(&self.client, bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::AGAIN) => {}
                Err(error) => panic!("writing to the terminal: {error}"),
            }
            self.settle();
        }
    }

    /// The program writes; false if it would have to wait, because the output is stopped.
    pub(super) fn output(&mut self, bytes: &[u8]) -> bool {
        match write(&self.program, bytes) {
            Ok(count) => assert_eq!(count, bytes.len(), "the terminal took a part of the output"),
            Err(Errno::AGAIN) => return false,
            Err(error) => panic!("writing to the terminal: {error}"),
        }
        self.settle();
        true
    }

    /// Takes all there is on both sides. Needs no waiting: before poll(2) says that a terminal has
    /// nothing to read, it finishes the work on what was written to it (`n_tty_poll` calls
    /// `tty_buffer_flush_work`).
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(line) = take(&self.program) {
                self.reads.push(line);
                quiet = false;
            }
            while let Some(echo) = take(&self.client) {
                self.echo.extend(echo);
                quiet = false;
            }
            if quiet {
                return;
            }
        }
    }
}

/// One read(2), if there is something to read.
fn take(side: &OwnedFd) -> Option<Vec<u8>> {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::new(side, PollFlags::IN)];
    if poll(&mut fds, Some(&now)).unwrap() == 0 {
        return None;
    }
    let mut buffer = vec![0; 8192];
    let count = read(side, &mut buffer).unwrap();
    buffer.truncate(count);
    Some(buffer)
}
