//! Between the engine's values and the types of the WIT world. The way back checks the contract.

use crate::bindings::isobar::strategy::types as wit;
use crate::description::{Description, Parameter, Unit};
use isobar_engine::event::{Fault, Watch};
use isobar_engine::market::{FeeSchedule, Strike};
use isobar_engine::snapshot::{self as engine, bounds};
use isobar_engine::units::{Price, Quantity, Side};

/// Lists of plain values of a whole snapshot, one allocation each; brackets borrow from them.
pub(crate) struct Lists {
    levels: Vec<wit::Level>,
    resting: Vec<wit::Resting>,
    ladder: Vec<wit::PriceRange>,
}

impl Lists {
    pub fn of(snapshot: &engine::Snapshot) -> Self {
        let brackets = &snapshot.brackets;
        let mut lists = Self {
            levels: Vec::with_capacity(brackets.iter().map(|b| b.bids.len() + b.asks.len()).sum()),
            resting: Vec::with_capacity(brackets.iter().map(|b| b.resting.len()).sum()),
            ladder: Vec::with_capacity(brackets.iter().map(|b| b.ladder.len()).sum()),
        };
        for bracket in brackets {
            let levels = bracket.bids.iter().chain(&bracket.asks);
            lists.levels.extend(
                levels.map(|level| wit::Level { price: level.price.units(), quantity: level.quantity.units() }),
            );
            lists.resting.extend(bracket.resting.iter().map(|order| wit::Resting {
                side: side_out(order.side),
                price: order.price.units(),
                quantity: order.quantity.units(),
            }));
            lists.ladder.extend(bracket.ladder.iter().map(|range| wit::PriceRange {
                start: range.start.units(),
                end: range.end.units(),
                step: range.step.units(),
            }));
        }
        lists
    }

    /// The brackets of the snapshot that these lists were made of.
    pub fn brackets<'a>(&'a self, snapshot: &'a engine::Snapshot) -> Vec<wit::Bracket<'a>> {
        let (mut levels, mut resting, mut ladder) = (&self.levels[..], &self.resting[..], &self.ladder[..]);
        let brackets = snapshot.brackets.iter().map(|bracket| wit::Bracket {
            market: bracket.market.0,
            ticker: &bracket.ticker,
            strike: strike_out(bracket.strike),
            probability: bracket.probability.map(|probability| probability.ppm()),
            tradable: bracket.tradable,
            bids: next(&mut levels, bracket.bids.len()),
            asks: next(&mut levels, bracket.asks.len()),
            last_trade: bracket.last_trade.map(|trade| wit::Trade {
                price: trade.price.units(),
                quantity: trade.quantity.units(),
                taker: side_out(trade.taker),
            }),
            position: bracket.position,
            resting: next(&mut resting, bracket.resting.len()),
            fees: fees_out(bracket.fees),
            ladder: next(&mut ladder, bracket.ladder.len()),
            room_bid: bracket.room_bid.units(),
            room_ask: bracket.room_ask.units(),
        });
        brackets.collect()
    }
}

/// Cuts the first `count` elements off a slice.
fn next<'a, T>(rest: &mut &'a [T], count: usize) -> &'a [T] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

/// The snapshot around its brackets.
pub(crate) fn snapshot_out<'a>(snapshot: &'a engine::Snapshot, brackets: &'a [wit::Bracket<'a>]) -> wit::Snapshot<'a> {
    wit::Snapshot {
        now: snapshot.now.0,
        event: &snapshot.event,
        closes: snapshot.closes.0,
        changed: snapshot.changed,
        forecast_issued: snapshot.forecast_issued.map(|issued| issued.0),
        brackets,
        parameters: &snapshot.parameters,
        state: &snapshot.state,
    }
}

