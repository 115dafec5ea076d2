//! One consistent read of the account: orders, fills, positions and cash, page by page, until two rounds agree.
//!
//! Pure: it says what to ask next and is told the answers. The venue's reads lag its writes and are no snapshot, so a round
//! begins by asking how new the reads are ([`AccountRead::as_of`]); what happened before that moment is in all pages that
//! follow. Two rounds in a row that say the same, both newer than the start, are believed.
//!
//! What ended is read only as far back as somebody waits for it ([`AccountReading::narrowed`]): a day has tens of thousands
//! of orders, and all of them at every read would cost more with every hour.

use crate::convert;
use crate::error::Error;
use crate::wire;
use isobar_engine::event::{AccountRead, OrderRead};
use isobar_engine::market::MarketId;
use isobar_engine::units::{SECOND, Timestamp};
use isobar_engine::venue::{VenueFill, VenuePosition};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// Most items on a page (PROTOCOL.md 3.1).
pub(crate) const PAGE: &str = "limit=1000";
/// A broken cursor is answered with some page and never ends: no account has this many pages.
const MOST_PAGES: u32 = 1_000;

/// A read: path below the base, query, and whether it spends from the bucket of the balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    /// Path below `/trade-api/v2`.
    pub path: &'static str,
    /// Query without its question mark.
    pub query: String,
    /// Whether it is the balance, which has a bucket of its own.
    pub balance: bool,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Ask this, and tell the answer by [`AccountReading::answered`].
    Ask(Get),
    /// Ask again at this time: the reads of the venue are older than they must be.
    Wait(Timestamp),
    /// All is read: see [`AccountReading::finish`].
    Done,
    /// It does not get anywhere.
    Failed(Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    AsOf,
    Resting,
    Recent,
    Fills,
    Positions,
    Balance,
    Whole,
}

/// What one round found, in the venue's spellings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Round {
    orders: BTreeMap<String, wire::RestOrder>,
    fills: BTreeMap<String, wire::RestFill>,
    positions: BTreeMap<String, wire::RestPosition>,
    cash: Option<isobar_engine::units::Money>,
}

/// See the module.
#[derive(Debug)]
pub struct AccountReading {
    /// Fills reach back to this.
    since: Timestamp,
    /// Orders that ended reach back to this.
    ended_since: Timestamp,
    /// Client ids of orders that are not known to be over, with the time from which on the venue may show them.
    open: Vec<(String, Timestamp)>,
    /// The reads must be at least this new, by the venue's clock.
    fresh: Timestamp,
    shard: u32,
    part: Part,
    cursor: String,
    pages: u32,
    as_of: Timestamp,
    wait: Option<Timestamp>,
    rounds: u32,
    most_rounds: u32,
    now: Round,
    before: Option<Round>,
    failed: Option<Error>,
}

impl AccountReading {
    /// How new what was read is, by the venue's clock.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// A reading of what rests, and of what happened since `since`, that is newer than `fresh` (both by the venue's clock).
    /// Cash is that of the shard. After `most_rounds` without agreement it gives up.
    pub fn new(since: Timestamp, fresh: Timestamp, shard: u32, most_rounds: u32) -> Self {
        Self {
            since,
            ended_since: since,
            open: Vec::new(),
            fresh,
            shard,
            part: Part::AsOf,
            cursor: String::new(),
            pages: 0,
            as_of: Timestamp(i64::MIN),
            wait: None,
            rounds: 0,
            most_rounds,
            now: Round::default(),
            before: None,
            failed: None,
        }
    }

    /// Of orders that ended, only those that were placed from `ended_since` on are read, and further back as far as one of
    /// `open` (client ids, each with a time before which it was not placed) is not among those that rest.
    pub fn narrowed(mut self, ended_since: Timestamp, open: Vec<(String, Timestamp)>) -> Self {
        (self.ended_since, self.open) = (ended_since, open);
        self
    }

    /// What rests is read: whatever else is open has ended, and is looked for among what did.
    fn reach_back(&mut self) {
        let resting: BTreeSet<&str> = self.now.orders.values().map(|order| order.client_order_id.as_str()).collect();
        let ended = self.open.iter().filter(|(client, _)| !resting.contains(client.as_str()));
        self.ended_since = ended.map(|(_, placed)| *placed).chain([self.ended_since]).min().expect("at least one");
    }

