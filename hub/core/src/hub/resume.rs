//! Resume: what a json client missed, from the store, then live without a gap or a double.
//!
//! A round begins by noting the last delivered position and what was delivered but may not be
//! stored yet. Everything up to that position is sent in order; what is delivered live in the
//! meantime is held. At the end of the round the held messages follow, and the session is live.
//! When too much is held, it is dropped and another round fetches it from the store.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use cmp_protocol::{ClientName, Envelope, ErrorCode, Event, MessageId, Refusal, Since, Tag};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::core::Core;
use super::submit::envelope;
use crate::outbox::{OutboxSender, Pushed};
use crate::session::{Credit, SessionId};
use crate::store::{Position, Store, StoreError, Stored};

/// Messages a json session may see before it can no longer resume.
const MAX_SEEN: usize = 1024;

/// Messages read from the store at once.
const ROWS: u32 = 256;

/// How far a session is with resuming.
pub(super) enum Resume {
    /// It may still resume; these it has seen live.
    Possible { seen: Vec<MessageId> },
    /// It has seen too much to tell what is missing.
    TooLate,
    /// History is being sent.
    Running(Box<Running>),
    /// All is sent, or nothing more is wanted.
    Done,
}

impl Resume {
    /// Notes a message that a session sees live before it resumes.
    pub(super) fn note(seen: &mut Vec<MessageId>, id: MessageId) {
        // One more than the bound says that the bound was passed.
        if seen.len() <= MAX_SEEN {
            seen.push(id);
        }
    }
}

/// A session to which history is being sent.
pub(super) struct Running {
    tag: Option<Tag>,
    /// Given back when all is sent.
    _credit: Credit,
    /// Messages sent so far.
    count: u64,
    /// Seen live before the resume.
    seen: HashSet<MessageId>,
    /// Delivered live since the round began.
    held: Vec<Arc<Envelope>>,
    held_bytes: usize,
    /// Too much was held: another round is needed.
    overflowed: bool,
    /// Up to where this round goes.
    upto: Position,
    /// Delivered before the round began and perhaps not stored yet, by position.
    unstored: VecDeque<Stored>,
}

impl Running {
    /// Keeps a live message for the end of the round; `bound` is that of the outbox.
    pub(super) fn hold(&mut self, message: &Arc<Envelope>, bound: usize) {
        self.held_bytes += message.size();
        if self.overflowed || self.held_bytes > bound / 4 {
            self.overflowed = true;
            self.held.clear();
        } else {
            self.held.push(message.clone());
        }
    }
}

/// Where a round begins.
enum From {
    Asked(Since),
    Position(Position),
}

/// A piece of history for one session.
pub(super) struct Page {
    session: SessionId,
    /// What lies behind it was sent, or is known to the client.
    from: Position,
    rows: Result<Vec<Stored>, StoreError>,
    /// The last of its round.
    last: bool,
}

impl<S: Store> Core<S> {
    /// Begins to send what a session missed.
    pub(super) fn resume(
        &mut self,
        id: SessionId,
        since: Since,
        tag: Option<Tag>,
        credit: Credit,
    ) -> Result<(), Refusal> {
        let Some(state) = self.sessions.get_mut(&id) else {
            return Ok(());
        };
        let seen = match &mut state.resume {
            Resume::Possible { seen } if seen.len() <= MAX_SEEN => std::mem::take(seen),
            _ => {
                let reason = "RESUME comes once per session, and early; open a new session";
                return Err(Refusal::new("RESUME", ErrorCode::Limit, reason));
            }
        };
        state.resume = Resume::Running(Box::new(Running {
            tag,
            _credit: credit,
            count: 0,
            seen: seen.into_iter().collect(),
            held: Vec::new(),
            held_bytes: 0,
            overflowed: false,
            upto: Position::default(),
            unstored: VecDeque::new(),
        }));
        // A message that is not stored yet has its place here, and not in the store.
        let place = |known: MessageId| {
            self.waiting
                .iter()
                .find(|waiting| waiting.stored.message.id == known)
                .map(|waiting| waiting.stored.position)
        };
        let from = match since {
            Since::Id(known) => place(known).map_or(From::Asked(since), From::Position),
            Since::Cursor | Since::Last(_) => From::Asked(since),
        };
        self.begin_round(id, from);
        Ok(())
    }

    fn begin_round(&mut self, id: SessionId, from: From) {
        let mut unstored: Vec<_> = self
            .waiting
            .iter()
            .filter(|waiting| waiting.undelivered.is_none())
            .map(|waiting| waiting.stored.clone())
            .collect();
        unstored.sort_by_key(|stored| stored.position);
        let upto = self.delivered;
        let Some(state) = self.sessions.get_mut(&id) else {
            return;
        };
        let Resume::Running(running) = &mut state.resume else {
            return;
        };
        running.held.clear();
        running.held_bytes = 0;
        running.overflowed = false;
        running.upto = upto;
        running.unstored = unstored.into();
        let reader = Reader {
            session: id,
            client: state.client.clone(),
            store: self.store.clone(),
            limit: self.policy.limits.store_timeout,
            piece: self.policy.limits.outbox_bytes / 4,
            turns: self.resume_turns.clone(),
            outbox: state.outbox.clone(),
            pages: self.pages.clone(),
        };
        tokio::spawn(reader.read(from, upto));
    }

