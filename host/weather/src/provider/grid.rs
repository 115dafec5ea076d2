//! Gridpoint forecasts of the National Weather Service: `GET {base}/gridpoints/{office}/{x},{y}`.
//!
//! Where a station lies on the grid is asked of `{base}/points/{latitude},{longitude}` first; it changes rarely. A high is
//! given for a period of daytime (`2026-07-10T12:00:00+00:00/PT13H`), which belongs to the climate day in which it begins.

use super::{Answer, moment};
use crate::quality::{self, Dropped};
use crate::transport::{Now, Patience, Request, Transport};
use crate::{City, Error, HighForecast, SourceId, Stamps, Weather};
use isobar_engine::units::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The name of the forecast: the office's own, of which the national digital forecast is made.
const MODEL: &str = "ndfd";
/// Longest period that is believed to be one day's, hours.
const LONGEST: i32 = 24;

/// Forecasts of the grid points of the settlement stations.
#[derive(Debug)]
pub struct Grid {
    transport: Transport,
    base: String,
    cities: Vec<City>,
    /// Addresses of the grid points that are known.
    known: BTreeMap<City, String>,
}

#[derive(Deserialize)]
struct Point {
    properties: PointProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PointProperties {
    grid_id: String,
    grid_x: u32,
    grid_y: u32,
}

#[derive(Deserialize)]
struct GridData {
    properties: GridProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GridProperties {
    update_time: String,
    max_temperature: Layer,
}

#[derive(Deserialize)]
struct Layer {
    uom: Option<String>,
    values: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Value {
    valid_time: String,
    value: Option<f64>,
}

impl Grid {
    /// Forecasts for `cities` from `base`, for example `https://api.weather.gov`.
    pub fn new(client: reqwest::Client, base: &str, cities: &[City], patience: Patience) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { transport: Transport::new(client, patience), base, cities: cities.to_vec(), known: BTreeMap::new() }
    }

    pub(super) async fn fetch(&mut self, now: Now<'_>) -> Result<Answer, Error> {
        let mut answer = Answer::default();
        for city in self.cities.clone() {
            let outcome = self.of_city(city, now).await;
            answer.take(city, outcome);
        }
        answer.or_error()
    }

    async fn of_city(&mut self, city: City, now: Now<'_>) -> Result<(Weather, Dropped), Error> {
        let url = match self.known.get(&city) {
            Some(url) => url.clone(),
            None => self.locate(city, now).await?,
        };
        let page = match self.transport.get(Request::new(&url, &[]), now).await {
            Ok(page) => page,
            Err(error) => {
                // The grid is redrawn at times; the next round asks where the station lies.
                self.known.remove(&city);
                return Err(error);
            }
        };
        let parsed = parse(&page.body, city, page.confirmed);
        let (forecasts, dropped) = parsed.map_err(|reason| Error::Invalid { origin: url, reason })?;
        Ok((Weather { forecasts, ..Weather::default() }, dropped))
    }

