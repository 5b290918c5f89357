//! `ssh HOST admin …`: what admins type, and what they are shown.

mod args;
mod table;
mod view;

use cmp_core::{AdminReply, AdminRequest, Hub};
use cmp_protocol::ClientName;
use cmp_ssh::{AdminFuture, AdminOutput, Services};

use crate::admin::args::{AdminCli, Task};
use crate::logging::LogLevel;
use crate::reload::Reload;

/// Answers the `admin` commands of a hub.
pub(crate) struct Admin {
    pub(crate) hub: Hub,
    pub(crate) reload: Reload,
    pub(crate) log_level: LogLevel,
}

impl Services for Admin {
    fn admin<'a>(&'a self, client: &'a ClientName, command: &'a str) -> AdminFuture<'a> {
        Box::pin(async move {
            let cli = match args::parse(command) {
                Ok(cli) => cli,
                Err(output) => return output,
            };
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
        Ok(view::show(&reply, json))
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
