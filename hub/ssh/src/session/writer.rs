//! From the hub's events to a client's bytes.

use std::sync::OnceLock;

use bytes::Bytes;
use cmp_core::{End, Hub, Item, OutboxReader, Traffic};
use cmp_protocol::{Dialect, Event, Form, central, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::channel_output::ChannelOutput;
use super::terminal::Terminal;
use crate::settings::Settings;

pub(super) struct Writer<'a> {
    pub(super) hub: &'a Hub,
    pub(super) form: Form,
    pub(super) settings: &'a Settings,
    pub(super) terminal: Option<&'a Terminal>,
    pub(super) channel: &'a ChannelOutput,
    pub(super) outbox: OutboxReader,
    pub(super) traffic: &'a Traffic,
    /// Until when a session that the hub ended may be written to; set when that is noticed.
    pub(super) deadline: OnceLock<Instant>,
}

impl Writer<'_> {
    /// Writes what the client is told, everything that waits in one piece, until the session is
    /// ended and nothing is left, or its time is over. A client that is gone is told nothing, but
    /// its outbox is emptied all the same.
    pub(super) async fn run(mut self) -> End {
        let mut items = Vec::new();
        let ended = self.outbox.ended();
        loop {
            if let Some(end) = self.outbox.take(&mut items).await {
                return end;
            }
            if let Some(terminal) = self.terminal {
                tokio::select! {
                    () = terminal.flows() => {}
                    () = ended.cancelled() => {}
                }
            }
            let bytes = self.render(&mut items);
            let length = bytes.len();
            let written = self.channel.write(bytes, || self.patience()).await;
            if written.is_ok() {
                Traffic::add(&self.traffic.bytes_out, length);
            } else if let Some(end) = self.outbox.end() {
                return end;
            }
        }
    }

    /// Returns when a write has stood still for too long. While the session is open there is no
    /// such time: the outbox is bounded, and ends the session when it is full.
    async fn patience(&self) {
        self.outbox.ended().cancelled().await;
        match self.outbox.end() {
            Some(End::Finished) | None => sleep(self.settings.drain_stall).await,
            Some(End::Closed { .. } | End::Slow { .. }) => {
                let grace = self.settings.close_grace;
                sleep_until(*self.deadline.get_or_init(|| Instant::now() + grace)).await;
            }
        }
    }

    fn render(&self, items: &mut Vec<Item>) -> Vec<u8> {
        let policy = self.hub.policy();
        let mut bytes = Vec::new();
        for item in items.drain(..) {
            match item {
                Item::Event(event) => {
                    Traffic::add(&self.traffic.events_out, 1);
                    let text =
                        event.encoded(self.form, |event| encode(event, self.form, &policy.dialect));
                    match self.terminal {
                        Some(terminal) => terminal.output(&text, &mut bytes),
                        None => bytes.extend_from_slice(&text),
                    }
                }
                // The terminal's own.
                Item::Bytes(echo) => bytes.extend_from_slice(&echo),
            }
        }
        bytes
    }
}

/// The bytes of an event in a form.
pub(super) fn encode(event: &Event, form: Form, dialect: &Dialect) -> Bytes {
    let mut bytes = Vec::new();
    match form {
        Form::Json => json::render(event, &mut bytes),
        Form::Central(encoding) => central::render(event, dialect, encoding, &mut bytes),
    }
    bytes.into()
}
