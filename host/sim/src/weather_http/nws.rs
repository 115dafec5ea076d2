//! Stations, grid points and climate reports as api.weather.gov gives them.

use super::curve::Curve;
use super::{Known, Station, World, moment, page, unknown};
use crate::listing::HOUR;
use crate::weather::{Row, whole};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use isobar_engine::units::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

const MINUTE: i64 = HOUR / 60;
/// A reading is told a minute after it was made.
const DELAY: i64 = MINUTE;
/// The hour's report is made at this minute, with tenths of a degree; other readings are whole degrees Celsius.
const REPORT_MINUTE: i64 = 53;
/// The report of part of the day is issued at this time of the day, with the temperatures until half an hour before.
const INTERMEDIATE: i64 = 16 * HOUR + 30 * MINUTE;

const GEOJSON: &str = "application/geo+json";
const LD_JSON: &str = "application/ld+json";

#[derive(Deserialize)]
pub(super) struct Since {
    start: Option<String>,
}

pub(super) async fn observations(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Query(since): Query<Since>,
) -> Response {
    let Some(station) = world.station(|station| station.station == id) else { return unknown("no such station") };
    let known = world.known();
    let start = since.start.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let start = start.map_or(known.now.plus(-24 * HOUR), |at| Timestamp(at.as_second() * 1_000_000_000));
    let mut features = Vec::new();
    // Newest first.
    let mut minute = known.now.plus(-DELAY).0.div_euclid(MINUTE);
    while minute * MINUTE >= start.0 {
        let at = Timestamp(minute * MINUTE);
        let report = minute.rem_euclid(60) == REPORT_MINUTE;
        if report || minute % 5 == 0 {
            let row = known.day(station, station.today(at));
            let curve = row.and_then(|row| Curve::of(row, station.begins(row.date)));
            features.extend(curve.map(|curve| feature(station, at, curve.at(at), report)));
        }
        minute -= 1;
    }
    page(&json!({"type": "FeatureCollection", "features": features}), GEOJSON)
}

/// One reading. Readings between the hour's reports have no pressure.
fn feature(station: &Station, at: Timestamp, degrees: f64, report: bool) -> Value {
    let celsius = (degrees - 32.0) / 1.8;
    let celsius = if report { (celsius * 10.0).round() / 10.0 } else { celsius.round() };
    let id = format!("https://api.weather.gov/stations/{}", station.station);
    let measured =
        |value: Value, unit: &str, code: &str| json!({"value": value, "unitCode": unit, "qualityControl": code});
    json!({
        "id": format!("{id}/observations/{}", moment(at)),
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [station.longitude, station.latitude]},
        "properties": {
            "@type": "wx:ObservationStation",
            "station": id,
            "timestamp": moment(at),
            "rawMessage": "",
            "textDescription": "Clear",
            "temperature": measured(celsius.into(), "wmoUnit:degC", "V"),
            "relativeHumidity": measured((90.0 - degrees / 2.0).clamp(15.0, 95.0).into(), "wmoUnit:percent", "V"),
            "windSpeed": measured(14.4.into(), "wmoUnit:km_h-1", "V"),
            "seaLevelPressure": if report {
                measured(101_500.into(), "wmoUnit:Pa", "V")
            } else {
                measured(Value::Null, "wmoUnit:Pa", "Z")
            },
            "cloudLayers": [{"base": {"unitCode": "wmoUnit:m", "value": null}, "amount": "CLR"}],
        },
    })
}

pub(super) async fn point(State(world): State<Arc<World>>, Path(place): Path<String>) -> Response {
    let at = place.split_once(',').and_then(|(a, b)| Some((a.parse::<f64>().ok()?, b.parse::<f64>().ok()?)));
    let found = at.and_then(|(latitude, longitude)| world.station(|station| station.near(latitude, longitude)));
    let Some(station) = found else { return unknown("no forecast for this point") };
    let grid = format!("https://api.weather.gov/gridpoints/{}/1,1", station.id());
    let properties = json!({
        "@type": "wx:Point", "gridId": station.id(), "gridX": 1, "gridY": 1, "forecastGridData": grid,
    });
    page(&json!({"type": "Feature", "properties": properties}), GEOJSON)
}

pub(super) async fn grid(State(world): State<Arc<World>>, Path((office, place)): Path<(String, String)>) -> Response {
    let found = world.station(|station| station.id() == office && place == "1,1");
    let Some(station) = found else { return unknown("no such grid point") };
    let known = world.known();
    let rows = || known.of(station).filter(|row| row.published <= known.now && row.date >= station.today(known.now));
    let values: Vec<Value> = rows()
        .filter_map(|row| {
            let begins = moment(station.begins(row.date).plus(7 * HOUR));
            Some(json!({"validTime": format!("{begins}/PT12H"), "value": (mean(row)? - 32.0) / 1.8}))
        })
        .collect();
    let updated = rows().map(|row| row.published).max().unwrap_or(known.now);
    let properties = json!({
        "updateTime": moment(updated),
        "gridId": office,
        "maxTemperature": {"uom": "wmoUnit:degC", "values": values},
    });
    page(&json!({"type": "Feature", "properties": properties}), GEOJSON)
}

