//! The [`Store`](cmp_core::Store) of the hub in a database: SQLite or PostgreSQL.
//!
//! Comes in: [`StoreSettings`]. Goes out: a [`Database`], which one hub at a time can have open,
//! and a [`backup`] of one that is in use.
//! Not done here: no batching (the hub's writer does it), no retries, no logging.

mod backup;
mod database;
mod error;
mod lease;
mod migration;
mod postgres;
mod record;
mod settings;
mod sqlite;

pub use backup::{BackupError, backup};
pub use database::Database;
pub use error::OpenError;
pub use postgres::PostgresStore;
pub use settings::{Location, PostgresAddress, StoreSettings, Synchronous};
pub use sqlite::SqliteStore;
