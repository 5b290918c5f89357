use super::*;
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn penalties(settings: PenaltySettings) -> Penalties {
    Penalties::new(settings, NetBlockSize::default())
}

#[test]
fn the_defaults_are_those_of_openssh() {
    // sshd -T: persourcepenalties crash:90 authfail:5 noauth:1 grace-exceeded:10 … max:600 min:15
    // max-sources4:65536 max-sources6:65536 overflow:permissive overflow6:permissive
    let settings = PenaltySettings::default();
    assert_eq!(
        [
            settings.crash,
            settings.auth_fail,
            settings.no_auth,
            settings.grace_exceeded
        ],
        [secs(90), secs(5), secs(1), secs(10)]
    );
    assert_eq!((settings.min, settings.max), (secs(15), secs(600)));
    assert_eq!(settings.max_sources, 65536);
    let exempt: Vec<_> = settings.exempt.iter().map(ToString::to_string).collect();
    assert_eq!(exempt, ["127.0.0.0/8", "::1/128"]);
}

#[test]
fn misdeeds_add_up_and_count_from_over_the_minimum() {
    let mut penalties = penalties(PenaltySettings::default());
    let (bad, now) = (ip("192.0.2.1"), Instant::now());
    for _ in 0..3 {
        let penalty = penalties.penalise(bad, PenaltyKind::AuthFail, now).unwrap();
        assert!(!penalty.active, "15 s are not more than 15 s");
        assert_eq!(penalties.check(bad, now), None);
    }
    let fourth = penalties.penalise(bad, PenaltyKind::AuthFail, now).unwrap();
    assert_eq!((fourth.remaining, fourth.active), (secs(20), true));
    assert_eq!(penalties.check(bad, now), Some(fourth));
    assert_eq!(penalties.check(ip("192.0.2.2"), now), None);
}

#[test]
fn an_active_penalty_stays_until_all_of_it_has_passed() {
    let mut penalties = penalties(PenaltySettings::default());
    let (bad, now) = (ip("192.0.2.1"), Instant::now());
    penalties.penalise(bad, PenaltyKind::Crash, now);
    let late = penalties.check(bad, now + secs(89)).unwrap();
    assert_eq!((late.kind, late.remaining), (PenaltyKind::Crash, secs(1)));
    assert_eq!(penalties.check(bad, now + secs(90)), None);
    assert_eq!(penalties.sources(), 0);
    let anew = penalties
        .penalise(bad, PenaltyKind::AuthFail, now + secs(90))
        .unwrap();
    assert_eq!(
        (anew.remaining, anew.active),
        (secs(5), false),
        "nothing is left of the old one"
    );
}

#[test]
fn misdeeds_far_apart_never_add_up() {
    let mut penalties = penalties(PenaltySettings::default());
    let (clumsy, start) = (ip("192.0.2.1"), Instant::now());
    for nth in 0..100 {
        let penalty = penalties
            .penalise(clumsy, PenaltyKind::AuthFail, start + secs(5 * nth))
            .unwrap();
        assert_eq!((penalty.remaining, penalty.active), (secs(5), false));
    }
}

#[test]
fn a_penalty_is_capped_also_the_first() {
    let mut penalties = penalties(PenaltySettings {
        max: secs(60),
        ..PenaltySettings::default()
    });
    let (bad, now) = (ip("192.0.2.1"), Instant::now());
    for _ in 0..3 {
        let penalty = penalties.penalise(bad, PenaltyKind::Crash, now).unwrap();
        assert_eq!(penalty.remaining, secs(60));
    }
    assert_eq!(penalties.check(bad, now + secs(60)), None);
}

#[test]
fn exempt_networks_and_switched_off_kinds_get_none() {
    let mut penalties = penalties(PenaltySettings {
        exempt: vec!["192.0.2.0/24".parse().unwrap()],
        no_auth: Duration::ZERO,
        ..PenaltySettings::default()
    });
    let now = Instant::now();
    for exempt in ["192.0.2.77", "::ffff:192.0.2.77"] {
        assert_eq!(
            penalties.penalise(ip(exempt), PenaltyKind::Crash, now),
            None
        );
    }
    assert_eq!(
        penalties.penalise(ip("198.51.100.1"), PenaltyKind::NoAuth, now),
        None
    );
    assert_eq!(penalties.sources(), 0);
    assert!(
        penalties
            .penalise(ip("198.51.100.1"), PenaltyKind::Crash, now)
            .is_some()
    );

    let mut by_default = self::penalties(PenaltySettings::default());
    for local in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(
            by_default.penalise(ip(local), PenaltyKind::Crash, now),
            None
        );
    }

    let mut off = self::penalties(PenaltySettings {
        enabled: false,
        ..PenaltySettings::default()
    });
    assert_eq!(
        off.penalise(ip("198.51.100.1"), PenaltyKind::Crash, now),
        None
    );
}

#[test]
fn neighbours_in_an_ipv6_block_share_a_penalty() {
    let mut penalties = penalties(PenaltySettings::default());
    let now = Instant::now();
    penalties.penalise(ip("2001:db8::1"), PenaltyKind::Crash, now);
    let block = penalties.check(ip("2001:db8::ffff"), now).unwrap().block;
    assert_eq!(block.to_string(), "2001:db8::/64");
    assert_eq!(penalties.check(ip("2001:db8:0:1::1"), now), None);
}

