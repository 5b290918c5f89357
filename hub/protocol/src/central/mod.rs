//! The central dialect: text, one line for each command, in the words of a [`Dialect`].
//!
//! Comes in: a line of a client, without its end; or an [`Event`] for a client. Goes out: what
//! the client asks; or the lines it sees. `docs/protocol.md` lists every line.
//!
//! [`Dialect`]: crate::Dialect
//! [`Event`]: crate::Event

mod parse;
mod render;

pub use parse::parse;
pub use render::render;
