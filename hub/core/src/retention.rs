//! Retention: messages that their kind no longer keeps go, a few at a time.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cmp_protocol::Kind;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::policy::{KindSettings, Policy};
use crate::store::{Retention, Store, StoreError};

/// How often is looked for messages to remove; the first time one period after the start.
const PERIOD: Duration = Duration::from_secs(60);

/// Messages removed in one transaction: few, so that no publisher waits long behind it.
const BATCH: u32 = 500;

/// Transactions in one go; what is left waits for the next period.
const BATCHES: usize = 200;

/// Removes what is not kept until the hub has ended.
pub(crate) async fn run<S: Store>(store: Arc<S>, mut policy: watch::Receiver<Arc<Policy>>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = policy.changed() => {
                if changed.is_err() {
                    return;
                }
                continue;
            }
        }
        let now = policy.borrow_and_update().clone();
        match prune(&*store, &now).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed messages past their retention"),
            Err(error) => tracing::warn!(%error, "retention could not be applied"),
        }
    }
}

async fn prune<S: Store>(store: &S, policy: &Policy) -> Result<u64, StoreError> {
    let mut removed = 0;
    for kind in store.kinds().await? {
        let Some(retention) = retention(&settings(policy, &kind)) else {
            continue;
        };
        for _ in 0..BATCHES {
            let gone = store.prune(&kind, retention, BATCH).await?;
            removed += gone;
            if gone < u64::from(BATCH) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    Ok(removed)
}

/// A kind that is no longer configured, and is no chat, was relayed once.
fn settings(policy: &Policy, kind: &Kind) -> KindSettings {
    if *kind == Kind::chat() {
        policy.chat
    } else {
        policy.kinds.get(kind).copied().unwrap_or(policy.relay)
    }
}

fn retention(settings: &KindSettings) -> Option<Retention> {
    if settings.keep_for.is_none() && settings.keep_count.is_none() {
        return None;
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let not_before = settings
        .keep_for
        .map(|keep| now.saturating_sub(keep).as_millis());
    Some(Retention {
        not_before_ms: not_before.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
        keep: settings.keep_count,
    })
}
