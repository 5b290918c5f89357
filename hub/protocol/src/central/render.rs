//! Lines for clients.

use crate::dialect::{Builtin, Piece, Placeholder, Reply, Template};
use crate::{
    Class, CommandName, Dialect, Encoding, Event, Greeting, HelpEntry, Kind, Message, Presence,
    Refusal, Verb, Word,
};

/// Adds the lines of `event` to `out`, each ended by one LF; nothing for an event that this
/// dialect does not show.
///
/// With an `encoding` all text is converted to it; without, the bytes of other clients are passed
/// on as they came. Whatever the fields hold, a line stays one line and a word one word.
pub fn render(event: &Event, dialect: &Dialect, encoding: Option<Encoding>, out: &mut Vec<u8>) {
    let mut lines = Lines {
        dialect,
        encoding,
        out,
    };
    match event {
        Event::Greeting(greeting) => lines.greeting(greeting),
        Event::Message(message) => lines.message(message),
        // Back to the client it came from: no conversion.
        Event::Pong { text, .. } => lines.reply(Reply::Pong, &[(P::Text, V::Raw(text))]),
        Event::Ok { command, id, .. } => {
            if command.as_str() == Builtin::Broadcast.name() {
                let id = id.map(|id| id.to_string()).unwrap_or_default();
                let command = lines.verb_of(command.as_str());
                lines.reply(
                    Reply::Ok,
                    &[(P::Command, V::Str(command)), (P::Id, V::Str(&id))],
                );
            }
        }
        Event::Refused { refusal, .. } => lines.refusal(refusal),
        Event::Request {
            client,
            id,
            command,
            params,
        } => lines.reply(
            Reply::Request,
            &[
                (P::Client, V::Str(client.as_str())),
                (P::Id, V::Str(id.as_str())),
                (P::Command, V::Str(command.as_str())),
                (P::Params, V::Text(params, None)),
            ],
        ),
        Event::Reply { provider, id, text } => lines.reply(
            Reply::Answer,
            &[
                (P::Provider, V::Str(provider.as_str())),
                (P::Id, V::Str(id.as_str())),
                (P::Text, V::Text(text, None)),
            ],
        ),
        Event::End { provider, id } => lines.reply(
            Reply::End,
            &[
                (
                    P::Provider,
                    V::Str(provider.as_ref().map_or("*", crate::ClientName::as_str)),
                ),
                (P::Id, V::Str(id.as_str())),
            ],
        ),
        Event::Who { clients, .. } => {
            for client in clients {
                lines.presence(client);
            }
            lines.reply(Reply::WhoEnd, &[]);
        }
        Event::Help { entries, .. } => {
            for entry in entries {
                lines.help(entry);
            }
            lines.reply(Reply::HelpEnd, &[]);
        }
        Event::Joined { client, role } => lines.reply(
            Reply::Join,
            &[
                (P::Client, V::Str(client.as_str())),
                (P::Role, V::Str(role.as_str())),
            ],
        ),
        Event::Quit { client, reason } => lines.reply(
            Reply::Quit,
            &[
                (P::Client, V::Str(client.as_str())),
                (P::Reason, V::Str(reason)),
            ],
        ),
        Event::Provision {
            client,
            command,
            provided,
        } => lines.reply(
            if *provided {
                Reply::Provided
            } else {
                Reply::Withdrawn
            },
            &[
                (P::Client, V::Str(client.as_str())),
                (P::Command, V::Str(command.as_str())),
            ],
        ),
        Event::Resumed { .. } => {}
        Event::Closing { reason } => {
            lines.reply(Reply::Closing, &[(P::Reason, V::Str(reason))]);
        }
    }
}

use Placeholder as P;
use Value as V;