    /// What to do next. Asked again without an answer between, it says the same.
    pub fn next(&mut self, now: Timestamp) -> Step {
        if let Some(error) = self.failed.take() {
            return Step::Failed(error);
        }
        if let Some(wait) = self.wait.filter(|wait| *wait > now) {
            return Step::Wait(wait);
        }
        let (since, ended_since) = (self.since.0.div_euclid(SECOND), self.ended_since.0.div_euclid(SECOND));
        let (path, query) = match self.part {
            Part::AsOf => ("/exchange/user_data_timestamp", String::new()),
            Part::Resting => ("/portfolio/orders", format!("status=resting&{PAGE}")),
            Part::Recent => ("/portfolio/orders", format!("min_ts={ended_since}&{PAGE}")),
            Part::Fills => ("/portfolio/fills", format!("min_ts={since}&{PAGE}")),
            Part::Positions => ("/portfolio/positions", PAGE.to_owned()),
            Part::Balance => ("/portfolio/balance", String::new()),
            Part::Whole => return Step::Done,
        };
        let cursor = if self.cursor.is_empty() {
            String::new()
        } else {
            format!("&cursor={}", super::request::escaped(&self.cursor))
        };
        Step::Ask(Get { path, query: query + &cursor, balance: self.part == Part::Balance })
    }

    /// Takes the body of a success.
    pub fn answered(&mut self, now: Timestamp, body: &[u8]) {
        if let Err(error) = self.take(now, body) {
            self.failed = Some(error);
        }
    }

    fn take(&mut self, now: Timestamp, body: &[u8]) -> Result<(), Error> {
        let malformed = |path: &str, reason: String| Error::Malformed { request: path.to_owned(), reason };
        match self.part {
            Part::AsOf => {
                let path = "/exchange/user_data_timestamp";
                let stamp: wire::UserDataTimestamp = read(path, body)?;
                let as_of =
                    convert::time(&stamp.as_of_time).ok_or_else(|| malformed(path, stamp.as_of_time.clone()))?;
                if as_of < self.fresh {
                    self.wait = Some(now.plus(SECOND / 4));
                    return self.count_page(path);
                }
                (self.as_of, self.wait) = (as_of, None);
                self.turn(Part::Resting);
            }
            Part::Resting | Part::Recent => {
                let page: wire::OrdersBody = read("/portfolio/orders", body)?;
                self.now.orders.extend(page.orders.into_iter().map(|order| (order.order_id.clone(), order)));
                let next = if self.part == Part::Resting { Part::Recent } else { Part::Fills };
                self.page("/portfolio/orders", page.cursor, next)?;
                if self.part == Part::Recent && self.pages == 0 {
                    self.reach_back();
                }
            }
            Part::Fills => {
                let page: wire::FillsBody = read("/portfolio/fills", body)?;
                self.now.fills.extend(page.fills.into_iter().map(|fill| (fill.trade_id.clone(), fill)));
                self.page("/portfolio/fills", page.cursor, Part::Positions)?;
            }
            Part::Positions => {
                let page: wire::PositionsBody = read("/portfolio/positions", body)?;
                let held = page.market_positions.into_iter().map(|position| (position.ticker.clone(), position));
                self.now.positions.extend(held);
                self.page("/portfolio/positions", page.cursor, Part::Balance)?;
            }
            Part::Balance => {
                let balance: wire::Balance = read("/portfolio/balance", body)?;
                self.now.cash = Some(cash(&balance, self.shard)?);
                self.end_round()?;
            }
            Part::Whole => {}
        }
        Ok(())
    }

    fn turn(&mut self, part: Part) {
        (self.part, self.pages) = (part, 0);
        self.cursor.clear();
    }

    fn count_page(&mut self, path: &str) -> Result<(), Error> {
        self.pages += 1;
        if self.pages < MOST_PAGES {
            return Ok(());
        }
        Err(Error::Malformed { request: path.to_owned(), reason: "pages without end".into() })
    }

    fn page(&mut self, path: &str, cursor: String, next: Part) -> Result<(), Error> {
        self.count_page(path)?;
        if cursor.is_empty() || cursor == self.cursor {
            self.turn(next);
        } else {
            self.cursor = cursor;
        }
        Ok(())
    }

    fn end_round(&mut self) -> Result<(), Error> {
        self.rounds += 1;
        let agreed = self.before.as_ref() == Some(&self.now);
        self.turn(if agreed { Part::Whole } else { Part::AsOf });
        if !agreed {
            if self.rounds >= self.most_rounds {
                return Err(Error::Restless { rounds: self.rounds });
            }
            self.before = Some(std::mem::take(&mut self.now));
        }
        Ok(())
    }

