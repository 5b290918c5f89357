//! What admins ask.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use cmp_protocol::{ClientName, Form};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::core::{Core, now_ms};
use crate::admin::{AdminError, AdminReply, AdminRequest, SessionInfo, Stats, Who};
use crate::moderation::{Ban, BanId, OriginRecord};
use crate::session::SessionId;
use crate::store::Store;

type Answer = oneshot::Sender<Result<AdminReply, AdminError>>;

impl<S: Store> Core<S> {
    /// Does what an admin asks and answers; what changes the store answers when it is stored.
    pub(super) fn admin(&mut self, by: &ClientName, request: AdminRequest, answer: Answer) {
        let reply = match request {
            AdminRequest::Sessions => Ok(AdminReply::Sessions(self.session_infos())),
            AdminRequest::Kick { who, reason } => self.kick(by, &who, &reason),
            AdminRequest::Ban {
                target,
                reason,
                duration,
            } => {
                let now = now_ms();
                let until_ms = duration.map(|duration| {
                    now.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
                });
                let id = self.bans.next_id();
                let by = by.clone();
                return self.ban(
                    Ban {
                        id,
                        target,
                        reason,
                        by,
                        since_ms: now,
                        until_ms,
                    },
                    answer,
                );
            }
            AdminRequest::Unban { id } => return self.unban(by, id, answer),
            AdminRequest::Bans => Ok(AdminReply::Bans(self.bans.in_force(now_ms()))),
            AdminRequest::Mute { origin, duration } => {
                let mut records = self.flood.mute(&origin, duration, now_ms());
                let origin = String::from_utf8_lossy(&origin).into_owned();
                let what = if duration.is_zero() {
                    format!("unmuted {origin}")
                } else {
                    format!("muted {origin} for {} s", duration.as_secs())
                };
                tracing::info!(admin = %by, "{what}");
                let own = records.pop();
                self.keep_origins(records);
                if let Some(record) = own {
                    self.store_origin(record, Some((what, answer)));
                }
                return;
            }
            AdminRequest::Origins => Ok(AdminReply::Origins(self.flood.origins(now_ms()))),
            AdminRequest::Say { text } => {
                tracing::info!(admin = %by, bytes = text.len(), "says a line to everyone");
                self.say(by.clone(), Bytes::from(text));
                Ok(AdminReply::Done {
                    what: format!("said to {} clients", self.clients.len()),
                })
            }
            AdminRequest::Stats => Ok(AdminReply::Stats(Box::new(self.stats_now()))),
        };
        // An admin who did not wait for the answer has it in the log.
        let _ = answer.send(reply);
    }

    fn kick(&mut self, by: &ClientName, who: &Who, reason: &str) -> Result<AdminReply, AdminError> {
        let ids: Vec<SessionId> = match who {
            Who::Client(client) => self.clients.get(client).cloned().unwrap_or_default(),
            Who::Session(id) => self
                .sessions
                .get(id)
                .filter(|state| !state.detached)
                .map(|_| *id)
                .into_iter()
                .collect(),
        };
        if ids.is_empty() {
            let who = match who {
                Who::Client(client) => format!("client {client} has no session"),
                Who::Session(id) => format!("there is no session {id}"),
            };
            return Err(AdminError(format!("{who}; `admin sessions` lists them")));
        }
        for id in &ids {
            let client = self.sessions.get(id).map(|state| state.client.to_string());
            tracing::info!(admin = %by, session = %id, client, reason, "kicks");
            self.end_session(*id, reason);
        }
        Ok(AdminReply::Done {
            what: format!("ended {} sessions", ids.len()),
        })
    }

    fn ban(&mut self, ban: Ban, answer: Answer) {
        if let Err(problem) = self.bans.insert(ban.clone()) {
            let _ = answer.send(Err(AdminError(problem)));
            return;
        }
        tracing::info!(admin = %ban.by, ban = ban.id.0, target = ?ban.target, until_ms = ban.until_ms, "bans");
        let (store, limit) = (self.store.clone(), self.policy.limits.store_timeout);
        tokio::spawn(async move {
            let what = format!("ban {} holds", ban.id.0);
            let stored = matches!(timeout(limit, store.put_ban(&ban)).await, Ok(Ok(())));
            let _ = answer.send(Ok(AdminReply::Done {
                what: kept(what, stored),
            }));
        });
    }

