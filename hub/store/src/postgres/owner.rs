//! One hub at a time: an advisory lock that belongs to the connection that writes.

use cmp_core::StoreError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use crate::error::{cause, code, store_error};

/// The number of the lock, the same for every hub; locks are counted per database
/// (<https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS>). "cmp-hub" in
/// ASCII.
const LOCK: i64 = 0x0063_6d70_2d68_7562;

/// `lock_not_available`: the lock was not free within `lock_timeout`.
const NOT_AVAILABLE: &str = "55P03";

/// Why there is no lock.
pub(super) enum NotOwner {
    /// Another connection holds it; who that is.
    InUse(String),
    /// The database failed.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for NotOwner {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Takes the lock for this connection, waiting up to its `lock_timeout`: an earlier connection of
/// this hub that just ended is gone by then.
pub(super) async fn take_lock(connection: &mut PgConnection) -> Result<(), NotOwner> {
    let taken = sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(LOCK)
        .execute(&mut *connection);
    match taken.await {
        Ok(_) => Ok(()),
        Err(error) if is_not_available(&error) => Err(NotOwner::InUse(holder(connection).await?)),
        Err(error) => Err(NotOwner::Database(error)),
    }
}

fn is_not_available(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some(NOT_AVAILABLE)
}

/// Who holds the lock. A lock of 64 bits is shown as two halves, with 1 in `objsubid`.
async fn holder(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    let holder: Option<(Option<String>,)> = sqlx::query_as(
        "SELECT a.application_name || coalesce(' from ' || host(a.client_addr), '')
         FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
             AND l.classid::bigint = $1 >> 32 AND l.objid::bigint = $1 & x'ffffffff'::bigint
             AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .bind(LOCK)
    .fetch_optional(connection)
    .await?;
    let name = holder
        .and_then(|(name,)| name)
        .filter(|name| !name.is_empty());
    Ok(name.unwrap_or_else(|| "not named by the server".to_owned()))
}

/// A new connection that writes, in place of one that failed.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let mut connection = options.connect().await.map_err(store_error)?;
    match take_lock(&mut connection).await {
        Ok(()) => Ok(connection),
        Err(NotOwner::InUse(owner)) => Err(StoreError::Unavailable(format!(
            "another hub has taken the database over ({owner})"
        ))),
        Err(NotOwner::Database(error)) => Err(StoreError::Unavailable(cause(&error))),
    }
}
