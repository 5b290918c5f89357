use bytes::Bytes;
use cmp_core::{Position, Store, StoreError, Stored};
use cmp_protocol::{Class, Encoding, Message, Word};

use super::{all, at, client, id, kind, message, sample, stored};

fn numbers(stored: &[Stored]) -> Vec<u64> {
    stored.iter().map(|stored| stored.position.seq).collect()
}

pub(super) async fn an_empty_store_answers_with_nothing(store: &impl Store) {
    let nowhere = Position::default();
    assert_eq!(store.newest().await.unwrap(), nowhere);
    assert_eq!(all(store).await, []);
    assert_eq!(store.locate(id(1)).await.unwrap(), nowhere);
    assert_eq!(store.before_last(3).await.unwrap(), nowhere);
    assert_eq!(store.bans().await.unwrap(), []);
    assert_eq!(store.origins().await.unwrap(), []);
    assert_eq!(store.kinds().await.unwrap(), []);
    assert_eq!(store.cursor(&client("nobody")).await.unwrap(), None);
}

pub(super) async fn every_byte_comes_back(store: &impl Store) {
    let every_byte: Bytes = (0..=255u8).collect();
    let word: Vec<u8> = (0x21..=0xff)
        .filter(|byte| ![b':', 0x7f].contains(byte))
        .collect();
    let texts: [Bytes; 6] = [
        every_byte,
        Bytes::new(),
        "Grüße, 日本 🎮".into(),
        Bytes::from_static(b"na\xefve in Latin-1"),
        Bytes::from_static(b"\0"),
        vec![0xff; 100_000].into(),
    ];
    let batch: Vec<Stored> = (1..)
        .zip(texts)
        .map(|(number, text)| {
            let nick = Word::new("nick", word[..100].to_vec()).unwrap();
            let origin = Word::new("origin", word[100..].to_vec()).unwrap();
            let (nick, origin) = (Some(nick), Some(origin));
            stored(
                at(number),
                Message {
                    text,
                    nick,
                    origin,
                    ..message(number)
                },
            )
        })
        .collect();
    store.append(&batch).await.unwrap();
    assert_eq!(all(store).await, batch);
}

pub(super) async fn every_class_and_encoding_comes_back(store: &impl Store) {
    let classes = [Class::Chat, Class::Broadcast, Class::Relay];
    let encodings = [
        None,
        Some(Encoding::Utf8),
        Some(Encoding::Latin1),
        Some(Encoding::Cp1252),
        Some(Encoding::Quake),
    ];
    let pairs = classes
        .iter()
        .flat_map(|class| encodings.iter().map(|other| (*class, *other)));
    let batch: Vec<Stored> = (1..)
        .zip(pairs)
        .map(|(number, (class, encoding))| {
            let plain = Message {
                nick: None,
                origin: None,
                ..message(number)
            };
            stored(
                at(number),
                Message {
                    class,
                    encoding,
                    ..plain
                },
            )
        })
        .collect();
    store.append(&batch).await.unwrap();
    assert_eq!(all(store).await, batch);
}

pub(super) async fn messages_come_in_order_of_position(store: &impl Store) {
    // Number 2 was delivered after 1 and before 3, but written last.
    let late = stored(Position { anchor: 1, seq: 2 }, message(2));
    let chat_first = stored(Position { anchor: 0, seq: 5 }, message(5));
    store.append(&[sample(3), sample(1)]).await.unwrap();
    store
        .append(&[chat_first.clone(), late.clone(), sample(4)])
        .await
        .unwrap();
    let expected = [chat_first, sample(1), late, sample(3), sample(4)];
    assert_eq!(all(store).await, expected);
}

pub(super) async fn a_range_keeps_its_bounds_and_its_limit(store: &impl Store) {
    let late = Position { anchor: 2, seq: 9 };
    let batch = [
        sample(1),
        sample(2),
        sample(4),
        sample(5),
        stored(late, message(9)),
    ];
    store.append(&batch).await.unwrap();
    let range = async |from, to, limit| numbers(&store.range(from, to, limit).await.unwrap());
    assert_eq!(range(at(1), at(4), 10).await, [2, 9, 4]);
    assert_eq!(range(at(2), at(4), 10).await, [9, 4]);
    assert_eq!(range(late, at(5), 10).await, [4, 5]);
    assert_eq!(range(at(1), late, 10).await, [2, 9]);
    assert_eq!(range(at(1), at(2), 10).await, [2]);
    assert_eq!(range(at(0), at(5), 2).await, [1, 2]);
    assert!(range(at(0), at(5), 0).await.is_empty());
    assert!(range(at(4), at(4), 10).await.is_empty());
    assert!(range(at(4), at(1), 10).await.is_empty());
}

pub(super) async fn a_range_takes_the_greatest_numbers_as_bounds(store: &impl Store) {
    store.append(&[sample(1)]).await.unwrap();
    let found = store.range(at(0), at(u64::MAX), u32::MAX).await.unwrap();
    assert_eq!(numbers(&found), [1]);
    assert_eq!(
        store.range(at(u64::MAX), at(u64::MAX), 1).await.unwrap(),
        []
    );
}

pub(super) async fn an_id_that_is_stored_stays_as_it_is(store: &impl Store) {
    store.append(&[sample(1)]).await.unwrap();
    let again = Message {
        text: "another text".into(),
        ..message(1)
    };
    store
        .append(&[stored(at(7), again), sample(8)])
        .await
        .unwrap();
    assert_eq!(all(store).await, [sample(1), sample(8)]);
}

