//! The json dialect: one JSON object for each command and event, in UTF-8, one a line.
//!
//! Comes in: a line of a client, or an [`Event`] for a client; for clients the other way round.
//! Goes out: what the client asks; or the line it sees. `docs/protocol.md` lists every line, and
//! `docs/schema/` describes them for programs.
//!
//! Text that is not UTF-8 is sent twice: readable in the field, and as it is, in base64, in a
//! field of the same name with `_bytes` after it. Where both are, the bytes count.
//!
//! [`Event`]: crate::Event

mod command;
mod event;
mod fields;
mod object;

pub use command::{parse, render_command};
pub use event::{EventError, parse_event, render};
