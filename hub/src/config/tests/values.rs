//! Each key reaches the setting that it names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cmp_core::{
    Allowed, ClientSettings, DefaultDialect, FloodRules, KindSettings, Limits, Role, StoreWhen,
};
use cmp_protocol::{ClientName, Encoding, Kind, RoleName};
use cmp_ssh::Profile;
use cmp_ssh::Settings;
use cmp_ssh::limits::ConnectionLimitSettings;
use cmp_ssh::limits::connections::ConnectionCountSettings;
use cmp_ssh::limits::log_limit::LogLimitSettings;
use cmp_ssh::limits::login_grace::LoginGraceSettings;
use cmp_ssh::limits::penalties::PenaltySettings;
use cmp_ssh::limits::source::NetBlockSize;
use cmp_ssh::limits::startups::MaxStartups;
use cmp_store::{Location, Synchronous};

use super::{read, shown};
use crate::config::{Config, Control, LogFormat, LogSettings, Paths};

const SECOND: Duration = Duration::from_secs(1);

fn role(name: &str) -> RoleName {
    RoleName::new(name).unwrap()
}

fn client(name: &str) -> ClientName {
    ClientName::new(name).unwrap()
}

#[test]
fn nothing_configured_is_an_empty_file_with_the_first_client_as_admin() {
    let mut default = Config::default_in(Path::new("here")).unwrap();
    let first = default.policy.clients.remove(&client("admin")).unwrap();
    assert_eq!(default.policy.role_of(&client("admin")).0, role("bot"));
    assert_eq!(
        first,
        ClientSettings {
            role: Some(role("admin")),
            ..ClientSettings::default()
        }
    );
    let empty = Config::parse("", Path::new("here")).unwrap();
    assert_eq!(shown(&default), shown(&empty));
}

#[test]
fn an_empty_file_has_the_defaults_of_the_crates() {
    let config = read("");
    let policy = &config.policy;
    assert_eq!(policy.hub.as_str(), "hub");
    assert!(policy.clients.is_empty(), "nobody is an admin by surprise");
    assert_eq!(policy.roles.len(), 2);
    assert_eq!(policy.roles[&role("bot")], Role::default());
    assert_eq!(
        policy.roles[&role("admin")],
        Role {
            admin: true,
            ..Role::default()
        }
    );
    let kept = |store, days| KindSettings {
        keep_for: Some(SECOND * 86_400 * days),
        ..KindSettings::stored(store)
    };
    let kinds = ["qw", "spam"].map(|kind| (Kind::new(kind).unwrap(), kept(StoreWhen::Before, 365)));
    assert_eq!(policy.kinds, kinds.into());
    assert_eq!(
        (policy.chat, policy.relay),
        (kept(StoreWhen::After, 30), kept(StoreWhen::After, 30))
    );
    assert_eq!(policy.limits, Limits::default());
    assert_eq!(*policy.dialect, cmp_protocol::Dialect::shipped());
    assert_eq!(config.ssh.listen, ["127.0.0.1:2222".parse().unwrap()]);
    assert_eq!(config.ssh.connection, Settings::default());
    assert_eq!(config.ssh.limits, ConnectionLimitSettings::default());
    assert!(matches!(&config.store.location, Location::Sqlite(path) if path == "data/cmp-hub.db"));
    let control = Control {
        client: client("control"),
        settings: cmp_control::Settings::default().check().unwrap(),
    };
    assert_eq!(config.control, Some(control));
    assert_eq!(
        config.log,
        LogSettings {
            filter: "info".to_owned(),
            format: LogFormat::Human
        }
    );
    assert_eq!(config.shutdown_deadline, SECOND * 10);
}

