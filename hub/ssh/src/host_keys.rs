//! Key files: the host keys of a listener, and a first key for a client.
//!
//! The format and the names are OpenSSH's, so that its tools and an old server's keys work. Files
//! are written whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey, PublicKey, decode_secret_key};

/// The size of a new RSA host key: what `ssh-keygen` makes.
const RSA_BITS: usize = 3072;

/// No key file is longer; the largest RSA key takes 13 KB.
const MAX_FILE_LEN: u64 = 64 * 1024;

/// Why a key file cannot be used. Each message names the file and the way out.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The folder cannot be made.
    #[error("the folder {} for keys cannot be made ({source}); make it yourself, writable for the \
             user that runs the hub, or set another", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others can read the private key.
    #[error("permissions {mode:04o} for the private key {path} are too open: other users can read \
             it; run: chmod 600 {path}", path = path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It cannot be read.
    #[error("the private key {} cannot be read ({source}); make it readable for the user that runs \
             the hub, and for nobody else", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It has a passphrase.
    #[error("the private key {path} has a passphrase, which nobody is there to type; remove it with: \
             ssh-keygen -p -N '' -f {path}", path = path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// It holds no key.
    #[error("{} is damaged or no private key ({detail}); restore it, or delete it to get a new one, \
             which clients will not know", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        detail: String,
    },
    /// It holds a key of another type than its name says.
    #[error("{} holds a key of type {found} where {expected} is expected; rename it", path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The type of the key in it.
        found: String,
        /// The type that belongs there.
        expected: String,
    },
    /// It cannot be written.
    #[error("the key {} cannot be written ({source}); make its folder writable for the user that \
             runs the hub, or set another", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A new key could not be made.
    #[error("no key could be made for {} ({detail})", path.display())]
    Generate {
        /// Where it would have been written.
        path: PathBuf,
        /// Why.
        detail: String,
    },
}

/// A kind of host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeyType {
    /// Ed25519, in `ssh_host_ed25519_key`.
    Ed25519,
    /// ECDSA on the curve P-256, in `ssh_host_ecdsa_key`.
    Ecdsa,
    /// RSA of 3072 bits when it is made here, in `ssh_host_rsa_key`.
    Rsa,
}

impl HostKeyType {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Ed25519, Self::Ecdsa, Self::Rsa];

    fn file_and_algorithm(self) -> (&'static str, Algorithm) {
        match self {
            Self::Ed25519 => ("ssh_host_ed25519_key", Algorithm::Ed25519),
            Self::Ecdsa => (
                "ssh_host_ecdsa_key",
                Algorithm::Ecdsa {
                    curve: EcdsaCurve::NistP256,
                },
            ),
            Self::Rsa => ("ssh_host_rsa_key", Algorithm::Rsa { hash: None }),
        }
    }
}

/// The private keys by which clients recognise the server.
#[derive(Clone)]
pub struct HostKeys(Vec<PrivateKey>);

impl std::fmt::Debug for HostKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.fingerprints()).finish()
    }
}

impl HostKeys {
    /// Reads the keys of these types in `folder`, and makes those that are missing (mode 0600, their
    /// public halves beside them), as well as the folder (mode 0700). Waits for the disk, and up to
    /// some seconds for a new RSA key.
    pub fn load_or_generate(folder: &Path, types: &[HostKeyType]) -> Result<Self, KeyFileError> {
        make_folder(folder)?;
        let keys = types.iter().map(|key_type| {
            let (name, algorithm) = key_type.file_and_algorithm();
            let path = folder.join(name);
            match load(&path, &algorithm)? {
                Some(key) => Ok(key),
                None => generate(&path, &algorithm, ""),
            }
        });
        Ok(Self(keys.collect::<Result<_, _>>()?))
    }

    /// Takes over keys from elsewhere.
    pub fn from_keys(keys: Vec<PrivateKey>) -> Self {
        Self(keys)
    }

    /// What clients see of the keys: type and fingerprint, as `ssh-keygen -l` prints it.
    pub fn fingerprints(&self) -> Vec<String> {
        let line =
            |key: &PrivateKey| format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
        self.0.iter().map(line).collect()
    }

