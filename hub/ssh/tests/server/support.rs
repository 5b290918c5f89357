//! A server in this process, on a hub with its store in memory, and clients of it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cmp_core::{
    AdminRequest, ClientSettings, FloodRules, Hub, KindSettings, Limits, MemoryStore, Policy, Role,
    StoreWhen, Who,
};
use cmp_protocol::{ClientName, Dialect, HubName, Kind, RoleName};
use cmp_ssh::authorized_keys::{AuthorizedKeys, ClientNaming};
use cmp_ssh::limits::ConnectionLimitSettings;
use cmp_ssh::limits::{ConnectionLimits, refusal::RefusalKind};
use cmp_ssh::{
    AdminFuture, AdminOutput, Counters, HostKeys, Server, Services, Settings, Stop, run,
};
use russh::keys::key::safe_rng;
use russh::keys::{
    Algorithm, EcdsaCurve, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate,
};
use russh::{ChannelMsg, Pty, client};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes; only a failing test waits for it.
pub(crate) const AT_MOST: Duration = Duration::from_secs(30);

/// Awaits something that is to happen soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = timeout(AT_MOST, future).await;
    done.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// What a test decides.
pub(crate) struct Options {
    pub(crate) settings: Settings,
    pub(crate) limits: ConnectionLimitSettings,
    pub(crate) policy: Policy,
    /// How much the kernel buffers of what is written to a client.
    pub(crate) send_buffer: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            limits: ConnectionLimitSettings::default(),
            policy: policy(),
            send_buffer: None,
        }
    }
}

/// Everybody may do everything but administrate, which only `boss` may; no flood rules.
fn policy() -> Policy {
    let free = Role {
        flood: FloodRules::off(),
        ..Role::default()
    };
    let admin = Role {
        admin: true,
        ..free.clone()
    };
    let role = |name: &str| RoleName::new(name).unwrap();
    let boss = ClientSettings {
        role: Some(role("admin")),
        ..ClientSettings::default()
    };
    Policy {
        hub: HubName::new("hub1").unwrap(),
        roles: HashMap::from([(role("bot"), free), (role("admin"), admin)]),
        default_role: role("bot"),
        clients: HashMap::from([(name("boss"), boss)]),
        kinds: BTreeMap::from([(
            Kind::new("qw").unwrap(),
            KindSettings::stored(StoreWhen::Before),
        )]),
        chat: KindSettings::stored(StoreWhen::Never),
        relay: KindSettings::stored(StoreWhen::Never),
        dialect: Arc::new(Dialect::default()),
        limits: Limits::default(),
    }
}

pub(crate) fn name(text: &str) -> ClientName {
    ClientName::new(text).unwrap()
}

pub(crate) fn new_key(algorithm: Algorithm) -> Arc<PrivateKey> {
    Arc::new(PrivateKey::random(&mut safe_rng(), algorithm).unwrap())
}

/// An RSA key of this size, made by OpenSSH, which also makes those that are too short.
pub(crate) fn rsa_key(bits: usize) -> Arc<PrivateKey> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-N", "", "-b", &bits.to_string(), "-f"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    Arc::new(russh::keys::load_secret_key(&path, None).unwrap())
}

/// Made once: they are of no interest to most tests.
static HOST_KEYS: LazyLock<HostKeys> = LazyLock::new(|| {
    let ecdsa = Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    };
    let keys = [Algorithm::Ed25519, ecdsa].map(|algorithm| (*new_key(algorithm)).clone());
    HostKeys::from_keys(keys.to_vec())
});

/// Says what it was asked.
struct Echo;

