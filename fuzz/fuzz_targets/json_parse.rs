#![no_main]

#[path = "../checks/json_parse.rs"]
mod json_parse;

libfuzzer_sys::fuzz_target!(|data: &[u8]| json_parse::check(data));
