//! Who gets in, and what is logged.

use crate::support::TestServer;

#[tokio::test]
async fn a_login_and_a_logout_are_one_line_each() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let peer = format!("peer={}", client.local);
    let mut channel = client.shell().await;
    channel.send("C secret\nPART\n").await;
    channel.rest().await;
    drop(channel);
    drop(client);
    let line = crate::log::wait_for(&["logout", &peer]).await;
    for part in ["client=paul", "lines_in=2", "reason=ended by the client", "bytes_in=", "bytes_out="] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    let lines = crate::log::lines_with(&["login", &peer]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in ["client=paul", "key=SHA256:", "algorithm=ssh-ed25519", "line=1"] {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
    assert!(crate::log::lines_with(&["secret"]).is_empty());
    let counts = server.counters.get();
    assert_eq!((counts.accepted, counts.logins, counts.logged_in), (1, 1, 0));
    assert_eq!((counts.sessions, counts.open_sessions), (1, 0));
}
