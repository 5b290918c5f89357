//! A [`Store`] in memory: for bots that run alone, and for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cmp_protocol::{ClientName, Kind, Message, MessageId};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, watch};

use crate::moderation::{Ban, BanId, OriginRecord};
use crate::store::{Position, Retention, Store, StoreError, Stored};

/// Keeps the newest messages in memory, and loses everything when it is dropped.
///
/// Each table holds `capacity` entries at most: of the messages the oldest is dropped, of the
/// origins the one that was warned longest ago; one ban or cursor more is refused as
/// [`StoreError::Unavailable`].
#[derive(Debug)]
pub struct MemoryStore {
    capacity: usize,
    tables: Mutex<Tables>,
    failing: AtomicBool,
    gate: Arc<RwLock<()>>,
    begun: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Tables {
    messages: BTreeMap<Position, Arc<Message>>,
    positions: BTreeMap<MessageId, Position>,
    newest: Position,
    bans: BTreeMap<BanId, Ban>,
    origins: BTreeMap<Bytes, OriginRecord>,
    cursors: BTreeMap<ClientName, MessageId>,
}

impl MemoryStore {
    /// How many messages [`MemoryStore::default`] keeps.
    pub const DEFAULT_CAPACITY: usize = 10_000;

    /// An empty store that keeps the newest `capacity` messages.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            tables: Mutex::default(),
            failing: AtomicBool::new(false),
            gate: Arc::default(),
            begun: watch::Sender::new(0),
        }
    }

    /// For tests: from now on every call answers [`StoreError::Unavailable`], or does so no more.
    pub fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    /// For tests: appends wait, whether they will fail or not, until the answer is dropped. First
    /// waits for those that run.
    pub async fn hold_appends(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }

    /// For tests: how many appends were begun so far, those that are held included.
    pub fn appends_begun(&self) -> watch::Receiver<u64> {
        self.begun.subscribe()
    }

    fn tables(&self) -> Result<MutexGuard<'_, Tables>, StoreError> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("set to fail".to_owned()));
        }
        // No operation leaves the tables half changed, so what a panic left is good.
        Ok(self.tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn full(&self, table: &str) -> StoreError {
        StoreError::Unavailable(format!("{} {table} are stored, the most", self.capacity))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Self::DEFAULT_CAPACITY)
    }
}

impl Tables {
    fn remove(&mut self, position: Position) {
        if let Some(message) = self.messages.remove(&position) {
            self.positions.remove(&message.id);
        }
    }

    /// The messages of `batch` whose id is not stored yet. Fails when a place is taken.
    fn new_in(&self, batch: &[Stored]) -> Result<BTreeMap<Position, Arc<Message>>, StoreError> {
        let mut new = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for Stored { position, message } in batch {
            if self.positions.contains_key(&message.id) || !ids.insert(message.id) {
                continue;
            }
            let taken = new.insert(*position, Arc::clone(message)).is_some();
            if taken || self.messages.contains_key(position) {
                return Err(StoreError::Unavailable(format!("{position:?} is taken")));
            }
        }
        Ok(new)
    }

    /// The places of the messages that `retention` no longer keeps, oldest first.
    fn expired(&self, kind: &Kind, retention: Retention) -> Vec<Position> {
        let of_kind = || {
            let all = self.messages.iter();
            all.filter(|(_, message)| message.kind == *kind)
        };
        let excess = retention.keep.map_or(0, |keep| {
            let keep = usize::try_from(keep).unwrap_or(usize::MAX);
            of_kind().count().saturating_sub(keep)
        });
        let too_old = |message: &Message| {
            let bound = retention.not_before_ms;
            bound.is_some_and(|not_before| message.time_ms < not_before)
        };
        of_kind()
            .enumerate()
            .filter(|(age_rank, (_, message))| *age_rank < excess || too_old(message))
            .map(|(_, (position, _))| *position)
            .collect()
    }
}

impl Store for MemoryStore {
    async fn append(&self, batch: &[Stored]) -> Result<(), StoreError> {
        self.begun.send_modify(|count| *count += 1);
        let _open = self.gate.read().await;
        let mut tables = self.tables()?;
        for (position, message) in tables.new_in(batch)? {
            tables.positions.insert(message.id, position);
            tables.messages.insert(position, message);
        }
        for Stored { position, .. } in batch {
            tables.newest.anchor = tables.newest.anchor.max(position.anchor);
            tables.newest.seq = tables.newest.seq.max(position.seq);
        }
        while tables.messages.len() > self.capacity
            && let Some((oldest, _)) = tables.messages.first_key_value()
        {
            let oldest = *oldest;
            tables.remove(oldest);
        }
        Ok(())
    }

    async fn locate(&self, id: MessageId) -> Result<Position, StoreError> {
        let tables = self.tables()?;
        let found = tables.positions.range(..=id).next_back();
        Ok(found.map(|(_, position)| *position).unwrap_or_default())
    }

    async fn newest(&self) -> Result<Position, StoreError> {
        Ok(self.tables()?.newest)
    }

    async fn range(
        &self,
        from: Position,
        to: Position,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        let tables = self.tables()?;
        if from >= to {
            return Ok(Vec::new());
        }
        let within = (Bound::Excluded(from), Bound::Included(to));
        let within = tables.messages.range(within);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let stored = within.take(limit).map(|(position, message)| Stored {
            position: *position,
            message: Arc::clone(message),
        });
        Ok(stored.collect())
    }

