//! The sample and the parser say the same: every key, every default, every bound.

use std::collections::BTreeSet;
use std::path::Path;

use cmp_protocol::Dialect;
use cmp_ssh::authorized_keys::ClientNaming;

use super::{read, shown};
use crate::config::{Config, SAMPLE};

/// A word that is like no key.
const ODD: &str = "zzzzzzzzzzzzzzzzzzzzzzzz";

fn is_example(line: &str) -> bool {
    line.ends_with("# example")
}

/// The sample with its switched-off lines switched on, on the same lines as before.
fn switched_on(wanted: impl Fn(&str) -> bool) -> String {
    let switch = |line: &str| match line.strip_prefix('#') {
        Some(key) if !key.is_empty() && !key.starts_with(' ') && wanted(line) => key.to_owned(),
        _ => line.to_owned(),
    };
    SAMPLE.lines().map(|line| switch(line) + "\n").collect()
}

/// The whole sample switched on, in a folder with the files that it names.
struct Everything {
    folder: tempfile::TempDir,
    text: String,
}

impl Everything {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("postgres-password");
        std::fs::write(&password, "secret\n").unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&password, private).unwrap();
        std::fs::write(folder.path().join("central.toml"), Dialect::SHIPPED).unwrap();
        // Only with PostgreSQL there is a password.
        let text = switched_on(|_| true).replace("\"sqlite:cmp-hub.db\"", "\"postgres://u@h/d\"");
        Self { folder, text }
    }

    fn errors(&self, text: &str) -> Vec<String> {
        match Config::parse(text, self.folder.path()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
        }
    }
}

#[test]
fn the_sample_is_the_same_as_an_empty_file() {
    assert_eq!(shown(&read(SAMPLE)), shown(&read("")));
}

#[test]
fn every_default_that_the_sample_shows_is_the_default() {
    let defaults = switched_on(|line| !is_example(line));
    assert_eq!(shown(&read(&defaults)), shown(&read("")));
    assert!(defaults.contains(&format!(
        "\nclient_name_pattern = '{}'\n",
        ClientNaming::LAST_WORD
    )));
}

#[test]
fn the_whole_sample_switched_on_has_no_mistake() {
    let everything = Everything::new();
    assert_eq!(everything.errors(&everything.text), Vec::<String>::new());
    assert_ne!(everything.text, SAMPLE);
}

/// Every key and table, those that the operator names as `*`.
fn keys_of(table: &toml::Table, path: &str, keys: &mut BTreeSet<String>) {
    for (key, value) in table {
        let named = ["roles.", "kinds.", "clients.", "control.hosts."].contains(&path);
        let path = format!("{path}{}", if named { "*" } else { key });
        if let toml::Value::Table(inner) = value {
            keys_of(inner, &format!("{path}."), keys);
        }
        keys.insert(path);
    }
}

#[test]
fn every_key_that_can_be_set_is_in_the_sample() {
    let everything = Everything::new();
    let mut in_sample = BTreeSet::new();
    keys_of(
        &toml::from_str(&everything.text).unwrap(),
        "",
        &mut in_sample,
    );

    // The message about an unknown key lists those that are known.
    let probe = format!("{ODD} = 1\n");
    let probed: String = everything
        .text
        .lines()
        .map(|line| {
            if line.starts_with('[') {
                format!("{line}\n{probe}")
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    let mut known = BTreeSet::new();
    for error in everything.errors(&(probe + &probed)) {
        let Some((place, keys)) = error.split_once("` is not known; known are ") else {
            assert!(error.contains("`control.hosts."), "{error}");
            continue;
        };
        let place = place
            .split_once("key `")
            .unwrap()
            .1
            .strip_suffix(ODD)
            .unwrap();
        let parts: Vec<_> = place.split('.').collect();
        let place = match parts.as_slice() {
            [table @ ("roles" | "kinds" | "clients"), _, rest @ ..] => {
                format!("{table}.*.{}", rest.join("."))
            }
            _ => place.to_owned(),
        };
        known.extend(keys.split(", ").map(|key| format!("{place}{key}")));
    }
    assert!(known.len() > 90, "{known:?}");
    let names = ["roles.*", "kinds.*", "clients.*", "control.hosts.*"].map(str::to_owned);
    known.extend(names);
    assert_eq!(in_sample, known);
}

/// Whether these bounds, and not others that begin or end like them, are in the text.
fn states(text: &str, bounds: &str) -> bool {
    let mut found = text
        .match_indices(bounds)
        .map(|(at, _)| (&text[..at], &text[at + bounds.len()..]));
    found.any(|(before, after)| {
        !before.ends_with(|c: char| c.is_ascii_alphanumeric())
            && !after.starts_with(|c: char| c.is_ascii_alphanumeric())
    })
}

#[test]
fn every_bound_that_the_sample_states_is_the_bound() {
    let everything = Everything::new();
    let lines: Vec<_> = everything.text.lines().collect();
    let mut checked = 0;
    for (index, line) in lines.iter().enumerate() {
        let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let value = value.trim_end_matches("# example").trim_end();
        let far = if value.parse::<u64>().is_ok() {
            "9223372036854775807"
        } else if crate::config::parse_duration(value.trim_matches('"')).is_ok() {
            "\"9999999d\""
        } else {
            continue;
        };
        let mut changed = lines.clone();
        let absurd = format!("{key} = {far}");
        changed[index] = &absurd;
        let errors = everything.errors(&changed.join("\n"));
        let [error] = errors.as_slice() else {
            panic!("{key}: {errors:?}")
        };
        let (_, bounds) = error.split_once("is out of range; it can be ").unwrap();

        // It stands above the key, or where the keys of several tables are explained.
        let above = lines[..index]
            .iter()
            .rev()
            .take_while(|line| !line.is_empty());
        let above: String = above.flat_map(|line| [line, "\n"]).collect();
        let together = ["keep_for", "keep_count", "max_sessions"].contains(&key);
        assert!(
            states(&above, bounds) || (together && states(SAMPLE, bounds)),
            "{key}: {bounds}"
        );
        checked += 1;
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn the_sample_passes_the_check_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.toml");
    std::fs::write(&path, SAMPLE).unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(config.paths.keys, folder.path().join("keys"));
    assert_eq!(Path::new("hub.toml").parent(), Some(Path::new("")));
}
