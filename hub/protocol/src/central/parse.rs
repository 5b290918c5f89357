//! Lines of clients.

use bytes::Bytes;

use crate::dialect::{Builtin, Known, OnLine, Pattern, Placeholder, trim_start_spaces};
use crate::{
    ClientName, Command, CommandName, Dialect, ErrorCode, Kind, NameError, Refusal, RequestId,
    Submission, Target, Topic, Verb, Word,
};

/// Reads one line of a client, without its LF.
///
/// A line that is no command becomes a [`Refusal`] with the code UNKNOWN or SYNTAX; `None` is a
/// line that the dialect ignores. Spaces before the verb do not count.
pub fn parse(line: &[u8], dialect: &Dialect) -> Option<Submission> {
    let line = trim_start_spaces(line);
    let end_of_word = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end_of_word).unwrap_or((line, &[]));

    let command = if line.trim_ascii().is_empty() {
        if dialect.on_empty_line() == OnLine::Ignore {
            return None;
        }
        Err(Refusal::new("*", ErrorCode::Syntax, "the line is empty"))
    } else {
        match dialect.known(word) {
            Some(Known::Builtin(builtin, pattern)) => {
                builtin_command(builtin, pattern, rest, dialect).map_err(|mistake| {
                    let reason = format!("{mistake}; usage: {}", pattern.usage());
                    Refusal::new(Refusal::subject_of(word), ErrorCode::Syntax, reason)
                })
            }
            Some(Known::Relay(relay)) => Ok(Command::Relay {
                verb: relay.verb.clone(),
                text: copy(rest.strip_prefix(b" ").unwrap_or(rest)),
            }),
            None if dialect.on_unknown_line() == OnLine::Ignore => return None,
            None => Err(unknown(word, dialect)),
        }
    };
    Some(Submission { tag: None, command })
}

fn unknown(word: &[u8], dialect: &Dialect) -> Refusal {
    let reason = match dialect.verbs_of(Builtin::Help.name()).first() {
        Some(help) => format!("there is no such command; {help} lists what there is"),
        None => "there is no such command".to_owned(),
    };
    Refusal::new(Refusal::subject_of(word), ErrorCode::Unknown, reason)
}

/// Why what follows a verb does not fit it.
#[derive(Debug, thiserror::Error)]
enum Mistake {
    #[error("{} is missing", .0.name())]
    Missing(Placeholder),
    #[error(transparent)]
    Name(#[from] NameError),
}

fn builtin_command(
    builtin: Builtin,
    pattern: &Pattern,
    rest: &[u8],
    dialect: &Dialect,
) -> Result<Command, Mistake> {
    let params = Params::read(pattern, rest)?;
    Ok(match builtin {
        Builtin::Chat => Command::Chat {
            text: params.text(Placeholder::Text),
        },
        Builtin::Part => Command::Part,
        Builtin::Ping => Command::Ping {
            text: params.text(Placeholder::Text),
        },
        Builtin::Broadcast => Command::Broadcast {
            kind: if pattern.has(Placeholder::Kind) {
                Kind::new(&params.name(Placeholder::Kind))?
            } else {
                Kind::of_relay(pattern.verb())
            },
            nick: Word::new("nick", params.text(Placeholder::Nick))?,
            origin: Word::new("origin", params.text(Placeholder::Origin))?,
            text: params.text(Placeholder::Text),
        },
        Builtin::Provide => Command::Provide {
            command: CommandName::new(&params.name(Placeholder::Command))?,
            help: params.text(Placeholder::Help),
        },
        Builtin::Withdraw => Command::Withdraw {
            command: CommandName::new(&params.name(Placeholder::Command))?,
        },
        Builtin::Request => {
            let (command, target) = command_and_target(&params.name(Placeholder::Target))?;
            Command::Request {
                id: RequestId::new(&params.name(Placeholder::Id))?,
                command,
                target,
                params: params.text(Placeholder::Params),
            }
        }
        Builtin::Reply => Command::Reply {
            client: ClientName::new(&params.name(Placeholder::Client))?,
            id: RequestId::new(&params.name(Placeholder::Id))?,
            text: params.text(Placeholder::Text),
        },
        Builtin::End => Command::End {
            client: ClientName::new(&params.name(Placeholder::Client))?,
            id: RequestId::new(&params.name(Placeholder::Id))?,
        },
        Builtin::Who => Command::Who,
        Builtin::Help => Command::Help {
            about: params
                .get(Placeholder::Command)
                .map(|word| name_of(word, dialect))
                .transpose()?,
        },
        Builtin::Subscribe => Command::Subscribe {
            topic: Topic::new(&params.name(Placeholder::Topic))?,
        },
        Builtin::Unsubscribe => Command::Unsubscribe {
            topic: Topic::new(&params.name(Placeholder::Topic))?,
        },
    })
}

/// `COMMAND`, `COMMAND@client` or `COMMAND@*`.
fn command_and_target(text: &str) -> Result<(CommandName, Target), NameError> {
    let Some((command, client)) = text.split_once('@') else {
        return Ok((CommandName::new(text)?, Target::Any));
    };
    let target = match client {
        "*" => Target::All,
        _ => Target::Client(ClientName::new(client)?),
    };
    Ok((CommandName::new(command)?, target))
}

/// The name of a command, from the verb that this dialect has for it; or of a network command.
fn name_of(word: &[u8], dialect: &Dialect) -> Result<Verb, NameError> {
    match dialect.known(word) {
        Some(Known::Builtin(builtin, _)) => Verb::new(builtin.name()),
        Some(Known::Relay(relay)) => Ok(relay.verb.clone()),
        None => Verb::new(&String::from_utf8_lossy(word)),
    }
}

struct Params<'l>(Vec<(Placeholder, &'l [u8])>);

impl<'l> Params<'l> {
    fn read(pattern: &Pattern, rest: &'l [u8]) -> Result<Self, Mistake> {
        pattern
            .read(rest)
            .map(Self)
            .map_err(|missing| Mistake::Missing(missing.0))
    }

    fn get(&self, placeholder: Placeholder) -> Option<&'l [u8]> {
        let mut all = self.0.iter();
        all.find(|(p, _)| *p == placeholder)
            .map(|(_, value)| *value)
    }

    /// The bytes as they came; none if the line had nothing here.
    fn text(&self, placeholder: Placeholder) -> Bytes {
        copy(self.get(placeholder).unwrap_or_default())
    }

    /// Text for a name. What is no UTF-8 is no name either, and refused as such.
    fn name(&self, placeholder: Placeholder) -> String {
        let value = self.get(placeholder).unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    }
}

fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
