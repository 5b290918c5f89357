//! From an address to a country: the operator's MMDB file, then the data that comes with the
//! build.
//!
//! Both say to which country an address is *assigned*, by the registries' records; the machine
//! may stand elsewhere.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use maxminddb::{LookupResult, PathElement, Reader, path};
use tokio::sync::watch;
use tokio::task::{AbortHandle, spawn_blocking};

use crate::country_names::country_name;

/// The largest MMDB file that is read, in bytes: several times the largest of the public ones.
pub const MAX_MMDB_BYTES: u64 = 512 << 20;

/// The longest name taken from an MMDB file, in bytes.
const MAX_NAME: usize = 64;

/// A country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Country {
    /// ISO 3166-1 alpha-2, in upper case.
    pub(crate) code: String,
    /// In English, where one is known.
    pub(crate) name: Option<Cow<'static, str>>,
}

/// Why an MMDB file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MmdbError {
    /// It can't be read.
    #[error("the MMDB file {path} can't be read: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// It is a folder, a pipe or the like.
    #[error("the MMDB file {path} is not a regular file")]
    NoFile {
        /// Which one.
        path: PathBuf,
    },
    /// It is too large to be held in memory.
    #[error("the MMDB file {path} is larger than {MAX_MMDB_BYTES} bytes")]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// It is no MMDB file, or was written in part only.
    #[error("the MMDB file {path} is broken: {error}")]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: maxminddb::MaxMindDbError,
    },
    /// It knows no countries.
    #[error(
        "the MMDB file {path} ({kind}) has no countries: neither country/iso_code nor \
         country_code in its first networks"
    )]
    NoCountries {
        /// Which file.
        path: PathBuf,
        /// What it calls itself.
        kind: String,
    },
}

/// An MMDB file, held in memory.
///
/// Known forms of a record: `country` with `iso_code` and `names`/`en` (`MaxMind`, DB-IP), or
/// `country_code` by itself.
#[derive(Debug)]
pub struct Mmdb(Reader<Vec<u8>>);

/// Networks looked at to see whether a file has countries.
const PROBES: usize = 1000;

impl Mmdb {
    /// Reads a whole file and looks whether it has countries. Blocks while it reads.
    pub fn open(path: &Path) -> Result<Self, MmdbError> {
        let io = |error| MmdbError::Io {
            path: path.to_owned(),
            error,
        };
        let broken = |error| MmdbError::Broken {
            path: path.to_owned(),
            error,
        };
        // Opening anything else, such as a pipe, could wait for ever.
        if !path.metadata().map_err(io)?.is_file() {
            return Err(MmdbError::NoFile {
                path: path.to_owned(),
            });
        }
        let mut bytes = Vec::new();
        let mut file = File::open(path).map_err(io)?.take(MAX_MMDB_BYTES + 1);
        file.read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MAX_MMDB_BYTES {
            return Err(MmdbError::TooLarge {
                path: path.to_owned(),
            });
        }
        let mmdb = Self(Reader::from_source(bytes).map_err(broken)?);
        let mut networks = mmdb
            .0
            .networks(maxminddb::WithinOptions::default())
            .map_err(broken)?;
        let found = networks
            .by_ref()
            .take(PROBES)
            .try_fold(false, |found, network| {
                Ok(found || country_of(&network?).is_some())
            })
            .map_err(broken)?;
        if found {
            Ok(mmdb)
        } else {
            let kind = mmdb.0.metadata().database_type.clone();
            Err(MmdbError::NoCountries {
                path: path.to_owned(),
                kind,
            })
        }
    }

    fn country(&self, ip: IpAddr) -> Option<Country> {
        // An error is an IPv6 address in a file for IPv4, or a broken record: not known.
        country_of(&self.0.lookup(ip).ok()?)
    }
}

fn country_of(record: &LookupResult<'_, Vec<u8>>) -> Option<Country> {
    let text = |path: &[PathElement<'_>]| record.decode_path::<String>(path).ok().flatten();
    let code = text(&path!["country", "iso_code"])
        .or_else(|| text(&path!["registered_country", "iso_code"]))
        .or_else(|| text(&path!["country_code"]))
        .filter(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic()))?
        .to_ascii_uppercase();
    // One name per country, whatever the data; the file's own for codes of its own.
    let name = country_name(&code).map(Cow::Borrowed).or_else(|| {
        text(&path!["country", "names", "en"])
            .filter(|name| (1..=MAX_NAME).contains(&name.len()))
            .map(Cow::Owned)
    });
    Some(Country { code, name })
}

