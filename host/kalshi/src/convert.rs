//! From the venue's spellings to the engine's integers, exactly: no floating point, nothing rounded, nothing guessed.
//!
//! It owns the one reflection between the NO and the YES side ([`level_price`]), the fixed-point scanner, and what a listed
//! market means. A number that is not exactly representable is refused, never rounded.

use crate::error::Error;
use crate::wire::{self, BookSide, Fraction, Number, Outcome, Text};
use isobar_engine::event::Level;
use isobar_engine::market::{self, FeeSchedule, Ladder, MarketId, MarketStatus, Strike};
use isobar_engine::units::{Digest, Money, Price, Quantity, Side, Timestamp};
use isobar_engine::venue::{OrderStatus, TradeId};

/// Largest count that is believed, in 1/100 contract: ten thousand million contracts. It keeps every product and every sum
/// over a book inside the engine's money, whatever a frame says.
pub const LARGEST_COUNT: u64 = 1_000_000_000_000;

/// Reads a decimal as units of 10^-`scale`: sign and magnitude. Further decimals must be zero.
fn fixed(text: &[u8], scale: usize) -> Option<(bool, u64)> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut value: u64 = 0;
    let mut decimals = None;
    let mut digits = 0;
    for byte in text {
        match (byte, decimals) {
            (b'.', None) if digits > 0 => {
                decimals = Some(0);
                digits = 0;
                continue;
            }
            (b'0', Some(seen)) if seen >= scale => {}
            (b'0'..=b'9', seen) if seen.is_none_or(|seen| seen < scale) => {
                value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
            }
            _ => return None,
        }
        digits += 1;
        decimals = decimals.map(|seen| seen + 1);
    }
    if digits == 0 {
        return None;
    }
    for _ in decimals.unwrap_or(0)..scale {
        value = value.checked_mul(10)?;
    }
    Some((negative, value))
}

/// A price in dollars as a decimal, `0.4800`, from 0 to 1 and a multiple of 1/10 000.
pub fn price(text: &[u8]) -> Option<Price> {
    // The spelling of every price that the venue sends today.
    if let [whole @ (b'0' | b'1'), b'.', a, b, c, d] = text
        && [a, b, c, d].iter().all(|byte| byte.is_ascii_digit())
    {
        let units = [whole, a, b, c, d].iter().fold(0u32, |sum, byte| sum * 10 + u32::from(**byte - b'0'));
        return u16::try_from(units).ok().and_then(Price::new);
    }
    match fixed(text, 4)? {
        (true, 1..) => None,
        (_, units) => u16::try_from(units).ok().and_then(Price::new),
    }
}

/// A count of contracts as a decimal, `10.00`, not negative and at most [`LARGEST_COUNT`].
pub fn quantity(text: &[u8]) -> Option<Quantity> {
    match fixed(text, 2)? {
        (true, 1..) => None,
        (_, units) => (units <= LARGEST_COUNT).then(|| Quantity::new(units)),
    }
}

/// A signed change of contracts as a decimal, `-54.00`, in 1/100 contract.
pub fn change(text: &[u8]) -> Option<i64> {
    let (negative, units) = fixed(text, 2)?;
    let units = i64::try_from(units).ok().filter(|_| units <= LARGEST_COUNT)?;
    Some(if negative { -units } else { units })
}

/// Dollars as a decimal, `-2.500000`, exact to 1/1 000 000 dollar.
pub fn money(text: &[u8]) -> Option<Money> {
    let (negative, micros) = fixed(text, 6)?;
    let micros = i64::try_from(micros).ok()?;
    Some(Money::new(if negative { -micros } else { micros }))
}

