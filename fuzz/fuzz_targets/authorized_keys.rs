#![no_main]

#[path = "../checks/authorized_keys.rs"]
mod authorized_keys;

libfuzzer_sys::fuzz_target!(|data: &[u8]| authorized_keys::check(data));
