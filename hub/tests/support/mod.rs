//! A hub in a folder of its own, as a process, and real clients of it.
//!
//! Nothing here waits for a fixed time: every wait is for an event and has [`PATIENCE`]. Whatever
//! was started is killed, by its process id, when its handle is dropped.

// Each test program uses its own part of this.
#![allow(dead_code, unused_imports)]

mod json;
mod process;
mod site;

use std::time::Duration;

pub(crate) use json::Json;
pub(crate) use process::{Output, Process};
pub(crate) use site::{Hub, Site, new_key};

/// How long a test waits for one event; far more than any takes, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The hub's program.
pub(crate) const HUB: &str = env!("CARGO_BIN_EXE_cmp-hub");
