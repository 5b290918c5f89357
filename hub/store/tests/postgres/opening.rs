use std::net::TcpListener;
use std::time::{Duration, Instant};

use cmp_core::Store;
use cmp_store::{BackupError, Database, OpenError, backup};
use sqlx::{Connection, Executor, PgConnection};

use super::{open, settings};
use crate::battery;
use crate::support::postgres::PostgresServer;

async fn refused(url: &str) -> OpenError {
    let error = Database::open(&settings(url)).await.unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    for secret in ["not-for-logs", "hunter2"] {
        assert!(!text.contains(secret), "{text}");
    }
    error
}

#[tokio::test]
async fn a_database_is_kept_owned_and_versioned() {
    let server = PostgresServer::start();
    let url = server.create_database("hub");

    let first = open(&url).await;
    battery::fill(&first).await;
    let error = refused(&url).await;
    let owner = format!("(cmp-hub pid {})", std::process::id());
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains(&owner), "{error}");
    let elsewhere = open(&server.create_database("elsewhere")).await;
    elsewhere.close().await;

    first.close().await;
    assert!(first.newest().await.is_err());
    let error = first.check().await.unwrap_err();
    assert_eq!(error.to_string(), "the store is unavailable: it is closed");
    let second = open(&url).await;
    battery::check_filled(&second).await;
    second.close().await;

    let mut connection = PgConnection::connect(&url).await.unwrap();
    let future = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
                  execution_time) VALUES (9999, 'later', true, '', 0)";
    connection.execute(future).await.unwrap();
    let error = refused(&url).await;
    assert!(
        matches!(error, OpenError::Newer { found: 9999, .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().starts_with("database hub on /"),
        "{error}"
    );

    connection
        .execute("DELETE FROM _sqlx_migrations WHERE version = 9999")
        .await
        .unwrap();
    connection
        .execute("UPDATE _sqlx_migrations SET checksum = 'x'")
        .await
        .unwrap();
    let error = refused(&url).await;
    assert!(
        matches!(error, OpenError::Foreign { version: 1, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn who_can_not_log_in_is_told_why() {
    let server = PostgresServer::start();
    let url = server.create_database("hub");

    let error = refused(&server.url("cmp", "hunter2", "hub")).await;
    assert!(
        matches!(&error, OpenError::Refused { user, .. } if user == "cmp"),
        "{error:?}"
    );
    let error = refused(&server.url("cmp", "not-for-logs", "other")).await;
    assert!(
        error.to_string().contains("createdb --owner=cmp other"),
        "{error}"
    );
    assert!(matches!(error, OpenError::NoDatabase { .. }), "{error:?}");

    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection
        .execute("CREATE USER guest PASSWORD 'hunter2'")
        .await
        .unwrap();
    connection
        .execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        .await
        .unwrap();
    let error = refused(&server.url("guest", "hunter2", "hub")).await;
    assert!(matches!(error, OpenError::NoPermission { .. }), "{error:?}");

    let to = std::path::Path::new("/tmp/never-made");
    let error = backup(&url.parse().unwrap(), to).await.unwrap_err();
    assert!(matches!(error, BackupError::Postgres { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("pg_dump") && text.ends_with("--username=cmp hub"),
        "{text}"
    );
    assert!(!text.contains("not-for-logs"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = refused(&format!("postgres://cmp:hunter2@{free}/hub")).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(
        error.to_string().contains(&format!("at {free}: ")),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let mut settings = settings(&format!("postgres://cmp@{address}/hub"));
    settings.connect_timeout = Duration::from_millis(100);
    let begun = Instant::now();
    let error = Database::open(&settings).await.unwrap_err();
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "waited {:?}",
        begun.elapsed()
    );
}
