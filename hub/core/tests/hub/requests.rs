//! Network commands.

use std::time::Duration;

use bytes::Bytes;
use cmp_core::End;
use cmp_protocol::{Command, ErrorCode, Event, Target, Topic};

use crate::support::{Client, TestHub, bytes, command, name, policy, provide, request, request_id};

async fn asked(provider: &mut Client) -> (cmp_protocol::ClientName, cmp_protocol::RequestId) {
    match provider.next().await {
        Event::Request {
            client, id, params, ..
        } => {
            assert_eq!(params, "params");
            (client, id)
        }
        other => panic!("not a request: {other:?}"),
    }
}

fn reply(client: &str, id: &str, text: &str) -> Command {
    Command::Reply {
        client: name(client),
        id: request_id(id),
        text: bytes(text),
    }
}

fn end(client: &str, id: &str) -> Command {
    Command::End {
        client: name(client),
        id: request_id(id),
    }
}

#[tokio::test]
async fn a_request_goes_to_a_provider_and_its_answers_come_back() {
    let hub = TestHub::start(policy()).await;
    let (mut asker, mut provider) = (hub.central("asker").await, hub.central("p").await);
    provider.send(provide("RESOLVE")).await;
    provider.nothing_waits().await;
    asker.send(request("1", "RESOLVE", Target::Any)).await;
    assert_eq!(asked(&mut provider).await, (name("asker"), request_id("1")));
    provider.send(reply("asker", "1", "first")).await;
    provider.send(reply("asker", "1", "second")).await;
    provider.send(end("asker", "1")).await;
    for text in ["first", "second"] {
        let expected = Event::Reply {
            provider: name("p"),
            id: request_id("1"),
            text: bytes(text),
        };
        assert_eq!(asker.next().await, expected);
    }
    assert_eq!(
        asker.next().await,
        Event::End {
            provider: Some(name("p")),
            id: request_id("1")
        }
    );
    provider.send(reply("asker", "1", "late")).await;
    assert_eq!(provider.code().await, ErrorCode::NotFound);
    asker.nothing_waits().await;
}

#[tokio::test]
async fn providers_take_turns() {
    let hub = TestHub::start(policy()).await;
    let asker = hub.central("asker").await;
    let mut providers = Vec::new();
    for n in 0..3 {
        let mut provider = hub.central(&format!("p{n}")).await;
        provider.send(provide("X")).await;
        provider.nothing_waits().await;
        providers.push(provider);
    }
    for n in 0..6 {
        asker.send(request(&n.to_string(), "X", Target::Any)).await;
    }
    for provider in &mut providers {
        asked(provider).await;
        asked(provider).await;
        provider.nothing_waits().await;
    }
}

#[tokio::test]
async fn a_named_provider_is_asked_or_refused() {
    let hub = TestHub::start(policy()).await;
    let (mut asker, mut p1, mut p2) = (
        hub.central("asker").await,
        hub.central("p1").await,
        hub.central("p2").await,
    );
    for provider in [&mut p1, &mut p2] {
        provider.send(provide("X")).await;
        provider.nothing_waits().await;
    }
    asker
        .send(request("1", "X", Target::Client(name("p2"))))
        .await;
    asked(&mut p2).await;
    p1.nothing_waits().await;
    asker
        .send(request("2", "X", Target::Client(name("p3"))))
        .await;
    let refusal = asker.refusal().await;
    assert_eq!(
        (refusal.subject.as_str(), refusal.code),
        ("2", ErrorCode::NoProvider)
    );
    asker.send(request("3", "Y", Target::Any)).await;
    assert_eq!(asker.code().await, ErrorCode::NoProvider);
    // The wrong one may not answer.
    p1.send(reply("asker", "1", "me!")).await;
    assert_eq!(p1.code().await, ErrorCode::NotFound);
    asker.nothing_waits().await;
}

