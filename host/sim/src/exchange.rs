//! The exchange's one truth: listing, books, accounts and results, changed by [`Action`]s of the scene and by orders
//! ([`crate::trading`]), and telling every [`Change`].
//!
//! Pure: no socket, no clock of its own. Changes are in the venue's own terms; what a client sees of them is decided per
//! subscription in [`crate::session`].

use crate::book::{Book, Level, Outcome};
use crate::listing::{CityDay, Determination, Market, Quoted, Series, Volume};
use crate::session::Channel;
use crate::trading::{Account, House, Owner};
use isobar_engine::units::{Price, Quantity, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Public trades that REST can still show; older ones are forgotten, so that memory stays flat.
const TRADES_KEPT: usize = 20_000;

/// What a scene does to the exchange.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// The whole book is told anew.
    Book { market: usize, book: Book },
    /// The book becomes this one, told as deltas.
    Target { market: usize, book: Book },
    /// One level changes by signed 1/100 contracts. `ts_ms` is the venue's time of it where that is not the scene's.
    Level { market: usize, outcome: Outcome, price: Price, change: i64, ts_ms: Option<i64> },
    /// A taker bought `taker` at YES price `price`.
    Trade { market: usize, taker: Outcome, price: Price, quantity: Quantity },
    /// A recorded ticker.
    Ticker { market: usize, quoted: Quoted, volume: Volume, ts_ms: i64 },
    /// Trading is over: the book empties.
    Close { market: usize },
    /// The result is known.
    Determine { market: usize, yes: bool, value: Option<i64> },
    /// The result is paid.
    Settle { market: usize },
    /// The exchange drops every connection, takes none, and forgets its books.
    Down,
    /// It takes connections again.
    Up,
}

/// What happened, in the order in which clients are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The book was replaced.
    Snapshot { market: usize },
    /// One level changed, `by` someone's order or by the crowd.
    Level { market: usize, outcome: Outcome, price: Price, change: i64, ts_ms: i64, by: Option<Owner> },
    /// A public trade.
    Trade { market: usize, number: u64, taker: Outcome, price: Price, quantity: Quantity, ts_ms: i64 },
    /// The summary changed.
    Ticker { market: usize, ts_ms: i64 },
    /// The result became known.
    Determined { market: usize },
    /// The result was paid.
    Settled { market: usize },
    /// A message that is ready but for its head: private where it is for one account.
    Told { account: Option<usize>, channel: Channel, market: Option<usize>, kind: &'static str, msg: String },
    /// Every connection ends here.
    Down,
}

/// A public trade, as REST tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trade {
    pub(crate) market: usize,
    pub(crate) number: u64,
    pub(crate) taker: Outcome,
    pub(crate) price: Price,
    pub(crate) quantity: Quantity,
    pub(crate) at: Timestamp,
}

/// A fee override of an event, or its end. It takes effect when it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FeeChange {
    pub(crate) event: String,
    pub(crate) makers_pay: Option<bool>,
    pub(crate) at: Timestamp,
}

/// Whether orders are taken (PROTOCOL.md 7.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Trading.
    #[default]
    None,
    /// No placing and amending; cancelling works.
    Trading,
    /// Nothing changes state.
    Exchange,
}

/// The exchange.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) series: BTreeMap<String, Series>,
    pub(crate) events: BTreeMap<String, CityDay>,
    pub(crate) markets: Vec<Market>,
    index: BTreeMap<String, usize>,
    /// Time of the newest action.
    pub(crate) now: Timestamp,
    /// Whether connections are refused.
    pub(crate) down: bool,
    /// Whether tickers come from the recording instead of the books.
    pub(crate) recorded_tickers: bool,
    pub(crate) halt: Halt,
    pub(crate) accounts: Vec<Account>,
    /// Whoever is behind the background liquidity.
    pub(crate) house: House,
    /// Orders that die by themselves: when, whose, which.
    pub(crate) expiries: BTreeSet<(Timestamp, usize, u64)>,
    pub(crate) history: VecDeque<Trade>,
    /// Overrides of fees and their ends, as they came.
    pub(crate) fee_changes: Vec<FeeChange>,
    /// Makers pay a quarter of a taker's fee: `quadratic_with_maker_fees`.
    pub(crate) maker_fees: bool,
    /// Mixed into the ids of orders and groups.
    pub(crate) seed: u64,
    /// Orders and groups so far.
    pub(crate) numbers: u64,
    clock: u64,
    trades: u64,
    refused: u64,
}

impl Exchange {
    /// Lists markets; an event or series that is already known stays as it is.
    pub(crate) fn list(&mut self, series: Series, event: CityDay, markets: Vec<Market>) {
        self.series.entry(series.ticker.clone()).or_insert(series);
        self.events.entry(event.ticker.clone()).or_insert(event);
        for market in markets {
            self.index.entry(market.ticker.clone()).or_insert_with(|| {
                self.markets.push(market);
                self.markets.len() - 1
            });
        }
    }

    pub(crate) fn find(&self, ticker: &str) -> Option<usize> {
        self.index.get(ticker).copied()
    }

    /// Actions that could not be applied: a level below zero, in a recording that lost something.
    pub(crate) const fn refused(&self) -> u64 {
        self.refused
    }

