//! Messages: numbered, stored as their kind says, and put into every recipient's outbox.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cmp_protocol::{
    Class, Command, Encoding, Envelope, ErrorCode, Event, Form, Kind, Message, MessageId,
    Recipients, Refusal, Tag, Word,
};
use tokio::time::Instant;

use super::core::{Core, now_ms};
use super::submit::{Begun, Done, envelope, name};
use crate::bans::Subject;
use crate::flood::Sample;
use crate::outbox::Pushed;
use crate::policy::StoreWhen;
use crate::session::SessionId;
use crate::store::{Position, Store, StoreError, Stored};
use crate::writer::{WriteJob, Written};

/// A message that the writer has and has not decided.
pub(super) struct Waiting {
    pub(super) stored: Stored,
    /// The sender's session, where the message is delivered only once it is stored.
    pub(super) undelivered: Option<SessionId>,
}

/// A message before it has a number.
struct Draft {
    class: Class,
    kind: Kind,
    nick: Option<Word>,
    origin: Option<Word>,
    text: Bytes,
}

impl<S: Store> Core<S> {
    /// Checks and accepts a broadcast; one that is stored first is on its way to the store.
    pub(super) fn begin_broadcast(
        &mut self,
        id: SessionId,
        command: Command,
        tag: Option<Tag>,
    ) -> Begun {
        let when = self
            .policy
            .kind_settings(&command)
            .map_or(StoreWhen::Before, |kind| kind.store);
        let accepted = self
            .screen(id, &command)
            .and_then(|()| self.compose(id, command))
            .and_then(|message| self.accept_broadcast(id, message, when));
        match accepted {
            Ok((_, Some(seq))) => Begun::Commit(seq),
            Ok((message, None)) => Begun::Answered(Event::Ok {
                command: name("BC"),
                id: Some(message),
                tag,
            }),
            Err(refusal) => Begun::Answered(self.refused(refusal, tag)),
        }
    }

    /// Returns the id, and the number where it waits for the store.
    fn accept_broadcast(
        &mut self,
        id: SessionId,
        message: Arc<Message>,
        when: StoreWhen,
    ) -> Result<(MessageId, Option<u64>), Refusal> {
        let message_id = message.id;
        if when != StoreWhen::Before {
            self.stats.broadcasts += 1;
            self.deliver(&message, &Recipients::Others, Some(id));
            self.store_after(message, when);
            return Ok((message_id, None));
        }
        let unavailable = |stats: &mut crate::admin::Stats, reason: &str| {
            stats.unavailable += 1;
            let mut refusal = Refusal::new("BC", ErrorCode::Unavailable, reason);
            refusal.retry_after = Some(Duration::from_secs(1));
            refusal
        };
        if !self.store_healthy {
            let reason = "messages can't be stored at the moment; try again in a while";
            return Err(unavailable(&mut self.stats, reason));
        }
        let seq = self.newest_seq + 1;
        let stored = Stored {
            position: Position { anchor: seq, seq },
            message,
        };
        let job = WriteJob {
            stored: stored.clone(),
            delivered: false,
        };
        if !self.give_to_writer(job) {
            let reason = "too many messages wait to be stored; try again in a while";
            return Err(unavailable(&mut self.stats, reason));
        }
        self.newest_seq = seq;
        self.waiting.push_back(Waiting {
            stored,
            undelivered: Some(id),
        });
        Ok((message_id, Some(seq)))
    }

    /// Accepts a chat line or a relayed line: delivered at once.
    pub(super) fn publish(&mut self, id: SessionId, command: Command) -> Result<Done, Refusal> {
        self.screen(id, &command)?;
        let when = self
            .policy
            .kind_settings(&command)
            .map_or(StoreWhen::Never, |kind| kind.store);
        let verb = name(command.name());
        let recipients = match &command {
            Command::Relay { verb, .. } => self
                .policy
                .dialect
                .relay(verb)
                .map_or(Recipients::All, |relay| relay.to.clone()),
            _ => Recipients::All,
        };
        let message = self.compose(id, command)?;
        match message.class {
            Class::Relay => self.stats.relayed += 1,
            Class::Chat | Class::Broadcast => self.stats.chat += 1,
        }
        let done = Done {
            command: verb,
            message: Some(message.id),
            readers_behind: self.deliver(&message, &recipients, Some(id)),
        };
        self.store_after(message, when);
        Ok(done)
    }

    /// Says a chat line in the name of the hub.
    pub(super) fn say(&mut self, client: cmp_protocol::ClientName, text: Bytes) {
        let message = Arc::new(Message {
            id: MessageId::generate(),
            hub: self.policy.hub.clone(),
            client,
            time_ms: now_ms(),
            class: Class::Chat,
            kind: Kind::chat(),
            nick: None,
            origin: None,
            text,
            encoding: None,
        });
        self.stats.chat += 1;
        self.deliver(&message, &Recipients::All, None);
        self.store_after(message, self.policy.chat.store);
    }

