//! The listener outlives a process that is out of file descriptors.
//!
//! The limit of open files is a process's own, so the listener runs in a child: this same test
//! program, told by its environment to be the child.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test")]

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use cmp_ssh::accept::accept_loop;
use cmp_ssh::limits::{ConnectionLimitSettings, ConnectionLimits};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

const TEST: &str = "out_of_file_descriptors_the_listener_goes_on";
const IS_CHILD: &str = "CMP_TEST_IS_CHILD";
const GREETING: &[u8] = b"hello";
/// How long the test waits for what must happen within a second or two.
const AT_MOST: Duration = Duration::from_secs(30);
/// The limit of open files in the child. More than a test program has open by itself.
const MOST_DESCRIPTORS: u64 = 64;
/// So many of them are left for connections.
const FREE_DESCRIPTORS: usize = 8;
/// More than that.
const PEERS: usize = 30;

#[test]
fn out_of_file_descriptors_the_listener_goes_on() {
    if std::env::var_os(IS_CHILD).is_some() {
        serve_with_few_descriptors();
        return;
    }
    let mut server = Server::start();
    let mut peers: HashMap<SocketAddr, TcpStream> = HashMap::new();
    for _ in 0..PEERS {
        let peer = TcpStream::connect(server.address).unwrap();
        peers.insert(peer.local_addr().unwrap(), peer);
    }

    let mut served = Vec::new();
    let complaint = loop {
        match server.next() {
            Said::Admitted(peer) => served.push(peer),
            Said::Logged(line) => break line,
        }
    };
    assert!(!served.is_empty(), "some peers had room");
    assert!(
        served.len() < PEERS,
        "the limit of open files was not reached"
    );
    assert!(complaint.contains("Too many open files"), "{complaint}");
    assert!(
        complaint.contains("ulimit -n") && complaint.contains("LimitNOFILE"),
        "{complaint}"
    );

    // Peers that leave make room; all that wait are served, some after further errors.
    for peer in &served {
        peers.remove(peer).unwrap();
    }
    while !peers.is_empty() {
        if let Said::Admitted(peer) = server.next() {
            expect_greeting(peers.remove(&peer).unwrap());
        }
    }
    expect_greeting(TcpStream::connect(server.address).unwrap());
    server.stop();
}

fn expect_greeting(mut peer: TcpStream) {
    peer.set_read_timeout(Some(AT_MOST)).unwrap();
    let mut greeting = [0; GREETING.len()];
    peer.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting, GREETING);
}

/// What the child says on its standard output, a line each.
enum Said {
    Admitted(SocketAddr),
    Logged(String),
}

struct Server {
    child: Child,
    address: SocketAddr,
    lines: mpsc::Receiver<String>,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([TEST, "--exact", "--nocapture"])
            .env(IS_CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let mut server = Self {
            child,
            address: ([127, 0, 0, 1], 0).into(),
            lines,
        };
        server.address = loop {
            if let Some(address) = server.line().strip_prefix("listening ") {
                break address.parse().unwrap();
            }
        };
        server
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(AT_MOST).expect("the child goes on")
    }

    fn next(&self) -> Said {
        loop {
            let line = self.line();
            if let Some(peer) = line.strip_prefix("admitted ") {
                return Said::Admitted(peer.parse().unwrap());
            }
            if let Some(logged) = line.strip_prefix("logged ") {
                return Said::Logged(logged.to_owned());
            }
        }
    }

    /// Tells the child to stop, and sees that it does so of its own accord.
    fn stop(&mut self) {
        drop(self.child.stdin.take());
        while self.line() != "stopped" {}
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Of no effect if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child: serves until its standard input ends.
fn serve_with_few_descriptors() {
    // Ends the line that the test harness has begun.
    println!();
    tracing::subscriber::set_global_default(LogToParent).unwrap();
    let stop = CancellationToken::new();
    let stdin_ended = stop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stdin_ended.cancel();
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _files = use_up_descriptors();
        println!("listening {address}");
        let limits = Arc::new(ConnectionLimits::new(ConnectionLimitSettings::default()));
        accept_loop(listener, limits, stop, |mut admitted| {
            println!("admitted {}", admitted.peer);
            tokio::spawn(async move {
                let _ = admitted.socket.write_all(GREETING).await;
                let _ = admitted.socket.read_to_end(&mut Vec::new()).await;
            });
        })
        .await;
    });
    println!("stopped");
}

/// Leaves [`FREE_DESCRIPTORS`] until the limit of open files is reached. The files that are returned
/// use up the others, for a process may inherit some that leave gaps.
fn use_up_descriptors() -> Vec<File> {
    let limit = Rlimit {
        current: Some(MOST_DESCRIPTORS),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut files: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    files.truncate(files.len().checked_sub(FREE_DESCRIPTORS).unwrap());
    files
}

/// Passes on what is logged.
struct LogToParent;

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for LogToParent {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("cmp_ssh")
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        println!("logged {}", message.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
