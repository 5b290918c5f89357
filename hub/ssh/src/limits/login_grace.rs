//! How long a peer may take to log in: `LoginGraceTime` in `sshd_config(5)`, and a shorter time for
//! the key exchange, which needs nothing from a person.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::penalties::PenaltyKind;
use super::refusal::RefusalKind;

/// Times from the moment the connection was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginGraceSettings {
    /// To the end of the first key exchange. Default 30 s. Over `login` it is taken as `login`.
    pub key_exchange: Duration,
    /// To the login. Default 120 s as in OpenSSH. Unlike there, 0 is not "no limit": it ends every
    /// connection at once.
    pub login: Duration,
}

impl Default for LoginGraceSettings {
    fn default() -> Self {
        Self {
            key_exchange: Duration::from_secs(30),
            login: Duration::from_mins(2),
        }
    }
}

/// Which time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginTimeout {
    /// The peer was silent, or dripped, until the time for the key exchange was over.
    #[error("no key exchange in time")]
    KeyExchange,
    /// The key exchange was done, but no login in time.
    #[error("no login in time")]
    Login,
}

impl LoginTimeout {
    /// How it is counted.
    pub fn refusal(self) -> RefusalKind {
        match self {
            Self::KeyExchange => RefusalKind::KeyExchangeTime,
            Self::Login => RefusalKind::LoginGraceTime,
        }
    }

    /// How it is penalised.
    pub fn penalty(self) -> PenaltyKind {
        PenaltyKind::GraceExceeded
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    KeyExchange,
    Login,
    LoggedIn,
}

/// Cancels a connection's token when the peer takes too long. Bytes do not count, only progress: a
/// peer that drips is ended like a silent one.
///
/// Both times are watched by one task, which ends with the login, with the connection (the token is
/// cancelled) or when this is dropped.
#[derive(Debug)]
pub struct LoginGrace {
    phase: watch::Sender<Phase>,
    timeout: Arc<OnceLock<LoginTimeout>>,
}

impl LoginGrace {
    /// Starts the clock for a connection that was accepted now. `token` is the one that ends the
    /// connection (see [`CancellableStream`](crate::socket::CancellableStream)).
    ///
    /// Must be called within a Tokio runtime that has its timer enabled.
    pub fn start(settings: LoginGraceSettings, token: CancellationToken) -> Self {
        let accepted = Instant::now();
        let (phase, phases) = watch::channel(Phase::KeyExchange);
        let timeout = Arc::new(OnceLock::new());
        let reached = Arc::clone(&timeout);
        tokio::spawn(async move {
            let watch_times = watch_times(settings, accepted, phases);
            tokio::select! {
                over = watch_times => if let Some(over) = over {
                    // Set before the token is cancelled: who sees that asks for the reason.
                    let _ = reached.set(over);
                    token.cancel();
                },
                () = token.cancelled() => {}
            }
        });
        Self { phase, timeout }
    }

    /// The first key exchange is done: from here only the time for the login counts.
    pub fn key_exchange_done(&self) {
        self.advance(Phase::Login);
    }

    /// The peer has logged in: no time counts any longer.
    pub fn authenticated(&self) {
        self.advance(Phase::LoggedIn);
    }

    /// The time that was over when the token was cancelled; `None` if it was cancelled for another
    /// reason, or not at all.
    pub fn timeout(&self) -> Option<LoginTimeout> {
        self.timeout.get().copied()
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let later = to > *phase;
            if later {
                *phase = to;
            }
            later
        });
    }
}

/// Returns when a time is over, or with `None` when none counts any longer.
async fn watch_times(
    settings: LoginGraceSettings,
    accepted: Instant,
    mut phases: watch::Receiver<Phase>,
) -> Option<LoginTimeout> {
    let key_exchange = settings.key_exchange.min(settings.login);
    for (time, awaited, over) in [
        (key_exchange, Phase::Login, LoginTimeout::KeyExchange),
        (settings.login, Phase::LoggedIn, LoginTimeout::Login),
    ] {
        tokio::select! {
            // Progress made at the last moment is progress.
            biased;
            reached = phases.wait_for(|phase| *phase >= awaited) => { reached.ok()?; }
            () = sleep_until(deadline(accepted, time)) => return Some(over),
        }
    }
    None
}

