//! Bans, and the warnings of origins.

use cmp_core::{Ban, BanId, OriginRecord, StoreError};
use sqlx::{PgConnection, PgPool};

use crate::error::store_error;
use crate::record::{self, BanRow, OriginRow, to_sql};

pub(super) async fn bans(readers: &PgPool) -> Result<Vec<Ban>, StoreError> {
    let rows: Vec<BanRow> = sqlx::query_as("SELECT * FROM ban ORDER BY id")
        .fetch_all(readers)
        .await
        .map_err(store_error)?;
    record::records(rows)
}

pub(super) async fn put_ban(connection: &mut PgConnection, ban: &Ban) -> Result<(), sqlx::Error> {
    let row = BanRow::from(ban);
    sqlx::query(
        "INSERT INTO ban (id, target_type, target, reason, set_by, since_ms, until_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (id) DO UPDATE SET target_type = excluded.target_type,
             target = excluded.target, reason = excluded.reason, set_by = excluded.set_by,
             since_ms = excluded.since_ms, until_ms = excluded.until_ms",
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
    connection: &mut PgConnection,
    id: BanId,
) -> Result<(), sqlx::Error> {
    let delete = sqlx::query("DELETE FROM ban WHERE id = $1").bind(to_sql(id.0));
    delete.execute(connection).await.map(drop)
}

pub(super) async fn origins(readers: &PgPool) -> Result<Vec<OriginRecord>, StoreError> {
    let rows: Vec<OriginRow> = sqlx::query_as("SELECT * FROM origin")
        .fetch_all(readers)
        .await
        .map_err(store_error)?;
    record::records(rows)
}

pub(super) async fn put_origin(
    connection: &mut PgConnection,
    record: &OriginRecord,
) -> Result<(), sqlx::Error> {
    let query = if record.warnings == 0 && record.muted_until_ms.is_none() {
        sqlx::query("DELETE FROM origin WHERE origin = $1").bind(&record.origin[..])
    } else {
        sqlx::query(
            "INSERT INTO origin (origin, warnings, first_warning_ms, muted_until_ms)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (origin) DO UPDATE SET warnings = excluded.warnings,
                 first_warning_ms = excluded.first_warning_ms,
                 muted_until_ms = excluded.muted_until_ms",
        )
        .bind(&record.origin[..])
        .bind(i64::from(record.warnings))
        .bind(to_sql(record.first_warning_ms))
        .bind(record.muted_until_ms.map(to_sql))
    };
    query.execute(connection).await.map(drop)
}
