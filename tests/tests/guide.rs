//! The guide's worked examples from the configuration file to the fee of the fill, with the guide's own names.

use isobar_engine::engine::{Engine, Settings};
use isobar_engine::event::{Body, Component, Effect, Forecast, Level, Report};
use isobar_engine::market::{FeeSchedule, Ladder, Market, MarketId, MarketStatus, Strike};
use isobar_engine::snapshot::{Decision, Verdict};
use isobar_engine::units::{Digest, Money, Price, Probability, Quantity, SECOND, Side, Timestamp};
use isobar_plugins::{Limits, Loader, Reuse, Strategy};
use isobar_store::{Run, SlotRecord};
use isobar_tests::play::{config, slot};
use isobar_tests::{answer, isobar, strategy, succeed};

const NOON: Timestamp = Timestamp(1_764_324_960_000_000_000);

/// Runs the program by a configuration and gives what its slot was set up with and holds.
fn started(rest: &str) -> (Settings, Component) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = config(folder.path(), rest);
    let run = folder.path().join("run");
    succeed(isobar(["demo", "--seconds", "1", "--json", "--config"]).arg(&file).arg("--run").arg(&run));
    let mut reader = Run::open(&run).expect("a run").read_slot("guide").expect("a slot");
    let (mut settings, mut component) = (None, None);
    while let Some(entry) = reader.next().expect("readable") {
        match entry.record {
            SlotRecord::Opening { settings: text, .. } => settings = serde_json::from_str(&text).ok(),
            SlotRecord::Swapped(held) => component = Some(held.into_owned()),
            SlotRecord::Refused { reason, .. } => panic!("{reason}"),
            _ => {}
        }
    }
    (settings.expect("settings"), component.expect("a component"))
}

fn cents(cents: u16) -> Price {
    Price::from_cents(cents).expect("at most a dollar")
}

/// An engine with one market, and the real component that answers it.
struct Desk {
    engine: Engine,
    strategy: Strategy,
    seq: u64,
    reports: Vec<Report>,
    decision: Option<Decision>,
}

impl Desk {
    fn open((settings, component): (Settings, Component)) -> Self {
        let loader = Loader::new(Limits::default(), None).expect("the engine starts");
        let loaded = loader.load_file(&strategy("edge")).unwrap_or_else(|refusal| panic!("{refusal}"));
        let (strategy, engine) = (loaded.strategy(Reuse::Never), Engine::new(settings));
        let mut desk = Self { engine, strategy, seq: 0, reports: Vec::new(), decision: None };
        let market = Market {
            id: MarketId(0),
            ticker: "KXHIGHDEN-25NOV28-B45.5".to_owned(),
            event: "KXHIGHDEN-25NOV28".to_owned(),
            series: "KXHIGHDEN".to_owned(),
            strike: Strike::Between { floor: 45, cap: 46 },
            ladder: Ladder::cents(),
            // What the venue says; the configuration has another opinion.
            fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
            status: MarketStatus::Active,
            opens: Timestamp(0),
            closes: NOON.plus(3_600 * SECOND),
        };
        desk.apply(NOON, &Body::Listed(vec![market]));
        let mut effects = Vec::new();
        desk.engine.apply(desk.seq - 1, NOON, &Body::Swapped(component), &mut effects);
        desk.follow(NOON, effects);
        desk
    }

    fn apply(&mut self, at: Timestamp, body: &Body) {
        let mut effects = Vec::new();
        self.engine.apply(self.seq, at, body, &mut effects);
        self.seq += 1;
        self.follow(at, effects);
    }

    fn follow(&mut self, at: Timestamp, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Decide { decision, snapshot } => {
                    let outcome = self.strategy.decide(decision, &snapshot).outcome;
                    self.decision = outcome.clone().ok();
                    let mut more = Vec::new();
                    self.engine.apply(self.seq - 1, at, &Body::Decided { decision, outcome }, &mut more);
                    self.follow(at, more);
                }
                Effect::Report(report) => self.reports.push(report),
                other => panic!("{other:?}"),
            }
        }
    }

    /// A book of one level a side, an opinion, and a second for what follows.
    fn question(&mut self, ppm: u32, bid: u16, ask: u16) -> &Decision {
        let level = |price| vec![Level { price: cents(price), quantity: Quantity::contracts(100) }];
        self.apply(NOON, &Body::Snapshot { market: MarketId(0), bids: level(bid), asks: level(ask) });
        let probability = Probability::new(ppm).expect("at most one");
        let forecast = Forecast {
            event: "KXHIGHDEN-25NOV28".to_owned(),
            model: Digest::default(),
            issued: NOON.plus(-3_600 * SECOND),
            inputs: Digest::default(),
            outcome: Ok(vec![(MarketId(0), probability)]),
        };
        self.apply(NOON, &Body::Forecast(forecast));
        let decided = self.decision.clone();
        self.apply(NOON.plus(SECOND), &Body::Tick);
        self.decision = decided;
        self.decision.as_ref().expect("an answer")
    }
}