    async fn locate(&mut self, city: City, now: Now<'_>) -> Result<String, Error> {
        let (latitude, longitude) = city.place();
        // Four decimals: more are answered with a redirect.
        let url = format!("{}/points/{latitude:.4},{longitude:.4}", self.base);
        let page = self.transport.get(Request::new(&url, &[]), now).await?;
        let at = serde_json::from_slice::<Point>(&page.body).map_err(|error| error.to_string()).and_then(|point| {
            let at = point.properties;
            let plain = at.grid_id.len() == 3 && at.grid_id.bytes().all(|byte| byte.is_ascii_uppercase());
            plain.then_some(at).ok_or_else(|| "its office is not three letters".to_owned())
        });
        let at = at.map_err(|reason| Error::Invalid { origin: url, reason })?;
        let url = format!("{}/gridpoints/{}/{},{}", self.base, at.grid_id, at.grid_x, at.grid_y);
        self.known.insert(city, url.clone());
        Ok(url)
    }
}

fn parse(body: &[u8], city: City, received: Timestamp) -> Result<(Vec<HighForecast>, Dropped), String> {
    let data: GridData = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let data = data.properties;
    let published = moment(&data.update_time).ok_or_else(|| format!("{:?} is no time", data.update_time))?;
    let unit = data.max_temperature.uom.as_deref().unwrap_or("");
    let mut dropped = Dropped::default();
    let mut forecasts: Vec<HighForecast> = Vec::new();
    for value in &data.max_temperature.values {
        let Some(degrees) = value.value else { continue };
        let high = dropped_unless(quality::fahrenheit(degrees, unit), &mut dropped);
        let (Some(high_f), Some(begins)) =
            (dropped.temperature(high), dropped_unless(period(&value.valid_time), &mut dropped))
        else {
            continue;
        };
        let date = city.day_at(begins);
        if forecasts.iter().any(|other| other.date == date) {
            dropped.one();
            continue;
        }
        // Published later than received would be a clock that is wrong, ours or theirs.
        let stamps = Stamps { event: city.day_begins(date), published: published.min(received), received };
        forecasts.push(HighForecast {
            city,
            date,
            model: MODEL.to_owned(),
            source: SourceId::NwsGridpoint,
            stamps,
            high_f,
        });
    }
    Ok((forecasts, dropped))
}

fn dropped_unless<T>(value: Option<T>, dropped: &mut Dropped) -> Option<T> {
    dropped.0 += u64::from(value.is_none());
    value
}

/// Begin of an interval of ISO 8601 that is no longer than a day.
fn period(text: &str) -> Option<Timestamp> {
    let (begin, length) = text.split_once('/')?;
    let span: jiff::Span = length.parse().ok()?;
    let hours = span.total((jiff::Unit::Hour, jiff::SpanRelativeTo::days_are_24_hours())).ok()?;
    (hours > 0.0 && hours <= f64::from(LONGEST)).then_some(())?;
    moment(begin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn read(values: &str) -> Result<(Vec<HighForecast>, Dropped), String> {
        let body = format!(
            r#"{{"properties":{{"updateTime":"2026-07-09T19:03:33+00:00",
            "maxTemperature":{{"uom":"wmoUnit:degC","values":[{values}]}}}}}}"#
        );
        let received = moment("2026-07-09T19:10:00Z").expect("a time");
        parse(body.as_bytes(), City::from_code("NY").expect("a city"), received)
    }

    #[test]
    fn a_period_of_daytime_belongs_to_the_climate_day_in_which_it_begins() {
        let (highs, dropped) = read(
            r#"{"validTime":"2026-07-09T13:00:00+00:00/PT12H","value":28.88888888888889},
               {"validTime":"2026-07-10T12:00:00+00:00/PT13H","value":31.666666666666668}"#,
        )
        .expect("grid data");
        assert_eq!(dropped, Dropped(0));
        let told: Vec<_> = highs.iter().map(|high| (high.date, (high.high_f * 10.0).round() / 10.0)).collect();
        assert_eq!(told, [(date(2026, 7, 9), 84.0), (date(2026, 7, 10), 89.0)]);
        assert_eq!(highs[0].stamps.published, moment("2026-07-09T19:03:33Z").expect("a time"));
        assert_eq!(highs[0].stamps.event, moment("2026-07-09T05:00:00Z").expect("a time"));
    }

    #[test]
    fn periods_and_values_that_make_no_sense_are_refused() {
        let (highs, dropped) = read(
            r#"{"validTime":"2026-07-09T13:00:00+00:00/P2D","value":28},
               {"validTime":"2026-07-10T12:00:00+00:00","value":28},
               {"validTime":"2026-07-11T12:00:00+00:00/PT13H","value":280},
               {"validTime":"2026-07-12T12:00:00+00:00/PT13H","value":null},
               {"validTime":"2026-07-13T12:00:00+00:00/PT13H","value":28},
               {"validTime":"2026-07-13T18:00:00+00:00/PT6H","value":27}"#,
        )
        .expect("grid data");
        assert_eq!((highs.len(), dropped), (1, Dropped(4)));
        assert!(parse(b"{}", City::from_code("NY").expect("a city"), Timestamp(0)).is_err());
    }
}
