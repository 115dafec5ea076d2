//! How long to wait before the next attempt: twice as long each time, up to a bound, and never the same for everybody.
//!
//! Pure: the jitter comes from a seed. Half of each wait is random, so that a venue that comes back is not met by all of its
//! clients at once.

/// A row of waits, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: i64,
    most: i64,
    attempt: u32,
    state: u64,
}

impl Backoff {
    /// Waits from `first` to `most` nanoseconds.
    pub fn new(first: i64, most: i64, seed: u64) -> Self {
        Self { first, most, attempt: 0, state: seed }
    }

    /// The next wait: between half and all of the current bound, which then doubles.
    pub fn next_wait(&mut self) -> i64 {
        let bound = self.bound(self.attempt);
        self.attempt = self.attempt.saturating_add(1);
        self.jitter(bound)
    }

    /// The wait after `attempt` failures, for who counts them himself.
    pub fn wait_after(&mut self, attempt: u32) -> i64 {
        let bound = self.bound(attempt);
        self.jitter(bound)
    }

    /// It worked: the next failure waits for a short time again.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    fn bound(&self, attempt: u32) -> i64 {
        self.first.saturating_mul(1 << attempt.min(30)).min(self.most)
    }

    fn jitter(&mut self, bound: i64) -> i64 {
        // SplitMix64: every seed gives a good row.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let half = (bound / 2).max(0);
        let span = u64::try_from(bound - half).unwrap_or(0) + 1;
        half + i64::try_from(mixed % span).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_double_up_to_the_bound_and_half_of_each_is_random(seed: u64) {
            let mut backoff = Backoff::new(100, 1_000, seed);
            for bound in [100, 200, 400, 800, 1_000, 1_000] {
                let wait = backoff.next_wait();
                prop_assert!((bound / 2..=bound).contains(&wait), "{wait} of {bound}");
            }
            backoff.reset();
            prop_assert!(backoff.next_wait() <= 100);
            prop_assert!((500..=1_000).contains(&backoff.wait_after(u32::MAX)));
        }
    }

    #[test]
    fn two_seeds_wait_differently_and_one_seed_alike() {
        let row = |seed| {
            let mut backoff = Backoff::new(1_000_000, 10_000_000, seed);
            [(); 8].map(|()| backoff.next_wait())
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
    }
}
