//! A client of the json dialect, over ssh.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Hub, Process};

/// A json client, logged in by the subsystem `cmp`.
pub(crate) struct Json {
    pub(crate) process: Process,
    newest_ref: u64,
}

impl Json {
    /// Logs in, and reads the greeting.
    pub(crate) fn login(hub: &Hub, client: &str) -> Self {
        Self::start(Process::start(hub.ssh(client).args(["-s", "cmp"])))
    }

    /// A client on a process that is a json session; reads the greeting.
    pub(crate) fn start(process: Process) -> Self {
        let mut json = Self {
            process,
            newest_ref: 0,
        };
        let greeting = json.event();
        assert_eq!(greeting["event"], "greeting", "{greeting}");
        json
    }

    /// Sends a command as it is.
    pub(crate) fn send(&mut self, command: &Value) {
        self.process.send(format!("{command}\n"));
    }

    /// The next event.
    pub(crate) fn event(&mut self) -> Value {
        let line = self.process.stdout.line();
        serde_json::from_slice(&line).unwrap()
    }

    /// The next event for which this holds; others are passed over.
    pub(crate) fn event_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.event();
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Sends a command with a `ref`, and returns what answers it; other events are passed over.
    pub(crate) fn ask(&mut self, command: Value) -> Value {
        let (answer, _) = self.ask_and_see(command);
        answer
    }

    /// As [`ask`](Self::ask), with the events that came before the answer.
    pub(crate) fn ask_and_see(&mut self, mut command: Value) -> (Value, Vec<Value>) {
        self.newest_ref += 1;
        let reference = format!("ask {}", self.newest_ref);
        command["ref"] = json!(reference);
        self.send(&command);
        let mut before = Vec::new();
        loop {
            let event = self.event();
            if event["ref"] == *reference {
                return (event, before);
            }
            before.push(event);
        }
    }

    /// What the answer to a broadcast of `text` is.
    pub(crate) fn broadcast(&mut self, text: &str) -> Value {
        self.ask(json!({
            "cmd": "bc", "kind": "qw", "nick": "tester", "origin": "#test", "text": text
        }))
    }

    /// Stops the client's process: it does not read any more.
    pub(crate) fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }
}
