//! From weather to what a model may see: features by name with their sources, and what the day itself has shown.

use isobar_engine::market::Market;
use isobar_engine::opinion::Conditions;
use isobar_engine::units::{Probability, SECOND, Timestamp};
use isobar_inference::{Given, NoOpinion, Sources};
use isobar_weather::{City, DailyWeather, NAMES, features};

/// What a source knows.
pub type Weather = Vec<DailyWeather>;

/// What can be said about one city-day before a model is asked.
pub struct Served {
    /// Short name of the city, or the series where none is known.
    pub city: String,
    pub row: Result<Row, NoOpinion>,
    pub conditions: Conditions,
}

/// Features with their provenance.
pub struct Row {
    values: Vec<(&'static str, Vec<&'static str>, f32)>,
    /// When the newest value of all was published.
    pub issued: Timestamp,
    /// When the newest value of each source was published.
    pub published: Vec<(&'static str, Timestamp)>,
}

impl Row {
    pub fn given(&self) -> Vec<Given<'_>> {
        self.values.iter().map(|(name, sources, value)| Given { name, sources, value: *value }).collect()
    }
}

/// The features that this host serves to a model that is bound to `sources`, with the sources of each. The error says
/// which source is not there.
pub fn served(sources: &Sources) -> Result<Vec<(&'static str, Vec<&'static str>)>, String> {
    let [forecast, report] = ["open_meteo", "nws_climate_report"];
    for (wanted, ours) in [(&sources.forecast, forecast), (&sources.report, report)] {
        if wanted != ours {
            return Err(format!("the host has no {wanted}, only {ours}"));
        }
    }
    Ok(NAMES.iter().map(|name| (*name, sources_of(name))).collect())
}

fn sources_of(name: &str) -> Vec<&'static str> {
    match name.split('_').next() {
        Some("fcst") => vec!["open_meteo"],
        Some("high") => vec!["nws_climate_report"],
        Some("error") => vec!["open_meteo", "nws_climate_report"],
        _ => vec![],
    }
}

/// Features and conditions of the city-day that `markets` are about.
pub fn serve(markets: &[Market], weather: &Result<Weather, NoOpinion>, floor: Probability, at: Timestamp) -> Served {
    let conditions = Conditions { floor, ..Conditions::NONE };
    let series = markets.first().map_or("", |market| market.series.as_str());
    let Some(city) = City::from_series(series) else {
        let row = Err(NoOpinion::NoInputs(format!("no city is known for the series {series}")));
        return Served { city: series.to_owned(), row, conditions };
    };
    // A market closes at the end of its climate day, to the minute or one before it.
    let closes = markets.iter().map(|market| market.closes).max().unwrap_or(at);
    let date = city.day_at(closes.plus(-12 * 3_600 * SECOND));
    let row = weather.as_ref().map_err(NoOpinion::clone).and_then(|weather| {
        let row = features(city, date, at, weather).map_err(|reason| NoOpinion::NoInputs(reason.to_string()))?;
        let values = row.values.iter().map(|(name, value)| (*name, sources_of(name), *value)).collect();
        Ok(Row { values, issued: row.issued, published: vec![("open_meteo", row.issued)] })
    });
    Served { city: city.code().to_owned(), row, conditions }
}
