//! `[control]`: the control server inside the hub's process.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use cmp_control::{
    CheckedSettings, DNS_TIMEOUTS, HostKey, MAX_HISTORY, MIN_MMDB_CHECK, Settings, SettingsError,
};
use cmp_core::{Allowed, Policy};
use cmp_protocol::ClientName;

use super::reader::Section;
use super::value::Value;

/// The name of the control server among the clients, unless another is set.
const CLIENT: &str = "control";

/// The commands that it sends.
const USES: [&str; 4] = ["PROVIDE", "REP", "END", "RESUME"];

/// The port of DNS (RFC 1035, section 4.2).
const DNS_PORT: u16 = 53;

/// The control server that runs in the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Control {
    /// The client that it is; its role permits what it does.
    pub(crate) client: ClientName,
    /// Its settings.
    pub(crate) settings: CheckedSettings,
}

/// What is set; none when it is switched off. The section is checked in either case.
pub(super) fn read(
    file: &mut Section<'_, '_>,
    base: &Path,
    policy: Option<&Policy>,
) -> Option<Control> {
    let mut control = file.section("control");
    let mut enabled = true;
    control.bool("enabled", &mut enabled);
    let client = control.parsed("client", CLIENT);

    let mut set = Settings {
        hosts: hosts(&mut control),
        ..Settings::default()
    };
    if let Some(rules) = control.value("rules") {
        set.rules = texts(&rules);
    }
    control.integer("history", 0..=MAX_HISTORY as u64, &mut set.history);
    control.bool("reverse_dns", &mut set.reverse_dns);
    set.dns_server = control
        .value("dns_server")
        .and_then(|value| dns_server(&value));
    control.duration("dns_timeout", DNS_TIMEOUTS, &mut set.dns_timeout);
    set.mmdb = control.value("mmdb").and_then(|value| value.path(base));
    let checks = MIN_MMDB_CHECK..=Duration::from_hours(24);
    control.duration("mmdb_check", checks, &mut set.mmdb_check);

    let settings = set.check().map_err(|error| control.problem(error)).ok();
    if !enabled {
        return None;
    }
    if let (Some(client), Some(policy)) = (&client, policy) {
        may_do_its_work(&control, client, policy);
    }
    Some(Control {
        client: client?,
        settings: settings?,
    })
}

fn hosts(control: &mut Section<'_, '_>) -> Vec<(HostKey, String)> {
    let mut seen = HashSet::new();
    let mut hosts = Vec::new();
    for entry in control.entries("hosts") {
        let (Some(key), Some(name)) = (entry.named::<HostKey>(), entry.value.string()) else {
            continue;
        };
        let host = (key, name.to_owned());
        // By itself, so that what is wrong is found at its own line.
        let alone = Settings {
            hosts: vec![host.clone()],
            ..Settings::default()
        };
        if let Err(error) = alone.check() {
            entry.problem(error);
        } else if seen.insert(key) {
            hosts.push(host);
        } else {
            entry.problem(format!("{key} is there twice"));
        }
    }
    hosts
}

fn texts(rules: &Value<'_, '_>) -> Vec<String> {
    let mut texts = Vec::new();
    for (index, rule) in rules.list().unwrap_or_default().iter().enumerate() {
        let Some(text) = rule.string() else { continue };
        let alone = Settings {
            rules: vec![text.to_owned()],
            ..Settings::default()
        };
        match alone.check() {
            Ok(_) => texts.push(text.to_owned()),
            Err(SettingsError::Rule(_)) => rule.problem(SettingsError::Rule(index + 1)),
            Err(other) => rule.problem(other),
        }
    }
    texts
}

fn dns_server(value: &Value<'_, '_>) -> Option<SocketAddr> {
    let text = value.string()?;
    let with_default_port = |text: &str| {
        text.parse::<IpAddr>()
            .map(|address| SocketAddr::new(address, DNS_PORT))
    };
    let read = text.parse().or_else(|_| with_default_port(text));
    let hint = |_| format!("{text:?} is no address; write for example \"192.0.2.53\"");
    value.valid(read.map_err(hint))
}

fn may_do_its_work(control: &Section<'_, '_>, client: &ClientName, policy: &Policy) {
    let (name, role) = policy.role_of(client);
    let Allowed::Only(commands) = role.commands else {
        return;
    };
    let lacks: Vec<_> = USES
        .into_iter()
        .filter(|command| !commands.contains(*command))
        .collect();
    if !lacks.is_empty() {
        control.problem(format!(
            "its client {client} has role {name}, which may not use {}; set another role for it \
             in [clients], or enabled = false",
            lacks.join(", ")
        ));
    }
}
