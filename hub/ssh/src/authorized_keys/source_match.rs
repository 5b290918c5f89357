//! The list of `from=`: from where a key may be used.
//!
//! Source: sshd(8), `ssh_config(5)` PATTERNS; `addr_match_list` in OpenSSH's `addrmatch.c`,
//! `match_host_and_ip` in its `match.c`. sshd with its default `UseDNS no` matches names against
//! the textual address, as is done here.

use std::net::IpAddr;

use ipnet::IpNet;

use super::problem::{Reason, excerpt};

/// A checked `from=` list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceList {
    items: Vec<Item>,
    /// The first item that only a host name can match.
    host_name: Option<String>,
    /// The first negated item that only a host name can match.
    excluded_host_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    negated: bool,
    matcher: Matcher,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Matcher {
    Network(IpNet),
    /// `*` and `?`, in lower case, against the textual address.
    Pattern(String),
}

impl SourceList {
    /// Reads the value of `from=`. A list with an invalid item is refused whole, as sshd does.
    pub(super) fn parse(list: &str) -> Result<Self, Reason> {
        let mut parsed = Self {
            items: Vec::new(),
            host_name: None,
            excluded_host_name: None,
        };
        for written in list.split(',') {
            let (negated, item) = match written.strip_prefix('!') {
                Some(item) => (true, item),
                None => (false, written),
            };
            match parse_item(item) {
                Ok(Some(matcher)) => parsed.items.push(Item { negated, matcher }),
                Ok(None) if negated => {
                    parsed
                        .excluded_host_name
                        .get_or_insert_with(|| excerpt(item));
                }
                Ok(None) => {
                    parsed.host_name.get_or_insert_with(|| excerpt(item));
                }
                Err(rule) => {
                    return Err(Reason::InvalidSource {
                        item: excerpt(written),
                        rule,
                    });
                }
            }
        }
        Ok(parsed)
    }

    /// True if the list admits `peer`: at least one item matches, and no negated one does.
    pub(super) fn admits(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        let text = peer.to_string();
        let matches = |item: &&Item| match &item.matcher {
            Matcher::Network(network) => network.contains(&peer),
            Matcher::Pattern(pattern) => wildcard_match(pattern, &text),
        };
        let (negated, positive): (Vec<_>, Vec<_>) = self.items.iter().partition(|i| i.negated);
        positive.iter().any(matches) && !negated.iter().any(matches)
    }

    /// What the list says that the hub cannot do, and whether the key can still be used.
    pub(super) fn host_names(&self) -> HostNames {
        let admits_addresses = self.items.iter().any(|item| !item.negated);
        match (&self.excluded_host_name, &self.host_name) {
            (Some(name), _) => HostNames::Unusable(Reason::ExcludedHostName(name.clone())),
            (None, Some(name)) if admits_addresses => {
                HostNames::Remark(Reason::IgnoredHostName(name.clone()))
            }
            (None, Some(name)) => HostNames::Remark(Reason::HostNamesOnly(name.clone())),
            (None, None) => HostNames::None,
        }
    }
}

/// The part that host names have in a `from=` list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HostNames {
    /// None.
    None,
    /// They are left out, which makes the key less usable than it says.
    Remark(Reason),
    /// Without looking up names the key would be more usable than it says.
    Unusable(Reason),
}

/// Reads one item without its `!`. `None` is an item that only a host name can match; an error
/// names the rule that is broken.
fn parse_item(item: &str) -> Result<Option<Matcher>, &'static str> {
    if item.is_empty() {
        return Err("an empty item");
    }
    if let Some((address, length)) = item.split_once('/') {
        return parse_network(address, length).map(|network| Some(Matcher::Network(network)));
    }
    if let Ok(address) = item.parse::<IpAddr>() {
        return Ok(Some(Matcher::Network(address.into())));
    }
    let pattern = item.to_ascii_lowercase();
    if pattern.contains(['*', '?']) {
        return Ok(could_match_address(&pattern).then_some(Matcher::Pattern(pattern)));
    }
    // sshd reads such texts as addresses in ways of its own (`10.1` is 10.0.0.1, `010` is octal,
    // `%eth0` is a zone). Guessing differently could open an excluded address.
    if pattern.contains(':') || is_numeric_host(&pattern) {
        return Err("not a complete IP address");
    }
    Ok(None)
}

fn parse_network(address: &str, length: &str) -> Result<IpNet, &'static str> {
    let address: IpAddr = address
        .parse()
        .map_err(|_| "not an IP address with a prefix length")?;
    let length: u8 = length
        .parse()
        .map_err(|_| "not an IP address with a prefix length")?;
    let network = IpNet::new(address, length).map_err(|_| "a network with too long a prefix")?;
    if network.trunc() != network {
        return Err("a network with bits set beyond its prefix length");
    }
    Ok(network)
}

/// True if a lower-case wildcard pattern can match the text of some IP address.
fn could_match_address(pattern: &str) -> bool {
    let of_an_address = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '*' | '?');
    // Addresses with dots are IPv4, which has no letters.
    let dotted_letters =
        pattern.contains('.') && pattern.contains(|c: char| c.is_ascii_alphabetic());
    pattern.chars().all(of_an_address) && !dotted_letters
}

