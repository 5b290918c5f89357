//! New keys under load, both ways.

use std::io::Write;
use std::thread;

use crate::FREE;
use crate::support::{Process, Site};

/// Lines that are sent; each comes back, so that a little more than 4 MB go each way.
const LINES: usize = 4_000;
const FILLER: usize = 1_000;

fn text(number: usize) -> String {
    format!("{number} {}", "x".repeat(FILLER))
}

#[test]
fn nothing_is_lost_while_keys_are_exchanged_under_load() {
    let site = Site::new();
    site.add_client("anna");
    site.add_client("paul");
    site.configure(FREE);
    let hub = site.start();
    let mut paul = hub.shell("paul");
    let mut anna = Process::start(hub.ssh("anna").args(["-v", "-o", "RekeyLimit=1M"]));
    assert!(anna.stdout.text().starts_with("WELCOME anna "));

    let mut input = anna.take_input();
    let sending = thread::spawn(move || {
        for number in 0..LINES {
            writeln!(input, "C {}", text(number)).unwrap();
        }
        writeln!(input, "PART").unwrap();
    });
    for number in 0..LINES {
        let expected = format!("C anna: {}", text(number));
        assert_eq!(anna.stdout.text(), expected);
        assert_eq!(paul.stdout.text(), expected);
    }
    sending.join().unwrap();
    assert_eq!(anna.wait().code(), Some(0));
    assert_eq!(anna.stdout.rest(), b"");

    let log = String::from_utf8(anna.stderr.rest()).unwrap();
    let exchanges = log.matches("SSH2_MSG_NEWKEYS received").count();
    // One at the start, and after each MB of at least one direction.
    assert!(exchanges > 4, "{exchanges} key exchanges:\n{log}");
}
