//! `ssh HOST admin …`: what admins type, and what they are shown.

mod args;
mod table;
mod view;

use std::sync::Arc;

use cmp_core::{AdminReply, AdminRequest, Hub};
use cmp_protocol::ClientName;
use cmp_ssh::limits::ConnectionLimits;
use cmp_ssh::{AdminFuture, AdminOutput, Counters, Services};

use crate::admin::args::{AdminCli, Task};
use crate::logging::LogLevel;
use crate::reload::Reload;

/// Answers the `admin` commands of a hub.
pub(crate) struct Admin {
    pub(crate) hub: Hub,
    pub(crate) reload: Reload,
    pub(crate) log_level: LogLevel,
    pub(crate) limits: Arc<ConnectionLimits>,
    pub(crate) counters: Arc<Counters>,
}

impl Services for Admin {
    fn admin<'a>(&'a self, client: &'a ClientName, command: &'a str) -> AdminFuture<'a> {
        Box::pin(async move {
            let cli = match args::parse(command) {
                Ok(cli) => cli,
                Err(output) => return output,
            };
            // The word alone: what is said, and to whom, is not for the log.
            let act = command
                .split_whitespace()
                .find(|word| !word.starts_with("--"));
            tracing::info!(admin = %client, act, "admin command");
            match self.answer(client, cli).await {
                Ok(text) => AdminOutput {
                    stdout: text.into_bytes(),
                    ..AdminOutput::default()
                },
                Err(error) => failed(&error),
            }
        })
    }
}

impl Admin {
    /// What is shown when it was done; otherwise why not.
    async fn answer(&self, client: &ClientName, cli: AdminCli) -> Result<String, String> {
        let AdminCli { json, task } = cli;
        let reply = match task {
            Task::Reload => {
                tracing::info!(admin = %client, "reloads");
                AdminReply::Done {
                    what: self.reload.now().await?,
                }
            }
            Task::LogLevel { filter } => {
                self.log_level.set(&filter)?;
                tracing::info!(admin = %client, filter, "sets the log filter");
                AdminReply::Done {
                    what: format!("log filter is {filter}"),
                }
            }
            Task::Hub(request) => self.ask(client, request).await?,
        };
        Ok(view::show(&reply, &self.listener_counts(), json))
    }

    /// What the listener counted, by the names under which it is shown.
    fn listener_counts(&self) -> Vec<(String, u64)> {
        let counts = self.counters.get();
        let mut fields = vec![
            ("connections".to_owned(), self.limits.connections() as u64),
            (
                "connections_not_logged_in".to_owned(),
                self.limits.unauthenticated() as u64,
            ),
            ("connections_accepted".to_owned(), counts.accepted),
            ("logins".to_owned(), counts.logins),
        ];
        let refusals = self.limits.refusals().counters().snapshot();
        fields.extend(refusals.map(|(kind, count)| (format!("refused_{}", kind.as_str()), count)));
        fields
    }

    async fn ask(&self, client: &ClientName, request: AdminRequest) -> Result<AdminReply, String> {
        self.hub
            .admin(client, request)
            .await
            .map_err(|error| error.to_string())
    }
}

fn failed(error: &str) -> AdminOutput {
    AdminOutput {
        stderr: format!("admin: {error}\n").into_bytes(),
        exit_status: 1,
        ..AdminOutput::default()
    }
}
