//! Rules against too many broadcasts: a token bucket per client, a cooldown per nick and origin,
//! the same text again, warnings per origin and the mute that follows them.
//!
//! Every table is bounded: past its bound the oldest entry goes, so that a flood of names costs
//! a wrong permission at worst, never memory.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

use bytes::Bytes;
use cmp_protocol::{ClientName, ErrorCode, Refusal};
use tokio::time::Instant;

use crate::moderation::OriginRecord;
use crate::policy::FloodRules;

/// The parts of a broadcast that the rules look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample<'a> {
    pub(crate) client: &'a ClientName,
    pub(crate) nick: &'a [u8],
    pub(crate) origin: &'a [u8],
    pub(crate) text: &'a [u8],
}

/// Moments by key, oldest first out.
#[derive(Debug)]
struct Recent<K> {
    at: HashMap<K, Instant>,
    order: VecDeque<(Instant, K)>,
    bound: usize,
}

impl<K: Eq + Hash + Clone> Recent<K> {
    fn new(bound: usize) -> Self {
        Self {
            at: HashMap::new(),
            order: VecDeque::new(),
            bound,
        }
    }

    fn age(&self, key: &K, now: Instant) -> Option<Duration> {
        self.at
            .get(key)
            .map(|at| now.saturating_duration_since(*at))
    }