pub(super) async fn a_batch_may_be_repeated(store: &impl Store) {
    let batch = [sample(1), sample(2)];
    store.append(&batch).await.unwrap();
    store.append(&batch).await.unwrap();
    store.append(&[sample(2), sample(3)]).await.unwrap();
    assert_eq!(numbers(&all(store).await), [1, 2, 3]);
}

pub(super) async fn an_id_twice_in_a_batch_is_stored_once(store: &impl Store) {
    let again = stored(
        at(2),
        Message {
            text: "again".into(),
            ..message(1)
        },
    );
    store.append(&[sample(1), again]).await.unwrap();
    assert_eq!(all(store).await, [sample(1)]);
}

pub(super) async fn a_batch_that_fails_leaves_nothing_of_itself(store: &impl Store) {
    store.append(&[sample(1)]).await.unwrap();
    // Two messages at one place: no hub asks for that.
    let batch: Vec<Stored> = (2..300)
        .map(sample)
        .chain([stored(at(1), message(999))])
        .collect();
    let error = store.append(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let twice = [sample(2), stored(at(2), message(3))];
    store.append(&twice).await.unwrap_err();
    assert_eq!(all(store).await, [sample(1)]);
    assert_eq!(store.newest().await.unwrap(), at(1));
    store.append(&[sample(2)]).await.unwrap();
    assert_eq!(all(store).await, [sample(1), sample(2)]);
}

pub(super) async fn an_empty_batch_changes_nothing(store: &impl Store) {
    store.append(&[sample(1)]).await.unwrap();
    store.append(&[]).await.unwrap();
    assert_eq!(all(store).await, [sample(1)]);
    assert_eq!(store.newest().await.unwrap(), at(1));
}

pub(super) async fn a_batch_of_any_size_is_stored_whole(store: &impl Store) {
    let mut next = 1;
    for size in [127, 128, 129, 500, 1_023, 4_096] {
        let batch: Vec<Stored> = (next..next + size).map(sample).collect();
        store.append(&batch).await.unwrap();
        let found = store
            .range(at(next - 1), at(next + size), u32::MAX)
            .await
            .unwrap();
        assert_eq!(found, batch);
        next += size;
    }
}

pub(super) async fn newest_is_the_highest_of_each_number(store: &impl Store) {
    let chat = stored(Position { anchor: 5, seq: 6 }, message(6));
    store.append(&[chat, sample(5)]).await.unwrap();
    assert_eq!(
        store.newest().await.unwrap(),
        Position { anchor: 5, seq: 6 }
    );
    let late = stored(Position { anchor: 3, seq: 7 }, message(7));
    store.append(&[late]).await.unwrap();
    assert_eq!(
        store.newest().await.unwrap(),
        Position { anchor: 5, seq: 7 }
    );
}

pub(super) async fn locate_finds_the_place_of_an_id(store: &impl Store) {
    // A message of another hub: accepted there long ago, delivered here last.
    let late = stored(Position { anchor: 9, seq: 9 }, message(2));
    store.append(&[sample(3), sample(5), late]).await.unwrap();
    assert_eq!(store.locate(id(5)).await.unwrap(), at(5));
    assert_eq!(store.locate(id(2)).await.unwrap(), at(9));
}

pub(super) async fn locate_falls_back_to_the_id_before(store: &impl Store) {
    store
        .append(&[sample(3), sample(5), sample(9)])
        .await
        .unwrap();
    assert_eq!(store.locate(id(8)).await.unwrap(), at(5));
    assert_eq!(store.locate(id(4)).await.unwrap(), at(3));
    assert_eq!(store.locate(id(2)).await.unwrap(), Position::default());
    assert_eq!(store.locate(id(1 << 60)).await.unwrap(), at(9));
}

pub(super) async fn before_last_leaves_exactly_so_many(store: &impl Store) {
    let anchored = stored(Position { anchor: 2, seq: 4 }, message(4));
    store
        .append(&[sample(1), sample(2), sample(3), anchored])
        .await
        .unwrap();
    for (count, after) in [
        (0, at(3)),
        (1, Position { anchor: 2, seq: 4 }),
        (2, at(2)),
        (3, at(1)),
        (4, Position::default()),
        (5, Position::default()),
        (u32::MAX, Position::default()),
    ] {
        assert_eq!(
            store.before_last(count).await.unwrap(),
            after,
            "before the last {count}"
        );
    }
}

pub(super) async fn cursors_are_kept_per_client(store: &impl Store) {
    let (one, two) = (client("[ServeMe]01"), client("[serveme]01"));
    store.put_cursor(&one, id(1)).await.unwrap();
    store.put_cursor(&two, id(2)).await.unwrap();
    store.put_cursor(&one, id(3)).await.unwrap();
    assert_eq!(store.cursor(&one).await.unwrap(), Some(id(3)));
    assert_eq!(store.cursor(&two).await.unwrap(), Some(id(2)));
    assert_eq!(store.cursor(&client("three")).await.unwrap(), None);
}

pub(super) async fn a_check_changes_nothing(store: &impl Store) {
    store.append(&[sample(1)]).await.unwrap();
    store.check().await.unwrap();
    store.check().await.unwrap();
    assert_eq!(all(store).await, [sample(1)]);
    assert_eq!(store.newest().await.unwrap(), at(1));
    assert_eq!(store.kinds().await.unwrap(), [kind("qw")]);
}
