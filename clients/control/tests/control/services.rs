//! What is provided, and the answers that need nothing from outside.

use std::path::Path;
use std::time::Duration;

use crate::support::{Hub, broadcast, soon};
use cmp_control::{DEFAULT_RULES, Ended, Settings};
use cmp_protocol::{Command, ErrorCode, Event, Refusal, Since};

fn without_dns() -> Settings {
    Settings {
        reverse_dns: false,
        ..Settings::default()
    }
}

fn hosts(entries: &[(&str, &str)]) -> Settings {
    let entry = |(key, name): &(&str, &str)| (key.parse().unwrap(), (*name).to_owned());
    Settings {
        hosts: entries.iter().map(entry).collect(),
        ..without_dns()
    }
}

#[tokio::test]
async fn the_history_is_asked_for_and_last_is_offered_when_it_is_there() {
    let mut hub = Hub::start(without_dns());
    let (tag, command) = hub.command().await;
    assert_eq!(
        command,
        Command::Resume {
            since: Since::Last(10_000)
        }
    );
    for expected in ["RESOLVE", "RULES", "HOSTS"] {
        let (_, command) = hub.command().await;
        let Command::Provide { command, help } = command else {
            panic!("{command:?}")
        };
        assert_eq!(command.as_str(), expected);
        assert!(help.starts_with(expected.as_bytes()));
    }
    // Everything before this answer is handled, and LAST is not offered.
    hub.request("RULES").await;
    assert!(hub.is_quiet());
    hub.tell(Event::Resumed { count: 0, tag }).await;
    let (_, command) = hub.command().await;
    assert!(matches!(command, Command::Provide { command, .. } if command.as_str() == "LAST"));
}

#[tokio::test]
async fn last_is_offered_too_when_the_history_is_refused() {
    let mut hub = Hub::start(without_dns());
    let (tag, _) = hub.command().await;
    for _ in 0..3 {
        hub.command().await;
    }
    let refusal = Refusal::new("RESUME", ErrorCode::Unavailable, "no store");
    hub.tell(Event::Refused { refusal, tag }).await;
    let (_, command) = hub.command().await;
    assert!(matches!(command, Command::Provide { command, .. } if command.as_str() == "LAST"));
}

#[tokio::test]
async fn last_gives_what_was_stored_and_what_came_since() {
    let stored = broadcast("qw", b"4on4 mix, two more needed!");
    let mut hub = Hub::with_history(without_dns(), std::slice::from_ref(&stored)).await;
    // Delivered again, as after a reconnect: kept once.
    hub.tell(Event::Message(stored)).await;
    hub.tell(Event::Message(broadcast("spam", b"na\xefve")))
        .await;
    assert_eq!(
        hub.request("LAST").await,
        [
            &b"2026-02-28 23:59 qw paul #kenya :4on4 mix, two more needed!"[..],
            b"2026-02-28 23:59 spam paul #kenya :na\xefve",
        ]
    );
    assert_eq!(
        hub.line("LAST qw").await,
        "2026-02-28 23:59 qw paul #kenya :4on4 mix, two more needed!"
    );
    assert!(hub.request("LAST chat").await.is_empty());
    let error = hub.line("LAST 21").await;
    assert_eq!(
        error,
        "ERROR the form is LAST [kind] [n], with n from 1 to 20"
    );
}

#[tokio::test]
async fn rules_and_hosts_are_given_as_set() {
    let mut hub = Hub::ready(without_dns()).await;
    assert_eq!(hub.request("RULES").await, DEFAULT_RULES);
    assert!(hub.request("HOSTS").await.is_empty());
    let settings = Settings {
        rules: vec!["Be kind.".to_owned()],
        ..hosts(&[
            ("198.51.100.7:27500", "foppa"),
            ("198.51.100.0/24", "ourhost"),
        ])
    };
    hub.settings.send(settings.check().unwrap().into()).unwrap();
    // The new settings are taken before the next event.
    assert_eq!(hub.request("RULES").await, ["Be kind."]);
    assert_eq!(
        hub.request("HOSTS").await,
        ["198.51.100.7:27500 foppa", "198.51.100.0/24 ourhost"]
    );
}

