//! Faults and deaths at every step of an order's life: nothing is lost, doubled or left behind.
//!
//! `cargo test` plays a seeded part of the cases; all of them, and 10,000 runs left to chance, by `make faults`.

use isobar_tests::faults::matrix::{Tally, cases, play_all, wild};

/// One case of so many is played where not all are.
fn part() -> usize {
    std::env::var("FAULTS_ONE_OF").ok().and_then(|text| text.parse().ok()).unwrap_or(101)
}

/// Runs that are left to chance.
fn seeds() -> u64 {
    std::env::var("FAULTS_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100)
}

fn judge(what: &str, tally: &Tally) {
    eprintln!("{what}: {tally}");
    for failure in tally.failures.iter().take(20) {
        eprintln!("{failure}");
    }
    assert!(tally.failures.is_empty(), "{} of {} cases failed", tally.failures.len(), tally.cases);
}

#[test]
fn every_fault_at_every_step_of_an_order_with_a_death_at_every_point() {
    let all = cases();
    let some: Vec<_> = all.iter().copied().step_by(part()).collect();
    eprintln!("{} of {} cases", some.len(), all.len());
    let tally = play_all(&some);
    judge("matrix", &tally);
    assert_eq!(tally.reached, tally.cases, "every step was reached");
}

#[test]
fn runs_that_are_left_to_chance() {
    let some: Vec<_> = (0..seeds()).map(wild).collect();
    judge("chance", &play_all(&some));
}
