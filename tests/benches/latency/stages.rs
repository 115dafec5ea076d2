//! Where the time of an order went: stamps that a program made on its way, placed between the two of the exchange.
//!
//! A program that wants its stages told writes a file of lines: first the names of its stages, then for each order its
//! client order id and the stamps in Unix nanoseconds, all separated by tabs. The clock is the machine's own, so that the
//! stamps of two processes are comparable.

use crate::exchange::Sample;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The stamps of a program that runs here: the bot's.
pub struct Stamps {
    text: String,
    marks: Vec<u64>,
}

impl Stamps {
    pub fn new(names: &[&str]) -> Self {
        Self { text: format!("order\t{}\n", names.join("\t")), marks: vec![0; names.len()] }
    }

    /// Stage `number` is reached now.
    pub fn mark(&mut self, number: usize) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        self.marks[number] = u64::try_from(since).unwrap_or(u64::MAX);
    }

    /// The stamps so far belong to this order.
    pub fn order(&mut self, client_order_id: &str) {
        self.text.push_str(client_order_id);
        for mark in &self.marks {
            // Writing into a string cannot fail.
            let _ = write!(self.text, "\t{mark}");
        }
        self.text.push('\n');
    }

    pub fn write(&self, file: &Path) {
        std::fs::write(file, &self.text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

/// What one stage took.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// From which stamp to which.
    pub name: String,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Of the sum of all stages, over all orders.
    pub share: f64,
}

/// The stages of the orders in `samples` by the file that the program wrote; nothing where there is no file, or where its
/// stamps belong to none of the orders.
pub fn read(file: &Path, samples: &[Sample]) -> Vec<Stage> {
    let Ok(text) = std::fs::read_to_string(file) else { return Vec::new() };
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split('\t').skip(1).collect();
    let stamps: HashMap<&str, Vec<u64>> = lines
        .filter_map(|line| {
            let (order, rest) = line.split_once('\t')?;
            Some((order, rest.split('\t').map(str::parse).collect::<Result<_, _>>().ok()?))
        })
        .collect();
    let mut columns: Vec<Vec<u64>> = vec![Vec::new(); names.len() + 1];
    for sample in samples {
        let Some(stamps) = stamps.get(&*sample.client_order_id).filter(|stamps| stamps.len() == names.len()) else {
            continue;
        };
        let mut from = sample.written_ns;
        for (column, to) in columns.iter_mut().zip(stamps.iter().copied().chain([sample.read_ns])) {
            column.push(to.saturating_sub(from));
            from = to;
        }
    }
    let total: u64 = columns.iter().flatten().sum();
    if total == 0 {
        return Vec::new();
    }
    let ends = names.iter().copied().chain(["order at the exchange"]);
    let begins = std::iter::once("frame written").chain(names.iter().copied());
    let named = begins.zip(ends).map(|(from, to)| format!("{from} → {to}"));
    named
        .zip(columns)
        .map(|(name, mut column)| {
            let share = column.iter().sum::<u64>() as f64 / total as f64;
            column.sort_unstable();
            let at = |share: f64| crate::report::quantile(&column, share) as f64 / 1e3;
            Stage { name, p50_us: at(0.5), p99_us: at(0.99), share }
        })
        .collect()
}
