//! Strategies for every command and event there can be.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cmp_protocol::{
    Class, ClientName, Command, CommandName, Encoding, ErrorCode, Event, Greeting, HelpEntry,
    HubName, Kind, Message, MessageId, Presence, Refusal, RequestId, RoleName, Since, Tag, Target,
    Topic, Verb, Word,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(crate) fn client() -> impl Strategy<Value = ClientName> {
    "[!-)+\\-./0-9;-?A-~]{1,64}".prop_map(|name| ClientName::new(&name).unwrap())
}

fn hub() -> impl Strategy<Value = HubName> {
    client().prop_map(|name| HubName::new(name.as_str()).unwrap())
}

fn request_id() -> impl Strategy<Value = RequestId> {
    client().prop_map(|name| RequestId::new(name.as_str()).unwrap())
}

fn role() -> impl Strategy<Value = RoleName> {
    "[A-Za-z0-9_-]{1,32}".prop_map(|name| RoleName::new(&name).unwrap())
}

fn kind() -> impl Strategy<Value = Kind> {
    "[A-Za-z0-9_-]{1,32}".prop_map(|name| Kind::new(&name).unwrap())
}

fn verb() -> impl Strategy<Value = Verb> {
    "[A-Za-z0-9_-]{1,32}".prop_map(|name| Verb::new(&name).unwrap())
}

fn command_name() -> impl Strategy<Value = CommandName> {
    "[A-Za-z0-9_-]{1,32}".prop_map(|name| CommandName::new(&name).unwrap())
}

fn topic() -> impl Strategy<Value = Topic> {
    "[A-Za-z0-9_-]{1,32}".prop_map(|name| Topic::new(&name).unwrap())
}

fn id() -> impl Strategy<Value = MessageId> {
    any::<[u8; 16]>().prop_map(MessageId::from_bytes)
}

pub(crate) fn tag() -> impl Strategy<Value = Option<Tag>> {
    option::of("\\PC{0,64}".prop_map(Tag::from))
}

/// Text as it can be in a line: any bytes but LF, CR and NUL.
pub(crate) fn line() -> impl Strategy<Value = Bytes> {
    let byte = prop_oneof![1_u8..=9, 11_u8..=12, 14_u8..=255];
    prop_oneof![
        vec(byte, 0..64).prop_map(Bytes::from),
        "[^\\r\\n\\x00]{0,32}".prop_map(Bytes::from),
    ]
}

pub(crate) fn filled_line() -> impl Strategy<Value = Bytes> {
    line().prop_filter("empty", |text| !text.is_empty())
}

/// Whatever bytes.
pub(crate) fn text() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        vec(any::<u8>(), 0..64).prop_map(Bytes::from),
        any::<String>().prop_map(Bytes::from),
    ]
}

pub(crate) fn word() -> impl Strategy<Value = Word> {
    let byte = || prop_oneof![b'!'..=b'~', 0x80_u8..=0xff];
    let first = byte().prop_filter("a colon", |byte| *byte != b':');
    (first, vec(byte(), 0..Word::MAX_LEN)).prop_map(|(first, rest)| {
        let bytes = [&[first], &rest[..]].concat();
        Word::new("word", bytes).unwrap()
    })
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    let target = prop_oneof![
        Just(Target::Any),
        Just(Target::All),
        client().prop_map(Target::Client),
    ];
    let since = prop_oneof![
        id().prop_map(Since::Id),
        Just(Since::Cursor),
        any::<u32>().prop_map(Since::Last),
    ];
    prop_oneof![
        filled_line().prop_map(|text| Command::Chat { text }),
        Just(Command::Part),
        line().prop_map(|text| Command::Ping { text }),
        (kind(), word(), word(), filled_line()).prop_map(|(kind, nick, origin, text)| {
            Command::Broadcast {
                kind,
                nick,
                origin,
                text,
            }
        }),
        (verb(), line()).prop_map(|(verb, text)| Command::Relay { verb, text }),
        (command_name(), line()).prop_map(|(command, help)| Command::Provide { command, help }),
        command_name().prop_map(|command| Command::Withdraw { command }),
        (request_id(), command_name(), target, line()).prop_map(|(id, command, target, params)| {
            Command::Request {
                id,
                command,
                target,
                params,
            }
        }),
        (client(), request_id(), line()).prop_map(|(client, id, text)| Command::Reply {
            client,
            id,
            text
        }),
        (client(), request_id()).prop_map(|(client, id)| Command::End { client, id }),
        Just(Command::Who),
        option::of(verb()).prop_map(|about| Command::Help { about }),
        topic().prop_map(|topic| Command::Subscribe { topic }),
        topic().prop_map(|topic| Command::Unsubscribe { topic }),
        since.prop_map(|since| Command::Resume { since }),
        id().prop_map(|id| Command::Cursor { id }),
    ]
}

