//! The engine: applies one event after another and says what the world should now do.
//!
//! This file holds the control flow and nothing else: which part learns of an event, in which order, and which city-days
//! the slot's component is asked about afterwards. Beside it: `asking` (what a component sees), `quoting` (what is done with
//! its answer), `live` (what the venue says of orders and the account) and `stopping` (commands, halts, limits). Bad input
//! is a value and never an error; a broken invariant panics.

use crate::book::Book;
use crate::city_day::CityDay;
use crate::conduct::Conduct;
use crate::event::{Body, CancelReason, Component, Effect, Forecast, Level, Report, StaleReason, Trade};
use crate::execution::{Execution, ExecutionSettings};
use crate::ledger::Ledger;
use crate::market::{FeeSchedule, Market, MarketId, MarketStatus, PriceRange};
use crate::order::{OpenOrder, OrderEvent, OrderId};
use crate::reconcile::Reconciler;
use crate::risk::Limits;
use crate::risk::check::premium;
use crate::risk::day::Day;
use crate::units::{Digest, Money, Price, SECOND, Side, Timestamp};
use crate::venue::{ExchangeStatus, Request};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

mod asking;
mod live;
mod quoting;
mod stopping;

/// Version of the rules in this crate: digests and effects compare within one version only.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Faults in a row after which a slot stops.
pub const FAULTS_TO_STOP: u32 = 3;

/// What a slot is set up with; journaled as the first record of its journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Limits in force.
    pub limits: Limits,
    /// Where orders go.
    pub execution: ExecutionSettings,
    /// Fee schedule for every market, where the venue's own is not wanted. The venue charges live fills itself.
    pub fees: Option<FeeSchedule>,
    /// Cash at the start. A live slot takes over what the account holds.
    pub cash: Money,
}

/// Numbers that a replay prints and compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events applied.
    pub events: u64,
    /// Times a sequence number was skipped or repeated.
    pub gaps: u64,
    /// Frames that no rule covers.
    pub unparsed: u64,
    /// Questions put to the component.
    pub decisions: u64,
    /// Answers that were faults.
    pub faults: u64,
}

/// Everything one slot knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    settings: Settings,
    now: Timestamp,
    next_seq: u64,
    listings: Vec<Listing>,
    books: Vec<Book>,
    city_days: Vec<CityDay>,
    /// City-days to ask about, in the order in which they came to be wanted.
    wanting: Vec<u16>,
    next_close: Timestamp,
    component: Option<Component>,
    parameters: Arc<[i64]>,
    faults_in_a_row: u32,
    stopped: bool,
    /// Questions without an answer yet.
    asked: Vec<(u64, u16)>,
    next_order: u64,
    /// City-days with an intent that was refused only because there were too many orders a moment ago.
    postponed: Vec<u16>,
    /// Nothing may be placed at this time in any market, for a reason that lasts.
    barred: bool,
    execution: Execution,
    ledger: Ledger,
    reconciler: Reconciler,
    conduct: Conduct,
    group: Group,
    day: Day,
    exchange: ExchangeStatus,
    skew: i64,
    counts: Counts,
}

/// The order group of the run at the venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Group {
    /// It takes no orders, as far as we know.
    triggered: bool,
    /// It was asked to be triggered or reset, and has not said that it is.
    wanted: Option<bool>,
    /// When to ask again.
    due: Timestamp,
}

/// A market with what the engine remembers of it besides its book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Listing {
    market: Market,
    ticker: Arc<str>,
    ladder: Arc<[PriceRange]>,
    city_day: u16,
    last_trade: Option<Trade>,
    last_change: Timestamp,
    shown_bids: Vec<Level>,
    shown_asks: Vec<Level>,
    closed: bool,
    /// What a YES contract was worth when the venue paid, and when we heard of it.
    paid: Option<(Price, Timestamp)>,
    /// Nothing more is to be heard of its orders.
    forgotten: bool,
}

/// How long orders and fills of a paid market are remembered: longer than any read of the account reaches back.
const REMEMBER_PAID: i64 = 2 * 86_400 * SECOND;

const NEVER: Timestamp = Timestamp(i64::MAX);

