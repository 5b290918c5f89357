//! Every query finds its rows by an index, however big the table is.

use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection};

use super::{prune, read};
use crate::{SqliteStore, StoreSettings};

/// What SQLite says that it will do: <https://www.sqlite.org/eqp.html>.
async fn plan(connection: &mut SqliteConnection, sql: &str) -> String {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let steps = sqlx::query(explain).fetch_all(connection).await.unwrap();
    let steps = steps.iter().map(|step| step.get::<String, _>("detail"));
    steps.collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn no_query_reads_or_sorts_a_whole_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let store = SqliteStore::open(&path, &StoreSettings::default())
        .await
        .unwrap();
    let mut connection = store.options.connect().await.unwrap();
    let seeking = [
        read::LOCATE,
        read::RANGE,
        read::KINDS,
        prune::NEWEST_TO_GO,
        prune::DELETE_BY_AGE,
        prune::DELETE_BY_COUNT,
    ];
    for sql in seeking {
        let plan = plan(&mut connection, sql).await;
        assert!(plan.contains("SEARCH message USING"), "{sql}\n{plan}");
        assert!(!plan.contains("SCAN message"), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
    // Counts from the end.
    let plan = plan(&mut connection, read::BEFORE_LAST).await;
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}
