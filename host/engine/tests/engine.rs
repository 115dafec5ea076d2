//! The engine as a whole: what is asked, what is done with the answers, and what it takes to be trusted.

use isobar_engine::engine::{Engine, FAULTS_TO_STOP, Settings};
use isobar_engine::event::{
    Body, CancelReason, Component, Effect, Fault, Forecast, Level, Report, StaleReason, Trade, Watch,
};
use isobar_engine::execution::ExecutionSettings;
use isobar_engine::market::{FeeSchedule, Ladder, Market, MarketId, MarketStatus, Strike};
use isobar_engine::order::RefusalReason;
use isobar_engine::paper::{PaperSettings, QueueRule};
use isobar_engine::risk::Limits;
use isobar_engine::snapshot::{Decision, DesiredQuote, Snapshot, Target};
use isobar_engine::units::{Digest, Money, Price, Probability, Quantity, SECOND, Side, Timestamp};

const LATENCY: i64 = SECOND / 10;

fn cents(cents: u16) -> Price {
    Price::from_cents(cents).expect("a price")
}

fn level(price: u16, contracts: u32) -> Level {
    Level { price: cents(price), quantity: Quantity::contracts(contracts) }
}

fn settings() -> Settings {
    Settings {
        limits: Limits {
            order: Quantity::contracts(50),
            position: Quantity::contracts(50),
            open_orders: 100,
            forecast_age: 86_400 * SECOND,
            ..Limits::wide()
        },
        execution: ExecutionSettings::Paper(PaperSettings { latency: LATENCY, queue: QueueRule::Never }),
        fees: None,
        cash: Money::dollars(1_000),
    }
}

fn market(id: u16, strike: Strike) -> Market {
    Market {
        id: MarketId(id),
        ticker: format!("KXHIGHCHI-26NOV23-{id}"),
        event: "KXHIGHCHI-26NOV23".to_owned(),
        series: "KXHIGHCHI".to_owned(),
        strike,
        ladder: Ladder::cents(),
        fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
        status: MarketStatus::Active,
        opens: Timestamp(0),
        closes: Timestamp(10_000 * SECOND),
    }
}

fn component(name: &str) -> Component {
    Component {
        hash: Digest::of(name.as_bytes()),
        name: name.to_owned(),
        watch: Watch { levels: 1, sizes: true, trades: false, every: 0, at_most_every: 0 },
        parameters: vec![],
    }
}

/// An engine with one city-day of two brackets, a forecast and live books, driven by hand.
struct Desk {
    engine: Engine,
    seq: u64,
    at: Timestamp,
    reports: Vec<Report>,
    reverts: u32,
    questions: Vec<(u64, Snapshot)>,
}

impl Desk {
    fn new() -> Self {
        Self::with(settings())
    }

    fn with(settings: Settings) -> Self {
        let engine = Engine::new(settings);
        let mut desk = Self { engine, seq: 0, at: Timestamp(0), reports: vec![], reverts: 0, questions: vec![] };
        let markets = vec![market(0, Strike::Greater { floor: 75 }), market(1, Strike::Less { cap: 76 })];
        desk.input(Body::Listed(markets));
        let half = Probability::new(500_000).expect("a half");
        desk.input(Body::Forecast(Forecast {
            event: "KXHIGHCHI-26NOV23".to_owned(),
            model: Digest::default(),
            issued: Timestamp(0),
            inputs: Digest::default(),
            outcome: Ok(vec![(MarketId(0), half), (MarketId(1), half)]),
        }));
        for id in [0, 1] {
            desk.input(Body::Snapshot { market: MarketId(id), bids: vec![level(40, 10)], asks: vec![level(45, 100)] });
        }
        desk
    }

    fn input(&mut self, body: Body) {
        let (seq, mut effects) = (self.seq, Vec::new());
        self.engine.apply(seq, self.at, &body, &mut effects);
        self.seq += 1;
        self.keep(effects);
    }

    fn follow(&mut self, body: Body) {
        let mut effects = Vec::new();
        self.engine.apply(self.seq - 1, self.at, &body, &mut effects);
        self.keep(effects);
    }

