//! Who may do what: roles, clients and kinds, and every "may X do Y" in one place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cmp_protocol::{
    ClientName, Command, Dialect, Encoding, ErrorCode, Form, HubName, Kind, Refusal, RoleName,
    Topic, Verb,
};

/// The commands of the hub in the order of the greeting and the help.
pub const COMMANDS: [&str; 15] = [
    "C", "PART", "PING", "BC", "PROVIDE", "WITHDRAW", "REQ", "REP", "END", "WHO", "HELP", "SUB",
    "UNSUB", "RESUME", "CURSOR",
];

/// Commands that only the json dialect has.
pub(crate) const JSON_ONLY: [&str; 2] = ["RESUME", "CURSOR"];

/// Commands no role can be without: a client can always leave, and notice a dead connection.
const ALWAYS: [&str; 2] = ["PART", "PING"];

/// A set of names, or everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed<T: Ord> {
    /// Everything there is.
    All,
    /// These.
    Only(BTreeSet<T>),
}

impl<T: Ord> Allowed<T> {
    fn contains<Q: Ord + ?Sized>(&self, name: &Q) -> bool
    where
        T: std::borrow::Borrow<Q>,
    {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// Rules against too many broadcasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloodRules {
    /// Broadcasts a client may send at once; none means no limit per client.
    pub burst: Option<u32>,
    /// Broadcasts per minute that a client gets back, up to the burst.
    pub per_minute: u32,
    /// The time between two broadcasts of one nick at one origin; zero is off.
    pub cooldown: Duration,
    /// The time within which the same text is refused; zero is off.
    pub repeat_window: Duration,
    /// The warnings after which an origin is muted; zero is off.
    pub max_warnings: u32,
    /// The time after which warnings are forgotten.
    pub warning_window: Duration,
    /// How long an origin is muted.
    pub mute: Duration,
}

impl Default for FloodRules {
    fn default() -> Self {
        Self {
            burst: Some(10),
            per_minute: 30,
            cooldown: Duration::from_secs(30),
            repeat_window: Duration::from_secs(300),
            max_warnings: 5,
            warning_window: Duration::from_secs(600),
            mute: Duration::from_secs(600),
        }
    }
}

impl FloodRules {
    /// No rule at all.
    pub fn off() -> Self {
        Self {
            burst: None,
            per_minute: 0,
            cooldown: Duration::ZERO,
            repeat_window: Duration::ZERO,
            max_warnings: 0,
            ..Self::default()
        }
    }
}

/// What the clients of a role may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Commands by [`Command::name`], relay verbs included. `PART` and `PING` always are.
    pub commands: Allowed<String>,
    /// Kinds of broadcast.
    pub kinds: Allowed<Kind>,
    /// Topics of `SUB`.
    pub topics: Allowed<Topic>,
    /// Whether it may run `admin` commands.
    pub admin: bool,
    /// The encoding of its clients in the central dialect, where a client has none of its own.
    pub encoding: Option<Encoding>,
    /// The rules for its broadcasts.
    pub flood: FloodRules,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            commands: Allowed::All,
            kinds: Allowed::All,
            topics: Allowed::All,
            admin: false,
            encoding: None,
            flood: FloodRules::default(),
        }
    }
}

/// Which dialect a client speaks where its session does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultDialect {
    /// Text lines.
    #[default]
    Central,
    /// JSON objects.
    Json,
}

/// What is set for one client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientSettings {
    /// Its role; none means the default role.
    pub role: Option<RoleName>,
    /// Its encoding in the central dialect; none means that of its role, and where that has none
    /// bytes pass as they are.
    pub encoding: Option<Encoding>,
    /// Its dialect.
    pub dialect: DefaultDialect,
    /// How many sessions it may have open at once; none means the general limit.
    pub max_sessions: Option<u32>,
}

/// When messages of a kind are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreWhen {
    /// Before anybody sees them and before the sender gets its OK.
    Before,
    /// After they were delivered.
    After,
    /// Never.
    Never,
}