/// Where countries are looked up.
pub(crate) struct Countries {
    file: Option<WatchedFile>,
}

impl Countries {
    /// Begins to read the operator's file, if there is one. One that can't be used is logged,
    /// and the embedded data goes on.
    pub(crate) fn new(file: Option<PathBuf>, check: Duration) -> Self {
        Self {
            file: file.map(|path| WatchedFile::new(path, check, None)),
        }
    }

    /// Begins to use another file, or to read the same one anew. What was read of the same file
    /// before stays in use until then, and when the file can't be used any more.
    pub(crate) fn reload(&mut self, file: Option<PathBuf>, check: Duration) {
        let before = self.file.take();
        self.file = file.map(|path| {
            let kept = before.filter(|b| b.path == path).and_then(|b| b.mmdb());
            WatchedFile::new(path, check, kept)
        });
    }

    /// Waits until the operator's file is read or found unusable.
    pub(crate) async fn loaded(&mut self) {
        if let Some(file) = &mut self.file {
            // An error is the end of the reading task, which has logged why.
            let _ = file.current.wait_for(|current| current.tried).await;
        }
    }

    /// The country of an address; none when neither source knows it.
    pub(crate) fn country(&self, ip: IpAddr) -> Option<Country> {
        let mmdb = self.file.as_ref().and_then(WatchedFile::mmdb);
        mmdb.and_then(|mmdb| mmdb.country(ip)).or_else(|| {
            let code = iptocc::country_code(ip)?;
            Some(Country {
                code: code.to_owned(),
                name: country_name(code).map(Cow::Borrowed),
            })
        })
    }
}

/// What is known of a watched file.
struct Current {
    /// Whether it was looked at.
    tried: bool,
    /// The last good content.
    mmdb: Option<Arc<Mmdb>>,
}

/// A file that is read, and read again when it changes. Ends with its owner.
struct WatchedFile {
    path: PathBuf,
    current: watch::Receiver<Current>,
    task: AbortHandle,
}

impl Drop for WatchedFile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl WatchedFile {
    fn new(path: PathBuf, check: Duration, kept: Option<Arc<Mmdb>>) -> Self {
        let (sender, current) = watch::channel(Current {
            tried: false,
            mmdb: kept,
        });
        let task = tokio::spawn(follow(path.clone(), check, sender)).abort_handle();
        Self {
            path,
            current,
            task,
        }
    }

    fn mmdb(&self) -> Option<Arc<Mmdb>> {
        self.current.borrow().mmdb.clone()
    }
}

/// Reads the file, and again when a look every `check` shows that it has changed.
async fn follow(path: PathBuf, check: Duration, current: watch::Sender<Current>) {
    let mut seen = None;
    loop {
        // The stamp first: a change while the file is read is seen at the next look.
        let now = stamp(&path).await;
        if seen != Some(now) {
            let mmdb = load(&path).await;
            current.send_modify(|current| {
                current.tried = true;
                current.mmdb = mmdb.or(current.mmdb.take());
            });
            seen = Some(now);
        }
        tokio::time::sleep(check).await;
    }
}

async fn load(path: &Path) -> Option<Arc<Mmdb>> {
    let owned = path.to_owned();
    match spawn_blocking(move || Mmdb::open(&owned)).await {
        Ok(Ok(mmdb)) => {
            let kind = &mmdb.0.metadata().database_type;
            tracing::info!(path = %path.display(), %kind, "MMDB file read");
            Some(Arc::new(mmdb))
        }
        Ok(Err(error)) => {
            tracing::error!(
                "{error}; countries come from the data in use before, at the start the embedded data"
            );
            None
        }
        Err(error) => {
            tracing::error!(path = %path.display(), "reading the MMDB file broke off: {error}");
            None
        }
    }
}

/// What changes when a file changes: modification time in seconds and nanoseconds, size, inode.
type Stamp = (i64, i64, u64, u64);

