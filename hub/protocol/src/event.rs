//! What a client is told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::{
    ClientName, CommandName, HubName, Kind, Message, MessageId, RequestId, RoleName, Tag, Topic,
    Verb,
};

/// Why something was refused: the stable word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The verb is not known.
    Unknown,
    /// The line does not have the form of its command.
    Syntax,
    /// The line is longer than the hub takes.
    TooLong,
    /// The role does not permit it.
    Forbidden,
    /// A ban holds against it.
    Banned,
    /// The origin is muted for a time.
    Muted,
    /// Too much in too short a time.
    Flood,
    /// The same text was sent a short while ago.
    Repeated,
    /// Nobody provides the command, or not the named client.
    NoProvider,
    /// The provider left before it had answered all.
    Gone,
    /// The provider did not finish in time.
    Timeout,
    /// The request id is in use by the same client.
    Duplicate,
    /// There is no such request, message or topic (any more).
    NotFound,
    /// A limit of the hub or of the client is reached.
    Limit,
    /// The store does not take it now; it was not confirmed and may be sent again.
    Unavailable,
}

impl ErrorCode {
    /// Every code, for documents and tests.
    pub const ALL: [Self; 15] = [
        Self::Unknown,
        Self::Syntax,
        Self::TooLong,
        Self::Forbidden,
        Self::Banned,
        Self::Muted,
        Self::Flood,
        Self::Repeated,
        Self::NoProvider,
        Self::Gone,
        Self::Timeout,
        Self::Duplicate,
        Self::NotFound,
        Self::Limit,
        Self::Unavailable,
    ];

    /// The code of this word on the wire.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Syntax => "SYNTAX",
            Self::TooLong => "TOOLONG",
            Self::Forbidden => "FORBIDDEN",
            Self::Banned => "BANNED",
            Self::Muted => "MUTED",
            Self::Flood => "FLOOD",
            Self::Repeated => "REPEATED",
            Self::NoProvider => "NOPROVIDER",
            Self::Gone => "GONE",
            Self::Timeout => "TIMEOUT",
            Self::Duplicate => "DUPLICATE",
            Self::NotFound => "NOTFOUND",
            Self::Limit => "LIMIT",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// A refusal, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The verb or request id that is refused; `*` when there is none.
    pub subject: String,
    /// The word for programs.
    pub code: ErrorCode,
    /// A sentence for people, without line ends. Says when to try again where that helps.
    pub reason: String,
    /// When it makes sense to try again, from now.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal without a time to try again.
    pub fn new(subject: impl Into<String>, code: ErrorCode, reason: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            code,
            reason: reason.into(),
            retry_after: None,
        }
    }

    /// The first word of a line as a subject: at most 32 characters, and what is not printable
    /// ASCII as `?`.
    pub(crate) fn subject_of(word: &[u8]) -> String {
        let printable = |byte: &u8| match *byte {
            byte if byte.is_ascii_graphic() => char::from(byte),
            _ => '?',
        };
        word.iter().take(32).map(printable).collect()
    }
}

/// What a client is shown first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The hub it is connected to.
    pub hub: HubName,
    /// Who the hub takes it for.
    pub client: ClientName,
    /// Its role.
    pub role: RoleName,
    /// The commands it may send, in the order of the help, by their name ([`crate::Command::name`]).
    pub commands: Vec<Verb>,
    /// The kinds of broadcast it may send.
    pub kinds: Vec<Kind>,
}

/// One client in the answer to `WHO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Its name.
    pub client: ClientName,
    /// Its role.
    pub role: RoleName,
    /// How many sessions it has open.
    pub sessions: u32,
    /// The network commands that it provides.
    pub provides: Vec<CommandName>,
}

/// One line of the answer to `HELP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelpEntry {
    /// A command of the hub, by its name; its words come from the dialect.
    Command(Verb),
    /// A network command, with the help its provider gave.
    Provided {
        /// Which one.
        command: CommandName,
        /// Who provides it.
        provider: ClientName,
        /// Its line of help; may be empty.
        help: Bytes,
    },
}

