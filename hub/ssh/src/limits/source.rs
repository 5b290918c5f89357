//! Which addresses count as one source.

use std::net::IpAddr;

use ipnet::IpNet;

/// How many leading bits of an address name its source, as `PerSourceNetBlockSize` in
/// `sshd_config(5)`. All addresses that share these bits share limits and penalties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetBlockSize {
    /// Bits of an IPv4 address, 0 to 32; more is taken as 32. Default 32: every address is its own
    /// source, as in OpenSSH.
    pub ipv4: u8,
    /// Bits of an IPv6 address, 0 to 128; more is taken as 128. Default 64, where OpenSSH has 128:
    /// one host owns its whole /64 (RFC 4291 section 2.5.1) and could change its address at will.
    pub ipv6: u8,
}

impl Default for NetBlockSize {
    fn default() -> Self {
        Self { ipv4: 32, ipv6: 64 }
    }
}

impl NetBlockSize {
    /// The block that `source` belongs to, its host bits cleared.
    ///
    /// An IPv4 address that arrives mapped into IPv6 (`::ffff:192.0.2.1`, as a dual-stack listener
    /// reports it) belongs to the block of the IPv4 address.
    pub fn block_of(self, source: IpAddr) -> IpNet {
        let source = source.to_canonical();
        let bits = match source {
            IpAddr::V4(_) => self.ipv4.min(32),
            IpAddr::V6(_) => self.ipv6.min(128),
        };
        // The bits are within bounds, so the fallback (one address) is never taken.
        IpNet::new(source, bits).map_or_else(|_| IpNet::from(source), |block| block.trunc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(size: NetBlockSize, source: &str) -> String {
        size.block_of(source.parse().unwrap()).to_string()
    }

    #[test]
    fn groups_ipv4_by_address_and_ipv6_by_64_bits() {
        let size = NetBlockSize::default();
        assert_eq!(block(size, "192.0.2.7"), "192.0.2.7/32");
        assert_eq!(block(size, "2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    }

    #[test]
    fn an_ipv4_address_mapped_into_ipv6_is_the_ipv4_address() {
        let size = NetBlockSize::default();
        assert_eq!(block(size, "::ffff:192.0.2.7"), "192.0.2.7/32");
    }

    #[test]
    fn block_sizes_are_configurable_and_held_within_the_address() {
        let wide = NetBlockSize { ipv4: 24, ipv6: 48 };
        assert_eq!(block(wide, "192.0.2.7"), "192.0.2.0/24");
        assert_eq!(block(wide, "2001:db8:1:2::1"), "2001:db8:1::/48");
        let absurd = NetBlockSize {
            ipv4: 200,
            ipv6: 200,
        };
        assert_eq!(block(absurd, "192.0.2.7"), "192.0.2.7/32");
        assert_eq!(block(absurd, "2001:db8::1"), "2001:db8::1/128");
    }
}
