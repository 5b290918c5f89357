//! Connecting to the server.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Executor, PgConnection};
use tokio::time::timeout;

use super::PostgresStore;
use super::owner::{NotOwner, take_lock};
use crate::error::{cause, code};
use crate::lease::Writer;
use crate::migration::{MigrationError, migrate};
use crate::{OpenError, PostgresAddress, StoreSettings};

/// How long the lock of another connection is waited for.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

impl PostgresStore {
    /// Opens the database at `address`.
    pub async fn open(
        address: &PostgresAddress,
        settings: &StoreSettings,
    ) -> Result<Self, OpenError> {
        let options = options(address, settings.statement_timeout);
        let connected = within(address, settings.connect_timeout, options.connect()).await?;
        let mut writer = connected.map_err(|error| open_error(address, &error))?;
        let limit = settings.connect_timeout + settings.statement_timeout;
        match within(address, limit, take_lock(&mut writer)).await? {
            Ok(()) => {}
            Err(NotOwner::InUse(owner)) => {
                let database = address.to_string();
                return Err(OpenError::InUse { database, owner });
            }
            Err(NotOwner::Database(error)) => return Err(open_error(address, &error)),
        }
        bring_up_to_date(address, &mut writer).await?;
        let readers = PgPoolOptions::new()
            .max_connections(settings.readers)
            .acquire_timeout(settings.connect_timeout)
            .connect_lazy_with(options.clone());
        Ok(Self {
            writer: Writer::new(writer),
            readers,
            writing: options,
            limit,
        })
    }
}

async fn within<T>(
    address: &PostgresAddress,
    limit: Duration,
    step: impl Future<Output = T>,
) -> Result<T, OpenError> {
    timeout(limit, step)
        .await
        .map_err(|_| OpenError::Unreachable {
            server: address.server(),
            cause: format!("no answer within {} s", limit.as_secs_f32()),
        })
}

/// What every connection has: a name to be found by, and an end to every wait. The server drops a
/// connection whose other side has vanished after about a minute, so that the lock does not
/// outlive its hub for hours.
fn options(address: &PostgresAddress, statement_timeout: Duration) -> PgConnectOptions {
    let mut options = address.options().clone();
    if options.get_application_name().is_none() {
        options = options.application_name(&format!("cmp-hub pid {}", std::process::id()));
    }
    options
        .options([
            (
                "statement_timeout",
                statement_timeout.as_millis().to_string(),
            ),
            ("lock_timeout", LOCK_TIMEOUT.as_millis().to_string()),
            ("tcp_keepalives_idle", "30".to_owned()),
            ("tcp_keepalives_interval", "10".to_owned()),
            ("tcp_keepalives_count", "3".to_owned()),
        ])
        .disable_statement_logging()
}

/// A migration may take as long as it needs.
async fn bring_up_to_date(
    address: &PostgresAddress,
    connection: &mut PgConnection,
) -> Result<(), OpenError> {
    let database_error = |error| open_error(address, &error);
    connection
        .execute("SET statement_timeout = 0")
        .await
        .map_err(database_error)?;
    let migrator = sqlx::migrate!("../../migrations/postgres");
    migrate(migrator, connection, &address.to_string())
        .await
        .map_err(|error| match error {
            MigrationError::Unusable(error) => error,
            MigrationError::Database(error) => open_error(address, &error),
        })?;
    connection
        .execute("RESET statement_timeout")
        .await
        .map_err(database_error)?;
    Ok(())
}

/// Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn open_error(address: &PostgresAddress, error: &sqlx::Error) -> OpenError {
    let server = address.server();
    let user = address.user().to_owned();
    let database = address.to_string();
    let cause = cause(error);
    match code(error).as_deref() {
        Some("28000" | "28P01") => OpenError::Refused {
            server,
            user,
            cause,
        },
        Some("3D000") => OpenError::NoDatabase {
            server,
            database: address.database().to_owned(),
            user,
        },
        Some("42501") => OpenError::NoPermission {
            database,
            user,
            cause,
        },
        // Classes 08, connection, and 57P, starting up or shutting down; 53300, too many.
        Some(code) if code.starts_with("08") || code.starts_with("57P") || code == "53300" => {
            OpenError::Unreachable { server, cause }
        }
        Some(_) => OpenError::Failed { database, cause },
        None => OpenError::Unreachable { server, cause },
    }
}
