//! What goes into the [`Policy`]: `[roles]`, `[clients]`, `[kinds]`, `[chat]`, `[relay]`,
//! `[limits]` and `[dialect]`, which refer to each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cmp_core::{
    Allowed, COMMANDS, ClientSettings, DefaultDialect, FloodRules, KindSettings, Limits, Policy,
    Role, StoreWhen,
};
use cmp_protocol::{ClientName, Dialect, Encoding, Event, Kind, Recipients, RoleName, Topic, Verb};

use super::files::read_text;
use super::reader::Section;
use super::value::{Value, no_such};

/// The role of clients that have no other.
const DEFAULT_ROLE: &str = "bot";

/// The role that may do everything.
pub(super) const ADMIN_ROLE: &str = "admin";

/// The kinds that the bots of 2014 had.
const KINDS: [&str; 2] = ["qw", "spam"];

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);
const BROADCASTS_KEPT: Duration = Duration::from_hours(365 * 24);
const CHAT_KEPT: Duration = Duration::from_hours(30 * 24);

/// The longest time that anything is kept for, short of for ever.
const LONGEST_KEPT: Duration = Duration::from_hours(36_500 * 24);

/// Written for a time that has no end.
const FOREVER: &str = "forever";

/// Reads the sections, and of `[hub]` the name and the default role. None when something is wrong
/// that has no default.
pub(super) fn read(
    file: &mut Section<'_, '_>,
    hub: &mut Section<'_, '_>,
    base: &Path,
) -> Option<Policy> {
    let kinds = kinds(file);
    let chat = kept(&mut file.section("chat"), StoreWhen::After, CHAT_KEPT);
    let relay = kept(&mut file.section("relay"), StoreWhen::After, CHAT_KEPT);
    let dialect_file = file.section("dialect").value("file");
    let dialect = match &dialect_file {
        Some(value) => dialect(value, base),
        None => Some(Dialect::shipped()),
    };
    let roles = roles(file, &kinds, dialect.as_ref());
    if let (Some(value), Some(dialect)) = (&dialect_file, &dialect) {
        relays_name_roles(value, dialect, &roles);
    }
    let clients = clients(file, &roles);
    let limits = limits(&mut file.section("limits"));
    let default_role = default_role(hub, &roles);
    let name = hub.parsed("name", "hub");
    Some(Policy {
        hub: name?,
        roles,
        default_role: default_role?,
        clients,
        kinds,
        chat,
        relay,
        dialect: Arc::new(dialect?),
        limits,
    })
}

/// Without any, those of the bots of 2014; with one, only those that are named.
fn kinds(file: &mut Section<'_, '_>) -> BTreeMap<Kind, KindSettings> {
    let mut kinds = BTreeMap::new();
    let entries = file.entries("kinds");
    for entry in &entries {
        let mut section = entry.value.section();
        let settings = section
            .as_mut()
            .map(|section| kept(section, StoreWhen::Before, BROADCASTS_KEPT));
        let (Some(kind), Some(settings)) = (entry.named::<Kind>(), settings) else {
            continue;
        };
        if kind == Kind::chat() {
            entry.problem("chat lines are no broadcasts; their settings are in [chat]");
        } else if kinds.insert(kind, settings).is_some() {
            entry.problem("is there twice, for case does not matter");
        }
    }
    if entries.is_empty() {
        let keep = Some(BROADCASTS_KEPT);
        let settings = KindSettings {
            keep_for: keep,
            ..KindSettings::stored(StoreWhen::Before)
        };
        kinds.extend(
            KINDS
                .iter()
                .filter_map(|name| Some((Kind::new(name).ok()?, settings))),
        );
    }
    kinds
}

/// When messages are stored, and how long they are kept.
fn kept(section: &mut Section<'_, '_>, store: StoreWhen, keep_for: Duration) -> KindSettings {
    let mut set = KindSettings {
        keep_for: Some(keep_for),
        ..KindSettings::stored(store)
    };
    let choices = [
        ("before", StoreWhen::Before),
        ("after", StoreWhen::After),
        ("never", StoreWhen::Never),
    ];
    section.choice("store", &choices, &mut set.store);
    if let Some(value) = section.value("keep_for") {
        set.keep_for = if value.is_text(FOREVER) {
            None
        } else {
            value.duration(SECOND..=LONGEST_KEPT)
        };
    }
    if let Some(value) = section.value("keep_count") {
        set.keep_count = value.integer(1..=1_000_000_000);
    }
    set
}

