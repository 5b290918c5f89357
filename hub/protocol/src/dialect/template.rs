//! Lines with `{placeholders}`, cut into pieces when the dialect file is read.

use std::fmt;

/// Declares the placeholders with their names in a dialect file.
macro_rules! placeholders {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a placeholder stands for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Placeholder {
            $($(#[$doc])* $name,)*
        }

        impl Placeholder {
            /// The name between the braces.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

placeholders! {
    Client = "client",
    Code = "code",
    Command = "command",
    Commands = "commands",
    Help = "help",
    Hub = "hub",
    Id = "id",
    Kind = "kind",
    Kinds = "kinds",
    Nick = "nick",
    Origin = "origin",
    Params = "params",
    Provider = "provider",
    Reason = "reason",
    Role = "role",
    Sessions = "sessions",
    Subject = "subject",
    /// `COMMAND`, `COMMAND@client` or `COMMAND@*`.
    Target = "target",
    Text = "text",
    Topic = "topic",
    Usage = "usage",
    /// The kind of a message in upper case.
    Verb = "verb",
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.name())
    }
}

/// A part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Written as it is; never empty.
    Literal(String),
    /// Replaced by what it stands for.
    Placeholder(Placeholder),
}

/// A line with placeholders. No pieces: the line is not shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Cuts `text` into pieces; `{{` and `}}` are braces. An error says what is wrong and how to
    /// put it right.
    pub(crate) fn parse(text: &str, allowed: &[Placeholder]) -> Result<Self, String> {
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            return Err(format!(
                "the control character {control:?} cannot stand in a line; take it out"
            ));
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = brace.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = brace.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else {
                let (name, after) = brace
                    .strip_prefix('{')
                    .and_then(|inside| inside.split_once('}'))
                    .ok_or("a brace without its partner; write {{ or }} for a brace itself")?;
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Placeholder(find(name, allowed)?));
                rest = after;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self { pieces })
    }

    /// The parts, in order; two literals never stand side by side.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether it has this placeholder.
    pub(crate) fn has(&self, placeholder: Placeholder) -> bool {
        self.pieces.contains(&Piece::Placeholder(placeholder))
    }
}

fn find(name: &str, allowed: &[Placeholder]) -> Result<Placeholder, String> {
    if let Some(found) = allowed.iter().find(|p| p.name() == name) {
        return Ok(*found);
    }
    let known: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    Err(if known.is_empty() {
        format!("unknown placeholder {{{name}}}; none can stand here")
    } else {
        format!(
            "unknown placeholder {{{name}}}; here can stand {}",
            known.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: &[Placeholder] = &[Placeholder::Client, Placeholder::Text];

    #[test]
    fn a_template_is_cut_into_literals_and_placeholders() {
        let template = Template::parse("C {client}: {text}", ALLOWED).unwrap();
        assert_eq!(
            template.pieces(),
            [
                Piece::Literal("C ".to_owned()),
                Piece::Placeholder(Placeholder::Client),
                Piece::Literal(": ".to_owned()),
                Piece::Placeholder(Placeholder::Text),
            ]
        );
    }

    #[test]
    fn doubled_braces_are_braces() {
        let template = Template::parse("{{x}} {{{text}}}", ALLOWED).unwrap();
        assert_eq!(
            template.pieces(),
            [
                Piece::Literal("{x} {".to_owned()),
                Piece::Placeholder(Placeholder::Text),
                Piece::Literal("}".to_owned()),
            ]
        );
    }

    #[test]
    fn mistakes_are_named_with_the_way_out() {
        let error = |text| Template::parse(text, ALLOWED).unwrap_err();
        assert_eq!(
            error("C {nick}"),
            "unknown placeholder {nick}; here can stand {client}, {text}"
        );
        assert!(error("a } b").contains("without its partner"));
        assert!(error("a {text").contains("without its partner"));
        assert!(error("a\nb").contains("'\\n'"));
    }
}
