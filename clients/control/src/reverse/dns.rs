//! The name of an address in the DNS: one PTR question by UDP (RFC 1035 §3.5, RFC 3596 §2.5).
//!
//! A stub: recursion, checking and following delegations is the work of the server that is
//! asked. An answer that does not fit into a UDP packet is used as far as it goes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// The system's list of name servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Name servers used of that list (`MAXNS` of resolv.conf(5)).
const MAX_SERVERS: usize = 3;

/// The most CNAMEs followed within one answer (RFC 2317 needs one).
const MAX_ALIASES: usize = 8;

/// Longer than any answer by UDP to a question without EDNS (RFC 1035 §4.2.1).
const PACKET: usize = 1232;

/// Why nobody could say whether an address has a name.
#[derive(Debug, thiserror::Error)]
pub(super) enum DnsError {
    #[error("no answer within the time limit")]
    NoAnswer,
    #[error("the name server answered {0:?}")]
    Refused(RCODE),
    #[error("the answer can't be read: {0}")]
    Garbled(simple_dns::SimpleDnsError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no randomness for the question's id: {0}")]
    Random(#[from] getrandom::Error),
}

/// The host name of `ip` in lower case, or none when it has none. Asks `server`, or those of the
/// system; each of several, or a single one twice, gets its part of `limit`.
pub(super) async fn reverse_name(
    ip: IpAddr,
    server: Option<SocketAddr>,
    limit: Duration,
) -> Result<Option<String>, DnsError> {
    let mut servers = match server {
        Some(server) => vec![server],
        None => system_servers().await,
    };
    if let [only] = *servers {
        servers.push(only);
    }
    let part = limit / u32::try_from(servers.len()).unwrap_or(1).max(1);
    let mut failed = DnsError::NoAnswer;
    for server in servers {
        match timeout(part, ask(ip, server)).await {
            Ok(Ok(name)) => return Ok(name),
            Ok(Err(error)) => failed = error,
            Err(_) => failed = DnsError::NoAnswer,
        }
    }
    Err(failed)
}

/// Read anew for each question, so that a change of network needs no restart.
async fn system_servers() -> Vec<SocketAddr> {
    let text = tokio::fs::read_to_string(RESOLV_CONF)
        .await
        .unwrap_or_default();
    name_servers(&text)
}

fn name_servers(resolv_conf: &str) -> Vec<SocketAddr> {
    let mut servers: Vec<_> = resolv_conf
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            words.next().filter(|keyword| *keyword == "nameserver")?;
            let address = words.next()?;
            // One with a scope (`fe80::1%eth0`) is passed over.
            Some(SocketAddr::new(address.parse().ok()?, 53))
        })
        .take(MAX_SERVERS)
        .collect();
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, 53).into());
    }
    servers
}

/// Asks one server once and waits for its answer as long as it takes.
async fn ask(ip: IpAddr, server: SocketAddr) -> Result<Option<String>, DnsError> {
    let question = question_name(ip);
    let name = Name::new(&question).map_err(DnsError::Garbled)?;
    let [a, b, ..] = getrandom::u32()?.to_ne_bytes();
    let id = u16::from_ne_bytes([a, b]);
    let mut query = Packet::new_query(id);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    let ptr = Question::new(
        name.clone(),
        QTYPE::TYPE(TYPE::PTR),
        QCLASS::CLASS(CLASS::IN),
        false,
    );
    query.questions.push(ptr);
    let query = query.build_bytes_vec().map_err(DnsError::Garbled)?;

    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    // A port of its own for each question, chosen by the system: together with the id that is
    // what a forged answer has to guess.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(&query).await?;
    let mut buffer = [0; PACKET];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // What does not answer this question is not for us, or forged: wait on.
        let answered = buffer
            .get(..length)
            .and_then(|bytes| read(bytes, id, &name));
        if let Some(answer) = answered {
            return answer;
        }
    }
}

