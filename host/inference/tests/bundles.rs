//! The six bundles in models/ through ONNX Runtime: the same values as in training, refusals, speed.

mod graph;

use isobar_engine::market::{MarketId, Strike};
use isobar_engine::opinion::{Conditions, Observed, Opinion, Role};
use isobar_engine::units::{Digest, Probability, SECOND, Timestamp};
use isobar_inference::{
    Bundle, Error, FILES, Feature, Forecaster, Given, Golden, Inputs, Limits, Manifest, NoOpinion, Prediction,
    Question, Runtime, Served, Session, TOLERANCE, Timed, brackets, degrees, recompute,
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

fn golden(city: &str) -> Vec<Golden> {
    Bundle::load(&folder(city)).expect("a bundle").golden
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
        assert!(worst < TOLERANCE, "{city} differs by {worst:e}");

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
    for name in FILES {
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
    spoil(newer.path(), "format = 2", "format = 3");
    assert!(matches!(Bundle::load(newer.path()), Err(Error::Format { found: 3, known: 2 })));

    let classes = manifest("MIA").classes;
    let manifests = [
        ("format = 2", "", "no format"),
        ("least = ", "least = 1000000.0 # ", "no range"),
        ("kind = \"forecast_high\"", "kind = \"guess\"", "guess"),
        ("report = \"nws_climate_report\"", "", "report"),
        ("city = \"MIA\"", "", "city"),
        (&format!("lowest = {}", classes.lowest), "lowest = 90", "classes from 90"),
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
    let extra = "[[features]]\nname = \"humidity\"\nunit = \"1\"\nsource = []\nabout = \"-\"\nrelative = false\noptional = true\nleast = 0.0\nmost = 1.0\n\n[data]";
    let Manifest { classes, features, .. } = manifest("MIA");
    let (wider, more) = (format!("[1, {}]", features.len() + 1), format!("[1, {}]", classes.count() + 1));
    let highest = [classes.highest, classes.highest + 1].map(|highest| format!("highest = {highest}"));
    let cases = [
        ("[data]", extra, wider.as_str()),
        (&highest[0], &highest[1], &more),
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

/// Gives the bundle a graph of the right names and shapes that always answers `answer`.
fn answering(bundle: &mut Bundle, answer: &[f32]) {
    let manifest = &bundle.manifest;
    bundle.onnx = graph::constant(&manifest.input, manifest.features.len(), &manifest.output, answer);
}

#[test]
fn answers_that_are_no_probabilities_give_no_opinion() {
    let runtime = runtime();
    let classes = manifest("MIA").classes.count();
    let one = |first: f32| [vec![first], vec![0.0; classes - 1]].concat();
    let answers = [(one(f32::NAN), "outside"), (one(-0.1), "outside"), (one(1.1), "outside"), (one(0.9), "sum to 0.8")];
    for (answer, word) in answers {
        let mut bundle = Bundle::load(&folder("MIA")).expect("a bundle");
        answering(&mut bundle, &answer);
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

/// A summer day in Miami without history: forecasts of 82 °F first, then the calendar, and nothing else.
fn summer() -> Vec<(&'static str, f32)> {
    let features = manifest("MIA").features;
    let (mut forecasts, mut others) = (Vec::new(), Vec::new());
    for Feature { name, relative, .. } in features {
        let name: &'static str = name.leak();
        match name {
            "season_sin" => others.push((name, 0.0)),
            "season_cos" => others.push((name, -1.0)),
            _ if relative && name.starts_with("fcst_") => forecasts.push((name, 82.0)),
            _ => others.push((name, f32::NAN)),
        }
    }
    forecasts.extend(others);
    forecasts
}

#[test]
fn what_is_not_there_gives_no_opinion_with_the_reason() {
    let runtime = runtime();
    let mut miami = session(&runtime, "MIA");
    let features = summer();
    assert!(miami.predict(&features).is_ok());
    assert_eq!(miami.predict(&features[1..]), Err(NoOpinion::MissingFeature(features[0].0.to_owned())));
    let nothing: Vec<_> = features.iter().map(|(name, _)| (*name, f32::NAN)).collect();
    assert_eq!(miami.predict(&nothing), Err(NoOpinion::NoAnchor));
    let endless: Vec<_> = features.iter().map(|(name, _)| (*name, f32::INFINITY)).collect();
    assert_eq!(miami.predict(&endless), Err(NoOpinion::NoAnchor));
}

/// A deadline that no test here meets.
const LONG: Duration = Duration::from_secs(60);
const START: Timestamp = Timestamp(1_780_000_000 * SECOND);

fn model(runtime: &Runtime, city: &str) -> Timed {
    Timed::new(session(runtime, city), LONG).expect("a thread")
}

fn forecaster(runtime: &Runtime) -> Forecaster {
    let oldest_by_source = BTreeMap::from([("nws_climate_report".to_owned(), 86_400 * SECOND)]);
    let limits = Limits { cooldown: 30 * SECOND, oldest: 2 * 86_400 * SECOND, oldest_by_source };
    let mut forecaster = Forecaster::new(limits);
    for city in CITIES {
        forecaster.hold(Role::Traded, model(runtime, city));
    }
    forecaster
}

/// A feature's name with its sources.
type Named<'a> = (&'a str, Vec<&'a str>);

/// Features with the sources that `names` say.
fn given<'a>(features: &'a [(&'a str, f32)], names: &'a [Named<'a>]) -> Vec<Given<'a>> {
    let sources = |name: &str| names.iter().find(|(served, _)| *served == name).map_or(&[][..], |(_, sources)| sources);
    features.iter().map(|(name, value)| Given { name, sources: sources(name), value: *value }).collect()
}

/// Names and sources of the features of a bundle.
fn named_sources(manifest: &Manifest) -> Vec<Named<'_>> {
    manifest.features.iter().map(|feature| (feature.name.as_str(), sources_of(feature))).collect()
}

fn sources_of(feature: &Feature) -> Vec<&str> {
    feature.source.iter().map(String::as_str).collect()
}

fn manifest(city: &str) -> Manifest {
    Bundle::load(&folder(city)).expect("a bundle").manifest
}

/// Nothing, as of the start.
const NOTHING: Inputs<'static> = Inputs { features: &[], issued: START, published: &[("nws_climate_report", START)] };

const EVENT: &str = "KXHIGHMIA-26JUL01";

/// Asks about Miami, `seconds` after the start.
fn ask(forecaster: &mut Forecaster, seconds: i64, inputs: Result<&[(&str, f32)], NoOpinion>) -> Vec<Opinion> {
    under(forecaster, seconds, inputs, &Conditions::NONE)
}

fn under(
    forecaster: &mut Forecaster,
    seconds: i64,
    inputs: Result<&[(&str, f32)], NoOpinion>,
    conditions: &Conditions,
) -> Vec<Opinion> {
    let miami = manifest("MIA");
    let names = named_sources(&miami);
    let features = inputs.map(|features| given(features, &names));
    let inputs = features.as_ref().map(|features| Inputs { features, ..NOTHING }).map_err(NoOpinion::clone);
    let at = START.plus(seconds * SECOND);
    forecaster.forecast(&Question { event: EVENT, city: "MIA", at, inputs, conditions, markets: &MARKETS })
}

/// The only opinion, a traded one.
fn one(opinions: Vec<Opinion>) -> Opinion {
    let [opinion] = <[Opinion; 1]>::try_from(opinions).expect("one opinion");
    assert_eq!((opinion.role, opinion.city.as_str()), (Role::Traded, "MIA"));
    opinion
}

fn reason(opinion: &Opinion) -> &str {
    opinion.forecast.outcome.as_ref().expect_err("no opinion")
}

#[test]
fn a_city_day_is_asked_about_again_when_something_changed_and_the_cool_down_is_over() {
    let mut forecaster = forecaster(&runtime());
    let first = summer();
    let mut warmer = summer();
    warmer.iter_mut().filter(|(name, _)| name.starts_with("fcst_")).for_each(|(_, high)| *high += 4.0);
    let said = one(ask(&mut forecaster, 0, Ok(&first))).forecast;
    let brackets = said.outcome.clone().expect("probabilities");
    assert_eq!(brackets.iter().map(|(_, p)| p.ppm()).sum::<u32>(), 1_000_000);
    let likely = brackets[1].1.ppm() + brackets[2].1.ppm();
    assert!(likely > 500_000, "82 °F plus the bias of Miami lies between 80 and 87: {brackets:?}");
    assert_eq!((said.event.as_str(), said.issued), (EVENT, START));
    assert_eq!(Some(said.model), forecaster.model("MIA", Role::Traded));

    assert_eq!(ask(&mut forecaster, 100, Ok(&first)), [], "nothing changed");
    let warm = one(ask(&mut forecaster, 101, Ok(&warmer))).forecast;
    assert_ne!(warm.inputs, said.inputs);
    assert_ne!(warm.outcome, said.outcome);
    assert_eq!(ask(&mut forecaster, 130, Ok(&first)), [], "changed, but within the cool-down");
    let back = one(ask(&mut forecaster, 131, Ok(&first))).forecast;
    assert_eq!((back.inputs, back.outcome), (said.inputs, said.outcome));

    let down = || Err(NoOpinion::NoInputs("no weather".to_owned()));
    let lost = one(ask(&mut forecaster, 132, down()));
    assert_eq!((reason(&lost), lost.forecast.inputs, &lost.evidence), ("no weather", Digest::default(), &None));
    assert_eq!(ask(&mut forecaster, 133, down()), [], "said already");
    assert_eq!(ask(&mut forecaster, 160, Ok(&first)), [], "still within the cool-down");
    assert!(one(ask(&mut forecaster, 161, Ok(&first))).forecast.outcome.is_ok());
    let old = one(ask(&mut forecaster, 2 * 86_400 + 1, Ok(&first)));
    assert_eq!(reason(&old), "the newest input is 172801 s old, more than 172800 s");
    assert_eq!(ask(&mut forecaster, 2 * 86_400 + 2, Ok(&first)), [], "said already, though it is older now");
}

#[test]
fn a_new_model_speaks_at_once_and_a_shadow_beside_it() {
    let runtime = runtime();
    let mut forecaster = forecaster(&runtime);
    let features = summer();
    one(ask(&mut forecaster, 0, Ok(&features)));
    assert_eq!(ask(&mut forecaster, 1, Ok(&features)), []);

    // The same graph under another name.
    let other = copy("MIA");
    spoil(other.path(), "[training]", "[training]\nnote = \"another\"");
    let other = || Session::verified(&runtime, Bundle::load(other.path()).expect("a bundle")).expect("a session");
    let hash = other().model();
    forecaster.hold(Role::Traded, Timed::new(other(), LONG).expect("a thread"));
    let swapped = one(ask(&mut forecaster, 2, Ok(&features)));
    assert_eq!(swapped.forecast.model, hash);
    assert_eq!(ask(&mut forecaster, 3, Ok(&features)), []);

    forecaster.hold(Role::Shadow, model(&runtime, "MIA"));
    let both = ask(&mut forecaster, 4, Ok(&features));
    assert_eq!(both.iter().map(|opinion| opinion.role).collect::<Vec<_>>(), [Role::Traded, Role::Shadow]);
    assert_ne!(both[0].forecast.model, both[1].forecast.model);
    assert_eq!(both[0].evidence, both[1].evidence, "the same graph on the same inputs");
}

#[test]
fn evidence_is_enough_to_compute_an_opinion_again_and_shows_what_was_changed() {
    let runtime = runtime();
    let mut forecaster = forecaster(&runtime);
    let observed = Observed { source: "station".to_owned(), maximum: 84_200, bound: 1_000 };
    let floor = Probability::new(1_000).expect("a probability");
    let conditions = Conditions { observed: Some(observed), official: None, floor };
    let opinion = one(under(&mut forecaster, 0, Ok(&summer()), &conditions));
    let said = opinion.forecast.outcome.clone().expect("probabilities");
    assert!(said[0].1.ppm() <= 1_000, "79° or below is over: {said:?}");
    let evidence = opinion.evidence.clone().expect("evidence");
    let (before, after) = degrees(&evidence).expect("probabilities");
    assert!(before.probabilities.iter().sum::<f64>() > 0.999 && after.lowest == before.lowest);

    let mut miami = session(&runtime, "MIA");
    let again = recompute(&mut miami, &evidence, opinion.forecast.inputs, &opinion.forecast.outcome);
    assert_eq!(again.difference, None);
    assert!(again.worst <= TOLERANCE);

    let differs = |evidence: &_, outcome: &_, word: &str, miami: &mut Session, inputs| {
        let found = recompute(miami, evidence, inputs, outcome).difference.expect(word);
        assert!(found.contains(word), "{found}");
    };
    let mut row = evidence.clone();
    row.row[0] ^= 1 << 20;
    let (inputs, outcome) = (opinion.forecast.inputs, &opinion.forecast.outcome);
    differs(&row, outcome, "hash", &mut miami, inputs);
    let mut classes = evidence.clone();
    classes.classes[8] = (f32::from_bits(classes.classes[8]) + 2e-5).to_bits();
    differs(&classes, outcome, "is off by", &mut miami, inputs);
    let mut moved = said.clone();
    moved.swap(0, 2);
    differs(&evidence, &Ok(said.iter().zip(&moved).map(|(a, b)| (a.0, b.1)).collect()), "lead to", &mut miami, inputs);
    let mut chicago = session(&runtime, "CHI");
    differs(&evidence, outcome, "", &mut chicago, inputs);
}

#[test]
fn inputs_that_are_not_as_in_training_give_no_opinion_with_the_reason() {
    let runtime = runtime();
    // One that is no forecast: here the model may not be asked without it, nor below 30.
    let mut bundle = Bundle::load(&folder("MIA")).expect("a bundle");
    let strict = bundle.manifest.features.iter_mut().find(|feature| feature.name == "high_lag_1").expect("a feature");
    (strict.optional, strict.least) = (false, 30.0);
    let strict = || Timed::new(Session::new(&runtime, bundle.clone()).expect("a session"), LONG).expect("a thread");
    let expect = |features: &[(&'static str, f32)], names: &[Named<'_>], seconds: i64, words: &str| {
        let mut forecaster = forecaster(&runtime);
        forecaster.hold(Role::Traded, strict());
        let features = given(features, names);
        let inputs = Ok(Inputs { features: &features, ..NOTHING });
        let at = START.plus(seconds * SECOND);
        let (conditions, markets) = (&Conditions::NONE, &MARKETS);
        let opinion =
            one(forecaster.forecast(&Question { event: EVENT, city: "MIA", at, inputs, conditions, markets }));
        assert!(reason(&opinion).contains(words), "{words}: {}", reason(&opinion));
        assert_eq!(opinion.evidence, None, "the model was not asked");
    };
    let with = |name: &str, value: f32| {
        let mut features = summer();
        features.iter_mut().filter(|(other, _)| *other == "high_lag_1").for_each(|(_, lag)| *lag = 88.0);
        features.iter_mut().filter(|(other, _)| *other == name).for_each(|(_, old)| *old = value);
        features
    };
    let miami = manifest("MIA");
    let ours = named_sources(&miami);
    expect(&with("high_lag_1", f32::NAN), &ours, 0, "feature high_lag_1 has no value");
    let most = |name: &str| miami.features.iter().find(|feature| feature.name == name).expect(name).most;
    let out = format!("feature high_lag_1 is 29, outside of 30 to {}", most("high_lag_1"));
    expect(&with("high_lag_1", 29.0), &ours, 0, &out);
    let (first, _) = summer()[0];
    expect(&with(first, f32::INFINITY), &ours, 0, &format!("feature {first} is inf, outside of"));
    expect(&with("", 0.0)[1..], &ours, 0, &format!("feature {first} is missing"));
    let mut elsewhere = ours.clone();
    elsewhere.iter_mut().filter(|(name, _)| *name == first).for_each(|(_, from)| *from = vec!["visual_crossing"]);
    let other = format!("feature {first} is from \"visual_crossing\", the model was trained on");
    expect(&with("", 0.0), &elsewhere, 0, &other);
    expect(&with("", 0.0), &ours, 86_401, "nws_climate_report is 86401 s old, more than 86400 s");

    let dry = |name: &str| miami.anchor.terms.iter().any(|term| term.feature == name);
    let nothing = summer().into_iter().map(|(name, value)| (name, if dry(name) { f32::NAN } else { value }));
    let nothing: Vec<_> = nothing.collect();
    // Here the model is asked, and finds nothing to start from.
    let mut forecaster = forecaster(&runtime);
    let opinion = one(ask(&mut forecaster, 0, Ok(&nothing)));
    assert_eq!(reason(&opinion), "no forecast to start from");

    let (conditions, inputs) = (&Conditions::NONE, Err(NoOpinion::NoInputs("source down".to_owned())));
    let question = Question { event: "KXHIGHNY-26JUL01", city: "NY", at: START, inputs, conditions, markets: &MARKETS };
    let nobody = forecaster.forecast(&question);
    assert_eq!(reason(&nobody[0]), "no model for NY");
    let features = summer();
    let features = given(&features, &ours);
    let inputs = Ok(Inputs { features: &features, ..NOTHING });
    let holes = Question { event: "KXHIGHMIA-26JUL02", city: "MIA", markets: &MARKETS[1..], inputs, ..question };
    let holes = forecaster.forecast(&holes);
    assert!(reason(&holes[0]).contains("79° belongs to 0 markets"), "{holes:?}");
}

#[test]
fn a_bundle_that_asks_for_what_is_not_served_is_refused() {
    let (miami, chicago) = (manifest("MIA"), manifest("CHI"));
    let mut served = named_sources(&chicago);
    let check = |served: &[Named<'_>]| {
        let served: Vec<Served<'_>> = served.iter().map(|(name, sources)| (*name, &sources[..])).collect();
        miami.is_served_by(&served).map_err(|error| error.to_string())
    };
    assert_eq!(check(&served), Ok(()), "all cities ask for the same");
    let icon = served.iter().position(|(name, _)| *name == "fcst_icon").expect("a forecast");
    served[icon].1 = vec!["visual_crossing"];
    let other = check(&served).expect_err("refused");
    assert!(other.contains("fcst_icon is from [\"open_meteo\"], here it is from [\"visual_crossing\"]"), "{other}");
    served.remove(icon);
    let missing = check(&served).expect_err("refused");
    assert!(missing.contains("fcst_icon is not served"), "{missing}");
}

#[test]
fn golden_rows_that_do_not_come_out_refuse_the_bundle() {
    let runtime = runtime();
    let verify = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = Bundle::load(&folder("MIA")).expect("a bundle");
        change(&mut bundle);
        Session::verified(&runtime, bundle).map(|_| ())
    };
    verify(&|_| ()).expect("as in training");
    let refused = |change: &dyn Fn(&mut Bundle), word: &str| {
        let error = verify(change).expect_err(word);
        assert!(matches!(&error, Error::Golden { reason, .. } if reason.contains(word)), "{word}: {error}");
    };
    refused(&|bundle| bundle.golden[0].probabilities[5] += 2e-5, "off by");
    refused(&|bundle| bundle.golden[1].anchor_f += 1, "classes from");
    refused(&|bundle| bundle.golden[1].features.truncate(3), "3 features");
    refused(&|bundle| bundle.golden[0].features.fill(None), "no forecast");
    let classes = manifest("MIA").classes.count();
    refused(&|bundle| answering(bundle, &vec![f32::NAN; classes]), "outside 0 to 1");
    refused(&|bundle| answering(bundle, &vec![1.0 / classes as f32; classes]), "off by");
}

#[test]
fn a_refresh_of_all_cities_takes_a_few_milliseconds() {
    let runtime = runtime();
    let mut forecaster = forecaster(&runtime);
    let miami = manifest("MIA");
    let names = named_sources(&miami);
    let mut times = Vec::new();
    for round in 0..50_u8 {
        let mut features = summer();
        features[0].1 += f32::from(round) / 8.0;
        let features = given(&features, &names);
        let start = Instant::now();
        for (city, event) in CITIES.iter().zip(["a", "b", "c", "d", "e", "f"]) {
            let inputs = Ok(Inputs { features: &features, ..NOTHING });
            let at = START.plus(i64::from(round) * 60 * SECOND);
            let (conditions, markets) = (&Conditions::NONE, &MARKETS);
            let said = forecaster.forecast(&Question { event, city, at, inputs, conditions, markets });
            assert!(said[0].forecast.outcome.is_ok(), "{said:?}");
        }
        times.push(start.elapsed());
    }
    times.sort();
    println!("a refresh of six cities: p50 {:.2?}, worst {:.2?}", times[25], times[49]);
    assert!(times[25] < Duration::from_millis(20), "{:?}", times[25]);
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
