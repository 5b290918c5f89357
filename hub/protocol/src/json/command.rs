//! Commands of json clients.

use super::fields::{Fields, Mistake};
use super::object::Object;
use crate::nearest::nearest;
use crate::{Command, ErrorCode, Refusal, Since, Submission, Tag, Target};

/// The longest `ref`, in characters.
const MAX_TAG: usize = 64;

/// Every `cmd` with the name of its command, which refusals and roles use; a relay command has
/// its verb as the name.
const COMMANDS: [(&str, &str); 16] = [
    ("chat", "C"),
    ("part", "PART"),
    ("ping", "PING"),
    ("bc", "BC"),
    ("relay", "RELAY"),
    ("provide", "PROVIDE"),
    ("withdraw", "WITHDRAW"),
    ("req", "REQ"),
    ("rep", "REP"),
    ("end", "END"),
    ("who", "WHO"),
    ("help", "HELP"),
    ("sub", "SUB"),
    ("unsub", "UNSUB"),
    ("resume", "RESUME"),
    ("cursor", "CURSOR"),
];

/// Reads one line of a json client, without its LF.
///
/// A line that is no command becomes a [`Refusal`] with the code UNKNOWN or SYNTAX and, if it
/// could be read so far, the `ref` of the line; `None` is an empty line.
pub fn parse(line: &[u8]) -> Option<Submission> {
    if line.trim_ascii().is_empty() {
        return None;
    }
    let mut fields = match Fields::parse(line) {
        Ok(fields) => fields,
        Err(mistake) => return Some(refused(None, "*", &mistake)),
    };
    let tag = match tag(&mut fields) {
        Ok(tag) => tag,
        Err(mistake) => return Some(refused(None, "*", &mistake)),
    };
    let cmd = match fields.string("cmd") {
        Ok(cmd) => cmd,
        Err(mistake) => return Some(refused(tag, "*", &mistake)),
    };
    let Some((cmd, name)) = COMMANDS.iter().find(|(known, _)| *known == cmd) else {
        let command = Err(unknown(&cmd));
        return Some(Submission { tag, command });
    };
    match command(cmd, fields) {
        Ok(command) => Some(Submission {
            tag,
            command: Ok(command),
        }),
        Err(mistake) => Some(refused(tag, name, &mistake)),
    }
}

fn refused(tag: Option<Tag>, subject: &str, mistake: &Mistake) -> Submission {
    let refusal = Refusal::new(subject, ErrorCode::Syntax, mistake.to_string());
    Submission {
        tag,
        command: Err(refusal),
    }
}

fn unknown(cmd: &str) -> Refusal {
    let known = COMMANDS.map(|(known, _)| known);
    let reason = match nearest(cmd, &known) {
        Some(near) => format!("there is no such cmd; did you mean {near:?}?"),
        None => format!("there is no such cmd; known are {}", known.join(", ")),
    };
    let subject = Refusal::subject_of(cmd.as_bytes());
    let subject = if subject.is_empty() {
        "*".to_owned()
    } else {
        subject
    };
    Refusal::new(subject, ErrorCode::Unknown, reason)
}

/// The `ref` of a line.
pub(super) fn tag(fields: &mut Fields) -> Result<Option<Tag>, Mistake> {
    let Some(text) = fields.optional("ref")? else {
        return Ok(None);
    };
    if text.chars().count() > MAX_TAG {
        return Err(Mistake::Type("ref", "at most 64 characters"));
    }
    Ok(Some(text.into()))
}

