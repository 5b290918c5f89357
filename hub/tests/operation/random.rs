//! Numbers that look random, the same ones for the same seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// The environment variable that sets the seed, to repeat a run.
const SEED: &str = "CMP_TEST_SEED";

/// `SplitMix64`, by Sebastiano Vigna (<https://prng.di.unimi.it/splitmix64.c>).
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by the environment, else by the time. Says the seed on standard output.
    pub(crate) fn new() -> Self {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = match std::env::var(SEED) {
            Ok(seed) => seed.parse().expect(SEED),
            Err(_) => u64::from(now().subsec_nanos()),
        };
        println!("{SEED}={seed}");
        Self(seed)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(bound).unwrap()).unwrap()
    }
}
