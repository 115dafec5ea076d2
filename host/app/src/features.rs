//! `isobar features`: the table that models are trained with.
//!
//! It owns the layout of that table. It refuses to compute: every value comes from the function that serves trading.

use crate::cli;
use anyhow::{Context, Result, bail};
use isobar_engine::units::{SECOND, Timestamp};
use isobar_weather::{City, FEATURES, History, Recording, SourceId, Weather};
use jiff::civil::Date;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

const MINUTE: i64 = 60 * SECOND;

/// A feature as `--list` shows it.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    unit: &'static str,
    source: Vec<&'static str>,
    about: &'static str,
    relative: bool,
}

impl From<cli::Recording> for Recording {
    fn from(named: cli::Recording) -> Self {
        match named {
            cli::Recording::Daily => Self::Daily,
            cli::Recording::Lead => Self::Lead,
            cli::Recording::Live => Self::Live,
        }
    }
}

/// Writes the list or the table.
pub fn features(command: &cli::Features) -> Result<()> {
    let mut out: Box<dyn Write> = match &command.out {
        Some(path) => Box::new(BufWriter::new(
            std::fs::File::create(path).with_context(|| format!("{} cannot be written", path.display()))?,
        )),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let written = if command.list { list(command, &mut out) } else { table(command, &mut out) };
    match written.and_then(|()| out.flush().map_err(Into::into)) {
        // The reader has seen enough (`isobar … | head`).
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn list(command: &cli::Features, out: &mut dyn Write) -> Result<()> {
    let sources = Recording::from(command.recording).sources();
    let listed = FEATURES.iter().map(|feature| Listed {
        name: feature.name,
        unit: feature.unit,
        source: sources.behind(feature).into_iter().map(SourceId::name).collect(),
        about: feature.about,
        relative: feature.relative,
    });
    serde_json::to_writer_pretty(&mut *out, &listed.collect::<Vec<_>>())?;
    writeln!(out)?;
    Ok(())
}

/// One row for each city, day and moment that has a forecast. The last column is no feature: it is what came.
fn table(command: &cli::Features, out: &mut dyn Write) -> Result<()> {
    let data = command.data.as_ref().context("--data is missing")?;
    let recording = Recording::from(command.recording);
    let day = |text: &Option<String>| -> Result<Option<Date>> {
        text.as_ref()
            .map(|text| text.parse().with_context(|| format!("{text} is no day such as 2025-09-30")))
            .transpose()
    };
    let (from, to) = (day(&command.from)?.unwrap_or(Date::MIN), day(&command.to)?.unwrap_or(Date::MAX));
    let minutes: Vec<i64> =
        if command.hours { (0..24).map(|hour| hour * 60).collect() } else { vec![minutes(&command.at)?] };
    let mut weather = recording.read(data)?;
    let all = weather.clone();
    if let Some(model) = &command.as_blend {
        weather.forecasts.retain(|forecast| forecast.model == *model);
        weather.forecasts.iter_mut().for_each(|forecast| "blend".clone_into(&mut forecast.model));
    }

    write!(out, "city,date,at,issued")?;
    for feature in FEATURES {
        write!(out, ",{}", feature.name)?;
    }
    writeln!(out, ",came_f")?;
    let since = day(&command.since)?;
    for city in cities(&command.city)? {
        let mut weather = weather.clone();
        if let Some(begins) = since.map(|since| city.day_begins(since)) {
            weather.forecasts.retain(|value| value.stamps.received >= begins);
            weather.reports.retain(|value| value.stamps.received >= begins);
            weather.observations.retain(|value| value.stamps.received >= begins);
        }
        let history = History::new(city, &weather, recording.sources());
        let came = came(city, &all);
        for date in history.days().into_iter().filter(|date| (from..=to).contains(date)) {
            for minutes in &minutes {
                let into_day = (minutes - 24 * 60 * i64::from(command.ahead)) * MINUTE;
                let now = city.day_begins(date).plus(into_day);
                let Ok(row) = history.features(date, now) else { continue };
                write!(out, "{city},{date},{},{}", utc(now), utc(row.issued()))?;
                for (_, value) in &row.values {
                    if value.is_nan() { write!(out, ",")? } else { write!(out, ",{value}")? }
                }
                writeln!(out, ",{}", came.get(&date).map_or(String::new(), f64::to_string))?;
            }
        }
    }
    Ok(())
}

/// The final high of each day, whenever it was reported.
fn came(city: City, weather: &Weather) -> BTreeMap<Date, f64> {
    let mut reports: Vec<_> = weather.reports.iter().filter(|report| report.city == city && report.is_final).collect();
    reports.sort_by_key(|report| report.stamps);
    reports.into_iter().map(|report| (report.date, report.high_f)).collect()
}

fn cities(codes: &[String]) -> Result<Vec<City>> {
    if codes.is_empty() {
        return Ok(City::all().collect());
    }
    let of = |code: &String| City::from_code(code).with_context(|| format!("no city has the code {code}"));
    codes.iter().map(of).collect()
}

fn minutes(text: &str) -> Result<i64> {
    let parts =
        text.split_once(':').and_then(|(hour, minute)| Some((hour.parse::<i64>().ok()?, minute.parse::<i64>().ok()?)));
    match parts {
        Some((hour, minute)) if (0..24).contains(&hour) && (0..60).contains(&minute) => Ok(hour * 60 + minute),
        _ => bail!("{text} is no time such as 07:00"),
    }
}

fn utc(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.0)).expect("64 bits of nanoseconds are in range");
    at.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_hours_and_minutes() {
        assert_eq!(minutes("07:30").expect("a time"), 450);
        for wrong in ["24:00", "7", "07:60", "-1:00", "a:b"] {
            assert!(minutes(wrong).is_err(), "{wrong}");
        }
    }
}
