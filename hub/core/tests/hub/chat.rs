//! Chat, greeting, presence, relay commands, and how sessions begin and end.

use std::sync::Arc;

use cmp_core::{AdminRequest, Allowed, End, Role, Who};
use cmp_protocol::{Command, Dialect, ErrorCode, Event, Form, Kind, Topic, Verb};

use crate::support::{TestHub, broadcast, bytes, chat, name, policy, role};

#[tokio::test]
async fn chat_reaches_everyone_the_sender_included_in_one_order() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b, mut c) = (
        hub.central("a").await,
        hub.central("b").await,
        hub.central("c").await,
    );
    for n in 0..50 {
        a.send(chat(&format!("a{n}"))).await;
        b.send(chat(&format!("b{n}"))).await;
    }
    let mut orders = Vec::new();
    for client in [&mut a, &mut b, &mut c] {
        let mut order = Vec::new();
        for _ in 0..100 {
            order.push(client.text().await);
        }
        orders.push(order);
    }
    assert_eq!(orders[0], orders[1]);
    assert_eq!(orders[0], orders[2]);
    let of_a: Vec<_> = orders[0]
        .iter()
        .filter(|text| text.starts_with('a'))
        .collect();
    assert!(
        of_a.iter()
            .enumerate()
            .all(|(n, text)| **text == format!("a{n}"))
    );
}

#[tokio::test]
async fn the_greeting_shows_the_commands_of_the_role() {
    let mut policy = policy();
    let commands = Allowed::Only(["C".to_owned(), "WHO".to_owned()].into());
    let kinds = Allowed::Only([Kind::new("qw").unwrap()].into());
    policy.roles.insert(
        role("bot"),
        Role {
            commands,
            kinds,
            ..Role::default()
        },
    );
    let hub = TestHub::start(policy).await;
    let session = hub
        .hub
        .attach(cmp_core::Attach {
            client: name("a"),
            peer: "test".into(),
            form: Form::Central(None),
        })
        .await
        .unwrap();
    let mut output = session.output;
    let mut items = Vec::new();
    output.take(&mut items).await;
    let cmp_core::Item::Event(envelope) = &items[0] else {
        panic!("no greeting")
    };
    let Event::Greeting(greeting) = envelope.event() else {
        panic!("no greeting")
    };
    let shown: Vec<_> = greeting.commands.iter().map(Verb::as_str).collect();
    assert_eq!(shown, ["C", "PART", "PING", "WHO"]);
    assert_eq!(greeting.kinds, [Kind::new("qw").unwrap()]);
    assert_eq!(greeting.role, role("bot"));
}

#[tokio::test]
async fn a_command_the_role_does_not_have_is_refused_and_the_session_goes_on() {
    let mut policy = policy();
    let commands = Allowed::Only(["WHO".to_owned()].into());
    policy.roles.insert(
        role("bot"),
        Role {
            commands,
            ..Role::default()
        },
    );
    let hub = TestHub::start(policy).await;
    let mut a = hub.central("a").await;
    a.send(chat("hello")).await;
    assert_eq!(a.code().await, ErrorCode::Forbidden);
    a.nothing_waits().await;
}

#[tokio::test]
async fn part_ends_the_session_behind_what_was_sent_and_nothing_after_it_counts() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    a.send(chat("bye")).await;
    a.send(Command::Part).await;
    a.send(chat("ghost")).await;
    assert_eq!(a.text().await, "bye");
    assert_eq!(a.end().await, End::Finished);
    assert_eq!(b.text().await, "bye");
    b.nothing_waits().await;
}

#[tokio::test]
async fn end_of_input_ends_the_session_when_all_is_done() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    let held = hub.store.hold_appends().await;
    a.send(broadcast("n", "stored first")).await;
    a.send(chat("then chat")).await;
    a.session.input.finish().await.unwrap();
    drop(held);
    assert_eq!(b.text().await, "stored first");
    assert_eq!(b.text().await, "then chat");
    assert!(matches!(a.next().await, Event::Ok { .. }));
    assert_eq!(a.text().await, "then chat");
    assert_eq!(a.end().await, End::Finished);
}

#[tokio::test]
async fn what_was_submitted_is_done_though_the_connection_is_lost() {
    let hub = TestHub::start(policy()).await;
    let mut b = hub.central("b").await;
    let a = hub.central("a").await;
    let held = hub.store.hold_appends().await;
    a.send(broadcast("n", "one")).await;
    a.send(chat("two")).await;
    drop(a);
    drop(held);
    assert_eq!(b.text().await, "one");
    assert_eq!(b.text().await, "two");
}

