//! What holds for every line and every event.

#![allow(clippy::unwrap_used)]

mod common;

use cmp_protocol::{
    Class, Command, Dialect, Encoding, Event, Form, HelpEntry, Line, LineSplitter, Target, Verb,
    central, json,
};
use common::any;
use proptest::collection::vec;
use proptest::prelude::*;

fn rendered(event: &Event, encoding: Option<Encoding>) -> Vec<u8> {
    let mut out = Vec::new();
    central::render(event, &Dialect::shipped(), encoding, &mut out);
    out
}

fn encoding() -> impl Strategy<Value = Option<Encoding>> {
    prop::option::of(prop::sample::select(&Encoding::ALL[..]))
}

/// How many lines the shipped central dialect has for an event.
fn lines_of(event: &Event) -> usize {
    let shown = |entry: &&HelpEntry| match entry {
        HelpEntry::Command(name) => central_has(name),
        HelpEntry::Provided { .. } => true,
    };
    match event {
        Event::Message(message) => usize::from(message.class != Class::Relay),
        Event::Ok { command, .. } => usize::from(command.as_str() == "BC"),
        Event::Who { clients, .. } => clients.len() + 1,
        Event::Help { entries, .. } => entries.iter().filter(shown).count() + 1,
        Event::Resumed { .. } => 0,
        _ => 1,
    }
}

fn central_has(name: &Verb) -> bool {
    let parsed = central::parse(name.as_str().as_bytes(), &Dialect::shipped()).unwrap();
    parsed
        .command
        .map_or_else(|refusal| refusal.code.as_str() != "UNKNOWN", |_| true)
}

/// The line of a central client for this command, if it can be said there.
fn central_line(command: &Command) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let mut put = |parts: &[&[u8]]| line.extend(parts.join(&b' '));
    match command {
        Command::Chat { text } => put(&[b"C", text]),
        Command::Part => put(&[b"PART"]),
        Command::Ping { text } => put(&[b"PING", text]),
        Command::Broadcast {
            kind,
            nick,
            origin,
            text,
        } => put(&[
            b"BC",
            kind.as_str().as_bytes(),
            nick.as_bytes(),
            origin.as_bytes(),
            &[b":", &text[..]].concat(),
        ]),
        Command::Provide { command, help } => put(&[
            b"PROVIDE",
            command.as_str().as_bytes(),
            &[b":", &help[..]].concat(),
        ]),
        Command::Withdraw { command } => put(&[b"WITHDRAW", command.as_str().as_bytes()]),
        Command::Request {
            id,
            command,
            target,
            params,
        } => {
            let target = match target {
                Target::Any => command.to_string(),
                Target::All => format!("{command}@*"),
                Target::Client(client) => format!("{command}@{client}"),
            };
            put(&[b"REQ", id.as_str().as_bytes(), target.as_bytes(), params]);
        }
        Command::Reply { client, id, text } => put(&[
            b"REP",
            client.as_str().as_bytes(),
            id.as_str().as_bytes(),
            &[b":", &text[..]].concat(),
        ]),
        Command::End { client, id } => {
            put(&[b"END", client.as_str().as_bytes(), id.as_str().as_bytes()]);
        }
        Command::Who => put(&[b"WHO"]),
        Command::Help { about: None } => put(&[b"HELP"]),
        Command::Help { about: Some(about) } => put(&[b"HELP", about.as_str().as_bytes()]),
        Command::Subscribe { topic } => put(&[b"SUB", topic.as_str().as_bytes()]),
        Command::Unsubscribe { topic } => put(&[b"UNSUB", topic.as_str().as_bytes()]),
        Command::Relay { .. } | Command::Resume { .. } | Command::Cursor { .. } => return None,
    }
    Some(line)
}

/// Lines by the shortest description: cut at LF, then look at the length.
fn naive_lines(input: &[u8], max_len: usize, strip_cr: bool) -> Vec<Line> {
    let mut parts: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    if parts.last().is_some_and(|last| last.is_empty()) {
        parts.pop();
    }
    let mut lines = Vec::new();
    for part in parts {
        let line = match part {
            [line @ .., b'\r'] if strip_cr => line,
            line => line,
        };
        lines.push(if line.len() > max_len {
            Line::TooLong
        } else {
            Line::Complete(line.to_vec().into())
        });
    }
    lines
}

fn split_in_chunks(input: &[u8], chunk: usize, mut splitter: LineSplitter) -> Vec<Line> {
    let mut lines = Vec::new();
    for mut chunk in input.chunks(chunk) {
        while let Some(line) = splitter.take_line(&mut chunk) {
            lines.push(line);
        }
        assert!(chunk.is_empty());
    }
    lines.extend(splitter.finish());
    lines
}

