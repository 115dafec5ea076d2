//! The account's own messages and answers: orders, fills, positions, order groups (PROTOCOL.md 2.8 to 2.12, 3.5, 3.6).
//!
//! It gives every report the engine's number of its order, and says of an answer only what it proves. A 201 with an order id
//! that is ours: taken. A definite no: not taken. All else leaves open whether it was. A 404 about an order is no outcome,
//! and neither is a 409: the order exists and has to be looked for.

use super::orders::Shown;
use super::{Placed, Protocol};
use crate::convert;
use crate::error::VenueError;
use crate::wire;
use isobar_engine::event::{AccountRead, Body, QueueRead};
use isobar_engine::market::MarketId;
use isobar_engine::order::OrderId;
use isobar_engine::units::{Quantity, Timestamp};
use isobar_engine::venue::{Account, OrderReport, OrderStatus, Request, RequestKind, VenueFill, VenueOrder};
use serde::de::DeserializeOwned;

/// The order that a request is about, and which request it is; nothing for requests about the account.
pub(super) fn subject(request: &Request) -> Option<(OrderId, RequestKind)> {
    Some(match request {
        Request::Create { order, .. } => (*order, RequestKind::Create),
        Request::Cancel { order } => (*order, RequestKind::Cancel),
        Request::Decrease { order, .. } => (*order, RequestKind::Decrease),
        Request::Renew { order, .. } => (*order, RequestKind::Renew),
        Request::Find { order } => (*order, RequestKind::Find),
        Request::ReadAccount | Request::ReadQueue | Request::TriggerGroup | Request::ResetGroup => return None,
    })
}

impl Protocol {
    /// The client order id under which an order of this run is placed: at most 64 characters of the venue's alphabet.
    pub fn client_order_id(&self, order: OrderId) -> String {
        self.orders.client_order_id(order)
    }

    /// What the venue has shown of an order; nothing while its id is not known.
    pub fn placed(&self, order: OrderId) -> Option<&Placed> {
        self.orders.placed(order)
    }

    /// The venue's name of a listed market.
    pub fn ticker(&self, market: MarketId) -> Option<&str> {
        (market.index() < self.markets.len()).then(|| self.tickers.name(market))
    }

    /// The listed market of that name.
    pub fn market(&self, ticker: &str) -> Option<MarketId> {
        self.tickers.find(ticker.as_bytes())
    }

    /// How far the venue's clock is ahead of ours, nanoseconds, as its messages show it: less the time that the fastest of
    /// them took. For the driver to journal as a skew.
    pub fn venue_ahead(&self) -> Option<i64> {
        self.lateness.venue_ahead()
    }

    pub(super) fn answered(&mut self, request: &Request, status: u16, body: &[u8]) -> Body {
        let error = VenueError::of(status, body);
        let Some((order, kind)) = subject(request) else {
            return match (request, error) {
                (Request::TriggerGroup, None) => Body::Group { triggered: true },
                (Request::ResetGroup, None) => Body::Group { triggered: false },
                (Request::ReadAccount | Request::ReadQueue, None) => Body::Quiet,
                (_, Some(error)) => Body::Unparsed(format!("{request:?}: {error}")),
                (_, None) => Body::Unparsed(format!("{request:?} is not about the account")),
            };
        };
        let report = match (error, request) {
            (None, Request::Create { .. }) => self.created(order, request, body),
            (None, Request::Cancel { .. }) => self.cancelled(order, body),
            (None, Request::Decrease { .. }) => self.decreased(order, body),
            (None, Request::Renew { .. }) => self.renewed(order, body),
            (None, _) => self.found(order, body),
            (Some(VenueError::NotFound { .. }), Request::Create { .. }) => {
                Some(OrderReport::Rejected(isobar_engine::venue::RejectReason::Invalid))
            }
            (Some(VenueError::NotFound { .. }), _) => Some(OrderReport::NotThere(kind)),
            (Some(error), _) => error.refusal().map(|reason| match kind {
                RequestKind::Create => OrderReport::Rejected(reason),
                RequestKind::Find => OrderReport::Unknown(kind),
                request => OrderReport::Failed { request, reason },
            }),
        };
        Body::Order { order, report: report.unwrap_or(OrderReport::Unknown(kind)) }
    }

    pub(super) fn unanswered(&mut self, request: &Request, sent: bool) -> Body {
        let Some((order, kind)) = subject(request) else {
            // Reads of the account and changes of the order group: the engine asks again by time.
            return Body::Quiet;
        };
        let report = match kind {
            RequestKind::Create if !sent => OrderReport::Unsent,
            RequestKind::Cancel | RequestKind::Decrease | RequestKind::Renew if !sent => {
                OrderReport::Failed { request: kind, reason: isobar_engine::venue::RejectReason::Other }
            }
            _ => OrderReport::Unknown(kind),
        };
        Body::Order { order, report }
    }

