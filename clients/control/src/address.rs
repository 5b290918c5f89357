//! Addresses as people write them.

use std::net::{IpAddr, SocketAddr};

/// An address, and the port if one was given. An IPv4 address mapped into IPv6 (`::ffff:0:0/96`,
/// RFC 4291 §2.5.5.2) is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) ip: IpAddr,
    pub(crate) port: Option<u16>,
}

impl Address {
    /// Reads `192.0.2.1`, `192.0.2.1:27500`, `2001:db8::1`, `[2001:db8::1]` or
    /// `[2001:db8::1]:27500`; none for anything else. Names are not looked up.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let (ip, port) = if let Some(inner) = bare {
            (IpAddr::V6(inner.parse().ok()?), None)
        } else if let Ok(ip) = text.parse() {
            (ip, None)
        } else {
            let endpoint: SocketAddr = text.parse().ok()?;
            (endpoint.ip(), Some(endpoint.port()))
        };
        let ip = ip.to_canonical();
        Some(Self { ip, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_port() {
        for (text, ip, port) in [
            ("192.0.2.1", "192.0.2.1", None),
            ("192.0.2.1:27500", "192.0.2.1", Some(27500)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("[2001:DB8::1]:27500", "2001:db8::1", Some(27500)),
            ("::ffff:192.0.2.1", "192.0.2.1", None),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1", Some(80)),
        ] {
            let ip = ip.parse().unwrap();
            assert_eq!(Address::parse(text), Some(Address { ip, port }), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "example.org",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1:",
            "192.0.2.1:65536",
            "192.0.2.1:x",
            "[192.0.2.1]:80",
            "fe80::1%eth0",
            "192.0.2.1 192.0.2.2",
            "192.0.2.0/24",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