impl Services for Echo {
    fn admin<'a>(&'a self, client: &'a ClientName, command: &'a str) -> AdminFuture<'a> {
        Box::pin(async move {
            if command == "wait" {
                std::future::pending::<()>().await;
            }
            AdminOutput {
                stdout: format!("{client} asks for {command:?}\n").into_bytes(),
                stderr: b"a remark\n".to_vec(),
                exit_status: 3,
            }
        })
    }
}

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) hub: Hub,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) limits: Arc<ConnectionLimits>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stop: Stop,
    pub(crate) running: JoinHandle<()>,
    keys: watch::Sender<Arc<AuthorizedKeys>>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        crate::log::keep();
        let store = Arc::new(MemoryStore::default());
        let (hub, _hub_running) = Hub::start(options.policy, store.clone()).await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(size) = options.send_buffer {
            // Its connections inherit it.
            socket.set_send_buffer_size(size).unwrap();
        }
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(128).unwrap();
        let address = listener.local_addr().unwrap();
        let (keys, keys_seen) = watch::channel(Arc::default());
        let limits = Arc::new(ConnectionLimits::new(options.limits));
        let counters = Arc::<Counters>::default();
        let stop = Stop::default();
        let server = Server {
            settings: options.settings,
            host_keys: HOST_KEYS.clone(),
            limits: limits.clone(),
            keys: keys_seen,
            hub: hub.clone(),
            services: Arc::new(Echo),
            counters: counters.clone(),
        };
        Self {
            address,
            hub,
            store,
            limits,
            counters,
            running: tokio::spawn(run(listener, server, stop.clone())),
            stop,
            keys,
        }
    }

    /// Replaces `authorized_keys`.
    pub(crate) fn authorize(&self, lines: &[String]) {
        let parsed = AuthorizedKeys::parse(lines.join("\n").as_bytes(), &ClientNaming::default());
        assert_eq!(parsed.problems(), []);
        self.keys.send_replace(Arc::new(parsed));
    }

    /// A client of this name with a new key, logged in. The keys of others are forgotten, but for
    /// new logins only if they log in again.
    pub(crate) async fn client(&self, client: &str) -> Client {
        let key = new_key(Algorithm::Ed25519);
        self.add(&line("", client, &key));
        self.log_in(&key).await
    }

    /// Adds a line to `authorized_keys`.
    pub(crate) fn add(&self, line: &str) {
        let mut lines = self.lines();
        lines.push(line.to_owned());
        self.authorize(&lines);
    }

    fn lines(&self) -> Vec<String> {
        let written = |entry: &cmp_ssh::authorized_keys::Entry| {
            let mut options = vec![format!("environment=\"CMP_CLIENT={}\"", entry.client())];
            options.extend(entry.forced_command().map(|c| format!("command=\"{c}\"")));
            options.extend((!entry.pty_allowed()).then(|| "no-pty".to_owned()));
            format!(
                "{} {}",
                options.join(","),
                entry.key().to_openssh().unwrap()
            )
        };
        self.keys.borrow().entries().iter().map(written).collect()
    }

    pub(crate) async fn log_in(&self, key: &Arc<PrivateKey>) -> Client {
        self.log_in_with(key, client::Config::default()).await
    }

    pub(crate) async fn log_in_with(
        &self,
        key: &Arc<PrivateKey>,
        config: client::Config,
    ) -> Client {
        let mut client = self.connect_with(config).await;
        assert!(client.offer(key, None).await, "the key is not accepted");
        client
    }

    pub(crate) async fn connect(&self) -> Client {
        self.connect_with(client::Config::default()).await
    }

    pub(crate) async fn connect_with(&self, config: client::Config) -> Client {
        let connected = self.try_connect(config).await;
        connected.unwrap_or_else(|error| panic!("no connection: {error}"))
    }

    pub(crate) async fn try_connect(&self, config: client::Config) -> Result<Client, russh::Error> {
        let socket = new_source().connect(self.address).await.unwrap();
        let local = socket.local_addr().unwrap();
        Client::try_over(socket, local, config).await
    }

    pub(crate) fn refused(&self, kind: RefusalKind) -> u64 {
        self.limits.refusals().counters().get(kind)
    }

    pub(crate) async fn kick(&self, client: &str, reason: &str) {
        let kick = AdminRequest::Kick {
            who: Who::Client(name(client)),
            reason: reason.into(),
        };
        self.hub.admin(&name("boss"), kick).await.unwrap();
    }

    pub(crate) async fn stats(&self) -> cmp_core::Stats {
        match self.hub.admin(&name("boss"), AdminRequest::Stats).await {
            Ok(cmp_core::AdminReply::Stats(stats)) => *stats,
            other => panic!("no stats: {other:?}"),
        }
    }
}

