//! How sessions end.

use russh::Sig;

use crate::support::{TestServer, line, new_key};

#[tokio::test]
async fn at_the_end_of_input_what_was_sent_is_done_and_the_messages_come_in_order() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let mut channel = client.shell().await;
    channel.greeted().await;
    channel.send("C one\nC two").await;
    channel.eof().await;
    let (data, events) = channel.rest().await;
    assert_eq!(data, "C paul: one\nC paul: two\n");
    assert_eq!(events, "eof, exit-status 0, close");
}

#[tokio::test]
async fn part_ends_a_session_as_the_end_of_input_does() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let mut channel = client.shell().await;
    channel.greeted().await;
    channel.send("C one\nPART\nC never\n").await;
    let (data, events) = channel.rest().await;
    assert_eq!(data, "C paul: one\n");
    assert_eq!(events, "eof, exit-status 0, close");
}

#[tokio::test]
async fn a_kicked_session_gets_the_reason_and_status_1() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let mut channel = client.shell().await;
    channel.greeted().await;
    server.kick("paul", "go away").await;
    let (data, events) = channel.rest().await;
    assert!(data.ends_with("go away\n"), "{data:?}");
    assert_eq!(data.lines().count(), 1, "{data:?}");
    assert_eq!(events, "eof, exit-status 1, close");
    // The connection stays, and can have another session.
    client.shell().await.greeted().await;
}

#[tokio::test]
async fn a_signal_ends_a_session_as_it_does_a_process() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    for (signal, shown) in [
        (Sig::INT, "INT"),
        (Sig::TERM, "TERM"),
        (Sig::HUP, "HUP"),
        (Sig::KILL, "KILL"),
    ] {
        let mut channel = client.shell().await;
        channel.greeted().await;
        channel.wire.signal(Sig::USR1).await.unwrap();
        channel.greeted().await;
        channel.wire.signal(signal).await.unwrap();
        let (_, events) = channel.rest().await;
        assert_eq!(events, format!("eof, exit-signal {shown}, close"));
    }
}

#[tokio::test]
async fn no_signal_reaches_a_forced_command_or_a_subsystem() {
    let server = TestServer::start().await;
    let key = new_key(russh::keys::Algorithm::Ed25519);
    server.add(&line("command=\"client.rb forced\"", "forced", &key));
    let forced = server.log_in(&key).await;
    let mut channel = forced.shell().await;
    channel.wire.signal(Sig::KILL).await.unwrap();
    channel.greeted().await;

    let client = server.client("paul").await;
    let mut channel = client.subsystem("cmp").await;
    channel.wire.signal(Sig::KILL).await.unwrap();
    channel.send("{\"cmd\":\"ping\"}\n").await;
    channel.until("\"pong\"").await;
}

#[tokio::test]
async fn what_was_sent_before_a_connection_is_lost_is_still_done() {
    let server = TestServer::start().await;
    let anna = server.client("anna").await;
    let mut anna = anna.shell().await;
    anna.greeted().await;
    let paul = server.client("paul").await;
    let channel = paul.shell().await;
    channel.send("C one\nC two\nC half a li").await;
    channel.wire.close().await.unwrap();
    anna.until("C paul: one\nC paul: two\n").await;
    while server.stats().await.sessions > 1 {
        tokio::task::yield_now().await;
    }
    anna.send("PING after\n").await;
    assert_eq!(
        anna.until("PONG after\n").await,
        b"",
        "half a line was done"
    );
}

#[tokio::test]
async fn a_session_ends_with_its_channel_also_while_it_writes() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    for _ in 0..20 {
        let channel = client.shell().await;
        channel.send("HELP\n".repeat(500)).await;
        channel.wire.close().await.unwrap();
    }
    while server.counters.get().open_sessions > 0 {
        tokio::task::yield_now().await;
    }
    client.shell().await.greeted().await;
}
