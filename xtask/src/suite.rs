//! Runs checks, tells how each went and how long it took, and sums up.

use std::time::{Duration, Instant};

use crate::targets::{Check, Outcome};

/// How one check of a suite went.
enum Verdict {
    Ended { outcome: Outcome, took: Duration },
    NotRun,
}

/// Runs one check by itself. True if it passed.
pub(crate) fn run_one(check: &Check) -> bool {
    let (outcome, took) = timed(check);
    report(check, &outcome, took);
    outcome.is_ok()
}

/// Runs the checks in their order, up to the first that fails, or all if `keep_going`; then
/// prints a summary that ends in a line `N passed, N failed`. True if all passed.
pub(crate) fn run_all(checks: &[Check], keep_going: bool) -> bool {
    let mut stopped = false;
    let mut verdicts = Vec::with_capacity(checks.len());
    for check in checks {
        if stopped {
            verdicts.push((check, Verdict::NotRun));
            continue;
        }
        let (outcome, took) = timed(check);
        report(check, &outcome, took);
        stopped = outcome.is_err() && !keep_going;
        verdicts.push((check, Verdict::Ended { outcome, took }));
    }

    println!("==> summary");
    let (text, failed) = summary(&verdicts);
    print!("{text}");
    failed == 0
}

fn timed(check: &Check) -> (Outcome, Duration) {
    println!("==> {}", check.name);
    let start = Instant::now();
    let outcome = (check.run)();
    (outcome, start.elapsed())
}

fn report(check: &Check, outcome: &Outcome, took: Duration) {
    let (name, seconds) = (check.name, took.as_secs_f64());
    match outcome {
        Ok(notes) => {
            println!("==> {name} passed in {seconds:.1} s");
            for note in notes {
                println!("    note: {note}");
            }
        }
        Err(error) => eprintln!("==> {name} failed after {seconds:.1} s: {error}"),
    }
}

/// The summary's text, and how many checks failed.
fn summary(verdicts: &[(&Check, Verdict)]) -> (String, usize) {
    let (mut passed, mut failed, mut skipped) = (0_usize, 0_usize, 0_usize);
    let mut lines = Vec::new();
    for (check, verdict) in verdicts {
        let name = check.name;
        match verdict {
            Verdict::Ended {
                outcome: Ok(notes),
                took,
            } => {
                passed += 1;
                lines.push(format!(
                    "    {name:<12}{:>8.1} s  passed",
                    took.as_secs_f64()
                ));
                lines.extend(notes.iter().map(|note| format!("    {:<24}{note}", "")));
            }
            Verdict::Ended {
                outcome: Err(error),
                took,
            } => {
                failed += 1;
                lines.push(format!(
                    "    {name:<12}{:>8.1} s  FAILED: {error}",
                    took.as_secs_f64()
                ));
            }
            Verdict::NotRun => {
                skipped += 1;
                lines.push(format!("    {name:<12}{:>10}  not run", "-"));
            }
        }
    }
    lines.push(match skipped {
        0 => format!("{passed} passed, {failed} failed"),
        _ => format!("{passed} passed, {failed} failed, {skipped} skipped"),
    });
    (lines.join("\n") + "\n", failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: fn() -> Outcome = || Ok(vec!["half of it was not looked at".into()]);
    const FAIL: fn() -> Outcome = || Err("it broke".into());
    /// Shows in the test that lets it run.
    const NEVER: fn() -> Outcome = || panic!("ran after a failure");

    fn check(name: &'static str, run: fn() -> Outcome) -> Check {
        Check {
            name,
            about: "",
            run,
        }
    }

    #[test]
    fn a_failure_stops_the_rest() {
        let checks = [
            check("one", PASS),
            check("two", FAIL),
            check("three", NEVER),
        ];
        assert!(!run_all(&checks, false));
    }

    #[test]
    #[should_panic(expected = "ran after a failure")]
    fn a_failure_lets_the_rest_run_when_told_to_keep_going() {
        run_all(&[check("one", FAIL), check("two", NEVER)], true);
    }

    #[test]
    fn a_suite_passes_if_every_check_does() {
        assert!(run_all(&[check("one", PASS), check("two", PASS)], false));
        assert!(!run_all(&[check("one", FAIL), check("two", PASS)], true));
        assert!(run_one(&check("one", PASS)));
        assert!(!run_one(&check("one", FAIL)));
    }

    #[test]
    fn the_summary_tells_each_check_and_counts_them() {
        let (one, two, three) = (
            check("one", PASS),
            check("two", FAIL),
            check("three", NEVER),
        );
        let ended = |outcome| Verdict::Ended {
            outcome,
            took: Duration::from_millis(1_300),
        };
        let verdicts = [
            (&one, ended(PASS())),
            (&two, ended(FAIL())),
            (&three, Verdict::NotRun),
        ];
        let (text, failed) = summary(&verdicts);
        assert_eq!(failed, 1);
        let expected = "    one              1.3 s  passed
                            half of it was not looked at
    two              1.3 s  FAILED: it broke
    three                -  not run
1 passed, 1 failed, 1 skipped
";
        assert_eq!(text, expected);
        let (text, _) = summary(&[(&one, ended(PASS()))]);
        assert!(text.ends_with("\n1 passed, 0 failed\n"));
    }
}
