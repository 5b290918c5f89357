//! The control server: a client of the hub like any other, which provides `RESOLVE`, `LAST`,
//! `RULES` and `HOSTS` to all the others.
//!
//! Comes in: the events of one session at a hub ([`Link`]) and [`CheckedSettings`]. Goes out:
//! offers of commands, and answers to requests; and, where an address has no short name, a
//! question to the DNS. Not done here: connecting, reading configuration files, and who may ask.
//!
//! One loop ([`run`]) does everything that takes no time; reverse names and the MMDB file are
//! read in tasks of their own, so that nobody waits for a slow DNS server but who asked for it.
//! The lines are described in the README of this crate.

mod address;
mod country;
mod country_names;
mod history;
mod hosts;
mod link;
mod reply;
mod reverse;
mod server;
mod service;
mod settings;
mod special;

pub use country::{MAX_MMDB_BYTES, Mmdb, MmdbError};
pub use hosts::{HostError, HostKey, HostKeyError, MAX_HOSTS, MAX_SHORT_NAME};
pub use link::{Link, LinkClosed};
pub use reply::MAX_REPLY;
pub use server::{Ended, run};
pub use settings::{
    CheckedSettings, DEFAULT_RULES, DNS_TIMEOUTS, MAX_HISTORY, MAX_RULES, MIN_MMDB_CHECK, Settings,
    SettingsError,
};
