//! A hub that can't start says why in one line, and the way out.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sqlx::{Connection, Executor, SqliteConnection};

use crate::namespace::{Own, unshare};
use crate::support::Site;

/// What a hub says that does not start: one line, without the name of the program.
fn refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    let [line] = said.lines().collect::<Vec<_>>()[..] else {
        panic!("not one line: {said}")
    };
    line.strip_prefix("cmp-hub: ").expect(line).to_owned()
}

/// Checks that a line names a file and the way out.
fn names(line: &str, thing: &Path, way_out: &str) {
    assert!(line.contains(thing.to_str().unwrap()), "{line}");
    assert!(line.contains(way_out), "{line}");
}

/// A site where somebody may log in, so that nothing else is to be said.
fn site() -> Site {
    let site = Site::new();
    site.add_client("paul");
    site
}

#[test]
fn a_port_that_is_taken() {
    let site = site();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    fs::write(site.config(), format!("ssh.listen = [\"{address}\"]\n")).unwrap();
    let said = refusal(&mut site.command());
    names(
        &said,
        Path::new(&address.to_string()),
        "set another address under [ssh] listen",
    );
    assert!(said.contains("in use"), "{said}");
    assert!(!site.path("data").exists(), "the database is left alone");
}

#[test]
fn a_data_folder_that_cant_be_made() {
    let site = site();
    fs::write(site.path("file"), "").unwrap();
    site.configure("hub.data = \"file/data\"\n");
    names(
        &refusal(&mut site.command()),
        &site.path("file/data"),
        "make it by hand",
    );
}

#[test]
fn a_data_folder_that_cant_be_written() {
    let site = site();
    fs::create_dir(site.path("data")).unwrap();
    let read_only = r#"mount -t tmpfs -o ro tmpfs data; exec "$@""#;
    let said = refusal(&mut unshare(Own::Mounts, read_only, &site.command()));
    names(&said, &site.path("data/cmp-hub.db"), "or set another path");
}

#[test]
fn a_database_that_another_hub_uses() {
    let site = site();
    let hub = site.start();
    let said = refusal(&mut site.command());
    names(
        &said,
        &site.path("data/cmp-hub.db"),
        "stop that hub, or set another database",
    );
    assert!(
        said.contains(&format!("pid {}", hub.process.id())),
        "{said}"
    );
    hub.stop();
}

#[test]
fn a_database_of_a_newer_version() {
    let site = site();
    site.start().stop();
    let database = site.path("data/cmp-hub.db");
    let newer = async {
        let url = format!("sqlite:{}", database.display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let migration = "INSERT INTO _sqlx_migrations
             (version, description, success, checksum, execution_time)
             VALUES (9000, 'of tomorrow', TRUE, x'00', 0)";
        connection.execute(migration).await.unwrap();
        connection.close().await.unwrap();
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(newer);
    let said = refusal(&mut site.command());
    names(&said, &database, "start the newer hub, or restore a backup");
    assert!(said.contains("version 9000"), "{said}");
}

#[test]
fn a_host_key_that_others_can_read() {
    let site = site();
    let key = site.path("keys/ssh_host_ed25519_key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    names(
        &refusal(&mut site.command()),
        &key,
        &format!("chmod 600 {}", key.display()),
    );
}

#[test]
fn a_host_key_that_cant_be_read() {
    let site = site();
    let key = site.path("keys/ssh_host_rsa_key");
    let text = fs::read_to_string(&key).unwrap();
    fs::write(&key, &text[..text.len() / 2]).unwrap();
    names(
        &refusal(&mut site.command()),
        &key,
        "restore it, or delete it to get a new one",
    );
    fs::remove_file(&key).unwrap();
    fs::create_dir(&key).unwrap();
    names(
        &refusal(&mut site.command()),
        &key,
        "restore it, or delete it to get a new one",
    );
}
