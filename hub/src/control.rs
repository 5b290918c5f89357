//! The control server inside the hub's process: a client like any other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cmp_control::{CheckedSettings, Link, LinkClosed};
use cmp_core::{Attach, Hub, Item, Session};
use cmp_protocol::{ClientName, Event, Form, Submission};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long to wait after a session of the control server ended, before it is opened again.
const AGAIN: Duration = Duration::from_secs(1);

/// A session of the hub, as the control server uses it.
struct InProcess {
    session: Session,
    waiting: VecDeque<Event>,
}

impl Link for InProcess {
    async fn send(&mut self, submission: Submission) -> Result<(), LinkClosed> {
        self.session
            .input
            .submit(submission)
            .await
            .map_err(|_| LinkClosed)
    }

    async fn receive(&mut self) -> Option<Event> {
        while self.waiting.is_empty() {
            let mut items = Vec::new();
            if self.session.output.take(&mut items).await.is_some() {
                return None;
            }
            self.waiting
                .extend(items.into_iter().filter_map(|item| match item {
                    Item::Event(envelope) => Some(envelope.event().clone()),
                    Item::Bytes(_) => None,
                }));
        }
        self.waiting.pop_front()
    }
}

/// Runs the control server under this name until the hub stops; a session that ended, as after a
/// kick, is opened again.
pub(crate) async fn run(
    hub: Hub,
    client: ClientName,
    settings: watch::Receiver<Arc<CheckedSettings>>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        // It is spoken to like a json client, which may resume.
        let attach = Attach {
            client: client.clone(),
            peer: "internal".into(),
            form: Form::Json,
        };
        match hub.attach(attach).await {
            Ok(session) => {
                let link = InProcess {
                    session,
                    waiting: VecDeque::new(),
                };
                cmp_control::run(link, settings.clone(), stop.cancelled()).await;
            }
            Err(refusal) => {
                tracing::warn!(reason = refusal.reason, "the control server has no session");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}
