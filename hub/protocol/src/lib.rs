//! What clients and hubs of the Community Messaging Project say to each other.
//!
//! Comes in: bytes of a line, from whatever carries lines. Goes out: a [`Command`] a client
//! gives, an [`Event`] a client is told, and their forms in the two dialects: **central**
//! (text, one line each, [`central`]) and **json** ([`json`]).
//! Not done here: no IO, no waiting, no storage, and no decision on who may do what.

pub mod central;
mod command;
mod dialect;
mod encoding;
mod envelope;
mod event;
pub mod json;
mod lines;
mod message;
mod name;
mod nearest;

pub use command::{Command, Since, Submission, Tag, Target};
pub use dialect::{Dialect, DialectError, Recipients, RelayCommand};
pub use encoding::Encoding;
pub use envelope::{Envelope, Form};
pub use event::{ErrorCode, Event, Greeting, HelpEntry, Presence, Refusal};
pub use lines::{Line, LineSplitter};
pub use message::{Class, Message, MessageId};
pub use name::{
    ClientName, CommandName, HubName, Kind, NameError, RequestId, RoleName, Topic, Verb, Word,
};
pub use nearest::nearest;
