//! From made-up weather to opinions, through the bundles of the repository.

use super::bundles::{Bundles, folders};
use super::serving::{self, Bound};
use super::sky::Sky;
use super::*;
use crate::config::Config;
use isobar_engine::market::{FeeSchedule, Ladder};
use isobar_engine::units::SECOND;
use isobar_weather::{City, HighForecast, MODELS, Observation, Quality, ReportedHigh, Sources, Stamps, Weather};
use jiff::{ToSpan, civil::Date};
use std::path::Path;

const HOUR: i64 = 3_600 * SECOND;
const CITIES: [&str; 6] = ["CHI", "AUS", "DEN", "LAX", "MIA", "PHIL"];
const DAY: Date = Date::constant(2026, 7, 15);

fn city(code: &str) -> City {
    City::from_code(code).expect("a city")
}

/// Three in the afternoon of the day, by the clock of the station.
fn afternoon(city: City) -> Timestamp {
    city.day_begins(DAY).plus(15 * HOUR)
}

fn at(event: Timestamp, received: Timestamp) -> Stamps {
    Stamps { event, published: received, received }
}

fn observation(city: City, when: Timestamp, degrees: f64) -> Observation {
    Observation {
        city,
        source: SourceId::NwsObservation,
        stamps: at(when, when.plus(60 * SECOND)),
        temperature_f: Some(degrees),
        humidity_pct: Some(50.0),
        pressure_hpa: Some(1015.0),
        wind_mph: Some(8.0),
        cloud_pct: Some(20.0),
        quality: Quality::Good,
    }
}

/// `days` of forecasts and highs of a city, and ten days of observations that rise to 84 °F by the afternoon.
fn weather(city: City, days: i32) -> Weather {
    let mut weather = Weather::default();
    for back in 0..=days {
        let date = DAY.saturating_sub(back.days());
        let (begins, swing) = (city.day_begins(date), f64::from(back % 7));
        for (model, offset) in MODELS.iter().zip(0..) {
            weather.forecasts.push(HighForecast {
                city,
                date,
                model: (*model).to_owned(),
                source: SourceId::OpenMeteo,
                stamps: at(begins, begins),
                high_f: 86.0 + swing + f64::from(offset) / 4.0,
            });
        }
        if back > 0 {
            weather.reports.push(ReportedHigh {
                city,
                date,
                source: SourceId::NwsClimateReport,
                stamps: at(begins, begins.plus(30 * HOUR)),
                high_f: 87.0 + swing,
                is_final: true,
            });
        }
        for step in (0..24 * 12).filter(|_| back < 10) {
            let degrees = 60.0 + 24.0 * f64::from(step) / (15.0 * 12.0);
            weather.observations.push(observation(city, begins.plus(i64::from(step) * 300 * SECOND), degrees));
        }
    }
    weather
}

fn sky(weather: Weather) -> Sky {
    let mut sky = Sky::of(&[Provider::Recorded(Weather::default())]);
    sky.take(0, Ok(Answer { weather, ..Answer::default() }));
    sky
}

/// The six brackets around the high that is forecast.
fn markets(city: City, first: u16) -> Vec<Market> {
    let strikes = [
        Strike::Less { cap: 82 },
        Strike::Between { floor: 82, cap: 83 },
        Strike::Between { floor: 84, cap: 85 },
        Strike::Between { floor: 86, cap: 87 },
        Strike::Between { floor: 88, cap: 89 },
        Strike::Greater { floor: 89 },
    ];
    let begins = city.day_begins(DAY);
    let market = |(id, strike): (u16, Strike)| Market {
        id: MarketId(id),
        ticker: format!("{}-26JUL15-{id}", city.series()),
        event: format!("{}-26JUL15", city.series()),
        series: city.series().to_owned(),
        strike,
        ladder: Ladder::cents(),
        fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
        status: MarketStatus::Active,
        opens: begins.plus(-24 * HOUR),
        closes: begins.plus(24 * HOUR),
    };
    (first..).zip(strikes).map(market).collect()
}

/// The bundles of the repository in a run of their own.
fn bundles(folder: &Path) -> Bundles {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let config = Config::example().models;
    let library = if config.library.is_absolute() { config.library } else { root.join(config.library) };
    let runtime = Runtime::open(Some(&library)).map_err(|error| error.to_string());
    let limits = Limits { cooldown: 30 * SECOND, oldest: 36 * HOUR, oldest_by_source: BTreeMap::new() };
    let run = Run::create(&folder.join("run")).expect("a run");
    let mut bundles =
        Bundles::new(runtime, Forecaster::new(limits), SourceId::ALL.to_vec(), run, Duration::from_secs(10));
    for folder in folders(&root.join("models")) {
        bundles.offer(Role::Traded, &folder).expect("the repository's bundles pass");
    }
    bundles
}

const FLOOR: Probability = Probability::new(1_000).expect("a probability");

