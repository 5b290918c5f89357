//! How much memory an idle session takes: measured by an allocator that counts, in a server process
//! of its own.
//!
//! `cargo test -p cmp-ssh --test idle_memory -- --nocapture` prints the numbers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cmp_core::{Hub, KindSettings, Limits, MemoryStore, Policy, Role, StoreWhen};
use cmp_protocol::{ClientName, Dialect, HubName, RoleName};
use cmp_ssh::authorized_keys::{AuthorizedKeys, ClientNaming};
use cmp_ssh::limits::connections::ConnectionCountSettings;
use cmp_ssh::limits::{ConnectionLimitSettings, ConnectionLimits};
use cmp_ssh::{
    AdminFuture, AdminOutput, Counters, HostKeys, Server, Services, Settings, Stop, run,
};
use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelMsg, client};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

/// Sessions that are open before the measurement: what the process needs once is allocated then.
const BEFORE: usize = 100;

/// Sessions whose memory is measured.
const MEASURED: usize = 200;

/// What an idle session may take: it takes 58 KiB, and one buffer more of the size of a packet goes
/// past it.
const MOST: usize = 88 * 1024;

/// By this the process is told to be the server, and what key may log in.
const KEY: &str = "CMP_IDLE_MEMORY_KEY";

/// Longer than anything here takes; only a failing test waits for it.
const AT_MOST: Duration = Duration::from_secs(60);

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, and a count of the bytes that were asked for and not given back.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(
    unsafe_code,
    reason = "GlobalAlloc has unsafe methods; each call is handed on as it is"
)]
// SAFETY: the system's allocator does everything, and gets what the caller promised.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        LIVE.fetch_add(new_size, Ordering::Relaxed);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, new_size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[tokio::test]
async fn an_idle_session_takes_little_memory() {
    let key = Arc::new(PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap());
    let mut server = ServerProcess::start(&key.public_key().to_openssh().unwrap());

    let mut sessions = Vec::new();
    for _ in 0..BEFORE {
        sessions.push(Idle::open(server.address, &key).await);
    }
    let before = server.memory();
    for _ in 0..MEASURED {
        sessions.push(Idle::open(server.address, &key).await);
    }
    let after = server.memory();

    let each = |before: usize, after: usize| after.saturating_sub(before) / MEASURED;
    let live = each(before.live, after.live);
    println!("an idle session takes {live} bytes of the heap, of which the server has asked for");
    println!(
        "{} in all with {BEFORE} sessions, {} with {}",
        before.live,
        after.live,
        sessions.len()
    );
    let resident = each(before.resident, after.resident);
    println!("its part of the resident memory (VmRSS in proc(5)) is {resident} bytes");
    assert!(
        live > 1024,
        "{live} bytes are no session: is the memory counted?"
    );
    assert!(
        live < MOST,
        "{live} bytes for an idle session are more than {MOST}"
    );
}

/// The server, in a process of its own, so that the clients' memory is not counted.
struct ServerProcess {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

#[derive(Debug)]
struct Memory {
    /// Bytes that the program has asked for and not given back.
    live: usize,
    /// Bytes of the process that are in the machine's memory.
    resident: usize,
}

impl ServerProcess {
    /// Starts this program again, for the test below to be the server.
    fn start(key: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "be_the_server"])
            .env(KEY, key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = ([127, 0, 0, 1], 0).into();
        let mut server = Self {
            process,
            input,
            output,
            address,
        };
        server.address = server.answer("address ").parse().unwrap();
        server
    }

    /// What follows these words in its next line that begins with them.
    fn answer(&mut self, words: &str) -> String {
        self.output
            .find_map(|line| line.unwrap().strip_prefix(words).map(str::to_owned))
            .expect("the server has ended")
    }

    fn memory(&mut self) -> Memory {
        writeln!(self.input, "memory?").unwrap();
        let live = self.answer("live ").parse().unwrap();
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kib: usize = resident
            .trim()
            .strip_suffix(" kB")
            .unwrap()
            .parse()
            .unwrap();
        Memory {
            live,
            resident: kib * 1024,
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An open session, and what keeps it open.
struct Idle {
    _connection: client::Handle<Trusting>,
    _channel: russh::Channel<client::Msg>,
}

impl Idle {
    /// Logs in, opens a shell without a terminal, and reads the greeting.
    async fn open(address: SocketAddr, key: &Arc<PrivateKey>) -> Self {
        let opening = async {
            let config = Arc::new(client::Config::default());
            let mut connection = client::connect(config, address, Trusting).await.unwrap();
            let key = PrivateKeyWithHashAlg::new(key.clone(), None);
            let login = connection.authenticate_publickey("any", key).await.unwrap();
            assert!(login.success());
            let mut channel = connection.channel_open_session().await.unwrap();
            channel.request_shell(true).await.unwrap();
            loop {
                match channel.wait().await.expect("the session has ended") {
                    ChannelMsg::Data { data } if data.ends_with(b"\n") => break,
                    _ => {}
                }
            }
            Self {
                _connection: connection,
                _channel: channel,
            }
        };
        timeout(AT_MOST, opening).await.expect("a session opens")
    }
}

struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// The server's side of the test above.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "not a test: the other one starts it as its server"]
async fn be_the_server() {
    let Ok(key) = std::env::var(KEY) else { return };
    let line = format!("environment=\"CMP_CLIENT=idle\" {key}");
    let keys = AuthorizedKeys::parse(line.as_bytes(), &ClientNaming::default());
    assert_eq!(keys.entries().len(), 1);
    let (_keys, keys) = watch::channel(Arc::new(keys));
    let (hub, _running) = Hub::start(policy(), Arc::new(MemoryStore::default()))
        .await
        .unwrap();
    let host_key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
    let sessions = BEFORE + MEASURED;
    let limits = ConnectionLimitSettings {
        connections: ConnectionCountSettings {
            total: sessions,
            per_source: sessions,
        },
        ..ConnectionLimitSettings::default()
    };
    let server = Server {
        settings: Settings {
            connections_per_client: sessions,
            ..Settings::default()
        },
        host_keys: HostKeys::from_keys(vec![host_key]),
        limits: Arc::new(ConnectionLimits::new(limits)),
        keys,
        hub,
        services: Arc::new(NoServices),
        counters: Arc::<Counters>::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\naddress {}", listener.local_addr().unwrap());
    tokio::spawn(run(listener, server, Stop::default()));
    let answering = tokio::task::spawn_blocking(|| {
        // The end of the input is the end of the test.
        for question in std::io::stdin().lines() {
            question.unwrap();
            println!("live {}", LIVE.load(Ordering::Relaxed));
        }
    });
    answering.await.unwrap();
}

fn policy() -> Policy {
    let role = RoleName::new("bot").unwrap();
    Policy {
        hub: HubName::new("hub1").unwrap(),
        roles: HashMap::from([(role.clone(), Role::default())]),
        default_role: role,
        clients: HashMap::new(),
        kinds: BTreeMap::new(),
        chat: KindSettings::stored(StoreWhen::Never),
        relay: KindSettings::stored(StoreWhen::Never),
        dialect: Arc::new(Dialect::default()),
        limits: Limits {
            sessions_per_client: u32::MAX,
            ..Limits::default()
        },
    }
}

struct NoServices;

impl Services for NoServices {
    fn admin<'a>(&'a self, _: &'a ClientName, _: &'a str) -> AdminFuture<'a> {
        Box::pin(async { AdminOutput::default() })
    }
}
