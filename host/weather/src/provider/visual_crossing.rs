//! Visual Crossing's timeline: `GET {base}/VisualCrossingWebServices/rest/services/timeline/stn:{station}/{from}/{to}`.
//!
//! It needs a key, which the service takes in the query alone; it is kept out of every log and error. Its days are those of
//! the wall clock, an hour off the climate day while daylight saving lasts, so a high that is forecast for the last hour
//! of an evening can count for the wrong day.

use super::{Answer, seconds};
use crate::quality::{self, Dropped};
use crate::transport::{Now, Patience, Request, Transport};
use crate::{City, Error, HighForecast, Observation, Quality, Secret, SourceId, Stamps, Weather};
use isobar_engine::units::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;

/// The name of the forecast: the service mixes several models.
const MODEL: &str = "visual_crossing";

/// Observations and forecasts of the settlement stations.
#[derive(Debug)]
pub struct VisualCrossing {
    transport: Transport,
    base: String,
    key: Secret,
    cities: Vec<City>,
}

#[derive(Deserialize)]
struct Timeline {
    days: Vec<Day>,
    #[serde(rename = "currentConditions")]
    current: Option<Moment>,
}

#[derive(Deserialize)]
struct Day {
    datetime: String,
    tempmax: Option<f64>,
    #[serde(default)]
    hours: Vec<Moment>,
}

/// An hour, or the current conditions, in the units of `unitGroup=us`: °F, percent, hPa, miles an hour.
#[derive(Deserialize)]
struct Moment {
    #[serde(rename = "datetimeEpoch")]
    at: i64,
    temp: Option<f64>,
    humidity: Option<f64>,
    pressure: Option<f64>,
    windspeed: Option<f64>,
    cloudcover: Option<f64>,
    source: Option<String>,
}

impl VisualCrossing {
    /// Weather of `cities` from `base`, for example `https://weather.visualcrossing.com`.
    pub fn new(client: reqwest::Client, base: &str, key: Secret, cities: &[City], patience: Patience) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { transport: Transport::new(client, patience), base, key, cities: cities.to_vec() }
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
        let today = city.day_at(now());
        let (from, to) = (today.saturating_sub(1.day()), today.saturating_add(1.day()));
        let path = "VisualCrossingWebServices/rest/services/timeline";
        let url = format!("{}/{path}/stn:{}/{from}/{to}", self.base, city.station());
        let query = [
            ("unitGroup", "us".to_owned()),
            ("include", "days,hours,current,obs,fcst".to_owned()),
            ("contentType", "json".to_owned()),
        ];
        let request = Request { secret: Some(("key", &self.key)), ..Request::new(&url, &query) };
        let page = self.transport.get(request, now).await?;
        parse(&page.body, city, page.confirmed).map_err(|reason| Error::Invalid { origin: url, reason })
    }
}

/// Past hours that were observed and the current conditions; highs of today and of days to come.
fn parse(body: &[u8], city: City, received: Timestamp) -> Result<(Weather, Dropped), String> {
    // An error of the parser may quote the text, which may hold the key that the service repeats: only its place is told.
    let timeline: Timeline = serde_json::from_slice(body)
        .map_err(|error| format!("not a timeline, at line {} column {}", error.line(), error.column()))?;
    let (mut weather, mut dropped) = (Weather::default(), Dropped::default());
    let today = city.day_at(received);
    for day in &timeline.days {
        let date: Date = day.datetime.parse().map_err(|_| "a day without a date".to_owned())?;
        let observed = day.hours.iter().filter(|hour| hour.source.as_deref() == Some("obs"));
        weather.observations.extend(observed.filter_map(|hour| one(hour, city, received, &mut dropped)));
        if date < today {
            continue;
        }
        if let Some(high_f) = dropped.temperature(day.tempmax) {
            let stamps = Stamps { event: city.day_begins(date), published: received, received };
            let (model, source) = (MODEL.to_owned(), SourceId::VisualCrossing);
            weather.forecasts.push(HighForecast { city, date, model, source, stamps, high_f });
        }
    }
    if let Some(current) = &timeline.current {
        weather.observations.extend(one(current, city, received, &mut dropped));
    }
    quality::mark_spikes(&mut weather.observations);
    Ok((weather, dropped))
}

fn one(hour: &Moment, city: City, received: Timestamp, dropped: &mut Dropped) -> Option<Observation> {
    let Some(event) = seconds(hour.at).filter(|event| *event <= received) else {
        dropped.one();
        return None;
    };
    Some(Observation {
        city,
        source: SourceId::VisualCrossing,
        stamps: Stamps { event, published: received, received },
        temperature_f: dropped.temperature(hour.temp),
        humidity_pct: dropped.percent(hour.humidity),
        pressure_hpa: dropped.pressure(hour.pressure),
        wind_mph: dropped.wind(hour.windspeed),
        cloud_pct: dropped.percent(hour.cloudcover),
        quality: Quality::Good,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_were_observed_and_highs_to_come_are_told() {
        let received = super::super::moment("2026-07-01T18:10:00Z").expect("a time");
        let epoch = |text: &str| super::super::moment(text).expect("a time").0 / 1_000_000_000;
        let body = format!(
            r#"{{"queryCost":1,"days":[
            {{"datetime":"2026-06-30","tempmax":90.1,"hours":[
                {{"datetimeEpoch":{},"temp":80.1,"humidity":40,"pressure":1012.1,"windspeed":5.5,"cloudcover":20,"source":"obs"}}]}},
            {{"datetime":"2026-07-01","tempmax":88.5,"hours":[
                {{"datetimeEpoch":{},"temp":85.0,"source":"obs"}},{{"datetimeEpoch":{},"temp":88.0,"source":"fcst"}}]}},
            {{"datetime":"2026-07-02","tempmax":888}}],
            "currentConditions":{{"datetimeEpoch":{},"temp":85.5,"source":"obs"}}}}"#,
            epoch("2026-06-30T20:00:00Z"),
            epoch("2026-07-01T18:00:00Z"),
            epoch("2026-07-01T21:00:00Z"),
            epoch("2026-07-01T18:05:00Z"),
        );
        let (weather, dropped) =
            parse(body.as_bytes(), City::from_code("CHI").expect("a city"), received).expect("a timeline");
        assert_eq!(
            weather.observations.iter().map(|o| o.temperature_f).collect::<Vec<_>>(),
            [Some(80.1), Some(85.0), Some(85.5)]
        );
        assert_eq!(weather.observations[0].humidity_pct, Some(40.0));
        assert_eq!(weather.forecasts.iter().map(|f| (f.date.day(), f.high_f)).collect::<Vec<_>>(), [(1, 88.5)]);
        assert_eq!(dropped, Dropped(1));
    }

    #[test]
    fn a_text_that_is_no_timeline_is_not_repeated() {
        let wrong = r#"{"days":"Bad API Key: key-123"}"#;
        let reason = parse(wrong.as_bytes(), City::from_code("CHI").expect("a city"), Timestamp(0)).expect_err("wrong");
        assert!(!reason.contains("key-123"), "{reason}");
    }
}
