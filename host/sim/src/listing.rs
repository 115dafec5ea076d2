//! What the exchange lists: series, city-days and markets, with the facts that never depend on a book.
//!
//! Names and shapes follow captured production objects (PROTOCOL.md 3.3 and 5). It refuses to guess: a fact that a
//! recording does not hold is absent.

use crate::book::{Book, Outcome};
use crate::candles::Candles;
use crate::trading::Resting;
use isobar_engine::units::{Price, Quantity, SECOND, Timestamp};
use serde_json::Number;

/// Hour, in nanoseconds.
pub(crate) const HOUR: i64 = 3_600 * SECOND;
/// How long after a market's close its result is published here. The venue waits for the morning (PROTOCOL.md 5.4).
pub(crate) const DETERMINED_AFTER: i64 = 300 * SECOND;
/// How long after the result money moves: `settlement_timer_seconds` of the weather series.
pub(crate) const SETTLEMENT_TIMER_S: i64 = 3_600;
/// The same in nanoseconds.
pub(crate) const SETTLES_AFTER: i64 = SETTLEMENT_TIMER_S * SECOND;

/// A series of events.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) ticker: String,
    pub(crate) title: String,
    pub(crate) category: &'static str,
}

/// One event of a series: for weather, a city and a day.
#[derive(Clone, Debug)]
pub(crate) struct CityDay {
    pub(crate) ticker: String,
    pub(crate) series: String,
    pub(crate) title: String,
    pub(crate) sub_title: String,
    /// Start of the day that it is about.
    pub(crate) strike_date: Option<Timestamp>,
    /// Whether makers pay fees here, where that differs from the series.
    pub(crate) makers_pay: Option<bool>,
}

/// The venue's word for a fee schedule.
pub(crate) const fn fee_type(makers_pay: bool) -> &'static str {
    if makers_pay { "quadratic_with_maker_fees" } else { "quadratic" }
}

/// Strike as REST spells it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Strike {
    pub(crate) word: &'static str,
    pub(crate) floor: Option<Number>,
    pub(crate) cap: Option<Number>,
}

impl Strike {
    pub(crate) fn less(cap: i32) -> Self {
        Self { word: "less", floor: None, cap: Some(cap.into()) }
    }

    pub(crate) fn between(floor: i32) -> Self {
        Self { word: "between", floor: Some(floor.into()), cap: Some((floor + 1).into()) }
    }

    pub(crate) fn greater(floor: i32) -> Self {
        Self { word: "greater", floor: Some(floor.into()), cap: None }
    }

    /// The six brackets of an event whose lowest one is below `cap`, with the ends of their tickers (PROTOCOL.md 5.3).
    pub(crate) fn brackets(cap: i32) -> Vec<(String, Self)> {
        let mut all = vec![(format!("T{cap}"), Self::less(cap))];
        all.extend((0..4).map(|i| cap + 2 * i).map(|floor| (format!("B{floor}.5"), Self::between(floor))));
        all.push((format!("T{}", cap + 7), Self::greater(cap + 7)));
        all
    }

    /// Whether a high of `degrees` makes it YES; nothing where the strike is not about whole degrees.
    pub(crate) fn holds(&self, degrees: i64) -> Option<bool> {
        let floor = self.floor.as_ref().map(Number::as_i64);
        let cap = self.cap.as_ref().map(Number::as_i64);
        match (self.word, floor, cap) {
            ("less", _, Some(cap)) => Some(degrees < cap?),
            ("between", Some(floor), Some(cap)) => Some(floor? <= degrees && degrees <= cap?),
            ("greater", Some(floor), _) => Some(degrees > floor?),
            _ => None,
        }
    }

    pub(crate) fn words(&self) -> String {
        let whole = |number: &Option<Number>| number.as_ref().and_then(Number::as_i64);
        match (self.word, whole(&self.floor), whole(&self.cap)) {
            ("less", _, Some(cap)) => format!("{}° or below", cap - 1),
            ("between", Some(floor), Some(cap)) => format!("{floor}° to {cap}°"),
            ("greater", Some(floor), _) => format!("{}° or above", floor + 1),
            _ => String::new(),
        }
    }
}