fn guide() -> String {
    "[fees]\nschedule = \"flat-premium\"\nTAKER_FEE_RATE = 0.07\nMAKER_FEE_RATE = 0\n".to_owned()
        + &slot("guide", &strategy("edge"), None)
}

#[test]
fn the_worked_examples_come_out_under_flat_premium() {
    let held = started(&guide());
    assert_eq!(held.0.fees, Some(FeeSchedule::FlatPremium { taker_ppm: 70_000, maker_ppm: 0 }));

    let mut chicago = Desk::open(held.clone());
    let pass = &chicago.question(420_000, 40, 45).reasons[0];
    // 0.42 − 0.45 × 1.07, and 0.42 − 0.41.
    assert_eq!((pass.verdict, pass.take_ev, pass.make_ev), (Verdict::Pass, Some(-61_500), Some(10_000)));
    assert_eq!(chicago.reports, []);

    let mut denver = Desk::open(held);
    let take = &denver.question(580_000, 45, 48).reasons[0];
    assert_eq!((take.verdict, take.take_ev), (Verdict::Take, Some(66_400)));
    let (market, side, price, quantity) = (MarketId(0), Side::Bid, cents(48), Quantity::contracts(41));
    let [Report::Placed { take: true, side: placed, price: limit, quantity: wanted, .. }, Report::Filled { fee, .. }] =
        denver.reports[..]
    else {
        panic!("{:?}", denver.reports)
    };
    assert_eq!((placed, limit, wanted), (side, price, quantity));
    // 41 × $0.48 × 7 %.
    assert_eq!(fee, Money::new(1_377_600));
    assert_eq!(denver.engine.ledger().position(market), 4_100);
}

#[test]
fn the_guides_names_reach_the_rule() {
    let set = |parameters: &str| started(&(guide() + "[slot.parameters]\n" + parameters));
    let mut half = Desk::open(set("BET_AMOUNT_USD = 9.60\n"));
    half.question(580_000, 45, 48);
    assert_eq!(half.engine.ledger().position(MarketId(0)), 2_000);

    // The edge of taking is 0.0664, that of making 0.12.
    let mut strict = Desk::open(set("MIN_EDGE_TAKE = 0.07\nMIN_EDGE_MAKE = 0.10\n"));
    let make = &strict.question(580_000, 45, 48).reasons[0];
    assert_eq!((make.verdict, make.price), (Verdict::Make, Some(cents(46))));
    let mut stricter = Desk::open(set("MIN_EDGE_TAKE = 0.07\nMIN_EDGE_MAKE = 0.13\n"));
    assert_eq!(stricter.question(580_000, 45, 48).reasons[0].verdict, Verdict::Pass);
    let mut likely = Desk::open(set("MIN_PROBABILITY = 0.60\n"));
    assert_eq!(likely.question(580_000, 45, 48).reasons[0].note, "chance too small");
}

#[test]
fn names_that_nobody_knows_are_refused_with_the_nearest() {
    let folder = tempfile::tempdir().expect("a folder");
    let edge = slot("guide", &strategy("edge"), None);
    for (text, near) in [
        ("[limits]\nMAX_POSITION_PER_MARKETS = 50\n".to_owned() + &edge, "MAX_POSITION_PER_MARKET?"),
        ("[feed]\nORDERBOOK_STALE_SEC = 60\n".to_owned() + &edge, "ORDER_BOOK_STALE_SEC?"),
        ("[fees]\nTAKER_FEE = 0.07\n".to_owned() + &edge, "TAKER_FEE_RATE?"),
        ("[limitz]\n".to_owned() + &edge, "limits?"),
        ("[fees]\nschedule = \"flat-premum\"\n".to_owned() + &edge, "flat-premium"),
    ] {
        let file = config(folder.path(), &text);
        let refused = answer(isobar(["run", "--seconds", "1", "--config"]).arg(file));
        assert_eq!(refused.code, Some(1), "{text}");
        assert!(refused.said.contains(near) && refused.said.contains("isobar.toml:"), "{}", refused.said);
    }

    // A parameter belongs to the component: a run does not begin with a slot that its component cannot get into.
    let file = config(folder.path(), &(edge + "[slot.parameters]\nMIN_EDGE_TAK = 0.05\n"));
    let run = folder.path().join("run");
    let refused = answer(isobar(["demo", "--seconds", "1", "--json", "--config"]).arg(&file).arg("--run").arg(&run));
    assert_eq!(refused.code, Some(1), "{}", refused.said);
    let said = &refused.said;
    assert!(said.contains("no parameter MIN_EDGE_TAK;") && said.contains("MIN_EDGE_TAKE"), "{said}");
}
