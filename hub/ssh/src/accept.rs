//! Takes connections from a listener, refuses those over the limits, and hands on the others.
//!
//! The loop waits for nobody: refused peers get one line if the kernel takes it at once, admitted
//! ones go to the caller. No error ends it; only its token does.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::limits::refusal::RefusalKind;
use crate::limits::{Admission, ConnectionLimits, NotAdmitted};

/// First wait after an error that retrying at once would only repeat. It doubles from error to
/// error.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// The wait grows no longer than this, so a connection is taken within a second of there being
/// room.
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// A connection within all limits, `TCP_NODELAY` set.
#[derive(Debug)]
pub struct Admitted {
    /// The connection.
    pub socket: TcpStream,
    /// Who connected.
    pub peer: SocketAddr,
    /// Its place in the counts, to be kept as long as the connection lives.
    pub admission: Admission,
}

/// Accepts connections from `listener` until `stop` is cancelled, and closes the listener then.
///
/// `on_admitted` is called for each connection within `limits`. It is to spawn a task and return:
/// while it runs, nobody else is accepted.
///
/// Errors of accept(2) never end the loop. Those of a single connection (it was reset while it
/// waited, or its network failed) are passed over. All others, such as no free file descriptor,
/// make it wait, from 50 ms growing to 1 s, while new connections stay in the kernel's queue. Every
/// error and every refusal is reported to [`ConnectionLimits::refusals`].
pub async fn accept_loop(
    listener: TcpListener,
    limits: Arc<ConnectionLimits>,
    stop: CancellationToken,
    on_admitted: impl FnMut(Admitted),
) {
    accept_from(listener, &limits, &stop, on_admitted).await;
}

/// Where connections come from: a listener, or in tests what a listener may meet with.
trait Accept {
    /// The next connection. Must be cancel safe.
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
}

impl Accept for TcpListener {
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        TcpListener::accept(self)
    }
}

async fn accept_from(
    mut listener: impl Accept,
    limits: &ConnectionLimits,
    stop: &CancellationToken,
    mut on_admitted: impl FnMut(Admitted),
) {
    let mut dice = Dice::default();
    let mut backoff = FIRST_BACKOFF;
    let mut log_windows = interval(limits.refusals().log_window().max(Duration::from_secs(1)));
    log_windows.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = log_windows.tick() => {
                limits.refusals().report_suppressed(now());
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                backoff = FIRST_BACKOFF;
                if let Some(admitted) = admit(socket, peer, limits, dice.roll()) {
                    on_admitted(admitted);
                }
            }
            Err(error) => {
                limits.refusals().report(
                    RefusalKind::Accept,
                    None,
                    &format_args!("cannot accept a connection: {error}{}", way_out(&error)),
                    now(),
                );
                if !is_of_one_connection(&error) {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = sleep(backoff) => {}
                    }
                    backoff = backoff.saturating_mul(2).min(LONGEST_BACKOFF);
                }
            }
        }
    }
}

fn admit(
    socket: TcpStream,
    peer: SocketAddr,
    limits: &ConnectionLimits,
    random: u32,
) -> Option<Admitted> {
    let now = now();
    match limits.admit(peer.ip(), now, random) {
        Ok(admission) => {
            if let Err(error) = socket.set_nodelay(true) {
                // The peer has gone already, as the first read will say.
                tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
            }
            Some(Admitted {
                socket,
                peer,
                admission,
            })
        }
        Err(refused) => {
            limits
                .refusals()
                .report(refused.kind(), Some(peer), &refused, now);
            send_away(socket, refused);
            None
        }
    }
}

/// Says why and closes, without waiting for the peer: the line is lost if the kernel does not take
/// it at once. As in sshd, which ignores the result too.
fn send_away(socket: TcpStream, refused: NotAdmitted) {
    // By way of the plain socket: Tokio's would first wait to hear that it can be written to. It
    // stays non-blocking.
    if let Ok(mut socket) = socket.into_std() {
        let _ = socket.write(refused.farewell());
    }
}

/// Errors of the connection at the head of the queue, which is gone with them. Linux also passes on
/// network errors that way and wants them treated as "try again" (accept(2), "Error handling").
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
    )
}

/// What the operator can do about `error`, if the system's own text does not say it.
fn way_out(error: &io::Error) -> &'static str {
    // errno(3); these two numbers are the same on every Unix.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    match error.raw_os_error() {
        Some(EMFILE) => {
            ". The process has as many open files as it may (RLIMIT_NOFILE): raise it with \
             `ulimit -n`, or LimitNOFILE= in the systemd unit, or lower the limit of connections"
        }
        Some(ENFILE) => {
            ". The system has as many open files as it may: raise it with `sysctl fs.file-max`"
        }
        _ => "",
    }
}

/// Tokio's clock, which tests can hold.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Random numbers a peer cannot foresee: a count, hashed with a key of this process that nobody
/// knows. That is enough to decide who is dropped, so no random number generator is needed.
#[derive(Default)]
struct Dice {
    key: RandomState,
    rolls: u64,
}

impl Dice {
    fn roll(&mut self) -> u32 {
        self.rolls = self.rolls.wrapping_add(1);
        (self.key.hash_one(self.rolls) >> 32) as u32
    }
}

#[cfg(test)]
mod tests;