    fn note(&mut self, key: K, now: Instant) {
        self.at.insert(key.clone(), now);
        self.order.push_back((now, key));
        while self.order.len() > self.bound {
            let Some((at, key)) = self.order.pop_front() else {
                break;
            };
            // A key noted again later stays, by its later place in the order.
            if self.at.get(&key) == Some(&at) {
                self.at.remove(&key);
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// The state of the flood rules.
#[derive(Debug)]
pub(crate) struct Flood {
    buckets: HashMap<ClientName, Bucket>,
    spoken: Recent<(Bytes, Bytes)>,
    /// Texts by a keyed hash, so that long ones take no more room than short ones.
    texts: Recent<u64>,
    hasher: RandomState,
    origins: HashMap<Bytes, OriginRecord>,
    /// The origins in the order in which their records began, by the moment that stands in them.
    order: VecDeque<(u64, Bytes)>,
    bound: usize,
}

/// What a refused broadcast changed, to be kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// The records of origins that changed: one without warnings and mute is forgotten.
    pub(crate) records: Vec<OriginRecord>,
}

impl Flood {
    /// Starts with the newest of the records that were kept.
    pub(crate) fn new(bound: usize, mut kept: Vec<OriginRecord>) -> Self {
        kept.sort_by_key(|record| record.first_warning_ms);
        let newest = kept.split_off(kept.len().saturating_sub(bound));
        let order = newest
            .iter()
            .map(|record| (record.first_warning_ms, record.origin.clone()))
            .collect();
        Self {
            buckets: HashMap::new(),
            spoken: Recent::new(bound),
            texts: Recent::new(bound),
            hasher: RandomState::new(),
            origins: newest
                .into_iter()
                .map(|record| (record.origin.clone(), record))
                .collect(),
            order,
            bound,
        }
    }

    /// Checks a broadcast and, where it is permitted, counts it. `now_ms` is the same moment as
    /// `now`, in milliseconds since 1970-01-01T00:00Z.
    pub(crate) fn check(
        &mut self,
        rules: &FloodRules,
        sample: Sample<'_>,
        now: Instant,
        now_ms: u64,
    ) -> Result<(), Refused> {
        let origin = fold(sample.origin);
        if let Some(until) = self.muted_until(&origin, now_ms) {
            let wait = Duration::from_millis(until - now_ms);
            let reason = format!("{} is muted", show(sample.origin));
            let refusal = refuse(ErrorCode::Muted, &reason, wait);
            return Err(Refused {
                refusal,
                records: Vec::new(),
            });
        }
        // A client that sends too much is not its origins' fault: no warning.
        self.refill(rules, sample.client, now)
            .map_err(|refusal| Refused {
                refusal,
                records: Vec::new(),
            })?;
        // What is refused below is paid for as well: repeating it is not free.
        self.spend(sample.client);

        let speaker = (fold(sample.nick), origin.clone());
        let text = self.hasher.hash_one(sample.text.to_ascii_lowercase());
        let refusal = if let Some(wait) = left(rules.cooldown, self.spoken.age(&speaker, now)) {
            let reason = format!(
                "{} has just sent from {}",
                show(sample.nick),
                show(sample.origin)
            );
            refuse(ErrorCode::Flood, &reason, wait)
        } else if let Some(wait) = left(rules.repeat_window, self.texts.age(&text, now)) {
            refuse(
                ErrorCode::Repeated,
                "the same text was sent a short while ago",
                wait,
            )
        } else {
            if !rules.cooldown.is_zero() {
                self.spoken.note(speaker, now);
            }
            if !rules.repeat_window.is_zero() {
                self.texts.note(text, now);
            }
            return Ok(());
        };
        let records = self.warn(rules, origin, now_ms);
        Err(Refused { refusal, records })
    }

    fn muted_until(&self, origin: &[u8], now_ms: u64) -> Option<u64> {
        self.origins
            .get(origin)?
            .muted_until_ms
            .filter(|until| *until > now_ms)
    }

    /// Brings the client's bucket up to now; refuses when no token is in it.
    fn refill(
        &mut self,
        rules: &FloodRules,
        client: &ClientName,
        now: Instant,
    ) -> Result<(), Refusal> {
        let Some(burst) = rules.burst else {
            return Ok(());
        };
        let burst = f64::from(burst.max(1));
        let per_second = f64::from(rules.per_minute) / 60.0;
        let bucket = self.buckets.entry(client.clone()).or_insert(Bucket {
            tokens: burst,
            at: now,
        });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * per_second).min(burst);
        bucket.at = now;
        if bucket.tokens >= 1.0 {
            return Ok(());
        }
        let reason = format!("{client} sends too many broadcasts");
        if per_second > 0.0 {
            let wait = Duration::from_secs_f64((1.0 - bucket.tokens) / per_second);
            Err(refuse(ErrorCode::Flood, &reason, wait))
        } else {
            Err(Refusal::new("BC", ErrorCode::Flood, reason))
        }
    }

    fn spend(&mut self, client: &ClientName) {
        if let Some(bucket) = self.buckets.get_mut(client) {
            bucket.tokens -= 1.0;
        }
    }

    /// Forgets the bucket of a client that has left and would have a full one anyway; called now
    /// and then, so that the table is bounded by the clients that are connected.
    pub(crate) fn forget_idle(&mut self, connected: impl Fn(&ClientName) -> bool, now: Instant) {
        const FULL_AGAIN: Duration = Duration::from_secs(3600);
        self.buckets.retain(|client, bucket| {
            connected(client) || now.saturating_duration_since(bucket.at) < FULL_AGAIN
        });
    }

    /// Counts a warning against an origin, and mutes it where that was one too many. Returns the
    /// records to keep.
    fn warn(&mut self, rules: &FloodRules, origin: Bytes, now_ms: u64) -> Vec<OriginRecord> {
        if rules.max_warnings == 0 {
            return Vec::new();
        }
        let known = self.origins.get(&origin).cloned();
        let mut record = known.unwrap_or_else(|| cleared(origin, now_ms));
        if now_ms.saturating_sub(record.first_warning_ms) > millis(rules.warning_window) {
            record.warnings = 0;
        }
        if record.warnings == 0 {
            record.first_warning_ms = now_ms;
        }
        record.warnings += 1;
        if record.warnings >= rules.max_warnings {
            record.warnings = 0;
            record.muted_until_ms = Some(now_ms.saturating_add(millis(rules.mute)));
        }
        let mut records = self.put(record.clone());
        records.push(record);
        records
    }

    /// Adds or replaces a record. Past the bound the oldest goes: it is returned, cleared.
    fn put(&mut self, record: OriginRecord) -> Vec<OriginRecord> {
        let (began, origin) = (record.first_warning_ms, record.origin.clone());
        let before = self.origins.insert(origin.clone(), record);
        if before.is_none_or(|before| before.first_warning_ms != began) {
            self.order.push_back((began, origin));
        }
        let mut forgotten = Vec::new();
        // An origin that began again has a later place in the order as well, so the order is
        // longer than the table; twice as long at most.
        while self.origins.len() > self.bound || self.order.len() > 2 * self.bound {
            let Some((began, origin)) = self.order.pop_front() else {
                break;
            };
            let current = self
                .origins
                .get(&origin)
                .map(|record| record.first_warning_ms);
            if current == Some(began) {
                self.origins.remove(&origin);
                forgotten.push(cleared(origin, began));
            }
        }
        forgotten
    }

    /// Forgets the origins whose warnings are older than `window` and whose mute is over, `most` of
    /// them. Returns their records, cleared.
    pub(crate) fn take_ended(
        &mut self,
        window: Duration,
        now_ms: u64,
        most: usize,
    ) -> Vec<OriginRecord> {
        let holds = |record: &OriginRecord| {
            let warned = record.warnings > 0
                && now_ms.saturating_sub(record.first_warning_ms) <= millis(window);
            warned || record.muted_until_ms.is_some_and(|until| until > now_ms)
        };
        let ended: Vec<_> = self
            .origins
            .values()
            .filter(|record| !holds(record))
            .take(most)
            .map(|record| cleared(record.origin.clone(), record.first_warning_ms))
            .collect();
        for record in &ended {
            self.origins.remove(&record.origin);
        }
        let origins = &self.origins;
        self.order.retain(|(began, origin)| {
            origins
                .get(origin)
                .is_some_and(|record| record.first_warning_ms == *began)
        });
        ended
    }

    /// Mutes an origin by hand, or lifts its mute and warnings with a duration of zero. Returns
    /// the records to keep, its own last.
    pub(crate) fn mute(
        &mut self,
        origin: &[u8],
        duration: Duration,
        now_ms: u64,
    ) -> Vec<OriginRecord> {
        let origin = fold(origin);
        let mut record = cleared(origin.clone(), now_ms);
        if duration.is_zero() {
            self.origins.remove(&origin);
            return vec![record];
        }
        record.muted_until_ms = Some(now_ms.saturating_add(millis(duration)));
        let mut records = self.put(record.clone());
        records.push(record);
        records
    }

    /// The origins with warnings or a mute that still hold, by name.
    pub(crate) fn origins(&self, now_ms: u64) -> Vec<OriginRecord> {
        let mut records: Vec<_> = self
            .origins
            .values()
            .filter(|record| {
                record.warnings > 0 || record.muted_until_ms.is_some_and(|until| until > now_ms)
            })
            .cloned()
            .collect();
        records.sort_by(|a, b| a.origin.cmp(&b.origin));
        records
    }
}

/// A record that says nothing against an origin.
fn cleared(origin: Bytes, began_ms: u64) -> OriginRecord {
    OriginRecord {
        origin,
        warnings: 0,
        first_warning_ms: began_ms,
        muted_until_ms: None,
    }
}

fn refuse(code: ErrorCode, reason: &str, wait: Duration) -> Refusal {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Refusal {
        subject: "BC".into(),
        code,
        reason: format!("{reason}; try again in {seconds} s"),
        retry_after: Some(wait),
    }
}

/// What is left of `window` when `age` of it has passed.
fn left(window: Duration, age: Option<Duration>) -> Option<Duration> {
    window.checked_sub(age?).filter(|wait| !wait.is_zero())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Names and texts are the same whatever the case of their ASCII letters.
pub(crate) fn fold(bytes: &[u8]) -> Bytes {
    bytes.to_ascii_lowercase().into()
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> FloodRules {
        FloodRules {
            burst: Some(20),
            per_minute: 6,
            cooldown: Duration::from_secs(30),
            repeat_window: Duration::from_secs(300),
            max_warnings: 2,
            warning_window: Duration::from_secs(600),
            mute: Duration::from_secs(60),
        }
    }

    struct Bench {
        flood: Flood,
        rules: FloodRules,
        client: ClientName,
        start: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                flood: Flood::new(100, Vec::new()),
                rules: rules(),
                client: ClientName::new("bot").unwrap(),
                start: Instant::now(),
            }
        }

        fn send(&mut self, at: u64, nick: &str, origin: &str, text: &str) -> Result<(), Refused> {
            let sample = Sample {
                client: &self.client,
                nick: nick.as_bytes(),
                origin: origin.as_bytes(),
                text: text.as_bytes(),
            };
            let now = self.start + Duration::from_secs(at);
            self.flood
                .check(&self.rules, sample, now, 1_000_000 + at * 1000)
        }

        fn code(&mut self, at: u64, nick: &str, origin: &str, text: &str) -> Option<ErrorCode> {
            self.send(at, nick, origin, text)
                .err()
                .map(|refused| refused.refusal.code)
        }
    }

    #[test]
    fn a_client_gets_its_burst_and_then_its_rate() {
        let mut bench = Bench::new();
        bench.rules.burst = Some(2);
        assert_eq!(bench.code(0, "a", "#1", "x"), None);
        assert_eq!(bench.code(0, "b", "#2", "y"), None);
        let refused = bench.send(0, "c", "#3", "z").unwrap_err();
        assert_eq!(refused.refusal.code, ErrorCode::Flood);
        assert_eq!(refused.refusal.retry_after, Some(Duration::from_secs(10)));
        assert!(refused.refusal.reason.ends_with("try again in 10 s"));
        assert!(
            refused.records.is_empty(),
            "a fast client is no warning for the origin"
        );
        assert_eq!(bench.code(10, "c", "#3", "z"), None);
    }

    #[test]
    fn a_nick_at_an_origin_has_a_cooldown() {
        let mut bench = Bench::new();
        assert_eq!(bench.code(0, "Nick", "#Chan", "one"), None);
        assert_eq!(
            bench.code(20, "nick", "#chan", "two"),
            Some(ErrorCode::Flood)
        );
        assert_eq!(bench.code(20, "nick", "#other", "three"), None);
        assert_eq!(
            bench.code(31, "nick", "#chan", "two"),
            None,
            "a refusal does not renew it"
        );
    }

    #[test]
    fn the_same_text_is_refused_for_a_while_whoever_says_it() {
        let mut bench = Bench::new();
        assert_eq!(bench.code(0, "a", "#1", "4on4 mix"), None);
        assert_eq!(
            bench.code(60, "b", "#2", "4ON4 mix"),
            Some(ErrorCode::Repeated)
        );
        assert_eq!(bench.code(301, "b", "#2", "4on4 mix"), None);
    }

    #[test]
    fn warnings_mute_an_origin_for_a_time() {
        let mut bench = Bench::new();
        assert_eq!(bench.code(0, "a", "#1", "one"), None);
        let first = bench.send(1, "a", "#1", "two").unwrap_err();
        assert_eq!(first.records[0].warnings, 1);
        let second = bench.send(2, "a", "#1", "two").unwrap_err();
        assert!(second.records[0].muted_until_ms.is_some());
        assert_eq!(bench.code(40, "b", "#1", "other"), Some(ErrorCode::Muted));
        assert_eq!(
            bench.code(40, "b", "#2", "other"),
            None,
            "other origins are not muted"
        );
        assert_eq!(
            bench.code(63, "b", "#1", "more"),
            None,
            "the mute ends by itself"
        );
    }

    #[test]
    fn a_mute_survives_a_restart_by_its_record() {
        let mut bench = Bench::new();
        let records = bench
            .flood
            .mute(b"#Bad", Duration::from_secs(60), 1_000_000);
        let mut restarted = Bench {
            flood: Flood::new(100, records),
            ..Bench::new()
        };
        assert_eq!(restarted.code(0, "a", "#bad", "x"), Some(ErrorCode::Muted));
        restarted.flood.mute(b"#bad", Duration::ZERO, 1_000_000);
        assert_eq!(restarted.code(0, "a", "#bad", "x"), None);
    }

    #[test]
    fn tables_stay_within_their_bound() {
        let mut flood = Flood::new(10, Vec::new());
        let rules = FloodRules {
            burst: None,
            max_warnings: 1,
            ..rules()
        };
        let start = Instant::now();
        for n in 0..100u64 {
            let client = ClientName::new("bot").unwrap();
            let (nick, text) = (format!("n{n}"), format!("t{n}"));
            for origin in [format!("#{n}"), format!("#{n}")] {
                let sample = Sample {
                    client: &client,
                    nick: nick.as_bytes(),
                    origin: origin.as_bytes(),
                    text: text.as_bytes(),
                };
                let _ = flood.check(&rules, sample, start + Duration::from_millis(n), n);
            }
        }
        assert!(flood.spoken.at.len() <= 10 && flood.texts.at.len() <= 10);
        assert_eq!(flood.origins.len(), 10);
    }

    #[test]
    fn repeating_costs_as_much_as_sending() {
        let mut bench = Bench::new();
        assert_eq!(bench.code(0, "n", "#0", "same"), None);
        let codes: Vec<_> = (0..30)
            .map(|n| bench.code(0, "n", &format!("#o{n}"), "same"))
            .collect();
        assert_eq!(codes[0], Some(ErrorCode::Repeated));
        assert_eq!(
            codes[29],
            Some(ErrorCode::Flood),
            "no token is left for a refusal"
        );
    }

    #[test]
    fn ended_warnings_and_mutes_are_forgotten_and_the_oldest_goes_past_the_bound() {
        let mut flood = Flood::new(2, Vec::new());
        let minute = Duration::from_secs(60);
        for (origin, at) in [("#1", 1_000), ("#2", 2_000), ("#3", 3_000)] {
            let records = flood.mute(origin.as_bytes(), minute, at);
            let forgotten: Vec<_> = records
                .iter()
                .filter(|r| r.muted_until_ms.is_none())
                .collect();
            assert_eq!(forgotten.len(), usize::from(origin == "#3"));
        }
        assert_eq!(flood.origins(4_000).len(), 2);
        assert!(flood.take_ended(minute, 62_500, 0).is_empty());
        let ended = flood.take_ended(minute, 62_500, 10);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].origin, "#2");
        assert_eq!(flood.order.len(), 1);
        // What was kept past the bound is not loaded.
        let kept = (0..5).map(|n| cleared(format!("#{n}").into(), n)).collect();
        assert!(Flood::new(2, kept).origins.contains_key(&b"#4"[..]));
    }
}