    fn keep(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Decide { decision, snapshot } => self.questions.push((decision, *snapshot)),
                Effect::Report(report) => self.reports.push(report),
                Effect::Revert => self.reverts += 1,
                Effect::Resync(_) => {}
                Effect::Send(request) => panic!("a paper slot asks the venue: {request:?}"),
            }
        }
    }

    fn wait(&mut self, nanos: i64) {
        self.at = self.at.plus(nanos);
        self.input(Body::Tick);
    }

    /// Answers every open question the same way.
    fn answer(&mut self, outcome: impl Fn(&Snapshot) -> Result<Decision, Fault>) {
        for (decision, snapshot) in std::mem::take(&mut self.questions) {
            let outcome = outcome(&snapshot);
            self.follow(Body::Decided { decision, outcome });
        }
    }

    fn change(&mut self, market: u16, side: Side, price: u16, contracts: i64) {
        self.input(Body::Delta { market: MarketId(market), side, price: cents(price), change: contracts * 100 });
    }

    fn placed(&self) -> usize {
        self.reports.iter().filter(|report| matches!(report, Report::Placed { .. })).count()
    }
}

/// Brackets are sorted by temperature: the market `less` (number 1) is bracket 0.
fn take(bracket: u16, contracts: i64, limit: u16) -> Decision {
    let target = Target { bracket, position: contracts * 100, limit: cents(limit) };
    Decision { takes: vec![target], ..Decision::default() }
}

fn quote(bracket: u16, side: Side, price: u16, contracts: u32) -> Decision {
    let quote = DesiredQuote { bracket, side, price: cents(price), quantity: Quantity::contracts(contracts) };
    Decision { quotes: vec![quote], ..Decision::default() }
}

#[test]
fn a_thousand_book_changes_at_a_takeable_price_give_exactly_one_order() {
    let mut desk = Desk::new();
    desk.follow(Body::Swapped(component("taker")));
    for step in 0..1_000 {
        desk.answer(|_| Ok(take(1, 20, 45)));
        desk.change(0, Side::Ask, 45, if step % 2 == 0 { 1 } else { -1 });
    }
    assert_eq!(desk.placed(), 1, "the first answer is still under way");
    desk.wait(LATENCY);
    desk.answer(|_| Ok(take(1, 20, 45)));
    assert_eq!(desk.engine.ledger().position(MarketId(0)), 2_000);
    for _ in 0..100 {
        desk.change(0, Side::Ask, 45, 1);
        desk.answer(|_| Ok(take(1, 20, 45)));
    }
    assert_eq!(desk.placed(), 1, "the target is reached");
    assert!(desk.engine.ledger().is_balanced());
}

#[test]
fn a_smaller_target_while_a_take_is_under_way_sells_nothing() {
    let mut desk = Desk::new();
    desk.follow(Body::Swapped(component("taker")));
    desk.answer(|_| Ok(take(1, 41, 45)));
    desk.change(0, Side::Ask, 45, 1);
    let under_way = &desk.questions[0].1.brackets[1].resting;
    assert_eq!(under_way.iter().map(|order| order.quantity).collect::<Vec<_>>(), [Quantity::contracts(41)]);
    desk.answer(|_| Ok(take(1, 9, 45)));
    assert_eq!(desk.placed(), 1);
    desk.wait(LATENCY);
    desk.answer(|_| Ok(take(1, 9, 40)));
    desk.wait(LATENCY);
    assert_eq!(
        desk.engine.ledger().position(MarketId(0)),
        4_100 - 1_000,
        "once filled, the surplus is sold to the bid"
    );
}

#[test]
fn a_component_is_asked_when_what_it_watches_changes_and_not_otherwise() {
    let mut desk = Desk::new();
    desk.follow(Body::Swapped(component("watcher")));
    assert_eq!(desk.questions.len(), 1, "a new component is asked at once");
    desk.answer(|_| Ok(Decision::default()));
    desk.change(0, Side::Bid, 39, 5);
    assert!(desk.questions.is_empty(), "the second level is not watched");
    desk.change(0, Side::Bid, 40, 5);
    assert_eq!(desk.questions.len(), 1, "the size of the best level is");
    assert_eq!(desk.questions[0].1.changed, Some(1));
    desk.answer(|_| Ok(Decision::default()));
    desk.change(0, Side::Bid, 41, 5);
    assert_eq!(desk.questions.len(), 1);
}

