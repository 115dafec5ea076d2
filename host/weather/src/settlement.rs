//! Whether the venue's rules say what the registry believes about a city's day.
//!
//! One pure question, asked at the start and for every new event: the venue changed the source of its daily temperature
//! markets with one line of metadata (PROTOCOL.md 5.5), and a bot that did not read it went on trading another number.
//! It refuses to interpret: wording that is not understood stops the city as surely as wording that contradicts.

use crate::City;
use crate::registry::SettlementSource;
use jiff::civil::Date;

/// What the venue says about one event.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// Ticker of the series.
    pub series: &'a str,
    /// The climate day of the event.
    pub date: Date,
    /// `rules_primary` of one of its markets.
    pub rules: &'a str,
    /// `settlement_sources` of the series or event, name and address, in the venue's order.
    pub sources: &'a [(&'a str, &'a str)],
}

/// Why a city must not be traded on a day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The registry has no such series.
    #[error("{series} is no series of the registry")]
    UnknownSeries {
        /// What the venue lists.
        series: String,
    },
    /// The registry says nothing of that day.
    #[error("{city}: the registry does not say what {date} is settled on")]
    NoEra {
        /// The city.
        city: City,
        /// The day.
        date: Date,
    },
    /// No source confirms the registry's row of that day.
    #[error("{city}: that {date} is settled on {believed} at {station} is not verified; it is shown, not traded")]
    Unverified {
        /// The city.
        city: City,
        /// The day.
        date: Date,
        /// The registry's source.
        believed: &'static str,
        /// The registry's station.
        station: &'static str,
    },
    /// Someone else's number decides.
    #[error("{city} {date}: the registry says that {believed} decides, the venue's {part} says {said:?}")]
    OtherSource {
        /// The city.
        city: City,
        /// The day.
        date: Date,
        /// The registry's source.
        believed: &'static str,
        /// `rules` or `settlement sources`.
        part: &'static str,
        /// The venue's words.
        said: String,
    },
    /// Another place.
    #[error("{city} {date}: the registry says {station} ({report}), the venue's {part} says {said:?}")]
    OtherPlace {
        /// The city.
        city: City,
        /// The day.
        date: Date,
        /// The registry's station.
        station: &'static str,
        /// The registry's climate report.
        report: &'static str,
        /// `rules` or `settlement sources`.
        part: &'static str,
        /// The venue's words.
        said: String,
    },
    /// Not the day's highest temperature in degrees, or not of that day.
    #[error("{city} {date}: the rules are not of the highest temperature of that day: {said:?}")]
    OtherQuestion {
        /// The city.
        city: City,
        /// The day.
        date: Date,
        /// The venue's words.
        said: String,
    },
}

/// Compares what the venue lists with the registry's row of that day. `Ok` means that the two agree and the row is
/// verified; anything else stops the city, and the error says why in one line.
///
/// # Errors
/// [`Stop`].
pub fn check(listed: &Listed<'_>) -> Result<City, Stop> {
    let date = listed.date;
    let city = City::from_series(listed.series)
        .ok_or_else(|| Stop::UnknownSeries { series: listed.series.chars().take(64).collect() })?;
    let era = city.settlement_on(date).ok_or(Stop::NoEra { city, date })?;
    let other_source =
        |part, said: &str| Stop::OtherSource { city, date, believed: era.source.name(), part, said: excerpt(said) };
    let other_place = |part, said: &str| Stop::OtherPlace {
        city,
        date,
        station: city.station(),
        report: city.report(),
        part,
        said: excerpt(said),
    };

    let question = question(listed.rules);
    let (place, asked) = question.ok_or_else(|| Stop::OtherQuestion { city, date, said: excerpt(listed.rules) })?;
    if asked != date {
        return Err(Stop::OtherQuestion { city, date, said: excerpt(listed.rules) });
    }
    if named(listed.rules) != Some(era.source) {
        return Err(other_source("rules", listed.rules));
    }
    match report_in(place) {
        Some(report) if report == city.report() => {}
        Some(_) => return Err(other_place("rules", place)),
        None if era.places.iter().any(|known| known == place) => {}
        None => return Err(other_place("rules", place)),
    }

    // The first of the list decides; the others stand in for it.
    let (name, address) = listed.sources.first().copied().unwrap_or(("", ""));
    let both = format!("{name} {address}");
    if named(&both) != Some(era.source) {
        return Err(other_source("settlement sources", &both));
    }
    if era.source == SettlementSource::NwsClimateReport
        && issued_by(address).is_some_and(|id| city.report().strip_prefix("CLI") != Some(id))
    {
        return Err(other_place("settlement sources", &both));
    }

    if !era.verified {
        return Err(Stop::Unverified { city, date, believed: era.source.name(), station: city.station() });
    }
    Ok(city)
}

