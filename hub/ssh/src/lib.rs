//! The SSH side of the hub: who gets in, and what bytes go to and from whom.
//!
//! Comes in: TCP connections of a listener ([`run`]). Goes out: sessions attached to a
//! [`Hub`](cmp_core::Hub), and an SSH server's bytes to their clients.
//! Not done here: no command is understood and no permission decided, but for who may log in.
//!
//! To a client it looks like an OpenSSH server whose every shell and command is a forced command,
//! and that allows nothing else.
//!
//! One connection: [`accept`] takes it within the [`limits`]; the connection task gives it to the
//! SSH library (russh), whose calls the handler translates; each session on it is a task of its own
//! with a bounded input, and an outbox that the hub bounds.

pub mod accept;
mod algorithms;
mod auth;
pub mod authorized_keys;
mod channel_input;
mod connection;
mod counters;
mod gate;
mod handler;
mod host_keys;
pub mod limits;
mod server;
mod services;
mod session;
mod settings;
pub mod socket;
pub mod tty;

pub use algorithms::Profile;
pub use counters::{Counters, Counts};
pub use host_keys::{HostKeyType, HostKeys, KeyFileError, generate_client_key};
pub use server::{Server, Stop, run};
pub use services::{AdminFuture, AdminOutput, Services};
pub use settings::Settings;
