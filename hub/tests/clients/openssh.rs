//! The session shapes of OpenSSH's client.

use crate::FREE;
use crate::programs::failure_of;
use crate::support::{Hub, Process, Site, new_key};

const CTRL_C: &[u8] = b"\x03";
const CTRL_D: &[u8] = b"\x04";
const DEL: &str = "\x7f";

fn hub_with(clients: &[&str]) -> (Site, Hub) {
    let site = Site::new();
    for client in clients {
        site.add_client(client);
    }
    site.configure(FREE);
    let hub = site.start();
    (site, hub)
}

/// A session with a terminal, its greeting read.
fn terminal(hub: &Hub, client: &str) -> Process {
    let mut ssh = Process::start(hub.ssh(client).arg("-tt"));
    let greeting = ssh.stdout.text();
    assert!(
        greeting.starts_with("WELCOME ") && greeting.ends_with('\r'),
        "{greeting:?}"
    );
    ssh
}

#[test]
fn a_terminal_echoes_edits_and_ends_by_ctrl_d() {
    let (_site, hub) = hub_with(&["anna"]);
    let mut anna = terminal(&hub, "anna");
    anna.send(format!("PI{DEL}ING\n"));
    assert_eq!(anna.stdout.line(), b"PI\x08 \x08ING\r");
    assert_eq!(anna.stdout.line(), b"PONG\r");
    anna.send("C hello\n");
    assert_eq!(anna.stdout.line(), b"C hello\r");
    assert_eq!(anna.stdout.line(), b"C anna: hello\r");
    anna.send(CTRL_D);
    assert_eq!(anna.wait().code(), Some(0), "{:?}", anna.stderr);
    assert_eq!(anna.stdout.rest(), b"");
}

#[test]
fn ctrl_c_in_a_terminal_kills_the_session_as_it_would_a_forced_command() {
    let (_site, hub) = hub_with(&["anna", "paul"]);
    let mut paul = hub.shell("paul");
    paul.send("SUB presence\nPING\n");
    paul.stdout.text_with("PONG");
    let mut anna = terminal(&hub, "anna");
    assert_eq!(paul.stdout.text(), "JOIN anna free");
    anna.send(CTRL_C);
    assert_eq!(paul.stdout.text(), "QUIT anna :killed by signal INT");
    // What ssh gives for a command that was killed by a signal.
    assert_eq!(anna.wait().code(), Some(255));
    assert_eq!(anna.stdout.rest(), b"^C");
}

#[test]
fn a_command_of_any_name_and_variables_of_the_environment_change_nothing() {
    let (_site, hub) = hub_with(&["anna"]);
    let mut command = hub.ssh("anna");
    let variables = ["-o", "SetEnv=LANG=C.UTF-8 CMP_CLIENT=boss"];
    let mut anna = Process::start(command.args(variables).args(["ruby", "client.rb", "boss"]));
    assert!(anna.stdout.text().starts_with("WELCOME anna free hub :"));
    anna.send("C hello\n");
    assert_eq!(anna.stdout.text(), "C anna: hello");
}

#[test]
fn at_the_end_of_a_file_everything_is_answered_and_the_status_is_0() {
    let (site, hub) = hub_with(&["anna"]);
    let lines: String = (0..2000).map(|n| format!("C line {n}\n")).collect();
    let file = site.path("lines");
    // The last line has no end.
    std::fs::write(&file, format!("{lines}PING last")).unwrap();
    let mut script = std::process::Command::new("sh");
    script
        .args(["-c", "file=$1; shift; exec \"$@\" < \"$file\"", "sh"])
        .arg(&file);
    let ssh = hub.ssh("anna");
    let mut anna = Process::start(script.arg(ssh.get_program()).args(ssh.get_args()));
    assert!(anna.stdout.text().starts_with("WELCOME anna "));
    for n in 0..2000 {
        assert_eq!(anna.stdout.text(), format!("C anna: line {n}"));
    }
    assert_eq!(anna.stdout.rest(), b"PONG last\n");
    assert_eq!(anna.wait().code(), Some(0), "{:?}", anna.stderr);
}

#[test]
fn five_sessions_share_one_connection() {
    let (site, mut hub) = hub_with(&["anna"]);
    let socket = format!("ControlPath={}", site.path("control").display());
    let open = |hub: &Hub, master: &str| {
        let mut ssh = hub.ssh("anna");
        let ssh = ssh.args(["-o", &socket, "-o", &format!("ControlMaster={master}")]);
        let mut session = Process::start(ssh);
        assert!(session.stdout.text().starts_with("WELCOME anna "));
        session
    };
    // The first one's socket is there before its session.
    let mut sessions = vec![open(&hub, "yes")];
    sessions.extend((0..4).map(|_| open(&hub, "no")));

    sessions[3].send("WHO\n");
    let who: Vec<_> = sessions[3].stdout.until("END WHO\n");
    assert!(
        String::from_utf8(who)
            .unwrap()
            .contains("WHO anna free 5 :\n")
    );
    sessions[4].send("C to all\n");
    for session in &mut sessions {
        assert_eq!(session.stdout.text(), "C anna: to all");
    }
    // One leaves, and the others stay.
    sessions[2].send("PART\n");
    assert_eq!(sessions[2].wait().code(), Some(0));
    for session in [0, 1, 3, 4] {
        sessions[session].send("PING\n");
        assert_eq!(sessions[session].stdout.text(), "PONG");
    }
    for session in [4, 3, 1, 0] {
        sessions[session].close_input();
        let status = sessions[session].wait();
        assert_eq!(
            status.code(),
            Some(0),
            "session {session}: {:?}",
            sessions[session].stderr
        );
    }

    let logout = hub.process.stderr.text_with(" logout ");
    assert!(logout.contains("sessions=5"), "{logout}");
    let log = String::from_utf8_lossy(hub.process.stderr.seen());
    assert_eq!(log.matches(" login ").count(), 1, "{log}");
}

#[test]
fn sftp_is_refused() {
    let site = Site::new();
    site.add_client("anna");
    let public = new_key(&site.path("clients/paul"), &["-t", "ed25519"]);
    site.authorize(&format!("command=\"ruby client.rb paul\" {public}"));
    let hub = site.start();
    for client in ["anna", "paul"] {
        let mut sftp = std::process::Command::new("sftp");
        for argument in hub.ssh(client).get_args() {
            sftp.arg(if argument == "-p" {
                "-P".as_ref()
            } else {
                argument
            });
        }
        let (status, said) = failure_of(&mut sftp);
        assert_eq!(status, 255, "{said}");
        assert!(
            said.contains("subsystem request failed on channel 0"),
            "{client}: {said}"
        );
    }
}