/// A guest's answer as the engine's value, where it keeps the contract for a snapshot of `brackets` brackets.
pub(crate) fn decision_in(decision: wit::Decision, brackets: usize) -> Result<engine::Decision, Fault> {
    bounded("quotes", decision.quotes.len(), bounds::QUOTES)?;
    bounded("takes", decision.takes.len(), bounds::TAKES)?;
    bounded("reasons", decision.reasons.len(), bounds::REASONS)?;
    bounded("bytes of state", decision.state.len(), bounds::STATE_BYTES)?;
    let bracket = |index: u16| match usize::from(index) < brackets {
        true => Ok(index),
        false => Err(Fault::Contract(format!("bracket {index} of {brackets}"))),
    };
    let quotes = decision.quotes.into_iter().map(|quote| {
        Ok(engine::DesiredQuote {
            bracket: bracket(quote.bracket)?,
            side: side_in(quote.side),
            price: price_in(quote.price)?,
            quantity: quantity_in(quote.quantity)?,
        })
    });
    let takes = decision.takes.into_iter().map(|target| {
        quantity_in(target.position.unsigned_abs())?;
        Ok(engine::Target {
            bracket: bracket(target.bracket)?,
            position: target.position,
            limit: price_in(target.limit)?,
        })
    });
    let reasons = decision.reasons.into_iter().map(|reason| {
        bounded("bytes of a note", reason.note.len(), bounds::NOTE_BYTES)?;
        Ok(engine::Reason {
            bracket: bracket(reason.bracket)?,
            verdict: match reason.verdict {
                wit::Verdict::Take => engine::Verdict::Take,
                wit::Verdict::Make => engine::Verdict::Make,
                wit::Verdict::Pass => engine::Verdict::Pass,
            },
            side: side_in(reason.side),
            price: reason.price.map(price_in).transpose()?,
            quantity: quantity_in(reason.quantity)?,
            take_ev: reason.take_ev,
            make_ev: reason.make_ev,
            note: reason.note,
        })
    });
    Ok(engine::Decision {
        quotes: quotes.collect::<Result<_, Fault>>()?,
        takes: takes.collect::<Result<_, Fault>>()?,
        reasons: reasons.collect::<Result<_, Fault>>()?,
        state: decision.state,
    })
}

/// What a guest says of itself, not yet checked.
pub(crate) fn description_in(description: wit::Description) -> Description {
    let watch = description.watch;
    let parameters = description.parameters.into_iter().map(|parameter| Parameter {
        name: parameter.name,
        unit: match parameter.unit {
            wit::Unit::Ppm => Unit::Ppm,
            wit::Unit::Money => Unit::Money,
            wit::Unit::Quantity => Unit::Quantity,
            wit::Unit::Price => Unit::Price,
            wit::Unit::Count => Unit::Count,
            wit::Unit::Seconds => Unit::Seconds,
        },
        default: parameter.default,
        minimum: parameter.minimum,
        maximum: parameter.maximum,
        about: parameter.about,
    });
    Description {
        name: description.name,
        version: description.version,
        watch: Watch {
            levels: watch.levels,
            sizes: watch.sizes,
            trades: watch.trades,
            every: watch.every,
            at_most_every: watch.at_most_every,
        },
        parameters: parameters.collect(),
    }
}

fn bounded(what: &str, count: usize, most: usize) -> Result<(), Fault> {
    if count <= most { Ok(()) } else { Err(Fault::Contract(format!("{count} {what}, at most {most}"))) }
}

fn price_in(units: u16) -> Result<Price, Fault> {
    Price::new(units).ok_or_else(|| Fault::Contract(format!("a price of {units}/10000 dollar")))
}

/// Sizes above this many units (ten million contracts) are no sizes, and sums of them stay far inside their types.
const QUANTITY: u64 = 1_000_000_000;

fn quantity_in(units: u64) -> Result<Quantity, Fault> {
    if units <= QUANTITY {
        Ok(Quantity::new(units))
    } else {
        Err(Fault::Contract(format!("a size of {units}/100 contracts")))
    }
}

fn side_out(side: Side) -> wit::Side {
    match side {
        Side::Bid => wit::Side::Bid,
        Side::Ask => wit::Side::Ask,
    }
}

fn side_in(side: wit::Side) -> Side {
    match side {
        wit::Side::Bid => Side::Bid,
        wit::Side::Ask => Side::Ask,
    }
}

fn strike_out(strike: Strike) -> wit::Strike {
    match strike {
        Strike::Less { cap } => wit::Strike::Less(cap),
        Strike::Between { floor, cap } => wit::Strike::Between(wit::Degrees { floor, cap }),
        Strike::Greater { floor } => wit::Strike::Greater(floor),
        Strike::Other => wit::Strike::Other,
    }
}

fn fees_out(fees: FeeSchedule) -> wit::FeeSchedule {
    match fees {
        FeeSchedule::Quadratic { taker_ppm, maker_ppm } => {
            wit::FeeSchedule::Quadratic(wit::FeeRates { taker: taker_ppm, maker: maker_ppm })
        }
        FeeSchedule::FlatPremium { taker_ppm, maker_ppm } => {
            wit::FeeSchedule::FlatPremium(wit::FeeRates { taker: taker_ppm, maker: maker_ppm })
        }
    }
}
