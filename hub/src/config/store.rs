//! `[store]`: which database, and how it is used.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use cmp_store::{Location, OpenError, PostgresAddress, StoreSettings, Synchronous};

use super::files::read_secret;
use super::reader::{Section, Value};
use super::secret::Secret;

/// The database when none is named, in the data folder.
const FILE: &str = "cmp-hub.db";

/// What every time limit of a database can be: a hub that waits longer is of no use.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

/// The settings, and the URL with its password, by which a change of either is seen.
pub(super) fn read(
    file: &mut Section<'_, '_>,
    base: &Path,
    data: &Path,
) -> (StoreSettings, Secret) {
    let mut store = file.section("store");
    let password = store.value("password_file").and_then(|value| {
        let password = value.valid(read_secret(&value.path(base)?))?;
        Some((value, password))
    });
    let (location, url) = match store.value("url") {
        Some(value) => database(&value, data, password),
        None => {
            if let Some((value, _)) = password {
                value.problem("an SQLite database has no password; set `store.url` to PostgreSQL's");
            }
            None
        }
    }
    .unwrap_or_else(|| (Location::Sqlite(data.join(FILE)), FILE.to_owned()));

    let mut set = StoreSettings::new(location);
    let synchronous = [("full", Synchronous::Full), ("normal", Synchronous::Normal)];
    store.choice("synchronous", &synchronous, &mut set.synchronous);
    store.duration("busy_timeout", TIMEOUTS, &mut set.busy_timeout);
    store.integer("readers", 1..=64, &mut set.readers);
    store.duration("connect_timeout", TIMEOUTS, &mut set.connect_timeout);
    store.duration("statement_timeout", TIMEOUTS, &mut set.statement_timeout);
    (set, Secret::new(url))
}

/// Reads the URL. No message repeats it: there may be a password in it.
fn database(
    value: &Value<'_, '_>,
    data: &Path,
    password: Option<(Value<'_, '_>, String)>,
) -> Option<(Location, String)> {
    let url = value.string()?;
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let url = match password {
            Some((_, password)) => with_password(url, &password),
            None => url.to_owned(),
        };
        let address = PostgresAddress::parse(&url).map_err(|error| match error {
            OpenError::BadUrl(cause) => {
                format!("{cause}; write postgres://USER@HOST:PORT/DATABASE")
            }
            other => other.to_string(),
        });
        return Some((Location::Postgres(value.valid(address)?), url));
    }
    if let Some((value, _)) = password {
        value.problem("an SQLite database has no password; leave this out");
    }
    let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) else {
        value.problem("must start with sqlite: or postgres://, as \"sqlite:cmp-hub.db\"");
        return None;
    };
    if path.is_empty() || path.starts_with(':') || path.contains('?') {
        value.problem("must be sqlite: and the path of a file, without parameters");
        return None;
    }
    Some((Location::Sqlite(data.join(path)), path.to_owned()))
}

/// The password as a parameter of the URL, which wins over one in its front.
fn with_password(url: &str, password: &str) -> String {
    let (url, _) = url.split_once('#').unwrap_or((url, ""));
    let sign = if url.contains('?') { '&' } else { '?' };
    let escaped: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("{url}{sign}password={escaped}")
}
