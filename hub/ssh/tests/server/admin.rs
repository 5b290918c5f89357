//! `ssh HOST admin …`.

use crate::support::TestServer;

#[tokio::test]
async fn an_admin_gets_both_outputs_and_the_status() {
    let server = TestServer::start().await;
    let client = server.client("boss").await;
    let mut channel = client.exec("  admin  kick paul ").await;
    let (data, events) = channel.rest().await;
    assert_eq!(data, "boss asks for \"kick paul\"\n");
    assert_eq!(channel.stderr, b"a remark\n");
    assert_eq!(events, "eof, exit-status 3, close");
}

#[tokio::test]
async fn on_a_terminal_both_outputs_are_one() {
    let server = TestServer::start().await;
    let client = server.client("boss").await;
    let mut channel = client.channel().await;
    assert!(channel.ask_for_pty(&[]).await);
    channel.wire.exec(true, "admin").await.unwrap();
    assert!(channel.answer().await);
    let (data, events) = channel.rest().await;
    assert_eq!(data, "boss asks for \"\"\r\na remark\r\n");
    assert_eq!(events, "eof, exit-status 3, close");
}

#[tokio::test]
async fn others_are_refused_on_standard_error() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let mut channel = client.exec("admin stats").await;
    let (data, events) = channel.rest().await;
    assert_eq!(data, "");
    let said = String::from_utf8_lossy(&channel.stderr);
    assert!(said.contains("may not"), "{said}");
    assert_eq!(events, "eof, exit-status 1, close");
    // It is a word of its own: this is any other command.
    client.exec("administer").await.greeted().await;
}

#[tokio::test]
async fn a_long_admin_command_ends_with_its_client() {
    let server = TestServer::start().await;
    let client = server.client("boss").await;
    let channel = client.exec("admin wait").await;
    assert_eq!(server.counters.get().open_sessions, 1);
    channel.wire.close().await.unwrap();
    while server.counters.get().open_sessions > 0 {
        tokio::task::yield_now().await;
    }
}
