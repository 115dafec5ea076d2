//! What the sources of weather said last. Each is asked on a thread of its own, so that a slow one holds no other back.
//!
//! It refuses to remember for a source that is down: what it said before is gone, and whoever needs it is told why.

use crate::clock::Clock;
use isobar_weather::{Answer, City, Provider, SourceId, Weather};
use std::collections::BTreeMap;
use std::time::Duration;

/// Shortest pause between two questions to one source, however fast the run's clock goes, and the longest.
const PAUSE: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// One source.
struct Told {
    name: &'static str,
    serves: &'static [SourceId],
    /// What it said last; nothing while it was not heard.
    answer: Option<Result<Answer, String>>,
}

/// What all of them said.
pub struct Sky {
    sources: Vec<Told>,
    /// What is known, apart by city: each is looked at alone, again and again.
    weather: BTreeMap<City, Weather>,
    nothing: Weather,
}

impl Sky {
    /// Nothing has been said yet by these.
    pub fn of(providers: &[Provider]) -> Self {
        let told = |provider: &Provider| Told { name: provider.name(), serves: serves(provider), answer: None };
        Self { sources: providers.iter().map(told).collect(), weather: BTreeMap::new(), nothing: Weather::default() }
    }

    /// Takes what a source says now over what it said before.
    pub fn take(&mut self, source: usize, answer: Result<Answer, String>) {
        self.sources[source].answer = Some(answer);
        self.weather.clear();
        for answer in self.sources.iter().filter_map(|told| told.answer.as_ref()?.as_ref().ok()) {
            let Weather { observations, forecasts, reports } = &answer.weather;
            for value in observations {
                self.weather.entry(value.city).or_default().observations.push(value.clone());
            }
            for value in forecasts {
                self.weather.entry(value.city).or_default().forecasts.push(value.clone());
            }
            for value in reports {
                self.weather.entry(value.city).or_default().reports.push(value.clone());
            }
        }
    }

    /// Whether every source has said something, if only that it is down.
    pub fn is_heard(&self) -> bool {
        self.sources.iter().all(|told| told.answer.is_some())
    }

    /// All that is known of a city.
    pub fn weather(&self, city: City) -> &Weather {
        self.weather.get(&city).unwrap_or(&self.nothing)
    }

    /// Whose values there can be.
    pub fn served(&self) -> Vec<SourceId> {
        self.sources.iter().flat_map(|told| told.serves).copied().collect()
    }

    /// Why a source says nothing about a city now, where it should.
    pub fn silence(&self, source: SourceId, city: City) -> Option<String> {
        let told = self.sources.iter().find(|told| told.serves.contains(&source))?;
        match told.answer.as_ref() {
            None => Some(format!("{} has not answered yet", told.name)),
            Some(Err(reason)) => Some(format!("{}: {reason}", told.name)),
            Some(Ok(answer)) => {
                let missing = answer.missing.iter().find(|(missing, _)| *missing == city);
                missing.map(|(_, reason)| format!("{}: {reason}", told.name))
            }
        }
    }
}

/// Whose values a provider gives. The simulated exchange's rows stand for the sources that the bundles are trained for.
const fn serves(provider: &Provider) -> &'static [SourceId] {
    match provider {
        Provider::Observations(_) => &[SourceId::NwsObservation],
        Provider::Grid(_) => &[SourceId::NwsGridpoint],
        Provider::ClimateReports(_) => &[SourceId::NwsClimateReport],
        Provider::OpenMeteo(_) => &[SourceId::OpenMeteo],
        Provider::VisualCrossing(_) => &[SourceId::VisualCrossing],
        Provider::Database(_) => &[SourceId::Database],
        Provider::Simulated(_) => &[SourceId::OpenMeteo, SourceId::NwsClimateReport],
        Provider::Recorded(_) => &SourceId::ALL,
    }
}

/// How soon a source that failed is asked again, nanoseconds of the run.
const RETRY: i64 = 2_000_000_000;

/// Asks every source again and again, `period` nanoseconds of the run apart, until `tell` says that nobody listens.
pub fn ask(
    providers: Vec<Provider>,
    clock: Clock,
    period: i64,
    tell: impl Fn(usize, Result<Answer, String>) -> bool + Clone + Send + 'static,
) -> std::io::Result<()> {
    for (index, mut provider) in providers.into_iter().enumerate() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tell = tell.clone();
        let look = move || {
            loop {
                let answer = runtime.block_on(provider.fetch(&|| clock.now()));
                // A source that failed is missed: it is asked again sooner.
                let period = if answer.is_err() { period.min(RETRY) } else { period };
                if !tell(index, answer.map_err(|error| error.to_string())) {
                    return;
                }
                let [least, most] = PAUSE;
                std::thread::sleep(clock.wall_until(clock.now().plus(period)).clamp(least, most));
            }
        };
        std::thread::Builder::new().name("weather".to_owned()).spawn(look)?;
    }
    Ok(())
}
