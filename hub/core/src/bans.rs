//! The bans that hold, ready to be asked for each message.

use std::collections::BTreeMap;

use bytes::Bytes;
use cmp_protocol::{ClientName, ErrorCode, Refusal};
use regex::bytes::{Regex, RegexBuilder};

use crate::flood::fold;
use crate::moderation::{Ban, BanId, BanTarget};

/// Bans in force at once.
const MAX_BANS: usize = 10_000;

/// The size a compiled text pattern may take, in bytes.
const MAX_PATTERN: usize = 256 * 1024;

#[derive(Debug)]
enum Matcher {
    Nick(Bytes),
    Origin(Bytes),
    Client(ClientName),
    Text(Regex),
}

/// What a message is checked by; nick and origin only exist on broadcasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) client: &'a ClientName,
    pub(crate) nick: Option<&'a [u8]>,
    pub(crate) origin: Option<&'a [u8]>,
    pub(crate) text: &'a [u8],
}

/// The bans, by number.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    bans: BTreeMap<BanId, (Ban, Matcher)>,
    newest: u64,
}

impl Bans {
    /// Takes over kept bans. One whose pattern does not compile is left out, with its error.
    pub(crate) fn load(kept: Vec<Ban>) -> (Self, Vec<String>) {
        let mut bans = Self::default();
        let mut problems = Vec::new();
        for ban in kept {
            bans.newest = bans.newest.max(ban.id.0);
            let id = ban.id.0;
            if let Err(problem) = bans.insert(ban) {
                problems.push(format!("ban {id} is left out: {problem}"));
            }
        }
        (bans, problems)
    }

    /// The number for the next ban.
    pub(crate) fn next_id(&mut self) -> BanId {
        self.newest += 1;
        BanId(self.newest)
    }

    /// Adds a ban; refused when its pattern is not valid or there are too many.
    pub(crate) fn insert(&mut self, ban: Ban) -> Result<(), String> {
        if self.bans.len() >= MAX_BANS {
            return Err(format!(
                "there are {MAX_BANS} bans already; lift some with unban"
            ));
        }
        let matcher = match &ban.target {
            BanTarget::Nick(nick) => Matcher::Nick(fold(nick)),
            BanTarget::Origin(origin) => Matcher::Origin(fold(origin)),
            BanTarget::Client(client) => Matcher::Client(client.clone()),
            BanTarget::Text(pattern) => Matcher::Text(
                RegexBuilder::new(pattern)
                    .size_limit(MAX_PATTERN)
                    .build()
                    .map_err(|error| {
                        // The message draws a picture first; its last line says what is wrong.
                        let text = error.to_string();
                        let cause = text.lines().last().unwrap_or_default();
                        let cause = cause.strip_prefix("error: ").unwrap_or(cause);
                        format!("the pattern is not valid: {cause}")
                    })?,
            ),
        };
        self.bans.insert(ban.id, (ban, matcher));
        Ok(())
    }

    /// Lifts a ban; false when there is none of this number.
    pub(crate) fn remove(&mut self, id: BanId) -> bool {
        self.bans.remove(&id).is_some()
    }

    /// The bans that hold at this moment, by number.
    pub(crate) fn in_force(&self, now_ms: u64) -> Vec<Ban> {
        self.bans
            .values()
            .map(|(ban, _)| ban)
            .filter(|ban| holds(ban, now_ms))
            .cloned()
            .collect()
    }

    /// The bans that have ended, which can be removed from the store.
    pub(crate) fn take_ended(&mut self, now_ms: u64) -> Vec<BanId> {
        let ended: Vec<_> = self
            .bans
            .values()
            .filter(|(ban, _)| !holds(ban, now_ms))
            .map(|(ban, _)| ban.id)
            .collect();
        for id in &ended {
            self.bans.remove(id);
        }
        ended
    }

