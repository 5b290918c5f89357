//! A hub made of channels, and a DNS server on loopback that answers what the test says.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cmp_control::{CheckedSettings, Ended, Link, LinkClosed, Settings, run};
use cmp_protocol::{
    Class, ClientName, Command, CommandName, Event, HubName, Kind, Message, MessageId, RequestId,
    Since, Submission, Tag, Word,
};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Upper bound for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
}

struct ChannelLink {
    commands: mpsc::Sender<Submission>,
    events: mpsc::Receiver<Event>,
}

impl Link for ChannelLink {
    async fn send(&mut self, submission: Submission) -> Result<(), LinkClosed> {
        self.commands.send(submission).await.map_err(|_| LinkClosed)
    }

    async fn receive(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

/// The hub's side of the link to a running control server.
pub(crate) struct Hub {
    events: mpsc::Sender<Event>,
    commands: mpsc::Receiver<Submission>,
    pub(crate) settings: watch::Sender<Arc<CheckedSettings>>,
    shutdown: oneshot::Sender<()>,
    running: JoinHandle<Ended>,
    asked: u32,
    /// Answers to other requests than the one that was waited for.
    early: VecDeque<Command>,
}

impl Hub {
    /// Starts a control server; nothing is read of it yet.
    pub(crate) fn start(settings: Settings) -> Self {
        let (events, event_receiver) = mpsc::channel(1024);
        let (command_sender, commands) = mpsc::channel(1024);
        let (settings, updates) = watch::channel(Arc::new(settings.check().unwrap()));
        let (shutdown, stop) = oneshot::channel::<()>();
        let link = ChannelLink {
            commands: command_sender,
            events: event_receiver,
        };
        let stopped = async move {
            // Dropped together with the hub: then the link ends it.
            if stop.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let running = tokio::spawn(run(link, updates, stopped));
        Self {
            events,
            commands,
            settings,
            shutdown,
            running,
            asked: 0,
            early: VecDeque::new(),
        }
    }

    /// Starts a control server and gives it `history`.
    pub(crate) async fn with_history(settings: Settings, history: &[Arc<Message>]) -> Self {
        let mut hub = Self::start(settings);
        let (tag, resume) = hub.command().await;
        assert!(
            matches!(
                resume,
                Command::Resume {
                    since: Since::Last(_)
                }
            ),
            "{resume:?}"
        );
        for message in history {
            hub.tell(Event::Message(message.clone())).await;
        }
        let count = history.len() as u64;
        hub.tell(Event::Resumed { count, tag }).await;
        let mut provided = Vec::new();
        for _ in 0..4 {
            let (_, command) = hub.command().await;
            let Command::Provide { command, .. } = command else {
                panic!("{command:?}")
            };
            provided.push(command.as_str().to_owned());
        }
        assert_eq!(provided, ["RESOLVE", "RULES", "HOSTS", "LAST"]);
        hub
    }

    pub(crate) async fn ready(settings: Settings) -> Self {
        Self::with_history(settings, &[]).await
    }

    pub(crate) async fn tell(&self, event: Event) {
        self.events.send(event).await.unwrap();
    }

    /// The next command of the control server.
    pub(crate) async fn command(&mut self) -> (Option<Tag>, Command) {
        let submission = soon("a command", self.commands.recv()).await.unwrap();
        (submission.tag, submission.command.unwrap())
    }

    /// Asks without waiting for the answer.
    pub(crate) async fn ask(&mut self, line: &str) -> RequestId {
        self.asked += 1;
        let id = RequestId::new(&format!("r{}", self.asked)).unwrap();
        let (command, params) = line.split_once(' ').unwrap_or((line, ""));
        let event = Event::Request {
            client: ClientName::new("paul_specbot").unwrap(),
            id: id.clone(),
            command: CommandName::new(command).unwrap(),
            params: Bytes::copy_from_slice(params.as_bytes()),
        };
        self.tell(event).await;
        id
    }

    /// The whole answer to a request.
    pub(crate) async fn answer(&mut self, wanted: &RequestId) -> Vec<Bytes> {
        let mut lines = Vec::new();
        let mut early = std::mem::take(&mut self.early);
        loop {
            let command = match early.pop_front() {
                Some(command) => command,
                None => self.command().await.1,
            };
            match command {
                Command::Reply { client, id, text } if id == *wanted => {
                    assert_eq!(client.as_str(), "paul_specbot");
                    lines.push(text);
                }
                Command::End { id, .. } if id == *wanted => {
                    self.early.append(&mut early);
                    return lines;
                }
                other => self.early.push_back(other),
            }
        }
    }

    /// Asks and waits for the answer.
    pub(crate) async fn request(&mut self, line: &str) -> Vec<Bytes> {
        let id = self.ask(line).await;
        self.answer(&id).await
    }

    /// Asks for something that is answered by one line.
    pub(crate) async fn line(&mut self, line: &str) -> String {
        let id = self.ask(line).await;
        self.answered_line(&id).await
    }

    /// The answer of one line to a request.
    pub(crate) async fn answered_line(&mut self, id: &RequestId) -> String {
        let lines = self.answer(id).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        String::from_utf8(lines[0].to_vec()).unwrap()
    }

    /// Whether everything that was asked is answered and nothing else came.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.early.is_empty() && self.commands.try_recv().is_err()
    }

    /// Sends the signal to stop; the rest is still read.
    pub(crate) async fn shut_down(self) -> (Vec<Command>, Ended) {
        self.shutdown.send(()).unwrap();
        Self::rest(self.commands, self.early, self.running).await
    }

    /// Closes the link.
    pub(crate) async fn close(self) -> (Vec<Command>, Ended) {
        drop(self.events);
        Self::rest(self.commands, self.early, self.running).await
    }

    async fn rest(
        mut commands: mpsc::Receiver<Submission>,
        early: VecDeque<Command>,
        running: JoinHandle<Ended>,
    ) -> (Vec<Command>, Ended) {
        let ended = soon("the end", running).await.unwrap();
        let mut rest: Vec<_> = early.into();
        while let Ok(submission) = commands.try_recv() {
            rest.push(submission.command.unwrap());
        }
        (rest, ended)
    }
}

/// A broadcast as the hub delivers it, at 2026-02-28 23:59 UTC.
pub(crate) fn broadcast(kind: &str, text: &[u8]) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId::generate(),
        hub: HubName::new("hub1").unwrap(),
        client: ClientName::new("paul_specbot").unwrap(),
        time_ms: 1_772_323_199_999,
        class: Class::Broadcast,
        kind: Kind::new(kind).unwrap(),
        nick: Some(Word::new("nick", "paul").unwrap()),
        origin: Some(Word::new("origin", "#kenya").unwrap()),
        text: Bytes::copy_from_slice(text),
        encoding: None,
    })
}

