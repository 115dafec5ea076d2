//! Every source of weather that is asked over HTTP, against the simulated services over real sockets: what it tells, and
//! what it does not tell when the service fails.

use isobar_engine::units::{SECOND, Timestamp};
use isobar_sim::{Config, Running, Scene, Sim, Speed};
use isobar_weather::{
    Answer, City, ClimateReports, Error, Grid, Listed, OPEN_METEO_MODELS, Observations, OpenMeteo, Patience, Provider,
    Quality, Secret, Source, SourceId, VisualCrossing, check_settlement, client,
};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const HOUR: i64 = 3_600 * SECOND;

/// A simulated day at noon of Chicago, and its clock.
struct World {
    sim: Running,
    started: Instant,
}

impl World {
    fn start() -> Self {
        let scene = Scene::Simulated {
            date: jiff::civil::date(2026, 7, 1),
            start: jiff::civil::time(12, 0, 0, 0),
            frames: None,
        };
        let started = Instant::now();
        let sim = Sim::start(Config { scene, speed: Speed::Factor(1), ..Config::default() }).expect("a simulation");
        Self { sim, started }
    }

    /// The scene's clock, give or take what a start takes.
    fn now(&self) -> Timestamp {
        let noon = Timestamp(1_782_928_800 * SECOND);
        noon.plus(i64::try_from(self.started.elapsed().as_nanos()).expect("a short test"))
    }

    async fn ask(&self, provider: &mut Provider) -> Result<Answer, Error> {
        provider.fetch(&|| self.now()).await
    }

