//! The hub as its sessions see it, on a store in memory.

mod backpressure;
mod broadcasts;
mod chat;
mod moderation;
mod requests;
mod resume;
mod support;
