//! Publishing as fast as possible, and what the hub has kept.

use std::io::Write;
use std::process::ChildStdin;
use std::thread;

use serde_json::{Value, json};

use crate::support::{Hub, Json};

/// A broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: String,
    pub(crate) text: String,
}

/// The broadcasts that a resume brings; chat lines are left out.
pub(crate) fn resume(hub: &Hub, client: &str, mut command: Value) -> Vec<Kept> {
    command["cmd"] = json!("resume");
    let mut session = Json::login(hub, client);
    let (resumed, events) = session.ask_and_see(command);
    assert_eq!(resumed["event"], "resumed", "{resumed}");
    assert_eq!(resumed["count"], events.len());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    events
        .iter()
        .filter(|event| event["class"] == "broadcast")
        .map(|event| Kept {
            id: text(&event["id"]),
            text: text(&event["text"]),
        })
        .collect()
}

/// All broadcasts the hub has kept.
pub(crate) fn all(hub: &Hub, client: &str) -> Vec<Kept> {
    resume(hub, client, json!({ "last": u32::MAX }))
}

/// The text of the broadcast with this number.
pub(crate) fn text(series: &str, number: usize) -> String {
    format!("{series} {number}")
}

/// Sends broadcasts, numbered from 0, as fast as the session takes them, until it takes no more.
/// The number of each is its `ref`.
pub(crate) fn publish(mut input: ChildStdin, series: &str) -> thread::JoinHandle<()> {
    let series = series.to_owned();
    thread::spawn(move || {
        for number in 0.. {
            let line = json!({
                "cmd": "bc", "kind": "qw", "nick": "tester", "origin": "#test",
                "text": text(&series, number), "ref": number.to_string(),
            });
            // An error is the end of the session, which the test has brought about.
            if input.write_all(format!("{line}\n").as_bytes()).is_err() {
                return;
            }
        }
    })
}

/// The acknowledgements that come back from [`publish`]: each of the next number.
pub(crate) struct Acknowledged {
    series: String,
    pub(crate) broadcasts: Vec<Kept>,
}

impl Acknowledged {
    pub(crate) fn new(series: &str) -> Self {
        Self {
            series: series.to_owned(),
            broadcasts: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, event: &Value) {
        let number = self.broadcasts.len();
        assert_eq!(
            (&event["event"], &event["ref"]),
            (&json!("ok"), &json!(number.to_string()))
        );
        let id = event["id"].as_str().unwrap().to_owned();
        self.broadcasts.push(Kept {
            id,
            text: text(&self.series, number),
        });
    }
}
