//! Which degrees make a market come true, proved on what was paid: all settled markets of four cities of the winter
//! 2024/25, by the code that turns the venue's fields into a strike.

use isobar_engine::market::{MarketId, Strike};
use isobar_kalshi::{convert, wire};
use isobar_tests::data;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// One row of `weather_trades/markets.csv.zst`: the venue's fields as they were recorded.
#[derive(Deserialize)]
struct Recorded {
    ticker: String,
    event_ticker: String,
    open_time: String,
    close_time: String,
    status: String,
    result: String,
    expiration_value: String,
    strike_type: String,
    floor_strike: String,
    cap_strike: String,
    yes_sub_title: String,
}

/// One row of the daily highs.
#[derive(Deserialize)]
struct Day {
    series: String,
    date: String,
    kalshi_settled_f: String,
}

fn rows<T: for<'a> Deserialize<'a>>(path: &Path) -> Vec<T> {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let text = zstd::Decoder::new(file).expect("a packed file");
    csv::Reader::from_reader(text).deserialize().map(|row| row.expect("a row of the table")).collect()
}

/// Degrees that are whole, from a decimal; nothing for an empty field or a sentence.
fn whole(text: &str) -> Option<i32> {
    let value: f64 = text.parse().ok()?;
    let degrees = value.round();
    assert_eq!(value, degrees, "a settled high is whole degrees");
    #[expect(clippy::cast_possible_truncation, reason = "degrees on Earth")]
    Some(degrees as i32)
}

/// The strike as the host makes it when it discovers the market. Blank fields are absent, as in the venue's JSON.
fn strike(row: &Recorded, series: &wire::Series) -> Strike {
    let mut listed = json!({
        "ticker": row.ticker, "event_ticker": row.event_ticker, "status": row.status, "result": row.result,
        "open_time": row.open_time, "close_time": row.close_time, "yes_sub_title": row.yes_sub_title,
        "expiration_value": row.expiration_value,
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
    });
    for (field, text) in [("floor_strike", &row.floor_strike), ("cap_strike", &row.cap_strike)] {
        if !text.is_empty() {
            listed[field] = serde_json::from_str(text).expect("a number");
        }
    }
    if !row.strike_type.is_empty() {
        listed["strike_type"] = row.strike_type.as_str().into();
    }
    // Through text, as it comes over the wire.
    let listed: wire::Market = serde_json::from_str(&listed.to_string()).expect("a market of the venue's shape");
    convert::market(MarketId(0), &listed, series, None).expect("a market that could be traded").strike
}

#[test]
fn every_settled_market_was_paid_as_its_strike_says() {
    let Some(data) = data() else { return };
    let mut settled: BTreeMap<(String, String), i32> = BTreeMap::new();
    for name in ["daily_highs_and_forecasts", "daily_highs_and_forecasts_2025-10_2026-02"] {
        for day in rows::<Day>(&data.join(format!("weather/{name}.csv.zst"))) {
            if let Some(degrees) = whole(&day.kalshi_settled_f) {
                settled.insert((day.series, day.date), degrees);
            }
        }
    }
    let (mut by_high, mut by_own_value) = (0, 0);
    let mut left_out: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let markets = rows::<Recorded>(&data.join("weather_trades/markets.csv.zst"));
    for row in &markets {
        let (ticker, day) = row.event_ticker.split_once('-').expect("a series and a day");
        let series = json!({"ticker": ticker, "title": "", "fee_type": "quadratic", "fee_multiplier": 1});
        let strike = strike(row, &serde_json::from_str(&series.to_string()).expect("a series of the venue's shape"));
        let date = jiff::civil::Date::strptime("%y%b%d", day).expect("a date").to_string();
        let yes = match row.result.as_str() {
            "yes" => true,
            "no" => false,
            _ => {
                left_out.entry("not settled when it was recorded").or_default().push(row.ticker.clone());
                continue;
            }
        };
        if strike == Strike::Other {
            // The host shows such a market and never prices it.
            left_out.entry("strike fields blank in the recording").or_default().push(row.ticker.clone());
            continue;
        }
        let Some(high) = settled.get(&(ticker.to_owned(), date)) else {
            left_out.entry("the settled high is not recorded").or_default().push(row.ticker.clone());
            continue;
        };
        assert_eq!(strike.holds(*high), Some(yes), "{}: {strike}, settled on {high}", row.ticker);
        by_high += 1;
        if let Some(own) = whole(&row.expiration_value) {
            assert_eq!(strike.holds(own), Some(yes), "{}: {strike}, its own value is {own}", row.ticker);
            by_own_value += 1;
        }
    }
    println!(
        "{} markets: {by_high} agree with the settled high, {by_own_value} with their own value too",
        markets.len()
    );
    for (reason, tickers) in &left_out {
        println!("{} left out, {reason}: {}", tickers.len(), tickers.join(" "));
    }
    let counts: BTreeMap<&str, usize> = left_out.iter().map(|(reason, tickers)| (*reason, tickers.len())).collect();
    assert_eq!((markets.len(), by_high, by_own_value), (3_528, 3_404, 1_684));
    assert_eq!(
        counts,
        BTreeMap::from([("not settled when it was recorded", 24), ("strike fields blank in the recording", 100)])
    );
}
