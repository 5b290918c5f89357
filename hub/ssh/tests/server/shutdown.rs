//! How the listener ends.

use std::time::Duration;

use cmp_ssh::Settings;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::log;
use crate::support::{Options, TestServer, soon};

#[tokio::test]
async fn a_shutdown_tells_the_sessions_and_ends_every_connection() {
    let settings = Settings {
        close_grace: Duration::from_millis(200),
        ..Settings::default()
    };
    let server = TestServer::with(Options {
        settings,
        ..Options::default()
    })
    .await;
    let mut stranger = TcpStream::connect(server.address).await.unwrap();
    let mut half = server.connect().await;
    let _ = half.ssh().authenticate_none("any").await;
    let idle = server.client("idle").await;
    let mut client = server.client("paul").await;
    let mut channel = client.shell().await;
    channel.greeted().await;

    server.stop.shutdown.cancel();
    // Nobody new gets in, and the session goes on until the hub ends it.
    let _ = soon("the end", stranger.read_to_end(&mut Vec::new())).await;
    half.closed().await;
    idle.closed().await;
    assert!(TcpStream::connect(server.address).await.is_err());
    channel.greeted().await;
    assert!(client.ssh().channel_open_session().await.is_err());
    assert!(!server.running.is_finished());

    channel.send("C last words\n").await;
    channel.until("C paul: last words\n").await;
    server.hub.shutdown("back in a second").await.unwrap();
    let (data, events) = channel.rest().await;
    assert!(data.ends_with("back in a second\n"), "{data:?}");
    assert_eq!(events, "eof, exit-status 1, close");
    let peer = format!("peer={}", client.local);
    client.closed().await;
    soon("the end of the listener", server.running)
        .await
        .unwrap();
    log::wait_for(&["logout", "reason=the hub is shutting down", &peer]).await;
}

#[tokio::test]
async fn force_ends_everything_at_once() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let mut channel = client.shell().await;
    channel.greeted().await;
    let _stranger = TcpStream::connect(server.address).await.unwrap();
    server.stop.force.cancel();
    soon("the end of the listener", server.running)
        .await
        .unwrap();
    client.closed().await;
}