    /// Applies `action` at `at` and appends what clients have to be told.
    pub(crate) fn apply(&mut self, at: Timestamp, action: Action, changes: &mut Vec<Change>) {
        self.now = self.now.max(at);
        let now_ms = at.0.div_euclid(1_000_000);
        match action {
            Action::Book { market, book } => {
                self.replace_background(market, &book, changes);
                self.tell(market, Change::Snapshot { market }, changes);
                self.summarise(market, now_ms, changes);
            }
            Action::Target { market, book } => {
                self.move_to(market, &book, now_ms, changes);
                self.summarise(market, now_ms, changes);
            }
            Action::Level { market, outcome, price, change, ts_ms } => {
                let ts_ms = ts_ms.unwrap_or(now_ms);
                if !self.change_background(market, outcome, price, change, ts_ms, changes) {
                    self.refused += 1;
                    tracing::warn!(
                        ticker = self.markets[market].ticker,
                        "a recorded change would leave a level below zero"
                    );
                    return;
                }
                self.summarise(market, now_ms, changes);
            }
            Action::Trade { market, taker, price, quantity } => {
                // Clients' orders in front of the crowd's come first; the crowd trades the rest among itself.
                let left = quantity - self.cross_background(market, taker, price, quantity, changes);
                if !left.is_zero() {
                    self.trade(market, taker, price, left, changes);
                }
            }
            Action::Ticker { market, quoted, volume, ts_ms } => {
                let listed = &mut self.markets[market];
                (listed.quoted, listed.volume) = (quoted, volume);
                listed.candles.note(ts_ms.div_euclid(1_000), &quoted, &volume, None);
                changes.push(Change::Ticker { market, ts_ms });
            }
            // A scene ends its markets in its own time; one that was ended on demand before is left as it is.
            Action::Close { market } if self.now < self.markets[market].closes => {}
            Action::Determine { market, .. } if self.markets[market].result.is_some() => {}
            Action::Settle { market } if self.markets[market].settled.is_some() => {}
            Action::Close { market } => {
                self.close_orders(market, changes);
                // The venue sends a snapshot with neither side when a market closes (seen in the recordings).
                if !self.markets[market].book.is_empty() {
                    let listed = &mut self.markets[market];
                    (listed.book, listed.resting.taken) = (Book::default(), BTreeMap::new());
                    self.tell(market, Change::Snapshot { market }, changes);
                    self.summarise(market, now_ms, changes);
                }
            }
            Action::Determine { market, yes, value } => {
                self.markets[market].result = Some(Determination { at, yes, value });
                changes.push(Change::Determined { market });
            }
            Action::Settle { market } => {
                self.markets[market].settled = Some(at);
                changes.push(Change::Settled { market });
                self.pay(market, changes);
            }
            Action::Down => {
                self.down = true;
                for market in 0..self.markets.len() {
                    self.forget_background(market);
                }
                changes.push(Change::Down);
            }
            Action::Up => self.down = false,
        }
    }

    /// Records a public trade and tells it.
    pub(crate) fn trade(
        &mut self,
        market: usize,
        taker: Outcome,
        price: Price,
        quantity: Quantity,
        changes: &mut Vec<Change>,
    ) -> u64 {
        self.trades += 1;
        let (number, at) = (self.trades, self.now);
        let volume = &mut self.markets[market].volume;
        volume.last_price = price;
        volume.last_size = quantity;
        volume.contracts += quantity;
        // Half of the trades close positions: good enough for a number that no rule reads.
        volume.open_interest += Quantity::new(quantity.units() / 2);
        let listed = &mut self.markets[market];
        listed.candles.note(at.0.div_euclid(1_000_000_000), &listed.quoted, &listed.volume, Some((price, quantity)));
        if self.history.len() == TRADES_KEPT {
            self.history.pop_front();
        }
        self.history.push_back(Trade { market, number, taker, price, quantity, at });
        let ts_ms = at.0.div_euclid(1_000_000);
        changes.push(Change::Trade { market, number, taker, price, quantity, ts_ms });
        if !self.recorded_tickers {
            changes.push(Change::Ticker { market, ts_ms });
        }
        number
    }

    pub(crate) fn tell(&mut self, market: usize, change: Change, changes: &mut Vec<Change>) {
        self.clock += 1;
        self.markets[market].clock = self.clock;
        changes.push(change);
    }

    /// Tells the differences, what shrinks first, so that the book does not cross on the way.
    fn move_to(&mut self, market: usize, target: &Book, ts_ms: i64, changes: &mut Vec<Change>) {
        let mut steps: Vec<(bool, Outcome, Level, i64)> = Vec::new();
        for outcome in Outcome::BOTH {
            let listed = &self.markets[market];
            let prices = listed.book.bids(outcome).keys().chain(target.bids(outcome).keys());
            let prices: BTreeSet<Price> = prices.chain(listed.resting.prices(outcome)).copied().collect();
            for price in prices {
                let wanted = target.at(outcome, price);
                let change = wanted.signed() - self.background(market, outcome, price).signed();
                if change != 0 {
                    steps.push((change > 0, outcome, (price, wanted), change));
                }
            }
        }
        steps.sort();
        for (_, outcome, (price, _), change) in steps {
            let possible = self.change_background(market, outcome, price, change, ts_ms, changes);
            assert!(possible, "a difference of two books is applicable to the first");
        }
    }

    pub(crate) fn summarise(&mut self, market: usize, ts_ms: i64, changes: &mut Vec<Change>) {
        if self.recorded_tickers {
            return;
        }
        let listed = &mut self.markets[market];
        let quoted = Quoted::of(&listed.book);
        if quoted != listed.quoted {
            listed.quoted = quoted;
            listed.candles.note(ts_ms.div_euclid(1_000), &quoted, &listed.volume, None);
            changes.push(Change::Ticker { market, ts_ms });
        }
    }
}
