//! The program with deliberate faults compiled in, which `isobar-mutants replay RUN --mutant fee|book|risk` switches on, and
//! the fault runs with one of the rules switched off that they are to prove: `isobar-mutants faults RULE ONE_OF SEEDS`.
//!
//! A package of its own, built by itself: cargo unites features over everything that is built together, and the program
//! that trades must not hold a fault, not even one that is switched off.

use isobar_engine::mutant::{Mutant, activate};
use isobar_tests::faults::matrix::{cases, play_all, wild};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["faults", rule, one_of, seeds] => faults(rule, one_of.parse().unwrap_or(101), seeds.parse().unwrap_or(0)),
        _ => isobar::main(),
    }
}

/// Plays one case of so many and so many seeds, and prints how many failed: three numbers and the first failures.
fn faults(rule: &str, one_of: usize, seeds: u64) -> ExitCode {
    match rule {
        "none" => {}
        "dedup" => activate(Mutant::Dedup),
        "unknown" => activate(Mutant::Unknown),
        "journal" => activate(Mutant::Journal),
        other => {
            eprintln!("no such rule: {other}");
            return ExitCode::FAILURE;
        }
    }
    let mut some: Vec<_> = cases().into_iter().step_by(one_of.max(1)).collect();
    some.extend((0..seeds).map(wild));
    // What a wrong engine panics about is counted, not shown.
    std::panic::set_hook(Box::new(|_| {}));
    let tally = play_all(&some);
    for failure in tally.failures.iter().take(5) {
        eprintln!("{failure}");
    }
    println!(r#"{{"cases":{},"failures":{}}}"#, tally.cases, tally.failures.len());
    ExitCode::SUCCESS
}
