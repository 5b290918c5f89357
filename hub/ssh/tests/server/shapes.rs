//! Every shape of session, and what is refused.

use std::time::Duration;

use cmp_ssh::Settings;
use cmp_ssh::limits::refusal::RefusalKind;
use russh::ChannelOpenFailure;

use crate::support::{Options, TestServer, line, name, new_key, soon};

#[tokio::test]
async fn a_shell_and_any_command_speak_the_central_dialect() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    for mut channel in [
        client.shell().await,
        client.exec("ruby client.rb").await,
        client.exec("").await,
    ] {
        channel.send("PING hello\n").await;
        channel.until("PONG hello\n").await;
    }
}

#[tokio::test]
async fn json_is_spoken_by_its_command_and_subsystem() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    for mut channel in [client.exec("json").await, client.subsystem("cmp").await] {
        channel.until("\"greeting\"").await;
        channel.send("{\"cmd\":\"ping\",\"text\":\"x\"}\n").await;
        channel.until("\"pong\"").await;
    }
}

#[tokio::test]
async fn with_a_forced_command_the_client_gets_its_own_dialect_whatever_it_asks_for() {
    let mut options = Options::default();
    let boss = options.policy.clients[&name("boss")].clone();
    options.policy.clients.insert(name("forced"), boss);
    let server = TestServer::with(options).await;
    let key = new_key(russh::keys::Algorithm::Ed25519);
    server.add(&line("command=\"ruby client.rb forced\"", "forced", &key));
    let client = server.log_in(&key).await;
    for mut channel in [
        client.shell().await,
        client.exec("json").await,
        client.exec("admin stats").await,
        client.subsystem("cmp").await,
    ] {
        channel.send("PING hello\n").await;
        channel.until("PONG hello\n").await;
    }
    let mut channel = client.channel().await;
    channel.wire.request_subsystem(true, "sftp").await.unwrap();
    assert!(!channel.answer().await);
}

#[tokio::test]
async fn lines_of_any_bytes_pass_between_clients() {
    let server = TestServer::start().await;
    let (anna, paul) = (server.client("anna").await, server.client("paul").await);
    let (mut anna, mut paul) = (anna.shell().await, paul.shell().await);
    anna.greeted().await;
    paul.send(b"C latin \xe9 nul \0 bell \x07 cr \r inside, \xff\xfe\r\n")
        .await;
    let expected = b"C paul: latin \xe9 nul \0 bell \x07 cr \r inside, \xff\xfe\n";
    paul.until(expected).await;
    anna.until(expected).await;
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_and_the_session_goes_on() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let mut channel = client.shell().await;
    let longest = format!("C {}", "x".repeat(4094));
    channel
        .send(format!("{longest}\r\n{longest}x\nPING after\n"))
        .await;
    channel.until(format!("C paul: {}\n", &longest[2..])).await;
    let between = channel.until("PONG after\n").await;
    let refusal = String::from_utf8(between).unwrap();
    assert_eq!(
        refusal,
        "ERR * TOOLONG :the line is longer than 4096 bytes\n"
    );
}

#[tokio::test]
async fn everything_else_is_refused_as_sshd_does() {
    let server = TestServer::start().await;
    let mut client = server.client("paul").await;

    let mut channel = client.channel().await;
    for subsystem in ["sftp", "netconf"] {
        channel
            .wire
            .request_subsystem(true, subsystem)
            .await
            .unwrap();
        assert!(!channel.answer().await, "{subsystem}");
    }
    channel.wire.agent_forward(true).await.unwrap();
    assert!(!channel.answer().await, "agent");
    channel
        .wire
        .request_x11(true, false, "MIT-MAGIC-COOKIE-1", "00", 0)
        .await
        .unwrap();
    assert!(!channel.answer().await, "X11");
    channel.wire.set_env(true, "LANG", "C").await.unwrap();
    assert!(!channel.answer().await, "env");
    // None of these was the end of the channel.
    channel.wire.request_shell(true).await.unwrap();
    assert!(channel.answer().await);
    channel.greeted().await;
    // A second session on it is.
    channel.wire.exec(true, "json").await.unwrap();
    assert!(!channel.answer().await, "second session");
    assert!(
        !channel.ask_for_pty(&[]).await,
        "terminal of a running session"
    );
    channel.wire.window_change(100, 50, 0, 0).await.unwrap();
    channel.greeted().await;

    let ssh = client.ssh();
    let prohibited = |result: Result<_, russh::Error>| match result {
        Err(russh::Error::ChannelOpenFailure(failure)) => failure,
        _ => panic!("a channel was opened"),
    };
    let failure = prohibited(
        ssh.channel_open_direct_tcpip("localhost", 80, "localhost", 1)
            .await,
    );
    assert_eq!(failure, ChannelOpenFailure::AdministrativelyProhibited);
    let failure = prohibited(ssh.channel_open_direct_streamlocal("/tmp/x").await);
    assert_eq!(failure, ChannelOpenFailure::AdministrativelyProhibited);
    let failure = prohibited(ssh.channel_open_x11("localhost", 1).await);
    assert_eq!(failure, ChannelOpenFailure::AdministrativelyProhibited);
    assert!(ssh.tcpip_forward("localhost", 0).await.is_err());
    assert!(ssh.streamlocal_forward("/tmp/x").await.is_err());
    soon("the answer to a keepalive", ssh.send_ping())
        .await
        .unwrap();
}

#[tokio::test]
async fn more_sessions_than_may_be_open_are_refused() {
    let server = TestServer::start().await;
    let mut client = server.client("paul").await;
    let mut channels = Vec::new();
    for _ in 0..10 {
        channels.push(client.shell().await);
    }
    assert!(client.ssh().channel_open_session().await.is_err());
    assert_eq!(server.refused(RefusalKind::Channels), 1);
    // One that has ended makes room.
    channels[0].send("PART\n").await;
    channels[0].rest().await;
    while server.counters.get().open_sessions > 9 {
        tokio::task::yield_now().await;
    }
    client.shell().await.greeted().await;
}

#[tokio::test]
async fn a_connection_that_has_had_thousands_of_channels_makes_way_for_a_new_one() {
    let settings = Settings {
        close_grace: Duration::from_millis(200),
        ..Settings::default()
    };
    let server = TestServer::with(Options {
        settings,
        ..Options::default()
    })
    .await;
    let mut client = server.client("paul").await;
    let mut first = client.shell().await;
    first.greeted().await;
    let mut opened = 1;
    while let Ok(channel) = client.ssh().channel_open_session().await {
        channel.close().await.unwrap();
        opened += 1;
    }
    assert_eq!(opened, 4096);
    // What runs goes on to its end.
    first.greeted().await;
    first.send("PART\n").await;
    assert_eq!(first.rest().await.1, "eof, exit-status 0, close");
    client.closed().await;
}
