//! The truth, for tests: what the exchange holds, without signatures, lag or rendering.

use crate::book::{Level, Outcome};
use crate::core::Core;
use crate::listing::uuid;
use crate::trading::Order;
use isobar_engine::units::{Money, Price, Quantity, Side, Timestamp};
use std::collections::BTreeMap;

/// An order as the exchange holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// UUID.
    pub order_id: String,
    /// Empty where the client gave none.
    pub client_order_id: String,
    /// Market.
    pub ticker: String,
    /// Side of the YES book.
    pub side: Side,
    /// YES price.
    pub price: Price,
    /// Contracts asked for.
    pub initial: Quantity,
    /// Contracts executed.
    pub filled: Quantity,
    /// Contracts that it still wants.
    pub remaining: Quantity,
    /// `resting`, `canceled` or `executed`.
    pub status: &'static str,
    /// When it dies by itself.
    pub expires: Option<Timestamp>,
    /// When it was taken.
    pub created: Timestamp,
}

/// An execution as the exchange booked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillView {
    /// UUID of the public trade.
    pub trade_id: String,
    /// UUID of the order.
    pub order_id: String,
    /// Market.
    pub ticker: String,
    /// Side of the YES book.
    pub side: Side,
    /// YES price.
    pub price: Price,
    /// Contracts.
    pub quantity: Quantity,
    /// Whether the order took.
    pub taker: bool,
    /// Net fee.
    pub fee: Money,
    /// When.
    pub at: Timestamp,
}

/// Looks at a [`Core`] without changing it. Accounts by their place in the configuration.
#[derive(Clone, Copy)]
pub struct Inspect<'a>(pub(crate) &'a Core);

impl Core {
    /// The truth, for tests.
    pub const fn inspect(&self) -> Inspect<'_> {
        Inspect(self)
    }
}

impl<'a> Inspect<'a> {
    fn view(&self, order: &Order) -> OrderView {
        OrderView {
            order_id: order.id.clone(),
            client_order_id: order.client_order_id.clone(),
            ticker: self.0.exchange().markets[order.market].ticker.clone(),
            side: order.side,
            price: order.price,
            initial: order.initial,
            filled: order.filled,
            remaining: order.remaining,
            status: order.status.word(),
            expires: order.expires,
            created: order.created,
        }
    }

    /// Every order that an account ever placed, in the order of placing.
    pub fn orders(&self, account: usize) -> Vec<OrderView> {
        self.0.exchange().accounts[account].orders.values().map(|order| self.view(order)).collect()
    }

    /// Orders of an account that rest.
    pub fn resting(&self, account: usize) -> Vec<OrderView> {
        self.orders(account).into_iter().filter(|order| order.status == "resting").collect()
    }

    /// Executions of an account, in their order.
    pub fn fills(&self, account: usize) -> Vec<FillView> {
        self.fills_after(account, 0)
    }

    /// Executions of an account beyond the first `known`, in their order.
    pub fn fills_after(&self, account: usize, known: usize) -> Vec<FillView> {
        let member = &self.0.exchange().accounts[account];
        let fills = member.fills.iter().skip(known).map(|fill| FillView {
            trade_id: uuid(fill.trade),
            order_id: member.orders[&fill.order].id.clone(),
            ticker: self.0.exchange().markets[fill.market].ticker.clone(),
            side: fill.side,
            price: fill.price,
            quantity: fill.quantity,
            taker: fill.taker,
            fee: fill.fee,
            at: fill.at,
        });
        fills.collect()
    }

    /// Signed positions in 1/100 contracts by ticker, positive YES; flat ones left out.
    pub fn positions(&self, account: usize) -> BTreeMap<String, i64> {
        let holdings = self.0.exchange().accounts[account].holdings.iter();
        let open = holdings.filter(|(_, holding)| holding.position != 0);
        open.map(|(market, holding)| (self.0.exchange().markets[*market].ticker.clone(), holding.position)).collect()
    }

    /// Money of an account, collateral of its resting orders included.
    pub fn cash(&self, account: usize) -> Money {
        self.0.exchange().accounts[account].cash
    }

    /// Money that an account can still use: what the venue calls its balance.
    pub fn available(&self, account: usize) -> Money {
        self.0.exchange().accounts[account].available()
    }

    /// Fees that an account paid.
    pub fn fees(&self, account: usize) -> Money {
        self.0.exchange().accounts[account].holdings.values().map(|holding| holding.fees).sum()
    }

    /// Accounts.
    pub fn accounts(&self) -> std::ops::Range<usize> {
        0..self.0.exchange().accounts.len()
    }

    /// Cash of whoever is behind the background liquidity; it began with none.
    pub fn house_cash(&self) -> Money {
        self.0.exchange().house.cash
    }

    /// Positions of whoever is behind the background liquidity, as [`Inspect::positions`].
    pub fn house_positions(&self) -> BTreeMap<String, i64> {
        let open = self.0.exchange().house.positions.iter().filter(|(_, position)| **position != 0);
        open.map(|(market, position)| (self.0.exchange().markets[*market].ticker.clone(), *position)).collect()
    }

    /// The book of a market in YES prices: bids and asks, best first. Nothing for an unknown ticker.
    pub fn book(&self, ticker: &str) -> Option<(Vec<Level>, Vec<Level>)> {
        let exchange = self.0.exchange();
        let book = &exchange.markets[exchange.find(ticker)?].book;
        let bids = book.bids(Outcome::Yes).iter().rev().map(|(price, quantity)| (*price, *quantity));
        let asks = book.bids(Outcome::No).iter().rev().map(|(price, quantity)| (price.complement(), *quantity));
        Some((bids.collect(), asks.collect()))
    }

    /// Every ticker with the venue's word for the state of its market.
    pub fn markets(&self) -> Vec<(&'a str, &'static str)> {
        let now = self.0.now();
        self.0.exchange().markets.iter().map(|market| (market.ticker.as_str(), market.status(now))).collect()
    }

    /// Contracts that trade before a resting order does.
    pub fn queue_position(&self, account: usize, order_id: &str) -> Option<Quantity> {
        let order = self.0.exchange().accounts[account].find_resting(order_id)?;
        Some(self.0.exchange().queue_position((account, order.number)))
    }
}
