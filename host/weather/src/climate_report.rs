//! The daily climate reports (CLI) of the National Weather Service, as text.
//!
//! It owns what such a text says about the day's temperature: which station and day, when it was issued, and whether the
//! day was over. Reading is total: whatever the bytes, the answer is a report or a reason. It refuses to guess: a text
//! whose day, station or time of issue cannot be read is no report, and one that is in doubt is not final.

use crate::{City, ReportedHigh, SourceId, Stamps};
use isobar_engine::units::{SECOND, Timestamp};
use jiff::civil::{Date, Time};

/// What one climate report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClimateReport {
    /// Its name, `CLI` and three letters.
    pub report: String,
    /// The climate day that it is about.
    pub date: Date,
    /// When it was issued, UTC.
    pub issued: Timestamp,
    /// Whether the whole day is in it. An intermediate report says the high so far.
    pub is_final: bool,
    /// Whether it replaces an earlier one.
    pub is_correction: bool,
    /// Highest temperature, whole °F; nothing where it is missing (`MM`).
    pub maximum_f: Option<i32>,
    /// Lowest temperature, whole °F.
    pub minimum_f: Option<i32>,
}

/// Why a text is no climate report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    /// No line `CLIxxx`.
    #[error("it does not name a climate report")]
    NoName,
    /// No `CLIMATE SUMMARY FOR` with a date.
    #[error("it does not say which day it is about")]
    NoDay,
    /// No line such as `226 AM EDT THU JUL 09 2026`.
    #[error("it does not say when it was issued")]
    NoIssue,
    /// No `TEMPERATURE (F)` with a line `MAXIMUM`.
    #[error("it has no table of temperatures")]
    NoTable,
    /// A temperature that no place in the country has had.
    #[error("{0} °F is no temperature")]
    Implausible(i32),
}

impl ClimateReport {
    /// Reads the text of a product, with or without the header of its transmission.
    ///
    /// # Errors
    /// [`NoReport`] with what is missing.
    pub fn parse(text: &str) -> Result<Self, NoReport> {
        let mut lines = text.lines().map(str::trim);
        let header = lines.by_ref().find_map(|line| Some((is_name(line)?, line)));
        let report = header.ok_or(NoReport::NoName)?.0.to_owned();
        let mut body = lines.clone();
        let (issued, behind) = body.by_ref().find_map(issue).ok_or(NoReport::NoIssue)?;
        let date = lines.clone().find_map(summary_day).ok_or(NoReport::NoDay)?;
        let partial = lines.clone().any(|line| line.starts_with("VALID") && line.contains("AS OF"));
        let table: Vec<&str> = lines
            .clone()
            .skip_while(|line| !line.starts_with("TEMPERATURE (F)"))
            .skip(1)
            .take_while(|line| !line.is_empty() && !line.starts_with("PRECIPITATION"))
            .collect();
        let value = |word: &str| table.iter().find_map(|line| line.strip_prefix(word));
        let maximum_f = degrees(value("MAXIMUM").ok_or(NoReport::NoTable)?)?;
        let minimum_f = value("MINIMUM").map_or(Ok(None), degrees)?;
        // The day ends at midnight of standard time; a text that was issued before then cannot hold all of it.
        let over =
            day_number(date).checked_add(1).is_some_and(|next| issued.0 >= (next * 24 + behind) * 3_600 * SECOND);
        let whole_day = table.iter().any(|line| line.starts_with("YESTERDAY")) && !partial;
        let is_correction = text.lines().take(8).any(|line| {
            let line = line.trim();
            line.contains("CORRECTED") || line.split_whitespace().nth(3).is_some_and(|word| word.starts_with("CC"))
        });
        Ok(Self { report, date, issued, is_final: whole_day && over, is_correction, maximum_f, minimum_f })
    }

