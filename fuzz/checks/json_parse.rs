//! What must hold for any line of the json dialect, in either direction.

use std::sync::LazyLock;

use cmp_protocol::{Dialect, Encoding, Event, central, json};

static SHIPPED: LazyLock<Dialect> = LazyLock::new(Dialect::shipped);

pub(crate) fn check(data: &[u8]) {
    for line in data.split(|byte| *byte == b'\n') {
        check_command(line);
        check_event(line);
    }
}

fn check_command(line: &[u8]) {
    let Some(submission) = json::parse(line) else {
        return;
    };
    match submission.command {
        Err(refusal) => {
            assert!(!refusal.subject.is_empty() && refusal.subject.len() <= 32);
        }
        Ok(command) => {
            let mut out = Vec::new();
            json::render_command(&command, submission.tag.as_ref(), &mut out);
            assert_eq!(out.pop(), Some(b'\n'));
            assert!(!out.contains(&b'\n'));
            let back = json::parse(&out);
            let back = back.map(|back| (back.tag, back.command));
            assert_eq!(back, Some((submission.tag, Ok(command))));
        }
    }
}

fn check_event(line: &[u8]) {
    let Ok(event) = json::parse_event(line) else {
        return;
    };
    let mut out = Vec::new();
    json::render(&event, &mut out);
    assert_eq!(out.pop(), Some(b'\n'));
    assert!(!out.contains(&b'\n'));
    assert_eq!(json::parse_event(&out).ok().as_ref(), Some(&event));

    let encodings = Encoding::ALL.map(Some);
    for encoding in encodings.into_iter().chain([None]) {
        out.clear();
        central::render(&event, &SHIPPED, encoding, &mut out);
        assert!(out.is_empty() || out.ends_with(b"\n"));
        if !matches!(event, Event::Who { .. } | Event::Help { .. }) {
            assert!(out.iter().rev().skip(1).all(|byte| *byte != b'\n'));
        }
    }
}