impl HelpEntry {
    fn size(&self) -> usize {
        match self {
            Self::Command(_) => 160,
            Self::Provided { help, .. } => 160 + help.len(),
        }
    }
}

/// What a client is told, in either dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The first line or lines of a session.
    Greeting(Arc<Greeting>),
    /// A chat line, broadcast or relayed line.
    Message(Arc<Message>),
    /// The answer to `PING`.
    Pong {
        /// As it came with the `PING`.
        text: Bytes,
        /// As it came with the command.
        tag: Option<Tag>,
    },
    /// A command was done. The central dialect shows it for broadcasts only.
    Ok {
        /// The command's name ([`crate::Command::name`]).
        command: Verb,
        /// The id of the accepted message, if it was one.
        id: Option<MessageId>,
        /// As it came with the command.
        tag: Option<Tag>,
    },
    /// A command was refused, or a request failed.
    Refused {
        /// Why.
        refusal: Refusal,
        /// As it came with the command.
        tag: Option<Tag>,
    },
    /// For a provider: somebody asks.
    Request {
        /// Who asks.
        client: ClientName,
        /// The asker's id.
        id: RequestId,
        /// For what.
        command: CommandName,
        /// With what.
        params: Bytes,
    },
    /// For the asker: a line of the answer.
    Reply {
        /// Who answers.
        provider: ClientName,
        /// The asker's id.
        id: RequestId,
        /// The answer.
        text: Bytes,
    },
    /// For the asker: this provider has answered all. After a request to all providers, a last
    /// one without a provider says that all have ended (central: `END * <id>`; json: `provider`
    /// is null).
    End {
        /// Who answered; none means that everyone who was asked has ended.
        provider: Option<ClientName>,
        /// The asker's id.
        id: RequestId,
    },
    /// The answer to `WHO`.
    Who {
        /// Sorted by name.
        clients: Vec<Presence>,
        /// As it came with the command.
        tag: Option<Tag>,
    },
    /// The answer to `HELP`.
    Help {
        /// In the order to show.
        entries: Vec<HelpEntry>,
        /// As it came with the command.
        tag: Option<Tag>,
    },
    /// Topic `presence`: a client has its first session.
    Joined {
        /// Which client.
        client: ClientName,
        /// Its role.
        role: RoleName,
    },
    /// Topic `presence`: a client has no session any more.
    Quit {
        /// Which client.
        client: ClientName,
        /// Why, for people.
        reason: String,
    },
    /// Topic `commands`: a client began to provide (`true`) or withdrew (`false`) a command.
    Provision {
        /// Which client.
        client: ClientName,
        /// Which command.
        command: CommandName,
        /// Whether it is provided now.
        provided: bool,
    },
    /// json only: all that was missed has been sent; what follows is live.
    Resumed {
        /// How many messages were sent again.
        count: u64,
        /// As it came with the command.
        tag: Option<Tag>,
    },
    /// The last line of a session that the hub ends.
    Closing {
        /// Why, for people.
        reason: String,
    },
}

impl Event {
    /// The topics a client can subscribe to.
    pub fn topics() -> [Topic; 2] {
        [Topic::presence(), Topic::commands()]
    }

    /// About how many bytes this takes in a queue: the measure of an outbox's bound.
    pub fn size(&self) -> usize {
        64 + match self {
            Self::Message(message) => message.size(),
            Self::Greeting(greeting) => 16 * greeting.commands.len(),
            Self::Pong { text, .. }
            | Self::Reply { text, .. }
            | Self::Request { params: text, .. } => text.len(),
            Self::Refused { refusal, .. } => refusal.reason.len(),
            Self::Who { clients, .. } => {
                let of = |presence: &Presence| 96 + 48 * presence.provides.len();
                clients.iter().map(of).sum()
            }
            Self::Help { entries, .. } => entries.iter().map(HelpEntry::size).sum(),
            Self::Quit { reason, .. } | Self::Closing { reason } => reason.len(),
            Self::Ok { .. }
            | Self::End { .. }
            | Self::Joined { .. }
            | Self::Provision { .. }
            | Self::Resumed { .. } => 0,
        }
    }
}
