//! Whatever is in a file, reading it ends with a configuration or with lines that say why not.

use std::path::Path;

use proptest::prelude::*;

use crate::config::{Config, SAMPLE};

const VALUES: [&str; 22] = [
    "0",
    "-1",
    "7",
    "99999999999999999999999",
    "0xff",
    "1.5",
    "nan",
    "true",
    "\"\"",
    "\"*\"",
    "\"30s\"",
    "\"2m\"",
    "\"x y\"",
    "\"qw\"",
    "\"127.0.0.1:1\"",
    "[]",
    "[\"*\"]",
    "[[1], {}]",
    "[\"bot\", \"C\", 1]",
    "{}",
    "{ role = \"bot\", \"a.b\" = 1 }",
    "1979-05-27",
];

fn never_panics(text: &str) {
    if let Err(errors) = Config::parse(text, Path::new("/nowhere")) {
        let shown = errors.to_string();
        assert!(!shown.is_empty());
        for line in shown.lines() {
            assert!(line.starts_with("line "), "{line:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_text(text: String) {
        never_panics(&text);
    }

    #[test]
    fn something_like_toml(text in "([\\[\\]{}=\"'.#,\n a-z0-9:_-]|ssh|hub|\\[roles\\.|\\[\\[|= 1\n){0,60}") {
        never_panics(&text);
    }

    /// The sample, some of its lines switched on, with other values or doubled.
    #[test]
    fn a_sample_gone_wrong(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..VALUES.len(), 0..4u8), 0..40),
    ) {
        let mut lines: Vec<String> = SAMPLE.lines().map(str::to_owned).collect();
        for (index, value, change) in changes {
            let line = index.get_mut(&mut lines);
            let on = line.trim_start_matches('#').to_owned();
            *line = match (change, on.split_once(" = ")) {
                (0, Some((key, _))) => format!("{key} = {}", VALUES[value]),
                (1, _) => format!("{on}\n{on}"),
                (2, _) => String::new(),
                _ => on,
            };
        }
        never_panics(&lines.join("\n"));
    }
}