impl Engine {
    /// An engine at the beginning of a run.
    pub fn new(settings: Settings) -> Self {
        Self {
            execution: Execution::new(settings.execution),
            ledger: Ledger::new(settings.cash),
            settings,
            now: Timestamp(0),
            next_seq: 0,
            listings: Vec::new(),
            books: Vec::new(),
            city_days: Vec::new(),
            wanting: Vec::new(),
            next_close: NEVER,
            component: None,
            parameters: Arc::new([]),
            faults_in_a_row: 0,
            stopped: false,
            asked: Vec::new(),
            next_order: 1,
            postponed: Vec::new(),
            barred: false,
            reconciler: Reconciler::new(),
            conduct: Conduct::default(),
            group: Group::default(),
            day: Day::default(),
            exchange: ExchangeStatus::Open,
            skew: 0,
            counts: Counts::default(),
        }
    }

    /// Applies one event and appends what the world should now do, in order.
    ///
    /// An input carries the next number; an answer of the slot ([`Body::Decided`], [`Body::Swapped`]) carries the number
    /// of the input that it follows. Panics if a number is skipped or repeated, if time goes back, or if an answer comes
    /// without its question.
    pub fn apply(&mut self, seq: u64, at: Timestamp, body: &Body, effects: &mut Vec<Effect>) {
        match body {
            Body::Decided { decision, outcome } => {
                assert_eq!(seq + 1, self.next_seq, "an answer belongs to the newest input");
                self.decided(*decision, outcome, effects);
            }
            Body::Swapped(component) => {
                assert_eq!(seq + 1, self.next_seq, "a swap follows the newest input");
                self.swapped(component);
                self.ask(effects);
            }
            _ => {
                assert_eq!(seq, self.next_seq, "inputs come without a gap");
                assert!(at >= self.now, "time does not go back");
                self.next_seq += 1;
                self.counts.events += 1;
                self.input(at, body, effects);
                self.ask(effects);
            }
        }
        self.finish(effects);
    }

    fn input(&mut self, at: Timestamp, body: &Body, effects: &mut Vec<Effect>) {
        // What falls due by now meets the books as they were until now, and no market after its close.
        let mut done = Vec::new();
        while at >= self.next_close {
            self.now = self.now.max(self.next_close);
            self.execution.advance(self.now, &self.books, &mut done);
            self.close_markets(&mut done);
        }
        self.now = at;
        self.execution.advance(at, &self.books, &mut done);
        self.tell_orders();
        if self.day.is_over(at) {
            self.day.begin(at, self.ledger.worth(|market| self.mark(market)));
        }
        match body {
            Body::Quiet | Body::Ticker(_) => {}
            Body::Unparsed(_) => self.counts.unparsed += 1,
            Body::Listed(markets) => markets.iter().for_each(|market| self.list(market, &mut done)),
            Body::Snapshot { market, bids, asks } => {
                self.books[market.index()].replace(at, bids, asks);
                self.book_changed(*market, true, &mut done, effects);
            }
            Body::Delta { market, side, price, change } => {
                let was_live = self.books[market.index()].is_live();
                self.books[market.index()].change(at, *side, *price, *change);
                if was_live {
                    self.book_changed(*market, false, &mut done, effects);
                }
            }
            Body::Stale { markets, reason } => {
                self.counts.gaps += u64::from(*reason == StaleReason::Gap);
                for market in markets {
                    self.books[market.index()].distrust(*reason);
                    self.pull_market(*market, CancelReason::Stale);
                    self.want_market(*market);
                }
                if matches!(reason, StaleReason::Disconnected | StaleReason::SilentConnection) {
                    self.unheard("the connection was lost", effects);
                }
            }
            Body::Trade(trade) => {
                self.listings[trade.market.index()].last_trade = Some(*trade);
                self.execution.on_trade(trade, &mut done);
                if self.component.as_ref().is_some_and(|c| c.watch.trades) {
                    self.want_market(trade.market);
                }
            }
            Body::Status { market, status } => {
                self.listings[market.index()].market.status = *status;
                self.status_changed(*market, &mut done);
                self.want_market(*market);
            }
            Body::Closes { market, at } => {
                self.listings[market.index()].market.closes = *at;
                self.schedule_closes();
            }
            Body::Settled { market, value } => self.settle(*market, *value, &mut done, effects),
            Body::Forecast(forecast) => self.forecast(forecast),
            Body::Tick => self.tick(effects),
            Body::Order { order, report } => self.order_heard(*order, report),
            Body::Fill(fill) => self.fill_heard(fill, &mut done, effects),
            Body::Position { market, contracts } => self.position_pushed(*market, *contracts),
            Body::Account(account) => self.account_read(account, effects),
            Body::Unheard => self.unheard("messages about the account may have been lost", effects),
            Body::Group { triggered } => self.group_changed(*triggered, effects),
            Body::Exchange(status) => self.exchange_changed(*status),
            Body::Skew(skew) => self.skew = *skew,
            Body::Queue(places) => self.queue_read(places),
            Body::Command(command) => self.command(command, effects),
            Body::Decided { .. } | Body::Swapped(_) => unreachable!("answers do not come as inputs"),
        }
        self.execution.drain(&mut done);
        self.report(done, effects);
        self.heed_live_orders(effects);
    }