#[test]
fn paths_start_in_the_folder_of_the_file() {
    let paths = |text: &str| Config::parse(text, Path::new("/etc/cmp")).unwrap();
    let config = paths("");
    let expected = Paths {
        data: "/etc/cmp/data".into(),
        keys: "/etc/cmp/keys".into(),
        authorized_keys: "/etc/cmp/keys/authorized_keys".into(),
    };
    assert_eq!(config.paths, expected);
    let config =
        paths("[hub]\ndata = \"/var/lib/cmp\"\nkeys = \"k\"\n[store]\nurl = \"sqlite:a.db\"");
    assert_eq!(config.paths.data, PathBuf::from("/var/lib/cmp"));
    assert_eq!(
        config.paths.authorized_keys,
        PathBuf::from("/etc/cmp/k/authorized_keys")
    );
    assert_eq!(config.store.location.to_string(), "/var/lib/cmp/a.db");
    let config = paths("[hub]\nauthorized_keys = \"a\"\n[store]\nurl = \"sqlite:///srv/a.db\"");
    assert_eq!(config.paths.authorized_keys, PathBuf::from("/etc/cmp/a"));
    assert_eq!(config.store.location.to_string(), "/srv/a.db");
}

#[test]
fn hub_and_log() {
    let config = read(
        "[hub]\nname = \"eu-1\"\ndefault_role = \"admin\"\nshutdown_deadline = \"3s\"\n\
         [log]\nfilter = \"info,cmp_ssh=debug\"\nformat = \"json\"",
    );
    assert_eq!(config.policy.hub.as_str(), "eu-1");
    assert_eq!(config.policy.default_role, role("admin"));
    assert_eq!(config.shutdown_deadline, SECOND * 3);
    let log = LogSettings {
        filter: "info,cmp_ssh=debug".to_owned(),
        format: LogFormat::Json,
    };
    assert_eq!(config.log, log);
}

#[test]
fn ssh() {
    let config = read(
        r#"
        [ssh]
        listen = ["[::1]:22", "192.0.2.1:2022", "127.0.0.1:0", "127.0.0.1:0"]
        max_startups = "10:31:100"
        max_connections = 11
        connections_per_source = 12
        source_net_block_size = "24:48"
        connections_per_client = 13
        sessions_per_connection = 14
        max_line_len = 1024
        window_size = 65536
        keepalive_interval = "100ms"
        keepalive_max = 15
        key_exchange_grace = "16s"
        login_grace = "17s"
        max_auth_tries = 18
        close_grace = "20s"
        drain_stall = "21s"
        [ssh.penalties]
        enabled = false
        auth_fail = "22s"
        no_auth = "23s"
        grace_exceeded = "24s"
        crash = "25s"
        min = "26s"
        max = "27s"
        max_sources = 28
        exempt = ["10.1.2.3/8", "2001:db8::1"]
        [ssh.refusal_log]
        lines = 29
        window = "30s"
        "#,
    );
    let listen = ["[::1]:22", "192.0.2.1:2022", "127.0.0.1:0", "127.0.0.1:0"];
    assert_eq!(
        config.ssh.listen,
        listen.map(|address| address.parse().unwrap())
    );
    let connection = Settings {
        profile: Profile::Modern,
        max_line_len: 1024,
        keepalive_interval: Duration::from_millis(100),
        keepalive_max: 15,
        login_grace: LoginGraceSettings {
            key_exchange: SECOND * 16,
            login: SECOND * 17,
        },
        max_auth_tries: 18,
        connections_per_client: 13,
        max_sessions: 14,
        window_size: 65536,
        close_grace: SECOND * 20,
        drain_stall: SECOND * 21,
    };
    assert_eq!(config.ssh.connection, connection);
    let limits = ConnectionLimitSettings {
        max_startups: MaxStartups {
            start: 10,
            rate_percent: 31,
            full: 100,
        },
        penalties: PenaltySettings {
            enabled: false,
            auth_fail: SECOND * 22,
            no_auth: SECOND * 23,
            grace_exceeded: SECOND * 24,
            crash: SECOND * 25,
            min: SECOND * 26,
            max: SECOND * 27,
            max_sources: 28,
            exempt: vec![
                "10.0.0.0/8".parse().unwrap(),
                "2001:db8::1/128".parse().unwrap(),
            ],
        },
        connections: ConnectionCountSettings {
            total: 11,
            per_source: 12,
        },
        net_block_size: NetBlockSize { ipv4: 24, ipv6: 48 },
        log: LogLimitSettings {
            lines: 29,
            window: SECOND * 30,
        },
    };
    assert_eq!(config.ssh.limits, limits);
}

