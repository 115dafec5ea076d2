//! The six bundles in models/ through ONNX Runtime: the same values as in training, refusals, speed.

use isobar_engine::market::{MarketId, Strike};
use isobar_engine::units::{Digest, SECOND, Timestamp};
use isobar_inference::{
    Bundle, Error, Forecaster, Inputs, NoOpinion, Prediction, Question, Runtime, Session, brackets,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CITIES: [&str; 6] = ["CHI", "AUS", "DEN", "LAX", "MIA", "PHIL"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn runtime() -> Runtime {
    let named = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    let library = named.unwrap_or_else(|| root().join(".tools/onnxruntime/libonnxruntime.so"));
    assert!(library.is_file(), "ONNX Runtime is not at {}: run `make` or set ORT_DYLIB_PATH", library.display());
    Runtime::open(Some(&library)).expect("ONNX Runtime loads")
}

fn folder(city: &str) -> PathBuf {
    root().join("models").join(city.to_lowercase())
}

fn session(runtime: &Runtime, city: &str) -> Session {
    Session::new(runtime, Bundle::load(&folder(city)).expect("a bundle")).expect("a session")
}

/// A row of golden.json: made-up features, and what CatBoost itself says about them.
#[derive(serde::Deserialize)]
struct Golden {
    features: Vec<Option<f32>>,
    anchor_f: i32,
    probabilities: Vec<f64>,
}

fn golden(city: &str) -> Vec<Golden> {
    let text = std::fs::read(folder(city).join("golden.json")).expect("golden rows");
    serde_json::from_slice(&text).expect("golden rows")
}

/// Features of the golden rows by name.
fn named<'a>(session: &'a Session, row: &Golden) -> Vec<(&'a str, f32)> {
    let names = session.manifest().features.iter().map(|feature| feature.name.as_str());
    names.zip(row.features.iter().map(|value| value.unwrap_or(f32::NAN))).collect()
}

#[test]
fn every_city_answers_as_catboost_does_and_loads_and_answers_fast() {
    let runtime = runtime();
    for city in CITIES {
        let mut loading = Duration::MAX;
        let mut session = session(&runtime, city);
        for _ in 0..3 {
            let start = Instant::now();
            session = self::session(&runtime, city);
            loading = loading.min(start.elapsed());
        }
        assert_eq!(session.manifest().city, city);
        let rows = golden(city);
        assert!(rows.iter().any(|row| row.features.contains(&None)), "missing values are among them");
        let mut worst = 0.0_f64;
        for row in &rows {
            // In another order than the graph's: names decide.
            let mut features: Vec<(String, f32)> =
                named(&session, row).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            features.reverse();
            let features: Vec<(&str, f32)> = features.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            let prediction = session.predict(&features).expect("an answer");
            assert_eq!(prediction.lowest, row.anchor_f + session.manifest().classes.lowest, "{city}");
            assert_eq!(prediction.probabilities.len(), row.probabilities.len(), "{city}");
            for (ours, theirs) in prediction.probabilities.iter().zip(&row.probabilities) {
                worst = worst.max((ours - theirs).abs());
            }
        }
        assert!(worst < 1e-5, "{city} differs by {worst:e}");

        let features: Vec<(String, f32)> =
            named(&session, &rows[0]).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let features: Vec<(&str, f32)> = features.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                let start = Instant::now();
                session.predict(&features).expect("an answer");
                start.elapsed()
            })
            .collect();
        times.sort();
        println!(
            "{city}: load {loading:.1?}, predict p50 {:.1?} p99 {:.1?}, parity {worst:.1e}",
            times[100], times[198]
        );
        assert!(loading < Duration::from_millis(150), "{city} took {loading:?}");
    }
}

/// A copy of a bundle that a test may spoil.
fn copy(city: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for name in ["model.toml", "model.onnx"] {
        std::fs::copy(folder(city).join(name), copy.path().join(name)).expect("a copy");
    }
    copy
}

