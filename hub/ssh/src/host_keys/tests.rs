use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

const NAMES: [&str; 3] = [
    "ssh_host_ed25519_key",
    "ssh_host_ecdsa_key",
    "ssh_host_rsa_key",
];

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn keygen(arguments: &[&str], path: &Path) -> String {
    let mut keygen = Command::new("ssh-keygen");
    let output = keygen.args(arguments).arg("-f").arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn keys_are_made_once_and_are_openssh_keys_nobody_else_can_read() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/keys");
    let made = HostKeys::load_or_generate(&folder, &HostKeyType::ALL).unwrap();
    assert_eq!(mode(&folder), 0o700);
    for (name, shown) in NAMES.iter().zip(made.fingerprints()) {
        let path = folder.join(name);
        assert_eq!(mode(&path), 0o600);
        let listed = keygen(&["-l"], &path);
        let fingerprint = shown.split_whitespace().last().unwrap();
        assert!(listed.contains(fingerprint), "{listed} {shown}");
        let public = fs::read_to_string(folder.join(format!("{name}.pub"))).unwrap();
        assert!(keygen(&["-y"], &path).starts_with(public.trim_end()));
    }
    assert!(keygen(&["-l"], &folder.join(NAMES[2])).starts_with("3072 "));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 6);
    let again = HostKeys::load_or_generate(&folder, &HostKeyType::ALL).unwrap();
    assert_eq!(made.fingerprints(), again.fingerprints());
    assert!(!format!("{again:?}").contains("PRIVATE"));
}

#[test]
fn an_old_servers_keys_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAMES[2]);
    // As of 2014: RSA of 2048 bits in the format of that time.
    keygen(
        &["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""],
        &path,
    );
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .contains("BEGIN RSA PRIVATE KEY")
    );
    let key = load(&path, &Algorithm::Rsa { hash: None })
        .unwrap()
        .unwrap();
    assert!(keygen(&["-l"], &path).contains(&key.fingerprint(HashAlg::Sha256).to_string()));
    // And by a link to where they were.
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(
        load(&link, &Algorithm::Rsa { hash: None })
            .unwrap()
            .is_some()
    );
}

/// The one line about a key file that this makes unusable.
fn complaint(spoil: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAMES[0]);
    keygen(&["-q", "-t", "ed25519", "-N", ""], &path);
    spoil(&path);
    let error = HostKeys::load_or_generate(folder.path(), &HostKeyType::ALL).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(NAMES[0]) && !text.contains('\n'), "{text}");
    text
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_way_out() {
    for open in [0o644, 0o640, 0o604] {
        let text = complaint(|path| set_mode(path, open));
        assert!(
            text.contains(&format!("permissions {open:04o} for the private key")),
            "{text}"
        );
        assert!(text.contains("chmod 600 /"), "{text}");
    }
    let text = complaint(|path| {
        keygen(&["-q", "-p", "-P", "", "-N", "secret"], path);
    });
    assert!(
        text.contains("has a passphrase") && text.contains("ssh-keygen -p"),
        "{text}"
    );
    for garbage in [
        &b""[..],
        b"garbage",
        b"\xff\xfe",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nx\n",
    ] {
        let text = complaint(|path| fs::write(path, garbage).unwrap());
        assert!(text.contains("is damaged or no private key"), "{text}");
    }
    let text = complaint(|path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    });
    assert!(text.contains("not a regular file"), "{text}");
    let text = complaint(|path| {
        fs::remove_file(path).unwrap();
        keygen(&["-q", "-t", "ecdsa", "-N", ""], path);
    });
    assert!(text.contains("where ssh-ed25519 is expected"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = HostKeys::load_or_generate(&file.join("keys"), &HostKeyType::ALL).unwrap_err();
    assert!(matches!(error, KeyFileError::Folder { .. }), "{error}");
    assert!(error.to_string().contains("file/keys"), "{error}");
}

#[test]
fn a_clients_key_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/first_client");
    // What a killed process of the same number left behind.
    fs::create_dir(folder.path().join("keys")).unwrap();
    let left = with_suffix(&path, &format!(".new-{}", std::process::id()));
    fs::write(&left, "half a key").unwrap();
    let public = generate_client_key(&path, "first client").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(!left.exists());
    let text = fs::read_to_string(with_suffix(&path, ".pub")).unwrap();
    assert_eq!(text, format!("{}\n", public.to_openssh().unwrap()));
    assert!(text.ends_with(" first client\n"), "{text}");
    let before = fs::read(&path).unwrap();
    generate_client_key(&path, "again").unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn only_the_keys_that_are_wanted_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let keys = HostKeys::load_or_generate(folder.path(), &[HostKeyType::Ed25519]).unwrap();
    assert_eq!(keys.fingerprints().len(), 1);
    assert!(folder.path().join("ssh_host_ed25519_key").exists());
    assert!(!folder.path().join("ssh_host_rsa_key").exists());
}
