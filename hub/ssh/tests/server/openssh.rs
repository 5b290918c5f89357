//! The real OpenSSH client (Debian package openssh-client).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::support::{TestServer, line, new_key, soon};

/// A folder with a client's key, and the server it is for.
struct OpenSsh {
    server: TestServer,
    folder: TempDir,
}

/// What a finished program said.
struct Said {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl OpenSsh {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let this = Self { server, folder };
        let key = new_key(Algorithm::Ed25519);
        this.write_key("key", &key);
        this.server.add(&line("", "paul", &key));
        this
    }

    fn write_key(&self, name: &str, key: &PrivateKey) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program of OpenSSH with what it needs to get here, and nothing of this machine. Of an option
    /// that is given twice, the first one holds.
    fn program(&self, name: &str, options: &[&str]) -> Command {
        let mut command = Command::new(name);
        command.args(options);
        command.args([
            "-F",
            "none",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "BatchMode=yes",
        ]);
        command.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]);
        command.args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]);
        command
            .arg("-o")
            .arg(format!("Port={}", self.server.address.port()));
        command.env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.kill_on_drop(true);
        command
    }

    fn ssh(&self, options: &[&str], command: &[&str]) -> Command {
        let mut ssh = self.program("ssh", options);
        ssh.arg("-i")
            .arg(self.path("key"))
            .arg("any@127.0.0.1")
            .args(command);
        ssh
    }

    /// Runs to the end with this input.
    async fn run(&self, mut command: Command, input: &str) -> Said {
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // It may end before it has read all.
        let feed = tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
        let output = soon("the end of the program", child.wait_with_output())
            .await
            .unwrap();
        feed.abort();
        Said {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// What a running program says.
struct Talk {
    child: Child,
    text: String,
}

impl Talk {
    fn start(mut command: Command) -> Self {
        let child = command.spawn().unwrap();
        let text = String::new();
        Self { child, text }
    }

    async fn send(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).await.unwrap();
        stdin.flush().await.unwrap();
    }

    async fn until(&mut self, text: &str) {
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut buffer = [0; 4096];
        while !self.text.contains(text) {
            let read = soon("output", stdout.read(&mut buffer)).await.unwrap();
            assert!(read > 0, "{text:?} does not come after {:?}", self.text);
            self.text
                .push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        let at = self.text.find(text).unwrap() + text.len();
        self.text.drain(..at);
    }
}

#[tokio::test]
async fn lines_from_a_file_are_done_and_the_status_is_0() {
    let ssh = OpenSsh::new().await;
    for command in [&[][..], &["ruby", "client.rb", "paul"]] {
        let said = ssh.run(ssh.ssh(&[], command), "C one\r\nPING two").await;
        assert!(
            said.stdout.ends_with("C paul: one\nPONG two\n"),
            "{:?}",
            said.stdout
        );
        assert_eq!((said.status.code(), &*said.stderr), (Some(0), ""));
    }
    let said = ssh.run(ssh.ssh(&[], &[]), "PART\nC never\n").await;
    assert!(!said.stdout.contains("never"));
    assert_eq!(said.status.code(), Some(0));
    let said = ssh
        .run(ssh.ssh(&["-s"], &["cmp"]), "{\"cmd\":\"ping\"}\n")
        .await;
    assert!(said.stdout.contains("\"pong\""), "{:?}", said.stdout);
    assert_eq!(said.status.code(), Some(0));
}

#[tokio::test]
async fn a_kicked_client_sees_why_and_the_status_is_1() {
    let ssh = OpenSsh::new().await;
    let mut talk = Talk::start(ssh.ssh(&[], &[]));
    talk.send("PING x\n").await;
    talk.until("PONG x\n").await;
    ssh.server.kick("paul", "go away").await;
    talk.until("go away\n").await;
    let status = soon("the end", talk.child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(1));
}

#[tokio::test]
async fn with_a_terminal_typing_is_echoed_and_control_c_kills() {
    let ssh = OpenSsh::new().await;
    let mut talk = Talk::start(ssh.ssh(&["-tt"], &[]));
    talk.send("PI\x7fING x\r").await;
    talk.until("PI\x08 \x08ING x\r\n").await;
    talk.until("PONG x\r\n").await;
    talk.send("half a line\x03").await;
    talk.until("half a line^C").await;
    let status = soon("the end", talk.child.wait()).await.unwrap();
    // What ssh gives for any signal.
    assert_eq!(status.code(), Some(255));
}

#[tokio::test]
async fn one_connection_carries_several_sessions() {
    let ssh = OpenSsh::new().await;
    let control = format!("ControlPath={}", ssh.path("control").display());
    let mut master = Talk::start(ssh.ssh(&["-o", "ControlMaster=yes", "-o", &control], &[]));
    master.send("PING master\n").await;
    master.until("PONG master\n").await;
    let mut others = Vec::new();
    for _ in 0..3 {
        let mut other = Talk::start(ssh.ssh(&["-o", &control], &[]));
        other.send("PING other\n").await;
        other.until("PONG other\n").await;
        others.push(other);
    }
    master.send("C to all\n").await;
    for talk in others.iter_mut().chain([&mut master]) {
        talk.until("C paul: to all\n").await;
    }
    assert_eq!(ssh.server.limits.connections(), 1);
    let said = ssh.run(ssh.ssh(&["-o", &control], &[]), "PART\n").await;
    assert_eq!(said.status.code(), Some(0));
    master.send("PING still\n").await;
    master.until("PONG still\n").await;
}

#[tokio::test]
async fn forwardings_are_refused_and_the_session_goes_on() {
    let ssh = OpenSsh::new().await;
    // A remote forwarding is asked for at once, the agent and X11 with the session.
    let remote = [
        "-R",
        "0:127.0.0.1:9",
        "-AX",
        "-o",
        "SendEnv=LANG",
        "-o",
        "LogLevel=INFO",
    ];
    let said = ssh.run(ssh.ssh(&remote, &[]), "PING x\n").await;
    assert!(said.stdout.ends_with("PONG x\n"), "{:?}", said.stdout);
    assert!(
        said.stderr.contains("remote port forwarding failed"),
        "{}",
        said.stderr
    );
    let strict = ["-R", "0:127.0.0.1:9", "-o", "ExitOnForwardFailure=yes"];
    let said = ssh.run(ssh.ssh(&strict, &[]), "PING x\n").await;
    assert_eq!(said.status.code(), Some(255));
    // A local one when it is used.
    let local = ["-W", "127.0.0.1:9", "-o", "LogLevel=INFO"];
    let said = ssh.run(ssh.ssh(&local, &[]), "").await;
    assert!(
        said.stderr.contains("administratively prohibited"),
        "{}",
        said.stderr
    );
    assert_ne!(said.status.code(), Some(0));
}

#[tokio::test]
async fn sftp_is_refused() {
    let ssh = OpenSsh::new().await;
    let mut sftp = ssh.program("sftp", &[]);
    sftp.arg("-i").arg(ssh.path("key")).arg("any@127.0.0.1");
    let said = ssh.run(sftp, "ls\n").await;
    assert!(
        said.stderr.contains("subsystem request failed"),
        "{}",
        said.stderr
    );
    assert_ne!(said.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanging_keys_every_megabyte_loses_nothing_in_either_direction() {
    let ssh = OpenSsh::new().await;
    let lines: String = (0..3000)
        .map(|n| format!("C {n} {}\n", "x".repeat(1000)))
        .collect();
    let expected = lines.replace("C ", "C paul: ");
    let said = ssh
        .run(ssh.ssh(&["-o", "RekeyLimit=1M"], &[]), &lines)
        .await;
    assert!(
        said.stdout.ends_with(&expected),
        "{} bytes came",
        said.stdout.len()
    );
    assert_eq!((said.status.code(), &*said.stderr), (Some(0), ""));
}

#[tokio::test]
async fn keepalives_are_answered() {
    let ssh = OpenSsh::new().await;
    let options = [
        "-o",
        "ServerAliveInterval=1",
        "-o",
        "ServerAliveCountMax=1",
        "-vvv",
    ];
    let options = [&options[..], &["-o", "LogLevel=DEBUG3"]].concat();
    let mut talk = Talk::start(ssh.ssh(&options, &[]));
    let mut stderr = talk.child.stderr.take().unwrap();
    let answered_twice = async {
        let (mut log, mut buffer) = (String::new(), [0; 4096]);
        // SSH_MSG_REQUEST_FAILURE, which is sshd's answer too.
        while log.matches("receive packet: type 82").count() < 2 {
            let read = stderr.read(&mut buffer).await.unwrap();
            assert!(read > 0, "ended: {log}");
            log.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    };
    soon("an answer to a keepalive", answered_twice).await;
    // With the next bytes of its log unread it could not go on.
    drop(stderr);
    talk.child.kill().await.unwrap();
}

#[tokio::test]
async fn a_dsa_key_is_refused_and_named() {
    let ssh = OpenSsh::new().await;
    let path = ssh.path("dsa");
    let mut keygen = std::process::Command::new("ssh-keygen");
    let made = keygen
        .args(["-q", "-t", "dsa", "-N", "", "-f"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    let mut command = ssh.program("ssh", &["-o", "PubkeyAcceptedAlgorithms=+ssh-dss"]);
    command.arg("-i").arg(&path).arg("any@127.0.0.1");
    let said = ssh.run(command, "PING x\n").await;
    assert!(
        said.stderr.contains("Permission denied (publickey)"),
        "{}",
        said.stderr
    );
    crate::log::wait_for(&["client offers a key of type ssh-dss; give it an ed25519"]).await;
}
