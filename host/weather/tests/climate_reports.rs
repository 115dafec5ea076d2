//! Climate reports as they were sent, and anything else that a socket may bring.

use isobar_engine::units::Timestamp;
use isobar_weather::{City, ClimateReport};
use jiff::civil::{Date, date};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

/// The folder of recorded products, where there is one.
fn products() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("ISOBAR_DATA").map_or(beside, PathBuf::from).join("weather_products");
    let found = folder.is_dir().then_some(folder);
    if found.is_none() {
        eprintln!("skipped: no recordings (set ISOBAR_DATA)");
    }
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn utc(text: &str) -> Timestamp {
    let nanos = text.parse::<jiff::Timestamp>().expect("a time").as_nanosecond();
    Timestamp(i64::try_from(nanos).expect("in range"))
}

#[test]
fn real_reports_say_their_station_day_highs_and_whether_the_day_was_over() {
    let Some(folder) = products() else { return };
    let meta: serde_json::Value = serde_json::from_str(&read(&folder.join("cli/meta.json"))).expect("json");
    let (eighth, ninth) = (date(2026, 7, 8), date(2026, 7, 9));
    let expected: [(&str, &str, &str, Date, i32, i32); 8] = [
        ("nyc", "final", "NY", eighth, 85, 64),
        ("nyc", "intermediate", "NY", ninth, 82, 71),
        ("chi", "final", "CHI", eighth, 89, 67),
        ("chi", "intermediate", "CHI", ninth, 87, 74),
        ("aus", "final", "AUS", eighth, 99, 74),
        ("aus", "intermediate", "AUS", ninth, 98, 73),
        ("den", "final", "DEN", eighth, 94, 60),
        ("den", "intermediate", "DEN", ninth, 65, 57),
    ];
    for (file, kind, city, day, maximum, minimum) in expected {
        let report = ClimateReport::parse(&read(&folder.join(format!("cli/{file}_{kind}.txt")))).expect("a report");
        assert_eq!(City::from_report(&report.report).map(City::code), Some(city));
        assert_eq!((report.date, report.maximum_f, report.minimum_f), (day, Some(maximum), Some(minimum)), "{file}");
        assert_eq!(report.is_final, kind == "final", "{file} {kind}");
        let listed = meta[file].as_array().expect("a list").iter().find(|one| one["kind"] == kind).expect("listed");
        assert_eq!(report.issued, utc(listed["issuanceTime"].as_str().expect("a time")), "{file} {kind}");
    }
}

#[test]
fn the_final_report_of_another_archive_is_read_alike() {
    let Some(folder) = products() else { return };
    let report = ClimateReport::parse(&read(&folder.join("iem/text_clinyc_202607100625.txt"))).expect("a report");
    assert_eq!((report.date, report.maximum_f, report.is_final), (date(2026, 7, 9), Some(82), true));
    assert_eq!(report.issued, utc("2026-07-10T06:25:00Z"));
}

const TEXT: &str = "000\nCDUS41 KOKX 090626\nCLINYC\n\nCLIMATE REPORT\n226 AM EDT THU JUL 09 2026\n\n\
    ...THE CENTRAL PARK NY CLIMATE SUMMARY FOR JULY 8 2026...\n\nTEMPERATURE (F)\n YESTERDAY\n\
    \x20 MAXIMUM         85    347 PM 100    1993  85      0       93\n  MINIMUM         64    440 AM\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_report_or_a_reason(text in "\\PC{0,400}") {
        let _ = ClimateReport::parse(&text);
    }

    /// Cut, doubled and overwritten places of a real text: what is read stays within what can be.
    #[test]
    fn a_damaged_report_says_nothing_impossible(
        edits in proptest::collection::vec((0..TEXT.len(), 0usize..12, "[ -~\n°é]{0,6}"), 1..6),
    ) {
        let mut text = TEXT.to_owned();
        for (at, length, put) in edits {
            let floor = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let (from, to) = (floor(at), floor(at + length));
            text.replace_range(from..to.max(from), &put);
        }
        if let Ok(report) = ClimateReport::parse(&text) {
            for degrees in [report.maximum_f, report.minimum_f].into_iter().flatten() {
                prop_assert!((-100..=150).contains(&degrees));
            }
            if report.is_final {
                // An Eastern day: it is over five hours after midnight of Greenwich, at the earliest.
                let city = City::from_code("NY").expect("a city");
                let ends = city.day_begins(report.date.tomorrow().expect("not the last day"));
                prop_assert!(report.issued >= ends, "{report:?}");
            }
        }
    }
}