/// A time so long that it cannot be added is one day: a wait always has a bound.
fn deadline(accepted: Instant, time: Duration) -> Instant {
    accepted
        .checked_add(time)
        .unwrap_or(accepted + Duration::from_hours(24))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, timeout};

    const SETTINGS: LoginGraceSettings = LoginGraceSettings {
        key_exchange: Duration::from_secs(30),
        login: Duration::from_mins(2),
    };

    /// The seconds after which the token was cancelled, with `None` for not within a day.
    async fn cancelled_after(token: &CancellationToken, start: Instant) -> Option<u64> {
        timeout(Duration::from_hours(24), token.cancelled())
            .await
            .ok()?;
        Some(start.elapsed().as_secs())
    }

    #[test]
    fn the_defaults_are_30_and_120_seconds() {
        assert_eq!(LoginGraceSettings::default(), SETTINGS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_ended_after_the_key_exchange_time() {
        let (token, start) = (CancellationToken::new(), Instant::now());
        let grace = LoginGrace::start(SETTINGS, token.clone());
        assert_eq!(cancelled_after(&token, start).await, Some(30));
        assert_eq!(grace.timeout(), Some(LoginTimeout::KeyExchange));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_log_in_is_ended_after_the_grace_time_from_accept() {
        let (token, start) = (CancellationToken::new(), Instant::now());
        let grace = LoginGrace::start(SETTINGS, token.clone());
        advance(Duration::from_secs(29)).await;
        grace.key_exchange_done();
        assert_eq!(cancelled_after(&token, start).await, Some(120));
        assert_eq!(grace.timeout(), Some(LoginTimeout::Login));
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_stops_both_times() {
        let (token, start) = (CancellationToken::new(), Instant::now());
        let grace = LoginGrace::start(SETTINGS, token.clone());
        grace.authenticated();
        grace.key_exchange_done();
        assert_eq!(cancelled_after(&token, start).await, None);
        assert_eq!(grace.timeout(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_grace_time_bounds_the_key_exchange_too() {
        let (token, start) = (CancellationToken::new(), Instant::now());
        let settings = LoginGraceSettings {
            login: Duration::from_secs(5),
            ..SETTINGS
        };
        let _grace = LoginGrace::start(settings, token.clone());
        assert_eq!(cancelled_after(&token, start).await, Some(5));
    }

    #[tokio::test(start_paused = true)]
    async fn absurd_times_do_not_overflow() {
        let (token, start) = (CancellationToken::new(), Instant::now());
        let settings = LoginGraceSettings {
            key_exchange: Duration::MAX,
            login: Duration::MAX,
        };
        let _grace = LoginGrace::start(settings, token.clone());
        timeout(Duration::from_hours(25), token.cancelled())
            .await
            .unwrap();
        assert_eq!(start.elapsed().as_secs(), 24 * 60 * 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_at_the_last_moment_counts() {
        for _ in 0..50 {
            let (phase, phases) = watch::channel(Phase::KeyExchange);
            let accepted = Instant::now();
            advance(SETTINGS.login).await;
            phase.send(Phase::LoggedIn).unwrap();
            assert_eq!(watch_times(SETTINGS, accepted, phases).await, None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_ends_with_its_connection() {
        let tasks = || {
            tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
        };
        let before = tasks();
        let (dropped, cancelled) = (CancellationToken::new(), CancellationToken::new());
        drop(LoginGrace::start(SETTINGS, dropped.clone()));
        let grace = LoginGrace::start(SETTINGS, cancelled.clone());
        assert_eq!(tasks(), before + 2);
        cancelled.cancel();
        while tasks() > before {
            tokio::task::yield_now().await;
        }
        assert_eq!(grace.timeout(), None);
        assert!(!dropped.is_cancelled());
    }
}
