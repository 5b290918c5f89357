//! `check`, `sample-config`, and what is no command.

use std::fs;
use std::process::{Command, Output};

use crate::support::{HUB, Site};

fn hub(args: &[&str]) -> Output {
    Command::new(HUB).args(args).output().unwrap()
}

#[test]
fn the_sample_is_in_order() {
    let sample = hub(&["sample-config"]);
    assert_eq!(sample.status.code(), Some(0));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    fs::write(&file, sample.stdout).unwrap();
    let file = file.to_str().unwrap();
    let checked = hub(&["check", file]);
    assert_eq!(
        String::from_utf8(checked.stdout).unwrap(),
        format!("{file} is in order\n")
    );
    assert_eq!(checked.status.code(), Some(0));
}

#[test]
fn check_names_everything_that_is_wrong_and_the_hub_does_not_start_with_it() {
    let site = Site::new();
    let broken = "hub.nmae = \"hub1\"\nlimits.outbox_bytes = \"many\"\n[roles.bot]\nadmin = 1\n";
    fs::write(site.config(), broken).unwrap();
    let file = site.config();
    let file = file.to_str().unwrap();
    for args in [vec!["check", file], vec!["--config", file]] {
        let refused = hub(&args);
        assert_eq!(refused.status.code(), Some(1), "{args:?}");
        assert!(refused.stdout.is_empty());
        let said = String::from_utf8(refused.stderr).unwrap();
        let lines: Vec<_> = said.lines().collect();
        let [name, number, role] = lines[..] else {
            panic!("{said}")
        };
        let name = name.strip_prefix("cmp-hub: ").unwrap();
        assert!(name.starts_with(&format!("{file}:1: ")), "{name}");
        assert!(
            name.contains("`hub.nmae`") && name.contains("did you mean `name`"),
            "{name}"
        );
        assert!(
            number.starts_with(&format!("{file}:2: `limits.outbox_bytes`")),
            "{number}"
        );
        assert!(
            role.starts_with(&format!("{file}:4: `roles.bot.admin`")),
            "{role}"
        );
    }
    assert!(!site.path("data").exists(), "nothing was touched");
}

#[test]
fn an_unknown_subcommand_is_a_wrong_command_line() {
    let refused = hub(&["chekc"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("'chekc'") && said.contains("'check'"),
        "{said}"
    );
}
