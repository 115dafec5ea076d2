//! What came out: rounds, ratios, stages, as a table or as JSON.

use crate::exchange::Outcome;
use crate::keys::{Algorithm, Key};
use crate::programs::Program;
use crate::stages::Stage;
use serde::Serialize;

/// One program in one round.
#[derive(Debug, Serialize)]
pub struct Round {
    #[serde(skip)]
    pub program: Program,
    #[serde(rename = "program")]
    name: &'static str,
    round: usize,
    orders: usize,
    missed: u64,
    unasked: u64,
    held_back: u64,
    bad_signatures: usize,
    oldest_signature_ms: u64,
    pub p50_us: f64,
    pub p99_us: f64,
    max_us: f64,
    stages: Vec<Stage>,
}

/// The value that `share` of the sorted values do not exceed.
pub fn quantile(sorted: &[u64], share: f64) -> u64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(0)
}

impl Round {
    /// A trigger without an order counts as long as it was waited for.
    pub fn new(program: Program, round: usize, outcome: &Outcome, key: &Key, stages: Vec<Stage>) -> Self {
        let nanoseconds = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut all: Vec<u64> = outcome.samples.iter().map(|sample| nanoseconds(sample.latency)).collect();
        all.extend((0..outcome.missed).map(|_| nanoseconds(crate::exchange::PATIENCE)));
        all.sort_unstable();
        let at = |share: f64| quantile(&all, share) as f64 / 1e3;
        let (bad_signatures, oldest_signature_ms) = key.check(&outcome.proofs);
        Self {
            program,
            name: program.name(),
            round,
            orders: outcome.samples.len(),
            missed: outcome.missed,
            unasked: outcome.unasked,
            held_back: outcome.held_back,
            bad_signatures,
            oldest_signature_ms,
            p50_us: at(0.5),
            p99_us: at(0.99),
            max_us: at(1.0),
            stages,
        }
    }
}

/// The medians of the rounds' ratios, host to bot, and what they should be at most.
#[derive(Debug, Serialize)]
pub struct Verdict {
    p50_ratio: f64,
    p99_ratio: f64,
    p50_target: f64,
    /// RSA has no target at p99.
    p99_target: Option<f64>,
    met: bool,
}

/// All rounds with one key.
#[derive(Debug, Serialize)]
pub struct Series {
    key: String,
    /// Markets that were triggered, of those that are listed.
    markets: usize,
    rounds: Vec<Round>,
    verdict: Option<Verdict>,
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(values[middle - 1].midpoint(values[middle])),
    }
}

impl Series {
    /// `rounds` in the order in which they were run.
    pub fn new(algorithm: Algorithm, markets: usize, rounds: Vec<Round>) -> Self {
        let of = |program| rounds.iter().filter(move |round: &&Round| round.program == program);
        let ratios = |value: fn(&Round) -> f64| {
            let pairs = of(Program::Host).filter_map(|host| {
                of(Program::Bot).find(|bot| bot.round == host.round).map(|bot| value(host) / value(bot))
            });
            median(pairs.collect())
        };
        let (p50_target, p99_target) = match algorithm {
            Algorithm::Ed25519 => (1.0, Some(1.2)),
            Algorithm::Rsa => (0.5, None),
        };
        let verdict = ratios(|round| round.p50_us).zip(ratios(|round| round.p99_us)).map(|(p50_ratio, p99_ratio)| {
            let met = p50_ratio <= p50_target && p99_target.is_none_or(|target| p99_ratio <= target);
            Verdict { p50_ratio, p99_ratio, p50_target, p99_target, met }
        });
        Self { key: format!("{algorithm:?}").to_uppercase().replace("ED", "Ed"), markets, rounds, verdict }
    }

    /// As tables in Markdown.
    pub fn print(&self) {
        println!("\n### {} key, {} markets triggered in turn\n", self.key, self.markets);
        println!("| round | program | orders | missed | unasked | held back | p50 µs | p99 µs | max µs |");
        println!("|---:|---|---:|---:|---:|---:|---:|---:|---:|");
        for round in &self.rounds {
            println!(
                "| {} | {} | {} | {} | {} | {} | {:.1} | {:.1} | {:.0} |",
                round.round,
                round.name,
                round.orders,
                round.missed,
                round.unasked,
                round.held_back,
                round.p50_us,
                round.p99_us,
                round.max_us
            );
        }
        for program in [Program::Bot, Program::Host] {
            self.print_stages(program);
        }
        for round in self.rounds.iter().filter(|round| round.bad_signatures > 0) {
            println!("\n{} in round {}: {} signatures are wrong", round.name, round.round, round.bad_signatures);
        }
        let oldest = |program| {
            let of = self.rounds.iter().filter(|round| round.program == program);
            of.map(|round| round.oldest_signature_ms).max()
        };
        for program in [Program::Bot, Program::Host] {
            if let Some(oldest) = oldest(program) {
                println!("\n{}: the oldest signature was {oldest} ms old when it was read", program.name());
            }
        }
        if let Some(verdict) = &self.verdict {
            let limit =
                |target: Option<f64>| target.map_or("no target".to_owned(), |target| format!("at most {target}"));
            println!(
                "\nhost to bot, medians of the rounds' ratios: p50 {:.2} ({}), p99 {:.2} ({}): {}",
                verdict.p50_ratio,
                limit(Some(verdict.p50_target)),
                verdict.p99_ratio,
                limit(verdict.p99_target),
                if verdict.met { "met" } else { "not met" }
            );
        }
    }

    /// The stages of a program: medians over its rounds.
    fn print_stages(&self, program: Program) {
        let rounds: Vec<&Round> = self.rounds.iter().filter(|round| round.program == program).collect();
        let Some(first) = rounds.iter().find(|round| !round.stages.is_empty()) else { return };
        println!("\n| {}, stage | p50 µs | p99 µs | share |\n|---|---:|---:|---:|", program.name());
        for (index, stage) in first.stages.iter().enumerate() {
            let of = |value: fn(&Stage) -> f64| {
                median(rounds.iter().filter_map(|round| round.stages.get(index).map(value)).collect()).unwrap_or(0.0)
            };
            let (p50, p99, share) = (of(|stage| stage.p50_us), of(|stage| stage.p99_us), of(|stage| stage.share));
            println!("| {} | {p50:.1} | {p99:.1} | {:.1} % |", stage.name, 100.0 * share);
        }
    }
}
