//! Noticing that a file has changed, whoever changed it and however.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often files are looked at. A removed key ends its sessions within a second.
pub(crate) const LOOK: Duration = Duration::from_millis(250);

/// What tells one state of a file from another, also when an editor replaced it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// A file that is looked at now and then.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    state: Option<State>,
}

impl Watched {
    /// Takes the present state as known.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            state: state(path),
        }
    }

    /// Whether the file has changed since the last look. A file that is gone has not changed: a
    /// program that replaces it may be at work.
    pub(crate) fn changed(&mut self) -> bool {
        let now = state(&self.path);
        if now.is_none() || now == self.state {
            return false;
        }
        self.state = now;
        true
    }
}

fn state(path: &Path) -> Option<State> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(State {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_and_replacing_are_changes_and_a_missing_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "1").unwrap();
        let mut watched = Watched::new(&path);
        assert!(!watched.changed());
        std::fs::write(&path, "12").unwrap();
        assert!(watched.changed());
        assert!(!watched.changed());
        let other = folder.path().join("other");
        std::fs::write(&other, "34").unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(!watched.changed());
        std::fs::rename(&other, &path).unwrap();
        assert!(watched.changed());
    }
}
