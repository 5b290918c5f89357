//! The options in front of a key. Source: sshd(8), "`AUTHORIZED_KEYS` FILE FORMAT";
//! `sshauthopt_parse` in OpenSSH's `auth-options.c`.

use std::time::SystemTime;

use jiff::tz::TimeZone;

use super::problem::{Reason, excerpt};
use super::{expiry, forwarding};

/// The environment variable that names the client.
const CLIENT_VARIABLE: &str = "CMP_CLIENT";

/// What the options of one line say. Options about forwarding and user-rc are known and leave no
/// trace, because the hub does neither for anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyOptions {
    /// `command=`.
    pub(super) forced_command: Option<String>,
    /// The value of the first `environment="CMP_CLIENT=…"`. Other variables are left out, as sshd
    /// does with its default `PermitUserEnvironment no`.
    pub(super) client: Option<String>,
    /// `from=`, not yet checked.
    pub(super) from: Option<String>,
    /// The earliest of all `expiry-time=`.
    pub(super) valid_until: Option<SystemTime>,
    /// What remains after `restrict`, `no-pty` and `pty`, of which the last counts.
    pub(super) pty_allowed: bool,
    /// False after `no-touch-required`.
    pub(super) touch_required: bool,
    /// True after `verify-required`.
    pub(super) verify_required: bool,
    /// `cert-authority`.
    pub(super) cert_authority: bool,
    /// Whether there is a `principals=`.
    pub(super) has_principals: bool,
}

impl Default for KeyOptions {
    /// A line without options.
    fn default() -> Self {
        Self {
            forced_command: None,
            client: None,
            from: None,
            valid_until: None,
            pty_allowed: true,
            touch_required: true,
            verify_required: false,
            cert_authority: false,
            has_principals: false,
        }
    }
}

impl KeyOptions {
    /// Reads the options of a line, without the key that follows them. Names are
    /// case-insensitive. Empty options (two commas) are skipped, as sshd does.
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        let mut options = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (name, after) = rest.split_at(rest.find([',', '=']).unwrap_or(rest.len()));
            let after = if let Some(value) = after.strip_prefix('=') {
                options.take_valued(name, value)?
            } else {
                options.take_flag(name)?;
                after
            };
            rest = match after.strip_prefix(',') {
                Some(next) => next,
                None if after.is_empty() => after,
                None => return Err(Reason::UnknownOption(excerpt(after))),
            };
        }
        Ok(options)
    }

    fn take_flag(&mut self, name: &str) -> Result<(), Reason> {
        let lower = name.to_ascii_lowercase();
        let (flag, allowed) = match lower.strip_prefix("no-") {
            Some(flag) => (flag, false),
            None => (lower.as_str(), true),
        };
        match (flag, allowed) {
            ("restrict", true) => self.pty_allowed = false,
            ("cert-authority", true) => self.cert_authority = true,
            ("pty", _) => self.pty_allowed = allowed,
            ("touch-required", _) => self.touch_required = allowed,
            ("verify-required", _) => self.verify_required = allowed,
            ("", true)
            | ("port-forwarding" | "agent-forwarding" | "x11-forwarding" | "user-rc", _) => {}
            _ => return Err(unknown_or_unquoted(name)),
        }
        Ok(())
    }

    /// Takes the option `name` with the value that `text` begins with; returns what follows it.
    fn take_valued<'a>(&mut self, name: &str, text: &'a str) -> Result<&'a str, Reason> {
        let option = canonical_valued(name).ok_or_else(|| Reason::UnknownOption(excerpt(name)))?;
        let (value, rest) = unquote(option, text)?;
        let invalid = |value: &str| Reason::InvalidValue {
            option,
            value: excerpt(value),
        };
        match option {
            "command" => set_once(&mut self.forced_command, option, value)?,
            "from" => set_once(&mut self.from, option, value)?,
            "principals" if self.has_principals => return Err(Reason::RepeatedOption(option)),
            "principals" => self.has_principals = true,
            "expiry-time" => {
                let time =
                    expiry::parse(&value, &TimeZone::system()).ok_or_else(|| invalid(&value))?;
                self.valid_until = Some(self.valid_until.map_or(time, |other| other.min(time)));
            }
            "environment" => {
                let (variable, content) = value
                    .split_once('=')
                    .filter(|(variable, _)| is_variable_name(variable))
                    .ok_or_else(|| invalid(&value))?;
                if variable == CLIENT_VARIABLE {
                    self.client.get_or_insert_with(|| content.to_owned());
                }
            }
            "permitopen" if forwarding::is_permitopen(&value) => {}
            "permitlisten" if forwarding::is_permitlisten(&value) => {}
            "tunnel" if forwarding::is_tunnel(&value) => {}
            _ => return Err(invalid(&value)),
        }
        Ok(rest)
    }
}