#[tokio::test]
async fn presence_is_told_once_per_client_to_those_who_follow_it() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    a.send(Command::Subscribe {
        topic: Topic::presence(),
    })
    .await;
    a.nothing_waits().await;
    let first = hub.central("c").await;
    let second = hub.central("c").await;
    drop(first);
    drop(second);
    assert_eq!(
        a.next().await,
        Event::Joined {
            client: name("c"),
            role: role("bot")
        }
    );
    assert!(matches!(a.next().await, Event::Quit { client, .. } if client == name("c")));
    a.send(Command::Unsubscribe {
        topic: Topic::presence(),
    })
    .await;
    a.nothing_waits().await;
    let _d = hub.central("d").await;
    a.nothing_waits().await;
    b.nothing_waits().await;
}

#[tokio::test]
async fn an_unknown_topic_is_refused_with_those_there_are() {
    let hub = TestHub::start(policy()).await;
    let mut a = hub.central("a").await;
    a.send(Command::Subscribe {
        topic: Topic::new("wether").unwrap(),
    })
    .await;
    let refusal = a.refusal().await;
    assert_eq!(refusal.code, ErrorCode::NotFound);
    assert!(
        refusal.reason.contains("presence, commands"),
        "{}",
        refusal.reason
    );
}

#[tokio::test]
async fn who_names_each_client_once() {
    let hub = TestHub::start(policy()).await;
    let (mut a, _b1, _b2) = (
        hub.central("a").await,
        hub.central("b").await,
        hub.json("b").await,
    );
    a.send(crate::support::provide("RESOLVE")).await;
    a.send(Command::Who).await;
    let Event::Who { clients, .. } = a.next().await else {
        panic!("no answer to WHO")
    };
    assert_eq!(clients.len(), 2);
    assert_eq!((clients[0].client.as_str(), clients[0].sessions), ("a", 1));
    assert_eq!(clients[0].provides, [crate::support::command("RESOLVE")]);
    assert_eq!((clients[1].client.as_str(), clients[1].sessions), ("b", 2));
}

#[tokio::test]
async fn a_client_has_its_sessions_and_no_more() {
    let mut policy = policy();
    policy.limits.sessions_per_client = 2;
    let hub = TestHub::start(policy).await;
    let first = hub.central("a").await;
    let _second = hub.central("a").await;
    let refused = hub
        .try_client("a", Form::Json)
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::Limit);
    let mut b = hub.central("b").await;
    drop(first);
    b.nothing_waits().await;
    hub.central("a").await;
}

#[tokio::test]
async fn a_kicked_session_gets_the_reason_as_its_last_line() {
    let hub = TestHub::start(policy()).await;
    let mut a = hub.central("a").await;
    let kick = AdminRequest::Kick {
        who: Who::Client(name("a")),
        reason: "go away".into(),
    };
    hub.admin(kick.clone()).await.unwrap();
    assert_eq!(
        a.next().await,
        Event::Closing {
            reason: "go away".into()
        }
    );
    assert_eq!(
        a.end().await,
        End::Closed {
            reason: "go away".into()
        }
    );
    drop(a);
    hub.central("b").await.nothing_waits().await;
    assert!(
        hub.admin(kick)
            .await
            .unwrap_err()
            .0
            .contains("has no session")
    );
}

#[tokio::test]
async fn a_relay_command_of_the_dialect_goes_to_whom_it_says() {
    let mut policy = policy();
    let dialect = r#"
        [[relay]]
        verb = "TEAM"
        to = "role:admin"
        line = "TEAM {client} {text}"

        [[relay]]
        verb = "OTHERS"
        roles = ["bot"]
        to = "others"
        line = "OTHERS {client} {text}"
    "#;
    policy.dialect = Arc::new(Dialect::parse(dialect).unwrap());
    let boss = cmp_core::ClientSettings {
        role: Some(role("admin")),
        ..Default::default()
    };
    policy.clients.insert(name("boss"), boss);
    let hub = TestHub::start(policy).await;
    let (mut a, mut b, mut boss) = (
        hub.central("a").await,
        hub.central("b").await,
        hub.central("boss").await,
    );
    let relay = |verb: &str| Command::Relay {
        verb: Verb::new(verb).unwrap(),
        text: bytes(verb),
    };
    a.send(relay("TEAM")).await;
    a.send(relay("OTHERS")).await;
    a.nothing_waits().await;
    assert_eq!(b.text().await, "OTHERS");
    assert_eq!(boss.text().await, "TEAM");
    assert_eq!(boss.text().await, "OTHERS");
    boss.send(relay("OTHERS")).await;
    assert_eq!(boss.code().await, ErrorCode::Forbidden);
    boss.send(relay("NEVER")).await;
    assert_eq!(boss.code().await, ErrorCode::Unknown);
}

