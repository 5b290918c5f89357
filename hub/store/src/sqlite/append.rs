//! Writing messages, cursors, and nothing.

use std::sync::{Arc, LazyLock};

use cmp_core::Stored;
use cmp_protocol::{ClientName, MessageId, Word};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::record::{class_code, encoding_code, to_sql};

/// A statement that inserts a certain number of rows.
struct Insert {
    rows: usize,
    sql: Arc<str>,
}

/// Every statement costs a way to the connection's thread and back, so a batch goes in as few as
/// possible; halved sizes, so that any batch is made of the same eight prepared statements. The
/// largest has 1,536 parameters; SQLite takes 32,766.
static INSERTS: LazyLock<[Insert; 8]> = LazyLock::new(|| {
    [128, 64, 32, 16, 8, 4, 2, 1].map(|rows| {
        let values = vec!["(?,?,?,?,?,?,?,?,?,?,?,?)"; rows].join(",");
        let sql = format!(
            "INSERT INTO message (anchor, seq, id, hub, client, time_ms, class, kind, nick, \
             origin, text, encoding) VALUES {values} ON CONFLICT (id) DO NOTHING"
        );
        Insert {
            rows,
            sql: sql.into(),
        }
    })
});

pub(super) async fn append(
    connection: &mut SqliteConnection,
    batch: &[Stored],
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut rest = batch;
    for insert in INSERTS.iter() {
        while let Some((rows, others)) = rest.split_at_checked(insert.rows) {
            let mut query = sqlx::query(AssertSqlSafe(Arc::clone(&insert.sql)));
            for Stored { position, message } in rows {
                query = query
                    .bind(to_sql(position.anchor))
                    .bind(to_sql(position.seq))
                    .bind(message.id.as_bytes().as_slice())
                    .bind(message.hub.as_str())
                    .bind(message.client.as_str())
                    .bind(to_sql(message.time_ms))
                    .bind(class_code(message.class))
                    .bind(message.kind.as_str())
                    .bind(message.nick.as_ref().map(Word::as_bytes))
                    .bind(message.origin.as_ref().map(Word::as_bytes))
                    .bind(&message.text[..])
                    .bind(message.encoding.map(encoding_code));
            }
            query.execute(&mut *transaction).await?;
            rest = others;
        }
    }
    let highest = |number: fn(&Stored) -> u64| batch.iter().map(number).max().unwrap_or_default();
    sqlx::query("UPDATE state SET anchor = max(anchor, ?), seq = max(seq, ?)")
        .bind(to_sql(highest(|stored| stored.position.anchor)))
        .bind(to_sql(highest(|stored| stored.position.seq)))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

pub(super) async fn put_cursor(
    connection: &mut SqliteConnection,
    client: &ClientName,
    id: MessageId,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO client_cursor (client, id) VALUES (?, ?)
         ON CONFLICT (client) DO UPDATE SET id = excluded.id",
    )
    .bind(client.as_str())
    .bind(id.as_bytes().as_slice())
    .execute(connection)
    .await
    .map(drop)
}

/// Writes as much as a batch of some hundred messages, where nobody reads it: on a nearly full
/// disk there is often room for a little. It is random, because SQLite does not write a page that
/// stays as it was.
pub(super) async fn check(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let write = sqlx::query("UPDATE write_check SET filler = randomblob(65536)");
    write.execute(connection).await.map(drop)
}
