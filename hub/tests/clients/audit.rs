//! What ssh-audit says of the listener.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::programs::ssh_audit;
use crate::support::{Process, Site};

/// Remarks of ssh-audit, each with its algorithm. docs/security.md explains them.
type Notes = &'static [(&'static str, &'static str)];

const NOT_POST_QUANTUM: &str = "does not provide protection against post-quantum attacks";
const MODULUS_2048: &str = "2048-bit modulus only provides 112-bits of symmetric strength";
const ENCRYPT_AND_MAC: &str = "using encrypt-and-MAC mode";

/// What it fails where the hub has an ECDSA host key, which php-ssh2 on Debian 12 asks for.
const ECDSA_FAILS: Notes = &[(
    "ecdsa-sha2-nistp256",
    "using elliptic curves that are suspected as being backdoored by the U.S. National Security \
     Agency",
)];

/// What it warns of there.
const ECDSA_WARNINGS: Notes = &[(
    "ecdsa-sha2-nistp256",
    "using weak random number generator could reveal the key",
)];

/// What it always warns of.
const WARNINGS: Notes = &[
    ("curve25519-sha256", NOT_POST_QUANTUM),
    ("curve25519-sha256@libssh.org", NOT_POST_QUANTUM),
    ("diffie-hellman-group-exchange-sha256", MODULUS_2048),
    ("diffie-hellman-group-exchange-sha256", NOT_POST_QUANTUM),
    ("diffie-hellman-group14-sha256", MODULUS_2048),
    ("diffie-hellman-group14-sha256", NOT_POST_QUANTUM),
    ("hmac-sha2-256", ENCRYPT_AND_MAC),
    ("hmac-sha2-512", ENCRYPT_AND_MAC),
];

/// The notes of a level, each with its algorithm.
fn notes<'r>(report: &'r Value, level: &str) -> BTreeSet<(&'r str, &'r str)> {
    let mut notes = BTreeSet::new();
    for list in ["kex", "key", "enc", "mac"] {
        let algorithms = report[list].as_array().unwrap();
        assert!(!algorithms.is_empty(), "{list} in {report}");
        for algorithm in algorithms {
            for note in algorithm["notes"][level].as_array().into_iter().flatten() {
                notes.insert((
                    algorithm["algorithm"].as_str().unwrap(),
                    note.as_str().unwrap(),
                ));
            }
        }
    }
    notes
}

/// What ssh-audit says of a hub with these settings.
fn audit(settings: &str) -> Value {
    let site = Site::new();
    site.configure(settings);
    let hub = site.start();
    let (ip, port) = (hub.address.ip().to_string(), hub.address.port().to_string());
    // The rate test measures how fast this machine connects to itself.
    let mut audit = Command::new(ssh_audit());
    let mut audit = Process::start(audit.args(["--skip-rate-test", "-j", "-p", &port, &ip]));
    audit.close_input();
    let report = audit.stdout.rest();
    audit.wait();
    serde_json::from_slice(&report).unwrap()
}

fn assert_notes(report: &Value, level: &str, listed: &[Notes]) {
    let listed: BTreeSet<_> = listed.iter().copied().flatten().copied().collect();
    assert_eq!(notes(report, level), listed);
}

#[test]
fn ssh_audit_remarks_only_what_is_explained() {
    let report = audit("");
    assert_eq!(
        report["kex"][0]["algorithm"], "mlkem768x25519-sha256",
        "post-quantum first"
    );
    assert_eq!(report["compression"], serde_json::json!(["none"]));
    assert_eq!(report["cves"], serde_json::json!([]));
    assert_notes(&report, "fail", &[ECDSA_FAILS]);
    assert_notes(&report, "warn", &[WARNINGS, ECDSA_WARNINGS]);
}

#[test]
fn ssh_audit_fails_nothing_without_the_ecdsa_host_key() {
    let report = audit("ssh.host_keys = [\"ed25519\", \"rsa\"]\n");
    assert_notes(&report, "fail", &[]);
    assert_notes(&report, "warn", &[WARNINGS]);
}
