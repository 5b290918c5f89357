use proptest::prelude::*;

use super::{LINE_MAX, LineDiscipline, REPRINT_MAX, TtyEvent, TtyModes, TtySignal};

const NO_CANON: (u8, u32) = (51, 0);
const NOFLSH: (u8, u32) = (57, 1);

/// An event that outlives the call that reported it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Data(Vec<u8>),
    EndOfFile,
    Signal(TtySignal),
}

fn terminal(modes: &[(u8, u32)]) -> LineDiscipline {
    LineDiscipline::new(TtyModes::from_ssh(modes.iter().copied()))
}

fn feed(tty: &mut LineDiscipline, bytes: &[u8]) -> (Vec<u8>, Vec<Seen>) {
    let (mut echo, mut seen) = (Vec::new(), Vec::new());
    tty.input(bytes, &mut echo, |event| {
        seen.push(match event {
            TtyEvent::Data(data) => Seen::Data(data.to_vec()),
            TtyEvent::EndOfFile => Seen::EndOfFile,
            TtyEvent::Signal(signal) => Seen::Signal(signal),
        });
    });
    (echo, seen)
}

fn data(bytes: &[u8]) -> Seen {
    Seen::Data(bytes.to_vec())
}

/// Events with the boundaries left out that non-canonical mode does not have.
fn as_stream(events: Vec<Seen>) -> Vec<Seen> {
    let mut stream: Vec<Seen> = Vec::new();
    for event in events {
        match (stream.last_mut(), event) {
            (Some(Seen::Data(all)), Seen::Data(more)) => all.extend(more),
            (_, event) => stream.push(event),
        }
    }
    stream
}

#[test]
fn signals_are_reported_in_order_and_flush_the_unfinished_line() {
    let (echo, seen) = feed(&mut terminal(&[]), b"one\ntwo\x03three\x1cfour\x1afive\n");
    assert_eq!(echo, b"one\r\ntwo^Cthree^\\four^Zfive\r\n");
    assert_eq!(
        seen,
        [
            data(b"one\n"),
            Seen::Signal(TtySignal::Interrupt),
            Seen::Signal(TtySignal::Quit),
            Seen::Signal(TtySignal::Suspend),
            data(b"five\n"),
        ]
    );

    let (_, seen) = feed(&mut terminal(&[NOFLSH]), b"two\x03three\n");
    assert_eq!(
        seen,
        [Seen::Signal(TtySignal::Interrupt), data(b"twothree\n")]
    );

    let (_, seen) = feed(&mut terminal(&[NO_CANON]), b"ab\x03c");
    assert_eq!(
        seen,
        [data(b"ab"), Seen::Signal(TtySignal::Interrupt), data(b"c")]
    );
}

#[test]
fn end_of_file_is_told_from_the_end_of_a_part() {
    let (_, seen) = feed(&mut terminal(&[]), b"\x04ab\x04\x04c\n\x04");
    assert_eq!(
        seen,
        [
            Seen::EndOfFile,
            data(b"ab"),
            Seen::EndOfFile,
            data(b"c\n"),
            Seen::EndOfFile
        ]
    );
}

#[test]
fn a_stopped_terminal_says_so() {
    let mut tty = terminal(&[]);
    assert!(!tty.is_stopped());
    assert_eq!(
        feed(&mut tty, b"a\x13b\n"),
        (b"a".to_vec(), vec![data(b"ab\n")])
    );
    assert!(tty.is_stopped());
    assert_eq!(feed(&mut tty, b"\x11"), (b"b\r\n".to_vec(), vec![]));
    assert!(!tty.is_stopped());
}

#[test]
fn modes_are_read_as_sshd_reads_them() {
    // The last one wins, 255 means none, and only the low 8 bits of a character count.
    let (_, seen) = feed(&mut terminal(&[(3, 255), (3, 8 + 256)]), b"a\x08b\x7f\n");
    assert_eq!(seen, [data(b"b\x7f\n")]);
    // Nothing is read after the end, or after an opcode whose argument has no known size.
    for end in [0, 160, 255] {
        let (echo, _) = feed(&mut terminal(&[(72, 0), (end, 1), (53, 0)]), b"a\n");
        assert_eq!(echo, b"a\n");
    }
    // Unknown ones below are passed over.
    let (echo, _) = feed(
        &mut terminal(&[(11, 97), (99, 1), (129, 38400), (72, 0)]),
        b"a\n",
    );
    assert_eq!(echo, b"a\n");
}

