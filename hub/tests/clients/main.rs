//! Real clients of the hub: PHP scripts as of 2014, OpenSSH, ssh-audit.

// Clippy takes only what stands in a test function for a test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod admin;
mod audit;
mod control_server;
mod encodings;
mod forwarding;
mod json;
mod network_commands;
mod openssh;
mod php;
mod programs;
mod rekey;
mod reload;
#[path = "../support/mod.rs"]
mod support;

/// Settings by which everybody may do everything as fast as it can, and only `boss` may
/// administrate.
const FREE: &str = r#"
hub.default_role = "free"
clients.boss.role = "admin"
[roles.admin]
admin = true
[roles.free]
flood = { burst = 0, cooldown = "0s", repeat_window = "0s", max_warnings = 0 }
"#;
