//! Reproducible choices: splitmix64, its seed printed by whoever throws.

/// A die.
pub(crate) struct Dice(u64);

impl Dice {
    /// From `ESS_E2E_SEED`, or else this seed; told on standard error, which a failed test shows.
    pub(crate) fn seeded(usual: u64) -> Self {
        let told = std::env::var("ESS_E2E_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = told.unwrap_or(usual);
        eprintln!("ESS_E2E_SEED={seed}");
        Self(seed)
    }

    /// Another die, independent of what this one still throws.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// From 0 up to and without `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
