//! The store in a PostgreSQL database.

mod append;
mod moderation;
mod open;
mod owner;
mod prune;
mod read;

use std::time::Duration;

use cmp_core::{Ban, BanId, OriginRecord, Position, Retention, Store, StoreError, Stored};
use cmp_protocol::{ClientName, Kind, MessageId};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;

use crate::error::{code, store_error};
use crate::lease::{Lease, Writer};

/// A hub's database on a PostgreSQL server. One connection writes, and shows by a lock it holds
/// that the database is in use; a few others read beside it.
#[derive(Debug)]
pub struct PostgresStore {
    writer: Writer<PgConnection>,
    readers: PgPool,
    writing: PgConnectOptions,
    /// How long a call may take.
    limit: Duration,
}

impl PostgresStore {
    /// Finishes what runs and closes every connection. Later calls fail.
    pub async fn close(&self) {
        let close = async {
            self.readers.close().await;
            if let Some(writer) = self.writer.close().await {
                // The server notices a connection that ends without farewell, too.
                let _ = writer.close().await;
            }
        };
        // A server that does not answer is not waited for longer than by any call.
        let _ = timeout(self.limit, close).await;
    }

    /// A connection that writes, held by nobody else.
    async fn lease(&self) -> Result<Lease<'_, PgConnection>, StoreError> {
        self.writer.lease(owner::connect(&self.writing)).await
    }

    async fn limited<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(self.limit, call).await.unwrap_or_else(|_| {
            let limit = self.limit.as_secs_f32();
            Err(StoreError::Unavailable(format!(
                "PostgreSQL did not answer within {limit} s"
            )))
        })
    }
}

/// Whether the connection is gone, and not only this call failed: it may have been so since long
/// ago, for a server that was restarted meanwhile. `57P01` and its like: shutting down.
fn is_lost(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || code(error).is_some_and(|code| code.starts_with("57P"))
}

/// Runs one of the functions of the modules beside this one on the connection that writes; when
/// that turns out to be lost, once more on a new one, since each of them may be repeated.
macro_rules! write {
    ($store:expr, $function:path $(, $argument:expr)*) => {
        $store.limited(async {
            loop {
                let mut lease = $store.lease().await?;
                match $function(&mut lease.connection $(, $argument)*).await {
                    Ok(answer) => {
                        lease.give_back();
                        return Ok(answer);
                    }
                    Err(error) if is_lost(&error) && !lease.is_new => {}
                    Err(error) => return Err(store_error(error)),
                }
            }
        })
        .await
    };
}

impl Store for PostgresStore {
    async fn append(&self, batch: &[Stored]) -> Result<(), StoreError> {
        write!(self, append::append, batch)
    }

    async fn locate(&self, id: MessageId) -> Result<Position, StoreError> {
        self.limited(read::locate(&self.readers, id)).await
    }

    async fn newest(&self) -> Result<Position, StoreError> {
        self.limited(read::newest(&self.readers)).await
    }

    async fn range(
        &self,
        from: Position,
        to: Position,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        self.limited(read::range(&self.readers, from, to, limit))
            .await
    }

    async fn before_last(&self, count: u32) -> Result<Position, StoreError> {
        self.limited(read::before_last(&self.readers, count)).await
    }

    async fn bans(&self) -> Result<Vec<Ban>, StoreError> {
        self.limited(moderation::bans(&self.readers)).await
    }

    async fn put_ban(&self, ban: &Ban) -> Result<(), StoreError> {
        write!(self, moderation::put_ban, ban)
    }

    async fn remove_ban(&self, id: BanId) -> Result<(), StoreError> {
        write!(self, moderation::remove_ban, id)
    }

    async fn origins(&self) -> Result<Vec<OriginRecord>, StoreError> {
        self.limited(moderation::origins(&self.readers)).await
    }

    async fn put_origin(&self, record: &OriginRecord) -> Result<(), StoreError> {
        write!(self, moderation::put_origin, record)
    }

    async fn cursor(&self, client: &ClientName) -> Result<Option<MessageId>, StoreError> {
        self.limited(read::cursor(&self.readers, client)).await
    }

    async fn put_cursor(&self, client: &ClientName, id: MessageId) -> Result<(), StoreError> {
        write!(self, append::put_cursor, client, id)
    }

    async fn kinds(&self) -> Result<Vec<Kind>, StoreError> {
        self.limited(read::kinds(&self.readers)).await
    }

    async fn prune(
        &self,
        kind: &Kind,
        retention: Retention,
        limit: u32,
    ) -> Result<u64, StoreError> {
        // Counting is reading: meanwhile others may write.
        let newest_to_go = prune::newest_to_go(&self.readers, kind, retention.keep);
        let newest_to_go = self.limited(newest_to_go).await?;
        write!(
            self,
            prune::prune,
            kind, retention.not_before_ms, newest_to_go, limit
        )
    }

    async fn check(&self) -> Result<(), StoreError> {
        write!(self, append::check)
    }
}
