#![no_main]

#[path = "../checks/line_discipline.rs"]
mod line_discipline;

libfuzzer_sys::fuzz_target!(|data: &[u8]| line_discipline::check(data));
