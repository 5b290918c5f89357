//! Resume: what a json client missed, from the store, then live without a gap or a double.
//!
//! A round begins by noting the last delivered position and what was delivered but may not be
//! stored yet. Everything up to that position is sent in order; what is delivered live in the
//! meantime is held. At the end of the round the held messages follow, and the session is live.
//! When too much is held, it is dropped and another round fetches it from the store.
//!
//! A json session that has just begun is held as well, for a moment and until its first command:
//! when that is the resume, everything comes in order. A session that resumes later gets what it
//! has not seen live, once, behind what it has.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use cmp_protocol::{
    Class, ClientName, Envelope, ErrorCode, Event, Form, Message, MessageId, Recipients, Refusal,
    RoleName, Since, Tag,
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::core::Core;
use super::sessions::SessionState;
use super::submit::envelope;
use crate::admin::Stats;
use crate::outbox::{OutboxSender, Pushed};
use crate::policy::Policy;
use crate::session::{Credit, SessionId};
use crate::store::{Position, Store, StoreError, Stored};

/// Messages a json session may see before it can no longer resume.
const MAX_SEEN: usize = 1024;

/// Messages read from the store at once.
const ROWS: u32 = 256;

/// How long a json session that says nothing waits for its first message, at most.
const FRESH: Duration = Duration::from_secs(1);

/// How far a session is with resuming.
pub(super) enum Resume {
    /// It has said nothing yet; what is delivered is held for a moment.
    Fresh(Held),
    /// It is live, and may still resume; these it has seen.
    Possible { seen: Vec<MessageId> },
    /// It has seen too much to tell what is missing.
    TooLate,
    /// History is being sent.
    Running(Box<Running>),
    /// All is sent, or nothing more is wanted.
    Done,
}

impl Resume {
    /// How a session begins: only the json dialect can resume.
    pub(super) fn begin(form: Form) -> Self {
        match form {
            Form::Json => Self::Fresh(Held::default()),
            Form::Central(_) => Self::Done,
        }
    }
}

/// Live messages that are held; `overflowed` when they were too many, and are dropped.
#[derive(Default)]
pub(super) struct Held {
    messages: Vec<Arc<Envelope>>,
    bytes: usize,
    overflowed: bool,
}

impl Held {
    /// Keeps a message; `bound` is that of the outbox it will go to. False when it does not fit.
    fn hold(&mut self, message: &Arc<Envelope>, bound: usize) -> bool {
        if self.bytes + message.size() > bound / 4 {
            return false;
        }
        self.bytes += message.size();
        self.messages.push(message.clone());
        true
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
    /// Delivered live since the round began; when too much, another round is needed.
    held: Held,
    /// Up to where this round goes.
    upto: Position,
    /// Delivered before the round began and perhaps not stored yet, by position.
    unstored: VecDeque<Stored>,
}

impl SessionState {
    /// Gives the session a live message, or holds it back for the right order.
    pub(super) fn deliver(
        &mut self,
        message: &Arc<Envelope>,
        bound: usize,
        stats: &mut Stats,
    ) -> Pushed {
        match &mut self.resume {
            Resume::Running(running) => {
                let held = &mut running.held;
                if held.overflowed || !held.hold(message, bound) {
                    *held = Held {
                        overflowed: true,
                        ..Held::default()
                    };
                }
                return Pushed::Queued;
            }
            Resume::Fresh(held) => {
                if held.hold(message, bound) {
                    return Pushed::Queued;
                }
                self.go_live(stats);
                self.note(message);
            }
            Resume::Possible { .. } => self.note(message),
            Resume::TooLate | Resume::Done => {}
        }
        self.push(message, stats)
    }

    /// Notes a message that is seen live while the session may still resume.
    fn note(&mut self, message: &Arc<Envelope>) {
        if let (Resume::Possible { seen }, Event::Message(message)) =
            (&mut self.resume, message.event())
        {
            if seen.len() < MAX_SEEN {
                seen.push(message.id);
            } else {
                self.resume = Resume::TooLate;
            }
        }
    }