    /// Nothing where the answer does not tell that our order was taken.
    fn created(&mut self, order: OrderId, request: &Request, body: &[u8]) -> Option<OrderReport> {
        let Request::Create { market, side, price, .. } = *request else { return None };
        let created: wire::OrderCreated = read(body)?;
        // In uncommon cases answers described another order (PROTOCOL.md 6, gotcha 9).
        let client = created.client_order_id.as_deref().filter(|client| !client.is_empty());
        if created.order_id.is_empty() || client.is_some_and(|client| client != self.client_order_id(order)) {
            return None;
        }
        let (filled, remaining) = (count(&created.fill_count)?, count(&created.remaining_count)?);
        let over = remaining.is_zero();
        self.orders.show(order, &Shown { id: &created.order_id, market, side, price, filled, remaining, over });
        Some(OrderReport::Accepted { filled, remaining })
    }

    fn cancelled(&mut self, order: OrderId, body: &[u8]) -> Option<OrderReport> {
        let cancelled: wire::OrderCancelled = read(body)?;
        let reduced = count(&cancelled.reduced_by)?;
        self.is_about(order, &cancelled.order_id)?;
        self.orders.over(order);
        Some(OrderReport::Cancelled { reduced })
    }

    fn decreased(&mut self, order: OrderId, body: &[u8]) -> Option<OrderReport> {
        let decreased: wire::OrderDecreased = read(body)?;
        let remaining = count(&decreased.remaining_count)?;
        self.is_about(order, &decreased.order_id)?;
        self.orders.decreased(order, remaining);
        Some(OrderReport::Decreased { remaining })
    }

    fn renewed(&mut self, order: OrderId, body: &[u8]) -> Option<OrderReport> {
        let amended: wire::OrderAmended = read(body)?;
        self.is_about(order, &amended.order_id)?;
        Some(OrderReport::Renewed)
    }

    /// Nothing where an answer is about another order than the one that was asked about.
    fn is_about(&self, order: OrderId, id: &str) -> Option<()> {
        self.orders.placed(order).is_none_or(|placed| placed.id == id).then_some(())
    }

    /// One order, or the last page of a list: only complete lists, newer than what they are to prove, are handed in.
    fn found(&mut self, order: OrderId, body: &[u8]) -> Option<OrderReport> {
        if let Some(one) = read::<wire::OrderBody>(body) {
            let client = self.client_order_id(order);
            let ours = one.order.client_order_id == client || self.is_placed_as(order, &one.order.order_id);
            return ours.then(|| self.state(order, &one.order)).flatten();
        }
        let list: wire::OrdersBody = read(body)?;
        let client = self.client_order_id(order);
        match list.orders.iter().find(|listed| listed.client_order_id == client) {
            Some(listed) => self.state(order, listed),
            None if list.cursor.is_empty() => Some(OrderReport::Absent),
            None => None,
        }
    }

    fn is_placed_as(&self, order: OrderId, id: &str) -> bool {
        self.orders.placed(order).is_some_and(|placed| placed.id == id)
    }

    fn state(&mut self, order: OrderId, listed: &wire::RestOrder) -> Option<OrderReport> {
        let status = convert::order_status(&listed.status)?;
        let market = self.tickers.find(listed.ticker.as_bytes())?;
        let side = convert::direction(listed.book_side, listed.outcome_side)?;
        let price = convert::price(listed.yes_price_dollars.as_bytes())?;
        let (filled, remaining) = (count(&listed.fill_count_fp)?, count(&listed.remaining_count_fp)?);
        Some(self.shown(
            order,
            status,
            &Shown { id: &listed.order_id, market, side, price, filled, remaining, over: false },
        ))
    }

    /// Notes what is shown of an order of ours, and reports it.
    fn shown(&mut self, order: OrderId, status: OrderStatus, shown: &Shown<'_>) -> OrderReport {
        let over = status != OrderStatus::Resting;
        let remaining = if over { Quantity::ZERO } else { shown.remaining };
        self.orders.show(order, &Shown { remaining, over, ..shown.clone() });
        OrderReport::State { status, filled: shown.filled, remaining }
    }

    /// Places of orders that are not ours are left out.
    pub(super) fn queue(&self, read: &[QueueRead]) -> Body {
        Body::Queue(read.iter().filter_map(|place| Some((self.orders.find("", &place.id)?, place.ahead))).collect())
    }

