//! The venue's weekly maintenance: every Thursday from 03:00 to 05:00 Eastern time trading pauses (PROTOCOL.md 7.2).

use isobar_engine::units::{SECOND, Timestamp};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// Hours of the day, Eastern time, at which the pause begins and ends.
const HOURS: [i8; 2] = [3, 5];

/// Eastern time by its rule, so that no time zone database is needed.
fn eastern() -> TimeZone {
    TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").expect("the rule of Eastern time is well formed")
}

fn zoned(at: Timestamp) -> jiff::Zoned {
    let moment = jiff::Timestamp::from_nanosecond(at.0.into()).expect("nanoseconds in i64 are a moment of this era");
    moment.to_zoned(eastern())
}

/// Whether trading pauses at a moment.
pub(crate) fn pauses(at: Timestamp) -> bool {
    let local = zoned(at);
    local.weekday() == Weekday::Thursday && (HOURS[0]..HOURS[1]).contains(&local.hour())
}

/// The next moment after `at` at which a pause begins or ends.
pub(crate) fn next(at: Timestamp) -> Timestamp {
    let mut date = zoned(at).date();
    loop {
        if date.weekday() == Weekday::Thursday {
            for hour in HOURS {
                let local = date.at(hour, 0, 0, 0).to_zoned(eastern()).expect("a date of this era is a moment");
                let moment = Timestamp(local.timestamp().as_second() * SECOND);
                if moment > at {
                    return moment;
                }
            }
        }
        date = date.tomorrow().expect("a date of this era has a next day");
    }
}

/// `GET /exchange/schedule`, as recorded in January 2026.
pub(crate) fn schedule() -> Value {
    let whole = json!([{"open_time": "00:00", "close_time": "00:00"}]);
    json!({
        "standard_hours": [{
            "start_time": "2024-12-01T00:00:00Z",
            "end_time": "2200-12-01T00:00:00Z",
            "monday": whole,
            "tuesday": whole,
            "wednesday": whole,
            "thursday": [{"open_time": "00:00", "close_time": "03:00"}, {"open_time": "05:00", "close_time": "00:00"}],
            "friday": whole,
            "saturday": whole,
            "sunday": whole,
        }],
        "maintenance_windows": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().expect("a moment").as_second() * SECOND)
    }

    #[test]
    fn the_pause_is_on_thursday_morning_in_winter_and_summer_time() {
        for (begin, end) in
            [("2026-11-26T08:00:00Z", "2026-11-26T10:00:00Z"), ("2026-07-02T07:00:00Z", "2026-07-02T09:00:00Z")]
        {
            let (begin, end) = (at(begin), at(end));
            assert!(!pauses(begin.plus(-1)) && pauses(begin) && pauses(end.plus(-1)) && !pauses(end));
            assert_eq!(next(begin.plus(-1)), begin);
            assert_eq!(next(begin), end);
            assert_eq!(next(end).since(begin), 7 * 86_400 * SECOND);
        }
    }
}
