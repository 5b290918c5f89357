//! Each mistake is named in one line, with its line in the file and the way out.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::Config;

fn mistakes(text: &str) -> String {
    Config::parse(text, Path::new("/nowhere"))
        .map(|_| ())
        .unwrap_err()
        .to_string()
}

/// Files, and all that is said of each.
const TABLE: &[(&str, &str)] = &[
    // Keys.
    (
        "[ssh]\nlisen = []",
        "line 2: key `ssh.lisen` is not known; did you mean `listen`?",
    ),
    (
        "[shs]",
        "line 1: key `shs` is not known; did you mean `ssh`?",
    ),
    (
        "name = \"x\"",
        "line 1: key `name` is not known; known are hub, log, kinds, chat, relay, dialect, roles, clients, limits, ssh, store, control",
    ),
    (
        "[roles.bot.flod]",
        "line 1: key `roles.bot.flod` is not known; did you mean `flood`?",
    ),
    (
        "[clients.\"a.b\"]\nrol = \"bot\"",
        "line 2: key `clients.\"a.b\".rol` is not known; did you mean `role`?",
    ),
    // TOML itself.
    ("[hub]\nname = \"a\"\nname = \"b\"", "line 3: duplicate key"),
    ("[hub\n", "line 1: unclosed table, expected `]`"),
    // Types.
    ("hub = 1", "line 1: `hub`: must be a table, not a number"),
    ("[[ssh]]", "line 1: `ssh`: must be a table, not a list"),
    (
        "[hub]\nname = 1",
        "line 2: `hub.name`: must be a text in quotes, not a number",
    ),
    (
        "[ssh]\nmax_line_len = \"4096\"",
        "line 2: `ssh.max_line_len`: must be a whole number, not a text",
    ),
    (
        "[ssh]\nmax_line_len = 4096.0",
        "line 2: `ssh.max_line_len`: must be a whole number, not a fraction",
    ),
    (
        "[control]\nenabled = \"yes\"",
        "line 2: `control.enabled`: must be true or false, not a text",
    ),
    (
        "[ssh]\nlisten = \"127.0.0.1:1\"",
        "line 2: `ssh.listen`: must be a list: [\"…\", \"…\"], not a text",
    ),
    (
        "[ssh]\nlisten = [\"127.0.0.1:1\",\n22]",
        "line 3: `ssh.listen`: must be a text in quotes, not a number",
    ),
    (
        "[roles]\nbot = []",
        "line 2: `roles.bot`: must be a table, not a list",
    ),
    // Times and numbers.
    (
        "[ssh]\nlogin_grace = 120",
        "line 2: `ssh.login_grace`: 120 has no unit; write a text with a number and its unit: \"500ms\", \"30s\", \"10m\", \"2h\" or \"90d\"",
    ),
    (
        "[ssh]\nlogin_grace = \"2min\"",
        "line 2: `ssh.login_grace`: \"2min\" is not a time; write a number and its unit: 500ms, 30s, 10m, 2h or 90d",
    ),
    (
        "[ssh]\nlogin_grace = \"2h\"",
        "line 2: `ssh.login_grace`: 2h is out of range; it can be 100ms to 1h",
    ),
    (
        "[ssh]\nlogin_grace = true",
        "line 2: `ssh.login_grace`: must be a text in quotes, not true or false",
    ),
    (
        "[limits]\nsessions = 0",
        "line 2: `limits.sessions`: 0 is out of range; it can be 1 to 1000000",
    ),
    (
        "[limits]\nsessions = -1",
        "line 2: `limits.sessions`: -1 is out of range; it can be 1 to 1000000",
    ),
    (
        "[limits]\nsessions = 99999999999999999999",
        "line 2: `limits.sessions`: 99999999999999999999 is out of range; it can be 1 to 1000000",
    ),
    // Hub and log.
    (
        "[hub]\nname = \"two words\"",
        "line 2: `hub.name`: hub name \"two words\" is not valid: 1 to 64 printable ASCII characters, without space , : @ *",
    ),
    (
        "[hub]\nkeys = \"\"",
        "line 2: `hub.keys`: is empty; name a path, or leave it out",
    ),
    (
        "[hub]\nclient_name_pattern = '('",
        "line 2: `hub.client_name_pattern`: \"(\" is no regular expression: unclosed group",
    ),
    (
        "[hub]\nclient_name_pattern = 'x'",
        "line 2: `hub.client_name_pattern`: the pattern for client names needs a group around the name, as in \"(\\\\S+)\\\\s*$\"",
    ),
    (
        "[log]\nformat = \"jsn\"",
        "line 2: `log.format`: there is no value \"jsn\"; did you mean `json`?",
    ),
    // SSH.
    (
        "[ssh]\nlisten = []",
        "line 2: `ssh.listen`: is empty, so nobody could log in; name an address, as \"127.0.0.1:2222\"",
    ),
    (
        "[ssh]\nhost_keys = []",
        "line 2: `ssh.host_keys`: is empty, so nobody could know the hub; name a type, as \"ed25519\"",
    ),
    (
        "[ssh]\nhost_keys = [\"rsa\", \"ecdas\"]",
        "line 2: `ssh.host_keys`: there is no value \"ecdas\"; did you mean `ecdsa`?",
    ),
    (
        "[ssh]\nlisten = [\"localhost:22\"]",
        "line 2: `ssh.listen`: \"localhost:22\" is no address with a port; write for example \"127.0.0.1:2222\", \"[::]:2222\"",
    ),
    (
        "[ssh]\nlisten = [\"[::1]:22\", \"[::1]:22\"]",
        "line 2: `ssh.listen`: [::1]:22 is there twice",
    ),
    (
        "[ssh]\nmax_startups = \"100:0:10\"",
        "line 2: `ssh.max_startups`: \"100:0:10\" is not START:RATE:FULL, as \"100:30:1000\": START from 1, RATE in percent from 1 to 100, FULL not below START",
    ),
    (
        "[ssh]\nsource_net_block_size = \"33:64\"",
        "line 2: `ssh.source_net_block_size`: \"33:64\" is not IPV4BITS:IPV6BITS, as \"32:64\": from 0 to 32 and from 0 to 128",
    ),
    (
        "[ssh.penalties]\nexempt = [\"10.0.0.0/33\"]",
        "line 2: `ssh.penalties.exempt`: \"10.0.0.0/33\" is no address or network; write for example \"192.0.2.0/24\"",
    ),
    (
        "[ssh.penalties]\nmax = \"1s\"",
        "line 2: `ssh.penalties.max`: min is more than max, so no source would ever be refused",
    ),
    // Store.
    (
        "[store]\nsynchronous = \"off\"",
        "line 2: `store.synchronous`: there is no value \"off\"; known are full, normal",
    ),
    (
        "[store]\nurl = \"cmp.db\"",
        "line 2: `store.url`: must start with sqlite: or postgres://, as \"sqlite:cmp-hub.db\"",
    ),
    (
        "[store]\nurl = \"sqlite::memory:\"",
        "line 2: `store.url`: must be sqlite: and the path of a file, without parameters",
    ),
    (
        "[store]\nurl = \"sqlite:a.db?mode=ro\"",
        "line 2: `store.url`: must be sqlite: and the path of a file, without parameters",
    ),
    (
        "[store]\nurl = \"postgres://u:hunter2@h/d?pasword=hunter2\"",
        "line 2: `store.url`: the parameter \"pasword\" is not known; write postgres://USER@HOST:PORT/DATABASE",
    ),
    (
        "[store]\nurl = \"postgres://u:hunter2@h:x/d\"",
        "line 2: `store.url`: invalid port number; write postgres://USER@HOST:PORT/DATABASE",
    ),
    (
        "[store]\npassword_file = \"pw\"\nurl = \"postgres://u@h/d\"",
        "line 2: `store.password_file`: /nowhere/pw can't be read: No such file or directory (os error 2)",
    ),
    // Roles and what they refer to.
    (
        "[hub]\ndefault_role = \"bt\"",
        "line 2: `hub.default_role`: there is no role \"bt\"; did you mean `bot`?",
    ),
    (
        "\n[hub]\n[roles.portal]\n[roles.irc]",
        "line 2: `hub`: no default_role is set, and there is no role `bot`; set it to one of irc, portal",
    ),
    (
        "[roles.\"a b\"]\n[roles.bot]",
        "line 1: `roles.\"a b\"`: role name \"a b\" is not valid: 1 to 32 ASCII letters, digits, _ or -",
    ),
    (
        "[roles.bot]\ncommands = [\"BC\", \"PROVIDE\", \"REP\", \"END\", \"RESUM\"]\n[control]\nenabled = false",
        "line 2: `roles.bot.commands`: there is no command \"RESUM\"; did you mean `RESUME`?",
    ),
    (
        "[roles.bot]\nkinds = [\"qv\", \"a b\"]",
        "line 2: `roles.bot.kinds`: there is no kind \"qv\"; did you mean `qw`?\nline 2: `roles.bot.kinds`: message kind \"a b\" is not valid: 1 to 32 ASCII letters, digits, _ or -",
    ),
    (
        "[roles.bot]\ntopics = [\"weather\"]",
        "line 2: `roles.bot.topics`: there is no topic \"weather\"; known are presence, commands",
    ),
    (
        "[roles.bot]\nencoding = \"ascii\"",
        "line 2: `roles.bot.encoding`: there is no encoding \"ascii\"; known are utf-8, latin1, cp1252, quake",
    ),
    (
        "[roles.bot]\nkinds = [\"*\", \"qw\"]",
        "line 2: `roles.bot.kinds`: \"*\" means everything, and stands alone",
    ),
    // Clients.
    (
        "[clients.paul]\nrole = \"amdin\"",
        "line 2: `clients.paul.role`: there is no role \"amdin\"; did you mean `admin`?",
    ),
    (
        "[clients.\"a,b\"]",
        "line 1: `clients.\"a,b\"`: client name \"a,b\" is not valid: 1 to 64 printable ASCII characters, without space , : @ *",
    ),
    (
        "[clients.paul]\nencoding = \"koi8-r\"",
        "line 2: `clients.paul.encoding`: there is no encoding \"koi8-r\"; known are utf-8, latin1, cp1252, quake",
    ),
    (
        "[clients.paul]\ndialect = \"jsn\"",
        "line 2: `clients.paul.dialect`: there is no value \"jsn\"; did you mean `json`?",
    ),
    // Kinds.
    (
        "[kinds.chat]",
        "line 1: `kinds.chat`: chat lines are no broadcasts; their settings are in [chat]",
    ),
    (
        "[kinds.qw]\n[kinds.QW]",
        "line 2: `kinds.QW`: is there twice, for case does not matter",
    ),
    (
        "[kinds.qw]\nkeep_for = \"for ever\"",
        "line 2: `kinds.qw.keep_for`: \"for ever\" is not a time; write a number and its unit: 500ms, 30s, 10m, 2h or 90d",
    ),
    // Dialect.
    (
        "[dialect]\nfile = \"d.toml\"",
        "line 2: `dialect.file`: /nowhere/d.toml can't be read: No such file or directory (os error 2)",
    ),
    // Control.
    (
        "[control]\ndns_server = \"ns.example\"",
        "line 2: `control.dns_server`: \"ns.example\" is no address; write for example \"192.0.2.53\"",
    ),
    (
        "[control]\nenabled = false\nrules = [\"Fine.\", \"ERROR not\"]",
        "line 3: `control.rules`: rule 2 is not one line of 1 to 400 bytes that begins with another word than ERROR",
    ),
    (
        "[control.hosts]\n\"foppa\" = \"x\"",
        "line 2: `control.hosts.foppa`: \"foppa\" is no address, address with port, or network: 192.0.2.1, 192.0.2.1:27500, [2001:db8::1]:27500, 192.0.2.0/24",
    ),
    (
        "[control.hosts]\n\"192.0.2.1\" = \"two words\"",
        "line 2: `control.hosts.\"192.0.2.1\"`: the short name \"two words\" of host 192.0.2.1 is not 1 to 64 bytes without white space, control characters or a leading colon, or it is the word ERROR",
    ),
    (
        "[control.hosts]\n\"192.0.2.1\" = \"a\"\n\"::ffff:192.0.2.1\" = \"b\"",
        "line 3: `control.hosts.\"::ffff:192.0.2.1\"`: 192.0.2.1 is there twice",
    ),
    (
        "[roles.bot]\ncommands = [\"REP\", \"END\"]\n[control]",
        "line 3: `control`: its client control has role bot, which may not use PROVIDE, RESUME; set another role for it in [clients], or enabled = false",
    ),
];

