//! The line discipline beside the kernel's own: the same modes, the same bytes in, and every byte
//! out compared.
// clippy.toml allows these in test functions, and takes their helpers for production code.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "tty_kernel/cases.rs"]
mod cases;
#[path = "tty_kernel/kernel.rs"]
mod kernel;

use cases::{
    CASES, ECHO, ECHOCTL, ECHOKE, ICANON, IUTF8, Modes, NOFLSH, OCRNL, OLCUC, ONLCR, ONLRET, ONOCR,
    OPOST, PARMRK, VEOL,
};
use cmp_ssh::tty::{LineDiscipline, TtyEvent, TtyModes};
use kernel::{KernelTty, char_opcodes, flag_opcodes};
use proptest::prelude::*;
use proptest::sample::select;

/// Our terminal, and all that both sides have got from it.
struct OurTty {
    tty: LineDiscipline,
    echo: Vec<u8>,
    reads: Vec<Vec<u8>>,
}

impl OurTty {
    fn new(modes: &Modes) -> Self {
        let tty = LineDiscipline::new(TtyModes::from_ssh(modes.iter().copied()));
        Self {
            tty,
            echo: Vec::new(),
            reads: Vec::new(),
        }
    }

    fn input(&mut self, bytes: &[u8]) {
        let reads = &mut self.reads;
        self.tty.input(bytes, &mut self.echo, |event| match event {
            TtyEvent::Data(data) => reads.push(data.to_vec()),
            TtyEvent::EndOfFile => reads.push(Vec::new()),
            // The kernel's terminal is nobody's controlling terminal: its signals reach no one.
            TtyEvent::Signal(_) => {}
        });
    }

    /// False if the program would have to wait.
    fn output(&mut self, bytes: &[u8]) -> bool {
        if self.tty.is_stopped() {
            return false;
        }
        self.tty.output(bytes, &mut self.echo);
        true
    }
}

/// Bytes so that a failure can be read.
fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn show_reads<B: AsRef<[u8]>>(modes: &Modes, reads: &[B]) -> Vec<String> {
    let shown = reads.iter().map(|read| show(read.as_ref()));
    let mut icanon = modes.iter().rev().filter(|(opcode, _)| *opcode == ICANON);
    if icanon.next().is_none_or(|(_, argument)| *argument != 0) {
        shown.collect()
    } else {
        // Where one read ends is a matter of timing.
        vec![shown.collect()]
    }
}

fn assert_same(modes: &Modes, kernel: &KernelTty, ours: &OurTty, what: &str) {
    assert_eq!(
        show(&ours.echo),
        show(&kernel.echo),
        "echo; {what}; modes {modes:?}"
    );
    assert_eq!(
        show_reads(modes, &ours.reads),
        show_reads(modes, &kernel.reads),
        "reads; {what}; modes {modes:?}"
    );
}

/// As a person types. Packets of several bytes can make the kernel drop echo: see the module.
fn type_to(kernel: &mut KernelTty, bytes: &[u8]) {
    bytes.chunks(1).for_each(|byte| kernel.input(byte));
}

#[test]
fn every_case_is_as_written_and_as_the_kernel_has_it() {
    for case in CASES {
        let (modes, what) = (case.modes, case.what);
        let mut ours = OurTty::new(modes);
        ours.input(case.input);
        assert_eq!(show(&ours.echo), show(case.echo), "echo; {what}");
        assert_eq!(
            show_reads(modes, &ours.reads),
            show_reads(modes, case.reads),
            "reads; {what}"
        );

        let mut kernel = KernelTty::new(modes);
        type_to(&mut kernel, case.input);
        assert_same(modes, &kernel, &ours, what);

        let flushes_or_stops = case
            .input
            .iter()
            .any(|byte| b"\x03\x13\x1a\x1c".contains(byte));
        if !flushes_or_stops {
            let mut kernel = KernelTty::new(modes);
            kernel.input(case.input);
            assert_same(modes, &kernel, &ours, &format!("{what}, in one packet"));
        }
    }
}

#[test]
fn output_is_processed_and_moves_the_column() {
    let cases: &[(&Modes, &[u8], &[u8])] = &[
        (&[], b"a\nb\rc\td\x01\xff\n", b"a\r\nb\rc\td\x01\xff\r\n"),
        (&[(OPOST, 0)], b"a\nb\r\t", b"a\nb\r\t"),
        (&[(ONLCR, 0)], b"a\nb", b"a\nb"),
        (&[(OCRNL, 1)], b"a\rb\r", b"a\nb\n"),
        (&[(ONOCR, 1)], b"\ra\r\rb\n\r", b"a\rb\r\n"),
        (
            &[(ONLCR, 0), (ONLRET, 1), (ONOCR, 1)],
            b"a\n\rb\r",
            b"a\nb\r",
        ),
        (&[(OCRNL, 1), (ONLRET, 1)], b"ab\r", b"ab\n"),
        (&[(OLCUC, 1), (IUTF8, 1)], b"a\xdf", b"A\xbf"),
        (&[(OLCUC, 1)], b"aZ\xe4\xdf\xff\xf7", b"AZ\xc4\xbf\xdf\xf7"),
    ];
    for (modes, output, expected) in cases {
        let (mut ours, mut kernel) = (OurTty::new(modes), KernelTty::new(modes));
        assert!(ours.output(output) && kernel.output(output));
        assert_eq!(show(&ours.echo), show(expected), "modes {modes:?}");
        // How far a tab is erased shows where the cursor is taken to be.
        ours.input(b"x\t\x7f");
        kernel.input(b"x\t\x7f");
        assert_same(modes, &kernel, &ours, &show(output));
    }
}

