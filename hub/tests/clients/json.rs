//! The json dialect over ssh, every line of it checked against the published schema.

use std::path::Path;

use serde_json::{Value, json};

use crate::FREE;
use crate::support::{Json, Process, Site};

/// Checks every line that a client has read.
fn assert_valid(client: &Json) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/event.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for line in client
        .process
        .stdout
        .seen()
        .split_inclusive(|byte| *byte == b'\n')
    {
        let event = serde_json::from_slice(line).unwrap();
        assert!(schema.is_valid(&event), "{event}");
    }
}

#[test]
fn json_clients_do_all_that_the_dialect_has() {
    let site = Site::new();
    for client in ["anna", "paul", "old"] {
        site.add_client(client);
    }
    site.configure(&format!("control.enabled = false\n{FREE}"));
    let hub = site.start();
    let mut anna = Json::login(&hub, "anna");
    let mut paul = Json::start(Process::start(hub.ssh("paul").arg("json")));
    let mut old = hub.shell("old");

    // Chat, with bytes that are no UTF-8.
    let (answer, before) = anna.ask_and_see(json!({"cmd": "chat", "text": "hello"}));
    assert_eq!(
        (&answer["event"], &answer["command"]),
        (&json!("ok"), &json!("C"))
    );
    assert_eq!(before.len(), 1, "its own line comes first: {before:?}");
    assert_eq!(before[0]["id"], answer["id"]);
    let event = paul.event();
    assert_eq!(
        (
            &event["event"],
            &event["class"],
            &event["client"],
            &event["text"],
            &event["id"]
        ),
        (
            &json!("message"),
            &json!("chat"),
            &json!("anna"),
            &json!("hello"),
            &answer["id"]
        )
    );
    assert_eq!(old.stdout.text(), "C anna: hello");
    old.send(b"C \xe4\n");
    for client in [&mut anna, &mut paul] {
        let event = client.event();
        assert_eq!(
            (&event["text"], &event["text_bytes"]),
            (&json!("ä"), &json!("5A=="))
        );
    }

    // Broadcasts.
    let sent = paul.broadcast("4on4 mix, two more needed!");
    let event = anna.event();
    assert_eq!(
        (&event["class"], &event["id"]),
        (&json!("broadcast"), &sent["id"])
    );
    assert_eq!(
        (&event["nick"], &event["origin"]),
        (&json!("tester"), &json!("#test"))
    );
    let cursor = anna.ask(json!({"cmd": "cursor", "id": sent["id"]}));
    assert_eq!(cursor["event"], "ok");

    // Network commands.
    anna.ask(json!({"cmd": "sub", "topic": "commands"}));
    anna.ask(json!({"cmd": "sub", "topic": "presence"}));
    paul.ask(json!({"cmd": "provide", "command": "STATUS", "help": "who plays"}));
    assert_eq!(
        anna.event(),
        json!({"event": "provision", "client": "paul", "command": "STATUS", "provided": true})
    );
    anna.ask(json!({"cmd": "req", "id": "7", "command": "STATUS", "params": "dm3"}));
    assert_eq!(
        paul.event(),
        json!({"event": "req", "client": "anna", "id": "7", "command": "STATUS", "params": "dm3"})
    );
    paul.ask(json!({"cmd": "rep", "client": "anna", "id": "7", "text": "nobody"}));
    paul.ask(json!({"cmd": "end", "client": "anna", "id": "7"}));
    let answer = json!({"event": "rep", "provider": "paul", "id": "7", "text": "nobody"});
    assert_eq!(anna.event(), answer);
    assert_eq!(
        anna.event(),
        json!({"event": "end", "provider": "paul", "id": "7"})
    );
    let help = anna.ask(json!({"cmd": "help"}));
    let provided = json!({"command": "STATUS", "provider": "paul", "help": "who plays"});
    assert!(
        help["entries"].as_array().unwrap().contains(&provided),
        "{help}"
    );
    let who = anna.ask(json!({"cmd": "who"}));
    assert_eq!(who["clients"].as_array().unwrap().len(), 3, "{who}");
    let gone = anna.ask(json!({"cmd": "req", "id": "8", "command": "NOTHING"}));
    assert_eq!(
        (&gone["event"], &gone["code"]),
        (&json!("error"), &json!("NOPROVIDER"))
    );

    // What is wrong is refused, and the session goes on.
    for (wrong, code) in [
        (json!({"cmd": "chatt"}), "UNKNOWN"),
        (json!({"cmd": "chat"}), "SYNTAX"),
        (
            json!({"cmd": "bc", "kind": "x", "nick": "n", "origin": "o", "text": "t"}),
            "UNKNOWN",
        ),
        (json!({"cmd": "sub", "topic": "nothing"}), "NOTFOUND"),
    ] {
        assert_eq!(anna.ask(wrong)["code"], *code);
    }
    anna.process.send("no json\n");
    assert_eq!(anna.event()["code"], "SYNTAX");
    let pong = anna.ask(json!({"cmd": "ping", "text": "still here"}));
    assert_eq!(
        (&pong["event"], &pong["text"]),
        (&json!("pong"), &json!("still here"))
    );

    // A client that leaves, and what one is told that comes back.
    paul.ask(json!({"cmd": "withdraw", "command": "STATUS"}));
    assert_eq!(anna.event()["provided"], false);
    paul.send(&json!({"cmd": "part"}));
    assert_eq!(paul.process.stdout.line_or_end(), None);
    assert_eq!(paul.process.wait().code(), Some(0));
    let quit = json!({"event": "quit", "client": "paul", "reason": "ended by the client"});
    assert_eq!(anna.event(), quit);
    let missed = anna.broadcast("for whoever was away");
    let seen_last = sent["id"].clone();
    let mut back = Json::login(&hub, "paul");
    assert_eq!(
        anna.event(),
        json!({"event": "join", "client": "paul", "role": "free"})
    );
    let (resumed, missing) = back.ask_and_see(json!({"cmd": "resume", "since": seen_last}));
    assert_eq!(
        (&resumed["event"], &resumed["count"]),
        (&json!("resumed"), &json!(1))
    );
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0]["id"], missed["id"]);

    // A session that the hub ends.
    hub.stop();
    assert_eq!(
        anna.event_where(|event| event["event"] != "quit")["event"],
        "closing"
    );
    assert_eq!(anna.process.wait().code(), Some(1));
    for client in [&anna, &paul, &back] {
        assert_valid(client);
    }
}
