//! Wrong engines on purpose: the random days have to notice them. `cargo test -p isobar-engine --features mutants`.
#![cfg(feature = "mutants")]

mod support;

use isobar_engine::mutant::{Mutant, activate};
use support::World;

/// How many of these days end wrong.
fn wrong_days() -> usize {
    (0..40).filter(|seed| World::new(*seed).play(400).is_err()).count()
}

// One test: a mutant is on for the whole process.
#[test]
fn random_days_notice_fills_that_count_twice_and_orders_that_are_written_off() {
    assert_eq!(wrong_days(), 0, "the engine as it is");
    for mutant in [Mutant::Dedup, Mutant::Unknown] {
        activate(mutant);
        let wrong = wrong_days();
        println!("{mutant:?}: {wrong} of 40 days end wrong");
        assert!(wrong >= 20, "{mutant:?} was noticed on {wrong} of 40 days");
    }
}
