//! A real full disk: a tmpfs of a few megabytes, in a mount namespace of the test's own.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use cmp_core::{Position, Store, StoreError, Stored};
use cmp_protocol::Message;
use cmp_store::{BackupError, Location, backup};

use super::open;
use crate::battery::{all, at, message, sample, stored};

/// Set in the process that has the small disk.
const SMALL_DISK: &str = "CMP_TEST_SMALL_DISK";

/// Runs the test `name` again, with a tmpfs mounted on a folder that `SMALL_DISK` names.
fn on_a_small_disk(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    // A user namespace needs no rights, where the system allows it; root needs none.
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let works = |way: &&&[&str]| {
        let mut tried = Command::new("unshare");
        tried
            .args(**way)
            .args(["mount", "-t", "tmpfs", "small"])
            .arg(folder.path());
        tried.status().is_ok_and(|status| status.success())
    };
    let way = ways
        .iter()
        .find(works)
        .expect("no mount namespace: neither root nor unshare -U");
    let output = Command::new("unshare")
        .args(*way)
        .args([
            "sh",
            "-c",
            "mount -t tmpfs -o size=4m small \"$0\" && exec \"$@\"",
        ])
        .arg(folder.path())
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(SMALL_DISK, folder.path())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{out}\n{err}"
    );
}

fn big(number: u64) -> Stored {
    stored(
        at(number),
        Message {
            text: vec![b'x'; 4_000].into(),
            ..message(number)
        },
    )
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    match env::var_os(SMALL_DISK) {
        None => on_a_small_disk("sqlite::disk_full::a_full_disk_refuses_and_recovers"),
        Some(folder) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(fill_and_free(Path::new(&folder)));
        }
    }
}

async fn fill_and_free(folder: &Path) {
    let path = folder.join("hub.db");
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let store = open(&path).await;

    let mut kept = Vec::new();
    let error = loop {
        let next = kept.len() as u64 + 1;
        let batch: Vec<Stored> = (next..next + 10).map(big).collect();
        match store.append(&batch).await {
            Ok(()) => kept.extend(batch),
            Err(error) => break error,
        }
        assert!(kept.len() < 10_000, "the disk is not small");
    };
    let StoreError::Unavailable(cause) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(cause, "database or disk is full");

    // It goes on refusing, leaves nothing of what it refused, and goes on answering.
    for _ in 0..3 {
        let batch: Vec<Stored> = (20_000..20_010).map(big).collect();
        store.append(&batch).await.unwrap_err();
    }
    store.check().await.unwrap_err();
    assert_eq!(all(&store).await, kept);
    assert_eq!(store.newest().await.unwrap(), at(kept.len() as u64));
    let error = backup(&Location::Sqlite(path.clone()), &folder.join("copy"))
        .await
        .unwrap_err();
    assert!(matches!(error, BackupError::Failed { .. }), "{error:?}");
    assert!(!folder.join("copy.partial").exists());

    fs::remove_file(&ballast).unwrap();
    store.check().await.unwrap();
    store.append(&[sample(30_000)]).await.unwrap();
    kept.push(sample(30_000));
    assert_eq!(all(&store).await, kept);
    store.close().await;
    drop(store);
    let store = open(&path).await;
    assert_eq!(all(&store).await, kept);
    assert_eq!(
        store.newest().await.unwrap(),
        Position {
            anchor: 30_000,
            seq: 30_000
        }
    );
}