    pub(super) fn on_page(&mut self, page: Page) {
        let Page {
            session,
            from,
            rows,
            last,
        } = page;
        let Some(state) = self.sessions.get_mut(&session) else {
            return;
        };
        let Resume::Running(running) = &mut state.resume else {
            return;
        };
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => return self.resume_failed(session, &error),
        };
        let ids: HashSet<_> = rows.iter().map(|row| row.message.id).collect();
        running
            .unstored
            .retain(|stored| stored.position > from && !ids.contains(&stored.message.id));
        running.held.retain(|held| match held.event() {
            Event::Message(message) => !ids.contains(&message.id),
            _ => true,
        });
        let mut send = |stored: &Stored, running: &mut Running| {
            if !running.seen.contains(&stored.message.id) {
                running.count += 1;
                self.stats.deliveries += 1;
                state
                    .outbox
                    .push_event(Event::Message(stored.message.clone()));
            }
        };
        for row in &rows {
            while let Some(earlier) = running
                .unstored
                .pop_front_if(|stored| stored.position < row.position)
            {
                send(&earlier, running);
            }
            send(row, running);
        }
        if !last {
            return;
        }
        while let Some(stored) = running.unstored.pop_front() {
            send(&stored, running);
        }
        if running.overflowed {
            let upto = running.upto;
            self.begin_round(session, From::Position(upto));
        } else {
            self.go_live(session);
        }
    }

    /// Everything that was missed is sent: the held messages follow.
    fn go_live(&mut self, id: SessionId) {
        let Some(state) = self.sessions.get_mut(&id) else {
            return;
        };
        let Resume::Running(running) = std::mem::replace(&mut state.resume, Resume::Done) else {
            return;
        };
        let resumed = Event::Resumed {
            count: running.count,
            tag: running.tag,
        };
        for held in running.held.iter().chain([&envelope(resumed)]) {
            self.stats.deliveries += 1;
            if state.outbox.push(held) == Pushed::Overflow {
                state.ended = true;
                self.stats.slow_readers += 1;
            }
        }
        self.finish_if_done(id);
    }

    fn resume_failed(&mut self, id: SessionId, error: &StoreError) {
        let Some(state) = self.sessions.get_mut(&id) else {
            return;
        };
        let Resume::Running(running) = std::mem::replace(&mut state.resume, Resume::TooLate) else {
            return;
        };
        for held in &running.held {
            state.outbox.push(held);
        }
        let reason = format!("history can't be read: {error}; try again in a new session");
        let refusal = Refusal::new("RESUME", ErrorCode::Unavailable, reason);
        let event = self.refused(refusal, running.tag);
        self.tell(id, event);
        self.finish_if_done(id);
    }
}

/// Reads history for one session, as fast as the session takes it.
struct Reader<S> {
    session: SessionId,
    client: ClientName,
    store: Arc<S>,
    /// The time one query may take.
    limit: Duration,
    /// Bytes to hand over at once.
    piece: usize,
    turns: Arc<Semaphore>,
    outbox: OutboxSender,
    pages: mpsc::Sender<Page>,
}

impl<S: Store> Reader<S> {
    async fn read(self, from: From, upto: Position) {
        let mut from = match self.begin(from, upto).await {
            Ok(from) => from,
            Err(error) => return self.send(Position::default(), Err(error), true).await,
        };
        loop {
            let rows = match self.query(self.store.range(from, upto, ROWS)).await {
                Ok(rows) => rows,
                Err(error) => return self.send(from, Err(error), true).await,
            };
            let last = rows.len() < ROWS as usize;
            let next = rows.last().map_or(upto, |row| row.position);
            let mut pieces = pieces(rows, self.piece).into_iter().peekable();
            while let Some(piece) = pieces.next() {
                let last = last && pieces.peek().is_none();
                let end = piece.last().map_or(next, |row| row.position);
                self.send(from, Ok(piece), last).await;
                from = end;
                self.outbox.room().await;
            }
            if last {
                return;
            }
        }
    }

    async fn begin(&self, from: From, upto: Position) -> Result<Position, StoreError> {
        match from {
            From::Position(position) => Ok(position),
            From::Asked(Since::Id(id)) => self.query(self.store.locate(id)).await,
            From::Asked(Since::Last(count)) => self.query(self.store.before_last(count)).await,
            From::Asked(Since::Cursor) => {
                match self.query(self.store.cursor(&self.client)).await? {
                    Some(id) => self.query(self.store.locate(id)).await,
                    None => Ok(upto),
                }
            }
        }
    }

    /// Asks the store when it is this session's turn, and not for longer than the limit.
    async fn query<T>(
        &self,
        query: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let _turn = self.turns.acquire().await;
        timeout(self.limit, query).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", self.limit.as_secs_f32());
            Err(StoreError::Unavailable(reason))
        })
    }

    async fn send(&self, from: Position, rows: Result<Vec<Stored>, StoreError>, last: bool) {
        // An error means that the hub has ended.
        let _ = self
            .pages
            .send(Page {
                session: self.session,
                from,
                rows,
                last,
            })
            .await;
    }
}

/// Cuts rows into pieces of about `bytes`; at least one piece, which may be empty.
fn pieces(rows: Vec<Stored>, bytes: usize) -> Vec<Vec<Stored>> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let mut size = 0;
    for row in rows {
        size += row.message.size();
        piece.push(row);
        if size >= bytes {
            pieces.push(std::mem::take(&mut piece));
            size = 0;
        }
    }
    if !piece.is_empty() || pieces.is_empty() {
        pieces.push(piece);
    }
    pieces
}