/// What an order or a fill of ours did to the YES book. The older `side` and `action` must not be used for it
/// (PROTOCOL.md 2.8).
pub fn direction(book: Option<BookSide>, outcome: Option<Outcome>) -> Option<Side> {
    Some(match (book, outcome) {
        (Some(BookSide::Bid), _) | (None, Some(Outcome::Yes)) => Side::Bid,
        (Some(BookSide::Ask), _) | (None, Some(Outcome::No)) => Side::Ask,
        (None, None) => return None,
    })
}

/// The venue's word for a side of the YES book.
pub fn book_side(side: Side) -> BookSide {
    match side {
        Side::Bid => BookSide::Bid,
        Side::Ask => BookSide::Ask,
    }
}

/// The venue's words for the states of an order; nothing for `unknown` and for words of the future, which say nothing.
pub fn order_status(word: &str) -> Option<OrderStatus> {
    Some(match word {
        "resting" => OrderStatus::Resting,
        "canceled" | "cancelled" => OrderStatus::Cancelled,
        "executed" => OrderStatus::Executed,
        _ => return None,
    })
}

/// A match by its id: the number of the UUID that the venue sends, or else a hash of whatever it sends.
pub fn trade_id(text: &str) -> TradeId {
    let digits = text.bytes().filter(|byte| *byte != b'-');
    let dashes = [8, 13, 18, 23].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
    let number = digits.clone().try_fold(0u128, |sum, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some((sum << 4) | u128::from(digit))
    });
    match number {
        Some(number) if text.len() == 36 && dashes && digits.count() == 32 => TradeId(number),
        _ => {
            let hash = Digest::of(text.as_bytes()).0;
            TradeId(u128::from_be_bytes(*hash.first_chunk().expect("a hash has 32 bytes")))
        }
    }
}

/// A price in either spelling: a decimal in dollars, or (where that is absent or empty) whole cents.
pub fn price_of(dollars: &Option<Text<'_>>, cents: Option<i64>) -> Option<Price> {
    match dollars {
        Some(dollars) if !dollars.is_empty() => price(dollars.as_bytes()),
        _ => cents.and_then(whole_cents),
    }
}

/// A price in whole cents, from 0 to 100.
pub fn whole_cents(cents: i64) -> Option<Price> {
    u16::try_from(cents).ok().and_then(Price::from_cents)
}

/// A signed change in either spelling, a decimal or whole contracts, in 1/100 contract.
pub fn change_of(decimal: &Option<Text<'_>>, contracts: Option<i64>) -> Option<i64> {
    match decimal {
        Some(decimal) => change(decimal.as_bytes()),
        None => contracts?.checked_mul(100).filter(|units| units.unsigned_abs() <= LARGEST_COUNT),
    }
}

/// A count in either spelling: a decimal, or whole contracts.
pub fn quantity_of(decimal: &Option<Text<'_>>, contracts: Option<i64>) -> Option<Quantity> {
    change_of(decimal, contracts).and_then(|units| u64::try_from(units).ok()).map(Quantity::new)
}

/// The count of a level.
pub fn count(count: &Number<'_>) -> Option<Quantity> {
    match count {
        Number::Decimal(text) => quantity(text.as_bytes()),
        Number::Integer(contracts) => quantity_of(&None, Some(*contracts)),
    }
}

/// The side and YES price of a level of one of the venue's two bid ladders. The only place where NO becomes YES.
///
/// A NO bid at `p` is a YES ask at `1 − p`. With `use_yes_price` the venue has done that already (PROTOCOL.md 2.5).
pub const fn level_price(ladder: Outcome, price: Price, use_yes_price: bool) -> (Side, Price) {
    match ladder {
        Outcome::Yes => (Side::Bid, price),
        Outcome::No if use_yes_price => (Side::Ask, price),
        Outcome::No => (Side::Ask, price.complement()),
    }
}

