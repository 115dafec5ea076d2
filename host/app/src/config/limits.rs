//! The limits: `[limits]` of the file. On paper each has a default; where real money may trade each has to be written.

use super::{Feed, Problem, Range, RawNumber, Source};
use isobar_engine::risk::{self, StaleRule, Window};
use isobar_engine::units::{Money, Price, Quantity, SECOND};
use serde::Deserialize;
use toml::Spanned;

/// What one slot may do. See the engine's limits for what exactly each of them means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most contracts of one order.
    pub order: Quantity,
    /// Most that one order may cost.
    pub order_notional: Money,
    /// Most contracts held in one market, YES or NO, open orders counted as filled (MAX_POSITION_PER_MARKET).
    pub position: Quantity,
    /// Most contracts held in one city-day.
    pub city_day_contracts: Quantity,
    /// Most that one city-day may lose at its worst outcome.
    pub city_day_loss: Money,
    /// Most premium traded in one UTC day.
    pub day_notional: Money,
    /// Most money tied up in positions and open orders.
    pub exposure: Money,
    /// Most orders open at once.
    pub open_orders: u32,
    /// How far an order may be through the best price of the other side.
    pub collar: Price,
    /// Most orders in one second.
    pub orders_per_second: u32,
    /// Most orders in one minute.
    pub orders_per_minute: u32,
    /// Most that one UTC day may lose.
    pub daily_loss: Money,
    /// Most that the venue's clock and ours may be apart, nanoseconds.
    pub skew: i64,
    /// No new orders this long before a market closes, nanoseconds.
    pub before_close: i64,
    /// Weekly times without new orders.
    pub windows: Vec<Window>,
}