/// What is set for one kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindSettings {
    /// When its messages are stored.
    pub store: StoreWhen,
    /// How long they are kept; none means for ever.
    pub keep_for: Option<Duration>,
    /// How many are kept; none means all.
    pub keep_count: Option<u64>,
}

impl KindSettings {
    /// Stored at this time, kept for ever.
    pub fn stored(store: StoreWhen) -> Self {
        Self {
            store,
            keep_for: None,
            keep_count: None,
        }
    }
}

/// Bounds of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that may wait for a session; past it the session is ended as a slow reader.
    pub outbox_bytes: usize,
    /// Commands of a session that may be under way; past it the session is not read on. Long texts
    /// count as several, so that all together fill no more than half of an outbox.
    pub commands_in_flight: usize,
    /// Sessions of one client at once, where the client has no setting of its own.
    pub sessions_per_client: u32,
    /// Sessions in all.
    pub sessions: usize,
    /// Requests of one client that may be open at once.
    pub requests_per_client: usize,
    /// Network commands one client may provide.
    pub provided_per_client: usize,
    /// The time within which providers finish a request.
    pub request_timeout: Duration,
    /// Messages that may wait to be stored. Past it, broadcasts are refused as unavailable, and
    /// chat is delivered but not stored (counted).
    pub store_queue: usize,
    /// The time one transaction of the store may take before its messages count as refused.
    pub store_timeout: Duration,
    /// Entries in each table of the flood rules; past it the oldest goes.
    pub flood_entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            outbox_bytes: 1024 * 1024,
            commands_in_flight: 256,
            sessions_per_client: 16,
            sessions: 10_000,
            requests_per_client: 64,
            provided_per_client: 64,
            request_timeout: Duration::from_secs(10),
            store_queue: 65_536,
            store_timeout: Duration::from_secs(5),
            flood_entries: 65_536,
        }
    }
}

/// All that is decided by configuration. Replaced as a whole on reload.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The name of this hub.
    pub hub: HubName,
    /// Roles by name; the default role is one of them.
    pub roles: HashMap<RoleName, Role>,
    /// The role of clients without a setting.
    pub default_role: RoleName,
    /// Settings by client.
    pub clients: HashMap<ClientName, ClientSettings>,
    /// Kinds of broadcast.
    pub kinds: BTreeMap<Kind, KindSettings>,
    /// How chat lines are stored.
    pub chat: KindSettings,
    /// How relayed lines are stored.
    pub relay: KindSettings,
    /// The words of the central dialect, and the relay commands.
    pub dialect: Arc<Dialect>,
    /// Bounds.
    pub limits: Limits,
}

impl Policy {
    /// The role of a client, with its name. A role that is not configured permits nothing but
    /// leaving.
    pub fn role_of(&self, client: &ClientName) -> (RoleName, Role) {
        let name = self
            .clients
            .get(client)
            .and_then(|settings| settings.role.as_ref())
            .unwrap_or(&self.default_role);
        let role = self.roles.get(name).cloned().unwrap_or_else(|| Role {
            commands: Allowed::Only(BTreeSet::new()),
            kinds: Allowed::Only(BTreeSet::new()),
            topics: Allowed::Only(BTreeSet::new()),
            admin: false,
            encoding: None,
            flood: FloodRules::default(),
        });
        (name.clone(), role)
    }

    /// The encoding that is set for a client, or for its role.
    pub fn encoding_of(&self, client: &ClientName) -> Option<Encoding> {
        let settings = self.clients.get(client);
        let own = settings.and_then(|settings| settings.encoding);
        own.or_else(|| self.role_of(client).1.encoding)
    }

    /// The form in which a client is spoken to where its session does not say.
    pub fn form_of(&self, client: &ClientName) -> Form {
        match self.clients.get(client).map(|settings| settings.dialect) {
            Some(DefaultDialect::Json) => Form::Json,
            _ => Form::Central(self.encoding_of(client)),
        }
    }