    /// A session that was fresh goes live with what was held for it.
    pub(super) fn go_live(&mut self, stats: &mut Stats) {
        if let Resume::Fresh(held) = &mut self.resume {
            let held = std::mem::take(held);
            self.resume = Resume::Possible { seen: Vec::new() };
            for message in &held.messages {
                self.note(message);
                self.push(message, stats);
            }
        }
    }
}

/// Whether history may show a client this message: relayed lines go only to whom the dialect file
/// says, and to nobody when it no longer says so.
fn recipient(policy: &Policy, client: &ClientName, role: &RoleName, message: &Message) -> bool {
    if message.class != Class::Relay {
        return true;
    }
    match policy
        .dialect
        .relay(&message.kind.as_verb())
        .map(|relay| &relay.to)
    {
        Some(Recipients::All | Recipients::Others) => true,
        Some(Recipients::Role(meant)) => meant == role,
        Some(Recipients::Sender) => message.client == *client,
        None => false,
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
    /// Dropped when it is in the outbox, so that the reader sees whether there is room for more.
    handled: oneshot::Sender<Infallible>,
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
        if self.late > 0 {
            let reason = "messages wait to be stored, and history is not complete; try again";
            return Err(Refusal::new("RESUME", ErrorCode::Unavailable, reason));
        }
        let (seen, held) = match &mut state.resume {
            Resume::Fresh(held) => (Vec::new(), std::mem::take(held)),
            Resume::Possible { seen } => (std::mem::take(seen), Held::default()),
            Resume::TooLate | Resume::Running(_) | Resume::Done => {
                let reason = "RESUME comes once per session, and early; open a new session";
                return Err(Refusal::new("RESUME", ErrorCode::Limit, reason));
            }
        };
        state.resume = Resume::Running(Box::new(Running {
            tag,
            _credit: credit,
            count: 0,
            seen: seen.into_iter().collect(),
            held,
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
        if running.held.overflowed {
            running.held = Held::default();
        }
        running.upto = upto;
        running.unstored = unstored.into();
        let reader = Reader {
            session: id,
            client: state.client.clone(),
            store: self.store.clone(),
            limit: self.policy.limits.store_timeout,
            // With half of the outbox full, and a quarter held, there is room for one.
            piece: self.policy.limits.outbox_bytes / 8,
            turns: self.resume_turns.clone(),
            outbox: state.outbox.clone(),
            pages: self.pages.clone(),
        };
        tokio::spawn(reader.read(from, upto));
    }

    /// Fresh sessions have waited long enough for their first command.
    pub(super) fn release_fresh(&mut self) {
        let now = Instant::now();
        while let Some((_, id)) = self.fresh.pop_front_if(|(until, _)| *until <= now) {
            if let Some(state) = self.sessions.get_mut(&id) {
                state.go_live(&mut self.stats);
            }
        }
    }

    /// Holds a session that has just begun until its first command, for a moment at most.
    pub(super) fn hold_fresh(&mut self, id: SessionId) {
        self.fresh.push_back((Instant::now() + FRESH, id));
    }

    pub(super) fn on_page(&mut self, page: Page) {
        let Page {
            session,
            from,
            rows,
            last,
            handled: _handled,
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
        running.unstored.retain(|stored| stored.position > from);
        // What is in the store comes from there, in its place.
        let mut sent: HashSet<_> = rows.iter().map(|row| row.message.id).collect();
        running
            .unstored
            .retain(|stored| !sent.contains(&stored.message.id));
        let mut in_order = Vec::with_capacity(rows.len());
        for row in rows {
            while let Some(earlier) = running
                .unstored
                .pop_front_if(|stored| stored.position < row.position)
            {
                in_order.push(earlier);
            }
            in_order.push(row);
        }
        if last {
            in_order.extend(running.unstored.drain(..));
        }
        let mut history = Vec::with_capacity(in_order.len());
        for Stored { message, .. } in in_order {
            sent.insert(message.id);
            let meant = recipient(&self.policy, &state.client, &state.role_name, &message);
            if meant && !running.seen.contains(&message.id) {
                running.count += 1;
                history.push(envelope(Event::Message(message)));
            }
        }
        // What was held since is not sent again.
        running.held.messages.retain(|held| match held.event() {
            Event::Message(message) => !sent.contains(&message.id),
            _ => true,
        });
        let (overflowed, upto) = (running.held.overflowed, running.upto);
        for message in &history {
            state.push(message, &mut self.stats);
        }
        if !last {
            return;
        }
        if overflowed {
            self.begin_round(session, From::Position(upto));
        } else {
            self.resumed(session);
        }
    }

    /// Everything that was missed is sent: the held messages follow.
    fn resumed(&mut self, id: SessionId) {
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
        for event in [&envelope(resumed)]
            .into_iter()
            .chain(&running.held.messages)
        {
            state.push(event, &mut self.stats);
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
        for held in &running.held.messages {
            state.push(held, &mut self.stats);
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
                // Nobody is left to read for.
                if self.outbox.has_ended() {
                    return;
                }
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

    /// Returns when it is in the outbox.
    async fn send(&self, from: Position, rows: Result<Vec<Stored>, StoreError>, last: bool) {
        let (handled, when_handled) = oneshot::channel();
        let page = Page {
            session: self.session,
            from,
            rows,
            last,
            handled,
        };
        // An error means that the hub has ended.
        if self.pages.send(page).await.is_ok() {
            let _ = when_handled.await;
        }
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
