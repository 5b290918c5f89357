//! The programs that clients are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Hub, Process};

/// What helps when a program is missing.
const WAY_OUT: &str = "`cargo xtask packages` installs what the tests need";

/// A PHP script of this folder, as a client that has its key in `key` and `key.pub`.
pub(crate) fn php(script: &str, hub: &Hub, key: &Path, argument: &str) -> Process {
    let has_ssh2 = Command::new("php")
        .args(["-r", "exit(function_exists('ssh2_connect') ? 0 : 1);"])
        .status();
    assert!(
        has_ssh2.is_ok_and(|status| status.success()),
        "php or its extension ssh2 is missing: {WAY_OUT}"
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/php");
    let mut php = Command::new("php");
    php.arg(folder.join(script))
        .arg(hub.address.ip().to_string())
        .arg(hub.address.port().to_string())
        .arg("whoever")
        .arg(key.with_extension("pub"))
        .arg(key)
        .arg(argument);
    Process::start(&mut php)
}

/// ssh-audit, which `cargo xtask packages` keeps in the target folder.
pub(crate) fn ssh_audit() -> PathBuf {
    // The folder for tests is in the target folder.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let program = target.join("tools/venv/bin/ssh-audit");
    assert!(
        program.exists(),
        "{} is missing: {WAY_OUT}",
        program.display()
    );
    program
}

/// The standard output of a client that is to end well; its input is closed.
pub(crate) fn output_of(command: &mut Command) -> String {
    let mut process = Process::start(command);
    process.close_input();
    let shown = process.stdout.rest();
    let status = process.wait();
    process.stderr.rest();
    assert!(
        status.success(),
        "{command:?}: {status}; {:?}",
        process.stderr
    );
    String::from_utf8(shown).unwrap()
}

/// The exit status and the standard error of a client that is to end by itself.
pub(crate) fn failure_of(command: &mut Command) -> (i32, String) {
    let mut process = Process::start(command);
    process.close_input();
    let shown = process.stderr.rest();
    (
        process.wait().code().unwrap(),
        String::from_utf8(shown).unwrap(),
    )
}