#[test]
fn what_a_line_has_too_much_is_echoed_and_dropped() {
    let modes: &[&Modes] = &[
        &[],
        &[(ECHO, 0)],
        &[(ECHOCTL, 0), (PARMRK, 1)],
        &[(ECHOKE, 0)],
    ];
    let ends: &[&[u8]] = &[
        b"\n",
        b"\r\nnext\n",
        b"\x04",
        b".",
        b"\x7f\n",
        b"\x7f\x7fxyz\n",
        b"\x16\n\x01\n",
        b"\x11\n",
    ];
    for modes in modes {
        let modes = [modes, &[(VEOL, u32::from(b'.'))][..]].concat();
        for end in ends {
            for length in 4094..=4100 {
                let mut input: Vec<u8> =
                    b"0123456789".iter().copied().cycle().take(length).collect();
                input.extend_from_slice(end);
                let (mut ours, mut kernel) = (OurTty::new(&modes), KernelTty::new(&modes));
                ours.input(&input);
                input.chunks(1000).for_each(|packet| kernel.input(packet));
                let what = format!("{length} bytes and {}", show(end));
                assert_same(&modes, &kernel, &ours, &what);
                assert!(!ours.reads.is_empty(), "{what}");
            }
        }
    }
}

#[test]
fn kill_takes_an_over_long_line_away() {
    let modes = [(ECHOKE, 0)];
    let input = [&[b'x'; 5000][..], b"\x15abc\n"].concat();
    let (mut ours, mut kernel) = (OurTty::new(&modes), KernelTty::new(&modes));
    ours.input(&input);
    input.chunks(1000).for_each(|packet| kernel.input(packet));
    assert_same(&modes, &kernel, &ours, "kill");
    assert_eq!(ours.reads, [b"abc\n"]);
}

#[test]
fn a_stopped_terminal_keeps_the_latest_echo() {
    let modes = [(NOFLSH, 1)];
    let endless = b"0123456789\x01abcdefg\n\xff".iter().copied().cycle();
    let (mut ours, mut kernel) = (OurTty::new(&modes), KernelTty::new(&modes));
    for length in [6000, 3000] {
        let typed: Vec<u8> = endless.clone().take(length).collect();
        for part in [b"\x13", &typed[..], b"\x11."] {
            ours.input(part);
            type_to(&mut kernel, part);
        }
        assert_same(&modes, &kernel, &ours, "stopped");
        assert!(
            (3000..5000).contains(&ours.echo.len()),
            "{} bytes",
            ours.echo.len()
        );
        ours.echo.clear();
        kernel.echo.clear();
    }
}

/// Something that happens to a terminal.
#[derive(Clone, Debug)]
enum Step {
    Input(Vec<u8>),
    Output(Vec<u8>),
}

fn token() -> impl Strategy<Value = Vec<u8>> {
    let letters = select(b"abCD19_ ,/".to_vec()).prop_map(|byte| vec![byte]);
    // BS, tab, newline, CR, INTR, EOF, START, REPRINT, STOP, KILL, LNEXT, WERASE, SUSP, QUIT, ERASE
    let keys = b"\x08\t\n\r\x03\x04\x11\x12\x13\x15\x16\x17\x1a\x1c\x7f".to_vec();
    let keys = select(keys).prop_map(|byte| vec![byte]);
    let text = select(vec!["ä", "€", "😀", "àx", "ß", "two words"]).prop_map(Into::into);
    let odd = select(b"\x00\x01\x1b\x80\x9f\xa0\xc0\xd7\xdf\xf7\xfe\xff".to_vec());
    let odd = odd.prop_map(|byte| vec![byte]);
    let any = any::<u8>().prop_map(|byte| vec![byte]);
    prop_oneof![8 => letters, 6 => keys, 2 => text, 2 => odd, 1 => any]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = |count| prop::collection::vec(token(), count).prop_map(|tokens| tokens.concat());
    let step = prop_oneof![
        3 => bytes(1..30).prop_map(Step::Input),
        1 => bytes(1..10).prop_map(Step::Output),
    ];
    prop::collection::vec(step, 1..6)
}

fn modes() -> impl Strategy<Value = Vec<(u8, u32)>> {
    let flag = (select(flag_opcodes()), 0..2_u32);
    let character = prop_oneof![
        Just(255),
        select(b"\x00\x01\x03\x04\x08\t\n\r\x12\x13\x15\x16\x17a_".to_vec()).prop_map(u32::from),
        // Only the low 8 bits count.
        256..600_u32,
    ];
    let mode = prop_oneof![4 => flag, 1 => (select(char_opcodes()), character)];
    prop::collection::vec(mode, 0..16)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_input_in_any_modes_is_as_the_kernel_has_it(modes in modes(), steps in steps()) {
        let (mut ours, mut kernel) = (OurTty::new(&modes), KernelTty::new(&modes));
        for step in &steps {
            match step {
                Step::Input(bytes) => {
                    type_to(&mut kernel, bytes);
                    ours.input(bytes);
                }
                Step::Output(bytes) => {
                    assert_eq!(ours.output(bytes), kernel.output(bytes), "stopped; {modes:?}");
                }
            }
            assert_same(&modes, &kernel, &ours, &format!("{steps:?}"));
        }
    }
}
