//! Sessions coming, going and being ended.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use cmp_protocol::{
    ClientName, Command, CommandName, Envelope, ErrorCode, Event, Form, Greeting, Refusal,
    RoleName, Topic,
};
use tokio::time::Instant;

use super::core::Core;
use super::resume::Resume;
use super::submit::{Slot, envelope};
use crate::admin::Stats;
use crate::outbox::{End, OutboxSender, Pushed, outbox};
use crate::policy::Role;
use crate::session::{Attach, CommandCredit, Session, SessionId, SessionInput, Traffic};
use crate::store::Store;

/// One session, as the hub sees it.
pub(super) struct SessionState {
    pub(super) id: SessionId,
    pub(super) client: ClientName,
    pub(super) role_name: RoleName,
    pub(super) role: Role,
    pub(super) peer: String,
    pub(super) form: Form,
    pub(super) outbox: OutboxSender,
    pub(super) traffic: Arc<Traffic>,
    pub(super) since: Instant,
    pub(super) last_command: Instant,
    pub(super) topics: HashSet<Topic>,
    /// The network commands it provides, with their help.
    pub(super) provides: BTreeMap<CommandName, Bytes>,
    /// Its commands that are not done, in order.
    pub(super) slots: VecDeque<Slot>,
    /// Its requests that are not answered.
    pub(super) open_requests: usize,
    pub(super) resume: Resume,
    /// It has been ended, by the client or the hub: nothing more of it is taken.
    pub(super) ended: bool,
    /// The client will send no more.
    pub(super) finishing: bool,
    /// The transport is gone; only what was submitted keeps the session.
    pub(super) detached: bool,
}

impl SessionState {
    pub(super) fn json(&self) -> bool {
        self.form == Form::Json
    }

    /// Puts an event into the outbox; ends a session that is too far behind, and counts.
    pub(super) fn push(&mut self, envelope: &Arc<Envelope>, stats: &mut Stats) -> Pushed {
        let pushed = self.outbox.push(envelope);
        match pushed {
            Pushed::Queued | Pushed::Pressed => stats.deliveries += 1,
            Pushed::Overflow => {
                self.ended = true;
                stats.slow_readers += 1;
                tracing::warn!(session = %self.id, client = %self.client, "reads too slowly; ended");
            }
            Pushed::Ended => {}
        }
        pushed
    }
}

impl<S: Store> Core<S> {
    pub(super) fn attach(&mut self, attach: Attach) -> Result<Session, Refusal> {
        let Attach { client, peer, form } = attach;
        let limit = |reason| Refusal::new("*", ErrorCode::Limit, reason);
        if self.closing.is_some() {
            let reason = "the hub is shutting down";
            return Err(Refusal::new("*", ErrorCode::Unavailable, reason));
        }
        let open = self.clients.get(&client).map_or(0, Vec::len);
        let most = self.policy.max_sessions(&client);
        if open >= most as usize {
            return Err(limit(format!(
                "{client} has {open} sessions open, and may have {most}"
            )));
        }
        if self.sessions.len() >= self.policy.limits.sessions {
            return Err(limit("the hub has as many sessions open as it may".into()));
        }
        let commands = self
            .inputs
            .upgrade()
            .ok_or_else(|| Refusal::new("*", ErrorCode::Unavailable, "the hub is shutting down"))?;

        self.newest_session += 1;
        let id = SessionId(self.newest_session);
        let (role_name, role) = self.policy.role_of(&client);
        let (sender, reader, echo) = outbox(self.policy.limits.outbox_bytes);
        let traffic = Arc::new(Traffic::default());
        sender.push_event(Event::Greeting(Arc::new(Greeting {
            hub: self.policy.hub.clone(),
            client: client.clone(),
            role: role_name.clone(),
            commands: self
                .policy
                .commands_for(&role_name, &role, form == Form::Json),
            kinds: self.policy.kinds_for(&role),
        })));
        if open == 0 {
            let joined = Event::Joined {
                client: client.clone(),
                role: role_name.clone(),
            };
            self.announce_topic(&Topic::presence(), joined);
        }
        let now = Instant::now();
        let state = SessionState {
            id,
            client: client.clone(),
            role_name: role_name.clone(),
            role,
            peer,
            form,
            outbox: sender,
            traffic: traffic.clone(),
            since: now,
            last_command: now,
            topics: HashSet::new(),
            provides: BTreeMap::new(),
            slots: VecDeque::new(),
            open_requests: 0,
            resume: Resume::begin(form),
            ended: false,
            finishing: false,
            detached: false,
        };
        self.sessions.insert(id, state);
        if form == Form::Json {
            self.hold_fresh(id);
        }
        self.clients.entry(client).or_default().push(id);
        self.stats.attached += 1;
        let limits = &self.policy.limits;
        let input = SessionInput {
            id,
            commands,
            signals: self.signals.clone(),
            credit: CommandCredit::new(limits.commands_in_flight, limits.outbox_bytes),
            reason: "connection lost".into(),
        };
        Ok(Session {
            id,
            role: role_name,
            input,
            output: reader,
            echo,
            traffic,
        })
    }

