//! The command line.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::config::{Config, SAMPLE};

/// The hub of the Community Messaging Project: clients log in by SSH and exchange lines.
///
/// Without a command and without a configuration it runs with defaults: it makes keys under
/// ./keys and a database under ./data, listens on 127.0.0.1:2222, and prints the ssh command with
/// which to try it.
///
/// Exit status: 0 after an orderly end, 1 when something did not work (the last line of standard
/// error says what, and the way out), 2 for a wrong command line.
#[derive(Debug, Parser)]
#[command(name = "cmp-hub", version)]
pub(crate) struct Cli {
    /// The configuration file; `cmp-hub sample-config` prints one that explains every key.
    #[arg(long, short, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a configuration file whole, and the files that it names; start nothing.
    Check {
        /// The file to check.
        file: PathBuf,
    },
    /// Print a configuration in which every key is explained and has its default.
    SampleConfig,
    /// Copy the SQLite database of a hub, running or not, to a new file. PostgreSQL has its own tools.
    Backup {
        /// The file to make; it must not exist.
        file: PathBuf,
    },
}

/// Checks a file; the error lists everything that is wrong in it.
pub(crate) fn check(file: &Path) -> anyhow::Result<()> {
    Config::load(file)?;
    say(&format!("{} is in order\n", file.display()))
}

/// Prints the annotated sample.
pub(crate) fn sample_config() -> anyhow::Result<()> {
    say(SAMPLE)
}

/// Copies the database to `file`.
pub(crate) fn backup(config: Option<&Path>, file: &Path) -> anyhow::Result<()> {
    let config = Config::load_or_default(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(cmp_store::backup(&config.store.location, file))?;
    say(&format!(
        "{} is copied to {}\n",
        config.store.location,
        file.display()
    ))
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("standard output can't be written")
}