    /// What an order group of live orders, paused trading or the end of the slot allow is told before anything is sent.
    fn tell_orders(&mut self) {
        let renewals = self.exchange == ExchangeStatus::Open && self.conduct.trades() && !self.stopped;
        let (now, cancels) = (self.now, self.exchange != ExchangeStatus::ExchangePaused);
        if let Some(orders) = self.execution.live_mut() {
            orders.advance(now, cancels, renewals);
        }
    }

    /// Sends what gathered, and says so where a stopped slot became flat.
    fn finish(&mut self, effects: &mut Vec<Effect>) {
        self.execution.drain_effects(effects);
        self.read_account_if_due(effects);
        self.notice_paper_flat(effects);
    }

    fn status_changed(&mut self, market: MarketId, done: &mut Vec<OrderEvent>) {
        match self.listings[market.index()].market.status {
            MarketStatus::Active => self.execution.reopen_market(market),
            MarketStatus::Paused => self.execution.close_market(market, CancelReason::MarketClosed, false, done),
            MarketStatus::Closed | MarketStatus::Settled => {
                self.execution.close_market(market, CancelReason::MarketClosed, true, done);
            }
        }
    }

    /// Adds a market, or takes over changed facts of a known one.
    fn list(&mut self, market: &Market, done: &mut Vec<OrderEvent>) {
        let mut market = market.clone();
        market.fees = self.settings.fees.unwrap_or(market.fees);
        if let Some(listing) = self.listings.get_mut(market.id.index()) {
            assert_eq!(listing.market.ticker, market.ticker, "a market keeps its number");
            self.books[market.id.index()].regrade(market.ladder.clone());
            listing.ladder = market.ladder.ranges().into();
            let (id, changed) = (market.id, listing.market.status != market.status);
            listing.market = market;
            if changed {
                self.status_changed(id, done);
            }
        } else {
            assert_eq!(market.id.index(), self.listings.len(), "market numbers continue the list");
            let city_day = self.city_day_of(&market.event);
            self.books.push(Book::new(market.ladder.clone()));
            self.listings.push(Listing {
                ticker: market.ticker.as_str().into(),
                ladder: market.ladder.ranges().into(),
                city_day,
                last_trade: None,
                last_change: self.now,
                shown_bids: Vec::new(),
                shown_asks: Vec::new(),
                closed: false,
                paid: None,
                forgotten: false,
                market,
            });
        }
        self.sort_city_days();
        self.schedule_closes();
    }

    fn city_day_of(&mut self, event: &str) -> u16 {
        let known = self.city_days.iter().position(|day| &*day.event == event);
        let index = known.unwrap_or_else(|| {
            self.city_days.push(CityDay::new(event));
            self.city_days.len() - 1
        });
        u16::try_from(index).expect("fewer than 65 536 city-days")
    }

    fn sort_city_days(&mut self) {
        for day in &mut self.city_days {
            day.markets.clear();
        }
        for listing in &self.listings {
            self.city_days[usize::from(listing.city_day)].markets.push(listing.market.id);
        }
        for day in &mut self.city_days {
            day.markets.sort_by_key(|id| (self.listings[id.index()].market.strike.rank(), *id));
        }
    }

    fn schedule_closes(&mut self) {
        let open = self.listings.iter().filter(|listing| !listing.closed);
        self.next_close = open.map(|listing| listing.market.closes).min().unwrap_or(NEVER);
    }

    /// Times close a market without any message from the venue.
    fn close_markets(&mut self, done: &mut Vec<OrderEvent>) {
        for index in 0..self.listings.len() {
            let listing = &mut self.listings[index];
            if !listing.closed && self.now >= listing.market.closes {
                listing.closed = true;
                let market = listing.market.id;
                self.execution.close_market(market, CancelReason::MarketClosed, true, done);
                self.want_market(market);
            }
        }
        self.schedule_closes();
    }

