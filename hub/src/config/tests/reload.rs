//! What a change of the file needs.

use super::read;

#[test]
fn what_holds_only_after_a_restart_is_named() {
    let old = read("");
    for (text, expected) in [
        ("", &[][..]),
        ("[hub]\nname = \"other\"\nshutdown_deadline = \"1s\"", &[]),
        ("[hub]\nclient_name_pattern = '^(\\S+)'", &[]),
        ("[hub]\ndata = \"elsewhere\"", &["hub.data"]),
        (
            "[hub]\nkeys = \"elsewhere\"",
            &["hub.keys", "hub.authorized_keys"],
        ),
        (
            "[hub]\nauthorized_keys = \"elsewhere\"",
            &["hub.authorized_keys"],
        ),
        ("[log]\nfilter = \"debug\"", &[]),
        ("[log]\nformat = \"json\"", &["log.format"]),
        ("[ssh]\nlisten = [\"127.0.0.1:2223\"]", &["ssh.listen"]),
        ("[ssh]\nhost_keys = [\"rsa\"]", &["ssh.host_keys"]),
        ("[ssh]\nmax_line_len = 512", &["ssh"]),
        ("[ssh.penalties]\nenabled = false", &["ssh"]),
        ("[store]\nurl = \"sqlite:other.db\"", &["store.url"]),
        ("[store]\nreaders = 1", &["store"]),
        ("[limits]\nsessions = 1", &[]),
        (
            "[limits]\nstore_queue = 16\nstore_timeout = \"1s\"\nflood_entries = 16",
            &[
                "limits.store_queue",
                "limits.store_timeout",
                "limits.flood_entries",
            ],
        ),
        (
            "[roles.bot]\nadmin = true\n[clients.paul]\nrole = \"bot\"",
            &[],
        ),
        (
            "[kinds.qw]\nstore = \"never\"\n[chat]\nkeep_for = \"1d\"",
            &[],
        ),
        ("[control]\nenabled = false", &["control"]),
        ("[control]\nclient = \"services\"", &["control"]),
        ("[control]\nrules = [\"Be kind.\"]", &[]),
    ] {
        assert_eq!(old.needs_restart(&read(text)), expected, "{text}");
    }
}

#[test]
fn a_changed_password_is_a_change() {
    let with = |password| read(&format!("[store]\nurl = \"postgres://u:{password}@h/d\""));
    assert_eq!(with("one").needs_restart(&with("two")), ["store.url"]);
    assert!(with("one").needs_restart(&with("one")).is_empty());
}
