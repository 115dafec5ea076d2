//! A city, and its climate day.
//!
//! It owns nothing: a city is a pointer to its row in the registry ([`crate::registry`]), so it costs nothing to copy. All
//! that differs between cities stands in that row.

use crate::SourceId;
use crate::registry::{Era, Row, registry};
use isobar_engine::units::{SECOND, Timestamp};
use jiff::civil::Date;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A city whose daily high the venue lists.
///
/// Cities are equal and in order by their code, so nothing depends on the order of the file.
#[derive(Clone, Copy)]
pub struct City(&'static Row);

impl City {
    pub(crate) const fn of(row: &'static Row) -> Self {
        Self(row)
    }

    /// All of the registry, in its order.
    pub fn all() -> impl ExactSizeIterator<Item = Self> + Clone {
        registry().cities()
    }

    /// The city of a code such as `CHI`.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::all().find(|city| city.code() == code)
    }

    /// The city of a venue's series such as `KXHIGHCHI`.
    pub fn from_series(series: &str) -> Option<Self> {
        Self::all().find(|city| city.series() == series)
    }

    /// The city of a station such as `KMDW`.
    pub fn from_station(station: &str) -> Option<Self> {
        Self::all().find(|city| city.station() == station)
    }

    /// The city of a climate report such as `CLIMDW`.
    pub fn from_report(report: &str) -> Option<Self> {
        Self::all().find(|city| city.report() == report)
    }

    /// Short name, as at the end of the venue's series and in the names of model bundles.
    pub const fn code(self) -> &'static str {
        self.0.code.as_str()
    }

    /// Name for people.
    pub const fn name(self) -> &'static str {
        self.0.name.as_str()
    }

    /// The venue's series of daily highs.
    pub const fn series(self) -> &'static str {
        self.0.series.as_str()
    }

    /// ICAO code of the settlement station.
    pub const fn station(self) -> &'static str {
        self.0.station.as_str()
    }

    /// Name of the station's climate report, `CLI` and the three letters by which it is issued.
    pub const fn report(self) -> &'static str {
        self.0.report.as_str()
    }

    /// IANA time zone, for what is shown to people. The climate day does not follow it.
    pub const fn zone(self) -> &'static str {
        self.0.zone.as_str()
    }

    /// Latitude and longitude of the station, degrees.
    pub const fn place(self) -> (f64, f64) {
        (self.0.latitude, self.0.longitude)
    }

    /// Hours that local standard time is ahead of UTC.
    pub const fn standard_hours(self) -> i64 {
        self.0.standard_hours
    }

    /// Hour of the day, local standard time, at which the high of `date` is usually reached, where it is known.
    pub fn peak_hour(self, date: Date) -> Option<f64> {
        let peak = self.0.peak_hour?;
        Some(match date.month() {
            12 | 1 | 2 => peak.winter,
            3..=5 => peak.spring,
            6..=8 => peak.summer,
            _ => peak.autumn,
        })
    }

    /// How far the highest reading of `source` so far may exceed the settled high, °F. Nothing where the source says
    /// nothing certain about the settlement station.
    pub fn observation_error_f(self, source: SourceId) -> Option<f64> {
        registry().observation_error_f(source)
    }

    /// What `date` is settled on; nothing before the first era of the registry.
    pub fn settlement_on(self, date: Date) -> Option<&'static Era> {
        self.0.settlement.iter().rev().find(|era| era.valid_from <= date)
    }

    /// When the climate day `date` begins. Climate reports count days in local standard time all year (PROTOCOL.md 5.4).
    pub fn day_begins(self, date: Date) -> Timestamp {
        let days = i64::from((date - Date::constant(1970, 1, 1)).get_days());
        Timestamp((days * 24 - self.standard_hours()) * 3_600 * SECOND)
    }

    /// The climate day that a moment falls in.
    pub fn day_at(self, at: Timestamp) -> Date {
        let hours = at.0.div_euclid(3_600 * SECOND) + self.standard_hours();
        let days = i32::try_from(hours.div_euclid(24)).expect("nanoseconds since 1970 are at most 106 752 days");
        Date::constant(1970, 1, 1) + jiff::Span::new().days(days)
    }
}

impl PartialEq for City {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code()
    }
}

impl Eq for City {}

impl PartialOrd for City {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for City {
    fn cmp(&self, other: &Self) -> Ordering {
        self.code().cmp(other.code())
    }
}

impl Hash for City {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.code().hash(state);
    }
}

/// The code.
impl fmt::Debug for City {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The code.
impl fmt::Display for City {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    fn city(code: &str) -> City {
        City::from_code(code).expect("a city of the registry")
    }

    fn utc(text: &str) -> Timestamp {
        let nanos = text.parse::<jiff::Timestamp>().expect("a time").as_nanosecond();
        Timestamp(i64::try_from(nanos).expect("in range"))
    }