#[test]
fn a_component_that_watches_prices_is_not_asked_about_sizes() {
    let mut desk = Desk::new();
    let mut watcher = component("prices");
    watcher.watch.sizes = false;
    watcher.watch.at_most_every = 10 * SECOND;
    desk.follow(Body::Swapped(watcher));
    desk.answer(|_| Ok(Decision::default()));
    desk.change(0, Side::Bid, 40, 5);
    assert!(desk.questions.is_empty());
    desk.change(0, Side::Bid, 41, 5);
    assert!(desk.questions.is_empty(), "too soon after the last question");
    desk.wait(10 * SECOND);
    assert_eq!(desk.questions.len(), 1, "and made up for later");
}

#[test]
fn a_quote_that_stays_wanted_keeps_its_place_and_costs_no_operation() {
    let mut desk = Desk::new();
    desk.follow(Body::Swapped(component("maker")));
    desk.answer(|_| Ok(quote(1, Side::Bid, 40, 5)));
    desk.wait(LATENCY);
    // Ten contracts are ahead; they trade away, then five of ours.
    let trade = |contracts| {
        Body::Trade(Trade {
            market: MarketId(0),
            price: cents(40),
            quantity: Quantity::contracts(contracts),
            taker: Side::Ask,
        })
    };
    desk.input(trade(10));
    for _ in 0..10 {
        desk.change(0, Side::Bid, 40, 1);
        desk.answer(|_| Ok(quote(1, Side::Bid, 40, 5)));
    }
    assert_eq!(desk.placed(), 1);
    desk.input(trade(3));
    assert_eq!(desk.engine.ledger().position(MarketId(0)), 300, "the queue ahead was used up before");
    desk.answer(|_| Ok(Decision::default()));
    desk.wait(LATENCY);
    let cancelled = Report::Cancelled {
        order: isobar_engine::order::OrderId(1),
        market: MarketId(0),
        remaining: Quantity::contracts(2),
        reason: CancelReason::Undesired,
    };
    assert!(desk.reports.contains(&cancelled), "{:?}", desk.reports);
}

#[test]
fn a_fault_pulls_every_order_and_asks_for_the_version_before() {
    let mut desk = Desk::new();
    desk.follow(Body::Swapped(component("maker")));
    desk.answer(|_| Ok(quote(1, Side::Bid, 40, 5)));
    desk.wait(LATENCY);
    desk.change(0, Side::Bid, 40, 1);
    desk.answer(|_| Err(Fault::OutOfFuel));
    assert_eq!(desk.reverts, 1);
    desk.wait(LATENCY);
    let pulled = |report: &Report| matches!(report, Report::Cancelled { reason: CancelReason::Fault, .. });
    assert!(desk.reports.iter().any(pulled));
}

#[test]
fn repeated_faults_stop_the_slot_until_another_component_comes() {
    let mut desk = Desk::new();
    desk.follow(Body::Swapped(component("broken")));
    for contracts in 1..=i64::from(FAULTS_TO_STOP) {
        desk.answer(|_| Err(Fault::Trap("unreachable".to_owned())));
        desk.change(0, Side::Bid, 40, contracts);
    }
    assert!(desk.engine.stopped());
    assert_eq!(desk.reports.last(), Some(&Report::Stopped { faults: FAULTS_TO_STOP }));
    assert!(desk.questions.is_empty(), "a stopped slot is not asked");
    desk.follow(Body::Swapped(component("mended")));
    assert!(!desk.engine.stopped() && desk.questions.len() == 1);
}

#[test]
fn a_bracket_that_does_not_exist_is_a_fault_and_not_a_panic() {
    let mut desk = Desk::new();
    desk.follow(Body::Swapped(component("wild")));
    desk.answer(|_| Ok(take(2, 1, 45)));
    assert_eq!((desk.reverts, desk.placed()), (1, 0));
}

