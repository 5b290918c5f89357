//! The programs the tests run, from Debian's packages and from [`crate::tools`].

use std::collections::BTreeSet;
use std::error::Error;
use std::process::Command;

use crate::process::{answer, run as run_command};
use crate::targets::{Notes, Outcome};
use crate::tools;

/// A Debian package, and what the tests need it for.
struct Package {
    name: &'static str,
    reason: &'static str,
}

/// Everything the tests need that a Debian system with Rust may lack.
const PACKAGES: &[Package] = &[
    Package {
        name: "openssh-client",
        reason: "ssh and ssh-keygen log in to the hub",
    },
    Package {
        name: "php-cli",
        reason: "PHP clients of the hub",
    },
    Package {
        name: "php-ssh2",
        reason: "the SSH library of the PHP clients",
    },
    Package {
        name: "postgresql",
        reason: "the server for the store's tests",
    },
    Package {
        name: "valgrind",
        reason: "measures the memory of an idle session",
    },
    Package {
        name: "python3-venv",
        reason: "holds ssh-audit, which rates the SSH listener",
    },
];

/// Installs what is missing, as root or through sudo.
pub(crate) fn run() -> Outcome {
    let missing = missing(&installed()?);
    for package in &missing {
        println!("    missing: {} ({})", package.name, package.reason);
    }
    if !missing.is_empty() {
        install(&missing)?;
    }
    tools::ssh_audit()?;
    Ok(Notes::new())
}

/// The packages that this system has.
fn installed() -> Result<BTreeSet<String>, Box<dyn Error>> {
    let format = "--showformat=${db:Status-Status} ${Package}\n";
    match answer(Command::new("dpkg-query").args(["--show", format])) {
        Some(listing) => Ok(parse(&listing)),
        None => Err(format!(
            "this is no Debian-like system (dpkg-query does not answer): \
             install what these packages of Debian hold by hand: {}",
            names(PACKAGES).join(" ")
        )
        .into()),
    }
}

/// Reads lines of `<status> <package>`; a package that was removed is listed too, as
/// `config-files` (dpkg-query(1), "Package status").
fn parse(listing: &str) -> BTreeSet<String> {
    let lines = listing
        .lines()
        .filter_map(|line| line.strip_prefix("installed "));
    lines.map(str::to_owned).collect()
}

fn missing(installed: &BTreeSet<String>) -> Vec<&'static Package> {
    PACKAGES
        .iter()
        .filter(|package| !installed.contains(package.name))
        .collect()
}

fn names<'a>(packages: impl IntoIterator<Item = &'a Package>) -> Vec<&'static str> {
    packages.into_iter().map(|package| package.name).collect()
}

fn install(packages: &[&'static Package]) -> Result<(), Box<dyn Error>> {
    let names = names(packages.iter().copied());
    let is_root = answer(Command::new("id").arg("-u")).as_deref() == Some("0");
    // sudo hands on no environment, so env sets it behind sudo.
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new(if is_root { "env" } else { "sudo" });
        if !is_root {
            command.arg("env");
        }
        run_command(
            command
                .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
                .args(arguments),
        )
    };

    // The lists of a fresh machine may be empty, and old ones name packages that are gone.
    apt_get(&["update"])
        .and_then(|()| {
            let options = ["install", "--yes", "--no-install-recommends"];
            apt_get(&[&options, names.as_slice()].concat())
        })
        .map_err(|error| {
            format!(
                "{error}; by hand, as root: apt-get install {}",
                names.join(" ")
            )
            .into()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_installed_is_missing() {
        let line = |package: &Package| format!("installed {}", package.name);
        let all = PACKAGES.iter().map(line).collect::<Vec<_>>().join("\n");
        assert!(missing(&parse(&all)).is_empty());

        let some = all
            .replace("installed php-ssh2\n", "")
            .replace("installed valgrind\n", "config-files valgrind\n");
        assert_eq!(names(missing(&parse(&some))), ["php-ssh2", "valgrind"]);
    }

    #[test]
    fn a_package_is_not_taken_for_another_with_a_longer_name() {
        let listing = "installed postgresql-client-common\ninstalled php-cli-extra";
        assert_eq!(missing(&parse(listing)).len(), PACKAGES.len());
    }
}