#[test]
fn an_endless_line_takes_bounded_memory_and_ends_with_its_newline() {
    let mut tty = terminal(&[]);
    let (echo, seen) = feed(&mut tty, &vec![b'x'; 1 << 20]);
    assert_eq!((echo.len(), seen), (1 << 20, vec![]));
    assert!(tty.line.len() <= LINE_MAX + 1 && tty.line.capacity() <= 4 * LINE_MAX);
    let (_, seen) = feed(&mut tty, b"\nnext\n");
    assert_eq!(
        seen,
        [
            data(&[&[b'x'; LINE_MAX][..], b"\n"].concat()),
            data(b"next\n")
        ]
    );
}

#[test]
fn a_byte_that_parmrk_doubles_does_not_lift_the_limit() {
    let mut tty = terminal(&[(31, 1)]);
    let (_, seen) = feed(&mut tty, &[&[0xff; 10_000][..], b"\n"].concat());
    assert_eq!(seen, [data(&[&[0xff; LINE_MAX][..], b"\n"].concat())]);
}

#[test]
fn without_canonical_mode_bulk_comes_in_bounded_parts() {
    let bulk: Vec<u8> = b"bulk\t\xff"
        .iter()
        .copied()
        .cycle()
        .take(1 << 20)
        .collect();
    let (_, seen) = feed(&mut terminal(&[NO_CANON]), &bulk);
    let parts = seen.iter().map(|event| match event {
        Seen::Data(data) => data.as_slice(),
        other => panic!("{other:?}"),
    });
    assert!(
        parts
            .clone()
            .all(|part| (1..=LINE_MAX + 1).contains(&part.len()))
    );
    assert_eq!(parts.collect::<Vec<_>>().concat(), bulk);
}

#[test]
fn the_echo_of_an_erased_long_line_is_complete() {
    let mut tty = terminal(&[]);
    feed(&mut tty, &[1; LINE_MAX]);
    let (echo, _) = feed(&mut tty, b"\x15");
    assert_eq!(echo, b"\x08 \x08\x08 \x08".repeat(LINE_MAX));
}

#[test]
fn a_packet_of_reprints_makes_bounded_echo() {
    let mut tty = terminal(&[]);
    feed(&mut tty, &[1; LINE_MAX]);
    let (echo, _) = feed(&mut tty, &vec![0x12; 32 * 1024]);
    let shown = echo.windows(4).filter(|bytes| *bytes == b"^R\r\n").count();
    assert_eq!(shown, REPRINT_MAX / LINE_MAX);
    // The next packet may again.
    let (echo, _) = feed(&mut tty, b"\x12");
    assert_eq!(echo, [b"^R\r\n", &*b"^A".repeat(LINE_MAX)].concat());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cutting_the_input_changes_nothing(
        modes in prop::collection::vec((1..80_u8, 0..40_u32), 0..20),
        input in prop::collection::vec(prop_oneof![0..32_u8, any::<u8>()], 0..400),
        sizes in prop::collection::vec(1..40_usize, 1..50),
    ) {
        let canonical = terminal(&modes).modes.local.icanon;
        let (whole_echo, whole_events) = feed(&mut terminal(&modes), &input);

        let mut tty = terminal(&modes);
        let (mut echo, mut events) = (Vec::new(), Vec::new());
        let mut rest = input.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (packet, after) = rest.split_at(rest.len().min(*size));
            let (more_echo, more_events) = feed(&mut tty, packet);
            echo.extend(more_echo);
            events.extend(more_events);
            rest = after;
        }
        prop_assert_eq!(echo, whole_echo);
        if canonical {
            prop_assert_eq!(events, whole_events);
        } else {
            prop_assert_eq!(as_stream(events), as_stream(whole_events));
        }
    }

    #[test]
    fn memory_and_echo_stay_within_their_bounds(
        modes in prop::collection::vec((1..80_u8, 0..40_u32), 0..20),
        pattern in prop::collection::vec(prop_oneof![0..32_u8, any::<u8>()], 1..12),
    ) {
        let mut tty = terminal(&modes);
        let input: Vec<u8> = pattern.iter().copied().cycle().take(8192).collect();
        for _ in 0..2 {
            let (echo, _) = feed(&mut tty, &input);
            prop_assert!(echo.len() <= 10 * input.len() + 192 * 1024);
            prop_assert!(tty.line.len() <= LINE_MAX + 2);
        }
    }
}
