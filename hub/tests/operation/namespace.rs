//! Programs in a part of the system that is their own: a network where every port is free, a file
//! system of any size. It ends with the program; nothing is left behind.

use std::process::Command;

use rustix::process::geteuid;

/// What a program has for itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Own {
    /// The network; its loopback device has to be set up.
    Network,
    /// What is mounted where.
    Mounts,
}

impl Own {
    fn option(self) -> &'static str {
        match self {
            Self::Network => "--net",
            Self::Mounts => "--mount",
        }
    }
}

/// The command that runs a shell script with something of its own. The script ends with
/// `exec "$@"`, so that the process is the program of `args`.
pub(crate) fn unshare(own: Own, script: &str, args: &Command) -> Command {
    let mut command = Command::new("unshare");
    command.arg(own.option());
    if !geteuid().is_root() {
        // Who is not root may do it as the root of a user namespace.
        command.arg("--map-root-user");
    }
    command.args(["sh", "-e", "-c", script, "sh"]);
    command.arg(args.get_program()).args(args.get_args());
    if let Some(folder) = args.get_current_dir() {
        command.current_dir(folder);
    }
    command
}

/// The command that joins a program started by [`unshare`]; the program to run is to be added.
pub(crate) fn join(own: Own, process: u32) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &process.to_string(), own.option()]);
    if !geteuid().is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    command
}
