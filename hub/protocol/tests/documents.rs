//! docs/protocol.md tells of everything there is.

#![allow(clippy::unwrap_used)]

mod common;

use cmp_protocol::{Dialect, Encoding, ErrorCode, Event};
use common::{document, vectors};

/// What stands between backquotes, and in blocks of code.
fn code(markdown: &str) -> Vec<&str> {
    markdown.split('`').skip(1).step_by(2).collect()
}

fn assert_told(what: &str, told: impl Fn(&str) -> bool) {
    assert!(told(what), "docs/protocol.md does not tell of {what}");
}

#[test]
fn every_error_code_topic_and_encoding_is_told() {
    let text = document("protocol.md");
    for error in ErrorCode::ALL {
        let row = format!("\n| `{}` | ", error.as_str());
        assert_told(error.as_str(), |_| text.contains(&row));
    }
    for topic in Event::topics() {
        assert_told(topic.as_str(), |topic| text.contains(&format!("`{topic}`")));
    }
    for encoding in Encoding::ALL {
        assert_told(encoding.name(), |name| text.contains(&format!("`{name}`")));
    }
}

#[test]
fn every_command_and_event_of_the_json_dialect_is_told() {
    let text = document("protocol.md");
    for (schema, field) in [("command.json", "cmd"), ("event.json", "event")] {
        let schema: serde_json::Value =
            serde_json::from_str(&document(&format!("schema/{schema}"))).unwrap();
        for kind in schema["oneOf"].as_array().unwrap() {
            let name = kind["properties"][field]["const"].as_str().unwrap();
            let begin = format!("`{{\"{field}\":\"{name}\"");
            assert_told(name, |_| text.contains(&begin));
            for property in kind["properties"].as_object().unwrap().keys() {
                let plain = property.trim_end_matches("_bytes");
                assert_told(plain, |field| text.contains(&format!("\"{field}\"")));
            }
        }
    }
}

#[test]
fn every_line_of_the_central_dialect_is_told() {
    let text = document("protocol.md");
    let code = code(&text);
    let verbs_sent = |file: &str, key: &str| -> Vec<String> {
        let vectors = vectors(file);
        let lines = vectors["vectors"].as_array().unwrap().iter();
        lines
            .filter(|vector| !vector["refused"].is_object())
            .flat_map(|vector| match &vector[key] {
                serde_json::Value::Array(lines) => lines.clone(),
                line => vec![line.clone()],
            })
            .filter_map(|line| Some(line.as_str()?.split_whitespace().next()?.to_uppercase()))
            .collect()
    };
    let mut verbs = verbs_sent("central_commands.json", "line");
    verbs.extend(verbs_sent("central_events.json", "lines"));
    assert!(verbs.len() > 40);
    for verb in verbs {
        assert_told(&verb, |verb| {
            code.iter().any(|c| c.split(' ').next() == Some(verb))
        });
    }
}

#[test]
fn every_section_of_the_dialect_file_is_told() {
    let text = document("protocol.md");
    let sections = Dialect::SHIPPED
        .lines()
        .map(|line| line.trim_start_matches("# "))
        .filter(|line| line.starts_with('[') && line.ends_with(']'));
    let mut count = 0;
    for section in sections {
        let name = section.split('.').next().unwrap();
        assert_told(section, |_| text.contains(&format!("`{name}")));
        count += 1;
    }
    assert!(count > 15, "the sections were not found");
}
