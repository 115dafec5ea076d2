//! Tests of the configuration.

use super::*;
use isobar_engine::orders::LiveSettings;
use isobar_engine::risk::{self, Window};
use isobar_engine::units::{Price, Quantity};

fn parse(text: &str) -> Result<Config, Error> {
    Config::parse(text, Path::new("desk/isobar.toml"), None)
}

/// A file with one plain slot and `text` before it.
fn with_slot(text: &str) -> Result<Config, Error> {
    parse(&format!("{text}\n[[slot]]\nname = \"edge\"\ncomponent = \"edge.wasm\"\n"))
}

fn complaint(text: &str) -> String {
    with_slot(text).expect_err("refused").to_string()
}

#[test]
fn the_example_says_what_is_documented() {
    let example = parse(EXAMPLE).expect("the example");
    let named = |(key, text): (&str, &str)| (key.to_owned(), Decimal::read(text).expect("a number"));
    let guide = [("MIN_EDGE_TAKE", "0.05"), ("MIN_EDGE_MAKE", "0.03"), ("BET_AMOUNT_USD", "20")];
    let ours = [("MIN_PROBABILITY", "0"), ("BOTH_SIDES", "1")];
    let edge = Slot {
        name: "edge".to_owned(),
        component: PathBuf::from("desk/target/strategies/edge.wasm"),
        watch: Some(PathBuf::from("desk/drop/edge")),
        reuse: Reuse::Fresh,
        parameters: guide.into_iter().chain(ours).map(named).collect(),
    };
    let patient = Slot {
        name: "patient".to_owned(),
        component: PathBuf::from("desk/target/strategies/patient.wasm"),
        watch: Some(PathBuf::from("desk/drop/patient")),
        reuse: Reuse::Fresh,
        parameters: [("MARGIN", "0.03"), ("QUOTE_CONTRACTS", "10")].map(named).into(),
    };
    let documented = Config {
        venue: Venue {
            addresses: None,
            series: SERIES.map(str::to_owned).to_vec(),
            key: None,
            simulated: false,
            audit: Some(Duration::from_secs(60)),
            sockets: 1,
        },
        feed: Feed { use_yes_price: true, stale_after: 60 * SECOND, stale_by_last_change: false },
        weather: Weather {
            sources: [SourceKind::OpenMeteo, SourceKind::NwsObservations, SourceKind::NwsClimateReports]
                .map(SourceConfig::new)
                .to_vec(),
            contact: "an operator who left no address".to_owned(),
            history: vec![],
        },
        models: Models {
            folder: PathBuf::from("desk/models"),
            library: PathBuf::from("desk/.tools/onnxruntime/libonnxruntime.so"),
            cooldown: 30 * SECOND,
            forecast_age: 36 * 3_600 * SECOND,
            shadow: None,
            source_age: BTreeMap::new(),
            deadline: Duration::from_secs(1),
            floor: Probability::new(1_000).expect("a probability"),
        },
        limits: Limits {
            order: Quantity::contracts(50),
            order_notional: Money::dollars(1_000),
            position: Quantity::contracts(50),
            city_day_contracts: Quantity::contracts(10_000),
            city_day_loss: Money::dollars(10_000),
            day_notional: Money::dollars(1_000_000),
            exposure: Money::dollars(100_000),
            open_orders: 200,
            collar: Price::ONE,
            orders_per_second: 1_000,
            orders_per_minute: 10_000,
            daily_loss: Money::dollars(100_000),
            skew: 60 * SECOND,
            before_close: 0,
            windows: vec![],
        },
        live: None,
        paper: Paper { latency: Duration::from_millis(50), queue: Queue::Never, starting_cash: Money::dollars(1_000) },
        fees: Fees::Venue,
        run_dir: PathBuf::from("desk/runs"),
        busy_poll: Duration::ZERO,
        slots: vec![edge, patient],
    };
    assert_eq!(example, documented);
}

#[test]
fn a_key_that_is_left_out_keeps_the_value_of_the_example() {
    let example = parse(EXAMPLE).expect("the example");
    let short = with_slot("").expect("one slot is enough");
    assert_eq!(Config { slots: vec![], ..example }, Config { slots: vec![], ..short });
}

