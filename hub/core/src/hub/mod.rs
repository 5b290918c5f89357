//! The one owner of live state, and the handle to it.
//!
//! Sessions and admins reach it through one bounded queue; it handles one input after the other
//! and never waits for a client or the store.

mod admin;
mod core;
mod publish;
mod requests;
mod resume;
mod sessions;
mod submit;

use std::sync::Arc;

use cmp_protocol::{ClientName, Event, Refusal, Submission};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::admin::{AdminError, AdminReply, AdminRequest};
use crate::policy::Policy;
use crate::retention;
use crate::session::{Attach, Credit, HubEnded, Session, SessionId};
use crate::store::{Store, StoreError};

/// Inputs that may wait for the hub, over all sessions. A session waits for its place in it, and
/// has at most its own commands in flight in it.
const INPUTS: usize = 1024;

/// What sessions and admins ask of the hub.
#[derive(Debug)]
pub(crate) enum Input {
    Attach {
        attach: Attach,
        reply: oneshot::Sender<Result<Session, Refusal>>,
    },
    Submit {
        session: SessionId,
        submission: Submission,
        credit: Credit,
    },
    Finish {
        session: SessionId,
    },
    Admin {
        by: ClientName,
        request: AdminRequest,
        reply: oneshot::Sender<Result<AdminReply, AdminError>>,
    },
    SetPolicy {
        policy: Arc<Policy>,
        reply: oneshot::Sender<()>,
    },
    Shutdown {
        reason: String,
        reply: oneshot::Sender<()>,
    },
}

/// What must reach the hub without waiting; each is sent a bounded number of times.
#[derive(Debug)]
pub(crate) enum Signal {
    /// Once per session.
    Detach { session: SessionId, reason: String },
    /// Once per command in flight.
    Cursor {
        session: SessionId,
        ticket: u64,
        event: Event,
    },
    /// Once per session.
    End { session: SessionId, reason: String },
}

/// The handle to a running hub; cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    inputs: mpsc::Sender<Input>,
    signals: mpsc::UnboundedSender<Signal>,
    policy: watch::Receiver<Arc<Policy>>,
}

impl Hub {
    /// Starts a hub on this store. It runs until [`shutdown`](Self::shutdown), or until every
    /// handle and session is dropped; the join handle ends when all is stored.
    pub async fn start<S: Store>(
        policy: Policy,
        store: Arc<S>,
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        let (inputs, input_queue) = mpsc::channel(INPUTS);
        let (signals, signal_queue) = mpsc::unbounded_channel();
        let (announce, policy_watch) = watch::channel(Arc::new(policy));
        let core = core::Core::load(announce, store.clone(), inputs.downgrade(), signals.clone());
        let core = core.await?;
        // Ends with the core, which holds the other end of the policy.
        tokio::spawn(retention::run(store, policy_watch.clone()));
        let running = tokio::spawn(core.run(input_queue, signal_queue));
        Ok((
            Self {
                inputs,
                signals,
                policy: policy_watch,
            },
            running,
        ))
    }

    /// Opens a session. Refused when the client, or the hub, has as many as it may.
    pub async fn attach(&self, attach: Attach) -> Result<Session, Refusal> {
        let ended = || {
            Refusal::new(
                "*",
                cmp_protocol::ErrorCode::Unavailable,
                "the hub is shutting down",
            )
        };
        let (reply, answer) = oneshot::channel();
        self.inputs
            .send(Input::Attach { attach, reply })
            .await
            .map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// The policy of now.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.borrow().clone()
    }

    /// The policy of now and every later one.
    pub fn watch_policy(&self) -> watch::Receiver<Arc<Policy>> {
        self.policy.clone()
    }

    /// Ends a session from outside the hub, as when its key was removed. The reason becomes its
    /// last line.
    pub fn end_session(&self, session: SessionId, reason: impl Into<String>) {
        // An error means that the hub has ended, and with it the session.
        let _ = self.signals.send(Signal::End {
            session,
            reason: reason.into(),
        });
    }

    /// Does what an admin asks; `by` is named in the log and in what is kept.
    pub async fn admin(
        &self,
        by: &ClientName,
        request: AdminRequest,
    ) -> Result<AdminReply, AdminError> {
        let ended = || AdminError("the hub is shutting down".into());
        let (reply, answer) = oneshot::channel();
        let input = Input::Admin {
            by: by.clone(),
            request,
            reply,
        };
        self.inputs.send(input).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Replaces the policy; it holds for every open session when this returns.
    pub async fn set_policy(&self, policy: Policy) -> Result<(), HubEnded> {
        let (reply, done) = oneshot::channel();
        let input = Input::SetPolicy {
            policy: Arc::new(policy),
            reply,
        };
        self.inputs.send(input).await.map_err(|_| HubEnded)?;
        done.await.map_err(|_| HubEnded)
    }

    /// Finishes what was taken, commits it, and ends every session with this reason. Takes no
    /// new session. Returns when all that was accepted is stored or refused; the caller gives it
    /// a deadline.
    pub async fn shutdown(&self, reason: &str) -> Result<(), HubEnded> {
        let (reply, done) = oneshot::channel();
        let input = Input::Shutdown {
            reason: reason.into(),
            reply,
        };
        self.inputs.send(input).await.map_err(|_| HubEnded)?;
        done.await.map_err(|_| HubEnded)
    }
}