proptest! {
    #[test]
    fn no_line_is_too_strange(line in vec(any::<u8>(), 0..200)) {
        central::parse(&line, &Dialect::shipped());
        json::parse(&line);
        let _ = json::parse_event(&line);
    }

    #[test]
    fn no_line_that_looks_like_a_command_is_too_strange(
        verb in "(C|PART|PING|BC|PROVIDE|WITHDRAW|REQ|REP|END|WHO|HELP|SUB|UNSUB)",
        rest in vec(prop_oneof![Just(b' '), Just(b':'), Just(b'@'), any::<u8>()], 0..64),
    ) {
        let line = [verb.as_bytes(), b" ", &rest].concat();
        prop_assert!(central::parse(&line, &Dialect::shipped()).is_some());
    }

    #[test]
    fn a_command_comes_through_the_central_dialect_as_it_was(command in any::command()) {
        if let Some(line) = central_line(&command) {
            let submission = central::parse(&line, &Dialect::shipped()).unwrap();
            prop_assert_eq!(submission.command, Ok(command));
        }
    }

    #[test]
    fn a_command_comes_through_the_json_dialect_as_it_was(
        command in any::command(),
        tag in any::tag(),
    ) {
        let mut line = Vec::new();
        json::render_command(&command, tag.as_ref(), &mut line);
        prop_assert_eq!(line.pop(), Some(b'\n'));
        prop_assert!(!line.contains(&b'\n'));
        let submission = json::parse(&line).unwrap();
        prop_assert_eq!(submission.command, Ok(command));
        prop_assert_eq!(submission.tag, tag);
    }

    #[test]
    fn an_event_comes_through_the_json_dialect_as_it_was(event in any::event()) {
        let mut line = Vec::new();
        json::render(&event, &mut line);
        prop_assert_eq!(line.pop(), Some(b'\n'));
        prop_assert!(!line.contains(&b'\n'));
        prop_assert_eq!(json::parse_event(&line).unwrap(), event);
    }

    #[test]
    fn whatever_an_event_holds_it_is_shown_in_its_number_of_lines(
        event in any::event(),
        encoding in encoding(),
    ) {
        let out = rendered(&event, encoding);
        let line_ends = out.split(|byte| *byte == b'\n').count() - 1;
        prop_assert_eq!(line_ends, lines_of(&event));
        prop_assert!(out.is_empty() || out.ends_with(b"\n"));
    }

    #[test]
    fn whatever_a_nick_holds_it_stays_one_word(
        mut message in any::message(),
        nick in any::word(),
        origin in any::word(),
        encoding in encoding(),
    ) {
        message.nick = Some(nick);
        message.origin = Some(origin);
        message.class = Class::Broadcast;
        message.text = "x".into();
        let out = rendered(&Event::Message(std::sync::Arc::new(message)), encoding);
        let words: Vec<_> = out.split(|byte| *byte == b' ').collect();
        prop_assert_eq!(words.len(), 6, "{:?}", String::from_utf8_lossy(&out));
        prop_assert_eq!(words[5], b":x\n");
    }

    #[test]
    fn chat_without_encodings_arrives_byte_for_byte(text in any::filled_line()) {
        let parsed = central::parse(&[b"C ", &text[..]].concat(), &Dialect::shipped()).unwrap();
        prop_assert_eq!(parsed.command, Ok(Command::Chat { text: text.clone() }));
        let message = cmp_protocol::Message {
            id: cmp_protocol::MessageId::from_bytes([0; 16]),
            hub: "h".parse().unwrap(),
            client: "paul_specbot".parse().unwrap(),
            time_ms: 0,
            class: Class::Chat,
            kind: cmp_protocol::Kind::chat(),
            nick: None,
            origin: None,
            text: text.clone(),
            encoding: None,
        };
        let out = rendered(&Event::Message(std::sync::Arc::new(message)), None);
        prop_assert_eq!(out, [b"C paul_specbot: ", &text[..], b"\n"].concat());
    }

    #[test]
    fn lines_are_the_same_however_the_input_is_cut(
        input in vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
        chunk in 1_usize..50,
        max_len in 0_usize..20,
        strip_cr in any::<bool>(),
    ) {
        let mut splitter = LineSplitter::new(max_len);
        if strip_cr {
            splitter = splitter.strip_cr();
        }
        prop_assert_eq!(
            split_in_chunks(&input, chunk, splitter),
            naive_lines(&input, max_len, strip_cr)
        );
    }
}

#[test]
fn an_envelope_encodes_once_for_each_form() {
    let envelope = cmp_protocol::Envelope::new(Event::Closing {
        reason: "x".to_owned(),
    });
    for form in [
        Form::Json,
        Form::Central(None),
        Form::Central(Some(Encoding::Quake)),
    ] {
        let first = envelope.encoded(form, |_| format!("{form:?}").into());
        let again = envelope.encoded(form, |_| unreachable!("encoded twice"));
        assert_eq!(first, again);
        assert_eq!(first, format!("{form:?}"));
    }
}
