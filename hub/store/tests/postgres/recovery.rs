use std::time::Duration;

use cmp_core::{Store, StoreError};
use cmp_store::Database;
use sqlx::{Connection, Executor, PgConnection};

use super::{open, settings};
use crate::battery::{all, id, sample};
use crate::support::postgres::PostgresServer;

fn unavailable<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    let Err(StoreError::Unavailable(cause)) = answer else {
        panic!("{answer:?} is not unavailable");
    };
    assert!(
        !cause.contains('\n') && !cause.contains("not-for-logs"),
        "{cause}"
    );
    cause
}

#[tokio::test]
async fn a_server_that_was_away_is_used_again() {
    let server = PostgresServer::start();
    let store = open(&server.create_database("hub")).await;
    store.append(&[sample(1)]).await.unwrap();
    assert_eq!(all(&store).await, [sample(1)]);

    server.stop();
    unavailable(store.append(&[sample(2)]).await);
    unavailable(store.check().await);
    unavailable(store.newest().await);
    unavailable(store.bans().await);
    server.start_again();
    store.append(&[sample(3)]).await.unwrap();
    assert_eq!(all(&store).await, [sample(1), sample(3)]);

    // Nobody asked while it was away, so nobody is refused.
    server.stop();
    server.start_again();
    store.append(&[sample(4)]).await.unwrap();
    assert_eq!(all(&store).await, [sample(1), sample(3), sample(4)]);
}

#[tokio::test]
async fn a_hub_that_lost_the_database_to_another_does_not_write() {
    let server = PostgresServer::start();
    let url = server.create_database("hub");
    let first = open(&url).await;
    first.append(&[sample(1)]).await.unwrap();

    let mut admin = PgConnection::connect(&url).await.unwrap();
    let end_others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
                      WHERE datname = 'hub' AND pid <> pg_backend_pid()";
    admin.execute(end_others).await.unwrap();
    let second = open(&url).await;
    let cause = unavailable(first.append(&[sample(2)]).await);
    assert!(
        cause.starts_with("another hub has taken the database over (cmp-hub pid"),
        "{cause}"
    );
    second.append(&[sample(3)]).await.unwrap();
    assert_eq!(all(&first).await, [sample(1), sample(3)]);

    second.close().await;
    first.append(&[sample(4)]).await.unwrap();
    assert_eq!(all(&first).await, [sample(1), sample(3), sample(4)]);
}

#[tokio::test]
async fn a_statement_that_is_held_up_fails_in_time_and_leaves_nothing() {
    let server = PostgresServer::start();
    let url = server.create_database("hub");
    let mut settings = settings(&url);
    settings.statement_timeout = Duration::from_millis(100);
    let store = Database::open(&settings).await.unwrap();
    store.append(&[sample(1)]).await.unwrap();

    let mut other = PgConnection::connect(&url).await.unwrap();
    let mut locking = other.begin().await.unwrap();
    locking.execute("LOCK TABLE message").await.unwrap();
    let cause = unavailable(store.append(&[sample(2), sample(3)]).await);
    assert_eq!(cause, "canceling statement due to statement timeout");
    unavailable(store.locate(id(1)).await);
    locking.rollback().await.unwrap();

    store.append(&[sample(4)]).await.unwrap();
    assert_eq!(all(&store).await, [sample(1), sample(4)]);
}
