//! Reading messages and cursors.

use cmp_core::{Position, StoreError, Stored};
use cmp_protocol::{ClientName, Kind, MessageId};
use sqlx::PgPool;

use crate::error::store_error;
use crate::record::{self, MessageRow, to_sql};

/// Jumps from each kind to the next in the index; DISTINCT would read the whole index.
const KINDS: &str = "WITH RECURSIVE found (kind) AS (
         SELECT min(kind) FROM message
         UNION ALL
         SELECT (SELECT min(kind) FROM message WHERE kind > found.kind)
         FROM found WHERE found.kind IS NOT NULL
     ) SELECT kind FROM found WHERE kind IS NOT NULL";

pub(super) async fn locate(readers: &PgPool, id: MessageId) -> Result<Position, StoreError> {
    let found =
        sqlx::query_as("SELECT anchor, seq FROM message WHERE id <= $1 ORDER BY id DESC LIMIT 1")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(readers)
            .await
            .map_err(store_error)?;
    found.map_or(Ok(Position::default()), record::position)
}

pub(super) async fn newest(readers: &PgPool) -> Result<Position, StoreError> {
    let numbers = sqlx::query_as("SELECT anchor, seq FROM state")
        .fetch_one(readers)
        .await;
    record::position(numbers.map_err(store_error)?)
}

pub(super) async fn range(
    readers: &PgPool,
    from: Position,
    to: Position,
    limit: u32,
) -> Result<Vec<Stored>, StoreError> {
    let rows: Vec<MessageRow> = sqlx::query_as(
        "SELECT * FROM message WHERE (anchor, seq) > ($1, $2) AND (anchor, seq) <= ($3, $4)
         ORDER BY anchor, seq LIMIT $5",
    )
    .bind(to_sql(from.anchor))
    .bind(to_sql(from.seq))
    .bind(to_sql(to.anchor))
    .bind(to_sql(to.seq))
    .bind(i64::from(limit))
    .fetch_all(readers)
    .await
    .map_err(store_error)?;
    record::records(rows)
}

pub(super) async fn before_last(readers: &PgPool, count: u32) -> Result<Position, StoreError> {
    let found = sqlx::query_as(
        "SELECT anchor, seq FROM message ORDER BY anchor DESC, seq DESC LIMIT 1 OFFSET $1",
    )
    .bind(i64::from(count))
    .fetch_optional(readers)
    .await
    .map_err(store_error)?;
    found.map_or(Ok(Position::default()), record::position)
}

pub(super) async fn kinds(readers: &PgPool) -> Result<Vec<Kind>, StoreError> {
    let kinds: Vec<(String,)> = sqlx::query_as(KINDS)
        .fetch_all(readers)
        .await
        .map_err(store_error)?;
    kinds.iter().map(|(kind,)| record::kind(kind)).collect()
}

pub(super) async fn cursor(
    readers: &PgPool,
    client: &ClientName,
) -> Result<Option<MessageId>, StoreError> {
    let id: Option<(Vec<u8>,)> = sqlx::query_as("SELECT id FROM client_cursor WHERE client = $1")
        .bind(client.as_str())
        .fetch_optional(readers)
        .await
        .map_err(store_error)?;
    id.map(|(id,)| record::message_id(id)).transpose()
}
