//! The state of the hub and the loop that owns it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cmp_protocol::ClientName;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::publish::Waiting;
use super::requests::Requests;
use super::resume::Page;
use super::sessions::SessionState;
use super::{Input, Signal};
use crate::admin::Stats;
use crate::bans::Bans;
use crate::flood::Flood;
use crate::policy::Policy;
use crate::session::{Credit, SessionId};
use crate::store::{Position, Store, StoreError};
use crate::writer::{self, WriteJob, Written};

/// Reports of the writer and pages of history that may wait; their senders wait for room.
const REPORTS: usize = 64;

/// How many sessions read history from the store at once; the others wait for their turn.
const RESUMES: usize = 4;

/// How long a reader that takes nothing is waited for, before it counts as stalled. Meanwhile a
/// sender that is too fast for it is held back.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is checked whether readers have caught up.
const HOLD_CHECK: Duration = Duration::from_millis(5);

/// Records of warned origins that may wait to be written; past it they are kept in memory only.
const ORIGIN_PLACES: usize = 1024;

/// Inputs handled in one go.
const INPUT_BATCH: usize = 64;

/// How often ended bans and idle counters are cleared away.
const SWEEP: Duration = Duration::from_secs(60);

/// The state of the hub. One task owns it.
pub(super) struct Core<S> {
    pub(super) policy: Arc<Policy>,
    announce: watch::Sender<Arc<Policy>>,
    pub(super) store: Arc<S>,
    /// For new sessions; weak, so that the hub ends with its last handle.
    pub(super) inputs: mpsc::WeakSender<Input>,
    pub(super) signals: mpsc::UnboundedSender<Signal>,

    pub(super) sessions: HashMap<SessionId, SessionState>,
    /// The connected clients and their sessions, in the order they came.
    pub(super) clients: BTreeMap<ClientName, Vec<SessionId>>,
    pub(super) newest_session: u64,
    pub(super) requests: Requests,
    pub(super) bans: Bans,
    pub(super) flood: Flood,

    /// The highest number given to a message.
    pub(super) newest_seq: u64,
    /// The number of the last stored-before message that was delivered.
    pub(super) anchor: u64,
    /// The place of the last message that was delivered.
    pub(super) delivered: Position,
    jobs: Option<mpsc::Sender<WriteJob>>,
    writer: Option<JoinHandle<()>>,
    reports: mpsc::Receiver<Written>,
    /// What the writer has not decided, in the order it was given.
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) store_healthy: bool,
    /// Messages that were delivered and wait for the store to come back.
    pub(super) late: u64,

    pub(super) pages: mpsc::Sender<Page>,
    page_queue: mpsc::Receiver<Page>,
    pub(super) resume_turns: Arc<Semaphore>,

    /// The number of the last cursor that was given to the store.
    pub(super) newest_ticket: u64,
    /// Whose turn it is to write the record of an origin.
    pub(super) origin_turn: Arc<Mutex<()>>,
    /// Room for records that wait for their turn.
    pub(super) origin_places: Arc<Semaphore>,

    /// Json sessions that are held until their first command, and until when; in order of time.
    pub(super) fresh: VecDeque<(Instant, SessionId)>,
    /// Commands that are done, whose senders are held back for readers that are behind.
    held: Vec<Credit>,
    /// When it is checked next whether readers have caught up.
    hold_check: Instant,
    pub(super) stats: Stats,
    pub(super) started: Instant,
    /// Set by a shutdown: why, and who waits for it.
    pub(super) closing: Option<(String, Vec<oneshot::Sender<()>>)>,
}

impl<S: Store> Core<S> {
    /// Reads what the store kept and starts the writer.
    pub(super) async fn load(
        announce: watch::Sender<Arc<Policy>>,
        store: Arc<S>,
        inputs: mpsc::WeakSender<Input>,
        signals: mpsc::UnboundedSender<Signal>,
    ) -> Result<Self, StoreError> {
        let policy = announce.borrow().clone();
        let newest = store.newest().await?;
        let (bans, problems) = Bans::load(store.bans().await?);
        for problem in problems {
            tracing::error!("{problem}");
        }
        let flood = Flood::new(policy.limits.flood_entries, store.origins().await?);
        let (jobs, job_queue) = mpsc::channel(policy.limits.store_queue);
        let (report, reports) = mpsc::channel(REPORTS);
        let writer = tokio::spawn(writer::run(
            store.clone(),
            policy.limits.store_timeout,
            job_queue,
            report,
        ));
        let (pages, page_queue) = mpsc::channel(RESUMES);
        Ok(Self {
            policy,
            announce,
            store,
            inputs,
            signals,
            sessions: HashMap::new(),
            clients: BTreeMap::new(),
            newest_session: 0,
            requests: Requests::default(),
            bans,
            flood,
            newest_seq: newest.seq.max(newest.anchor),
            anchor: newest.anchor,
            delivered: newest,
            jobs: Some(jobs),
            writer: Some(writer),
            reports,
            waiting: VecDeque::new(),
            store_healthy: true,
            late: 0,
            pages,
            page_queue,
            resume_turns: Arc::new(Semaphore::new(RESUMES)),
            newest_ticket: 0,
            origin_turn: Arc::default(),
            origin_places: Arc::new(Semaphore::new(ORIGIN_PLACES)),
            fresh: VecDeque::new(),
            held: Vec::new(),
            hold_check: Instant::now(),
            stats: Stats::default(),
            started: Instant::now(),
            closing: None,
        })
    }