#[test]
fn the_example_shows_every_key() {
    let expected = [
        "rest",
        "websocket",
        "series",
        "use_yes_price",
        "ORDER_BOOK_STALE_SEC",
        "stale",
        "contact",
        "kind",
        "history",
        "folder",
        "library",
        "INFERENCE_COOLDOWN_SEC",
        "max_forecast_age_sec",
        "shadow",
        "max_source_age_sec",
        "deadline_ms",
        "ruled_out_probability",
        "MAX_POSITION_PER_MARKET",
        "max_order_contracts",
        "max_open_orders",
        "max_order_usd",
        "max_city_day_contracts",
        "max_city_day_loss_usd",
        "max_day_traded_usd",
        "max_exposure_usd",
        "max_daily_loss_usd",
        "max_collar_usd",
        "max_orders_per_second",
        "max_orders_per_minute",
        "max_clock_skew_sec",
        "stop_before_close_sec",
        "no_trading_utc",
        "slot",
        "order_ttl_sec",
        "renew_when_left_sec",
        "patience_sec",
        "retry_sec",
        "retry_most_sec",
        "read_lag_sec",
        "read_account_sec",
        "read_timeout_sec",
        "read_queue_sec",
        "latency_ms",
        "queue",
        "starting_cash_usd",
        "schedule",
        "TAKER_FEE_RATE",
        "MAKER_FEE_RATE",
        "dir",
        "busy_poll_ms",
        "name",
        "component",
        "watch",
        "reuse",
    ];
    let shown: Vec<&str> =
        EXAMPLE.lines().filter_map(|line| Some(line.trim_start_matches("# ").split_once(" = ")?.0)).collect();
    for key in expected {
        assert!(shown.contains(&key), "{key}");
    }
    // With its commented keys in force the example is still a configuration.
    let commented = ["rest", "websocket", "library", "shadow", "max_source_age_sec", "history"];
    let all =
        commented.iter().fold(EXAMPLE.to_owned(), |text, key| text.replace(&format!("# {key} ="), &format!("{key} =")));
    let all = parse(&all).expect("the example with every key");
    assert_eq!(all.models.shadow, Some(PathBuf::from("desk/models-shadow")));
    assert_eq!(all.models.source_age["nws_observation"], 3 * 3_600 * SECOND);
    let addresses = all.venue.addresses.expect("both are given");
    assert_eq!(addresses.rest, "https://api.elections.kalshi.com/trade-api/v2");
    assert_eq!(all.models.library, PathBuf::from("desk/.tools/onnxruntime/libonnxruntime.so"));
}

#[test]
fn the_embedded_example_is_read() {
    assert_eq!(Config::example().slots.len(), 2);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
    let text = "[limits]\nmax_open_orders = 3\nMAX_POSTION_PER_MARKET = 10";
    let wanted = "desk/isobar.toml:3: unknown key MAX_POSTION_PER_MARKET; did you mean MAX_POSITION_PER_MARKET?";
    assert_eq!(complaint(text), wanted);
    assert_eq!(complaint("[feeds]"), "desk/isobar.toml:1: unknown key feeds; did you mean feed?");
    let wanted = "desk/isobar.toml:2: unknown key secret; known here: schedule, TAKER_FEE_RATE, MAKER_FEE_RATE";
    assert_eq!(complaint("[fees]\nsecret = 1"), wanted);
    assert_eq!(complaint("[run]\ndri = \"x\""), "desk/isobar.toml:2: unknown key dri; did you mean dir?");
}

#[test]
fn numbers_are_exact() {
    let config = with_slot(
        "[limits]\nMAX_POSITION_PER_MARKET = 12.25\n[fees]\nschedule = \"flat-premium\"\nTAKER_FEE_RATE = \"0.070001\"\n[feed]\nORDER_BOOK_STALE_SEC = 0.1\n[paper]\nlatency_ms = 1.5",
    );
    let config = config.expect("exact");
    assert_eq!(config.limits.position, Quantity::new(1_225));
    assert_eq!(config.fees, Fees::Fixed(FeeSchedule::FlatPremium { taker_ppm: 70_001, maker_ppm: 0 }));
    assert_eq!(config.feed.stale_after, 100_000_000);
    assert_eq!(config.paper.latency, Duration::from_micros(1_500));
}

#[test]
fn a_float_is_the_text_that_was_written_and_not_its_nearest_binary() {
    let text = "[[slot]]\nname = \"a\"\ncomponent = \"a.wasm\"\n[slot.parameters]\nX = 0.1234567890123456789\nY = 123_456.789\nZ = -0.3\nW = \"4\"\n";
    let complaint = parse(text).expect_err("19 decimals").to_string();
    let wanted = "slot.parameters.X: 0.1234567890123456789 has more digits than a number may have (18)";
    assert_eq!(complaint, format!("desk/isobar.toml:5: {wanted}"));
    let slots = parse(&text.replace("6789\nY", "678\nY")).expect("18 decimals").slots;
    let all: Vec<String> = slots[0].parameter_texts().into_iter().map(|(_, text)| text).collect();
    assert_eq!(all, ["4", "0.123456789012345678", "123456.789", "-0.3"]);
}

