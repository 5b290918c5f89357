//! One session: what runs on a channel, from its start to its exit status.
//!
//! A session has two directions, the [`reader`] and the [`writer`], which share the terminal if
//! there is one. Both run in one task, and both end with it.

mod channel_output;
mod reader;
mod shape;
mod terminal;
mod writer;

use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use cmp_core::{Attach, End, Session, SessionId, SessionInput};
use cmp_protocol::{Event, Form, Refusal};
use russh::Sig;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::auth::Login;
use crate::channel_input::InputReceiver;
use crate::connection::{Connection, Phase};
use crate::tty::TtyModes;

pub(crate) use channel_output::ChannelOutput;
pub(crate) use shape::{Request, Shape};

use channel_output::Exit;
use reader::{InputEnd, Reader};
use terminal::Terminal;
use writer::{Writer, encode};

/// What a session is made of.
pub(crate) struct Parts {
    pub(crate) connection: Arc<Connection>,
    pub(crate) login: Arc<Login>,
    pub(crate) input: InputReceiver,
    pub(crate) output: ChannelOutput,
    /// A signal that the client sends, by a message of its own.
    pub(crate) killed: watch::Receiver<Option<Sig>>,
    /// The terminal that it asked for.
    pub(crate) terminal: Option<TtyModes>,
}

/// Runs a session to its end.
pub(crate) async fn run(shape: Shape, parts: Parts) {
    let Parts {
        connection,
        login,
        input,
        output,
        mut killed,
        terminal,
    } = parts;
    let _counted = connection.server.counters.session();
    let terminal = terminal.map(Terminal::new);
    let here = Here {
        connection: &connection,
        login: &login,
        output: &output,
        terminal: terminal.as_ref(),
    };
    let gone = input.gone();
    let exit = match shape {
        Shape::Lines(form) => here.lines(form, input, &mut killed).await,
        Shape::Admin(command) => {
            drop(input);
            tokio::select! {
                exit = here.admin(&command) => exit,
                signal = signal(&mut killed) => Exit::Signal(signal),
                _ = here.told_to_end() => Exit::Status(1),
                () = gone.cancelled() => Exit::Gone,
            }
        }
        Shape::NoAdmin(reason) => {
            drop(input);
            here.say(&[], reason.as_bytes(), 1).await
        }
    };
    output.finish(exit).await;
    // Dropped last: it is by this that the connection knows of the end.
    drop(killed);
}

/// What the acts of a session work with.
struct Here<'a> {
    connection: &'a Connection,
    login: &'a Login,
    output: &'a ChannelOutput,
    terminal: Option<&'a Terminal>,
}

