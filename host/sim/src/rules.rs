//! What the venue's rules of a weather market say: the words of the era in which its day lies.
//!
//! The places and dates are those of `models/cities.toml`, the wording that of recorded markets (July 2026) and of
//! PROTOCOL.md 5.5, so a host that reads the rules at its start finds in the simulation what it would find at the venue.

use crate::listing::{Market, date_of};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A row of the table, as much as the rules are made of.
#[derive(Deserialize)]
struct Row {
    name: String,
    series: String,
    report: String,
    settlement: Vec<Era>,
}

#[derive(Deserialize)]
struct Era {
    valid_from: String,
    source: String,
    #[serde(default)]
    places: Vec<String>,
}

#[derive(Deserialize)]
struct Table {
    city: Vec<Row>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../models/cities.toml")).expect("the table is tested where it is used")
});

/// Row and era of a day; nothing for a series that is not about daily highs.
fn era(series: &str, date: Date) -> Option<(&'static Row, &'static Era)> {
    let row = TABLE.city.iter().find(|row| row.series == series)?;
    // Dates of this spelling are in order as text.
    let era = row.settlement.iter().rev().find(|era| era.valid_from <= date.to_string())?;
    Some((row, era))
}

/// `settlement_sources` of a series on a day.
pub(crate) fn sources(series: &str, date: Date) -> Value {
    match era(series, date) {
        Some((row, era)) if era.source == "nws_climate_report" => {
            let id = row.report.trim_start_matches("CLI");
            let url = format!("https://forecast.weather.gov/product.php?site=SIM&product=CLI&issuedby={id}");
            json!([{"name": format!("NWS Climatological Report {}", row.name), "url": url}])
        }
        _ => json!([{"name": "The Weather Company", "url": "https://weather.com/kalshi"}]),
    }
}

/// `rules_primary` of a market; its title where it is not about the daily high of a city.
pub(crate) fn primary(market: &Market) -> String {
    let series = market.event.split('-').next().unwrap_or_default();
    let found = date_of(&market.event).and_then(|date| Some((date, era(series, date)?)));
    let strike = &market.strike;
    let bound = match (strike.word, &strike.floor, &strike.cap) {
        ("less", _, Some(cap)) => format!("less than {cap}°"),
        ("greater", Some(floor), _) => format!("greater than {floor}°"),
        ("between", Some(floor), Some(cap)) => format!("between {floor}-{cap}°"),
        _ => return market.title.clone(),
    };
    let Some((date, (row, era))) = found else { return market.title.clone() };
    if era.source == "nws_climate_report" {
        let place = era.places.first().unwrap_or(&row.name);
        let day = date.strftime("%B %-d, %Y");
        format!(
            "If the highest temperature recorded at {place} for {day} as reported by the National Weather Service's \
             Climatological Report (Daily), is {bound}, then the market resolves to Yes."
        )
    } else {
        let (place, day) = (format!("{} ({})", row.name, row.report), date.strftime("%b %-d, %Y"));
        format!(
            "If the maximum temperature recorded at {place} for {day}, is {bound} fahrenheit according to The Weather \
             Company, then the market resolves to Yes."
        )
    }
}
