//! A live slot against a naive venue over a bad network, in virtual time.
//!
//! The venue keeps the truth by other arithmetic than the engine: YES and NO are held apart and pairs of them turn into a
//! dollar. The network loses, delays, repeats and reorders. After each step the engine must not think that less is at stake
//! than there is, and after a quiet while both must be equal.

use isobar_engine::engine::{Engine, Settings};
use isobar_engine::event::{Body, Component, Effect, Forecast, Level, Notice, Report, StaleReason, Watch};
use isobar_engine::execution::ExecutionSettings;
use isobar_engine::market::{FeeSchedule, Ladder, Market, MarketId, MarketStatus, Strike};
use isobar_engine::order::OrderId;
use isobar_engine::orders::LiveSettings;
use isobar_engine::risk::Limits;
use isobar_engine::snapshot::{Decision, DesiredQuote, Target};
use isobar_engine::units::{Digest, Money, Price, Probability, Quantity, SECOND, Side, Timestamp};
use isobar_engine::venue::{
    Account, OrderReport, OrderStatus, RejectReason, Request, RequestKind, TradeId, VenueFill, VenueOrder,
    VenuePosition,
};
use std::collections::{BTreeMap, BTreeSet};

pub const EVENT: &str = "KXHIGHCHI-26NOV23";
pub const LIMIT: i64 = 5_000;
const MILLI: i64 = SECOND / 1_000;

pub fn live() -> LiveSettings {
    LiveSettings {
        ttl: 30 * SECOND,
        renew_left: 15 * SECOND,
        patience: 2 * SECOND,
        retry: SECOND,
        retry_most: 8 * SECOND,
        margin: 5 * SECOND,
        read_every: 20 * SECOND,
        read_again: 6 * SECOND,
        queue_every: 0,
    }
}

pub fn settings() -> Settings {
    Settings {
        limits: Limits {
            order: Quantity::contracts(20),
            position: Quantity::new(LIMIT.unsigned_abs()),
            forecast_age: 86_400 * SECOND,
            ..Limits::wide()
        },
        execution: ExecutionSettings::Live(live()),
        fees: None,
        cash: Money::ZERO,
    }
}

pub fn cents(cents: u16) -> Price {
    Price::from_cents(cents).expect("a price")
}

pub fn level(price: u16, contracts: u32) -> Level {
    Level { price: cents(price), quantity: Quantity::contracts(contracts) }
}

pub fn market(id: u16, strike: Strike) -> Market {
    Market {
        id: MarketId(id),
        ticker: format!("{EVENT}-{id}"),
        event: EVENT.to_owned(),
        series: "KXHIGHCHI".to_owned(),
        strike,
        ladder: Ladder::cents(),
        fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
        status: MarketStatus::Active,
        opens: Timestamp(0),
        closes: Timestamp(100_000 * SECOND),
    }
}

pub fn markets() -> Vec<Market> {
    vec![market(0, Strike::Less { cap: 76 }), market(1, Strike::Greater { floor: 75 })]
}

pub fn forecast() -> Forecast {
    let half = Probability::new(500_000).expect("a half");
    Forecast {
        event: EVENT.to_owned(),
        model: Digest::default(),
        issued: Timestamp(0),
        inputs: Digest::default(),
        outcome: Ok(vec![(MarketId(0), half), (MarketId(1), half)]),
    }
}

pub fn component() -> Component {
    Component {
        hash: Digest::default(),
        name: "dice".to_owned(),
        watch: Watch { levels: 3, sizes: true, trades: false, every: SECOND, at_most_every: 0 },
        parameters: vec![],
    }
}

pub fn book(id: u16) -> Body {
    Body::Snapshot { market: MarketId(id), bids: vec![level(40, 1_000)], asks: vec![level(60, 1_000)] }
}

/// A small generator of chance: the same seed, the same day.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    fn one_in(&mut self, chance: u64) -> bool {
        self.roll(chance) == 0
    }

    fn side(&mut self) -> Side {
        if self.one_in(2) { Side::Bid } else { Side::Ask }
    }
}