/// The options that have a value.
const VALUED: [&str; 8] = [
    "command",
    "environment",
    "expiry-time",
    "from",
    "permitlisten",
    "permitopen",
    "principals",
    "tunnel",
];

fn canonical_valued(name: &str) -> Option<&'static str> {
    VALUED
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(name))
}

fn unknown_or_unquoted(name: &str) -> Reason {
    match canonical_valued(name) {
        Some(option) => Reason::UnquotedValue(option),
        None => Reason::UnknownOption(excerpt(name)),
    }
}

fn set_once(slot: &mut Option<String>, option: &'static str, value: String) -> Result<(), Reason> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Reason::RepeatedOption(option)),
    }
}

/// Splits a value in double quotes from what follows it. Within, `\"` is a quote and every other
/// backslash is itself (`opt_dequote` in OpenSSH's `misc.c`).
fn unquote<'a>(option: &'static str, text: &'a str) -> Result<(String, &'a str), Reason> {
    let mut rest = text
        .strip_prefix('"')
        .ok_or(Reason::UnquotedValue(option))?;
    let mut value = String::new();
    loop {
        let (plain, special) =
            rest.split_at(rest.find(['"', '\\']).ok_or(Reason::MissingEndQuote)?);
        value.push_str(plain);
        rest = if let Some(after) = special.strip_prefix('"') {
            return Ok((value, after));
        } else if let Some(after) = special.strip_prefix("\\\"") {
            value.push('"');
            after
        } else {
            value.push('\\');
            special.strip_prefix('\\').unwrap_or(special)
        };
    }
}

