//! `[store]`: which database, and how it is used.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use cmp_store::{Location, OpenError, PostgresAddress, StoreSettings, Synchronous};

use super::files::read_secret;
use super::reader::Section;
use super::secret::Secret;
use super::value::Value;

/// The database when none is named, in the data folder.
const FILE: &str = "cmp-hub.db";

/// What the URLs of PostgreSQL start with.
const POSTGRES: [&str; 2] = ["postgres://", "postgresql://"];

/// What every time limit of a database can be: a hub that waits longer is of no use.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

/// The settings, and the URL with its password, by which a change of either is seen.
pub(super) fn read(
    file: &mut Section<'_, '_>,
    base: &Path,
    data: &Path,
) -> (StoreSettings, Secret) {
    let mut store = file.section("store");
    let url = store.value("url");
    let password = store.value("password_file").and_then(|value| {
        if !url.as_ref().is_some_and(is_postgres) {
            value.problem("only PostgreSQL asks for a password; leave this out, or set store.url");
            return None;
        }
        let path = value.path(base)?;
        let read = read_secret(&path).map_err(|error| format!("{} {error}", path.display()));
        value.valid(read)
    });
    let (location, url) = url
        .and_then(|value| database(&value, data, password.as_deref()))
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

fn is_postgres(url: &Value<'_, '_>) -> bool {
    POSTGRES.iter().any(|scheme| url.starts_with(scheme))
}

/// Reads the URL. No message repeats it: there may be a password in it.
fn database(
    value: &Value<'_, '_>,
    data: &Path,
    password: Option<&str>,
) -> Option<(Location, String)> {
    let url = value.string()?;
    if is_postgres(value) {
        let url = password.map_or_else(|| url.to_owned(), |word| with_password(url, word));
        let address = PostgresAddress::parse(&url).map_err(|error| match error {
            OpenError::BadUrl(cause) => {
                format!("{cause}; write postgres://USER@HOST:PORT/DATABASE")
            }
            other => other.to_string(),
        });
        return Some((Location::Postgres(value.valid(address)?), url));
    }
    // As in the URLs of sqlx, two slashes are no part of the path.
    let Some(path) = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"))
    else {
        value.problem("must start with sqlite: or postgres://, as \"sqlite:cmp-hub.db\"");
        return None;
    };
    if path.is_empty() || path.starts_with(':') || path.contains('?') {
        value.problem("must be sqlite: and the path of a file, without parameters");
        return None;
    }
    Some((Location::Sqlite(data.join(path)), path.to_owned()))
}

/// The password as a parameter of the URL, which wins over one before the host.
fn with_password(url: &str, password: &str) -> String {
    let (url, _) = url.split_once('#').unwrap_or((url, ""));
    let sign = if url.contains('?') { '&' } else { '?' };
    let escaped = password.bytes().flat_map(|byte| {
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
        ['%', digit(byte >> 4), digit(byte & 15)]
    });
    format!("{url}{sign}password=")
        .chars()
        .chain(escaped)
        .collect()
}