impl Limits {
    /// The limits in the engine's own words.
    pub fn engine(&self, forecast_age: i64, feed: Feed) -> risk::Limits {
        risk::Limits {
            order: self.order,
            order_notional: self.order_notional,
            position: self.position,
            city_day_contracts: self.city_day_contracts,
            city_day_loss: self.city_day_loss,
            day_notional: self.day_notional,
            exposure: self.exposure,
            open_orders: self.open_orders,
            collar: self.collar,
            orders_per_second: self.orders_per_second,
            orders_per_minute: self.orders_per_minute,
            daily_loss: self.daily_loss,
            forecast_age,
            stale: if feed.stale_by_last_change { StaleRule::LastChange(feed.stale_after) } else { StaleRule::Proved },
            skew: self.skew,
            before_close: self.before_close,
            windows: self.windows.clone(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    #[serde(rename = "MAX_POSITION_PER_MARKET")]
    position: RawNumber,
    max_order_contracts: RawNumber,
    max_order_usd: RawNumber,
    max_open_orders: RawNumber,
    max_city_day_contracts: RawNumber,
    max_city_day_loss_usd: RawNumber,
    max_day_traded_usd: RawNumber,
    max_exposure_usd: RawNumber,
    max_daily_loss_usd: RawNumber,
    max_collar_usd: RawNumber,
    max_orders_per_second: RawNumber,
    max_orders_per_minute: RawNumber,
    max_clock_skew_sec: RawNumber,
    stop_before_close_sec: RawNumber,
    no_trading_utc: Option<Vec<Spanned<String>>>,
}

impl Source<'_> {
    /// Reads the limits. `live` is where the file speaks of real money: then none may be left out.
    pub(super) fn limits(&self, raw: RawLimits, live: Option<usize>) -> Result<Limits, Problem> {
        let stated = |key: &str, written: bool| match live {
            Some(at) if !written => {
                Err(Problem::new(at, format!("live trading has no default limits: limits.{key} has to be written")))
            }
            _ => Ok(()),
        };
        let number = |key: &str, raw: &RawNumber, range: Range| {
            stated(key, raw.is_some())?;
            self.number(&format!("limits.{key}"), raw, range)
        };
        let contracts = |key, raw, default| {
            let range = Range { decimals: 2, least: 0, most: 100_000_000, default };
            number(key, raw, range).map(|units| Quantity::new(units.unsigned_abs()))
        };
        let usd = |key, raw, dollars: i64| {
            let range = Range { decimals: 6, least: 0, most: 1_000_000_000_000_000, default: dollars * 1_000_000 };
            number(key, raw, range).map(Money::new)
        };
        let count = |key, raw, most, default| {
            let range = Range { decimals: 0, least: 0, most, default };
            number(key, raw, range).map(|count| u32::try_from(count).expect("inside its range"))
        };
        let seconds = |key, raw, default: i64| {
            let range = Range { decimals: 9, least: 0, most: 86_400 * SECOND, default: default * SECOND };
            number(key, raw, range)
        };
        stated("no_trading_utc", raw.no_trading_utc.is_some())?;
        let collar = Range { decimals: 4, least: 0, most: 10_000, default: 10_000 };
        let collar = u16::try_from(number("max_collar_usd", &raw.max_collar_usd, collar)?).expect("inside its range");
        Ok(Limits {
            order: contracts("max_order_contracts", &raw.max_order_contracts, 5_000)?,
            order_notional: usd("max_order_usd", &raw.max_order_usd, 1_000)?,
            position: contracts("MAX_POSITION_PER_MARKET", &raw.position, 5_000)?,
            city_day_contracts: contracts("max_city_day_contracts", &raw.max_city_day_contracts, 1_000_000)?,
            city_day_loss: usd("max_city_day_loss_usd", &raw.max_city_day_loss_usd, 10_000)?,
            day_notional: usd("max_day_traded_usd", &raw.max_day_traded_usd, 1_000_000)?,
            exposure: usd("max_exposure_usd", &raw.max_exposure_usd, 100_000)?,
            open_orders: count("max_open_orders", &raw.max_open_orders, 10_000, 200)?,
            collar: Price::new(collar).expect("inside its range"),
            orders_per_second: count("max_orders_per_second", &raw.max_orders_per_second, 10_000, 1_000)?,
            orders_per_minute: count("max_orders_per_minute", &raw.max_orders_per_minute, 600_000, 10_000)?,
            daily_loss: usd("max_daily_loss_usd", &raw.max_daily_loss_usd, 100_000)?,
            skew: seconds("max_clock_skew_sec", &raw.max_clock_skew_sec, 60)?,
            before_close: seconds("stop_before_close_sec", &raw.stop_before_close_sec, 0)?,
            windows: raw.no_trading_utc.unwrap_or_default().iter().map(window).collect::<Result<_, _>>()?,
        })
    }
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Reads `Thu 07:00-10:00` or `Sat 22:00-Mon 02:00`, UTC.
fn window(raw: &Spanned<String>) -> Result<Window, Problem> {
    let wrong = || {
        let example = "a time of the week such as \"Thu 07:00-10:00\" or \"Sat 22:00-Mon 02:00\", UTC";
        Problem::new(raw.span().start, format!("limits.no_trading_utc: {:?} is not {example}", raw.get_ref()))
    };
    let (from, until) = raw.get_ref().split_once('-').ok_or_else(wrong)?;
    let (day, from) = from.split_once(' ').ok_or_else(wrong)?;
    let first = day_of(day).ok_or_else(wrong)?;
    let (last, until) = match until.split_once(' ') {
        Some((day, until)) => (day_of(day).ok_or_else(wrong)?, until),
        None => (first, until),
    };
    let (from, until) = (second_of(from).ok_or_else(wrong)?, second_of(until).ok_or_else(wrong)?);
    let window = Window { from: first * 86_400 + from, until: last * 86_400 + until };
    if window.from == window.until || (first == last && until < from) {
        return Err(wrong());
    }
    Ok(window)
}

fn day_of(name: &str) -> Option<u32> {
    DAYS.iter().position(|day| *day == name).and_then(|day| u32::try_from(day).ok())
}

/// Seconds after midnight; 24:00 is the end of the day.
fn second_of(time: &str) -> Option<u32> {
    let (hours, minutes) = time.split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds = hours * 3_600 + minutes * 60;
    (minutes < 60 && seconds <= 86_400).then_some(seconds)
}