/// True for what `inet_aton(3)` may take for an IPv4 address: numbers, decimal, octal or
/// hexadecimal, between dots.
fn is_numeric_host(text: &str) -> bool {
    text.split('.').all(|part| {
        let hexadecimal = part.strip_prefix("0x");
        hexadecimal.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            || part.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Matches the whole of `text` against `pattern`: `*` stands for any number of characters, `?`
/// for one. Takes time in proportion to the product of both lengths at most.
fn wildcard_match(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.as_bytes(), text.as_bytes());
    // Where to go on when the characters after the last `*` do not match: with `*` standing for
    // one character more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => return true,
            (Some((b'*', rest)), _) => {
                retry = Some((rest, text));
                pattern = rest;
            }
            (Some((p, pattern_rest)), Some((t, text_rest))) if *p == b'?' || p == t => {
                (pattern, text) = (pattern_rest, text_rest);
            }
            _ => match retry.and_then(|(p, t)| Some((p, t.split_first()?.1))) {
                Some(next) => {
                    retry = Some(next);
                    (pattern, text) = next;
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(list: &str, peer: &str) -> bool {
        SourceList::parse(list)
            .unwrap()
            .admits(peer.parse().unwrap())
    }

    #[test]
    fn addresses_networks_and_patterns() {
        for (list, peer, expected) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.10", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.0/24", "192.0.2.200", true),
            ("192.0.2.0/24", "::ffff:192.0.2.200", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("192.0.2.0/24", "2001:db8::1", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("10.0.0.0/8,192.0.2.0/24", "192.0.2.1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:DB8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:db8::1", "2001:db8:0:0:0:0:0:1", true),
            ("192.0.2.*", "192.0.2.77", true),
            ("192.0.2.*", "192.0.20.7", false),
            ("192.0.2.?", "192.0.2.7", true),
            ("192.0.2.?", "192.0.2.77", false),
            ("192.*.77", "192.0.2.77", true),
            ("2001:db8:*", "2001:db8::1", true),
            ("2001:DB8:*", "2001:db8::1", true),
            ("*", "192.0.2.1", true),
            ("*", "2001:db8::1", true),
            // Negation refuses wherever it stands, and alone admits nothing.
            ("!192.0.2.66,192.0.2.0/24", "192.0.2.66", false),
            ("192.0.2.0/24,!192.0.2.66", "192.0.2.66", false),
            ("192.0.2.0/24,!192.0.2.66", "192.0.2.67", true),
            ("192.0.2.0/24,!192.0.2.66", "::ffff:192.0.2.66", false),
            ("*,!192.0.2.*", "192.0.2.1", false),
            ("*,!192.0.2.*", "192.0.3.1", true),
            ("*,!2001:DB8:*", "2001:db8::1", false),
            ("!192.0.2.66", "192.0.2.67", false),
            ("!10.0.0.0/8,!*", "192.0.2.1", false),
            // Host names match nothing.
            ("*.example.com", "192.0.2.1", false),
            ("quake.example.com,192.0.2.1", "192.0.2.1", true),
            ("localhost", "127.0.0.1", false),
        ] {
            assert_eq!(admits(list, peer), expected, "{list} {peer}");
        }
    }

    #[test]
    fn invalid_items_refuse_the_list() {
        for list in [
            "",
            ",",
            "192.0.2.1,",
            "!",
            "*,!",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2.0/-1",
            "192.0.2.0/ 24",
            "192.0.2/24",
            "2001:db8::/129",
            "2001:db8::1/32",
            "host/24",
            "192.0.2",
            "10.1",
            "010.0.0.1",
            "0x7f.1",
            "2130706433",
            "256.0.0.1",
            "fe80::1%eth0",
            "2001:db8:",
        ] {
            let result = SourceList::parse(list);
            assert!(
                matches!(result, Err(Reason::InvalidSource { .. })),
                "{list:?} {result:?}"
            );
        }
    }

    #[test]
    fn host_names_are_reported() {
        let names = |list| SourceList::parse(list).unwrap().host_names();
        for plain in [
            "192.0.2.1",
            "192.0.2.*",
            "*",
            "fe80:*",
            "!10.0.0.1,*",
            "??",
            "b*",
        ] {
            assert_eq!(names(plain), HostNames::None, "{plain}");
        }
        assert_eq!(
            names("a.example.com,192.0.2.1"),
            HostNames::Remark(Reason::IgnoredHostName("a.example.com".into()))
        );
        for only in [
            "*.de",
            "localhost",
            "bad.cafe",
            "*.example.com,!192.0.2.1",
            "?.de",
        ] {
            let first = only.split(',').next().unwrap().to_owned();
            assert_eq!(
                names(only),
                HostNames::Remark(Reason::HostNamesOnly(first)),
                "{only}"
            );
        }
        assert_eq!(
            names("*,!*.example.com,a.example.com"),
            HostNames::Unusable(Reason::ExcludedHostName("*.example.com".into()))
        );
    }

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "abc", true),
            ("?", "", false),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("*ab", "aab", true),
            ("a?*", "a", false),
        ] {
            assert_eq!(wildcard_match(pattern, text), expected, "{pattern} {text}");
        }
        // Exponential in a matcher that goes back to every star.
        assert!(!wildcard_match(&"*1".repeat(2000), &"1".repeat(1500)));
    }

    /// The definition, by recursion.
    fn reference_match(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|n| reference_match(rest, &text[n..])),
            Some((p, rest)) => text
                .split_first()
                .is_some_and(|(t, tail)| (*p == b'?' || p == t) && reference_match(rest, tail)),
        }
    }

    proptest::proptest! {
        #[test]
        fn wildcards_match_their_definition(pattern in "[12.*?]{0,8}", text in "[12.]{0,8}") {
            proptest::prop_assert_eq!(
                wildcard_match(&pattern, &text),
                reference_match(pattern.as_bytes(), text.as_bytes())
            );
        }
    }
}
