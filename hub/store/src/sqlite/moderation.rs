//! Bans, and the warnings of origins.

use cmp_core::{Ban, BanId, OriginRecord, StoreError};
use sqlx::{SqliteConnection, SqlitePool};

use crate::error::store_error;
use crate::record::{self, BanRow, OriginRow, to_sql};

pub(super) async fn bans(readers: &SqlitePool) -> Result<Vec<Ban>, StoreError> {
    let rows: Vec<BanRow> = sqlx::query_as("SELECT * FROM ban ORDER BY id")
        .fetch_all(readers)
        .await
        .map_err(store_error)?;
    record::records(rows)
}

pub(super) async fn put_ban(
    connection: &mut SqliteConnection,
    ban: &Ban,
) -> Result<(), sqlx::Error> {
    let row = BanRow::from(ban);
    sqlx::query(
        "INSERT OR REPLACE INTO ban (id, target_type, target, reason, set_by, since_ms, until_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.id)
    .bind(row.target_type)
    .bind(row.target)
    .bind(row.reason)
    .bind(row.set_by)
    .bind(row.since_ms)
    .bind(row.until_ms)
    .execute(connection)
    .await
    .map(drop)
}

pub(super) async fn remove_ban(
    connection: &mut SqliteConnection,
    id: BanId,
) -> Result<(), sqlx::Error> {
    let delete = sqlx::query("DELETE FROM ban WHERE id = ?").bind(to_sql(id.0));
    delete.execute(connection).await.map(drop)
}

pub(super) async fn origins(readers: &SqlitePool) -> Result<Vec<OriginRecord>, StoreError> {
    let rows: Vec<OriginRow> = sqlx::query_as("SELECT * FROM origin")
        .fetch_all(readers)
        .await
        .map_err(store_error)?;
    record::records(rows)
}

pub(super) async fn put_origin(
    connection: &mut SqliteConnection,
    record: &OriginRecord,
) -> Result<(), sqlx::Error> {
    let query = if record.warnings == 0 && record.muted_until_ms.is_none() {
        sqlx::query("DELETE FROM origin WHERE origin = ?").bind(&record.origin[..])
    } else {
        sqlx::query(
            "INSERT OR REPLACE INTO origin (origin, warnings, first_warning_ms, muted_until_ms)
             VALUES (?, ?, ?, ?)",
        )
        .bind(&record.origin[..])
        .bind(record.warnings)
        .bind(to_sql(record.first_warning_ms))
        .bind(record.muted_until_ms.map(to_sql))
    };
    query.execute(connection).await.map(drop)
}