    /// Refuses what a ban holds against.
    pub(crate) fn check(
        &self,
        command: &str,
        subject: Subject<'_>,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let hit = self.bans.values().find(|(ban, matcher)| {
            holds(ban, now_ms)
                && match matcher {
                    Matcher::Nick(nick) => same(nick, subject.nick),
                    Matcher::Origin(origin) => same(origin, subject.origin),
                    Matcher::Client(client) => client == subject.client,
                    Matcher::Text(pattern) => pattern.is_match(subject.text),
                }
        });
        let Some((ban, _)) = hit else { return Ok(()) };
        let what = match &ban.target {
            BanTarget::Nick(_) => "this nick is banned",
            BanTarget::Origin(_) => "this origin is banned",
            BanTarget::Client(_) => "this client is banned",
            BanTarget::Text(_) => "this text is banned",
        };
        let left = ban
            .until_ms
            .map(|until| std::time::Duration::from_millis(until - now_ms));
        let until = left.map_or_else(String::new, |left| {
            format!("; try again in {} s", left.as_secs() + 1)
        });
        Err(Refusal {
            subject: command.into(),
            code: ErrorCode::Banned,
            reason: format!("{what}: {}{until}", ban.reason),
            retry_after: left,
        })
    }
}

fn holds(ban: &Ban, now_ms: u64) -> bool {
    ban.until_ms.is_none_or(|until| until > now_ms)
}

fn same(folded: &[u8], given: Option<&[u8]>) -> bool {
    given.is_some_and(|given| given.eq_ignore_ascii_case(folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(id: u64, target: BanTarget, until_ms: Option<u64>) -> Ban {
        let by = ClientName::new("admin").unwrap();
        Ban {
            id: BanId(id),
            target,
            reason: "spam".into(),
            by,
            since_ms: 0,
            until_ms,
        }
    }

    fn check(bans: &Bans, client: &str, nick: &str, text: &[u8], now_ms: u64) -> Option<String> {
        let client = ClientName::new(client).unwrap();
        let subject = Subject {
            client: &client,
            nick: Some(nick.as_bytes()),
            origin: Some(b"#chan"),
            text,
        };
        bans.check("BC", subject, now_ms)
            .err()
            .map(|refusal| refusal.reason)
    }

    #[test]
    fn each_target_hits_what_it_names_and_nothing_else() {
        for (target, client, nick, text) in [
            (
                BanTarget::Nick(Bytes::from_static(b"BadGuy")),
                "bot",
                "badguy",
                &b"hi"[..],
            ),
            (
                BanTarget::Client(ClientName::new("evil").unwrap()),
                "evil",
                "n",
                b"hi",
            ),
            (
                BanTarget::Text("(?i)buy now".into()),
                "bot",
                "n",
                b"\xff BUY NOW",
            ),
        ] {
            let (bans, problems) = Bans::load(vec![ban(1, target, None)]);
            assert!(problems.is_empty());
            assert!(check(&bans, client, nick, text, 5).is_some());
            assert_eq!(check(&bans, "bot", "good", b"hello", 5), None);
        }
        let origin = BanTarget::Origin(Bytes::from_static(b"#CHAN"));
        let (bans, _) = Bans::load(vec![ban(1, origin, None)]);
        assert!(check(&bans, "bot", "anyone", b"x", 5).is_some());
    }

    #[test]
    fn a_ban_ends_and_says_when() {
        let nick = BanTarget::Nick(Bytes::from_static(b"x"));
        let (mut bans, _) = Bans::load(vec![ban(7, nick, Some(10_000))]);
        let reason = check(&bans, "bot", "x", b"", 4_000).unwrap();
        assert_eq!(reason, "this nick is banned: spam; try again in 7 s");
        assert_eq!(check(&bans, "bot", "x", b"", 10_000), None);
        assert_eq!(bans.take_ended(10_000), [BanId(7)]);
        assert_eq!(bans.next_id(), BanId(8));
    }

    #[test]
    fn a_bad_pattern_is_refused_and_the_others_stay() {
        let (bans, problems) = Bans::load(vec![
            ban(1, BanTarget::Text("(".into()), None),
            ban(2, BanTarget::Text("ok".into()), None),
        ]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("ban 1 is left out"));
        assert!(check(&bans, "bot", "n", b"ok", 0).is_some());
    }
}
