//! Walks a TOML file of which every value knows its place, and collects all that is wrong.
//!
//! A [`Section`] hands out values by key, and refuses the keys that nobody asked it for when it
//! is dropped; so the code that reads a key is all that makes it known. What is missing or wrong
//! leaves the default as it is.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::time::Duration;

use toml::de::DeTable;

use super::error::Problem;
use super::value::{Value, hint, short};

/// What was found so far.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: RefCell<Vec<Problem>>,
}

impl<'t> Problems<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self {
            text,
            found: RefCell::default(),
        }
    }

    pub(super) fn add(&self, at: &Range<usize>, what: &str) {
        let before = self.text.as_bytes().iter().take(at.start);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        // Each is one line, whatever a library says.
        let what = what.replace(['\n', '\r'], " ");
        self.found.borrow_mut().push(Problem {
            line: Some(line),
            what,
        });
    }

    /// In the order of the lines.
    pub(super) fn into_sorted(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|problem| problem.line);
        found
    }
}

/// A table of the file, or one that is missing and so has nothing but defaults.
pub(super) struct Section<'r, 't> {
    /// With its parents, as `ssh.penalties`; empty for the whole file.
    path: String,
    at: Range<usize>,
    table: Option<&'r DeTable<'t>>,
    known: Vec<&'static str>,
    problems: &'r Problems<'t>,
}

impl<'r, 't> Section<'r, 't> {
    pub(super) fn new(
        path: String,
        at: Range<usize>,
        table: &'r DeTable<'t>,
        problems: &'r Problems<'t>,
    ) -> Self {
        Self {
            path,
            at,
            table: Some(table),
            known: Vec::new(),
            problems,
        }
    }

    /// The whole file.
    pub(super) fn whole(table: &'r DeTable<'t>, problems: &'r Problems<'t>) -> Self {
        Self::new(String::new(), 0..0, table, problems)
    }

    /// The value of a key; none when it is left out.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value<'r, 't>> {
        self.known.push(key);
        let value = self.table?.get(key)?;
        Some(Value::new(join(&self.path, key), value, self.problems))
    }

    /// The table under a key.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'r, 't> {
        let value = self.value(key);
        value
            .and_then(|value| value.section())
            .unwrap_or_else(|| Section {
                path: join(&self.path, key),
                at: self.at.clone(),
                table: None,
                known: Vec::new(),
                problems: self.problems,
            })
    }

    /// Everything under a key whose own keys are names that the operator chose, in the order of
    /// the file. Empty when it is left out.
    pub(super) fn entries(&mut self, key: &'static str) -> Vec<Entry<'r, 't>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(table) = value.table() else {
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (key, inner) in table {
            let path = join(value.key(), key.get_ref());
            let value = Value::new(path, inner, self.problems);
            entries.push(Entry {
                name: key.get_ref(),
                at: key.span(),
                value,
            });
        }
        entries.sort_by_key(|entry| entry.at.start);
        entries
    }

    /// Something is wrong with it as a whole.
    pub(super) fn problem(&self, what: impl Display) {
        self.problems
            .add(&self.at, &format!("`{}`: {what}", self.path));
    }

    /// A whole number.
    pub(super) fn integer<T: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        target: &mut T,
    ) {
        set(
            target,
            self.value(key).and_then(|value| value.integer(range)),
        );
    }

    /// A time.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
        target: &mut Duration,
    ) {
        set(
            target,
            self.value(key).and_then(|value| value.duration(range)),
        );
    }

    /// `true` or `false`.
    pub(super) fn bool(&mut self, key: &'static str, target: &mut bool) {
        set(target, self.value(key).and_then(|value| value.bool()));
    }

    /// One of these words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
        target: &mut T,
    ) {
        set(
            target,
            self.value(key).and_then(|value| value.choice(choices)),
        );
    }

    /// A text that is read into a `T`, with a default in the same form. None when it is wrong.
    pub(super) fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        default: &str,
    ) -> Option<T> {
        match self.value(key) {
            Some(value) => value.parsed(),
            None => default.parse().ok(),
        }
    }
}

impl Drop for Section<'_, '_> {
    /// Refuses what was not asked for.
    fn drop(&mut self) {
        for key in self.table.iter().flat_map(|table| table.keys()) {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            let path = join(&self.path, name);
            let hint = hint(name, &self.known);
            self.problems
                .add(&key.span(), &format!("key `{path}` is not known; {hint}"));
        }
    }
}

/// A value under a name that the operator chose.
pub(super) struct Entry<'r, 't> {
    pub(super) name: &'r str,
    at: Range<usize>,
    pub(super) value: Value<'r, 't>,
}

impl Entry<'_, '_> {
    /// The name as a `T`.
    pub(super) fn named<T: FromStr<Err: Display>>(&self) -> Option<T> {
        let read = self
            .name
            .parse()
            .map_err(|error: T::Err| self.problem(error));
        read.ok()
    }

    /// Something is wrong with the name.
    pub(super) fn problem(&self, what: impl Display) {
        self.value.problem_at(&self.at, what);
    }
}

fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

/// The path of a key in a table, in quotes where TOML needs them.
fn join(path: &str, key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let key = if !key.is_empty() && key.chars().all(plain) {
        key.to_owned()
    } else {
        format!("{:?}", short(key))
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}