#[tokio::test]
async fn all_providers_are_asked_and_the_last_end_says_so() {
    let hub = TestHub::start(policy()).await;
    let (mut asker, mut p1, mut p2) = (
        hub.central("asker").await,
        hub.central("p1").await,
        hub.central("p2").await,
    );
    for provider in [&mut p1, &mut p2] {
        provider.send(provide("X")).await;
        provider.nothing_waits().await;
    }
    asker.send(request("1", "X", Target::All)).await;
    for provider in [&mut p1, &mut p2] {
        asked(provider).await;
        provider.send(end("asker", "1")).await;
        provider.nothing_waits().await;
    }
    for provider in [Some(name("p1")), Some(name("p2")), None] {
        assert_eq!(
            asker.next().await,
            Event::End {
                provider,
                id: request_id("1")
            }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_has_a_time_limit() {
    let hub = TestHub::start(policy()).await;
    let (mut asker, mut provider) = (hub.central("asker").await, hub.central("p").await);
    provider.send(provide("X")).await;
    provider.nothing_waits().await;
    asker.send(request("1", "X", Target::Any)).await;
    asked(&mut provider).await;
    let begun = tokio::time::Instant::now();
    let refusal = asker.refusal().await;
    assert_eq!(
        (refusal.subject.as_str(), refusal.code),
        ("1", ErrorCode::Timeout)
    );
    assert!(begun.elapsed() >= Duration::from_secs(9) && begun.elapsed() < Duration::from_secs(11));
    provider.send(reply("asker", "1", "late")).await;
    assert_eq!(provider.code().await, ErrorCode::NotFound);
    // The id is free again.
    asker.send(request("1", "X", Target::Any)).await;
    asked(&mut provider).await;
}

#[tokio::test]
async fn a_provider_that_leaves_and_one_that_withdraws() {
    let hub = TestHub::start(policy()).await;
    let (mut asker, mut provider) = (hub.central("asker").await, hub.central("p").await);
    asker
        .send(Command::Subscribe {
            topic: Topic::commands(),
        })
        .await;
    asker.nothing_waits().await;
    provider.send(provide("X")).await;
    let provision = |provided| Event::Provision {
        client: name("p"),
        command: command("X"),
        provided,
    };
    assert_eq!(asker.next().await, provision(true));
    asker.send(request("1", "X", Target::Any)).await;
    asked(&mut provider).await;
    provider
        .send(Command::Withdraw {
            command: command("X"),
        })
        .await;
    assert_eq!(asker.next().await, provision(false));
    asker.send(request("2", "X", Target::Any)).await;
    assert_eq!(asker.code().await, ErrorCode::NoProvider);
    provider.send(reply("asker", "1", "still answered")).await;
    assert!(matches!(asker.next().await, Event::Reply { .. }));
    drop(provider);
    let refusal = asker.refusal().await;
    assert_eq!(
        (refusal.subject.as_str(), refusal.code),
        ("1", ErrorCode::Gone)
    );
}

#[tokio::test]
async fn an_asker_that_leaves_is_forgotten_and_one_that_ends_its_input_is_waited_for() {
    let hub = TestHub::start(policy()).await;
    let mut provider = hub.central("p").await;
    provider.send(provide("X")).await;
    provider.nothing_waits().await;

    let gone = hub.central("gone").await;
    gone.send(request("1", "X", Target::Any)).await;
    asked(&mut provider).await;
    drop(gone);
    provider.nothing_waits().await;
    provider.send(reply("gone", "1", "x")).await;
    assert_eq!(provider.code().await, ErrorCode::NotFound);

    let mut patient = hub.central("patient").await;
    patient.send(request("1", "X", Target::Any)).await;
    patient.session.input.finish().await.unwrap();
    asked(&mut provider).await;
    provider.send(end("patient", "1")).await;
    assert!(matches!(patient.next().await, Event::End { .. }));
    assert_eq!(patient.end().await, End::Finished);
}

#[tokio::test]
async fn a_request_id_is_used_once_at_a_time_and_their_number_is_bounded() {
    let mut policy = policy();
    policy.limits.requests_per_client = 2;
    policy.limits.provided_per_client = 1;
    let hub = TestHub::start(policy).await;
    let (mut asker, mut provider) = (hub.central("asker").await, hub.central("p").await);
    provider.send(provide("X")).await;
    provider
        .send(Command::Provide {
            command: command("Y"),
            help: Bytes::new(),
        })
        .await;
    assert_eq!(provider.code().await, ErrorCode::Limit);
    asker.send(request("1", "X", Target::Any)).await;
    asker.send(request("1", "X", Target::Any)).await;
    assert_eq!(asker.code().await, ErrorCode::Duplicate);
    asker.send(request("2", "X", Target::Any)).await;
    asker.send(request("3", "X", Target::Any)).await;
    assert_eq!(asker.code().await, ErrorCode::Limit);
    // Another client has ids of its own.
    let mut other = hub.central("other").await;
    other.send(request("1", "X", Target::Any)).await;
    other.nothing_waits().await;
}
