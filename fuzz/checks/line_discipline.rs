//! What must hold for any bytes that a client types into a terminal.
//!
//! The first byte of the input is how many pairs of opcode and value follow (the modes), the
//! second how long a packet is; the rest is typed.

use cmp_ssh::tty::{LineDiscipline, TtyEvent, TtyModes, TtySignal};

/// The bound that the module states for the echo of one call.
const ECHO_FACTOR: usize = 10;
const ECHO_EXTRA: usize = 192 * 1024;

pub(crate) fn check(data: &[u8]) {
    let [pairs, packet, rest @ ..] = data else {
        return;
    };
    let (modes, typed) = rest.split_at((usize::from(*pairs) * 2).min(rest.len()));
    let modes = modes.as_chunks().0.iter();
    let modes = modes.map(|[opcode, value]| (*opcode, u32::from(*value)));
    let modes = TtyModes::from_ssh(modes);

    let packet = usize::from(*packet).max(1);
    let (read, events) = type_in(modes, typed, packet);
    assert!(
        read.len() <= typed.len() * 2,
        "the program reads more than was typed"
    );
    assert_eq!(
        (read, events),
        type_in(modes, typed, 1),
        "the program reads something else when the packets are cut differently"
    );
}

/// What the program reads, and what it is told apart from that, at which place of what it reads.
fn type_in(
    modes: TtyModes,
    typed: &[u8],
    packet: usize,
) -> (Vec<u8>, Vec<(usize, Option<TtySignal>)>) {
    let mut terminal = LineDiscipline::new(modes);
    let (mut read, mut events) = (Vec::new(), Vec::new());
    for bytes in typed.chunks(packet) {
        let mut echo = Vec::new();
        terminal.input(bytes, &mut echo, |event| match event {
            TtyEvent::Data(data) => {
                assert!((1..=4097).contains(&data.len()));
                read.extend_from_slice(data);
            }
            TtyEvent::EndOfFile => events.push((read.len(), None)),
            TtyEvent::Signal(signal) => events.push((read.len(), Some(signal))),
        });
        assert!(echo.len() <= bytes.len() * ECHO_FACTOR + ECHO_EXTRA);
        let mut shown = Vec::new();
        terminal.output(bytes, &mut shown);
    }
    (read, events)
}