    /// What was read, once all is; with the tickers of orders, fills and positions in markets that are not listed, which are
    /// left out. `find` gives the number of a listed market.
    pub fn finish(self, find: impl Fn(&str) -> Option<MarketId>) -> Result<(AccountRead, BTreeSet<String>), Error> {
        let mut strangers = BTreeSet::new();
        let mut market = |ticker: &str| {
            let found = find(ticker);
            if found.is_none() {
                strangers.insert(ticker.to_owned());
            }
            found
        };
        let mut orders = Vec::new();
        for order in self.now.orders.values() {
            let Some(market) = market(&order.ticker) else { continue };
            orders.extend(order_read(market, order)?);
        }
        let mut fills = Vec::new();
        for fill in self.now.fills.values() {
            let Some(market) = market(&fill.ticker) else { continue };
            let exact = fill.created_time.as_deref().and_then(convert::time);
            let at = exact.or_else(|| fill.ts.and_then(convert::seconds)).unwrap_or(self.since);
            fills.push((at, fill.order_id.clone(), fill_read(market, fill)?));
        }
        fills.sort_by_key(|(at, _, fill)| (*at, fill.trade));
        let mut positions = Vec::new();
        for position in self.now.positions.values() {
            let malformed = || bad("/portfolio/positions", &position.ticker);
            let contracts = convert::change(position.position_fp.as_bytes()).ok_or_else(malformed)?;
            let cost = convert::money(position.market_exposure_dollars.as_bytes()).ok_or_else(malformed)?;
            if contracts == 0 {
                continue;
            }
            positions.extend(market(&position.ticker).map(|market| VenuePosition { market, contracts, cost }));
        }
        positions.sort_by_key(|position| position.market);
        let read = AccountRead {
            cash: self.now.cash.ok_or_else(|| bad("/portfolio/balance", "not read"))?,
            positions,
            orders,
            fills: fills.into_iter().map(|(_, id, fill)| (id, fill)).collect(),
            since: self.since.max(self.ended_since),
            as_of: self.as_of,
        };
        Ok((read, strangers))
    }
}

fn bad(request: &str, reason: &str) -> Error {
    Error::Malformed { request: request.to_owned(), reason: reason.to_owned() }
}

fn read<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| bad(path, &error.to_string()))
}

/// The cash of one shard; where the venue does not tell it apart, the total.
fn cash(balance: &wire::Balance, shard: u32) -> Result<isobar_engine::units::Money, Error> {
    let own = balance.balance_breakdown.iter().find(|part| part.exchange_index == shard).map(|part| &part.balance);
    let text = match own {
        Some(text) => text,
        None if balance.balance_breakdown.is_empty() => &balance.balance_dollars,
        None => "0",
    };
    convert::money(text.as_bytes()).ok_or_else(|| bad("/portfolio/balance", text))
}

/// Nothing for an order whose status says nothing.
fn order_read(market: MarketId, order: &wire::RestOrder) -> Result<Option<OrderRead>, Error> {
    let malformed = || bad("/portfolio/orders", &format!("order {}", order.order_id));
    let Some(status) = convert::order_status(&order.status) else { return Ok(None) };
    Ok(Some(OrderRead {
        client: order.client_order_id.clone(),
        id: order.order_id.clone(),
        market,
        side: convert::direction(order.book_side, order.outcome_side).ok_or_else(malformed)?,
        price: convert::price(order.yes_price_dollars.as_bytes()).ok_or_else(malformed)?,
        status,
        filled: convert::quantity(order.fill_count_fp.as_bytes()).ok_or_else(malformed)?,
        remaining: convert::quantity(order.remaining_count_fp.as_bytes()).ok_or_else(malformed)?,
    }))
}

fn fill_read(market: MarketId, fill: &wire::RestFill) -> Result<VenueFill, Error> {
    let malformed = || bad("/portfolio/fills", &format!("fill {}", fill.trade_id));
    Ok(VenueFill {
        trade: convert::trade_id(&fill.trade_id),
        order: None,
        market,
        side: convert::direction(fill.book_side, fill.outcome_side).ok_or_else(malformed)?,
        price: convert::price(fill.yes_price_dollars.as_bytes()).ok_or_else(malformed)?,
        quantity: convert::quantity(fill.count_fp.as_bytes()).ok_or_else(malformed)?,
        fee: convert::money(fill.fee_cost.as_bytes()).ok_or_else(malformed)?,
        taker: fill.is_taker,
    })
}
