//! Clients that have logged in and then do not read, or do not answer.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cmp_core::{AdminReply, AdminRequest, Limits, SessionInfo};
use cmp_ssh::Settings;
use russh::client::Config;
use russh::keys::Algorithm;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Interval, interval};

use crate::log;
use crate::support::{Channel, Client, Options, TestServer, line, name, new_key, new_source};

/// Freezes the clients that have it: they read nothing more. Or lets them drip: what they write
/// comes byte by byte.
#[derive(Clone, Default)]
struct Freezer(Arc<(AtomicBool, Mutex<Option<Waker>>, AtomicBool)>);

impl Freezer {
    fn drip(&self) {
        self.0.2.store(true, Ordering::SeqCst);
    }

    fn freeze(&self) {
        self.0.0.store(true, Ordering::SeqCst);
    }

    fn thaw(&self) {
        self.0.0.store(false, Ordering::SeqCst);
        if let Some(waker) = self.0.1.lock().unwrap().take() {
            waker.wake();
        }
    }
}

struct Freezable {
    socket: TcpStream,
    freezer: Freezer,
    drop_falls: Interval,
}

impl AsyncRead for Freezable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        *self.freezer.0.1.lock().unwrap() = Some(cx.waker().clone());
        if self.freezer.0.0.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Freezable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if !self.freezer.0.2.load(Ordering::SeqCst) {
            return Pin::new(&mut self.socket).poll_write(cx, bytes);
        }
        if self.drop_falls.poll_tick(cx).is_pending() {
            return Poll::Pending;
        }
        Pin::new(&mut self.socket).poll_write(cx, &bytes[..1])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// More than a test says.
const LARGE: usize = 1 << 30;

const SMALL: usize = 256 * 1024;

/// A server that gives up soon.
async fn impatient(outbox_bytes: usize) -> TestServer {
    let mut options = Options {
        settings: Settings {
            close_grace: Duration::from_millis(300),
            drain_stall: Duration::from_millis(300),
            ..Settings::default()
        },
        send_buffer: Some(16 * 1024),
        ..Options::default()
    };
    options.policy.limits = Limits {
        outbox_bytes,
        ..Limits::default()
    };
    TestServer::with(options).await
}

/// A client that can be frozen, and whose window of a channel is so large that it does not matter.
async fn freezable(server: &TestServer, name: &str) -> (Client, Freezer) {
    let key = new_key(Algorithm::Ed25519);
    server.add(&line("", name, &key));
    let freezer = Freezer::default();
    // The kernel is to buffer little of what is not read.
    let socket = new_source();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = Freezable {
        socket: socket.connect(server.address).await.unwrap(),
        freezer: freezer.clone(),
        drop_falls: interval(Duration::from_millis(10)),
    };
    let local = stream.socket.local_addr().unwrap();
    let config = Config {
        window_size: 1 << 30,
        ..Config::default()
    };
    let mut client = Client::over(stream, local, config).await;
    assert!(client.offer(&key, None).await);
    (client, freezer)
}

/// What the hub says of the session of a client.
async fn session(server: &TestServer, client: &str) -> Option<SessionInfo> {
    let sessions = server
        .hub
        .admin(&name("boss"), AdminRequest::Sessions)
        .await;
    let Ok(AdminReply::Sessions(sessions)) = sessions else {
        panic!("no sessions");
    };
    sessions
        .into_iter()
        .find(|session| session.client == name(client))
}

