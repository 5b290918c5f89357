//! The arguments of `ssh HOST admin …`.

use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use cmp_core::{AdminRequest, BanId, BanTarget, SessionId, Who};
use cmp_protocol::ClientName;
use cmp_ssh::AdminOutput;

use crate::config::parse_duration;

/// A command, read.
pub(super) struct AdminCli {
    pub(super) json: bool,
    pub(super) task: Task,
}

/// Who does it.
pub(super) enum Task {
    Hub(AdminRequest),
    Reload,
    LogLevel { filter: String },
}

/// Runs the hub: who is connected, who may stay, what is said.
#[derive(Debug, Parser)]
#[command(name = "admin", disable_version_flag = true)]
struct Raw {
    /// Answer in JSON, for programs.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: RawCommand,
}

#[derive(Debug, Subcommand)]
enum RawCommand {
    /// The open sessions.
    Sessions,
    /// End the sessions of a client, or one session by its number.
    Kick {
        /// The name of the client, or the number of the session.
        who: String,
        /// The last line the client gets.
        reason: Vec<String>,
    },
    /// Ban a nick, an origin, a client, or texts that match a regular expression.
    Ban {
        /// Against what.
        what: BanKind,
        /// The nick, origin, client or pattern; `\s` stands for a space in a pattern.
        value: String,
        /// For how long, for example 30m, 2h or 7d; without it, until it is lifted.
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
        duration: Option<Duration>,
        /// Why; shown to the banned.
        reason: Vec<String>,
    },
    /// Lift a ban.
    Unban {
        /// Its number, from `bans`.
        number: u64,
    },
    /// The bans that hold.
    Bans,
    /// Mute an origin for broadcasts.
    Mute {
        /// The origin, for example #quakeworld.
        origin: String,
        /// For how long.
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, default_value = "10m")]
        duration: Duration,
    },
    /// Lift the mute and the warnings of an origin.
    Unmute {
        /// The origin.
        origin: String,
    },
    /// The origins with warnings or a mute.
    Mutes,
    /// Say a chat line to everyone.
    Say {
        /// The line.
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Counters.
    Stats,
    /// Read the configuration and the keys again.
    Reload,
    /// Set what is logged: a level (error, warn, info, debug, trace) or target=level.
    LogLevel {
        /// The filter.
        filter: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BanKind {
    Nick,
    Origin,
    Client,
    Text,
}

/// Reads what follows the word `admin`; otherwise what to show instead.
pub(super) fn parse(command: &str) -> Result<AdminCli, AdminOutput> {
    let words = std::iter::once("admin").chain(command.split_whitespace());
    let raw = Raw::try_parse_from(words).map_err(|error| {
        let text = error.to_string().into_bytes();
        let status = u32::try_from(error.exit_code()).unwrap_or(2);
        if error.use_stderr() {
            AdminOutput {
                stderr: text,
                exit_status: status,
                ..AdminOutput::default()
            }
        } else {
            AdminOutput {
                stdout: text,
                ..AdminOutput::default()
            }
        }
    })?;
    let task = task(raw.command).map_err(|error| super::failed(&error))?;
    Ok(AdminCli {
        json: raw.json,
        task,
    })
}

fn task(command: RawCommand) -> Result<Task, String> {
    let request = match command {
        RawCommand::Reload => return Ok(Task::Reload),
        RawCommand::LogLevel { filter } => return Ok(Task::LogLevel { filter }),
        RawCommand::Sessions => AdminRequest::Sessions,
        RawCommand::Kick { who, reason } => {
            let who = match who.parse() {
                Ok(number) => Who::Session(SessionId(number)),
                Err(_) => Who::Client(client(&who)?),
            };
            AdminRequest::Kick {
                who,
                reason: reason_or(&reason, "ended by an admin"),
            }
        }
        RawCommand::Ban {
            what,
            value,
            duration,
            reason,
        } => {
            let target = match what {
                BanKind::Nick => BanTarget::Nick(value.into_bytes().into()),
                BanKind::Origin => BanTarget::Origin(value.into_bytes().into()),
                BanKind::Client => BanTarget::Client(client(&value)?),
                BanKind::Text => BanTarget::Text(value),
            };
            let reason = reason_or(&reason, "banned by an admin");
            AdminRequest::Ban {
                target,
                reason,
                duration,
            }
        }
        RawCommand::Unban { number } => AdminRequest::Unban { id: BanId(number) },
        RawCommand::Bans => AdminRequest::Bans,
        RawCommand::Mute { origin, duration } => AdminRequest::Mute {
            origin: origin.into_bytes(),
            duration,
        },
        RawCommand::Unmute { origin } => AdminRequest::Mute {
            origin: origin.into_bytes(),
            duration: Duration::ZERO,
        },
        RawCommand::Mutes => AdminRequest::Origins,
        RawCommand::Say { text } => AdminRequest::Say {
            text: text.join(" ").into_bytes(),
        },
        RawCommand::Stats => AdminRequest::Stats,
    };
    Ok(Task::Hub(request))
}

fn client(name: &str) -> Result<ClientName, String> {
    ClientName::new(name).map_err(|error| error.to_string())
}

fn reason_or(words: &[String], default: &str) -> String {
    if words.is_empty() {
        default.to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(command: &str) -> AdminRequest {
        match parse(command).map(|cli| cli.task) {
            Ok(Task::Hub(request)) => request,
            Ok(_) => panic!("{command} is not for the hub"),
            Err(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    #[test]
    fn words_after_the_target_are_the_reason() {
        let expected = AdminRequest::Kick {
            who: Who::Client(ClientName::new("paul").unwrap()),
            reason: "too noisy today".into(),
        };
        assert_eq!(request("kick paul too noisy today"), expected);
        let expected = AdminRequest::Kick {
            who: Who::Session(SessionId(7)),
            reason: "ended by an admin".into(),
        };
        assert_eq!(request("kick 7"), expected);
    }

    #[test]
    fn a_ban_has_a_target_a_time_and_a_reason() {
        let expected = AdminRequest::Ban {
            target: BanTarget::Nick("bad".as_bytes().into()),
            reason: "spam and more".into(),
            duration: Some(Duration::from_secs(7200)),
        };
        assert_eq!(request("ban nick bad --for 2h spam and more"), expected);
    }

    #[test]
    fn a_mistake_is_explained_on_standard_error_and_help_on_standard_output() {
        let wrong = parse("kik paul").map(|_| ()).unwrap_err();
        assert_eq!(wrong.exit_status, 2);
        assert!(String::from_utf8_lossy(&wrong.stderr).contains("kick"));
        let help = parse("--help").map(|_| ()).unwrap_err();
        assert_eq!(help.exit_status, 0);
        assert!(String::from_utf8_lossy(&help.stdout).contains("sessions"));
        assert_eq!(
            parse("kick two,names").map(|_| ()).unwrap_err().exit_status,
            1
        );
    }
}
