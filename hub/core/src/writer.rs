//! The writer: everything that waits to be stored goes in one transaction (group commit).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::store::{Store, StoreError, Stored};

/// Messages in one transaction at most.
const MAX_BATCH: usize = 4096;

/// Delivered messages that are kept for later while the store does not take them. Past it, the
/// oldest is given up and counted.
const MAX_RETRY: usize = 10_000;

/// How often an unavailable store is asked whether it is back.
const PROBE: Duration = Duration::from_secs(1);

/// A message to store.
#[derive(Debug)]
pub(crate) struct WriteJob {
    pub(crate) stored: Stored,
    /// Whether it was delivered already: then a failure is no refusal, and it is tried again.
    pub(crate) delivered: bool,
}

/// What the writer reports to the hub.
#[derive(Debug)]
pub(crate) enum Written {
    /// Every job up to this number is decided.
    Batch {
        up_to_seq: u64,
        stored: u64,
        outcome: Result<(), StoreError>,
    },
    /// Messages that had been delivered and were stored after the store came back.
    Late { stored: u64 },
    /// Delivered messages that were given up.
    Lost { messages: u64 },
    /// The store takes messages, or does not.
    Health { healthy: bool },
}

/// Writes jobs in the order they come until the sender is dropped. While the store is
/// unavailable, jobs that were not delivered fail at once.
pub(crate) async fn run<S: Store>(
    store: Arc<S>,
    limit: Duration,
    mut jobs: mpsc::Receiver<WriteJob>,
    reports: mpsc::Sender<Written>,
) {
    let mut writer = Writer {
        store,
        limit,
        reports,
        retry: VecDeque::new(),
        down: None,
    };
    let mut probe = interval(PROBE);
    probe.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            count = jobs.recv_many(&mut batch, MAX_BATCH) => {
                if count == 0 {
                    break;
                }
                writer.write(std::mem::take(&mut batch)).await;
            }
            _ = probe.tick(), if writer.down.is_some() || !writer.retry.is_empty() => {
                writer.probe().await;
            }
        }
    }
    // The last chance of what is still waiting for the store to come back.
    writer.probe().await;
    if !writer.retry.is_empty() {
        tracing::error!(
            messages = writer.retry.len(),
            "delivered messages could not be stored"
        );
    }
}

struct Writer<S> {
    store: Arc<S>,
    limit: Duration,
    reports: mpsc::Sender<Written>,
    retry: VecDeque<Stored>,
    /// Why the store is unavailable, while it is.
    down: Option<StoreError>,
}

impl<S: Store> Writer<S> {
    async fn write(&mut self, jobs: Vec<WriteJob>) {
        let Some(up_to_seq) = jobs.last().map(|job| job.stored.position.seq) else {
            return;
        };
        let outcome = if let Some(error) = self.down.clone() {
            Err(error)
        } else {
            let batch: Vec<_> = jobs.iter().map(|job| job.stored.clone()).collect();
            self.append(&batch).await
        };
        let stored = if outcome.is_ok() {
            jobs.len() as u64
        } else {
            0
        };
        if outcome.is_err() {
            self.keep(
                jobs.into_iter()
                    .filter(|job| job.delivered)
                    .map(|job| job.stored),
            )
            .await;
        }
        self.report(Written::Batch {
            up_to_seq,
            stored,
            outcome,
        })
        .await;
    }

    /// Asks an unavailable store whether it is back, and stores what was kept for that.
    async fn probe(&mut self) {
        if self.down.is_some() {
            let answer = timeout(self.limit, self.store.check()).await;
            if !matches!(answer, Ok(Ok(()))) {
                return;
            }
            self.set_down(None).await;
        }
        while !self.retry.is_empty() {
            let batch: Vec<_> = self.retry.iter().take(MAX_BATCH).cloned().collect();
            if self.append(&batch).await.is_err() {
                return;
            }
            self.retry.drain(..batch.len());
            self.report(Written::Late {
                stored: batch.len() as u64,
            })
            .await;
        }
    }

    async fn append(&mut self, batch: &[Stored]) -> Result<(), StoreError> {
        let outcome = timeout(self.limit, self.store.append(batch))
            .await
            .unwrap_or_else(|_| {
                let reason = format!("no answer within {} s", self.limit.as_secs_f32());
                Err(StoreError::Unavailable(reason))
            });
        if let Err(error) = &outcome {
            self.set_down(Some(error.clone())).await;
        }
        outcome
    }

    async fn set_down(&mut self, error: Option<StoreError>) {
        match (&self.down, &error) {
            (None, Some(error)) => {
                tracing::error!(%error, "the store takes no messages; broadcasts are refused");
            }
            (Some(_), None) => tracing::info!("the store takes messages again"),
            _ => return,
        }
        let healthy = error.is_none();
        self.down = error;
        self.report(Written::Health { healthy }).await;
    }

    async fn keep(&mut self, messages: impl Iterator<Item = Stored>) {
        self.retry.extend(messages);
        let over = self.retry.len().saturating_sub(MAX_RETRY);
        if over > 0 {
            self.retry.drain(..over);
            self.report(Written::Lost {
                messages: over as u64,
            })
            .await;
        }
    }

    async fn report(&self, report: Written) {
        // An error means that the hub has ended; what is stored stays stored.
        let _ = self.reports.send(report).await;
    }
}
