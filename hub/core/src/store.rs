//! What the hub needs of a database. Implemented by the crate cmp-store, and in memory here.

use std::future::Future;
use std::sync::Arc;

use cmp_protocol::{ClientName, Kind, Message, MessageId};

use crate::moderation::{Ban, BanId, OriginRecord};

/// The place of a message in the order in which this hub delivered.
///
/// A stored-before message is anchored at its own number; a delivered-at-once message is
/// anchored at the last stored-before message that was delivered ahead of it, and so sorts where
/// it was seen although it is written later. Positions are this hub's own; other hubs
/// number differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The number of the stored-before message that this one is, or was delivered after.
    pub anchor: u64,
    /// The number of this message: unique, and growing in the order of writing.
    pub seq: u64,
}

/// A message with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its place.
    pub position: Position,
    /// The message.
    pub message: Arc<Message>,
}

/// How long messages of a kind are kept. Both bounds hold; none means no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Messages accepted before this moment go: milliseconds since 1970-01-01T00:00Z.
    pub not_before_ms: Option<u64>,
    /// The newest so many stay.
    pub keep: Option<u64>,
}

/// Why the store did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It may work later: disk full, database away or locked.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// What is stored can't be read back.
    #[error("the store holds something that this version can't read: {0}")]
    Corrupt(String),
}

/// The database of a hub. Every call may be repeated after an error.
pub trait Store: Send + Sync + 'static {
    /// Writes all of `batch` in one transaction; when this returns Ok, it is durable.
    /// Messages whose id is stored already are left as they are.
    fn append(&self, batch: &[Stored]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The place of a message. For an id that is not stored, the place of the newest message
    /// with a smaller id (that is, an earlier time), or the default place when there is none.
    fn locate(&self, id: MessageId) -> impl Future<Output = Result<Position, StoreError>> + Send;

    /// The highest numbers given so far, (0, 0) when nothing is stored: `anchor` is the highest
    /// anchor, `seq` the highest seq, which need not be those of one message.
    fn newest(&self) -> impl Future<Output = Result<Position, StoreError>> + Send;

    /// Up to `limit` messages after `from` and not after `to`, in order of position.
    fn range(
        &self,
        from: Position,
        to: Position,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Stored>, StoreError>> + Send;

    /// The place after which exactly the newest `count` messages lie; the default place when
    /// fewer are stored.
    fn before_last(&self, count: u32) -> impl Future<Output = Result<Position, StoreError>> + Send;

    /// Every ban, also those that have expired.
    fn bans(&self) -> impl Future<Output = Result<Vec<Ban>, StoreError>> + Send;

    /// Adds a ban or replaces the one with the same id.
    fn put_ban(&self, ban: &Ban) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes a ban; one that is not there is no error.
    fn remove_ban(&self, id: BanId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The warnings and mutes of all origins.
    fn origins(&self) -> impl Future<Output = Result<Vec<OriginRecord>, StoreError>> + Send;

    /// Adds or replaces the record of one origin; one without warnings and mute is removed.
    fn put_origin(
        &self,
        record: &OriginRecord,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The durable cursor of a client.
    fn cursor(
        &self,
        client: &ClientName,
    ) -> impl Future<Output = Result<Option<MessageId>, StoreError>> + Send;

    /// Sets the durable cursor of a client.
    fn put_cursor(
        &self,
        client: &ClientName,
        id: MessageId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The kinds of which messages are stored.
    fn kinds(&self) -> impl Future<Output = Result<Vec<Kind>, StoreError>> + Send;

    /// Removes up to `limit` messages of `kind` that `retention` no longer keeps, oldest
    /// first, and says how many.
    fn prune(
        &self,
        kind: &Kind,
        retention: Retention,
        limit: u32,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Fails when the store can't write at the moment. Changes nothing that is seen.
    fn check(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
