//! A live slot: random days over a bad network, and by hand what it takes to trade, to stop and to trade again.

mod support;

use proptest::prelude::*;
use support::World;

#[test]
fn bad_days_lose_nothing_double_nothing_and_end_equal() {
    let mut sum = support::Stats::default();
    for seed in 0..200 {
        let stats = World::new(seed).play(400).unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
        sum.placed += stats.placed;
        sum.fills += stats.fills;
        sum.unknown += stats.unknown;
        sum.lost += stats.lost;
        sum.reads += stats.reads;
        sum.cancels += stats.cancels;
        sum.decreases += stats.decreases;
        sum.renewals += stats.renewals;
    }
    println!("{sum:?}");
    let all = [sum.placed, sum.fills, sum.unknown, sum.lost, sum.reads, sum.cancels, sum.decreases, sum.renewals];
    assert!(all.iter().all(|count| *count > 500), "the days were bad enough: {sum:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]
    #[test]
    fn any_day_ends_equal(seed: u64, steps in 10..900_u32) {
        if let Err(problem) = World::new(seed).play(steps) {
            prop_assert!(false, "seed {}: {}", seed, problem);
        }
    }
}
