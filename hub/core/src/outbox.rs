//! What waits to be written to one session: bounded in bytes, never waited for.
//!
//! The hub pushes and goes on. The session takes everything that waits at once, so that it goes
//! out in one piece. A session that stays behind past the bound is ended as a slow reader.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cmp_protocol::{Envelope, Event};
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// One thing to write.
#[derive(Debug, Clone)]
pub enum Item {
    /// An event, to be encoded in the session's form.
    Event(Arc<Envelope>),
    /// Bytes of the session itself, as a terminal's echo is.
    Bytes(Bytes),
}

impl Item {
    fn size(&self) -> usize {
        match self {
            Self::Event(envelope) => envelope.size(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// How a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// As the client asked: end of input, or `PART`. Exit status 0.
    Finished,
    /// By the hub; the reason was queued as the last event. Exit status 1.
    Closed {
        /// Why, for people and the log.
        reason: String,
    },
    /// By the hub, because the client did not read; what waited is dropped.
    Slow {
        /// Why, for people and the log.
        reason: String,
    },
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    /// Since when something waits.
    since: Option<Instant>,
    end: Option<End>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    limit: usize,
    filled: Notify,
    drained: Notify,
    ended: CancellationToken,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // The queue is consistent after every statement, so a panic elsewhere does not spoil it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits.
    Queued,
    /// It waits, and more than half of the bound is full.
    Pressed,
    /// It did not fit: the reader is too slow, and this outbox has ended.
    Overflow,
    /// The outbox had ended before.
    Ended,
}

/// The hub's side of an outbox.
#[derive(Debug, Clone)]
pub(crate) struct OutboxSender(Arc<Shared>);

/// The session's side of an outbox.
#[derive(Debug)]
pub struct OutboxReader(Arc<Shared>);

/// The session's way to queue bytes of its own, in order with what the hub queues.
#[derive(Debug, Clone)]
pub struct OutboxEcho(Arc<Shared>);

/// An outbox that holds up to `limit` bytes (see [`Event::size`]).
pub(crate) fn outbox(limit: usize) -> (OutboxSender, OutboxReader, OutboxEcho) {
    let shared = Arc::new(Shared {
        queue: Mutex::default(),
        limit,
        filled: Notify::new(),
        drained: Notify::new(),
        ended: CancellationToken::new(),
    });
    (
        OutboxSender(shared.clone()),
        OutboxReader(shared.clone()),
        OutboxEcho(shared),
    )
}

impl OutboxSender {
    /// Queues an event that goes to this session only.
    pub(crate) fn push_event(&self, event: Event) -> Pushed {
        self.push(&Arc::new(Envelope::new(event)))
    }

    /// Queues a shared event; ends the outbox as slow where it does not fit.
    pub(crate) fn push(&self, envelope: &Arc<Envelope>) -> Pushed {
        let mut queue = self.0.lock();
        if queue.end.is_some() {
            return Pushed::Ended;
        }
        let bytes = queue.bytes + envelope.size();
        // One event always fits into an empty outbox, however small the bound.
        if bytes > self.0.limit && !queue.items.is_empty() {
            let reason = format!(
                "reading too slowly: more than {} bytes were waiting",
                self.0.limit
            );
            queue.items.clear();
            queue.bytes = 0;
            queue.end = Some(End::Slow { reason });
            drop(queue);
            self.0.announce_end();
            return Pushed::Overflow;
        }
        queue.bytes = bytes;
        queue.since.get_or_insert_with(Instant::now);
        queue.items.push_back(Item::Event(envelope.clone()));
        drop(queue);
        self.0.filled.notify_one();
        if bytes > self.0.limit / 2 {
            Pushed::Pressed
        } else {
            Pushed::Queued
        }
    }

    /// Ends the outbox behind what waits. The first end holds.
    pub(crate) fn end(&self, end: End) {
        let closing = match &end {
            End::Closed { reason } => Some(Event::Closing {
                reason: reason.clone(),
            }),
            End::Finished | End::Slow { .. } => None,
        };
        {
            let mut queue = self.0.lock();
            if queue.end.is_some() {
                return;
            }
            if let Some(event) = closing {
                queue
                    .items
                    .push_back(Item::Event(Arc::new(Envelope::new(event))));
            }
            queue.end = Some(end);
        }
        self.0.announce_end();
    }

    /// Whether more than half of the bound is full although the reader takes what it can: the
    /// sign for senders to go slower. A reader that has taken nothing for `patience` does not
    /// count: nobody waits for a stalled one.
    pub(crate) fn pressed(&self, patience: Duration) -> bool {
        let queue = self.0.lock();
        let stalled = queue.since.is_some_and(|since| since.elapsed() >= patience);
        queue.bytes > self.0.limit / 2 && !stalled
    }

    /// Whether the session has been ended, by whomever.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.lock().end.is_some()
    }

    /// How many bytes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.0.lock().bytes
    }

    /// Waits until less than half of the bound is full, or the outbox has ended.
    pub(crate) async fn room(&self) {
        self.0.room().await;
    }
}

impl Shared {
    fn announce_end(&self) {
        self.ended.cancel();
        self.filled.notify_one();
        self.drained.notify_waiters();
    }