/// A socket to connect with from an address that nobody else has: ports are used again, and a
/// client is to be found in the log.
pub(crate) fn new_source() -> TcpSocket {
    static USED: AtomicU16 = AtomicU16::new(0);
    let [high, low] = USED.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 1, high, low], 0).into()).unwrap();
    socket
}

/// A line of `authorized_keys`.
pub(crate) fn line(options: &str, client: &str, key: &PrivateKey) -> String {
    let comma = if options.is_empty() { "" } else { "," };
    let key = key.public_key().to_openssh().unwrap();
    format!("{options}{comma}environment=\"CMP_CLIENT={client}\" {key}")
}

struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// A connection of the SSH library's client.
pub(crate) struct Client {
    ssh: client::Handle<Trusting>,
    pub(crate) local: SocketAddr,
}

impl Client {
    async fn try_over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        local: SocketAddr,
        config: client::Config,
    ) -> Result<Self, russh::Error> {
        let connecting = client::connect_stream(Arc::new(config), stream, Trusting);
        let ssh = soon("the key exchange", connecting).await?;
        Ok(Self { ssh, local })
    }

    /// A client on a connection of this address.
    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        local: SocketAddr,
        config: client::Config,
    ) -> Self {
        let connected = Self::try_over(stream, local, config).await;
        connected.unwrap_or_else(|error| panic!("no connection: {error}"))
    }

    pub(crate) fn ssh(&mut self) -> &mut client::Handle<impl client::Handler> {
        &mut self.ssh
    }

    /// Tries a key; for RSA with this hash.
    pub(crate) async fn offer(&mut self, key: &Arc<PrivateKey>, hash: Option<HashAlg>) -> bool {
        let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
        let tried = soon("the login", self.ssh.authenticate_publickey("any", key)).await;
        tried.is_ok_and(|result| result.success())
    }

    pub(crate) async fn channel(&self) -> Channel {
        let opened = soon("a channel", self.ssh.channel_open_session()).await;
        Channel {
            wire: opened.unwrap(),
            data: Vec::new(),
            stderr: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) async fn shell(&self) -> Channel {
        let mut channel = self.channel().await;
        channel.wire.request_shell(true).await.unwrap();
        channel.granted().await;
        channel
    }

    pub(crate) async fn exec(&self, command: &str) -> Channel {
        let mut channel = self.channel().await;
        channel.wire.exec(true, command).await.unwrap();
        channel.granted().await;
        channel
    }

    pub(crate) async fn subsystem(&self, name: &str) -> Channel {
        let mut channel = self.channel().await;
        channel.wire.request_subsystem(true, name).await.unwrap();
        channel.granted().await;
        channel
    }

    pub(crate) async fn shell_with_pty(&self, modes: &[(Pty, u32)]) -> Channel {
        let mut channel = self.channel().await;
        assert!(channel.ask_for_pty(modes).await);
        channel.wire.request_shell(true).await.unwrap();
        channel.granted().await;
        channel
    }

    /// Waits until the server has closed the connection.
    pub(crate) async fn closed(self) {
        let _ = soon("the end of the connection", self.ssh).await;
    }
}

/// A channel, and what came on it.
pub(crate) struct Channel {
    pub(crate) wire: russh::Channel<client::Msg>,
    data: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// Everything that is not data, in order, as words.
    pub(crate) events: Vec<String>,
}

