use super::*;
use crate::limits::ConnectionLimitSettings;
use crate::limits::captured_log::CapturedLog;
use crate::limits::connections::ConnectionCountSettings;
use crate::limits::penalties::{PenaltyKind, PenaltySettings};
use crate::limits::startups::MaxStartups;
use std::collections::VecDeque;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a test waits for what must happen at once.
const AT_MOST: Duration = Duration::from_secs(20);

/// An accept loop on a real port, and the connections it admits.
struct Server {
    address: SocketAddr,
    limits: Arc<ConnectionLimits>,
    stop: CancellationToken,
    admitted: mpsc::UnboundedReceiver<Admitted>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(settings: ConnectionLimitSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Arc::new(ConnectionLimits::new(settings));
        let stop = CancellationToken::new();
        let (sender, admitted) = mpsc::unbounded_channel();
        let task = tokio::spawn(accept_loop(
            listener,
            Arc::clone(&limits),
            stop.clone(),
            move |one| {
                sender.send(one).unwrap();
            },
        ));
        Self {
            address,
            limits,
            stop,
            admitted,
            task,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn admitted(&mut self) -> Admitted {
        timeout(AT_MOST, self.admitted.recv())
            .await
            .expect("admitted")
            .unwrap()
    }

    fn refused(&self, kind: RefusalKind) -> u64 {
        self.limits.refusals().counters().get(kind)
    }
}

/// All that a peer is sent until its connection is closed.
async fn farewell(mut peer: TcpStream) -> String {
    let mut text = String::new();
    timeout(AT_MOST, peer.read_to_string(&mut text))
        .await
        .expect("closed")
        .unwrap();
    text
}

fn one_startup() -> ConnectionLimitSettings {
    ConnectionLimitSettings {
        max_startups: MaxStartups {
            start: 1,
            rate_percent: 100,
            full: 1,
        },
        ..ConnectionLimitSettings::default()
    }
}

#[tokio::test]
async fn hands_on_the_connection_its_address_and_its_place() {
    let mut server = Server::start(ConnectionLimitSettings::default()).await;
    let mut peer = server.connect().await;
    let mut admitted = server.admitted().await;
    assert_eq!(admitted.peer, peer.local_addr().unwrap());
    assert!(admitted.socket.nodelay().unwrap());
    assert_eq!(
        (server.limits.connections(), server.limits.unauthenticated()),
        (1, 1)
    );

    admitted.socket.write_all(b"hello").await.unwrap();
    let mut greeting = [0; 5];
    peer.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"hello");

    admitted.admission.authenticated();
    assert_eq!(
        (server.limits.connections(), server.limits.unauthenticated()),
        (1, 0)
    );
    drop(admitted);
    assert_eq!(server.limits.connections(), 0);
}

#[tokio::test]
async fn past_max_startups_peers_are_told_so_until_a_login() {
    let mut server = Server::start(one_startup()).await;
    let _first_peer = server.connect().await;
    let mut first = server.admitted().await;
    assert_eq!(
        farewell(server.connect().await).await,
        "Exceeded MaxStartups\r\n"
    );
    assert_eq!(server.refused(RefusalKind::MaxStartups), 1);

    first.admission.authenticated();
    let _second_peer = server.connect().await;
    server.admitted().await;
    assert_eq!(server.refused(RefusalKind::MaxStartups), 1);
}

#[tokio::test]
async fn a_penalised_source_is_told_so() {
    let settings = ConnectionLimitSettings {
        penalties: PenaltySettings {
            exempt: vec![],
            ..PenaltySettings::default()
        },
        ..ConnectionLimitSettings::default()
    };
    let server = Server::start(settings).await;
    let local = server.address.ip();
    server
        .limits
        .penalise(local, PenaltyKind::Crash, now())
        .unwrap();
    assert_eq!(
        farewell(server.connect().await).await,
        "Not allowed at this time\r\n"
    );
    assert_eq!(server.refused(RefusalKind::Penalty), 1);
}

#[tokio::test]
async fn a_source_with_too_many_connections_is_told_so() {
    let settings = ConnectionLimitSettings {
        connections: ConnectionCountSettings {
            total: 10,
            per_source: 1,
        },
        ..ConnectionLimitSettings::default()
    };
    let mut server = Server::start(settings).await;
    let _first_peer = server.connect().await;
    let first = server.admitted().await;
    assert_eq!(
        farewell(server.connect().await).await,
        "Not allowed at this time\r\n"
    );
    assert_eq!(server.refused(RefusalKind::SourceConnections), 1);
    drop(first);
    let _second_peer = server.connect().await;
    server.admitted().await;
}

#[tokio::test]
async fn refused_peers_that_never_read_hold_up_nobody() {
    let mut server = Server::start(one_startup()).await;
    let _first_peer = server.connect().await;
    let mut first = server.admitted().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(server.connect().await);
    }
    // The queue is served in order: once the last of the silent ones is closed, all were.
    assert_eq!(
        farewell(silent.pop().unwrap()).await,
        "Exceeded MaxStartups\r\n"
    );
    assert_eq!(server.refused(RefusalKind::MaxStartups), 100);
    first.admission.authenticated();
    let _last_peer = server.connect().await;
    server.admitted().await;
}

