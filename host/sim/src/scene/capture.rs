//! A WebSocket capture, played again: its snapshots, deltas and tickers, and a disconnect wherever the recorder had one.
//!
//! Frames of the recorder's own subscriptions (acknowledgements, errors) are not played: every client gets its own.
//! The recorded scale is the venue's default (NO ladder in NO prices).

use super::lines::{fixed, price, quantity, read};
use super::{Recording, Stage};
use crate::Error;
use crate::book::{Book, Level, Outcome};
use crate::exchange::{Action, Exchange};
use crate::listing::{CityDay, Grid, HOUR, Market, Quoted, Series, Strike, Volume};
use isobar_engine::units::{Price, Timestamp};
use serde::Deserialize;
use serde_json::{Number, value::RawValue};
use std::path::Path;

#[derive(Deserialize)]
struct Line<'a> {
    recv_ns: i64,
    conn: i64,
    #[serde(borrow)]
    frame: Option<&'a RawValue>,
    control: Option<String>,
    close_time: Option<String>,
    market_ticker: Option<String>,
    strike: Option<Number>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    OrderbookSnapshot {
        msg: Snapshot,
    },
    OrderbookDelta {
        msg: Delta,
    },
    Ticker {
        msg: Ticker,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Snapshot {
    market_ticker: String,
    #[serde(default)]
    yes_dollars_fp: Vec<[String; 2]>,
    #[serde(default)]
    no_dollars_fp: Vec<[String; 2]>,
}

#[derive(Deserialize)]
struct Delta {
    market_ticker: String,
    price_dollars: String,
    delta_fp: String,
    side: String,
    ts_ms: Option<i64>,
}

#[derive(Deserialize)]
struct Ticker {
    market_ticker: String,
    price_dollars: String,
    yes_bid_dollars: String,
    yes_ask_dollars: String,
    volume_fp: String,
    open_interest_fp: String,
    yes_bid_size_fp: String,
    yes_ask_size_fp: String,
    last_trade_size_fp: String,
    ts_ms: i64,
}

fn level(level: &[String; 2]) -> Option<Level> {
    Some((price(&level[0])?, quantity(&level[1])?))
}

struct Player {
    exchange: Exchange,
    actions: Vec<(Timestamp, Action)>,
}

impl Player {
    /// The market's number; listed at first sight. Its event and series are what stands before the last and first dash.
    fn market(&mut self, ticker: &str) -> usize {
        if let Some(known) = self.exchange.find(ticker) {
            return known;
        }
        let event = ticker.rsplit_once('-').map_or(ticker, |(event, _)| event);
        let series = ticker.split('-').next().expect("splitting yields one part at least");
        let strike = Strike { word: "structured", floor: None, cap: None };
        let market = Market::new(ticker, event, strike, Timestamp(0), Timestamp(0));
        let listed = Series { ticker: series.to_owned(), title: series.to_owned(), category: "Recorded" };
        let day = CityDay {
            ticker: event.to_owned(),
            series: series.to_owned(),
            title: event.to_owned(),
            sub_title: String::new(),
            strike_date: None,
            makers_pay: None,
        };
        self.exchange.list(listed, day, vec![market]);
        self.exchange.markets.len() - 1
    }

    /// Remembers that a price off the whole cents was seen.
    fn seen(&mut self, market: usize, price: Price) {
        if !price.units().is_multiple_of(100) {
            self.exchange.markets[market].grid = Grid::TaperedDeciCent;
        }
    }

    fn play(&mut self, at: Timestamp, frame: Frame) -> Option<bool> {
        let mut snapshot = false;
        let action = match frame {
            Frame::Other => return Some(false),
            Frame::OrderbookSnapshot { msg } => {
                let market = self.market(&msg.market_ticker);
                let side = |levels: &[[String; 2]]| levels.iter().map(level).collect::<Option<Vec<_>>>();
                let (yes, no) = (side(&msg.yes_dollars_fp)?, side(&msg.no_dollars_fp)?);
                yes.iter().chain(&no).for_each(|level| self.seen(market, level.0));
                snapshot = true;
                Action::Book { market, book: Book::new(yes, no) }
            }
            Frame::OrderbookDelta { msg } => {
                let market = self.market(&msg.market_ticker);
                let (price, change) = (price(&msg.price_dollars)?, fixed(&msg.delta_fp, 2)?);
                let outcome = Outcome::BOTH.into_iter().find(|outcome| outcome.word() == msg.side)?;
                self.seen(market, price);
                Action::Level { market, outcome, price, change, ts_ms: msg.ts_ms }
            }
            Frame::Ticker { msg } => {
                let market = self.market(&msg.market_ticker);
                let quoted = Quoted {
                    bid: price(&msg.yes_bid_dollars)?,
                    ask: price(&msg.yes_ask_dollars)?,
                    bid_size: quantity(&msg.yes_bid_size_fp)?,
                    ask_size: quantity(&msg.yes_ask_size_fp)?,
                };
                let volume = Volume {
                    last_price: price(&msg.price_dollars)?,
                    last_size: quantity(&msg.last_trade_size_fp)?,
                    contracts: quantity(&msg.volume_fp)?,
                    open_interest: quantity(&msg.open_interest_fp)?,
                };
                Action::Ticker { market, quoted, volume, ts_ms: msg.ts_ms }
            }
        };
        self.actions.push((at, action));
        Some(snapshot)
    }
}

pub(super) fn stage(path: &Path) -> Result<Stage, Error> {
    let text = read(path)?;
    let mut player = Player { exchange: Exchange::default(), actions: Vec::new() };
    player.exchange.recorded_tickers = true;
    let (mut connection, mut last, mut down) = (None, Timestamp(0), false);
    let mut times = Vec::new();
    for (number, text) in text.lines().enumerate() {
        let malformed = |reason: String| Error::Malformed {
            path: path.to_owned(),
            reason: format!("line {}: {reason}", number + 1),
        };
        let line: Line<'_> = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        if let (Some("watch_market"), Some(ticker)) = (line.control.as_deref(), &line.market_ticker) {
            let close_time = line.close_time.as_deref().and_then(|time| time.parse::<jiff::Timestamp>().ok());
            times.push((ticker.clone(), close_time, line.strike));
        }
        let Some(frame) = line.frame else { continue };
        let at = Timestamp(line.recv_ns).max(last);
        if connection.is_some_and(|connection| connection != line.conn) {
            player.actions.push((last, Action::Down));
            down = true;
        }
        (connection, last) = (Some(line.conn), at);
        let frame: Frame = serde_json::from_str(frame.get()).map_err(|error| malformed(error.to_string()))?;
        let snapshot =
            player.play(at, frame).ok_or_else(|| malformed("a number that is no price or count".to_owned()))?;
        // The doors open again when there is a book to be shown.
        if down && snapshot {
            player.actions.push((at, Action::Up));
            down = false;
        }
    }
    if down {
        player.actions.push((last, Action::Up));
    }
    let Player { mut exchange, actions } = player;
    let first = actions.first().map_or(Timestamp(0), |(at, _)| *at);
    for market in &mut exchange.markets {
        (market.opens, market.closes) = (first.plus(-HOUR), last.plus(HOUR));
    }
    for (ticker, close_time, strike) in times {
        let Some(market) = exchange.find(&ticker) else { continue };
        let market = &mut exchange.markets[market];
        if let Some(close) = close_time {
            market.closes = Timestamp(close.as_second() * 1_000_000_000);
        }
        if strike.is_some() {
            market.strike = Strike { word: "greater_or_equal", floor: strike, cap: None };
        }
    }
    Stage::recorded(exchange, actions, Vec::new())
}

impl From<Recording> for super::Scene {
    fn from(recording: Recording) -> Self {
        Self::Recorded(recording)
    }
}
