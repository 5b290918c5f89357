//! Network commands: who provides what, and requests on their way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use cmp_protocol::{ClientName, CommandName, ErrorCode, Event, Refusal, RequestId, Target, Topic};
use tokio::time::Instant;

use super::core::Core;
use super::submit::Done;
use crate::outbox::Pushed;
use crate::session::SessionId;
use crate::store::Store;

type Key = (ClientName, RequestId);

/// A request that is not answered by everyone it was put to.
#[derive(Debug)]
struct Open {
    asker: SessionId,
    command: CommandName,
    /// Those who have not finished, and the session of each that was asked.
    providers: BTreeMap<ClientName, SessionId>,
    /// Whether it was put to all: then the asker is told when the last has finished.
    all: bool,
    deadline: Instant,
}

/// Requests on their way. Bounded by the requests that each client may have open.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: HashMap<Key, Open>,
    deadlines: BTreeSet<(Instant, Key)>,
    /// Whose turn it is, by command: the provider asked last.
    turns: HashMap<CommandName, ClientName>,
}

impl Requests {
    /// When the next request runs out of time.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn close(&mut self, key: &Key) -> Option<Open> {
        let open = self.open.remove(key)?;
        self.deadlines.remove(&(open.deadline, key.clone()));
        Some(open)
    }
}

impl<S: Store> Core<S> {
    /// Offers a network command; again only changes its help.
    pub(super) fn provide(
        &mut self,
        id: SessionId,
        command: CommandName,
        help: Bytes,
    ) -> Result<Done, Refusal> {
        let most = self.policy.limits.provided_per_client;
        let Some(state) = self.sessions.get_mut(&id) else {
            return Ok(Done::named("PROVIDE"));
        };
        if state.provides.len() >= most && !state.provides.contains_key(&command) {
            let reason = format!("{most} commands are provided already; WITHDRAW one first");
            return Err(Refusal::new("PROVIDE", ErrorCode::Limit, reason));
        }
        let client = state.client.clone();
        if state.provides.insert(command.clone(), help).is_none() {
            let event = Event::Provision {
                client,
                command,
                provided: true,
            };
            self.announce_topic(&Topic::commands(), event);
        }
        Ok(Done::named("PROVIDE"))
    }

    /// Offers a network command no more; requests under way are still answered.
    pub(super) fn withdraw(
        &mut self,
        id: SessionId,
        command: &CommandName,
    ) -> Result<Done, Refusal> {
        let withdrawn = self
            .sessions
            .get_mut(&id)
            .and_then(|state| state.provides.remove(command).map(|_| state.client.clone()));
        let Some(client) = withdrawn else {
            let reason = format!("{command} is not provided by this session");
            return Err(Refusal::new("WITHDRAW", ErrorCode::NotFound, reason));
        };
        self.withdrawn(id, &client, command.clone());
        Ok(Done::named("WITHDRAW"))
    }

    /// A session provides a command no more: those who follow are told if it was the client's
    /// last one that did.
    pub(super) fn withdrawn(&mut self, id: SessionId, client: &ClientName, command: CommandName) {
        let elsewhere = self.clients.get(client).is_some_and(|sessions| {
            sessions
                .iter()
                .filter(|session| **session != id)
                .any(|session| {
                    self.sessions
                        .get(session)
                        .is_some_and(|s| s.provides.contains_key(&command))
                })
        });
        if !self
            .clients
            .keys()
            .any(|other| self.provider_session(other, &command).is_some())
        {
            self.requests.turns.remove(&command);
        }
        if !elsewhere {
            let event = Event::Provision {
                client: client.clone(),
                command,
                provided: false,
            };
            self.announce_topic(&Topic::commands(), event);
        }
    }

    /// The session of a client that provides a command.
    fn provider_session(&self, client: &ClientName, command: &CommandName) -> Option<SessionId> {
        self.clients.get(client)?.iter().copied().find(|id| {
            self.sessions
                .get(id)
                .is_some_and(|state| !state.ended && state.provides.contains_key(command))
        })
    }