/// Replaces text in the copy's manifest.
fn spoil(copy: &Path, from: &str, to: &str) {
    let path = copy.join("model.toml");
    let text = std::fs::read_to_string(&path).expect("a manifest");
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).expect("written");
}

#[test]
fn spoilt_bundles_are_refused_with_the_reason() {
    let whole = copy("MIA");
    Bundle::load(whole.path()).expect("the copy itself is fine");

    let flipped = copy("MIA");
    let path = flipped.path().join("model.onnx");
    let mut bytes = std::fs::read(&path).expect("a graph");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    assert!(matches!(Bundle::load(flipped.path()), Err(Error::Corrupt { .. })));

    std::fs::remove_file(path).expect("removed");
    assert!(
        matches!(Bundle::load(flipped.path()), Err(Error::Unreadable { path, .. }) if path.ends_with("model.onnx"))
    );

    let newer = copy("MIA");
    spoil(newer.path(), "format = 1", "format = 2");
    assert!(matches!(Bundle::load(newer.path()), Err(Error::Format { found: 2, known: 1 })));

    let manifests = [
        ("format = 1", "", "no format"),
        ("city = \"MIA\"", "", "city"),
        ("lowest = -9", "lowest = 90", "classes from 90"),
        ("weight = 0", "weight = -0", "weight above zero"),
        ("feature = \"fcst_gfs\"", "feature = \"fcst_nobody\"", "fcst_nobody, which is no feature"),
        ("name = \"fcst_icon\"", "name = \"fcst_gfs\"", "fcst_gfs twice"),
        ("[classes]", "[classes", "unclosed"),
    ];
    for (from, to, word) in manifests {
        let spoilt = copy("MIA");
        spoil(spoilt.path(), from, to);
        let error = Bundle::load(spoilt.path()).expect_err(word);
        assert!(matches!(&error, Error::Manifest(reason) if reason.contains(word)), "{word}: {error}");
    }
}

#[test]
fn graphs_that_are_not_what_the_manifest_says_are_refused_with_the_reason() {
    let runtime = runtime();
    let extra = "[[features]]\nname = \"humidity\"\nunit = \"1\"\nsource = \"-\"\nrelative = false\n\n[data]";
    let cases = [
        ("[data]", extra, "[1, 12]"),
        ("highest = 8", "highest = 9", "[1, 19]"),
        ("input = \"features\"", "input = \"row\"", "\"row\""),
        ("output = \"probabilities\"", "output = \"p\"", "\"p\""),
    ];
    for (from, to, word) in cases {
        let spoilt = copy("MIA");
        spoil(spoilt.path(), from, to);
        let bundle = Bundle::load(spoilt.path()).expect("the files are whole");
        let error = Session::new(&runtime, bundle).err().expect(word);
        assert!(matches!(&error, Error::Graph(reason) if reason.contains(word)), "{word}: {error}");
    }
    let mut garbage = Bundle::load(&folder("MIA")).expect("a bundle");
    garbage.onnx.truncate(1_000);
    assert!(matches!(Session::new(&runtime, garbage), Err(Error::Graph(_))));
}

#[test]
fn a_library_that_is_none_is_refused() {
    let nowhere = Runtime::open(Some(Path::new("/nowhere/libonnxruntime.so"))).err().expect("refused");
    assert!(matches!(&nowhere, Error::Library { reason, .. } if reason.contains("not found")), "{nowhere}");
}

#[test]
fn answers_that_are_no_probabilities_give_no_opinion() {
    let runtime = runtime();
    // The graph multiplies its curve by the constant `half`: name, then tag and length of four bytes, then the value.
    for (factor, word) in [(f32::NAN, "outside"), (-3.0, "outside")] {
        let mut bundle = Bundle::load(&folder("MIA")).expect("a bundle");
        let pattern = [&b"half"[..], &[0x4a, 4], &0.5_f32.to_le_bytes()].concat();
        let found = bundle.onnx.windows(pattern.len()).position(|bytes| bytes == pattern);
        let value = found.expect("the constant") + pattern.len() - 4;
        bundle.onnx[value..value + 4].copy_from_slice(&factor.to_le_bytes());
        let mut session = Session::new(&runtime, bundle).expect("names and shapes are right");
        let reason = session.predict(&summer()).expect_err("no opinion");
        assert!(matches!(&reason, NoOpinion::BadAnswer(text) if text.contains(word)), "{reason}");
    }
}

