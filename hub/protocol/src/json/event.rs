//! Events for json clients.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::command::tag;
use super::fields::{Fields, Mistake};
use super::object::Object;
use crate::{
    Class, Encoding, ErrorCode, Event, Greeting, HelpEntry, Message, Presence, Refusal, Tag,
};

/// Adds the line of `event` to `out`, ended by LF.
pub fn render(event: &Event, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    let o = &mut object;
    let tag: Option<&Tag> = match event {
        Event::Greeting(greeting) => {
            put_greeting(greeting, o);
            None
        }
        Event::Message(message) => {
            put_message(message, o);
            None
        }
        Event::Pong { text, tag } => {
            o.string("event", "pong");
            o.text("text", text, None);
            tag.as_ref()
        }
        Event::Ok { command, id, tag } => {
            o.string("event", "ok");
            o.string("command", command.as_str());
            o.optional("id", id.map(|id| id.to_string()).as_deref());
            tag.as_ref()
        }
        Event::Refused { refusal, tag } => {
            put_refusal(refusal, o);
            tag.as_ref()
        }
        Event::Request {
            client,
            id,
            command,
            params,
        } => {
            o.string("event", "req");
            o.string("client", client.as_str());
            o.string("id", id.as_str());
            o.string("command", command.as_str());
            o.text("params", params, None);
            None
        }
        Event::Reply { provider, id, text } => {
            o.string("event", "rep");
            o.string("provider", provider.as_str());
            o.string("id", id.as_str());
            o.text("text", text, None);
            None
        }
        Event::End { provider, id } => {
            o.string("event", "end");
            match provider {
                Some(provider) => o.string("provider", provider.as_str()),
                None => o.null("provider"),
            }
            o.string("id", id.as_str());
            None
        }
        Event::Who { clients, tag } => {
            o.string("event", "who");
            o.list("clients", clients.iter(), put_presence);
            tag.as_ref()
        }
        Event::Help { entries, tag } => {
            o.string("event", "help");
            o.list("entries", entries.iter(), put_help);
            tag.as_ref()
        }
        Event::Joined { client, role } => {
            o.string("event", "join");
            o.string("client", client.as_str());
            o.string("role", role.as_str());
            None
        }
        Event::Quit { client, reason } => {
            o.string("event", "quit");
            o.string("client", client.as_str());
            o.string("reason", reason);
            None
        }
        Event::Provision {
            client,
            command,
            provided,
        } => {
            o.string("event", "provision");
            o.string("client", client.as_str());
            o.string("command", command.as_str());
            o.boolean("provided", *provided);
            None
        }
        Event::Resumed { count, tag } => {
            o.string("event", "resumed");
            o.number("count", *count);
            tag.as_ref()
        }
        Event::Closing { reason } => {
            o.string("event", "closing");
            o.string("reason", reason);
            None
        }
    };
    o.optional("ref", tag.map(|tag| &**tag));
    object.end_line();
}

fn put_greeting(greeting: &Greeting, o: &mut Object<'_>) {
    o.string("event", "greeting");
    o.string("hub", greeting.hub.as_str());
    o.string("client", greeting.client.as_str());
    o.string("role", greeting.role.as_str());
    o.strings("commands", greeting.commands.iter().map(AsRef::as_ref));
    o.strings("kinds", greeting.kinds.iter().map(AsRef::as_ref));
}

fn put_message(message: &Message, o: &mut Object<'_>) {
    o.string("event", "message");
    o.string("class", message.class.as_str());
    o.string("id", &message.id.to_string());
    o.string("hub", message.hub.as_str());
    o.string("client", message.client.as_str());
    o.number("time_ms", message.time_ms);
    o.string("kind", message.kind.as_str());
    for (field, word) in [("nick", &message.nick), ("origin", &message.origin)] {
        if let Some(word) = word {
            o.text(field, word.as_bytes(), message.encoding);
        }
    }
    o.text("text", &message.text, message.encoding);
    o.optional("encoding", message.encoding.map(Encoding::name));
}

fn put_refusal(refusal: &Refusal, o: &mut Object<'_>) {
    o.string("event", "error");
    o.string("code", refusal.code.as_str());
    o.string("subject", &refusal.subject);
    o.string("reason", &refusal.reason);
    if let Some(wait) = refusal.retry_after {
        // Rounded up: who waits so long does not come too early.
        let started = u64::from(wait.subsec_nanos() > 0);
        let seconds = wait.as_secs().saturating_add(started);
        o.number("retry_after", seconds);
    }
}

fn put_presence(presence: &Presence, out: &mut Vec<u8>) {
    let mut o = Object::begin(out);
    o.string("client", presence.client.as_str());
    o.string("role", presence.role.as_str());
    o.number("sessions", u64::from(presence.sessions));
    o.strings("provides", presence.provides.iter().map(AsRef::as_ref));
    o.end();
}