/// Reads a packet; none when it does not answer the question `name` with this id.
fn read(bytes: &[u8], id: u16, name: &Name<'_>) -> Option<Result<Option<String>, DnsError>> {
    if bytes.get(..2)? != id.to_be_bytes() {
        return None;
    }
    let packet = match Packet::parse(bytes) {
        Ok(packet) => packet,
        Err(error) => return Some(Err(DnsError::Garbled(error))),
    };
    let [question] = packet.questions.as_slice() else {
        return None;
    };
    if !packet.has_flags(PacketFlag::RESPONSE) || question.qname != *name {
        return None;
    }
    Some(match packet.rcode() {
        RCODE::NoError => Ok(host_name(&packet, name)),
        RCODE::NameError => Ok(None),
        other => Err(DnsError::Refused(other)),
    })
}

/// The name that the answers give to `asked`, directly or through aliases. Of several the first
/// by the alphabet, since servers change their order.
fn host_name(packet: &Packet<'_>, asked: &Name<'_>) -> Option<String> {
    let mut owner = asked;
    for _ in 0..MAX_ALIASES {
        let alias = packet
            .answers
            .iter()
            .find_map(|record| match &record.rdata {
                RData::CNAME(target) if record.name == *owner => Some(&target.0),
                _ => None,
            });
        match alias {
            Some(target) => owner = target,
            None => break,
        }
    }
    let of_owner = packet.answers.iter().filter(|record| record.name == *owner);
    of_owner
        .filter_map(|record| match &record.rdata {
            RData::PTR(host) => host_text(&host.0),
            _ => None,
        })
        .min()
}

/// A host name as text; none when it has other characters than those of host names, since
/// anybody can put anything into the DNS.
fn host_text(name: &Name<'_>) -> Option<String> {
    let labels: Vec<&str> = name
        .as_bytes()
        .map(str::from_utf8)
        .collect::<Result<_, _>>()
        .ok()?;
    let host = labels.join(".").to_ascii_lowercase();
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (!host.is_empty() && host.bytes().all(valid)).then_some(host)
}

