//! One session's commands, done in order.
//!
//! Broadcasts wait for the store, so several of one session may be under way at once; whatever
//! follows them waits behind them, and so does its answer. What is behind is bounded by the
//! credit of the session.

use std::sync::Arc;

use cmp_protocol::{
    Command, ErrorCode, Event, HelpEntry, MessageId, Presence, Refusal, Submission, Tag, Topic,
    Verb,
};
use tokio::time::{Instant, timeout};

use super::Signal;
use super::core::Core;
use super::sessions::SessionState;
use crate::session::{Credit, SessionId};
use crate::store::Store;

/// A command of a session that is not done.
pub(super) enum Slot {
    /// A broadcast that the store has not decided, by the number of its message.
    Commit {
        seq: u64,
        tag: Option<Tag>,
        credit: Credit,
    },
    /// A cursor that is being stored, by its ticket.
    Cursor { ticket: u64, _credit: Credit },
    /// An answer that is ready and waits for those in front of it.
    Answer(Event),
    /// Behind others.
    Waiting {
        submission: Submission,
        credit: Credit,
    },
}

/// How a broadcast began.
pub(super) enum Begun {
    /// It is with the store.
    Commit(u64),
    /// It was delivered, or refused: this is the answer.
    Answered(Event),
}

impl<S: Store> Core<S> {
    pub(super) fn submit(&mut self, id: SessionId, submission: Submission, credit: Credit) {
        let Some(state) = self.sessions.get_mut(&id) else {
            return;
        };
        // What comes after a shutdown was asked for is not taken: it gets no answer.
        if state.ended || self.closing.is_some() {
            return;
        }
        state.last_command = Instant::now();
        if !matches!(submission.command, Ok(Command::Resume { .. })) {
            state.go_live(&mut self.stats);
        }
        if state.slots.is_empty() {
            self.execute(id, submission, credit);
            return;
        }
        let pipelined = !state
            .slots
            .iter()
            .any(|slot| matches!(slot, Slot::Waiting { .. } | Slot::Cursor { .. }));
        let slot = if pipelined && is_broadcast(&submission) {
            self.begin(id, submission, credit)
        } else {
            Slot::Waiting { submission, credit }
        };
        if let Some(state) = self.sessions.get_mut(&id) {
            state.slots.push_back(slot);
        }
    }

    /// The store has decided the broadcast in front: answers it and goes on with what is behind it.
    /// `readers_behind` says whether its sender is to go slower.
    pub(super) fn decided(
        &mut self,
        id: SessionId,
        seq: u64,
        readers_behind: bool,
        answer: impl FnOnce(Option<Tag>) -> Event,
    ) {
        let Some(state) = self.sessions.get_mut(&id) else {
            return;
        };
        match state.slots.pop_front() {
            Some(Slot::Commit {
                seq: front,
                tag,
                credit,
            }) if front == seq => {
                self.tell(id, answer(tag));
                if readers_behind {
                    self.hold_back(credit);
                }
            }
            // The writer decides in order, so the one in front is always the one decided.
            Some(other) => state.slots.push_front(other),
            None => {}
        }
        self.go_on(id);
    }

    /// Does what no longer has to wait.
    fn go_on(&mut self, id: SessionId) {
        while let Some(slot) = self
            .sessions
            .get_mut(&id)
            .and_then(|state| state.slots.pop_front())
        {
            match slot {
                Slot::Answer(event) => self.tell(id, event),
                // It was sent behind a PART, or the hub has ended the session since.
                Slot::Waiting { .. } if self.has_ended(id) => {}
                Slot::Waiting { submission, credit } if is_broadcast(&submission) => {
                    match self.begin(id, submission, credit) {
                        Slot::Answer(event) => self.tell(id, event),
                        begun => {
                            self.put_back(id, begun);
                            self.pipeline(id);
                            return;
                        }
                    }
                }
                Slot::Waiting { submission, credit } => self.execute(id, submission, credit),
                under_way @ (Slot::Commit { .. } | Slot::Cursor { .. }) => {
                    self.put_back(id, under_way);
                    return;
                }
            }
        }
        self.finish_if_done(id);
    }

    fn has_ended(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_none_or(|state| state.ended)
    }

    fn put_back(&mut self, id: SessionId, slot: Slot) {
        if let Some(state) = self.sessions.get_mut(&id) {
            state.slots.push_front(slot);
        }
    }

    /// Begins the broadcasts that stand directly behind those under way.
    fn pipeline(&mut self, id: SessionId) {
        for at in 1.. {
            let Some(state) = self.sessions.get_mut(&id) else {
                return;
            };
            let Some(slot) = state.slots.get_mut(at) else {
                return;
            };
            let broadcast =
                matches!(slot, Slot::Waiting { submission, .. } if is_broadcast(submission));
            if !broadcast {
                return;
            }
            // Taken out and put back at its place: begin() needs the whole state.
            let Some(Slot::Waiting { submission, credit }) = state.slots.remove(at) else {
                return;
            };
            let begun = self.begin(id, submission, credit);
            if let Some(state) = self.sessions.get_mut(&id) {
                state.slots.insert(at, begun);
            }
        }
    }

