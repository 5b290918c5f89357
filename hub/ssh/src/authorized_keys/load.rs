//! Reading the file from disk.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{AuthorizedKeys, ClientNaming, MAX_FILE_LEN};

/// Why the file is not read. Each message names the file and the way out.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is none.
    #[error(
        "the file of authorized keys {} does not exist; create it with one public key per line, \
         or correct its path in the configuration",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error(
        "the file of authorized keys {} cannot be read ({source}); make it readable for the user \
         that runs the hub",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is a folder or a device.
    #[error(
        "{} is not a regular file; set the path of the authorized keys to the file itself",
        path.display()
    )]
    NotAFile {
        /// What stands there.
        path: PathBuf,
    },
    /// Its group or everybody may write to it, and so let themselves in.
    #[error(
        "the file of authorized keys {path} can be changed by other users (mode {mode:04o}); run: \
         chmod go-w {path}",
        path = path.display()
    )]
    WritableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl AuthorizedKeys {
    /// Reads and parses the file at `path`. Waits for the disk.
    ///
    /// As sshd with `StrictModes`, refuses a file that its group or everybody may write to.
    /// The owner of the file and its folder are not checked.
    pub fn load(path: &Path, naming: &ClientNaming) -> Result<Self, LoadError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => LoadError::Missing {
                path: path.to_owned(),
            },
            _ => LoadError::Unreadable {
                path: path.to_owned(),
                source,
            },
        };
        // Before it is opened, because to open a named pipe waits for its writer.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(LoadError::NotAFile {
                path: path.to_owned(),
            });
        }
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(LoadError::WritableByOthers {
                path: path.to_owned(),
                mode,
            });
        }
        let mut content = Vec::new();
        // One byte over the limit is enough for the parser to see and report it.
        file.take(MAX_FILE_LEN as u64 + 1)
            .read_to_end(&mut content)
            .map_err(failed)?;
        Ok(Self::parse(&content, naming))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::authorized_keys::fixtures::ED25519;

    fn load(path: &Path) -> Result<AuthorizedKeys, LoadError> {
        AuthorizedKeys::load(path, &ClientNaming::default())
    }

    #[test]
    fn a_file_is_read_also_by_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authorized_keys");
        fs::write(&path, format!("command=\"x bot\" {ED25519}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(load(&path).unwrap().entries().len(), 1);
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(load(&link).unwrap().entries().len(), 1);
    }

    #[test]
    fn errors_name_the_file_and_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authorized_keys");
        let shown = path.display().to_string();

        let error = load(&path).unwrap_err();
        assert!(matches!(error, LoadError::Missing { .. }), "{error}");
        assert!(error.to_string().contains(&shown));

        let error = load(folder.path()).unwrap_err();
        assert!(matches!(error, LoadError::NotAFile { .. }), "{error}");

        let error = load(&path.join("under-a-file")).unwrap_err();
        assert!(matches!(error, LoadError::Missing { .. }), "{error}");

        fs::write(&path, "").unwrap();
        let error = load(&path.join("under-a-file")).unwrap_err();
        assert!(matches!(error, LoadError::Unreadable { .. }), "{error}");

        for mode in [0o664, 0o646, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = load(&path).unwrap_err();
            assert!(
                matches!(error, LoadError::WritableByOthers { .. }),
                "{error}"
            );
            assert!(
                error.to_string().contains(&format!("chmod go-w {shown}")),
                "{error}"
            );
            assert!(
                error.to_string().contains(&format!("{mode:04o}")),
                "{error}"
            );
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(load(&path).unwrap().entries().is_empty());
    }
}
