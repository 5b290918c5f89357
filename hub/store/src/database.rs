//! Either database behind one type.

use cmp_core::{Ban, BanId, OriginRecord, Position, Retention, Store, StoreError, Stored};
use cmp_protocol::{ClientName, Kind, MessageId};

use crate::{Location, OpenError, PostgresStore, SqliteStore, StoreSettings};

/// An open database, which no other hub can open until this one has closed it or ended.
#[derive(Debug)]
pub enum Database {
    /// A file.
    Sqlite(SqliteStore),
    /// A database of a server.
    Postgres(PostgresStore),
}

impl Database {
    /// Opens the database of `settings`, and makes its tables or brings them to this version.
    pub async fn open(settings: &StoreSettings) -> Result<Self, OpenError> {
        match &settings.location {
            Location::Sqlite(path) => SqliteStore::open(path, settings).await.map(Self::Sqlite),
            Location::Postgres(address) => PostgresStore::open(address, settings)
                .await
                .map(Self::Postgres),
        }
    }
}

/// The same call on whichever database it is.
macro_rules! either {
    ($database:expr, $store:ident => $call:expr) => {
        match $database {
            Database::Sqlite($store) => $call.await,
            Database::Postgres($store) => $call.await,
        }
    };
}

impl Database {
    /// Finishes what runs and closes every connection. Later calls fail.
    pub async fn close(&self) {
        either!(self, store => store.close());
    }
}

impl Store for Database {
    async fn append(&self, batch: &[Stored]) -> Result<(), StoreError> {
        either!(self, store => store.append(batch))
    }

    async fn locate(&self, id: MessageId) -> Result<Position, StoreError> {
        either!(self, store => store.locate(id))
    }

    async fn newest(&self) -> Result<Position, StoreError> {
        either!(self, store => store.newest())
    }

    async fn range(
        &self,
        from: Position,
        to: Position,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        either!(self, store => store.range(from, to, limit))
    }

    async fn before_last(&self, count: u32) -> Result<Position, StoreError> {
        either!(self, store => store.before_last(count))
    }

    async fn bans(&self) -> Result<Vec<Ban>, StoreError> {
        either!(self, store => store.bans())
    }

    async fn put_ban(&self, ban: &Ban) -> Result<(), StoreError> {
        either!(self, store => store.put_ban(ban))
    }

    async fn remove_ban(&self, id: BanId) -> Result<(), StoreError> {
        either!(self, store => store.remove_ban(id))
    }

    async fn origins(&self) -> Result<Vec<OriginRecord>, StoreError> {
        either!(self, store => store.origins())
    }

    async fn put_origin(&self, record: &OriginRecord) -> Result<(), StoreError> {
        either!(self, store => store.put_origin(record))
    }

    async fn cursor(&self, client: &ClientName) -> Result<Option<MessageId>, StoreError> {
        either!(self, store => store.cursor(client))
    }

    async fn put_cursor(&self, client: &ClientName, id: MessageId) -> Result<(), StoreError> {
        either!(self, store => store.put_cursor(client, id))
    }

    async fn kinds(&self) -> Result<Vec<Kind>, StoreError> {
        either!(self, store => store.kinds())
    }

    async fn prune(
        &self,
        kind: &Kind,
        retention: Retention,
        limit: u32,
    ) -> Result<u64, StoreError> {
        either!(self, store => store.prune(kind, retention, limit))
    }

    async fn check(&self) -> Result<(), StoreError> {
        either!(self, store => store.check())
    }
}
