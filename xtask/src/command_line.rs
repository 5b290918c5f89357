//! What the person asked for, and the help.

use std::fmt::Write as _;

use crate::targets::{CHECKS, Check};

/// The target that runs all the checks.
const TEST: &str = "test";
const TEST_ABOUT: &str = "all of the above, then a summary; stops at the first that fails";
const KEEP_GOING: &str = "--keep-going";

/// A command line that was understood.
pub(crate) enum Request {
    /// List the targets.
    Help,
    /// Run one check.
    Check(&'static Check),
    /// Run them all; past a failing one if `keep_going`.
    Test {
        /// Whether a failing check lets the rest run.
        keep_going: bool,
    },
}

/// Understands the words after `cargo xtask`.
///
/// # Errors
/// A sentence for the person, if a word is not known here.
pub(crate) fn parse(arguments: &[String]) -> Result<Request, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if words.iter().any(|word| matches!(*word, "--help" | "-h")) {
        return Ok(Request::Help);
    }
    let Some((name, options)) = words.split_first() else {
        return Ok(Request::Help);
    };
    match (*name, options) {
        ("help", _) => Ok(Request::Help),
        (TEST, []) => Ok(Request::Test { keep_going: false }),
        (TEST, [KEEP_GOING]) => Ok(Request::Test { keep_going: true }),
        (TEST, _) => Err(unknown_option(name, options)),
        _ => {
            let check = CHECKS.iter().find(|check| check.name == *name);
            let check = check.ok_or_else(|| unknown_target(name))?;
            if options.is_empty() {
                Ok(Request::Check(check))
            } else {
                Err(unknown_option(name, options))
            }
        }
    }
}

/// The targets, one line each.
pub(crate) fn help() -> String {
    let mut text = String::from("Usage: cargo xtask <target>\n\nTargets:\n");
    let checks = CHECKS.iter().map(|check| (check.name, check.about));
    for (name, about) in checks.chain([(TEST, TEST_ABOUT)]) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<12}{about}");
    }
    let _ = writeln!(
        text,
        "\n`cargo xtask {TEST} {KEEP_GOING}` runs the rest after a failure too."
    );
    text
}

fn unknown_option(name: &str, options: &[&str]) -> String {
    let options = options.join(" ");
    format!("`{name}` does not take `{options}`; `cargo xtask help` lists what there is")
}

fn unknown_target(name: &str) -> String {
    let names = CHECKS.iter().map(|check| check.name).chain([TEST, "help"]);
    let near: Vec<String> = names
        .filter(|known| known.contains(name) || edit_distance(known, name) <= 2)
        .map(|known| format!("`{known}`"))
        .collect();
    if near.is_empty() {
        format!("there is no target `{name}`; `cargo xtask help` lists them")
    } else {
        format!(
            "there is no target `{name}`; did you mean {}?",
            near.join(" or ")
        )
    }
}

/// Levenshtein distance: how many characters to insert, delete or replace.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    // The distances from what was read of `left` to every beginning of `right`.
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (read, left_char) in left.chars().enumerate() {
        let mut next = vec![read + 1];
        let mut last = read + 1;
        for (&right_char, (&replace, &delete)) in
            right.iter().zip(row.iter().zip(row.iter().skip(1)))
        {
            let replace = replace + usize::from(left_char != right_char);
            last = replace.min(delete + 1).min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Request, String> {
        parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn mistake(words: &[&str]) -> String {
        parse_words(words).err().expect("must be refused")
    }

    #[test]
    fn every_check_is_in_the_help_and_can_be_called() {
        for check in CHECKS {
            assert!(help().contains(&format!("\n  {:<12}{}\n", check.name, check.about)));
            let request = parse_words(&[check.name]).unwrap();
            assert!(matches!(request, Request::Check(found) if found.name == check.name));
        }
    }

    #[test]
    fn nothing_and_every_word_for_help_list_the_targets() {
        for words in [
            &[][..],
            &["help"],
            &["--help"],
            &["-h"],
            &["test", "--help"],
        ] {
            assert!(matches!(parse_words(words), Ok(Request::Help)), "{words:?}");
        }
    }

    #[test]
    fn test_stops_at_a_failure_unless_told_otherwise() {
        assert!(matches!(
            parse_words(&["test"]),
            Ok(Request::Test { keep_going: false })
        ));
        let going = parse_words(&["test", "--keep-going"]);
        assert!(matches!(going, Ok(Request::Test { keep_going: true })));
    }

    #[test]
    fn a_mistyped_target_names_the_nearest() {
        assert_eq!(
            mistake(&["clipy"]),
            "there is no target `clipy`; did you mean `clippy`?"
        );
        assert_eq!(
            mistake(&["package"]),
            "there is no target `package`; did you mean `packages`?"
        );
        assert!(mistake(&["soak"]).starts_with("there is no target `soak`; `cargo xtask help`"));
    }

    #[test]
    fn an_option_that_is_not_known_is_refused() {
        for words in [&["fmt", "--keep-going"][..], &["test", "--fast"]] {
            assert!(mistake(words).contains("does not take"), "{words:?}");
        }
    }

    #[test]
    fn edit_distance_counts_each_kind_of_change() {
        assert_eq!(edit_distance("deny", "deny"), 0);
        assert_eq!(edit_distance("deny", "dny"), 1);
        assert_eq!(edit_distance("deny", "denny"), 1);
        assert_eq!(edit_distance("deny", "dent"), 1);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "fmt"), 3);
    }
}
