//! Keeps the log readable while many connections are refused.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::refusal::RefusalKind;

/// How many lines the log takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimitSettings {
    /// Lines of one kind of refusal in one window. Default 5; 0 is taken as 1, the line that also
    /// says how many were left out.
    pub lines: u32,
    /// Length of a window, which begins with the first refusal. Default 10 s.
    pub window: Duration,
}

impl Default for LogLimitSettings {
    fn default() -> Self {
        Self {
            lines: 5,
            window: Duration::from_secs(10),
        }
    }
}

/// Whether to write a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Write it, and before it how many of its kind were left out since the last one, if any were.
    Log {
        /// How many were left out.
        suppressed_before: u64,
    },
    /// Leave it out.
    Suppress,
}

/// Decides line by line, each kind of refusal for itself. Neither logs nor reads the clock.
#[derive(Debug)]
pub struct LogLimit {
    settings: LogLimitSettings,
    windows: BTreeMap<RefusalKind, Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u32,
    suppressed: u64,
}

impl LogLimit {
    /// Starts with nothing logged.
    pub fn new(settings: LogLimitSettings) -> Self {
        Self {
            settings,
            windows: BTreeMap::new(),
        }
    }

    /// A refusal of `kind` happened at `now`: is it to be logged?
    pub fn on_refusal(&mut self, kind: RefusalKind, now: Instant) -> Verdict {
        let LogLimitSettings {
            lines,
            window: length,
        } = self.settings;
        let window = self.windows.entry(kind).or_insert(Window {
            began: now,
            lines: 0,
            suppressed: 0,
        });
        if now.saturating_duration_since(window.began) >= length {
            window.began = now;
            window.lines = 0;
        }
        if window.lines < lines.max(1) {
            window.lines += 1;
            Verdict::Log {
                suppressed_before: std::mem::take(&mut window.suppressed),
            }
        } else {
            window.suppressed += 1;
            Verdict::Suppress
        }
    }

    /// The kinds whose window is over at `now`, with how many refusals were left out; those without
    /// any are not named. Each is returned once.
    pub fn ended(&mut self, now: Instant) -> Vec<(RefusalKind, u64)> {
        let length = self.settings.window;
        self.windows
            .extract_if(.., |_, window| {
                now.saturating_duration_since(window.began) >= length
            })
            .map(|(kind, window)| (kind, window.suppressed))
            .filter(|(_, suppressed)| *suppressed > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIND: RefusalKind = RefusalKind::Penalty;
    const LOG: Verdict = Verdict::Log {
        suppressed_before: 0,
    };

    fn limit(lines: u32) -> LogLimit {
        LogLimit::new(LogLimitSettings {
            lines,
            window: Duration::from_secs(10),
        })
    }

    #[test]
    fn kinds_do_not_use_up_each_others_lines() {
        let (mut limit, now) = (limit(1), Instant::now());
        assert_eq!(limit.on_refusal(KIND, now), LOG);
        assert_eq!(limit.on_refusal(KIND, now), Verdict::Suppress);
        assert_eq!(limit.on_refusal(RefusalKind::Channels, now), LOG);
    }

    #[test]
    fn a_new_window_begins_with_the_first_refusal_after_the_old() {
        let (mut limit, start) = (limit(1), Instant::now());
        let at = |secs| start + Duration::from_secs(secs);
        assert_eq!(limit.on_refusal(KIND, at(0)), LOG);
        assert_eq!(limit.on_refusal(KIND, at(9)), Verdict::Suppress);
        assert_eq!(
            limit.on_refusal(KIND, at(10)),
            Verdict::Log {
                suppressed_before: 1
            }
        );
        assert_eq!(limit.on_refusal(KIND, at(19)), Verdict::Suppress);
        assert_eq!(limit.ended(at(19)), []);
        assert_eq!(limit.ended(at(20)), [(KIND, 1)]);
        assert_eq!(limit.ended(at(40)), [], "said once");
        assert_eq!(limit.on_refusal(KIND, at(40)), LOG);
        assert_eq!(limit.ended(at(50)), [], "nothing was left out");
    }

    proptest! {
        /// At most N lines in any window of a kind, and no refusal goes missing: each is either
        /// logged or in a number that is reported.
        #[test]
        fn lines_are_bounded_and_nothing_goes_missing(
            gaps in prop::collection::vec((0u64..6000, any::<bool>()), 0..300),
            lines in 0u32..4,
        ) {
            let mut limit = limit(lines);
            let (mut now, mut logged, mut left_out) = (Instant::now(), Vec::new(), 0);
            for (gap, tick) in &gaps {
                now += Duration::from_millis(*gap);
                if *tick {
                    left_out += limit.ended(now).into_iter().map(|(_, count)| count).sum::<u64>();
                }
                if let Verdict::Log { suppressed_before } = limit.on_refusal(KIND, now) {
                    left_out += suppressed_before;
                    logged.push(now);
                }
            }
            now += Duration::from_secs(10);
            left_out += limit.ended(now).into_iter().map(|(_, count)| count).sum::<u64>();
            prop_assert_eq!(logged.len() as u64 + left_out, gaps.len() as u64);
            // Windows follow each other, so a stretch of one length touches two at most.
            for (nth, first) in logged.iter().enumerate() {
                let within = logged[nth..]
                    .iter()
                    .filter(|line| line.duration_since(*first) < Duration::from_secs(10))
                    .count();
                prop_assert!(within <= 2 * lines.max(1) as usize);
            }
        }
    }
}