/// Lets a frozen client be told, at its own wish, more than kernels buffer for it: until nothing is
/// written to it any more.
async fn overwhelm(server: &TestServer, channel: &Channel) {
    let (mut written, mut unchanged) = (0, 0);
    let mut asked = session(server, "stalled")
        .await
        .map_or(0, |session| session.lines_in);
    while unchanged < 500 {
        let Some(session) = session(server, "stalled").await else {
            return;
        };
        // One after the other: a burst would fill the outbox before anything is written.
        if session.waiting == 0 && session.lines_in == asked {
            channel.send("HELP\n".repeat(20)).await;
            asked += 20;
        }
        unchanged = if session.bytes_out == written {
            unchanged + 1
        } else {
            0
        };
        written = session.bytes_out;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_nobody_else_waits() {
    let server = impatient(SMALL).await;
    let (stalled, freezer) = freezable(&server, "stalled").await;
    let mut stalled_channel = stalled.shell().await;
    stalled_channel.greeted().await;
    let peer = format!("peer={}", stalled.local);
    let mut others = Vec::new();
    for n in 0..20 {
        let mut channel = server.client(&format!("other{n}")).await.shell().await;
        channel.greeted().await;
        others.push(channel);
    }
    freezer.freeze();
    overwhelm(&server, &stalled_channel).await;
    for n in 0..100 {
        others[n % 20].send(format!("C {n}\n")).await;
        for other in &mut others {
            other.until(format!(": {n}\n")).await;
        }
    }
    // More is said, until the outbox is full.
    while session(&server, "stalled").await.is_some() {
        others[0].send(format!("C {}\n", "x".repeat(4000))).await;
        others[0].until("x\n").await;
    }
    // The session is ended by the hub, and the connection, which cannot be written to, by us.
    log::wait_for(&["logout", "client=stalled", "reading too slowly", &peer]).await;
    assert_eq!(server.stats().await.slow_readers, 1);
    freezer.thaw();
    drop(stalled_channel);
    stalled.closed().await;
}

#[tokio::test]
async fn a_kicked_client_that_does_not_read_is_gone_all_the_same() {
    let server = impatient(LARGE).await;
    let (stalled, freezer) = freezable(&server, "stalled").await;
    let mut channel = stalled.shell().await;
    channel.greeted().await;
    freezer.freeze();
    overwhelm(&server, &channel).await;
    server.kick("stalled", "go away").await;
    log::wait_for(&["logout", "go away", &format!("peer={}", stalled.local)]).await;
}

/// Which of the two it is depends on which timer is looked at first on a busy machine, and on
/// whether the last keepalive could still be written.
fn is_dead(logout: &str) -> bool {
    logout.contains("no answer to keepalives") || logout.contains("nothing moved for too long")
}

#[tokio::test]
async fn a_client_that_answers_no_keepalive_is_ended() {
    let settings = Settings {
        keepalive_interval: Duration::from_millis(100),
        keepalive_max: 3,
        ..Settings::default()
    };
    let server = TestServer::with(Options {
        settings,
        ..Options::default()
    })
    .await;
    let (silent, freezer) = freezable(&server, "silent").await;
    let mut channel = silent.shell().await;
    channel.greeted().await;
    freezer.freeze();
    let peer = format!("peer={}", silent.local);
    let logged = log::wait_for(&["logout", &peer]).await;
    assert!(is_dead(&logged), "{logged}");
    // Who answers stays.
    let awake = server.client("awake").await;
    let mut channel = awake.shell().await;
    let (again, freezer) = freezable(&server, "silent").await;
    freezer.freeze();
    log::wait_for(&["logout", &format!("peer={}", again.local)]).await;
    channel.greeted().await;
}

#[tokio::test]
async fn a_client_that_drips_does_not_count_as_alive() {
    let settings = Settings {
        keepalive_interval: Duration::from_millis(100),
        keepalive_max: 3,
        ..Settings::default()
    };
    let server = TestServer::with(Options {
        settings,
        ..Options::default()
    })
    .await;
    let (dripping, freezer) = freezable(&server, "dripping").await;
    let mut channel = dripping.shell().await;
    channel.greeted().await;
    freezer.drip();
    // Its answers to the keepalives stand behind this.
    channel.send("PING x\n".repeat(1000)).await;
    let logged = log::wait_for(&["logout", &format!("peer={}", dripping.local)]).await;
    assert!(is_dead(&logged), "{logged}");
}

#[tokio::test]
async fn a_connection_that_cannot_be_written_to_is_ended_though_its_session_waits_for_nothing() {
    let settings = Settings {
        keepalive_interval: Duration::from_millis(500),
        keepalive_max: 3,
        ..Settings::default()
    };
    let mut options = Options {
        settings,
        send_buffer: Some(16 * 1024),
        ..Options::default()
    };
    // More than a kernel buffers, so that the outbox does not end it.
    options.policy.limits.outbox_bytes = LARGE;
    let server = TestServer::with(options).await;
    let (stalled, freezer) = freezable(&server, "stalled").await;
    let mut channel = stalled.shell().await;
    channel.greeted().await;
    freezer.freeze();
    overwhelm(&server, &channel).await;
    let peer = format!("peer={}", stalled.local);
    let logged = log::wait_for(&["logout", &peer]).await;
    assert!(is_dead(&logged), "{logged}");
}

#[tokio::test]
async fn a_session_whose_window_is_full_leaves_the_others_of_its_connection_alone() {
    let server = impatient(LARGE).await;
    let key = new_key(Algorithm::Ed25519);
    server.add(&line("", "mux", &key));
    // A window of one byte, which the library's client never renews.
    let config = Config {
        window_size: 1,
        ..Config::default()
    };
    let client = server.log_in_with(&key, config).await;
    let mut full = client.shell().await;
    full.first_byte().await;
    let mut other = client.shell().await;
    other.first_byte().await;
    let listener = server.client("listener").await;
    let mut listening = listener.shell().await;
    for channel in [&full, &other] {
        channel.send("C hello\n").await;
        listening.until("C mux: hello\n").await;
    }
    // What ends a session needs no window.
    server.kick("mux", "go away").await;
    for channel in [&mut full, &mut other] {
        let (_, events) = channel.rest().await;
        assert_eq!(events, "eof, exit-status 1, close");
    }
    client.shell().await.first_byte().await;
}