/// Price grid of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grid {
    LinearCent,
    TaperedDeciCent,
}

impl Grid {
    /// The venue's label.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::LinearCent => "linear_cent",
            Self::TaperedDeciCent => "tapered_deci_cent",
        }
    }

    /// Whether a price is one of the grid.
    pub(crate) const fn allows(self, price: Price) -> bool {
        let units = price.units();
        let step = match self {
            Self::LinearCent => 100,
            Self::TaperedDeciCent if units > 1_000 && units < 9_000 => 100,
            Self::TaperedDeciCent => 10,
        };
        units.is_multiple_of(step)
    }

    /// `start`, `end`, `step` of each stretch.
    pub(crate) const fn ranges(self) -> &'static [[&'static str; 3]] {
        match self {
            Self::LinearCent => &[["0.0000", "1.0000", "0.0100"]],
            Self::TaperedDeciCent => {
                &[["0.0000", "0.1000", "0.0010"], ["0.1000", "0.9000", "0.0100"], ["0.9000", "1.0000", "0.0010"]]
            }
        }
    }
}

/// Best prices as a ticker shows them: a YES bid of zero or a YES ask of one dollar has size zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    pub(crate) bid: Price,
    pub(crate) ask: Price,
    pub(crate) bid_size: Quantity,
    pub(crate) ask_size: Quantity,
}

impl Quoted {
    pub(crate) fn of(book: &Book) -> Self {
        let (bid, bid_size) = book.best(Outcome::Yes).unwrap_or((Price::ZERO, Quantity::ZERO));
        let (no, ask_size) = book.best(Outcome::No).unwrap_or((Price::ZERO, Quantity::ZERO));
        Self { bid, ask: no.complement(), bid_size, ask_size }
    }
}

/// What traded so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) last_price: Price,
    pub(crate) last_size: Quantity,
    pub(crate) contracts: Quantity,
    pub(crate) open_interest: Quantity,
}

/// A market and everything the exchange knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    pub(crate) ticker: String,
    pub(crate) event: String,
    /// UUID of the venue.
    pub(crate) id: String,
    pub(crate) strike: Strike,
    pub(crate) title: String,
    pub(crate) grid: Grid,
    pub(crate) opens: Timestamp,
    pub(crate) closes: Timestamp,
    pub(crate) book: Book,
    /// Exchange clock of the newest change of the book.
    pub(crate) clock: u64,
    pub(crate) quoted: Quoted,
    pub(crate) volume: Volume,
    /// Worth of YES and, for weather, the degrees that decided it, since when.
    pub(crate) result: Option<Determination>,
    pub(crate) settled: Option<Timestamp>,
    /// Paused by the exchange: `inactive`.
    pub(crate) paused: bool,
    /// Clients' orders in the book, and what they took out of the background.
    pub(crate) resting: Resting,
    pub(crate) candles: Candles,
    /// The part of every book message that never changes, ready to be copied.
    pub(crate) message_head: String,
}

/// How a market came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Determination {
    pub(crate) at: Timestamp,
    pub(crate) yes: bool,
    /// The settled high in °F, where it is known.
    pub(crate) value: Option<i64>,
}

