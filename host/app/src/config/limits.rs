//! The limits: `[limits]` of the file, and what an operator changes of them while a run goes on, in the same words. On paper
//! each has a default; where real money may trade each has to be written.

use super::{Decimal, Problem, Range, RawNumber, Source};
use isobar_engine::risk::{self, StaleRule, Window};
use isobar_engine::units::{Money, Price, Quantity, SECOND};
use serde::Deserialize;
use std::path::Path;
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
    /// What holds on paper where the file says nothing.
    pub fn paper() -> Self {
        Self {
            order: Quantity::contracts(50),
            order_notional: Money::dollars(1_000),
            position: Quantity::contracts(50),
            city_day_contracts: Quantity::contracts(10_000),
            city_day_loss: Money::dollars(10_000),
            day_notional: Money::dollars(1_000_000),
            exposure: Money::dollars(100_000),
            open_orders: 200,
            collar: Price::ONE,
            orders_per_second: 1_000,
            orders_per_minute: 10_000,
            daily_loss: Money::dollars(100_000),
            skew: 60 * SECOND,
            before_close: 0,
            windows: Vec::new(),
        }
    }

    /// Those of the file among the engine's.
    fn of(limits: &risk::Limits) -> Self {
        Self {
            order: limits.order,
            order_notional: limits.order_notional,
            position: limits.position,
            city_day_contracts: limits.city_day_contracts,
            city_day_loss: limits.city_day_loss,
            day_notional: limits.day_notional,
            exposure: limits.exposure,
            open_orders: limits.open_orders,
            collar: limits.collar,
            orders_per_second: limits.orders_per_second,
            orders_per_minute: limits.orders_per_minute,
            daily_loss: limits.daily_loss,
            skew: limits.skew,
            before_close: limits.before_close,
            windows: limits.windows.clone(),
        }
    }

    /// The limits in the engine's own words.
    pub fn engine(&self, forecast_age: i64, stale: StaleRule) -> risk::Limits {
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
            stale,
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
    /// Reads the limits; what is not written stays as in `others`. `live` is where the file speaks of real money: then none
    /// may be left out.
    pub(super) fn limits(&self, raw: RawLimits, live: Option<usize>, others: &Limits) -> Result<Limits, Problem> {
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
        let contracts = |key, raw, other: Quantity| {
            let range = Range { decimals: 2, least: 0, most: 100_000_000, default: other.signed() };
            number(key, raw, range).map(|units| Quantity::new(units.unsigned_abs()))
        };
        let usd = |key, raw, other: Money| {
            let range = Range { decimals: 6, least: 0, most: 1_000_000_000_000_000, default: other.micros() };
            number(key, raw, range).map(Money::new)
        };
        let count = |key, raw, most, other: u32| {
            let range = Range { decimals: 0, least: 0, most, default: other.into() };
            number(key, raw, range).map(|count| u32::try_from(count).expect("inside its range"))
        };
        let seconds =
            |key, raw, default: i64| number(key, raw, Range { decimals: 9, least: 0, most: 86_400 * SECOND, default });
        stated("no_trading_utc", raw.no_trading_utc.is_some())?;
        let collar = Range { decimals: 4, least: 0, most: 10_000, default: others.collar.units().into() };
        let collar = u16::try_from(number("max_collar_usd", &raw.max_collar_usd, collar)?).expect("inside its range");
        Ok(Limits {
            order: contracts("max_order_contracts", &raw.max_order_contracts, others.order)?,
            order_notional: usd("max_order_usd", &raw.max_order_usd, others.order_notional)?,
            position: contracts("MAX_POSITION_PER_MARKET", &raw.position, others.position)?,
            city_day_contracts: contracts(
                "max_city_day_contracts",
                &raw.max_city_day_contracts,
                others.city_day_contracts,
            )?,
            city_day_loss: usd("max_city_day_loss_usd", &raw.max_city_day_loss_usd, others.city_day_loss)?,
            day_notional: usd("max_day_traded_usd", &raw.max_day_traded_usd, others.day_notional)?,
            exposure: usd("max_exposure_usd", &raw.max_exposure_usd, others.exposure)?,
            open_orders: count("max_open_orders", &raw.max_open_orders, 10_000, others.open_orders)?,
            collar: Price::new(collar).expect("inside its range"),
            orders_per_second: count(
                "max_orders_per_second",
                &raw.max_orders_per_second,
                10_000,
                others.orders_per_second,
            )?,
            orders_per_minute: count(
                "max_orders_per_minute",
                &raw.max_orders_per_minute,
                600_000,
                others.orders_per_minute,
            )?,
            daily_loss: usd("max_daily_loss_usd", &raw.max_daily_loss_usd, others.daily_loss)?,
            skew: seconds("max_clock_skew_sec", &raw.max_clock_skew_sec, others.skew)?,
            before_close: seconds("stop_before_close_sec", &raw.stop_before_close_sec, others.before_close)?,
            windows: match &raw.no_trading_utc {
                Some(windows) => windows.iter().map(window).collect::<Result<_, _>>()?,
                None => others.windows.clone(),
            },
        })
    }
}