    fn book_changed(
        &mut self,
        market: MarketId,
        snapshot: bool,
        done: &mut Vec<OrderEvent>,
        effects: &mut Vec<Effect>,
    ) {
        let book = &self.books[market.index()];
        self.listings[market.index()].last_change = self.now;
        if book.stale() == Some(StaleReason::Corrupt) {
            effects.push(Effect::Resync(market));
            self.pull_market(market, CancelReason::Stale);
            self.want_market(market);
            return;
        }
        self.execution.on_book(market, book, done);
        if self.shown_changed(market) || snapshot {
            self.want_market(market);
        }
    }

    /// Whether what the component watches differs from what it was last shown, and remembers it as shown.
    fn shown_changed(&mut self, market: MarketId) -> bool {
        let Some(watch) = self.component.as_ref().map(|c| c.watch) else { return false };
        let (book, listing) = (&self.books[market.index()], &mut self.listings[market.index()]);
        let depth = usize::from(watch.levels);
        let mut changed = false;
        for (side, shown) in [(Side::Bid, &mut listing.shown_bids), (Side::Ask, &mut listing.shown_asks)] {
            let differs = |old: &Level, new: &Level| old.price != new.price || (watch.sizes && old != new);
            let mut count = 0;
            let levels = self.execution.levels_of_others(market, book, side);
            for (index, level) in levels.take(depth).enumerate() {
                count += 1;
                match shown.get_mut(index) {
                    Some(old) if differs(old, &level) => {
                        *old = level;
                        changed = true;
                    }
                    Some(_) => {}
                    None => {
                        shown.push(level);
                        changed = true;
                    }
                }
            }
            changed |= shown.len() > count;
            shown.truncate(count);
        }
        changed
    }

    fn settle(&mut self, market: MarketId, value: Price, done: &mut Vec<OrderEvent>, effects: &mut Vec<Effect>) {
        let listing = &mut self.listings[market.index()];
        // A list may have said before that it is settled, without its worth.
        if listing.paid.is_some() {
            return;
        }
        listing.market.status = MarketStatus::Settled;
        listing.paid = Some((value, self.now));
        self.execution.close_market(market, CancelReason::MarketClosed, true, done);
        self.execution.drain(done);
        self.report(std::mem::take(done), effects);
        self.pay(market, value, effects);
    }

    /// Pays what is held in a market. Called again where a fill of a paid market turns up late.
    fn pay(&mut self, market: MarketId, value: Price, effects: &mut Vec<Effect>) {
        let position = self.ledger.position(market);
        let payout = self.ledger.settle(market, value);
        if position != 0 {
            effects.push(Effect::Report(Report::Settled { market, position, value, payout }));
        }
    }

    fn forecast(&mut self, forecast: &Forecast) {
        let Some(index) = self.city_days.iter().position(|day| *day.event == *forecast.event) else { return };
        self.city_days[index].take_forecast(forecast);
        self.want(u16::try_from(index).expect("fewer than 65 536 city-days"), None);
    }

    fn tick(&mut self, effects: &mut Vec<Effect>) {
        for index in 0..self.books.len() {
            if self.books[index].check_crossing(self.now) {
                let market = self.listings[index].market.id;
                effects.push(Effect::Resync(market));
                self.pull_market(market, CancelReason::Stale);
                self.want_market(market);
            }
        }
        self.pull_what_may_not_rest();
        self.tick_live(effects);
        for city_day in std::mem::take(&mut self.postponed) {
            self.want(city_day, None);
        }
        let Some(every) = self.component.as_ref().map(|c| c.watch.every).filter(|every| *every > 0) else { return };
        for index in 0..self.city_days.len() {
            if self.city_days[index].asked_at.is_none_or(|asked| self.now.since(asked) >= every) {
                self.want(u16::try_from(index).expect("fewer than 65 536 city-days"), None);
            }
        }
    }

    /// A swap keeps ledger, positions and resting orders; the new version is asked about everything at once.
    fn swapped(&mut self, component: &Component) {
        self.parameters = component.parameters.as_slice().into();
        self.component = Some(component.clone());
        self.faults_in_a_row = 0;
        self.stopped = false;
        for listing in &mut self.listings {
            listing.shown_bids.clear();
            listing.shown_asks.clear();
        }
        for index in 0..self.listings.len() {
            self.shown_changed(self.listings[index].market.id);
        }
        for index in 0..self.city_days.len() {
            self.city_days[index].asked_at = None;
            self.want(u16::try_from(index).expect("fewer than 65 536 city-days"), None);
        }
    }

