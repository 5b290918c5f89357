//! The hub of the Community Messaging Project: arguments, logging, configuration, start, run
//! until told to stop, drain with a deadline.

mod admin;
mod cli;
mod config;
mod control;
mod files;
mod first_start;
mod logging;
mod reload;
mod serve;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        None => serve::run(cli.config.as_deref()),
        Some(Command::Check { file }) => cli::check(file),
        Some(Command::SampleConfig) => cli::sample_config(),
        Some(Command::Backup { file }) => cli::backup(cli.config.as_deref(), file),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, with its causes; a file with several mistakes has a line for each.
            eprintln!("cmp-hub: {error:#}");
            ExitCode::FAILURE
        }
    }
}
