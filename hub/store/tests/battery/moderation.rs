use bytes::Bytes;
use cmp_core::{Ban, BanId, BanTarget, OriginRecord, Store};

use super::client;

pub(super) fn ban(id: u64) -> Ban {
    Ban {
        id: BanId(id),
        target: BanTarget::Nick(Bytes::from_static(b"p\xe4ul")),
        reason: "not the same message again".to_owned(),
        by: client("admin"),
        since_ms: 1_000,
        until_ms: Some(2_000),
    }
}

pub(super) fn origin(name: &'static [u8], warnings: u32) -> OriginRecord {
    OriginRecord {
        origin: Bytes::from_static(name),
        warnings,
        first_warning_ms: 5_000,
        muted_until_ms: None,
    }
}

pub(super) async fn every_ban_target_comes_back(store: &impl Store) {
    let targets = [
        BanTarget::Nick(Bytes::from_static(b"\xff\0")),
        BanTarget::Origin(Bytes::from_static(b"//quakeworld.nu")),
        BanTarget::Client(client("[ServeMe]01")),
        BanTarget::Text("^buy\\b.*日本\0$".to_owned()),
    ];
    let bans: Vec<Ban> = (1..)
        .zip(targets)
        .map(|(id, target)| Ban {
            target,
            reason: "grüße\0\n".to_owned(),
            until_ms: None,
            ..ban(id)
        })
        .chain([ban(u64::MAX / 2)])
        .collect();
    for ban in &bans {
        store.put_ban(ban).await.unwrap();
    }
    assert_eq!(store.bans().await.unwrap(), bans);
}

pub(super) async fn a_ban_is_replaced_by_its_id(store: &impl Store) {
    store.put_ban(&ban(1)).await.unwrap();
    store.put_ban(&ban(2)).await.unwrap();
    let replaced = Ban {
        id: BanId(1),
        target: BanTarget::Text("x".to_owned()),
        reason: String::new(),
        by: client("other"),
        since_ms: 3,
        until_ms: None,
    };
    store.put_ban(&replaced).await.unwrap();
    assert_eq!(store.bans().await.unwrap(), [replaced, ban(2)]);
}

pub(super) async fn a_ban_is_removed(store: &impl Store) {
    store.put_ban(&ban(1)).await.unwrap();
    store.put_ban(&ban(2)).await.unwrap();
    store.remove_ban(BanId(1)).await.unwrap();
    store.remove_ban(BanId(7)).await.unwrap();
    assert_eq!(store.bans().await.unwrap(), [ban(2)]);
}

pub(super) async fn origins_are_kept_replaced_and_removed(store: &impl Store) {
    let muted = OriginRecord {
        warnings: 0,
        muted_until_ms: Some(9_000),
        ..origin(b"#\xff\0channel", 0)
    };
    store.put_origin(&origin(b"#qw", 1)).await.unwrap();
    store.put_origin(&origin(b"#gone", u32::MAX)).await.unwrap();
    store.put_origin(&muted).await.unwrap();
    store.put_origin(&origin(b"#qw", 2)).await.unwrap();
    let mut found = store.origins().await.unwrap();
    found.sort_by_key(|record| record.origin.clone());
    assert_eq!(
        found,
        [origin(b"#gone", u32::MAX), origin(b"#qw", 2), muted.clone()]
    );
    store.put_origin(&origin(b"#gone", 0)).await.unwrap();
    store.put_origin(&origin(b"#qw", 0)).await.unwrap();
    store.put_origin(&origin(b"#never", 0)).await.unwrap();
    assert_eq!(store.origins().await.unwrap(), [muted]);
}
