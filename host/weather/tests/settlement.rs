//! The rules that the venue really listed against the registry: recorded series of July 2026, markets of New York, events
//! of 2024 and 2025, and the official highs that name the station of each event.

use isobar_weather::{City, Listed, Stop, check_settlement};
use jiff::civil::Date;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("ISOBAR_DATA").map_or(beside, PathBuf::from);
    let found = folder.join("weather_books").is_dir().then_some(folder);
    if found.is_none() {
        eprintln!("skipped: no recordings (set ISOBAR_DATA)");
    }
    found
}

fn read(path: &Path) -> String {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    if path.extension().is_some_and(|end| end == "zst") {
        zstd::Decoder::new(file).expect("zstd").read_to_string(&mut text).expect("text");
    } else {
        (&file).read_to_string(&mut text).expect("text");
    }
    text
}

fn lines(path: &Path) -> Vec<Value> {
    read(path).lines().map(|line| serde_json::from_str(line).expect("json")).collect()
}

/// `26JUL18` at the end of a ticker's second part.
fn day(ticker: &str) -> Date {
    let part = ticker.split('-').nth(1).expect("a date in the ticker");
    Date::strptime("%y%b%d", &part[..7]).expect("a date")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("")
}

#[test]
fn every_series_of_daily_highs_of_july_2026_agrees_with_its_row() {
    let Some(data) = data() else { return };
    let mut agreed = BTreeSet::new();
    for series in lines(&data.join("weather_books/series_meta_2026-07-18.jsonl.zst")) {
        let name = text(&series, "series");
        let listed = series["settlement_sources"].as_array().expect("sources");
        let sources: Vec<_> = listed.iter().map(|one| (text(one, "name"), text(one, "url"))).collect();
        let date = day(text(&series, "sample_ticker"));
        let outcome =
            check_settlement(&Listed { series: name, date, rules: text(&series, "rules_primary"), sources: &sources });
        if name.starts_with("KXHIGH") {
            agreed.insert(outcome.unwrap_or_else(|stop| panic!("{stop}")));
            // The same words a month later contradict the row of that day.
            let later = Date::constant(2026, 8, 18);
            let rules = text(&series, "rules_primary").replace("July", "August").replace("Jul ", "Aug ");
            let outcome = check_settlement(&Listed { series: name, date: later, rules: &rules, sources: &sources });
            assert!(matches!(outcome, Err(Stop::OtherSource { .. })), "{name}: {outcome:?}");
        } else {
            assert!(matches!(outcome, Err(Stop::UnknownSeries { .. })), "{name}");
        }
    }
    assert_eq!(agreed, City::all().collect(), "each row of the registry is confirmed by what the venue listed");
}

#[test]
fn all_markets_of_recorded_days_agree() {
    let Some(data) = data() else { return };
    let service = [("NWS Climatological Report", "https://forecast.weather.gov/product.php?site=X&product=CLI")];
    let mut checked = 0;
    let open: Value =
        serde_json::from_str(&read(&data.join("rest/weather_2026-07/kxhighny_open_trimmed.json"))).expect("json");
    let mut bodies = vec![open];
    for day in ["KXHIGHCHI_2025-04-10", "KXHIGHDEN_2024-12-16"] {
        let path = data.join(format!("weather_trades/verbatim/{day}_events.json.zst"));
        bodies.push(serde_json::from_str(&read(&path)).expect("json"));
    }
    for body in &bodies {
        for market in body["markets"].as_array().expect("markets") {
            let ticker = text(market, "ticker");
            let series = ticker.split('-').next().expect("a series");
            let rules = text(market, "rules_primary");
            let listed = Listed { series, date: day(ticker), rules, sources: &service };
            let outcome = check_settlement(&listed);
            assert!(outcome.is_ok(), "{ticker}: {outcome:?}: {rules}");
            let other = Listed { series: "KXHIGHMIA", ..listed };
            assert!(matches!(check_settlement(&other), Err(Stop::OtherPlace { .. })), "{ticker} is not Miami's");
            checked += 1;
        }
    }
    println!("{checked} markets agree with the registry");
    assert_eq!(checked, 15);
}

#[test]
fn official_highs_name_the_station_and_the_end_of_the_climate_day() {
    let Some(data) = data() else { return };
    let mut cities = BTreeSet::new();
    for name in ["16", "17", "18"] {
        for row in lines(&data.join(format!("weather_books/actuals_2026-07-{name}.jsonl.zst"))) {
            for event in row["settled_markets"]["events"].as_array().expect("events") {
                let Some(city) = City::from_series(text(event, "series")) else { continue };
                assert_eq!(text(&row, "cli_station"), city.station(), "{city}");
                let date: Date = text(event, "event_date").parse().expect("a date");
                let closes: jiff::Timestamp = text(event, "close_time").parse().expect("a time");
                let ends = city.day_begins(date.tomorrow().expect("not the last day")).0 / 1_000_000_000;
                // The older series close a minute before their day ends.
                assert!([0, 60].contains(&(ends - closes.as_second())), "{city} {date}: {closes}");
                let settled: f64 = text(event, "expiration_value").parse().expect("a number");
                let high = row["actuals"]["high"]["cli"].as_f64();
                assert!(high.is_none_or(|high| high == settled), "{city} {date}: {high:?} against {settled}");
                cities.insert(city);
            }
        }
    }
    assert_eq!(cities, City::all().collect());
}
