//! What a client asks for, and what it gets.

use cmp_core::Policy;
use cmp_protocol::{ClientName, Form};

/// What a client asks to be run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request<'a> {
    /// A shell.
    Shell,
    /// A command.
    Exec(&'a [u8]),
    /// A subsystem.
    Subsystem(&'a str),
}

/// What a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Lines to and from the hub.
    Lines(Form),
    /// One `admin` command, the word itself taken off.
    Admin(String),
    /// An `admin` command that is refused, with the reason.
    NoAdmin(&'static str),
}

impl Shape {
    /// What `client` gets for `request`; `forced` is whether its key has a forced command. None is
    /// a failure, as sshd gives it for a subsystem that it does not know, sftp among them.
    pub(crate) fn choose(
        request: Request<'_>,
        forced: bool,
        client: &ClientName,
        policy: &Policy,
    ) -> Option<Self> {
        let default = || Self::Lines(policy.form_of(client));
        let command = match request {
            Request::Subsystem(name) if name != "cmp" => return None,
            // As sshd runs the forced command, whatever is asked for.
            _ if forced => return Some(default()),
            Request::Subsystem(_) => return Some(Self::Lines(Form::Json)),
            Request::Shell => return Some(default()),
            Request::Exec(command) => command.trim_ascii(),
        };
        if command == b"json" {
            return Some(Self::Lines(Form::Json));
        }
        match command.strip_prefix(b"admin") {
            Some(rest) if rest.first().is_none_or(u8::is_ascii_whitespace) => {
                let (_, role) = policy.role_of(client);
                Some(if role.admin {
                    Self::Admin(String::from_utf8_lossy(rest).trim().to_owned())
                } else {
                    Self::NoAdmin("admin: your role may not run admin commands\n")
                })
            }
            _ => Some(default()),
        }
    }
}
