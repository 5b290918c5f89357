//! A full disk: publishing is refused, all else goes on, and it recovers by itself.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::FREE;
use crate::history::{Kept, all};
use crate::namespace::{Own, unshare};
use crate::support::{Hub, Json, Process, Site};

/// Makes the data folder a disk of its own.
const SMALL_DISK: &str = r#"mount -t tmpfs -o size=4m tmpfs data; exec "$@""#;

#[test]
fn a_full_disk_stops_publishing_and_nothing_else() {
    let site = Site::new();
    for client in ["writer", "reader"] {
        site.add_client(client);
    }
    site.configure(FREE);
    fs::create_dir(site.path("data")).unwrap();
    let mut command = unshare(Own::Mounts, SMALL_DISK, &site.command());
    let mut hub = Hub::start(&site.path(""), &mut command);
    let mut writer = Json::login(&hub, "writer");
    let mut reader = hub.shell("reader");
    let mut kept = Vec::new();
    kept.push(publish(&mut writer, "before").unwrap());
    assert_eq!(reader.stdout.text(), "BC writer qw tester #test :before");

    // The file system as the hub sees it.
    let data = format!(
        "/proc/{}/root{}",
        hub.process.id(),
        site.path("data").display()
    );
    let filler = Path::new(&data).join("filler");
    fill(&filler);
    // Some may still fit into what the database has taken already.
    while let Some(broadcast) = publish(&mut writer, &"x".repeat(3000)) {
        kept.push(broadcast);
        reader.stdout.text();
    }
    hub.process
        .stderr
        .text_with("the store takes no messages; broadcasts are refused");
    all_else_goes_on(&hub, &mut reader);

    fs::remove_file(&filler).unwrap();
    hub.process
        .stderr
        .text_with("the store takes messages again");
    kept.push(publish(&mut writer, "after").expect("it has recovered"));
    assert_eq!(reader.stdout.text(), "BC writer qw tester #test :after");
    assert_eq!(all(&hub, "reader"), kept);
    hub.stop();
}

/// Broadcasts, and checks that it was acknowledged, or refused because the store is not available.
pub(crate) fn publish(writer: &mut Json, text: &str) -> Option<Kept> {
    let answer = writer.broadcast(text);
    if answer["event"] == "ok" {
        let id = answer["id"].as_str().unwrap().to_owned();
        return Some(Kept {
            id,
            text: text.to_owned(),
        });
    }
    assert_eq!(answer["code"], "UNAVAILABLE", "{answer}");
    None
}

/// What does not need the store: PING, C, and to be told that a broadcast is refused.
pub(crate) fn all_else_goes_on(hub: &Hub, reader: &mut Process) {
    reader.send("PING still here\n");
    assert_eq!(reader.stdout.text(), "PONG still here");
    reader.send("C said without a store\n");
    assert_eq!(reader.stdout.text(), "C reader: said without a store");
    reader.send("BC qw tester #test :not now\n");
    let refused = reader.stdout.text();
    assert!(refused.starts_with("ERR BC UNAVAILABLE :"), "{refused}");
    let stats: serde_json::Value =
        serde_json::from_str(&hub.admin("reader", "stats --json")).unwrap();
    assert_eq!(stats["store_healthy"], false, "{stats}");
}

/// Writes until there is no room.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    let mut piece = vec![0; 65_536];
    while !piece.is_empty() {
        match file.write_all(&piece) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => piece.truncate(piece.len() / 2),
            Err(error) => panic!("{error}"),
        }
    }
}