/// Reads the dialect file, whose every mistake is named.
fn dialect(value: &Value<'_, '_>, base: &Path) -> Option<Dialect> {
    let path = value.path(base)?;
    let name = path.display();
    let text = value.valid(read_text(&path).map_err(|error| format!("{name} {error}")))?;
    let read = Dialect::parse(&text).map_err(|error| error.to_string());
    read.map_err(|problems| {
        for problem in problems.lines() {
            value.problem(format!("{name}: {problem}"));
        }
    })
    .ok()
}

/// What a relay command says of roles holds only for roles that there are.
fn relays_name_roles(value: &Value<'_, '_>, dialect: &Dialect, roles: &HashMap<RoleName, Role>) {
    for relay in dialect.relays() {
        let receivers = match &relay.to {
            Recipients::Role(role) => Some(role),
            Recipients::All | Recipients::Others | Recipients::Sender => None,
        };
        for role in relay.roles.iter().flatten().chain(receivers) {
            if !roles.contains_key(role) {
                let missing = no_such("role", role.as_str(), &sorted(roles));
                value.problem(format!("in its relay command {}: {missing}", relay.verb));
            }
        }
    }
}

/// Without any, the two that are built in; with one, only those that are named.
fn roles(
    file: &mut Section<'_, '_>,
    kinds: &BTreeMap<Kind, KindSettings>,
    dialect: Option<&Dialect>,
) -> HashMap<RoleName, Role> {
    let mut roles = HashMap::new();
    let entries = file.entries("roles");
    for entry in &entries {
        let section = entry.value.section();
        let role = section.map(|mut section| role(&mut section, kinds, dialect));
        if let Some(name) = entry.named() {
            // Also when it is wrong: who refers to it makes no further mistake.
            roles.insert(name, role.unwrap_or_default());
        }
    }
    if entries.is_empty() {
        for (name, admin) in [(DEFAULT_ROLE, false), (ADMIN_ROLE, true)] {
            let role = Role {
                admin,
                ..Role::default()
            };
            roles.extend(RoleName::new(name).ok().map(|name| (name, role)));
        }
    }
    roles
}

fn role(
    section: &mut Section<'_, '_>,
    kinds: &BTreeMap<Kind, KindSettings>,
    dialect: Option<&Dialect>,
) -> Role {
    let mut role = Role::default();
    if let Some(value) = section.value("commands") {
        role.commands = allowed(&value, |item| command(item, dialect));
    }
    if let Some(value) = section.value("kinds") {
        let known: Vec<_> = kinds.keys().map(Kind::as_str).collect();
        role.kinds = allowed(&value, |item| one_of(item, "kind", &known));
    }
    if let Some(value) = section.value("topics") {
        let topics = Event::topics();
        let known: Vec<_> = topics.iter().map(Topic::as_str).collect();
        role.topics = allowed(&value, |item| one_of(item, "topic", &known));
    }
    section.bool("admin", &mut role.admin);
    role.encoding = encoding(section);
    flood(&mut section.section("flood"), &mut role.flood);
    role
}

/// `["*"]`, or names.
fn allowed<T: Ord>(
    value: &Value<'_, '_>,
    read: impl Fn(&Value<'_, '_>) -> Option<T>,
) -> Allowed<T> {
    let items = value.list().unwrap_or_default();
    if let [only] = items.as_slice()
        && only.is_text("*")
    {
        return Allowed::All;
    }
    let mut names = BTreeSet::new();
    for item in &items {
        if item.is_text("*") {
            item.problem("\"*\" means everything, and stands alone");
        } else {
            names.extend(read(item));
        }
    }
    Allowed::Only(names)
}

/// The name of a command. Without a dialect, that of a relay command can't be told from others.
fn command(item: &Value<'_, '_>, dialect: Option<&Dialect>) -> Option<String> {
    let verb: Verb = item.parsed()?;
    let Some(dialect) = dialect else {
        return Some(verb.as_str().to_owned());
    };
    let relays = dialect.relays().iter().map(|relay| relay.verb.as_str());
    let known: Vec<_> = COMMANDS.into_iter().chain(relays).collect();
    one_of::<Verb>(item, "command", &known).map(|verb| verb.as_str().to_owned())
}

/// A name, if it is one of these.
fn one_of<T: std::str::FromStr<Err: std::fmt::Display> + AsRef<str>>(
    item: &Value<'_, '_>,
    what: &str,
    known: &[&str],
) -> Option<T> {
    let name: T = item.parsed()?;
    let is_known = known.contains(&name.as_ref());
    let missing = no_such(what, name.as_ref(), known);
    item.valid(is_known.then_some(name).ok_or(missing))
}

