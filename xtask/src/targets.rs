//! The table of the checks: their names, what they do, and the order they run in.

use std::error::Error;

use crate::{deny, packages, rust};

/// How a check ended: passed, with what the person should still be told, or why it failed.
pub(crate) type Outcome = Result<Notes, Box<dyn Error>>;

/// What a check that passed did not look at, one sentence each. Repeated in the summary.
pub(crate) type Notes = Vec<String>;

/// One check, and how it is called on the command line.
pub(crate) struct Check {
    /// The word after `cargo xtask`.
    pub(crate) name: &'static str,
    /// One line for the help.
    pub(crate) about: &'static str,
    /// Runs it to its end; its programs print to our standard output and error.
    pub(crate) run: fn() -> Outcome,
}

/// Every check, in the order `cargo xtask test` runs them: what costs little and fails often
/// comes first, after the programs that the others need.
pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "packages",
        about: "install the Debian packages and tools the tests need, where missing",
        run: packages::run,
    },
    Check {
        name: "fmt",
        about: "the code is formatted",
        run: rust::fmt,
    },
    Check {
        name: "clippy",
        about: "no compiler or clippy warning",
        run: rust::clippy,
    },
    Check {
        name: "doc",
        about: "the documentation builds without a warning",
        run: rust::doc,
    },
    Check {
        name: "deny",
        about: "licences, sources, duplicates and known flaws of the dependencies",
        run: deny::run,
    },
    Check {
        name: "cargo-test",
        about: "the tests alone, of all crates",
        run: rust::cargo_test,
    },
];
