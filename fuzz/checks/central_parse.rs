//! What must hold for any bytes from a client of the central dialect.

use std::sync::LazyLock;

use cmp_protocol::{Command, Dialect, Line, LineSplitter, central, json};

const MAX_LINE: usize = 4096;

/// A dialect with what the shipped one does not have.
const OTHER: &str = r#"
[input]
empty_lines = "refuse"
[commands.BC]
lines = ["QW {nick}@{origin} ({text})", "BC {kind} {nick} {origin} :{text}"]
[[relay]]
verb = "MSG"
to = "others"
line = "MSG {client} {text}"
"#;

static DIALECTS: LazyLock<[Dialect; 2]> = LazyLock::new(|| {
    let other = Dialect::parse(OTHER).unwrap_or_else(|error| panic!("{error}"));
    [Dialect::shipped(), other]
});

pub(crate) fn check(data: &[u8]) {
    // However the input is cut, the lines are the same; the first byte says how.
    let chunk = data.first().map_or(1, |byte| 1 + 16 * usize::from(*byte));
    let lines = split([data].into_iter());
    assert_eq!(split(data.chunks(chunk)), lines);

    for line in &lines {
        let Line::Complete(line) = line else { continue };
        assert!(line.len() <= MAX_LINE);
        for dialect in &*DIALECTS {
            check_line(line, dialect);
        }
    }
}

fn split<'d>(chunks: impl Iterator<Item = &'d [u8]>) -> Vec<Line> {
    let mut splitter = LineSplitter::new(MAX_LINE).strip_cr();
    let mut lines = Vec::new();
    for mut chunk in chunks {
        while let Some(line) = splitter.take_line(&mut chunk) {
            lines.push(line);
        }
    }
    lines.extend(splitter.finish());
    lines
}

fn check_line(line: &[u8], dialect: &Dialect) {
    let Some(submission) = central::parse(line, dialect) else {
        return;
    };
    match submission.command {
        Err(refusal) => {
            assert!(!refusal.subject.is_empty() && refusal.subject.len() <= 32);
            assert!(
                !refusal.reason.contains(char::is_control),
                "{}",
                refusal.reason
            );
        }
        Ok(command) => {
            if let Command::Chat { text } = &command {
                assert!(line.ends_with(text));
            }
            check_json(&command, line);
        }
    }
}

/// The json dialect carries every command of the central one, unless the text has what would
/// break a line.
fn check_json(command: &Command, line: &[u8]) {
    let mut out = Vec::new();
    json::render_command(command, None, &mut out);
    assert_eq!(out.pop(), Some(b'\n'));
    let back = json::parse(&out).map(|submission| submission.command);
    match back {
        Some(Ok(back)) => assert_eq!(back, *command),
        _ => assert!(line.contains(&b'\r') || line.contains(&b'\0'), "{back:?}"),
    }
}
