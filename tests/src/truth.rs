//! The books of the simulated exchange as it tells them itself, to be found in what a host made of its frames.

use crate::play::request;
use isobar_engine::engine::Engine;
use isobar_engine::market::MarketId;
use isobar_engine::units::{SECOND, Side, Timestamp};
use serde_json::{Value, json};

/// Most time between the exchange's truth and what the host has of it.
const BEHIND: i64 = 30 * SECOND;

/// Active books of the exchange, each with whether it was found.
pub struct Truth {
    books: Vec<(String, Value, bool)>,
    /// The exchange's time before and after it was asked.
    within: (i64, i64),
}

/// The exchange's time.
pub fn now(exchange: &str) -> i64 {
    request(exchange, "GET", "/sim/clock", "")["now_ns"].as_i64().expect("a time")
}

impl Truth {
    /// Asks the exchange.
    pub fn of(exchange: &str) -> Self {
        let listed = request(exchange, "GET", "/trade-api/v2/markets?limit=1000", "");
        let active =
            listed["markets"].as_array().expect("markets").iter().filter(|market| market["status"] == "active");
        let tickers: Vec<&str> = active.map(|market| market["ticker"].as_str().expect("a ticker")).collect();
        let asked = now(exchange);
        let book = |ticker: &str| request(exchange, "GET", &format!("/sim/book/{ticker}"), "");
        let books = tickers.into_iter().map(|ticker| (ticker.to_owned(), book(ticker), false)).collect();
        Self { books, within: (asked, now(exchange)) }
    }

    /// Looks for those books that are not found yet among the live ones of an engine, near the time of the question.
    pub fn look(&mut self, at: Timestamp, engine: &Engine) {
        if at.0 < self.within.0 - BEHIND || at.0 > self.within.1 + BEHIND {
            return;
        }
        for (ticker, book, found) in self.books.iter_mut().filter(|(_, _, found)| !found) {
            let named = engine.markets().find(|market| market.ticker == *ticker);
            let market = named.expect("listed").id;
            *found = engine.book(market).is_live()
                && side(engine, market, Side::Bid) == book["bids"]
                && side(engine, market, Side::Ask) == book["asks"];
        }
    }

    /// Checks that every book was found, and that there were some.
    pub fn all_found(&self) {
        let missing: Vec<&String> = self.books.iter().filter(|(_, _, found)| !found).map(|(name, ..)| name).collect();
        println!("{} of {} books are the exchange's own", self.books.len() - missing.len(), self.books.len());
        assert!(missing.is_empty() && !self.books.is_empty(), "not the exchange's books: {missing:?}");
    }
}

/// One side of a book in the venue's decimals, as the exchange tells it.
pub(crate) fn side(engine: &Engine, market: MarketId, side: Side) -> Value {
    let levels = engine.book(market).levels(side);
    levels.map(|level| json!([level.price.to_string(), level.quantity.to_string()])).collect()
}
