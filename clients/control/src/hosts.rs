//! The host table: short names that the operator gives to addresses.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

use crate::address::Address;

/// The most entries of a host table; `HOSTS` answers with all of them.
pub const MAX_HOSTS: usize = 1000;

/// The longest short name, in bytes.
pub const MAX_SHORT_NAME: usize = 64;

/// What a short name stands for.
///
/// IPv4 mapped into IPv6 is the IPv4 address or network; host bits of a network do not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostKey {
    /// One server: `192.0.2.1:27500`, `[2001:db8::1]:27500`.
    Endpoint(SocketAddr),
    /// Every port of an address: `192.0.2.1`, `2001:db8::1`.
    Address(IpAddr),
    /// Every address of a network: `192.0.2.0/24`, `2001:db8::/32`.
    Network(IpNet),
}

/// A text is no key of a host table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no address, address with port, or network: \
     192.0.2.1, 192.0.2.1:27500, [2001:db8::1]:27500, 192.0.2.0/24"
)]
pub struct HostKeyError(String);

impl FromStr for HostKey {
    type Err = HostKeyError;

    fn from_str(text: &str) -> Result<Self, HostKeyError> {
        let error = || HostKeyError(text.chars().take(80).collect());
        let key = if text.contains('/') {
            Self::Network(text.parse().map_err(|_| error())?)
        } else {
            let Address { ip, port } = Address::parse(text).ok_or_else(error)?;
            port.map_or(Self::Address(ip), |port| Self::Endpoint((ip, port).into()))
        };
        Ok(key.canonical())
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(endpoint) => endpoint.fmt(f),
            Self::Address(ip) => ip.fmt(f),
            Self::Network(network) => network.fmt(f),
        }
    }
}

impl HostKey {
    /// The one form of keys that mean the same.
    fn canonical(self) -> Self {
        match self {
            Self::Endpoint(e) => Self::Endpoint((e.ip().to_canonical(), e.port()).into()),
            Self::Address(ip) => Self::Address(ip.to_canonical()),
            Self::Network(network) => Self::Network(canonical_network(network)),
        }
    }
}

fn canonical_network(network: IpNet) -> IpNet {
    let mapped = match (network.addr().to_canonical(), network) {
        (IpAddr::V4(ip), IpNet::V6(v6)) => v6
            .prefix_len()
            .checked_sub(96)
            .and_then(|prefix| Ipv4Net::new(ip, prefix).ok()),
        _ => None,
    };
    mapped.map_or(network, IpNet::V4).trunc()
}

/// What is wrong with an entry of a host table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// More entries than `HOSTS` can show.
    #[error("{0} hosts are more than the {MAX_HOSTS} that a host table holds")]
    TooMany(usize),
    /// Two entries for the same thing.
    #[error("host {0} is named twice")]
    Twice(HostKey),
    /// A short name that does not stand as one word in a reply.
    #[error(
        "the short name {name:?} of host {key} is not 1 to {MAX_SHORT_NAME} bytes without white \
         space, control characters or a leading colon, or it is the word ERROR"
    )]
    ShortName {
        /// Whose name.
        key: HostKey,
        /// The name.
        name: String,
    },
}

/// A checked host table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostTable {
    /// In the operator's order.
    entries: Vec<(HostKey, String)>,
    /// Endpoints and addresses: index into `entries`.
    exact: HashMap<HostKey, usize>,
    /// The longest prefix first: index into `entries`.
    networks: Vec<(IpNet, usize)>,
}

impl HostTable {
    pub(crate) fn new(entries: Vec<(HostKey, String)>) -> Result<Self, HostError> {
        if entries.len() > MAX_HOSTS {
            return Err(HostError::TooMany(entries.len()));
        }
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(key, name)| (key.canonical(), name))
            .collect();
        let mut exact = HashMap::new();
        let mut networks = Vec::new();
        for (index, (key, name)) in entries.iter().enumerate() {
            if !is_short_name(name) {
                return Err(HostError::ShortName {
                    key: *key,
                    name: name.clone(),
                });
            }
            if exact.insert(*key, index).is_some() {
                return Err(HostError::Twice(*key));
            }
            if let HostKey::Network(network) = key {
                networks.push((*network, index));
            }
        }
        networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix_len()));
        Ok(Self {
            entries,
            exact,
            networks,
        })
    }

    /// The short name of an address: that of exactly this address and port, else that of the
    /// address, else that of the smallest network around it.
    pub(crate) fn short_name(&self, address: Address) -> Option<&str> {
        let Address { ip, port } = address;
        let endpoint = port.map(|port| HostKey::Endpoint((ip, port).into()));
        let index = endpoint
            .and_then(|key| self.exact.get(&key))
            .or_else(|| self.exact.get(&HostKey::Address(ip)))
            .copied()
            .or_else(|| {
                let mut around = self.networks.iter();
                around
                    .find(|(network, _)| network.contains(&ip))
                    .map(|(_, index)| *index)
            })?;
        self.entries.get(index).map(|(_, name)| name.as_str())
    }

    /// Every entry, in the operator's order.
    pub(crate) fn entries(&self) -> &[(HostKey, String)] {
        &self.entries
    }
}

