//! What changes while the hub runs: keys and configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::FREE;
use crate::programs::failure_of;
use crate::support::{Hub, Process, Site};

/// How soon the sessions of a removed key end.
const PROMISED: Duration = Duration::from_secs(1);

fn hub_with(clients: &[&str], settings: &str) -> (Site, Hub) {
    let site = Site::new();
    for client in clients {
        site.add_client(client);
    }
    site.configure(settings);
    let hub = site.start();
    (site, hub)
}

fn works(session: &mut Process) {
    session.send("PING\n");
    assert_eq!(session.stdout.text(), "PONG");
}

#[test]
fn a_removed_key_ends_its_sessions_within_a_second_and_only_those() {
    let (site, hub) = hub_with(&["anna", "paul"], FREE);
    let mut paul = hub.shell("paul");
    let all = fs::read_to_string(site.authorized_keys()).unwrap();
    let without_anna: String = all
        .lines()
        .filter(|line| !line.contains("=anna\""))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(without_anna, all);

    // A machine that is busy with other things can be late once, but not every time.
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        // Until the file is seen to have changed, the key that is back is not.
        let mut anna = loop {
            let mut ssh = Process::start(&mut hub.ssh("anna"));
            if ssh.stdout.line_or_end().is_some() {
                break ssh;
            }
        };
        let mut other = hub.ssh("anna");
        let mut terminal = Process::start(other.arg("-tt"));
        terminal.stdout.text();

        let removed = Instant::now();
        site.replace(&site.authorized_keys(), &without_anna);
        let reason = "ERR * CLOSED :the key of anna is no longer authorized";
        assert_eq!(anna.stdout.text(), reason);
        assert_eq!(terminal.stdout.text(), format!("{reason}\r"));
        fastest = fastest.min(removed.elapsed());
        assert_eq!(
            (anna.wait().code(), terminal.wait().code()),
            (Some(1), Some(1))
        );
        let (status, said) = failure_of(&mut hub.ssh("anna"));
        assert_eq!(status, 255, "{said}");

        works(&mut paul);
        if fastest < PROMISED {
            break;
        }
        site.replace(&site.authorized_keys(), &all);
    }
    println!("the sessions of a removed key ended after {fastest:?}");
    assert!(fastest < PROMISED, "{fastest:?}");
}

#[test]
fn a_new_key_logs_in_at_once() {
    let (site, mut hub) = hub_with(&["boss"], FREE);
    // Noticed by itself.
    site.add_client("anna");
    let line = hub.process.stderr.text_with("reloaded: ");
    assert!(line.contains("2 keys may log in"), "{line}");
    works(&mut hub.shell("anna"));
    // Asked for: it holds when the answer is there.
    site.add_client("paul");
    let done = hub.admin("boss", "reload");
    assert_eq!(done, "configuration read; 3 keys may log in\n");
    hub.process.stderr.text_with("admin=boss");
    works(&mut hub.shell("paul"));
}

/// The role of `anna`, and more settings.
fn settings(role: &str, more: &str) -> String {
    format!(
        "{FREE}\n[roles.quiet]\ncommands = [\"WHO\"]\n[clients.anna]\nrole = \"{role}\"\n{more}"
    )
}

#[test]
fn a_changed_configuration_holds_for_open_sessions_too_and_a_wrong_one_changes_nothing() {
    let (site, mut hub) = hub_with(&["anna", "boss"], &settings("quiet", ""));
    let mut anna = hub.shell("anna");
    let forbidden = "ERR C FORBIDDEN :role quiet may not use C; HELP lists what it may";
    anna.send("C hello\n");
    assert_eq!(anna.stdout.text(), forbidden);

    // Refused whole: what is right in it does not hold either.
    site.configure(&settings(
        "free",
        "max_sesions = 3\n[limits]\nsessions = 0\n",
    ));
    let config = site.config();
    let lines = fs::read_to_string(&config).unwrap();
    let line_of = |text: &str| lines.lines().position(|line| line == text).unwrap() + 1;
    let problems = [
        format!(
            "{}:{}: key `clients.anna.max_sesions` is not known; did you mean `max_sessions`?",
            config.display(),
            line_of("max_sesions = 3")
        ),
        format!(
            "{}:{}: `limits.sessions`: ",
            config.display(),
            line_of("sessions = 0")
        ),
    ];
    // Seen by itself,
    hub.process
        .stderr
        .text_with("not reloaded, all stays as it was: ");
    // when asked,
    let (status, said) = failure_of(hub.ssh("boss").arg("admin reload"));
    assert_eq!(status, 1);
    assert!(said.starts_with("admin: all stays as it was: "), "{said}");
    for problem in &problems {
        assert!(said.contains(problem), "{problem}\nis not in\n{said}");
    }
    // and on SIGHUP.
    hub.process.signal(Signal::HUP);
    hub.process
        .stderr
        .text_with("not reloaded, all stays as it was: ");
    hub.process.stderr.text_with("what=\"everything\"");
    anna.send("C hello\n");
    assert_eq!(anna.stdout.text(), forbidden);
    works(&mut hub.shell("anna"));

    site.configure(&settings("free", ""));
    hub.admin("boss", "reload");
    anna.send("C hello\n");
    assert_eq!(anna.stdout.text(), "C anna: hello");
    let greeting = Process::start(&mut hub.ssh("anna")).stdout.text();
    assert!(greeting.starts_with("WELCOME anna free "), "{greeting}");
}

#[test]
fn a_good_configuration_is_not_taken_over_while_the_keys_are_wrong() {
    let (site, mut hub) = hub_with(&["anna", "boss"], &settings("quiet", ""));
    let mut anna = hub.shell("anna");
    let mode = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(site.authorized_keys(), mode).unwrap();
    };
    mode(0o666);
    site.configure(&settings("free", ""));
    hub.process.stderr.text_with("what=\"everything\"");
    let (status, said) = failure_of(hub.ssh("boss").arg("admin reload"));
    assert_eq!(status, 1);
    assert!(said.starts_with("admin: all stays as it was: "), "{said}");
    anna.send("C hello\n");
    let forbidden = "ERR C FORBIDDEN :role quiet may not use C; HELP lists what it may";
    assert_eq!(anna.stdout.text(), forbidden);
    mode(0o600);
    hub.admin("boss", "reload");
    anna.send("C hello\n");
    assert_eq!(anna.stdout.text(), "C anna: hello");
}

#[test]
fn sighup_reads_everything_again() {
    let site = Site::new();
    site.add_client("anna");
    let dialect = site.path("central.toml");
    // Nobody looks whether this file has changed.
    fs::write(&dialect, "[replies]\npong = \"PONG\"\n").unwrap();
    site.configure(&format!("dialect.file = \"central.toml\"\n{FREE}"));
    let mut hub = site.start();
    let mut anna = hub.shell("anna");
    works(&mut anna);
    fs::write(&dialect, "[replies]\npong = \"PONG of another kind\"\n").unwrap();
    hub.process.signal(Signal::HUP);
    let line = hub.process.stderr.text_with("reloaded: ");
    assert!(line.contains("what=\"everything\""), "{line}");
    anna.send("PING\n");
    assert_eq!(anna.stdout.text(), "PONG of another kind");
}
