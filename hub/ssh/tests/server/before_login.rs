//! Peers that do not get as far as a login.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use cmp_ssh::Settings;
use cmp_ssh::limits::ConnectionLimitSettings;
use cmp_ssh::limits::login_grace::LoginGraceSettings;
use cmp_ssh::limits::penalties::PenaltySettings;
use cmp_ssh::limits::refusal::RefusalKind;
use cmp_ssh::limits::startups::MaxStartups;
use russh::client::{Config, GexParams};
use russh::kex;
use russh::keys::Algorithm;
use russh::{Preferred, cipher, mac};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::log;
use crate::support::{Options, TestServer, line, new_key, soon};

async fn with_grace(key_exchange: u64, login: u64) -> TestServer {
    let settings = Settings {
        login_grace: LoginGraceSettings {
            key_exchange: Duration::from_millis(key_exchange),
            login: Duration::from_millis(login),
        },
        ..Settings::default()
    };
    let options = Options {
        settings,
        ..Options::default()
    };
    TestServer::with(options).await
}

/// A client whose every list is the library's, but for these.
fn offering(preferred: Preferred) -> Config {
    Config {
        preferred,
        ..Config::default()
    }
}

#[tokio::test]
async fn a_silent_peer_is_dropped_in_time() {
    let server = with_grace(200, 60_000).await;
    let at = Instant::now();
    let mut peer = TcpStream::connect(server.address).await.unwrap();
    let mut said = Vec::new();
    let _ = soon("the end", peer.read_to_end(&mut said)).await;
    assert!(at.elapsed() >= Duration::from_millis(200));
    let said = String::from_utf8(said).unwrap();
    assert_eq!(
        said,
        concat!("SSH-2.0-cmp_", env!("CARGO_PKG_VERSION"), "\r\n")
    );
    let local = peer.local_addr().unwrap();
    log::wait_for(&["kind=key_exchange_time", &format!("peer={local}")]).await;
    assert_eq!(server.refused(RefusalKind::KeyExchangeTime), 1);
    assert_eq!(server.limits.connections(), 0);
}

/// Sends these bytes one by one, and returns when the server has closed the connection.
async fn drip(mut peer: TcpStream, bytes: impl Iterator<Item = u8>) {
    let mut buffer = [0; 4096];
    for byte in bytes {
        if peer.write_all(&[byte]).await.is_err() {
            return;
        }
        let pause = Duration::from_millis(20);
        if let Ok(Ok(0) | Err(_)) = timeout(pause, peer.read(&mut buffer)).await {
            return;
        }
    }
    panic!("the server listened to all of it");
}

#[tokio::test]
async fn a_dripping_peer_is_dropped_in_time() {
    let server = with_grace(300, 60_000).await;
    let peer = TcpStream::connect(server.address).await.unwrap();
    // A version that takes minutes.
    let version = b"SSH-2.0-"
        .iter()
        .copied()
        .chain(std::iter::repeat_n(b'x', 240));
    soon("the end", drip(peer, version)).await;

    let mut peer = TcpStream::connect(server.address).await.unwrap();
    peer.write_all(b"SSH-2.0-drip\r\n").await.unwrap();
    // A packet of 32 KiB that takes hours.
    let packet = [0, 0, 0x80, 0, 4, 20]
        .into_iter()
        .chain(std::iter::repeat(0));
    soon("the end", drip(peer, packet.take(30_000))).await;
    assert_eq!(server.refused(RefusalKind::KeyExchangeTime), 2);
}

#[tokio::test]
async fn a_peer_that_does_not_log_in_is_dropped_in_time() {
    let server = with_grace(60_000, 300).await;
    let mut client = server.connect().await;
    let _ = client.ssh().authenticate_none("any").await;
    client.closed().await;
    log::wait_for(&["kind=login_grace_time"]).await;
    assert_eq!(server.refused(RefusalKind::LoginGraceTime), 1);
}

#[tokio::test]
async fn who_has_logged_in_may_be_silent() {
    let server = with_grace(400, 400).await;
    let client = server.client("paul").await;
    let mut channel = client.shell().await;
    channel.greeted().await;
    // The end of somebody else's time says that ours is over as well.
    let mut later = TcpStream::connect(server.address).await.unwrap();
    let _ = soon("the end", later.read_to_end(&mut Vec::new())).await;
    channel.greeted().await;
}

