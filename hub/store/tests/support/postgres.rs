//! A real PostgreSQL server (Debian package `postgresql`), for one test.
//!
//! It stands alone, so that tests of other crates can include this file by its path; they need
//! the crate tempfile.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

const USER: &str = "cmp";
const PASSWORD: &str = "not-for-logs";

/// A server with its data in a temporary folder, where its socket is too: no network, no port. It
/// ends with this value.
pub(crate) struct PostgresServer {
    programs: PathBuf,
    folder: TempDir,
}

impl PostgresServer {
    /// Makes a new server and waits until it takes connections.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("cmp-postgres-")
            .tempdir()
            .unwrap();
        let server = Self {
            programs: programs(),
            folder,
        };
        if is_root() {
            // The server refuses to run as root.
            run(Command::new("chown")
                .arg("postgres:")
                .arg(server.folder.path()));
        }
        let password = server.path("password");
        fs::write(&password, PASSWORD).unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres:").arg(&password));
        }
        run(server
            .server_program("initdb")
            .args([
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .arg(format!("--username={USER}"))
            .arg(format!("--pwfile={}", password.display()))
            .arg(format!("--pgdata={}", server.data().display())));
        server.start_again();
        server
    }

    /// Starts it after [`stop`](Self::stop), and waits until it takes connections.
    pub(crate) fn start_again(&self) {
        let log = self.path("log");
        // Tests don't lose power.
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories='{}' -F",
            self.socket()
        );
        let started = self
            .pg_ctl("start")
            .arg(format!("--options={options}"))
            .arg(format!("--log={}", log.display()))
            // It would inherit a pipe, and keep it open.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        let log = fs::read_to_string(log).unwrap_or_default();
        assert!(started.success(), "PostgreSQL did not start:\n{log}");
    }

    /// Ends it, with every connection, and waits until it is gone.
    pub(crate) fn stop(&self) {
        run(self.pg_ctl("stop").arg("--mode=fast"));
    }

    /// Makes a new, empty database and says its URL.
    pub(crate) fn create_database(&self, name: &str) -> String {
        run(Command::new(self.programs.join("createdb"))
            .arg(format!("--host={}", self.socket()))
            .arg(format!("--username={USER}"))
            .arg(name)
            .env("PGPASSWORD", PASSWORD));
        self.url(USER, PASSWORD, name)
    }

    /// The URL of a database there, for any user.
    pub(crate) fn url(&self, user: &str, password: &str, database: &str) -> String {
        format!(
            "postgres://{user}:{password}@localhost/{database}?host={}",
            self.socket()
        )
    }

    fn pg_ctl(&self, action: &str) -> Command {
        let mut command = self.server_program("pg_ctl");
        command
            .arg(action)
            .arg("--wait")
            .arg(format!("--pgdata={}", self.data().display()));
        command
    }

    /// A program that has to run as the owner of the data.
    fn server_program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn socket(&self) -> String {
        self.folder.path().display().to_string()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // It may be stopped already. The data is thrown away: no need to write it back.
        let _ = self.pg_ctl("stop").arg("--mode=immediate").output();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The folder of the newest installed version's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| version(path));
    let newest = newest.expect("PostgreSQL's server is not installed: run `cargo xtask packages`");
    newest.join("bin")
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}",
        output.status
    );
}
