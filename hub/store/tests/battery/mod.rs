//! What every store has to do, whatever it is made of.

mod messages;
mod moderation;
mod retention;

use std::sync::Arc;

use cmp_core::{Position, Store, Stored};
use cmp_protocol::{Class, ClientName, Encoding, HubName, Kind, Message, MessageId, Word};

/// Runs every case, each on a new, empty store from `fresh`, which also answers with what has to
/// live as long as the store.
pub(crate) async fn run<S: Store, Guard>(fresh: impl AsyncFn() -> (S, Guard)) {
    macro_rules! cases {
        ($($module:ident: $($case:ident)*;)*) => {
            $($({
                eprintln!("battery: {}", stringify!($case));
                let (store, _guard) = fresh().await;
                $module::$case(&store).await;
            })*)*
        };
    }
    cases! {
        messages:
            an_empty_store_answers_with_nothing
            every_byte_comes_back
            every_class_and_encoding_comes_back
            messages_come_in_order_of_position
            a_range_keeps_its_bounds_and_its_limit
            a_range_takes_the_greatest_numbers_as_bounds
            an_id_that_is_stored_stays_as_it_is
            a_batch_may_be_repeated
            an_id_twice_in_a_batch_is_stored_once
            a_batch_that_fails_leaves_nothing_of_itself
            an_empty_batch_changes_nothing
            a_batch_of_any_size_is_stored_whole
            newest_is_the_highest_of_each_number
            locate_finds_the_place_of_an_id
            locate_falls_back_to_the_id_before
            before_last_leaves_exactly_so_many
            cursors_are_kept_per_client
            a_check_changes_nothing;
        moderation:
            every_ban_target_comes_back
            a_ban_is_replaced_by_its_id
            a_ban_is_removed
            origins_are_kept_replaced_and_removed;
        retention:
            kinds_are_those_that_are_stored
            old_messages_go
            surplus_messages_go
            both_bounds_hold
            nothing_goes_without_a_bound
            newest_outlives_its_message;
    }
}

/// Fills a store with one of everything.
pub(crate) async fn fill(store: &impl Store) {
    store.append(&[sample(1), sample(2)]).await.unwrap();
    store.put_ban(&moderation::ban(1)).await.unwrap();
    store
        .put_origin(&moderation::origin(b"#qw", 2))
        .await
        .unwrap();
    store.put_cursor(&client("reader"), id(2)).await.unwrap();
}

/// Checks that everything of [`fill`] is there.
pub(crate) async fn check_filled(store: &impl Store) {
    assert_eq!(all(store).await, [sample(1), sample(2)]);
    assert_eq!(store.newest().await.unwrap(), at(2));
    assert_eq!(store.bans().await.unwrap(), [moderation::ban(1)]);
    assert_eq!(
        store.origins().await.unwrap(),
        [moderation::origin(b"#qw", 2)]
    );
    assert_eq!(store.cursor(&client("reader")).await.unwrap(), Some(id(2)));
}

/// The place of a stored-before message.
pub(crate) fn at(number: u64) -> Position {
    Position {
        anchor: number,
        seq: number,
    }
}

/// An id that sorts as `number` does.
pub(crate) fn id(number: u64) -> MessageId {
    let mut bytes = [0xff; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    MessageId::from_bytes(bytes)
}

pub(crate) fn client(name: &str) -> ClientName {
    ClientName::new(name).unwrap()
}

pub(crate) fn kind(name: &str) -> Kind {
    Kind::new(name).unwrap()
}

/// A broadcast of kind `qw`, accepted at the time `number`.
pub(crate) fn message(number: u64) -> Message {
    Message {
        id: id(number),
        hub: HubName::new("hub1").unwrap(),
        client: client("paul_specbot"),
        time_ms: number,
        class: Class::Broadcast,
        kind: kind("qw"),
        nick: Some(Word::new("nick", &b"paul"[..]).unwrap()),
        origin: Some(Word::new("origin", &b"#qw"[..]).unwrap()),
        text: format!("4on4 mix, {number} more needed!").into(),
        encoding: Some(Encoding::Utf8),
    }
}

pub(crate) fn stored(position: Position, message: Message) -> Stored {
    Stored {
        position,
        message: Arc::new(message),
    }
}

/// [`message`] at the place of its number.
pub(crate) fn sample(number: u64) -> Stored {
    stored(at(number), message(number))
}

/// Everything in the store.
pub(crate) async fn all(store: &impl Store) -> Vec<Stored> {
    store
        .range(Position::default(), at(u64::MAX), u32::MAX)
        .await
        .unwrap()
}
