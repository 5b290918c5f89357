//! Writing messages, cursors, and nothing.

use cmp_core::Stored;
use cmp_protocol::{ClientName, Message, MessageId, Word};
use sqlx::PgConnection;

use crate::record::{class_code, encoding_code, to_sql};

/// One statement, and so one transaction and one way to the server and back, whatever the size of
/// the batch: every column is an array.
const APPEND: &str = "WITH added AS (
         INSERT INTO message (anchor, seq, id, hub, client, time_ms, class, kind, nick, origin,
             text, encoding)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::text[], $5::text[],
             $6::bigint[], $7::smallint[], $8::text[], $9::bytea[], $10::bytea[], $11::bytea[],
             $12::smallint[])
         ON CONFLICT (id) DO NOTHING
     ) UPDATE state SET anchor = greatest(anchor, $13), seq = greatest(seq, $14)";

pub(super) async fn append(
    connection: &mut PgConnection,
    batch: &[Stored],
) -> Result<(), sqlx::Error> {
    fn column<'a, T>(batch: &'a [Stored], value: impl Fn(&'a Message) -> T) -> Vec<T> {
        batch.iter().map(|stored| value(&stored.message)).collect()
    }
    let anchors: Vec<_> = batch
        .iter()
        .map(|stored| to_sql(stored.position.anchor))
        .collect();
    let seqs: Vec<_> = batch
        .iter()
        .map(|stored| to_sql(stored.position.seq))
        .collect();
    let highest = |numbers: &[i64]| numbers.iter().copied().max().unwrap_or_default();
    sqlx::query(APPEND)
        .bind(&anchors)
        .bind(&seqs)
        .bind(column(batch, |message| message.id.as_bytes().as_slice()))
        .bind(column(batch, |message| message.hub.as_str()))
        .bind(column(batch, |message| message.client.as_str()))
        .bind(column(batch, |message| to_sql(message.time_ms)))
        .bind(column(batch, |message| class_code(message.class)))
        .bind(column(batch, |message| message.kind.as_str()))
        .bind(column(batch, |message| {
            message.nick.as_ref().map(Word::as_bytes)
        }))
        .bind(column(batch, |message| {
            message.origin.as_ref().map(Word::as_bytes)
        }))
        .bind(column(batch, |message| &message.text[..]))
        .bind(column(batch, |message| message.encoding.map(encoding_code)))
        .bind(highest(&anchors))
        .bind(highest(&seqs))
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn put_cursor(
    connection: &mut PgConnection,
    client: &ClientName,
    id: MessageId,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO client_cursor (client, id) VALUES ($1, $2)
         ON CONFLICT (client) DO UPDATE SET id = excluded.id",
    )
    .bind(client.as_str())
    .bind(id.as_bytes().as_slice())
    .execute(connection)
    .await
    .map(drop)
}

/// Writes something that nobody reads.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE state SET checks = checks + 1")
        .execute(connection)
        .await
        .map(drop)
}
