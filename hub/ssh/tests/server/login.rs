//! Who gets in, and what is logged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cmp_ssh::Settings;
use cmp_ssh::limits::ConnectionLimitSettings;
use cmp_ssh::limits::penalties::PenaltySettings;
use cmp_ssh::limits::refusal::RefusalKind;
use cmp_ssh::limits::source::NetBlockSize;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};

use crate::log;
use crate::support::{Options, TestServer, line, new_key, rsa_key, soon};

fn peer(local: SocketAddr) -> String {
    format!("peer={local}")
}

#[tokio::test]
async fn a_login_and_a_logout_are_one_line_each() {
    let server = TestServer::start().await;
    let client = server.client("paul").await;
    let peer = peer(client.local);
    let mut channel = client.shell().await;
    channel.send("C secret\nPART\n").await;
    channel.rest().await;
    drop(channel);
    drop(client);
    let line = log::wait_for(&["logout", &peer]).await;
    for part in [
        "client=paul",
        "lines_in=2",
        "reason=ended by the client",
        "bytes_in=",
        "bytes_out=",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    let lines = log::lines_with(&["login", &peer]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in [
        "client=paul",
        "key=SHA256:",
        "algorithm=ssh-ed25519",
        "line=1",
    ] {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
    assert!(log::lines_with(&["secret"]).is_empty());
    let counts = server.counters.get();
    assert_eq!(
        (counts.accepted, counts.logins, counts.logged_in),
        (1, 1, 0)
    );
    assert_eq!((counts.sessions, counts.open_sessions), (1, 0));
}

#[tokio::test]
async fn every_modern_kind_of_key_logs_in() {
    let server = TestServer::start().await;
    let ecdsa = |curve| (new_key(Algorithm::Ecdsa { curve }), None);
    let rsa = rsa_key(2048);
    for (key, hash) in [
        (new_key(Algorithm::Ed25519), None),
        ecdsa(EcdsaCurve::NistP256),
        ecdsa(EcdsaCurve::NistP384),
        ecdsa(EcdsaCurve::NistP521),
        (rsa.clone(), Some(HashAlg::Sha256)),
        (rsa, Some(HashAlg::Sha512)),
    ] {
        server.authorize(&[line("", "paul", &key)]);
        let mut client = server.connect().await;
        assert!(client.offer(&key, hash).await, "{}", key.algorithm());
        client.shell().await.greeted().await;
    }
}

/// The line that is logged about a client that offers this key, and no other.
async fn refused(server: &TestServer, key: &Arc<PrivateKey>, hash: Option<HashAlg>) -> String {
    let mut client = server.connect().await;
    assert!(!client.offer(key, hash).await);
    let peer = peer(client.local);
    drop(client);
    let logged = log::wait_for(&["refused", &peer]).await;
    assert_eq!(log::lines_with(&[&peer]).len(), 1);
    logged
}

#[tokio::test]
async fn what_is_too_weak_is_refused_and_named_once() {
    let server = TestServer::start().await;
    let rsa = rsa_key(2048);
    server.add(&line("", "old", &rsa));
    // It signs with SHA-1, and says so.
    let logged = refused(&server, &rsa, None).await;
    let expected = "client offers ssh-rsa (SHA-1) signatures only, as libssh2 before 1.11 does; \
                    give it an ECDSA or ed25519 key";
    assert!(logged.contains(expected), "{logged}");

    let short = rsa_key(1024);
    server.add(&line("", "short", &short));
    let logged = refused(&server, &short, Some(HashAlg::Sha256)).await;
    let expected = "client offers an RSA key of 1024 bits; give it one of 2048 bits or more";
    assert!(logged.contains(expected), "{logged}");
    assert_eq!(server.refused(RefusalKind::UserKey), 2);
}

#[tokio::test]
async fn a_certificate_is_refused_even_for_a_key_that_is_listed() {
    let server = TestServer::start().await;
    let key = new_key(Algorithm::Ed25519);
    server.add(&line("", "paul", &key));
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority");
    let user = folder.path().join("user.pub");
    let keygen = |arguments: &[&std::ffi::OsStr]| {
        let mut keygen = std::process::Command::new("ssh-keygen");
        assert!(keygen.arg("-q").args(arguments).status().unwrap().success());
    };
    std::fs::write(&user, key.public_key().to_openssh().unwrap()).unwrap();
    keygen(&[
        "-t".as_ref(),
        "ed25519".as_ref(),
        "-N".as_ref(),
        "".as_ref(),
        "-f".as_ref(),
        authority.as_ref(),
    ]);
    keygen(&[
        "-s".as_ref(),
        authority.as_ref(),
        "-I".as_ref(),
        "id".as_ref(),
        "-n".as_ref(),
        "any".as_ref(),
        user.as_ref(),
    ]);
    let certificate = folder.path().join("user-cert.pub");
    let certificate = russh::keys::load_openssh_certificate(certificate).unwrap();

    let mut client = server.connect().await;
    let local = client.local;
    let tried = client
        .ssh()
        .authenticate_openssh_cert("any", key, certificate)
        .await;
    assert!(!tried.unwrap().success());
    drop(client);
    let logged = log::wait_for(&["refused", &peer(local)]).await;
    assert!(logged.contains("client offers a certificate"), "{logged}");
}

#[tokio::test]
async fn a_key_must_be_listed_for_this_address_and_this_time() {
    let server = TestServer::start().await;
    let key = new_key(Algorithm::Ed25519);
    let logged = refused(&server, &key, None).await;
    assert!(
        logged.contains("not in the file of authorized keys"),
        "{logged}"
    );
    for (options, reason) in [
        (
            "from=\"192.0.2.0/24\"",
            "from= on line 1 does not admit 127.1.",
        ),
        (
            "expiry-time=\"20200101Z\"",
            "the key on line 1 expired at 2020-01-01",
        ),
    ] {
        server.authorize(&[line(options, "paul", &key)]);
        let logged = refused(&server, &key, None).await;
        assert!(logged.contains(reason), "{logged}");
    }
    server.authorize(&[line("from=\"127.0.0.0/8\"", "paul", &key)]);
    server.log_in(&key).await.shell().await.greeted().await;
}

#[tokio::test]
async fn only_publickey_exists() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let local = client.local;
    let tried = soon("an answer", client.ssh().authenticate_none("any")).await;
    let methods = format!("{tried:?}");
    assert!(methods.contains("PublicKey"), "{methods}");
    assert!(!methods.contains("Password"), "{methods}");
    let tried = client.ssh().authenticate_password("any", "guess").await;
    assert!(!tried.unwrap().success());
    drop(client);
    let logged = log::wait_for(&["refused", &peer(local)]).await;
    assert!(logged.contains("the method password"), "{logged}");
    assert!(!logged.contains("guess"), "{logged}");
}

#[tokio::test]
async fn after_six_refused_keys_the_connection_is_ended() {
    let server = TestServer::start().await;
    let good = new_key(Algorithm::Ed25519);
    server.add(&line("", "paul", &good));

    let mut client = server.connect().await;
    let _ = client.ssh().authenticate_none("any").await;
    for _ in 0..5 {
        assert!(!client.offer(&new_key(Algorithm::Ed25519), None).await);
    }
    assert!(client.offer(&good, None).await, "the sixth is still tried");

    let mut client = server.connect().await;
    let local = client.local;
    let _ = client.ssh().authenticate_none("any").await;
    for _ in 0..6 {
        assert!(!client.offer(&new_key(Algorithm::Ed25519), None).await);
    }
    assert!(!client.offer(&good, None).await, "the seventh is not");
    client.closed().await;
    log::wait_for(&["kind=auth_tries", &peer(local)]).await;
    assert_eq!(server.refused(RefusalKind::AuthTries), 1);
}

#[tokio::test]
async fn a_source_that_fails_to_log_in_again_and_again_is_penalised() {
    let limits = ConnectionLimitSettings {
        penalties: PenaltySettings {
            min: Duration::from_secs(8),
            exempt: vec![],
            ..PenaltySettings::default()
        },
        net_block_size: NetBlockSize { ipv4: 8, ipv6: 64 },
        ..ConnectionLimitSettings::default()
    };
    let server = TestServer::with(Options {
        limits,
        ..Options::default()
    })
    .await;
    for _ in 0..2 {
        refused(&server, &new_key(Algorithm::Ed25519), None).await;
    }
    assert!(
        server
            .try_connect(russh::client::Config::default())
            .await
            .is_err()
    );
    assert_eq!(server.refused(RefusalKind::Penalty), 1);
}

#[tokio::test]
async fn a_client_has_no_more_connections_than_it_may() {
    let settings = Settings {
        connections_per_client: 2,
        close_grace: Duration::from_millis(200),
        ..Settings::default()
    };
    let server = TestServer::with(Options {
        settings,
        ..Options::default()
    })
    .await;
    let key = new_key(Algorithm::Ed25519);
    server.add(&line("", "paul", &key));
    let first = server.log_in(&key).await;
    let _second = server.log_in(&key).await;
    let mut third = server.connect().await;
    third.offer(&key, None).await;
    third.closed().await;
    assert_eq!(server.refused(RefusalKind::ClientConnections), 1);
    server.client("anna").await;

    let local = first.local;
    drop(first);
    log::wait_for(&["logout", &peer(local)]).await;
    server.log_in(&key).await.shell().await.greeted().await;
}

#[tokio::test]
async fn sessions_end_within_a_second_of_their_keys_removal_and_the_others_stay() {
    let server = TestServer::start().await;
    let keys = [(); 3].map(|()| new_key(Algorithm::Ed25519));
    let [removed, renamed, kept] = &keys;
    let stays = line("", "kept", kept);
    server.authorize(&[
        line("", "removed", removed),
        line("", "renamed", renamed),
        stays.clone(),
    ]);
    let mut clients = Vec::new();
    for key in &keys {
        clients.push(server.log_in(key).await);
    }
    let mut channels = Vec::new();
    for client in &clients {
        let mut channel = client.shell().await;
        channel.greeted().await;
        channels.push(channel);
    }

    let at = Instant::now();
    server.authorize(&[line("", "other", renamed), stays]);
    let mut kept = channels.pop().unwrap();
    for channel in &mut channels {
        let (data, events) = channel.rest().await;
        assert!(data.contains("is no longer authorized"), "{data:?}");
        assert_eq!(events, "eof, exit-status 1, close");
    }
    assert!(at.elapsed() < Duration::from_secs(1), "{:?}", at.elapsed());
    kept.greeted().await;
    let kept_connection = clients.pop().unwrap();
    for client in clients {
        let local = client.local;
        client.closed().await;
        log::wait_for(&["logout", "no longer authorized", &peer(local)]).await;
    }
    kept_connection.shell().await.greeted().await;
}

#[tokio::test]
async fn sessions_end_when_their_key_expires() {
    let server = TestServer::start().await;
    let key = new_key(Algorithm::Ed25519);
    let soon_over = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
    let expiry = soon_over.strftime("%Y%m%d%H%M%SZ");
    server.add(&line(&format!("expiry-time=\"{expiry}\""), "paul", &key));
    let client = server.log_in(&key).await;
    let mut channel = client.shell().await;
    channel.greeted().await;
    let (data, events) = channel.rest().await;
    assert!(data.contains("is no longer authorized"), "{data:?}");
    assert_eq!(events, "eof, exit-status 1, close");
}
