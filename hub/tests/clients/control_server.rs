//! The control server inside the hub, asked over ssh.

use std::collections::BTreeSet;

use crate::FREE;
use crate::support::{Process, Site};

const PROVIDED: [&str; 4] = ["HOSTS", "LAST", "RESOLVE", "RULES"];

/// Waits until the control server provides all it has.
fn control_is_ready(client: &mut Process) {
    // Followed first, so that none is missed that comes after the answer to WHO.
    client.send("SUB commands\nWHO\n");
    let mut provided = BTreeSet::new();
    let mut listed = false;
    while !(listed && PROVIDED.iter().all(|command| provided.contains(*command))) {
        let line = client.stdout.text();
        if let Some(command) = line.strip_prefix("PROVIDE control ") {
            provided.insert(command.to_owned());
        } else if line.starts_with("WHO control ") {
            let commands = line.split_once(" :").unwrap().1;
            provided.extend(commands.split(' ').map(str::to_owned));
        } else if line == "END WHO" {
            listed = true;
        }
    }
    client.send("UNSUB commands\n");
}

/// What `REQ <params>` is answered with, up to its end.
fn ask(client: &mut Process, id: u32, params: &str) -> Vec<String> {
    client.send(format!("REQ {id} {params}\n"));
    let mut answers = Vec::new();
    loop {
        let line = client.stdout.text();
        if line == format!("END control {id}") {
            return answers;
        }
        let answer = line.strip_prefix(&format!("REP control {id} :"));
        answers.push(answer.expect(&line).to_owned());
    }
}

#[test]
fn it_answers_what_it_provides() {
    let site = Site::new();
    site.add_client("anna");
    site.add_client("paul");
    let control = r#"
control.rules = ["Be kind.", "Write English."]
control.hosts = { "198.51.100.7:27500" = "foppa", "198.51.100.0/24" = "ourhost" }
control.reverse_dns = false
"#;
    site.configure(&format!("{control}{FREE}"));
    let hub = site.start();
    let mut anna = hub.shell("anna");
    control_is_ready(&mut anna);

    let resolved = ask(&mut anna, 1, "RESOLVE 127.0.0.1");
    assert_eq!(resolved, ["loopback -- loopback (RFC 1122)"]);
    let resolved = ask(&mut anna, 2, "RESOLVE 198.51.100.7:27500");
    assert_eq!(resolved, ["foppa -- documentation (RFC 5737)"]);
    assert_eq!(ask(&mut anna, 3, "RULES"), ["Be kind.", "Write English."]);
    let hosts = ["198.51.100.7:27500 foppa", "198.51.100.0/24 ourhost"];
    assert_eq!(ask(&mut anna, 4, "HOSTS"), hosts);

    assert!(ask(&mut anna, 5, "LAST").is_empty());
    for text in ["first", "second"] {
        anna.send(format!("BC qw nick #own3r :{text}\n"));
        assert!(anna.stdout.text().starts_with("OK BC "));
    }
    let last = ask(&mut anna, 6, "LAST 1");
    assert_eq!(last.len(), 1);
    assert!(last[0].ends_with(" qw nick #own3r :second"), "{last:?}");
    assert!(ask(&mut anna, 7, "LAST spam").is_empty());

    anna.send("HELP\n");
    let help = String::from_utf8(anna.stdout.until("END HELP\n")).unwrap();
    for command in PROVIDED {
        let shown = format!("HELP {command}@control :{command}");
        assert_eq!(help.matches(&shown).count(), 1, "{help}");
    }
    assert!(
        help.starts_with("HELP C :C <text> - say something to everybody\n"),
        "{help}"
    );
    anna.send("WHO\n");
    let who = String::from_utf8(anna.stdout.until("END WHO\n")).unwrap();
    let expected = "WHO anna free 1 :\nWHO control free 1 :HOSTS LAST RESOLVE RULES\nEND WHO\n";
    assert_eq!(who, expected);

    // It is a client like any other, and its history is the hub's: it is there again.
    hub.stop();
    let hub = site.start();
    let mut paul = hub.shell("paul");
    control_is_ready(&mut paul);
    assert_eq!(ask(&mut paul, 1, "LAST").len(), 2);
}

#[test]
fn it_can_be_switched_off() {
    let site = Site::new();
    site.add_client("anna");
    site.configure(&format!("control.enabled = false\n{FREE}"));
    let hub = site.start();
    let mut anna = hub.shell("anna");
    anna.send("REQ 1 RESOLVE 127.0.0.1\nWHO\n");
    assert_eq!(
        anna.stdout.text(),
        "ERR 1 NOPROVIDER :nobody provides RESOLVE"
    );
    assert_eq!(anna.stdout.text(), "WHO anna free 1 :");
    assert_eq!(anna.stdout.text(), "END WHO");
}
