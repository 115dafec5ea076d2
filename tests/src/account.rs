//! The account of a live run, held against the exchange's own books.

use crate::venue::Venue;
use serde_json::Value;
use std::collections::BTreeMap;

/// The part of a run's summary that is about one slot.
pub fn the<'a>(summary: &'a Value, slot: &str) -> &'a Value {
    let slots = summary["slots"].as_array().expect("slots");
    slots.iter().find(|one| one["slot"] == slot).expect("the slot")
}

/// Positions that are not nothing, as the exchange tells them: 1/100 contracts by ticker.
pub fn held(account: &Value) -> BTreeMap<String, i64> {
    let positions = account["positions"].as_object().expect("positions");
    let units = |value: &Value| -> i64 {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match text.split_once('.') {
            Some((whole, part)) => format!("{whole}{part:0<2}").parse().expect("hundredths"),
            None => text.parse().expect("hundredths"),
        }
    };
    positions.iter().map(|(ticker, value)| (ticker.clone(), units(value))).filter(|(_, held)| *held != 0).collect()
}

/// Asserts that the accounts of both sides are the same to $0.000001 and 1/100 contract, and that nothing rests; the cash
/// and the positions.
pub fn equal(summary: &Value, slot: &str, venue: &Venue) -> (String, BTreeMap<String, i64>) {
    let (ours, theirs) = (the(summary, slot), venue.account());
    let positions: BTreeMap<String, i64> = serde_json::from_value(ours["positions"].clone()).expect("positions");
    assert_eq!(positions, held(&theirs), "{theirs}");
    assert_eq!(ours["cash"], theirs["cash"], "{theirs}");
    assert_eq!(theirs["resting_orders"], 0, "{theirs}");
    (ours["cash"].as_str().expect("money").to_owned(), positions)
}
