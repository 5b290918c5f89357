use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cmp_core::Store;
use cmp_store::{BackupError, Location, backup};

use super::open;
use crate::battery::{self, all, at, sample};

fn location(path: &Path) -> Location {
    Location::Sqlite(path.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_while_the_hub_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let store = Arc::new(open(&path).await);
    battery::fill(&*store).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move {
            let mut next = 3;
            while !stop.load(Ordering::Relaxed) {
                store
                    .append(&[sample(next), sample(next + 1)])
                    .await
                    .unwrap();
                next += 2;
            }
            next
        }
    });
    let before = store.newest().await.unwrap();
    let to = folder.path().join("copy.db");
    backup(&location(&path), &to).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let after = writer.await.unwrap();

    assert_eq!(
        fs::metadata(&to).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!folder.path().join("copy.db.partial").exists());
    let copy = open(&to).await;
    let copied = all(&copy).await;
    let numbers: Vec<u64> = copied.iter().map(|stored| stored.position.seq).collect();
    let last = numbers.len() as u64;
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    assert!(
        last >= before.seq && last < after,
        "{last} of {before:?} to {after}"
    );
    assert_eq!(last % 2, 0, "half of a batch was copied");
    assert_eq!(copy.newest().await.unwrap(), at(last));
    assert_eq!(copy.bans().await.unwrap(), store.bans().await.unwrap());
}

#[tokio::test]
async fn a_stopped_hub_is_backed_up_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let store = open(&path).await;
    battery::fill(&store).await;
    store.close().await;
    drop(store);
    let to = folder.path().join("copy.db");
    backup(&location(&path), &to).await.unwrap();
    battery::check_filled(&open(&to).await).await;
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let store = open(&path).await;
    battery::fill(&store).await;
    let to = folder.path().join("precious");
    fs::write(&to, "").unwrap();
    let error = backup(&location(&path), &to).await.unwrap_err();
    assert!(matches!(error, BackupError::Exists(_)), "{error:?}");
    assert_eq!(fs::read(&to).unwrap(), b"");
    let error = backup(&location(&path), &path).await.unwrap_err();
    assert!(matches!(error, BackupError::Exists(_)), "{error:?}");
    battery::check_filled(&store).await;
}

#[tokio::test]
async fn a_failure_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    let missing = folder.path().join("none.db");
    let error = backup(&location(&missing), &to).await.unwrap_err();
    assert!(matches!(error, BackupError::NoDatabase(_)), "{error:?}");
    assert!(!missing.exists());
    let notes = folder.path().join("notes.txt");
    fs::write(&notes, "not a database\n".repeat(1_000)).unwrap();
    let error = backup(&location(&notes), &to).await.unwrap_err();
    assert!(matches!(error, BackupError::Failed { .. }), "{error:?}");
    let error = backup(&location(&notes), &folder.path().join("none/copy.db"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, BackupError::NotWritable { .. }),
        "{error:?}"
    );
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "only the notes");
}