/// None when there is no file.
async fn stamp(path: &Path) -> Option<Stamp> {
    let data = tokio::fs::metadata(path).await.ok()?;
    Some((data.mtime(), data.mtime_nsec(), data.size(), data.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(name)
    }

    /// Code and name, or nothing.
    fn country(mmdb: &Mmdb, ip: &str) -> String {
        let country = mmdb.country(ip.parse().unwrap());
        country.map_or_else(String::new, |country| {
            format!("{} {}", country.code, country.name.unwrap_or_default())
        })
    }

    #[test]
    fn both_forms_of_records_are_read() {
        let nested = Mmdb::open(&data("nested.mmdb")).unwrap();
        assert_eq!(country(&nested, "8.8.8.8"), "SE Sweden");
        assert_eq!(country(&nested, "9.9.9.9"), "QX Quakeland");
        assert_eq!(country(&nested, "2001:4860::1"), "FI Finland");
        assert_eq!(country(&nested, "1.1.1.1"), "NO Norway", "registered only");
        assert_eq!(country(&nested, "5.5.5.5"), "", "no country");
        assert_eq!(country(&nested, "100.0.0.1"), "", "not in the file");
        let flat = Mmdb::open(&data("flat.mmdb")).unwrap();
        assert_eq!(country(&flat, "8.8.8.8"), "DK Denmark");
        assert_eq!(country(&flat, "2001:4860::1"), "", "a file for IPv4 only");
    }

    #[test]
    fn a_file_that_is_none_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("country.mmdb");
        let error = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Mmdb::open(&path).unwrap_err().to_string()
        };
        let whole = std::fs::read(data("nested.mmdb")).unwrap();
        for bytes in [b"", &b"no database"[..], &whole[..whole.len() / 2]] {
            let error = error(bytes);
            assert!(error.contains("country.mmdb is broken"), "{error}");
        }
        let none = Mmdb::open(&data("asn.mmdb")).unwrap_err().to_string();
        assert!(none.contains("(ASN-Test) has no countries"), "{none}");
        let none = Mmdb::open(folder.path()).unwrap_err().to_string();
        assert!(none.contains("is not a regular file"), "{none}");
        let missing = Mmdb::open(&folder.path().join("none"))
            .unwrap_err()
            .to_string();
        assert!(missing.contains("none can't be read"), "{missing}");
    }

    #[test]
    fn no_damage_to_a_file_panics() {
        let whole = std::fs::read(data("nested.mmdb")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("country.mmdb");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(mmdb) = Mmdb::open(&path) {
                for ip in ["8.8.8.8", "9.9.9.9", "1.1.1.1", "2001:4860::1"] {
                    mmdb.country(ip.parse().unwrap());
                }
            }
        }
    }

    #[tokio::test]
    async fn the_embedded_data_answers_what_the_file_does_not() {
        let mut countries = Countries::new(Some(data("nested.mmdb")), Duration::from_secs(60));
        countries.loaded().await;
        let code = |ip: &str| countries.country(ip.parse().unwrap()).map(|c| c.code);
        assert_eq!(code("8.8.8.8").as_deref(), Some("SE"));
        // RIPE NCC's own addresses.
        assert_eq!(code("193.0.6.139").as_deref(), Some("NL"));
        assert_eq!(code("2001:67c:2e8:22::c100:68b").as_deref(), Some("NL"));
        let countries = Countries::new(None, Duration::from_secs(60));
        let country = countries.country("8.8.8.8".parse().unwrap()).unwrap();
        assert_eq!(country.code, "US");
        assert_eq!(country.name.as_deref(), Some("United States"));
    }

    #[tokio::test]
    async fn a_reload_keeps_what_was_read_only_of_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("country.mmdb");
        std::fs::copy(data("nested.mmdb"), &path).unwrap();
        let never = Duration::from_secs(3600);
        let mut countries = Countries::new(Some(path.clone()), never);
        countries.loaded().await;
        let code = |countries: &Countries| {
            countries
                .country("8.8.8.8".parse().unwrap())
                .map(|country| country.code)
        };
        assert_eq!(code(&countries).as_deref(), Some("SE"));
        std::fs::write(&path, "broken").unwrap();
        countries.reload(Some(path.clone()), never);
        countries.loaded().await;
        assert_eq!(code(&countries).as_deref(), Some("SE"));
        std::fs::copy(data("flat.mmdb"), &path).unwrap();
        countries.reload(Some(path), never);
        countries.loaded().await;
        assert_eq!(code(&countries).as_deref(), Some("DK"));
        countries.reload(Some(folder.path().join("none")), never);
        countries.loaded().await;
        assert_eq!(code(&countries).as_deref(), Some("US"));
        countries.reload(None, never);
        countries.loaded().await;
        assert_eq!(code(&countries).as_deref(), Some("US"));
    }
}
