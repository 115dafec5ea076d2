//! An existing PostgreSQL database with the guide's tables `wx.vc_minute_weather` and `wx.vc_forecast_daily`.
//!
//! It only reads. What the two questions are is configuration, since the database is not ours: each names its columns as
//! [`OBSERVATIONS_SQL`] and [`FORECASTS_SQL`] do. A row was received when it was written, so a question about the past
//! answers with what was known then. The address may hold a password and is never shown.

use super::Answer;
use crate::quality::{self, Dropped};
use crate::transport::Now;
use crate::{City, Error, HighForecast, Observation, Quality, Secret, SourceId, Stamps};
use isobar_engine::units::{SECOND, Timestamp};
use jiff::civil::Date;
use sqlx::Row;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use std::str::FromStr;
use std::time::Duration;

/// Observations of stations since `$1` that were written until `$2`, both microseconds since 1970.
pub const OBSERVATIONS_SQL: &str = "\
SELECT l.kalshi_code AS city, m.datetime_epoch_utc * 1000000 AS event_us,
       (EXTRACT(EPOCH FROM m.created_at) * 1000000)::bigint AS received_us,
       m.temp_f, m.humidity, m.pressure_mb AS pressure_hpa, m.windspeed_mph AS wind_mph, m.cloudcover AS cloud_pct
FROM wx.vc_minute_weather m JOIN wx.vc_location l ON l.id = m.vc_location_id
WHERE m.data_type IN ('actual_obs', 'current_snapshot') AND NOT m.is_forward_filled AND l.location_type = 'station'
  AND m.datetime_epoch_utc * 1000000 >= $1 AND m.created_at <= to_timestamp($2 / 1000000.0)
ORDER BY m.datetime_epoch_utc, m.created_at
LIMIT 100000";

/// Forecast highs of days since `$1` (text, `2026-07-01`) that were written until `$2`, microseconds since 1970.
pub const FORECASTS_SQL: &str = "\
SELECT l.kalshi_code AS city, f.target_date::text AS date, f.tempmax_f AS high_f,
       (EXTRACT(EPOCH FROM COALESCE(f.forecast_basis_datetime_utc, f.created_at)) * 1000000)::bigint AS published_us,
       (EXTRACT(EPOCH FROM f.created_at) * 1000000)::bigint AS received_us
FROM wx.vc_forecast_daily f JOIN wx.vc_location l ON l.id = f.vc_location_id
WHERE f.data_type = 'forecast' AND l.location_type = 'station'
  AND f.target_date >= $1::date AND f.created_at <= to_timestamp($2 / 1000000.0)
ORDER BY f.created_at
LIMIT 100000";

/// The name of the forecast: the tables hold those of Visual Crossing, a mix of several models.
const MODEL: &str = "visual_crossing";

/// The two questions.
#[derive(Clone, Debug)]
pub struct Queries {
    /// Columns and parameters as in [`OBSERVATIONS_SQL`].
    pub observations: String,
    /// Columns and parameters as in [`FORECASTS_SQL`].
    pub forecasts: String,
}

impl Default for Queries {
    /// Those of the guide's tables.
    fn default() -> Self {
        Self { observations: OBSERVATIONS_SQL.to_owned(), forecasts: FORECASTS_SQL.to_owned() }
    }
}

/// Weather of a database.
pub struct Database {
    pool: PgPool,
    /// Host and name of the database, for errors.
    place: String,
    queries: Queries,
    /// How far back observations and forecasts are asked for, nanoseconds.
    back: i64,
    deadline: Duration,
}

