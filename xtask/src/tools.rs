//! Tools that Debian does not have, kept in `target/tools`: nothing is installed for the user.
//!
//! Their versions are fixed, so that a check changes its mind only when we change this file.

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

use crate::process::{answer, cargo, repository, run};

const CARGO_DENY: &str = "0.20.2";
const SSH_AUDIT: &str = "3.9.0";

fn folder() -> PathBuf {
    repository().join("target/tools")
}

/// The path of cargo-deny, built first if it is not there in the right version.
///
/// # Errors
/// If it cannot be fetched or built.
pub(crate) fn cargo_deny() -> Result<PathBuf, Box<dyn Error>> {
    let program = folder().join("bin/cargo-deny");
    let wanted = format!("cargo-deny {CARGO_DENY}");
    if answer(Command::new(&program).arg("--version")).as_deref() != Some(&wanted) {
        // Unoptimised: one minute on two cores where a release build takes three, and a check
        // of ours takes a second either way. `--force` replaces one that does not run.
        let package = format!("cargo-deny@{CARGO_DENY}");
        let mut install = cargo(&["install", "--quiet", "--locked", "--debug", "--force"]);
        install
            .arg(package)
            .arg("--root")
            .arg(folder())
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        run(&mut install)?;
    }
    Ok(program)
}

/// The Python environment that has ssh-audit (`bin/ssh-audit` in it), made first if it is not
/// there in the right version.
///
/// # Errors
/// If it cannot be fetched, or does not start.
pub(crate) fn ssh_audit() -> Result<PathBuf, Box<dyn Error>> {
    let environment = folder().join("venv");
    let version = || {
        let code = "import ssh_audit; from importlib.metadata import version; \
                    print(version('ssh-audit'))";
        answer(Command::new(environment.join("bin/python")).args(["-c", code]))
    };
    if version().as_deref() != Some(SSH_AUDIT) {
        // Debian's python by its path: another one in front of it may lack the venv module.
        // `--clear` replaces an environment that was left half made.
        run(Command::new("/usr/bin/python3")
            .args(["-m", "venv", "--clear"])
            .arg(&environment))?;
        run(Command::new(environment.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("ssh-audit=={SSH_AUDIT}")))?;
        if version().as_deref() != Some(SSH_AUDIT) {
            let place = environment.display();
            return Err(format!("ssh-audit was installed in {place} but does not start").into());
        }
    }
    Ok(environment)
}