/// One whole ladder, best price first, in YES prices. Empty levels are left out; a price that comes twice is refused.
pub fn ladder<P, Q>(
    outcome: Outcome,
    levels: &[(P, Q)],
    use_yes_price: bool,
    price: impl Fn(&P) -> Option<Price>,
    quantity: impl Fn(&Q) -> Option<Quantity>,
) -> Result<Vec<Level>, &'static str> {
    let mut found = Vec::with_capacity(levels.len());
    // The venue sorts by rising bid: the best comes last.
    for (level_at, size) in levels.iter().rev() {
        let (_, price) = level_price(outcome, price(level_at).ok_or("a level without a price")?, use_yes_price);
        let quantity = quantity(size).ok_or("a level without a count")?;
        if !quantity.is_zero() {
            found.push(Level { price, quantity });
        }
    }
    match outcome {
        Outcome::Yes => found.sort_by_key(|level| std::cmp::Reverse(level.price)),
        Outcome::No => found.sort_by_key(|level| level.price),
    }
    if found.windows(2).any(|pair| pair[0].price == pair[1].price) {
        return Err("a price that comes twice");
    }
    Ok(found)
}

/// The order book of a REST answer: bids and asks, best first. Its NO ladder is always in NO prices.
pub fn book(body: &wire::BookBody) -> Result<(Vec<Level>, Vec<Level>), Error> {
    let side = |outcome, levels: &Option<Vec<(String, String)>>| {
        let levels = levels.as_deref().unwrap_or_default();
        ladder(outcome, levels, false, |p| price(p.as_bytes()), |q| quantity(q.as_bytes()))
            .map_err(|reason| Error::Malformed { request: "orderbook".into(), reason: reason.into() })
    };
    let book = &body.orderbook_fp;
    Ok((side(Outcome::Yes, &book.yes_dollars)?, side(Outcome::No, &book.no_dollars)?))
}

/// What the taker did, from whichever of the three spellings is there.
pub fn taker(trade: &wire::Trade<'_>) -> Option<Side> {
    let outcome = trade.taker_outcome_side.or(trade.taker_side);
    match (trade.taker_book_side, outcome) {
        (Some(BookSide::Bid), _) | (None, Some(Outcome::Yes)) => Some(Side::Bid),
        (Some(BookSide::Ask), _) | (None, Some(Outcome::No)) => Some(Side::Ask),
        (None, None) => None,
    }
}

/// The worth of a YES contract from a result and, where there is one, a settlement value.
pub fn worth(result: &str, value: Option<Price>) -> Option<Price> {
    match (value, result) {
        (Some(value), _) => Some(value),
        (None, "yes") => Some(Price::ONE),
        (None, "no") => Some(Price::ZERO),
        (None, _) => None,
    }
}

/// The worth of a YES contract of a market that is determined; nothing before.
pub fn settlement(market: &wire::Market) -> Option<Price> {
    worth(&market.result, market.settlement_value_dollars.as_ref().and_then(|value| price(value.as_bytes())))
}

/// The venue's status words, of answers and of filters (PROTOCOL.md 7.3). A market that is not open yet counts as active:
/// its open time decides.
pub fn status(word: &str) -> Option<MarketStatus> {
    Some(match word {
        "initialized" | "unopened" | "active" | "open" => MarketStatus::Active,
        "inactive" | "paused" => MarketStatus::Paused,
        "closed" | "determined" | "disputed" | "amended" => MarketStatus::Closed,
        "finalized" | "settled" => MarketStatus::Settled,
        _ => return None,
    })
}

