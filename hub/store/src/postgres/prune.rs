//! Removing what is no longer kept.

use cmp_core::{Position, StoreError};
use cmp_protocol::Kind;
use sqlx::{PgConnection, PgPool};

use crate::error::store_error;
use crate::record::{self, to_sql};

/// By row address: found by index and deleted without another look-up. Nobody else writes.
const DELETE_BY_AGE: &str = "DELETE FROM message WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM message WHERE kind = $1 AND time_ms < $2 ORDER BY time_ms LIMIT $3))";

const DELETE_BY_COUNT: &str = "DELETE FROM message WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM message WHERE kind = $1 AND (anchor, seq) <= ($2, $3)
         ORDER BY anchor, seq LIMIT $4))";

/// The newest message of `kind` that is one too many when `keep` stay. Reads `keep` entries of an
/// index.
pub(super) async fn newest_to_go(
    readers: &PgPool,
    kind: &Kind,
    keep: Option<u64>,
) -> Result<Option<Position>, StoreError> {
    let Some(keep) = keep else { return Ok(None) };
    let found = sqlx::query_as(
        "SELECT anchor, seq FROM message WHERE kind = $1
         ORDER BY anchor DESC, seq DESC LIMIT 1 OFFSET $2",
    )
    .bind(kind.as_str())
    .bind(to_sql(keep))
    .fetch_optional(readers)
    .await
    .map_err(store_error)?;
    found.map(record::position).transpose()
}

/// Deletes up to `limit` messages of `kind`: first those that were accepted before
/// `not_before_ms`, then those up to `newest_to_go`. Says how many.
pub(super) async fn prune(
    connection: &mut PgConnection,
    kind: &Kind,
    not_before_ms: Option<u64>,
    newest_to_go: Option<Position>,
    limit: u32,
) -> Result<u64, sqlx::Error> {
    let limit = u64::from(limit);
    let mut deleted = 0;
    if let Some(not_before_ms) = not_before_ms {
        let by_age = sqlx::query(DELETE_BY_AGE)
            .bind(kind.as_str())
            .bind(to_sql(not_before_ms))
            .bind(to_sql(limit));
        deleted += by_age.execute(&mut *connection).await?.rows_affected();
    }
    if let Some(newest_to_go) = newest_to_go {
        let by_count = sqlx::query(DELETE_BY_COUNT)
            .bind(kind.as_str())
            .bind(to_sql(newest_to_go.anchor))
            .bind(to_sql(newest_to_go.seq))
            .bind(to_sql(limit.saturating_sub(deleted)));
        deleted += by_count.execute(connection).await?.rows_affected();
    }
    Ok(deleted)
}