    fn unban(&mut self, by: &ClientName, id: BanId, answer: Answer) {
        if !self.bans.remove(id) {
            let problem = format!("there is no ban {}; `admin bans` lists them", id.0);
            let _ = answer.send(Err(AdminError(problem)));
            return;
        }
        tracing::info!(admin = %by, ban = id.0, "lifts a ban");
        let (store, limit) = (self.store.clone(), self.policy.limits.store_timeout);
        tokio::spawn(async move {
            let what = format!("ban {} is lifted", id.0);
            let stored = matches!(timeout(limit, store.remove_ban(id)).await, Ok(Ok(())));
            let _ = answer.send(Ok(AdminReply::Done {
                what: kept(what, stored),
            }));
        });
    }

    /// Keeps the new records of origins.
    pub(super) fn keep_origins(&mut self, records: Vec<OriginRecord>) {
        for record in records {
            if record.warnings == 0 && record.muted_until_ms.is_some_and(|until| until > now_ms()) {
                let origin = String::from_utf8_lossy(&record.origin);
                tracing::info!(%origin, "muted after too many warnings");
            }
            self.store_origin(record, None);
        }
    }

    /// Records are written one at a time, in order, so that the last one holds. The tasks that
    /// wait are bounded by the commands that sessions may have in flight.
    fn store_origin(&mut self, record: OriginRecord, answer: Option<(String, Answer)>) {
        let (store, limit) = (self.store.clone(), self.policy.limits.store_timeout);
        let turn = self.origin_turn.clone();
        let Ok(place) = self.origin_places.clone().try_acquire_owned() else {
            self.stats.origins_not_stored += 1;
            if let Some((what, answer)) = answer {
                let _ = answer.send(Ok(AdminReply::Done {
                    what: kept(what, false),
                }));
            }
            return;
        };
        tokio::spawn(async move {
            let _turn = turn.lock().await;
            let stored = matches!(timeout(limit, store.put_origin(&record)).await, Ok(Ok(())));
            drop(place);
            if let Some((what, answer)) = answer {
                let _ = answer.send(Ok(AdminReply::Done {
                    what: kept(what, stored),
                }));
            }
        });
    }

    fn session_infos(&self) -> Vec<SessionInfo> {
        let now = Instant::now();
        let mut infos: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, state)| !state.detached)
            .map(|(id, state)| SessionInfo {
                id: *id,
                client: state.client.clone(),
                role: state.role_name.clone(),
                peer: state.peer.clone(),
                dialect: if state.form == Form::Json {
                    "json"
                } else {
                    "central"
                },
                age: now.saturating_duration_since(state.since),
                idle: now.saturating_duration_since(state.last_command),
                bytes_in: state.traffic.bytes_in.load(Ordering::Relaxed),
                bytes_out: state.traffic.bytes_out.load(Ordering::Relaxed),
                lines_in: state.traffic.lines_in.load(Ordering::Relaxed),
                events_out: state.traffic.events_out.load(Ordering::Relaxed),
                waiting: state.outbox.waiting(),
            })
            .collect();
        infos.sort_by_key(|info| info.id);
        infos
    }

    fn stats_now(&self) -> Stats {
        Stats {
            uptime: Instant::now().saturating_duration_since(self.started),
            sessions: self
                .clients
                .values()
                .map(|sessions| sessions.len() as u64)
                .sum(),
            clients: self.clients.len() as u64,
            store_queue: self.waiting.len() as u64,
            store_healthy: self.store_healthy,
            ..self.stats.clone()
        }
    }
}

fn kept(what: String, stored: bool) -> String {
    if stored {
        what
    } else {
        format!("{what} until the hub restarts: the store does not take it at the moment")
    }
}
