//! The checks that come with the Rust toolchain.
//!
//! All build with the dev profile and the default features, so that clippy and doc share the
//! checked dependencies, and everything shares the build scripts and procedural macros.

use crate::process::{cargo, run};
use crate::targets::{Notes, Outcome};

/// Every file is as rustfmt writes it.
pub(crate) fn fmt() -> Outcome {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    Ok(Notes::new())
}

/// No warning in any crate, its tests included.
pub(crate) fn clippy() -> Outcome {
    run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(Notes::new())
}

/// The documentation builds, and its links lead somewhere.
pub(crate) fn doc() -> Outcome {
    let mut command = cargo(&["doc", "--workspace", "--no-deps"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Notes::new())
}

/// The tests of all crates, examples in the documentation included.
pub(crate) fn cargo_test() -> Outcome {
    run(&mut cargo(&["test", "--workspace"]))?;
    Ok(Notes::new())
}
