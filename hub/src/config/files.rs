//! Reading the configuration and the small files that it names.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The text of a file. The error goes on where the name of the file ended.
pub(super) fn read_text(path: &Path) -> Result<String, String> {
    text_of(File::open(path).map_err(|error| unreadable(&error))?)
}

/// The first line of a file that others must not be able to read. The error is as of
/// [`read_text`].
pub(super) fn read_secret(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mode = file
        .metadata()
        .map_err(|error| unreadable(&error))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o007 != 0 {
        let path = path.display();
        return Err(format!(
            "is open to everybody (mode {mode:04o}); run: chmod o= {path}"
        ));
    }
    match text_of(file)?.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err("has no first line".to_owned()),
    }
}

fn text_of(file: File) -> Result<String, String> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!(
            "has more than {MAX_BYTES} bytes; is it the right file?"
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to());
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        format!("is not UTF-8 text (line {line})")
    })
}

fn unreadable(error: &io::Error) -> String {
    format!("can't be read: {error}")
}
