//! What goes wrong at the start, and what goes wrong later.

use std::borrow::Cow;
use std::path::PathBuf;

use cmp_core::StoreError;

/// Why a database can't be opened. Each text is one line that names the thing and the way out.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL of the database can't be read.
    #[error(
        "the database URL is not valid: {0}; write postgres://USER@HOST:PORT/DATABASE, or the path of an SQLite file"
    )]
    BadUrl(String),
    /// The folder of the file is not there.
    #[error("the folder {0} of the database does not exist: create it, or set another path")]
    NoFolder(PathBuf),
    /// The file, or one beside it, can't be made or written.
    #[error(
        "can't write the database file {path}: {cause}; let this user write it and its folder, or set another path"
    )]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// Another hub uses the database.
    #[error(
        "database {database} is in use by another hub ({owner}): stop that hub, or set another database"
    )]
    InUse {
        /// The file, or the database and its server.
        database: String,
        /// The other hub, as far as it is known.
        owner: String,
    },
    /// Another program that is no hub has locked the file.
    #[error(
        "database {0} is locked by another program: end that program (`fuser {0}` shows it), then start again"
    )]
    Locked(PathBuf),
    /// The file is something else, or broken.
    #[error("{0} is not an SQLite database: move it away or restore a backup, or set another path")]
    NotADatabase(PathBuf),
    /// A newer hub has changed the database.
    #[error(
        "database {database} is of version {found}, from a newer hub; this one knows versions up to {known}: start the newer hub, or restore a backup from before the update"
    )]
    Newer {
        /// The file, or the database and its server.
        database: String,
        /// The newest migration in the database.
        found: i64,
        /// The newest migration of this hub.
        known: i64,
    },
    /// A migration that is in the database is another than ours of the same number.
    #[error(
        "database {database} was made by another edition of migration {version}: use the hub that made it, or another database"
    )]
    Foreign {
        /// The file, or the database and its server.
        database: String,
        /// The number of the migration.
        version: i64,
    },
    /// The server does not answer, or not as PostgreSQL does.
    #[error(
        "can't connect to PostgreSQL at {server}: {cause}; check that it runs there and that this machine may connect"
    )]
    Unreachable {
        /// Host and port, or the socket.
        server: String,
        /// What went wrong.
        cause: String,
    },
    /// The server does not take the user or the password.
    #[error(
        "PostgreSQL at {server} refuses the user {user}: {cause}; check user and password, and the server's pg_hba.conf"
    )]
    Refused {
        /// Host and port, or the socket.
        server: String,
        /// The user name.
        user: String,
        /// What the server says.
        cause: String,
    },
    /// The server has no such database.
    #[error(
        "PostgreSQL at {server} has no database {database}: create it with `createdb --owner={user} {database}`"
    )]
    NoDatabase {
        /// Host and port, or the socket.
        server: String,
        /// The name of the database.
        database: String,
        /// The user name.
        user: String,
    },
    /// The user may not do there what a hub has to.
    #[error(
        "user {user} may not use database {database}: {cause}; make the user the owner of the database"
    )]
    NoPermission {
        /// The database and its server.
        database: String,
        /// The user name.
        user: String,
        /// What the server says.
        cause: String,
    },
    /// Anything else.
    #[error("can't open database {database}: {cause}")]
    Failed {
        /// The file, or the database and its server.
        database: String,
        /// What went wrong.
        cause: String,
    },
}

/// What went wrong, short and in one line.
pub(crate) fn cause(error: &sqlx::Error) -> String {
    let text = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => format!("TLS: {error}"),
        sqlx::Error::PoolTimedOut => "no connection became free in time".to_owned(),
        other => other.to_string(),
    };
    text.replace('\n', " ")
}

/// The database's code for the error: a number with SQLite, SQLSTATE with PostgreSQL.
pub(crate) fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}

/// The code of SQLite (<https://www.sqlite.org/rescode.html>) without its extension.
pub(crate) fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    code(error)?.parse::<i32>().ok().map(|code| code & 0xff)
}

/// `SQLITE_CORRUPT`.
pub(crate) const CORRUPT: i32 = 11;
/// `SQLITE_NOTADB`.
pub(crate) const NOT_A_DATABASE: i32 = 26;

/// The error for a call of the store: what can't be decoded is corrupt, the rest may pass.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    let corrupt = match &error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => true,
        error => matches!(sqlite_code(error), Some(CORRUPT | NOT_A_DATABASE)),
    };
    if corrupt {
        StoreError::Corrupt(cause(&error))
    } else {
        StoreError::Unavailable(cause(&error))
    }
}