#[test]
fn the_afternoon_rules_out_what_it_has_passed_and_an_official_report_all_but_one() {
    let chicago = city("CHI");
    let markets = markets(chicago, 0);
    let listed: Vec<&Market> = markets.iter().collect();
    let bound = Bound { sources: Sources::TRAINED, used: vec![SourceId::OpenMeteo] };
    let serve = |weather: &Weather, now: Timestamp| {
        serving::serve(&listed, &sky(weather.clone()), |_| Some(&bound), FLOOR, now)
    };
    let mut known = weather(chicago, 30);
    let now = afternoon(chicago);
    let seen = serve(&known, now).conditions.observed.expect("observed");
    // The reading of 15:00 has not arrived yet: the one before it counts.
    let error = chicago.observation_error_f(SourceId::NwsObservation).expect("a bound");
    assert_eq!((seen.source.as_str(), f64::from(seen.bound)), ("nws_observation", error * 1e3));
    assert_eq!(seen.maximum, ((60.0 + 24.0 * 179.0 / 180.0) * 1e3_f64).floor() as i32);
    // The day before says nothing, though it was hotter in the evening.
    let morning = serve(&known, chicago.day_begins(DAY).plus(HOUR)).conditions.observed.expect("observed");
    assert!(morning.maximum < 62_000, "{morning:?}");
    // What a check doubts rules nothing out.
    known.observations.push(Observation { quality: Quality::Suspect, ..observation(chicago, now.plus(-HOUR), 120.0) });
    assert_eq!(serve(&known, now).conditions.observed, Some(seen.clone()));

    let report = |high_f, is_final, received| ReportedHigh {
        city: chicago,
        date: DAY,
        source: SourceId::NwsClimateReport,
        stamps: at(chicago.day_begins(DAY), received),
        high_f,
        is_final,
    };
    known.reports.push(report(84.0, false, now.plus(-SECOND)));
    let bounded = serve(&known, now).conditions;
    let observed = bounded.observed.expect("reported");
    assert_eq!((observed.source.as_str(), observed.maximum, observed.bound), ("nws_climate_report", 84_000, 0));
    assert_eq!(bounded.official, None);
    known.reports.push(report(87.0, true, now.plus(HOUR)));
    assert_eq!(serve(&known, now).conditions.official, None, "not before it was received");
    assert_eq!(serve(&known, now.plus(HOUR)).conditions.official, Some(87));
}

#[test]
fn a_source_that_is_down_or_a_city_that_is_not_verified_has_no_opinion() {
    let chicago = city("CHI");
    let bound = Bound { sources: Sources::TRAINED, used: vec![SourceId::OpenMeteo, SourceId::NwsObservation] };
    let known = weather(chicago, 30);
    let reason = |sky: &Sky, markets: &[Market]| {
        let listed: Vec<&Market> = markets.iter().collect();
        let served = serving::serve(&listed, sky, |_| Some(&bound), FLOOR, afternoon(chicago));
        served.row.map(|_| ()).expect_err("no opinion").to_string()
    };
    let mut down = sky(known.clone());
    down.take(0, Err("status 503".to_owned()));
    let ours = markets(chicago, 0);
    assert_eq!(reason(&down, &ours), "recording: status 503");
    let mut partly = sky(known.clone());
    let error = isobar_weather::Error::Invalid { origin: "station".to_owned(), reason: "gone".to_owned() };
    partly.take(0, Ok(Answer { weather: known.clone(), missing: vec![(chicago, error)], ..Answer::default() }));
    assert_eq!(reason(&partly, &ours), "recording: station: gone");
    let mut elsewhere = ours.clone();
    elsewhere.iter_mut().for_each(|market| market.series = "KXHIGHNOWHERE".to_owned());
    assert_eq!(reason(&sky(known.clone()), &elsewhere), "no city is known for the series KXHIGHNOWHERE");
    let mut long_ago = ours;
    long_ago.iter_mut().for_each(|market| market.closes = Timestamp(1_000_000_000 * SECOND));
    assert!(reason(&sky(known), &long_ago).contains("not verified"));
}

#[test]
fn a_refresh_of_six_cities_takes_a_few_milliseconds_of_one_core() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut bundles = bundles(folder.path());
    let (mut known, mut listed) = (Weather::default(), Vec::new());
    for (code, first) in CITIES.iter().zip((0..).step_by(6)) {
        known.extend(weather(city(code), 3 * 365));
        listed.extend(markets(city(code), first));
    }
    // Every other round half a degree warmer: what did not change is not asked about again.
    let mut warmer = known.clone();
    warmer.forecasts.iter_mut().for_each(|forecast| forecast.high_f += 0.5);
    let skies = [sky(known), sky(warmer)];
    let start = afternoon(city("CHI"));
    let mut times: Vec<Duration> = (0..30)
        .map(|round| {
            let (begun, now) = (Instant::now(), start.plus(round * 60 * SECOND));
            let opinions =
                refresh(&mut bundles, &skies[usize::from(round % 2 == 1)], &listed, &BTreeMap::new(), FLOOR, now);
            let took = begun.elapsed();
            assert_eq!(opinions.len(), 6);
            assert!(opinions.iter().all(|opinion| opinion.forecast.outcome.is_ok()), "{opinions:?}");
            took
        })
        .collect();
    times.sort();
    // Whatever else the machine does can only make it slower: the best counts.
    println!(
        "six cities, three years of days each: best {:.2?}, p50 {:.2?}, worst {:.2?}",
        times[0], times[15], times[29]
    );
    assert!(times[0] < Duration::from_millis(20), "{times:?}");
}
