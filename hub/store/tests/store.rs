//! One battery for every store, and what is particular to each database.

mod battery;
mod memory;
mod postgres;
mod sqlite;
mod support;