/// A DNS server that leaves every answer to the test.
pub(crate) struct FakeDns {
    socket: UdpSocket,
    pub(crate) address: SocketAddr,
}

/// A question that it was asked.
pub(crate) struct Question {
    packet: Vec<u8>,
    from: SocketAddr,
    /// `5.2.0.192.in-addr.arpa`.
    pub(crate) name: String,
}

impl FakeDns {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    /// The next question.
    pub(crate) async fn question(&self) -> Question {
        let mut packet = vec![0; 512];
        let receive = self.socket.recv_from(&mut packet);
        let (length, from) = soon("a DNS question", receive).await.unwrap();
        Self::read(packet, length, from)
    }

    /// A question that has come already.
    pub(crate) fn waiting_question(&self) -> Option<Question> {
        let mut packet = vec![0; 512];
        let (length, from) = self.socket.try_recv_from(&mut packet).ok()?;
        Some(Self::read(packet, length, from))
    }

    fn read(mut packet: Vec<u8>, length: usize, from: SocketAddr) -> Question {
        packet.truncate(length);
        // One question, recursion desired: RFC 1035 §4.1.1.
        assert_eq!(packet[2..12], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        let (mut at, mut labels) = (12, Vec::new());
        while packet[at] != 0 {
            let end = at + 1 + usize::from(packet[at]);
            labels.push(String::from_utf8(packet[at + 1..end].to_vec()).unwrap());
            at = end;
        }
        // PTR, IN, and no more.
        assert_eq!(packet[at + 1..], [0, 12, 0, 1]);
        Question {
            packet,
            from,
            name: labels.join("."),
        }
    }

    /// Answers with a PTR record.
    pub(crate) async fn answer(&self, question: &Question, host: &str) {
        let mut packet = question.packet.clone();
        packet[2..4].copy_from_slice(&[0x81, 0x80]);
        packet[7] = 1;
        // The owner is the name at offset 12; TTL 3600.
        packet.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 14, 16]);
        let mut target = Vec::new();
        for label in host.split('.') {
            target.push(u8::try_from(label.len()).unwrap());
            target.extend(label.bytes());
        }
        target.push(0);
        packet.extend(u16::try_from(target.len()).unwrap().to_be_bytes());
        packet.extend(target);
        self.socket.send_to(&packet, question.from).await.unwrap();
    }

    /// Answers without a record: 3 is "no such name", 2 "server failure".
    pub(crate) async fn answer_code(&self, question: &Question, rcode: u8) {
        let mut packet = question.packet.clone();
        packet[2..4].copy_from_slice(&[0x81, 0x80 | rcode]);
        self.socket.send_to(&packet, question.from).await.unwrap();
    }
}