/// The mean of a row's forecasts.
#[expect(clippy::cast_precision_loss, reason = "a handful of models")]
pub(super) fn mean(row: &Row) -> Option<f64> {
    let count = row.forecast.len();
    (count > 0).then(|| row.forecast.values().sum::<f64>() / count as f64)
}

/// The products of one day that were issued: name, time of issue, whether it is the final one.
fn products(known: &Known, station: &Station, row: &Row) -> Vec<(String, Timestamp, bool)> {
    let name = |kind: &str| format!("{}-{}-{kind}", station.id(), row.date);
    let partial = (name("intermediate"), station.begins(row.date).plus(INTERMEDIATE), false);
    let whole_day = row.observed.map(|(_, at)| (name("final"), at, true));
    let mut all: Vec<_> = whole_day.into_iter().chain([partial]).collect();
    all.retain(|(_, issued, _)| *issued <= known.now);
    all
}

pub(super) async fn reports(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    let Some(station) = world.station(|station| station.id() == id) else { return unknown("no such location") };
    let known = world.known();
    let mut all: Vec<_> = known.of(station).flat_map(|row| products(&known, station, row)).collect();
    all.sort_by_key(|(_, issued, _)| std::cmp::Reverse(*issued));
    let graph: Vec<Value> = all
        .iter()
        .map(|(name, issued, _)| {
            json!({
                "@id": format!("https://api.weather.gov/products/{name}"),
                "id": name,
                "wmoCollectiveId": "CDUS40",
                "issuanceTime": moment(*issued),
                "productCode": "CLI",
                "productName": "Climatological Report (Daily)",
            })
        })
        .collect();
    page(&json!({"@context": {}, "@graph": graph}), LD_JSON)
}

pub(super) async fn report(State(world): State<Arc<World>>, Path(product): Path<String>) -> Response {
    let known = world.known();
    let station = product.split('-').next().and_then(|id| world.station(|station| station.id() == id));
    let found = station.and_then(|station| {
        known.of(station).find_map(|row| {
            let all = products(&known, station, row);
            let (name, issued, is_final) = all.into_iter().find(|(name, ..)| *name == product)?;
            Some((name, issued, text(station, row, issued, is_final)?))
        })
    });
    let Some((name, issued, text)) = found else { return unknown("no such product") };
    page(&json!({"id": name, "issuanceTime": moment(issued), "productCode": "CLI", "productText": text}), LD_JSON)
}

/// The text of a report, in the form of the recorded ones.
fn text(station: &Station, row: &Row, issued: Timestamp, is_final: bool) -> Option<String> {
    let begins = station.begins(row.date);
    let curve = Curve::of(row, begins)?;
    let until = if is_final { begins.plus(24 * HOUR) } else { begins.plus(INTERMEDIATE - HOUR / 2) };
    let maximum = match row.observed {
        Some((high, _)) if is_final => high,
        _ => whole(curve.highest(until)),
    };
    let minimum = whole(curve.at(begins.plus(6 * HOUR)));
    // The wall of standard time, which is in the name of the zone.
    let wall = issued.plus(station.standard_hours * HOUR).0.div_euclid(1_000_000_000);
    let wall = jiff::Timestamp::from_second(wall).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    let zone = match station.standard_hours {
        -5 => "EST",
        -6 => "CST",
        -7 => "MST",
        _ => "PST",
    };
    let line = wall.strftime(&format!("%-I%M %p {zone} %a %b %d %Y")).to_string().to_uppercase();
    let day = |date: Date| date.strftime("%B %-d %Y").to_string().to_uppercase();
    let (section, valid) = if is_final { ("YESTERDAY", "") } else { ("TODAY", "VALID AS OF 0400 PM LOCAL TIME.\n") };
    Some(format!(
        "\n000\nCDUS40 KSIM {}\n{}\n\nCLIMATE REPORT \nNATIONAL WEATHER SERVICE SIMULATION\n{line}\n\n\
         ...................................\n\n...THE {} CLIMATE SUMMARY FOR {}...\n{valid}\n\
         WEATHER ITEM   OBSERVED TIME   RECORD YEAR NORMAL DEPARTURE LAST      \n\
         TEMPERATURE (F)\n {section}\n  MAXIMUM        {maximum:>3}\n  MINIMUM        {minimum:>3}\n\n$$\n",
        wall.strftime("%d%H%M"),
        station.report,
        station.station,
        day(row.date),
    ))
}
