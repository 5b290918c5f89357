//! The SSH server as clients see it: the SSH library's own client where every message counts, the
//! real OpenSSH client, and bare sockets that misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod admin;
mod before_login;
mod ends;
mod load;
mod log;
mod login;
mod openssh;
mod shapes;
mod shutdown;
mod stalls;
mod support;
mod terminal;
