//! A dialect file changes the words of the central dialect, and its mistakes are named.

#![allow(clippy::unwrap_used)]

use cmp_protocol::{
    Class, Command, Dialect, ErrorCode, Event, Greeting, HelpEntry, Kind, Message, MessageId,
    Recipients, Refusal, Verb, central,
};

fn verb(name: &str) -> Verb {
    Verb::new(name).unwrap()
}

fn parse(line: &str, dialect: &Dialect) -> Result<Command, Refusal> {
    central::parse(line.as_bytes(), dialect).unwrap().command
}

fn shown(event: &Event, dialect: &Dialect) -> String {
    let mut out = Vec::new();
    central::render(event, dialect, None, &mut out);
    String::from_utf8(out).unwrap()
}

fn message(class: Class, kind: &str, text: &str) -> Event {
    let broadcast = class == Class::Broadcast;
    let word = |text: &'static str| cmp_protocol::Word::new("word", text).unwrap();
    Event::Message(std::sync::Arc::new(Message {
        id: MessageId::from_bytes([0; 16]),
        hub: "hub1".parse().unwrap(),
        client: "paul_specbot".parse().unwrap(),
        time_ms: 0,
        class,
        kind: Kind::new(kind).unwrap(),
        nick: broadcast.then(|| word("MyNiceguy")),
        origin: broadcast.then(|| word("#own3r")),
        text: text.to_owned().into(),
        encoding: None,
    }))
}

fn greeting(commands: &[&str]) -> Event {
    Event::Greeting(std::sync::Arc::new(Greeting {
        hub: "hub1".parse().unwrap(),
        client: "paul_specbot".parse().unwrap(),
        role: "bot".parse().unwrap(),
        commands: commands.iter().map(|name| verb(name)).collect(),
        kinds: vec![Kind::new("qw").unwrap()],
    }))
}

fn mistakes(toml: &str) -> String {
    Dialect::parse(toml).unwrap_err().to_string()
}

#[test]
fn the_shipped_file_is_valid_and_is_the_default() {
    let dialect = Dialect::parse(Dialect::SHIPPED).unwrap();
    assert_eq!(dialect, Dialect::default());
    assert_eq!(Dialect::parse("").unwrap(), dialect);
}

#[test]
fn the_sample_of_a_relay_command_works_as_written() {
    let sample: String = Dialect::SHIPPED
        .lines()
        .skip_while(|line| *line != "# [[relay]]")
        .map(|line| line.trim_start_matches("# ").to_owned() + "\n")
        .collect();
    let dialect = Dialect::parse(&sample).unwrap();
    assert_eq!(dialect.relays().len(), 1);

    let relay = dialect.relay(&verb("msg")).unwrap();
    assert_eq!(relay.to, Recipients::Others);
    let roles = relay.roles.as_ref().unwrap();
    assert_eq!(
        roles.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        ["irc-bot", "portal"]
    );

    let command = parse("msg  :hello ", &dialect).unwrap();
    assert_eq!(
        command,
        Command::Relay {
            verb: verb("MSG"),
            text: " :hello ".into()
        }
    );
    assert_eq!(command.name(), "MSG");
    assert_eq!(
        shown(&message(Class::Relay, "msg", "hello"), &dialect),
        "MSG paul_specbot hello\n"
    );
    let help = Event::Help {
        entries: vec![HelpEntry::Command(verb("MSG"))],
        tag: None,
    };
    assert_eq!(
        shown(&help, &dialect),
        "HELP MSG :MSG <text> - tell the other bots\nEND HELP\n"
    );
    assert_eq!(
        shown(&greeting(&["C", "MSG"]), &dialect),
        "WELCOME paul_specbot bot hub1 :C MSG\n"
    );
}

/// A made-up PROTOCOL file, as different from ours as can be thought of.
const ANOTHER_SERVER: &str = r#"
    [input]
    empty_lines = "refuse"
    unknown_lines = "ignore"

    [greeting]
    lines = ["Hello {client}, you are {role} on {hub}.", "* {usage} ({help})", "kinds: {kinds}, {{commands}}: {commands}"]
    separator = ", "

    [commands.BC]
    lines = ["QW {nick}@{origin} {text}", "SPAM {nick}@{origin} {text}"]
    help = "tell everybody"

    [commands.WHO]
    lines = []

    [commands.PING]
    lines = ["ALIVE {text}", "PING {text}"]

    [commands.HELP]
    lines = ["COMMANDS {command}"]

    [replies]
    chat = "<{client}> {text}"
    broadcast = "-{kind}- {nick} - {origin} : {text} [{verb} via {client}]"
    ok = ""
    error = "! {subject}: {reason}"
"#;