#[test]
fn each_mistake_has_its_line() {
    for (text, expected) in TABLE {
        assert_eq!(mistakes(text), *expected, "in: {text}");
    }
}

#[test]
fn every_mistake_of_a_file_is_named_in_the_order_of_its_lines() {
    let text = r#"
[control]
enabled = 1
[clients.paul]
role = "nobody"
colour = "red"
[hub]
name = ""
[kinds.qw]
store = "sometimes"
[limits]
sessions = "many"
[ssh]
keepalive_max = 0
keepalive_intervall = "1m"
"#;
    let expected = "\
line 3: `control.enabled`: must be true or false, not a number
line 5: `clients.paul.role`: there is no role \"nobody\"; known are admin, bot
line 6: key `clients.paul.colour` is not known; known are role, encoding, dialect, max_sessions
line 8: `hub.name`: hub name \"\" is not valid: 1 to 64 printable ASCII characters, without space , : @ *
line 10: `kinds.qw.store`: there is no value \"sometimes\"; known are before, after, never
line 12: `limits.sessions`: must be a whole number, not a text
line 14: `ssh.keepalive_max`: 0 is out of range; it can be 1 to 1000
line 15: key `ssh.keepalive_intervall` is not known; did you mean `keepalive_interval`?";
    assert_eq!(mistakes(text), expected);
}

