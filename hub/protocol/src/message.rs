//! A message: what is routed, numbered and kept.

use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

use crate::{ClientName, Encoding, HubName, Kind, Word};

/// The globally unique id of a message: a UUID of version 7 (RFC 9562 §5.7), so that ids of
/// one hub sort by time. Given by the hub that took the message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Uuid);

impl MessageId {
    /// A new id, greater than every id this process made before.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads the form that [`fmt::Display`] writes. None when `text` is no UUID.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }

    /// The id as its 16 bytes, in network order: sorts as the id does.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id from its 16 bytes in network order.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl serde::Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A line for everyone, its sender included (`C`).
    Chat,
    /// A community message for everyone else (`BC`), with a nick and an origin.
    Broadcast,
    /// A line of a relay command that the dialect file declares.
    Relay,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::Chat, Self::Broadcast, Self::Relay];

    /// The word for it in the json dialect.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Broadcast => "broadcast",
            Self::Relay => "relay",
        }
    }

    /// The class of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

/// One accepted message. The text is bytes as they came from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Given by the accepting hub.
    pub id: MessageId,
    /// The hub that accepted it.
    pub hub: HubName,
    /// The client that sent it.
    pub client: ClientName,
    /// When it was accepted: milliseconds since 1970-01-01T00:00Z.
    pub time_ms: u64,
    /// How it travels.
    pub class: Class,
    /// What it is about: `chat`, a broadcast's kind, or a relay verb in lower case.
    pub kind: Kind,
    /// Who said it, on a broadcast.
    pub nick: Option<Word>,
    /// Where it was said, on a broadcast: `#channel`, `host:port` or `//site`.
    pub origin: Option<Word>,
    /// What was said.
    pub text: Bytes,
    /// The encoding set for the sender; none means that nobody knows.
    pub encoding: Option<Encoding>,
}

impl Message {
    /// About how many bytes this takes in a queue.
    pub fn size(&self) -> usize {
        let word = |w: &Option<Word>| w.as_ref().map_or(0, |w| w.as_bytes().len());
        96 + self.client.as_str().len() + word(&self.nick) + word(&self.origin) + self.text.len()
    }
}
