//! Broadcasts: stored before anybody sees them, and refused when they can't be.

use std::time::Duration;

use cmp_core::{KindSettings, Store, StoreWhen};
use cmp_protocol::{Command, ErrorCode, Event, Kind};

use crate::support::{TestHub, broadcast, chat, policy};

#[tokio::test]
async fn a_broadcast_goes_to_all_others_and_the_sender_gets_its_id() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    a.send(broadcast("nick", "4on4 mix")).await;
    let id = a.acknowledged().await;
    let message = b.message().await;
    assert_eq!(message.id, id);
    assert_eq!(message.client.as_str(), "a");
    assert_eq!(message.nick.as_ref().unwrap().as_bytes(), b"nick");
    assert_eq!(message.text, "4on4 mix");
    a.nothing_waits().await;
}

#[tokio::test]
async fn nobody_sees_a_broadcast_before_it_is_stored_and_chat_of_others_passes_it() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    let mut appends = hub.store.appends_begun();
    let held = hub.store.hold_appends().await;
    a.send(broadcast("n", "one")).await;
    appends.changed().await.unwrap();
    b.send(chat("not held up")).await;
    assert_eq!(b.text().await, "not held up");
    assert_eq!(a.text().await, "not held up");
    b.nothing_waits().await;
    drop(held);
    a.acknowledged().await;
    assert_eq!(b.text().await, "one");
}

#[tokio::test]
async fn what_one_client_sends_arrives_and_is_answered_in_its_order() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    let held = hub.store.hold_appends().await;
    for n in 0..3 {
        a.send(broadcast("n", &format!("bc{n}"))).await;
    }
    let unknown = match broadcast("n", "x") {
        Command::Broadcast {
            nick, origin, text, ..
        } => Command::Broadcast {
            kind: Kind::new("nope").unwrap(),
            nick,
            origin,
            text,
        },
        other => other,
    };
    a.send(unknown).await;
    a.send(broadcast("n", "bc3")).await;
    a.send(chat("chat")).await;
    a.send(broadcast("n", "bc4")).await;
    a.send(broadcast("n", "bc5")).await;
    a.send(Command::Ping {
        text: crate::support::bytes("end"),
    })
    .await;
    drop(held);
    for expected in ["bc0", "bc1", "bc2", "bc3", "chat", "bc4", "bc5"] {
        assert_eq!(b.text().await, expected);
    }
    let mut answers = Vec::new();
    loop {
        match a.next().await {
            Event::Ok { .. } => answers.push("ok"),
            Event::Refused { .. } => answers.push("refused"),
            Event::Message(_) => answers.push("chat"),
            Event::Pong { .. } => break,
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(
        answers,
        ["ok", "ok", "ok", "refused", "ok", "chat", "ok", "ok"]
    );
}

#[tokio::test]
async fn an_unavailable_store_refuses_broadcasts_while_chat_and_sessions_go_on() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    hub.store.set_failing(true);
    a.send(broadcast("n", "lost")).await;
    let refusal = a.refusal().await;
    assert_eq!(refusal.code, ErrorCode::Unavailable);
    assert!(refusal.retry_after.is_some());
    assert!(!hub.stats().await.store_healthy);
    a.send(chat("still here")).await;
    assert_eq!(a.text().await, "still here");
    assert_eq!(b.text().await, "still here");

    // It comes back by itself, and what was said in the meantime is stored late.
    tokio::time::pause();
    hub.store.set_failing(false);
    loop {
        a.send(broadcast("n", "again")).await;
        match a.next().await {
            Event::Ok { .. } => break,
            Event::Refused { refusal, .. } => assert_eq!(refusal.code, ErrorCode::Unavailable),
            other => panic!("unexpected {other:?}"),
        }
        tokio::time::advance(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(b.text().await, "again");
    while hub.stats().await.stored < 2 {
        tokio::time::advance(std::time::Duration::from_millis(100)).await;
    }
    let newest = hub.store.newest().await.unwrap();
    let kept = hub
        .store
        .range(Default::default(), newest, 10)
        .await
        .unwrap();
    let texts: Vec<_> = kept.iter().map(|row| row.message.text.clone()).collect();
    assert_eq!(texts, ["still here", "again"]);
}

#[tokio::test]
async fn each_kind_says_when_it_is_stored() {
    let mut policy = policy();
    policy.chat = KindSettings::stored(StoreWhen::Never);
    policy.kinds.insert(
        Kind::new("qw").unwrap(),
        KindSettings::stored(StoreWhen::After),
    );
    let hub = TestHub::start(policy).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    let held = hub.store.hold_appends().await;
    a.send(chat("not stored")).await;
    a.send(broadcast("n", "stored after")).await;
    assert_eq!(b.text().await, "not stored");
    assert_eq!(b.text().await, "stored after");
    assert_eq!(a.text().await, "not stored");
    a.acknowledged().await;
    drop(held);
    hub.hub.shutdown("test").await.unwrap();
    let newest = hub.store.newest().await.unwrap();
    let kept = hub
        .store
        .range(Default::default(), newest, 10)
        .await
        .unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].message.text, "stored after");
}

#[tokio::test(start_paused = true)]
async fn messages_past_their_retention_go_by_themselves() {
    let mut policy = policy();
    let kept = KindSettings {
        keep_count: Some(10),
        ..policy.chat
    };
    policy.kinds.insert(Kind::new("qw").unwrap(), kept);
    let hub = TestHub::start(policy).await;
    let mut a = hub.central("a").await;
    for n in 0..2000 {
        a.send(broadcast("n", &n.to_string())).await;
        a.acknowledged().await;
    }
    let stored = async || {
        let newest = hub.store.newest().await.unwrap();
        hub.store
            .range(Default::default(), newest, 5000)
            .await
            .unwrap()
    };
    while stored().await.len() > 10 {
        tokio::time::advance(Duration::from_secs(1)).await;
        a.nothing_waits().await;
    }
    assert_eq!(stored().await[0].message.text, "1990");
}
