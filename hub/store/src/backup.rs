//! A copy of a database that is in use.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::Location;
use crate::error::cause;

/// Why there is no backup. Each text is one line.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no such database.
    #[error("there is no database {0} to back up")]
    NoDatabase(PathBuf),
    /// Nothing is overwritten.
    #[error("{0} exists already: move it away, or name another file")]
    Exists(PathBuf),
    /// The copy can't be made there.
    #[error("can't write {path}: {cause}")]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Reading or copying failed.
    #[error("can't back up database {database}: {cause}")]
    Failed {
        /// The file.
        database: PathBuf,
        /// What went wrong.
        cause: String,
    },
    /// PostgreSQL has its own tool.
    #[error(
        "a PostgreSQL database is backed up by its own tool: pg_dump --format=custom --file={to} --host={host} --port={port} --username={user} {database}"
    )]
    Postgres {
        /// The file asked for.
        to: PathBuf,
        /// The host, or the folder of the socket.
        host: String,
        /// The port.
        port: u16,
        /// The user.
        user: String,
        /// The database.
        database: String,
    },
}

/// Writes all that is committed in the database at this moment to the new file `to`, an SQLite
/// database that a hub can use as it is. A hub may write at the same time and is not held up; its
/// log file grows meanwhile. When this returns Ok, the file is on the disk, readable for its owner
/// alone; until then it is named `to.partial`.
pub async fn backup(location: &Location, to: &Path) -> Result<(), BackupError> {
    let from = match location {
        Location::Sqlite(path) => path,
        Location::Postgres(address) => return Err(postgres_hint(address.options(), to)),
    };
    if !from.exists() {
        return Err(BackupError::NoDatabase(from.clone()));
    }
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    make(&partial)?;
    let copied = match copy(from, &partial).await {
        Ok(()) => publish(&partial, to).map_err(|cause| BackupError::NotWritable {
            path: to.to_owned(),
            cause,
        }),
        Err(error) => Err(BackupError::Failed {
            database: from.clone(),
            cause: cause(&error),
        }),
    };
    if copied.is_err() {
        // It is useless, and the error that is returned says more than another one would.
        let _ = fs::remove_file(&partial);
    }
    copied
}

fn make(partial: &Path) -> Result<(), BackupError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(partial);
    made.map(drop).map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists(partial.to_owned()),
        _ => BackupError::NotWritable {
            path: partial.to_owned(),
            cause,
        },
    })
}

/// SQLite fills an empty file (<https://www.sqlite.org/lang_vacuum.html#vacuuminto>).
async fn copy(from: &Path, partial: &Path) -> Result<(), sqlx::Error> {
    // An absolute path can't be taken for a URI.
    let target = std::path::absolute(partial)?;
    let target = target
        .to_str()
        .ok_or_else(|| io::Error::other("the path is not valid UTF-8"))?;
    let mut connection = SqliteConnectOptions::new()
        .filename(from.canonicalize()?)
        .read_only(true)
        .disable_statement_logging()
        .connect()
        .await?;
    sqlx::query("VACUUM INTO ?")
        .bind(target)
        .execute(&mut connection)
        .await?;
    connection.close().await
}

/// Makes sure that the copy outlives a loss of power, and gives it its name.
fn publish(partial: &Path, to: &Path) -> io::Result<()> {
    File::open(partial)?.sync_all()?;
    fs::rename(partial, to)?;
    match to.parent() {
        Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn postgres_hint(options: &sqlx::postgres::PgConnectOptions, to: &Path) -> BackupError {
    let host = match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => options.get_host().to_owned(),
    };
    BackupError::Postgres {
        to: to.to_owned(),
        host,
        port: options.get_port(),
        user: options.get_username().to_owned(),
        database: options
            .get_database()
            .unwrap_or(options.get_username())
            .to_owned(),
    }
}