#[tokio::test]
async fn stops_and_closes_the_port_when_told() {
    let server = Server::start(ConnectionLimitSettings::default()).await;
    server.stop.cancel();
    timeout(AT_MOST, server.task).await.expect("stops").unwrap();
    let refused = TcpStream::connect(server.address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

/// A listener with nothing but errors, and then nothing. It notes how long the loop waited before
/// each call.
struct Failing<'a> {
    errors: VecDeque<i32>,
    last: tokio::time::Instant,
    waits: &'a mut Vec<Duration>,
}

impl Accept for Failing<'_> {
    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        match self.errors.pop_front() {
            Some(error) => {
                self.waits.push(self.last.elapsed());
                self.last = tokio::time::Instant::now();
                Err(io::Error::from_raw_os_error(error))
            }
            None => std::future::pending().await,
        }
    }
}

/// Runs the loop for ten minutes, with the clock held, on a listener that fails with `errors`.
/// Returns how long it waited before each call of accept, and the log.
async fn run_on(errors: impl IntoIterator<Item = i32>) -> (Vec<Duration>, Vec<String>) {
    let limits = ConnectionLimits::new(ConnectionLimitSettings::default());
    let stop = CancellationToken::new();
    let mut waits = Vec::new();
    let listener = Failing {
        errors: errors.into_iter().collect(),
        last: tokio::time::Instant::now(),
        waits: &mut waits,
    };
    let log = CapturedLog::default();
    let logging = tracing::subscriber::set_default(log.clone());
    let running = accept_from(listener, &limits, &stop, |_| panic!("nobody connected"));
    timeout(Duration::from_mins(10), running)
        .await
        .expect_err("no error ends the loop");
    drop(logging);
    (waits, log.lines())
}

#[tokio::test(start_paused = true)]
async fn stops_while_it_waits_for_room() {
    let limits = ConnectionLimits::new(ConnectionLimitSettings::default());
    let stop = CancellationToken::new();
    let start = tokio::time::Instant::now();
    let listener = Failing {
        errors: [EMFILE; 100].into(),
        last: start,
        waits: &mut Vec::new(),
    };
    let running = accept_from(listener, &limits, &stop, |_| panic!("nobody connected"));
    let stopping = async {
        sleep(Duration::from_millis(10_100)).await;
        stop.cancel();
    };
    tokio::join!(running, stopping);
    assert!(start.elapsed() < Duration::from_millis(10_110), "at once");
}

// errno(3) on Linux.
const ENOMEM: i32 = 12;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const EINVAL: i32 = 22;
const ECONNABORTED: i32 = 103;
const ENETDOWN: i32 = 100;
const ENOBUFS: i32 = 105;

#[tokio::test(start_paused = true)]
async fn waits_longer_and_longer_when_the_system_has_no_room() {
    let errors = [
        EMFILE, ENFILE, ENOBUFS, ENOMEM, EINVAL, EMFILE, EMFILE, EMFILE,
    ];
    let (waits, _) = run_on(errors).await;
    let millis: Vec<_> = waits.iter().map(Duration::as_millis).collect();
    // Tokio's timer is exact to a millisecond.
    for (wait, expected) in millis.iter().zip([0, 50, 100, 200, 400, 800, 1000, 1000]) {
        assert!((expected..=expected + 2).contains(wait), "{millis:?}");
    }
    assert_eq!(millis.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn passes_over_the_failure_of_a_single_connection() {
    let (waits, log) = run_on([ECONNABORTED, ENETDOWN, ECONNABORTED]).await;
    assert_eq!(waits, [Duration::ZERO; 3]);
    assert_eq!(log.len(), 3);
    assert!(log[1].contains("Network is down"), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn names_the_limit_and_the_way_out_and_does_not_flood_the_log() {
    let (_, log) = run_on([EMFILE; 100]).await;
    let first = log.first().unwrap();
    assert!(first.contains("RLIMIT_NOFILE"), "{first}");
    assert!(first.contains("ulimit -n"), "{first}");
    assert!(first.contains("LimitNOFILE="), "{first}");
    // 100 errors at one a second are ten windows of ten seconds, five lines and a summary each.
    assert!(log.len() <= 66, "{} lines", log.len());
    assert!(
        log.iter().any(|line| line.contains("suppressed")),
        "{log:?}"
    );

    let (_, log) = run_on([ECONNABORTED; 20]).await;
    assert_eq!(
        log.len(),
        6,
        "five lines, and the rest in one when the window is over: {log:?}"
    );
    assert!(log.last().unwrap().contains("suppressed 15"), "{log:?}");

    let (_, log) = run_on([ENFILE]).await;
    assert!(log.first().unwrap().contains("fs.file-max"), "{log:?}");
}

#[test]
fn the_dice_are_even_enough_and_differ_between_processes() {
    let mut dice = Dice::default();
    let below_30 = (0..100_000).filter(|_| dice.roll() % 100 < 30).count();
    assert!((29_000..31_000).contains(&below_30), "{below_30}");
    assert_ne!(Dice::default().roll(), Dice::default().roll());
}