fn greeting() -> impl Strategy<Value = Greeting> {
    (
        hub(),
        client(),
        role(),
        vec(verb(), 0..8),
        vec(kind(), 0..4),
    )
        .prop_map(|(hub, client, role, commands, kinds)| Greeting {
            hub,
            client,
            role,
            commands,
            kinds,
        })
}

pub(crate) fn message() -> impl Strategy<Value = Message> {
    let class = prop::sample::select(&Class::ALL[..]);
    let encoding = option::of(prop::sample::select(&Encoding::ALL[..]));
    let words = (option::of(word()), option::of(word()));
    let from = (id(), hub(), client(), any::<u64>());
    (from, class, kind(), words, text(), encoding).prop_map(
        |((id, hub, client, time_ms), class, kind, (nick, origin), text, encoding)| Message {
            id,
            hub,
            client,
            time_ms,
            class,
            kind,
            nick,
            origin,
            text,
            encoding,
        },
    )
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let code = prop::sample::select(&ErrorCode::ALL[..]);
    let wait = option::of(any::<u32>().prop_map(|s| Duration::from_secs(s.into())));
    (any::<String>(), code, any::<String>(), wait).prop_map(
        |(subject, code, reason, retry_after)| Refusal {
            subject,
            code,
            reason,
            retry_after,
        },
    )
}

fn presence() -> impl Strategy<Value = Presence> {
    let provides = vec(command_name(), 0..4);
    (client(), role(), any::<u32>(), provides).prop_map(|(client, role, sessions, provides)| {
        Presence {
            client,
            role,
            sessions,
            provides,
        }
    })
}

fn help() -> impl Strategy<Value = HelpEntry> {
    let builtin = prop::sample::select(&["C", "BC", "PING", "WHO", "RESUME"][..]);
    prop_oneof![
        builtin.prop_map(|name| HelpEntry::Command(Verb::new(name).unwrap())),
        verb().prop_map(HelpEntry::Command),
        (command_name(), client(), text()).prop_map(|(command, provider, help)| {
            HelpEntry::Provided {
                command,
                provider,
                help,
            }
        }),
    ]
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        greeting().prop_map(|greeting| Event::Greeting(Arc::new(greeting))),
        message().prop_map(|message| Event::Message(Arc::new(message))),
        (text(), tag()).prop_map(|(text, tag)| Event::Pong { text, tag }),
        (verb(), option::of(id()), tag()).prop_map(|(command, id, tag)| Event::Ok {
            command,
            id,
            tag
        }),
        (refusal(), tag()).prop_map(|(refusal, tag)| Event::Refused { refusal, tag }),
        (client(), request_id(), command_name(), text()).prop_map(
            |(client, id, command, params)| Event::Request {
                client,
                id,
                command,
                params
            }
        ),
        (client(), request_id(), text()).prop_map(|(provider, id, text)| Event::Reply {
            provider,
            id,
            text
        }),
        (option::of(client()), request_id()).prop_map(|(provider, id)| Event::End { provider, id }),
        (vec(presence(), 0..4), tag()).prop_map(|(clients, tag)| Event::Who { clients, tag }),
        (vec(help(), 0..4), tag()).prop_map(|(entries, tag)| Event::Help { entries, tag }),
        (client(), role()).prop_map(|(client, role)| Event::Joined { client, role }),
        (client(), any::<String>()).prop_map(|(client, reason)| Event::Quit { client, reason }),
        (client(), command_name(), any::<bool>()).prop_map(|(client, command, provided)| {
            Event::Provision {
                client,
                command,
                provided,
            }
        }),
        (any::<u64>(), tag()).prop_map(|(count, tag)| Event::Resumed { count, tag }),
        any::<String>().prop_map(|reason| Event::Closing { reason }),
    ]
}