#[test]
fn sessions_may_live_on_another_thread() {
    fn movable<T: Send>() {}
    movable::<Forecaster>();
}

const MARKETS: [(MarketId, Strike); 4] = [
    (MarketId(3), Strike::Less { cap: 80 }),
    (MarketId(4), Strike::Between { floor: 80, cap: 83 }),
    (MarketId(5), Strike::Between { floor: 84, cap: 87 }),
    (MarketId(6), Strike::Greater { floor: 87 }),
];

/// A summer day in Miami without history.
fn summer() -> Vec<(&'static str, f32)> {
    let mut features = vec![("fcst_gfs", 82.0), ("fcst_ecmwf_ifs025", 82.5), ("fcst_icon", 82.2), ("fcst_gem", 81.0)];
    features.extend([("fcst_spread", 1.5), ("season_sin", 0.0), ("season_cos", -1.0)]);
    features.extend(["high_lag_1", "error_lag_1", "error_lag_2", "error_lag_3"].map(|name| (name, f32::NAN)));
    features
}

#[test]
fn what_is_not_there_gives_no_opinion_with_the_reason() {
    let runtime = runtime();
    let mut miami = session(&runtime, "MIA");
    let features = summer();
    assert!(miami.predict(&features).is_ok());
    assert_eq!(miami.predict(&features[1..]), Err(NoOpinion::MissingFeature("fcst_gfs".to_owned())));
    let nothing: Vec<_> = features.iter().map(|(name, _)| (*name, f32::NAN)).collect();
    assert_eq!(miami.predict(&nothing), Err(NoOpinion::NoAnchor));
    let endless: Vec<_> = features.iter().map(|(name, _)| (*name, f32::INFINITY)).collect();
    assert_eq!(miami.predict(&endless), Err(NoOpinion::NoAnchor));
}

#[test]
fn a_city_day_is_asked_about_again_when_something_changed_and_the_cool_down_is_over() {
    let mut forecaster = Forecaster::new(30 * SECOND, 86_400 * SECOND);
    let count = forecaster.load(&runtime(), &root().join("models")).expect("all bundles");
    assert_eq!(count, CITIES.len());
    let start = Timestamp(1_780_000_000 * SECOND);
    let first = summer();
    let mut warmer = summer();
    warmer[0].1 += 4.0;
    let ask = |forecaster: &mut Forecaster, seconds: i64, inputs: Result<&[(&str, f32)], &str>| {
        let inputs = inputs.map(|features| Inputs { features, issued: start }).map_err(str::to_owned);
        let at = start.plus(seconds * SECOND);
        forecaster.forecast(&Question { event: "KXHIGHMIA-26JUL01", city: "MIA", at, inputs, markets: &MARKETS })
    };
    let said = ask(&mut forecaster, 0, Ok(&first)).expect("the first opinion");
    let brackets = said.outcome.clone().expect("probabilities");
    assert_eq!(brackets.iter().map(|(_, p)| p.ppm()).sum::<u32>(), 1_000_000);
    assert!(brackets[2].1.ppm() > 500_000, "82 °F plus the bias of Miami lies between 84 and 87: {brackets:?}");
    assert_eq!((said.event.as_str(), said.issued), ("KXHIGHMIA-26JUL01", start));
    assert_eq!(said.model, forecaster.session("MIA").expect("held").model());

    assert_eq!(ask(&mut forecaster, 100, Ok(&first)), None, "nothing changed");
    let warm = ask(&mut forecaster, 101, Ok(&warmer)).expect("changed, and long ago");
    assert_ne!(warm.inputs, said.inputs);
    assert_ne!(warm.outcome, said.outcome);
    assert_eq!(ask(&mut forecaster, 130, Ok(&first)), None, "changed, but within the cool-down");
    let back = ask(&mut forecaster, 131, Ok(&first)).expect("the cool-down is over");
    assert_eq!((back.inputs, back.outcome), (said.inputs, said.outcome));

    let lost = ask(&mut forecaster, 132, Err("no weather")).expect("said at once");
    assert_eq!((lost.outcome, lost.inputs), (Err("no weather".to_owned()), Digest::default()));
    assert_eq!(ask(&mut forecaster, 133, Err("no weather")), None, "said already");
    assert_eq!(ask(&mut forecaster, 160, Ok(&first)), None, "still within the cool-down");
    assert!(ask(&mut forecaster, 161, Ok(&first)).expect("over").outcome.is_ok());
    let old = ask(&mut forecaster, 86_401, Ok(&first)).expect("said at once");
    assert_eq!(old.outcome, Err("the inputs are too old".to_owned()));
    assert_eq!(ask(&mut forecaster, 86_402, Ok(&first)), None, "said already");

    let inputs = Ok(Inputs { features: &first, issued: start });
    let question = Question { event: "KXHIGHNY-26JUL01", city: "NY", at: start, inputs, markets: &MARKETS };
    let nobody = forecaster.forecast(&question).expect("said");
    assert_eq!(nobody.outcome, Err("no model for NY".to_owned()));
    let holes = Question { event: "KXHIGHMIA-26JUL02", city: "MIA", markets: &MARKETS[1..], ..question };
    let outcome = forecaster.forecast(&holes).expect("said").outcome.expect_err("strikes leave a hole");
    assert!(outcome.contains("79° belongs to 0 markets"), "{outcome}");
}

