//! One battery for every store, and what is particular to each database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers as well"
)]

mod battery;
mod memory;
mod postgres;
mod sqlite;
mod support;
