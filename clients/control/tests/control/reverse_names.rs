//! Names from a DNS server that the test plays on loopback.

use std::collections::VecDeque;
use std::time::Duration;

use crate::support::{FakeDns, Hub};
use cmp_control::{Ended, Settings};
use cmp_protocol::Command;

/// The longest time limit there is: none of these tests takes so long.
const NEVER: Duration = Duration::from_secs(8);

fn asking(dns: &FakeDns, dns_timeout: Duration) -> Settings {
    Settings {
        dns_server: Some(dns.address),
        dns_timeout,
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_reverse_name_is_shortened_and_remembered() {
    let dns = FakeDns::start().await;
    let mut hub = Hub::ready(asking(&dns, NEVER)).await;
    let first = hub.ask("RESOLVE 193.0.6.139:27500").await;
    let question = dns.question().await;
    assert_eq!(question.name, "139.6.0.193.in-addr.arpa");
    // Asked for again meanwhile: one question serves both.
    let second = hub.ask("RESOLVE 193.0.6.139").await;
    dns.answer(&question, "Game1.Ourhost.co.uk").await;
    assert_eq!(
        hub.answered_line(&first).await,
        "ourhost.co.uk NL Netherlands"
    );
    assert_eq!(
        hub.answered_line(&second).await,
        "ourhost.co.uk NL Netherlands"
    );
    assert_eq!(
        hub.line("RESOLVE 193.0.6.139").await,
        "ourhost.co.uk NL Netherlands"
    );

    let six = hub.ask("RESOLVE 2001:67c:2e8:22::c100:68b").await;
    let question = dns.question().await;
    assert!(question.name.starts_with("b.8.6.0.0.0.1.c.") && question.name.ends_with("ip6.arpa"));
    dns.answer_code(&question, 3).await;
    let none = "2001:67c:2e8:22::c100:68b NL Netherlands";
    assert_eq!(hub.answered_line(&six).await, none);
    // That there is no name is remembered too.
    assert_eq!(hub.line("RESOLVE 2001:67c:2e8:22::c100:68b").await, none);
    assert!(dns.waiting_question().is_none());
}

#[tokio::test]
async fn hosts_of_the_table_and_special_addresses_are_not_asked_for() {
    let dns = FakeDns::start().await;
    let hosts = vec![("193.0.6.0/24".parse().unwrap(), "ripe".to_owned())];
    let mut hub = Hub::ready(Settings {
        hosts,
        ..asking(&dns, NEVER)
    })
    .await;
    for address in [
        "193.0.6.139",
        "127.0.0.1",
        "10.0.0.1",
        "fe80::1",
        "192.0.2.1",
        "224.0.0.1",
    ] {
        hub.line(&format!("RESOLVE {address}")).await;
    }
    assert!(dns.waiting_question().is_none());
}

#[tokio::test]
async fn a_silent_server_delays_nobody_else_and_ends_in_time() {
    let dns = FakeDns::start().await;
    let mut hub = Hub::ready(asking(&dns, Duration::from_secs(2))).await;
    let slow = hub.ask("RESOLVE 193.0.6.139").await;
    dns.question().await;
    // Answered while the other one waits.
    hub.request("RULES").await;
    assert!(hub.is_quiet());
    assert_eq!(
        hub.line("RESOLVE 127.0.0.1").await,
        "loopback -- loopback (RFC 1122)"
    );
    // Asked once more, since packets get lost; then answered without a name.
    dns.question().await;
    assert_eq!(hub.answered_line(&slow).await, "193.0.6.139 NL Netherlands");
    // Not asked again at once.
    assert_eq!(
        hub.line("RESOLVE 193.0.6.139").await,
        "193.0.6.139 NL Netherlands"
    );
    assert!(dns.waiting_question().is_none());
}

#[tokio::test]
async fn a_failing_server_is_asked_twice() {
    let dns = FakeDns::start().await;
    let mut hub = Hub::ready(asking(&dns, NEVER)).await;
    let id = hub.ask("RESOLVE 193.0.6.139").await;
    dns.answer_code(&dns.question().await, 2).await;
    dns.answer(&dns.question().await, "a.example.org").await;
    assert_eq!(hub.answered_line(&id).await, "example.org NL Netherlands");
}

#[tokio::test]
async fn only_so_many_questions_and_waiting_requests_at_once() {
    let dns = FakeDns::start().await;
    let mut hub = Hub::ready(asking(&dns, NEVER)).await;
    let mut ids = Vec::new();
    for last in 0..=255 {
        ids.push(hub.ask(&format!("RESOLVE 193.0.6.{last}")).await);
    }
    // One too many: answered at once.
    assert_eq!(
        hub.line("RESOLVE 193.0.7.1").await,
        "193.0.7.1 NL Netherlands"
    );
    let mut questions = VecDeque::new();
    for _ in 0..16 {
        questions.push_back(dns.question().await);
    }
    // Whatever wanted to run has run before this is answered.
    hub.request("RULES").await;
    assert!(
        dns.waiting_question().is_none(),
        "more than 16 questions at once"
    );
    // Each answer makes room for one.
    for _ in 0..256 - 16 {
        let question = questions.pop_front().unwrap();
        dns.answer(&question, "a.example.org").await;
        questions.push_back(dns.question().await);
    }
    for question in &questions {
        dns.answer(question, "a.example.org").await;
    }
    for id in &ids {
        assert_eq!(hub.answered_line(id).await, "example.org NL Netherlands");
    }
    // There is room again.
    let id = hub.ask("RESOLVE 193.0.7.1").await;
    dns.answer(&dns.question().await, "b.example.net").await;
    assert_eq!(hub.answered_line(&id).await, "example.net NL Netherlands");
}

#[tokio::test]
async fn who_waits_is_answered_on_shutdown_and_when_reverse_names_are_turned_off() {
    let dns = FakeDns::start().await;
    let mut hub = Hub::ready(asking(&dns, NEVER)).await;
    let id = hub.ask("RESOLVE 193.0.6.139").await;
    dns.question().await;
    let off = Settings {
        reverse_dns: false,
        ..Settings::default()
    };
    hub.settings.send(off.check().unwrap().into()).unwrap();
    assert_eq!(hub.answered_line(&id).await, "193.0.6.139 NL Netherlands");

    hub.settings
        .send(asking(&dns, NEVER).check().unwrap().into())
        .unwrap();
    let id = hub.ask("RESOLVE 193.0.6.139").await;
    dns.question().await;
    let (rest, ended) = hub.shut_down().await;
    assert_eq!(ended, Ended::Shutdown);
    let client = "paul_specbot".parse().unwrap();
    let text = "193.0.6.139 NL Netherlands".into();
    let end = Command::End {
        client,
        id: id.clone(),
    };
    let client = "paul_specbot".parse().unwrap();
    assert_eq!(rest, [Command::Reply { client, id, text }, end]);
}