#[test]
fn store() {
    let store = read(
        r#"
        [store]
        synchronous = "normal"
        busy_timeout = "1s"
        readers = 2
        connect_timeout = "3s"
        statement_timeout = "4s"
        "#,
    )
    .store;
    assert_eq!(store.synchronous, Synchronous::Normal);
    assert_eq!((store.busy_timeout, store.readers), (SECOND, 2));
    assert_eq!(
        (store.connect_timeout, store.statement_timeout),
        (SECOND * 3, SECOND * 4)
    );
}

#[test]
fn limits() {
    let limits = read(
        r#"
        [limits]
        outbox_bytes = 100000
        commands_in_flight = 1
        sessions_per_client = 2
        sessions = 3
        requests_per_client = 4
        provided_per_client = 5
        request_timeout = "6s"
        store_queue = 17
        store_timeout = "8s"
        flood_entries = 19
        "#,
    )
    .policy
    .limits;
    let expected = Limits {
        outbox_bytes: 100_000,
        commands_in_flight: 1,
        sessions_per_client: 2,
        sessions: 3,
        requests_per_client: 4,
        provided_per_client: 5,
        request_timeout: SECOND * 6,
        store_queue: 17,
        store_timeout: SECOND * 8,
        flood_entries: 19,
    };
    assert_eq!(limits, expected);
}

#[test]
fn kinds_chat_and_relay() {
    let policy = read(
        r#"
        [kinds.News]
        store = "after"
        keep_for = "forever"
        keep_count = 100
        [kinds.plain]
        [chat]
        store = "never"
        keep_for = "1d"
        [relay]
        store = "before"
        keep_count = 5
        "#,
    )
    .policy;
    let day = SECOND * 86_400;
    let news = KindSettings {
        store: StoreWhen::After,
        keep_for: None,
        keep_count: Some(100),
    };
    let plain = KindSettings {
        store: StoreWhen::Before,
        keep_for: Some(day * 365),
        keep_count: None,
    };
    let kinds =
        [("news", news), ("plain", plain)].map(|(name, set)| (Kind::new(name).unwrap(), set));
    assert_eq!(policy.kinds, kinds.into(), "only those that are named");
    let chat = KindSettings {
        store: StoreWhen::Never,
        keep_for: Some(day),
        keep_count: None,
    };
    let relay = KindSettings {
        store: StoreWhen::Before,
        keep_for: Some(day * 30),
        keep_count: Some(5),
    };
    assert_eq!((policy.chat, policy.relay), (chat, relay));
}

#[test]
fn roles_and_clients() {
    let policy = read(
        r#"
        [hub]
        default_role = "guest"
        [roles.guest]
        commands = ["c", "Bc"]
        kinds = ["QW"]
        topics = []
        admin = true
        encoding = "cp1252"
        [roles.guest.flood]
        burst = 0
        per_minute = 1
        cooldown = "2s"
        repeat_window = "3s"
        max_warnings = 4
        warning_window = "5s"
        mute = "6s"
        [roles.other.flood]
        burst = 7
        [clients."[ServeMe]01"]
        role = "other"
        encoding = "Quake"
        dialect = "json"
        max_sessions = 2
        [control]
        enabled = false
        "#,
    )
    .policy;
    assert_eq!(policy.roles.len(), 2, "only those that are named");
    assert_eq!(policy.default_role, role("guest"));
    let guest = Role {
        commands: Allowed::Only(BTreeSet::from(["C".to_owned(), "BC".to_owned()])),
        kinds: Allowed::Only(BTreeSet::from([Kind::new("qw").unwrap()])),
        topics: Allowed::Only(BTreeSet::new()),
        admin: true,
        encoding: Some(Encoding::Cp1252),
        flood: FloodRules {
            burst: None,
            per_minute: 1,
            cooldown: SECOND * 2,
            repeat_window: SECOND * 3,
            max_warnings: 4,
            warning_window: SECOND * 5,
            mute: SECOND * 6,
        },
    };
    assert_eq!(policy.roles[&role("guest")], guest);
    let flood = FloodRules {
        burst: Some(7),
        ..FloodRules::default()
    };
    assert_eq!(
        policy.roles[&role("other")],
        Role {
            flood,
            ..Role::default()
        }
    );
    let settings = ClientSettings {
        role: Some(role("other")),
        encoding: Some(Encoding::Quake),
        dialect: DefaultDialect::Json,
        max_sessions: Some(2),
    };
    assert_eq!(policy.clients, [(client("[ServeMe]01"), settings)].into());
}

