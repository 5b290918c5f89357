use cmp_core::{Position, Retention, Store, Stored};
use cmp_protocol::Message;

use super::{all, at, kind, message, sample, stored};

/// `number`s of kind `name`, each accepted at the time of its number.
fn of_kind(name: &str, numbers: impl IntoIterator<Item = u64>) -> Vec<Stored> {
    let message = |number| Message {
        kind: kind(name),
        ..message(number)
    };
    numbers
        .into_iter()
        .map(|number| stored(at(number), message(number)))
        .collect()
}

async fn left(store: &impl Store, name: &str) -> Vec<u64> {
    let all = all(store).await;
    let of_kind = all
        .iter()
        .filter(|stored| stored.message.kind.as_str() == name);
    of_kind.map(|stored| stored.position.seq).collect()
}

fn not_before(time_ms: u64) -> Retention {
    Retention {
        not_before_ms: Some(time_ms),
        keep: None,
    }
}

fn keep(count: u64) -> Retention {
    Retention {
        not_before_ms: None,
        keep: Some(count),
    }
}

pub(super) async fn kinds_are_those_that_are_stored(store: &impl Store) {
    store.append(&of_kind("spam", 1..=2)).await.unwrap();
    store.append(&of_kind("qw", 3..=40)).await.unwrap();
    store.append(&of_kind("chat", 41..=41)).await.unwrap();
    let kinds = async || {
        let mut kinds = store.kinds().await.unwrap();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds().await, [kind("chat"), kind("qw"), kind("spam")]);
    assert_eq!(store.prune(&kind("qw"), keep(0), 100).await.unwrap(), 38);
    assert_eq!(kinds().await, [kind("chat"), kind("spam")]);
}

pub(super) async fn old_messages_go(store: &impl Store) {
    store.append(&of_kind("qw", 1..=10)).await.unwrap();
    store.append(&of_kind("spam", 11..=12)).await.unwrap();
    // Accepted by another hub before the others, and delivered here after them.
    let late = Message {
        time_ms: 2,
        ..message(20)
    };
    store.append(&[stored(at(20), late)]).await.unwrap();
    let qw = kind("qw");
    assert_eq!(store.prune(&qw, not_before(8), 3).await.unwrap(), 3);
    assert_eq!(store.prune(&qw, not_before(8), 3).await.unwrap(), 3);
    assert_eq!(store.prune(&qw, not_before(8), 3).await.unwrap(), 2);
    assert_eq!(store.prune(&qw, not_before(8), 3).await.unwrap(), 0);
    assert_eq!(left(store, "qw").await, [8, 9, 10]);
    assert_eq!(left(store, "spam").await, [11, 12]);
}

pub(super) async fn surplus_messages_go(store: &impl Store) {
    // The newest are the last delivered, whatever time their clock showed.
    let fast_clock = Message {
        time_ms: 1 << 50,
        ..message(1)
    };
    store.append(&[stored(at(1), fast_clock)]).await.unwrap();
    store.append(&of_kind("qw", 2..=8)).await.unwrap();
    store.append(&of_kind("spam", 9..=20)).await.unwrap();
    let anchored = stored(Position { anchor: 3, seq: 30 }, message(30));
    store.append(&[anchored]).await.unwrap();
    let qw = kind("qw");
    assert_eq!(store.prune(&qw, keep(4), 3).await.unwrap(), 3);
    assert_eq!(left(store, "qw").await, [30, 4, 5, 6, 7, 8]);
    assert_eq!(store.prune(&qw, keep(4), 3).await.unwrap(), 2);
    assert_eq!(left(store, "qw").await, [5, 6, 7, 8]);
    assert_eq!(store.prune(&qw, keep(4), 3).await.unwrap(), 0);
    assert_eq!(store.prune(&qw, keep(u64::MAX), 3).await.unwrap(), 0);
    assert_eq!(left(store, "spam").await.len(), 12);
    assert_eq!(store.prune(&qw, keep(0), 3).await.unwrap(), 3);
    assert_eq!(store.prune(&qw, keep(0), 3).await.unwrap(), 1);
    assert!(left(store, "qw").await.is_empty());
}

pub(super) async fn both_bounds_hold(store: &impl Store) {
    store.append(&of_kind("qw", 1..=10)).await.unwrap();
    let qw = kind("qw");
    let both = |not_before_ms, keep| Retention {
        not_before_ms: Some(not_before_ms),
        keep: Some(keep),
    };
    assert_eq!(store.prune(&qw, both(3, 5), 4).await.unwrap(), 4);
    assert_eq!(store.prune(&qw, both(3, 5), 4).await.unwrap(), 1);
    assert_eq!(left(store, "qw").await, [6, 7, 8, 9, 10]);
    assert_eq!(store.prune(&qw, both(9, 5), 4).await.unwrap(), 3);
    assert_eq!(left(store, "qw").await, [9, 10]);
}

pub(super) async fn nothing_goes_without_a_bound(store: &impl Store) {
    store.append(&[sample(1), sample(2)]).await.unwrap();
    let qw = kind("qw");
    assert_eq!(store.prune(&qw, Retention::default(), 10).await.unwrap(), 0);
    assert_eq!(store.prune(&qw, keep(0), 0).await.unwrap(), 0);
    assert_eq!(store.prune(&kind("other"), keep(0), 10).await.unwrap(), 0);
    assert_eq!(left(store, "qw").await, [1, 2]);
}

pub(super) async fn newest_outlives_its_message(store: &impl Store) {
    store.append(&[sample(1), sample(2)]).await.unwrap();
    assert_eq!(store.prune(&kind("qw"), keep(0), 10).await.unwrap(), 2);
    assert_eq!(all(store).await, []);
    assert_eq!(store.newest().await.unwrap(), at(2));
}