    pub(super) fn account(&mut self, read: &AccountRead) -> Body {
        let mut orders = Vec::with_capacity(read.orders.len());
        for listed in &read.orders {
            let order = self.orders.find(&listed.client, &listed.id);
            let (filled, remaining) = (listed.filled, listed.remaining);
            if let Some(order) = order {
                let (market, side, price) = (listed.market, listed.side, listed.price);
                let shown = Shown { id: &listed.id, market, side, price, filled, remaining, over: false };
                self.shown(order, listed.status, &shown);
            }
            let remaining = if listed.status == OrderStatus::Resting { remaining } else { Quantity::ZERO };
            orders.push(VenueOrder {
                order,
                market: listed.market,
                side: listed.side,
                price: listed.price,
                status: listed.status,
                filled,
                remaining,
            });
        }
        let resolve = |(id, fill): &(String, VenueFill)| VenueFill { order: self.orders.find("", id), ..*fill };
        Body::Account(Account {
            cash: read.cash,
            positions: read.positions.clone(),
            orders,
            fills: read.fills.iter().map(resolve).collect(),
            since: read.since,
            as_of: read.as_of,
        })
    }

    /// `fill`. One in a market that is not listed is nobody's here.
    pub(super) fn fill(&mut self, fill: &wire::Fill<'_>) -> Result<Body, String> {
        let price = convert::price(fill.yes_price_dollars.as_bytes()).ok_or("no price")?;
        let quantity = convert::quantity(fill.count_fp.as_bytes()).ok_or("no count")?;
        let side = convert::direction(fill.book_side, fill.outcome_side).ok_or("no side")?;
        let fee = fill.fee_cost.as_ref().and_then(|fee| convert::money(fee.as_bytes())).ok_or("no fee")?;
        let trade = convert::trade_id(&fill.trade_id);
        let Some(market) = self.tickers.find(fill.market_ticker.as_bytes()) else {
            self.counts.unlisted += 1;
            return Ok(Body::Quiet);
        };
        let order = self.orders.find(fill.client_order_id.as_deref().unwrap_or_default(), &fill.order_id);
        if let Some(order) = order {
            self.orders.name(order, &fill.order_id);
        }
        self.counts.account += 1;
        Ok(Body::Fill(VenueFill { trade, order, market, side, price, quantity, fee, taker: fill.is_taker }))
    }

    /// `user_order`. Orders of others, and states that say nothing, are without meaning here.
    pub(super) fn user_order(&mut self, shown: &wire::UserOrder<'_>) -> Result<Body, String> {
        let price = convert::price(shown.yes_price_dollars.as_bytes()).ok_or("no price")?;
        let filled = convert::quantity(shown.fill_count_fp.as_bytes()).ok_or("no fill count")?;
        let remaining = convert::quantity(shown.remaining_count_fp.as_bytes()).ok_or("no remaining count")?;
        let side = convert::direction(shown.book_side, shown.outcome_side).ok_or("no side")?;
        let Some(market) = self.tickers.find(shown.ticker.as_bytes()) else {
            self.counts.unlisted += 1;
            return Ok(Body::Quiet);
        };
        let order = self.orders.find(shown.client_order_id.as_deref().unwrap_or_default(), &shown.order_id);
        let (Some(order), Some(status)) = (order, convert::order_status(&shown.status)) else {
            self.counts.quiet += 1;
            return Ok(Body::Quiet);
        };
        if let Some(group) = shown.order_group_id.as_deref().filter(|group| !group.is_empty())
            && self.orders.group.as_deref() != Some(group)
        {
            self.orders.group = Some(group.to_owned());
        }
        self.counts.account += 1;
        let shown = Shown { id: &shown.order_id, market, side, price, filled, remaining, over: false };
        Ok(Body::Order { order, report: self.shown(order, status, &shown) })
    }

    /// `market_position`.
    pub(super) fn position(
        &mut self,
        at: Timestamp,
        index: usize,
        position: &wire::MarketPosition<'_>,
    ) -> Result<Body, String> {
        let contracts = convert::change(position.position_fp.as_bytes()).ok_or("no position")?;
        let Some(market) = self.tickers.find(position.market_ticker.as_bytes()) else {
            self.counts.unlisted += 1;
            return Ok(Body::Quiet);
        };
        let body = Body::Position { market, contracts };
        if self.is_echo(at, index, &body) {
            return Ok(Body::Quiet);
        }
        self.counts.account += 1;
        Ok(body)
    }

    /// `order_group_updates`. The run's group is the one that the venue shows on our orders.
    pub(super) fn group(&mut self, at: Timestamp, index: usize, update: &wire::OrderGroupUpdate<'_>) -> Body {
        let ours = self.orders.group.as_deref() == Some(&*update.order_group_id);
        let triggered = match &*update.event_type {
            "triggered" if ours => true,
            "reset" if ours => false,
            _ => {
                self.counts.quiet += 1;
                return Body::Quiet;
            }
        };
        let body = Body::Group { triggered };
        if self.is_echo(at, index, &body) {
            return Body::Quiet;
        }
        self.counts.account += 1;
        body
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

fn count(text: &str) -> Option<Quantity> {
    convert::quantity(text.as_bytes())
}
