//! The registry of cities: `models/cities.toml`, read once.
//!
//! It owns what is known about a city and since when. One registry serves a process: the one built in, or a file that is
//! installed before any city is named. It refuses a table with doubt in it (two rows of one series, eras out of
//! order), so that a slip of the editor stops the start and not a position.

use crate::{City, SourceId};
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

const BUILT_IN: &str = include_str!("../../../models/cities.toml");

static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// Whose number decides a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettlementSource {
    /// Climatological Report (Daily) of the National Weather Service.
    NwsClimateReport,
    /// The Weather Company, `weather.com/kalshi`.
    WeatherCompany,
}

impl SettlementSource {
    /// Name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NwsClimateReport => "the National Weather Service's climate report",
            Self::WeatherCompany => "The Weather Company",
        }
    }
}

/// What the days of a city are settled on from some day on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Era {
    /// First climate day.
    #[serde(deserialize_with = "date")]
    pub valid_from: Date,
    /// Whose number decides.
    pub source: SettlementSource,
    /// The words by which the venue's rules name the place.
    #[serde(default)]
    pub places: Vec<String>,
    /// Whether a source confirms all of this. What is not confirmed is shown and never traded.
    pub verified: bool,
}

fn date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// Hours of the day, local standard time.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peak {
    pub(crate) winter: f64,
    pub(crate) spring: f64,
    pub(crate) summer: f64,
    pub(crate) autumn: f64,
}

/// A row of the table; [`City`] has the accessors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) series: String,
    pub(crate) station: String,
    pub(crate) report: String,
    pub(crate) zone: String,
    pub(crate) standard_hours: i64,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) peak_hour: Option<Peak>,
    pub(crate) settlement: Vec<Era>,
}

/// The table as a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    observation_error_f: BTreeMap<String, f64>,
    city: Vec<Row>,
}

/// A checked table of cities.
#[derive(Debug)]
pub struct Registry {
    rows: Vec<Row>,
    observation_error_f: BTreeMap<SourceId, f64>,
}

/// Why a registry is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no such table, or contradicts itself.
    #[error("the table of cities: {0}")]
    Invalid(String),
    /// Cities were named before; they would change their meaning.
    #[error("a registry of cities is in use already")]
    TooLate,
}

/// The registry of this process. The built-in one, unless another was installed first.
pub(crate) fn registry() -> &'static Registry {
    REGISTRY.get_or_init(|| Registry::parse(BUILT_IN).expect("the table in the repository is tested"))
}

impl Registry {
    /// Reads and checks a table.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] with the row.
    pub fn parse(text: &str) -> Result<Self, RegistryError> {
        let table: Table = toml::from_str(text).map_err(|error| RegistryError::Invalid(error.to_string()))?;
        let mut observation_error_f = BTreeMap::new();
        for (name, bound) in table.observation_error_f {
            let source = SourceId::from_name(&name)
                .ok_or_else(|| RegistryError::Invalid(format!("{name:?} is no source of observations")))?;
            if !(0.0..=20.0).contains(&bound) {
                return Err(RegistryError::Invalid(format!("an error of {bound} °F for {name} makes no sense")));
            }
            observation_error_f.insert(source, bound);
        }
        check(&table.city).map_err(RegistryError::Invalid)?;
        Ok(Self { rows: table.city, observation_error_f })
    }

    /// Makes the table at `path` that of this process, instead of the one built in.
    ///
    /// # Errors
    /// Where it cannot be read or is wrong, and where a city was named before.
    pub fn install(path: &Path) -> Result<(), RegistryError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| RegistryError::File { path: path.to_owned(), source })?;
        REGISTRY.set(Self::parse(&text)?).map_err(|_| RegistryError::TooLate)
    }

    /// The cities of this table.
    pub fn cities(&'static self) -> impl ExactSizeIterator<Item = City> + Clone {
        self.rows.iter().map(City::of)
    }

    pub(crate) fn observation_error_f(&self, source: SourceId) -> Option<f64> {
        self.observation_error_f.get(&source).copied()
    }
}