fn flood(section: &mut Section<'_, '_>, rules: &mut FloodRules) {
    if let Some(burst) = section
        .value("burst")
        .and_then(|value| value.integer(0..=1_000_000))
    {
        rules.burst = (burst > 0).then_some(burst);
    }
    section.integer("per_minute", 1..=1_000_000, &mut rules.per_minute);
    section.duration("cooldown", Duration::ZERO..=DAY, &mut rules.cooldown);
    section.duration(
        "repeat_window",
        Duration::ZERO..=DAY,
        &mut rules.repeat_window,
    );
    section.integer("max_warnings", 0..=1_000_000, &mut rules.max_warnings);
    section.duration(
        "warning_window",
        SECOND..=DAY * 365,
        &mut rules.warning_window,
    );
    section.duration("mute", SECOND..=DAY * 365, &mut rules.mute);
}

/// The role of clients that have no other, if it is there.
fn default_role(hub: &mut Section<'_, '_>, roles: &HashMap<RoleName, Role>) -> Option<RoleName> {
    if let Some(value) = hub.value("default_role") {
        return one_of(&value, "role", &sorted(roles));
    }
    let built_in = RoleName::new(DEFAULT_ROLE)
        .ok()
        .filter(|role| roles.contains_key(role));
    if built_in.is_none() {
        hub.problem(format!(
            "no default_role is set, and there is no role `{DEFAULT_ROLE}`; set it to one of {}",
            sorted(roles).join(", ")
        ));
    }
    built_in
}

fn clients(
    file: &mut Section<'_, '_>,
    roles: &HashMap<RoleName, Role>,
) -> HashMap<ClientName, ClientSettings> {
    let mut clients = HashMap::new();
    for entry in file.entries("clients") {
        let settings = entry
            .value
            .section()
            .map(|mut section| client(&mut section, roles));
        if let (Some(name), Some(settings)) = (entry.named(), settings) {
            clients.insert(name, settings);
        }
    }
    clients
}

fn client(section: &mut Section<'_, '_>, roles: &HashMap<RoleName, Role>) -> ClientSettings {
    let mut set = ClientSettings::default();
    if let Some(value) = section.value("role") {
        set.role = one_of(&value, "role", &sorted(roles));
    }
    set.encoding = encoding(section);
    let dialects = [
        ("central", DefaultDialect::Central),
        ("json", DefaultDialect::Json),
    ];
    section.choice("dialect", &dialects, &mut set.dialect);
    if let Some(value) = section.value("max_sessions") {
        set.max_sessions = value.integer(1..=1_000_000);
    }
    set
}

fn encoding(section: &mut Section<'_, '_>) -> Option<Encoding> {
    let value = section.value("encoding")?;
    let text = value.string()?;
    let names = Encoding::ALL.map(Encoding::name);
    value.valid(Encoding::parse(text).ok_or_else(|| no_such("encoding", text, &names)))
}

fn limits(section: &mut Section<'_, '_>) -> Limits {
    const COUNT: RangeInclusive<u64> = 1..=1_000_000;
    const TABLE: RangeInclusive<u64> = 16..=16_777_216;
    let times = || Duration::from_millis(100)..=Duration::from_mins(10);
    let mut set = Limits::default();
    section.integer(
        "outbox_bytes",
        65_536..=1_073_741_824,
        &mut set.outbox_bytes,
    );
    section.integer(
        "commands_in_flight",
        1..=65_536,
        &mut set.commands_in_flight,
    );
    section.integer("sessions_per_client", COUNT, &mut set.sessions_per_client);
    section.integer("sessions", COUNT, &mut set.sessions);
    section.integer(
        "requests_per_client",
        1..=65_536,
        &mut set.requests_per_client,
    );
    section.integer(
        "provided_per_client",
        1..=65_536,
        &mut set.provided_per_client,
    );
    section.duration("request_timeout", times(), &mut set.request_timeout);
    section.integer("store_queue", TABLE, &mut set.store_queue);
    section.duration("store_timeout", times(), &mut set.store_timeout);
    section.integer("flood_entries", TABLE, &mut set.flood_entries);
    set
}

/// The names, in an order that does not change.
fn sorted(roles: &HashMap<RoleName, Role>) -> Vec<&str> {
    let mut names: Vec<_> = roles.keys().map(RoleName::as_str).collect();
    names.sort_unstable();
    names
}
