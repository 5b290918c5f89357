//! The heart of the hub: who is connected, who may do what, and who is told what.
//!
//! Comes in: [`Command`](cmp_protocol::Command)s of attached sessions. Goes out:
//! [`Event`](cmp_protocol::Event)s into their outboxes, and messages to a [`Store`].
//! Not done here: no sockets, no SQL, no dialects, no configuration files.

mod admin;
mod bans;
mod flood;
mod hub;
mod memory_store;
mod moderation;
mod outbox;
mod policy;
mod retention;
mod session;
mod store;
mod writer;

pub use admin::{AdminError, AdminReply, AdminRequest, SessionInfo, Stats, Who};
pub use hub::Hub;
pub use memory_store::MemoryStore;
pub use moderation::{Ban, BanId, BanTarget, OriginRecord};
pub use outbox::{End, Item, OutboxEcho, OutboxReader};
pub use policy::{
    Allowed, COMMANDS, ClientSettings, DefaultDialect, FloodRules, KindSettings, Limits, Policy,
    Role, StoreWhen,
};
pub use session::{Attach, HubEnded, Session, SessionId, SessionInput, Traffic};
pub use store::{Position, Retention, Store, StoreError, Stored};
