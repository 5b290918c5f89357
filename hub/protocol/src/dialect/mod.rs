//! The words of the central dialect, as data an operator can replace.
//!
//! Comes in: the text of a dialect file (TOML; `dialects/central.toml` is the one shipped, and
//! explains every key). Goes out: the forms of lines cut into pieces, for [`crate::central`].

mod file;
mod pattern;
mod template;
mod words;

pub(crate) use pattern::{Pattern, trim_start_spaces};
pub(crate) use template::{Piece, Placeholder, Template};
pub(crate) use words::{Builtin, Reply};

use crate::{RoleName, Verb};

/// Who receives the line of a relay command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// Every client, the sender included.
    All,
    /// Every client but the sender.
    Others,
    /// The clients of one role.
    Role(RoleName),
    /// The sender only.
    Sender,
}

/// A command that a dialect file declares: its line is passed on, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayCommand {
    /// The first word of its line.
    pub verb: Verb,
    /// The roles that may send it; none means every role.
    pub roles: Option<Vec<RoleName>>,
    /// Who receives it.
    pub to: Recipients,
    /// The line that recipients see.
    pub(crate) line: Template,
    /// A line of help; may be empty.
    pub(crate) help: String,
}

/// Why a dialect file is not valid: every mistake in it, one a line, each with the number of
/// its line in the file, the thing, and the way out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DialectError(String);

/// What is done with a line that is no command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum OnLine {
    Ignore,
    #[default]
    Refuse,
}

/// The lines of a built-in command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CommandWords {
    /// The forms it is taken in; none: it is switched off.
    pub(crate) lines: Vec<Pattern>,
    /// A line of help.
    pub(crate) help: String,
}

/// A command that can be called by a verb.
#[derive(Debug)]
pub(crate) enum Known<'d> {
    Builtin(Builtin, &'d Pattern),
    Relay(&'d RelayCommand),
}

/// The words of the central dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    empty_lines: OnLine,
    unknown_lines: OnLine,
    greeting: Vec<Template>,
    separator: String,
    /// In the order of [`Builtin::ALL`].
    commands: [CommandWords; Builtin::ALL.len()],
    /// In the order of [`Reply::ALL`].
    replies: [Template; Reply::ALL.len()],
    relays: Vec<RelayCommand>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self::shipped()
    }
}

impl Dialect {
    /// The dialect file as shipped: what an operator copies and edits.
    pub const SHIPPED: &str = include_str!("../../dialects/central.toml");

    /// The central dialect as shipped.
    pub fn shipped() -> Self {
        // That it has no mistake is tested; were there one, the lines without would hold.
        file::read(Self::SHIPPED, Self::empty()).0
    }

    /// Reads a dialect file. What it leaves out is as shipped.
    ///
    /// The error names every mistake in the file.
    pub fn parse(toml: &str) -> Result<Self, DialectError> {
        let (dialect, problems) = file::read(toml, Self::shipped());
        if problems.is_empty() {
            Ok(dialect)
        } else {
            Err(DialectError(problems.join("\n")))
        }
    }

    fn empty() -> Self {
        Self {
            empty_lines: OnLine::default(),
            unknown_lines: OnLine::default(),
            greeting: Vec::new(),
            separator: " ".to_owned(),
            commands: std::array::from_fn(|_| CommandWords::default()),
            replies: std::array::from_fn(|_| Template::default()),
            relays: Vec::new(),
        }
    }

    /// The relay command of this verb.
    pub fn relay(&self, verb: &Verb) -> Option<&RelayCommand> {
        self.relays.iter().find(|relay| relay.verb == *verb)
    }

    /// Every relay command, in the order of the file.
    pub fn relays(&self) -> &[RelayCommand] {
        &self.relays
    }

    pub(crate) fn on_empty_line(&self) -> OnLine {
        self.empty_lines
    }

    pub(crate) fn on_unknown_line(&self) -> OnLine {
        self.unknown_lines
    }

    pub(crate) fn greeting(&self) -> &[Template] {
        &self.greeting
    }

    /// What stands between the items of a list.
    pub(crate) fn separator(&self) -> &str {
        &self.separator
    }

    pub(crate) fn reply(&self, reply: Reply) -> Option<&Template> {
        self.replies.get(reply as usize)
    }

    pub(crate) fn command(&self, builtin: Builtin) -> Option<&CommandWords> {
        self.commands.get(builtin as usize)
    }

    /// The command whose line starts with this word; case does not matter.
    pub(crate) fn known(&self, word: &[u8]) -> Option<Known<'_>> {
        let is_word = |verb: &Verb| verb.as_str().as_bytes().eq_ignore_ascii_case(word);
        for (builtin, command) in Builtin::ALL.into_iter().zip(&self.commands) {
            if let Some(pattern) = command.lines.iter().find(|line| is_word(line.verb())) {
                return Some(Known::Builtin(builtin, pattern));
            }
        }
        let relay = self.relays.iter().find(|relay| is_word(&relay.verb));
        relay.map(Known::Relay)
    }

    /// The verbs under which clients send the command of this name ([`crate::Command::name`]);
    /// none when it is switched off or not of this dialect.
    pub(crate) fn verbs_of(&self, name: &str) -> Vec<&Verb> {
        if let Some(command) = Builtin::named(name).and_then(|b| self.command(b)) {
            return command.lines.iter().map(Pattern::verb).collect();
        }
        let relays = self.relays.iter().map(|relay| &relay.verb);
        relays.filter(|verb| verb.as_str() == name).collect()
    }
}