    /// Bans hold against every message; flood rules against broadcasts.
    fn screen(&mut self, id: SessionId, command: &Command) -> Result<(), Refusal> {
        let Some(state) = self.sessions.get(&id) else {
            return Ok(());
        };
        let (nick, origin, text) = match command {
            Command::Broadcast {
                nick, origin, text, ..
            } => (Some(nick.as_bytes()), Some(origin.as_bytes()), text),
            Command::Chat { text } | Command::Relay { text, .. } => (None, None, text),
            _ => return Ok(()),
        };
        let wall = now_ms();
        let subject = Subject {
            client: &state.client,
            nick,
            origin,
            text,
        };
        self.bans.check(command.name(), subject, wall)?;
        let (Some(nick), Some(origin)) = (nick, origin) else {
            return Ok(());
        };
        let sample = Sample {
            client: &state.client,
            nick,
            origin,
            text,
        };
        let checked = self
            .flood
            .check(&state.role.flood, sample, Instant::now(), wall);
        checked.map_err(|refused| {
            self.keep_origins(refused.records);
            refused.refusal
        })
    }

    fn compose(&self, id: SessionId, command: Command) -> Result<Arc<Message>, Refusal> {
        let draft = match command {
            Command::Chat { text } => Draft {
                class: Class::Chat,
                kind: Kind::chat(),
                nick: None,
                origin: None,
                text,
            },
            Command::Relay { verb, text } => Draft {
                class: Class::Relay,
                kind: Kind::of_relay(&verb),
                nick: None,
                origin: None,
                text,
            },
            Command::Broadcast {
                kind,
                nick,
                origin,
                text,
            } => Draft {
                class: Class::Broadcast,
                kind,
                nick: Some(nick),
                origin: Some(origin),
                text,
            },
            other => {
                let reason = "this command carries no message";
                return Err(Refusal::new(other.name(), ErrorCode::Syntax, reason));
            }
        };
        let Some(state) = self.sessions.get(&id) else {
            return Err(Refusal::new("*", ErrorCode::Gone, "the session has ended"));
        };
        Ok(Arc::new(Message {
            id: MessageId::generate(),
            hub: self.policy.hub.clone(),
            client: state.client.clone(),
            time_ms: now_ms(),
            class: draft.class,
            kind: draft.kind,
            nick: draft.nick,
            origin: draft.origin,
            text: draft.text,
            encoding: match state.form {
                Form::Central(encoding) => encoding,
                Form::Json => Some(Encoding::Utf8),
            },
        }))
    }

    /// Puts a message into the outbox of every recipient. True when live readers are behind.
    fn deliver(
        &mut self,
        message: &Arc<Message>,
        recipients: &Recipients,
        sender: Option<SessionId>,
    ) -> bool {
        let shared = envelope(Event::Message(message.clone()));
        let bound = self.policy.limits.outbox_bytes;
        let mut behind = false;
        for state in self.sessions.values_mut() {
            if state.detached {
                continue;
            }
            let meant = match recipients {
                Recipients::All => true,
                Recipients::Others => Some(state.id) != sender,
                Recipients::Role(role) => state.role_name == *role,
                Recipients::Sender => Some(state.id) == sender,
            };
            if !meant {
                continue;
            }
            behind |= state.deliver(&shared, bound, &mut self.stats) == Pushed::Pressed;
        }
        behind
    }

    /// Stores a message that was delivered.
    fn store_after(&mut self, message: Arc<Message>, when: StoreWhen) {
        if when == StoreWhen::Never {
            return;
        }
        let seq = self.newest_seq + 1;
        let position = Position {
            anchor: self.anchor,
            seq,
        };
        let stored = Stored { position, message };
        if self.give_to_writer(WriteJob {
            stored: stored.clone(),
            delivered: true,
        }) {
            self.newest_seq = seq;
            self.delivered = position;
            self.waiting.push_back(Waiting {
                stored,
                undelivered: None,
            });
        } else {
            self.stats.not_stored += 1;
        }
    }

    pub(super) fn on_written(&mut self, report: Written) {
        match report {
            Written::Batch {
                up_to_seq,
                stored,
                outcome,
            } => {
                self.stats.stored += stored;
                self.on_batch(up_to_seq, outcome.err().as_ref());
            }
            Written::Late { stored } => {
                self.stats.stored += stored;
                self.late = self.late.saturating_sub(stored);
            }
            Written::Lost { messages } => {
                self.stats.not_stored += messages;
                self.late = self.late.saturating_sub(messages);
            }
            Written::Health { healthy } => self.store_healthy = healthy,
        }
    }

    fn on_batch(&mut self, up_to_seq: u64, error: Option<&StoreError>) {
        while self
            .waiting
            .front()
            .is_some_and(|front| front.stored.position.seq <= up_to_seq)
        {
            let Some(Waiting {
                stored,
                undelivered,
            }) = self.waiting.pop_front()
            else {
                return;
            };
            let Some(session) = undelivered else {
                self.late += u64::from(error.is_some());
                continue;
            };
            let Stored { position, message } = stored;
            if let Some(error) = error {
                self.stats.unavailable += 1;
                self.stats.refused += 1;
                let mut refusal = Refusal::new("BC", ErrorCode::Unavailable, error.to_string());
                refusal.retry_after = Some(Duration::from_secs(1));
                self.decided(session, position.seq, false, |tag| Event::Refused {
                    refusal,
                    tag,
                });
                continue;
            }
            self.stats.broadcasts += 1;
            self.anchor = position.seq;
            self.delivered = position;
            let behind = self.deliver(&message, &Recipients::Others, Some(session));
            let id = Some(message.id);
            self.decided(session, position.seq, behind, |tag| Event::Ok {
                command: name("BC"),
                id,
                tag,
            });
        }
    }

    /// An event on its way to one session that may be resuming.
    pub(super) fn shared(event: Event) -> Arc<Envelope> {
        envelope(event)
    }
}
