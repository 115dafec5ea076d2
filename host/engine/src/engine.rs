//! The engine: applies one event after another and says what the world should now do.
//!
//! This file holds the control flow and nothing else: which part learns of an event, in which order, and which city-days
//! the slot's component is asked about afterwards. Bad input is a value and never an error; a broken invariant panics.

use crate::book::Book;
use crate::city_day::{CityDay, Question};
use crate::event::{Body, CancelReason, Component, Effect, Fault, Forecast, Level, Report, StaleReason, Trade, Watch};
use crate::ledger::Ledger;
use crate::market::{FeeSchedule, Market, MarketId, MarketStatus, PriceRange};
use crate::order::OrderId;
use crate::paper::{Paper, PaperEvent, PaperOrder, PaperSettings};
use crate::risk::{Intent, Limits, Standing};
use crate::snapshot::{Bracket, Decision, Resting, Snapshot, bounds};
use crate::units::{Digest, Money, Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Version of the rules in this crate: digests and effects compare within one version only.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Faults in a row after which a slot stops.
pub const FAULTS_TO_STOP: u32 = 3;

/// What a slot is set up with; journaled as the first record of its journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Limits in force.
    pub limits: Limits,
    /// How the paper exchange fills.
    pub paper: PaperSettings,
    /// Fee schedule for every market, where the venue's own is not wanted.
    pub fees: Option<FeeSchedule>,
    /// Cash at the start.
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
    paper: Paper,
    ledger: Ledger,
    counts: Counts,
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
}

const NEVER: Timestamp = Timestamp(i64::MAX);

