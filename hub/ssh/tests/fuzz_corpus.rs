//! Runs what the fuzz targets check over their corpora, without a fuzzer.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../fuzz/checks/authorized_keys.rs"]
mod authorized_keys;
#[path = "../../../fuzz/checks/line_discipline.rs"]
mod line_discipline;

/// Every file of a corpus, and of each its beginnings: input can end anywhere.
fn replay(target: &str, check: impl Fn(&[u8])) {
    let folder = format!("{}/../../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let data = std::fs::read(entry.unwrap().path()).unwrap();
        check(&data);
        for end in 0..data.len().min(512) {
            check(&data[..end]);
        }
        files += 1;
    }
    assert!(files >= 10, "the corpus of {target} is not there");
}

#[test]
fn the_corpus_of_line_discipline_holds() {
    replay("line_discipline", line_discipline::check);
}

#[test]
fn the_corpus_of_authorized_keys_holds() {
    replay("authorized_keys", authorized_keys::check);
}
