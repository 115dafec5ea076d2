//! Looking for one order: what counts as evidence that it exists, and as evidence that it does not.
//!
//! Pure. To see an order is evidence at any time. Not to see it proves something only if the venue's reads are newer than
//! the question by [`Settings::settle`] (a create whose answer is lost may still have been on its way), the list is whole, and
//! it was missed [`Settings::misses`] times: reads lag writes (PROTOCOL.md 6, gotcha 2).

use super::Settings;
use super::reading::PAGE;
use super::request::escaped;
use crate::convert;
use crate::protocol::Protocol;
use crate::wire;
use isobar_engine::market::MarketId;
use isobar_engine::order::OrderId;
use isobar_engine::units::{SECOND, Timestamp};

#[derive(Debug)]
pub(super) struct Finding {
    pub order: OrderId,
    /// Where to look, if this process placed it.
    market: Option<MarketId>,
    /// Since when to look.
    since: Timestamp,
    /// What a single order's read must be newer than, and what an absence must, by the venue's clock.
    asked: Timestamp,
    settled: Timestamp,
    as_of: Option<Timestamp>,
    cursor: String,
    misses: u32,
    pub deadline: Timestamp,
    pub wait: Timestamp,
}

/// What an answer means for the search.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Ask on.
    Further,
    /// This answer is the evidence: hand it on.
    Evidence,
    /// The answer is not understood.
    Malformed,
}

impl Finding {
    /// `ahead`: how far the venue's clock is ahead of ours. `since`: it was not placed before.
    pub(super) fn new(
        order: OrderId,
        now: Timestamp,
        ahead: i64,
        (market, since): (Option<MarketId>, Timestamp),
        settings: &Settings,
    ) -> Self {
        let asked = now.plus(ahead);
        Self {
            order,
            market,
            since,
            asked,
            settled: asked.plus(settings.settle),
            as_of: None,
            cursor: String::new(),
            misses: 0,
            deadline: now.plus(settings.search),
            wait: now,
        }
    }

    /// Path and query of the next read, below the base.
    pub(super) fn ask(&self, protocol: &Protocol) -> (String, String) {
        if self.as_of.is_none() {
            return ("/exchange/user_data_timestamp".to_owned(), String::new());
        }
        if let Some(placed) = protocol.placed(self.order) {
            return (format!("/portfolio/orders/{}", escaped(&placed.id)), String::new());
        }
        // A minute for clocks that differ.
        let mut query = format!("{PAGE}&min_ts={}", self.since.0.div_euclid(SECOND) - 60);
        if let Some(ticker) = self.market.and_then(|market| protocol.ticker(market)) {
            query += &format!("&ticker={}", escaped(ticker));
        }
        if !self.cursor.is_empty() {
            query += &format!("&cursor={}", escaped(&self.cursor));
        }
        ("/portfolio/orders".to_owned(), query)
    }

    /// Takes the body of a success.
    pub(super) fn answered(&mut self, now: Timestamp, body: &[u8], protocol: &Protocol, settings: &Settings) -> Found {
        let Some(as_of) = self.as_of else {
            let stamp = serde_json::from_slice(body).ok();
            let Some(as_of) = stamp.and_then(|stamp: wire::UserDataTimestamp| convert::time(&stamp.as_of_time)) else {
                return Found::Malformed;
            };
            // The state of a known order is worth reading only from after the question; a list shows what is there, whenever.
            if protocol.placed(self.order).is_some() && as_of < self.asked && now < self.deadline {
                self.wait = now.plus(SECOND / 4);
            } else {
                self.as_of = Some(as_of);
            }
            return Found::Further;
        };
        if serde_json::from_slice::<wire::OrderBody>(body).is_ok() {
            return Found::Evidence;
        }
        let Ok(page) = serde_json::from_slice::<wire::OrdersBody>(body) else { return Found::Malformed };
        let client = protocol.client_order_id(self.order);
        if page.orders.iter().any(|order| order.client_order_id == client) {
            return Found::Evidence;
        }
        if !page.cursor.is_empty() && page.cursor != self.cursor {
            self.cursor = page.cursor;
            return Found::Further;
        }
        self.cursor.clear();
        self.as_of = None;
        self.misses += u32::from(as_of >= self.settled);
        if self.misses >= settings.misses && page.cursor.is_empty() {
            return Found::Evidence;
        }
        self.wait = now.plus(SECOND);
        Found::Further
    }
}
