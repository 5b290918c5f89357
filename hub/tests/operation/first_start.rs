//! The first start with nothing configured, and the second one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::namespace::{Own, join, unshare};
use crate::support::{HUB, Hub, Json, Process};

/// In a network of its own the default port is free.
const LOOPBACK: &str = r#"ip link set lo up; exec "$@""#;

#[test]
fn with_nothing_configured_it_prints_a_command_that_logs_in() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, first) = start(folder.path());
    for private in [
        "ssh_host_ed25519_key",
        "ssh_host_ecdsa_key",
        "ssh_host_rsa_key",
    ] {
        assert_eq!(
            mode(&folder.path().join("keys").join(private)),
            0o600,
            "{private}"
        );
    }
    for private in [
        "keys/first_client_key",
        "keys/authorized_keys",
        "data/cmp-hub.db",
    ] {
        assert_eq!(mode(&folder.path().join(private)), 0o600, "{private}");
    }
    assert_eq!(mode(&folder.path().join("keys")), 0o700);
    assert_eq!(first.host_keys.len(), 3);

    let mut one = terminal(&hub, &first.login);
    let mut other = terminal(&hub, &first.login);
    for terminal in [&mut one, &mut other] {
        terminal.stdout.until("WELCOME admin admin ");
        terminal.stdout.until("\r\n");
    }
    one.send("C hello from one\r");
    assert_eq!(one.stdout.text(), "C hello from one\r", "the echo");
    assert_eq!(one.stdout.text(), "C admin: hello from one\r");
    assert_eq!(other.stdout.text(), "C admin: hello from one\r");
    for mut terminal in [one, other] {
        terminal.send("PART\r");
        assert_eq!(terminal.stdout.text(), "PART\r");
        assert_eq!(terminal.wait().code(), Some(0));
    }
    let key = fs::read(folder.path().join("keys/first_client_key")).unwrap();
    hub.stop();

    let (hub, second) = start(folder.path());
    assert_eq!(second, first);
    assert_eq!(
        fs::read(folder.path().join("keys/first_client_key")).unwrap(),
        key
    );
    let mut json = Json::start(run(&hub, &format!("{} json", second.login)));
    let (resumed, messages) = json.ask_and_see(json!({ "cmd": "resume", "last": 10 }));
    assert_eq!(resumed["count"], 1, "{resumed}");
    assert_eq!(messages[0]["text"], "hello from one");
    drop(json);
    hub.stop();
}

/// What the hub prints when it has started.
#[derive(Debug, PartialEq)]
struct Printed {
    host_keys: Vec<String>,
    login: String,
}

/// Starts the hub without arguments in this folder.
fn start(folder: &Path) -> (Hub, Printed) {
    let mut command = Command::new(HUB);
    command.current_dir(folder);
    let mut hub = Hub::start(folder, &mut unshare(Own::Network, LOOPBACK, &command));
    assert_eq!(hub.address.to_string(), "127.0.0.1:2222");
    let out = &mut hub.process.stdout;
    let mut host_keys = Vec::new();
    let explained = loop {
        let line = out.text();
        match line.strip_prefix("host key ") {
            Some(key) => host_keys.push(key.to_owned()),
            None => break line,
        }
    };
    assert_eq!(
        explained,
        "log in, from as many terminals as you like, with:"
    );
    let login = out.text();
    assert!(login.starts_with("ssh "), "{login}");
    (hub, Printed { host_keys, login })
}

/// Runs a command line in the hub's network, in another folder.
fn run(hub: &Hub, line: &str) -> Process {
    let mut command = join(Own::Network, hub.process.id());
    Process::start(command.args(["sh", "-c", line]).current_dir("/"))
}

/// Runs a command line on a terminal of its own.
fn terminal(hub: &Hub, line: &str) -> Process {
    let mut command = join(Own::Network, hub.process.id());
    command.args([
        "script",
        "--quiet",
        "--flush",
        "--return",
        "--command",
        line,
        "/dev/null",
    ]);
    Process::start(command.current_dir("/"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
