//! The values of the forwarding options. The hub forwards nothing, so they have no effect; their
//! form is checked all the same, because sshd does not use a key with a malformed one.

/// True for a valid value of `permitopen=`: `host:port`, the host of an IPv6 address in brackets,
/// the port a number, a service name or `*`. Source: sshd(8); `handle_permit` in OpenSSH's
/// `auth-options.c`, `hpdelim2` in its `misc.c`.
pub(super) fn is_permitopen(value: &str) -> bool {
    let port = match value.strip_prefix('[') {
        Some(bracketed) => bracketed
            .split_once(']')
            .and_then(|(_, rest)| rest.strip_prefix([':', '/'])),
        None => value.split_once([':', '/']).map(|(_, port)| port),
    };
    port.is_some_and(is_port)
}

/// True for a valid value of `permitlisten=`: as `permitopen=`, or a port alone.
pub(super) fn is_permitlisten(value: &str) -> bool {
    if value.contains(':') {
        is_permitopen(value)
    } else {
        is_port(value)
    }
}

/// True for a valid value of `tunnel=`: a device number, or `any`. Source: `a2tun` in OpenSSH's
/// `misc.c`.
pub(super) fn is_tunnel(value: &str) -> bool {
    const HIGHEST_DEVICE: u32 = 0x7fff_fffd;
    value.eq_ignore_ascii_case("any") || value.parse().is_ok_and(|n: u32| n <= HIGHEST_DEVICE)
}

/// A service name passes unchecked: which exist depends on the machine.
fn is_port(text: &str) -> bool {
    let service_name = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    text == "*" || service_name || text.parse().is_ok_and(|port: u16| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permitted_destinations() {
        for good in [
            "a:80",
            "192.0.2.1:80",
            "[2001:db8::1]:80",
            "a:*",
            "*:1",
            "a:http",
            "a/80",
        ] {
            assert!(is_permitopen(good), "{good}");
            assert!(good.contains('/') || is_permitlisten(good), "{good}");
        }
        for bad in [
            "", "a", "80", "a:", "a:0", "a:65536", "::1:80", "[::1", "[::1]80", "a:8 0",
        ] {
            assert!(!is_permitopen(bad), "{bad}");
        }
        assert!(is_permitlisten("8080") && is_permitlisten("*"));
        assert!(!is_permitlisten("") && !is_permitlisten("a:"));
    }

    #[test]
    fn tunnel_devices() {
        assert!(is_tunnel("0") && is_tunnel("any") && is_tunnel("ANY"));
        assert!(!is_tunnel("") && !is_tunnel("-1") && !is_tunnel("tun0") && !is_tunnel("0:1"));
    }
}
