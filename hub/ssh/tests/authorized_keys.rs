//! The file of authorized keys against the real `ssh-keygen` (Debian: openssh-client).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use cmp_ssh::authorized_keys::{AuthorizedKeys, ClientNaming, Lookup};
use russh::keys::PublicKey;

/// Runs ssh-keygen to its end and returns what it prints.
fn ssh_keygen(arguments: &[&str]) -> String {
    let output = Command::new("ssh-keygen")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("ssh-keygen is installed (package openssh-client)");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Makes a key pair and returns the content of its .pub file.
fn generate(folder: &Path, key_type: &str, bits: &str) -> String {
    let file = folder.join(format!("{key_type}-{bits}"));
    let path = file.to_str().unwrap();
    let comment = format!("{key_type} {bits} @host");
    ssh_keygen(&[
        "-q", "-t", key_type, "-b", bits, "-N", "", "-C", &comment, "-f", path,
    ]);
    fs::read_to_string(file.with_extension("pub")).unwrap()
}

#[test]
fn keys_of_all_types_have_the_fingerprints_that_ssh_keygen_prints() {
    let folder = tempfile::tempdir().unwrap();
    let types = [
        ("ed25519", "256"),
        ("ecdsa", "256"),
        ("ecdsa", "384"),
        ("ecdsa", "521"),
        ("rsa", "2047"),
        ("rsa", "2048"),
    ];
    let public_keys: Vec<_> = types
        .iter()
        .map(|(kind, bits)| generate(folder.path(), kind, bits))
        .collect();
    let lines: Vec<_> = public_keys
        .iter()
        .enumerate()
        .map(|(index, key)| format!("command=\"ruby \\\"x y\\\" bot{index}\",no-pty {key}"))
        .collect();
    let path = folder.path().join("authorized_keys");
    fs::write(&path, format!("# clients\n\n{}", lines.concat())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();

    let keys = AuthorizedKeys::load(&path, &ClientNaming::default()).unwrap();
    assert_eq!(keys.problems(), []);
    assert_eq!(keys.entries().len(), types.len());

    // "2048 SHA256:… comment (RSA)", one line for each key.
    let printed = ssh_keygen(&["-l", "-E", "sha256", "-f", path.to_str().unwrap()]);
    let printed: Vec<_> = printed.lines().collect();
    assert_eq!(printed.len(), types.len());
    for (index, (entry, printed)) in keys.entries().iter().zip(printed).enumerate() {
        let (kind, bits) = types[index];
        let kind = kind.to_uppercase();
        let described = format!(
            "{bits} {} {} ({kind})",
            entry.fingerprint(),
            entry.comment()
        );
        assert_eq!(described, printed);
        assert_eq!(entry.client().as_str(), format!("bot{index}"));
        let rsa_bits = (kind == "RSA").then(|| bits.parse().unwrap());
        assert_eq!(entry.key_bits(), rsa_bits, "{kind} {bits}");

        let offered = PublicKey::from_openssh(&public_keys[index]).unwrap();
        let found = keys.find(&offered, "192.0.2.1".parse().unwrap(), SystemTime::now());
        assert!(matches!(found, Lookup::Granted(found) if found.line() == entry.line()));
    }
}