    /// Begins a broadcast; the slot says what became of it.
    fn begin(&mut self, id: SessionId, submission: Submission, credit: Credit) -> Slot {
        let Submission { tag, command } = submission;
        let command = match command.and_then(|command| self.permit(id, command)) {
            Ok(command) => command,
            Err(refusal) => return Slot::Answer(self.refused(refusal, tag)),
        };
        match self.begin_broadcast(id, command, tag.clone()) {
            Begun::Commit(seq) => Slot::Commit { seq, tag, credit },
            Begun::Answered(event) => Slot::Answer(event),
        }
    }

    fn permit(&mut self, id: SessionId, command: Command) -> Result<Command, Refusal> {
        let Some(state) = self.sessions.get(&id) else {
            return Ok(command);
        };
        self.policy
            .permit(&state.role_name, &state.role, state.json(), &command)?;
        Ok(command)
    }

    /// Counts a refusal and makes its event.
    pub(super) fn refused(&mut self, refusal: Refusal, tag: Option<Tag>) -> Event {
        self.stats.refused += 1;
        Event::Refused { refusal, tag }
    }

    /// Does a command that has nothing in front of it.
    fn execute(&mut self, id: SessionId, submission: Submission, credit: Credit) {
        if is_broadcast(&submission) {
            match self.begin(id, submission, credit) {
                Slot::Answer(event) => self.tell(id, event),
                commit => self.put_back(id, commit),
            }
            return;
        }
        let Submission { tag, command } = submission;
        let command = match command.and_then(|command| self.permit(id, command)) {
            Ok(command) => command,
            Err(refusal) => {
                let event = self.refused(refusal, tag);
                self.tell(id, event);
                return;
            }
        };
        let done = match command {
            Command::Resume { since } => {
                if let Err(refusal) = self.resume(id, since, tag.clone(), credit) {
                    let event = self.refused(refusal, tag);
                    self.tell(id, event);
                }
                return;
            }
            Command::Cursor { id: message } => {
                self.set_cursor(id, message, tag, credit);
                return;
            }
            Command::Chat { .. } | Command::Relay { .. } | Command::Broadcast { .. } => {
                self.publish(id, command)
            }
            Command::Part => {
                // As at the end of input: what was sent is answered, and nothing more is taken.
                if let Some(state) = self.sessions.get_mut(&id) {
                    state.ended = true;
                }
                self.finish_input(id);
                return;
            }
            Command::Ping { text } => {
                self.tell(id, Event::Pong { text, tag });
                return;
            }
            Command::Provide { command, help } => self.provide(id, command, help),
            Command::Withdraw { command } => self.withdraw(id, &command),
            Command::Request {
                id: request,
                command,
                target,
                params,
            } => self.request(id, request, command, &target, params),
            Command::Reply {
                client,
                id: request,
                text,
            } => self.reply(id, &client, &request, text),
            Command::End {
                client,
                id: request,
            } => self.end_reply(id, &client, &request),
            Command::Who => {
                let clients = self.who();
                self.tell(id, Event::Who { clients, tag });
                return;
            }
            Command::Help { about } => match self.help(id, about.as_ref()) {
                Ok(entries) => {
                    self.tell(id, Event::Help { entries, tag });
                    return;
                }
                Err(refusal) => Err(refusal),
            },
            Command::Subscribe { topic } => {
                self.subscribe(id, topic, true);
                Ok(Done::named("SUB"))
            }
            Command::Unsubscribe { topic } => {
                self.subscribe(id, topic, false);
                Ok(Done::named("UNSUB"))
            }
        };
        match done {
            Ok(done) => {
                if done.readers_behind {
                    self.hold_back(credit);
                }
                self.acknowledge(id, done, tag);
            }
            Err(refusal) => {
                let event = self.refused(refusal, tag);
                self.tell(id, event);
            }
        }
    }

    /// Tells a json client that its command was done; the central dialect shows only what a
    /// broadcast became.
    fn acknowledge(&mut self, id: SessionId, done: Done, tag: Option<Tag>) {
        if self.sessions.get(&id).is_some_and(SessionState::json) {
            self.tell(
                id,
                Event::Ok {
                    command: done.command,
                    id: done.message,
                    tag,
                },
            );
        }
    }

    fn subscribe(&mut self, id: SessionId, topic: Topic, on: bool) {
        if let Some(state) = self.sessions.get_mut(&id) {
            if on {
                state.topics.insert(topic);
            } else {
                state.topics.remove(&topic);
            }
        }
    }

