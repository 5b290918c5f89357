//! A folder with keys and a configuration, and the hub that runs in it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{HUB, Process};

/// The name under which clients know the hub's keys, whatever its port.
const HOST: &str = "cmp-hub";

/// The file of its configuration.
const CONFIG: &str = "hub.toml";

/// A folder with the hub's keys, its clients' keys, its configuration and its database.
pub(crate) struct Site(TempDir);

impl Site {
    /// Host keys, no clients, and a configuration that listens on any free port.
    pub(crate) fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        fs::create_dir(site.path("clients")).unwrap();
        fs::create_dir(site.path("keys")).unwrap();
        let mut known_hosts = String::new();
        for entry in fs::read_dir(host_keys()).unwrap() {
            let entry = entry.unwrap();
            // Keeps the mode.
            let copy = site.path("keys").join(entry.file_name());
            fs::copy(entry.path(), &copy).unwrap();
            if copy.extension().is_some() {
                let public = fs::read_to_string(copy).unwrap();
                known_hosts.push_str(&format!("{HOST} {public}"));
            }
        }
        fs::write(site.path("known_hosts"), known_hosts).unwrap();
        fs::write(site.authorized_keys(), "").unwrap();
        site.configure("");
        site
    }

    /// The path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn authorized_keys(&self) -> PathBuf {
        self.path("keys/authorized_keys")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path(CONFIG)
    }

    /// Makes an ed25519 key by which `name` may log in.
    pub(crate) fn add_client(&self, name: &str) {
        let public = new_key(&self.path("clients").join(name), &["-t", "ed25519"]);
        self.authorize(&format!("environment=\"CMP_CLIENT={name}\" {public}"));
    }

    /// Adds a line to `authorized_keys`.
    pub(crate) fn authorize(&self, line: &str) {
        let mut lines = fs::read_to_string(self.authorized_keys()).unwrap();
        lines.push_str(line.trim_end());
        lines.push('\n');
        self.replace(&self.authorized_keys(), &lines);
    }

    /// Writes the configuration. `settings` come on top of the listener's; settings of `[ssh]` are
    /// written as `ssh.key = …`, ahead of every table.
    pub(crate) fn configure(&self, settings: &str) {
        let text = format!("ssh.listen = [\"127.0.0.1:0\"]\n{settings}");
        self.replace(&self.config(), &text);
    }

    /// Replaces a file at once, so that a hub that runs sees the old one or the new one.
    pub(crate) fn replace(&self, path: &Path, text: &str) {
        let fresh = self.path("fresh");
        fs::write(&fresh, text).unwrap();
        fs::rename(fresh, path).unwrap();
    }

    /// The command that starts the hub.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(HUB);
        command
            .current_dir(self.0.path())
            .arg("--config")
            .arg(self.config());
        command
    }

    /// Starts the hub, and returns when it listens.
    pub(crate) fn start(&self) -> Hub {
        Hub::start(self.0.path(), &mut self.command())
    }
}

/// A running hub.
pub(crate) struct Hub {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    folder: PathBuf,
}

impl Hub {
    /// Starts a hub of the site in `folder` by `command`, and returns when it listens.
    pub(crate) fn start(folder: &Path, command: &mut Command) -> Self {
        let mut process = Process::start(command);
        let Some(line) = process.stdout.line_or_end() else {
            process.stderr.rest();
            panic!("the hub did not start; {:?}", process.stderr);
        };
        let line = String::from_utf8(line).unwrap();
        let address = line.strip_prefix("listening on ").expect(&line);
        Self {
            address: address.parse().unwrap(),
            process,
            folder: folder.to_owned(),
        }
    }

    /// The command `ssh` as this client, for a shell; options can follow, and a command.
    pub(crate) fn ssh(&self, client: &str) -> Command {
        let known_hosts = self.folder.join("known_hosts");
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-p", &self.address.port().to_string(), "-i"])
            .arg(self.folder.join("clients").join(client))
            .args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"])
            .args(["-o", "BatchMode=yes", "-o", "LogLevel=ERROR"])
            .args(["-o", &format!("HostKeyAlias={HOST}")])
            .args([
                "-o",
                &format!("UserKnownHostsFile={}", known_hosts.display()),
            ])
            .args([
                "-o",
                "GlobalKnownHostsFile=/dev/null",
                "-o",
                "StrictHostKeyChecking=yes",
            ])
            .arg(format!("cmp@{}", self.address.ip()));
        ssh
    }

    /// A client on a shell without a terminal, its greeting read.
    pub(crate) fn shell(&self, client: &str) -> Process {
        let mut ssh = Process::start(&mut self.ssh(client));
        let greeting = ssh.stdout.text();
        assert!(
            greeting.starts_with(&format!("WELCOME {client} ")),
            "{greeting}"
        );
        ssh
    }

    /// What `ssh HOST admin <command>` prints; it has to be done.
    pub(crate) fn admin(&self, client: &str, command: &str) -> String {
        let mut ssh = Process::start(self.ssh(client).arg(format!("admin {command}")));
        ssh.close_input();
        let shown = ssh.stdout.rest();
        assert!(ssh.wait().success(), "admin {command}: {:?}", ssh.stderr);
        String::from_utf8(shown).unwrap()
    }

    /// Ends it by SIGTERM, in order.
    pub(crate) fn stop(mut self) {
        self.process.signal(Signal::TERM);
        let status = self.process.wait();
        self.process.stderr.rest();
        assert_eq!(status.code(), Some(0), "{:?}", self.process.stderr);
    }
}

/// Makes a key pair without a passphrase at `path` by `ssh-keygen`, and returns its public half.
pub(crate) fn new_key(path: &Path, kind: &[&str]) -> String {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-C", "", "-f"])
        .arg(path)
        .args(kind)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success(), "ssh-keygen {kind:?}");
    fs::read_to_string(path.with_extension("pub")).unwrap()
}

/// A folder with host keys, made at the first run: to make an RSA key takes long.
fn host_keys() -> PathBuf {
    static MAKE: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKE.lock();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let keys = target.join("host_keys");
    if !keys.exists() {
        let fresh = TempDir::new_in(target).unwrap();
        for kind in ["ed25519", "ecdsa", "rsa"] {
            new_key(
                &fresh.path().join(format!("ssh_host_{kind}_key")),
                &["-t", kind],
            );
        }
        // If another test program was faster, its keys are as good.
        if fs::rename(fresh.path(), &keys).is_ok() {
            let _moved = fresh.keep();
        }
    }
    keys
}
