//! One connection: from the accepted socket to its last log line.

mod outcome;

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use russh::Disconnect;
use russh::server::{Config, Handle, RunningSession, run_stream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::Admitted;
use crate::auth::{Attempts, Login};
use crate::authorized_keys::{Entry, Lookup};
use crate::gate::{Gate, GatedStream};
use crate::handler::Handler;
use crate::limits::login_grace::LoginGrace;
use crate::server::{Server, Stop};
use crate::socket::CancellableStream;

pub(crate) use outcome::Totals;

/// A key's expiry is looked at again at least this often, in case the clock was set.
const CLOCK_CHECK: Duration = Duration::from_secs(60);

/// Channels that one connection may open in its life. The SSH library remembers some 4 KiB of each
/// as long as the connection lives, so the connection is ended when its last session is done, and
/// its client makes a new one.
pub(crate) const MAX_CHANNELS_EVER: usize = 4096;

/// What the parts of a connection share.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) server: Arc<Server>,
    pub(crate) peer: std::net::SocketAddr,
    pub(crate) gate: Arc<Gate>,
    /// Ends the socket, whatever the peer does.
    pub(crate) cut: CancellationToken,
    pub(crate) grace: LoginGrace,
    pub(crate) stop: Stop,
    pub(crate) totals: Totals,
    /// The tasks of its sessions.
    pub(crate) sessions: TaskTracker,
    /// Its channels, each until the client has closed it.
    pub(crate) channels: TaskTracker,
    /// Where it stands; goes on only.
    pub(crate) phase: watch::Sender<Phase>,
    attempts: Mutex<Attempts>,
    /// The first reason to end that was given.
    reason: Mutex<Option<String>>,
    /// How the latest session ended; none if its client just left.
    session_end: Mutex<Option<String>>,
}

/// Where a connection stands.
#[derive(Debug, Clone, Default)]
pub(crate) enum Phase {
    /// Not logged in.
    #[default]
    Stranger,
    /// Logged in.
    Open(Arc<Login>),
    /// No more sessions; goodbye when the last one is done.
    Worn(Arc<Login>),
    /// To be ended, and its sessions with it.
    Ending(Arc<Login>, Arc<str>),
    /// Its key is good, but it may not stay; it was told so.
    TurnedAway,
}

impl Phase {
    pub(crate) fn login(&self) -> Option<&Arc<Login>> {
        match self {
            Self::Stranger | Self::TurnedAway => None,
            Self::Open(login) | Self::Worn(login) | Self::Ending(login, _) => Some(login),
        }
    }
}

impl Connection {
    /// Keeps why the connection ends, unless that is known already.
    pub(crate) fn ends_because(&self, reason: impl Into<String>) {
        lock(&self.reason).get_or_insert_with(|| reason.into());
    }

    /// A session has ended; without a reason if its client just left.
    pub(crate) fn session_ended(&self, reason: Option<String>) {
        *lock(&self.session_end) = reason;
    }

