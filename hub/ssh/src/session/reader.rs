//! From a client's bytes to the hub's commands.

use std::time::Duration;

use bytes::Bytes;
use cmp_core::{Hub, HubEnded, OutboxEcho, SessionInput, Traffic};
use cmp_protocol::{ErrorCode, Form, Line, LineSplitter, Refusal, Submission, central, json};
use russh::Sig;
use tokio::time::timeout;

use super::terminal::{Terminal, Typed};
use crate::channel_input::{Input, InputReceiver};
use crate::tty::TtySignal;

/// Bytes that a terminal takes at once, which bounds their echo.
const TYPED_AT_ONCE: usize = 4096;

/// How long a client that does not read keeps its own typing waiting for its echo. Then the echo is
/// left out, as a Linux terminal does when its buffer is full.
const ECHO_WAIT: Duration = Duration::from_secs(1);

/// Why there is no more input.
#[derive(Debug)]
pub(super) enum InputEnd {
    /// The client said so.
    Finished,
    /// The client typed a key that kills.
    Killed(Sig),
    /// The channel is gone.
    Gone,
    /// The hub takes no more.
    HubEnded,
}

impl From<HubEnded> for InputEnd {
    fn from(_: HubEnded) -> Self {
        Self::HubEnded
    }
}

pub(super) struct Reader<'a> {
    hub: &'a Hub,
    form: Form,
    channel: InputReceiver,
    terminal: Option<&'a Terminal>,
    lines: LineSplitter,
    max_line_len: usize,
    to: &'a SessionInput,
    echo: OutboxEcho,
    traffic: &'a Traffic,
}

impl<'a> Reader<'a> {
    #[expect(
        clippy::too_many_arguments,
        reason = "called once, to put a session together"
    )]
    pub(super) fn new(
        hub: &'a Hub,
        form: Form,
        channel: InputReceiver,
        terminal: Option<&'a Terminal>,
        max_line_len: usize,
        to: &'a SessionInput,
        echo: OutboxEcho,
        traffic: &'a Traffic,
    ) -> Self {
        let lines = LineSplitter::new(max_line_len);
        Self {
            hub,
            form,
            channel,
            // A terminal has made a line end of the CR already, or was told not to.
            lines: if terminal.is_some() {
                lines
            } else {
                lines.strip_cr()
            },
            terminal,
            max_line_len,
            to,
            echo,
            traffic,
        }
    }

    /// Submits what the client sends until there is no more.
    pub(super) async fn run(mut self) -> InputEnd {
        let mut eof = false;
        loop {
            match self.channel.next(eof).await {
                Input::Data(bytes) => {
                    Traffic::add(&self.traffic.bytes_in, bytes.len());
                    let taken = match self.terminal {
                        None => self.stream(&bytes).await.map_err(InputEnd::from),
                        Some(terminal) => self.typing(terminal, &bytes).await,
                    };
                    if let Err(end) = taken {
                        return end;
                    }
                }
                // A program behind a terminal does not notice: sshd has no way to close only one
                // direction of a terminal, so the session goes on until the client closes it.
                Input::Eof if self.terminal.is_some() => eof = true,
                Input::Eof => return self.finish().await,
                // An unfinished line may be half a line: not taken.
                Input::Closed => return InputEnd::Gone,
            }
        }
    }

    async fn typing(&mut self, terminal: &Terminal, bytes: &[u8]) -> Result<(), InputEnd> {
        for bytes in bytes.chunks(TYPED_AT_ONCE) {
            let echo_fits = timeout(ECHO_WAIT, self.echo.room()).await.is_ok();
            let (echo, typed) = terminal.input(bytes);
            if echo_fits {
                self.echo.push(echo.into());
            }
            for event in typed {
                match event {
                    Typed::Data(bytes) => self.stream(&bytes).await?,
                    Typed::EndOfFile => return Err(self.finish().await),
                    Typed::Signal(TtySignal::Interrupt) => return Err(InputEnd::Killed(Sig::INT)),
                    Typed::Signal(TtySignal::Quit) => return Err(InputEnd::Killed(Sig::QUIT)),
                    Typed::Signal(TtySignal::Suspend) => {}
                }
            }
        }
        Ok(())
    }

    async fn stream(&mut self, mut bytes: &[u8]) -> Result<(), HubEnded> {
        while let Some(line) = self.lines.take_line(&mut bytes) {
            self.submit(line).await?;
        }
        Ok(())
    }

    /// End of input. A last line without an end is a line, as Ruby's `gets` returns it.
    async fn finish(&mut self) -> InputEnd {
        if let Some(line) = self.lines.finish()
            && let Err(ended) = self.submit(line).await
        {
            return ended.into();
        }
        InputEnd::Finished
    }

    async fn submit(&self, line: Line) -> Result<(), HubEnded> {
        Traffic::add(&self.traffic.lines_in, 1);
        match self.understand(&line) {
            Some(submission) => {
                // A client that does not read its answers is not read either.
                self.echo.room().await;
                self.to.submit(submission).await
            }
            None => Ok(()),
        }
    }

    /// None for a line that says nothing.
    fn understand(&self, line: &Line) -> Option<Submission> {
        let bytes: &Bytes = match line {
            Line::Complete(bytes) => bytes,
            Line::TooLong => {
                let reason = format!("the line is longer than {} bytes", self.max_line_len);
                return Some(Submission {
                    tag: None,
                    command: Err(Refusal::new("*", ErrorCode::TooLong, reason)),
                });
            }
        };
        match self.form {
            Form::Json => json::parse(bytes),
            Form::Central(_) => central::parse(bytes, &self.hub.policy().dialect),
        }
    }
}
