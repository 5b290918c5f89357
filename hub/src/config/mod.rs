//! The configuration of the hub.
//!
//! Comes in: a TOML file, and the small files that it names. Goes out: a [`Config`] of typed,
//! checked values, or every mistake at once. What the file leaves out has the default of the crate
//! that uses it. Not done here: nothing is made, opened or bound.

mod control;
mod duration;
mod error;
mod files;
mod policy;
mod reader;
mod secret;
mod ssh;
mod store;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use cmp_core::{ClientSettings, Policy};
use cmp_protocol::{ClientName, RoleName};
use cmp_ssh::authorized_keys::ClientNaming;
use cmp_store::StoreSettings;
use toml::de::DeTable;

pub(crate) use control::Control;
pub(crate) use duration::parse_duration;
pub(crate) use error::ConfigErrors;
pub(crate) use ssh::SshSettings;

use crate::first_start::FIRST_CLIENT;
use error::Problem;
use reader::{Problems, Section};
use secret::Secret;
use value::Value;

/// A configuration in which every key is explained and has its default. Read as it is, it is the
/// same as an empty file.
pub(crate) const SAMPLE: &str = include_str!("../../sample-config.toml");

/// Everything that an operator sets.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Who may do what, and what is kept.
    pub(crate) policy: Policy,
    /// The listeners and their connections.
    pub(crate) ssh: SshSettings,
    /// How a line of `authorized_keys` gives the client's name.
    pub(crate) naming: ClientNaming,
    /// The database.
    pub(crate) store: StoreSettings,
    /// The control server; none when it does not run in the hub.
    pub(crate) control: Option<Control>,
    /// What is logged, and how.
    pub(crate) log: LogSettings,
    /// Files and folders.
    pub(crate) paths: Paths,
    /// How long the end may take once it was asked for.
    pub(crate) shutdown_deadline: Duration,
    /// The database as it was named, by which a change is seen.
    database: Secret,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// In the syntax of tracing's `EnvFilter`; it is valid.
    pub(crate) filter: String,
    /// The form of a line.
    pub(crate) format: LogFormat,
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Text for people, in colours on a terminal.
    Human,
    /// One JSON object.
    Json,
}

/// Where the hub's own files are. Nothing is said of whether they exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    /// The folder of the database.
    pub(crate) data: PathBuf,
    /// The folder of the host keys.
    pub(crate) keys: PathBuf,
    /// Who may log in.
    pub(crate) authorized_keys: PathBuf,
}

impl Config {
    /// Reads the file and the files that it names.
    pub(crate) fn load(file: &Path) -> Result<Self, ConfigErrors> {
        let text = files::read_text(file).map_err(|what| {
            let what = format!("{what}; `cmp-hub sample-config` prints one to start from");
            ConfigErrors::new(vec![Problem { line: None, what }]).in_file(file)
        })?;
        let base = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, base).map_err(|errors| errors.in_file(file))
    }

    /// Reads this file; without one, [`default_in`](Self::default_in) the current folder.
    pub(crate) fn load_or_default(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        match file {
            Some(file) => Self::load(file),
            None => Self::default_in(Path::new("")),
        }
    }

    /// What holds when nothing is configured: an empty file in the folder `base`, and the first
    /// client is an admin. (A file has to say so itself: who writes one decides who is.)
    pub(crate) fn default_in(base: &Path) -> Result<Self, ConfigErrors> {
        let mut config = Self::parse("", base)?;
        if let (Ok(client), Ok(role)) = (
            ClientName::new(FIRST_CLIENT),
            RoleName::new(policy::ADMIN_ROLE),
        ) {
            let settings = ClientSettings {
                role: Some(role),
                ..ClientSettings::default()
            };
            config.policy.clients.insert(client, settings);
        }
        Ok(config)
    }

    /// Reads the text of a configuration file; relative paths in it start at `base`. The error is
    /// everything that is wrong.
    pub(crate) fn parse(text: &str, base: &Path) -> Result<Self, ConfigErrors> {
        let problems = Problems::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            problems.add(&error.span().unwrap_or(0..0), error.message());
        }
        let config = if errors.is_empty() {
            read(Section::whole(table.get_ref(), &problems), base)
        } else {
            None
        };
        let problems = problems.into_sorted();
        config
            .filter(|_| problems.is_empty())
            .ok_or_else(|| ConfigErrors::new(problems))
    }

    /// The settings that differ in `new` and hold only from the next start on, by their keys. All
    /// others can be taken over by a running hub.
    pub(crate) fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let store = |config: &Self| {
            let set = &config.store;
            (
                set.synchronous,
                set.busy_timeout,
                set.readers,
                set.connect_timeout,
                set.statement_timeout,
            )
        };
        let (limits, new_limits) = (&self.policy.limits, &new.policy.limits);
        let control = |config: &Self| {
            config
                .control
                .as_ref()
                .map(|control| control.client.clone())
        };
        [
            ("hub.data", self.paths.data != new.paths.data),
            ("hub.keys", self.paths.keys != new.paths.keys),
            (
                "hub.authorized_keys",
                self.paths.authorized_keys != new.paths.authorized_keys,
            ),
            ("log.format", self.log.format != new.log.format),
            ("ssh.listen", self.ssh.listen != new.ssh.listen),
            ("ssh.host_keys", self.ssh.host_keys != new.ssh.host_keys),
            (
                "ssh",
                (&self.ssh.connection, &self.ssh.limits) != (&new.ssh.connection, &new.ssh.limits),
            ),
            ("store.url", self.database != new.database),
            ("store", store(self) != store(new)),
            (
                "limits.store_queue",
                limits.store_queue != new_limits.store_queue,
            ),
            (
                "limits.store_timeout",
                limits.store_timeout != new_limits.store_timeout,
            ),
            (
                "limits.flood_entries",
                limits.flood_entries != new_limits.flood_entries,
            ),
            ("control", control(self) != control(new)),
        ]
        .into_iter()
        .filter_map(|(key, differs)| differs.then_some(key))
        .collect()
    }
}

