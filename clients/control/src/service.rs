//! The network commands that the control server provides.

use cmp_protocol::{CommandName, NameError};

/// One provided command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// An address to a short name and a country.
    Resolve,
    /// The newest broadcasts.
    Last,
    /// The community's rules.
    Rules,
    /// The host table.
    Hosts,
}

impl Service {
    pub(crate) const ALL: [Self; 4] = [Self::Resolve, Self::Last, Self::Rules, Self::Hosts];

    /// The word clients ask with.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "RESOLVE",
            Self::Last => "LAST",
            Self::Rules => "RULES",
            Self::Hosts => "HOSTS",
        }
    }

    /// The name under which it is provided.
    pub(crate) fn command(self) -> Result<CommandName, NameError> {
        CommandName::new(self.as_str())
    }

    /// The service that a request is for.
    pub(crate) fn of(command: &CommandName) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| service.as_str() == command.as_str())
    }

    /// The line that `HELP` shows.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::Resolve => {
                "RESOLVE <ip[:port]>: short name, country code and country of an address; the \
                 country is the one it is assigned to, not where the machine stands"
            }
            Self::Last => {
                "LAST [kind] [n]: the newest n broadcasts (3, at most 20), oldest first, each \
                 with its date and time in UTC"
            }
            Self::Rules => "RULES: the rules for those who send messages",
            Self::Hosts => "HOSTS: the hosts that have a short name here",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_is_found_by_its_command() {
        for service in Service::ALL {
            assert_eq!(Service::of(&service.command().unwrap()), Some(service));
            assert!(service.help().starts_with(service.as_str()));
            assert!(service.help().len() <= crate::MAX_REPLY);
        }
        assert_eq!(Service::of(&CommandName::new("OTHER").unwrap()), None);
    }
}