/// The first words, as much as a message needs.
fn excerpt(text: &str) -> String {
    text.chars().take(240).collect()
}

/// Place and day of `If the highest temperature recorded at PLACE for July 18, 2026…` or `maximum temperature`.
fn question(rules: &str) -> Option<(&str, Date)> {
    let lower = rules.to_ascii_lowercase();
    let start = ["highest temperature recorded ", "maximum temperature recorded "]
        .into_iter()
        .find_map(|words| Some(lower.find(words)? + words.len()))?;
    // Lower case of ASCII moves no byte, so the position holds in the original.
    let rest = rules.get(start..)?;
    let rest = rest.strip_prefix("at ").or_else(|| rest.strip_prefix("in ")).unwrap_or(rest);
    let (place, rest) = rest.split_once(" for ")?;
    Some((place, spelled_date(rest)?))
}

/// `July 18, 2026` or `Jul 18, 2026` at the begin of a text.
fn spelled_date(text: &str) -> Option<Date> {
    let end = text.match_indices(' ').nth(2).map_or(text.len(), |(at, _)| at);
    let text = text.get(..end)?.trim_end_matches([',', '.', ';']);
    ["%B %d, %Y", "%b %d, %Y"].into_iter().find_map(|format| Date::strptime(format, text).ok())
}

/// Who decides, by words that only one of the two has. A text that names both names the first as the one that decides
/// only for The Weather Company, which takes its numbers from the other.
fn named(text: &str) -> Option<SettlementSource> {
    let lower = text.to_ascii_lowercase();
    let company = lower.contains("the weather company") || lower.contains("weather.com");
    let service = lower.contains("national weather service") || lower.contains("weather.gov") || lower.contains("nws ");
    match (company, service) {
        (true, _) => Some(SettlementSource::WeatherCompany),
        (false, true) => Some(SettlementSource::NwsClimateReport),
        (false, false) => None,
    }
}

/// `CLINYC` of `New York City (CLINYC)`.
fn report_in(place: &str) -> Option<&str> {
    let (_, rest) = place.split_once("(CLI")?;
    let (id, _) = rest.split_once(')')?;
    let at = place.len() - rest.len() - "CLI".len();
    place.get(at..at + "CLI".len() + id.len())
}

