//! The six cities: their codes, series and clocks.

use isobar_engine::units::{SECOND, Timestamp};
use jiff::civil::Date;
use std::fmt;

/// A city whose daily high the venue settles on. The station in brackets is the settlement station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum City {
    /// Chicago (KMDW, Midway).
    Chicago,
    /// Austin (KAUS).
    Austin,
    /// Denver (KDEN).
    Denver,
    /// Los Angeles (KLAX).
    LosAngeles,
    /// Miami (KMIA).
    Miami,
    /// Philadelphia (KPHL).
    Philadelphia,
}

impl City {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Chicago, Self::Austin, Self::Denver, Self::LosAngeles, Self::Miami, Self::Philadelphia];

    /// Short name, as in the venue's series and in the names of model bundles.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Chicago => "CHI",
            Self::Austin => "AUS",
            Self::Denver => "DEN",
            Self::LosAngeles => "LAX",
            Self::Miami => "MIA",
            Self::Philadelphia => "PHIL",
        }
    }

    /// The city of a code such as `CHI`.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|city| city.code() == code)
    }

    /// The city of a venue's series such as `KXHIGHCHI`.
    pub fn from_series(series: &str) -> Option<Self> {
        series.strip_prefix("KXHIGH").and_then(Self::from_code)
    }

    /// Hours that local standard time is ahead of UTC.
    const fn standard_hours(self) -> i64 {
        match self {
            Self::Miami | Self::Philadelphia => -5,
            Self::Chicago | Self::Austin => -6,
            Self::Denver => -7,
            Self::LosAngeles => -8,
        }
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

/// The code.
impl fmt::Display for City {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_climate_day_begins_at_midnight_of_standard_time_in_summer_too() {
        let utc = |text: &str| {
            let nanos = text.parse::<jiff::Timestamp>().expect("a time").as_nanosecond();
            Timestamp(i64::try_from(nanos).expect("in range"))
        };
        let july = Date::constant(2026, 7, 1);
        assert_eq!(City::Chicago.day_begins(july), utc("2026-07-01T06:00:00Z"));
        assert_eq!(City::Chicago.day_at(utc("2026-07-01T06:00:00Z")), july);
        assert_eq!(City::Chicago.day_at(utc("2026-07-02T05:59:59Z")), july);
        assert_eq!(City::LosAngeles.day_begins(july), utc("2026-07-01T08:00:00Z"));
        assert_eq!(City::Miami.day_begins(Date::constant(2026, 1, 1)), utc("2026-01-01T05:00:00Z"));
    }

    #[test]
    fn codes_and_series_name_the_same_cities() {
        for city in City::ALL {
            assert_eq!(City::from_code(city.code()), Some(city));
            assert_eq!(City::from_series(&format!("KXHIGH{city}")), Some(city));
        }
        assert_eq!(City::from_series("KXHIGHNY"), None);
        assert_eq!(City::from_series("KXLOWCHI"), None);
    }
}