#[test]
fn numbers_out_of_their_range_are_refused_with_key_and_range() {
    let wanted = "limits.MAX_POSITION_PER_MARKET: 1.255 is not a number from 0 to 1000000 with at most 2 decimals";
    assert_eq!(complaint("[limits]\nMAX_POSITION_PER_MARKET = 1.255"), format!("desk/isobar.toml:2: {wanted}"));
    let wanted = "limits.max_open_orders: -1 is not a whole number from 0 to 10000";
    assert_eq!(complaint("[limits]\nmax_open_orders = -1"), format!("desk/isobar.toml:2: {wanted}"));
    let wanted = "fees.TAKER_FEE_RATE: 7 is not a number from 0 to 1 with at most 6 decimals";
    assert_eq!(complaint("[fees]\nTAKER_FEE_RATE = 7"), format!("desk/isobar.toml:2: {wanted}"));
    assert!(complaint("[feed]\nORDER_BOOK_STALE_SEC = 0").contains("from 0.001 to"));
    assert!(complaint("[paper]\nlatency_ms = true").contains("paper.latency_ms: a number is wanted, not a boolean"));
    assert!(complaint("[paper]\nlatency_ms = \"5e1\"").contains("\"5e1\" is not a decimal number"));
    assert!(complaint("[fees]\nMAKER_FEE_RATE = nan").contains("fees.MAKER_FEE_RATE"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert!(complaint("[venue]\nrest = \"https://host/v2\"").contains("go together"));
    let both = "[venue]\nrest = \"host\"\nwebsocket = \"wss://host\"";
    assert_eq!(complaint(both), "desk/isobar.toml:2: venue.rest: \"host\" does not begin with https:// or http://");
    assert!(complaint("[venue]\nseries = []").contains("names no series"));
    assert!(complaint("[venue]\nseries = [\"KXHIGHNY\", \"KXHIGHNY\"]").contains("twice"));
    assert!(complaint("[venue]\nseries = [\"kxhighny\"]").contains("no name of a series"));
    assert!(complaint("[paper]\nqueue = \"always\"").contains("always"));
    assert!(parse("").expect_err("no slot").to_string().contains("no strategy"));
    let twice = with_slot("[[slot]]\nname = \"edge\"\ncomponent = \"b.wasm\"");
    assert!(twice.expect_err("the same name").to_string().contains("two slots named edge"));
    assert!(complaint("[[slot]]\nname = \"Edge 1\"\ncomponent = \"b.wasm\"").contains("lower-case letters"));
    assert!(complaint("[[slot]]\nname = \"a\"").contains("the key component is missing"));
    assert!(complaint("[feed").starts_with("desk/isobar.toml:"));
}

#[test]
fn a_library_of_the_environment_counts_where_the_file_names_none() {
    let slot = "[[slot]]\nname = \"edge\"\ncomponent = \"edge.wasm\"";
    let read = |text: String| {
        let environment = Some(PathBuf::from("/opt/ort.so"));
        Config::parse(&text, Path::new("isobar.toml"), environment).expect("a configuration").models.library
    };
    assert_eq!(read(slot.to_owned()), PathBuf::from("/opt/ort.so"));
    assert_eq!(read(format!("[models]\nlibrary = \"mine.so\"\n{slot}")), PathBuf::from("mine.so"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("no/such/file.toml")).expect_err("not there").to_string();
    assert!(error.starts_with("no/such/file.toml: "), "{error}");
}

/// `[limits]` with every key, as the example shows them.
fn every_limit() -> String {
    let table = EXAMPLE.split("[limits]").nth(1).expect("it is in there").split("# Live trading").next();
    format!("[limits]{}", table.expect("live comes after it"))
}

#[test]
fn live_trading_needs_every_limit_to_be_written() {
    let limits = every_limit();
    let live = "[live]\nslot = \"edge\"\nmax_contracts_per_15_sec = 500\n";
    let config = with_slot(&format!("{limits}{live}")).expect("every limit is written").live.expect("live");
    let settings = LiveSettings {
        ttl: 120 * SECOND,
        renew_left: 60 * SECOND,
        patience: 3 * SECOND,
        retry: SECOND,
        retry_most: 30 * SECOND,
        margin: 2 * SECOND,
        read_every: 60 * SECOND,
        read_again: 15 * SECOND,
        queue_every: 10 * SECOND,
    };
    assert_eq!(config, Live { slot: "edge".to_owned(), settings, group_contracts: Quantity::contracts(500) });
    let keys: Vec<&str> = limits
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(" = "))
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys.len(), 15);
    for key in keys {
        let without: String =
            limits.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect();
        let complaint = complaint(&format!("{without}{live}"));
        assert!(complaint.contains(&format!("limits.{key} has to be written")), "{complaint}");
        assert!(with_slot(&without).is_ok(), "paper has a default for {key}");
    }
}

#[test]
fn limits_are_shown_in_the_words_in_which_they_are_set() {
    let windows =
        "no_trading_utc = [\"Thu 07:00-10:00\", \"Sat 22:00-Mon 02:00\", \"Sun 22:00-24:00\", \"Fri 00:00-Sat 24:00\"]";
    let text = every_limit()
        .replace("no_trading_utc = []", windows)
        .replace("max_collar_usd = 1\n", "max_collar_usd = 0.05\n");
    let stale = StaleRule::LastChange(5);
    let limits = with_slot(&text).expect("a configuration").limits.engine(7, stale);
    assert_eq!((limits.windows.len(), limits.collar.units()), (4, 500));
    let all: Vec<(String, String)> =
        shown(&limits).into_iter().map(|limit| (limit.key.to_owned(), limit.value)).collect();
    let others = risk::Limits { forecast_age: 7, stale, ..risk::Limits::wide() };
    assert_eq!(changed(&others, &all), Ok(limits.clone()), "all of them set anew: {all:?}");
    // What is not named stays, also what the file could not say.
    let one = changed(&others, &[("max_order_usd".to_owned(), "2.50".to_owned())]).expect("a limit");
    assert_eq!(one, risk::Limits { order_notional: Money::new(2_500_000), ..others });
    // The names are those by which the engine tells what lets more pass.
    let names: Vec<&str> = shown(&limits).iter().map(|limit| limit.name).collect();
    let wide = risk::Limits { windows: Vec::new(), before_close: -1, skew: i64::MAX, ..risk::Limits::wide() };
    for name in wide.loosened(&limits).into_iter().filter(|name| !["forecast_age", "stale"].contains(name)) {
        assert!(names.contains(&name), "{name}");
    }
    let twice = [("max_order_usd", "1"), ("max_order_usd", "2")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(changed(&limits, &twice), Err("max_order_usd is set twice".to_owned()));
}

#[test]
fn a_live_table_that_makes_no_sense_is_refused() {
    let with = |live: &str| complaint(&format!("{}[live]\nmax_contracts_per_15_sec = 500\n{live}", every_limit()));
    assert!(with("slot = \"nobody\"").contains("no slot is named \"nobody\""));
    assert!(with("slot = \"edge\"\norder_ttl_sec = 30").contains("has to be less than"));
    assert!(with("slot = \"edge\"\norder_ttl_sec = 90.5").contains("90.5 is not a whole number"));
    assert!(with("slot = \"edge\"\nretry_sec = 40").contains("retry_most_sec"));
    assert!(with("order_ttl_sec = 30").contains("the key slot is missing"));
}

#[test]
fn times_without_trading_are_stretches_of_the_week() {
    let windows =
        |text: &str| with_slot(&format!("[limits]\nno_trading_utc = {text}")).map(|config| config.limits.windows);
    let day = 86_400;
    let thursday = Window { from: 3 * day + 7 * 3_600, until: 3 * day + 10 * 3_600 };
    assert_eq!(windows("[\"Thu 07:00-10:00\"]").expect("a window"), [thursday]);
    let weekend = Window { from: 5 * day + 22 * 3_600, until: 2 * 3_600 };
    assert_eq!(windows("[\"Sat 22:00-Mon 02:00\"]").expect("a window"), [weekend]);
    for wrong in ["Thu", "Thu 7:00-10:00", "Thu 10:00-07:00", "Thu 07:00-07:00", "Thu 25:00-26:00", "thu 07:00-10:00"] {
        let complaint = windows(&format!("[{wrong:?}]")).expect_err(wrong).to_string();
        assert!(complaint.contains(wrong) && complaint.contains("Thu 07:00-10:00"), "{complaint}");
    }
}
