//! Reading the configuration and the small files that it names.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The text of a file. The error names the file and what is wrong with it.
pub(super) fn read_text(path: &Path) -> Result<String, String> {
    let name = path.display();
    let file = File::open(path).map_err(|error| format!("{name} can't be read: {error}"))?;
    text_of(file, path)
}

/// The first line of a file that others must not be able to read.
pub(super) fn read_secret(path: &Path) -> Result<String, String> {
    let name = path.display();
    let unreadable = |error| format!("{name} can't be read: {error}");
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(format!("{name} is open to everybody (mode {mode:04o}); run: chmod o= {name}"));
    }
    let text = text_of(file, path)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(format!("{name} has no first line")),
    }
}

fn text_of(file: File, path: &Path) -> Result<String, String> {
    let name = path.display();
    let mut bytes = Vec::new();
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("{name} can't be read: {error}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("{name} has more than {MAX_BYTES} bytes; is it the right file?"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        format!("{name} is not UTF-8 text (line {line})")
    })
}
