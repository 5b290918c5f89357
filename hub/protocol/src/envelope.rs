//! An event on its way to many clients, encoded at most once per form.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::{Encoding, Event};

/// The form of an event on the wire: its dialect and, in the text dialect, its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// The central dialect. Without an encoding the client gets the bytes as they came.
    Central(Option<Encoding>),
    /// The json dialect, always UTF-8.
    Json,
}

impl Form {
    const COUNT: usize = 6;

    fn slot(self) -> usize {
        match self {
            Self::Json => 0,
            Self::Central(None) => 1,
            Self::Central(Some(Encoding::Utf8)) => 2,
            Self::Central(Some(Encoding::Latin1)) => 3,
            Self::Central(Some(Encoding::Cp1252)) => 4,
            Self::Central(Some(Encoding::Quake)) => 5,
        }
    }
}

/// An event shared by the outboxes of all its recipients.
///
/// The first recipient of a form encodes; all others of that form reuse the bytes.
#[derive(Debug)]
pub struct Envelope {
    event: Event,
    size: usize,
    encoded: [OnceLock<Bytes>; Form::COUNT],
}

impl Envelope {
    /// Wraps an event for sending.
    pub fn new(event: Event) -> Self {
        let size = event.size();
        Self {
            event,
            size,
            encoded: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    /// The event inside.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// What it counts against the bound of an outbox, in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The event's bytes in this form, made by `encode` the first time.
    pub fn encoded(&self, form: Form, encode: impl FnOnce(&Event) -> Bytes) -> Bytes {
        self.encoded
            .get(form.slot())
            .map_or_else(Bytes::new, |cell| {
                cell.get_or_init(|| encode(&self.event)).clone()
            })
    }
}
