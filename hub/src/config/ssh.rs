//! `[ssh]`: the listeners, their connections, and who is not let in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use cmp_ssh::limits::ConnectionLimitSettings;
use cmp_ssh::limits::penalties::PenaltySettings;
use cmp_ssh::limits::source::NetBlockSize;
use cmp_ssh::limits::startups::MaxStartups;
use cmp_ssh::{HostKeyType, Settings};
use ipnet::IpNet;

use super::reader::Section;
use super::value::Value;

/// The address of the first try: nobody else can reach it.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2222);

/// The most addresses to listen on.
const MAX_LISTEN: usize = 16;

/// How many connections the settings can ask for.
const CONNECTIONS: RangeInclusive<u64> = 1..=1_000_000;

/// How SSH clients get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SshSettings {
    /// Where to listen; port 0 is any free one.
    pub(crate) listen: Vec<SocketAddr>,
    /// The keys by which clients recognise the hub.
    pub(crate) host_keys: Vec<HostKeyType>,
    /// Of each connection.
    pub(crate) connection: Settings,
    /// Of all connections together.
    pub(crate) limits: ConnectionLimitSettings,
}

pub(super) fn read(file: &mut Section<'_, '_>) -> SshSettings {
    let mut ssh = file.section("ssh");
    let listen = ssh
        .value("listen")
        .map_or_else(|| vec![LISTEN], |value| addresses(&value));
    let host_keys = ssh
        .value("host_keys")
        .map_or_else(|| HostKeyType::ALL.to_vec(), |value| host_keys(&value));
    let mut limits = ConnectionLimitSettings::default();
    if let Some(value) = ssh.value("max_startups") {
        startups(&value, &mut limits.max_startups);
    }
    ssh.integer(
        "max_connections",
        CONNECTIONS,
        &mut limits.connections.total,
    );
    ssh.integer(
        "connections_per_source",
        CONNECTIONS,
        &mut limits.connections.per_source,
    );
    if let Some(value) = ssh.value("source_net_block_size") {
        net_block_size(&value, &mut limits.net_block_size);
    }
    let connection = connection(&mut ssh);
    penalties(&mut ssh.section("penalties"), &mut limits.penalties);
    let mut log = ssh.section("refusal_log");
    log.integer("lines", 1..=1_000_000, &mut limits.log.lines);
    log.duration(
        "window",
        Duration::from_secs(1)..=Duration::from_hours(1),
        &mut limits.log.window,
    );
    drop(log);
    SshSettings {
        listen,
        host_keys,
        connection,
        limits,
    }
}

fn connection(ssh: &mut Section<'_, '_>) -> Settings {
    let (ms, secs) = (Duration::from_millis, Duration::from_secs);
    let hour = Duration::from_hours(1);
    let mut set = Settings::default();
    ssh.integer(
        "connections_per_client",
        CONNECTIONS,
        &mut set.connections_per_client,
    );
    ssh.integer("sessions_per_connection", 1..=1000, &mut set.max_sessions);
    ssh.integer("max_line_len", 512..=1_048_576, &mut set.max_line_len);
    ssh.integer("window_size", 32_768..=16_777_216, &mut set.window_size);
    ssh.duration(
        "keepalive_interval",
        ms(100)..=hour,
        &mut set.keepalive_interval,
    );
    ssh.integer("keepalive_max", 1..=1000, &mut set.keepalive_max);
    let grace = &mut set.login_grace;
    ssh.duration(
        "key_exchange_grace",
        ms(100)..=secs(30),
        &mut grace.key_exchange,
    );
    ssh.duration("login_grace", ms(100)..=hour, &mut grace.login);
    ssh.integer("max_auth_tries", 1..=100, &mut set.max_auth_tries);
    ssh.duration("close_grace", ms(100)..=secs(60), &mut set.close_grace);
    ssh.duration("drain_stall", ms(100)..=hour, &mut set.drain_stall);
    set
}

