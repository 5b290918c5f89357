//! What must hold for any file of authorized keys.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::UNIX_EPOCH;

use cmp_ssh::authorized_keys::{AuthorizedKeys, ClientNaming, Entry, Lookup, MAX_PROBLEMS};

pub(crate) fn check(data: &[u8]) {
    let keys = AuthorizedKeys::parse(data, &ClientNaming::default());
    let lines = data.split(|byte| *byte == b'\n').count();
    let usable: HashSet<usize> = keys.entries().iter().map(Entry::line).collect();
    assert_eq!(
        usable.len(),
        keys.entries().len(),
        "two entries of one line"
    );
    assert!(usable.iter().all(|line| (1..=lines).contains(line)));
    assert!(keys.problems().len() <= MAX_PROBLEMS);
    for problem in keys.problems() {
        assert!(!problem.to_string().contains('\n'));
    }
    for entry in keys.entries() {
        // A key that is let in is let in by an entry of the file, and as that entry's client.
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        if let Lookup::Granted(found) = keys.find(entry.key(), peer, UNIX_EPOCH) {
            assert_eq!(found.key().key_data(), entry.key().key_data());
            assert!(usable.contains(&found.line()));
        }
    }
}
