//! Brings a database to this hub's version.

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use crate::OpenError;
use crate::error::cause;

/// Why a database could not be brought to this version.
pub(crate) enum MigrationError {
    /// It is of no version that this hub can use.
    Unusable(OpenError),
    /// The database failed.
    Database(sqlx::Error),
}

/// Applies the migrations that are missing; `database` names the database in errors. The caller
/// makes sure that nobody else does it at the same time.
pub(crate) async fn migrate<C: Migrate>(
    mut migrator: Migrator,
    connection: &mut C,
    database: &str,
) -> Result<(), MigrationError> {
    migrator.set_locking(false);
    let error = match migrator.run_direct(None, connection, false).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let database = database.to_owned();
    Err(MigrationError::Unusable(match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            return Err(MigrationError::Database(error));
        }
        MigrateError::VersionMissing(missing) => {
            let applied = connection
                .list_applied_migrations(&migrator.table_name)
                .await;
            let applied = applied.unwrap_or_default();
            let found = applied
                .iter()
                .map(|applied| applied.version)
                .max()
                .unwrap_or(missing);
            let known = migrator
                .iter()
                .map(|ours| ours.version)
                .max()
                .unwrap_or_default();
            if found > known {
                OpenError::Newer {
                    database,
                    found,
                    known,
                }
            } else {
                OpenError::Foreign {
                    database,
                    version: missing,
                }
            }
        }
        MigrateError::VersionMismatch(version) => OpenError::Foreign { database, version },
        other => OpenError::Failed {
            database,
            cause: cause(&sqlx::Error::from(other)),
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of every migration that was ever released, and the first 64 bits of its SHA-384
    /// (`sha384sum`). A hub refuses a database whose migrations are others than its own: never
    /// change one, add the next.
    const SQLITE: [(i64, u64); 1] = [(1, 0x8a59_8ebe_395a_2dda)];
    const POSTGRES: [(i64, u64); 1] = [(1, 0x70b5_d9d4_3557_942b)];

    fn check(migrator: &Migrator, released: &[(i64, u64)]) {
        let ours = migrator.iter().map(|migration| {
            let start = *migration.checksum.first_chunk().unwrap();
            (migration.version, u64::from_be_bytes(start))
        });
        let ours: Vec<(i64, u64)> = ours.collect();
        assert_eq!(ours, released, "ours left, released right: {ours:#x?}");
    }

    #[test]
    fn released_migrations_stay_as_they_are() {
        check(&sqlx::migrate!("../../migrations/sqlite"), &SQLITE);
        check(&sqlx::migrate!("../../migrations/postgres"), &POSTGRES);
    }
}
