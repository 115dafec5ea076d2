//! The guide's rule: take when the expected value of taking clears its threshold, else rest one tick inside when that
//! clears its own, else pass. One position a market; YES before NO.

use isobar_strategy::market::{Grid, whole};
use isobar_strategy::{
    Bracket, Decision, Description, Parameter, Reason, Side, Snapshot, Target, Unit, Verdict, Watch,
};

isobar_strategy::export!(crate::describe, crate::decide);

/// Values of the parameters, in the order of [`describe`].
struct Settings {
    min_edge_take: i64,
    min_edge_make: i64,
    bet_amount: i64,
    min_probability: i64,
    both_sides: bool,
}

/// Name, watch and parameters; the names and defaults of the first three are the guide's.
pub fn describe() -> Description {
    let parameters = vec![
        Parameter::new("MIN_EDGE_TAKE", Unit::Ppm, 50_000, 0..=1_000_000, "dollars a contract that taking must earn"),
        Parameter::new("MIN_EDGE_MAKE", Unit::Ppm, 30_000, 0..=1_000_000, "dollars a contract that a quote must earn"),
        Parameter::new("BET_AMOUNT_USD", Unit::Money, 20_000_000, 0..=1_000_000_000_000, "premium of one bet, no fee"),
        Parameter::new("MIN_PROBABILITY", Unit::Ppm, 0, 0..=1_000_000, "least chance of a claim that is bought"),
        Parameter::new("BOTH_SIDES", Unit::Count, 1, 0..=1, "1: NO is bought too, 0: YES only, as in the guide"),
    ];
    Description {
        name: "edge".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        watch: Watch { levels: 1, sizes: true, trades: false, every: 0, at_most_every: 0 },
        parameters,
    }
}

/// One verdict for every bracket.
pub fn decide(snapshot: &Snapshot) -> Decision {
    let [min_edge_take, min_edge_make, bet_amount, min_probability, both_sides] = snapshot.parameters[..] else {
        panic!("edge declares five parameters");
    };
    let both_sides = both_sides != 0;
    let settings = Settings { min_edge_take, min_edge_make, bet_amount, min_probability, both_sides };
    let mut decision = Decision::nothing();
    decision.reasons.reserve(snapshot.brackets.len());
    for (bracket, index) in snapshot.brackets.iter().zip(0u16..) {
        let reason = consider(bracket, index, &settings);
        match (reason.verdict, reason.price) {
            (Verdict::Take, Some(limit)) => {
                let position = reason.side.signed(reason.quantity);
                decision.takes.push(Target { bracket: index, position, limit });
            }
            (Verdict::Make, Some(price)) => decision.quote(index, reason.side, price, reason.quantity),
            _ => {}
        }
        decision.reasons.push(reason);
    }
    decision
}

/// What to do in one bracket: the first side that acts, else the look at YES.
fn consider(bracket: &Bracket, index: u16, settings: &Settings) -> Reason {
    if bracket.probability.is_none() {
        return Reason::pass(index, "no opinion");
    }
    if !bracket.tradable {
        return Reason::pass(index, "not tradable");
    }
    if bracket.position != 0 {
        return Reason::pass(index, "holds a position");
    }
    let Some(grid) = bracket.grid() else {
        return Reason::pass(index, "no price ladder");
    };
    let yes = look(bracket, &grid, index, Side::Bid, settings);
    if yes.verdict != Verdict::Pass || !settings.both_sides {
        return yes;
    }
    let no = look(bracket, &grid, index, Side::Ask, settings);
    if no.verdict == Verdict::Pass { yes } else { no }
}

/// The rule for one side of one bracket.
fn look(bracket: &Bracket, grid: &Grid, index: u16, side: Side, settings: &Settings) -> Reason {
    let there = bracket.best(side.opposite());
    let inside = quote_price(bracket, grid, side);
    let take_ev = there.and_then(|price| bracket.expected(true, side, price));
    let make_ev = inside.and_then(|price| bracket.expected(false, side, price));
    let pass = |note, price| Reason { side, price, take_ev, make_ev, ..Reason::pass(index, note) };

    if bracket.chance(side).is_none_or(|chance| chance < settings.min_probability) {
        return pass("chance too small", None);
    }
    let wanted = if take_ev.is_some_and(|ev| ev > settings.min_edge_take) {
        there.map(|price| (Verdict::Take, price, taking(bracket, side, price, settings)))
    } else if make_ev.is_some_and(|ev| ev > settings.min_edge_make) {
        // What rests already is counted in the room, and it is what this quote replaces.
        let room = bracket.room(side) + bracket.own(side);
        inside
            .map(|price| (Verdict::Make, price, bracket.affordable(side, price, settings.bet_amount).min(whole(room))))
    } else {
        None
    };
    match wanted {
        None => pass("edge too small", None),
        Some((_, price, 0)) => pass("no room for one contract", Some(price)),
        Some((verdict, price, quantity)) => {
            let note = if verdict == Verdict::Take { "take edge" } else { "make edge" };
            Reason { verdict, quantity, ..pass(note, Some(price)) }
        }
    }
}

/// Contracts to hold after taking. While an order that takes is on its way the answer stays the same whatever the price
/// does, so that a late fill is never followed by a second order.
fn taking(bracket: &Bracket, side: Side, price: u16, settings: &Settings) -> u64 {
    let crosses = |limit: u16| match side {
        Side::Bid => limit >= price,
        Side::Ask => limit <= price,
    };
    let on_its_way = bracket.resting.iter().filter(|order| order.side == side && crosses(order.price));
    match on_its_way.map(|order| order.quantity).sum() {
        0 => bracket.affordable(side, price, settings.bet_amount).min(whole(bracket.room(side))),
        quantity => quantity,
    }
}

/// One tick better than the best price of others on the side, but one tick short of the other side. Without a price of
/// others there is nothing to improve on: a quote that stands stays, none is begun.
fn quote_price(bracket: &Bracket, grid: &Grid, side: Side) -> Option<u16> {
    let improved = match bracket.best(side) {
        Some(price) => grid.step_in(side, price)?,
        None => bracket.resting.iter().find(|order| order.side == side)?.price,
    };
    let Some(other) = bracket.best(side.opposite()) else { return Some(improved) };
    let short = grid.step_out(side, other)?;
    Some(match side {
        Side::Bid => improved.min(short),
        Side::Ask => improved.max(short),
    })
}

#[cfg(test)]
mod tests;
