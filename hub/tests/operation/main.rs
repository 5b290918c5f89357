//! Operating the hub: its start, what it says when it can't, its end, and what is left after a
//! crash, a full disk or a database that was away.

// Clippy takes only what stands in a test function for a test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod backup;
mod command_line;
mod crash;
mod disk_full;
mod first_start;
mod history;
mod namespace;
#[path = "../../store/tests/support/postgres.rs"]
mod postgres;
mod postgres_away;
mod random;
mod shutdown;
mod slow_reader;
mod start_errors;
#[path = "../support/mod.rs"]
mod support;

/// Settings by which every client may do everything, as fast as it can.
const FREE: &str = r#"
hub.default_role = "free"
[roles.free]
admin = true
flood = { burst = 0, cooldown = "0s", repeat_window = "0s", max_warnings = 0 }
"#;
