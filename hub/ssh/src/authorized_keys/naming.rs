//! Which client a line of the file belongs to.

use cmp_protocol::ClientName;
use regex::Regex;

use super::problem::Reason;

/// How the client's name is found on a line that has a forced command.
///
/// `environment="CMP_CLIENT=name"` comes before it: it is explicit, and whoever adds it to a line
/// of the old file means it.
#[derive(Debug, Clone, Default)]
pub struct ClientNaming {
    /// `None`: the last word, the same as [`ClientNaming::LAST_WORD`].
    pattern: Option<Regex>,
    /// The name of a client that does not log in by SSH.
    reserved: Option<ClientName>,
}

/// Why a pattern cannot be used to find client names.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NamingError {
    /// It is not a regular expression.
    #[error("the pattern for client names is not a regular expression: {0}")]
    Invalid(#[from] regex::Error),
    /// It has no group.
    #[error(
        "the pattern for client names needs a group around the name, as in {:?}",
        ClientNaming::LAST_WORD
    )]
    NoGroup,
}

impl ClientNaming {
    /// The default: the name is the last word of the forced command.
    pub const LAST_WORD: &str = r"(\S+)\s*$";

    /// The name is what group 1 of `pattern`, a regular expression of the crate `regex`, matches
    /// in the forced command.
    pub fn from_pattern(pattern: &str) -> Result<Self, NamingError> {
        let regex = Regex::new(pattern)?;
        if regex.captures_len() < 2 {
            return Err(NamingError::NoGroup);
        }
        Ok(Self {
            pattern: Some(regex),
            reserved: None,
        })
    }

    /// Lets no key have this name: it belongs to a client inside the hub.
    #[must_use]
    pub fn reserving(self, name: Option<ClientName>) -> Self {
        Self {
            reserved: name,
            ..self
        }
    }

    /// The client of a line with this forced command and this value of `CMP_CLIENT`.
    pub(super) fn client(
        &self,
        forced_command: Option<&str>,
        explicit: Option<&str>,
    ) -> Result<ClientName, Reason> {
        let name = explicit
            .or_else(|| forced_command.and_then(|command| self.name_in(command)))
            .ok_or(Reason::NoClientName)?;
        let name = ClientName::new(name).map_err(Reason::InvalidClientName)?;
        if self.reserved.as_ref() == Some(&name) {
            return Err(Reason::ReservedClientName(name));
        }
        Ok(name)
    }

    fn name_in<'a>(&self, command: &'a str) -> Option<&'a str> {
        match &self.pattern {
            Some(pattern) => Some(pattern.captures(command)?.get(1)?.as_str()),
            None => command.split_whitespace().next_back(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(naming: &ClientNaming, command: &str) -> Option<String> {
        naming
            .client(Some(command), None)
            .ok()
            .map(|name| name.to_string())
    }

    #[test]
    fn last_word_is_the_default_and_equals_its_pattern() {
        let default = ClientNaming::default();
        let pattern = ClientNaming::from_pattern(ClientNaming::LAST_WORD).unwrap();
        for (command, expected) in [
            ("ruby /home/qw/client.rb paul_specbot", Some("paul_specbot")),
            ("ruby client.rb paul_specbot \t ", Some("paul_specbot")),
            ("paul_specbot", Some("paul_specbot")),
            ("ruby client.rb [ServeMe]01", Some("[ServeMe]01")),
            ("ruby client.rb a:b", None),
            ("", None),
            ("  ", None),
        ] {
            assert_eq!(name(&default, command).as_deref(), expected, "{command:?}");
            assert_eq!(name(&pattern, command).as_deref(), expected, "{command:?}");
        }
    }

    #[test]
    fn own_pattern() {
        let naming = ClientNaming::from_pattern(r"--client[ =](\S+)").unwrap();
        assert_eq!(
            name(&naming, "cmp-tap --client bot -- ruby x").as_deref(),
            Some("bot")
        );
        assert_eq!(name(&naming, "ruby client.rb bot"), None);
        assert!(matches!(
            ClientNaming::from_pattern("("),
            Err(NamingError::Invalid(_))
        ));
        assert!(matches!(
            ClientNaming::from_pattern(r"\S+$"),
            Err(NamingError::NoGroup)
        ));
    }

    #[test]
    fn explicit_name_wins_and_is_never_replaced() {
        let naming = ClientNaming::default();
        assert_eq!(
            naming.client(Some("x old"), Some("new")).unwrap().as_str(),
            "new"
        );
        let invalid = naming.client(Some("x old"), Some("a b"));
        assert!(matches!(invalid, Err(Reason::InvalidClientName(_))));
        assert_eq!(naming.client(None, None), Err(Reason::NoClientName));
    }

    #[test]
    fn a_reserved_name_is_nobodys() {
        let reserved = ClientName::new("control").ok();
        let naming = ClientNaming::default().reserving(reserved);
        assert!(naming.client(None, Some("control")).is_err());
        assert_eq!(name(&naming, "ruby client.rb control"), None);
        assert_eq!(name(&naming, "ruby client.rb paul"), Some("paul".into()));
    }
}