#[derive(Clone, Debug)]
struct Order {
    shown: VenueOrder,
    expires: Option<Timestamp>,
}

/// The account as it was after a change.
#[derive(Clone, Debug, Default)]
struct Truth {
    cash: i64,
    yes: BTreeMap<MarketId, i64>,
    no: BTreeMap<MarketId, i64>,
    orders: BTreeMap<OrderId, Order>,
    fills: Vec<VenueFill>,
}

impl Truth {
    fn position(&self, market: MarketId) -> i64 {
        let held = |side: &BTreeMap<MarketId, i64>| side.get(&market).copied().unwrap_or_default();
        held(&self.yes) - held(&self.no)
    }

    fn open(&self) -> impl Iterator<Item = &Order> {
        self.orders.values().filter(|order| order.shown.status == OrderStatus::Resting)
    }

    /// Buys YES or NO and turns pairs into dollars.
    fn trade(&mut self, fill: VenueFill) {
        let (bought, price) = match fill.side {
            Side::Bid => (&mut self.yes, fill.price),
            Side::Ask => (&mut self.no, fill.price.complement()),
        };
        *bought.entry(fill.market).or_default() += fill.quantity.signed();
        self.cash -= i64::from(price.units()) * fill.quantity.signed() + fill.fee.micros();
        let (yes, no) = (self.yes.entry(fill.market).or_default(), self.no.entry(fill.market).or_default());
        let pairs = (*yes).min(*no);
        (*yes, *no) = (*yes - pairs, *no - pairs);
        self.cash += pairs * 10_000;
        self.fills.push(fill);
    }
}

/// How many things happened, so that a test can see that it tested something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    pub placed: u64,
    pub fills: u64,
    pub unknown: u64,
    pub lost: u64,
    pub reads: u64,
    pub cancels: u64,
    pub decreases: u64,
    pub renewals: u64,
}