fn command(cmd: &str, mut fields: Fields) -> Result<Command, Mistake> {
    let f = &mut fields;
    let command = match cmd {
        "chat" => Command::Chat {
            text: f.line("text", "text_bytes")?,
        },
        "part" => Command::Part,
        "ping" => Command::Ping {
            text: f.optional_line("text", "text_bytes")?.unwrap_or_default(),
        },
        "bc" => Command::Broadcast {
            kind: f.name("kind")?,
            nick: f.word("nick", "nick_bytes")?,
            origin: f.word("origin", "origin_bytes")?,
            text: f.line("text", "text_bytes")?,
        },
        "relay" => Command::Relay {
            verb: f.name("verb")?,
            text: f.optional_line("text", "text_bytes")?.unwrap_or_default(),
        },
        "provide" => Command::Provide {
            command: f.name("command")?,
            help: f.optional_line("help", "help_bytes")?.unwrap_or_default(),
        },
        "withdraw" => Command::Withdraw {
            command: f.name("command")?,
        },
        "req" => Command::Request {
            id: f.name("id")?,
            command: f.name("command")?,
            target: target(f)?,
            params: f
                .optional_line("params", "params_bytes")?
                .unwrap_or_default(),
        },
        "rep" => Command::Reply {
            client: f.name("client")?,
            id: f.name("id")?,
            text: f.optional_line("text", "text_bytes")?.unwrap_or_default(),
        },
        "end" => Command::End {
            client: f.name("client")?,
            id: f.name("id")?,
        },
        "who" => Command::Who,
        "help" => Command::Help {
            about: f.optional_name("about")?,
        },
        "sub" => Command::Subscribe {
            topic: f.name("topic")?,
        },
        "unsub" => Command::Unsubscribe {
            topic: f.name("topic")?,
        },
        "resume" => Command::Resume { since: since(f)? },
        // "cursor"; every other was looked up in COMMANDS before.
        _ => Command::Cursor { id: f.id("id")? },
    };
    fields.finish()?;
    Ok(command)
}

fn target(fields: &mut Fields) -> Result<Target, Mistake> {
    match fields.optional("target")?.as_deref() {
        None => Ok(Target::Any),
        Some("*") => Ok(Target::All),
        Some(client) => Ok(Target::Client(client.parse()?)),
    }
}

fn since(fields: &mut Fields) -> Result<Since, Mistake> {
    let id = fields.optional_id("since")?;
    let from = fields.optional("from")?;
    let last = fields.optional_number("last", "a whole number up to 4294967295")?;
    match (id, from.as_deref(), last) {
        (Some(id), None, None) => Ok(Since::Id(id)),
        (None, Some("cursor"), None) => Ok(Since::Cursor),
        (None, Some(_), None) => Err(Mistake::Type("from", "\"cursor\"")),
        (None, None, Some(last)) => Ok(Since::Last(last)),
        _ => Err(Mistake::Other(
            "resume needs one of since, from and last, and only one".to_owned(),
        )),
    }
}

/// Adds the line of `command` to `out`, ended by LF, with `tag` as its `ref`.
pub fn render_command(command: &Command, tag: Option<&Tag>, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    let o = &mut object;
    let cmd = match command {
        Command::Relay { .. } => "relay",
        other => {
            let mut all = COMMANDS.iter();
            let found = all.find(|(_, name)| *name == other.name());
            found.map_or("", |(cmd, _)| cmd)
        }
    };
    o.string("cmd", cmd);
    match command {
        Command::Chat { text } | Command::Ping { text } => o.text("text", text, None),
        Command::Part | Command::Who => {}
        Command::Broadcast {
            kind,
            nick,
            origin,
            text,
        } => {
            o.string("kind", kind.as_str());
            o.text("nick", nick.as_bytes(), None);
            o.text("origin", origin.as_bytes(), None);
            o.text("text", text, None);
        }
        Command::Relay { verb, text } => {
            o.string("verb", verb.as_str());
            o.text("text", text, None);
        }
        Command::Provide { command, help } => {
            o.string("command", command.as_str());
            o.text("help", help, None);
        }
        Command::Withdraw { command } => o.string("command", command.as_str()),
        Command::Request {
            id,
            command,
            target,
            params,
        } => {
            o.string("id", id.as_str());
            o.string("command", command.as_str());
            match target {
                Target::Any => {}
                Target::All => o.string("target", "*"),
                Target::Client(client) => o.string("target", client.as_str()),
            }
            o.text("params", params, None);
        }
        Command::Reply { client, id, text } => {
            o.string("client", client.as_str());
            o.string("id", id.as_str());
            o.text("text", text, None);
        }
        Command::End { client, id } => {
            o.string("client", client.as_str());
            o.string("id", id.as_str());
        }
        Command::Help { about } => o.optional("about", about.as_ref().map(crate::Verb::as_str)),
        Command::Subscribe { topic } | Command::Unsubscribe { topic } => {
            o.string("topic", topic.as_str());
        }
        Command::Resume { since } => match since {
            Since::Id(id) => o.string("since", &id.to_string()),
            Since::Cursor => o.string("from", "cursor"),
            Since::Last(last) => o.number("last", u64::from(*last)),
        },
        Command::Cursor { id } => o.string("id", &id.to_string()),
    }
    o.optional("ref", tag.map(|tag| &**tag));
    object.end_line();
}
