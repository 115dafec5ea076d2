//! Open-Meteo's forecasts of the daily high by numerical model: `GET {base}/v1/forecast`.
//!
//! All cities are asked for at once. Days are asked for in standard time all year (`Etc/GMT+6`), so a day's high is that of
//! the climate day; the answer is refused where its offset is another. The service does not say when a forecast was made.

use super::Answer;
use crate::quality::Dropped;
use crate::transport::{Now, Patience, Request, Transport};
use crate::{City, Error, HighForecast, SourceId, Stamps, Weather};
use isobar_engine::units::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The service's names of the models and ours, which are those of the training data.
pub const MODELS: [(&str, &str); 5] = [
    ("gfs_seamless", "gfs"),
    ("ecmwf_ifs025", "ecmwf_ifs025"),
    ("icon_seamless", "icon"),
    ("gem_seamless", "gem"),
    ("jma_seamless", "jma"),
];

/// Days that are asked for, today among them.
const DAYS: u32 = 3;
/// A grid point may lie this far from the station, degrees; further away it is another place.
const APART: f64 = 0.5;

/// Forecasts for the settlement stations.
#[derive(Debug)]
pub struct OpenMeteo {
    transport: Transport,
    url: String,
    cities: Vec<City>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Places {
    Many(Vec<Place>),
    One(Box<Place>),
}

#[derive(Deserialize)]
struct Place {
    latitude: f64,
    longitude: f64,
    utc_offset_seconds: i64,
    daily: Daily,
    daily_units: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Daily {
    time: Vec<String>,
    #[serde(flatten)]
    columns: BTreeMap<String, Vec<Option<f64>>>,
}

impl OpenMeteo {
    /// Forecasts for `cities` from `base`, for example `https://api.open-meteo.com`.
    pub fn new(client: reqwest::Client, base: &str, cities: &[City], patience: Patience) -> Self {
        let url = format!("{}/v1/forecast", base.trim_end_matches('/'));
        Self { transport: Transport::new(client, patience), url, cities: cities.to_vec() }
    }