impl Market {
    pub(crate) fn new(ticker: &str, event: &str, strike: Strike, opens: Timestamp, closes: Timestamp) -> Self {
        let id =
            uuid(ticker.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            }));
        let message_head = format!("\"msg\":{{\"market_ticker\":\"{ticker}\",\"market_id\":\"{id}\",\"clock\":");
        Self {
            ticker: ticker.to_owned(),
            event: event.to_owned(),
            id,
            title: String::new(),
            strike,
            grid: Grid::LinearCent,
            opens,
            closes,
            book: Book::default(),
            clock: 0,
            quoted: Quoted::of(&Book::default()),
            volume: Volume::default(),
            result: None,
            settled: None,
            paused: false,
            resting: Resting::default(),
            candles: Candles::default(),
            message_head,
        }
    }

    /// The word of REST for its state at `now` (PROTOCOL.md 7.3).
    pub(crate) fn status(&self, now: Timestamp) -> &'static str {
        match () {
            () if self.settled.is_some() => "finalized",
            () if self.result.is_some() => "determined",
            () if now >= self.closes => "closed",
            () if now < self.opens => "initialized",
            () if self.paused => "inactive",
            () => "active",
        }
    }
}

/// A UUID made of `number`, the same for the same number.
pub(crate) fn uuid(number: u64) -> String {
    let mix = |mut x: u64| {
        x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let (high, low) = (mix(number), mix(number ^ 0x5555_5555_5555_5555));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 50),
        low & 0xffff_ffff_ffff
    )
}

/// The weather cities that the listing has words for: series, name, hours of standard time behind UTC.
/// Source: PROTOCOL.md 5.1.
pub(crate) const STATIONS: [(&str, &str, i64); 8] = [
    ("KXHIGHCHI", "Chicago", 6),
    ("KXHIGHAUS", "Austin", 6),
    ("KXHIGHDEN", "Denver", 7),
    ("KXHIGHLAX", "Los Angeles", 8),
    ("KXHIGHMIA", "Miami", 5),
    ("KXHIGHPHIL", "Philadelphia", 5),
    ("KXHIGHNY", "New York City", 5),
    ("KXHIGHTHOU", "Houston", 6),
];

/// First moment of `date` in the standard time of a place `behind` hours west of Greenwich: the climate day's begin.
pub(crate) fn midnight(date: jiff::civil::Date, behind: i64) -> Timestamp {
    let utc = date.to_zoned(jiff::tz::TimeZone::UTC).expect("a date of this era is a moment").timestamp();
    Timestamp(utc.as_second() * SECOND + behind * HOUR)
}

/// `26JUL01`, as event tickers spell a date.
pub(crate) fn ticker_date(date: jiff::civil::Date) -> String {
    date.strftime("%y%b%d").to_string().to_uppercase()
}

/// The date at the end of a weather event's ticker.
pub(crate) fn date_of(event: &str) -> Option<jiff::civil::Date> {
    jiff::civil::Date::strptime("%y%b%d", event.rsplit('-').next()?).ok()
}

/// Series, event and markets of one weather day. Its lowest bracket is below `cap`.
pub(crate) fn city_day(series: &str, date: jiff::civil::Date, cap: i32) -> (Series, CityDay, Vec<Market>) {
    let (_, name, behind) =
        STATIONS.into_iter().find(|station| station.0 == series).unwrap_or(("", series.trim_start_matches("KX"), 5));
    let (begins, ticker) = (midnight(date, behind), format!("{series}-{}", ticker_date(date)));
    let day = date.strftime("%b %-d, %Y").to_string();
    let markets = Strike::brackets(cap).into_iter().map(|(end, strike)| {
        let opens = Timestamp(midnight(date, 0).0 - 10 * HOUR);
        let title = format!("Will the **high temp in {name}** be {} on {day}?", strike.words());
        let mut market = Market::new(&format!("{ticker}-{end}"), &ticker, strike, opens, begins.plus(24 * HOUR));
        market.title = title;
        market
    });
    let markets = markets.collect();
    let listed = Series {
        ticker: series.to_owned(),
        title: format!("Highest temperature in {name}"),
        category: "Climate and Weather",
    };
    let event = CityDay {
        ticker,
        series: series.to_owned(),
        title: format!("Highest temperature in {name} on {day}?"),
        sub_title: format!("On {day}"),
        strike_date: Some(begins),
        makers_pay: None,
    };
    (listed, event, markets)
}
