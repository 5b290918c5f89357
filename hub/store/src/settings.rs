//! Where the database is and how it is used.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::OpenError;

/// How a hub uses its database.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Where it is.
    pub location: Location,
    /// SQLite: what a commit waits for.
    pub synchronous: Synchronous,
    /// SQLite: how long another program, for example a shell on the file, may hold a lock before a
    /// call fails.
    pub busy_timeout: Duration,
    /// Connections that only read, at most. One more writes.
    pub readers: u32,
    /// PostgreSQL: how long connecting may take.
    pub connect_timeout: Duration,
    /// PostgreSQL: how long a statement may take. A call fails after this and `connect_timeout`
    /// together, whatever the network does.
    pub statement_timeout: Duration,
}

impl StoreSettings {
    /// The default settings for a database at `location`: `synchronous` full, 4 readers, all
    /// timeouts 5 s.
    pub fn new(location: Location) -> Self {
        Self {
            location,
            synchronous: Synchronous::Full,
            busy_timeout: Duration::from_secs(5),
            readers: 4,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
        }
    }
}

impl Default for StoreSettings {
    /// As [`StoreSettings::new`], with the file `cmp-hub.db` in the working directory.
    fn default() -> Self {
        Self::new(Location::Sqlite("cmp-hub.db".into()))
    }
}

/// What a commit of SQLite waits for (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// Until it is on the disk: it survives a loss of power.
    #[default]
    Full,
    /// Until it is with the operating system: it survives the end of the hub in every way, but the
    /// last commits may be gone after a loss of power.
    Normal,
}

/// Which database.
#[derive(Debug, Clone)]
pub enum Location {
    /// The file of an SQLite database, made at the first start. Beside it are `FILE-wal`, `FILE-shm`
    /// and `FILE.lock`.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server.
    Postgres(PostgresAddress),
}

impl FromStr for Location {
    type Err = OpenError;

    /// Reads a URL that starts with `postgres://` or `postgresql://`; everything else is the path of
    /// an SQLite file.
    fn from_str(text: &str) -> Result<Self, OpenError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            PostgresAddress::parse(text).map(Self::Postgres)
        } else {
            let Ok(path) = PathBuf::from_str(text) as Result<_, Infallible>;
            Ok(Self::Sqlite(path))
        }
    }
}

impl fmt::Display for Location {
    /// The path, or the URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(address) => address.fmt(f),
        }
    }
}

/// The parameters that sqlx takes after the `?` of a URL. It ignores and logs others with their
/// value, which might be a password.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Where a PostgreSQL server is and how to log in there. Shown without its password.
#[derive(Clone)]
pub struct PostgresAddress(Box<PgConnectOptions>);

impl PostgresAddress {
    /// Reads `postgres://user:password@host:port/database?parameter=value`, with the parameters of
    /// libpq as far as sqlx knows them. What is missing comes from the environment (`PGHOST`,
    /// `PGUSER`, `PGPASSWORD`, …) and the password file, as with libpq.
    pub fn parse(url: &str) -> Result<Self, OpenError> {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let key = parameter.split('=').next().unwrap_or_default();
            if !PARAMETERS.contains(&key) {
                return Err(OpenError::BadUrl(format!(
                    "the parameter {key:?} is not known"
                )));
            }
        }
        match url.parse() {
            Ok(options) => Ok(Self(Box::new(options))),
            // The parser's message speaks of the part that it could not read, not of its text.
            Err(sqlx::Error::Configuration(error)) => Err(OpenError::BadUrl(error.to_string())),
            Err(_) => Err(OpenError::BadUrl("it can't be read".to_owned())),
        }
    }

    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.0
    }

    /// The server alone: `host:port`, or the path of its socket.
    pub(crate) fn server(&self) -> String {
        let port = self.0.get_port();
        match self.0.get_socket() {
            Some(folder) => format!("{}/.s.PGSQL.{port}", folder.display()),
            None => format!("{}:{port}", self.0.get_host()),
        }
    }

    /// The name of the database; PostgreSQL takes the user's when none is given.
    pub(crate) fn database(&self) -> &str {
        self.0.get_database().unwrap_or(self.0.get_username())
    }

    pub(crate) fn user(&self) -> &str {
        self.0.get_username()
    }
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.database(), self.server())
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_postgresql_and_all_else_a_file() {
        for url in ["postgres://a@h:5433/d", "postgresql://a@h:5433/d"] {
            let location: Location = url.parse().unwrap();
            assert!(matches!(location, Location::Postgres(_)), "{url}");
            assert_eq!(location.to_string(), "d on h:5433");
        }
        for path in ["cmp.db", "/var/lib/cmp/postgres", "mysql://a@h/d"] {
            let location: Location = path.parse().unwrap();
            assert!(
                matches!(&location, Location::Sqlite(p) if p == path),
                "{path}"
            );
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = "postgres://user:hunter2@host/db?password=hunter2";
        let settings = StoreSettings::new(url.parse().unwrap());
        let shown = format!("{settings:?} {}", settings.location);
        assert!(!shown.contains("hunter2"), "{shown}");
        for bad in [
            "postgres://u:hunter2@h/d?pasword=hunter2",
            "postgres://u:hunter2@h:x/d",
        ] {
            let error = bad.parse::<Location>().unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_socket_is_named_by_its_path() {
        let location: Location = "postgres://u@localhost/d?host=/run/pg&port=5433"
            .parse()
            .unwrap();
        assert_eq!(location.to_string(), "d on /run/pg/.s.PGSQL.5433");
    }
}
