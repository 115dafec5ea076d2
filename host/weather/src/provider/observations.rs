//! Station observations of the National Weather Service: `GET {base}/stations/{station}/observations`.
//!
//! Shape: GeoJSON of api.weather.gov (recorded answers; units by WMO code, quality by MADIS letter). An observation says
//! when it was made, not when it was published.

use super::{Answer, moment};
use crate::quality::{self, Dropped};
use crate::transport::{Now, Patience, Request, Transport};
use crate::{City, Error, Observation, Quality, SourceId, Stamps, Weather};
use isobar_engine::units::{SECOND, Timestamp};
use serde::Deserialize;

/// An observation may be dated this much ahead of the run's clock, nanoseconds; machines differ.
const AHEAD: i64 = 120 * SECOND;

/// Observations of the settlement stations.
#[derive(Debug)]
pub struct Observations {
    transport: Transport,
    base: String,
    cities: Vec<City>,
    /// How far back is asked for, nanoseconds.
    back: i64,
}

#[derive(Deserialize)]
struct Collection {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    station: String,
    timestamp: String,
    temperature: Option<Measured>,
    relative_humidity: Option<Measured>,
    sea_level_pressure: Option<Measured>,
    wind_speed: Option<Measured>,
    cloud_layers: Option<Vec<Layer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    value: Option<f64>,
    unit_code: Option<String>,
    quality_control: Option<String>,
}

#[derive(Deserialize)]
struct Layer {
    amount: String,
}

impl Measured {
    /// What the letter of the quality control means (MADIS): verified, screened and coarsely checked ones are good.
    fn quality(&self) -> Quality {
        match self.quality_control.as_deref().map(|code| code.trim_start_matches("qc:")) {
            Some("V" | "S" | "C" | "G") => Quality::Good,
            Some("X" | "Q" | "B" | "T") => Quality::Suspect,
            _ => Quality::Unchecked,
        }
    }

    /// The value in our unit. A unit that is not known is a refusal, as is a value that the source itself doubts.
    fn convert(part: Option<&Self>, dropped: &mut Dropped, unit: fn(f64, &str) -> Option<f64>) -> Option<f64> {
        let part = part?;
        let value = part.value?;
        let converted = unit(value, part.unit_code.as_deref().unwrap_or(""));
        let kept = converted.filter(|_| part.quality() != Quality::Suspect);
        dropped.0 += u64::from(kept.is_none());
        kept
    }
}

/// Share of the sky, percent, of the code of a layer: the middle of its eighths.
fn cover(amount: &str) -> Option<f64> {
    Some(match amount {
        "SKC" | "CLR" | "NSC" | "NCD" => 0.0,
        "FEW" => 18.75,
        "SCT" => 43.75,
        "BKN" => 75.0,
        "OVC" | "VV" => 100.0,
        _ => return None,
    })
}

impl Observations {
    /// Observations of the stations of `cities` since `back` nanoseconds ago, from `base`, for example
    /// `https://api.weather.gov`.
    pub fn new(client: reqwest::Client, base: &str, cities: &[City], back: i64, patience: Patience) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { transport: Transport::new(client, patience), base, cities: cities.to_vec(), back }
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
        let url = format!("{}/stations/{}/observations", self.base, city.station());
        // To the hour, so that the address of a page stays the same for a while and a repeated answer is seen as one.
        let since = now().plus(-self.back).0.div_euclid(3_600 * SECOND) * 3_600;
        let since = jiff::Timestamp::from_second(since)
            .map_err(|error| Error::Invalid { origin: url.clone(), reason: error.to_string() })?;
        let query = [("start", since.to_string())];
        let page = self.transport.get(Request::new(&url, &query), now).await?;
        let (observations, dropped) =
            parse(&page.body, city, page.confirmed).map_err(|reason| Error::Invalid { origin: url.clone(), reason })?;
        Ok((Weather { observations, ..Weather::default() }, dropped))
    }
}

/// The observations of a page, in order of time.
fn parse(body: &[u8], city: City, received: Timestamp) -> Result<(Vec<Observation>, Dropped), String> {
    let collection: Collection = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut dropped = Dropped::default();
    let mut observations: Vec<Observation> =
        collection.features.iter().filter_map(|seen| one(&seen.properties, city, received, &mut dropped)).collect();
    quality::mark_spikes(&mut observations);
    Ok((observations, dropped))
}

