//! The whole: from the bytes of a file to who is let in.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use russh::keys::PublicKey;

use super::fixtures::{DSA, ECDSA, ED25519, OTHER_ED25519, RSA, SECURITY_KEY, time};
use super::*;

fn parse(content: impl AsRef<[u8]>) -> AuthorizedKeys {
    AuthorizedKeys::parse(content.as_ref(), &ClientNaming::default())
}

fn key(text: &str) -> PublicKey {
    PublicKey::from_openssh(text).unwrap()
}

fn peer(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn now() -> SystemTime {
    time("2026-06-01T00:00:00Z")
}

/// The line by which the ED25519 key is let in, or why it is not.
fn login(content: &str, from: &str) -> Result<usize, Refusal> {
    match parse(content).find(&key(ED25519), peer(from), now()) {
        Lookup::Granted(entry) => Ok(entry.line()),
        Lookup::Refused(refusal) => Err(refusal),
    }
}

fn reasons(content: impl AsRef<[u8]>) -> Vec<(usize, Reason)> {
    parse(content)
        .problems()
        .iter()
        .map(|p| (p.line, p.reason.clone()))
        .collect()
}

#[test]
fn a_file_as_it_was_in_2014() {
    let content = format!(
        "# clients of central\n\
         \n\
         command=\"ruby /home/qw/client.rb paul_specbot\",no-port-forwarding,no-X11-forwarding,\
         no-agent-forwarding,no-pty {RSA} paul@host\n\
         command=\"ruby /home/qw/client.rb \\\"own3r bot\\\" own3r\" {DSA} own3r\r\n\
         \t  # another\n\
         from=\"192.0.2.*,!192.0.2.66\",command=\"ruby client.rb portal\" {ECDSA}\n\
         environment=\"LANG=C\",environment=\"CMP_CLIENT=newer\",restrict,pty,\
         expiry-time=\"20270101Z\" {ED25519} two words"
    );
    let keys = parse(&content);
    assert_eq!(keys.problems(), []);
    let seen: Vec<_> = keys
        .entries()
        .iter()
        .map(|e| {
            (
                e.line(),
                e.client().as_str(),
                e.pty_allowed(),
                e.comment(),
                e.key_bits(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (3, "paul_specbot", false, "paul@host", Some(2048)),
            (4, "own3r", true, "own3r", Some(1024)),
            (6, "portal", true, "", None),
            (7, "newer", true, "two words", None),
        ]
    );
    let [first, second, _, last] = keys.entries() else {
        panic!()
    };
    assert_eq!(
        first.forced_command(),
        Some("ruby /home/qw/client.rb paul_specbot")
    );
    assert_eq!(
        second.forced_command(),
        Some("ruby /home/qw/client.rb \"own3r bot\" own3r")
    );
    assert_eq!(last.forced_command(), None);
    assert_eq!(first.expiry(), None);
    assert_eq!(last.expiry(), Some(time("2027-01-01T00:00:00Z")));
    assert_eq!(first.key_type(), "ssh-rsa");
    assert_eq!(second.key_type(), "ssh-dss");
    assert_eq!(last.key(), &key(ED25519));
    assert_eq!(
        last.fingerprint(),
        "SHA256:56LjRkI6ApHOGuGyAKprKeCLN8GFoO0tA3Wm5aoPSTg"
    );
}

#[test]
fn bad_lines_are_reported_and_the_rest_works() {
    let content = format!(
        "command=\"x a\" {ED25519}\n\
         garbage\n\
         frobnicate,command=\"x b\" {RSA}\n\
         {ECDSA}\n\
         command=\"x a:b\" {ECDSA}\n\
         cert-authority {RSA}\n\
         principals=\"a\",command=\"x c\" {RSA}\n\
         from=\"10.0.0.1/8\",command=\"x c\" {RSA}\n\
         command=\"x d\" {OTHER_ED25519}\n"
    );
    let keys = parse(&content);
    let usable: Vec<_> = keys
        .entries()
        .iter()
        .map(|e| (e.line(), e.client().as_str()))
        .collect();
    assert_eq!(usable, [(1, "a"), (9, "d")]);
    let reasons = reasons(&content);
    let lines: Vec<_> = reasons.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8]);
    let kinds: Vec<_> = reasons.into_iter().map(|(_, reason)| reason).collect();
    assert!(matches!(
        kinds.as_slice(),
        [
            Reason::NoKey,
            Reason::UnknownOption(_),
            Reason::NoClientName,
            Reason::InvalidClientName(_),
            Reason::CertAuthority,
            Reason::PrincipalsOfPlainKey,
            Reason::InvalidSource { .. },
        ]
    ));
    assert_eq!(
        keys.problems()[1].to_string(),
        "line 3: the option \"frobnicate\" is unknown, so the key is not used"
    );
}

#[test]
fn messages_are_one_short_printable_line() {
    let nasty = "\u{1b}[2J\u{7}é".repeat(100);
    for content in [
        format!("{nasty} {ED25519}"),
        format!("{nasty} AAAA"),
        format!("command=\"x {nasty}\" {ED25519}"),
        format!("from=\"{nasty}\",command=\"x a\" {ED25519}"),
        format!("expiry-time=\"{nasty}\" {ED25519}"),
    ] {
        let keys = parse(&content);
        let message = keys.problems()[0].to_string();
        assert!(
            !message.contains(char::is_control) && message.len() < 700,
            "{message}"
        );
    }
}

#[test]
fn line_ends_and_a_byte_order_mark() {
    for content in [
        format!("command=\"x a\" {ED25519}"),
        format!("\u{feff}command=\"x a\" {ED25519}\r\n"),
        format!("command=\"x a\" {ED25519} c\r\n\r\n"),
    ] {
        assert_eq!(login(&content, "192.0.2.1"), Ok(1), "{content:?}");
        assert_eq!(reasons(&content), [], "{content:?}");
    }
    assert_eq!(reasons("\u{feff}# comment\n\u{feff}"), [(2, Reason::NoKey)]);
}

#[test]
fn the_first_line_that_admits_decides() {
    let content = format!(
        "from=\"10.0.0.0/8\",command=\"x inside\",no-pty {ED25519}\n\
         expiry-time=\"20200101Z\",command=\"x old\" {ED25519}\n\
         frobnicate,command=\"x unknown\" {ED25519}\n\
         from=\"192.0.2.0/24\",command=\"x first\" {ED25519}\n\
         from=\"192.0.2.0/24\",command=\"x second\" {ED25519}\n\
         from=\"198.51.100.0/24\" {ED25519}\n\
         from=\"198.51.100.0/24\",command=\"x hidden\" {ED25519}\n"
    );
    assert_eq!(login(&content, "10.1.2.3"), Ok(1));
    assert_eq!(login(&content, "::ffff:10.1.2.3"), Ok(1));
    assert_eq!(login(&content, "192.0.2.1"), Ok(4));
    let nameless = Refusal::Unusable {
        line: 6,
        reason: Reason::NoClientName,
    };
    assert_eq!(login(&content, "198.51.100.1"), Err(nameless));
    let elsewhere = peer("203.0.113.1");
    assert_eq!(
        login(&content, "::ffff:203.0.113.1"),
        Err(Refusal::AddressNotAllowed {
            line: 7,
            peer: elsewhere
        })
    );
    let other = parse(&content);
    let lookup = other.find(&key(OTHER_ED25519), elsewhere, now());
    assert!(matches!(lookup, Lookup::Refused(Refusal::UnknownKey)));
}

#[test]
fn a_refused_key_is_told_from_an_unknown_one() {
    for (line, reason) in [
        (
            format!("frobnicate {ED25519}"),
            Reason::UnknownOption("frobnicate".into()),
        ),
        (format!("cert-authority {ED25519}"), Reason::CertAuthority),
        (
            format!("from=\"*,!*.example.com\",command=\"x a\" {ED25519}"),
            Reason::ExcludedHostName("*.example.com".into()),
        ),
    ] {
        assert_eq!(
            login(&line, "192.0.2.1"),
            Err(Refusal::Unusable { line: 1, reason }),
            "{line}"
        );
    }
}

#[test]
fn a_line_whose_conditions_are_not_understood_ends_the_search() {
    for condition in ["from=\"10.1\"", "from=\"\"", "expiry-time=\"20990230\""] {
        let content = format!(
            "{condition},command=\"x first\",no-pty {ED25519}\n\
             command=\"x second\" {ED25519}\n"
        );
        let result = login(&content, "192.0.2.1");
        assert!(
            matches!(result, Err(Refusal::Unusable { line: 1, .. })),
            "{content} {result:?}"
        );
    }
}

#[test]
fn host_names_in_from() {
    let mixed = format!("from=\"*.example.com,192.0.2.1\",command=\"x a\" {ED25519}");
    assert_eq!(login(&mixed, "192.0.2.1"), Ok(1));
    assert!(matches!(
        reasons(&mixed).as_slice(),
        [(1, Reason::IgnoredHostName(_))]
    ));
    let names = format!("from=\"*.example.com,a.example.org\",command=\"x a\" {ED25519}");
    assert!(matches!(
        login(&names, "192.0.2.1"),
        Err(Refusal::AddressNotAllowed { .. })
    ));
    assert!(matches!(
        reasons(&names).as_slice(),
        [(1, Reason::HostNamesOnly(_))]
    ));
}

#[test]
fn keys_expire() {
    let keys = parse(format!(
        "expiry-time=\"20260601Z\",command=\"x a\" {ED25519}"
    ));
    let at = |time| match keys.find(&key(ED25519), peer("192.0.2.1"), time) {
        Lookup::Granted(_) => None,
        Lookup::Refused(refusal) => Some(refusal.to_string()),
    };
    assert_eq!(at(now()), None);
    assert_eq!(at(now() + Duration::from_millis(999)), None);
    assert_eq!(
        at(now() + Duration::from_secs(1)).as_deref(),
        Some("the key on line 1 expired at 2026-06-01T00:00:00Z")
    );
}

#[test]
fn security_keys() {
    let outcome = |options: &str, key_text: &str| {
        let keys = parse(format!("{options},command=\"x a\" {key_text}"));
        match keys.find(&key(key_text), peer("192.0.2.1"), now()) {
            Lookup::Granted(_) => None,
            Lookup::Refused(Refusal::Unusable { reason, .. }) => Some(reason),
            Lookup::Refused(other) => panic!("{other}"),
        }
    };
    assert_eq!(outcome("pty", SECURITY_KEY), Some(Reason::TouchRequired));
    assert_eq!(outcome("no-touch-required", SECURITY_KEY), None);
    assert_eq!(
        outcome("no-touch-required,verify-required", SECURITY_KEY),
        Some(Reason::VerifyRequired)
    );
    // sshd ignores both for other keys.
    assert_eq!(outcome("verify-required", ED25519), None);
    assert_eq!(outcome("touch-required", ED25519), None);
}

#[test]
fn a_file_over_the_limit_is_read_up_to_it() {
    const MAX: usize = 1000;
    let outcome = |content: &[u8]| {
        let keys = AuthorizedKeys::parse_within(content, &ClientNaming::default(), MAX, MAX_KEYS);
        (keys.entries().len(), keys.problems().to_vec())
    };
    let too_long = |line| {
        vec![Problem {
            line,
            reason: Reason::FileTooLong,
        }]
    };
    let last = format!("command=\"x a\" {ED25519}");
    let blank_lines = MAX - last.len();
    let mut content = vec![b'\n'; blank_lines];
    content.extend_from_slice(last.as_bytes());
    assert_eq!(outcome(&content), (1, vec![]));
    content.push(b'\n');
    assert_eq!(outcome(&content), (1, too_long(blank_lines + 2)));
    content.insert(0, b'\n');
    assert_eq!(outcome(&content), (0, too_long(blank_lines + 2)));
    content.splice(0..3, *b"\xef\xbb\xbf");
    assert_eq!(outcome(&content), (0, too_long(blank_lines - 1)));
}

#[test]
fn keys_over_the_limit_are_ignored() {
    let content = format!("command=\"x a\" {ED25519}\nfrobnicate {RSA}\n# comment\n");
    let parse = |content: &str| {
        AuthorizedKeys::parse_within(
            content.as_bytes(),
            &ClientNaming::default(),
            MAX_FILE_LEN,
            2,
        )
    };
    assert_eq!(parse(&content).problems().len(), 1);
    let keys = parse(&format!("{content}command=\"x a\" {ECDSA}\ngarbage"));
    assert_eq!(keys.entries().len(), 1);
    let last = Problem {
        line: 4,
        reason: Reason::TooManyKeys,
    };
    assert_eq!(keys.problems().last(), Some(&last));
}

#[test]
fn problems_have_a_limit() {
    let keys = parse(format!(
        "{}command=\"x a\" {ED25519}",
        "garbage\n".repeat(5000)
    ));
    assert_eq!(keys.entries().len(), 1);
    assert_eq!(keys.problems().len(), MAX_PROBLEMS);
    let last = Problem {
        line: MAX_PROBLEMS,
        reason: Reason::TooManyProblems,
    };
    assert_eq!(keys.problems().last(), Some(&last));
}

/// What a generated line is to say.
#[derive(Debug, Clone)]
struct Expected {
    key: &'static str,
    client: String,
    command: Option<String>,
    pty: bool,
    expiry: Option<u32>,
    comment: String,
    upper_case: bool,
}

impl Expected {
    fn line(&self) -> String {
        let name = |name: &str| {
            if self.upper_case {
                name.to_uppercase()
            } else {
                name.to_owned()
            }
        };
        let mut options = vec![name("no-port-forwarding")];
        if let Some(command) = &self.command {
            options.push(format!(
                "{}=\"{}\"",
                name("command"),
                command.replace('"', "\\\"")
            ));
        }
        options.push(format!(
            "{}=\"CMP_CLIENT={}\"",
            name("environment"),
            self.client.replace('"', "\\\"")
        ));
        if let Some(year) = self.expiry {
            options.push(format!("{}=\"{year}0101Z\"", name("expiry-time")));
        }
        if !self.pty {
            options.push(name("restrict"));
        }
        format!("{} {} {}", options.join(","), self.key, self.comment)
    }
}

fn expected() -> impl Strategy<Value = Expected> {
    (
        prop::sample::select(vec![ED25519, OTHER_ED25519, ECDSA, RSA, DSA]),
        // A backslash before a quote cannot be written in the format.
        "[!-)+\\-.-9;-?A-\\[\\]-~]{1,64}",
        prop::option::of("[^\\\\\0\n]{0,40}"),
        any::<bool>(),
        prop::option::of(1971u32..=9999),
        "([!-~]([ -~]{0,20}[!-~])?)?",
        any::<bool>(),
    )
        .prop_map(
            |(key, client, command, pty, expiry, comment, upper_case)| Expected {
                key,
                client,
                command,
                pty,
                expiry,
                comment,
                upper_case,
            },
        )
}

proptest! {
    #[test]
    fn valid_entries_are_read_as_written(
        all in prop::collection::vec(expected(), 1..8),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\n\n", "\n# comment\n"]),
    ) {
        let content: Vec<_> = all.iter().map(Expected::line).collect();
        let keys = parse(content.join(line_end));
        prop_assert_eq!(keys.problems(), []);
        prop_assert_eq!(keys.entries().len(), all.len());
        for (entry, expected) in keys.entries().iter().zip(&all) {
            prop_assert_eq!(entry.key(), &key(expected.key));
            prop_assert_eq!(entry.client().as_str(), &expected.client);
            prop_assert_eq!(entry.forced_command(), expected.command.as_deref());
            prop_assert_eq!(entry.pty_allowed(), expected.pty);
            prop_assert_eq!(entry.comment(), &expected.comment);
            let expiry = expected.expiry.map(|year| time(&format!("{year}-01-01T00:00:00Z")));
            prop_assert_eq!(entry.expiry(), expiry);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(content in prop::collection::vec(any::<u8>(), 0..400)) {
        let keys = parse(content);
        prop_assert!(keys.entries().is_empty());
    }

    /// Pieces of the format in any order get deeper into the parser than plain bytes.
    #[test]
    fn arbitrary_pieces_never_panic_and_are_never_lost(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "command=", "from=", "expiry-time=", "environment=", "permitopen=", "tunnel=",
                "restrict", "pty", "no-", "CMP_CLIENT=", "20260101", "Z", "192.0.2.0/24", "*", "!",
                "\"", "\\", ",", "=", " ", "\t", "\r", "\n", "#", "\0", "a", "é", "ssh-rsa",
                ED25519, RSA,
            ]),
            0..40,
        ),
    ) {
        let content = pieces.concat();
        let keys = parse(&content);
        // Every line that is neither blank nor a comment is an entry or has a problem.
        for (index, line) in content.split('\n').enumerate() {
            let line_text = line.trim_ascii();
            let idle = line_text.is_empty() || line_text.starts_with('#');
            let number = index + 1;
            let told = keys.entries().iter().any(|e| e.line() == number)
                || keys.problems().iter().any(|p| p.line == number);
            prop_assert_eq!(told, !idle, "{:?}", line);
        }
    }
}