    fn providers(&self, command: &CommandName) -> BTreeMap<ClientName, SessionId> {
        self.clients
            .keys()
            .filter_map(|client| Some((client.clone(), self.provider_session(client, command)?)))
            .collect()
    }

    /// Puts a request to its providers.
    pub(super) fn request(
        &mut self,
        asker: SessionId,
        id: RequestId,
        command: CommandName,
        target: &Target,
        params: Bytes,
    ) -> Result<Done, Refusal> {
        let Some(client) = self.sessions.get(&asker).map(|state| state.client.clone()) else {
            return Ok(Done::named("REQ"));
        };
        let refuse = |code, reason| Err(Refusal::new(id.as_str(), code, reason));
        let key = (client.clone(), id.clone());
        if self.requests.open.contains_key(&key) {
            let reason = format!("request {id} of {client} is not answered yet; use another id");
            return refuse(ErrorCode::Duplicate, reason);
        }
        let most = self.policy.limits.requests_per_client;
        let open: usize = self
            .clients
            .get(&client)
            .into_iter()
            .flatten()
            .filter_map(|session| self.sessions.get(session))
            .map(|state| state.open_requests)
            .sum();
        if open >= most {
            let reason = format!("{most} requests are not answered yet; wait for some");
            return refuse(ErrorCode::Limit, reason);
        }
        let mut providers = self.providers(&command);
        match target {
            Target::All => {}
            Target::Client(named) => providers.retain(|provider, _| provider == named),
            Target::Any => {
                let after = self.requests.turns.get(&command);
                let next = providers
                    .keys()
                    .find(|provider| after.is_none_or(|after| *provider > after))
                    .or_else(|| providers.keys().next())
                    .cloned();
                providers.retain(|provider, _| Some(provider) == next.as_ref());
                if let Some(next) = next {
                    self.requests.turns.insert(command.clone(), next);
                }
            }
        }
        if providers.is_empty() {
            let reason = match target {
                Target::Client(named) => format!("{named} does not provide {command}"),
                Target::Any | Target::All => format!("nobody provides {command}"),
            };
            return refuse(ErrorCode::NoProvider, reason);
        }
        let event = Event::Request {
            client,
            id,
            command: command.clone(),
            params,
        };
        let shared = Self::shared(event);
        let mut readers_behind = false;
        for session in providers.values() {
            if let Some(state) = self.sessions.get_mut(session) {
                readers_behind |= state.push(&shared, &mut self.stats) == Pushed::Pressed;
            }
        }
        let deadline = Instant::now() + self.policy.limits.request_timeout;
        let all = *target == Target::All;
        self.requests.deadlines.insert((deadline, key.clone()));
        self.requests.open.insert(
            key,
            Open {
                asker,
                command,
                providers,
                all,
                deadline,
            },
        );
        if let Some(state) = self.sessions.get_mut(&asker) {
            state.open_requests += 1;
        }
        self.stats.requests += 1;
        Ok(Done {
            readers_behind,
            ..Done::named("REQ")
        })
    }

    /// The request that a provider answers, if it is one that it was asked and has not finished.
    fn answered(
        &self,
        provider: SessionId,
        verb: &str,
        key: &Key,
    ) -> Result<(SessionId, ClientName), Refusal> {
        let name = self.sessions.get(&provider).map(|state| &state.client);
        self.requests
            .open
            .get(key)
            .and_then(|open| {
                let name = name.filter(|name| open.providers.contains_key(*name))?;
                Some((open.asker, name.clone()))
            })
            .ok_or_else(|| {
                let (client, id) = key;
                let reason = format!("no request {id} of {client} waits for an answer from you");
                Refusal::new(verb, ErrorCode::NotFound, reason)
            })
    }

