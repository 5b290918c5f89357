#![no_main]

#[path = "../checks/central_parse.rs"]
mod central_parse;

libfuzzer_sys::fuzz_target!(|data: &[u8]| central_parse::check(data));