    async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            {
                let queue = self.lock();
                if queue.bytes <= self.limit / 2 || queue.end.is_some() {
                    return;
                }
            }
            drained.await;
        }
    }
}

impl OutboxReader {
    /// Waits until something is to be written and moves all of it into `items`; returns the end
    /// of the session once nothing is left in front of it. After an end, only the end is returned.
    ///
    /// Cancel safe: nothing is lost when the future is dropped.
    pub async fn take(&mut self, items: &mut Vec<Item>) -> Option<End> {
        loop {
            let filled = self.0.filled.notified();
            {
                let mut queue = self.0.lock();
                if !queue.items.is_empty() {
                    items.extend(queue.items.drain(..));
                    queue.bytes = 0;
                    queue.since = None;
                    drop(queue);
                    self.0.drained.notify_waiters();
                    return None;
                }
                if let Some(end) = &queue.end {
                    return Some(end.clone());
                }
            }
            filled.await;
        }
    }

    /// Fires when the session has been ended, by the client or by the hub; what waits in front of
    /// the end may still be written, in the time the caller gives it.
    pub fn ended(&self) -> CancellationToken {
        self.0.ended.clone()
    }

    /// How the session ends, once it is decided.
    pub fn end(&self) -> Option<End> {
        self.0.lock().end.clone()
    }
}

impl OutboxEcho {
    /// Queues bytes behind what waits. Ask for [`room`](Self::room) first: these bytes are the
    /// session's own, and never end it.
    pub fn push(&self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let item = Item::Bytes(bytes);
        {
            let mut queue = self.0.lock();
            if queue.end.is_some() {
                return;
            }
            queue.bytes += item.size();
            queue.since.get_or_insert_with(Instant::now);
            queue.items.push_back(item);
        }
        self.0.filled.notify_one();
    }

    /// Waits until less than half of the bound is full, or the session has ended.
    pub async fn room(&self) {
        self.0.room().await;
    }
}

#[cfg(test)]
mod tests {
    use cmp_protocol::Tag;

    use super::*;

    fn pong(text: &'static str) -> Event {
        Event::Pong {
            text: Bytes::from_static(text.as_bytes()),
            tag: None::<Tag>,
        }
    }

    fn text(item: &Item) -> String {
        match item {
            Item::Event(envelope) => format!("{:?}", envelope.event()),
            Item::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    #[tokio::test]
    async fn everything_that_waits_is_taken_at_once_and_in_order() {
        let (sender, mut reader, echo) = outbox(10_000);
        sender.push_event(pong("1"));
        echo.push(Bytes::from_static(b"echo"));
        sender.push_event(pong("2"));
        let mut items = Vec::new();
        assert_eq!(reader.take(&mut items).await, None);
        assert_eq!(items.len(), 3);
        assert_eq!(text(&items[1]), "echo");
        assert_eq!(sender.waiting(), 0);
    }

    #[tokio::test]
    async fn a_reader_behind_its_bound_is_ended_and_what_waited_is_freed() {
        let (sender, mut reader, _echo) = outbox(200);
        let mut last = Pushed::Queued;
        for _ in 0..10 {
            last = sender.push_event(pong("0123456789"));
            if last == Pushed::Overflow {
                break;
            }
        }
        assert_eq!(last, Pushed::Overflow);
        assert_eq!(sender.push_event(pong("later")), Pushed::Ended);
        assert!(reader.ended().is_cancelled());
        let mut items = Vec::new();
        assert!(matches!(
            reader.take(&mut items).await,
            Some(End::Slow { .. })
        ));
        assert!(items.is_empty());
    }

    #[tokio::test]
    async fn an_end_comes_after_what_waits_and_the_first_end_holds() {
        let (sender, mut reader, _echo) = outbox(10_000);
        sender.push_event(pong("last words"));
        sender.end(End::Closed {
            reason: "kicked".into(),
        });
        sender.end(End::Finished);
        let mut items = Vec::new();
        assert_eq!(reader.take(&mut items).await, None);
        assert_eq!(items.len(), 2);
        assert!(text(&items[1]).contains("kicked"));
        let end = reader.take(&mut items).await;
        assert_eq!(
            end,
            Some(End::Closed {
                reason: "kicked".into()
            })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn pressure_shows_only_while_the_reader_moves() {
        let (sender, mut reader, _echo) = outbox(400);
        let mut items = Vec::new();
        sender.push_event(pong("0"));
        reader.take(&mut items).await;
        while sender.push_event(pong("0123456789")) != Pushed::Pressed {}
        let patience = Duration::from_millis(10);
        assert!(sender.pressed(patience));
        tokio::time::advance(patience).await;
        assert!(
            !sender.pressed(patience),
            "it has taken nothing: it is stalled"
        );
        reader.take(&mut items).await;
        while sender.push_event(pong("0123456789")) != Pushed::Pressed {}
        assert!(sender.pressed(patience), "it moves again");
    }

    #[tokio::test]
    async fn room_is_made_by_taking() {
        let (sender, mut reader, echo) = outbox(100);
        echo.push(Bytes::from(vec![b'x'; 90]));
        let waiting = tokio::spawn(async move { sender.room().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        reader.take(&mut Vec::new()).await;
        waiting.await.unwrap();
    }
}