    /// A provider's line for the asker.
    pub(super) fn reply(
        &mut self,
        provider: SessionId,
        client: &ClientName,
        id: &RequestId,
        text: Bytes,
    ) -> Result<Done, Refusal> {
        let key = (client.clone(), id.clone());
        let (asker, provider) = self.answered(provider, "REP", &key)?;
        let event = Self::shared(Event::Reply {
            provider,
            id: id.clone(),
            text,
        });
        let pushed = self
            .sessions
            .get_mut(&asker)
            .map(|state| state.push(&event, &mut self.stats));
        let readers_behind = pushed == Some(Pushed::Pressed);
        Ok(Done {
            readers_behind,
            ..Done::named("REP")
        })
    }

    /// A provider has answered all.
    pub(super) fn end_reply(
        &mut self,
        provider: SessionId,
        client: &ClientName,
        id: &RequestId,
    ) -> Result<Done, Refusal> {
        let key = (client.clone(), id.clone());
        let (asker, provider) = self.answered(provider, "END", &key)?;
        self.tell(
            asker,
            Event::End {
                provider: Some(provider.clone()),
                id: id.clone(),
            },
        );
        self.provider_done(&key, &provider);
        Ok(Done::named("END"))
    }

    /// One provider less is waited for; the last one closes the request.
    fn provider_done(&mut self, key: &Key, provider: &ClientName) {
        let Some(open) = self.requests.open.get_mut(key) else {
            return;
        };
        open.providers.remove(provider);
        if !open.providers.is_empty() {
            return;
        }
        let (asker, all) = (open.asker, open.all);
        self.requests.close(key);
        if all {
            self.tell(
                asker,
                Event::End {
                    provider: None,
                    id: key.1.clone(),
                },
            );
        }
        if let Some(state) = self.sessions.get_mut(&asker) {
            state.open_requests = state.open_requests.saturating_sub(1);
        }
        self.finish_if_done(asker);
    }

    /// Tells the asker that a provider will not finish.
    fn provider_failed(&mut self, key: &Key, provider: &ClientName, code: ErrorCode, why: &str) {
        let Some(asker) = self.requests.open.get(key).map(|open| open.asker) else {
            return;
        };
        let refusal = Refusal::new(key.1.as_str(), code, format!("{provider} {why}"));
        self.tell(asker, Event::Refused { refusal, tag: None });
        self.provider_done(key, provider);
    }

    /// A session that may have been asked has left.
    pub(super) fn provider_left(&mut self, id: SessionId, client: &ClientName) {
        let asked: Vec<Key> = self
            .requests
            .open
            .iter()
            .filter(|(_, open)| open.providers.get(client) == Some(&id))
            .map(|(key, _)| key.clone())
            .collect();
        for key in asked {
            self.provider_failed(&key, client, ErrorCode::Gone, "has left before it finished");
        }
    }

    /// A session that may have asked has left: its requests are forgotten. What providers still
    /// say is refused as not found.
    pub(super) fn asker_left(&mut self, id: SessionId) {
        let asked: Vec<Key> = self
            .requests
            .open
            .iter()
            .filter(|(_, open)| open.asker == id)
            .map(|(key, _)| key.clone())
            .collect();
        for key in asked {
            self.requests.close(&key);
        }
        if let Some(state) = self.sessions.get_mut(&id) {
            state.open_requests = 0;
        }
    }

    /// Requests whose time has run out fail.
    pub(super) fn expire_requests(&mut self) {
        let now = Instant::now();
        while let Some((deadline, key)) = self.requests.deadlines.first().cloned() {
            if deadline > now {
                return;
            }
            let Some(open) = self.requests.open.get(&key) else {
                self.requests.deadlines.remove(&(deadline, key));
                continue;
            };
            let command = open.command.clone();
            let late: Vec<_> = open.providers.keys().cloned().collect();
            let limit = self.policy.limits.request_timeout.as_secs_f32();
            for provider in late {
                self.stats.request_timeouts += 1;
                let why = format!("did not finish {command} within {limit} s");
                self.provider_failed(&key, &provider, ErrorCode::Timeout, &why);
            }
        }
    }
}
