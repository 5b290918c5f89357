//! The newest broadcasts, for `LAST`.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use cmp_protocol::{Class, Kind, Message, Word};
use jiff::Timestamp;

use crate::reply;

/// Broadcasts given when `LAST` names no number.
const DEFAULT_COUNT: usize = 3;

/// The most broadcasts of one answer.
const MAX_COUNT: usize = 20;

/// What somebody asks of `LAST`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    kind: Option<Kind>,
    count: usize,
}

impl Wanted {
    /// Reads `[kind] [n]`. A single number is `n`. The error is a sentence for people.
    pub(crate) fn parse(params: &[u8]) -> Result<Self, &'static str> {
        const USAGE: &str = "the form is LAST [kind] [n], with n from 1 to 20";
        let params = str::from_utf8(params).map_err(|_| USAGE)?;
        let mut words: Vec<&str> = params.split_ascii_whitespace().collect();
        let is_number = |word: &mut &str| word.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let count = match words.pop_if(is_number) {
            Some(number) => number.parse().map_err(|_| USAGE)?,
            None => DEFAULT_COUNT,
        };
        let kind = match words.as_slice() {
            [] => None,
            [kind] => Some(Kind::new(kind).map_err(|_| USAGE)?),
            _ => return Err(USAGE),
        };
        if (1..=MAX_COUNT).contains(&count) {
            Ok(Self { kind, count })
        } else {
            Err(USAGE)
        }
    }
}

/// The newest broadcasts in the order in which they came. When full, the oldest goes.
#[derive(Debug)]
pub(crate) struct History {
    capacity: usize,
    messages: VecDeque<Arc<Message>>,
}

impl History {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            messages: VecDeque::new(),
        }
    }

    /// Changes how many are kept.
    pub(crate) fn resize(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.trim();
    }

    /// Keeps a message if it is a broadcast that is not kept already.
    pub(crate) fn keep(&mut self, message: Arc<Message>) {
        let known = || self.messages.iter().rev().any(|kept| kept.id == message.id);
        if message.class == Class::Broadcast && !known() {
            self.messages.push_back(message);
            self.trim();
        }
    }

    fn trim(&mut self) {
        let over = self.messages.len().saturating_sub(self.capacity);
        self.messages.drain(..over);
    }

    /// The newest broadcasts of those wanted, oldest first, a reply line each.
    pub(crate) fn last(&self, wanted: &Wanted) -> Vec<Bytes> {
        let is_wanted =
            |message: &&Arc<Message>| wanted.kind.as_ref().is_none_or(|k| *k == message.kind);
        let newest = self
            .messages
            .iter()
            .rev()
            .filter(is_wanted)
            .take(wanted.count);
        let mut lines: Vec<_> = newest.map(|message| line(message)).collect();
        lines.reverse();
        lines
    }
}

/// `YYYY-MM-DD HH:MM <kind> <nick> <origin> :<text>`, in UTC.
fn line(message: &Message) -> Bytes {
    let time = i64::try_from(message.time_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        // Beyond the year 9999: a hub whose clock is wrong.
        .unwrap_or(Timestamp::MAX);
    let mut line = format!("{} {} ", time.strftime("%Y-%m-%d %H:%M"), message.kind).into_bytes();
    for word in [&message.nick, &message.origin] {
        line.extend_from_slice(word.as_ref().map_or(b"-", Word::as_bytes));
        line.push(b' ');
    }
    line.push(b':');
    line.extend_from_slice(&message.text);
    reply::line(line)
}

#[cfg(test)]
mod tests {
    use cmp_protocol::{ClientName, HubName, MessageId};

    use super::*;

    fn broadcast(kind: &str, text: &'static [u8]) -> Arc<Message> {
        Arc::new(Message {
            id: MessageId::generate(),
            hub: HubName::new("hub1").unwrap(),
            client: ClientName::new("paul_specbot").unwrap(),
            // 2026-02-28T23:59:59.999Z.
            time_ms: 1_772_323_199_999,
            class: Class::Broadcast,
            kind: Kind::new(kind).unwrap(),
            nick: Some(Word::new("nick", "paul").unwrap()),
            origin: Some(Word::new("origin", "#kenya").unwrap()),
            text: Bytes::from_static(text),
            encoding: None,
        })
    }

    fn last(history: &History, params: &str) -> Vec<Bytes> {
        history.last(&Wanted::parse(params.as_bytes()).unwrap())
    }

    #[test]
    fn a_line_has_date_and_time_and_the_bytes_of_the_text() {
        let mut history = History::new(10);
        history.keep(broadcast("qw", b"4on4 na\xefve"));
        assert_eq!(
            last(&history, ""),
            [&b"2026-02-28 23:59 qw paul #kenya :4on4 na\xefve"[..]]
        );
    }

    #[test]
    fn the_newest_come_last_and_kinds_can_be_chosen() {
        let mut history = History::new(10);
        for (kind, text) in [
            ("qw", b"1"),
            ("spam", b"2"),
            ("qw", b"3"),
            ("qw", b"4"),
            ("qw", b"5"),
        ] {
            history.keep(broadcast(kind, text));
        }
        let texts = |params: &str| -> String {
            last(&history, params)
                .iter()
                .map(|line| char::from(*line.last().unwrap()))
                .collect()
        };
        assert_eq!(texts(""), "345");
        assert_eq!(texts("2"), "45");
        assert_eq!(texts("20"), "12345");
        assert_eq!(texts("QW"), "345");
        assert_eq!(texts("spam"), "2");
        assert_eq!(texts("qw 4"), "1345");
        assert_eq!(texts(" qw   1 "), "5");
        assert_eq!(texts("none"), "");
    }

    #[test]
    fn what_is_asked_is_checked() {
        for bad in [
            "0",
            "21",
            "qw 0",
            "qw 21",
            "a b",
            "a b 3",
            "bad,kind",
            "-1",
            "99999999999999999999999999",
            "\u{e9}",
        ] {
            assert!(Wanted::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Wanted::parse(b"\xff").is_err());
    }

    #[test]
    fn only_new_broadcasts_are_kept_and_no_more_than_the_bound() {
        let mut history = History::new(2);
        let first = broadcast("qw", b"1");
        let chat = Message {
            class: Class::Chat,
            ..(*broadcast("chat", b"hi")).clone()
        };
        for message in [&first, &first, &Arc::new(chat), &broadcast("qw", b"2")] {
            history.keep(message.clone());
        }
        assert_eq!(last(&history, "20").len(), 2);
        history.keep(broadcast("qw", b"3"));
        assert!(last(&history, "20")[0].ends_with(b":2"));
        history.resize(1);
        assert!(last(&history, "20")[0].ends_with(b":3"));
        history.resize(0);
        history.keep(first);
        assert!(last(&history, "20").is_empty());
    }
}
