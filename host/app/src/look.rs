//! Commands that look at something and change nothing: books, decisions, components, the SQL projection.

use crate::cli;
use crate::decision_log::{self, Palette};
use crate::replay::{Watcher, decode, replay_watched};
use crate::screen::Style;
use anyhow::{Context, Result};
use isobar_engine::engine::Engine;
use isobar_engine::event::Fault;
use isobar_engine::snapshot::{Decision, Snapshot};
use isobar_engine::units::Side;
use isobar_plugins::{Check, Loader};
use isobar_store::Run;
use isobar_store::projection::{Counts, rebuild};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// The book of a market.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub market: String,
    /// Number of the last input that was applied.
    pub seq: u64,
    pub live: bool,
    /// Why the book is not to be trusted.
    pub stale: Option<String>,
    /// YES bids, best first, in the venue's decimals.
    pub bids: Vec<[String; 2]>,
    /// YES asks, best first, in the venue's decimals.
    pub asks: Vec<[String; 2]>,
}

/// The book of a market at the end of a run, or after an input.
pub fn book(command: &cli::Book) -> Result<Shown> {
    let run = Run::open(&command.run)?;
    let mut engine = Engine::new(crate::host::settings(&crate::config::Config::example()));
    let mut effects = Vec::new();
    let mut last = 0;
    decode(&run, |seq, at, body, _| {
        if command.seq.is_none_or(|end| seq <= end) {
            engine.apply(seq, at, body, &mut effects);
            effects.clear();
            last = seq;
        }
        Ok(())
    })?;
    let market = engine.markets().find(|market| market.ticker == command.market).map(|market| market.id);
    let id = market.with_context(|| {
        let known: Vec<&str> = engine.markets().map(|market| market.ticker.as_str()).collect();
        format!("the run knows no market {}; it has {}", command.market, known.join(", "))
    })?;
    let book = engine.book(id);
    let side = |side| book.levels(side).map(|level| [level.price.to_string(), level.quantity.to_string()]).collect();
    Ok(Shown {
        market: command.market.clone(),
        seq: last,
        live: book.is_live(),
        stale: book.stale().map(|reason| format!("{reason:?}")),
        bids: side(Side::Bid),
        asks: side(Side::Ask),
    })
}

pub fn render_book(shown: &Shown) -> String {
    let mut text = format!("{} after input {}", shown.market, shown.seq);
    if let Some(reason) = &shown.stale {
        text.push_str(&format!(", not to be trusted: {reason}"));
    }
    text.push_str(&format!("\n{:>12} {:>8} | {:<8} {:<12}\n", "contracts", "bid", "ask", "contracts"));
    for row in 0..shown.bids.len().max(shown.asks.len()) {
        let [bid, size] = shown.bids.get(row).cloned().unwrap_or_default();
        let [ask, ask_size] = shown.asks.get(row).cloned().unwrap_or_default();
        text.push_str(&format!("{size:>12} {bid:>8} | {ask:<8} {ask_size:<12}\n"));
    }
    text
}

/// Whether a component would be accepted.
pub fn check(command: &cli::Check) -> Result<Check> {
    Ok(Loader::new(isobar_plugins::Limits::default(), None)?.check(&command.file))
}

pub fn render_check(file: &Path, found: &Check) -> String {
    let hash = found.component.as_deref().unwrap_or("unreadable");
    match &found.reason {
        None => format!("{}: accepted, {hash}, at most {} fuel a probe", file.display(), found.fuel_max),
        Some(reason) => format!("{}: refused: {reason}", file.display()),
    }
}

/// Prints decisions with the snapshots that they answer, made anew by a replay.
pub fn decisions(command: &cli::Decisions) -> Result<()> {
    let style = Style::of(command.output);
    let mut printer = Printer { command, style, out: std::io::stdout().lock(), closed: false };
    let outcome = replay_watched(&command.run, &mut printer)?;
    if let Some(difference) = outcome.first_difference {
        anyhow::bail!("this engine does not repeat the run: slot {} differs at {}", difference.slot, difference.seq);
    }
    Ok(())
}

struct Printer<'a, W> {
    command: &'a cli::Decisions,
    style: Style,
    out: W,
    closed: bool,
}

impl<W: Write> Watcher for Printer<'_, W> {
    fn decided(&mut self, slot: &str, number: u64, snapshot: &Snapshot, outcome: &Result<Decision, Fault>) {
        let wanted = self.command.slot.as_deref().is_none_or(|wanted| wanted == slot);
        let Ok(decision) = outcome else { return };
        if !wanted || self.closed {
            return;
        }
        let mut lines = decision_log::lines(slot, number, snapshot, decision);
        if let Some(part) = &self.command.market {
            lines.retain(|line| line.ticker.contains(part.as_str()));
        }
        let verbose = self.command.output.verbose || self.command.market.is_some();
        let text = match self.style {
            Style::Text { palette, .. } => decision_log::render(&lines, &palette, verbose),
            Style::Silent => decision_log::render(&lines, &Palette::PLAIN, verbose),
            Style::Json => lines.iter().filter_map(|line| serde_json::to_string(line).ok()).fold(
                String::new(),
                |mut text, line| {
                    text.push_str(&line);
                    text.push('\n');
                    text
                },
            ),
        };
        // The reader has seen enough (`| head`).
        self.closed = self.out.write_all(text.as_bytes()).is_err();
    }
}

/// Rebuilds the SQL projection.
pub fn project(command: &cli::Project) -> Result<Counts> {
    Ok(rebuild(&Run::open(&command.run)?)?)
}

/// What was written, for people.
pub fn render_counts(counts: &Counts) -> String {
    format!(
        "{} inputs and {} records read; {} decisions, {} orders, {} fills, {} foreign fills, {} notices, {} refusals, \
         {} swaps, {} forecasts written",
        counts.inputs,
        counts.records,
        counts.decisions,
        counts.orders,
        counts.fills,
        counts.foreign_fills,
        counts.notices,
        counts.refusals,
        counts.swaps,
        counts.forecasts
    )
}
