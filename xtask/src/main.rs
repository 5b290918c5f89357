//! cmp-hub
fn main() {}
