//! Clients that write as fast as they can.

use std::time::Duration;

use cmp_core::Limits as HubLimits;
use russh::ChannelMsg;
use russh::client::Config;
use russh::keys::Algorithm;

use crate::log;
use crate::support::{AT_MOST, Channel, Options, TestServer, line, new_key, soon};

/// Sends numbered chat lines as fast as it can while reading what comes back, which is every one
/// of them in order.
async fn flood(channel: Channel, client: &str, count: usize) {
    let (mut reader, writer) = channel.wire.split();
    let send = async {
        for from in (0..count).step_by(1000) {
            let lines: String = (from..from + 1000).map(|n| format!("C {n}\n")).collect();
            writer.data_bytes(lines).await.unwrap();
        }
    };
    let receive = async {
        let (mut text, mut next) = (Vec::new(), 0);
        while next < count {
            match reader.wait().await {
                Some(ChannelMsg::Data { data }) => text.extend_from_slice(&data),
                Some(ChannelMsg::WindowAdjusted { .. }) => {}
                other => panic!("{other:?} after {next} lines"),
            }
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let rest = text.split_off(end + 1);
                let line = String::from_utf8(std::mem::replace(&mut text, rest)).unwrap();
                if line.starts_with("C ") {
                    assert_eq!(line, format!("C {client}: {next}\n"));
                    next += 1;
                }
            }
        }
    };
    soon("the end of the flood", async {
        tokio::join!(send, receive)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_writes_without_pause_loses_nothing_and_is_not_cut() {
    let mut options = Options::default();
    // Less than the flood in every place where it can wait.
    options.policy.limits = HubLimits {
        outbox_bytes: 128 * 1024,
        ..HubLimits::default()
    };
    let server = TestServer::with(options).await;
    let key = new_key(Algorithm::Ed25519);
    server.add(&line("", "paul", &key));
    // The window for our output is small, and the messages that open it again stand behind what
    // the client sends.
    for window_size in [2 * 1024 * 1024, 16 * 1024] {
        let config = Config {
            window_size,
            ..Config::default()
        };
        let client = server.log_in_with(&key, config).await;
        flood(client.shell().await, "paul", 50_000).await;
    }
    assert_eq!(server.stats().await.slow_readers, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanging_keys_again_and_again_under_load_loses_nothing() {
    let server = TestServer::start().await;
    let key = new_key(Algorithm::Ed25519);
    server.add(&line("", "paul", &key));
    let config = Config {
        limits: russh::Limits {
            rekey_write_limit: 64 * 1024,
            rekey_read_limit: 64 * 1024,
            ..russh::Limits::default()
        },
        ..Config::default()
    };
    let client = server.log_in_with(&key, config).await;
    flood(client.shell().await, "paul", 50_000).await;
}

/// The number that a logged line gives this name.
fn number(line: &str, name: &str) -> usize {
    let after = line.split(&format!("{name}=")).nth(1).unwrap();
    after.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_input_is_not_taken_is_slowed_and_no_other_of_its_connection() {
    let mut options = Options::default();
    options.policy.limits.store_timeout = AT_MOST;
    let server = TestServer::with(options).await;
    // No broadcast is done until this is dropped.
    let held = server.store.hold_appends().await;
    let client = server.client("paul").await;
    let peer = format!("peer={}", client.local);
    let (flooding, mut other) = (client.shell().await, client.shell().await);
    let broadcasts = "BC qw nick #channel :text\n".repeat(500_000);
    let (mut reader, writer) = flooding.wire.split();
    let drain = async { while reader.wait().await.is_some() {} };
    let sent = async {
        let sending = async { tokio::join!(drain, writer.data_bytes(broadcasts)) };
        tokio::time::timeout(Duration::from_secs(1), sending).await
    };
    let others_go_on = async {
        for _ in 0..100 {
            other.greeted().await;
        }
    };
    let (sent, ()) = tokio::join!(sent, others_go_on);
    assert!(sent.is_err(), "all of it was read");
    other.greeted().await;

    server.stop.force.cancel();
    let logged = log::wait_for(&["logout", &peer]).await;
    // Of these 13 MB: two windows, and then packets of a byte or two, of which most is SSH's own.
    let read = number(&logged, "bytes_in");
    assert!(read < 4 * 1024 * 1024, "{read} bytes were read");
    drop(held);
}

#[tokio::test]
async fn a_client_that_sends_much_before_it_starts_a_session_is_cut() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let peer = format!("peer={}", client.local);
    let channel = client.channel().await;
    // The window is no more than this.
    let _ = channel.wire.data_bytes(vec![b'x'; 128 * 1024]).await;
    client.closed().await;
    let logged = log::wait_for(&["logout", &peer]).await;
    assert!(logged.contains("before it started a session"), "{logged}");
}
