//! Messages between clients: broadcasts, relay commands, network commands.

use crate::FREE;
use crate::support::{Process, Site};

/// Waits until all that the client sent is done; nothing may come before that.
fn settle(client: &mut Process) {
    client.send("PING\n");
    assert_eq!(client.stdout.text(), "PONG");
}

#[test]
fn a_broadcast_reaches_all_others_and_its_sender_gets_its_id() {
    let site = Site::new();
    for client in ["anna", "paul", "mihawk"] {
        site.add_client(client);
    }
    site.configure(FREE);
    let hub = site.start();
    let [mut anna, mut paul, mut mihawk] =
        ["anna", "paul", "mihawk"].map(|client| hub.shell(client));

    anna.send("BC qw MyNiceguy #own3r :4on4 mix, two more needed!\n");
    let received = "BC anna qw MyNiceguy #own3r :4on4 mix, two more needed!";
    assert_eq!(paul.stdout.text(), received);
    assert_eq!(mihawk.stdout.text(), received);
    let answer = anna.stdout.text();
    let id = answer.strip_prefix("OK BC ").expect(&answer);
    assert!(
        id.len() == 36 && id.as_bytes()[14] == b'7',
        "a UUID of version 7: {id}"
    );
    settle(&mut anna);

    anna.send("BC nonsense nick #origin :text\nBC qw nick\nNONSENSE\n");
    assert_eq!(
        anna.stdout.text(),
        "ERR BC UNKNOWN :there is no kind nonsense; yours are qw, spam"
    );
    assert!(anna.stdout.text().starts_with("ERR BC SYNTAX :"));
    assert!(anna.stdout.text().starts_with("ERR NONSENSE UNKNOWN :"));
    settle(&mut paul);
}

#[test]
fn a_relay_command_is_declared_in_the_dialect_file() {
    let site = Site::new();
    for client in ["anna", "paul", "boss"] {
        site.add_client(client);
    }
    let dialect = r#"
[replies]
pong = "PONG! {text}"

[[relay]]
verb = "MSG"
roles = ["free"]
to = "others"
line = "MSG <{client}> {text}"
help = "tell the other bots"
"#;
    std::fs::write(site.path("central.toml"), dialect).unwrap();
    site.configure(&format!("dialect.file = \"central.toml\"\n{FREE}"));
    let hub = site.start();

    let mut anna = Process::start(&mut hub.ssh("anna"));
    assert!(
        anna.stdout.text().ends_with(" MSG"),
        "the greeting shows it"
    );
    let mut boss = Process::start(&mut hub.ssh("boss"));
    assert!(
        !boss.stdout.text().contains(" MSG"),
        "another role has it not"
    );
    let mut paul = hub.shell("paul");

    anna.send("MSG two  spaces, : and all\nPING\n");
    assert_eq!(
        anna.stdout.text(),
        "PONG!",
        "the sender gets nothing; the reply is reworded"
    );
    assert_eq!(paul.stdout.text(), "MSG <anna> two  spaces, : and all");
    assert_eq!(boss.stdout.text(), "MSG <anna> two  spaces, : and all");
    boss.send("MSG not for me\n");
    let refusal = "ERR MSG FORBIDDEN :role admin may not use MSG; HELP lists what it may";
    assert_eq!(boss.stdout.text(), refusal);
    paul.send("HELP MSG\n");
    assert_eq!(
        paul.stdout.text(),
        "HELP MSG :MSG <text> - tell the other bots"
    );
    assert_eq!(paul.stdout.text(), "END HELP");
}

#[test]
fn a_network_command_goes_from_the_asker_to_its_provider_and_back() {
    let site = Site::new();
    for client in ["anna", "paul", "mihawk"] {
        site.add_client(client);
    }
    // The first answer is awaited past the time limit by nobody, the last one is.
    site.configure(&format!("limits.request_timeout = \"1s\"\n{FREE}"));
    let hub = site.start();
    let [mut anna, mut paul, mut mihawk] =
        ["anna", "paul", "mihawk"].map(|client| hub.shell(client));

    for provider in [&mut paul, &mut mihawk] {
        provider.send("PROVIDE STATUS :STATUS <host:port>: who plays\n");
        settle(provider);
    }
    anna.send("HELP STATUS\n");
    for provider in ["mihawk", "paul"] {
        let help = format!("HELP STATUS@{provider} :STATUS <host:port>: who plays");
        assert_eq!(anna.stdout.text(), help);
    }
    assert_eq!(anna.stdout.text(), "END HELP");
    anna.send("WHO\n");
    anna.stdout.text_with("WHO paul free 1 :STATUS");
    anna.stdout.text_with("END WHO");

    // A named one.
    anna.send("REQ 1 STATUS@paul 192.0.2.1:27500 please\n");
    assert_eq!(
        paul.stdout.text(),
        "REQ anna 1 STATUS 192.0.2.1:27500 please"
    );
    paul.send("REP anna 1 :two players\nREP anna 1 :on dm3\nEND anna 1\n");
    for line in [
        "REP paul 1 :two players",
        "REP paul 1 :on dm3",
        "END paul 1",
    ] {
        assert_eq!(anna.stdout.text(), line);
    }
    paul.send("REP anna 1 :too late\n");
    let refusal = "ERR REP NOTFOUND :no request 1 of anna waits for an answer from you";
    assert_eq!(paul.stdout.text(), refusal);

    // All.
    anna.send("REQ 2 STATUS@*\n");
    for (provider, name) in [(&mut paul, "paul"), (&mut mihawk, "mihawk")] {
        assert_eq!(provider.stdout.text(), "REQ anna 2 STATUS");
        provider.send("END anna 2\n");
        assert_eq!(anna.stdout.text(), format!("END {name} 2"));
    }
    assert_eq!(anna.stdout.text(), "END * 2");

    // Anyone, in turn.
    anna.send("REQ 3 STATUS\n");
    assert_eq!(mihawk.stdout.text(), "REQ anna 3 STATUS");
    mihawk.send("END anna 3\n");
    assert_eq!(anna.stdout.text(), "END mihawk 3");
    anna.send("REQ 4 STATUS\n");
    assert_eq!(paul.stdout.text(), "REQ anna 4 STATUS");

    // One that leaves, one that nobody has, one that does not answer.
    drop(paul);
    assert_eq!(
        anna.stdout.text(),
        "ERR 4 GONE :paul has left before it finished"
    );
    anna.send("REQ 5 STATUS@paul\nREQ 6 NOTHING\n");
    assert_eq!(
        anna.stdout.text(),
        "ERR 5 NOPROVIDER :paul does not provide STATUS"
    );
    assert_eq!(
        anna.stdout.text(),
        "ERR 6 NOPROVIDER :nobody provides NOTHING"
    );
    anna.send("REQ 7 STATUS\n");
    assert_eq!(
        anna.stdout.text(),
        "ERR 7 TIMEOUT :mihawk did not finish STATUS within 1 s"
    );
}
