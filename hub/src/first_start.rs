//! The first start: a key to log in with, and the command to paste.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cmp_ssh::HostKeys;

/// The name of the client whose key is made at the first start.
pub(crate) const FIRST_CLIENT: &str = "admin";

/// The first client's key, beside `authorized_keys`.
const FIRST_KEY: &str = "first_client_key";

/// The hub's host keys in the form that ssh checks them by.
const KNOWN_HOSTS: &str = "known_hosts";

/// Makes a first client key, and lists it in `authorized_keys`, when that file is missing.
pub(crate) fn make_first_client(keys: &Path, authorized_keys: &Path) -> anyhow::Result<()> {
    if authorized_keys.exists() {
        return Ok(());
    }
    let path = keys.join(FIRST_KEY);
    let public = if path.exists() {
        let public = path.with_added_extension("pub");
        fs::read_to_string(&public).with_context(|| {
            format!(
                "{} can't be read; restore it, or remove {} to have a new key made",
                public.display(),
                path.display()
            )
        })?
    } else {
        cmp_ssh::generate_client_key(&path, FIRST_CLIENT)?
            .to_openssh()
            .context("the first client key can't be written as text")?
    };
    let line = format!(
        "environment=\"CMP_CLIENT={FIRST_CLIENT}\" {}\n",
        public.trim_end()
    );
    let explained = format!(
        "# Who may log in; see sshd(8), \"AUTHORIZED_KEYS FILE FORMAT\".\n\
         # The key of the first client, made at the first start:\n{line}"
    );
    write_private(authorized_keys, explained.as_bytes())
}

/// Writes the host keys for ssh, and returns the command that logs in as the first client; none
/// when there is no first client key.
pub(crate) fn login_command(
    keys: &Path,
    host_keys: &HostKeys,
    address: SocketAddr,
) -> anyhow::Result<Option<String>> {
    let key = absolute(&keys.join(FIRST_KEY))?;
    if !key.exists() {
        return Ok(None);
    }
    let known_hosts = absolute(&keys.join(KNOWN_HOSTS))?;
    // A wildcard address is reached by the loopback address.
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        ip if ip.is_ipv4() => std::net::Ipv4Addr::LOCALHOST.into(),
        _ => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    let port = address.port();
    let host = if port == 22 {
        ip.to_string()
    } else {
        format!("[{ip}]:{port}")
    };
    let lines: String = host_keys
        .public_lines()
        .iter()
        .map(|line| format!("{host} {line}\n"))
        .collect();
    write_private(&known_hosts, lines.as_bytes())?;
    Ok(Some(format!(
        "ssh -p {port} -i {} -o IdentitiesOnly=yes -o UserKnownHostsFile={} cmp@{ip}",
        quote(&key),
        quote(&known_hosts),
    )))
}

/// Writes a file only its owner can read, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let fresh = path.with_added_extension("new");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&fresh, path));
    written.with_context(|| {
        format!(
            "{} can't be written; make its folder writable for this user",
            path.display()
        )
    })
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path)
        .with_context(|| format!("the place of {} is not known", path.display()))
}

/// Quotes a path for a shell where it needs that.
fn quote(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_split_it() {
        assert_eq!(quote(Path::new("/a/b-c.d")), "/a/b-c.d");
        assert_eq!(quote(Path::new("/a b/c'd")), r"'/a b/c'\''d'");
    }

    #[test]
    fn the_first_client_is_made_once_and_an_authorized_keys_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let authorized_keys = folder.path().join("authorized_keys");
        make_first_client(folder.path(), &authorized_keys).unwrap();
        let first = fs::read_to_string(&authorized_keys).unwrap();
        assert!(
            first.contains("environment=\"CMP_CLIENT=admin\" ssh-ed25519 "),
            "{first}"
        );
        fs::write(&authorized_keys, "# mine\n").unwrap();
        make_first_client(folder.path(), &authorized_keys).unwrap();
        assert_eq!(fs::read_to_string(&authorized_keys).unwrap(), "# mine\n");
        // The key that is there is listed again, not replaced.
        fs::remove_file(&authorized_keys).unwrap();
        make_first_client(folder.path(), &authorized_keys).unwrap();
        assert_eq!(fs::read_to_string(&authorized_keys).unwrap(), first);
    }
}
