//! What is read from a file is what it says, and what it says wrong is named.

mod mistakes;
mod properties;
mod reload;
mod sample;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use super::Config;

fn read(text: &str) -> Config {
    Config::parse(text, Path::new("")).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Everything in a configuration but the pattern for client names, in a form that can be compared.
fn shown(config: &Config) -> String {
    let Config {
        policy,
        ssh,
        naming: _,
        store,
        control,
        log,
        paths,
        shutdown_deadline,
        database,
    } = config;
    let roles: BTreeMap<_, _> = policy.roles.iter().collect();
    let clients: BTreeMap<_, _> = policy.clients.iter().collect();
    format!(
        "{:#?}",
        (
            (
                &policy.hub,
                roles,
                &policy.default_role,
                clients,
                &policy.kinds
            ),
            (policy.chat, policy.relay, &policy.dialect, &policy.limits),
            (
                ssh,
                store,
                control,
                log,
                paths,
                shutdown_deadline,
                database.reveal()
            ),
        )
    )
}