fn check(rows: &[Row]) -> Result<(), String> {
    if rows.is_empty() {
        return Err("it has no city".to_owned());
    }
    let mut seen = BTreeSet::new();
    for row in rows {
        let wrong = |what: &str| Err(format!("{}: {what}", row.code));
        for (kind, name) in
            [("code", &row.code), ("series", &row.series), ("station", &row.station), ("report", &row.report)]
        {
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
                return wrong(&format!("the {kind} {name:?} must be capital letters and digits"));
            }
            if !seen.insert((kind, name)) {
                return wrong(&format!("the {kind} {name} is that of another row"));
            }
        }
        if row.report.strip_prefix("CLI").is_none_or(|id| id.len() != 3) {
            return wrong(&format!("the report {} must be CLI and three letters", row.report));
        }
        if !(-90.0..=90.0).contains(&row.latitude) || !(-180.0..=180.0).contains(&row.longitude) {
            return wrong("latitude and longitude are no place on Earth");
        }
        // Against the time zone database it is tested, not checked here: a machine need not have one.
        if !(-12..=14).contains(&row.standard_hours) {
            return wrong(&format!("standard time cannot be {} hours from UTC", row.standard_hours));
        }
        let peaks = row.peak_hour.map(|peak| [peak.winter, peak.spring, peak.summer, peak.autumn]);
        if peaks.iter().flatten().any(|hour| !(0.0..24.0).contains(hour)) {
            return wrong("an hour of the peak is from 0 to 24");
        }
        if row.settlement.is_empty() || row.settlement.windows(2).any(|pair| pair[0].valid_from >= pair[1].valid_from) {
            return wrong("settlement needs eras, the oldest first");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_repository_holds_every_series_of_the_protocol() {
        let registry = Registry::parse(BUILT_IN).expect("valid");
        let series: BTreeSet<&str> = registry.rows.iter().map(|row| row.series.as_str()).collect();
        let first = ["NY", "PHIL", "MIA", "CHI", "AUS", "DEN", "LAX"].map(|end| format!("KXHIGH{end}"));
        let newer = ["ATL", "BOS", "DAL", "DC", "HOU", "LV", "MIN", "NOLA", "OKC", "PHX", "SATX", "SEA", "SFO"]
            .map(|end| format!("KXHIGHT{end}"));
        assert_eq!(series, first.iter().chain(&newer).map(String::as_str).collect());
    }

    #[test]
    fn a_table_with_doubt_in_it_is_refused() {
        let cases = [
            ("series = \"KXHIGHCHI\"", "series = \"KXHIGHAUS\"", "another row"),
            ("report = \"CLIMDW\"", "report = \"CF6MDW\"", "CLI and three letters"),
            ("standard_hours = -7", "standard_hours = -17", "-17 hours"),
            ("valid_from = \"2026-08-14\"", "valid_from = \"2020-08-14\"", "oldest first"),
            ("latitude = 41.7868", "latitude = 417868", "no place"),
            ("code = \"CHI\"", "code = \"CHI\"\nmayor = \"x\"", "mayor"),
            ("nws_observation = 2.0", "hearsay = 2.0", "hearsay"),
            ("nws_observation = 2.0", "nws_observation = -2.0", "no sense"),
            ("verified = true", "verified = \"yes\"", "invalid type"),
        ];
        for (from, to, word) in cases {
            assert!(BUILT_IN.contains(from), "{from}");
            let error = Registry::parse(&BUILT_IN.replacen(from, to, 1)).expect_err(to);
            assert!(error.to_string().contains(word), "{to}: {error}");
        }
    }

    #[test]
    fn only_sources_of_the_station_itself_bound_the_high() {
        let registry = Registry::parse(BUILT_IN).expect("valid");
        assert_eq!(registry.observation_error_f(SourceId::NwsObservation), Some(2.0));
        assert_eq!(registry.observation_error_f(SourceId::VisualCrossing), None);
        assert_eq!(registry.observation_error_f(SourceId::Database), None);
    }
}