#[tokio::test]
async fn an_exchange_that_is_not_offered_is_refused_at_once_and_named() {
    let server = TestServer::start().await;
    let refused = |kex, name: &'static str| {
        let preferred = Preferred {
            kex: Cow::Owned(vec![kex]),
            ..Preferred::DEFAULT
        };
        let (server, config) = (&server, offering(preferred));
        async move {
            assert!(server.try_connect(config).await.is_err(), "{name}");
            let says = format!(
                "no key exchange in common: client offers only {name}; give it a newer SSH \
                 library"
            );
            log::wait_for(&["kind=algorithms", &says]).await;
        }
    };
    refused(kex::DH_G18_SHA512, "diffie-hellman-group18-sha512").await;
    refused(kex::DH_G14_SHA1, "diffie-hellman-group14-sha1").await;
    refused(kex::DH_GEX_SHA1, "diffie-hellman-group-exchange-sha1").await;
    assert_eq!(server.refused(RefusalKind::Algorithms), 3);
}

#[tokio::test]
async fn a_cipher_or_mac_that_is_not_offered_is_named() {
    let server = TestServer::start().await;
    let old_cipher = Preferred {
        cipher: Cow::Owned(vec![cipher::AES_128_CBC]),
        ..Preferred::DEFAULT
    };
    assert!(server.try_connect(offering(old_cipher)).await.is_err());
    log::wait_for(&["no cipher in common: client offers only aes128-cbc;"]).await;
    let old_mac = Preferred {
        cipher: Cow::Owned(vec![cipher::AES_128_CTR]),
        mac: Cow::Owned(vec![mac::HMAC_SHA1]),
        ..Preferred::DEFAULT
    };
    assert!(server.try_connect(offering(old_mac)).await.is_err());
    log::wait_for(&["no MAC in common: client offers only hmac-sha1;"]).await;
}

#[tokio::test]
async fn every_modern_exchange_works() {
    let server = TestServer::start().await;
    let key = new_key(Algorithm::Ed25519);
    server.add(&line("", "paul", &key));
    for kex in [
        kex::MLKEM768X25519_SHA256,
        kex::CURVE25519,
        kex::CURVE25519_PRE_RFC_8731,
        kex::DH_GEX_SHA256,
        kex::DH_G14_SHA256,
    ] {
        let preferred = Preferred {
            kex: Cow::Owned(vec![kex]),
            ..Preferred::DEFAULT
        };
        server.log_in_with(&key, offering(preferred)).await;
    }
}

#[tokio::test]
async fn a_group_that_would_be_expensive_is_refused() {
    let server = TestServer::start().await;
    let config = Config {
        preferred: Preferred {
            kex: Cow::Owned(vec![kex::DH_GEX_SHA256]),
            ..Preferred::DEFAULT
        },
        gex: GexParams::new(4096, 8192, 8192).unwrap(),
        ..Config::default()
    };
    assert!(server.try_connect(config).await.is_err());
    log::wait_for(&["no Diffie-Hellman group in common"]).await;
    assert_eq!(server.refused(RefusalKind::Algorithms), 1);
}

#[tokio::test]
async fn past_max_startups_nobody_gets_in_until_somebody_has_logged_in() {
    let limits = ConnectionLimitSettings {
        max_startups: MaxStartups {
            start: 2,
            rate_percent: 100,
            full: 2,
        },
        ..ConnectionLimitSettings::default()
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    let server = TestServer::with(options).await;
    let key = new_key(Algorithm::Ed25519);
    server.add(&line("", "paul", &key));
    let _waiting = TcpStream::connect(server.address).await.unwrap();
    let mut client = server.connect().await;
    let mut told = String::new();
    let mut turned_away = TcpStream::connect(server.address).await.unwrap();
    soon("an answer", turned_away.read_to_string(&mut told))
        .await
        .unwrap();
    assert_eq!(told, "Exceeded MaxStartups\r\n");
    assert!(client.offer(&key, None).await);
    client.shell().await.greeted().await;
    server.connect().await;
}

#[tokio::test]
async fn who_breaks_the_protocol_is_penalised_and_who_speaks_another_one_hardly() {
    let limits = ConnectionLimitSettings {
        penalties: PenaltySettings {
            exempt: vec![],
            ..PenaltySettings::default()
        },
        ..ConnectionLimitSettings::default()
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    let server = TestServer::with(options).await;
    let say = async |bytes: &[u8]| {
        let mut peer = TcpStream::connect(server.address).await.unwrap();
        peer.write_all(bytes).await.unwrap();
        let mut said = Vec::new();
        let _ = soon("the end", peer.read_to_end(&mut said)).await;
        String::from_utf8_lossy(&said).into_owned()
    };
    let version = concat!("SSH-2.0-cmp_", env!("CARGO_PKG_VERSION"), "\r\n");
    assert_eq!(say(b"GET / HTTP/1.1\r\n\r\n").await, version);
    // A packet of 4 GB.
    assert!(
        say(b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff")
            .await
            .starts_with(version)
    );
    while server.limits.connections() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(say(b"").await, "Not allowed at this time\r\n");
    assert_eq!(server.refused(RefusalKind::Penalty), 1);
}
