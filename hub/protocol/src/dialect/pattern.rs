//! The form of a line that a client sends, declared with placeholders.

use super::template::{Piece, Placeholder, Template};
use crate::Verb;

/// How far a command needs a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// In the pattern and in every line.
    Always,
    /// The pattern can do without; if it has it, every line has it.
    IfDeclared,
    /// A line can do without.
    Optional,
}

/// A placeholder of a [`Pattern`], and what leads to it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Param {
    /// What stands before it, from the verb or the placeholder before. A space at its end is
    /// one or more spaces, except before raw text, where it is one.
    lead: String,
    placeholder: Placeholder,
    required: bool,
}

impl Param {
    /// Whether this takes the rest of the line with its spaces.
    fn is_text(&self) -> bool {
        matches!(
            self.placeholder,
            Placeholder::Text | Placeholder::Params | Placeholder::Help
        )
    }
}

/// The form of a line: a verb and what follows.
///
/// The last placeholder takes the rest of the line. Written ` :{text}`, as in RFC 1459 section
/// 2.3.1 ("trailing"), the colon may be missing in the line and one is taken away; written
/// ` {text}`, everything after one space is the text, untouched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    verb: Verb,
    params: Vec<Param>,
    /// Before the last placeholder stands a colon that may be missing in a line.
    colon: bool,
    /// What stands after the last placeholder.
    tail: String,
}

/// What stood in the places of the placeholders.
pub(crate) type Captures<'l> = Vec<(Placeholder, &'l [u8])>;

/// A required placeholder for which the line has nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) Placeholder);

impl Pattern {
    /// Takes a template as a pattern for a command that knows these `placeholders`. An error
    /// says what is wrong and how to put it right.
    pub(crate) fn parse(text: &str, placeholders: &[(Placeholder, Need)]) -> Result<Self, String> {
        let allowed: Vec<Placeholder> = placeholders.iter().map(|(p, _)| *p).collect();
        let template = Template::parse(text, &allowed)?;
        let lacking = |(p, need): &&(_, _)| *need == Need::Always && !template.has(*p);
        if let Some((lacking, _)) = placeholders.iter().find(lacking) {
            return Err(format!("{lacking} is missing; the command needs it"));
        }
        let mut pieces = template.pieces().iter();
        let Some(Piece::Literal(first)) = pieces.next() else {
            return Err("a line starts with the verb of the command".to_owned());
        };
        let (verb, mut lead) = match first.find(' ') {
            Some(at) => first.split_at(at),
            None => (first.as_str(), ""),
        };
        let verb = Verb::new(verb).map_err(|error| error.to_string())?;

        let mut params: Vec<Param> = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Literal(literal) => lead = literal,
                Piece::Placeholder(placeholder) => {
                    if lead.is_empty() {
                        return Err(format!("{placeholder} needs a space or a sign before it"));
                    }
                    if params.iter().any(|p| p.placeholder == *placeholder) {
                        return Err(format!("{placeholder} stands twice; take one out"));
                    }
                    let required = !placeholders.contains(&(*placeholder, Need::Optional));
                    if required && params.last().is_some_and(|p| !p.required) {
                        return Err(format!(
                            "{placeholder} must stand before those that may be missing"
                        ));
                    }
                    params.push(Param {
                        lead: lead.to_owned(),
                        placeholder: *placeholder,
                        required,
                    });
                    lead = "";
                }
            }
        }
        let tail = lead.to_owned();
        if params.is_empty() && !tail.is_empty() {
            return Err("words after the verb would never be looked at; take them out".to_owned());
        }
        let mut colon = false;
        if let Some(last) = params.last_mut()
            && let Some(space) = last.lead.strip_suffix(':').filter(|l| l.ends_with(' '))
        {
            last.lead = space.to_owned();
            colon = true;
        }
        Ok(Self {
            verb,
            params,
            colon,
            tail,
        })
    }

    /// The first word of the line.
    pub(crate) fn verb(&self) -> &Verb {
        &self.verb
    }

    /// Whether it has this placeholder.
    pub(crate) fn has(&self, placeholder: Placeholder) -> bool {
        self.params.iter().any(|p| p.placeholder == placeholder)
    }

    /// Finds what stands in the places of the placeholders. `rest` is the line after the verb;
    /// what follows the verb of a command without placeholders is not looked at.
    pub(crate) fn read<'l>(&self, mut rest: &'l [u8]) -> Result<Captures<'l>, Missing> {
        let mut captures = Captures::with_capacity(self.params.len());
        for (index, param) in self.params.iter().enumerate() {
            let next = self.params.get(index + 1);
            let value = self.strip_lead(rest, param, next.is_none()).map(|found| {
                let (value, after) = match next {
                    Some(next) => split_before(found, next.lead.as_bytes()),
                    None => (
                        found.strip_suffix(self.tail.as_bytes()).unwrap_or(found),
                        &[][..],
                    ),
                };
                rest = after;
                if param.is_text() {
                    value
                } else {
                    trim_end_spaces(value)
                }
            });
            match value.filter(|value| !value.is_empty()) {
                Some(value) => captures.push((param.placeholder, value)),
                None if param.required => return Err(Missing(param.placeholder)),
                None => break,
            }
        }
        Ok(captures)
    }

    fn strip_lead<'l>(&self, rest: &'l [u8], param: &Param, last: bool) -> Option<&'l [u8]> {
        let mut found = rest.strip_prefix(param.lead.as_bytes())?;
        let raw = last && !self.colon && param.is_text();
        if param.lead.ends_with(' ') && !raw {
            found = trim_start_spaces(found);
        }
        if last && self.colon {
            found = found.strip_prefix(b":").unwrap_or(found);
        }
        Some(found)
    }

    /// The form for people: `BC <kind> <nick> <origin> :<text>`, `PING [text]`.
    pub(crate) fn usage(&self) -> String {
        let mut usage = self.verb.to_string();
        for (index, param) in self.params.iter().enumerate() {
            let colon = if self.colon && index + 1 == self.params.len() {
                ":"
            } else {
                ""
            };
            usage.push_str(&param.lead);
            let name = param.placeholder.name();
            let parts: [&str; 4] = match (param.placeholder, param.required) {
                (Placeholder::Target, _) => ["", colon, "<command>[@client|@*]", ""],
                (_, true) => [colon, "<", name, ">"],
                (_, false) => ["[", colon, name, "]"],
            };
            usage.extend(parts);
        }
        usage.push_str(&self.tail);
        usage
    }
}