    async fn before_last(&self, count: u32) -> Result<Position, StoreError> {
        let tables = self.tables()?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let before = tables.messages.keys().nth_back(count);
        Ok(before.copied().unwrap_or_default())
    }

    async fn bans(&self) -> Result<Vec<Ban>, StoreError> {
        Ok(self.tables()?.bans.values().cloned().collect())
    }

    async fn put_ban(&self, ban: &Ban) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        if tables.bans.len() >= self.capacity && !tables.bans.contains_key(&ban.id) {
            return Err(self.full("bans"));
        }
        tables.bans.insert(ban.id, ban.clone());
        Ok(())
    }

    async fn remove_ban(&self, id: BanId) -> Result<(), StoreError> {
        self.tables()?.bans.remove(&id);
        Ok(())
    }

    async fn origins(&self) -> Result<Vec<OriginRecord>, StoreError> {
        Ok(self.tables()?.origins.values().cloned().collect())
    }

    async fn put_origin(&self, record: &OriginRecord) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        tables.origins.remove(&record.origin);
        if record.warnings == 0 && record.muted_until_ms.is_none() {
            return Ok(());
        }
        if tables.origins.len() >= self.capacity {
            let by_age = |record: &&OriginRecord| record.first_warning_ms;
            let oldest = tables.origins.values().min_by_key(by_age);
            if let Some(origin) = oldest.map(|record| record.origin.clone()) {
                tables.origins.remove(&origin);
            }
        }
        tables.origins.insert(record.origin.clone(), record.clone());
        Ok(())
    }

    async fn cursor(&self, client: &ClientName) -> Result<Option<MessageId>, StoreError> {
        Ok(self.tables()?.cursors.get(client).copied())
    }

    async fn put_cursor(&self, client: &ClientName, id: MessageId) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        if tables.cursors.len() >= self.capacity && !tables.cursors.contains_key(client) {
            return Err(self.full("cursors"));
        }
        tables.cursors.insert(client.clone(), id);
        Ok(())
    }

    async fn kinds(&self) -> Result<Vec<Kind>, StoreError> {
        let tables = self.tables()?;
        let mut kinds: Vec<Kind> = tables.messages.values().map(|m| m.kind.clone()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        Ok(kinds)
    }

    async fn prune(
        &self,
        kind: &Kind,
        retention: Retention,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables()?;
        let mut expired = tables.expired(kind, retention);
        expired.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        for position in &expired {
            tables.remove(*position);
        }
        Ok(u64::try_from(expired.len()).unwrap_or(u64::MAX))
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.tables().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use cmp_protocol::{Class, HubName};
    use tokio::time::{Duration, timeout};

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    fn at(number: u64) -> Position {
        Position {
            anchor: number,
            seq: number,
        }
    }

    fn sample(number: u64) -> Stored {
        let message = Message {
            id: MessageId::generate(),
            hub: HubName::new("hub").unwrap(),
            client: ClientName::new("client").unwrap(),
            time_ms: number,
            class: Class::Chat,
            kind: Kind::chat(),
            nick: None,
            origin: None,
            text: Bytes::new(),
            encoding: None,
        };
        Stored {
            position: at(number),
            message: Arc::new(message),
        }
    }

    #[tokio::test]
    async fn the_newest_stay() {
        let store = MemoryStore::new(2);
        let messages: Vec<Stored> = (1..=4).map(sample).collect();
        for message in &messages {
            store.append(std::slice::from_ref(message)).await.unwrap();
        }
        let left = store.range(at(0), at(9), 9).await.unwrap();
        assert_eq!(left, messages[2..]);
        let gone = messages[0].message.id;
        assert_eq!(store.locate(gone).await.unwrap(), Position::default());
        assert_eq!(store.newest().await.unwrap(), at(4));
    }

    #[tokio::test]
    async fn other_tables_are_bounded() {
        let store = MemoryStore::new(1);
        let origin = |name: &'static str, first_warning_ms| OriginRecord {
            origin: name.into(),
            warnings: 1,
            first_warning_ms,
            muted_until_ms: None,
        };
        store.put_origin(&origin("#old", 1)).await.unwrap();
        store.put_origin(&origin("#new", 2)).await.unwrap();
        assert_eq!(store.origins().await.unwrap(), [origin("#new", 2)]);

        let client = |name| ClientName::new(name).unwrap();
        let id = MessageId::generate();
        store.put_cursor(&client("one"), id).await.unwrap();
        store.put_cursor(&client("one"), id).await.unwrap();
        let error = store.put_cursor(&client("two"), id).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the store is unavailable: 1 cursors are stored, the most"
        );
    }

    #[tokio::test]
    async fn it_fails_when_told_to() {
        let store = MemoryStore::default();
        store.set_failing(true);
        assert!(store.append(&[sample(1)]).await.is_err());
        assert!(store.check().await.is_err());
        store.set_failing(false);
        assert_eq!(store.newest().await.unwrap(), at(0));
        store.append(&[sample(1)]).await.unwrap();
    }

    #[tokio::test]
    async fn appends_are_held_back() {
        let store = Arc::new(MemoryStore::default());
        let held = store.hold_appends().await;
        let mut begun = store.appends_begun();
        let append = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.append(&[sample(1)]).await }
        });
        timeout(LONG, begun.wait_for(|count| *count == 1))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(store.newest().await.unwrap(), at(0));
        drop(held);
        timeout(LONG, append).await.unwrap().unwrap().unwrap();
        assert_eq!(store.newest().await.unwrap(), at(1));
    }
}
