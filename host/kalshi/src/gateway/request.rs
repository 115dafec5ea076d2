//! From what the engine asks to what goes over the wire: method, path, query and body (PROTOCOL.md 3.6).
//!
//! Quotes only rest (`post_only`), die with a pause of the exchange rather than meet the book after it, and carry an expiry;
//! takes are immediate or cancel and carry none. Both prevent trades with ourselves by giving up the taker.

use super::Settings;
use crate::budget::{Costs, Rank};
use crate::convert;
use crate::protocol::{Placed, Protocol};
use crate::wire;
use isobar_engine::market::MarketId;
use isobar_engine::order::OrderId;
use isobar_engine::units::{Price, Quantity, SECOND, Side, Timestamp};
use isobar_engine::venue::Request;
use std::fmt::Write as _;

/// Path of a create, below the base: the same for all, so that signatures for it can be made ahead.
pub const CREATE: &str = "/portfolio/events/orders";

/// What goes over the wire, below the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub method: &'static str,
    pub path: String,
    pub query: String,
    pub body: Option<String>,
}

/// Why a request cannot be put into words now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unspoken {
    /// Something that is on its way will tell: wait.
    NotYet(&'static str),
    /// Nothing will.
    Never(&'static str),
}

pub(super) fn rank(request: &Request) -> Rank {
    match request {
        Request::Cancel { .. } | Request::TriggerGroup => Rank::Cancel,
        Request::Renew { .. } => Rank::Renew,
        _ => Rank::Place,
    }
}

pub(super) fn cost(request: &Request, costs: &Costs) -> u32 {
    match request {
        Request::Create { .. } => costs.create,
        Request::Cancel { .. } => costs.cancel,
        Request::Decrease { .. } => costs.decrease,
        Request::Renew { .. } => costs.amend,
        Request::TriggerGroup | Request::ResetGroup => costs.group,
        Request::Find { .. } | Request::ReadAccount | Request::ReadQueue => costs.default,
    }
}

/// The words of a write.
pub(super) fn call(request: &Request, settings: &Settings, protocol: &Protocol) -> Result<Call, Unspoken> {
    match *request {
        Request::Create { order, market, side, price, quantity, take, expires } => {
            create(settings, protocol, order, market, side, price, quantity, take, expires)
        }
        Request::Cancel { order } => {
            let placed = known(protocol, order)?;
            let ticker = ticker(protocol, placed.market)?;
            let query = format!("market_ticker={}&exchange_index={}", escaped(ticker), settings.shard);
            Ok(Call { method: "DELETE", path: format!("{CREATE}/{}", escaped(&placed.id)), query, body: None })
        }
        Request::Decrease { order, to } => {
            let placed = known(protocol, order)?;
            let market_ticker = ticker(protocol, placed.market)?;
            let body = wire::DecreaseOrder { reduce_to: to.to_string(), exchange_index: settings.shard, market_ticker };
            Ok(post(format!("{CREATE}/{}/decrease", escaped(&placed.id)), &body))
        }
        Request::Renew { order, expires } => renew(settings, protocol, order, expires),
        Request::TriggerGroup => group(settings, "trigger"),
        Request::ResetGroup => group(settings, "reset"),
        Request::Find { .. } | Request::ReadAccount | Request::ReadQueue => Err(Unspoken::Never("a read is no write")),
    }
}

#[allow(clippy::too_many_arguments)]
fn create(
    settings: &Settings,
    protocol: &Protocol,
    order: OrderId,
    market: MarketId,
    side: Side,
    price: Price,
    quantity: Quantity,
    take: bool,
    expires: Option<Timestamp>,
) -> Result<Call, Unspoken> {
    let client_order_id = protocol.client_order_id(order);
    let body = wire::CreateOrder {
        ticker: ticker(protocol, market)?,
        client_order_id: &client_order_id,
        side: convert::book_side(side),
        count: quantity.to_string(),
        price: price.to_string(),
        time_in_force: if take { "immediate_or_cancel" } else { "good_till_canceled" },
        self_trade_prevention_type: "taker_at_cross",
        expiration_time: expires.filter(|_| !take).map(whole_seconds),
        post_only: !take,
        cancel_order_on_pause: !take,
        order_group_id: settings.group.as_deref(),
        exchange_index: settings.shard,
    };
    Ok(post(CREATE.to_owned(), &body))
}

/// An amend that says what is already so, but for the expiry: the order keeps its place in the queue.
fn renew(settings: &Settings, protocol: &Protocol, order: OrderId, expires: Timestamp) -> Result<Call, Unspoken> {
    let placed = known(protocol, order)?;
    if placed.over {
        return Err(Unspoken::Never("the order is over"));
    }
    let count = placed.total.ok_or(Unspoken::NotYet("how much was filled before the decrease is not known"))?;
    let body = wire::AmendOrder {
        ticker: ticker(protocol, placed.market)?,
        side: convert::book_side(placed.side),
        price: placed.price.to_string(),
        count: count.to_string(),
        expiration_time: Some(whole_seconds(expires)),
        exchange_index: settings.shard,
    };
    Ok(post(format!("{CREATE}/{}/amend", escaped(&placed.id)), &body))
}

fn group(settings: &Settings, what: &str) -> Result<Call, Unspoken> {
    let group = settings.group.as_deref().ok_or(Unspoken::Never("the run has no order group"))?;
    let path = format!("/portfolio/order_groups/{}/{what}", escaped(group));
    let query = format!("exchange_index={}", settings.shard);
    Ok(Call { method: "PUT", path, query, body: Some("{}".to_owned()) })
}

fn post(path: String, body: &impl serde::Serialize) -> Call {
    let body = serde_json::to_string(body).expect("a request has only strings and numbers");
    Call { method: "POST", path, query: String::new(), body: Some(body) }
}

fn known(protocol: &Protocol, order: OrderId) -> Result<&Placed, Unspoken> {
    protocol.placed(order).ok_or(Unspoken::Never("the venue's id of the order is not known"))
}

fn ticker(protocol: &Protocol, market: MarketId) -> Result<&str, Unspoken> {
    protocol.ticker(market).ok_or(Unspoken::Never("the market is not listed"))
}

fn whole_seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(SECOND)
}

/// Text as a part of a path or a value of a query.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => write!(escaped, "%{byte:02X}").expect("a string takes all"),
        }
    }
    escaped
}