    /// Gives a session the role that its client has now, and takes away what that does not permit.
    pub(super) fn take_over_role(&mut self, id: SessionId) {
        let policy = self.policy.clone();
        let Some(state) = self.sessions.get_mut(&id) else {
            return;
        };
        (state.role_name, state.role) = policy.role_of(&state.client);
        let (name, role, json) = (state.role_name.clone(), state.role.clone(), state.json());
        state.topics.retain(|topic| {
            let command = Command::Subscribe {
                topic: topic.clone(),
            };
            policy.permit(&name, &role, json, &command).is_ok()
        });
        let provided: Vec<_> = state.provides.keys().cloned().collect();
        for command in provided {
            let help = Bytes::new();
            let provide = Command::Provide {
                command: command.clone(),
                help,
            };
            if policy.permit(&name, &role, json, &provide).is_err() {
                // An error means that it is not provided, which is what is wanted.
                let _ = self.withdraw(id, &command);
            }
        }
    }

    /// The client will send no more: when all it sent is done and answered, its output ends.
    pub(super) fn finish_input(&mut self, id: SessionId) {
        if let Some(state) = self.sessions.get_mut(&id) {
            state.finishing = true;
            self.finish_if_done(id);
        }
    }

    /// Ends a finishing session once nothing of it is under way.
    pub(super) fn finish_if_done(&mut self, id: SessionId) {
        let Some(state) = self.sessions.get(&id) else {
            return;
        };
        let resuming = matches!(state.resume, Resume::Running(_));
        if state.slots.is_empty() {
            if state.detached {
                self.sessions.remove(&id);
            } else if state.finishing && state.open_requests == 0 && !resuming {
                state.outbox.end(End::Finished);
            }
        }
    }

    /// Ends a session by the hub's will; the reason becomes its last line.
    pub(super) fn end_session(&mut self, id: SessionId, reason: &str) {
        if let Some(state) = self.sessions.get_mut(&id) {
            state.ended = true;
            state.outbox.end(End::Closed {
                reason: reason.to_owned(),
            });
        }
    }

    /// The transport has gone. What it submitted is still done.
    pub(super) fn detach(&mut self, id: SessionId, reason: &str) {
        let Some(state) = self.sessions.get_mut(&id) else {
            return;
        };
        state.detached = true;
        state.resume = Resume::Done;
        state.topics.clear();
        state.outbox.end(End::Finished);
        let client = state.client.clone();
        let provided = std::mem::take(&mut state.provides);
        self.provider_left(id, &client);
        self.asker_left(id);
        for command in provided.into_keys() {
            self.withdrawn(id, &client, command);
        }
        let last = self.clients.get_mut(&client).is_some_and(|sessions| {
            sessions.retain(|session| *session != id);
            sessions.is_empty()
        });
        if last {
            self.clients.remove(&client);
            let quit = Event::Quit {
                client,
                reason: reason.to_owned(),
            };
            self.announce_topic(&Topic::presence(), quit);
        }
        self.finish_if_done(id);
    }

    /// Tells those who follow a topic.
    pub(super) fn announce_topic(&mut self, topic: &Topic, event: Event) {
        let envelope = Arc::new(Envelope::new(event));
        for state in self.sessions.values_mut() {
            if state.topics.contains(topic) {
                state.push(&envelope, &mut self.stats);
            }
        }
    }

    /// Tells one session, if it is still there.
    pub(super) fn tell(&mut self, id: SessionId, event: Event) {
        if let Some(state) = self.sessions.get_mut(&id) {
            state.push(&envelope(event), &mut self.stats);
        }
    }
}