#[test]
fn another_server_can_be_matched_by_the_file_alone() {
    let dialect = Dialect::parse(ANOTHER_SERVER).unwrap();

    let expected = |kind: &str| Command::Broadcast {
        kind: Kind::new(kind).unwrap(),
        nick: cmp_protocol::Word::new("nick", "MyNiceguy").unwrap(),
        origin: cmp_protocol::Word::new("origin", "#own3r").unwrap(),
        text: "4on4 mix".into(),
    };
    assert_eq!(
        parse("QW MyNiceguy@#own3r 4on4 mix", &dialect),
        Ok(expected("qw"))
    );
    assert_eq!(
        parse("spam MyNiceguy@#own3r 4on4 mix", &dialect),
        Ok(expected("spam"))
    );
    assert_eq!(parse("alive", &dialect), parse("ping", &dialect));
    assert_eq!(
        parse("COMMANDS qw", &dialect),
        Ok(Command::Help {
            about: Some(verb("BC"))
        })
    );

    let refusal = parse("QW MyNiceguy", &dialect).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (
            ErrorCode::Syntax,
            "origin is missing; usage: QW <nick>@<origin> <text>"
        )
    );
    assert_eq!(parse("", &dialect).unwrap_err().code, ErrorCode::Syntax);
    assert_eq!(central::parse(b"WHO", &dialect), None);
    assert_eq!(central::parse(b"BC qw a b c", &dialect), None);

    assert_eq!(
        shown(&greeting(&["C", "BC", "WHO"]), &dialect),
        "Hello paul_specbot, you are bot on hub1.\n\
         * C <text> (say something to everybody)\n\
         * QW <nick>@<origin> <text> (tell everybody)\n\
         * SPAM <nick>@<origin> <text> (tell everybody)\n\
         kinds: qw, {commands}: C, QW, SPAM\n"
    );
    assert_eq!(
        shown(&message(Class::Broadcast, "qw", "4on4 mix"), &dialect),
        "-qw- MyNiceguy - #own3r : 4on4 mix [QW via paul_specbot]\n"
    );
    assert_eq!(
        shown(&message(Class::Chat, "chat", "Hey"), &dialect),
        "<paul_specbot> Hey\n"
    );
    let ok = Event::Ok {
        command: verb("BC"),
        id: None,
        tag: None,
    };
    assert_eq!(shown(&ok, &dialect), "");
    let refused = Event::Refused {
        refusal: Refusal::new("PING", ErrorCode::Forbidden, "no"),
        tag: None,
    };
    assert_eq!(shown(&refused, &dialect), "! ALIVE: no\n");
}

#[test]
fn every_mistake_is_named_with_its_line_and_the_way_out() {
    let toml = r#"
[input]
empty_lines = "drop"
[greting]
[commands.BC]
line = ["BC {kind}"]
lines = ["BC {kind} {nick}", 7]
[commands.MSG]
[replies]
chat = "C {nick}: {text}"
pong = 7
[[relay]]
verb = "BC"
to = "everyone"
roles = []
"#;
    let expected = "\
line 3: empty_lines = \"drop\" is not known; write \"ignore\" or \"refuse\"
line 4: unknown key \"greting\" in the file; did you mean greeting?
line 6: unknown key \"line\" in [commands.BC]; did you mean lines?
line 7: \"BC {kind} {nick}\": {origin} is missing; the command needs it
line 7: lines must be a text in quotes, not of type integer
line 8: unknown key \"MSG\" in [commands]; known are C, PART, PING, BC, PROVIDE, WITHDRAW, REQ, REP, END, WHO, HELP, SUB, UNSUB
line 10: chat: unknown placeholder {nick}; here can stand {client}, {hub}, {id}, {kind}, {verb}, {text}
line 11: pong must be a text in quotes, not of type integer
line 12: [[relay]] lacks line; add for example line = \"MSG {client} {text}\"
line 13: the relay command BC has the name of a built-in command; choose another verb, or change [commands.BC]
line 14: to = \"everyone\" is not known; write \"all\", \"others\", \"sender\" or \"role:NAME\"
line 15: roles is empty, so nobody could send this; leave it out for every role";
    assert_eq!(mistakes(toml), expected);
}

#[test]
fn two_commands_cannot_have_one_verb() {
    let renamed = "[commands.PING]\nlines = [\"WHO {text}\"]";
    assert_eq!(
        mistakes(renamed),
        "line 1: in commands: two lines start with WHO; give one of them another verb"
    );
    let relay = "[[relay]]\nverb = \"SAY\"\nto = \"all\"\nline = \"{text}\"\n";
    let twice = relay.repeat(2);
    assert_eq!(
        mistakes(&twice),
        "line 1: in relay: two lines start with SAY; give one of them another verb"
    );
    assert!(mistakes(&relay.replace("SAY", "RESUME")).contains("built-in command"));
}

#[test]
fn what_is_no_toml_is_named_by_its_line() {
    let error = mistakes("[input]\nempty_lines = ignore\n");
    assert!(error.starts_with("line 2: "), "{error}");
    assert!(mistakes("relay = 7").contains("[[relay]]"));
    assert!(mistakes("replies = 7").contains("must be a table"));
}

#[test]
fn recipients_are_read() {
    let dialect = |to: &str| {
        let toml = format!("[[relay]]\nverb = \"X\"\nto = \"{to}\"\nline = \"X {{text}}\"\n");
        Dialect::parse(&toml).map(|dialect| dialect.relays()[0].to.clone())
    };
    assert_eq!(dialect("all").unwrap(), Recipients::All);
    assert_eq!(dialect("sender").unwrap(), Recipients::Sender);
    let role = Recipients::Role("portal".parse().unwrap());
    assert_eq!(dialect("role:portal").unwrap(), role);
    assert!(dialect("role:").is_err());
}
