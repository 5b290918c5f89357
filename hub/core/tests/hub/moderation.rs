//! Bans, mutes and warnings, and that they outlive a restart.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cmp_core::{AdminReply, AdminRequest, BanId, BanTarget, FloodRules, MemoryStore, Role, Store};
use cmp_protocol::ErrorCode;

use crate::support::{TestHub, broadcast, chat, name, policy, role};

fn ban(target: BanTarget) -> AdminRequest {
    AdminRequest::Ban {
        target,
        reason: "spam".into(),
        duration: None,
    }
}

#[tokio::test]
async fn a_ban_holds_at_once_after_a_restart_and_until_it_is_lifted() {
    let store = Arc::new(MemoryStore::default());
    let hub = TestHub::start_on(policy(), store.clone()).await;
    let mut a = hub.central("a").await;
    hub.admin(ban(BanTarget::Nick(Bytes::from_static(b"Bad"))))
        .await
        .unwrap();
    a.send(broadcast("bad", "hello")).await;
    let refusal = a.refusal().await;
    assert_eq!(refusal.code, ErrorCode::Banned);
    assert!(refusal.reason.contains("spam"));
    a.send(broadcast("good", "hello")).await;
    a.acknowledged().await;
    hub.hub.shutdown("restart").await.unwrap();

    let hub = TestHub::start_on(policy(), store).await;
    let mut a = hub.central("a").await;
    a.send(broadcast("BAD", "again")).await;
    assert_eq!(a.code().await, ErrorCode::Banned);
    let Ok(AdminReply::Bans(bans)) = hub.admin(AdminRequest::Bans).await else {
        panic!()
    };
    assert_eq!(bans.len(), 1);
    assert_eq!(bans[0].by, name("boss"));
    hub.admin(AdminRequest::Unban { id: bans[0].id })
        .await
        .unwrap();
    a.send(broadcast("bad", "free")).await;
    a.acknowledged().await;
    assert!(
        hub.admin(AdminRequest::Unban { id: BanId(99) })
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_banned_client_says_nothing_but_stays() {
    let hub = TestHub::start(policy()).await;
    let (mut a, mut b) = (hub.central("a").await, hub.central("b").await);
    hub.admin(ban(BanTarget::Client(name("a")))).await.unwrap();
    a.send(chat("hello")).await;
    assert_eq!(a.code().await, ErrorCode::Banned);
    a.nothing_waits().await;
    b.nothing_waits().await;
    assert!(hub.admin(ban(BanTarget::Text("(".into()))).await.is_err());
}

#[tokio::test]
async fn warnings_mute_an_origin_and_are_kept() {
    let mut policy = policy();
    let flood = FloodRules {
        cooldown: Duration::from_secs(3600),
        max_warnings: 2,
        mute: Duration::from_secs(3600),
        burst: None,
        ..FloodRules::default()
    };
    policy.roles.insert(
        role("bot"),
        Role {
            flood,
            ..Role::default()
        },
    );
    let store = Arc::new(MemoryStore::default());
    let hub = TestHub::start_on(policy.clone(), store.clone()).await;
    let mut a = hub.central("a").await;
    a.send(broadcast("n", "one")).await;
    a.acknowledged().await;
    for _ in 0..2 {
        a.send(broadcast("n", "two")).await;
        let refusal = a.refusal().await;
        assert_eq!(refusal.code, ErrorCode::Flood);
        assert!(
            refusal.reason.contains("try again in"),
            "{}",
            refusal.reason
        );
    }
    a.send(broadcast("other", "three")).await;
    assert_eq!(a.code().await, ErrorCode::Muted);
    // The warnings are written behind the refusals, one after the other; a mute by hand is
    // written behind them and answered when it is stored.
    let mute = |origin: &str, duration| AdminRequest::Mute {
        origin: origin.into(),
        duration,
    };
    hub.admin(mute("#elsewhere", Duration::from_secs(60)))
        .await
        .unwrap();
    let kept = store.origins().await.unwrap();
    assert!(
        kept.iter()
            .any(|r| r.origin == "#quakeworld" && r.muted_until_ms.is_some())
    );
    hub.hub.shutdown("restart").await.unwrap();

    let hub = TestHub::start_on(policy, store.clone()).await;
    let mut a = hub.central("a").await;
    a.send(broadcast("n", "four")).await;
    assert_eq!(a.code().await, ErrorCode::Muted);
    hub.admin(mute("#QuakeWorld", Duration::ZERO))
        .await
        .unwrap();
    a.send(broadcast("n", "five")).await;
    a.acknowledged().await;
}

#[tokio::test]
async fn an_admin_says_a_line_and_sees_the_sessions() {
    let hub = TestHub::start(policy()).await;
    let (mut a, _b) = (hub.central("a").await, hub.json("b").await);
    hub.admin(AdminRequest::Say {
        text: b"maintenance at noon".to_vec(),
    })
    .await
    .unwrap();
    let message = a.message().await;
    assert_eq!(
        (message.text.as_ref(), message.client.as_str()),
        (&b"maintenance at noon"[..], "boss")
    );
    let Ok(AdminReply::Sessions(sessions)) = hub.admin(AdminRequest::Sessions).await else {
        panic!()
    };
    let shown: Vec<_> = sessions
        .iter()
        .map(|s| (s.client.as_str(), s.dialect))
        .collect();
    assert_eq!(shown, [("a", "central"), ("b", "json")]);
}