impl Here<'_> {
    async fn lines(
        &self,
        form: Form,
        input: InputReceiver,
        killed: &mut watch::Receiver<Option<Sig>>,
    ) -> Exit {
        let gone = input.gone();
        let attach = Attach {
            client: self.login.client.clone(),
            peer: self.connection.peer.to_string(),
            form,
        };
        let attached = tokio::select! {
            attached = self.connection.server.hub.attach(attach) => attached,
            () = gone.cancelled() => return Exit::Gone,
        };
        match attached {
            Ok(session) => self.converse(form, session, input, killed).await,
            Err(refusal) => self.refuse(form, refusal).await,
        }
    }

    async fn converse(
        &self,
        form: Form,
        session: Session,
        channel: InputReceiver,
        killed: &mut watch::Receiver<Option<Sig>>,
    ) -> Exit {
        let Session {
            id,
            role,
            input,
            output: outbox,
            echo,
            traffic,
        } = session;
        let server = &self.connection.server;
        tracing::debug!(session = %id, client = %self.login.client, %role, "session opened");
        let gone = channel.gone();
        let writer = Writer {
            hub: &server.hub,
            form,
            settings: &server.settings,
            terminal: self.terminal,
            channel: self.output,
            outbox,
            traffic: &traffic,
            deadline: OnceLock::new(),
        };
        let mut writing = pin!(writer.run());
        let ending = pin!(self.end_when_told(id));

        let conversation = async {
            let reader = Reader::new(
                &server.hub,
                form,
                channel,
                self.terminal,
                server.settings.max_line_len,
                &input,
                echo,
                &traffic,
            );
            // Of a client that is gone, what it sent is still done, in the time that a finished
            // one has for its output.
            let given_up = async {
                gone.cancelled().await;
                sleep(server.settings.drain_stall).await;
            };
            let input_end = tokio::select! {
                end = &mut writing => return Closing::Ended(end),
                input_end = reader.run() => input_end,
                signal = signal(killed) => InputEnd::Killed(signal),
                () = given_up => InputEnd::Gone,
                () = self.connection.stop.force.cancelled() => InputEnd::Gone,
            };
            match input_end {
                InputEnd::Gone => return Closing::Gone,
                InputEnd::Killed(signal) => return Closing::Killed(signal),
                // If the hub has ended, so has the outbox.
                InputEnd::Finished => drop(input.finish().await),
                InputEnd::HubEnded => {}
            }
            tokio::select! {
                end = &mut writing => Closing::Ended(end),
                signal = signal(killed) => Closing::Killed(signal),
                () = gone.cancelled() => Closing::Gone,
            }
        };
        let closing = tokio::select! {
            closing = conversation => closing,
            never = ending => match never {},
        };
        let (exit, reason) = match closing {
            Closing::Ended(End::Finished) => (Exit::Status(0), Some("ended by the client".into())),
            Closing::Ended(End::Closed { reason } | End::Slow { reason }) => {
                (Exit::Status(1), Some(reason))
            }
            Closing::Gone => (Exit::Gone, None),
            Closing::Killed(signal) => {
                let reason = format!("killed by signal {signal:?}");
                (Exit::Signal(signal), Some(reason))
            }
        };
        detach(input, reason.as_deref());
        if matches!(exit, Exit::Signal(_)) {
            // What it was told before is still written, as what a killed process wrote would be.
            tokio::select! {
                _ = &mut writing => {}
                () = gone.cancelled() => {}
            }
        }
        tracing::debug!(session = %id, reason, "session closed");
        self.connection.totals.add(&traffic);
        self.connection.session_ended(reason);
        exit
    }

    /// Ends the session if its connection is to end. Never returns: the session's output says when
    /// it has ended.
    async fn end_when_told(&self, session: SessionId) -> Infallible {
        let reason = self.told_to_end().await;
        self.connection.server.hub.end_session(session, &*reason);
        pending().await
    }

    /// Returns with the reason when the connection is to end.
    async fn told_to_end(&self) -> Arc<str> {
        let mut phase = self.connection.phase.subscribe();
        loop {
            if let Phase::Ending(_, reason) = &*phase.borrow_and_update() {
                return reason.clone();
            }
            if phase.changed().await.is_err() {
                return pending().await;
            }
        }
    }

    /// The hub does not open a session: the client is told why.
    async fn refuse(&self, form: Form, refusal: Refusal) -> Exit {
        tracing::debug!(client = %self.login.client, reason = refusal.reason, "session refused");
        let policy = self.connection.server.hub.policy();
        let event = Event::Refused { refusal, tag: None };
        self.say(&encode(&event, form, &policy.dialect), &[], 1)
            .await
    }

    async fn admin(&self, command: &str) -> Exit {
        let services = &self.connection.server.services;
        let output = services.admin(&self.login.client, command).await;
        self.say(&output.stdout, &output.stderr, output.exit_status)
            .await
    }

    /// Writes all there is to say. A terminal has no standard error.
    async fn say(&self, stdout: &[u8], stderr: &[u8], status: u32) -> Exit {
        let stall = self.connection.server.settings.drain_stall;
        let patience = || sleep(stall);
        let written = if let Some(terminal) = self.terminal {
            let mut shown = Vec::new();
            terminal.output(stdout, &mut shown);
            terminal.output(stderr, &mut shown);
            self.output.write(shown, patience).await
        } else {
            match self.output.write(stdout.to_vec(), patience).await {
                Ok(()) => self.output.write_stderr(stderr.to_vec(), stall).await,
                not_written => not_written,
            }
        };
        // Whoever does not read it does not read the status either; if it is gone, nothing is sent.
        let _ = written;
        Exit::Status(status)
    }
}

/// How a conversation came to its end.
enum Closing {
    Ended(End),
    Killed(Sig),
    Gone,
}

/// Leaves the hub, before the client knows: it may come back at once.
fn detach(mut input: SessionInput, reason: Option<&str>) {
    if let Some(reason) = reason {
        input.set_reason(reason);
    }
}

/// Waits for the signal that kills a session.
async fn signal(killed: &mut watch::Receiver<Option<Sig>>) -> Sig {
    let signal = match killed.wait_for(Option::is_some).await {
        Ok(signal) => signal.clone(),
        // The channel is gone, and that is noticed elsewhere.
        Err(_) => None,
    };
    match signal {
        Some(signal) => signal,
        None => pending().await,
    }
}
