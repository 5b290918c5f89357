//! Short names from the DNS, asked for in the background.
//!
//! Bounds: [`MAX_RUNNING`] questions at once, [`MAX_WAITING`] who wait for an answer, [`CACHE`]
//! addresses remembered. Whoever comes when too many wait is told at once that there is no name;
//! whoever waits longer than the time limit too.

mod cache;
mod dns;
mod shorten;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, timeout_at};

use crate::settings::ReverseSettings;
use cache::{Cache, Known};

/// Questions to the DNS at once.
const MAX_RUNNING: usize = 16;

/// Requests that wait for an answer at once.
const MAX_WAITING: usize = 256;

/// Addresses remembered: about 1 MB.
const CACHE: usize = 4096;

/// How long a name is remembered. Names of servers change seldom, and nothing breaks when one
/// is an hour old.
const KEEP_NAME: Duration = Duration::from_secs(3600);

/// How long it is remembered that an address has no name.
const KEEP_NONE: Duration = Duration::from_secs(600);

/// How long an address is not asked for again when nobody answered.
const KEEP_FAILURE: Duration = Duration::from_secs(60);

/// What came of one question.
enum Outcome {
    /// The DNS answered.
    Answered(Known),
    /// It did not.
    Failed,
    /// Its turn did not come in time.
    NotAsked,
}

/// Someone who waits, and what to tell: the short name, or none.
pub(crate) type Told<W> = (W, Option<String>);

/// Questions for one address that is being looked up.
struct Pending<W> {
    ip: IpAddr,
    waiters: Vec<W>,
}

/// Looks up short names for `W`s, who wait for them.
pub(crate) struct ReverseNames<W> {
    settings: ReverseSettings,
    cache: Cache,
    turns: Arc<Semaphore>,
    running: JoinSet<Outcome>,
    pending: HashMap<task::Id, Pending<W>>,
    waiting: usize,
}

impl<W> ReverseNames<W> {
    pub(crate) fn new(settings: ReverseSettings) -> Self {
        Self {
            settings,
            cache: Cache::new(CACHE),
            turns: Arc::new(Semaphore::new(MAX_RUNNING)),
            running: JoinSet::new(),
            pending: HashMap::new(),
            waiting: 0,
        }
    }

    /// Asks for the name of an address. The answer comes at once when it is known or too many
    /// wait; else `waiter` waits for [`Self::next`].
    pub(crate) fn ask(&mut self, ip: IpAddr, waiter: W) -> Option<Told<W>> {
        if let Some(known) = self.cache.get(ip, Instant::now()) {
            return Some((waiter, known.clone()));
        }
        if self.waiting >= MAX_WAITING {
            tracing::debug!(%ip, "too many wait for reverse names: answered without");
            return Some((waiter, None));
        }
        self.waiting += 1;
        if let Some(pending) = self.pending.values_mut().find(|pending| pending.ip == ip) {
            pending.waiters.push(waiter);
        } else {
            let task = self
                .running
                .spawn(look_up(ip, self.settings, self.turns.clone()));
            self.pending.insert(
                task.id(),
                Pending {
                    ip,
                    waiters: vec![waiter],
                },
            );
        }
        None
    }

    /// Waits until one address is looked up and says who is to be told what. Never ready while
    /// nobody waits. Cancel safe.
    pub(crate) async fn next(&mut self) -> Vec<Told<W>> {
        let (task, outcome) = match self.running.join_next_with_id().await {
            Some(Ok(done)) => done,
            // A panic in the lookup: whoever waits is told that there is no name.
            Some(Err(error)) => (error.id(), Outcome::Failed),
            None => std::future::pending().await,
        };
        let Some(Pending { ip, waiters }) = self.pending.remove(&task) else {
            return Vec::new();
        };
        self.waiting -= waiters.len();
        let name = self.learn(ip, outcome);
        waiters
            .into_iter()
            .map(|waiter| (waiter, name.clone()))
            .collect()
    }

    /// Ends all lookups and says who still waited.
    pub(crate) fn give_up(&mut self) -> Vec<W> {
        self.running.abort_all();
        self.running = JoinSet::new();
        self.waiting = 0;
        self.pending
            .drain()
            .flat_map(|(_, pending)| pending.waiters)
            .collect()
    }

    fn learn(&mut self, ip: IpAddr, outcome: Outcome) -> Option<String> {
        let (known, keep) = match outcome {
            Outcome::Answered(Some(name)) => (Some(name), KEEP_NAME),
            Outcome::Answered(None) => (None, KEEP_NONE),
            Outcome::Failed => (None, KEEP_FAILURE),
            Outcome::NotAsked => return None,
        };
        self.cache.put(ip, known.clone(), Instant::now() + keep);
        known
    }
}

/// Looks up one address when its turn comes.
async fn look_up(ip: IpAddr, settings: ReverseSettings, turns: Arc<Semaphore>) -> Outcome {
    let deadline = Instant::now() + settings.timeout;
    let Ok(Ok(_turn)) = timeout_at(deadline, turns.acquire()).await else {
        tracing::debug!(%ip, "too many reverse names are looked up: answered without");
        return Outcome::NotAsked;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    match timeout_at(deadline, dns::reverse_name(ip, settings.server, left)).await {
        Ok(Ok(host)) => Outcome::Answered(host.map(|host| shorten::registrable(&host).to_owned())),
        Ok(Err(error)) => {
            tracing::debug!(%ip, %error, "no reverse name");
            Outcome::Failed
        }
        Err(_) => Outcome::Failed,
    }
}
