//! Running: start everything, announce the addresses, wait for the end, drain.

use std::fs::DirBuilder;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use cmp_core::Hub;
use cmp_ssh::limits::ConnectionLimits;
use cmp_ssh::{Counters, HostKeys, Server, Stop};
use cmp_store::Database;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::admin::Admin;
use crate::config::Config;
use crate::files::Watched;
use crate::reload::{Reload, load_keys};
use crate::signals::{Asked, Signals};
use crate::{control, first_start, logging};

/// Runs the hub until a signal ends it.
pub(crate) fn run(file: Option<&Path>) -> anyhow::Result<()> {
    let watched_file = file.map(Watched::new);
    let config = Config::load_or_default(file)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the threads of the hub can't be started")?;
    let outcome = runtime.block_on(serve(file, watched_file, config));
    // What still blocks, as a name that is looked up, is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn serve(
    file: Option<&Path>,
    watched_file: Option<Watched>,
    config: Config,
) -> anyhow::Result<()> {
    let log_level = logging::start(&config.log.filter, config.log.format)?;
    let mut signals = Signals::listen()?;

    let host_keys = HostKeys::load_or_generate(&config.paths.keys, &config.ssh.host_keys)?;
    if file.is_none() {
        first_start::make_first_client(&config.paths.keys, &config.paths.authorized_keys)?;
    }
    let watched_keys = Watched::new(&config.paths.authorized_keys);
    let keys = load_keys(&config.paths.authorized_keys, &config.naming)?;
    // Ports come before the database: a second start by mistake fails without touching it.
    let listeners = bind(&config.ssh.listen).await?;
    make_data_folder(&config.paths.data)?;
    let store = Arc::new(Database::open(&config.store).await?);
    let (hub, hub_task) = Hub::start(config.policy.clone(), store.clone())
        .await
        .context("what the database holds can't be read")?;

    let (keys, keys_watch) = watch::channel(Arc::new(keys));
    let stop = Stop::default();
    let tasks = TaskTracker::new();
    let control_settings = config.control.clone().map(|control| {
        let (settings, watch) = watch::channel(Arc::new(control.settings));
        tasks.spawn(control::run(
            hub.clone(),
            control.client,
            watch,
            stop.shutdown.clone(),
        ));
        settings
    });
    let reload = Reload::new(
        file.map(Path::to_path_buf),
        config.clone(),
        hub.clone(),
        keys,
        control_settings,
        log_level.clone(),
    );
    let limits = Arc::new(ConnectionLimits::new(config.ssh.limits.clone()));
    let counters = Arc::<Counters>::default();
    let server = Server {
        settings: config.ssh.connection.clone(),
        host_keys: host_keys.clone(),
        limits: limits.clone(),
        keys: keys_watch,
        hub: hub.clone(),
        services: Arc::new(Admin {
            limits,
            counters: counters.clone(),
            hub: hub.clone(),
            reload: reload.clone(),
            log_level,
        }),
        counters,
    };
    let mut addresses = Vec::new();
    for listener in listeners {
        addresses.push(listener.local_addr().context("a listener has no address")?);
        tasks.spawn(cmp_ssh::run(listener, server.clone(), stop.clone()));
    }
    tasks.spawn(
        reload
            .clone()
            .watch(watched_keys, watched_file, stop.shutdown.clone()),
    );
    announce(&config, &host_keys, &addresses);

    while signals.next().await == Asked::Reload {
        reload.on_signal().await;
    }
    drain(
        &hub,
        hub_task,
        &stop,
        &tasks,
        &mut signals,
        config.shutdown_deadline,
    )
    .await?;
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Only its owner gets to see what lies in a folder that the hub makes.
fn make_data_folder(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| {
        let folder = path.display();
        format!("folder {folder} can't be made; make it by hand, writable for this user")
    })
}

async fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("can't listen on {address}; stop what uses it, or set another address under [ssh] listen")
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Says on standard output where the hub listens, and how to try it.
fn announce(config: &Config, host_keys: &HostKeys, addresses: &[SocketAddr]) {
    let mut text = String::new();
    for address in addresses {
        text.push_str(&format!("listening on {address}\n"));
        tracing::info!(%address, hub = %config.policy.hub, "listening");
    }
    for fingerprint in host_keys.fingerprints() {
        text.push_str(&format!("host key {fingerprint}\n"));
    }
    let command = addresses.first().map_or(Ok(None), |address| {
        first_start::login_command(&config.paths.keys, host_keys, *address)
    });
    // The keys folder may be read-only once everything in it is made.
    let command = command.unwrap_or_else(|error| {
        tracing::warn!("{error:#}");
        None
    });
    if let Some(command) = command {
        text.push_str(&format!(
            "log in, from as many terminals as you like, with:\n{command}\n"
        ));
    }
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason not to run.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Stops accepting, finishes what was taken, tells the sessions, and ends when they have ended or
/// the deadline has passed; a second signal ends at once.
async fn drain(
    hub: &Hub,
    hub_task: JoinHandle<()>,
    stop: &Stop,
    tasks: &TaskTracker,
    signals: &mut Signals,
    deadline: Duration,
) -> anyhow::Result<()> {
    tracing::info!(deadline_s = deadline.as_secs(), "stopping");
    stop.shutdown.cancel();
    tasks.close();
    let orderly = async {
        // An error means that it has ended already.
        let _ = hub.shutdown("the hub is shutting down").await;
        tasks.wait().await;
    };
    let again = async { while signals.next().await != Asked::Stop {} };
    tokio::select! {
        () = orderly => {}
        () = again => bail!("ended at once by a second signal; sessions were cut off"),
        () = tokio::time::sleep(deadline) => {
            tracing::warn!("sessions that did not end in time are cut off");
            stop.force.cancel();
            let rest = async {
                tasks.wait().await;
                // What was accepted is committed even when sessions hang.
                let _ = hub_task.await;
            };
            if tokio::time::timeout(Duration::from_secs(5), rest).await.is_err() {
                bail!("the hub did not end in time; what the store had not confirmed may be lost");
            }
        }
    }
    Ok(())
}