    /// Books what happened to orders and has the component asked again about the city-days concerned.
    fn report(&mut self, done: Vec<OrderEvent>, effects: &mut Vec<Effect>) {
        for event in done {
            match event {
                OrderEvent::Filled { order, market, side, price, quantity, fee, taker } => {
                    self.ledger.fill(market, side, price, quantity, fee);
                    self.day.trade(premium(side, price, quantity));
                    let position = self.ledger.position(market);
                    let filled = Report::Filled { order, market, side, price, quantity, fee, taker, position };
                    effects.push(Effect::Report(filled));
                    self.pay_late(market, effects);
                    self.want_market(market);
                }
                OrderEvent::Cancelled { order, market, remaining, reason } => {
                    effects.push(Effect::Report(Report::Cancelled { order, market, remaining, reason }));
                    self.want_market(market);
                }
            }
        }
    }

    fn pay_late(&mut self, market: MarketId, effects: &mut Vec<Effect>) {
        if let Some((value, _)) = self.listings[market.index()].paid {
            self.pay(market, value, effects);
        }
    }

    /// Hash of the whole state.
    pub fn digest(&self) -> Digest {
        Digest::of(&postcard::to_stdvec(self).expect("plain state can be written"))
    }

    /// Numbers for people and for replay.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many times any book became crossed.
    pub fn crossed_episodes(&self) -> u64 {
        self.books.iter().map(Book::crossed_episodes).sum()
    }

    /// The markets in the order of their numbers, with the fee schedule in force.
    pub fn markets(&self) -> impl ExactSizeIterator<Item = &Market> {
        self.listings.iter().map(|listing| &listing.market)
    }

    /// The book of a market.
    pub fn book(&self, market: MarketId) -> &Book {
        &self.books[market.index()]
    }

    /// Whether orders would pass in a market now.
    pub fn tradable(&self, market: MarketId) -> bool {
        let day = &self.city_days[usize::from(self.listings[market.index()].city_day)];
        let (stakes, slot) = (self.stakes(day), self.slot_state());
        self.settings.limits.tradable(&self.standing(market, day, &stakes, slot)).is_ok()
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// The orders of a market that are not over, first come first.
    pub fn open(&self, market: MarketId) -> impl Iterator<Item = OpenOrder> {
        self.execution.open(market)
    }

    /// The live orders that are not over, with the time at which each was sent: what a read of the account has to tell of.
    pub fn unfinished(&self) -> Vec<(OrderId, Timestamp)> {
        self.execution.live().map(|orders| orders.unfinished().collect()).unwrap_or_default()
    }

    /// How many orders of the slot are not over.
    pub fn open_orders(&self) -> u32 {
        self.execution.open_orders()
    }

    /// Whether the slot was halted or winds down.
    pub fn halted(&self) -> bool {
        !self.conduct.trades()
    }

    /// Whether the slot was halted or wound down and it was verified that nothing of it rests.
    pub fn flat(&self) -> bool {
        self.conduct.stop().is_some_and(|stop| stop.flat)
    }

    /// Whether the account is proved equal to the ledger. A paper slot has no account.
    pub fn proved(&self) -> bool {
        self.execution.live().is_none() || self.reconciler.proved()
    }

    /// Requests to the venue that were sent and have no answer. After the death of the process that sent them their answers
    /// are lost: bring each as [`crate::event::Input::Unanswered`].
    pub fn awaiting(&self) -> Vec<Request> {
        let mut awaiting = self.execution.live().map(|orders| orders.awaiting()).unwrap_or_default();
        awaiting.extend(self.reconciler.awaits().then_some(Request::ReadAccount));
        awaiting
    }

    /// Cash, positions, fees and payouts.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What a YES contract is worth for now: the middle of the book, else the last trade.
    pub fn mark(&self, market: MarketId) -> Option<Price> {
        let book = &self.books[market.index()];
        match (book.best(Side::Bid), book.best(Side::Ask)) {
            (Some(bid), Some(ask)) => Price::new((bid.price.units() + ask.price.units()) / 2),
            _ => self.listings[market.index()].last_trade.map(|trade| trade.price),
        }
    }

    /// The component that the slot holds.
    pub fn component(&self) -> Option<&Component> {
        self.component.as_ref()
    }

    /// Whether the slot stopped after repeated faults.
    pub fn stopped(&self) -> bool {
        self.stopped
    }
}