/// What a fill costs: fee type times multiplier of the event where it has its own, else of the series (PROTOCOL.md 4).
/// Refused: fee types whose formula is not published, and multipliers that give no whole number of parts per million.
pub fn fees(series: &wire::Series, event: Option<&wire::Event>) -> Result<FeeSchedule, Error> {
    let untradable = |reason: String| Error::Untradable { ticker: series.ticker.clone(), reason };
    let kind = event.and_then(|event| event.fee_type_override.as_deref()).unwrap_or(&series.fee_type);
    let factor = event.and_then(|event| event.fee_multiplier_override.as_ref()).unwrap_or(&series.fee_multiplier);
    let maker_rate = match kind {
        "quadratic" => 0,
        "quadratic_with_maker_fees" => 17_500,
        "quadratic_with_combo_maker_fees" => 35_000,
        other => return Err(untradable(format!("unknown fee type {other:?}"))),
    };
    let times = |rate: u64| {
        let (negative, multiplier) = fixed(factor.0.as_bytes(), 6)?;
        let product = rate.checked_mul(multiplier).filter(|product| !negative && product % 1_000_000 == 0)?;
        u32::try_from(product / 1_000_000).ok()
    };
    let ppm = |rate| times(rate).ok_or_else(|| untradable(format!("fee multiplier {}", factor.0)));
    Ok(FeeSchedule::Quadratic { taker_ppm: ppm(70_000)?, maker_ppm: ppm(maker_rate)? })
}

/// The prices that a market allows. Its label for them carries no meaning; a grid that is no ladder is refused.
pub fn price_ladder(ranges: &[wire::PriceRange]) -> Result<Ladder, String> {
    let ranges = ranges.iter().map(|range| {
        let read = |text: &str| price(text.as_bytes()).ok_or_else(|| format!("price range {range:?}"));
        Ok(market::PriceRange { start: read(&range.start)?, end: read(&range.end)?, step: read(&range.step)? })
    });
    Ladder::new(ranges.collect::<Result<_, String>>()?).map_err(|error| error.to_string())
}

/// A market as listed, with the number that this run gives to it, and with the fees of its event where that is known.
/// Refused: a grid that is no ladder, an unknown status, a time that cannot be read.
pub fn market(
    id: MarketId,
    listed: &wire::Market,
    series: &wire::Series,
    event: Option<&wire::Event>,
) -> Result<market::Market, Error> {
    let untradable = |reason: String| Error::Untradable { ticker: listed.ticker.clone(), reason };
    let at = |text: &str| time(text).ok_or_else(|| untradable(format!("time {text:?}")));
    Ok(market::Market {
        id,
        ticker: listed.ticker.clone(),
        event: listed.event_ticker.clone(),
        series: series.ticker.clone(),
        strike: strike(listed),
        ladder: price_ladder(&listed.price_ranges).map_err(untradable)?,
        fees: fees(series, event)?,
        status: status(&listed.status).ok_or_else(|| untradable(format!("status {:?}", listed.status)))?,
        opens: at(&listed.open_time)?,
        closes: at(&listed.close_time)?,
    })
}

/// Whole degrees become a bracket; all else is kept as [`Strike::Other`].
fn strike(listed: &wire::Market) -> Strike {
    let whole = |number: &Option<Fraction>| {
        let (negative, value) = fixed(number.as_ref()?.0.as_bytes(), 0)?;
        let value = i32::try_from(value).ok()?;
        Some(if negative { -value } else { value })
    };
    let (floor, cap) = (whole(&listed.floor_strike), whole(&listed.cap_strike));
    let strike = match listed.strike_type.as_deref() {
        Some("less") => cap.map(|cap| Strike::Less { cap }),
        Some("less_or_equal") => cap.and_then(|cap| cap.checked_add(1)).map(|cap| Strike::Less { cap }),
        Some("greater") => floor.map(|floor| Strike::Greater { floor }),
        Some("greater_or_equal") => floor.and_then(|floor| floor.checked_sub(1)).map(|floor| Strike::Greater { floor }),
        Some("between") => {
            floor.zip(cap).filter(|(floor, cap)| floor <= cap).map(|(floor, cap)| Strike::Between { floor, cap })
        }
        _ => None,
    };
    strike.unwrap_or(Strike::Other)
}

/// Seconds since 1970 as the venue gives them in lifecycle messages. Nothing beyond the range of [`Timestamp`].
pub fn seconds(unix: i64) -> Option<Timestamp> {
    unix.checked_mul(1_000_000_000).map(Timestamp)
}

