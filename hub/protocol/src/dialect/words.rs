//! What a dialect file can set: the built-in commands and the replies, with their placeholders.

use super::pattern::Need;
use super::template::Placeholder;

/// A command that the hub itself understands in the central dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    Chat,
    Part,
    Ping,
    Broadcast,
    Provide,
    Withdraw,
    Request,
    Reply,
    End,
    Who,
    Help,
    Subscribe,
    Unsubscribe,
}

impl Builtin {
    /// Every one, in the order of the shipped file.
    pub(crate) const ALL: [Self; 13] = [
        Self::Chat,
        Self::Part,
        Self::Ping,
        Self::Broadcast,
        Self::Provide,
        Self::Withdraw,
        Self::Request,
        Self::Reply,
        Self::End,
        Self::Who,
        Self::Help,
        Self::Subscribe,
        Self::Unsubscribe,
    ];

    /// The command's name, as [`crate::Command::name`] gives it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "C",
            Self::Part => "PART",
            Self::Ping => "PING",
            Self::Broadcast => "BC",
            Self::Provide => "PROVIDE",
            Self::Withdraw => "WITHDRAW",
            Self::Request => "REQ",
            Self::Reply => "REP",
            Self::End => "END",
            Self::Who => "WHO",
            Self::Help => "HELP",
            Self::Subscribe => "SUB",
            Self::Unsubscribe => "UNSUB",
        }
    }

    /// The built-in command of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|b| b.name() == name)
    }

    /// What can stand in its lines.
    pub(crate) fn placeholders(self) -> &'static [(Placeholder, Need)] {
        use Need::{Always, IfDeclared, Optional};
        use Placeholder as P;
        match self {
            Self::Part | Self::Who => &[],
            Self::Chat => &[(P::Text, Always)],
            Self::Ping => &[(P::Text, Optional)],
            Self::Broadcast => &[
                (P::Kind, IfDeclared),
                (P::Nick, Always),
                (P::Origin, Always),
                (P::Text, Always),
            ],
            Self::Provide => &[(P::Command, Always), (P::Help, Optional)],
            Self::Withdraw => &[(P::Command, Always)],
            Self::Request => &[(P::Id, Always), (P::Target, Always), (P::Params, Optional)],
            Self::Reply => &[(P::Client, Always), (P::Id, Always), (P::Text, Optional)],
            Self::End => &[(P::Client, Always), (P::Id, Always)],
            Self::Help => &[(P::Command, Optional)],
            Self::Subscribe | Self::Unsubscribe => &[(P::Topic, Always)],
        }
    }
}

/// A line that a client is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Chat,
    Broadcast,
    Pong,
    Ok,
    Error,
    Request,
    Answer,
    End,
    Who,
    WhoEnd,
    Help,
    HelpProvided,
    HelpEnd,
    Join,
    Quit,
    Provided,
    Withdrawn,
    Closing,
}

impl Reply {
    /// Every one, in the order of the shipped file. The position is the index of its template.
    pub(crate) const ALL: [Self; 18] = [
        Self::Chat,
        Self::Broadcast,
        Self::Pong,
        Self::Ok,
        Self::Error,
        Self::Request,
        Self::Answer,
        Self::End,
        Self::Who,
        Self::WhoEnd,
        Self::Help,
        Self::HelpProvided,
        Self::HelpEnd,
        Self::Join,
        Self::Quit,
        Self::Provided,
        Self::Withdrawn,
        Self::Closing,
    ];

    /// Its key in a dialect file.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Broadcast => "broadcast",
            Self::Pong => "pong",
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Request => "request",
            Self::Answer => "reply",
            Self::End => "end",
            Self::Who => "who",
            Self::WhoEnd => "who_end",
            Self::Help => "help",
            Self::HelpProvided => "help_provided",
            Self::HelpEnd => "help_end",
            Self::Join => "join",
            Self::Quit => "quit",
            Self::Provided => "provided",
            Self::Withdrawn => "withdrawn",
            Self::Closing => "closing",
        }
    }

    /// What can stand in it.
    pub(crate) fn placeholders(self) -> &'static [Placeholder] {
        use Placeholder as P;
        match self {
            Self::Chat => RELAYED,
            Self::Broadcast => &[
                P::Client,
                P::Hub,
                P::Id,
                P::Kind,
                P::Verb,
                P::Nick,
                P::Origin,
                P::Text,
            ],
            Self::Pong => &[P::Text],
            Self::Ok => &[P::Command, P::Id],
            Self::Error => &[P::Subject, P::Code, P::Reason],
            Self::Request => &[P::Client, P::Id, P::Command, P::Params],
            Self::Answer => &[P::Provider, P::Id, P::Text],
            Self::End => &[P::Provider, P::Id],
            Self::Who => &[P::Client, P::Role, P::Sessions, P::Commands],
            Self::WhoEnd | Self::HelpEnd => &[],
            Self::Help => &[P::Command, P::Usage, P::Help],
            Self::HelpProvided => &[P::Command, P::Provider, P::Help],
            Self::Join => &[P::Client, P::Role],
            Self::Quit => &[P::Client, P::Reason],
            Self::Provided | Self::Withdrawn => &[P::Client, P::Command],
            Self::Closing => &[P::Reason],
        }
    }
}

/// What can stand in the line of a chat message and of a relay command.
pub(crate) const RELAYED: &[Placeholder] = &[
    Placeholder::Client,
    Placeholder::Hub,
    Placeholder::Id,
    Placeholder::Kind,
    Placeholder::Verb,
    Placeholder::Text,
];

/// What can stand in a line of the greeting. A line with `{command}` is shown once for every
/// command.
pub(crate) const GREETING: &[Placeholder] = &[
    Placeholder::Hub,
    Placeholder::Client,
    Placeholder::Role,
    Placeholder::Commands,
    Placeholder::Kinds,
    Placeholder::Command,
    Placeholder::Usage,
    Placeholder::Help,
];