    /// The public halves as they stand in a `known_hosts` file behind the host: `type base64`.
    pub fn public_lines(&self) -> Vec<String> {
        let line = |key: &PrivateKey| key.public_key().to_openssh().ok();
        self.0.iter().filter_map(line).collect()
    }

    pub(crate) fn to_vec(&self) -> Vec<PrivateKey> {
        self.0.clone()
    }
}

/// Makes an ed25519 key for a client at `path` (mode 0600), and its public half beside it, in a
/// folder that is made if it is missing (mode 0700). Returns the public half. A file that is there
/// already is not touched, but an error.
pub fn generate_client_key(path: &Path, comment: &str) -> Result<PublicKey, KeyFileError> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    if path.exists() {
        return Err(KeyFileError::Unwritable {
            path: path.to_owned(),
            source: ErrorKind::AlreadyExists.into(),
        });
    }
    generate(path, &Algorithm::Ed25519, comment).map(|key| key.public_key().clone())
}

fn make_folder(path: &Path) -> Result<(), KeyFileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| KeyFileError::Folder {
        path: path.to_owned(),
        source,
    })
}

/// The key in a file; none if there is no such file.
fn load(path: &Path, algorithm: &Algorithm) -> Result<Option<PrivateKey>, KeyFileError> {
    let unreadable = |source| KeyFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let damaged = |detail: String| KeyFileError::Damaged {
        path: path.to_owned(),
        detail,
    };
    // Not opened unless it is a file: to open a named pipe waits for its writer.
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(damaged("it is not a regular file".into())),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Permissions {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(MAX_FILE_LEN)
        .read_to_string(&mut text)
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidData => damaged("it is not text".into()),
            _ => unreadable(error),
        })?;
    let key = decode_secret_key(&text, None).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => KeyFileError::Encrypted {
            path: path.to_owned(),
        },
        other => damaged(other.to_string()),
    })?;
    let found = key.algorithm();
    let fits = match algorithm {
        Algorithm::Ecdsa { .. } => matches!(found, Algorithm::Ecdsa { .. }),
        Algorithm::Rsa { .. } => matches!(found, Algorithm::Rsa { .. }),
        other => found == *other,
    };
    if !fits {
        return Err(KeyFileError::WrongType {
            path: path.to_owned(),
            found: found.to_string(),
            expected: algorithm.to_string(),
        });
    }
    Ok(Some(key))
}

fn generate(path: &Path, algorithm: &Algorithm, comment: &str) -> Result<PrivateKey, KeyFileError> {
    let failed = |error: russh::keys::ssh_key::Error| KeyFileError::Generate {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let mut rng = safe_rng();
    let mut key = match algorithm {
        Algorithm::Rsa { .. } => {
            let pair = RsaKeypair::random(&mut rng, RSA_BITS).map_err(failed)?;
            PrivateKey::new(KeypairData::from(pair), "").map_err(failed)?
        }
        other => PrivateKey::random(&mut rng, other.clone()).map_err(failed)?,
    };
    key.set_comment(comment);
    let private = key.to_openssh(LineEnding::LF).map_err(failed)?;
    let public = key.public_key().to_openssh().map_err(failed)? + "\n";
    write_whole(path, private.as_bytes(), 0o600)?;
    write_whole(&with_suffix(path, ".pub"), public.as_bytes(), 0o644)?;
    Ok(key)
}

/// Writes a file that is there with all its content or not at all, also after a power failure.
fn write_whole(path: &Path, content: &[u8], mode: u32) -> Result<(), KeyFileError> {
    let temporary = with_suffix(path, &format!(".new-{}", std::process::id()));
    // Left over by a process that was killed, and had the same number.
    let _ = fs::remove_file(&temporary);
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        // The new name is durable only once its folder is.
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    };
    write().map_err(|source| {
        // It may not be there; the error that counts is the first one.
        let _ = fs::remove_file(&temporary);
        KeyFileError::Unwritable {
            path: path.to_owned(),
            source,
        }
    })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests;
