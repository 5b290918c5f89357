//! Walks a TOML file of which every value knows its place, and collects all that is wrong.
//!
//! A [`Section`] hands out values by key, and refuses the keys that nobody asked it for when it
//! is dropped; so the code that reads a key is all that makes it known. What is missing or wrong
//! leaves the default as it is.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use cmp_protocol::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration::{parse_duration, show};
use super::error::Problem;

/// What was found so far.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: RefCell<Vec<Problem>>,
}

impl<'t> Problems<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, found: RefCell::default() }
    }

    pub(super) fn add(&self, at: &Range<usize>, what: &str) {
        let before = self.text.as_bytes().iter().take(at.start);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        // Each is one line, whatever a library says.
        let what = what.replace(['\n', '\r'], " ");
        self.found.borrow_mut().push(Problem { line: Some(line), what });
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
    /// The whole file.
    pub(super) fn whole(table: &'r DeTable<'t>, problems: &'r Problems<'t>) -> Self {
        Self { path: String::new(), at: 0..0, table: Some(table), known: Vec::new(), problems }
    }

    /// The value of a key; none when it is left out.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value<'r, 't>> {
        self.known.push(key);
        let value = self.table?.get(key)?;
        Some(Value { path: join(&self.path, key), value, problems: self.problems })
    }

    /// The table under a key.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'r, 't> {
        let value = self.value(key);
        value.and_then(|value| value.section()).unwrap_or_else(|| Section {
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
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(table) = value.table() else { return Vec::new() };
        let mut entries = Vec::new();
        for (key, inner) in table {
            let path = join(&value.path, key.get_ref());
            let value = Value { path, value: inner, problems: self.problems };
            entries.push(Entry { name: key.get_ref(), at: key.span(), value });
        }
        entries.sort_by_key(|entry| entry.at.start);
        entries
    }

    /// Something is wrong with it as a whole.
    pub(super) fn problem(&self, what: impl Display) {
        self.problems.add(&self.at, &format!("`{}`: {what}", self.path));
    }

    /// A whole number.
    pub(super) fn integer<T: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        target: &mut T,
    ) {
        set(target, self.value(key).and_then(|value| value.integer(range)));
    }

    /// A time.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
        target: &mut Duration,
    ) {
        set(target, self.value(key).and_then(|value| value.duration(range)));
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
        set(target, self.value(key).and_then(|value| value.choice(choices)));
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
            self.problems.add(&key.span(), &format!("key `{path}` is not known; {hint}"));
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
        let read = self.name.parse().map_err(|error: T::Err| self.problem(error));
        read.ok()
    }

    /// Something is wrong with the name.
    pub(super) fn problem(&self, what: impl Display) {
        let what = format!("`{}`: {what}", self.value.path);
        self.value.problems.add(&self.at, &what);
    }
}

/// A value of the file.
pub(super) struct Value<'r, 't> {
    path: String,
    value: &'r Spanned<DeValue<'t>>,
    problems: &'r Problems<'t>,
}

impl<'r, 't> Value<'r, 't> {
    /// Something is wrong with it.
    pub(super) fn problem(&self, what: impl Display) {
        self.problems.add(&self.value.span(), &format!("`{}`: {what}", self.path));
    }

    /// What was read from it, or none and the problem.
    pub(super) fn valid<T>(&self, read: Result<T, impl Display>) -> Option<T> {
        read.map_err(|error| self.problem(error)).ok()
    }

    pub(super) fn string(&self) -> Option<&'r str> {
        self.expect(self.value.get_ref().as_str(), "a text in quotes")
    }

    /// Whether it is exactly this text.
    pub(super) fn is_text(&self, text: &str) -> bool {
        self.value.get_ref().as_str() == Some(text)
    }

    pub(super) fn bool(&self) -> Option<bool> {
        self.expect(self.value.get_ref().as_bool(), "true or false")
    }

    pub(super) fn integer<T: TryFrom<u64>>(&self, range: RangeInclusive<u64>) -> Option<T> {
        let number = self.expect(self.value.get_ref().as_integer(), "a whole number")?;
        let read = u64::from_str_radix(number.as_str(), number.radix());
        let within = read.ok().filter(|read| range.contains(read));
        let read = within.and_then(|read| T::try_from(read).ok());
        let (low, high) = range.into_inner();
        let problem = || format!("{number} is out of range; it can be {low} to {high}");
        self.valid(read.ok_or_else(problem))
    }

    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        if let Some(number) = self.value.get_ref().as_integer() {
            self.problem(format!(
                "{number} has no unit; write a text with a number and its unit: \"500ms\", \
                 \"30s\", \"10m\", \"2h\" or \"90d\""
            ));
            return None;
        }
        let time = self.valid(parse_duration(self.string()?))?;
        if range.contains(&time) {
            return Some(time);
        }
        let (low, high) = (show(*range.start()), show(*range.end()));
        self.problem(format!("{} is out of range; it can be {low} to {high}", show(time)));
        None
    }

    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string()?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        self.valid(found.ok_or_else(|| no_such("value", text, &names)))
    }

    pub(super) fn parsed<T: FromStr<Err: Display>>(&self) -> Option<T> {
        self.valid(self.string()?.parse())
    }

    /// A path, which starts at `base` when it is relative.
    pub(super) fn path(&self, base: &Path) -> Option<PathBuf> {
        let text = self.string()?;
        let path = (!text.is_empty()).then(|| base.join(text));
        self.valid(path.ok_or("is empty; name a path, or leave it out"))
    }

    /// Each value of a list.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        let list = self.expect(self.value.get_ref().as_array(), "a list: [\"…\", \"…\"]")?;
        let item =
            |value| Self { path: self.path.clone(), value, problems: self.problems };
        Some(list.iter().map(item).collect())
    }

    pub(super) fn section(&self) -> Option<Section<'r, 't>> {
        let table = Some(self.table()?);
        let path = self.path.clone();
        Some(Section { path, at: self.value.span(), table, known: Vec::new(), problems: self.problems })
    }

    fn table(&self) -> Option<&'r DeTable<'t>> {
        self.expect(self.value.get_ref().as_table(), "a table")
    }

    fn expect<T>(&self, value: Option<T>, what: &str) -> Option<T> {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.valid(value.ok_or_else(|| format!("must be {what}, not {found}")))
    }
}

/// That there is no such thing, and which one was probably meant, or which ones there are.
pub(super) fn no_such(what: &str, text: &str, known: &[&str]) -> String {
    format!("there is no {what} {:?}; {}", short(text), hint(text, known))
}

fn hint(text: &str, known: &[&str]) -> String {
    match nearest(&short(text), known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "none is known".to_owned(),
        None => format!("known are {}", known.join(", ")),
    }
}

/// As much of a text as is worth repeating.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
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
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
