//! One client never reads: it is ended, and the others notice nothing.

use rustix::process::Signal;
use serde_json::Value;

use crate::FREE;
use crate::support::Site;

const READERS: usize = 20;

/// More than the 2 MiB that ssh lets a channel send ahead, with the outbox.
const LINES: usize = 900;

#[test]
fn a_client_that_never_reads_is_ended_and_delays_nobody() {
    let site = Site::new();
    for client in ["stalled", "reader", "writer"] {
        site.add_client(client);
    }
    let limits = "limits.outbox_bytes = 262144\nlimits.sessions_per_client = 32\n";
    site.configure(&format!("{limits}{FREE}"));
    let mut hub = site.start();
    let mut stalled = hub.shell("stalled");
    let mut readers: Vec<_> = (0..READERS).map(|_| hub.shell("reader")).collect();
    stalled.signal(Signal::STOP);

    let mut writer = hub.shell("writer");
    let line = |number: usize| format!("{number} {}", "x".repeat(3000));
    for number in 0..LINES {
        writer.send(format!("C {}\n", line(number)));
    }
    for reader in readers.iter_mut().chain([&mut writer]) {
        for number in 0..LINES {
            let expected = format!("C writer: {}", line(number));
            assert!(reader.stdout.text() == expected, "line {number} is another");
        }
    }

    let logged = hub.process.stderr.text_with("reads too slowly; ended");
    assert!(logged.contains("client=stalled"), "{logged}");
    let stats: Value = serde_json::from_str(&hub.admin("writer", "stats --json")).unwrap();
    assert_eq!(stats["slow_readers"], 1, "{stats}");
    stalled.signal(Signal::CONT);
    let read = String::from_utf8(stalled.stdout.rest()).unwrap();
    assert!(read.lines().count() < LINES, "it has missed something");
    assert!(!stalled.wait().success(), "it is told by its exit status");
    hub.stop();
}