impl Channel {
    /// Takes the next message; false at the end.
    async fn next(&mut self) -> bool {
        let Ok(message) = timeout(AT_MOST, self.wire.wait()).await else {
            panic!("nothing came after {}", self.came());
        };
        let event = match message {
            None => return false,
            Some(ChannelMsg::Data { data }) => {
                self.data.extend_from_slice(&data);
                return true;
            }
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                self.stderr.extend_from_slice(&data);
                return true;
            }
            Some(ChannelMsg::WindowAdjusted { .. }) => return true,
            Some(ChannelMsg::Success) => "success".into(),
            Some(ChannelMsg::Failure) => "failure".into(),
            Some(ChannelMsg::Eof) => "eof".into(),
            Some(ChannelMsg::Close) => "close".into(),
            Some(ChannelMsg::ExitStatus { exit_status }) => format!("exit-status {exit_status}"),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                format!("exit-signal {signal_name:?}")
            }
            Some(other) => format!("{other:?}"),
        };
        self.events.push(event);
        true
    }

    /// What came, for a message: the last of it.
    fn came(&self) -> String {
        let from = self.data.len().saturating_sub(200);
        let data = String::from_utf8_lossy(&self.data[from..]);
        let (length, events) = (self.data.len(), &self.events);
        format!("{length} bytes that end in {data:?}, and {events:?}")
    }

    /// The answer to a request.
    pub(crate) async fn answer(&mut self) -> bool {
        loop {
            assert!(self.next().await, "closed in place of an answer");
            let answer = self.events.last().map(String::as_str);
            if let Some("success" | "failure") = answer {
                return self.events.pop().unwrap() == "success";
            }
        }
    }

    async fn granted(&mut self) {
        assert!(self.answer().await, "the request was refused");
    }

    pub(crate) async fn ask_for_pty(&mut self, modes: &[(Pty, u32)]) -> bool {
        let asked = self.wire.request_pty(true, "xterm", 80, 24, 0, 0, modes);
        asked.await.unwrap();
        self.answer().await
    }

    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        soon("room to send", self.wire.data(bytes)).await.unwrap();
    }

    pub(crate) async fn eof(&self) {
        self.wire.eof().await.unwrap();
    }

    /// Waits for this text, and forgets it and what came before it, which is returned.
    pub(crate) async fn until(&mut self, text: impl AsRef<[u8]>) -> Vec<u8> {
        let text = text.as_ref();
        loop {
            let at = self
                .data
                .windows(text.len())
                .position(|window| window == text);
            if let Some(at) = at {
                let rest = self.data.split_off(at + text.len());
                let mut before = std::mem::replace(&mut self.data, rest);
                before.truncate(at);
                return before;
            }
            let shown = String::from_utf8_lossy(text).into_owned();
            let open = self.next().await;
            assert!(open, "closed before {shown:?}, after {}", self.came());
        }
    }

    /// Waits for data, and takes the first byte of it.
    pub(crate) async fn first_byte(&mut self) {
        while self.data.is_empty() {
            assert!(self.next().await, "closed before any data");
        }
        self.data.remove(0);
    }

    /// The data that is there without waiting for more.
    pub(crate) async fn waiting(&mut self) -> &[u8] {
        while timeout(Duration::ZERO, self.next())
            .await
            .is_ok_and(|open| open)
        {}
        &self.data
    }

    /// Waits for the greeting to have passed: the answer to a PING comes after it.
    pub(crate) async fn greeted(&mut self) {
        self.send("PING greeted\n").await;
        self.until("PONG greeted\n").await;
    }

    /// Reads to the end: the data that was left, and the last messages.
    pub(crate) async fn rest(&mut self) -> (String, String) {
        while self.next().await {}
        let data = String::from_utf8_lossy(&std::mem::take(&mut self.data)).into_owned();
        (data, self.events.join(", "))
    }
}