/// The limits `now` in force with some `set` to other values: keys and values as in the file, windows apart by commas.
///
/// # Errors
/// A sentence for whoever wrote them.
pub fn changed(now: &risk::Limits, set: &[(String, String)]) -> Result<risk::Limits, String> {
    let mut table = toml::Table::new();
    for (key, value) in set {
        let value = match key.as_str() {
            WINDOWS => {
                let windows = value.split(',').map(str::trim).filter(|window| !window.is_empty());
                toml::Value::Array(windows.map(toml::Value::from).collect())
            }
            _ => toml::Value::from(value.as_str()),
        };
        if table.insert(key.clone(), value).is_some() {
            return Err(format!("{key} is set twice"));
        }
    }
    let text = table.to_string();
    let raw = toml::from_str(&text).map_err(|error| Problem::of_syntax(&error).text)?;
    let source = Source { text: &text, folder: Path::new("") };
    let limits = source.limits(raw, None, &Limits::of(now)).map_err(|problem| problem.text)?;
    Ok(limits.engine(now.forecast_age, now.stale))
}

/// One limit in the words of the file.
pub struct Shown {
    /// Its key under `[limits]`.
    pub key: &'static str,
    /// The engine's name for it, as in [`risk::Limits::loosened`].
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// The limits that the file has, in its words.
pub fn shown(limits: &risk::Limits) -> Vec<Shown> {
    let decimal = |units: i64, decimals| Decimal::new(units, decimals).to_string();
    let contracts = |quantity: Quantity| decimal(quantity.signed(), 2);
    let usd = |money: Money| decimal(money.micros(), 6);
    let windows: Vec<String> = limits.windows.iter().map(written).collect();
    [
        ("MAX_POSITION_PER_MARKET", "position", contracts(limits.position)),
        ("max_order_contracts", "order", contracts(limits.order)),
        ("max_order_usd", "order_notional", usd(limits.order_notional)),
        ("max_open_orders", "open_orders", limits.open_orders.to_string()),
        ("max_city_day_contracts", "city_day_contracts", contracts(limits.city_day_contracts)),
        ("max_city_day_loss_usd", "city_day_loss", usd(limits.city_day_loss)),
        ("max_day_traded_usd", "day_notional", usd(limits.day_notional)),
        ("max_exposure_usd", "exposure", usd(limits.exposure)),
        ("max_daily_loss_usd", "daily_loss", usd(limits.daily_loss)),
        ("max_collar_usd", "collar", decimal(limits.collar.units().into(), 4)),
        ("max_orders_per_second", "orders_per_second", limits.orders_per_second.to_string()),
        ("max_orders_per_minute", "orders_per_minute", limits.orders_per_minute.to_string()),
        ("max_clock_skew_sec", "skew", decimal(limits.skew, 9)),
        ("stop_before_close_sec", "before_close", decimal(limits.before_close, 9)),
        (WINDOWS, "windows", windows.join(", ")),
    ]
    .map(|(key, name, value)| Shown { key, name, value })
    .into()
}

const WINDOWS: &str = "no_trading_utc";

/// A window as [`window`] reads it.
fn written(window: &Window) -> String {
    let day = |second: u32| DAYS[(second / 86_400) as usize % DAYS.len()];
    let time = |second: u32| format!("{:02}:{:02}", second / 3_600 % 24, second / 60 % 60);
    let Window { from, until } = *window;
    // The end of a day is written as its own, not as the beginning of the next.
    let (last, end) = match from < until && until.is_multiple_of(86_400) {
        true => (day(until - 1), "24:00".to_owned()),
        false => (day(until), time(until)),
    };
    let last = if day(from) == last && from < until { String::new() } else { format!("{last} ") };
    format!("{} {}-{last}{end}", day(from), time(from))
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
