//! A program that runs: what it writes, how it ends.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::PATIENCE;

/// A running program with its three streams piped; killed when this is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

impl Process {
    /// Starts `command`, which is named by its program in what a failing test says.
    pub(crate) fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
        Self {
            input: child.stdin.take(),
            stdout: Output::of(format!("stdout of {name}"), child.stdout.take().unwrap()),
            stderr: Output::of(format!("stderr of {name}"), child.stderr.take().unwrap()),
            name,
            child,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its input; bytes that it can't take because it has ended are an error of the test.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let input = self.input.as_mut().expect("the input is closed");
        input
            .write_all(bytes.as_ref())
            .and_then(|()| input.flush())
            .unwrap_or_else(|error| panic!("{} takes no input: {error}", self.name));
    }

    /// Gives the input away, for a thread that writes.
    pub(crate) fn take_input(&mut self) -> ChildStdin {
        self.input.take().expect("the input is closed")
    }

    /// Ends its input.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal)
            .unwrap_or_else(|error| panic!("{} can't be signalled: {error}", self.name));
    }

    /// Waits for its end. Its input stays as it is.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        // Not reaped before this, so the process id can't be another's.
        let pidfd = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).unwrap();
        let mut ends = [PollFd::new(&pidfd, PollFlags::IN)];
        let patience = Timespec::try_from(PATIENCE).unwrap();
        let ended = poll(&mut ends, Some(&patience)).unwrap();
        assert!(ended == 1, "{} does not end; {:?}", self.name, self.stderr);
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One output of a program, read all the time so that the program never waits for the test.
pub(crate) struct Output {
    source: String,
    chunks: Receiver<Vec<u8>>,
    /// What was read; up to `taken` the test has seen it.
    bytes: Vec<u8>,
    taken: usize,
}

/// How much of what it has seen a failing test shows.
const SHOWN: usize = 4000;

impl Output {
    fn of(source: String, mut stream: impl Read + Send + 'static) -> Self {
        let (send, chunks) = channel();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            // An error is taken for the end; so is a test that does not look any more.
            while let Ok(length @ 1..) = stream.read(&mut buffer)
                && send.send(buffer[..length].to_vec()).is_ok()
            {}
        });
        Self {
            source,
            chunks,
            bytes: Vec::new(),
            taken: 0,
        }
    }

    /// The next line without its LF. Panics at the end, and when none comes in time.
    pub(crate) fn line(&mut self) -> Vec<u8> {
        match self.line_or_end() {
            Some(line) => line,
            None => panic!("a line was awaited and the end came; {self:?}"),
        }
    }

    /// The next line as text.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.line()).into_owned()
    }

    /// The next line that contains `needle`, as text; lines before it are passed over.
    pub(crate) fn text_with(&mut self, needle: &str) -> String {
        loop {
            match self.line_or_end() {
                Some(line) => {
                    let line = String::from_utf8_lossy(&line);
                    if line.contains(needle) {
                        return line.into_owned();
                    }
                }
                None => panic!("{needle:?} did not come; {self:?}"),
            }
        }
    }

    /// The next line, or none at the end. A last line without LF is one too.
    pub(crate) fn line_or_end(&mut self) -> Option<Vec<u8>> {
        let mut line = match self.take_until(b"\n") {
            Ok(line) => line,
            Err(rest) if rest.is_empty() => return None,
            Err(rest) => return Some(rest),
        };
        line.pop();
        Some(line)
    }

    /// All up to `needle`, with it. Panics at the end, and when it does not come in time.
    pub(crate) fn until(&mut self, needle: impl AsRef<[u8]>) -> Vec<u8> {
        let needle = needle.as_ref();
        self.take_until(needle).unwrap_or_else(|_| {
            let needle = String::from_utf8_lossy(needle);
            panic!("{needle:?} did not come; {self:?}")
        })
    }

    /// All up to the end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        while self.read_more(deadline) {}
        self.take(self.bytes.len())
    }

    /// All that the test has seen so far.
    pub(crate) fn seen(&self) -> &[u8] {
        &self.bytes[..self.taken]
    }

    /// The error is what came instead, up to the end.
    fn take_until(&mut self, needle: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        let mut searched = self.taken;
        loop {
            let found = self.bytes[searched..]
                .windows(needle.len())
                .position(|window| window == needle);
            if let Some(at) = found {
                return Ok(self.take(searched + at + needle.len()));
            }
            let overlap = needle.len() - 1;
            searched = self.taken.max(self.bytes.len().saturating_sub(overlap));
            if !self.read_more(deadline) {
                return Err(self.take(self.bytes.len()));
            }
        }
    }

    fn take(&mut self, to: usize) -> Vec<u8> {
        let taken = self.bytes[self.taken..to].to_vec();
        self.taken = to;
        taken
    }

    /// False at the end. Panics when neither comes by `deadline`.
    fn read_more(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.chunks.recv_timeout(left) {
            Ok(chunk) => {
                self.bytes.extend_from_slice(&chunk);
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("nothing more came; {self:?}"),
        }
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let last = &self.bytes[self.bytes.len().saturating_sub(SHOWN)..];
        let last = String::from_utf8_lossy(last);
        write!(f, "{} was:\n{last}", self.source)
    }
}