#[tokio::test]
async fn addresses_are_named_by_table_range_or_themselves() {
    let settings = hosts(&[("10.1.0.0/16", "lan"), ("193.0.6.139:27500", "ripe-duel")]);
    let mut hub = Hub::ready(settings).await;
    for (request, answer) in [
        ("RESOLVE 193.0.6.139:27500", "ripe-duel NL Netherlands"),
        ("RESOLVE 193.0.6.139:27501", "193.0.6.139 NL Netherlands"),
        ("RESOLVE ::ffff:193.0.6.139", "193.0.6.139 NL Netherlands"),
        (
            "RESOLVE  [2001:67c:2e8:22::c100:68b]:80 ",
            "2001:67c:2e8:22::c100:68b NL Netherlands",
        ),
        ("RESOLVE 10.1.2.3", "lan -- private network (RFC 1918)"),
        (
            "RESOLVE 10.2.2.3:1",
            "private -- private network (RFC 1918)",
        ),
        ("RESOLVE 127.0.0.1", "loopback -- loopback (RFC 1122)"),
        ("RESOLVE [::1]:27500", "loopback -- loopback (RFC 4291)"),
        (
            "RESOLVE 100.64.0.1",
            "cgnat -- shared address space of a provider (RFC 6598)",
        ),
        (
            "RESOLVE fd00::1",
            "private -- unique local address (RFC 4193)",
        ),
        // Not assigned to any registry.
        ("RESOLVE 8000::1", "8000::1 ?? unknown"),
    ] {
        assert_eq!(hub.line(request).await, answer, "{request}");
    }
}

#[tokio::test]
async fn what_can_not_be_answered_says_so_and_ends() {
    let mut hub = Hub::ready(without_dns()).await;
    for request in [
        "RESOLVE",
        "RESOLVE example.org",
        "RESOLVE 1.2.3.4 5.6.7.8",
        "RESOLVE \u{e9}",
    ] {
        let error = hub.line(request).await;
        assert!(
            error.starts_with("ERROR the form is RESOLVE <ip[:port]>"),
            "{error}"
        );
    }
    assert_eq!(
        hub.line("OTHER x").await,
        "ERROR this command is not provided here"
    );
}

#[tokio::test]
async fn the_country_file_is_read_again_when_it_changes() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("country.mmdb");
    let replace = |with: &Path| {
        let new = folder.path().join("new");
        std::fs::copy(with, &new).unwrap();
        std::fs::rename(new, &path).unwrap();
    };
    replace(&data.join("nested.mmdb"));
    let settings = Settings {
        mmdb: Some(path.clone()),
        mmdb_check: Duration::from_millis(10),
        ..without_dns()
    };
    let mut hub = Hub::ready(settings).await;
    assert_eq!(hub.line("RESOLVE 8.8.8.8").await, "8.8.8.8 SE Sweden");
    assert_eq!(hub.line("RESOLVE 9.9.9.9").await, "9.9.9.9 QX Quakeland");

    replace(&data.join("flat.mmdb"));
    soon("the new file", async {
        while hub.line("RESOLVE 8.8.8.8").await != "8.8.8.8 DK Denmark" {}
    })
    .await;

    // A broken file is left alone; a good one after it is taken.
    let broken = folder.path().join("broken");
    std::fs::write(&broken, "no database").unwrap();
    replace(&broken);
    assert_eq!(hub.line("RESOLVE 8.8.8.8").await, "8.8.8.8 DK Denmark");
    replace(&data.join("nested.mmdb"));
    soon("the file after the broken one", async {
        loop {
            match hub.line("RESOLVE 8.8.8.8").await.as_str() {
                "8.8.8.8 SE Sweden" => break,
                other => assert_eq!(other, "8.8.8.8 DK Denmark"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_broken_country_file_leaves_the_embedded_data() {
    let settings = Settings {
        mmdb: Some("/nowhere/country.mmdb".into()),
        ..without_dns()
    };
    let mut hub = Hub::ready(settings).await;
    assert_eq!(
        hub.line("RESOLVE 193.0.6.139").await,
        "193.0.6.139 NL Netherlands"
    );
}

#[tokio::test]
async fn it_ends_with_its_link_and_on_shutdown() {
    let hub = Hub::ready(without_dns()).await;
    assert_eq!(hub.close().await, (Vec::new(), Ended::LinkClosed));
    let hub = Hub::ready(without_dns()).await;
    assert_eq!(hub.shut_down().await, (Vec::new(), Ended::Shutdown));
}