#[test]
fn settled_markets_agree_with_the_mapping() {
    let data = std::env::var_os("ISOBAR_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let path = data.join("weather_trades/markets.csv.zst");
    if !path.is_file() {
        eprintln!("skipped: no recordings (set ISOBAR_DATA)");
        return;
    }
    let file = std::fs::File::open(path).expect("readable");
    let mut table = csv::Reader::from_reader(zstd::Decoder::new(file).expect("zstd"));
    let mut events: BTreeMap<String, Vec<BTreeMap<String, String>>> = BTreeMap::new();
    for row in table.deserialize::<BTreeMap<String, String>>() {
        let row = row.expect("a row");
        events.entry(row["event_ticker"].clone()).or_default().push(row);
    }
    let (mut settled, mut refused) = (0, 0);
    for (event, rows) in &events {
        let degrees = |text: &str| text.parse::<i32>().ok();
        let strike = |row: &BTreeMap<String, String>| {
            let (floor, cap) = (degrees(&row["floor_strike"]), degrees(&row["cap_strike"]));
            match (row["strike_type"].as_str(), floor, cap) {
                ("less", _, Some(cap)) => Strike::Less { cap },
                ("greater", Some(floor), _) => Strike::Greater { floor },
                ("between", Some(floor), Some(cap)) => Strike::Between { floor, cap },
                _ => Strike::Other,
            }
        };
        let markets: Vec<_> = (0..).map(MarketId).zip(rows.iter().map(strike)).collect();
        let high = rows.iter().find_map(|row| row["expiration_value"].parse::<f64>().ok());
        let Some(high) = high.filter(|_| rows.iter().filter(|row| row["result"] == "yes").count() == 1) else {
            continue;
        };
        // All the probability on the degree that came.
        let prediction = Prediction { lowest: high as i32, probabilities: vec![1.0] };
        let Ok(result) = brackets(&prediction, &markets) else {
            assert!(markets.iter().any(|(_, strike)| *strike == Strike::Other), "{event}: {markets:?}");
            refused += 1;
            continue;
        };
        for (row, (_, probability)) in rows.iter().zip(result) {
            let expected = if row["result"] == "yes" { 1_000_000 } else { 0 };
            assert_eq!(probability.ppm(), expected, "{} at {high}", row["ticker"]);
        }
        settled += 1;
    }
    println!("{settled} settled city-days agree, {refused} have blank strikes");
    assert!(settled > 300, "{settled}");
}
