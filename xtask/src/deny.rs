//! The dependencies: their licences, where they come from, duplicates, and known flaws.
//!
//! What is allowed is written in `deny.toml`. Advisories need a database that only a git
//! repository on the internet has: without it they are not checked, which is said and is not a
//! failure. An advisory that was found is one.

use std::process::Command;

use crate::process;
use crate::targets::{Notes, Outcome};
use crate::tools;

/// Fails if `deny.toml` does not allow a dependency.
pub(crate) fn run() -> Outcome {
    let program = tools::cargo_deny()?;
    let deny = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(process::repository());
        // The database is fetched by git: where it would ask for a password, let it fail.
        process::run(command.env("GIT_TERMINAL_PROMPT", "0"))
    };

    deny(&["check", "bans", "licenses", "sources"])?;
    if let Err(reason) = deny(&["fetch", "db"]) {
        return Ok(vec![format!(
            "advisories were NOT checked, their database could not be fetched: {reason}"
        )]);
    }
    deny(&["check", "advisories"])?;
    Ok(Notes::new())
}
