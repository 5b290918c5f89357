//! Clients as of 2014: php-ssh2 with the key of an old `authorized_keys` line.

use crate::programs::{failure_of, php};
use crate::support::{Site, new_key};

/// What follows the forced command in an old line; the terminal is as it was given.
const OLD: &str = "no-port-forwarding,no-X11-forwarding,no-agent-forwarding";

/// The fingerprint of the hub's ECDSA key as php-ssh2 gives it: libssh2 1.10 asks for that key.
fn fingerprint(site: &Site) -> String {
    let key = site.path("keys/ssh_host_ecdsa_key.pub");
    let mut keygen = std::process::Command::new("ssh-keygen");
    let shown = crate::programs::output_of(keygen.args(["-l", "-E", "md5", "-f"]).arg(key));
    let hex = shown.split_whitespace().nth(1).unwrap();
    hex.trim_start_matches("MD5:")
        .replace(':', "")
        .to_uppercase()
}

#[test]
fn two_php_clients_and_an_ssh_talk_to_each_other() {
    let site = Site::new();
    site.add_client("anna");
    for (client, terminal) in [("portal", ""), ("paul_specbot", ",no-pty")] {
        // In PEM, as ssh-keygen wrote it then.
        let public = new_key(
            &site.path("clients").join(client),
            &["-t", "ecdsa", "-m", "PEM"],
        );
        assert!(public.starts_with("ecdsa-sha2-nistp256 AAAA"), "{public}");
        site.authorize(&format!(
            "command=\"ruby client.rb {client}\",{OLD}{terminal} {public}"
        ));
    }
    let hub = site.start();

    let key = |client: &str| site.path("clients").join(client);
    let mut portal = php("shell.php", &hub, &key("portal"), &fingerprint(&site));
    let mut bot = php("exec.php", &hub, &key("paul_specbot"), "central");
    let mut anna = crate::support::Process::start(&mut hub.ssh("anna"));
    let commands = "C PART PING BC PROVIDE WITHDRAW REQ REP END WHO HELP SUB UNSUB";
    let greeting = |client, end| format!("WELCOME {client} bot hub :{commands}{end}");
    assert_eq!(portal.stdout.text(), greeting("portal", "\r"));
    assert_eq!(bot.stdout.text(), greeting("paul_specbot", ""));
    assert_eq!(anna.stdout.text(), greeting("anna", ""));

    // With a terminal: the echo, then the line, each ended by CR LF.
    portal.send("C hello\n");
    assert_eq!(portal.stdout.line(), b"C hello\r");
    assert_eq!(portal.stdout.line(), b"C portal: hello\r");
    assert_eq!(bot.stdout.line(), b"C portal: hello");
    assert_eq!(anna.stdout.line(), b"C portal: hello");

    // Without: no echo, LF only. No byte is altered on its way.
    bot.send(b"C gr\xfc\xdfe, \xff and \0 and \x07\n");
    let line = b"C paul_specbot: gr\xfc\xdfe, \xff and \0 and \x07";
    assert_eq!(bot.stdout.line(), line);
    assert_eq!(anna.stdout.line(), line);
    assert_eq!(portal.stdout.line(), [&line[..], b"\r"].concat());

    anna.send("C Hey mihawk, have you seen him?\n");
    assert_eq!(
        anna.stdout.line(),
        b"C anna: Hey mihawk, have you seen him?"
    );
    assert_eq!(bot.stdout.line(), b"C anna: Hey mihawk, have you seen him?");
    assert_eq!(
        portal.stdout.line(),
        b"C anna: Hey mihawk, have you seen him?\r"
    );

    // CR and LF each end a line that is typed into a terminal; the second one is empty.
    portal.send("PING\r\n");
    for line in [&b"PING\r"[..], b"\r", b"PONG\r"] {
        assert_eq!(portal.stdout.line(), line);
    }
    portal.send("PING\n");
    for line in [b"PING\r", b"PONG\r"] {
        assert_eq!(portal.stdout.line(), line);
    }
    for ping in ["PING\r\n", "PING\n"] {
        bot.send(ping);
        assert_eq!(bot.stdout.line(), b"PONG");
    }

    for client in [&mut portal, &mut bot, &mut anna] {
        client.send("PART\n");
        assert_eq!(client.wait().code(), Some(0), "{:?}", client.stderr);
    }
    assert_eq!(portal.stdout.rest(), b"PART\r\n");
    assert_eq!(bot.stdout.rest(), b"");
    assert_eq!(anna.stdout.rest(), b"");
}

#[test]
fn an_rsa_key_that_signs_by_sha1_is_refused_and_the_log_says_what_helps() {
    let site = Site::new();
    let key = site.path("clients/portal");
    let public = new_key(&key, &["-t", "rsa", "-m", "PEM"]);
    site.authorize(&format!("command=\"ruby client.rb portal\",{OLD} {public}"));
    let mut hub = site.start();

    // libssh2 before 1.11 signs with RSA by SHA-1 only.
    let mut portal = php("exec.php", &hub, &key, "central");
    assert_eq!(portal.wait().code(), Some(255));
    portal.stderr.text_with("no login");
    let reason = "client offers ssh-rsa (SHA-1) signatures only, as libssh2 before 1.11 does; \
                  give it an ECDSA or ed25519 key";
    hub.process.stderr.text_with(reason);

    // The same key is good: OpenSSH signs with it by SHA-2.
    hub.shell("portal");
    let login = hub.process.stderr.text_with(" login ");
    assert!(login.contains("client=portal"), "{login}");
    let before = String::from_utf8_lossy(hub.process.stderr.seen());
    assert_eq!(before.matches("SHA-1").count(), 1, "{before}");

    let (status, _) = failure_of(
        hub.ssh("portal")
            .args(["-o", "PubkeyAcceptedAlgorithms=ssh-rsa"]),
    );
    assert_eq!(status, 255);
}