    pub(super) async fn fetch(&mut self, now: Now<'_>) -> Result<Answer, Error> {
        if self.cities.is_empty() {
            return Ok(Answer::default());
        }
        let join =
            |part: &dyn Fn(City) -> String| self.cities.iter().map(|city| part(*city)).collect::<Vec<_>>().join(",");
        let query = [
            ("latitude", join(&|city| format!("{:.4}", city.place().0))),
            ("longitude", join(&|city| format!("{:.4}", city.place().1))),
            ("daily", "temperature_2m_max".to_owned()),
            ("models", MODELS.map(|(theirs, _)| theirs).join(",")),
            ("temperature_unit", "fahrenheit".to_owned()),
            ("timezone", join(&|city| zone(city.standard_hours()))),
            ("forecast_days", DAYS.to_string()),
        ];
        let page = self.transport.get(Request::new(&self.url, &query), now).await?;
        let parsed = parse(&page.body, &self.cities, page.confirmed);
        let (forecasts, dropped) = parsed.map_err(|reason| Error::Invalid { origin: self.url.clone(), reason })?;
        Ok(Answer { weather: Weather { forecasts, ..Weather::default() }, dropped, ..Answer::default() })
    }
}

/// The zone of a fixed offset; its sign is turned round in the database's names.
fn zone(standard_hours: i64) -> String {
    match standard_hours {
        0 => "Etc/GMT".to_owned(),
        behind @ ..0 => format!("Etc/GMT+{}", -behind),
        ahead => format!("Etc/GMT-{ahead}"),
    }
}

fn parse(body: &[u8], cities: &[City], received: Timestamp) -> Result<(Vec<HighForecast>, Dropped), String> {
    let places = match serde_json::from_slice(body).map_err(|error| error.to_string())? {
        Places::Many(places) => places,
        Places::One(place) => vec![*place],
    };
    if places.len() != cities.len() {
        return Err(format!("{} places were asked for, {} answered", cities.len(), places.len()));
    }
    let (mut forecasts, mut dropped) = (Vec::new(), Dropped::default());
    for (city, place) in cities.iter().zip(&places) {
        of_place(*city, place, received, &mut forecasts, &mut dropped).map_err(|reason| format!("{city}: {reason}"))?;
    }
    Ok((forecasts, dropped))
}

fn of_place(
    city: City,
    place: &Place,
    received: Timestamp,
    forecasts: &mut Vec<HighForecast>,
    dropped: &mut Dropped,
) -> Result<(), String> {
    let (latitude, longitude) = city.place();
    if (place.latitude - latitude).abs() > APART || (place.longitude - longitude).abs() > APART {
        return Err(format!("it answers for {}, {}", place.latitude, place.longitude));
    }
    if place.utc_offset_seconds != city.standard_hours() * 3_600 {
        return Err(format!("its days are {} s from UTC, not those of standard time", place.utc_offset_seconds));
    }
    let dates: Result<Vec<Date>, _> = place.daily.time.iter().map(|day| day.parse::<Date>()).collect();
    let dates = dates.map_err(|error| error.to_string())?;
    for (theirs, ours) in MODELS {
        // The name of the model is left out where one alone is asked for; a model that is not there says nothing.
        let name = format!("temperature_2m_max_{theirs}");
        let Some(highs) = place.daily.columns.get(&name) else { continue };
        if place.daily_units.get(&name).map(String::as_str) != Some("°F") {
            return Err(format!("{name} is not in °F"));
        }
        if highs.len() != dates.len() {
            return Err(format!("{name} has {} values for {} days", highs.len(), dates.len()));
        }
        for (date, high) in dates.iter().zip(highs) {
            let Some(high_f) = dropped.temperature(*high) else { continue };
            let stamps = Stamps { event: city.day_begins(*date), published: received, received };
            let (date, model, source) = (*date, ours.to_owned(), SourceId::OpenMeteo);
            forecasts.push(HighForecast { city, date, model, source, stamps, high_f });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = r#"{"latitude":41.78,"longitude":-87.76,"utc_offset_seconds":-21600,"timezone":"Etc/GMT+6",
        "daily_units":{"time":"iso8601","temperature_2m_max_gfs_seamless":"°F","temperature_2m_max_icon_seamless":"°F"},
        "daily":{"time":["2026-07-01","2026-07-02"],"temperature_2m_max_gfs_seamless":[88.1,null],
        "temperature_2m_max_icon_seamless":[87.4,990]}}"#;

    fn read(body: &str) -> Result<(Vec<HighForecast>, Dropped), String> {
        parse(body.as_bytes(), &[City::from_code("CHI").expect("a city")], Timestamp(7))
    }

    #[test]
    fn models_have_the_names_of_the_training_data_and_gaps_stay_gaps() {
        for body in [PLACE.to_owned(), format!("[{PLACE}]")] {
            let (highs, dropped) = read(&body).expect("forecasts");
            let told: Vec<_> = highs.iter().map(|high| (high.model.as_str(), high.date.day(), high.high_f)).collect();
            assert_eq!(told, [("gfs", 1, 88.1), ("icon", 1, 87.4)]);
            assert_eq!((dropped, highs[0].stamps.received), (Dropped(1), Timestamp(7)));
        }
    }

    #[test]
    fn another_place_day_unit_or_number_of_answers_is_refused() {
        for (from, to, word) in [
            ("41.78", "51.78", "answers for"),
            ("-21600", "-18000", "standard time"),
            ("\"°F\"", "\"°C\"", "not in °F"),
            ("[88.1,null]", "[88.1]", "1 values for 2 days"),
            ("2026-07-02", "2026-07-32", "CHI: "),
        ] {
            let reason = read(&PLACE.replacen(from, to, 1)).expect_err(to);
            assert!(reason.contains(word), "{reason}");
        }
        assert!(read(&format!("[{PLACE},{PLACE}]")).expect_err("two").contains("2 answered"));
        assert!(read(r#"{"error":true,"reason":"no"}"#).is_err());
    }

    #[test]
    fn the_zone_of_an_offset_is_spelled_the_other_way_round() {
        assert_eq!([-6, 0, 3].map(zone), ["Etc/GMT+6", "Etc/GMT", "Etc/GMT-3"]);
    }
}
