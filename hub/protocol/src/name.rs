//! Names: text becomes one of these types at the door and is trusted afterwards.

use std::fmt;

/// Why a text is not a valid name. The message names the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is not valid: {rule}")]
pub struct NameError {
    /// What kind of name was expected, for example "client name".
    pub what: &'static str,
    /// The refused text, shortened to 80 characters.
    pub text: String,
    /// The rule it breaks, in words.
    pub rule: &'static str,
}

impl NameError {
    fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        Self {
            what,
            text: text.chars().take(80).collect(),
            rule,
        }
    }
}

/// Declares a validated, cheaply cloned name over `Arc<str>`.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $max:literal, $valid:expr, $normalise:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The longest allowed name, in bytes.
            pub const MAX_LEN: usize = $max;

            /// Checks `text` against the rule of this name and takes it over.
            pub fn new(text: &str) -> Result<Self, NameError> {
                let valid: fn(char) -> bool = $valid;
                if text.is_empty() || text.len() > $max || !text.chars().all(valid) {
                    return Err(NameError::new($what, text, $rule));
                }
                let normalise: fn(&str) -> String = $normalise;
                Ok(Self(normalise(text).into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

fn is_client_char(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, ',' | ':' | '@' | '*')
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

name!(
    /// The name of a client, as its key gives it: `paul_specbot`, `[ServeMe]01`.
    ClientName, "client name",
    "1 to 64 printable ASCII characters, without space , : @ *",
    64, is_client_char, str::to_owned
);

name!(
    /// The name of a hub in the network of hubs.
    HubName, "hub name",
    "1 to 64 printable ASCII characters, without space , : @ *",
    64, is_client_char, str::to_owned
);

name!(
    /// The name of a role; roles are sets of permissions from the configuration.
    RoleName, "role name",
    "1 to 32 ASCII letters, digits, _ or -",
    32, is_word_char, str::to_owned
);

name!(
    /// What a message is about: `qw`, `spam`, or `chat`. Case does not matter; kept in lower case.
    Kind, "message kind",
    "1 to 32 ASCII letters, digits, _ or -",
    32, is_word_char, str::to_ascii_lowercase
);

name!(
    /// The first word of a line of the central dialect: `C`, `PING`. Case does not matter; kept
    /// in upper case.
    Verb, "verb",
    "1 to 32 ASCII letters, digits, _ or -",
    32, is_word_char, str::to_ascii_uppercase
);

name!(
    /// A network command that clients provide and request: `RESOLVE`. Case does not matter; kept
    /// in upper case.
    CommandName, "command name",
    "1 to 32 ASCII letters, digits, _ or -",
    32, is_word_char, str::to_ascii_uppercase
);

name!(
    /// Events a client can ask for beyond the default: `presence`, `commands`. Case does not
    /// matter; kept in lower case.
    Topic, "topic",
    "1 to 32 ASCII letters, digits, _ or -",
    32, is_word_char, str::to_ascii_lowercase
);

name!(
    /// The name a client gives to a request of its own, to tell the answers apart.
    RequestId, "request id",
    "1 to 64 printable ASCII characters, without space , : @ *",
    64, is_client_char, str::to_owned
);

impl Kind {
    /// The kind of a chat line (`C`).
    pub fn chat() -> Self {
        Self("chat".into())
    }

    /// The kind under which a relayed line of this verb is kept.
    pub fn of_relay(verb: &Verb) -> Self {
        Self(verb.as_str().to_ascii_lowercase().into())
    }

    /// The verb of a relayed line, from the kind under which it is kept.
    pub fn as_verb(&self) -> Verb {
        Verb(self.0.to_ascii_uppercase().into())
    }
}

impl Topic {
    /// Clients coming and going.
    pub fn presence() -> Self {
        Self("presence".into())
    }

    /// Network commands being provided and withdrawn.
    pub fn commands() -> Self {
        Self("commands".into())
    }
}

/// One word of bytes, as a nick or an origin is: whatever its encoding, without white space,
/// control characters or a leading colon, so that it stands as one parameter in a line.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Word(bytes::Bytes);

impl Word {
    /// The longest allowed word, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Checks that `bytes` is one word; `what` names it in the error.
    pub fn new(what: &'static str, bytes: impl Into<bytes::Bytes>) -> Result<Self, NameError> {
        let bytes = bytes.into();
        let valid = !bytes.is_empty()
            && bytes.len() <= Self::MAX_LEN
            && bytes.first() != Some(&b':')
            && bytes.iter().all(|b| *b > b' ' && *b != 0x7f);
        if valid {
            Ok(Self(bytes))
        } else {
            Err(NameError::new(
                what,
                &String::from_utf8_lossy(&bytes),
                "1 to 128 bytes without white space, control characters or a leading colon",
            ))
        }
    }

    /// The word as it came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The word, shared.
    pub fn to_bytes(&self) -> bytes::Bytes {
        self.0.clone()
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_name_is_one_printable_word() {
        for good in ["paul_specbot", "[ServeMe]01", "a", "x.y-z|q"] {
            assert_eq!(ClientName::new(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(65);
        for bad in [
            "",
            "two words",
            "a,b",
            "a:b",
            "a@b",
            "*",
            "naïve",
            "tab\t",
            &long,
        ] {
            assert!(ClientName::new(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn case_is_normalised_where_it_does_not_matter() {
        assert_eq!(Verb::new("ping").unwrap().as_str(), "PING");
        assert_eq!(Kind::new("QW").unwrap().as_str(), "qw");
        assert_eq!(
            Kind::of_relay(&Verb::new("Msg").unwrap())
                .as_verb()
                .as_str(),
            "MSG"
        );
    }

    #[test]
    fn a_word_is_any_bytes_that_stand_as_one_parameter() {
        assert!(Word::new("nick", &b"na\xefve"[..]).is_ok());
        for bad in [
            &b""[..],
            b"two words",
            b":colon",
            b"nul\0",
            b"line\n",
            &[b'a'; 129],
        ] {
            assert!(
                Word::new("nick", bad.to_vec()).is_err(),
                "{bad:?} was taken"
            );
        }
    }

    #[test]
    fn an_error_names_the_rule() {
        let error = Verb::new("a b").unwrap_err().to_string();
        assert_eq!(
            error,
            "verb \"a b\" is not valid: 1 to 32 ASCII letters, digits, _ or -"
        );
    }
}