fn put_help(entry: &HelpEntry, out: &mut Vec<u8>) {
    let mut o = Object::begin(out);
    match entry {
        HelpEntry::Command(name) => o.string("command", name.as_str()),
        HelpEntry::Provided {
            command,
            provider,
            help,
        } => {
            o.string("command", command.as_str());
            o.string("provider", provider.as_str());
            o.text("help", help, None);
        }
    }
    o.end();
}

/// Why a line is no event.
#[derive(Debug, thiserror::Error)]
#[error("the line is no event: {0}")]
pub struct EventError(#[from] Mistake);

/// Reads one line of the hub, without its LF: for clients. Fields that are not known are left
/// alone, so that an older client understands a newer hub.
pub fn parse_event(line: &[u8]) -> Result<Event, EventError> {
    let mut fields = Fields::parse(line)?;
    Ok(event(&mut fields)?)
}

fn event(f: &mut Fields) -> Result<Event, Mistake> {
    Ok(match f.string("event")?.as_str() {
        "greeting" => Event::Greeting(Arc::new(Greeting {
            hub: f.name("hub")?,
            client: f.name("client")?,
            role: f.name("role")?,
            commands: f.names("commands")?,
            kinds: f.names("kinds")?,
        })),
        "message" => Event::Message(Arc::new(message(f)?)),
        "pong" => Event::Pong {
            text: text(f)?,
            tag: tag(f)?,
        },
        "ok" => Event::Ok {
            command: f.name("command")?,
            id: f.optional_id("id")?,
            tag: tag(f)?,
        },
        "error" => Event::Refused {
            refusal: Refusal {
                subject: f.string("subject")?,
                code: known(f, "code", ErrorCode::parse)?,
                reason: f.string("reason")?,
                retry_after: f
                    .optional_number("retry_after", "a whole number of seconds")?
                    .map(Duration::from_secs),
            },
            tag: tag(f)?,
        },
        "req" => Event::Request {
            client: f.name("client")?,
            id: f.name("id")?,
            command: f.name("command")?,
            params: f
                .optional_text("params", "params_bytes")?
                .unwrap_or_default(),
        },
        "rep" => Event::Reply {
            provider: f.name("provider")?,
            id: f.name("id")?,
            text: text(f)?,
        },
        "end" => Event::End {
            provider: f.name_or_null("provider")?,
            id: f.name("id")?,
        },
        "who" => Event::Who {
            clients: f.list("clients", presence)?,
            tag: tag(f)?,
        },
        "help" => Event::Help {
            entries: f.list("entries", help)?,
            tag: tag(f)?,
        },
        "join" => Event::Joined {
            client: f.name("client")?,
            role: f.name("role")?,
        },
        "quit" => Event::Quit {
            client: f.name("client")?,
            reason: f.string("reason")?,
        },
        "provision" => Event::Provision {
            client: f.name("client")?,
            command: f.name("command")?,
            provided: f.boolean("provided")?,
        },
        "resumed" => Event::Resumed {
            count: f.number("count")?,
            tag: tag(f)?,
        },
        "closing" => Event::Closing {
            reason: f.string("reason")?,
        },
        other => {
            let other: String = other.chars().take(32).collect();
            return Err(Mistake::Other(format!("unknown event {other:?}")));
        }
    })
}

fn text(f: &mut Fields) -> Result<bytes::Bytes, Mistake> {
    let text = f.optional_text("text", "text_bytes")?;
    text.ok_or(Mistake::Missing("text"))
}

/// A word that stands for a value of ours.
fn known<T>(
    f: &mut Fields,
    field: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, Mistake> {
    let word = f.string(field)?;
    parse(&word).ok_or(Mistake::Type(field, "one of the known words"))
}

fn message(f: &mut Fields) -> Result<Message, Mistake> {
    let encoding = f.optional("encoding")?;
    Ok(Message {
        id: f.id("id")?,
        hub: f.name("hub")?,
        client: f.name("client")?,
        time_ms: f.number("time_ms")?,
        class: known(f, "class", Class::parse)?,
        kind: f.name("kind")?,
        nick: f.optional_word("nick", "nick_bytes")?,
        origin: f.optional_word("origin", "origin_bytes")?,
        text: text(f)?,
        // An encoding that is not known yet is as good as none.
        encoding: encoding.as_deref().and_then(Encoding::parse),
    })
}

fn presence(value: Value) -> Result<Presence, Mistake> {
    let mut f = Fields::of(value)?;
    Ok(Presence {
        client: f.name("client")?,
        role: f.name("role")?,
        sessions: f.number("sessions")?,
        provides: f.names("provides")?,
    })
}

fn help(value: Value) -> Result<HelpEntry, Mistake> {
    let mut f = Fields::of(value)?;
    let Some(provider) = f.optional_name("provider")? else {
        return Ok(HelpEntry::Command(f.name("command")?));
    };
    Ok(HelpEntry::Provided {
        command: f.name("command")?,
        provider,
        help: f.optional_text("help", "help_bytes")?.unwrap_or_default(),
    })
}
