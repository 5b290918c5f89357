//! The store in an SQLite file.

mod append;
mod moderation;
mod open;
mod owner;
#[cfg(test)]
mod plans;
mod prune;
mod read;

use cmp_core::{Ban, BanId, OriginRecord, Position, Retention, Store, StoreError, Stored};
use cmp_protocol::{ClientName, Kind, MessageId};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use crate::error::store_error;
use crate::lease::{Lease, Writer};
use owner::OwnerLock;

/// A hub's database in an SQLite file. One connection writes, a few others read beside it.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer<SqliteConnection>,
    readers: SqlitePool,
    options: SqliteConnectOptions,
    // Last, so that the file is free only once the connections are closed.
    _owner: OwnerLock,
}

impl SqliteStore {
    /// Finishes what runs and closes every connection. Later calls fail.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = self.writer.close().await {
            // What an error leaves in the log file beside the database is read at the next start.
            let _ = writer.close().await;
        }
    }

    async fn lease(&self) -> Result<Lease<'_, SqliteConnection>, StoreError> {
        let connect = async { self.options.connect().await.map_err(store_error) };
        self.writer.lease(connect).await
    }
}

/// Runs one of the functions of the modules beside this one on the connection that writes.
macro_rules! write {
    ($store:expr, $function:path $(, $argument:expr)*) => {{
        let mut lease = $store.lease().await?;
        let answer = $function(&mut lease.connection $(, $argument)*).await;
        let answer = answer.map_err(store_error)?;
        lease.give_back();
        Ok(answer)
    }};
}

impl Store for SqliteStore {
    async fn append(&self, batch: &[Stored]) -> Result<(), StoreError> {
        write!(self, append::append, batch)
    }

    async fn locate(&self, id: MessageId) -> Result<Position, StoreError> {
        read::locate(&self.readers, id).await
    }

    async fn newest(&self) -> Result<Position, StoreError> {
        read::newest(&self.readers).await
    }

    async fn range(
        &self,
        from: Position,
        to: Position,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        read::range(&self.readers, from, to, limit).await
    }

    async fn before_last(&self, count: u32) -> Result<Position, StoreError> {
        read::before_last(&self.readers, count).await
    }

    async fn bans(&self) -> Result<Vec<Ban>, StoreError> {
        moderation::bans(&self.readers).await
    }

    async fn put_ban(&self, ban: &Ban) -> Result<(), StoreError> {
        write!(self, moderation::put_ban, ban)
    }

    async fn remove_ban(&self, id: BanId) -> Result<(), StoreError> {
        write!(self, moderation::remove_ban, id)
    }

    async fn origins(&self) -> Result<Vec<OriginRecord>, StoreError> {
        moderation::origins(&self.readers).await
    }

    async fn put_origin(&self, record: &OriginRecord) -> Result<(), StoreError> {
        write!(self, moderation::put_origin, record)
    }

    async fn cursor(&self, client: &ClientName) -> Result<Option<MessageId>, StoreError> {
        read::cursor(&self.readers, client).await
    }

    async fn put_cursor(&self, client: &ClientName, id: MessageId) -> Result<(), StoreError> {
        write!(self, append::put_cursor, client, id)
    }

    async fn kinds(&self) -> Result<Vec<Kind>, StoreError> {
        read::kinds(&self.readers).await
    }

    async fn prune(
        &self,
        kind: &Kind,
        retention: Retention,
        limit: u32,
    ) -> Result<u64, StoreError> {
        // Counting is reading: meanwhile others may write.
        let newest_to_go = prune::newest_to_go(&self.readers, kind, retention.keep).await?;
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
