//! Opens the sources of weather of a run. Secrets come from the environment and are told to nobody.

use crate::config::{Weather, environment};
use anyhow::{Context, Result};
use isobar_weather::{City, Provider, SourceConfig, SourceKind, client, read_recorded};

/// The sources to ask about the cities of `series`: those of the simulated exchange at `simulated`, or those of the
/// configuration. Recorded files come last, so that a source that is down is not hidden by them.
pub fn sources(weather: &Weather, series: &[String], simulated: Option<&str>) -> Result<Vec<Provider>> {
    let cities: Vec<City> = series.iter().filter_map(|series| City::from_series(series)).collect();
    let configured = simulated.map_or_else(|| weather.sources.clone(), |origin| of_simulation(origin).to_vec());
    // A client each: every source has a runtime of its own, which stands still between two questions, and a connection that
    // one opened does nothing for another, even to the same host.
    let open = |source: &SourceConfig| -> Result<Provider> {
        Ok(source.open(&client(&weather.contact)?, &cities, environment)?)
    };
    let mut sources: Vec<Provider> = configured.iter().map(open).collect::<Result<_>>()?;
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

/// The sources of a simulated exchange. Its rows hold the days before as well, which no page of forecasts does.
fn of_simulation(origin: &str) -> [SourceConfig; 2] {
    let rows = SourceConfig { base: Some(origin.to_owned()), ..SourceConfig::new(SourceKind::Simulated) };
    let station =
        SourceConfig { base: Some(format!("{origin}/sim/nws")), ..SourceConfig::new(SourceKind::NwsObservations) };
    [rows, station]
}
