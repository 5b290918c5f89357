//! What a client asks of the hub.

use bytes::Bytes;

use crate::{ClientName, CommandName, Kind, MessageId, Refusal, RequestId, Topic, Verb, Word};

/// A word of the client's own choice that comes back with the answer to one command
/// (json: `ref`). At most 64 characters.
pub type Tag = std::sync::Arc<str>;

/// One line of a client, understood or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Comes back in the answer.
    pub tag: Option<Tag>,
    /// The command; or why the line is none. A refusal travels the same way as a command, so
    /// that answers come in the order of the lines.
    pub command: Result<Command, Refusal>,
}

/// Who is asked by a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Any one provider; they take turns.
    Any,
    /// Every provider.
    All,
    /// The provider of this name.
    Client(ClientName),
}

/// Where a json client goes on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// After this message.
    Id(MessageId),
    /// After the durable cursor of the client; without one, nothing is missing.
    Cursor,
    /// The newest so many messages.
    Last(u32),
}

/// What a client asks of the hub, in either dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `C <text>`: a line for everyone.
    Chat {
        /// What is said.
        text: Bytes,
    },
    /// `PART`: end this session.
    Part,
    /// `PING [text]`: answered by `PONG [text]`.
    Ping {
        /// Sent back as it came.
        text: Bytes,
    },
    /// `BC <kind> <nick> <origin> :<text>`: a community message.
    Broadcast {
        /// What it is about.
        kind: Kind,
        /// Who says it.
        nick: Word,
        /// Where it is said.
        origin: Word,
        /// What is said.
        text: Bytes,
    },
    /// A line of a relay command that the dialect file declares.
    Relay {
        /// Which relay command.
        verb: Verb,
        /// What follows the verb.
        text: Bytes,
    },
    /// `PROVIDE <COMMAND> [:help]`: offer a network command.
    Provide {
        /// Which one.
        command: CommandName,
        /// A line of help; may be empty.
        help: Bytes,
    },
    /// `WITHDRAW <COMMAND>`: offer it no more.
    Withdraw {
        /// Which one.
        command: CommandName,
    },
    /// `REQ <id> <COMMAND>[@client|@*] [params]`: ask for a network command.
    Request {
        /// The asker's own id for it.
        id: RequestId,
        /// Which one.
        command: CommandName,
        /// Who is asked.
        target: Target,
        /// What follows the command.
        params: Bytes,
    },
    /// `REP <client> <id> [text]`: a provider answers.
    Reply {
        /// The asker.
        client: ClientName,
        /// The asker's id.
        id: RequestId,
        /// The answer.
        text: Bytes,
    },
    /// `END <client> <id>`: a provider has answered all.
    End {
        /// The asker.
        client: ClientName,
        /// The asker's id.
        id: RequestId,
    },
    /// `WHO`: who is connected.
    Who,
    /// `HELP [COMMAND]`.
    Help {
        /// One verb or network command to explain; without it, all.
        about: Option<Verb>,
    },
    /// `SUB <topic>`.
    Subscribe {
        /// Which events.
        topic: Topic,
    },
    /// `UNSUB <topic>`.
    Unsubscribe {
        /// Which events.
        topic: Topic,
    },
    /// json only: send what was missed, then go on live.
    Resume {
        /// From where on.
        since: Since,
    },
    /// json only: remember durably that everything up to this message was handled.
    Cursor {
        /// The last message handled.
        id: MessageId,
    },
}

impl Command {
    /// The name under which roles permit this command, and refusals name it: its verb in the
    /// central dialect as shipped, or `RESUME` and `CURSOR`.
    pub fn name(&self) -> &str {
        match self {
            Self::Chat { .. } => "C",
            Self::Part => "PART",
            Self::Ping { .. } => "PING",
            Self::Broadcast { .. } => "BC",
            Self::Relay { verb, .. } => verb.as_str(),
            Self::Provide { .. } => "PROVIDE",
            Self::Withdraw { .. } => "WITHDRAW",
            Self::Request { .. } => "REQ",
            Self::Reply { .. } => "REP",
            Self::End { .. } => "END",
            Self::Who => "WHO",
            Self::Help { .. } => "HELP",
            Self::Subscribe { .. } => "SUB",
            Self::Unsubscribe { .. } => "UNSUB",
            Self::Resume { .. } => "RESUME",
            Self::Cursor { .. } => "CURSOR",
        }
    }
}
