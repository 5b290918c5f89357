//! Slow readers, fast writers, and everyone else.

use cmp_core::{AdminRequest, End, Who};
use cmp_protocol::{Command, Event, Submission};
use tokio::time::{Duration, timeout};

use crate::support::{TestHub, bytes, chat, name, policy};

#[tokio::test]
async fn a_client_that_never_reads_is_ended_and_nobody_else_notices() {
    let mut policy = policy();
    policy.limits.outbox_bytes = 64 * 1024;
    let hub = TestHub::start(policy).await;
    let mut stalled = hub.central("stalled").await;
    let writer = hub.central("writer").await;
    let mut own = writer.session.output;
    let writer = writer.session.input;
    let drain = tokio::spawn(async move {
        let mut items = Vec::new();
        while own.take(&mut items).await.is_none() {
            items.clear();
        }
    });
    let mut readers = Vec::new();
    for n in 0..200 {
        readers.push(hub.central(&format!("r{n}")).await);
    }
    let readers: Vec<_> = readers
        .into_iter()
        .map(|mut reader| {
            tokio::spawn(async move {
                for n in 0..1000 {
                    assert_eq!(reader.text().await, format!("line {n}"));
                }
            })
        })
        .collect();
    for n in 0..1000 {
        writer
            .submit(submission(chat(&format!("line {n}"))))
            .await
            .unwrap();
    }
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(matches!(stalled.end().await, End::Slow { .. }));
    assert_eq!(hub.stats().await.slow_readers, 1);
    drop(writer);
    drain.await.unwrap();
}

#[tokio::test]
async fn long_lines_end_no_reader_that_reads() {
    let mut policy = policy();
    // Far less than all the commands that may be under way.
    policy.limits.outbox_bytes = 128 * 1024;
    let hub = TestHub::start(policy).await;
    let (writer, mut reader) = (hub.central("writer").await, hub.central("reader").await);
    let mut own = writer.session.output;
    let drain = tokio::spawn(async move {
        let mut items = Vec::new();
        while own.take(&mut items).await.is_none() {
            items.clear();
        }
    });
    let input = writer.session.input;
    let line = |n: usize| format!("{n} {}", "x".repeat(4000));
    let flood = tokio::spawn(async move {
        for n in 0..1000 {
            input.submit(submission(chat(&line(n)))).await.unwrap();
        }
        input
    });
    for n in 0..1000 {
        assert_eq!(reader.text().await, line(n));
    }
    drop(flood.await.unwrap());
    drain.await.unwrap();
    assert_eq!(hub.stats().await.slow_readers, 0);
}

#[tokio::test]
async fn a_client_that_writes_too_fast_waits_and_the_others_do_not() {
    let hub = TestHub::start(policy()).await;
    let (fast, mut other) = (hub.central("fast").await, hub.central("other").await);
    // The store holds every broadcast, so the credit of `fast` runs out.
    let held = hub.store.hold_appends().await;
    let flood = tokio::spawn(async move {
        for n in 0..2000 {
            fast.send(crate::support::broadcast("n", &n.to_string()))
                .await;
        }
        fast
    });
    for _ in 0..100 {
        other.nothing_waits().await;
    }
    assert!(!flood.is_finished(), "it should wait for its credit");
    drop(held);
    flood.await.unwrap();
    for n in 0..2000 {
        assert_eq!(other.text().await, n.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_slowed_for_readers_that_move_and_not_for_stalled_ones() {
    let mut policy = policy();
    policy.limits.outbox_bytes = 100_000;
    policy.limits.commands_in_flight = 16;
    let hub = TestHub::start(policy).await;
    let (fast, mut slow) = (hub.central("fast").await, hub.central("slow").await);
    let mut own = fast.session.output;
    let drain = tokio::spawn(async move {
        let mut items = Vec::new();
        while own.take(&mut items).await.is_none() {
            items.clear();
        }
    });
    let input = fast.session.input;
    let flood = tokio::spawn(async move {
        for n in 0..3000 {
            let submission = cmp_protocol::Submission {
                tag: None,
                command: Ok(chat(&n.to_string())),
            };
            input.submit(submission).await.unwrap();
        }
        input
    });
    // A reader that takes a moment for every line keeps up, though it is far slower.
    for n in 0..3000 {
        assert_eq!(slow.text().await, n.to_string());
        if n % 10 == 0 {
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    }
    drop(flood.await.unwrap());
    drain.await.unwrap();
}

#[tokio::test]
async fn echo_and_events_share_one_order_and_one_bound() {
    let hub = TestHub::start(policy()).await;
    let a = hub.central("a").await;
    let mut output = a.session.output;
    a.session.echo.push(bytes("echo"));
    let kick = AdminRequest::Kick {
        who: Who::Client(name("a")),
        reason: "x".into(),
    };
    hub.admin(kick).await.unwrap();
    let mut items = Vec::new();
    timeout(Duration::from_secs(20), output.take(&mut items))
        .await
        .unwrap();
    assert!(matches!(&items[0], cmp_core::Item::Bytes(echo) if echo == "echo"));
    assert!(
        matches!(&items[1], cmp_core::Item::Event(e) if matches!(e.event(), Event::Closing { .. }))
    );
    a.session.echo.room().await;
}

fn submission(command: Command) -> Submission {
    Submission {
        tag: None,
        command: Ok(command),
    }
}

#[tokio::test]
async fn a_provider_that_answers_too_fast_waits_for_its_asker() {
    let mut policy = policy();
    policy.limits.outbox_bytes = 64 * 1024;
    let hub = TestHub::start(policy).await;
    let (mut asker, mut provider) = (hub.central("asker").await, hub.central("p").await);
    provider.send(crate::support::provide("X")).await;
    provider.nothing_waits().await;
    asker
        .send(crate::support::request("1", "X", cmp_protocol::Target::Any))
        .await;
    assert!(matches!(provider.next().await, Event::Request { .. }));
    let answers = tokio::spawn(async move {
        let (client, id) = (name("asker"), crate::support::request_id("1"));
        for n in 0..1000 {
            let text = bytes(&format!("{n} {}", "x".repeat(1000)));
            provider
                .send(Command::Reply {
                    client: client.clone(),
                    id: id.clone(),
                    text,
                })
                .await;
        }
        provider.send(Command::End { client, id }).await;
        provider
    });
    // It takes what waits only when half of its outbox is full: without backpressure it is ended.
    let mut taken = 0;
    loop {
        match asker.next().await {
            Event::Reply { .. } => taken += 1,
            Event::End { .. } => break,
            other => panic!("unexpected {other:?}"),
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(taken, 1000);
    drop(answers.await.unwrap());
}