#[tokio::test]
async fn a_new_policy_holds_for_open_sessions() {
    let hub = TestHub::start(policy()).await;
    let mut a = hub.central("a").await;
    let mut stricter = policy();
    stricter.roles.insert(
        role("bot"),
        Role {
            commands: Allowed::Only([].into()),
            ..Role::default()
        },
    );
    hub.hub.set_policy(stricter).await.unwrap();
    a.send(chat("hello")).await;
    assert_eq!(a.code().await, ErrorCode::Forbidden);
}

#[tokio::test]
async fn a_shutdown_finishes_what_was_taken_and_tells_the_sessions() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    let held = hub.store.hold_appends().await;
    a.send(broadcast("n", "last")).await;
    let handle = hub.hub.clone();
    let shutdown = tokio::spawn(async move { handle.shutdown("restarting").await });
    drop(held);
    shutdown.await.unwrap().unwrap();
    a.acknowledged().await;
    assert_eq!(b.text().await, "last");
    for client in [&mut a, &mut b] {
        assert_eq!(
            client.end().await,
            End::Closed {
                reason: "restarting".into()
            }
        );
    }
    hub.running.await.unwrap();
    assert!(
        hub.hub
            .attach(cmp_core::Attach {
                client: name("late"),
                peer: "test".into(),
                form: Form::Json,
            })
            .await
            .is_err()
    );
}

#[tokio::test]
async fn nothing_behind_a_part_is_done_though_it_waited_in_line() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    let held = hub.store.hold_appends().await;
    a.send(broadcast("n", "stored")).await;
    a.send(Command::Part).await;
    a.send(chat("ghost")).await;
    drop(held);
    a.acknowledged().await;
    assert_eq!(a.end().await, End::Finished);
    assert_eq!(b.text().await, "stored");
    b.nothing_waits().await;
}

#[tokio::test]
async fn part_waits_for_what_was_asked() {
    let hub = TestHub::start(policy()).await;
    let (mut asker, mut provider) = (hub.json("asker").await, hub.central("p").await);
    provider.send(crate::support::provide("X")).await;
    provider.nothing_waits().await;
    let id = cmp_protocol::MessageId::generate();
    asker.send(Command::Cursor { id }).await;
    asker
        .send(crate::support::resume(cmp_protocol::Since::Last(5)))
        .await;
    asker
        .send(crate::support::request("1", "X", cmp_protocol::Target::Any))
        .await;
    asker.send(Command::Part).await;
    assert!(matches!(provider.next().await, Event::Request { .. }));
    let (client, request) = (name("asker"), crate::support::request_id("1"));
    provider
        .send(Command::End {
            client,
            id: request,
        })
        .await;
    let mut seen = Vec::new();
    while let Some(event) = asker.next_or_end().await {
        seen.push(match event {
            Event::Ok { command, .. } => command.to_string(),
            Event::Resumed { .. } => "resumed".into(),
            Event::End { .. } => "end".into(),
            other => panic!("unexpected {other:?}"),
        });
    }
    assert_eq!(
        seen[0], "CURSOR",
        "answers come in the order of the commands"
    );
    for answer in ["resumed", "REQ", "end"] {
        assert!(
            seen.iter().any(|s| s == answer),
            "{answer} is missing in {seen:?}"
        );
    }
    assert_eq!(asker.end().await, End::Finished);
}

#[tokio::test]
async fn a_new_policy_takes_back_what_a_session_had() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    a.send(Command::Subscribe {
        topic: Topic::presence(),
    })
    .await;
    a.send(crate::support::provide("X")).await;
    a.nothing_waits().await;
    let mut stricter = policy();
    let commands = Allowed::Only(["REQ".to_owned()].into());
    stricter.roles.insert(
        role("bot"),
        Role {
            commands,
            ..Role::default()
        },
    );
    hub.hub.set_policy(stricter).await.unwrap();
    let _c = hub.central("c").await;
    a.nothing_waits().await;
    b.send(crate::support::request("1", "X", cmp_protocol::Target::Any))
        .await;
    assert_eq!(b.code().await, ErrorCode::NoProvider);
}
