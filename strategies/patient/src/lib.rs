//! Makes only: rests a bid at the model's value less a margin and an ask at the value plus it, in every bracket, never
//! crossing the book.

use isobar_strategy::market::{Grid, whole};
use isobar_strategy::{Bracket, Decision, Description, Parameter, Reason, Side, Snapshot, Unit, Verdict, Watch};

isobar_strategy::export!(crate::describe, crate::decide);

/// Name, watch and parameters.
pub fn describe() -> Description {
    let parameters = vec![
        Parameter::new("MARGIN", Unit::Ppm, 30_000, 1..=1_000_000, "dollars a contract between value and quote"),
        Parameter::new("QUOTE_CONTRACTS", Unit::Quantity, 1_000, 0..=100_000_000, "contracts of one quote"),
    ];
    Description {
        name: "patient".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        watch: Watch { levels: 1, sizes: false, trades: false, every: 0, at_most_every: 0 },
        parameters,
    }
}

/// Two quotes for every bracket that has an opinion and room.
pub fn decide(snapshot: &Snapshot) -> Decision {
    let [margin, size] = snapshot.parameters[..] else { panic!("patient declares two parameters") };
    let size = u64::try_from(size).unwrap_or(0);
    let mut decision = Decision::nothing();
    for (bracket, index) in snapshot.brackets.iter().zip(0u16..) {
        let idle = match (bracket.probability, bracket.tradable) {
            (None, _) => Some("no opinion"),
            (_, false) => Some("not tradable"),
            _ => None,
        };
        if let Some(note) = idle {
            decision.reasons.push(Reason::pass(index, note));
            continue;
        }
        let Some(grid) = bracket.grid() else {
            decision.reasons.push(Reason::pass(index, "no price ladder"));
            continue;
        };
        for side in [Side::Bid, Side::Ask] {
            let reason = quote(bracket, &grid, index, side, margin, size);
            if let (Verdict::Make, Some(price)) = (reason.verdict, reason.price) {
                decision.quote(index, side, price, reason.quantity);
            }
            decision.reasons.push(reason);
        }
    }
    decision
}

/// One side of one bracket.
fn quote(bracket: &Bracket, grid: &Grid, index: u16, side: Side, margin: i64, size: u64) -> Reason {
    let pass = |note, price, make_ev| Reason { side, price, make_ev, ..Reason::pass(index, note) };
    let Some(price) = quote_price(bracket, grid, side, margin) else { return pass("no price", None, None) };
    let make_ev = bracket.expected(false, side, price);
    if make_ev.is_none_or(|ev| ev < margin) {
        return pass("fee eats the margin", Some(price), make_ev);
    }
    // What rests already is counted in the room, and it is what this quote replaces.
    match whole(size.min(bracket.room(side) + bracket.own(side))) {
        0 => pass("no room", Some(price), make_ev),
        quantity => Reason { verdict: Verdict::Make, quantity, ..pass("value less margin", Some(price), make_ev) },
    }
}

/// The best price for others that keeps the margin and the maker fee, one tick short of the other side at least.
fn quote_price(bracket: &Bracket, grid: &Grid, side: Side, margin: i64) -> Option<u16> {
    let value = i64::from(bracket.probability?);
    let plain = grid.no_worse_than(side, worsened(value, side, margin))?;
    let price = grid.no_worse_than(side, worsened(value, side, margin + bracket.fee(false, side, plain)))?;
    let Some(other) = bracket.best(side.opposite()) else { return Some(price) };
    let short = grid.step_out(side, other)?;
    Some(match side {
        Side::Bid => price.min(short),
        Side::Ask => price.max(short),
    })
}

/// A value moved away from the market: down for a bid, up for an ask.
fn worsened(value: i64, side: Side, by: i64) -> i64 {
    match side {
        Side::Bid => value - by,
        Side::Ask => value + by,
    }
}

#[cfg(test)]
mod tests;