fn is_short_name(name: &str) -> bool {
    (1..=MAX_SHORT_NAME).contains(&name.len())
        && !name.starts_with(':')
        && !name.chars().any(|c| c.is_whitespace() || c.is_control())
        && name != crate::reply::ERROR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, &str)]) -> Result<HostTable, HostError> {
        let entry = |(key, name): &(&str, &str)| (key.parse().unwrap(), (*name).to_owned());
        HostTable::new(entries.iter().map(entry).collect())
    }

    #[test]
    fn the_most_exact_entry_counts() {
        let table = table(&[
            ("0.0.0.0/0", "internet"),
            ("198.51.100.0/24", "ourhost"),
            ("198.51.100.128/25", "ourhost-b"),
            ("198.51.100.200", "foppa"),
            ("198.51.100.200:27500", "foppa-duel"),
            ("2001:db8::/32", "six"),
            ("[2001:db8::1]:27500", "six-duel"),
        ])
        .unwrap();
        for (address, name) in [
            ("198.51.100.200:27500", Some("foppa-duel")),
            ("198.51.100.200:27501", Some("foppa")),
            ("198.51.100.200", Some("foppa")),
            ("198.51.100.201", Some("ourhost-b")),
            ("198.51.100.1:1", Some("ourhost")),
            ("8.8.8.8", Some("internet")),
            ("::ffff:198.51.100.200", Some("foppa")),
            ("[2001:db8::1]:27500", Some("six-duel")),
            ("2001:db8::1", Some("six")),
            ("2001:db9::1", None),
        ] {
            let found = table.short_name(Address::parse(address).unwrap());
            assert_eq!(found, name, "{address}");
        }
    }

    #[test]
    fn keys_have_one_form() {
        for (text, form) in [
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:27500", "192.0.2.1:27500"),
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("[2001:DB8::1]:1", "[2001:db8::1]:1"),
            ("[2001:db8::1]", "2001:db8::1"),
        ] {
            assert_eq!(text.parse::<HostKey>().unwrap().to_string(), form);
        }
        // A key that was not read from text is brought to that form too.
        let mapped = HostKey::Address("::ffff:192.0.2.1".parse().unwrap());
        let table = HostTable::new(vec![(mapped, "x".to_owned())]).unwrap();
        assert_eq!(
            table.short_name(Address::parse("192.0.2.1").unwrap()),
            Some("x")
        );
    }

    #[test]
    fn a_key_is_an_address_or_a_network() {
        for text in ["", "example.org", "192.0.2.1/33", "192.0.2.1:99999", "/24"] {
            let error = text.parse::<HostKey>().unwrap_err();
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn entries_are_checked() {
        let twice = table(&[("192.0.2.1", "a"), ("::ffff:192.0.2.1", "b")]).unwrap_err();
        assert_eq!(twice.to_string(), "host 192.0.2.1 is named twice");
        let long = "a".repeat(MAX_SHORT_NAME + 1);
        for bad in ["", "two words", ":x", "tab\t", "ERROR", &long] {
            let error = table(&[("192.0.2.1", bad)]).unwrap_err();
            assert!(matches!(error, HostError::ShortName { .. }), "{bad:?}");
        }
        let many = (0..=u32::try_from(MAX_HOSTS).unwrap())
            .map(|n| (HostKey::Address(IpAddr::V4(n.into())), "x".to_owned()))
            .collect();
        assert_eq!(HostTable::new(many), Err(HostError::TooMany(MAX_HOSTS + 1)));
    }
}
