//! What is wrong with a configuration file.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The line, from 1; none when it concerns the whole file.
    pub(super) line: Option<usize>,
    /// What is wrong and what to do, in one line.
    pub(super) what: String,
}

/// Everything that is wrong with a configuration, each in a line of its own: `FILE:LINE: what`,
/// in the order of the lines. Values of secrets are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigErrors {
    /// The file, once it is known.
    file: Option<PathBuf>,
    problems: Vec<Problem>,
}

impl ConfigErrors {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self {
            file: None,
            problems,
        }
    }

    /// The same, found in this file.
    pub(super) fn in_file(self, file: &Path) -> Self {
        Self {
            file: Some(file.to_owned()),
            ..self
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, Problem { line, what }) in self.problems.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            match (&self.file, line) {
                (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
                (Some(file), None) => write!(f, "{}: ", file.display())?,
                (None, Some(line)) => write!(f, "line {line}: ")?,
                (None, None) => {}
            }
            f.write_str(what)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