fn penalties(section: &mut Section<'_, '_>, set: &mut PenaltySettings) {
    let time = || Duration::ZERO..=Duration::from_hours(24);
    section.bool("enabled", &mut set.enabled);
    section.duration("auth_fail", time(), &mut set.auth_fail);
    section.duration("no_auth", time(), &mut set.no_auth);
    section.duration("grace_exceeded", time(), &mut set.grace_exceeded);
    section.duration("crash", time(), &mut set.crash);
    section.duration("min", time(), &mut set.min);
    section.duration("max", time(), &mut set.max);
    section.integer("max_sources", 1..=10_000_000, &mut set.max_sources);
    if let Some(value) = section.value("exempt") {
        let networks = value.list().unwrap_or_default();
        set.exempt = networks.iter().filter_map(network).collect();
    }
    if set.min > set.max
        && let Some(value) = section.value("min").or_else(|| section.value("max"))
    {
        value.problem("min is more than max, so no source would ever be refused");
    }
}

fn network(value: &Value<'_, '_>) -> Option<IpNet> {
    let text = value.string()?;
    let one_address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(one_address);
    value.valid(network.map(|network| network.trunc()).ok_or_else(|| {
        format!("{text:?} is no address or network; write for example \"192.0.2.0/24\"")
    }))
}

fn host_keys(value: &Value<'_, '_>) -> Vec<HostKeyType> {
    let choices = [
        ("ed25519", HostKeyType::Ed25519),
        ("ecdsa", HostKeyType::Ecdsa),
        ("rsa", HostKeyType::Rsa),
    ];
    let items = value.list().unwrap_or_default();
    let mut found = Vec::new();
    for key_type in items.iter().filter_map(|item| item.choice(&choices)) {
        if !found.contains(&key_type) {
            found.push(key_type);
        }
    }
    if items.is_empty() {
        value.problem("is empty, so nobody could know the hub; name a type, as \"ed25519\"");
    }
    found
}

fn addresses(value: &Value<'_, '_>) -> Vec<SocketAddr> {
    let Some(items) = value.list() else {
        return Vec::new();
    };
    if items.is_empty() {
        value.problem("is empty, so nobody could log in; name an address, as \"127.0.0.1:2222\"");
    }
    let mut found = Vec::new();
    for item in &items {
        let Some(text) = item.string() else { continue };
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 && found.contains(&address) => {
                item.problem(format!("{address} is there twice"));
            }
            Ok(address) => found.push(address),
            Err(_) => item.problem(format!(
                "{text:?} is no address with a port; write for example \"127.0.0.1:2222\", \
                 \"[::]:2222\""
            )),
        }
    }
    if items.len() > MAX_LISTEN {
        value.problem(format!(
            "{} addresses are more than {MAX_LISTEN}",
            items.len()
        ));
    }
    found
}

/// `start:rate:full`, as in `sshd_config(5)`.
fn startups(value: &Value<'_, '_>, target: &mut MaxStartups) {
    let Some(text) = value.string() else { return };
    let read = || {
        let [start, rate, full] = numbers(text)?;
        let rate_percent = u8::try_from(rate)
            .ok()
            .filter(|rate| (1..=100).contains(rate))?;
        (1..=full).contains(&start).then_some(MaxStartups {
            start,
            rate_percent,
            full,
        })
    };
    match read() {
        Some(read) => *target = read,
        None => value.problem(format!(
            "{text:?} is not START:RATE:FULL, as \"100:30:1000\": START from 1, RATE in percent \
             from 1 to 100, FULL not below START"
        )),
    }
}

/// `ipv4:ipv6`, as in `sshd_config(5)`.
fn net_block_size(value: &Value<'_, '_>, target: &mut NetBlockSize) {
    let Some(text) = value.string() else { return };
    let read = || {
        let [ipv4, ipv6] = numbers::<u8, 2>(text)?;
        (ipv4 <= 32 && ipv6 <= 128).then_some(NetBlockSize { ipv4, ipv6 })
    };
    match read() {
        Some(read) => *target = read,
        None => value.problem(format!(
            "{text:?} is not IPV4BITS:IPV6BITS, as \"32:64\": from 0 to 32 and from 0 to 128"
        )),
    }
}

/// So many numbers with colons between them.
fn numbers<T: FromStr, const N: usize>(text: &str) -> Option<[T; N]> {
    let numbers: Option<Vec<T>> = text.split(':').map(|part| part.parse().ok()).collect();
    numbers?.try_into().ok()
}
