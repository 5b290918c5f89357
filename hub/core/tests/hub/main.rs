//! The hub as its sessions see it, on a store in memory.

// Clippy takes only what stands in a test function for a test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod backpressure;
mod broadcasts;
mod chat;
mod moderation;
mod requests;
mod resume;
mod support;