    pub(crate) fn attempts(&self) -> MutexGuard<'_, Attempts> {
        lock(&self.attempts)
    }

    /// Calls `then` with the entry by which the login would be let in now; none if it would not.
    pub(crate) fn with_entry<T>(&self, login: &Login, then: impl FnOnce(&Entry) -> T) -> Option<T> {
        let keys = self.server.keys.borrow().clone();
        match keys.find(&login.key, self.peer.ip(), SystemTime::now()) {
            Lookup::Granted(entry) if *entry.client() == login.client => Some(then(entry)),
            _ => None,
        }
    }

    fn enter(&self, next: impl FnOnce(Arc<Login>) -> Phase) {
        self.phase.send_if_modified(|phase| match phase.login() {
            Some(login) => {
                *phase = next(login.clone());
                true
            }
            None => false,
        });
    }

    /// Returns when the connection is in such a phase.
    async fn reaches(&self, phase: impl FnMut(&Phase) -> bool) {
        // The sender is the connection's own, so it is not closed.
        let _ = self.phase.subscribe().wait_for(phase).await;
    }

    /// No more sessions are opened on this connection.
    pub(crate) fn wear_out(&self) {
        self.enter(Phase::Worn);
    }

    /// The client may not stay, and was told so.
    pub(crate) fn turn_away(&self, reason: &str) {
        self.ends_because(reason);
        self.phase.send_replace(Phase::TurnedAway);
    }

    fn end_sessions(&self, reason: &str) {
        self.enter(|login| Phase::Ending(login, reason.into()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves a connection until it has ended, and with it its sessions.
pub(crate) async fn serve(
    server: Arc<Server>,
    config: Arc<Config>,
    admitted: Admitted,
    stop: Stop,
) {
    let Admitted {
        socket,
        peer,
        admission,
    } = admitted;
    server.counters.accepted();
    let cut = CancellationToken::new();
    let gate = Arc::new(Gate::default());
    let stream = CancellableStream::new(GatedStream::new(socket, gate.clone()), cut.clone());
    let connection = Arc::new(Connection {
        grace: LoginGrace::start(server.settings.login_grace, cut.clone()),
        stop: stop.clone(),
        totals: Totals::new(stream.bytes()),
        sessions: TaskTracker::new(),
        channels: TaskTracker::new(),
        phase: watch::Sender::default(),
        attempts: Mutex::default(),
        reason: Mutex::default(),
        session_end: Mutex::default(),
        server,
        peer,
        gate,
        cut,
    });
    let handler = Handler::new(connection.clone(), admission);
    let starting = run_stream(config, stream, handler);
    let result = tokio::select! {
        started = starting => match started {
            Ok(running) => run(running, &connection, &stop).await,
            Err(error) => Err(error),
        },
        // Nothing was promised to a peer that has not even said its version.
        () = stop.shutdown.cancelled() => { connection.ends_because(SHUTTING_DOWN); Ok(()) }
        () = stop.force.cancelled() => { connection.ends_because(SHUTTING_DOWN); Ok(()) }
    };
    // The library has dropped the handler, so every session knows that its channel is gone.
    connection.sessions.close();
    connection.sessions.wait().await;
    connection.conclude(result);
}

const SHUTTING_DOWN: &str = "the hub is shutting down";

async fn run(
    mut running: RunningSession<Handler>,
    connection: &Arc<Connection>,
    stop: &Stop,
) -> Result<(), russh::Error> {
    let handle = running.handle();
    tokio::select! {
        ended = &mut running => return ended,
        () = stop.force.cancelled() => connection.ends_because(SHUTTING_DOWN),
        () = see_off(connection, &handle, stop) => {}
    }
    connection.cut.cancel();
    running.await
}

/// Waits for a reason to end the connection, and ends it as gently as its peer allows: the sessions
/// first, then a last message. Returns when all that was tried.
async fn see_off(connection: &Arc<Connection>, handle: &Handle, stop: &Stop) {
    let reason = tokio::select! {
        reason = no_longer_granted(connection) => {
            connection.end_sessions(&reason);
            connection.sessions.close();
            connection.sessions.wait().await;
            reason
        }
        reason = last_session(connection, stop) => reason,
        () = turned_away(connection) => return sleep(connection.server.settings.close_grace).await,
    };
    connection.ends_because(&*reason);
    if connection.phase.borrow().login().is_none() {
        return;
    }
    let grace = connection.server.settings.close_grace;
    // A client that closes a channel has taken what came on it. OpenSSH's drops what it has not yet
    // written, and the exit status, when it is told to disconnect before that.
    connection.channels.close();
    let _ = timeout(grace, connection.channels.wait()).await;
    // The message may not get through, and the peer may not close in answer to it.
    let message = handle.disconnect(Disconnect::ByApplication, reason, String::new());
    let _ = timeout(grace, message).await;
    sleep(grace).await;
}

/// Waits until there are to be no more sessions, and for the end of those there are.
async fn last_session(connection: &Connection, stop: &Stop) -> String {
    let reason = tokio::select! {
        () = worn_out(connection) => {
            "this connection has had as many sessions as it may; make a new one"
        }
        () = stop.shutdown.cancelled() => SHUTTING_DOWN,
    };
    connection.wear_out();
    connection.sessions.close();
    connection.sessions.wait().await;
    reason.to_owned()
}

async fn worn_out(connection: &Connection) {
    connection
        .reaches(|phase| matches!(phase, Phase::Worn(_)))
        .await;
}

async fn turned_away(connection: &Connection) {
    connection
        .reaches(|phase| matches!(phase, Phase::TurnedAway))
        .await;
}

/// Returns with the reason as soon as the client of this connection would not be let in any more.
async fn no_longer_granted(connection: &Connection) -> String {
    let mut phase = connection.phase.subscribe();
    let login = match phase.wait_for(|phase| phase.login().is_some()).await {
        Ok(phase) => phase.login().cloned(),
        Err(_) => None,
    };
    let Some(login) = login else {
        return pending().await;
    };
    let mut keys = connection.server.keys.clone();
    loop {
        keys.mark_unchanged();
        let Some(expiry) = connection.with_entry(&login, Entry::expiry) else {
            return format!("the key of {} is no longer authorized", login.client);
        };
        // Expired means a whole second past it.
        let left = expiry.map_or(CLOCK_CHECK, |expiry| {
            let left = expiry.duration_since(SystemTime::now()).unwrap_or_default();
            (left + Duration::from_secs(1)).min(CLOCK_CHECK)
        });
        tokio::select! {
            changed = keys.changed() => if changed.is_err() {
                // Nobody can change the keys any more; the time goes on.
                sleep(left).await;
            },
            () = sleep(left) => {}
        }
    }
}