    /// The report as a value that was received at `received`. Nothing for a station that is no city's, or without a high.
    pub fn reported_high(&self, received: Timestamp) -> Option<ReportedHigh> {
        let city = City::from_report(&self.report)?;
        Some(ReportedHigh {
            city,
            date: self.date,
            source: SourceId::NwsClimateReport,
            stamps: Stamps { event: city.day_begins(self.date), published: self.issued, received },
            high_f: f64::from(self.maximum_f?),
            is_final: self.is_final,
        })
    }
}

/// `CLINYC`, alone on its line.
fn is_name(line: &str) -> Option<&str> {
    let id = line.strip_prefix("CLI")?;
    (id.len() == 3 && id.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(line)
}

fn day_number(date: Date) -> i64 {
    i64::from((date - Date::constant(1970, 1, 1)).get_days())
}

fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = [
        "JANUARY",
        "FEBRUARY",
        "MARCH",
        "APRIL",
        "MAY",
        "JUNE",
        "JULY",
        "AUGUST",
        "SEPTEMBER",
        "OCTOBER",
        "NOVEMBER",
        "DECEMBER",
    ];
    let whole = |name: &str| word.len() >= 3 && (name == word || (word.len() == 3 && name.starts_with(word)));
    (1..).zip(MONTHS).find(|(_, name)| whole(name)).map(|(number, _)| number)
}

/// `JULY`, `8`, `2026`, from the first three words; what follows is not looked at.
fn spelled_date<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Date> {
    let month = month(words.next()?)?;
    let day = words.next()?.parse().ok()?;
    let year = words.next()?.parse().ok()?;
    Date::new(year, month, day).ok().filter(|date| (1900..=2200).contains(&date.year()))
}

/// The day of a line `...THE CENTRAL PARK NY CLIMATE SUMMARY FOR JULY 8 2026...`.
fn summary_day(line: &str) -> Option<Date> {
    let (_, after) = line.split_once("CLIMATE SUMMARY FOR ")?;
    spelled_date(after.trim_end_matches('.').split_whitespace())
}

/// Time of issue and hours that standard time is behind UTC, from `226 AM EDT THU JUL 09 2026`.
fn issue(line: &str) -> Option<(Timestamp, i64)> {
    let mut words = line.split_whitespace();
    let clock: u16 = words.next()?.parse().ok()?;
    let (hour, minute) = (clock / 100, clock % 100);
    let afternoon = match words.next()? {
        "AM" => 0,
        "PM" => 12,
        _ => return None,
    };
    if !(1..=12).contains(&hour) {
        return None;
    }
    let (behind, saving) = match words.next()? {
        "EST" => (5, 0),
        "EDT" => (5, 1),
        "CST" => (6, 0),
        "CDT" => (6, 1),
        "MST" => (7, 0),
        "MDT" => (7, 1),
        "PST" => (8, 0),
        "PDT" => (8, 1),
        _ => return None,
    };
    let _weekday = words.next()?;
    let date = spelled_date(words)?;
    let hour = i8::try_from(hour % 12 + afternoon).ok()?;
    let time = Time::new(hour, i8::try_from(minute).ok()?, 0, 0).ok()?;
    let minutes = i64::from(time.hour()) * 60 + i64::from(time.minute());
    let seconds = (day_number(date) * 24 + behind - saving) * 3_600 + minutes * 60;
    Some((Timestamp(seconds * SECOND), behind))
}

