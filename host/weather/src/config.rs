//! Sources as a configuration names them, and how they are opened.
//!
//! It owns the defaults of each kind. It refuses to read the environment: who looks a key up there hands in the way.

use crate::provider::{
    ClimateReports, Database, FORECASTS_SQL, Grid, OBSERVATIONS_SQL, Observations, OpenMeteo, Provider, Queries,
    VisualCrossing,
};
use crate::transport::Patience;
use crate::{City, Error, Secret, Source};
use isobar_engine::units::SECOND;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Climate reports of a station that are read: it issues two or three a day, so these are the last days.
const REPORTS: usize = 12;

/// How far back observations are asked for, hours: yesterday and today. The National Weather Service answers with 500 at
/// most, which is 38 hours.
const BACK_H: u32 = 36;

/// Which service it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Station observations of the National Weather Service.
    NwsObservations,
    /// Its gridpoint forecasts.
    NwsGrid,
    /// Its daily climate reports.
    NwsClimateReports,
    /// Open-Meteo's forecasts.
    OpenMeteo,
    /// Visual Crossing's timeline. Needs a key.
    VisualCrossing,
    /// A PostgreSQL database with the guide's tables. Its address is the secret.
    Database,
    /// The simulated exchange's own rows.
    Simulated,
}

impl SourceKind {
    /// Where the service is; nothing where it must be said.
    const fn base(self) -> Option<&'static str> {
        match self {
            Self::NwsObservations | Self::NwsGrid | Self::NwsClimateReports => Some("https://api.weather.gov"),
            Self::OpenMeteo => Some("https://api.open-meteo.com"),
            Self::VisualCrossing => Some("https://weather.visualcrossing.com"),
            Self::Database | Self::Simulated => None,
        }
    }

    /// Seconds between two requests of a page: what is new more seldom need not be asked for more often.
    const fn interval_s(self) -> i64 {
        match self {
            Self::NwsObservations | Self::Database | Self::Simulated => 60,
            Self::NwsClimateReports => 120,
            Self::VisualCrossing => 300,
            Self::NwsGrid | Self::OpenMeteo => 600,
        }
    }
}

/// One source of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Which service.
    pub kind: SourceKind,
    /// Address of the service, where it is not the public one: a proxy, or the simulation.
    #[serde(default)]
    pub base: Option<String>,
    /// Seconds, on the run's clock, between two requests of one page.
    #[serde(default)]
    pub interval_s: Option<u32>,
    /// Longest that one page may take, milliseconds, tries and pauses together.
    #[serde(default)]
    pub deadline_ms: Option<u32>,
    /// How far back observations are asked for, hours.
    #[serde(default)]
    pub back_h: Option<u32>,
    /// Name of the environment variable that holds the key, or the address of the database.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// File that holds it.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Question for observations, where the database is not the guide's.
    #[serde(default)]
    pub observations_sql: Option<String>,
    /// Question for forecasts.
    #[serde(default)]
    pub forecasts_sql: Option<String>,
}

impl SourceConfig {
    /// A service as it is when nothing else is said.
    pub const fn new(kind: SourceKind) -> Self {
        Self {
            kind,
            base: None,
            interval_s: None,
            deadline_ms: None,
            back_h: None,
            secret_env: None,
            secret_file: None,
            observations_sql: None,
            forecasts_sql: None,
        }
    }

    /// Opens the source for these cities. Nothing is asked yet. `environment` looks up a variable.
    ///
    /// # Errors
    /// [`Error::Invalid`] where something is missing, [`Error::File`] where the file of the secret cannot be read.
    pub fn open(
        &self,
        client: &reqwest::Client,
        cities: &[City],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Provider, Error> {
        let kind = self.kind;
        let wrong =
            |reason: &str| Error::Invalid { origin: format!("weather source {kind:?}"), reason: reason.to_owned() };
        let deadline = Duration::from_millis(u64::from(self.deadline_ms.unwrap_or(10_000)));
        let interval = self.interval_s.map_or(kind.interval_s(), i64::from) * SECOND;
        let patience = Patience { deadline, interval, ..Patience::default() };
        let base = || self.base.as_deref().or(kind.base()).ok_or_else(|| wrong("it has no public address: set `base`"));
        let back = i64::from(self.back_h.unwrap_or(BACK_H)) * 3_600 * SECOND;
        let secret = || match (&self.secret_file, &self.secret_env) {
            (Some(path), None) => Secret::read(path).map_err(|source| Error::File { path: path.clone(), source }),
            (None, Some(name)) => environment(name)
                .filter(|value| !value.trim().is_empty())
                .map(|value| Secret::new(&value))
                .ok_or_else(|| wrong(&format!("the environment has no {name}"))),
            (None, None) => Err(wrong("it needs `secret_env` or `secret_file`")),
            (Some(_), Some(_)) => Err(wrong("`secret_env` and `secret_file` are one too many")),
        };
        let client = client.clone();
        Ok(match kind {
            SourceKind::NwsObservations => Observations::new(client, base()?, cities, back, patience).into(),
            SourceKind::NwsGrid => Grid::new(client, base()?, cities, patience).into(),
            SourceKind::NwsClimateReports => ClimateReports::new(client, base()?, cities, REPORTS, patience).into(),
            SourceKind::OpenMeteo => OpenMeteo::new(client, base()?, cities, patience).into(),
            SourceKind::VisualCrossing => VisualCrossing::new(client, base()?, secret()?, cities, patience).into(),
            SourceKind::Database => {
                let or = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
                let queries = Queries {
                    observations: or(&self.observations_sql, OBSERVATIONS_SQL),
                    forecasts: or(&self.forecasts_sql, FORECASTS_SQL),
                };
                Provider::Database(Box::new(Database::new(&secret()?, queries, back, deadline)?))
            }
            SourceKind::Simulated => Source::new(client, base()?, deadline).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Result<&'static str, String> {
        let config: SourceConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        let client = crate::client("test").expect("a client");
        let cities: Vec<City> = City::all().collect();
        let environment = |name: &str| (name == "VC_KEY").then(|| "k3y".to_owned());
        config.open(&client, &cities, environment).map(|source| source.name()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_few_words_open_a_source() {
        assert_eq!(open("kind = \"nws_observations\""), Ok("NWS observations"));
        assert_eq!(open("kind = \"open_meteo\"\nbase = \"http://127.0.0.1:1\"\ninterval_s = 5"), Ok("Open-Meteo"));
        assert_eq!(open("kind = \"visual_crossing\"\nsecret_env = \"VC_KEY\""), Ok("Visual Crossing"));
    }

    #[tokio::test]
    async fn what_is_missing_or_unknown_is_named() {
        for (text, word) in [
            ("kind = \"visual_crossing\"", "secret_env"),
            ("kind = \"visual_crossing\"\nsecret_env = \"OTHER\"", "no OTHER"),
            ("kind = \"visual_crossing\"\nsecret_file = \"/nowhere/key\"", "/nowhere/key"),
            ("kind = \"database\"\nsecret_env = \"VC_KEY\"", "postgres://user"),
            ("kind = \"simulated\"", "`base`"),
            ("kind = \"hearsay\"", "hearsay"),
            ("kind = \"open_meteo\"\nkey = \"k3y\"", "key"),
        ] {
            let reason = open(text).expect_err(text);
            assert!(reason.contains(word), "{text}: {reason}");
        }
        assert!(!open("kind = \"database\"\nsecret_env = \"VC_KEY\"").expect_err("no address").contains("k3y"));
    }
}
