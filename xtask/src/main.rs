//! The checks of this project, one target each: `cargo xtask <target>`.
//!
//! In: the name of a target. Out: what its programs print, and the exit code: 0 when it
//! passed, 1 when it failed, 2 when the command line is wrong.
//! Nothing is decided here about what a check demands: that is in `Cargo.toml`, `clippy.toml`,
//! `rustfmt.toml` and `deny.toml`. Only the standard library is used, so that the first check
//! starts seconds after a fresh clone.

mod command_line;
mod deny;
mod packages;
mod process;
mod rust;
mod suite;
mod targets;
mod tools;

use std::env;
use std::process::ExitCode;

use command_line::Request;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();

    let passed = match command_line::parse(&arguments) {
        Ok(Request::Help) => {
            print!("{}", command_line::help());
            true
        }
        Ok(Request::Check(check)) => suite::run_one(check),
        Ok(Request::Test { keep_going }) => suite::run_all(targets::CHECKS, keep_going),
        Err(mistake) => {
            eprintln!("error: {mistake}");
            return ExitCode::from(2);
        }
    };
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