/// Host and name; the pool knows the password.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Database {
    /// The database of an address `postgres://user:password@host/name`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an address that is none, without repeating it.
    pub fn new(address: &Secret, queries: Queries, back: i64, deadline: Duration) -> Result<Self, Error> {
        let wrong = || Error::Invalid {
            origin: "weather database".to_owned(),
            reason: "the address is not postgres://user:password@host/name".to_owned(),
        };
        let options = PgConnectOptions::from_str(address.expose()).map_err(|_| wrong())?;
        let place = format!("postgres://{}/{}", options.get_host(), options.get_database().unwrap_or(""));
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(deadline).connect_lazy_with(options);
        Ok(Self { pool, place, queries, back, deadline })
    }

    pub(super) async fn fetch(&self, now: Now<'_>) -> Result<Answer, Error> {
        let at = now();
        let known = at.0.div_euclid(1_000);
        let since = at.plus(-self.back);
        let days = City::all().map(|city| city.day_at(since)).min().map_or_else(String::new, |date| date.to_string());
        let questions = async {
            // The text is configuration of the operator, not of a stranger.
            let observations = sqlx::query(sqlx::AssertSqlSafe(self.queries.observations.as_str()))
                .bind(since.0.div_euclid(1_000))
                .bind(known)
                .fetch_all(&self.pool)
                .await?;
            let forecasts = sqlx::query(sqlx::AssertSqlSafe(self.queries.forecasts.as_str()))
                .bind(days)
                .bind(known)
                .fetch_all(&self.pool)
                .await?;
            Ok::<_, sqlx::Error>((observations, forecasts))
        };
        let answered = tokio::time::timeout(self.deadline, questions).await;
        let late = |_| Error::Unavailable { url: self.place.clone(), last: "no answer".to_owned() };
        let (observations, forecasts) = answered.map_err(late)?.map_err(|error| self.error(&error))?;
        let mut answer = Answer::default();
        for row in &observations {
            let seen = observed(row, at, &mut answer.dropped).map_err(|error| self.error(&error))?;
            answer.weather.observations.extend(seen);
        }
        for row in &forecasts {
            let told = forecast(row, at, &mut answer.dropped).map_err(|error| self.error(&error))?;
            answer.weather.forecasts.extend(told);
        }
        // Spikes are a matter of one station.
        let all = std::mem::take(&mut answer.weather.observations);
        for city in City::all() {
            let mut of_city: Vec<Observation> = all.iter().filter(|seen| seen.city == city).cloned().collect();
            quality::mark_spikes(&mut of_city);
            answer.weather.observations.extend(of_city);
        }
        Ok(answer)
    }

    fn error(&self, error: &sqlx::Error) -> Error {
        match error {
            // What the database itself says about a question has no password in it.
            sqlx::Error::Database(said) => {
                Error::Invalid { origin: self.place.clone(), reason: said.message().to_owned() }
            }
            sqlx::Error::ColumnNotFound(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                Error::Invalid { origin: self.place.clone(), reason: error.to_string() }
            }
            sqlx::Error::PoolTimedOut => {
                Error::Unavailable { url: self.place.clone(), last: "no connection".to_owned() }
            }
            sqlx::Error::Io(reason) => Error::Unavailable { url: self.place.clone(), last: reason.to_string() },
            _ => Error::Unavailable { url: self.place.clone(), last: "the connection failed".to_owned() },
        }
    }
}

fn micros(row: &PgRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    let micros: i64 = row.try_get(column)?;
    Ok(micros.checked_mul(SECOND / 1_000_000).map(Timestamp))
}

/// Nothing for a city that is not ours, and for a time that is none.
fn observed(row: &PgRow, now: Timestamp, dropped: &mut Dropped) -> Result<Option<Observation>, sqlx::Error> {
    let (event, received) = (micros(row, "event_us")?, micros(row, "received_us")?);
    let number = |column: &str| row.try_get::<Option<f64>, _>(column);
    let parts =
        [number("temp_f")?, number("humidity")?, number("pressure_hpa")?, number("wind_mph")?, number("cloud_pct")?];
    let city = City::from_code(row.try_get::<&str, _>("city")?);
    let (Some(city), Some(event), Some(received)) = (city, event, received) else {
        dropped.one();
        return Ok(None);
    };
    if event > now || received > now {
        dropped.one();
        return Ok(None);
    }
    let [temperature, humidity, pressure, wind, cloud] = parts;
    Ok(Some(Observation {
        city,
        source: SourceId::Database,
        stamps: Stamps { event, published: received, received },
        temperature_f: dropped.temperature(temperature),
        humidity_pct: dropped.percent(humidity),
        pressure_hpa: dropped.pressure(pressure),
        wind_mph: dropped.wind(wind),
        cloud_pct: dropped.percent(cloud),
        quality: Quality::Good,
    }))
}

fn forecast(row: &PgRow, now: Timestamp, dropped: &mut Dropped) -> Result<Option<HighForecast>, sqlx::Error> {
    let (published, received) = (micros(row, "published_us")?, micros(row, "received_us")?);
    let high = dropped.temperature(row.try_get("high_f")?);
    let date = row.try_get::<&str, _>("date")?.parse::<Date>().ok();
    let city = City::from_code(row.try_get::<&str, _>("city")?);
    let (Some(city), Some(date), Some(published), Some(received)) = (city, date, published, received) else {
        dropped.one();
        return Ok(None);
    };
    let Some(high_f) = high.filter(|_| received <= now) else { return Ok(None) };
    let stamps = Stamps { event: city.day_begins(date), published: published.min(received), received };
    Ok(Some(HighForecast { city, date, model: MODEL.to_owned(), source: SourceId::Database, stamps, high_f }))
}
