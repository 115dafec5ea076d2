//! The forecasts of the scene as api.open-meteo.com gives them: several places and models at once, days of a given zone.

use super::{World, page};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The service's names of models that the scene has, and the scene's.
const MODELS: [(&str, &str); 6] = [
    ("gfs_seamless", "gfs"),
    ("ecmwf_ifs025", "ecmwf_ifs025"),
    ("icon_seamless", "icon"),
    ("gem_seamless", "gem"),
    ("jma_seamless", "jma"),
    ("gfs_hrrr", "hrrr"),
];

#[derive(Deserialize)]
pub(super) struct Asked {
    latitude: String,
    longitude: String,
    daily: String,
    models: String,
    timezone: String,
    temperature_unit: String,
    forecast_days: i64,
}

pub(super) async fn forecast(State(world): State<Arc<World>>, Query(asked): Query<Asked>) -> Response {
    match places(&world, &asked) {
        Ok(mut places) if places.len() == 1 => page(&places.remove(0), "application/json"),
        Ok(places) => page(&Value::Array(places), "application/json"),
        Err(reason) => (StatusCode::BAD_REQUEST, Json(json!({"error": true, "reason": reason}))).into_response(),
    }
}

fn numbers(text: &str) -> Result<Vec<f64>, String> {
    text.split(',').map(|part| part.parse().map_err(|_| format!("{part:?} is no number"))).collect()
}

fn places(world: &World, asked: &Asked) -> Result<Vec<Value>, String> {
    if asked.daily != "temperature_2m_max" || asked.temperature_unit != "fahrenheit" {
        return Err("the simulation has the daily temperature_2m_max in fahrenheit alone".to_owned());
    }
    let (latitudes, longitudes) = (numbers(&asked.latitude)?, numbers(&asked.longitude)?);
    let zones: Vec<&str> = asked.timezone.split(',').collect();
    if latitudes.len() != longitudes.len() || ![1, latitudes.len()].contains(&zones.len()) {
        return Err("Parameter 'latitude', 'longitude' and 'timezone' must have the same number of elements".to_owned());
    }
    let known = world.known();
    let mut places = Vec::new();
    for (at, (latitude, longitude)) in latitudes.into_iter().zip(longitudes).enumerate() {
        let zone = zones[at.min(zones.len() - 1)];
        let hours: i64 = zone.strip_prefix("Etc/GMT").and_then(|hours| hours.parse().ok()).ok_or("Invalid timezone")?;
        let mut station = world.station(|station| station.near(latitude, longitude)).ok_or("no such place")?.clone();
        station.standard_hours = -hours;
        let today = station.today(known.now);
        let days = (0..asked.forecast_days.clamp(1, 16)).map(|ahead| today + jiff::Span::new().days(ahead));
        let days: Vec<_> = days.collect();
        let mut daily = json!({"time": days.iter().map(ToString::to_string).collect::<Vec<_>>()});
        let mut units = json!({"time": "iso8601"});
        for theirs in asked.models.split(',') {
            let ours = MODELS.iter().find(|(name, _)| *name == theirs).ok_or("Cannot initialize model")?.1;
            let high = |day| {
                let row = known.day(&station, day).filter(|row| row.published <= known.now)?;
                row.forecast.get(ours).copied()
            };
            let name = format!("temperature_2m_max_{theirs}");
            daily[&name] = days.iter().map(|day| high(*day)).collect::<Vec<_>>().into();
            units[&name] = "°F".into();
        }
        // The middle of the model's grid box, not the place that was asked for.
        places.push(json!({
            "latitude": (station.latitude * 8.0).round() / 8.0,
            "longitude": (station.longitude * 8.0).round() / 8.0,
            "generationtime_ms": 0.1,
            "utc_offset_seconds": station.standard_hours * 3_600,
            "timezone": zone,
            "timezone_abbreviation": zone,
            "elevation": 200.0,
            "daily_units": units,
            "daily": daily,
        }));
    }
    Ok(places)
}
