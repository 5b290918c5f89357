//! Starting other programs: where they run, what they inherit, and how a failure reads.

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::Command;

/// The folder that holds the workspace.
pub(crate) fn repository() -> &'static Path {
    let own_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    own_folder.parent().unwrap_or(own_folder)
}

/// The cargo that runs us, in the folder of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(repository());
    // `cargo run` describes our own package in these. Handed on, they reach build scripts that
    // ask cargo to run them again when they change (ring's does), and `cargo xtask clippy` and
    // a plain `cargo clippy` would rebuild half the tree after one another.
    for (name, _) in env::vars_os() {
        let described = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if described {
            command.env_remove(name);
        }
    }
    command
}

/// Shows the command, runs it to its end, and fails if it fails.
///
/// # Errors
/// If the program cannot be started, or does not end with exit code 0.
pub(crate) fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let line = shown(command);
    println!("    $ {line}");
    let status = command
        .status()
        .map_err(|error| format!("cannot start `{line}`: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{line}` ended with {status}").into())
    }
}

/// What a program prints to its standard output, or nothing if it cannot be started or fails:
/// the way to ask whether a program is there.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The command as one would type it, without the path of the program.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_the_folder_of_the_workspace() {
        assert!(repository().join("deny.toml").is_file());
    }

    #[test]
    fn the_facts_of_our_own_package_are_not_handed_on() {
        // Under `cargo test` they are set, as they are under `cargo run`.
        assert!(env::var_os("CARGO_PKG_NAME").is_some());
        let command = cargo(&["--version"]);
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"] {
            assert!(
                command
                    .get_envs()
                    .any(|(key, value)| key == name && value.is_none())
            );
        }
    }

    #[test]
    fn a_failure_names_the_command_and_its_end() {
        let failed = run(Command::new("/bin/sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(
            failed.to_string(),
            "`sh -c exit 3` ended with exit status: 3"
        );
        let missing = run(&mut Command::new("no-such-program")).unwrap_err();
        assert!(
            missing
                .to_string()
                .starts_with("cannot start `no-such-program`: ")
        );
    }

    #[test]
    fn an_answer_is_only_taken_from_a_program_that_passed() {
        assert_eq!(
            answer(Command::new("/bin/sh").args(["-c", "echo yes"])),
            Some("yes".into())
        );
        assert_eq!(
            answer(Command::new("/bin/sh").args(["-c", "echo no; false"])),
            None
        );
        assert_eq!(answer(&mut Command::new("no-such-program")), None);
    }
}