    /// How many sessions a client may have open at once.
    pub fn max_sessions(&self, client: &ClientName) -> u32 {
        self.clients
            .get(client)
            .and_then(|settings| settings.max_sessions)
            .unwrap_or(self.limits.sessions_per_client)
    }

    /// The settings of the kind that a message of this command has.
    pub(crate) fn kind_settings(&self, command: &Command) -> Option<KindSettings> {
        match command {
            Command::Chat { .. } => Some(self.chat),
            Command::Relay { .. } => Some(self.relay),
            Command::Broadcast { kind, .. } => self.kinds.get(kind).copied(),
            _ => None,
        }
    }

    /// Whether a role may give a command of this name at all.
    fn may_use(&self, role_name: &RoleName, role: &Role, command: &str) -> bool {
        if ALWAYS.contains(&command) {
            return true;
        }
        if !role.commands.contains(command) {
            return false;
        }
        // A relay command may name its roles itself.
        match Verb::new(command)
            .ok()
            .and_then(|verb| self.dialect.relay(&verb))
        {
            Some(relay) => relay
                .roles
                .as_ref()
                .is_none_or(|roles| roles.contains(role_name)),
            None => true,
        }
    }

    /// The commands that a role may give in this dialect, in the order of the help.
    pub fn commands_for(&self, role_name: &RoleName, role: &Role, json: bool) -> Vec<Verb> {
        let relays = self
            .dialect
            .relays()
            .iter()
            .map(|relay| relay.verb.as_str());
        COMMANDS
            .into_iter()
            .chain(relays)
            .filter(|name| json || !JSON_ONLY.contains(name))
            .filter(|name| self.may_use(role_name, role, name))
            .filter_map(|name| Verb::new(name).ok())
            .collect()
    }

    /// The kinds of broadcast that a role may send.
    pub fn kinds_for(&self, role: &Role) -> Vec<Kind> {
        self.kinds
            .keys()
            .filter(|kind| role.kinds.contains(kind.as_str()))
            .cloned()
            .collect()
    }

    /// Whether a role may give this command with these arguments; otherwise why not.
    pub fn permit(
        &self,
        role_name: &RoleName,
        role: &Role,
        json: bool,
        command: &Command,
    ) -> Result<(), Refusal> {
        let name = command.name();
        if JSON_ONLY.contains(&name) && !json {
            return Err(Refusal::new(
                name,
                ErrorCode::Unknown,
                "the json dialect has this command",
            ));
        }
        if let Command::Relay { verb, .. } = command
            && self.dialect.relay(verb).is_none()
        {
            return Err(Refusal::new(
                name,
                ErrorCode::Unknown,
                "unknown command; HELP lists yours",
            ));
        }
        if !self.may_use(role_name, role, name) {
            let reason = format!("role {role_name} may not use {name}; HELP lists what it may");
            return Err(Refusal::new(name, ErrorCode::Forbidden, reason));
        }
        match command {
            Command::Broadcast { kind, .. } if !self.kinds.contains_key(kind) => {
                let kinds = join(self.kinds_for(role).iter().map(Kind::as_str));
                let reason = format!("there is no kind {kind}; yours are {kinds}");
                Err(Refusal::new(name, ErrorCode::Unknown, reason))
            }
            Command::Broadcast { kind, .. } if !role.kinds.contains(kind.as_str()) => {
                let reason = format!("role {role_name} may not send kind {kind}");
                Err(Refusal::new(name, ErrorCode::Forbidden, reason))
            }
            Command::Subscribe { topic } | Command::Unsubscribe { topic } => {
                let topics = cmp_protocol::Event::topics();
                if !topics.contains(topic) {
                    let known = join(topics.iter().map(Topic::as_str));
                    let reason = format!("there is no topic {topic}; topics are {known}");
                    return Err(Refusal::new(name, ErrorCode::NotFound, reason));
                }
                if !role.topics.contains(topic.as_str()) {
                    let reason = format!("role {role_name} may not follow topic {topic}");
                    return Err(Refusal::new(name, ErrorCode::Forbidden, reason));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}
