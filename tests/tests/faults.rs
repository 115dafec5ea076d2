//! Faults and deaths at every step of an order's life: nothing is lost, doubled or left behind.
//!
//! `cargo test` plays a seeded part of the cases; all of them, and 10,000 runs left to chance, by `make faults`.

use isobar_tests::faults::matrix::{Tally, cases, play_all, wild};
use isobar_tests::{program, succeed};
use std::process::Command;

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

/// How many cases fail with a rule switched off.
fn failures(rule: &str) -> (u64, u64) {
    let answer = succeed(Command::new(program("isobar-mutants")).args(["faults", rule, "1009", "20"]));
    let number = |name: &str| answer[name].as_u64().expect("a number");
    (number("failures"), number("cases"))
}

#[test]
fn each_rule_that_is_switched_off_shows() {
    assert_eq!(failures("none").0, 0, "the same program with all rules");
    for rule in ["dedup", "unknown", "journal"] {
        let (failed, cases) = failures(rule);
        eprintln!("without {rule}: {failed} of {cases} cases fail");
        assert!(failed >= 3, "without {rule} only {failed} of {cases} cases fail");
    }
}

/// Plays the case of a number (`FAULTS_CASE`) or a run of a seed (`FAULTS_SEED`) alone: to look into a failure.
#[test]
#[ignore = "for one case by hand"]
fn one_case() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let case = number("FAULTS_CASE").and_then(|number| cases().get(usize::try_from(number).ok()?).copied());
    let case = case.or_else(|| number("FAULTS_SEED").map(wild)).expect("FAULTS_CASE or FAULTS_SEED says which");
    eprintln!("{case:?}");
    judge("one", &play_all(&[case]));
}
