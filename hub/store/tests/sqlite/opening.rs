use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use cmp_core::{Store, StoreError};
use cmp_store::{Database, OpenError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use tokio::time::timeout;

use super::{open, settings};
use crate::battery::{self, all, sample};

async fn refused(path: &Path) -> OpenError {
    let mut settings = settings(path);
    settings.busy_timeout = Duration::from_millis(100);
    let error = Database::open(&settings).await.unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    error
}

async fn shell(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .unwrap()
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub %20?a=b#.db");
    let first = open(&path).await;
    battery::fill(&first).await;
    first.close().await;
    let error = first.check().await.unwrap_err();
    assert_eq!(error.to_string(), "the store is unavailable: it is closed");
    assert!(first.newest().await.is_err());
    drop(first);
    battery::check_filled(&open(&path).await).await;
}

#[tokio::test]
async fn only_the_owner_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("hub.db")).await;
    store.append(&[sample(1)]).await.unwrap();
    let mut files = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{entry:?}");
        files += 1;
    }
    assert_eq!(files, 4, "the database, its log, its index, its lock");
}

#[tokio::test]
async fn a_second_hub_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let first = open(&path).await;
    let other_name = folder.path().join("other.db");
    symlink(&path, &other_name).unwrap();
    for name in [&path, &other_name] {
        let error = refused(name).await;
        assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
        let text = format!(
            "database {} is in use by another hub (pid {}): stop that hub, or set another database",
            path.canonicalize().unwrap().display(),
            std::process::id()
        );
        assert_eq!(error.to_string(), text);
    }
    first.append(&[sample(1)]).await.unwrap();
    drop(first);
    assert_eq!(all(&open(&path).await).await, [sample(1)]);
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    open(&path).await.close().await;
    let mut shell = shell(&path).await;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
                 execution_time) VALUES (9999, 'later', TRUE, x'00', 0)";
    shell.execute(later).await.unwrap();
    let error = refused(&path).await;
    assert!(
        matches!(error, OpenError::Newer { found: 9999, .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains(&format!("{} is of version 9999", path.display()))
    );

    shell
        .execute("DELETE FROM _sqlx_migrations WHERE version = 9999")
        .await
        .unwrap();
    shell
        .execute("UPDATE _sqlx_migrations SET checksum = x'00'")
        .await
        .unwrap();
    let error = refused(&path).await;
    assert!(
        matches!(error, OpenError::Foreign { version: 1, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_locked_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let mut shell = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    shell.execute("BEGIN EXCLUSIVE").await.unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Locked(_)), "{error:?}");
    shell.execute("COMMIT").await.unwrap();
    open(&path).await;
}

#[tokio::test]
async fn what_is_no_database_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let notes = "not a database\n".repeat(1_000);
    fs::write(&path, &notes).unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::NotADatabase(_)), "{error:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), notes);
}

#[tokio::test]
async fn a_path_that_can_not_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = refused(&folder.path().join("none/hub.db")).await;
    assert!(matches!(error, OpenError::NoFolder(_)), "{error:?}");
    // A folder that not even root can write to.
    let error = refused(Path::new("/sys/hub.db")).await;
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
    assert!(error.to_string().contains("/sys/hub.db"), "{error}");
    let error = refused(folder.path()).await;
    assert!(
        error
            .to_string()
            .contains(&folder.path().display().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn a_lock_held_by_a_shell_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let mut settings = settings(&path);
    settings.busy_timeout = Duration::from_millis(100);
    let store = Database::open(&settings).await.unwrap();
    let mut shell = shell(&path).await;
    let writing = shell.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = store.append(&[sample(1)]).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unavailable(why) if why == "database is locked"),
        "{error:?}"
    );
    assert!(store.check().await.is_err());
    writing.rollback().await.unwrap();
    store.append(&[sample(2)]).await.unwrap();
    assert_eq!(all(&store).await, [sample(2)]);
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let store = open(&path).await;
    let mut shell = shell(&path).await;
    let writing = shell.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let batch = [sample(1)];
    let append = store.append(&batch);
    assert!(timeout(Duration::from_millis(50), append).await.is_err());
    writing.rollback().await.unwrap();
    store.append(&[sample(2), sample(3)]).await.unwrap();
    let found = all(&store).await;
    assert_eq!(found[found.len() - 2..], [sample(2), sample(3)]);
}