    fn who(&self) -> Vec<Presence> {
        self.clients
            .iter()
            .filter_map(|(client, ids)| {
                let states: Vec<_> = ids.iter().filter_map(|id| self.sessions.get(id)).collect();
                let role = states.first()?.role_name.clone();
                let mut provides: Vec<_> = states
                    .iter()
                    .flat_map(|state| state.provides.keys().cloned())
                    .collect();
                provides.sort();
                provides.dedup();
                let sessions = u32::try_from(ids.len()).unwrap_or(u32::MAX);
                Some(Presence {
                    client: client.clone(),
                    role,
                    sessions,
                    provides,
                })
            })
            .collect()
    }

    fn help(&self, id: SessionId, about: Option<&Verb>) -> Result<Vec<HelpEntry>, Refusal> {
        let Some(state) = self.sessions.get(&id) else {
            return Ok(Vec::new());
        };
        let wanted = |name: &str| about.is_none_or(|verb| verb.as_str() == name);
        let mut entries: Vec<_> = self
            .policy
            .commands_for(&state.role_name, &state.role, state.json())
            .into_iter()
            .filter(|verb| wanted(verb.as_str()))
            .map(HelpEntry::Command)
            .collect();
        for provider in self.sessions.values() {
            for (command, help) in &provider.provides {
                if wanted(command.as_str()) {
                    entries.push(HelpEntry::Provided {
                        command: command.clone(),
                        provider: provider.client.clone(),
                        help: help.clone(),
                    });
                }
            }
        }
        entries.sort_by(|a, b| provided_key(a).cmp(&provided_key(b)));
        match about {
            Some(verb) if entries.is_empty() => Err(Refusal::new(
                "HELP",
                ErrorCode::NotFound,
                format!("there is no command {verb} for you; HELP lists yours"),
            )),
            _ => Ok(entries),
        }
    }

    /// Begins to store a cursor; what follows it waits for its answer.
    fn set_cursor(&mut self, id: SessionId, message: MessageId, tag: Option<Tag>, credit: Credit) {
        let Some(state) = self.sessions.get_mut(&id) else {
            return;
        };
        self.newest_ticket += 1;
        let ticket = self.newest_ticket;
        state.slots.push_front(Slot::Cursor {
            ticket,
            _credit: credit,
        });
        let (client, store) = (state.client.clone(), self.store.clone());
        let limit = self.policy.limits.store_timeout;
        let signals = self.signals.clone();
        tokio::spawn(async move {
            let stored = timeout(limit, store.put_cursor(&client, message)).await;
            let event = if let Ok(Ok(())) = stored {
                let command = name("CURSOR");
                Event::Ok {
                    command,
                    id: Some(message),
                    tag,
                }
            } else {
                let reason = "the cursor could not be stored; try again";
                let refusal = Refusal::new("CURSOR", ErrorCode::Unavailable, reason);
                Event::Refused { refusal, tag }
            };
            // An error means that the hub has ended.
            let _ = signals.send(Signal::Cursor {
                session: id,
                ticket,
                event,
            });
        });
    }

    /// A cursor is stored, or could not be: answers it and goes on with what is behind.
    pub(super) fn cursor_decided(&mut self, id: SessionId, ticket: u64, event: Event) {
        let Some(state) = self.sessions.get_mut(&id) else {
            return;
        };
        match state.slots.pop_front() {
            Some(Slot::Cursor { ticket: front, .. }) if front == ticket => self.tell(id, event),
            // Nothing is begun behind a cursor, so it is always in front.
            Some(other) => state.slots.push_front(other),
            None => {}
        }
        self.go_on(id);
    }
}

/// A command that was done.
pub(super) struct Done {
    pub(super) command: Verb,
    /// The id of the message that it became.
    pub(super) message: Option<MessageId>,
    /// Whether its sender is to go slower.
    pub(super) readers_behind: bool,
}

impl Done {
    pub(super) fn named(command: &str) -> Self {
        Self {
            command: name(command),
            message: None,
            readers_behind: false,
        }
    }
}

/// The names of commands are valid verbs.
pub(super) fn name(command: &str) -> Verb {
    Verb::new(command).unwrap_or_else(|_| cmp_protocol::Kind::chat().as_verb())
}

fn is_broadcast(submission: &Submission) -> bool {
    matches!(submission.command, Ok(Command::Broadcast { .. }))
}

/// Commands first, in the order they were given; then what is provided, by name.
fn provided_key(entry: &HelpEntry) -> Option<(&str, &str)> {
    match entry {
        HelpEntry::Command(_) => None,
        HelpEntry::Provided {
            command, provider, ..
        } => Some((command.as_str(), provider.as_str())),
    }
}

/// An event to share.
pub(super) fn envelope(event: Event) -> Arc<cmp_protocol::Envelope> {
    Arc::new(cmp_protocol::Envelope::new(event))
}
