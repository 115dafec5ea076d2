//! Snapshots that every strategy must answer before it may trade, twice and the same.

use crate::description::Description;
use isobar_engine::event::{Level, Trade};
use isobar_engine::market::{FeeSchedule, Ladder, MarketId, Strike};
use isobar_engine::snapshot::{Bracket, Resting, Snapshot};
use isobar_engine::units::{Price, Probability, Quantity, Side, Timestamp};

/// 10 March 2026, 15:00 UTC: any time would do.
const NOW: Timestamp = Timestamp(1_773_154_800_000_000_000);
const HOUR: i64 = 3_600_000_000_000;

/// All probes by name, with the component's default parameters.
pub(crate) fn probes(description: &Description) -> Vec<(&'static str, Snapshot)> {
    let levels = description.watch.levels;
    let full: Vec<Bracket> = (0..6).map(|index| bracket(index, levels)).collect();
    let each = |change: fn(&mut Bracket)| {
        let mut brackets = full.clone();
        brackets.iter_mut().for_each(change);
        brackets
    };
    let cases = [
        ("six brackets", full.clone()),
        ("bids only", each(|bracket| bracket.asks.clear())),
        ("asks only", each(|bracket| bracket.bids.clear())),
        (
            "empty books",
            each(|bracket| {
                bracket.bids.clear();
                bracket.asks.clear();
            }),
        ),
        ("no opinion", each(|bracket| bracket.probability = None)),
        ("not tradable", each(|bracket| bracket.tradable = false)),
        ("no room", each(|bracket| (bracket.room_bid, bracket.room_ask) = (Quantity::ZERO, Quantity::ZERO))),
        (
            "positions and quotes",
            each(|bracket| {
                bracket.position = -700;
                let rests = |side, price| Resting { side, price, quantity: Quantity::contracts(3) };
                bracket.resting = vec![rests(Side::Bid, cents(2)), rests(Side::Ask, cents(98))];
            }),
        ),
        ("certainty", each(|bracket| bracket.probability = Some(Probability::ONE))),
        ("no brackets", Vec::new()),
    ];
    cases.into_iter().map(|(name, brackets)| (name, snapshot(description, brackets))).collect()
}

fn snapshot(description: &Description, brackets: Vec<Bracket>) -> Snapshot {
    let opinion = brackets.iter().any(|bracket| bracket.probability.is_some());
    Snapshot {
        now: NOW,
        event: "KXHIGHNY-26MAR10".into(),
        closes: NOW.plus(13 * HOUR),
        changed: (!brackets.is_empty()).then_some(0),
        forecast_issued: opinion.then_some(NOW.plus(-HOUR)),
        brackets,
        parameters: description.parameters.iter().map(|parameter| parameter.default).collect(),
        state: Vec::new(),
    }
}

/// Bracket `index` of six, with a book around a price of its own.
fn bracket(index: u16, levels: u8) -> Bracket {
    let (best_bid, best_ask) = [(2, 4), (14, 17), (33, 36), (30, 31), (12, 16), (1, 3)][usize::from(index)];
    let degree = 70 + 2 * i32::from(index);
    let strike = match index {
        0 => Strike::Less { cap: degree + 2 },
        5 => Strike::Greater { floor: degree - 1 },
        _ => Strike::Between { floor: degree, cap: degree + 1 },
    };
    let level = |price: u16| Level { price: cents(price), quantity: Quantity::contracts(20 + u32::from(price)) };
    let market = MarketId(index);
    Bracket {
        market,
        ticker: format!("KXHIGHNY-26MAR10-B{degree}.5").into(),
        strike,
        probability: Probability::new([30_000, 120_000, 420_000, 280_000, 130_000, 20_000][usize::from(index)]),
        tradable: true,
        bids: (1..=best_bid).rev().take(levels.into()).map(level).collect(),
        asks: (best_ask..100).take(levels.into()).map(level).collect(),
        last_trade: Some(Trade { market, price: cents(best_ask), quantity: Quantity::contracts(7), taker: Side::Bid }),
        position: 0,
        resting: Vec::new(),
        fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
        ladder: Ladder::cents().ranges().into(),
        room_bid: Quantity::contracts(50),
        room_ask: Quantity::contracts(50),
    }
}

fn cents(cents: u16) -> Price {
    Price::from_cents(cents).expect("at most a dollar")
}