#[test]
fn a_file_that_is_named_has_its_mistakes_named_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hub.toml");
    let dialect = folder.path().join("words.toml");
    std::fs::write(
        &config,
        "[dialect]\nfile = \"words.toml\"\n[log]\nformat = 1\n",
    )
    .unwrap();
    std::fs::write(&dialect, "\ncolour = 1\n[greeting]\nlines = 1\n").unwrap();
    let (config_name, dialect_name) = (config.display(), dialect.display());
    let errors = Config::load(&config).unwrap_err().to_string();
    let lines: Vec<_> = errors.lines().collect();
    let [first, second, third] = lines.as_slice() else {
        panic!("{errors}")
    };
    let start = format!("{config_name}:2: `dialect.file`: {dialect_name}: line ");
    assert!(
        first.starts_with(&format!("{start}2: unknown key \"colour\"")),
        "{first}"
    );
    assert!(
        second.starts_with(&format!("{start}4: lines must be a list")),
        "{second}"
    );
    assert_eq!(
        *third,
        format!("{config_name}:4: `log.format`: must be a text in quotes, not a number")
    );

    let relay =
        "[[relay]]\nverb = \"MSG\"\nroles = [\"irc\"]\nto = \"role:boot\"\nline = \"{text}\"";
    std::fs::write(&config, "[dialect]\nfile = \"words.toml\"\n").unwrap();
    std::fs::write(&dialect, relay).unwrap();
    let expected = format!(
        "{config_name}:2: `dialect.file`: in its relay command MSG: there is no role \"irc\"; known are admin, bot\n\
         {config_name}:2: `dialect.file`: in its relay command MSG: there is no role \"boot\"; did you mean `bot`?"
    );
    assert_eq!(Config::load(&config).unwrap_err().to_string(), expected);
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.toml");
    let errors = || Config::load(&path).unwrap_err().to_string();
    let name = path.display();
    let way_out = "; `cmp-hub sample-config` prints one to start from";
    let missing = "can't be read: No such file or directory (os error 2)";
    assert_eq!(errors(), format!("{name}: {missing}{way_out}"));
    std::fs::write(&path, b"# fine\n# \xe4\n").unwrap();
    assert_eq!(
        errors(),
        format!("{name}: is not UTF-8 text (line 2){way_out}")
    );
    std::fs::write(&path, " ".repeat(1024 * 1024 + 1)).unwrap();
    let large = "has more than 1048576 bytes; is it the right file?";
    assert_eq!(errors(), format!("{name}: {large}{way_out}"));
}

#[test]
fn a_password_file_is_private_and_for_postgresql() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pw");
    let name = file.display();
    let check = |url: &str, content: &str, mode| {
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let text = format!("[store]\npassword_file = \"pw\"\n{url}");
        Config::parse(&text, folder.path())
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let postgres = "url = \"postgres://u@h/d\"";
    assert_eq!(
        check(postgres, "hunter2", 0o604),
        format!(
            "line 2: `store.password_file`: {name} is open to everybody (mode 0604); run: chmod o= {name}"
        )
    );
    assert_eq!(
        check(postgres, "\nhunter2", 0o600),
        format!("line 2: `store.password_file`: {name} has no first line")
    );
    let needless = "line 2: `store.password_file`: only PostgreSQL asks for a password; leave this out, \
                    or set store.url";
    for url in ["", "url = \"sqlite:x.db\""] {
        assert_eq!(check(url, "hunter2", 0o600), needless);
    }
}
