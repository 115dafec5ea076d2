//! What a run came to: decisions, fills, fees and profit per strategy and city.

use crate::seat::Seat;
use isobar_engine::engine::Engine;
use isobar_engine::market::{Market, MarketStatus};
use isobar_engine::units::Money;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What one slot did.
#[derive(Debug, Serialize)]
pub struct SlotSummary {
    pub slot: String,
    pub component: Option<String>,
    pub decisions: u64,
    pub takes: u64,
    pub quotes: u64,
    pub fills: u64,
    pub refusals: u64,
    /// Money at hand, exact.
    pub cash: String,
    pub fees: String,
    pub pnl: String,
    /// Part of the profit that is not settled: open positions at the middle of the book, else at cost.
    pub unsettled: String,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Open positions by ticker, signed 1/100 contracts: positive YES, negative NO.
    pub positions: BTreeMap<String, i64>,
    pub cities: Vec<CitySummary>,
}

/// What one slot did in one city-day.
#[derive(Debug, Serialize)]
pub struct CitySummary {
    pub event: String,
    pub decisions: u64,
    pub fills: u64,
    pub fees: String,
    pub pnl: String,
    /// Contracts held in markets that are not settled, all brackets together.
    pub open_contracts: i64,
    /// How the markets of the city-day stand: `settled`, or `unsettled, at the last mid`.
    pub standing: &'static str,
}

#[derive(Default)]
struct City {
    fills: u64,
    fees: Money,
    profit: Money,
    open: i64,
    settled: bool,
}

/// Profit of one market: what is realised, plus an open position at its mark, less fees.
fn profit(engine: &Engine, market: &Market) -> Money {
    let account = engine.ledger().account(market.id);
    let worth = match (engine.mark(market.id), account.position) {
        (Some(mark), held) if held > 0 => mark.times(isobar_engine::units::Quantity::new(held.unsigned_abs())),
        (Some(mark), held) if held < 0 => {
            mark.complement().times(isobar_engine::units::Quantity::new(held.unsigned_abs()))
        }
        _ => account.cost,
    };
    account.profit() + worth - account.cost
}

/// Sums a slot up.
pub fn of(seat: &Seat) -> SlotSummary {
    let engine = &seat.slot.engine;
    let mut cities: BTreeMap<&str, City> = BTreeMap::new();
    let mut unsettled = Money::ZERO;
    for market in engine.markets() {
        let account = engine.ledger().account(market.id);
        let city = cities.entry(&market.event).or_insert_with(|| City { settled: true, ..City::default() });
        let profit = profit(engine, market);
        city.fills += seat.world.tally.fills_by_market.get(&market.id).copied().unwrap_or(0);
        city.fees += account.fees;
        city.profit += profit;
        city.settled &= market.status == MarketStatus::Settled;
        city.open += account.position / 100;
        unsettled += profit - account.profit();
    }
    let micros = |quantile| seat.world.took.value_at_quantile(quantile) as f64 / 1_000.0;
    let total: Money = cities.values().map(|city| city.profit).sum();
    SlotSummary {
        slot: seat.slot.name.clone(),
        component: engine.component().map(|component| component.hash.to_string()),
        decisions: seat.world.tally.decisions,
        takes: seat.world.tally.takes,
        quotes: seat.world.tally.quotes,
        fills: seat.world.tally.fills,
        refusals: seat.world.tally.refusals,
        cash: engine.ledger().cash().to_string(),
        fees: engine.ledger().fees().to_string(),
        pnl: total.to_string(),
        unsettled: unsettled.to_string(),
        p50_us: micros(0.5),
        p99_us: micros(0.99),
        positions: engine
            .markets()
            .map(|market| (market.ticker.clone(), engine.ledger().position(market.id)))
            .filter(|(_, position)| *position != 0)
            .collect(),
        cities: cities
            .into_iter()
            .map(|(event, city)| CitySummary {
                event: event.to_owned(),
                decisions: seat.world.tally.decisions_by_event.get(event).copied().unwrap_or(0),
                fills: city.fills,
                fees: city.fees.to_string(),
                pnl: city.profit.to_string(),
                open_contracts: city.open,
                standing: if city.settled { "settled" } else { "unsettled, at the last mid" },
            })
            .collect(),
    }
}

/// The table of a terminal.
pub fn render(slots: &[SlotSummary]) -> String {
    let mut text = String::new();
    for slot in slots {
        let _ = writeln!(
            text,
            "\n{:<10} {} decisions, {} takes, {} quotes, {} fills, {} refusals   p50 {:.1} µs, p99 {:.1} µs a decision",
            slot.slot, slot.decisions, slot.takes, slot.quotes, slot.fills, slot.refusals, slot.p50_us, slot.p99_us
        );
        let _ = writeln!(
            text,
            "  {:<24} {:>9} {:>6} {:>12} {:>14} {:>7}",
            "city-day", "decisions", "fills", "fees $", "profit $", "open"
        );
        for city in &slot.cities {
            let _ = writeln!(
                text,
                "  {:<24} {:>9} {:>6} {:>12} {:>14} {:>7}  {}",
                city.event, city.decisions, city.fills, city.fees, city.pnl, city.open_contracts, city.standing
            );
        }
        let _ = writeln!(
            text,
            "  {:<24} {:>9} {:>6} {:>12} {:>14}",
            "all", slot.decisions, slot.fills, slot.fees, slot.pnl
        );
    }
    text
}
