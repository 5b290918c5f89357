//! Sessions with a terminal.

use russh::Pty;

use crate::support::{TestServer, line, new_key};

#[tokio::test]
async fn typing_is_echoed_edited_and_answered_with_terminal_line_ends() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let mut channel = client.shell_with_pty(&[]).await;
    channel.send("PING x\n").await;
    channel.until("PING x\r\n").await;
    channel.until("PONG x\r\n").await;
    channel.send("PI\x7fING y\r").await;
    channel.until("PI\x08 \x08ING y\r\n").await;
    channel.until("PONG y\r\n").await;
}

#[tokio::test]
async fn the_terminal_modes_of_the_client_hold() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let modes = [(Pty::ECHO, 0), (Pty::ONLCR, 0)];
    let mut channel = client.shell_with_pty(&modes).await;
    channel.send("PING a\r").await;
    channel.until("PONG a\n").await;
    channel.send("PING b\r").await;
    assert_eq!(channel.until("PONG b\n").await, b"");
}

#[tokio::test]
async fn control_d_on_an_empty_line_ends_the_session_but_the_channels_end_of_input_does_not() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let mut channel = client.shell_with_pty(&[]).await;
    channel.send("PING x\n\x04").await;
    channel.until("PONG x\r\n").await;
    assert_eq!(channel.rest().await.1, "eof, exit-status 0, close");

    // As with sshd, where `ssh -tt host </dev/null` stays and listens.
    let mut channel = client.shell_with_pty(&[]).await;
    channel.send("PING x\n").await;
    channel.until("PONG x\r\n").await;
    channel.eof().await;
    let other = client.shell().await;
    other.send("C hello\n").await;
    channel.until("C paul: hello\r\n").await;
}

#[tokio::test]
async fn control_c_ends_the_session_as_it_does_a_process() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    for (key, echo, signal) in [("\x03", "^C", "INT"), ("\x1c", "^\\", "QUIT")] {
        let mut channel = client.shell_with_pty(&[]).await;
        channel.send("PING x\n").await;
        channel.until("PONG x\r\n").await;
        channel.send(format!("C half a line{key}")).await;
        let (data, events) = channel.rest().await;
        assert_eq!(data, format!("C half a line{echo}"));
        assert_eq!(events, format!("eof, exit-signal {signal}, close"));
    }
}

#[tokio::test]
async fn json_and_errors_pass_through_the_terminal_too() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let mut channel = client.channel().await;
    assert!(channel.ask_for_pty(&[(Pty::ECHO, 0)]).await);
    channel.wire.exec(true, "json").await.unwrap();
    assert!(channel.answer().await);
    channel.send("{\"cmd\":\"ping\",\"text\":\"x\"}\r").await;
    channel.until("\"pong\"").await;
    channel.until("}\r\n").await;
}

#[tokio::test]
async fn stopped_output_waits_and_goes_on() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let mut channel = client.shell_with_pty(&[(Pty::ECHO, 0)]).await;
    channel.send("PING before\n").await;
    channel.until("PONG before\r\n").await;
    channel.send("\x13PING stopped\n").await;
    // The PING above has been handled when another session of the same client sees this line.
    let mut other = client.shell().await;
    channel.send("C seen\n").await;
    other.until("C paul: seen\n").await;
    // Both sessions are on one connection: what came for this one would be there by now.
    other.greeted().await;
    assert_eq!(channel.waiting().await, b"");
    channel.send("\x11").await;
    channel.until("PONG stopped\r\nC paul: seen\r\n").await;
}

#[tokio::test]
async fn a_key_with_no_pty_gets_none_but_a_session() {
    let server = TestServer::start().await;
    let key = new_key(russh::keys::Algorithm::Ed25519);
    server.add(&line("no-pty", "paul", &key));
    let client = server.log_in(&key).await;
    let mut channel = client.channel().await;
    assert!(!channel.ask_for_pty(&[]).await);
    channel.wire.request_shell(true).await.unwrap();
    assert!(channel.answer().await);
    channel.greeted().await;
}

#[tokio::test]
async fn a_second_terminal_on_a_channel_is_refused() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let mut channel = client.channel().await;
    assert!(channel.ask_for_pty(&[]).await);
    assert!(!channel.ask_for_pty(&[]).await);
}