#[test]
fn a_role_may_have_the_relay_commands_of_the_dialect_file() {
    let folder = tempfile::tempdir().unwrap();
    let relay =
        "[[relay]]\nverb = \"MSG\"\nroles = [\"bot\"]\nto = \"role:bot\"\nline = \"{text}\"";
    std::fs::write(folder.path().join("words.toml"), relay).unwrap();
    let text = "[dialect]\nfile = \"words.toml\"\n\
                [roles.bot]\ncommands = [\"MSG\"]\n[control]\nenabled = false";
    let policy = Config::parse(text, folder.path()).unwrap().policy;
    assert_eq!(policy.dialect.relays().len(), 1);
    let expected = Allowed::Only(BTreeSet::from(["MSG".to_owned()]));
    assert_eq!(policy.roles[&role("bot")].commands, expected);
}

#[test]
fn control() {
    let config = Config::parse(
        r#"
        [control]
        client = "services"
        rules = ["Be kind."]
        history = 1
        reverse_dns = false
        dns_server = "192.0.2.53"
        dns_timeout = "3s"
        mmdb = "countries.mmdb"
        mmdb_check = "4s"
        [control.hosts]
        "192.0.2.9" = "z"
        "192.0.2.1:27500" = "a"
        "#,
        Path::new("/etc"),
    )
    .unwrap();
    let settings = cmp_control::Settings {
        hosts: vec![
            ("192.0.2.9".parse().unwrap(), "z".to_owned()),
            ("192.0.2.1:27500".parse().unwrap(), "a".to_owned()),
        ],
        reverse_dns: false,
        dns_server: Some("192.0.2.53:53".parse().unwrap()),
        dns_timeout: SECOND * 3,
        mmdb: Some("/etc/countries.mmdb".into()),
        mmdb_check: SECOND * 4,
        rules: vec!["Be kind.".to_owned()],
        history: 1,
    };
    let expected = Control {
        client: client("services"),
        settings: settings.check().unwrap(),
    };
    assert_eq!(config.control, Some(expected));
    // What is not seen in the settings when reverse names are off.
    let read_server = |server| {
        read(&format!("[control]\ndns_server = \"{server}\""))
            .control
            .unwrap()
    };
    assert_eq!(read_server("192.0.2.53"), read_server("192.0.2.53:53"));
    assert_ne!(
        read_server("192.0.2.53"),
        read_server("[2001:db8::53]:5353")
    );
    assert_eq!(read("[control]\nenabled = false").control, None);
}

#[test]
fn a_password_comes_from_its_file_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    // With every sign that means something in a URL.
    std::fs::write(&file, "p%&=#?/@: ä\nsecond line\n").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(&file, private).unwrap();
    for (url, whole) in [
        ("postgres://u@h/d", "postgres://u@h/d?password="),
        (
            "postgresql://u:before@h/d?port=5433#x",
            "postgresql://u:before@h/d?port=5433&password=",
        ),
    ] {
        let text = format!("[store]\nurl = \"{url}\"\npassword_file = \"password\"");
        let config = Config::parse(&text, folder.path()).unwrap();
        let escaped = "%70%25%26%3d%23%3f%2f%40%3a%20%c3%a4";
        assert_eq!(config.database.reveal(), format!("{whole}{escaped}"));
        assert!(matches!(config.store.location, Location::Postgres(_)));
        let shown = format!("{config:?} {}", config.store.location);
        for secret in ["%70", "p%&", "u:before", "u@h"] {
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    }
}
