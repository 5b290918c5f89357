//! Resume: exactly what was missed, in the order it was delivered.

use std::sync::Arc;

use cmp_protocol::{Command, ErrorCode, Event, MessageId, Since};

use crate::support::{Client, TestHub, broadcast, chat, policy, resume};

async fn texts_until_resumed(client: &mut Client) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        match client.next().await {
            Event::Message(message) => {
                texts.push(String::from_utf8_lossy(&message.text).into_owned());
            }
            Event::Resumed { count, .. } => {
                assert!(count <= texts.len() as u64);
                return texts;
            }
            other => panic!("unexpected {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_came_after_an_id_is_sent_in_order_and_then_it_goes_on_live() {
    let hub = TestHub::start(policy()).await;
    let mut a = hub.central("a").await;
    let mut ids: Vec<MessageId> = Vec::new();
    for n in 0..1000 {
        a.send(broadcast("n", &n.to_string())).await;
        ids.push(a.acknowledged().await);
    }
    let mut reader = hub.json("reader").await;
    reader.send(resume(Since::Id(ids[99]))).await;
    let texts = texts_until_resumed(&mut reader).await;
    let expected: Vec<_> = (100..1000).map(|n: i32| n.to_string()).collect();
    assert_eq!(texts, expected);
    a.send(chat("live")).await;
    assert_eq!(reader.text().await, "live");
    reader.send(resume(Since::Last(1))).await;
    assert_eq!(reader.code().await, ErrorCode::Limit);
}

#[tokio::test]
async fn a_history_larger_than_the_outbox_comes_as_fast_as_it_is_read() {
    let mut policy = policy();
    policy.limits.outbox_bytes = 64 * 1024;
    let hub = TestHub::start(policy).await;
    let mut a = hub.central("a").await;
    let line = |n: usize| format!("{n} {}", "x".repeat(4000));
    for n in 0..300 {
        a.send(broadcast("n", &line(n))).await;
        a.acknowledged().await;
    }
    let mut reader = hub.json("reader").await;
    reader.send(resume(Since::Last(300))).await;
    let expected: Vec<_> = (0..300).map(line).collect();
    assert_eq!(texts_until_resumed(&mut reader).await, expected);
    assert_eq!(hub.stats().await.slow_readers, 0);
}

#[tokio::test]
async fn the_order_is_that_of_delivery_though_chat_passed_a_broadcast_that_was_being_stored() {
    let hub = TestHub::start(policy()).await;
    let (a, mut b) = (hub.central("a").await, hub.central("b").await);
    let mut appends = hub.store.appends_begun();
    let held = hub.store.hold_appends().await;
    a.send(broadcast("n", "broadcast")).await;
    appends.changed().await.unwrap();
    b.send(chat("chat")).await;
    let first = b.message().await;
    assert_eq!(first.text, "chat");
    drop(held);
    assert_eq!(b.text().await, "broadcast");
    let mut reader = hub.json("reader").await;
    reader.send(resume(Since::Last(10))).await;
    assert_eq!(
        texts_until_resumed(&mut reader).await,
        ["chat", "broadcast"]
    );
    let mut reader = hub.json("reader").await;
    reader.send(resume(Since::Id(first.id))).await;
    assert_eq!(texts_until_resumed(&mut reader).await, ["broadcast"]);
}

#[tokio::test]
async fn what_is_delivered_and_not_stored_yet_is_neither_lost_nor_doubled() {
    let hub = TestHub::start(policy()).await;
    let mut a = hub.central("a").await;
    let mut appends = hub.store.appends_begun();
    let held = hub.store.hold_appends().await;
    for text in ["one", "two", "three"] {
        a.send(chat(text)).await;
    }
    let one = a.message().await;
    appends.changed().await.unwrap();
    let mut reader = hub.json("reader").await;
    reader.send(resume(Since::Id(one.id))).await;
    a.send(chat("four")).await;
    assert_eq!(texts_until_resumed(&mut reader).await, ["two", "three"]);
    assert_eq!(reader.text().await, "four");
    drop(held);
    reader.nothing_waits().await;
}

#[tokio::test]
async fn what_was_seen_live_before_the_resume_does_not_come_again() {
    let hub = TestHub::start(policy()).await;
    let a = hub.central("a").await;
    let mut reader = hub.json("reader").await;
    a.send(chat("seen live")).await;
    assert_eq!(reader.text().await, "seen live");
    reader.send(resume(Since::Last(10))).await;
    assert_eq!(texts_until_resumed(&mut reader).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_came_between_the_greeting_and_the_resume_has_its_place_in_the_order() {
    let hub = TestHub::start(policy()).await;
    let mut a = hub.central("a").await;
    a.send(chat("before")).await;
    let mut reader = hub.json("reader").await;
    a.send(chat("between")).await;
    assert_eq!(a.text().await, "before");
    assert_eq!(a.text().await, "between");
    reader.send(resume(Since::Last(10))).await;
    assert_eq!(
        texts_until_resumed(&mut reader).await,
        ["before", "between"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_json_session_that_says_nothing_is_told_all_the_same() {
    let hub = TestHub::start(policy()).await;
    let (a, mut listener) = (hub.central("a").await, hub.json("listener").await);
    a.send(chat("one")).await;
    assert_eq!(listener.text().await, "one");
    a.send(chat("two")).await;
    assert_eq!(listener.text().await, "two");
}

#[tokio::test]
async fn under_load_every_message_comes_once_and_in_order() {
    let mut policy = policy();
    policy.limits.outbox_bytes = 256 * 1024;
    let store = Arc::new(cmp_core::MemoryStore::new(100_000));
    let hub = TestHub::start_on(policy, store).await;
    let mut publisher = hub.central("publisher").await;
    let flood = tokio::spawn(async move {
        for n in 0..20_000 {
            publisher.send(broadcast("n", &n.to_string())).await;
            publisher.acknowledged().await;
        }
    });
    let mut expected = 0;
    let mut since = Since::Last(0);
    // Again and again from where it was, while the publisher goes on.
    while expected < 20_000 {
        let mut reader = hub.json("reader").await;
        reader.send(resume(since)).await;
        for _ in 0..1500 {
            if expected == 20_000 {
                break;
            }
            if let Event::Message(message) = reader.next().await {
                let n: u32 = String::from_utf8_lossy(&message.text).parse().unwrap();
                if matches!(since, Since::Last(_)) {
                    expected = n;
                }
                assert_eq!(n, expected);
                expected += 1;
                since = Since::Id(message.id);
            }
        }
    }
    flood.await.unwrap();
}

#[tokio::test]
async fn a_durable_cursor_says_where_to_go_on() {
    let store = Arc::new(cmp_core::MemoryStore::default());
    let hub = TestHub::start_on(policy(), store.clone()).await;
    let mut a = hub.central("a").await;
    let mut ids = Vec::new();
    for n in 0..5 {
        a.send(broadcast("n", &n.to_string())).await;
        ids.push(a.acknowledged().await);
    }
    let mut reader = hub.json("reader").await;
    reader.send(Command::Cursor { id: ids[2] }).await;
    assert_eq!(reader.acknowledged().await, ids[2]);
    hub.hub.shutdown("restart").await.unwrap();

    let hub = TestHub::start_on(policy(), store).await;
    let mut reader = hub.json("reader").await;
    reader.send(resume(Since::Cursor)).await;
    assert_eq!(texts_until_resumed(&mut reader).await, ["3", "4"]);
    let mut newcomer = hub.json("newcomer").await;
    newcomer.send(resume(Since::Cursor)).await;
    assert!(texts_until_resumed(&mut newcomer).await.is_empty());
}

#[tokio::test]
async fn the_central_dialect_has_no_resume_and_an_unavailable_store_refuses_it() {
    let hub = TestHub::start(policy()).await;
    let mut central = hub.central("central").await;
    central.send(resume(Since::Last(1))).await;
    assert_eq!(central.code().await, ErrorCode::Unknown);
    hub.store.set_failing(true);
    let mut reader = hub.json("reader").await;
    reader.send(resume(Since::Last(1))).await;
    assert_eq!(reader.code().await, ErrorCode::Unavailable);
    reader.nothing_waits().await;
}

#[tokio::test]
async fn a_kind_that_is_never_stored_is_not_lost_between_the_greeting_and_the_resume() {
    let mut policy = policy();
    policy.chat = cmp_core::KindSettings::stored(cmp_core::StoreWhen::Never);
    let hub = TestHub::start(policy).await;
    let mut a = hub.central("a").await;
    let mut reader = hub.json("reader").await;
    a.send(broadcast("n", "stored")).await;
    a.acknowledged().await;
    a.send(chat("not stored")).await;
    assert_eq!(a.text().await, "not stored");
    reader.send(resume(Since::Last(10))).await;
    assert_eq!(reader.text().await, "stored");
    assert!(matches!(reader.next().await, Event::Resumed { .. }));
    assert_eq!(reader.text().await, "not stored");
    reader.nothing_waits().await;
}

#[tokio::test]
async fn history_shows_a_relayed_line_only_to_those_it_was_for() {
    let mut policy = policy();
    let dialect = r#"
        [[relay]]
        verb = "TEAM"
        to = "role:admin"
        line = "TEAM {client} {text}"

        [[relay]]
        verb = "NOTE"
        to = "sender"
        line = "NOTE {text}"
    "#;
    policy.dialect = Arc::new(cmp_protocol::Dialect::parse(dialect).unwrap());
    let boss = cmp_core::ClientSettings {
        role: Some(crate::support::role("admin")),
        ..Default::default()
    };
    policy.clients.insert(crate::support::name("boss"), boss);
    let hub = TestHub::start(policy).await;
    let mut writer = hub.central("writer").await;
    for verb in ["TEAM", "NOTE"] {
        let verb = cmp_protocol::Verb::new(verb).unwrap();
        let text = crate::support::bytes(verb.as_str());
        writer.send(Command::Relay { verb, text }).await;
    }
    assert_eq!(writer.text().await, "NOTE");
    for (name, seen) in [
        ("boss", vec!["TEAM"]),
        ("writer", vec!["NOTE"]),
        ("other", vec![]),
    ] {
        let mut reader = hub.json(name).await;
        reader.send(resume(Since::Last(10))).await;
        assert_eq!(texts_until_resumed(&mut reader).await, seen, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn history_is_not_shown_while_a_part_of_it_waits_to_be_stored() {
    let hub = TestHub::start(policy()).await;
    let mut a = hub.central("a").await;
    let mut appends = hub.store.appends_begun();
    hub.store.set_failing(true);
    a.send(chat("late")).await;
    appends.changed().await.unwrap();
    while hub.stats().await.store_healthy {}
    hub.store.set_failing(false);
    assert_eq!(a.text().await, "late");
    let mut reader = hub.json("reader").await;
    reader.send(resume(Since::Last(1))).await;
    assert_eq!(reader.code().await, ErrorCode::Unavailable);
    while hub.stats().await.stored < 1 {
        tokio::time::advance(std::time::Duration::from_millis(100)).await;
    }
    reader.send(resume(Since::Last(1))).await;
    assert_eq!(texts_until_resumed(&mut reader).await, ["late"]);
}