/// The name under which the DNS keeps the name of an address.
fn question_name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let octets = ip.octets();
            let nibbles = octets.iter().rev().flat_map(|o| [o & 0xf, o >> 4]);
            let digits: Vec<String> = nibbles.map(|n| format!("{n:x}")).collect();
            format!("{}.ip6.arpa", digits.join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_spelled_as_the_rfcs_say() {
        let v4 = question_name("192.0.2.5".parse().unwrap());
        assert_eq!(v4, "5.2.0.192.in-addr.arpa");
        // RFC 3596 §2.5 has this example.
        let v6 = question_name("4321:0:1:2:3:4:567:89ab".parse().unwrap());
        let rfc = "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa";
        assert_eq!(v6, rfc);
    }

    #[test]
    fn name_servers_are_read_as_the_system_reads_them() {
        let text = "# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.1\n\
                    nameserver\t2001:db8::1 \nnameserver fe80::1%eth0\nnameserver x\nnameserver\n\
                    nameserver 192.0.2.2\nnameserver 192.0.2.3\n";
        let servers: Vec<_> = name_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(
            servers,
            ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53"]
        );
        assert_eq!(name_servers(""), ["127.0.0.1:53".parse().unwrap()]);
    }

    /// An answer to the question for `5.2.0.192.in-addr.arpa` with id 7, by hand: header with
    /// `flags` and the number of `answers`, the question, the answers.
    fn packet(flags: u16, answers: &[(&str, u16, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let count = u16::try_from(answers.len()).unwrap();
        for field in [7, flags, 1, count, 0, 0] {
            bytes.extend(field.to_be_bytes());
        }
        bytes.extend(wire("5.2.0.192.in-addr.arpa"));
        bytes.extend([0, 12, 0, 1]);
        for (owner, kind, target) in answers {
            bytes.extend(wire(owner));
            bytes.extend(kind.to_be_bytes());
            bytes.extend([0, 1, 0, 0, 14, 16]);
            bytes.extend(u16::try_from(wire(target).len()).unwrap().to_be_bytes());
            bytes.extend(wire(target));
        }
        bytes
    }

    fn wire(name: &str) -> Vec<u8> {
        let label = |l: &str| [&[u8::try_from(l.len()).unwrap()], l.as_bytes()].concat();
        let mut bytes: Vec<u8> = name.split('.').flat_map(label).collect();
        bytes.push(0);
        bytes
    }

    fn answer(bytes: &[u8]) -> Option<Result<Option<String>, String>> {
        let name = Name::new("5.2.0.192.in-addr.arpa").unwrap();
        read(bytes, 7, &name).map(|answer| answer.map_err(|error| error.to_string()))
    }

    const OWN: &str = "5.2.0.192.in-addr.arpa";
    const OK: u16 = 0x8180;

    #[test]
    fn the_name_is_found_also_behind_an_alias() {
        assert_eq!(
            answer(&packet(OK, &[(OWN, 12, "Game.Ourhost.DE")])),
            Some(Ok(Some("game.ourhost.de".to_owned())))
        );
        // RFC 2317: delegation of less than an octet.
        let alias = [
            (OWN, 5, "5.0-7.2.0.192.in-addr.arpa"),
            ("5.0-7.2.0.192.in-addr.arpa", 12, "a.example"),
        ];
        assert_eq!(
            answer(&packet(OK, &alias)),
            Some(Ok(Some("a.example".to_owned())))
        );
        // Aliases in a circle end.
        assert_eq!(answer(&packet(OK, &[(OWN, 5, OWN)])), Some(Ok(None)));
        // Several names: the same one each time.
        let several = [(OWN, 12, "b.example"), (OWN, 12, "a.example")];
        assert_eq!(
            answer(&packet(OK, &several)),
            Some(Ok(Some("a.example".to_owned())))
        );
        // The owner's case does not matter (RFC 4343).
        let upper = [("5.2.0.192.IN-ADDR.ARPA", 12, "a.example")];
        assert_eq!(
            answer(&packet(OK, &upper)),
            Some(Ok(Some("a.example".to_owned())))
        );
    }

    #[test]
    fn what_is_no_host_name_counts_as_none() {
        for bad in [
            "two words.example",
            "bell\u{7}.example",
            "n\u{e9}.example",
            "a:b.example",
        ] {
            assert_eq!(
                answer(&packet(OK, &[(OWN, 12, bad)])),
                Some(Ok(None)),
                "{bad}"
            );
        }
        let other = [("6.2.0.192.in-addr.arpa", 12, "a.example")];
        assert_eq!(answer(&packet(OK, &other)), Some(Ok(None)));
        assert_eq!(answer(&packet(OK, &[])), Some(Ok(None)));
        // NXDOMAIN.
        assert_eq!(answer(&packet(0x8183, &[])), Some(Ok(None)));
    }

    #[test]
    fn a_failing_server_is_told_from_a_name_that_is_not_there() {
        for rcode in [1, 2, 4, 5] {
            let answer = answer(&packet(0x8180 | rcode, &[]));
            assert!(matches!(answer, Some(Err(_))), "{answer:?}");
        }
        let mut cut = packet(OK, &[(OWN, 12, "a.example")]);
        cut.truncate(cut.len() - 4);
        assert!(matches!(answer(&cut), Some(Err(_))));
    }

    #[test]
    fn what_answers_another_question_is_passed_over() {
        let good = packet(OK, &[(OWN, 12, "a.example")]);
        let mut other_id = good.clone();
        other_id[1] = 8;
        let mut other_name = good.clone();
        other_name[13] = b'6';
        let query = packet(0x0100, &[]);
        for bytes in [&other_id[..], &other_name, &query, b"", b"\0"] {
            assert_eq!(answer(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn no_packet_panics() {
        let good = packet(OK, &[(OWN, 5, "x.example"), ("x.example", 12, "a.example")]);
        for at in 0..good.len() {
            for value in [0, 1, 0x3f, 0x40, 0xc0, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                answer(&bytes);
                answer(&bytes[..at]);
            }
        }
    }
}