/// The first value of a row: `85`, `102R` (a record), `MM` (missing).
fn degrees(rest: &str) -> Result<Option<i32>, NoReport> {
    let Some(word) = rest.split_whitespace().next() else { return Ok(None) };
    let Ok(value) = word.trim_end_matches('R').parse::<i32>() else { return Ok(None) };
    if !(-100..=150).contains(&value) {
        return Err(NoReport::Implausible(value));
    }
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const FINAL: &str = "000\nCDUS41 KOKX 090626\nCLINYC\n\nCLIMATE REPORT \nNATIONAL WEATHER SERVICE NEW YORK, NY\n\
        226 AM EDT THU JUL 09 2026\n\n...THE CENTRAL PARK NY CLIMATE SUMMARY FOR JULY 8 2026...\n\n\
        TEMPERATURE (F)\n YESTERDAY\n  MAXIMUM         85    347 PM 100    1993  85      0       93\n\
        \x20 MINIMUM         64    440 AM  56    1894  70     -6       73\n\nTHE NORMALS\n MAXIMUM TEMPERATURE (F)   99\n";

    fn utc(text: &str) -> Timestamp {
        let nanos = text.parse::<jiff::Timestamp>().expect("a time").as_nanosecond();
        Timestamp(i64::try_from(nanos).expect("in range"))
    }

    fn read(text: &str) -> ClimateReport {
        ClimateReport::parse(text).expect("a report")
    }

    #[test]
    fn a_final_report_says_the_day_before() {
        let report = read(FINAL);
        assert_eq!((report.report.as_str(), report.date), ("CLINYC", date(2026, 7, 8)));
        assert_eq!((report.maximum_f, report.minimum_f), (Some(85), Some(64)));
        assert_eq!(report.issued, utc("2026-07-09T06:26:00Z"));
        assert!(report.is_final && !report.is_correction);
        let high = report.reported_high(utc("2026-07-09T07:00:00Z")).expect("a city of ours");
        assert_eq!((high.city.code(), high.high_f, high.is_final), ("NY", 85.0, true));
        assert_eq!(high.stamps.event, utc("2026-07-08T05:00:00Z"));
    }

    #[test]
    fn a_report_of_part_of_a_day_is_never_final() {
        let partial = FINAL
            .replace(" YESTERDAY", " TODAY")
            .replace("JULY 8 2026...\n", "JULY 8 2026...\nVALID AS OF 0400 PM LOCAL TIME.\n");
        assert!(!read(&partial).is_final);
        let said_to_be_whole =
            FINAL.replace("JULY 8 2026...\n", "JULY 8 2026...\nVALID TODAY AS OF 0400 PM LOCAL TIME.\n");
        assert!(!read(&said_to_be_whole).is_final, "one of the two is wrong");
        // 00:30 on the wall in summer is 23:30 of the climate day, which is not over.
        assert!(!read(&FINAL.replace("226 AM", "1230 AM")).is_final);
        assert!(read(&FINAL.replace("226 AM", "100 AM")).is_final);
    }

    #[test]
    fn records_missing_values_and_corrections_are_told() {
        assert_eq!(read(&FINAL.replace(" 85    347", " 102R   347")).maximum_f, Some(102));
        assert_eq!(read(&FINAL.replace(" 85    347", " -12    347")).maximum_f, Some(-12));
        let missing = read(&FINAL.replace(" 85    347 PM", " MM       "));
        assert_eq!((missing.maximum_f, missing.reported_high(Timestamp(0))), (None, None));
        assert!(read(&FINAL.replace("KOKX 090626", "KOKX 090626 CCA")).is_correction);
        assert!(read(&FINAL.replace("CLIMATE REPORT ", "CLIMATE REPORT...CORRECTED")).is_correction);
    }

    #[test]
    fn what_is_no_report_is_refused_with_what_is_missing() {
        let cases = [
            (FINAL.replace("CLINYC", "CLIMATE"), NoReport::NoName),
            (FINAL.replace("226 AM EDT", "226 AM XDT"), NoReport::NoIssue),
            (FINAL.replace("226 AM EDT", "1326 AM EDT"), NoReport::NoIssue),
            (FINAL.replace("JULY 8 2026", "JULY 32 2026"), NoReport::NoDay),
            (FINAL.replace("TEMPERATURE (F)\n", "WIND\n"), NoReport::NoTable),
            (FINAL.replace(" 85    347", " 851   347"), NoReport::Implausible(851)),
        ];
        for (text, reason) in cases {
            assert_eq!(ClimateReport::parse(&text), Err(reason));
        }
    }
}
