//! Which order is which: the engine's number, our client order id, the venue's order id, and what the venue shows of it.
//!
//! A client order id is `{run}-{order}`, so a replay makes the same ones, a resend is idempotent and no two runs share one.
//! Reports are cumulative and may come late, twice or out of order; of each fact the later value is kept: fills only grow,
//! the total (filled and resting) only shrinks, and what is over stays over.

use isobar_engine::market::MarketId;
use isobar_engine::order::OrderId;
use isobar_engine::units::{Price, Quantity, Side};
use std::collections::BTreeMap;

/// An order as the venue has shown it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The venue's id.
    pub id: String,
    /// Its market.
    pub market: MarketId,
    /// Its side.
    pub side: Side,
    /// Limit, YES price.
    pub price: Price,
    /// Contracts filled, as far as we know.
    pub filled: Quantity,
    /// Filled and resting together: the `count` that an amend must name to change nothing. Nothing after a decrease, until
    /// the venue shows the order whole.
    pub total: Option<Quantity>,
    /// Nothing of it rests any more.
    pub over: bool,
    /// What a decrease left resting, until the venue shows the order with no more than that.
    decreased: Option<Quantity>,
}

/// What one message or answer shows of an order.
#[derive(Clone, Debug)]
pub(super) struct Shown<'a> {
    pub id: &'a str,
    pub market: MarketId,
    pub side: Side,
    pub price: Price,
    pub filled: Quantity,
    pub remaining: Quantity,
    pub over: bool,
}

#[derive(Debug, Default)]
pub(super) struct Orders {
    /// What client order ids begin with.
    run: String,
    by_venue: BTreeMap<Box<str>, OrderId>,
    placed: BTreeMap<OrderId, Placed>,
    /// The order group of the run, as the venue shows it on our orders.
    pub(super) group: Option<String>,
}

impl Orders {
    pub(super) fn begin(&mut self, run: &str) {
        *self = Self { run: run.to_owned(), ..Self::default() };
    }

    pub(super) fn client_order_id(&self, order: OrderId) -> String {
        format!("{}-{}", self.run, order.0)
    }

    pub(super) fn placed(&self, order: OrderId) -> Option<&Placed> {
        self.placed.get(&order)
    }

    /// Whose order this is, by its client order id or the venue's id.
    pub(super) fn find(&self, client: &str, id: &str) -> Option<OrderId> {
        self.ours(client).or_else(|| self.by_venue.get(id).copied())
    }

    fn ours(&self, client: &str) -> Option<OrderId> {
        let number = client.strip_prefix(self.run.as_str()).filter(|_| !self.run.is_empty())?.strip_prefix('-')?;
        let plain = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
        number.parse().ok().filter(|_| plain).map(OrderId)
    }

    /// Notes the venue's id of an order of which nothing else is known yet.
    pub(super) fn name(&mut self, order: OrderId, id: &str) {
        if !self.by_venue.contains_key(id) {
            self.by_venue.insert(id.into(), order);
        }
    }

    /// Notes what the venue shows of an order.
    pub(super) fn show(&mut self, order: OrderId, shown: &Shown<'_>) {
        self.name(order, shown.id);
        let total = shown.filled + shown.remaining;
        let placed = self.placed.entry(order).or_insert_with(|| Placed {
            id: shown.id.to_owned(),
            market: shown.market,
            side: shown.side,
            price: shown.price,
            filled: shown.filled,
            total: None,
            over: false,
            decreased: None,
        });
        placed.over |= shown.over;
        let stale = shown.filled < placed.filled || placed.decreased.is_some_and(|left| shown.remaining > left);
        placed.filled = placed.filled.max(shown.filled);
        if !stale && !shown.over {
            placed.decreased = None;
            placed.total = Some(placed.total.map_or(total, |known| known.min(total)));
        }
    }

    /// Notes that nothing of an order rests any more.
    pub(super) fn over(&mut self, order: OrderId) {
        if let Some(placed) = self.placed.get_mut(&order) {
            placed.over = true;
        }
    }

    /// Notes that a decrease left `remaining`. How much was filled before is not told.
    pub(super) fn decreased(&mut self, order: OrderId, remaining: Quantity) {
        if let Some(placed) = self.placed.get_mut(&order)
            && placed.total.is_none_or(|total| total > placed.filled + remaining)
        {
            (placed.total, placed.decreased) = (None, Some(remaining));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> Orders {
        let mut orders = Orders::default();
        orders.begin("7f3a");
        orders
    }

    fn shown(filled: u32, remaining: u32) -> Shown<'static> {
        Shown {
            id: "v1",
            market: MarketId(0),
            side: Side::Bid,
            price: Price::from_cents(40).expect("a price"),
            filled: Quantity::contracts(filled),
            remaining: Quantity::contracts(remaining),
            over: false,
        }
    }

    fn total(orders: &Orders) -> Option<Quantity> {
        orders.placed(OrderId(1)).expect("placed").total
    }

    #[test]
    fn client_order_ids_lead_back_to_orders_of_this_run_only() {
        let orders = orders();
        assert_eq!(orders.client_order_id(OrderId(12)), "7f3a-12");
        assert_eq!(orders.find("7f3a-12", ""), Some(OrderId(12)));
        for foreign in
            ["", "7f3a-", "7f3a-012", "7f3a-+1", "7f3b-12", "7f3a-1x", "x7f3a-1", "7f3a-99999999999999999999"]
        {
            assert_eq!(orders.find(foreign, ""), None, "{foreign}");
        }
        assert_eq!(Orders::default().find("-1", ""), None, "before the run has a name, nothing is ours");
    }

    #[test]
    fn late_and_repeated_reports_change_nothing() {
        let mut orders = orders();
        orders.show(OrderId(1), &shown(2, 8));
        orders.show(OrderId(1), &shown(0, 10));
        orders.show(OrderId(1), &shown(2, 8));
        let placed = orders.placed(OrderId(1)).expect("placed");
        assert_eq!((placed.filled, placed.total), (Quantity::contracts(2), Some(Quantity::contracts(10))));
        orders.show(OrderId(1), &Shown { over: true, ..shown(2, 0) });
        orders.show(OrderId(1), &shown(2, 8));
        let placed = orders.placed(OrderId(1)).expect("placed");
        assert!(placed.over && placed.total == Some(Quantity::contracts(10)));
        assert_eq!(orders.find("", "v1"), Some(OrderId(1)));
    }

    #[test]
    fn after_a_decrease_the_total_is_unknown_until_the_venue_shows_it() {
        let mut orders = orders();
        orders.show(OrderId(1), &shown(0, 10));
        orders.decreased(OrderId(1), Quantity::contracts(5));
        assert_eq!(total(&orders), None);
        orders.show(OrderId(1), &shown(0, 10));
        assert_eq!(total(&orders), None, "a read from before the decrease must not size it up again");
        orders.show(OrderId(1), &shown(3, 5));
        assert_eq!(total(&orders), Some(Quantity::contracts(8)), "three were filled before the decrease");
        orders.decreased(OrderId(1), Quantity::contracts(5));
        assert_eq!(total(&orders), Some(Quantity::contracts(8)), "the answer came after the message");
    }
}
