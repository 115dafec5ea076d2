//! Minutes of a market: best prices and trades, for candlesticks.

use crate::listing::{Quoted, Volume};
use isobar_engine::units::{Money, Price, Quantity};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Minutes that are kept: two days.
const KEPT: usize = 2_880;

/// First, lowest, highest and last value of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    open: Price,
    low: Price,
    high: Price,
    close: Price,
}

impl Span {
    const fn of(price: Price) -> Self {
        Self { open: price, low: price, high: price, close: price }
    }

    fn add(&mut self, other: Self) {
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.close = other.close;
    }

    fn json(self) -> Value {
        json!({
            "open_dollars": self.open.to_string(),
            "low_dollars": self.low.to_string(),
            "high_dollars": self.high.to_string(),
            "close_dollars": self.close.to_string(),
        })
    }
}

/// What a market did in a stretch of time.
#[derive(Clone, Copy, Debug)]
struct Candle {
    bid: Span,
    ask: Span,
    traded: Option<Span>,
    /// Contracts times price, for the mean.
    value: Money,
    volume: Quantity,
    open_interest: Quantity,
}

impl Candle {
    fn add(&mut self, other: Self) {
        self.bid.add(other.bid);
        self.ask.add(other.ask);
        self.traded = match (self.traded, other.traded) {
            (Some(mut traded), Some(more)) => {
                traded.add(more);
                Some(traded)
            }
            (traded, more) => traded.or(more),
        };
        self.value += other.value;
        self.volume += other.volume;
        self.open_interest = other.open_interest;
    }

    fn json(&self, ends: i64, previous: Option<Price>) -> Value {
        let mut price = self.traded.map_or_else(|| Value::Object(Map::new()), Span::json);
        if let Some(traded) = self.traded {
            let mean = u64::try_from(self.value.micros()).unwrap_or(0) / self.volume.units().max(1);
            let mean = u16::try_from(mean).ok().and_then(Price::new).unwrap_or(traded.close);
            price["mean_dollars"] = mean.to_string().into();
            price["min_dollars"] = traded.low.to_string().into();
            price["max_dollars"] = traded.high.to_string().into();
        }
        if let Some(previous) = previous {
            price["previous_dollars"] = previous.to_string().into();
        }
        json!({
            "end_period_ts": ends,
            "yes_bid": self.bid.json(),
            "yes_ask": self.ask.json(),
            "price": price,
            "volume_fp": self.volume.to_string(),
            "open_interest_fp": self.open_interest.to_string(),
        })
    }
}

/// The minutes of one market, by the number of the minute since 1970.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candles(BTreeMap<i64, Candle>);

impl Candles {
    /// The best prices at a moment, and the contracts that just traded.
    pub(crate) fn note(&mut self, seconds: i64, quoted: &Quoted, volume: &Volume, traded: Option<(Price, Quantity)>) {
        let fresh = Candle {
            bid: Span::of(quoted.bid),
            ask: Span::of(quoted.ask),
            traded: traded.map(|(price, _)| Span::of(price)),
            value: traded.map_or(Money::ZERO, |(price, quantity)| price.times(quantity)),
            volume: traded.map_or(Quantity::ZERO, |(_, quantity)| quantity),
            open_interest: volume.open_interest,
        };
        let minute = seconds.div_euclid(60);
        self.0.entry(minute).and_modify(|candle| candle.add(fresh)).or_insert(fresh);
        if self.0.len() > KEPT {
            self.0.pop_first();
        }
    }

    /// Candles of `minutes` minutes whose ends lie from `from` to `to` (Unix seconds, both included).
    pub(crate) fn json(&self, minutes: i64, from: i64, to: i64) -> Vec<Value> {
        let width = minutes * 60;
        let mut merged: BTreeMap<i64, Candle> = BTreeMap::new();
        for (minute, candle) in &self.0 {
            let ends = (minute * 60).div_euclid(width) * width + width;
            merged.entry(ends).and_modify(|sum| sum.add(*candle)).or_insert(*candle);
        }
        let mut previous = None;
        let mut told = Vec::new();
        for (ends, candle) in merged {
            if (from..=to).contains(&ends) {
                told.push(candle.json(ends, previous));
            }
            previous = candle.traded.map(|traded| traded.close).or(previous);
        }
        told
    }
}
