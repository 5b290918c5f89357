//! docs/schema describes the json dialect as it is.

mod common;

use cmp_protocol::json;
use common::{Schema, any, bytes_of, vectors};
use proptest::prelude::*;

#[test]
fn the_command_schema_takes_what_the_hub_takes_and_nothing_else() {
    let schema = Schema::load("command.json");
    for vector in vectors("json_commands.json")["vectors"].as_array().unwrap() {
        let line = bytes_of(vector, "line");
        let beyond_it = vector["schema"] == true;
        let accepted = vector["accepted"].is_string();
        assert_eq!(schema.accepts(&line), accepted || beyond_it, "{vector}");
        if let Some(written) = vector["accepted"].as_str() {
            assert!(schema.accepts(written.as_bytes()), "{written}");
        }
    }
    for vector in vectors("central_commands.json")["vectors"]
        .as_array()
        .unwrap()
    {
        if vector["command"].is_object() {
            assert!(
                schema.accepts(vector["command"].to_string().as_bytes()),
                "{vector}"
            );
        }
    }
}

#[test]
fn the_event_schema_takes_the_events_of_the_vectors_and_nothing_else() {
    let schema = Schema::load("event.json");
    let file = vectors("json_events.json");
    for line in file["lines"].as_array().unwrap() {
        assert!(schema.accepts(line.as_str().unwrap().as_bytes()), "{line}");
    }
    for line in file["no_events"].as_array().unwrap() {
        assert!(!schema.accepts(line.as_str().unwrap().as_bytes()), "{line}");
    }
}

#[test]
fn every_command_and_event_fits_its_schema() {
    let commands = Schema::load("command.json");
    let events = Schema::load("event.json");
    proptest!(|(command in any::command(), event in any::event(), tag in any::tag())| {
        let mut line = Vec::new();
        json::render_command(&command, tag.as_ref(), &mut line);
        prop_assert!(commands.accepts(&line), "{}", String::from_utf8_lossy(&line));
        line.clear();
        json::render(&event, &mut line);
        prop_assert!(events.accepts(&line), "{}", String::from_utf8_lossy(&line));
    });
}