#[test]
fn a_stale_book_is_shown_as_not_tradable_and_refuses_orders() {
    let mut desk = Desk::new();
    desk.follow(Body::Swapped(component("maker")));
    desk.answer(|_| Ok(Decision::default()));
    desk.input(Body::Stale { markets: vec![MarketId(0)], reason: StaleReason::Gap });
    assert_eq!(desk.questions.len(), 1, "lost trust is a reason to ask");
    assert_eq!(desk.questions[0].1.brackets.iter().map(|b| b.tradable).collect::<Vec<_>>(), [true, false]);
    desk.answer(|_| Ok(quote(1, Side::Bid, 40, 5)));
    let refused = |report: &Report| matches!(report, Report::Refused { reason: RefusalReason::StaleBook, .. });
    assert!(desk.reports.iter().any(refused));
    assert_eq!(desk.engine.counts().gaps, 1);
}

#[test]
fn an_opinion_that_is_withdrawn_is_not_traded_on() {
    let mut desk = Desk::new();
    desk.follow(Body::Swapped(component("maker")));
    desk.answer(|_| Ok(Decision::default()));
    desk.input(Body::Forecast(Forecast {
        event: "KXHIGHCHI-26NOV23".to_owned(),
        model: Digest::default(),
        issued: Timestamp(0),
        inputs: Digest::default(),
        outcome: Err("the source is down".to_owned()),
    }));
    assert!(desk.questions[0].1.brackets.iter().all(|bracket| bracket.probability.is_none()));
    desk.answer(|_| Ok(take(1, 1, 45)));
    let refused = |report: &Report| matches!(report, Report::Refused { reason: RefusalReason::OldForecast, .. });
    assert!(desk.reports.iter().any(refused));
}

#[test]
fn time_closes_a_market_and_settlement_pays_it() {
    let mut desk = Desk::new();
    desk.follow(Body::Swapped(component("taker")));
    desk.answer(|_| Ok(take(1, 20, 45)));
    desk.wait(LATENCY);
    desk.answer(|_| Ok(quote(1, Side::Bid, 40, 5)));
    desk.at = Timestamp(10_000 * SECOND);
    desk.input(Body::Tick);
    let closed = |report: &Report| matches!(report, Report::Cancelled { reason: CancelReason::MarketClosed, .. });
    assert!(desk.reports.iter().any(closed));
    assert!(!desk.engine.tradable(MarketId(0)));
    // That it is settled may be known before its worth is.
    desk.input(Body::Status { market: MarketId(0), status: MarketStatus::Settled });
    desk.input(Body::Settled { market: MarketId(0), value: Price::ONE });
    desk.input(Body::Settled { market: MarketId(0), value: Price::ONE });
    let paid: Vec<_> = desk.reports.iter().filter(|r| matches!(r, Report::Settled { .. })).collect();
    assert_eq!(paid.len(), 1, "a market is paid once");
    // 20 contracts bought at 45 cents pay 20 dollars; the fee is 0.07 · 20 · 0.45 · 0.55 = 0.3465.
    let profit = desk.engine.ledger().cash() - Money::dollars(1_000);
    assert_eq!(profit, Money::new(11_000_000 - 346_500));
}

#[test]
fn an_order_due_after_the_close_does_not_fill_although_no_event_came_between() {
    let mut desk = Desk::new();
    desk.follow(Body::Swapped(component("taker")));
    desk.at = Timestamp(10_000 * SECOND - LATENCY / 2);
    desk.change(0, Side::Ask, 45, 1);
    desk.answer(|_| Ok(take(1, 20, 45)));
    assert_eq!(desk.placed(), 1);
    desk.at = Timestamp(10_001 * SECOND);
    desk.input(Body::Tick);
    assert_eq!(desk.engine.ledger().position(MarketId(0)), 0);
}

#[test]
fn the_same_events_give_the_same_digest() {
    let run = || {
        let mut desk = Desk::new();
        desk.follow(Body::Swapped(component("maker")));
        for step in 0..50 {
            desk.answer(|_| Ok(quote(1, Side::Bid, 41, 5)));
            desk.change(0, Side::Ask, 45, 1 + step % 3);
            desk.wait(SECOND / 20);
        }
        desk.engine.digest()
    };
    assert_eq!(run(), run());
    assert_ne!(run(), Desk::new().engine.digest());
}
