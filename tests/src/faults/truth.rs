//! What must be so: at every moment, once all is quiet, and after a halt. The exchange's own books are the measure.

use super::host::{Host, RUN};
use super::native::Booked;
use super::venue::{HOST, Venue};
use isobar_engine::market::MarketId;
use isobar_engine::order::OrderId;
use isobar_engine::units::{Price, Quantity, Side};
use isobar_sim::OrderView;
use std::collections::BTreeMap;

/// What was compared, for people.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compared {
    /// Executions of the exchange that the engine booked exactly once.
    pub fills: u64,
    /// Orders of the exchange that the engine had decided on these terms.
    pub orders: u64,
    /// Times at which account, orders and books were equal.
    pub states: u64,
}

fn number(order: &OrderView) -> Result<OrderId, String> {
    let number = order.client_order_id.strip_prefix(RUN).and_then(|rest| rest.strip_prefix('-'));
    number.and_then(|number| number.parse().ok()).map(OrderId).ok_or_else(|| format!("a foreign order: {order:?}"))
}

fn market(venue: &Venue, ticker: &str) -> MarketId {
    venue.markets.iter().find(|market| market.ticker == ticker).expect("only listed markets are traded").id
}

/// The account's executions as the engine should have booked them.
fn fills(venue: &Venue) -> Result<Vec<Booked>, String> {
    let inspect = venue.core.inspect();
    let orders: BTreeMap<String, OrderId> = inspect
        .orders(HOST)
        .iter()
        .map(|order| Ok((order.order_id.clone(), number(order)?)))
        .collect::<Result<_, String>>()?;
    let mut fills: Vec<Booked> = inspect
        .fills(HOST)
        .iter()
        .map(|fill| Booked {
            order: orders[&fill.order_id].0,
            market: market(venue, &fill.ticker),
            bought: fill.side == Side::Bid,
            price: fill.price,
            quantity: fill.quantity,
            fee: fill.fee,
        })
        .collect();
    fills.sort_unstable();
    Ok(fills)
}

/// What may never be otherwise, however much is under way: no order at the exchange that the engine did not decide on just
/// these terms or holds for over, no two orders for one intent, no fill booked that was not or more often than it was.
pub fn always(host: &Host, venue: &Venue) -> Result<(), String> {
    let (engine, world) = (host.engine(), host.world());
    let mut seen: BTreeMap<OrderId, String> = BTreeMap::new();
    for order in venue.core.inspect().orders(HOST) {
        let id = number(&order)?;
        if let Some(other) = seen.insert(id, order.order_id.clone()) {
            return Err(format!("order {} is at the exchange twice: {other} and {}", id.0, order.order_id));
        }
        let here = market(venue, &order.ticker);
        let Some(terms) = world.placed.get(&id) else {
            return Err(format!("order {} is at the exchange and in no journal", id.0));
        };
        let same = (terms.market, terms.side, terms.price) == (here, order.side, order.price);
        if !same || order.initial > terms.quantity {
            return Err(format!("order {} was decided as {terms:?} and is at the exchange as {order:?}", id.0));
        }
        if order.status == "resting" {
            let known = engine.open(here).find(|open| open.id == id);
            if known.is_none_or(|open| open.remaining < order.remaining) {
                return Err(format!(
                    "order {} rests with {} at the exchange, the engine counts {:?}",
                    id.0, order.remaining, known
                ));
            }
        }
    }
    let mut booked = world.booked.clone();
    booked.sort_unstable();
    let mut real = fills(venue)?.into_iter();
    for fill in booked {
        if !real.any(|other| other == fill) {
            return Err(format!("booked twice, or never traded: {fill:?}"));
        }
    }
    Ok(())
}

fn differ<T: std::fmt::Debug + PartialEq>(what: &str, engine: &T, venue: &T) -> Result<(), String> {
    if engine == venue { Ok(()) } else { Err(format!("{what}: the engine has {engine:?}, the exchange {venue:?}")) }
}

/// Everything equal: executions, positions, cash to the millionth, orders with what is left of them, books.
pub fn equal(host: &Host, venue: &Venue, compared: &mut Compared) -> Result<(), String> {
    let (engine, inspect) = (host.engine(), venue.core.inspect());
    if !engine.proved() {
        return Err(format!("the account is not proved: {:?}", host.world().notices.last()));
    }
    let mut booked = host.world().booked.clone();
    booked.sort_unstable();
    let real = fills(venue)?;
    if booked != real {
        let lost = real.iter().find(|fill| !booked.contains(fill));
        return Err(format!("{} fills booked of {}, for example not {lost:?}", booked.len(), real.len()));
    }
    let positions = inspect.positions(HOST);
    for listed in &venue.markets {
        let held = positions.get(&listed.ticker).copied().unwrap_or(0);
        differ(&format!("position in {}", listed.ticker), &engine.ledger().position(listed.id), &held)?;
    }
    differ("cash", &engine.ledger().cash(), &inspect.cash(HOST))?;
    if !engine.ledger().is_balanced() {
        return Err("the ledger does not add up".to_owned());
    }
    orders(host, venue)?;
    for listed in &venue.markets {
        let book = engine.book(listed.id);
        if let Some(reason) = book.stale() {
            return Err(format!("the book of {} is stale: {reason:?}", listed.ticker));
        }
        let (bids, asks) = inspect.book(&listed.ticker).ok_or("no such book")?;
        for (side, real) in [(Side::Bid, bids), (Side::Ask, asks)] {
            let levels: Vec<(Price, Quantity)> = book.levels(side).map(|level| (level.price, level.quantity)).collect();
            differ(&format!("{side:?} of {}", listed.ticker), &levels, &real)?;
        }
    }
    compared.fills += real.len() as u64;
    compared.orders += inspect.orders(HOST).len() as u64;
    compared.states += 1;
    Ok(())
}

/// The orders that rest are those that the engine holds, and no more of them than the strategy wants.
fn orders(host: &Host, venue: &Venue) -> Result<(), String> {
    let engine = host.engine();
    let mut real: Vec<(OrderId, MarketId, bool, Price, Quantity)> = Vec::new();
    for order in venue.core.inspect().resting(HOST) {
        let here = market(venue, &order.ticker);
        real.push((number(&order)?, here, order.side == Side::Bid, order.price, order.remaining));
    }
    let mut held: Vec<(OrderId, MarketId, bool, Price, Quantity)> = Vec::new();
    for listed in &venue.markets {
        held.extend(
            engine.open(listed.id).map(|open| (open.id, listed.id, open.side == Side::Bid, open.price, open.remaining)),
        );
    }
    real.sort_unstable();
    held.sort_unstable();
    differ("orders", &held, &real)?;
    let mut sums: BTreeMap<(MarketId, bool), Quantity> = BTreeMap::new();
    for (_, market, bought, _, quantity) in real {
        *sums.entry((market, bought)).or_default() += quantity;
    }
    for (place, sum) in sums {
        let wanted = host.world().wanted.get(&place).copied().unwrap_or_default();
        if sum > wanted {
            let here = held.iter().filter(|order| (order.1, order.2) == place).collect::<Vec<_>>();
            return Err(format!("{sum} rest at {place:?}, wanted are {wanted}: {here:?}"));
        }
    }
    Ok(())
}

/// Nothing of the host rests.
pub fn nothing_rests(venue: &Venue) -> Result<(), String> {
    let resting = venue.core.inspect().resting(HOST);
    if resting.is_empty() {
        Ok(())
    } else {
        Err(format!("after the halt {} orders rest: {:?}", resting.len(), resting[0]))
    }
}
