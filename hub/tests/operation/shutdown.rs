//! SIGTERM: what was taken is finished, clients are told, nobody holds it up.

use std::time::Instant;

use rustix::process::Signal;

use crate::FREE;
use crate::history::{Acknowledged, all, publish};
use crate::support::{Hub, Json, PATIENCE, Process, Site};

/// The last line of a session.
const CLOSED: &str = "ERR * CLOSED :the hub is shutting down";

#[test]
fn a_shutdown_finishes_what_was_taken_and_tells_the_clients() {
    let site = Site::new();
    for client in ["writer", "reader"] {
        site.add_client(client);
    }
    site.configure(FREE);
    let mut hub = site.start();
    let mut reader = hub.shell("reader");
    let mut writer = Json::login(&hub, "writer").process;
    let publisher = publish(writer.take_input(), "before");
    let mut acknowledged = Acknowledged::new("before");
    let closing = loop {
        let event = serde_json::from_slice(&writer.stdout.line()).unwrap();
        if is_closing(&event) {
            break event;
        }
        acknowledged.take(&event);
        if acknowledged.broadcasts.len() == 100 {
            hub.process.signal(Signal::TERM);
        }
    };
    assert_eq!(closing["reason"], "the hub is shutting down");
    assert_eq!(writer.stdout.line_or_end(), None, "that was the last line");
    assert_eq!(writer.wait().code(), Some(1));
    publisher.join().unwrap();

    let read = String::from_utf8(reader.stdout.rest()).unwrap();
    let mut expected: Vec<_> = acknowledged
        .broadcasts
        .iter()
        .map(|broadcast| format!("BC writer qw tester #test :{}", broadcast.text))
        .collect();
    expected.push(CLOSED.to_owned());
    assert!(read.lines().eq(&expected), "{read}");
    assert_eq!(reader.wait().code(), Some(1));

    assert_eq!(hub.process.wait().code(), Some(0));
    let log = String::from_utf8(hub.process.stderr.rest()).unwrap();
    assert!(!log.contains("cut off"), "{log}");

    let starts = Instant::now();
    let hub = site.start();
    println!("a restart takes {:?}", starts.elapsed());
    assert_eq!(all(&hub, "writer"), acknowledged.broadcasts);
    hub.stop();
}

fn is_closing(event: &serde_json::Value) -> bool {
    event["event"] == "closing"
}

#[test]
fn a_client_that_hangs_does_not_hold_a_shutdown_past_its_deadline() {
    let site = Site::new();
    // The deadline is what ends it, and not the time that a session has for its last line.
    let settings = "hub.shutdown_deadline = \"1s\"\nssh.close_grace = \"60s\"\n";
    let (mut hub, _hanging) = with_hanging_client(&site, settings);
    let starts = Instant::now();
    hub.process.signal(Signal::TERM);
    hub.process
        .stderr
        .text_with("sessions that did not end in time are cut off");
    assert_eq!(hub.process.wait().code(), Some(0));
    println!("with a deadline of 1 s it took {:?}", starts.elapsed());
}

#[test]
fn a_second_sigterm_ends_it_at_once() {
    let site = Site::new();
    let settings = "hub.shutdown_deadline = \"60s\"\nssh.close_grace = \"60s\"\n";
    let (mut hub, _hanging) = with_hanging_client(&site, settings);
    let starts = Instant::now();
    hub.process.signal(Signal::TERM);
    hub.process.stderr.text_with("stopping");
    hub.process.signal(Signal::TERM);
    assert_eq!(hub.process.wait().code(), Some(1));
    assert!(starts.elapsed() < PATIENCE, "the deadline had not passed");
    let said = hub.process.stderr.text_with("cmp-hub: ");
    assert_eq!(
        said,
        "cmp-hub: ended at once by a second signal; sessions were cut off"
    );
}

/// A hub with a client that does not read, and for which more waits than its connection takes.
fn with_hanging_client(site: &Site, settings: &str) -> (Hub, Process) {
    for client in ["hanging", "writer"] {
        site.add_client(client);
    }
    site.configure(&format!("{settings}limits.outbox_bytes = 67108864\n{FREE}"));
    let hub = site.start();
    let hanging = hub.shell("hanging");
    hanging.signal(Signal::STOP);
    let mut writer = hub.shell("writer");
    // More than the 2 MiB that ssh lets a channel send ahead.
    let line = format!("C {}\n", "x".repeat(4000));
    for _ in 0..1000 {
        writer.send(&line);
    }
    writer.send("PING\n");
    writer.stdout.text_with("PONG");
    (hub, hanging)
}