    #[test]
    fn a_climate_day_begins_at_midnight_of_standard_time_in_summer_too() {
        let july = date(2026, 7, 1);
        assert_eq!(city("CHI").day_begins(july), utc("2026-07-01T06:00:00Z"));
        assert_eq!(city("CHI").day_at(utc("2026-07-01T06:00:00Z")), july);
        assert_eq!(city("CHI").day_at(utc("2026-07-02T05:59:59Z")), july);
        assert_eq!(city("LAX").day_begins(july), utc("2026-07-01T08:00:00Z"));
        assert_eq!(city("MIA").day_begins(date(2026, 1, 1)), utc("2026-01-01T05:00:00Z"));
    }

    #[test]
    fn codes_series_stations_and_reports_name_the_same_cities() {
        for city in City::all() {
            assert_eq!(City::from_code(city.code()), Some(city));
            assert_eq!(City::from_series(city.series()), Some(city));
            assert_eq!(City::from_station(city.station()), Some(city));
            assert_eq!(City::from_report(city.report()), Some(city));
        }
        assert_eq!(City::from_series("KXHIGHTHOU"), Some(city("HOU")));
        assert_eq!(City::from_series("KXLOWTCHI"), None);
        assert_eq!(City::from_series("KXHIGHHOU"), None, "a dead series of the same city");
    }

    /// Hours between the wall clock and standard time at a moment, by the time zone database.
    fn ahead_of_standard(city: City, at: Timestamp) -> i64 {
        let zone = TimeZone::get(city.zone()).expect("a zone of the database");
        let moment = jiff::Timestamp::from_nanosecond(i128::from(at.0)).expect("in range");
        i64::from(zone.to_offset(moment).seconds()) / 3_600 - city.standard_hours()
    }

    #[test]
    fn every_climate_day_is_a_day_of_standard_time_across_both_clock_changes() {
        for city in City::all() {
            let zone = TimeZone::get(city.zone()).expect("a zone of the database");
            let year = date(2026, 1, 1);
            let mut changes = 0;
            for day in year.series(jiff::Span::new().days(1)).take(366) {
                let (begins, next) = (city.day_begins(day), city.day_begins(day.tomorrow().expect("not the last day")));
                assert_eq!(next.since(begins), 24 * 3_600 * SECOND, "{city} {day}: climate days do not vary in length");
                // Midnight of standard time is midnight on the wall, or one o'clock while daylight saving lasts.
                let wall = day.at(0, 0, 0, 0).to_zoned(zone.clone()).expect("a midnight that exists").timestamp();
                let late = begins.since(utc(&wall.to_string())) / (3_600 * SECOND);
                assert_eq!(late, ahead_of_standard(city, begins), "{city} {day}");
                assert!((0..=1).contains(&late), "{city} {day}: the standard offset is wrong");
                changes += i32::from(ahead_of_standard(city, begins) != ahead_of_standard(city, next));
                for at in [begins, next.plus(-1), begins.plus(2 * 3_600 * SECOND), begins.plus(23 * 3_600 * SECOND)] {
                    assert_eq!(city.day_at(at), day, "{city} {day}");
                }
                assert_ne!(city.day_at(next), day);
            }
            let expected = if city.zone() == "America/Phoenix" { 0 } else { 2 };
            assert_eq!(changes, expected, "{city}: the test must meet both clock changes");
        }
    }

    #[test]
    fn an_hour_before_midnight_of_the_wall_belongs_to_the_day_before_while_daylight_saving_lasts() {
        // 8 March 2026, 00:30 standard: clocks go forward at two. 1 November 2026: back at two.
        for (at, day) in [
            ("2026-03-08T06:30:00Z", date(2026, 3, 8)),
            ("2026-03-09T05:30:00Z", date(2026, 3, 8)), // 00:30 on the wall of the 9th
            ("2026-11-01T05:30:00Z", date(2026, 10, 31)), // 00:30 on the wall of the 1st
            ("2026-11-02T05:30:00Z", date(2026, 11, 1)), // 23:30 on the wall
        ] {
            assert_eq!(city("CHI").day_at(utc(at)), day, "{at}");
        }
    }

    #[test]
    fn the_day_of_the_change_of_source_is_settled_on_the_new_one() {
        use crate::registry::SettlementSource::{NwsClimateReport, WeatherCompany};
        for city in City::all() {
            let source = |day| city.settlement_on(day).map(|era| era.source);
            assert_eq!(source(date(2026, 8, 13)), Some(NwsClimateReport));
            assert_eq!(source(date(2026, 8, 14)), Some(WeatherCompany));
            assert_eq!(source(date(2020, 12, 31)), None);
        }
    }

    #[test]
    fn the_usual_peak_is_that_of_the_season() {
        assert_eq!(city("DEN").peak_hour(date(2026, 4, 1)), Some(15.0));
        assert_eq!(city("DEN").peak_hour(date(2026, 12, 1)), Some(14.0));
        assert_eq!(city("ATL").peak_hour(date(2026, 4, 1)), None, "nothing is recorded");
    }
}
