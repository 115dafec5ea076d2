//! Numbers for markets: the one place that gives a [`MarketId`] out, in the order in which markets are found.

use isobar_engine::market::{Market, MarketId};
use std::collections::{BTreeMap, BTreeSet};

/// Every market found in this run.
#[derive(Debug, Default)]
pub struct Registry {
    markets: Vec<Market>,
    by_ticker: BTreeMap<String, MarketId>,
    paid: BTreeSet<MarketId>,
}

impl Registry {
    /// Numbers the found markets and keeps those that are new or whose facts changed: what a listing must tell.
    ///
    /// A settled market keeps its last facts: its result comes as an input of its own.
    pub fn found(&mut self, found: impl IntoIterator<Item = Market>) -> Vec<Market> {
        let mut news = Vec::new();
        for mut market in found {
            match self.by_ticker.get(&market.ticker) {
                Some(id) => {
                    market.id = *id;
                    let known = &mut self.markets[id.index()];
                    if *known != market {
                        known.clone_from(&market);
                        news.push(market);
                    }
                }
                None => {
                    let Ok(number) = u16::try_from(self.markets.len()) else { continue };
                    market.id = MarketId(number);
                    self.by_ticker.insert(market.ticker.clone(), market.id);
                    self.markets.push(market.clone());
                    news.push(market);
                }
            }
        }
        news
    }

    /// Marks a market as paid and gives its number, the first time only.
    pub fn settle(&mut self, ticker: &str) -> Option<MarketId> {
        let id = *self.by_ticker.get(ticker)?;
        self.paid.insert(id).then_some(id)
    }

    /// Takes down that a market is paid.
    pub fn paid(&mut self, market: MarketId) {
        self.paid.insert(market);
    }

    /// All markets, by number.
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }
}
