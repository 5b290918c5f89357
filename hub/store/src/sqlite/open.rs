//! Opening the file.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::SqliteStore;
use super::owner::OwnerLock;
use crate::error::{CORRUPT, NOT_A_DATABASE, cause, sqlite_code};
use crate::lease::Writer;
use crate::migration::{MigrationError, migrate};
use crate::{OpenError, StoreSettings, Synchronous};

/// The log file is cut to this size once everything in it is in the database; only a long reader,
/// such as a backup, lets it grow further.
const LOG_FILE_BYTES: &str = "67108864";

impl SqliteStore {
    /// Opens the file `path`, which is made readable for its owner alone when it is not there.
    pub async fn open(path: &Path, settings: &StoreSettings) -> Result<Self, OpenError> {
        let path = absolute(path)?;
        let owner = OwnerLock::take(&path)?;
        make(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(settings.busy_timeout)
            .disable_statement_logging();
        let writing = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match settings.synchronous {
                Synchronous::Full => SqliteSynchronous::Full,
                Synchronous::Normal => SqliteSynchronous::Normal,
            })
            .pragma("journal_size_limit", LOG_FILE_BYTES);
        let writer = connect(&path, &writing).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(settings.readers)
            .acquire_timeout(settings.busy_timeout)
            .connect_lazy_with(options.read_only(true));
        Ok(Self {
            writer: Writer::new(writer),
            readers,
            options: writing,
            _owner: owner,
        })
    }
}

/// The one path of the file, whatever links lead to it, so that two hubs use the same lock.
fn absolute(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |path: &Path, cause: String| OpenError::Failed {
        database: path.display().to_string(),
        cause,
    };
    if path.to_str().is_none() {
        return Err(failed(path, "the path is not valid UTF-8".to_owned()));
    }
    match path.canonicalize() {
        Ok(path) => return Ok(path),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(path, error.to_string())),
    }
    let Some(name) = path.file_name() else {
        return Err(failed(path, "the path names no file".to_owned()));
    };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match folder.canonicalize() {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(OpenError::NoFolder(folder.to_owned()))
        }
        Err(error) => Err(failed(folder, error.to_string())),
    }
}

/// Makes sure that the file is there and can be written. SQLite gives the files that it makes
/// beside it the same mode.
fn make(path: &Path) -> Result<(), OpenError> {
    let opened = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop);
    opened.map_err(|error| OpenError::NotWritable {
        path: path.to_owned(),
        cause: error.to_string(),
    })
}

async fn connect(
    path: &Path,
    options: &SqliteConnectOptions,
) -> Result<SqliteConnection, OpenError> {
    let mut connection = options
        .connect()
        .await
        .map_err(|error| open_error(path, &error))?;
    let migrator = sqlx::migrate!("../../migrations/sqlite");
    let database = path.display().to_string();
    match migrate(migrator, &mut connection, &database).await {
        Ok(()) => Ok(connection),
        Err(MigrationError::Unusable(error)) => Err(error),
        Err(MigrationError::Database(error)) => Err(open_error(path, &error)),
    }
}

/// Codes: <https://www.sqlite.org/rescode.html>.
fn open_error(path: &Path, error: &sqlx::Error) -> OpenError {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const READ_ONLY: i32 = 8;
    const CAN_NOT_OPEN: i32 = 14;
    match sqlite_code(error) {
        Some(BUSY | LOCKED) => OpenError::Locked(path.to_owned()),
        Some(READ_ONLY | CAN_NOT_OPEN) => OpenError::NotWritable {
            path: path.to_owned(),
            cause: cause(error),
        },
        Some(NOT_A_DATABASE | CORRUPT) => OpenError::NotADatabase(path.to_owned()),
        _ => OpenError::Failed {
            database: path.display().to_string(),
            cause: cause(error),
        },
    }
}
