//! Reads a dialect file, and names every mistake in it at once.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::pattern::Pattern;
use super::template::{Placeholder, Template};
use super::words::{Builtin, GREETING, RELAYED, Reply};
use super::{Dialect, OnLine, Recipients, RelayCommand};
use crate::nearest::nearest;
use crate::{RoleName, Verb};

/// Names of commands that the central dialect has no line for; roles permit them by these.
const JSON_ONLY: [&str; 2] = ["RESUME", "CURSOR"];

/// Reads `text` over `base`: what the file leaves out stays. Gives the result and every mistake.
pub(super) fn read(text: &str, base: Dialect) -> (Dialect, Vec<String>) {
    let mut reader = Reader {
        text,
        problems: Vec::new(),
    };
    let mut dialect = base;
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reader.problem(&error.span().unwrap_or(0..0), error.message());
    }
    if errors.is_empty() {
        reader.dialect(table.get_ref(), &mut dialect);
    }
    (dialect, reader.in_order())
}

/// A value of the file with its place.
type Value<'t> = Spanned<DeValue<'t>>;

struct Reader<'t> {
    text: &'t str,
    /// With the number of the line, from 1.
    problems: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn problem(&mut self, at: &Range<usize>, what: &str) {
        self.problems.push((self.line_of(at), what.to_owned()));
    }

    fn in_order(mut self) -> Vec<String> {
        self.problems.sort();
        let all = self.problems.into_iter();
        all.map(|(line, what)| format!("line {line}: {what}"))
            .collect()
    }

    fn line_of(&self, at: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(at.start);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    fn dialect(&mut self, table: &DeTable<'_>, dialect: &mut Dialect) {
        let sections = ["input", "greeting", "commands", "replies", "relay"];
        self.known_keys(table, "the file", &sections);
        if let Some(input) = self.section(table, "input") {
            self.input(input, dialect);
        }
        if let Some(greeting) = self.section(table, "greeting") {
            self.greeting(greeting, dialect);
        }
        if let Some(commands) = self.section(table, "commands") {
            self.commands(commands, dialect);
        }
        if let Some(replies) = self.section(table, "replies") {
            self.replies(replies, dialect);
        }
        if let Some(relays) = table.get("relay") {
            self.relays(relays, dialect);
        }
        self.every_verb_is_one_command(table, dialect);
    }

    fn input(&mut self, table: &DeTable<'_>, dialect: &mut Dialect) {
        self.known_keys(table, "[input]", &["empty_lines", "unknown_lines"]);
        let choices = [("ignore", OnLine::Ignore), ("refuse", OnLine::Refuse)];
        let mut choose = |key: &str, target: &mut OnLine| {
            let Some(value) = table.get(key) else { return };
            let Some(text) = self.string(value, key) else {
                return;
            };
            match choices.iter().find(|(name, _)| *name == text) {
                Some((_, choice)) => *target = *choice,
                None => self.problem(
                    &value.span(),
                    &format!("{key} = {text:?} is not known; write \"ignore\" or \"refuse\""),
                ),
            }
        };
        choose("empty_lines", &mut dialect.empty_lines);
        choose("unknown_lines", &mut dialect.unknown_lines);
    }

    fn greeting(&mut self, table: &DeTable<'_>, dialect: &mut Dialect) {
        self.known_keys(table, "[greeting]", &["lines", "separator"]);
        if let Some(lines) = table.get("lines") {
            dialect.greeting =
                self.each_string(lines, "lines", |line| Template::parse(line, GREETING));
        }
        if let Some(value) = table.get("separator")
            && let Some(text) = self.string(value, "separator")
        {
            if text.chars().any(char::is_control) {
                self.problem(
                    &value.span(),
                    "separator cannot have control characters; use a space or a comma",
                );
            } else {
                text.clone_into(&mut dialect.separator);
            }
        }
    }

    fn commands(&mut self, table: &DeTable<'_>, dialect: &mut Dialect) {
        let names = Builtin::ALL.map(Builtin::name);
        self.known_keys(table, "[commands]", &names);
        for (builtin, words) in Builtin::ALL.into_iter().zip(&mut dialect.commands) {
            let name = builtin.name();
            let Some(command) = self.section(table, name) else {
                continue;
            };
            self.known_keys(command, &format!("[commands.{name}]"), &["lines", "help"]);
            if let Some(lines) = command.get("lines") {
                words.lines = self.each_string(lines, "lines", |line| {
                    Pattern::parse(line, builtin.placeholders())
                });
            }
            if let Some(help) = command.get("help") {
                words.help = self.help(help);
            }
        }
    }

    fn replies(&mut self, table: &DeTable<'_>, dialect: &mut Dialect) {
        self.known_keys(table, "[replies]", &Reply::ALL.map(Reply::key));
        for (reply, template) in Reply::ALL.into_iter().zip(&mut dialect.replies) {
            if let Some(value) = table.get(reply.key())
                && let Some(read) = self.template(value, reply.key(), reply.placeholders())
            {
                *template = read;
            }
        }
    }

    fn relays(&mut self, value: &Value<'_>, dialect: &mut Dialect) {
        dialect.relays = Vec::new();
        let Some(relays) = value.get_ref().as_array() else {
            self.problem(
                &value.span(),
                "relay is a list; start each relay command with [[relay]]",
            );
            return;
        };
        for relay in relays {
            if let Some(table) = self.table(relay, "relay") {
                let read = self.relay(table, &relay.span());
                dialect.relays.extend(read);
            }
        }
    }

    fn relay(&mut self, table: &DeTable<'_>, at: &Range<usize>) -> Option<RelayCommand> {
        let keys = ["verb", "roles", "to", "line", "help"];
        self.known_keys(table, "[[relay]]", &keys);
        let mut required = |key: &str, example: &str| {
            let value = table.get(key);
            if value.is_none() {
                let problem = format!("[[relay]] lacks {key}; add for example {key} = {example}");
                self.problem(at, &problem);
            }
            value
        };
        let verb = required("verb", "\"MSG\"");
        let to = required("to", "\"others\"");
        let line = required("line", "\"MSG {client} {text}\"");

        // Each is read before any `?`, so that all mistakes are named.
        let roles = table.get("roles").map(|value| self.roles(value));
        let help = table.get("help").map(|value| self.help(value));
        let verb = verb.and_then(|value| self.relay_verb(value));
        let to = to.and_then(|value| self.recipients(value));
        let line = line.and_then(|value| self.template(value, "line", RELAYED));
        Some(RelayCommand {
            verb: verb?,
            roles,
            to: to?,
            line: line?,
            help: help.unwrap_or_default(),
        })
    }

    fn relay_verb(&mut self, value: &Value<'_>) -> Option<Verb> {
        let text = self.string(value, "verb")?;
        let verb = self.valid(value, Verb::new(text))?;
        // Roles permit commands by name, so a relay command cannot have one of those, even if
        // its line is switched off or renamed.
        if Builtin::named(verb.as_str()).is_some() || JSON_ONLY.contains(&verb.as_str()) {
            let problem = format!(
                "the relay command {verb} has the name of a built-in command; choose another \
                 verb, or change [commands.{verb}]"
            );
            self.problem(&value.span(), &problem);
            return None;
        }
        Some(verb)
    }

    fn roles(&mut self, value: &Value<'_>) -> Vec<RoleName> {
        let roles = self.each_string(value, "roles", |role| {
            RoleName::new(role).map_err(|error| error.to_string())
        });
        if value
            .get_ref()
            .as_array()
            .is_some_and(|list| list.is_empty())
        {
            self.problem(
                &value.span(),
                "roles is empty, so nobody could send this; leave it out for every role",
            );
        }
        roles
    }

    fn recipients(&mut self, value: &Value<'_>) -> Option<Recipients> {
        let text = self.string(value, "to")?;
        match text {
            "all" => Some(Recipients::All),
            "others" => Some(Recipients::Others),
            "sender" => Some(Recipients::Sender),
            _ => {
                if let Some(role) = text.strip_prefix("role:") {
                    return self.valid(value, RoleName::new(role)).map(Recipients::Role);
                }
                let problem = format!(
                    "to = {text:?} is not known; write \"all\", \"others\", \"sender\" or \
                     \"role:NAME\""
                );
                self.problem(&value.span(), &problem);
                None
            }
        }
    }

    /// No verb may start the lines of two commands. The place named is that of the section, for
    /// a verb can come from the file or from what is shipped.
    fn every_verb_is_one_command(&mut self, table: &DeTable<'_>, dialect: &Dialect) {
        let lines = dialect.commands.iter().flat_map(|c| &c.lines);
        let builtin = lines.map(|line| (line.verb(), "commands"));
        let relayed = dialect.relays.iter().map(|relay| (&relay.verb, "relay"));
        let mut seen: Vec<&Verb> = Vec::new();
        for (verb, section) in builtin.chain(relayed) {
            if seen.contains(&verb) {
                let key = table.get_key_value(section).map(|(key, _)| key.span());
                let problem = format!(
                    "in {section}: two lines start with {verb}; give one of them another verb"
                );
                self.problem(&key.unwrap_or(0..0), &problem);
            }
            seen.push(verb);
        }
    }

    fn known_keys(&mut self, table: &DeTable<'_>, place: &str, known: &[&str]) {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let hint = match nearest(name, known) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("known are {}", known.join(", ")),
                };
                self.problem(
                    &key.span(),
                    &format!("unknown key {name:?} in {place}; {hint}"),
                );
            }
        }
    }

    fn section<'t>(&mut self, table: &'t DeTable<'_>, key: &str) -> Option<&'t DeTable<'t>> {
        self.table(table.get(key)?, key)
    }

    fn table<'t>(&mut self, value: &'t Value<'_>, key: &str) -> Option<&'t DeTable<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.problem(&value.span(), &format!("{key} must be a table"));
        }
        table
    }

    fn string<'t>(&mut self, value: &'t Value<'_>, key: &str) -> Option<&'t str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let kind = value.get_ref().type_str();
            let problem = format!("{key} must be a text in quotes, not of type {kind}");
            self.problem(&value.span(), &problem);
        }
        text
    }

    fn each_string<T>(
        &mut self,
        value: &Value<'_>,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(list) = value.get_ref().as_array() else {
            let problem = format!("{key} must be a list of texts: [\"…\", \"…\"]");
            self.problem(&value.span(), &problem);
            return Vec::new();
        };
        let mut all = Vec::new();
        for item in list {
            if let Some(text) = self.string(item, key) {
                match read(text) {
                    Ok(read) => all.push(read),
                    Err(error) => self.problem(&item.span(), &format!("{text:?}: {error}")),
                }
            }
        }
        all
    }

    fn template(
        &mut self,
        value: &Value<'_>,
        key: &str,
        placeholders: &[Placeholder],
    ) -> Option<Template> {
        let text = self.string(value, key)?;
        let template = Template::parse(text, placeholders);
        self.valid(value, template.map_err(|error| format!("{key}: {error}")))
    }

    fn help(&mut self, value: &Value<'_>) -> String {
        let text = self.string(value, "help").unwrap_or_default();
        if text.chars().any(char::is_control) {
            self.problem(&value.span(), "help must be one line");
        }
        text.to_owned()
    }

    fn valid<T>(&mut self, value: &Value<'_>, read: Result<T, impl ToString>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(error) => {
                self.problem(&value.span(), &error.to_string());
                None
            }
        }
    }
}
