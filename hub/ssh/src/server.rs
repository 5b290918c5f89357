//! A listener: from accepted sockets to finished connections.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use cmp_core::Hub;
use russh::server::Config;
use russh::{MethodKind, MethodSet, SshId};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::accept_loop;
use crate::authorized_keys::AuthorizedKeys;
use crate::connection::serve;
use crate::counters::Counters;
use crate::host_keys::HostKeys;
use crate::limits::ConnectionLimits;
use crate::services::Services;
use crate::settings::Settings;

/// All that a listener works with. What is in an [`Arc`] can be shared by several listeners, and
/// should be: limits and counters are of the whole hub.
#[derive(Clone)]
pub struct Server {
    /// The settings of this listener.
    pub settings: Settings,
    /// Who the server is.
    pub host_keys: HostKeys,
    /// Which connections are admitted.
    pub limits: Arc<ConnectionLimits>,
    /// Who may log in. When it changes, sessions whose key is gone end within a second.
    pub keys: watch::Receiver<Arc<AuthorizedKeys>>,
    /// Where sessions attach.
    pub hub: Hub,
    /// Who answers `admin` commands.
    pub services: Arc<dyn Services>,
    /// What is counted.
    pub counters: Arc<Counters>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// How a listener is told to end.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Accept no more connections and no more sessions; end each connection as soon as it has no
    /// open session. Whoever cancels this ends the sessions as well, by [`Hub::shutdown`].
    pub shutdown: CancellationToken,
    /// End every connection at once.
    pub force: CancellationToken,
}

/// The least time between two keepalives.
const MIN_KEEPALIVE: Duration = Duration::from_millis(100);

/// The least window of a channel: one packet.
const MIN_WINDOW: u32 = 32 * 1024;

/// Serves the connections of `listener` until `stop` says so. Returns when every connection has
/// ended; the caller sets the deadline, and cancels [`Stop::force`] when it is over.
///
/// No error ends it: those of accept(2) are logged, counted and waited out.
pub async fn run(listener: TcpListener, server: Server, stop: Stop) {
    let mut server = server;
    server.settings.window_size = server.settings.window_size.max(MIN_WINDOW);
    let server = Arc::new(server);
    let config = Arc::new(ssh_config(&server));
    let connections = TaskTracker::new();
    let accepting_ends = CancellationToken::new();
    let limits = server.limits.clone();
    let accepting = accept_loop(listener, limits, accepting_ends.clone(), |admitted| {
        connections.spawn(serve(
            server.clone(),
            config.clone(),
            admitted,
            stop.clone(),
        ));
    });
    let told = async {
        tokio::select! {
            () = stop.shutdown.cancelled() => {}
            () = stop.force.cancelled() => {}
        }
        accepting_ends.cancel();
    };
    tokio::join!(accepting, told);
    connections.close();
    connections.wait().await;
}

/// The settings in the SSH library's terms.
fn ssh_config(server: &Server) -> Config {
    let settings = &server.settings;
    let interval = settings.keepalive_interval.max(MIN_KEEPALIVE);
    let keepalives = settings.keepalive_max.max(1);
    // One interval more than the keepalives, so that these are what ends a silent client; this also
    // ends one whose machine cannot be written to, where no keepalive gets out.
    let patience = u32::try_from(keepalives)
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    Config {
        server_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-cmp_",
            env!("CARGO_PKG_VERSION")
        ))),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // Nothing can be guessed about a key, so a refusal does not have to be slow.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: server.host_keys.to_vec(),
        window_size: settings.window_size,
        // The reading half of a channel is not used; 0 is not possible.
        channel_buffer_size: 1,
        preferred: settings.profile.preferred(),
        // The library also counts the request for the methods with which a login begins.
        max_auth_attempts: settings.max_auth_tries.saturating_add(1),
        inactivity_timeout: Some(interval.saturating_mul(patience)),
        keepalive_interval: Some(interval),
        keepalive_max: keepalives,
        nodelay: true,
        ..Config::default()
    }
}
