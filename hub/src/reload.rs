//! Reading configuration and keys again while the hub runs: on a change, on SIGHUP, when asked.
//!
//! What does not check is refused whole, and what was there stays.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cmp_control::CheckedSettings;
use cmp_core::Hub;
use cmp_ssh::authorized_keys::{AuthorizedKeys, ClientNaming};
use tokio::sync::{Mutex, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::files::{LOOK, Watched};
use crate::logging::LogLevel;

/// What is read again, and where it goes.
#[derive(Clone)]
pub(crate) struct Reload(Arc<Shared>);

struct Shared {
    file: Option<PathBuf>,
    hub: Hub,
    keys: watch::Sender<Arc<AuthorizedKeys>>,
    control: Option<watch::Sender<Arc<CheckedSettings>>>,
    log_level: LogLevel,
    /// Where the keys are, until the next start.
    authorized_keys: PathBuf,
    /// The configuration that holds.
    config: Mutex<Config>,
}

impl Reload {
    pub(crate) fn new(
        file: Option<PathBuf>,
        config: Config,
        hub: Hub,
        keys: watch::Sender<Arc<AuthorizedKeys>>,
        control: Option<watch::Sender<Arc<CheckedSettings>>>,
        log_level: LogLevel,
    ) -> Self {
        let authorized_keys = config.paths.authorized_keys.clone();
        let config = Mutex::new(config);
        Self(Arc::new(Shared {
            file,
            hub,
            keys,
            control,
            log_level,
            authorized_keys,
            config,
        }))
    }

    /// Reads everything again. Says what was done; or what is wrong, and nothing has changed.
    pub(crate) async fn now(&self) -> Result<String, String> {
        let mut config = self.0.config.lock().await;
        let new = match &self.0.file {
            Some(file) => Config::load(file).map_err(|errors| unchanged(&errors.into()))?,
            None => config.clone(),
        };
        let keys =
            load_keys(&self.0.authorized_keys, &new.naming).map_err(|error| unchanged(&error))?;
        self.apply(&config, &new).await?;
        *config = new;
        Ok(format!("configuration read; {}", self.admit(keys)))
    }

    async fn apply(&self, old: &Config, new: &Config) -> Result<(), String> {
        let late = old.needs_restart(new);
        if !late.is_empty() {
            let settings = late.join(", ");
            tracing::warn!(settings, "changed, and will hold after a restart");
        }
        if old.log.filter != new.log.filter {
            self.0.log_level.set(&new.log.filter)?;
        }
        if let (Some(settings), Some(control)) = (&self.0.control, &new.control) {
            settings.send_replace(Arc::new(control.settings.clone()));
        }
        let ended = |_| "the hub is shutting down".to_owned();
        self.0
            .hub
            .set_policy(new.policy.clone())
            .await
            .map_err(ended)
    }

    /// Reads the keys again; those that were there stay when the file is wrong.
    async fn keys(&self) -> Result<String, String> {
        let config = self.0.config.lock().await;
        let keys = load_keys(&self.0.authorized_keys, &config.naming)
            .map_err(|error| unchanged(&error))?;
        Ok(self.admit(keys))
    }

    fn admit(&self, keys: AuthorizedKeys) -> String {
        let what = format!("{} keys may log in", keys.entries().len());
        self.0.keys.send_replace(Arc::new(keys));
        what
    }

    /// Looks at the files until the hub stops, and reads again what has changed.
    ///
    /// `keys` and `file` were looked at before the files were read for the first time.
    pub(crate) async fn watch(
        self,
        mut keys: Watched,
        mut file: Option<Watched>,
        stop: CancellationToken,
    ) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            if file.as_mut().is_some_and(Watched::changed) {
                // The configuration says how a key gives the client's name.
                report("everything", self.now().await);
            } else if keys.changed() {
                report("keys", self.keys().await);
            }
        }
    }

    /// Reads everything again and logs what came of it.
    pub(crate) async fn on_signal(&self) {
        report("everything", self.now().await);
    }
}

fn unchanged(error: &anyhow::Error) -> String {
    format!("all stays as it was: {error:#}")
}

fn report(what: &str, outcome: Result<String, String>) {
    match outcome {
        Ok(done) => tracing::info!(what, "reloaded: {done}"),
        // A line for each mistake.
        Err(error) => {
            for line in error.lines() {
                tracing::error!(what, "not reloaded, {line}");
            }
        }
    }
}

/// Reads the keys that may log in, and logs the lines that are left out.
pub(crate) fn load_keys(path: &Path, naming: &ClientNaming) -> anyhow::Result<AuthorizedKeys> {
    let keys = AuthorizedKeys::load(path, naming)?;
    for problem in keys.problems() {
        let (file, line) = (path.display(), problem.line);
        tracing::warn!("{file}:{line}: {}", problem.reason);
    }
    if keys.entries().is_empty() {
        tracing::warn!(file = %path.display(), "nobody can log in: the file has no usable key");
    }
    Ok(keys)
}