/// An RFC 3339 time, `2026-07-13T04:59:00Z`, with up to nine decimals and any offset.
pub fn time(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        bytes
            .get(from..to)?
            .iter()
            .try_fold(0i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| bytes.get(*at) != Some(mark)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let mut rest = bytes.get(19..)?;
    let mut nanos = 0;
    if let [b'.', decimals @ ..] = rest {
        let count = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&count) {
            return None;
        }
        nanos = number(20, 20 + count)? * 10i64.pow(9 - count as u32);
        rest = &decimals[count..];
    }
    let offset = match rest {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let start = bytes.len() - 5;
            let (hours, minutes) = (number(start, start + 2)?, number(start + 3, start + 5)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 3_600 + minutes * 60) * if *sign == b'+' { 1 } else { -1 }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos).map(Timestamp)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, counted from March so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
        - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_read_exactly_or_refused() {
        let units = |text: &str| price(text.as_bytes()).map(Price::units);
        assert_eq!(units("0.4800"), Some(4_800));
        assert_eq!(units("1"), Some(10_000));
        assert_eq!(units("0.56"), Some(5_600));
        assert_eq!(units("0.560000"), Some(5_600), "six decimals occur in answers");
        for garbage in [
            "", "-", ".", "0.", ".5", "1.0001", "0.56001", "-0.01", "+0.5", "0.5.0", "0x5", " 0.5", "0.5 ", "1e-1", "٣",
        ] {
            assert_eq!(units(garbage), None, "{garbage:?}");
        }
        assert_eq!(change(b"-54.00"), Some(-5_400));
        assert_eq!(change(b"0.001"), None);
        assert_eq!(quantity(b"-1.00"), None);
        assert_eq!(quantity(b"10000000000.01"), None, "beyond every plausible count");
        assert_eq!(quantity(b"99999999999999999999999999"), None);
        assert_eq!(quantity(b"966425.00"), Some(Quantity::new(96_642_500)));
    }

    #[test]
    fn both_price_scales_of_the_no_ladder_mean_the_same_ask() {
        let price = |units| Price::new(units).expect("below one dollar");
        assert_eq!(level_price(Outcome::No, price(4_800), false), (Side::Ask, price(5_200)));
        assert_eq!(level_price(Outcome::No, price(5_200), true), (Side::Ask, price(5_200)));
        assert_eq!(level_price(Outcome::Yes, price(4_700), true), (Side::Bid, price(4_700)));
        assert_eq!(level_price(Outcome::Yes, price(4_700), false), (Side::Bid, price(4_700)));
    }

    #[test]
    fn times_are_read_with_fractions_and_offsets() {
        assert_eq!(time("1970-01-01T00:00:00Z"), Some(Timestamp(0)));
        assert_eq!(time("2026-07-13T04:59:00Z"), Some(Timestamp(1_783_918_740_000_000_000)));
        assert_eq!(time("2026-07-13T00:59:00-04:00"), time("2026-07-13T04:59:00Z"));
        assert_eq!(time("2026-07-11T09:30:30.719288Z").map(|t| t.0 % 1_000_000_000), Some(719_288_000));
        assert_eq!(time("2024-02-29T00:00:00Z"), Some(Timestamp(1_709_164_800_000_000_000)));
        for wrong in [
            "",
            "2026-07-13",
            "2026-02-29T00:00:00Z",
            "2026-07-13T24:00:00Z",
            "2026-07-13T04:59:00",
            "2026-07-13T04:59:00.Z",
        ] {
            assert_eq!(time(wrong), None, "{wrong:?}");
        }
    }

    fn series(fee_type: &str, multiplier: &str) -> wire::Series {
        let body = format!(r#"{{"ticker":"KXHIGHCHI","fee_type":"{fee_type}","fee_multiplier":{multiplier}}}"#);
        serde_json::from_str(&body).expect("a series")
    }

    #[test]
    fn fees_are_rate_times_multiplier() {
        let quadratic = |taker_ppm, maker_ppm| FeeSchedule::Quadratic { taker_ppm, maker_ppm };
        assert_eq!(fees(&series("quadratic", "1"), None).ok(), Some(quadratic(70_000, 0)));
        assert_eq!(fees(&series("quadratic_with_maker_fees", "0.5"), None).ok(), Some(quadratic(35_000, 8_750)));
        assert!(fees(&series("flat", "1"), None).is_err());
        assert!(fees(&series("quadratic", "-1"), None).is_err());
        assert!(fees(&series("quadratic", "0.00001"), None).is_err(), "0.7 parts per million");
    }

    #[test]
    fn fees_of_an_event_win_over_those_of_its_series() {
        let event = |fields: &str| -> wire::Event {
            let body = format!(r#"{{"event_ticker":"KXHIGHCHI-26NOV23","series_ticker":"KXHIGHCHI"{fields}}}"#);
            serde_json::from_str(&body).expect("an event")
        };
        let of = |fields| fees(&series("quadratic", "1"), Some(&event(fields))).ok();
        let quadratic = |taker_ppm, maker_ppm| Some(FeeSchedule::Quadratic { taker_ppm, maker_ppm });
        assert_eq!(of(""), quadratic(70_000, 0));
        assert_eq!(of(r#","fee_type_override":null,"fee_multiplier_override":null"#), quadratic(70_000, 0));
        assert_eq!(of(r#","fee_multiplier_override":0"#), quadratic(0, 0));
        assert_eq!(of(r#","fee_type_override":"quadratic_with_maker_fees""#), quadratic(70_000, 17_500));
        assert_eq!(of(r#","fee_type_override":"flat""#), None);
    }

    #[test]
    fn a_match_has_the_number_of_its_uuid_and_any_other_text_a_hash() {
        assert_eq!(trade_id("d91bc706-ee49-470d-82d8-11418bda6fed"), TradeId(0xd91bc706_ee49_470d_82d8_11418bda6fed));
        let texts = ["", "d91bc706ee49470d82d811418bda6fed", "D91BC706-EE49-470D-82D8-11418BDA6FED", "trade-1"];
        let mut hashes: Vec<_> = texts.iter().map(|text| trade_id(text)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), texts.len());
    }

    #[test]
    fn money_is_read_exactly() {
        assert_eq!(money(b"98.0186"), Some(Money::new(98_018_600)));
        assert_eq!(money(b"-2.500000"), Some(Money::new(-2_500_000)));
        assert_eq!(money(b"0.0000001"), None);
        assert_eq!(money(b"99999999999999999999"), None);
    }

    fn listed(change: &str) -> wire::Market {
        let mut body: serde_json::Value = serde_json::from_str(include_str!("../testdata/market.json")).expect("JSON");
        let change: serde_json::Value = serde_json::from_str(change).expect("JSON");
        let fields = body.as_object_mut().expect("an object");
        fields.extend(change.as_object().expect("an object").clone());
        serde_json::from_value(body).expect("a market")
    }

    #[test]
    fn a_listed_market_is_converted_whole() {
        let market = market(MarketId(0), &listed("{}"), &series("quadratic", "1"), None).expect("tradable");
        assert_eq!(market.ticker, "KXHIGHCHI-26NOV23-B33.5");
        assert_eq!((market.event.as_str(), market.series.as_str()), ("KXHIGHCHI-26NOV23", "KXHIGHCHI"));
        assert_eq!(market.strike, Strike::Between { floor: 33, cap: 34 });
        assert_eq!(market.ladder, Ladder::cents());
        assert_eq!(market.status, MarketStatus::Active);
        assert_eq!(market.closes.since(market.opens), 38 * 3_600 * 1_000_000_000 + 59 * 60 * 1_000_000_000);
    }

    #[test]
    fn strikes_that_are_not_whole_degrees_are_other() {
        let strike = |change| strike(&listed(change));
        assert_eq!(strike(r#"{"strike_type":"less","cap_strike":75}"#), Strike::Less { cap: 75 });
        assert_eq!(strike(r#"{"strike_type":"greater","floor_strike":82.0}"#), Strike::Greater { floor: 82 });
        assert_eq!(strike(r#"{"strike_type":"greater","floor_strike":-3}"#), Strike::Greater { floor: -3 });
        assert_eq!(strike(r#"{"strike_type":"greater","floor_strike":80938.41}"#), Strike::Other);
        assert_eq!(strike(r#"{"strike_type":"greater","floor_strike":null}"#), Strike::Other);
        assert_eq!(strike(r#"{"strike_type":"structured"}"#), Strike::Other);
        assert_eq!(strike(r#"{"strike_type":"between","floor_strike":9,"cap_strike":8}"#), Strike::Other);
    }

    #[test]
    fn broken_facts_are_refused() {
        for change in [
            r#"{"price_ranges":[]}"#,
            r#"{"price_ranges":[{"start":"0.0000","end":"1.0000","step":"0.0000"}]}"#,
            r#"{"price_ranges":[{"start":"0.0000","end":"0.9000","step":"0.0100"}]}"#,
            r#"{"status":"exploded"}"#,
            r#"{"close_time":"soon"}"#,
        ] {
            assert!(market(MarketId(0), &listed(change), &series("quadratic", "1"), None).is_err(), "{change}");
        }
    }

    #[test]
    fn a_result_has_a_worth_once_determined() {
        assert_eq!(settlement(&listed("{}")), None);
        assert_eq!(settlement(&listed(r#"{"result":"yes"}"#)), Some(Price::ONE));
        assert_eq!(settlement(&listed(r#"{"result":"no","settlement_value_dollars":"0.0000"}"#)), Some(Price::ZERO));
        let half = listed(r#"{"result":"scalar","settlement_value_dollars":"0.5000"}"#);
        assert_eq!(settlement(&half), Price::new(5_000));
    }

    proptest! {
        #[test]
        fn prices_survive_the_venue_s_spelling(units in 0u16..=10_000) {
            let spelled = Price::new(units).expect("below one dollar").to_string();
            prop_assert_eq!(price(spelled.as_bytes()), Price::new(units));
            prop_assert_eq!(price(format!("{spelled}00").as_bytes()), Price::new(units));
        }

        #[test]
        fn changes_survive_the_venue_s_spelling(units in -1_000_000_000_000i64..=1_000_000_000_000) {
            let sign = if units < 0 { "-" } else { "" };
            let size = units.unsigned_abs();
            let spelled = format!("{sign}{}.{:02}", size / 100, size % 100);
            prop_assert_eq!(change(spelled.as_bytes()), Some(units));
        }

        #[test]
        fn whatever_is_read_reads_the_same_as_a_float(text in "-?[0-9]{0,4}\\.?[0-9]{0,7}") {
            let plain = text.parse::<f64>().ok();
            if let Some(units) = change(text.as_bytes()) {
                prop_assert!((plain.expect("a number") * 100.0 - units as f64).abs() < 1e-6);
            }
            if let Some(read) = price(text.as_bytes()) {
                prop_assert!((plain.expect("a number") * 10_000.0 - f64::from(read.units())).abs() < 1e-6);
            }
        }

        #[test]
        fn garbage_is_refused(text in "[0-9.]*[^0-9.-][0-9.]*") {
            prop_assert_eq!(price(text.as_bytes()), None);
            prop_assert_eq!(change(text.as_bytes()), None);
        }

        #[test]
        fn any_text_is_no_reason_to_panic(text in ".*") {
            let _ = (price(text.as_bytes()), change(text.as_bytes()), time(&text));
        }
    }
}
