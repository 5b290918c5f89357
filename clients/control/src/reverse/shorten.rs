//! A host's name shortened to the domain under which it was registered.

use psl::{List, Psl, Type};

/// Shortens `host`, in lower case and without a dot at its end, to its registrable domain: the
/// public suffix and one label. International names stay as they are in the DNS (`xn--…`).
///
/// Only the suffixes of registries count (the list's ICANN section), not those that providers
/// had added for their customers: `ec2-192-0-2-1.compute-1.amazonaws.com` is `amazonaws.com`.
/// A name that has no registrable domain, being one label or a public suffix, stays whole.
pub(super) fn registrable(host: &str) -> &str {
    let suffix = registry_suffix(host);
    let Some(owned) = host
        .strip_suffix(suffix)
        .and_then(|rest| rest.strip_suffix('.'))
    else {
        return host;
    };
    let above = owned.rfind('.').map_or(0, |dot| dot + 1);
    host.get(above..).unwrap_or(host)
}

/// The part of `host` under which a registry gives out names; the last label where the list
/// knows none.
fn registry_suffix(host: &str) -> &str {
    let mut rest = host;
    while let Some(found) = List.suffix(rest.as_bytes()) {
        let suffix = rest
            .get(rest.len() - found.as_bytes().len()..)
            .unwrap_or(rest);
        match (found.typ(), suffix.split_once('.')) {
            (Some(Type::Private), Some((_, parent))) => rest = parent,
            _ => return suffix,
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened_to_what_was_registered() {
        for (host, short) in [
            ("users.ourhost.de", "ourhost.de"),
            ("ourhost.de", "ourhost.de"),
            ("www.bbc.co.uk", "bbc.co.uk"),
            ("a.b.c.bbc.co.uk", "bbc.co.uk"),
            ("h1.city.kawasaki.jp", "city.kawasaki.jp"),
            // One label, and a public suffix by itself.
            ("localhost", "localhost"),
            ("co.uk", "co.uk"),
            // A top-level domain that is not in the list.
            ("game1.lan.example", "lan.example"),
            // International names, in the form of the DNS.
            ("www.xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
            ("a.b.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
            // Suffixes of providers do not count.
            ("ec2-192-0-2-1.compute-1.amazonaws.com", "amazonaws.com"),
            ("x.y.dyndns.org", "dyndns.org"),
            ("x.github.io", "github.io"),
        ] {
            assert_eq!(registrable(host), short, "{host}");
        }
    }
}
