//! Runs what the fuzz targets check over their corpora, without a fuzzer.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../fuzz/checks/central_parse.rs"]
mod central_parse;
#[path = "../../../fuzz/checks/json_parse.rs"]
mod json_parse;

/// Every file of a corpus, and of each its beginnings: half a line is a line, too.
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
fn the_corpus_of_central_parse_holds() {
    replay("central_parse", central_parse::check);
}

#[test]
fn the_corpus_of_json_parse_holds() {
    replay("json_parse", json_parse::check);
}