pub struct World {
    pub engine: Engine,
    dice: Dice,
    seq: u64,
    now: Timestamp,
    truth: Truth,
    history: Vec<(Timestamp, Truth)>,
    to_venue: Vec<(Timestamp, Request, bool)>,
    to_engine: Vec<(Timestamp, Body)>,
    created: BTreeSet<OrderId>,
    intents: BTreeSet<(u64, MarketId, Side, Price, bool)>,
    sent: BTreeMap<OrderId, Timestamp>,
    next_trade: u128,
    calm: bool,
    /// One in so many steps the strategy changes its mind.
    pace: u64,
    plan: Decision,
    booked: BTreeMap<OrderId, u64>,
    problem: Option<String>,
    pub stats: Stats,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let truth = Truth { cash: 1_000_000_000, ..Truth::default() };
        let mut world = Self {
            engine: Engine::new(settings()),
            dice: Dice::new(seed),
            seq: 0,
            now: Timestamp(10 * SECOND),
            history: vec![(Timestamp(0), truth.clone())],
            truth,
            to_venue: Vec::new(),
            to_engine: Vec::new(),
            created: BTreeSet::new(),
            intents: BTreeSet::new(),
            sent: BTreeMap::new(),
            next_trade: 1,
            calm: false,
            pace: if seed.is_multiple_of(3) { 150 } else { 3 },
            plan: Decision::default(),
            booked: BTreeMap::new(),
            problem: None,
            stats: Stats::default(),
        };
        world.input(&Body::Listed(markets()));
        world.input(&Body::Forecast(forecast()));
        let mut effects = Vec::new();
        world.engine.apply(world.seq - 1, world.now, &Body::Swapped(component()), &mut effects);
        world.carry_out(effects);
        world.input(&book(0));
        world.input(&book(1));
        world
    }

    /// Plays a bad day and a quiet end. Says what went wrong.
    pub fn play(mut self, steps: u32) -> Result<Stats, String> {
        for _ in 0..steps {
            self.step();
            self.check()?;
        }
        self.calm = true;
        self.plan = Decision::default();
        for _ in 0..240 {
            self.now = self.now.plus(SECOND);
            self.deliver();
            self.input(&Body::Tick);
            self.check()?;
        }
        self.check_end()?;
        Ok(self.stats)
    }

    fn step(&mut self) {
        let before = self.now;
        let wait = self.dice.roll(700);
        self.now = self.now.plus(i64::try_from(wait).expect("small") * MILLI);
        self.expire();
        if self.dice.one_in(self.pace) {
            self.plan();
        }
        if self.dice.one_in(3) {
            self.match_somebody();
        }
        self.deliver();
        if self.dice.one_in(120) {
            self.disconnect();
        }
        if self.now.0 / SECOND > before.0 / SECOND {
            self.input(&Body::Tick);
        }
    }

    /// What the strategy wants from here on.
    fn plan(&mut self) {
        let mut plan = Decision::default();
        for bracket in 0..2 {
            for _ in 0..self.dice.roll(3) {
                let side = self.dice.side();
                let offset = u16::try_from(self.dice.roll(6)).expect("small");
                let price = cents(if side == Side::Bid { 41 + offset } else { 59 - offset });
                let quantity = Quantity::new(1 + self.dice.roll(1_200));
                plan.quotes.push(DesiredQuote { bracket, side, price, quantity });
            }
            if self.dice.one_in(6) {
                let position = i64::try_from(self.dice.roll(4_000)).expect("small") - 2_000;
                let limit = cents(if position > 0 { 62 } else { 38 });
                plan.takes.push(Target { bracket, position, limit });
            }
        }
        self.plan = plan;
    }

    fn disconnect(&mut self) {
        self.to_engine.retain(|(_, body)| !matches!(body, Body::Fill(_) | Body::Position { .. }));
        self.stats.lost += 1;
        self.input(&Body::Stale { markets: vec![MarketId(0), MarketId(1)], reason: StaleReason::Disconnected });
        self.input(&book(0));
        self.input(&book(1));
    }

    fn input(&mut self, body: &Body) {
        let mut effects = Vec::new();
        self.engine.apply(self.seq, self.now, body, &mut effects);
        self.seq += 1;
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut queue: std::collections::VecDeque<Effect> = effects.into();
        while let Some(effect) = queue.pop_front() {
            match effect {
                Effect::Decide { decision, .. } => {
                    let (outcome, mut more) = (Ok(self.plan.clone()), Vec::new());
                    self.engine.apply(self.seq - 1, self.now, &Body::Decided { decision, outcome }, &mut more);
                    queue.extend(more);
                }
                Effect::Send(request) => self.send(request),
                Effect::Report(report) => self.note(&report),
                Effect::Revert | Effect::Resync(_) => {}
            }
        }
    }

    fn note(&mut self, report: &Report) {
        match report {
            Report::Placed { decision, market, side, price, take, .. } => {
                self.stats.placed += 1;
                if !self.intents.insert((*decision, *market, *side, *price, *take)) {
                    self.problem = Some(format!("two orders for one intent: {report:?}"));
                }
            }
            Report::Filled { order, quantity, .. } => {
                self.stats.fills += 1;
                *self.booked.entry(*order).or_default() += quantity.units();
            }
            Report::Notice(Notice::Halted { reason }) => self.problem = Some(format!("halted: {reason}")),
            Report::Notice(Notice::Unknown { .. }) => self.stats.unknown += 1,
            _ => {}
        }
    }

    fn later(&mut self, most_ms: u64) -> Timestamp {
        let wait = if self.calm { 1 } else { 1 + self.dice.roll(most_ms) };
        self.now.plus(i64::try_from(wait).expect("small") * MILLI)
    }

    /// Gives a request to the network, which may lose it or its answer.
    fn send(&mut self, request: Request) {
        let (arrives, fate) = (self.later(400), if self.calm { 99 } else { self.dice.roll(20) });
        let (order, kind) = match request {
            Request::Create { order, .. } => {
                if self.sent.insert(order, self.now).is_some() {
                    self.problem = Some(format!("sent twice: {order:?}"));
                }
                (order, RequestKind::Create)
            }
            Request::Cancel { order } => (order, RequestKind::Cancel),
            Request::Decrease { order, .. } => (order, RequestKind::Decrease),
            Request::Renew { order, .. } => (order, RequestKind::Renew),
            Request::Find { order } => (order, RequestKind::Find),
            Request::ReadAccount => {
                self.stats.reads += 1;
                if fate > 2 {
                    self.to_venue.push((arrives, request, true));
                }
                return;
            }
            Request::TriggerGroup | Request::ResetGroup | Request::ReadQueue => return,
        };
        match kind {
            RequestKind::Cancel => self.stats.cancels += 1,
            RequestKind::Decrease => self.stats.decreases += 1,
            RequestKind::Renew => self.stats.renewals += 1,
            RequestKind::Create | RequestKind::Find => {}
        }
        let unknown = Body::Order { order, report: OrderReport::Unknown(kind) };
        let told = self.now.plus(SECOND);
        match fate {
            // It never arrived, and nobody knows.
            0 => self.to_engine.push((told, unknown)),
            // It arrived and its answer was lost.
            1 | 2 => {
                self.to_venue.push((arrives, request, false));
                self.to_engine.push((told, unknown));
            }
            // It arrives after it was given up.
            3 => {
                self.to_venue.push((self.now.plus(2 * SECOND), request, false));
                self.to_engine.push((told, unknown));
            }
            4 if kind == RequestKind::Create => {
                self.to_engine.push((arrives, Body::Order { order, report: OrderReport::Unsent }));
            }
            5 if kind == RequestKind::Create => {
                let report = OrderReport::Rejected(RejectReason::Other);
                self.to_engine.push((arrives, Body::Order { order, report }));
            }
            4 | 5 if kind != RequestKind::Find => {
                let report = OrderReport::Failed { request: kind, reason: RejectReason::RateLimited };
                self.to_engine.push((arrives, Body::Order { order, report }));
            }
            _ => self.to_venue.push((arrives, request, true)),
        }
        if fate < 4 {
            self.stats.lost += 1;
        }
    }

    /// Lets arrive what is due, at the venue first, in no particular order.
    fn deliver(&mut self) {
        while let Some(at) = self.to_venue.iter().position(|(due, ..)| *due <= self.now) {
            let (_, request, answered) = self.to_venue.swap_remove(at);
            let report = self.serve(request);
            if answered {
                let due = self.later(600);
                self.to_engine.extend(report.map(|body| (due, body)));
            }
        }
        loop {
            let due: Vec<usize> = (0..self.to_engine.len()).filter(|at| self.to_engine[*at].0 <= self.now).collect();
            if due.is_empty() {
                break;
            }
            let chosen = due[usize::try_from(self.dice.roll(due.len() as u64)).expect("small")];
            let (_, body) = self.to_engine.remove(chosen);
            self.input(&body);
        }
    }

    /// What the venue does with a request.
    fn serve(&mut self, request: Request) -> Option<Body> {
        let said = |order, report| Some(Body::Order { order, report });
        match request {
            Request::Create { order, market, side, price, quantity, take, expires } => {
                if !self.created.insert(order) {
                    self.problem = Some(format!("created twice: {order:?}"));
                }
                let shown = VenueOrder {
                    order: Some(order),
                    market,
                    side,
                    price,
                    status: OrderStatus::Resting,
                    filled: Quantity::ZERO,
                    remaining: quantity,
                };
                self.truth.orders.insert(order, Order { shown, expires });
                if take {
                    let part = Quantity::new(self.dice.roll(quantity.units() + 1));
                    self.fill(order, part, true);
                    self.end(order);
                } else {
                    self.changed(order);
                }
                let shown = &self.truth.orders[&order].shown;
                said(order, OrderReport::Accepted { filled: shown.filled, remaining: shown.remaining })
            }
            Request::Cancel { order } => match self.resting(order) {
                Some(reduced) => {
                    self.end(order);
                    said(order, OrderReport::Cancelled { reduced })
                }
                None => said(order, OrderReport::NotThere(RequestKind::Cancel)),
            },
            Request::Decrease { order, to } => match self.resting(order) {
                Some(remaining) => {
                    let remaining = remaining.min(to);
                    self.truth.orders.get_mut(&order).expect("it rests").shown.remaining = remaining;
                    self.changed(order);
                    said(order, OrderReport::Decreased { remaining })
                }
                None => said(order, OrderReport::NotThere(RequestKind::Decrease)),
            },
            Request::Renew { order, expires } => match self.resting(order) {
                Some(_) => {
                    self.truth.orders.get_mut(&order).expect("it rests").expires = Some(expires);
                    said(order, OrderReport::Renewed)
                }
                None => said(order, OrderReport::NotThere(RequestKind::Renew)),
            },
            Request::Find { order } => {
                let (as_of, truth) = self.read();
                let newer = as_of.since(self.sent[&order]) > 3 * SECOND;
                match truth.orders.get(&order).map(|order| order.shown) {
                    Some(VenueOrder { status, filled, remaining, .. }) => {
                        said(order, OrderReport::State { status, filled, remaining })
                    }
                    None if newer => said(order, OrderReport::Absent),
                    None => said(order, OrderReport::Unknown(RequestKind::Find)),
                }
            }
            Request::ReadAccount => Some(Body::Account(self.account())),
            Request::TriggerGroup | Request::ResetGroup | Request::ReadQueue => None,
        }
    }

    /// The read side, which lags.
    fn read(&mut self) -> (Timestamp, Truth) {
        let lag = if self.calm { 0 } else { self.dice.roll(1_500) };
        let as_of = self.now.plus(-i64::try_from(lag).expect("small") * MILLI);
        let seen = self.history.iter().rev().find(|(at, _)| *at <= as_of);
        (as_of, seen.expect("the beginning is kept").1.clone())
    }

    fn account(&mut self) -> Account {
        let (as_of, truth) = self.read();
        let all = [MarketId(0), MarketId(1)];
        let held = all.into_iter().map(|market| (market, truth.position(market))).filter(|(_, held)| *held != 0);
        Account {
            cash: Money::new(truth.cash),
            positions: held.map(|(market, contracts)| VenuePosition { market, contracts, cost: Money::ZERO }).collect(),
            orders: truth.orders.values().map(|order| order.shown).collect(),
            fills: truth.fills,
            since: Timestamp(0),
            as_of,
        }
    }

    fn resting(&self, order: OrderId) -> Option<Quantity> {
        let shown = &self.truth.orders.get(&order)?.shown;
        (shown.status == OrderStatus::Resting).then_some(shown.remaining)
    }

    fn match_somebody(&mut self) {
        let open: Vec<(OrderId, Quantity)> =
            self.truth.orders.keys().filter_map(|id| Some((*id, self.resting(*id)?))).collect();
        if !open.is_empty() {
            let (order, remaining) = open[usize::try_from(self.dice.roll(open.len() as u64)).expect("small")];
            let quantity = Quantity::new(1 + self.dice.roll(remaining.units()));
            self.fill(order, quantity, false);
            self.changed(order);
        }
    }

    fn fill(&mut self, order: OrderId, quantity: Quantity, taker: bool) {
        if quantity.is_zero() {
            return;
        }
        let shown = &mut self.truth.orders.get_mut(&order).expect("it is there").shown;
        shown.filled += quantity;
        shown.remaining -= quantity;
        if shown.remaining.is_zero() {
            shown.status = OrderStatus::Executed;
        }
        let VenueOrder { market, side, price, .. } = *shown;
        let fee = Money::new(if taker { i64::try_from(self.dice.roll(50_000)).expect("small") } else { 0 });
        let trade = TradeId(self.next_trade);
        self.next_trade += 1;
        let fill = VenueFill { trade, order: Some(order), market, side, price, quantity, fee, taker };
        self.truth.trade(fill);
        self.push(Body::Fill(fill));
        self.push(Body::Position { market, contracts: self.truth.position(market) });
    }

    fn end(&mut self, order: OrderId) {
        let shown = &mut self.truth.orders.get_mut(&order).expect("it is there").shown;
        if shown.status == OrderStatus::Resting {
            shown.status = OrderStatus::Cancelled;
            shown.remaining = Quantity::ZERO;
        }
        self.changed(order);
    }

    fn expire(&mut self) {
        let dead = self.truth.open().filter(|order| order.expires.is_some_and(|expires| self.now >= expires));
        for order in dead.filter_map(|order| order.shown.order).collect::<Vec<_>>() {
            self.end(order);
        }
    }

    /// The state of an order changed: the socket says so, and the read side will.
    fn changed(&mut self, order: OrderId) {
        let VenueOrder { status, filled, remaining, .. } = self.truth.orders[&order].shown;
        self.push(Body::Order { order, report: OrderReport::State { status, filled, remaining } });
        self.history.push((self.now, self.truth.clone()));
        if self.history.len() > 200 {
            self.history.drain(1..100);
        }
    }

    /// Sends by socket: late, twice, or not at all.
    fn push(&mut self, body: Body) {
        if !self.calm && self.dice.one_in(12) {
            self.stats.lost += 1;
            return;
        }
        let due = self.later(900);
        if !self.calm && self.dice.one_in(8) {
            let again = self.later(2_000);
            self.to_engine.push((again, body.clone()));
        }
        self.to_engine.push((due, body));
    }

    /// Never less at stake than there is, never more than the limit.
    fn check(&mut self) -> Result<(), String> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        for market in [MarketId(0), MarketId(1)] {
            for side in [Side::Bid, Side::Ask] {
                let resting: i64 = self
                    .truth
                    .open()
                    .filter(|order| order.shown.market == market && order.shown.side == side)
                    .map(|order| order.shown.remaining.signed())
                    .sum();
                let on_the_way: i64 =
                    self.to_venue.iter().map(|(_, request, _)| create_of(request, market, side)).sum();
                let truth = self.truth.position(market) * side.sign() + resting + on_the_way;
                let open: Quantity =
                    self.engine.open(market).filter(|order| order.side == side).map(|order| order.remaining).sum();
                let thought = self.engine.ledger().position(market) * side.sign() + open.signed();
                if truth > thought {
                    return Err(format!("{market:?} {side:?} at {:?}: {truth} at stake, thought {thought}", self.now));
                }
                if truth > LIMIT {
                    return Err(format!("{market:?} {side:?}: {truth} at stake, the limit is {LIMIT}"));
                }
            }
        }
        Ok(())
    }

    fn check_end(&self) -> Result<(), String> {
        let (ledger, truth) = (self.engine.ledger(), &self.truth);
        for market in [MarketId(0), MarketId(1)] {
            let (ours, venue) = (ledger.position(market), truth.position(market));
            if ours != venue {
                return Err(format!("{market:?}: we hold {ours}, the venue says {venue}"));
            }
        }
        if ledger.cash() != Money::new(truth.cash) || !ledger.is_balanced() {
            return Err(format!("cash {}, the venue has {}", ledger.cash(), Money::new(truth.cash)));
        }
        let filled = truth.orders.iter().filter(|(_, order)| !order.shown.filled.is_zero());
        let filled: BTreeMap<OrderId, u64> = filled.map(|(id, order)| (*id, order.shown.filled.units())).collect();
        if filled != self.booked {
            return Err("fills were lost or doubled".to_owned());
        }
        let rest = (truth.open().count(), self.engine.open_orders(), self.engine.awaiting());
        if rest.0 != 0 || rest.1 != 0 || rest.2.iter().any(|request| *request != Request::ReadAccount) {
            return Err(format!("not at rest: {rest:?}"));
        }
        if !self.engine.proved() || self.engine.halted() {
            return Err("not proved equal in the end".to_owned());
        }
        Ok(())
    }
}

fn create_of(request: &Request, here: MarketId, side_here: Side) -> i64 {
    match request {
        Request::Create { market, side, quantity, .. } if *market == here && *side == side_here => quantity.signed(),
        _ => 0,
    }
}