/// Reads all sections before anything is decided, so that every mistake is found.
fn read(mut file: Section<'_, '_>, base: &Path) -> Option<Config> {
    let mut hub = file.section("hub");
    let paths = paths(&mut hub, base);
    let naming = match hub.value("client_name_pattern") {
        Some(value) => naming(&value),
        None => Some(ClientNaming::default()),
    };
    let mut shutdown_deadline = Duration::from_secs(10);
    let deadlines = Duration::from_secs(1)..=Duration::from_mins(10);
    hub.duration("shutdown_deadline", deadlines, &mut shutdown_deadline);
    let log = log(&mut file.section("log"));
    let policy = policy::read(&mut file, &mut hub, base);
    let ssh = ssh::read(&mut file);
    let (store, database) = store::read(&mut file, base, &paths.data);
    let control = control::read(&mut file, base, policy.as_ref());
    Some(Config {
        policy: policy?,
        ssh,
        naming: naming?.reserving(control.as_ref().map(|control| control.client.clone())),
        store,
        control,
        log,
        paths,
        shutdown_deadline,
        database,
    })
}

fn paths(hub: &mut Section<'_, '_>, base: &Path) -> Paths {
    let mut path = |key, default| {
        hub.value(key)
            .and_then(|value| value.path(base))
            .unwrap_or(default)
    };
    let data = path("data", base.join("data"));
    let keys = path("keys", base.join("keys"));
    let authorized_keys = path("authorized_keys", keys.join("authorized_keys"));
    Paths {
        data,
        keys,
        authorized_keys,
    }
}

fn naming(value: &Value<'_, '_>) -> Option<ClientNaming> {
    let pattern = value.string()?;
    let read = ClientNaming::from_pattern(pattern).map_err(|error| {
        // The message about an expression draws a picture of it first.
        let message = error.to_string();
        let last = message.lines().last().unwrap_or_default();
        match last.strip_prefix("error: ") {
            Some(cause) => format!("{pattern:?} is no regular expression: {cause}"),
            None => last.to_owned(),
        }
    });
    value.valid(read)
}

fn log(section: &mut Section<'_, '_>) -> LogSettings {
    let mut set = LogSettings {
        filter: "info".to_owned(),
        format: LogFormat::Human,
    };
    if let Some(value) = section.value("filter")
        && let Some(text) = value.string()
    {
        let read = crate::logging::parse(text).map_err(|error| format!("{error:#}"));
        if value.valid(read).is_some() {
            text.clone_into(&mut set.filter);
        }
    }
    let formats = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    section.choice("format", &formats, &mut set.format);
    set
}
