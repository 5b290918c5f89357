//! Address ranges that belong to nobody in particular, by the IANA special-purpose address
//! registries for IPv4 and IPv6 (RFC 6890), and multicast.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What an address is for when it is not one of the public internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Special {
    /// One word.
    pub(crate) name: &'static str,
    /// In words.
    pub(crate) description: &'static str,
}

/// What a special address is for; none for one of the public internet.
pub(crate) fn special(ip: IpAddr) -> Option<Special> {
    let (name, description) = match ip {
        IpAddr::V4(ip) => V4
            .iter()
            .find(|range| range.0.contains(&ip))
            .map(|r| (r.1, r.2)),
        IpAddr::V6(ip) => V6
            .iter()
            .find(|range| range.0.contains(&ip))
            .map(|r| (r.1, r.2)),
    }?;
    Some(Special { name, description })
}

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// The first match counts: a range inside another one stands before it.
#[rustfmt::skip]
const V4: &[(Ipv4Net, &str, &str)] = &[
    (v4(0, 0, 0, 8), "this-network", "this network (RFC 791)"),
    (v4(10, 0, 0, 8), "private", "private network (RFC 1918)"),
    (v4(100, 64, 0, 10), "cgnat", "shared address space of a provider (RFC 6598)"),
    (v4(127, 0, 0, 8), "loopback", "loopback (RFC 1122)"),
    (v4(169, 254, 0, 16), "link-local", "link-local (RFC 3927)"),
    (v4(172, 16, 0, 12), "private", "private network (RFC 1918)"),
    (v4(192, 0, 0, 24), "protocol", "protocol assignments (RFC 6890)"),
    (v4(192, 0, 2, 24), "documentation", "documentation (RFC 5737)"),
    (v4(192, 88, 99, 24), "6to4", "6to4 relay, deprecated (RFC 7526)"),
    (v4(192, 168, 0, 16), "private", "private network (RFC 1918)"),
    (v4(198, 18, 0, 15), "benchmarking", "benchmarking (RFC 2544)"),
    (v4(198, 51, 100, 24), "documentation", "documentation (RFC 5737)"),
    (v4(203, 0, 113, 24), "documentation", "documentation (RFC 5737)"),
    (v4(224, 0, 0, 4), "multicast", "multicast (RFC 5771)"),
    (Ipv4Net::new_assert(Ipv4Addr::BROADCAST, 32), "broadcast", "limited broadcast (RFC 919)"),
    (v4(240, 0, 0, 4), "reserved", "reserved (RFC 1112)"),
];

/// The first match counts: a range inside another one stands before it.
#[rustfmt::skip]
const V6: &[(Ipv6Net, &str, &str)] = &[
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "unspecified", "unspecified (RFC 4291)"),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback", "loopback (RFC 4291)"),
    (v6(0, 0, 0, 96), "reserved", "IPv4-compatible, deprecated (RFC 4291)"),
    (v6(0x64, 0xff9b, 0, 96), "nat64", "IPv4 behind NAT64 (RFC 6052)"),
    (v6(0x64, 0xff9b, 1, 48), "nat64", "IPv4 behind a local NAT64 (RFC 8215)"),
    (v6(0x100, 0, 0, 64), "discard", "discarded (RFC 6666)"),
    (v6(0x2001, 0, 0, 32), "teredo", "Teredo tunnel (RFC 4380)"),
    (v6(0x2001, 2, 0, 48), "benchmarking", "benchmarking (RFC 5180)"),
    (v6(0x2001, 0xdb8, 0, 32), "documentation", "documentation (RFC 3849)"),
    (v6(0x2001, 0, 0, 23), "protocol", "protocol assignments (RFC 2928)"),
    (v6(0x2002, 0, 0, 16), "6to4", "6to4 tunnel (RFC 3056)"),
    (v6(0x3fff, 0, 0, 20), "documentation", "documentation (RFC 9637)"),
    (v6(0x5f00, 0, 0, 16), "segment", "segment routing (RFC 9602)"),
    (v6(0xfc00, 0, 0, 7), "private", "unique local address (RFC 4193)"),
    (v6(0xfe80, 0, 0, 10), "link-local", "link-local (RFC 4291)"),
    (v6(0xfec0, 0, 0, 10), "private", "site-local, deprecated (RFC 3879)"),
    (v6(0xff00, 0, 0, 8), "multicast", "multicast (RFC 4291)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_named_from_their_first_to_their_last_address() {
        for (first, last, name) in [
            ("0.0.0.0", "0.255.255.255", "this-network"),
            ("10.0.0.0", "10.255.255.255", "private"),
            ("100.64.0.0", "100.127.255.255", "cgnat"),
            ("127.0.0.0", "127.255.255.255", "loopback"),
            ("169.254.0.0", "169.254.255.255", "link-local"),
            ("172.16.0.0", "172.31.255.255", "private"),
            ("192.0.0.0", "192.0.0.255", "protocol"),
            ("192.0.2.0", "192.0.2.255", "documentation"),
            ("192.88.99.0", "192.88.99.255", "6to4"),
            ("192.168.0.0", "192.168.255.255", "private"),
            ("198.18.0.0", "198.19.255.255", "benchmarking"),
            ("198.51.100.0", "198.51.100.255", "documentation"),
            ("203.0.113.0", "203.0.113.255", "documentation"),
            ("224.0.0.0", "239.255.255.255", "multicast"),
            ("240.0.0.0", "255.255.255.254", "reserved"),
            ("255.255.255.255", "255.255.255.255", "broadcast"),
            ("::", "::", "unspecified"),
            ("::1", "::1", "loopback"),
            ("::2", "::ffff:ffff", "reserved"),
            ("64:ff9b::", "64:ff9b::ffff:ffff", "nat64"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "nat64"),
            ("100::", "100::ffff:ffff:ffff:ffff", "discard"),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "teredo"),
            (
                "2001:2::",
                "2001:2:0:ffff:ffff:ffff:ffff:ffff",
                "benchmarking",
            ),
            (
                "2001:1::",
                "2001:1:ffff:ffff:ffff:ffff:ffff:ffff",
                "protocol",
            ),
            (
                "2001:10::",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                "protocol",
            ),
            (
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "documentation",
            ),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"),
            (
                "3fff::",
                "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                "documentation",
            ),
            (
                "5f00::",
                "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "segment",
            ),
            (
                "fc00::",
                "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "private",
            ),
            (
                "fe80::",
                "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "link-local",
            ),
            (
                "fec0::",
                "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "private",
            ),
            (
                "ff00::",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "multicast",
            ),
        ] {
            for text in [first, last] {
                let found = special(text.parse().unwrap());
                assert_eq!(found.map(|s| s.name), Some(name), "{text}");
            }
        }
    }

    #[test]
    fn the_neighbours_of_ranges_are_public() {
        for text in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::",
            "2001:db9::",
            "2003::",
            "2000::",
            "3fff:1000::",
            "fbff::",
            "fe7f::",
            "2a00::",
        ] {
            assert_eq!(special(text.parse().unwrap()), None, "{text}");
        }
    }
}