    /// Handles inputs until a shutdown is complete or every handle is gone.
    pub(super) async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut signals: mpsc::UnboundedReceiver<Signal>,
    ) {
        let mut sweep = tokio::time::interval(SWEEP);
        let mut batch = Vec::with_capacity(INPUT_BATCH);
        loop {
            let deadline = self.requests.next_deadline();
            let held = !self.held.is_empty();
            let fresh = self.fresh.front().map(|(until, _)| *until);
            tokio::select! {
                // What frees resources comes first; what brings new work comes last.
                biased;
                Some(signal) = signals.recv() => {
                    // A session that detached has nothing on its way but what is in the queue.
                    for _ in 0..inputs.len() {
                        let Ok(input) = inputs.try_recv() else { break };
                        self.on_input(input);
                    }
                    self.on_signal(signal);
                }
                Some(report) = self.reports.recv() => self.on_written(report),
                Some(page) = self.page_queue.recv() => self.on_page(page),
                () = sleep_until(deadline.unwrap_or_else(far_away)), if deadline.is_some() => {
                    self.expire_requests();
                }
                () = sleep_until(fresh.unwrap_or_else(far_away)), if fresh.is_some() => {
                    self.release_fresh();
                }
                () = sleep_until(self.hold_check), if held => self.release_held(),
                _ = sweep.tick() => self.sweep(),
                count = inputs.recv_many(&mut batch, INPUT_BATCH) => {
                    if count == 0 {
                        break;
                    }
                    for input in batch.drain(..) {
                        self.on_input(input);
                    }
                }
            }
            if self.closing.is_some() && self.waiting.is_empty() {
                break;
            }
        }
        self.finish().await;
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Detach { session, reason } => self.detach(session, &reason),
            Signal::End { session, reason } => self.end_session(session, &reason),
            Signal::Cursor {
                session,
                ticket,
                event,
            } => {
                self.cursor_decided(session, ticket, event);
            }
        }
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Attach { attach, reply } => {
                // A caller that has gone drops the session it is given, which detaches it.
                let _ = reply.send(self.attach(attach));
            }
            Input::Submit {
                session,
                submission,
                credit,
            } => {
                self.submit(session, submission, credit);
            }
            Input::Finish { session } => self.finish_input(session),
            Input::Admin { by, request, reply } => self.admin(&by, request, reply),
            Input::SetPolicy { policy, reply } => {
                self.set_policy(policy);
                let _ = reply.send(());
            }
            Input::Shutdown { reason, reply } => match &mut self.closing {
                Some((_, replies)) => replies.push(reply),
                None => self.closing = Some((reason, vec![reply])),
            },
        }
    }

    fn set_policy(&mut self, policy: Arc<Policy>) {
        self.policy = policy;
        let ids: Vec<_> = self.sessions.keys().copied().collect();
        for id in ids {
            self.take_over_role(id);
        }
        self.announce.send_replace(self.policy.clone());
    }

    /// Gives a message to the writer; false when it has no room.
    pub(super) fn give_to_writer(&self, job: WriteJob) -> bool {
        self.jobs
            .as_ref()
            .is_some_and(|jobs| jobs.try_send(job).is_ok())
    }

    /// Keeps the sender of a command back until its readers have caught up. What is held is bounded
    /// by the credit of the sessions.
    pub(super) fn hold_back(&mut self, credit: Credit) {
        if self.held.is_empty() {
            self.hold_check = Instant::now() + HOLD_CHECK;
        }
        self.held.push(credit);
    }

    fn release_held(&mut self) {
        self.hold_check = Instant::now() + HOLD_CHECK;
        if !self
            .sessions
            .values()
            .any(|state| state.outbox.pressed(PATIENCE))
        {
            self.held.clear();
        }
    }

    /// Clears away what has ended by itself: idle counters, bans, warnings and mutes.
    fn sweep(&mut self) {
        let clients = &self.clients;
        self.flood
            .forget_idle(|client| clients.contains_key(client), Instant::now());
        let longest = self
            .policy
            .roles
            .values()
            .map(|role| role.flood.warning_window)
            .max();
        let origins =
            self.flood
                .take_ended(longest.unwrap_or_default(), now_ms(), ORIGIN_PLACES / 2);
        self.keep_origins(origins);
        let bans = self.bans.take_ended(now_ms());
        let (store, limit) = (self.store.clone(), self.policy.limits.store_timeout);
        tokio::spawn(async move {
            for id in bans {
                if !matches!(timeout(limit, store.remove_ban(id)).await, Ok(Ok(()))) {
                    // It is removed at the next start, when it has ended as well.
                    tracing::warn!("ended bans could not be removed");
                    return;
                }
            }
        });
    }

    /// Ends every session, lets the writer store what it has, and tells who waits.
    async fn finish(mut self) {
        let reason = self
            .closing
            .as_ref()
            .map_or("the hub has ended", |(reason, _)| reason);
        let reason = reason.to_owned();
        let ids: Vec<_> = self.sessions.keys().copied().collect();
        for id in ids {
            self.end_session(id, &reason);
        }
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            // Its reports are not handled any more; the channel is drained so that it ends.
            let drain = async { while self.reports.recv().await.is_some() {} };
            let (ended, ()) = tokio::join!(writer, drain);
            if let Err(error) = ended {
                tracing::error!(%error, "the writer failed");
            }
        }
        if let Some((_, replies)) = self.closing.take() {
            for reply in replies {
                let _ = reply.send(());
            }
        }
    }
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

/// Now, in milliseconds since 1970-01-01T00:00Z.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
