//! The time of `expiry-time=`.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads `YYYYMMDD[HHMM[SS]]`, followed by `Z` or `UTC` for universal time; without, it is a
/// time in `local`.
///
/// Returns `None` for any other form, for dates that do not exist, and for times up to 1970,
/// which sshd refuses too. A local time that a change of clocks makes ambiguous or skips is
/// taken as the earlier one. Source: sshd(8); `parse_absolute_time` in OpenSSH's `misc.c`.
pub(super) fn parse(text: &str, local: &TimeZone) -> Option<SystemTime> {
    let upper = text.to_ascii_uppercase();
    let (digits, zone) = match upper
        .strip_suffix('Z')
        .or_else(|| upper.strip_suffix("UTC"))
    {
        Some(digits) => (digits, &TimeZone::UTC),
        None => (upper.as_str(), local),
    };
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Fields that are not given are zero.
    let field = |from, to| match digits.get(from..to) {
        Some(part) => part.parse::<i8>().ok(),
        None => Some(0),
    };
    let year = digits.get(..4)?.parse().ok()?;
    let (month, day) = (field(4, 6)?, field(6, 8)?);
    let (hour, minute, second) = (field(8, 10)?, field(10, 12)?, field(12, 14)?);
    let civil = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    // Only the last day of the year 9999, a way to write "never", has no timestamp in jiff.
    let timestamp = zone
        .to_ambiguous_timestamp(civil)
        .earlier()
        .unwrap_or(Timestamp::MAX);
    let seconds = u64::try_from(timestamp.as_second())
        .ok()
        .filter(|s| *s > 0)?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorized_keys::fixtures::time;

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn parse_in(text: &str, zone: &str) -> Option<SystemTime> {
        parse(text, &TimeZone::posix(zone).unwrap())
    }

    #[test]
    fn universal_and_local_times() {
        for (text, zone, expected) in [
            ("20260101Z", BERLIN, "2026-01-01T00:00:00Z"),
            ("20260101UTC", BERLIN, "2026-01-01T00:00:00Z"),
            ("20260101utc", BERLIN, "2026-01-01T00:00:00Z"),
            ("20260101z", BERLIN, "2026-01-01T00:00:00Z"),
            ("202601011234Z", BERLIN, "2026-01-01T12:34:00Z"),
            ("20260101123456Z", BERLIN, "2026-01-01T12:34:56Z"),
            ("19700102Z", BERLIN, "1970-01-02T00:00:00Z"),
            ("99991231235959Z", BERLIN, "9999-12-30T22:00:00Z"),
            ("99991231", BERLIN, "9999-12-30T22:00:00Z"),
            ("20260101", "UTC0", "2026-01-01T00:00:00Z"),
            // Local time is one hour ahead in winter and two in summer.
            ("20260101", BERLIN, "2025-12-31T23:00:00Z"),
            ("202607011200", BERLIN, "2026-07-01T10:00:00Z"),
            // 02:30 comes twice when the clocks go back, and never when they go forward.
            ("202610250230", BERLIN, "2026-10-25T00:30:00Z"),
            ("202603290230", BERLIN, "2026-03-29T00:30:00Z"),
        ] {
            assert_eq!(
                parse_in(text, zone),
                Some(time(expected)),
                "{text} in {zone}"
            );
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "Z",
            "UTC",
            "2026",
            "2026010",
            "202601011",
            "2026010112345",
            "202601011234567",
            "2026-01-01",
            "20261301",
            "20260230",
            "20260101T000000Z",
            "20260101ZZ",
            "+2026010",
            "20260101 ",
            "202601012460",
            "19700101Z",
            "19691231Z",
            "２０２６0101",
        ] {
            assert_eq!(parse_in(text, BERLIN), None, "{text:?}");
        }
    }
}