    /// The next `times` answers of addresses with `path` in them are spoiled.
    async fn fault(&self, kind: &str, times: u32, path: &str) {
        let body = format!(r#"{{{kind},"times":{times},"path":"{path}"}}"#);
        let client = client("test").expect("a client");
        let call =
            client.post(format!("{}/weather/fault", self.sim.sim_url)).header("content-type", "application/json");
        let answer = call.body(body).send().await.expect("the simulation is there");
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    fn provider(&self, of: Kind, cities: &[City], patience: Patience) -> Provider {
        let (client, base) = (client("test").expect("a client"), &self.sim.sim_url);
        match of {
            Kind::Observations => Observations::new(client, &format!("{base}/nws"), cities, 30 * HOUR, patience).into(),
            Kind::Grid => Grid::new(client, &format!("{base}/nws"), cities, patience).into(),
            Kind::ClimateReports => ClimateReports::new(client, &format!("{base}/nws"), cities, 6, patience).into(),
            Kind::OpenMeteo => OpenMeteo::new(client, &format!("{base}/open-meteo/"), cities, patience).into(),
            Kind::VisualCrossing => {
                let key = Secret::new("good-s3cret");
                VisualCrossing::new(client, &format!("{base}/visual-crossing"), key, cities, patience).into()
            }
        }
    }

    /// What the scene itself says.
    async fn truth(&self) -> Answer {
        let base = self.sim.sim_url.trim_end_matches("/sim");
        let source = Source::new(client("test").expect("a client"), base, Duration::from_secs(5));
        self.ask(&mut source.into()).await.expect("the simulation is there")
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Observations,
    Grid,
    ClimateReports,
    OpenMeteo,
    VisualCrossing,
}

const KINDS: [Kind; 5] = [Kind::Observations, Kind::Grid, Kind::ClimateReports, Kind::OpenMeteo, Kind::VisualCrossing];

/// The six of the simulation.
fn cities() -> Vec<City> {
    ["AUS", "CHI", "DEN", "LAX", "MIA", "PHIL"].map(|code| City::from_code(code).expect("a city")).to_vec()
}

/// Every request asks the server.
fn impatient() -> Patience {
    Patience { deadline: Duration::from_millis(2_000), interval: 0, most_bytes: 8 << 20 }
}

fn told(answer: &Answer) -> BTreeSet<City> {
    let weather = &answer.weather;
    let observed = weather.observations.iter().map(|value| value.city);
    let forecast = weather.forecasts.iter().map(|value| value.city);
    observed.chain(forecast).chain(weather.reports.iter().map(|value| value.city)).collect()
}

#[tokio::test]
async fn each_source_tells_the_weather_of_the_scene_and_nothing_ahead_of_it() {
    let world = World::start();
    let truth = world.truth().await;
    let today = jiff::civil::date(2026, 7, 1);
    let all: BTreeSet<City> = cities().into_iter().collect();
    for kind in KINDS {
        let answer = world
            .ask(&mut world.provider(kind, &cities(), impatient()))
            .await
            .unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        assert_eq!((told(&answer), answer.dropped.0, answer.missing.len()), (all.clone(), 0, 0), "{kind:?}");
        let now = world.now();
        let weather = &answer.weather;
        let stamps = weather.observations.iter().map(|value| value.stamps);
        let stamps = stamps.chain(weather.forecasts.iter().map(|value| value.stamps));
        for stamps in stamps.chain(weather.reports.iter().map(|value| value.stamps)) {
            assert!(stamps.published <= stamps.received && stamps.received <= now, "{kind:?} {stamps:?}");
        }
        assert!(weather.observations.iter().all(|seen| seen.stamps.event <= now), "{kind:?}");
        match kind {
            Kind::Observations => {
                for city in cities() {
                    let seen: Vec<_> = weather.observations.iter().filter(|seen| seen.city == city).collect();
                    assert!(seen.len() > 13 * 29, "{city}: every five minutes and once an hour");
                    let newest = seen.last().expect("not empty");
                    assert!(now.since(newest.stamps.event) < 10 * 60 * SECOND, "{city}");
                    assert!(seen.iter().all(|seen| seen.quality == Quality::Good && seen.temperature_f.is_some()));
                    // Yesterday's settled high is rounded; a reading is rounded to whole degrees Celsius.
                    let yesterday = today.yesterday().expect("not the first day");
                    let readings = seen.iter().filter(|seen| city.day_at(seen.stamps.event) == yesterday);
                    let highest = readings.filter_map(|seen| seen.temperature_f).fold(f64::MIN, f64::max);
                    let high = truth
                        .weather
                        .reports
                        .iter()
                        .find(|r| r.city == city && r.date == yesterday)
                        .expect("it is over");
                    let bound = city.observation_error_f(SourceId::NwsObservation).expect("a station");
                    assert!((highest - high.high_f).abs() <= bound, "{city}: {highest} read, {} settled", high.high_f);
                }
            }
            Kind::Grid => {
                assert!(
                    weather.forecasts.iter().all(|high| high.date == today && high.source == SourceId::NwsGridpoint)
                );
            }
            Kind::ClimateReports => {
                for report in &weather.reports {
                    assert!(report.is_final || report.date < today, "{report:?}: it is noon");
                    let mut same =
                        truth.weather.reports.iter().filter(|t| t.city == report.city && t.date == report.date);
                    let high = same.next().expect("the day is over").high_f;
                    // The part of a day that is in an intermediate report cannot be warmer than the day.
                    assert!(
                        if report.is_final { report.high_f == high } else { report.high_f <= high },
                        "{report:?} {high}"
                    );
                }
                assert!(weather.reports.iter().any(|r| r.is_final) && weather.reports.iter().any(|r| !r.is_final));
            }
            Kind::OpenMeteo => {
                assert_eq!(weather.forecasts.len(), 6 * OPEN_METEO_MODELS.len(), "tomorrow has none yet");
                for high in &weather.forecasts {
                    let same = |other: &&isobar_weather::HighForecast| {
                        (other.city, other.date, &other.model) == (high.city, high.date, &high.model)
                    };
                    let scene = truth.weather.forecasts.iter().find(same).expect("of the scene");
                    assert_eq!((high.high_f, high.date), (scene.high_f, today));
                }
            }
            Kind::VisualCrossing => {
                assert_eq!(weather.forecasts.len(), 6, "today's high of each city");
                assert!(weather.observations.len() > 6 * 24);
            }
        }
    }
}

#[tokio::test]
async fn a_service_that_fails_says_nothing_and_what_it_said_before_is_not_repeated() {
    let world = World::start();
    let slow = Patience { deadline: Duration::from_millis(700), ..impatient() };
    for kind in KINDS {
        let mut provider = world.provider(kind, &cities()[..2], slow);
        let before = world.ask(&mut provider).await.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        // Each in turn: the first two are worth another try, which fails too; the others are not.
        for (fault, later) in [
            (r#""kind":"status","status":500"#, true),
            (r#""kind":"slow","millis":1000"#, true),
            (r#""kind":"partial""#, true),
            (r#""kind":"garbage""#, false),
            (r#""kind":"truncated""#, false),
            (r#""kind":"status","status":404"#, false),
            (r#""kind":"huge""#, false),
        ] {
            world.fault(fault, 1_000, "").await;
            let Err(error) = world.ask(&mut provider).await else { panic!("{kind:?} {fault}: it was answered") };
            match &error {
                Error::Unavailable { .. } => assert!(later, "{kind:?} {fault}: {error}"),
                Error::Invalid { .. } => assert!(!later, "{kind:?} {fault}: {error}"),
                Error::File { .. } => panic!("{error}"),
            }
            assert!(!error.to_string().contains("s3cret"), "{error}");
            world.heal().await;
        }
        let after = world.ask(&mut provider).await.unwrap_or_else(|e| panic!("{kind:?} after: {e}"));
        assert_eq!(told(&after), told(&before), "{kind:?}");
        // What it says again was received when it said it first.
        if let (Some(first), Some(again)) = (before.weather.forecasts.first(), after.weather.forecasts.first()) {
            assert_eq!(again.stamps, first.stamps, "{kind:?}");
        }
    }
}

impl World {
    /// Ends all faults.
    async fn heal(&self) {
        let client = client("test").expect("a client");
        let answer = client.post(format!("{}/weather/heal", self.sim.sim_url)).send().await.expect("it is there");
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}

#[tokio::test]
async fn what_fails_once_is_asked_for_again() {
    let world = World::start();
    for fault in [r#""kind":"status","status":503"#, r#""kind":"status","status":429"#, r#""kind":"partial""#] {
        for kind in KINDS {
            world.fault(fault, 2, "").await;
            let answer = world.ask(&mut world.provider(kind, &cities(), impatient())).await;
            let answer = answer.unwrap_or_else(|error| panic!("{kind:?} {fault}: {error}"));
            assert_eq!((told(&answer).len(), answer.missing.len()), (6, 0), "{kind:?} {fault}");
        }
    }
}

#[tokio::test]
async fn one_station_that_fails_is_missing_and_the_others_are_there() {
    let world = World::start();
    world.fault(r#""kind":"status","status":404"#, 100, "KMDW").await;
    let answer = world.ask(&mut world.provider(Kind::Observations, &cities(), impatient())).await.expect("five cities");
    let chicago = City::from_code("CHI").expect("a city");
    assert_eq!(answer.missing.iter().map(|(city, _)| *city).collect::<Vec<_>>(), [chicago]);
    assert!(told(&answer).len() == 5 && !told(&answer).contains(&chicago));
}

#[tokio::test]
async fn a_page_that_was_confirmed_a_moment_ago_is_not_asked_for_again() {
    let world = World::start();
    let mut provider = world.provider(Kind::OpenMeteo, &cities(), Patience { interval: 60 * SECOND, ..impatient() });
    let first = world.ask(&mut provider).await.expect("an answer");
    world.fault(r#""kind":"status","status":404"#, 1, "").await;
    let again = world.ask(&mut provider).await.expect("nobody was asked");
    assert_eq!(again.weather, first.weather);
    // Once the interval is over the server is asked, and what it said is not said again.
    let later = world.now().plus(61 * SECOND);
    assert!(provider.fetch(&|| later).await.is_err());
}

#[tokio::test]
async fn the_rules_of_the_simulation_agree_with_the_registry() {
    let world = World::start();
    let get = async |path: &str| {
        let client = client("test").expect("a client");
        let answer = client.get(format!("{}/{path}", world.sim.rest_url)).send().await.expect("it is there");
        answer.json::<serde_json::Value>().await.expect("json")
    };
    for city in cities() {
        let series = get(&format!("series/{}", city.series())).await;
        let listed = series["series"]["settlement_sources"].as_array().expect("sources").clone();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("").to_owned();
        let sources: Vec<_> = listed.iter().map(|one| (text(&one["name"]), text(&one["url"]))).collect();
        let sources: Vec<_> = sources.iter().map(|(name, url)| (name.as_str(), url.as_str())).collect();
        let markets = get(&format!("markets?series_ticker={}", city.series())).await;
        let markets = markets["markets"].as_array().expect("markets").clone();
        assert_eq!(markets.len(), 6, "{city}");
        for market in &markets {
            let (rules, date) = (text(&market["rules_primary"]), jiff::civil::date(2026, 7, 1));
            let listed = Listed { series: city.series(), date, rules: &rules, sources: &sources };
            assert_eq!(check_settlement(&listed), Ok(city), "{rules}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_refused_is_told_to_nobody() {
    let world = World::start();
    let key = Secret::new("bad-s3cret");
    let base = format!("{}/visual-crossing", world.sim.sim_url);
    let mut refused: Provider =
        VisualCrossing::new(client("test").expect("a client"), &base, key.clone(), &cities(), impatient()).into();
    let Err(error) = world.ask(&mut refused).await else { panic!("the key is refused") };
    let mut nowhere: Provider =
        VisualCrossing::new(client("test").expect("a client"), "http://127.0.0.1:1", key, &cities(), impatient())
            .into();
    let Err(closed) = world.ask(&mut nowhere).await else { panic!("nobody listens there") };
    assert!(matches!((&error, &closed), (Error::Invalid { .. }, Error::Unavailable { .. })), "{error} {closed}");
    for text in [format!("{error} {error:?}"), format!("{closed} {closed:?}"), format!("{refused:?} {nowhere:?}")] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}
