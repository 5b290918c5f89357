//! A hub on a store in memory, and clients of it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cmp_core::{
    AdminError, AdminReply, AdminRequest, Attach, End, FloodRules, Hub, Item, KindSettings, Limits,
    MemoryStore, Policy, Role, Session, StoreWhen,
};
use cmp_protocol::{
    ClientName, Command, CommandName, Dialect, ErrorCode, Event, Form, HubName, Kind, Message,
    MessageId, Refusal, RequestId, RoleName, Since, Submission, Target, Word,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes; only a failing test waits for it.
const LONG: Duration = Duration::from_secs(20);

pub(crate) struct TestHub {
    pub(crate) hub: Hub,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) running: JoinHandle<()>,
}

/// A policy without flood rules; roles `bot` (default) and `admin`.
pub(crate) fn policy() -> Policy {
    let free = Role {
        flood: FloodRules::off(),
        ..Role::default()
    };
    let admin = Role {
        admin: true,
        ..free.clone()
    };
    let before = KindSettings::stored(StoreWhen::Before);
    Policy {
        hub: HubName::new("hub1").unwrap(),
        roles: HashMap::from([(role("bot"), free), (role("admin"), admin)]),
        default_role: role("bot"),
        clients: HashMap::new(),
        kinds: BTreeMap::from([
            (Kind::new("qw").unwrap(), before),
            (Kind::new("spam").unwrap(), before),
        ]),
        chat: KindSettings::stored(StoreWhen::After),
        relay: KindSettings::stored(StoreWhen::After),
        dialect: Arc::new(Dialect::default()),
        limits: Limits::default(),
    }
}

pub(crate) fn role(name: &str) -> RoleName {
    RoleName::new(name).unwrap()
}

impl TestHub {
    pub(crate) async fn start(policy: Policy) -> Self {
        Self::start_on(policy, Arc::default()).await
    }

    pub(crate) async fn start_on(policy: Policy, store: Arc<MemoryStore>) -> Self {
        let (hub, running) = Hub::start(policy, store.clone()).await.unwrap();
        Self {
            hub,
            store,
            running,
        }
    }

    pub(crate) async fn try_client(&self, name: &str, form: Form) -> Result<Client, Refusal> {
        let client = ClientName::new(name).unwrap();
        let session = self
            .hub
            .attach(Attach {
                client,
                peer: "test".into(),
                form,
            })
            .await?;
        let mut client = Client {
            session,
            waiting: VecDeque::new(),
            end: None,
        };
        assert!(
            matches!(client.next().await, Event::Greeting(_)),
            "the greeting comes first"
        );
        Ok(client)
    }

    pub(crate) async fn central(&self, name: &str) -> Client {
        self.try_client(name, Form::Central(None)).await.unwrap()
    }

    pub(crate) async fn json(&self, name: &str) -> Client {
        self.try_client(name, Form::Json).await.unwrap()
    }

    pub(crate) async fn admin(&self, request: AdminRequest) -> Result<AdminReply, AdminError> {
        self.hub
            .admin(&ClientName::new("boss").unwrap(), request)
            .await
    }

    pub(crate) async fn stats(&self) -> cmp_core::Stats {
        match self.admin(AdminRequest::Stats).await {
            Ok(AdminReply::Stats(stats)) => *stats,
            other => panic!("no stats: {other:?}"),
        }
    }
}

pub(crate) struct Client {
    pub(crate) session: Session,
    waiting: VecDeque<Event>,
    end: Option<End>,
}

impl Client {
    pub(crate) async fn send(&self, command: Command) {
        let submission = Submission {
            tag: None,
            command: Ok(command),
        };
        timeout(LONG, self.session.input.submit(submission))
            .await
            .unwrap()
            .unwrap();
    }

    /// The next event, or none when the session has ended.
    pub(crate) async fn next_or_end(&mut self) -> Option<Event> {
        while self.waiting.is_empty() && self.end.is_none() {
            let mut items = Vec::new();
            let taken = timeout(LONG, self.session.output.take(&mut items)).await;
            self.end = taken.expect("an event within the time");
            self.waiting
                .extend(items.into_iter().map(|item| match item {
                    Item::Event(envelope) => envelope.event().clone(),
                    Item::Bytes(bytes) => panic!("bytes nobody queued: {bytes:?}"),
                }));
        }
        self.waiting.pop_front()
    }

    pub(crate) async fn next(&mut self) -> Event {
        self.next_or_end()
            .await
            .unwrap_or_else(|| panic!("ended: {:?}", self.end))
    }

    pub(crate) async fn end(&mut self) -> End {
        while self.next_or_end().await.is_some() {}
        self.end.clone().unwrap()
    }

    /// The next event, which must be a message.
    pub(crate) async fn message(&mut self) -> Arc<Message> {
        match self.next().await {
            Event::Message(message) => message,
            other => panic!("not a message: {other:?}"),
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.message().await.text).into_owned()
    }

    pub(crate) async fn refusal(&mut self) -> Refusal {
        match self.next().await {
            Event::Refused { refusal, .. } => refusal,
            other => panic!("not a refusal: {other:?}"),
        }
    }

    pub(crate) async fn code(&mut self) -> ErrorCode {
        self.refusal().await.code
    }

    /// The next event, which must be the acknowledgement of a message.
    pub(crate) async fn acknowledged(&mut self) -> MessageId {
        match self.next().await {
            Event::Ok { id: Some(id), .. } => id,
            other => panic!("not an acknowledgement: {other:?}"),
        }
    }

    /// Sends a `PING` and expects its answer next: whatever the hub had for this session before
    /// has been taken by then.
    pub(crate) async fn nothing_waits(&mut self) {
        self.send(Command::Ping {
            text: bytes("sync"),
        })
        .await;
        let next = self.next().await;
        assert!(
            matches!(next, Event::Pong { .. }),
            "something waited: {next:?}"
        );
    }
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn chat(text: &str) -> Command {
    Command::Chat { text: bytes(text) }
}

pub(crate) fn broadcast(nick: &str, text: &str) -> Command {
    Command::Broadcast {
        kind: Kind::new("qw").unwrap(),
        nick: Word::new("nick", bytes(nick)).unwrap(),
        origin: Word::new("origin", bytes("#quakeworld")).unwrap(),
        text: bytes(text),
    }
}

pub(crate) fn name(text: &str) -> ClientName {
    ClientName::new(text).unwrap()
}

pub(crate) fn command(text: &str) -> CommandName {
    CommandName::new(text).unwrap()
}

pub(crate) fn request_id(text: &str) -> RequestId {
    RequestId::new(text).unwrap()
}

pub(crate) fn provide(text: &str) -> Command {
    Command::Provide {
        command: command(text),
        help: Bytes::new(),
    }
}

pub(crate) fn request(id: &str, what: &str, target: Target) -> Command {
    let params = bytes("params");
    Command::Request {
        id: request_id(id),
        command: command(what),
        target,
        params,
    }
}

pub(crate) fn resume(since: Since) -> Command {
    Command::Resume { since }
}