/// What stands before the first `mark`, and the rest from there on; all, if there is no `mark`.
fn split_before<'l>(text: &'l [u8], mark: &[u8]) -> (&'l [u8], &'l [u8]) {
    let at = text.windows(mark.len()).position(|window| window == mark);
    at.and_then(|at| text.split_at_checked(at))
        .unwrap_or((text, &[]))
}

pub(crate) fn trim_start_spaces(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b" ") {
        text = rest;
    }
    text
}

fn trim_end_spaces(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_suffix(b" ") {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const BC: &[(Placeholder, Need)] = &[
        (Placeholder::Kind, Need::IfDeclared),
        (Placeholder::Nick, Need::Always),
        (Placeholder::Origin, Need::Always),
        (Placeholder::Text, Need::Always),
    ];

    fn read(pattern: &Pattern, rest: &str) -> Result<Vec<(String, String)>, Missing> {
        let captures = pattern.read(rest.as_bytes())?;
        Ok(captures
            .iter()
            .map(|(p, v)| (p.to_string(), String::from_utf8_lossy(v).into_owned()))
            .collect())
    }

    fn values(pattern: &Pattern, rest: &str) -> Vec<String> {
        let captures = read(pattern, rest).unwrap();
        captures.into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn the_last_parameter_takes_the_rest_with_or_without_its_colon() {
        let pattern = Pattern::parse("BC {kind} {nick} {origin} :{text}", BC).unwrap();
        for rest in [
            " qw paul #own3r :4on4 mix, two more ",
            " qw  paul #own3r   4on4 mix, two more ",
        ] {
            assert_eq!(
                values(&pattern, rest),
                ["qw", "paul", "#own3r", "4on4 mix, two more "]
            );
        }
        assert_eq!(
            values(&pattern, " qw paul #own3r ::)").last().unwrap(),
            ":)"
        );
        assert_eq!(pattern.usage(), "BC <kind> <nick> <origin> :<text>");
    }

    #[test]
    fn raw_text_is_all_after_one_space() {
        let pattern = Pattern::parse("C {text}", &[(Placeholder::Text, Need::Always)]).unwrap();
        assert_eq!(values(&pattern, "  :two spaces  "), [" :two spaces  "]);
        for nothing in ["", " "] {
            assert_eq!(read(&pattern, nothing), Err(Missing(Placeholder::Text)));
        }
    }

    #[test]
    fn a_missing_parameter_is_named() {
        let pattern = Pattern::parse("BC {kind} {nick} {origin} :{text}", BC).unwrap();
        for (rest, missing) in [
            ("", Placeholder::Kind),
            (" qw", Placeholder::Nick),
            (" qw paul ", Placeholder::Origin),
            (" qw paul #a", Placeholder::Text),
            (" qw paul #a :", Placeholder::Text),
        ] {
            assert_eq!(read(&pattern, rest), Err(Missing(missing)), "{rest:?}");
        }
    }

    #[test]
    fn optional_parameters_may_be_missing() {
        let pattern = Pattern::parse(
            "PROVIDE {command} :{help}",
            &[
                (Placeholder::Command, Need::Always),
                (Placeholder::Help, Need::Optional),
            ],
        )
        .unwrap();
        assert_eq!(values(&pattern, " RESOLVE "), ["RESOLVE"]);
        assert_eq!(values(&pattern, " RESOLVE :a name"), ["RESOLVE", "a name"]);
        assert_eq!(pattern.usage(), "PROVIDE <command> [:help]");
    }

    #[test]
    fn any_signs_can_stand_between_parameters() {
        let pattern = Pattern::parse("QW {nick} - {origin} : \"{text}\"", BC).unwrap();
        assert_eq!(
            values(&pattern, " paul - #own3r : \"a \"mix\" now\""),
            ["paul", "#own3r", "a \"mix\" now"]
        );
    }

    #[test]
    fn patterns_that_could_never_work_are_refused() {
        let known = [
            (Placeholder::Nick, Need::Always),
            (Placeholder::Text, Need::Optional),
        ];
        let error = |text| Pattern::parse(text, &known).unwrap_err();
        assert!(error("QW {text}").contains("{nick} is missing"));
        assert!(error("{nick}").contains("starts with the verb"));
        assert!(error("QW: {nick}").contains("verb \"QW:\" is not valid"));
        assert!(error("QW {nick}{text}").contains("{text} needs a space"));
        assert!(error("QW {nick} {nick}").contains("stands twice"));
        assert!(error("QW {text} {nick}").contains("must stand before"));
        assert!(
            Pattern::parse("PART now", &[])
                .unwrap_err()
                .contains("never be looked at")
        );
    }
}