impl Engine {
    /// An engine at the beginning of a run.
    pub fn new(settings: Settings) -> Self {
        Self {
            paper: Paper::new(settings.paper),
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
    }

    fn input(&mut self, at: Timestamp, body: &Body, effects: &mut Vec<Effect>) {
        // What falls due by now meets the books as they were until now, and no market after its close.
        let mut done = Vec::new();
        while at >= self.next_close {
            self.now = self.now.max(self.next_close);
            self.paper.advance(self.now, &self.books, &mut done);
            self.close_markets(&mut done);
        }
        self.now = at;
        self.paper.advance(at, &self.books, &mut done);
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
                    self.want_market(*market);
                }
            }
            Body::Trade(trade) => {
                self.listings[trade.market.index()].last_trade = Some(*trade);
                self.paper.on_trade(trade, &mut done);
                if self.component.as_ref().is_some_and(|c| c.watch.trades) {
                    self.want_market(trade.market);
                }
            }
            Body::Status { market, status } => {
                self.listings[market.index()].market.status = *status;
                if *status != MarketStatus::Active {
                    self.paper.close_market(*market, CancelReason::MarketClosed, &mut done);
                }
                self.want_market(*market);
            }
            Body::Closes { market, at } => {
                self.listings[market.index()].market.closes = *at;
                self.schedule_closes();
            }
            Body::Settled { market, value } => self.settle(*market, *value, &mut done, effects),
            Body::Forecast(forecast) => self.forecast(forecast),
            Body::Tick => self.tick(effects),
            Body::Order { .. }
            | Body::Fill(_)
            | Body::Position { .. }
            | Body::Account(_)
            | Body::Group { .. }
            | Body::Exchange(_)
            | Body::Skew(_)
            | Body::Command(_) => {}
            Body::Decided { .. } | Body::Swapped(_) => unreachable!("answers do not come as inputs"),
        }
        self.report(done, effects);
    }

    /// Adds a market, or takes over changed facts of a known one.
    fn list(&mut self, market: &Market, done: &mut Vec<PaperEvent>) {
        let mut market = market.clone();
        market.fees = self.settings.fees.unwrap_or(market.fees);
        if let Some(listing) = self.listings.get_mut(market.id.index()) {
            assert_eq!(listing.market.ticker, market.ticker, "a market keeps its number");
            self.books[market.id.index()].regrade(market.ladder.clone());
            listing.ladder = market.ladder.ranges().into();
            if market.status != MarketStatus::Active {
                self.paper.close_market(market.id, CancelReason::MarketClosed, done);
            }
            listing.market = market;
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
    fn close_markets(&mut self, done: &mut Vec<PaperEvent>) {
        for index in 0..self.listings.len() {
            let listing = &mut self.listings[index];
            if !listing.closed && self.now >= listing.market.closes {
                listing.closed = true;
                let market = listing.market.id;
                self.paper.close_market(market, CancelReason::MarketClosed, done);
                self.want_market(market);
            }
        }
        self.schedule_closes();
    }

    fn book_changed(
        &mut self,
        market: MarketId,
        snapshot: bool,
        done: &mut Vec<PaperEvent>,
        effects: &mut Vec<Effect>,
    ) {
        let book = &self.books[market.index()];
        self.listings[market.index()].last_change = self.now;
        if book.stale() == Some(StaleReason::Corrupt) {
            effects.push(Effect::Resync(market));
            self.want_market(market);
            return;
        }
        self.paper.on_book(market, book, done);
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
            for (index, level) in book.levels(side).take(depth).enumerate() {
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

    fn settle(&mut self, market: MarketId, value: Price, done: &mut Vec<PaperEvent>, effects: &mut Vec<Effect>) {
        let listing = &mut self.listings[market.index()];
        if listing.market.status == MarketStatus::Settled {
            return;
        }
        listing.market.status = MarketStatus::Settled;
        self.paper.close_market(market, CancelReason::MarketClosed, done);
        self.report(std::mem::take(done), effects);
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
                self.want_market(market);
            }
        }
        let Some(every) = self.component.as_ref().map(|c| c.watch.every).filter(|every| *every > 0) else { return };
        for index in 0..self.city_days.len() {
            if self.city_days[index].asked_at.is_none_or(|asked| self.now.since(asked) >= every) {
                self.want(u16::try_from(index).expect("fewer than 65 536 city-days"), None);
            }
        }
    }

    fn want_market(&mut self, market: MarketId) {
        self.want(self.listings[market.index()].city_day, Some(market));
    }

    fn want(&mut self, city_day: u16, changed: Option<MarketId>) {
        self.city_days[usize::from(city_day)].changed = changed;
        if !self.wanting.contains(&city_day) {
            self.wanting.push(city_day);
        }
    }

    /// Puts the questions that are wanted and allowed now. Nothing is asked twice before its answer came.
    fn ask(&mut self, effects: &mut Vec<Effect>) {
        if self.wanting.is_empty() {
            return;
        }
        let Some(watch) = self.component.as_ref().filter(|_| !self.stopped).map(|c| c.watch) else {
            self.wanting.clear();
            return;
        };
        let mut wanting = std::mem::take(&mut self.wanting);
        wanting.retain(|city_day| !self.ask_about(*city_day, watch, effects));
        self.wanting = wanting;
    }

    /// Puts one question; says no where it must wait.
    fn ask_about(&mut self, city_day: u16, watch: Watch, effects: &mut Vec<Effect>) -> bool {
        let day = &mut self.city_days[usize::from(city_day)];
        let over = day.markets.iter().all(|id| self.listings[id.index()].market.status == MarketStatus::Settled);
        if over {
            return true;
        }
        if day.asked_at.is_some_and(|asked| self.now.since(asked) < watch.at_most_every) {
            return false;
        }
        day.asked_at = Some(self.now);
        self.counts.decisions += 1;
        let decision = self.counts.decisions;
        self.asked.push((decision, city_day));
        let snapshot = Box::new(self.snapshot(city_day, watch.levels));
        effects.push(Effect::Decide { decision, snapshot });
        true
    }

    fn snapshot(&self, city_day: u16, levels: u8) -> Snapshot {
        let day = &self.city_days[usize::from(city_day)];
        let issued = day.forecast.as_ref().map(|f| f.issued);
        let young = self.settings.limits.young(issued, self.now);
        let brackets = day.markets.iter().map(|id| self.bracket(*id, day, young, levels)).collect();
        let closes = day.markets.iter().map(|id| self.listings[id.index()].market.closes).max();
        let changed = day.changed.and_then(|id| day.markets.iter().position(|other| *other == id));
        Snapshot {
            now: self.now,
            event: Arc::clone(&day.event),
            closes: closes.unwrap_or(self.now),
            changed: changed.map(|index| u16::try_from(index).expect("few brackets")),
            forecast_issued: issued.filter(|_| young),
            brackets,
            parameters: Arc::clone(&self.parameters),
            state: day.state.clone(),
        }
    }

    fn bracket(&self, id: MarketId, day: &CityDay, young: bool, levels: u8) -> Bracket {
        let (listing, book) = (&self.listings[id.index()], &self.books[id.index()]);
        let standing = self.standing(id, day);
        let side = |side| book.levels(side).take(usize::from(levels)).collect();
        Bracket {
            market: id,
            ticker: Arc::clone(&listing.ticker),
            strike: listing.market.strike,
            probability: day.probability(id).filter(|_| young),
            tradable: self.settings.limits.tradable(&standing).is_ok(),
            bids: side(Side::Bid),
            asks: side(Side::Ask),
            last_trade: listing.last_trade,
            position: standing.position,
            resting: self.resting(id),
            fees: listing.market.fees,
            ladder: Arc::clone(&listing.ladder),
            room_bid: self.settings.limits.room(&standing, Side::Bid),
            room_ask: self.settings.limits.room(&standing, Side::Ask),
        }
    }

    fn resting(&self, id: MarketId) -> Vec<Resting> {
        let open = self.paper.open(id).filter(|order| !order.cancelling);
        open.map(|order| Resting { side: order.side, price: order.price, quantity: order.staying }).collect()
    }

    fn standing<'a>(&'a self, id: MarketId, day: &CityDay) -> Standing<'a> {
        let listing = &self.listings[id.index()];
        let open = |side| self.paper.open(id).filter(|o| o.side == side).map(|o| o.remaining).sum();
        let trades = listing.market.status == MarketStatus::Active && self.now >= listing.market.opens;
        Standing {
            book: &self.books[id.index()],
            now: self.now,
            last_change: listing.last_change,
            open: trades && !listing.closed,
            forecast_issued: day.forecast.as_ref().map(|f| f.issued),
            position: self.ledger.position(id),
            open_bids: open(Side::Bid),
            open_asks: open(Side::Ask),
            open_orders: self.paper.open_orders(),
        }
    }

    fn decided(&mut self, decision: u64, outcome: &Result<Decision, Fault>, effects: &mut Vec<Effect>) {
        let question = self.asked.iter().position(|(number, _)| *number == decision);
        let (_, city_day) = self.asked.remove(question.expect("an answer has its question"));
        match outcome {
            Ok(wanted) if self.within_contract(city_day, wanted) => {
                self.faults_in_a_row = 0;
                self.city_days[usize::from(city_day)].state.clone_from(&wanted.state);
                self.carry_out(Question { decision, city_day }, wanted, effects);
            }
            _ => self.fault(effects),
        }
    }

    fn within_contract(&self, city_day: u16, wanted: &Decision) -> bool {
        let brackets = self.city_days[usize::from(city_day)].markets.len();
        let known = |index: u16| usize::from(index) < brackets;
        wanted.quotes.len() <= bounds::QUOTES
            && wanted.takes.len() <= bounds::TAKES
            && wanted.state.len() <= bounds::STATE_BYTES
            && wanted.quotes.iter().all(|quote| known(quote.bracket))
            && wanted.takes.iter().all(|take| known(take.bracket))
    }

    /// Pulls every order of the slot and asks for the version before, or stops the slot.
    fn fault(&mut self, effects: &mut Vec<Effect>) {
        self.counts.faults += 1;
        self.faults_in_a_row += 1;
        for listing in &self.listings {
            let open: Vec<OrderId> = self.paper.open(listing.market.id).map(|order| order.id).collect();
            for order in open {
                self.paper.cancel(order, self.now, CancelReason::Fault);
            }
        }
        if self.faults_in_a_row >= FAULTS_TO_STOP {
            self.stopped = true;
            effects.push(Effect::Report(Report::Stopped { faults: self.faults_in_a_row }));
        } else {
            effects.push(Effect::Revert);
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

    /// Turns what a component wants into the fewest operations on what rests and is in flight.
    fn carry_out(&mut self, question: Question, wanted: &Decision, effects: &mut Vec<Effect>) {
        let markets = self.city_days[usize::from(question.city_day)].markets.clone();
        for (index, market) in markets.iter().enumerate() {
            for side in [Side::Bid, Side::Ask] {
                let mut desired = BTreeMap::new();
                let here = wanted.quotes.iter().filter(|q| usize::from(q.bracket) == index && q.side == side);
                for quote in here {
                    *desired.entry(quote.price).or_insert(Quantity::ZERO) += quote.quantity;
                }
                self.requote(question, *market, side, desired, effects);
            }
        }
        for take in &wanted.takes {
            self.take(question, markets[usize::from(take.bracket)], take.position, take.limit, effects);
        }
    }

    /// Cancels or shrinks what is no longer wanted at a price, and places what is missing. A quote that stays wanted is
    /// not touched, so it keeps its place in the queue.
    fn requote(
        &mut self,
        question: Question,
        market: MarketId,
        side: Side,
        mut desired: BTreeMap<Price, Quantity>,
        effects: &mut Vec<Effect>,
    ) {
        let open = self.paper.open(market).filter(|o| o.side == side && !o.take && !o.cancelling);
        let resting: Vec<(OrderId, Price, Quantity)> = open.map(|o| (o.id, o.price, o.staying)).collect();
        for (id, price, remaining) in resting {
            let left = desired.entry(price).or_insert(Quantity::ZERO);
            if left.is_zero() {
                self.paper.cancel(id, self.now, CancelReason::Undesired);
            } else if remaining > *left {
                self.paper.reduce(id, *left, self.now);
            }
            *left = left.saturating_sub(remaining);
        }
        for (price, quantity) in desired {
            if !quantity.is_zero() {
                self.place(question, market, Intent { side, price, quantity, take: false }, effects);
            }
        }
    }

    /// Takes what separates the target from what is held, less all that is in flight the same way (quotes too, since they
    /// may still fill), so that a repeated answer adds nothing. What is in flight the other way is not answered with more
    /// orders: once it filled, the next answer counts it as held.
    fn take(&mut self, question: Question, market: MarketId, target: i64, limit: Price, effects: &mut Vec<Effect>) {
        let wanted = target.saturating_sub(self.ledger.position(market));
        let side = if wanted >= 0 { Side::Bid } else { Side::Ask };
        let in_flight: Quantity = self.paper.open(market).filter(|o| o.side == side).map(|o| o.remaining).sum();
        let quantity = Quantity::new(wanted.unsigned_abs()).saturating_sub(in_flight);
        if !quantity.is_zero() {
            self.place(question, market, Intent { side, price: limit, quantity, take: true }, effects);
        }
    }

    fn place(&mut self, question: Question, market: MarketId, intent: Intent, effects: &mut Vec<Effect>) {
        let Question { decision, city_day } = question;
        let Intent { side, price, quantity, take } = intent;
        let standing = self.standing(market, &self.city_days[usize::from(city_day)]);
        if let Err(reason) = self.settings.limits.check(&intent, &standing) {
            let refused = Report::Refused { decision, market, side, price, quantity, reason };
            return effects.push(Effect::Report(refused));
        }
        let order = OrderId(self.next_order);
        self.next_order += 1;
        let fees = self.listings[market.index()].market.fees;
        self.paper.place(PaperOrder { id: order, decision, market, side, price, quantity, take, fees }, self.now);
        effects.push(Effect::Report(Report::Placed { order, decision, market, side, price, quantity, take }));
    }

    /// Books what the paper exchange did and has the component asked again about the city-days concerned.
    fn report(&mut self, done: Vec<PaperEvent>, effects: &mut Vec<Effect>) {
        for event in done {
            match event {
                PaperEvent::Filled { order, market, side, price, quantity, fee, taker } => {
                    self.ledger.fill(market, side, price, quantity, fee);
                    let position = self.ledger.position(market);
                    let filled = Report::Filled { order, market, side, price, quantity, fee, taker, position };
                    effects.push(Effect::Report(filled));
                    self.want_market(market);
                }
                PaperEvent::Cancelled { order, market, remaining, reason } => {
                    effects.push(Effect::Report(Report::Cancelled { order, market, remaining, reason }));
                    self.want_market(market);
                }
            }
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
        self.settings.limits.tradable(&self.standing(market, day)).is_ok()
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
