//! Makes the sources of weather that the configuration names. Secrets come from the environment and are told to nobody.

use crate::config::{DATABASE_OF_WEATHER, KEY_OF_VISUAL_CROSSING, Weather};
use anyhow::{Context, Result, bail};
use isobar_engine::units::SECOND;
use isobar_weather::{
    City, ClimateReports, Database, Grid, Observations, OpenMeteo, Patience, Provider, Queries, Secret, Source,
    SourceId, VisualCrossing, client, read_recorded,
};
use std::time::Duration;

/// Longest that one answer may take, tries and pauses together.
const DEADLINE: Duration = Duration::from_secs(10);

/// How far back observations are asked for: the days that tell the usual hour of the peak.
const BACK: i64 = 10 * 86_400 * SECOND;

/// Climate reports of a station that are read: two or three come a day.
const REPORTS: usize = 14;

/// The sources to ask about the cities of `series`: those of the simulated exchange whose pages begin with `simulated`, or
/// those that the configuration names. Recorded files come last, so that a source that is down is not hidden by them.
pub fn sources(weather: &Weather, series: &[String], simulated: Option<&str>) -> Result<Vec<Provider>> {
    // A client each: every source has a runtime of its own, which stands still between two questions. A connection that one
    // opened does nothing for another, even to the same host.
    let client = || client(&weather.contact);
    let cities: Vec<City> = series.iter().filter_map(|series| City::from_series(series)).collect();
    let patience = Patience { deadline: DEADLINE, ..Patience::default() };
    let mut sources: Vec<Provider> = match simulated {
        // Its rows hold the days before as well, which Open-Meteo's pages do not.
        Some(origin) => {
            let nws = format!("{origin}/sim/nws");
            let observations = Observations::new(client()?, &nws, &cities, BACK, patience);
            vec![Source::new(client()?, origin, DEADLINE).into(), observations.into()]
        }
        None => weather
            .sources
            .iter()
            .map(|name| source(name, weather, client()?, &cities, patience))
            .collect::<Result<_>>()?,
    };
    if !weather.history.is_empty() {
        let mut history = isobar_weather::Weather::default();
        for file in &weather.history {
            let days = read_recorded(file).with_context(|| format!("weather.history: {}", file.display()))?;
            history.extend(isobar_weather::Weather::from_iter(days));
        }
        sources.push(Provider::Recorded(history));
    }
    Ok(sources)
}

fn source(
    name: &str,
    weather: &Weather,
    client: reqwest::Client,
    cities: &[City],
    patience: Patience,
) -> Result<Provider> {
    Ok(match SourceId::from_name(name).with_context(|| format!("weather.sources: no source is named {name}"))? {
        SourceId::OpenMeteo => OpenMeteo::new(client, &weather.open_meteo, cities, patience).into(),
        SourceId::NwsObservation => Observations::new(client, &weather.nws, cities, BACK, patience).into(),
        SourceId::NwsGridpoint => Grid::new(client, &weather.nws, cities, patience).into(),
        SourceId::NwsClimateReport => ClimateReports::new(client, &weather.nws, cities, REPORTS, patience).into(),
        SourceId::VisualCrossing => {
            let key = secret(KEY_OF_VISUAL_CROSSING)?;
            VisualCrossing::new(client, &weather.visual_crossing, key, cities, patience).into()
        }
        SourceId::Database => {
            let address = secret(DATABASE_OF_WEATHER)?;
            Provider::Database(Box::new(Database::new(&address, Queries::default(), BACK, DEADLINE)?))
        }
        other => bail!("weather.sources: {other} cannot be asked"),
    })
}

fn secret(variable: &str) -> Result<Secret> {
    let text =
        std::env::var(variable).with_context(|| format!("weather.sources needs {variable} in the environment"))?;
    Ok(Secret::new(&text))
}