/// `NYC` of an address with `issuedby=NYC`.
fn issued_by(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("issuedby=")?;
    Some(rest.split('&').next().unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const COMPANY: (&str, &str) = ("The Weather Company", "https://weather.com/kalshi");
    const SERVICE: (&str, &str) =
        ("NWS Climatological Report", "https://forecast.weather.gov/product.php?site=OKX&product=CLI&issuedby=NYC");
    /// The wording of 6 October 2026 (PROTOCOL.md 5.5).
    const NEW: &str = "If the maximum temperature recorded at New York City (CLINYC) for Oct 6, 2026, is greater than 70° \
        fahrenheit according to The Weather Company, then the market resolves to Yes.";
    /// The wording of July 2026.
    const OLD: &str = "If the highest temperature recorded in Central Park, New York for July 12, 2026 as reported by \
        the National Weather Service's Climatological Report (Daily), is greater than 89°, then the market resolves to Yes.";

    fn new_york(date: Date, rules: &str, source: (&str, &str)) -> Result<City, Stop> {
        check(&Listed { series: "KXHIGHNY", date, rules, sources: &[source] })
    }

    #[test]
    fn the_wording_of_each_era_agrees_with_its_row() {
        assert_eq!(new_york(date(2026, 10, 6), NEW, COMPANY).map(City::code), Ok("NY"));
        assert_eq!(new_york(date(2026, 7, 12), OLD, SERVICE).map(City::code), Ok("NY"));
    }

    #[test]
    fn the_change_of_source_stops_a_city_whose_row_does_not_know_it() {
        let early = NEW.replace("Oct 6", "Aug 13");
        let stop = new_york(date(2026, 8, 13), &early, COMPANY).expect_err("a day too early");
        assert!(matches!(&stop, Stop::OtherSource { part: "rules", .. }), "{stop}");
        let late = OLD.replace("July 12", "August 14");
        let stop = new_york(date(2026, 8, 14), &late, SERVICE).expect_err("a day too late");
        assert!(
            stop.to_string().contains("NY 2026-08-14: the registry says that The Weather Company decides"),
            "{stop}"
        );
        // Metadata may change before the text does.
        let stop = new_york(date(2026, 7, 12), OLD, COMPANY).expect_err("the text is the old one");
        assert!(matches!(&stop, Stop::OtherSource { part: "settlement sources", .. }), "{stop}");
        let stop = check(&Listed { series: "KXHIGHNY", date: date(2026, 7, 12), rules: OLD, sources: &[] });
        assert!(matches!(stop, Err(Stop::OtherSource { .. })), "no source is not the right source");
    }

    #[test]
    fn another_place_or_question_stops_the_city() {
        let day = date(2026, 7, 12);
        for (from, to) in [("Central Park, New York", "LaGuardia"), ("highest", "lowest"), ("July 12", "July 13")] {
            let stop = new_york(day, &OLD.replace(from, to), SERVICE).expect_err(to);
            assert!(matches!(stop, Stop::OtherPlace { .. } | Stop::OtherQuestion { .. }), "{stop}");
        }
        let other = ("NWS", "https://forecast.weather.gov/product.php?site=OKX&product=CLI&issuedby=LGA");
        let stop = new_york(day, OLD, other).expect_err("another report");
        assert!(matches!(&stop, Stop::OtherPlace { part: "settlement sources", .. }), "{stop}");
        let stop = new_york(date(2026, 10, 6), &NEW.replace("CLINYC", "CLILGA"), COMPANY).expect_err("another report");
        assert!(stop.to_string().contains("KNYC (CLINYC)") && stop.to_string().contains("CLILGA"), "{stop}");
        let stop = new_york(date(2026, 10, 6), "", COMPANY).expect_err("no rules");
        assert!(matches!(stop, Stop::OtherQuestion { .. }));
    }

    #[test]
    fn what_nobody_confirms_is_not_traded() {
        let rules = NEW.replace("New York City (CLINYC)", "Seattle (CLISEA)");
        let listed = Listed { series: "KXHIGHTSEA", date: date(2026, 10, 6), rules: &rules, sources: &[COMPANY] };
        assert!(matches!(check(&listed), Err(Stop::Unverified { station: "KSEA", .. })));
        let unknown = Listed { series: "KXHIGHTRENTON", ..listed };
        assert!(matches!(check(&unknown), Err(Stop::UnknownSeries { .. })));
        let unnamed = rules.replace(" (CLISEA)", "");
        assert!(matches!(check(&Listed { rules: &unnamed, ..listed }), Err(Stop::OtherPlace { .. })));
    }
}