#[test]
fn a_full_table_forgets_what_would_end_first() {
    let settings = PenaltySettings {
        max_sources: 2,
        ..PenaltySettings::default()
    };
    let mut penalties = penalties(settings);
    let now = Instant::now();
    penalties.penalise(ip("192.0.2.1"), PenaltyKind::Crash, now);
    penalties.penalise(ip("192.0.2.2"), PenaltyKind::GraceExceeded, now);
    assert_eq!(
        penalties.penalise(ip("192.0.2.3"), PenaltyKind::NoAuth, now),
        None,
        "the newcomer would end first"
    );
    assert!(
        penalties
            .penalise(ip("192.0.2.4"), PenaltyKind::Crash, now)
            .is_some()
    );
    assert_eq!(penalties.sources(), 2);
    assert!(penalties.check(ip("192.0.2.1"), now).is_some());
    assert!(penalties.check(ip("192.0.2.4"), now).is_some());

    // A flood from IPv6 networks leaves the IPv4 table alone.
    for network in 0..100 {
        penalties.penalise(
            ip(&format!("2001:db8:0:{network:x}::1")),
            PenaltyKind::Crash,
            now,
        );
    }
    assert_eq!(penalties.sources(), 4);
    assert!(penalties.check(ip("192.0.2.1"), now).is_some());
}

#[test]
fn absurd_settings_do_not_overflow() {
    let mut penalties = penalties(PenaltySettings {
        crash: Duration::MAX,
        max: Duration::MAX,
        ..PenaltySettings::default()
    });
    let (bad, now) = (ip("192.0.2.1"), Instant::now());
    for _ in 0..2 {
        let penalty = penalties.penalise(bad, PenaltyKind::Crash, now).unwrap();
        assert_eq!(penalty.remaining, LONGEST);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Misdeed(u8, PenaltyKind),
    Connect(u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(PenaltyKind::AuthFail),
        Just(PenaltyKind::NoAuth),
        Just(PenaltyKind::GraceExceeded),
        Just(PenaltyKind::Crash),
    ];
    prop_oneof![
        (0u8..12, kind).prop_map(|(source, kind)| Step::Misdeed(source, kind)),
        (0u8..12).prop_map(Step::Connect),
        (0u64..40_000).prop_map(Step::Wait),
    ]
}

/// Even numbers are IPv4 sources, odd ones IPv6 networks.
fn source(number: u8) -> IpAddr {
    if number.is_multiple_of(2) {
        ip(&format!("192.0.2.{number}"))
    } else {
        ip(&format!("2001:db8:0:{number:x}::1"))
    }
}

proptest! {
    /// Whatever sources do, a penalty is never over the maximum, the table never over its bound
    /// with both indexes alike, and after the maximum without misdeeds everything is forgotten.
    #[test]
    fn penalties_are_capped_bounded_and_expire(
        steps in prop::collection::vec(step(), 0..300),
        max_sources in 0usize..6,
        max in 1u64..200,
    ) {
        let max = secs(max);
        let settings = PenaltySettings { max, max_sources, ..PenaltySettings::default() };
        let mut penalties = penalties(settings);
        let mut now = Instant::now();
        for step in steps {
            let penalty = match step {
                Step::Misdeed(number, kind) => penalties.penalise(source(number), kind, now),
                Step::Connect(number) => {
                    let refused = penalties.check(source(number), now);
                    prop_assert!(refused.is_none_or(|penalty| penalty.active));
                    refused
                }
                Step::Wait(millis) => {
                    now += Duration::from_millis(millis);
                    None
                }
            };
            let left = penalty.map(|penalty| penalty.remaining);
            prop_assert!(left.is_none_or(|left| left > Duration::ZERO && left <= max));
            for table in [&penalties.ipv4, &penalties.ipv6] {
                prop_assert!(table.len() <= max_sources);
                prop_assert_eq!(table.len(), table.by_end.len());
                for (ends, block) in &table.by_end {
                    prop_assert_eq!(table.by_block.get(block).map(|entry| entry.ends), Some(*ends));
                }
            }
        }
        now += max;
        for number in 0..12 {
            prop_assert_eq!(penalties.check(source(number), now), None);
        }
        prop_assert_eq!(penalties.sources(), 0);
    }

    /// With room for all sources, the table agrees with the plain sum of a model.
    #[test]
    fn penalties_follow_the_model(steps in prop::collection::vec(step(), 0..200)) {
        let settings = PenaltySettings::default();
        let mut penalties = penalties(settings.clone());
        let mut model: HashMap<u8, (Duration, bool)> = HashMap::new();
        let mut now = Instant::now();
        for step in steps {
            match step {
                Step::Misdeed(number, kind) => {
                    let (left, active) = model.entry(number).or_default();
                    *left = (*left + settings.time_for(kind)).min(settings.max);
                    *active |= *left > settings.min;
                    penalties.penalise(source(number), kind, now);
                }
                Step::Connect(number) => {
                    let expected = model.get(&number).filter(|(_, active)| *active);
                    let refused = penalties.check(source(number), now);
                    prop_assert_eq!(
                        refused.map(|penalty| penalty.remaining),
                        expected.map(|(left, _)| *left)
                    );
                }
                Step::Wait(millis) => {
                    let waited = Duration::from_millis(millis);
                    now += waited;
                    model.retain(|_, (left, _)| {
                        *left = left.saturating_sub(waited);
                        !left.is_zero()
                    });
                }
            }
        }
    }
}
