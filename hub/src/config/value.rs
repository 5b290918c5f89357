//! One value of a TOML file: what is read from it, and what is said when it is wrong.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use cmp_protocol::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration::{parse_duration, show};
use super::reader::{Problems, Section};

/// A value of the file.
pub(super) struct Value<'r, 't> {
    key: String,
    found: &'r Spanned<DeValue<'t>>,
    problems: &'r Problems<'t>,
}

impl<'r, 't> Value<'r, 't> {
    /// `key` with its parents, as `ssh.listen`.
    pub(super) fn new(
        key: String,
        found: &'r Spanned<DeValue<'t>>,
        problems: &'r Problems<'t>,
    ) -> Self {
        Self {
            key,
            found,
            problems,
        }
    }

    /// The key with its parents.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Something is wrong with it.
    pub(super) fn problem(&self, what: impl Display) {
        self.problem_at(&self.found.span(), what);
    }

    /// Something is wrong with what belongs to it.
    pub(super) fn problem_at(&self, at: &Range<usize>, what: impl Display) {
        self.problems.add(at, &format!("`{}`: {what}", self.key));
    }

    /// What was read from it, or none and the problem.
    pub(super) fn valid<T>(&self, read: Result<T, impl Display>) -> Option<T> {
        read.map_err(|error| self.problem(error)).ok()
    }

    pub(super) fn string(&self) -> Option<&'r str> {
        self.expect(self.found.get_ref().as_str(), "a text in quotes")
    }

    /// Whether it is exactly this text; anything else is no mistake here.
    pub(super) fn is_text(&self, text: &str) -> bool {
        self.found.get_ref().as_str() == Some(text)
    }

    /// Whether it is a text that starts so; anything else is no mistake here.
    pub(super) fn starts_with(&self, prefix: &str) -> bool {
        self.found
            .get_ref()
            .as_str()
            .is_some_and(|text| text.starts_with(prefix))
    }

    pub(super) fn bool(&self) -> Option<bool> {
        self.expect(self.found.get_ref().as_bool(), "true or false")
    }

    pub(super) fn integer<T: TryFrom<u64>>(&self, range: RangeInclusive<u64>) -> Option<T> {
        let number = self.expect(self.found.get_ref().as_integer(), "a whole number")?;
        let read = u64::from_str_radix(number.as_str(), number.radix());
        let within = read.ok().filter(|read| range.contains(read));
        let read = within.and_then(|read| T::try_from(read).ok());
        let (low, high) = range.into_inner();
        let problem = || format!("{number} is out of range; it can be {low} to {high}");
        self.valid(read.ok_or_else(problem))
    }

    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        if let Some(number) = self.found.get_ref().as_integer() {
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
        self.problem(format!(
            "{} is out of range; it can be {low} to {high}",
            show(time)
        ));
        None
    }

    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string()?;
        let found = choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, choice)| *choice);
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
        let list = self.expect(self.found.get_ref().as_array(), "a list: [\"…\", \"…\"]")?;
        let item = |item| Self::new(self.key.clone(), item, self.problems);
        Some(list.iter().map(item).collect())
    }

    pub(super) fn section(&self) -> Option<Section<'r, 't>> {
        let at = self.found.span();
        Some(Section::new(
            self.key.clone(),
            at,
            self.table()?,
            self.problems,
        ))
    }

    pub(super) fn table(&self) -> Option<&'r DeTable<'t>> {
        self.expect(self.found.get_ref().as_table(), "a table")
    }

    fn expect<T>(&self, value: Option<T>, what: &str) -> Option<T> {
        let found = match self.found.get_ref() {
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
    format!(
        "there is no {what} {:?}; {}",
        short(text),
        hint(text, known)
    )
}

/// Which one was probably meant, or which ones there are.
pub(super) fn hint(text: &str, known: &[&str]) -> String {
    match nearest(&short(text), known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "none is known".to_owned(),
        None => format!("known are {}", known.join(", ")),
    }
}

/// As much of a text as is worth repeating.
pub(super) fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
