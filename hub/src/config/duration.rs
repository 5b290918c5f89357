//! Times as an operator writes them: a whole number and its unit.

use std::time::Duration;

/// The units, the longest first, with their milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads `500ms`, `30s`, `10m`, `2h` or `90d`. The error says what to write instead.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let per_unit = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, ms)| *ms);
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    let count = digits.parse::<u64>().ok().filter(|_| plain);
    let ms = per_unit
        .zip(count)
        .and_then(|(ms, count)| ms.checked_mul(count));
    ms.map(Duration::from_millis).ok_or_else(|| {
        let text: String = text.chars().take(80).collect();
        format!("{text:?} is not a time; write a number and its unit: 500ms, 30s, 10m, 2h or 90d")
    })
}

/// The time as [`parse_duration`] reads it, in the longest unit that gives a whole number.
/// What is less than a millisecond is left out.
pub(super) fn show(time: Duration) -> String {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    let fits = UNITS
        .iter()
        .find(|(_, per_unit)| ms.is_multiple_of(*per_unit));
    fits.map_or_else(String::new, |(unit, per_unit)| {
        format!("{}{unit}", ms / per_unit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_unit_is_read() {
        for (text, ms) in [
            ("0s", 0),
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("90d", 7_776_000_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "30",
            "s",
            "30 s",
            "-1s",
            "+1s",
            "1.5h",
            "1h30m",
            "1S",
            "½h",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            let error = parse_duration(text).unwrap_err();
            assert!(
                error.starts_with(&format!("{text:?} is not a time; write ")),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_shown_time_is_read_back(ms: u64) {
            let time = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&show(time)), Ok(time));
        }

        #[test]
        fn no_text_is_too_odd(text: String) {
            let _ = parse_duration(&text);
        }
    }
}
