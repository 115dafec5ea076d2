//! The weather of the scene as Visual Crossing's timeline gives it.

use super::curve::Curve;
use super::{World, nws, page};
use crate::listing::HOUR;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use isobar_engine::units::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Asked {
    key: Option<String>,
    #[serde(rename = "unitGroup")]
    units: Option<String>,
}

pub(super) async fn timeline(
    State(world): State<Arc<World>>,
    Path((place, from, to)): Path<(String, String, String)>,
    Query(asked): Query<Asked>,
) -> Response {
    // The service repeats a key that it does not know.
    match asked.key.as_deref() {
        None | Some("") => return (StatusCode::UNAUTHORIZED, "No API key was supplied").into_response(),
        Some(key) if key.starts_with("bad") => {
            return (StatusCode::UNAUTHORIZED, format!("No account found with API key '{key}'")).into_response();
        }
        Some(_) => {}
    }
    if asked.units.as_deref() != Some("us") {
        return (StatusCode::BAD_REQUEST, "the simulation has unitGroup=us alone").into_response();
    }
    let found = place.strip_prefix("stn:").and_then(|id| world.station(|station| station.station == id));
    let Some(station) = found else {
        return (StatusCode::BAD_REQUEST, "Bad API Request:Invalid location parameter value.").into_response();
    };
    let (Ok(from), Ok(to)) = (from.parse::<Date>(), to.parse::<Date>()) else {
        return (StatusCode::BAD_REQUEST, "Bad API Request:Invalid date.").into_response();
    };
    let known = world.known();
    let (mut days, mut current) = (Vec::new(), Value::Null);
    for row in known.of(station).filter(|row| (from..=to).contains(&row.date) && row.published <= known.now) {
        let begins = station.begins(row.date);
        let Some(curve) = Curve::of(row, begins) else { continue };
        let at = |at: Timestamp, source: &str| {
            json!({
                "datetimeEpoch": at.0 / 1_000_000_000, "temp": (curve.at(at) * 10.0).round() / 10.0, "humidity": 50.0,
                "pressure": 1015.0, "windspeed": 9.0, "cloudcover": 0.0, "source": source,
            })
        };
        let hours = (0..24).map(|hour| begins.plus(hour * HOUR));
        // What lies ahead is a forecast, which the simulation has for the high alone.
        let hours: Vec<Value> = hours.filter(|hour| *hour <= known.now).map(|hour| at(hour, "obs")).collect();
        let over = begins.plus(24 * HOUR) <= known.now;
        #[expect(clippy::cast_precision_loss, reason = "degrees")]
        let high = match row.observed {
            Some((high, _)) if over => Some(high as f64),
            _ => nws::mean(row).map(|mean| (mean * 10.0).round() / 10.0),
        };
        days.push(json!({
            "datetime": row.date.to_string(), "datetimeEpoch": begins.0 / 1_000_000_000, "tempmax": high,
            "source": if over { "obs" } else { "comb" }, "hours": hours,
        }));
        if row.date == station.today(known.now) {
            current = at(known.now, "obs");
        }
    }
    let mut body = json!({
        "queryCost": 1, "latitude": station.latitude, "longitude": station.longitude, "resolvedAddress": place,
        "tzoffset": station.standard_hours, "days": days,
    });
    if !current.is_null() {
        body["currentConditions"] = current;
    }
    page(&body, "application/json")
}