/// What is put in the place of a placeholder.
#[derive(Debug, Clone, Copy)]
enum Value<'v> {
    /// Text of the hub.
    Str(&'v str),
    /// Text of a client, with the client's encoding if it is known.
    Text(&'v [u8], Option<Encoding>),
    /// The same, but one word.
    Word(&'v [u8], Option<Encoding>),
    /// Bytes that are not converted.
    Raw(&'v [u8]),
}

impl Value<'_> {
    fn is_empty(&self) -> bool {
        match self {
            Self::Str(text) => text.is_empty(),
            Self::Text(bytes, _) | Self::Word(bytes, _) | Self::Raw(bytes) => bytes.is_empty(),
        }
    }
}

struct Lines<'r> {
    dialect: &'r Dialect,
    encoding: Option<Encoding>,
    out: &'r mut Vec<u8>,
}

impl<'r> Lines<'r> {
    fn greeting(&mut self, greeting: &Greeting) {
        let names = greeting.commands.iter();
        let verbs = names.flat_map(|name| self.dialect.verbs_of(name.as_str()));
        let commands = self.list(verbs.map(Verb::as_str));
        let kinds = self.list(greeting.kinds.iter().map(Kind::as_str));
        let whole = [
            (P::Hub, V::Str(greeting.hub.as_str())),
            (P::Client, V::Str(greeting.client.as_str())),
            (P::Role, V::Str(greeting.role.as_str())),
            (P::Commands, V::Str(&commands)),
            (P::Kinds, V::Str(&kinds)),
        ];
        let of_one_command = [P::Command, P::Usage, P::Help];
        for line in self.dialect.greeting() {
            if of_one_command.iter().any(|p| line.has(*p)) {
                for name in &greeting.commands {
                    self.each_form(name, |lines, form| {
                        lines.line(line, &[&whole[..], form].concat());
                    });
                }
            } else {
                self.line(line, &whole);
            }
        }
    }

    /// Calls `show` with the values of every form in which clients send the command of this name.
    fn each_form(&mut self, name: &Verb, show: impl Fn(&mut Self, &[(P, V<'_>)])) {
        let dialect = self.dialect;
        if let Some(words) = Builtin::named(name.as_str()).and_then(|b| dialect.command(b)) {
            for form in &words.lines {
                show(
                    self,
                    &[
                        (P::Command, V::Str(form.verb().as_str())),
                        (P::Usage, V::Str(&form.usage())),
                        (P::Help, V::Str(&words.help)),
                    ],
                );
            }
        } else if let Some(relay) = dialect.relay(name) {
            show(
                self,
                &[
                    (P::Command, V::Str(relay.verb.as_str())),
                    (P::Usage, V::Str(&format!("{} <text>", relay.verb))),
                    (P::Help, V::Str(&relay.help)),
                ],
            );
        }
    }

    fn message(&mut self, message: &Message) {
        let verb = message.kind.as_verb();
        let template = match message.class {
            Class::Chat => self.dialect.reply(Reply::Chat),
            Class::Broadcast => self.dialect.reply(Reply::Broadcast),
            // A relay command that this dialect has no more is not shown.
            Class::Relay => self.dialect.relay(&verb).map(|relay| &relay.line),
        };
        let Some(template) = template else { return };
        let from = message.encoding;
        let word = |word: &Option<Word>| word.as_ref().map(Word::to_bytes);
        let nick = word(&message.nick).unwrap_or_default();
        let origin = word(&message.origin).unwrap_or_default();
        self.line(
            template,
            &[
                (P::Client, V::Str(message.client.as_str())),
                (P::Hub, V::Str(message.hub.as_str())),
                (P::Id, V::Str(&message.id.to_string())),
                (P::Kind, V::Str(message.kind.as_str())),
                (P::Verb, V::Str(verb.as_str())),
                (P::Nick, V::Word(&nick, from)),
                (P::Origin, V::Word(&origin, from)),
                (P::Text, V::Text(&message.text, from)),
            ],
        );
    }

    fn refusal(&mut self, refusal: &Refusal) {
        // The core names a command by its name; the client knows it by its verb.
        let subject = self.verb_of(&refusal.subject);
        self.reply(
            Reply::Error,
            &[
                (
                    P::Subject,
                    V::Word(subject.as_bytes(), Some(Encoding::Utf8)),
                ),
                (P::Code, V::Str(refusal.code.as_str())),
                (P::Reason, V::Str(&refusal.reason)),
            ],
        );
    }

    fn presence(&mut self, presence: &Presence) {
        let commands = self.list(presence.provides.iter().map(CommandName::as_str));
        self.reply(
            Reply::Who,
            &[
                (P::Client, V::Str(presence.client.as_str())),
                (P::Role, V::Str(presence.role.as_str())),
                (P::Sessions, V::Str(&presence.sessions.to_string())),
                (P::Commands, V::Str(&commands)),
            ],
        );
    }

    fn help(&mut self, entry: &HelpEntry) {
        match entry {
            HelpEntry::Command(name) => {
                self.each_form(name, |lines, form| lines.reply(Reply::Help, form));
            }
            HelpEntry::Provided {
                command,
                provider,
                help,
            } => self.reply(
                Reply::HelpProvided,
                &[
                    (P::Command, V::Str(command.as_str())),
                    (P::Provider, V::Str(provider.as_str())),
                    (P::Help, V::Text(help, None)),
                ],
            ),
        }
    }

    /// The verb of the command of this name; what is no such name is left as it is.
    fn verb_of<'n>(&self, name: &'n str) -> &'n str
    where
        'r: 'n,
    {
        let verbs = self.dialect.verbs_of(name);
        verbs.first().map_or(name, |verb| verb.as_str())
    }

    fn list<'i>(&self, items: impl Iterator<Item = &'i str>) -> String {
        items.collect::<Vec<_>>().join(self.dialect.separator())
    }

    fn reply(&mut self, reply: Reply, values: &[(P, V<'_>)]) {
        if let Some(template) = self.dialect.reply(reply) {
            self.line(template, values);
        }
    }

    fn line(&mut self, template: &Template, values: &[(P, V<'_>)]) {
        if template.pieces().is_empty() {
            return;
        }
        let start = self.out.len();
        let mut after_space = false;
        for piece in template.pieces() {
            match piece {
                Piece::Literal(literal) => {
                    self.put_str(literal);
                    after_space = literal.ends_with(' ');
                }
                Piece::Placeholder(placeholder) => {
                    let value = values.iter().find(|(p, _)| p == placeholder);
                    match value.filter(|(_, value)| !value.is_empty()) {
                        Some((_, value)) => self.put(*value),
                        None if after_space => drop(self.out.pop()),
                        None => {}
                    }
                    after_space = false;
                }
            }
        }
        // The last line of defence: whatever was put in, this is one line.
        for byte in self.out.iter_mut().skip(start) {
            if *byte == b'\n' {
                *byte = b' ';
            }
        }
        self.out.push(b'\n');
    }

    fn put(&mut self, value: V<'_>) {
        match value {
            V::Str(text) => self.put_str(text),
            V::Raw(bytes) => self.out.extend_from_slice(bytes),
            V::Text(bytes, from) => self.put_text(bytes, from),
            V::Word(bytes, from) => {
                let start = self.out.len();
                self.put_text(bytes, from);
                self.keep_one_word(start);
            }
        }
    }

    fn put_str(&mut self, text: &str) {
        let encoding = self.encoding.unwrap_or(Encoding::Utf8);
        if text.contains(char::is_control) {
            encoding.encode(&text.replace(char::is_control, " "), self.out);
        } else {
            encoding.encode(text, self.out);
        }
    }

    fn put_text(&mut self, bytes: &[u8], from: Option<Encoding>) {
        match self.encoding {
            Some(to) => {
                let converted = Encoding::convert(bytes, from, to);
                self.out.extend_from_slice(&converted);
            }
            None => self.out.extend_from_slice(bytes),
        }
    }

    /// A conversion can bring spaces into a word (Quake has several), or a colon to its front.
    fn keep_one_word(&mut self, start: usize) {
        let mut word = self.out.iter_mut().skip(start).peekable();
        if let Some(first) = word.peek_mut()
            && **first == b':'
        {
            **first = b'_';
        }
        for byte in word {
            if *byte <= b' ' || *byte == 0x7f {
                *byte = b'_';
            }
        }
    }
}