fn one(seen: &Properties, city: City, received: Timestamp, dropped: &mut Dropped) -> Option<Observation> {
    let ours = seen.station.rsplit('/').next() == Some(city.station());
    let event = moment(&seen.timestamp).filter(|event| ours && event.since(received) <= AHEAD);
    let Some(event) = event else {
        dropped.one();
        return None;
    };
    // A doubted temperature is kept, with its mark: the mark is what a reader looks at.
    let temperature = seen.temperature.as_ref();
    let degrees = temperature.and_then(|t| Some((t.value?, t.unit_code.as_deref().unwrap_or(""))));
    let converted = degrees.and_then(|(value, unit)| quality::fahrenheit(value, unit));
    dropped.0 += u64::from(degrees.is_some() && converted.is_none());
    let temperature_f = dropped.temperature(converted);
    let humidity = Measured::convert(seen.relative_humidity.as_ref(), dropped, quality::percent);
    let pressure = Measured::convert(seen.sea_level_pressure.as_ref(), dropped, quality::hectopascals);
    let wind = Measured::convert(seen.wind_speed.as_ref(), dropped, quality::miles_an_hour);
    let layers = seen.cloud_layers.iter().flatten().filter_map(|layer| cover(&layer.amount));
    Some(Observation {
        city,
        source: SourceId::NwsObservation,
        stamps: Stamps { event, published: received, received },
        temperature_f,
        humidity_pct: dropped.percent(humidity),
        pressure_hpa: dropped.pressure(pressure),
        wind_mph: dropped.wind(wind),
        cloud_pct: layers.reduce(f64::max),
        quality: temperature.map_or(Quality::Unchecked, Measured::quality),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(station: &str, at: &str, value: &str, unit: &str, code: &str) -> String {
        format!(
            r#"{{"type":"Feature","properties":{{"station":"https://api.weather.gov/stations/{station}","timestamp":"{at}",
            "temperature":{{"value":{value},"unitCode":"{unit}","qualityControl":"{code}"}},
            "relativeHumidity":{{"value":87.2,"unitCode":"wmoUnit:percent","qualityControl":"C"}},
            "seaLevelPressure":{{"value":100810,"unitCode":"wmoUnit:Pa","qualityControl":"V"}},
            "windSpeed":{{"value":16.09344,"unitCode":"wmoUnit:km_h-1","qualityControl":"V"}},
            "cloudLayers":[{{"base":{{"value":1680}},"amount":"FEW"}},{{"base":{{"value":3050}},"amount":"BKN"}}]}}}}"#
        )
    }

    fn read(features: &[String]) -> (Vec<Observation>, Dropped) {
        let body = format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(","));
        let received = moment("2026-07-01T18:00:00Z").expect("a time");
        parse(body.as_bytes(), City::from_code("CHI").expect("a city"), received).expect("a collection")
    }

    #[test]
    fn units_clouds_and_times_are_read_and_the_order_is_that_of_time() {
        let (seen, dropped) = read(&[
            feature("KMDW", "2026-07-01T17:55:00+00:00", "22", "wmoUnit:degC", "V"),
            feature("KMDW", "2026-07-01T17:50:00+00:00", "21.7", "unit:degC", "qc:Z"),
        ]);
        assert_eq!(dropped, Dropped(0));
        assert_eq!(seen.iter().map(|o| o.quality).collect::<Vec<_>>(), [Quality::Unchecked, Quality::Good]);
        let newest = &seen[1];
        assert_eq!(newest.temperature_f, Some(71.6));
        assert_eq!((newest.humidity_pct, newest.pressure_hpa), (Some(87.2), Some(1008.1)));
        assert_eq!((newest.wind_mph, newest.cloud_pct), (Some(10.0), Some(75.0)));
        assert_eq!(newest.stamps.received.since(newest.stamps.event), 300 * SECOND);
    }

    #[test]
    fn what_is_wrong_is_refused_value_by_value_and_counted() {
        let (seen, dropped) = read(&[
            feature("KORD", "2026-07-01T17:00:00+00:00", "22", "wmoUnit:degC", "V"), // another station
            feature("KMDW", "2026-07-02T17:00:00+00:00", "22", "wmoUnit:degC", "V"), // the future
            feature("KMDW", "yesterday", "22", "wmoUnit:degC", "V"),
            feature("KMDW", "2026-07-01T17:05:00+00:00", "22", "wmoUnit:m", "V"),
            feature("KMDW", "2026-07-01T17:10:00+00:00", "999", "wmoUnit:degC", "V"),
            feature("KMDW", "2026-07-01T17:15:00+00:00", "null", "wmoUnit:degC", "Z"),
            feature("KMDW", "2026-07-01T17:20:00+00:00", "22", "wmoUnit:degC", "X"),
        ]);
        assert_eq!(dropped, Dropped(5));
        assert_eq!(seen.iter().map(|o| o.temperature_f).collect::<Vec<_>>(), [None, None, None, Some(71.6)]);
        assert_eq!(seen[3].quality, Quality::Suspect);
    }
}
