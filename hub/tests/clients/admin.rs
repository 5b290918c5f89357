//! `ssh HOST admin …`.

use serde_json::{Value, json};

use crate::FREE;
use crate::programs::failure_of;
use crate::support::{Hub, Json, Process, Site};

fn hub_with(clients: &[&str]) -> (Site, Hub) {
    let site = Site::new();
    for client in clients {
        site.add_client(client);
    }
    site.configure(&format!("control.enabled = false\n{FREE}"));
    let hub = site.start();
    (site, hub)
}

/// What an admin is shown as JSON.
fn admin_json(hub: &Hub, command: &str) -> Value {
    serde_json::from_str(&hub.admin("boss", &format!("{command} --json"))).unwrap()
}

/// A line of the log says that `boss` did this.
fn logged(hub: &mut Hub, act: &str) {
    while !hub.process.stderr.text_with("admin=boss").contains(act) {}
}

#[test]
fn sessions_are_listed_and_ended() {
    let (_site, mut hub) = hub_with(&["anna", "paul", "boss"]);
    let mut anna = hub.shell("anna");
    let _paul = hub.shell("paul");
    let _paul_again = Json::login(&hub, "paul");
    anna.send("PING\n");
    assert_eq!(anna.stdout.text(), "PONG");

    let table = hub.admin("boss", "sessions");
    logged(&mut hub, "act=\"sessions\"");
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let rows: Vec<_> = table.lines().map(words).collect();
    assert_eq!(
        rows[0][..5],
        ["SESSION", "CLIENT", "ROLE", "DIALECT", "FROM"]
    );
    assert_eq!(rows.len(), 4, "{table}");
    assert_eq!(rows[1][1..4], ["anna", "free", "central"]);

    let sessions = admin_json(&hub, "sessions");
    let sessions = sessions.as_array().unwrap();
    let anna_s = &sessions[0];
    assert_eq!(
        (&anna_s["client"], &anna_s["role"]),
        (&json!("anna"), &json!("free"))
    );
    assert_eq!(
        (&anna_s["lines_in"], &anna_s["events_out"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        (&anna_s["bytes_in"], &anna_s["dialect"]),
        (&json!(5), &json!("central"))
    );
    assert!(
        anna_s["from"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{anna_s}"
    );
    let json_session = sessions
        .iter()
        .find(|session| session["dialect"] == "json")
        .unwrap();
    assert_eq!(json_session["client"], "paul");

    // One client, and its last line.
    let said = hub.admin("boss", "kick anna too noisy today");
    assert_eq!(said, "ended 1 sessions\n");
    assert_eq!(anna.stdout.rest(), b"ERR * CLOSED :too noisy today\n");
    assert_eq!(anna.wait().code(), Some(1));
    logged(&mut hub, "kicks");
    // One session of several.
    let number = &json_session["session"];
    hub.admin("boss", &format!("kick {number}"));
    logged(&mut hub, "kicks");
    let left = admin_json(&hub, "sessions");
    let left = left.as_array().unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        (&left[0]["client"], &left[0]["dialect"]),
        (&json!("paul"), &json!("central"))
    );

    let (status, said) = failure_of(hub.ssh("boss").arg("admin kick nobody"));
    assert_eq!(status, 1);
    assert_eq!(
        said,
        "admin: client nobody has no session; `admin sessions` lists them\n"
    );
}

#[test]
fn bans_and_mutes_hold_until_they_are_lifted() {
    let (_site, mut hub) = hub_with(&["anna", "boss"]);
    let mut anna = hub.shell("anna");
    let mut says = |line: &str| {
        anna.send(format!("{line}\n"));
        anna.stdout.text()
    };
    assert!(says("BC qw spammer #own3r :hello").starts_with("OK BC "));

    let done = hub.admin("boss", "ban nick spammer --for 2h no advertising");
    let number = done.split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(done, format!("ban {number} holds\n"));
    logged(&mut hub, "bans");
    let refusal = says("BC qw spammer #own3r :buy");
    assert!(refusal.starts_with("ERR BC BANNED :"), "{refusal}");
    assert!(refusal.contains("no advertising"), "{refusal}");
    assert!(says("BC qw other #own3r :hello").starts_with("OK BC "));

    let bans = hub.admin("boss", "bans");
    let shown = bans.lines().last().unwrap();
    assert!(
        shown.contains("spammer") && shown.contains("1h 59m"),
        "{bans}"
    );
    let bans = admin_json(&hub, "bans");
    assert_eq!(
        (
            &bans[0]["against"],
            &bans[0]["value"],
            &bans[0]["by"],
            &bans[0]["reason"]
        ),
        (
            &json!("nick"),
            &json!("spammer"),
            &json!("boss"),
            &json!("no advertising")
        )
    );
    assert_eq!(bans[0]["ban"].to_string(), number);
    let time = |key: &str| bans[0][key].as_u64().unwrap();
    assert_eq!(time("until_ms") - time("since_ms"), 2 * 3_600_000);

    hub.admin("boss", &format!("unban {number}"));
    logged(&mut hub, "lifts a ban");
    assert_eq!(admin_json(&hub, "bans"), json!([]));
    assert!(says("BC qw spammer #own3r :sorry").starts_with("OK BC "));
    let (status, said) = failure_of(hub.ssh("boss").arg(format!("admin unban {number}")));
    assert_eq!(
        (status, said.contains("there is no ban")),
        (1, true),
        "{said}"
    );

    // The other things that can be banned.
    for (target, line) in [
        ("origin #own3r", "BC qw nick #own3r :x"),
        ("client anna", "C hello"),
        (r"text buy\s+now", "C please buy  now"),
    ] {
        let done = hub.admin("boss", &format!("ban {target}"));
        let refusal = says(line);
        assert!(refusal.contains(" BANNED :"), "{target}: {refusal}");
        hub.admin(
            "boss",
            &format!("unban {}", done.split_whitespace().nth(1).unwrap()),
        );
        logged(&mut hub, "bans");
        logged(&mut hub, "lifts a ban");
        assert!(!says(line).contains("BANNED"), "{target}");
    }

    hub.admin("boss", "mute #own3r --for 1h");
    logged(&mut hub, "muted #own3r for 3600 s");
    let refusal = says("BC qw nick #own3r :anyone?");
    assert!(refusal.starts_with("ERR BC MUTED :"), "{refusal}");
    assert!(says("BC qw nick #kenya :anyone?").starts_with("OK BC "));
    let mutes = admin_json(&hub, "mutes");
    assert_eq!(mutes[0]["origin"], "#own3r");
    assert!(hub.admin("boss", "mutes").contains("#own3r"));
    hub.admin("boss", "unmute #own3r");
    logged(&mut hub, "unmuted #own3r");
    assert!(says("BC qw nick #own3r :anyone?").starts_with("OK BC "));
}

#[test]
fn an_admin_speaks_to_everyone_counts_and_sets_what_is_logged() {
    let (_site, mut hub) = hub_with(&["anna", "boss"]);
    let mut anna = hub.shell("anna");
    assert_eq!(
        hub.admin("boss", "say maintenance  at noon"),
        "said to 1 clients\n"
    );
    assert_eq!(anna.stdout.text(), "C boss: maintenance at noon");
    logged(&mut hub, "says a line to everyone");
    anna.send("C hello\nBC qw nick #own3r :text\nNONSENSE\n");
    for _ in 0..3 {
        anna.stdout.text();
    }

    let stats = admin_json(&hub, "stats");
    for (counter, value) in [
        ("sessions", json!(1)),
        ("clients", json!(1)),
        ("chat", json!(2)),
        ("broadcasts", json!(1)),
        ("refused", json!(1)),
        ("store_healthy", json!(true)),
    ] {
        assert_eq!(stats[counter], value, "{counter} in {stats}");
    }
    let table = hub.admin("boss", "stats");
    assert!(
        table.starts_with("COUNTER") && table.contains("broadcasts"),
        "{table}"
    );

    assert_eq!(
        hub.admin("boss", "log-level debug"),
        "log filter is debug\n"
    );
    logged(&mut hub, "sets the log filter");
    hub.shell("anna");
    hub.process.stderr.text_with("session opened");
    let (status, said) = failure_of(hub.ssh("boss").arg("admin log-level nonsense=5x"));
    assert_eq!(status, 1);
    assert!(said.contains("is not valid"), "{said}");
}

#[test]
fn only_admins_may_and_mistakes_are_explained() {
    let (_site, hub) = hub_with(&["anna", "boss"]);
    for command in ["admin sessions", "admin kick boss", "admin"] {
        let (status, said) = failure_of(hub.ssh("anna").arg(command));
        assert_eq!(status, 1);
        assert_eq!(said, "admin: your role may not run admin commands\n");
    }
    let (status, said) = failure_of(hub.ssh("boss").arg("admin sesions"));
    assert_eq!(status, 2);
    assert!(said.contains("'sessions'"), "a hint: {said}");
    assert!(hub.admin("boss", "--help").contains("log-level"));
    // With a terminal, what is shown has its line ends.
    let mut terminal = Process::start(hub.ssh("boss").args(["-tt", "admin bans"]));
    assert_eq!(
        terminal.stdout.line(),
        b"BAN  AGAINST  VALUE  LEFT  BY  REASON\r"
    );
    assert_eq!(terminal.wait().code(), Some(0));
}
