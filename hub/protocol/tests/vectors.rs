//! The vector files, which clients in other languages can use too.

#![allow(clippy::unwrap_used)]

mod common;

use cmp_protocol::{Command, Dialect, Encoding, Submission, central, json};
use common::{bytes_of, unhex, vectors};
use serde_json::Value;

fn assert_refused(vector: &Value, submission: Submission) {
    let expected = &vector["refused"];
    let refusal = submission.command.unwrap_err();
    assert_eq!(refusal.subject, expected["subject"], "{vector}");
    assert_eq!(refusal.code.as_str(), expected["code"], "{vector}");
    if let Some(reason) = expected["reason"].as_str() {
        assert_eq!(refusal.reason, reason, "{vector}");
    }
    if let Some(tag) = expected["ref"].as_str() {
        assert_eq!(submission.tag.as_deref(), Some(tag), "{vector}");
    }
}

#[test]
fn lines_of_central_clients_mean_what_the_vectors_say() {
    let dialect = Dialect::shipped();
    for vector in vectors("central_commands.json")["vectors"]
        .as_array()
        .unwrap()
    {
        let submission = central::parse(&bytes_of(vector, "line"), &dialect);
        if vector["ignored"] == true {
            assert_eq!(submission, None, "{vector}");
            continue;
        }
        let submission = submission.expect("the line was ignored");
        if vector["command"].is_object() {
            let expected = json::parse(vector["command"].to_string().as_bytes()).unwrap();
            assert_eq!(submission, expected, "{vector}");
            assert!(submission.command.is_ok(), "{vector}");
        } else if let Some(hex) = vector["chat_hex"].as_str() {
            let text = unhex(hex).into();
            assert_eq!(submission.command, Ok(Command::Chat { text }), "{vector}");
        } else {
            assert_refused(vector, submission);
        }
    }
}

#[test]
fn central_clients_are_shown_what_the_vectors_say() {
    let dialect = Dialect::shipped();
    for vector in vectors("central_events.json")["vectors"]
        .as_array()
        .unwrap()
    {
        let event = json::parse_event(vector["event"].to_string().as_bytes());
        let event = event.unwrap_or_else(|error| panic!("{error}: {vector}"));
        let encoding = vector["to"]
            .as_str()
            .map(|name| Encoding::parse(name).unwrap());

        let mut expected = Vec::new();
        for line in vector["lines"].as_array().into_iter().flatten() {
            expected.extend_from_slice(line.as_str().unwrap().as_bytes());
            expected.push(b'\n');
        }
        for line in vector["lines_hex"].as_array().into_iter().flatten() {
            expected.extend(unhex(line.as_str().unwrap()));
            expected.push(b'\n');
        }
        let mut out = Vec::new();
        central::render(&event, &dialect, encoding, &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&expected),
            "{vector}"
        );
        assert_eq!(out, expected, "{vector}");
    }
}

#[test]
fn lines_of_json_clients_mean_what_the_vectors_say() {
    for vector in vectors("json_commands.json")["vectors"].as_array().unwrap() {
        let submission = json::parse(&bytes_of(vector, "line"));
        if vector["ignored"] == true {
            assert_eq!(submission, None, "{vector}");
            continue;
        }
        let submission = submission.expect("the line was ignored");
        if let Some(expected) = vector["accepted"].as_str() {
            let command = submission.command.expect("the line was refused");
            let mut out = Vec::new();
            json::render_command(&command, submission.tag.as_ref(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\n"));
        } else {
            assert_refused(vector, submission);
        }
    }
}

#[test]
fn json_clients_are_shown_the_lines_of_the_vectors() {
    let file = vectors("json_events.json");
    for line in file["lines"].as_array().unwrap() {
        let line = line.as_str().unwrap();
        let event = json::parse_event(line.as_bytes());
        let event = event.unwrap_or_else(|error| panic!("{error}: {line}"));
        let mut out = Vec::new();
        json::render(&event, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{line}\n"));
    }
    for line in file["no_events"].as_array().unwrap() {
        let line = line.as_str().unwrap();
        assert!(json::parse_event(line.as_bytes()).is_err(), "taken: {line}");
    }
}

#[test]
fn a_client_leaves_alone_what_a_later_hub_adds_to_an_event() {
    let line = br#"{"event":"join","client":"a","role":"bot","country":"SE"}"#;
    assert!(json::parse_event(line).is_ok());
}