/// `valid_env_name` in OpenSSH's `misc.c`.
fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorized_keys::fixtures::time;

    fn parse(text: &str) -> KeyOptions {
        KeyOptions::parse(text).unwrap_or_else(|reason| panic!("{text}: {reason}"))
    }

    #[test]
    fn every_documented_option_is_known_in_any_case() {
        let without_effect = [
            "agent-forwarding",
            "no-agent-forwarding",
            "port-forwarding",
            "no-port-forwarding",
            "X11-forwarding",
            "no-X11-forwarding",
            "user-rc",
            "no-user-rc",
            "pty",
            "touch-required",
            "no-verify-required",
            r#"permitopen="192.0.2.1:80""#,
            r#"permitlisten="8080""#,
            r#"tunnel="0""#,
            r#"environment="LANG=C""#,
            "",
            ",",
            "pty,",
            ",,pty",
        ];
        for option in without_effect {
            assert_eq!(parse(option), KeyOptions::default(), "{option}");
            assert_eq!(
                parse(&option.to_ascii_uppercase()),
                KeyOptions::default(),
                "{option}"
            );
        }
        let default = KeyOptions::default;
        let with_effect = [
            (
                "restrict",
                KeyOptions {
                    pty_allowed: false,
                    ..default()
                },
            ),
            (
                "no-pty",
                KeyOptions {
                    pty_allowed: false,
                    ..default()
                },
            ),
            (
                "no-touch-required",
                KeyOptions {
                    touch_required: false,
                    ..default()
                },
            ),
            (
                "verify-required",
                KeyOptions {
                    verify_required: true,
                    ..default()
                },
            ),
            (
                "cert-authority",
                KeyOptions {
                    cert_authority: true,
                    ..default()
                },
            ),
            (
                r#"principals="A,B""#,
                KeyOptions {
                    has_principals: true,
                    ..default()
                },
            ),
            (
                r#"from="A,B""#,
                KeyOptions {
                    from: Some("A,B".into()),
                    ..default()
                },
            ),
            (
                r#"command="A B""#,
                KeyOptions {
                    forced_command: Some("A B".into()),
                    ..default()
                },
            ),
            (
                r#"expiry-time="20260101Z""#,
                KeyOptions {
                    valid_until: Some(time("2026-01-01T00:00:00Z")),
                    ..default()
                },
            ),
            (
                r#"environment="CMP_CLIENT=A""#,
                KeyOptions {
                    client: Some("A".into()),
                    ..default()
                },
            ),
        ];
        for (option, expected) in with_effect {
            assert_eq!(parse(option), expected, "{option}");
            assert_eq!(parse(&option.to_ascii_uppercase()), expected, "{option}");
        }
    }

    #[test]
    fn terminal_permission_follows_the_order() {
        for (text, expected) in [
            ("restrict,pty", true),
            ("pty,restrict", false),
            ("no-pty,pty", true),
            ("pty,no-pty", false),
            ("restrict,no-pty,pty,no-port-forwarding", true),
        ] {
            assert_eq!(parse(text).pty_allowed, expected, "{text}");
        }
    }

    #[test]
    fn quotes() {
        for (text, expected) in [
            (r#"command="a, b=c \"d\" e""#, r#"a, b=c "d" e"#),
            (r#"command="a\\b\n""#, r"a\\b\n"),
            (r#"command="a\\" b""#, r#"a\" b"#),
            (r#"command="""#, ""),
            ("command=\"a\tb#c\"", "a\tb#c"),
            ("command=\"caf\u{fffd}\"", "caf\u{fffd}"),
        ] {
            assert_eq!(
                parse(text).forced_command.as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn repeated_options() {
        for (text, option) in [
            (r#"command="a",command="a""#, "command"),
            (r#"from="*",pty,from="*""#, "from"),
            (r#"principals="a",principals="a""#, "principals"),
        ] {
            assert_eq!(
                KeyOptions::parse(text),
                Err(Reason::RepeatedOption(option)),
                "{text}"
            );
        }
        let first = parse(r#"environment="CMP_CLIENT=a",environment="CMP_CLIENT=b""#);
        assert_eq!(first.client.as_deref(), Some("a"));
        let (early, late) = (r#"expiry-time="20260101Z""#, r#"expiry-time="20270101Z""#);
        let expected = parse(early).valid_until;
        assert_eq!(parse(&format!("{early},{late}")).valid_until, expected);
        assert_eq!(parse(&format!("{late},{early}")).valid_until, expected);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "frobnicate",
            "frobnicate=\"x\"",
            "no-restrict",
            "no-cert-authority",
            "no-command",
            "no-",
            "ptyx",
            "pty=\"yes\"",
            "pty pty",
            " pty",
            "no-no-pty",
            r#"command="a"b"#,
            r#"command="a" ,pty"#,
            r#"commande="a""#,
        ] {
            let result = KeyOptions::parse(text);
            assert!(
                matches!(result, Err(Reason::UnknownOption(_))),
                "{text}: {result:?}"
            );
        }
        for text in [
            "command",
            "command=",
            "command=a",
            "from,pty",
            "expiry-time=20260101",
        ] {
            let result = KeyOptions::parse(text);
            assert!(
                matches!(result, Err(Reason::UnquotedValue(_))),
                "{text}: {result:?}"
            );
        }
        for text in [
            r#"command=""#,
            r#"command="a"#,
            r#"command="a\""#,
            r#"command="a\"#,
        ] {
            assert_eq!(
                KeyOptions::parse(text),
                Err(Reason::MissingEndQuote),
                "{text}"
            );
        }
        for text in [
            r#"environment="CMP_CLIENT""#,
            r#"environment="=x""#,
            r#"environment="A-B=x""#,
            r#"expiry-time="tomorrow""#,
            r#"permitopen="nowhere""#,
            r#"permitlisten="host:""#,
            r#"tunnel="tun0""#,
        ] {
            let result = KeyOptions::parse(text);
            assert!(
                matches!(result, Err(Reason::InvalidValue { .. })),
                "{text}: {result:?}"
            );
        }
    }
}
