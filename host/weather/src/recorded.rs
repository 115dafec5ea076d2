//! Weather from recorded CSV files with the columns `series, date, fcst_*` and, where known, `obs_high_f`.
//!
//! Such files do not say when a value became known, so two times are assumed, both late enough never to look ahead:
//! the forecasts of a day when its climate day begins, the observed high six hours after it ends (the final climate
//! report comes in the early morning). Recorded forecasts of near-zero lead are still better than what anybody had at
//! that moment. Columns of same-day analyses (`era_*`) are never read.

use crate::day::plausible;
use crate::{City, DailyWeather, Error};
use isobar_engine::units::SECOND;
use jiff::{ToSpan, civil::Date};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Reads a recording, plain or packed (`.zst`), in the order of the file. Rows of other cities are left out.
///
/// # Errors
/// [`Error::File`] where it cannot be read, [`Error::Invalid`] where it is not such a table.
pub fn read_recorded(path: &Path) -> Result<Vec<DailyWeather>, Error> {
    table(open(path)?).map_err(|reason| Error::Invalid { origin: path.display().to_string(), reason })
}

/// A file, unpacked where its name ends in `.zst`.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, Error> {
    let unreadable = |source| Error::File { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    Ok(if path.extension().is_some_and(|end| end == "zst") {
        Box::new(zstd::Decoder::new(file).map_err(unreadable)?)
    } else {
        Box::new(file)
    })
}

fn table(reader: impl Read) -> Result<Vec<DailyWeather>, String> {
    let mut csv = csv::Reader::from_reader(reader);
    let headers = csv.headers().map_err(|e| e.to_string())?.clone();
    let column = |name: &str| headers.iter().position(|header| header == name);
    let series = column("series").ok_or("no column `series`")?;
    let date = column("date").ok_or("no column `date`")?;
    let observed = column("obs_high_f");
    let models: Vec<(usize, &str)> =
        headers.iter().enumerate().filter_map(|(at, name)| Some((at, name.strip_prefix("fcst_")?))).collect();
    let mut days = Vec::new();
    for record in csv.records() {
        let record = record.map_err(|e| e.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        let Some(city) = City::from_series(&record[series]) else { continue };
        let date: Date = record[date].parse().map_err(|e| format!("line {line}: {e}"))?;
        let degrees = |at: usize| match &record[at] {
            "" => Ok(None),
            text => match text.parse::<f64>() {
                Ok(value) if plausible(value) => Ok(Some(value)),
                _ => Err(format!("line {line}: {text:?} is no temperature")),
            },
        };
        let mut forecast_high_f = BTreeMap::new();
        for (at, model) in &models {
            if let Some(value) = degrees(*at)? {
                forecast_high_f.insert((*model).to_owned(), value);
            }
        }
        let tomorrow = date.checked_add(1.day()).map_err(|e| format!("line {line}: {e}"))?;
        let reported = city.day_begins(tomorrow).plus(6 * 3_600 * SECOND);
        let observed_high_f = observed.map_or(Ok(None), degrees)?.map(|high| (high, reported));
        days.push(DailyWeather { city, date, forecast_high_f, published: city.day_begins(date), observed_high_f });
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_cells_are_missing_other_cities_left_out_and_analyses_not_read() {
        let text = "series,station,date,obs_high_f,fcst_gfs,fcst_icon,era_tmax\n\
                    KXHIGHCHI,KMDW,2026-03-10,61,59.7,,99.9\n\
                    KXHIGHXX,KXXX,2026-03-10,61,59.7,60.0,99.9\n";
        let days = table(text.as_bytes()).expect("a table");
        assert_eq!(days.len(), 1);
        assert_eq!(days[0].forecast_high_f, BTreeMap::from([("gfs".to_owned(), 59.7)]));
        let (high, at) = days[0].observed_high_f.expect("recorded");
        assert_eq!((high, at.since(days[0].published)), (61.0, 30 * 3_600 * SECOND));
    }

    #[test]
    fn what_is_no_temperature_is_refused_with_its_line() {
        for wrong in ["mild", "NaN", "451"] {
            let text = format!("series,date,fcst_gfs\nKXHIGHCHI,2026-03-10,50\nKXHIGHCHI,2026-03-11,{wrong}\n");
            let reason = table(text.as_bytes()).expect_err("refused");
            assert!(reason.starts_with("line 3") && reason.contains(wrong), "{reason}");
        }
        assert_eq!(table("date,fcst_gfs\n".as_bytes()).expect_err("refused"), "no column `series`");
    }
}
