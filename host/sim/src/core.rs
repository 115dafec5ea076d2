//! The exchange with its clients, without sockets and without a clock: time is an argument of every call.
//!
//! Requests, connections and commands go in, answers and frames come out; between two calls nothing happens. The same
//! seed, scene and calls give the same bytes, ids included. [`Core::advance`] plays what is due; [`Core::next_wakeup`]
//! says when something will be. The thread and the port around it are in [`crate::server`].

use crate::Error;
use crate::counts::Counts;
use crate::exchange::{Action, Change, Exchange, FeeChange, Halt};
use crate::faults::{Answers, Fault, FaultRates, Mishap};
use crate::gate::auth::{self, Keys};
use crate::gate::keys::PublicKey;
use crate::gate::limits::{Charge, Limits, Tier};
use crate::http::{HttpAnswer, HttpRequest};
use crate::listing::{Grid, city_day, uuid};
use crate::maintenance;
use crate::messages;
use crate::refusal::Refusal;
use crate::render::Outbox;
use crate::rest::{self, Endpoint};
use crate::scene::{self, Scene, Script, Stage};
use crate::session::Session;
use crate::trading::Account;
use crate::trouble::FrameFault;
use crate::weather::{CITIES, Row};
use isobar_engine::units::{Money, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// Unwritten bytes of a connection at which a flood waits for it.
const FLOOD_BYTES: usize = 256 * 1024;
/// Unwritten bytes of a connection at which its subscriptions end (error 25) when nothing waits.
const OVERFLOW_BYTES: usize = 64 * 1024 * 1024;

/// Number of a connection.
pub type ConnId = u64;

/// A member and the keys that it signs with.
#[derive(Clone, Debug)]
pub struct AccountConfig {
    /// Key ids (the venue's are UUIDs) and public keys.
    pub keys: Vec<(String, PublicKey)>,
    /// Money to begin with.
    pub cash: Money,
    /// How much it may ask.
    pub tier: Tier,
}

/// What an exchange is made of.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// What is played.
    pub scene: Scene,
    /// Seed of everything that is left to chance, ids included.
    pub seed: u64,
    /// Who may sign.
    pub accounts: Vec<AccountConfig>,
    /// Connections that carry no key at all are served public channels: not as the venue, for what does not trade.
    pub unsigned_feed: bool,
    /// Connections of one account at a time.
    pub connections: usize,
    /// Whether trading pauses on Thursdays (PROTOCOL.md 7.2).
    pub maintenance: bool,
    /// Makers pay a quarter of a taker's fee; on weather they pay nothing (PROTOCOL.md 4).
    pub maker_fees: bool,
    /// Faults by chance.
    pub rates: FaultRates,
}

impl Default for CoreConfig {
    /// The simulated summer day for strangers who only look.
    fn default() -> Self {
        Self {
            scene: Scene::default(),
            seed: 1,
            accounts: Vec::new(),
            unsigned_feed: true,
            connections: 200,
            maintenance: false,
            maker_fees: false,
            rates: FaultRates::default(),
        }
    }
}

/// The exchange.
pub struct Core {
    exchange: Exchange,
    script: Script,
    pub(crate) sessions: BTreeMap<ConnId, Session>,
    pub(crate) weather: Vec<Row>,
    begins: Timestamp,
    time: Timestamp,
    keys: Keys,
    limits: Vec<Limits>,
    answers: Answers,
    /// Without the faults of connections that are open.
    counts: Counts,
    seed: u64,
    unsigned_feed: bool,
    most_connections: usize,
    maintenance: bool,
    /// The scene is played only by a flood, not by time.
    flooding: bool,
    /// When the schedule begins or ends a pause next.
    boundary: Option<Timestamp>,
    /// What was asked for on demand and is not due yet.
    agenda: BTreeMap<(Timestamp, u64), Action>,
    planned: u64,
    /// A pause that was asked for and that the schedule does not end.
    asked: Halt,
    /// Until when nothing is reachable.
    outage: Option<Timestamp>,
    /// Nanoseconds by which portfolio reads lag.
    lag: i64,
    /// Accounts as they were until a moment, while reads lag.
    past: Vec<VecDeque<(Timestamp, Account)>>,
    skew_ms: i64,
    demo_books: bool,
    connections: u64,
    actions: Vec<Action>,
    changes: Vec<Change>,
}

fn millis(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000)
}

impl Core {
    /// Reads the scene. Fails where a recording cannot be read or understood.
    pub fn new(config: &CoreConfig) -> Result<Self, Error> {
        let Stage { mut exchange, script, starts, weather } = Stage::build(&config.scene, config.seed)?;
        exchange.now = exchange.now.max(starts);
        exchange.seed = config.seed;
        exchange.maker_fees = config.maker_fees;
        let mut keys = Keys::new();
        for (number, account) in config.accounts.iter().enumerate() {
            let user = uuid(config.seed.rotate_left(17) ^ (1 << 60) ^ number as u64);
            exchange.accounts.push(Account { user, cash: account.cash, updated: starts, ..Account::default() });
            keys.extend(account.keys.iter().map(|(id, key)| (id.clone(), (number, key.clone()))));
        }
        if config.maintenance && maintenance::pauses(starts) {
            exchange.halt = Halt::Trading;
        }
        Ok(Self {
            past: vec![VecDeque::new(); exchange.accounts.len()],
            exchange,
            script,
            sessions: BTreeMap::new(),
            weather,
            begins: starts,
            time: starts,
            keys,
            limits: config.accounts.iter().map(|account| Limits::new(account.tier)).collect(),
            answers: Answers::new(config.rates, config.seed),
            counts: Counts::default(),
            seed: config.seed,
            unsigned_feed: config.unsigned_feed,
            most_connections: config.connections,
            maintenance: config.maintenance,
            flooding: false,
            boundary: config.maintenance.then(|| maintenance::next(starts)),
            agenda: BTreeMap::new(),
            planned: 0,
            asked: Halt::None,
            outage: None,
            lag: 0,
            skew_ms: 0,
            demo_books: false,
            connections: 0,
            actions: Vec::new(),
            changes: Vec::new(),
        })
    }

    /// Time of the scene's beginning.
    pub const fn begins(&self) -> Timestamp {
        self.begins
    }

    /// The exchange's time: the newest that it was told or that the scene reached.
    pub fn now(&self) -> Timestamp {
        self.time.max(self.exchange.now)
    }

    pub(crate) const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Whether an outage was injected and lasts.
    pub(crate) fn out(&self) -> bool {
        self.outage.is_some_and(|until| until > self.now())
    }

    pub(crate) const fn demo_books(&self) -> bool {
        self.demo_books
    }

    pub(crate) fn limits(&self, account: usize) -> &Limits {
        &self.limits[account]
    }

    /// When a pause of the schedule or an outage ends.
    pub(crate) fn resumes(&self) -> Option<Timestamp> {
        let scheduled = self.maintenance && self.asked == Halt::None && maintenance::pauses(self.now());
        self.outage.or_else(|| scheduled.then(|| maintenance::next(self.now())))
    }

    /// Adds or replaces a key of an account while the exchange runs.
    pub fn add_key(&mut self, account: usize, id: &str, key: PublicKey) {
        assert!(account < self.exchange.accounts.len(), "a key belongs to an account");
        self.keys.insert(id.to_owned(), (account, key));
    }

    /// Answers a REST request at `now`.
    pub fn request(&mut self, now: Timestamp, request: &HttpRequest) -> HttpAnswer {
        self.advance(now);
        if self.out() {
            return HttpAnswer::text(502, "");
        }
        let endpoint = match Endpoint::of(&request.method, &request.path) {
            Ok(endpoint) => endpoint,
            Err(refusal) => return refusal.answer(),
        };
        if self.answers.disconnects() {
            self.disconnect_all();
        }
        let mishap = self.answers.next(endpoint.call());
        if let Some(mishap) = mishap {
            self.counts.happened(mishap.name());
        }
        if mishap.is_some_and(|mishap| !mishap.executes()) {
            return mishap.map_or_else(HttpAnswer::default, |mishap| mishap.distort(HttpAnswer::default()));
        }
        let answered = self.execute(endpoint, request);
        let code = answered.as_ref().err().map(Refusal::code);
        let answer = answered.unwrap_or_else(|refusal| refusal.answer());
        self.counts.answered(answer.status, code);
        self.flush();
        mishap.map_or(answer.clone(), |mishap| Mishap::distort(mishap, answer))
    }

    fn execute(&mut self, endpoint: Endpoint<'_>, request: &HttpRequest) -> rest::Answered {
        let account = if endpoint.private() {
            Some(auth::authenticate(&self.keys, request, self.skew_ms)?)
        } else {
            // What is public is not refused for a signature, but a member's bucket pays for it.
            request.header("kalshi-access-key").and_then(|id| self.keys.get(id)).map(|(account, _)| *account)
        };
        rest::serve(self, endpoint, account, request)
    }

    /// Opens a connection for the upgrade `request`, or says why not.
    pub fn connect(&mut self, now: Timestamp, request: &HttpRequest) -> Result<ConnId, HttpAnswer> {
        self.advance(now);
        if self.out() || self.exchange.down {
            // Seen while the venue is away: HTTP 502 on reconnect.
            return Err(HttpAnswer::text(502, ""));
        }
        let signs = request.header("kalshi-access-key").is_some();
        let account = if signs || !self.unsigned_feed {
            Some(auth::authenticate(&self.keys, request, self.skew_ms).map_err(|refusal| refusal.answer())?)
        } else {
            None
        };
        let open = self.sessions.values().filter(|session| session.account == account && !session.closing).count();
        if account.is_some() && open >= self.most_connections {
            return Err(Refusal::TooManyRequests.answer());
        }
        self.connections += 1;
        let mut session = Session::of(account);
        session.trouble.by_chance(self.answers.rates.frames, self.seed ^ self.connections.rotate_left(32));
        self.sessions.insert(self.connections, session);
        Ok(self.connections)
    }

    /// One text frame of a client. Nothing where the connection is gone.
    pub fn command(&mut self, now: Timestamp, connection: ConnId, text: &str) {
        self.advance(now);
        if self.answers.disconnects() {
            self.disconnect_all();
        }
        let now_ms = millis(self.now());
        if let Some(session) = self.sessions.get_mut(&connection).filter(|session| !session.closing) {
            session.command(text, &self.exchange, now_ms);
        }
    }

    /// The frames that wait for a connection, in order, each with its newline.
    pub fn frames(&mut self, connection: ConnId) -> Vec<String> {
        self.take(connection).frames()
    }

    pub(crate) fn take(&mut self, connection: ConnId) -> Outbox {
        self.sessions.get_mut(&connection).map(|session| std::mem::take(&mut session.out)).unwrap_or_default()
    }

    /// Whether the exchange still holds a connection. Frames of one that it does not can still be read.
    pub fn connected(&self, connection: ConnId) -> bool {
        self.sessions.get(&connection).is_some_and(|session| !session.closing)
    }

    /// The client is gone.
    pub fn disconnect(&mut self, connection: ConnId) {
        if let Some(session) = self.sessions.remove(&connection) {
            self.counts.add(&session.trouble.happened);
        }
    }

    fn disconnect_all(&mut self) {
        for session in self.sessions.values_mut().filter(|session| !session.closing) {
            session.closing = true;
            session.trouble.happened("disconnect");
        }
    }

    /// Plays everything that is due until `now`. Time never goes back.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(at) = self.due().filter(|at| *at <= now) {
            self.time = self.time.max(at);
            self.happen(at);
        }
        self.time = self.time.max(now);
        self.exchange.now = self.exchange.now.max(now);
        let now_ms = millis(self.now());
        for session in self.sessions.values_mut() {
            session.trouble.release(&mut session.out, now_ms);
            if session.out.text.len() > OVERFLOW_BYTES {
                session.overflow(now_ms);
            }
        }
    }

    /// When something happens next by itself.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let held = self.sessions.values().filter_map(|session| session.trouble.wakes());
        let held = held.min().map(|ms| Timestamp(ms.saturating_mul(1_000_000)));
        self.due().into_iter().chain(held).min()
    }

    fn due(&self) -> Option<Timestamp> {
        let halted = self.exchange.halt;
        let script = self.script.peek().filter(|_| halted == Halt::None && !self.flooding);
        let expiry = self.exchange.expiries.first().map(|(at, _, _)| *at).filter(|_| halted != Halt::Exchange);
        let sweep = self.exchange.accounts.iter().filter_map(|account| account.sweep).min();
        let agenda = self.agenda.keys().next().map(|(at, _)| *at).filter(|_| halted != Halt::Exchange);
        script.into_iter().chain(expiry).chain(sweep).chain(self.boundary).chain(agenda).min()
    }

    /// Lets what is due at `at` happen: pauses first, then deaths of orders, then the scene.
    fn happen(&mut self, at: Timestamp) {
        self.remember(at);
        if self.boundary.is_some_and(|boundary| boundary <= at) {
            self.boundary = Some(maintenance::next(at));
            self.reconcile_halt();
        }
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= at) {
            let action = entry.remove();
            self.exchange.apply(at, action, &mut self.changes);
            self.flush();
        }
        self.exchange.expire(at, &mut self.changes);
        for account in 0..self.exchange.accounts.len() {
            if self.exchange.accounts[account].sweep.is_some_and(|due| due <= at) {
                self.exchange.accounts[account].sweep = None;
                self.exchange.now = self.exchange.now.max(at);
                self.exchange.sweep(account, &mut self.changes);
            }
        }
        self.flush();
        if self.exchange.halt == Halt::None && !self.flooding && self.script.peek().is_some_and(|due| due <= at) {
            self.step(at);
        }
    }

    /// Plays one step of the script and tells everyone. `at` is when it is played: after a pause, later than it was due.
    fn step(&mut self, at: Timestamp) {
        self.script.next(&self.exchange, &mut self.actions);
        for action in std::mem::take(&mut self.actions) {
            self.exchange.apply(at, action, &mut self.changes);
            self.flush();
        }
    }

    /// Tells every connection what changed. A change is rendered when the exchange stands where the action left it;
    /// several levels of one action differ in nothing that a delta shows but the clock, which may only be late.
    fn flush(&mut self) {
        let now_ms = millis(self.now());
        for change in self.changes.drain(..) {
            for session in self.sessions.values_mut().filter(|session| !session.closing) {
                session.change(&change, &self.exchange, now_ms);
            }
        }
    }

    /// Carries out a write and tells it.
    pub(crate) fn trade<T>(
        &mut self,
        write: impl FnOnce(&mut Exchange, &mut Vec<Change>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.remember(self.now());
        let written = write(&mut self.exchange, &mut self.changes);
        self.flush();
        written
    }

    pub(crate) fn charge(&mut self, account: usize, charge: Charge) -> Result<(), Refusal> {
        let now = self.now();
        if self.limits[account].admit(charge, now) { Ok(()) } else { Err(Refusal::TooManyRequests) }
    }

    /// Keeps how the accounts were until `at`, while reads lag.
    fn remember(&mut self, at: Timestamp) {
        if self.lag == 0 {
            return;
        }
        let horizon = at.plus(-self.lag);
        for (past, account) in self.past.iter_mut().zip(&self.exchange.accounts) {
            while past.front().is_some_and(|(until, _)| *until <= horizon) {
                past.pop_front();
            }
            if past.back().is_none_or(|(until, _)| *until < at) {
                past.push_back((at, account.clone()));
            }
        }
    }

    /// The moment whose state reads show.
    pub(crate) fn read_as_of(&self) -> Timestamp {
        self.now().plus(-self.lag)
    }

    /// An account as reads show it.
    pub(crate) fn seen(&self, account: usize) -> &Account {
        let as_of = self.read_as_of();
        let old = self.past[account].iter().find(|(until, _)| *until > as_of).filter(|_| self.lag > 0);
        old.map_or(&self.exchange.accounts[account], |(_, account)| account)
    }

    /// Injects a fault.
    pub fn inject(&mut self, fault: Fault) {
        let now = self.now();
        let now_ms = millis(now);
        let ms = |ms: u32| i64::from(ms) * 1_000_000;
        match fault {
            Fault::Answer { on, mishap, count } => self.answers.plan(on, mishap, count),
            Fault::Drop { channel } => self.each(|session| session.trouble.plan(channel, FrameFault::Drop)),
            Fault::Duplicate { channel } => {
                self.each(|session| session.trouble.plan(channel, FrameFault::Duplicate));
            }
            Fault::Reorder { channel } => self.each(|session| session.trouble.plan(channel, FrameFault::Reorder)),
            Fault::Delay { channel, ms } => {
                self.each(|session| session.trouble.delay(channel, now_ms + i64::from(ms)));
            }
            Fault::Gap { channel } => self.each(|session| session.lose_next(channel)),
            Fault::Distort => self.each(Session::distort_next),
            Fault::Silence { channel } => self.each(|session| session.silence(channel)),
            Fault::Overflow { channel } => self.each(|session| session.fail(channel, true, now_ms)),
            Fault::ChannelError { channel } => self.each(|session| session.fail(channel, false, now_ms)),
            Fault::Disconnect => self.disconnect_all(),
            Fault::DisconnectOne { nth } => {
                if let Some(session) = self.sessions.values_mut().filter(|session| !session.closing).nth(nth) {
                    session.closing = true;
                }
            }
            Fault::Outage { ms: lasts } => {
                self.disconnect_all();
                self.counts.happened("outage");
                self.outage = Some(now.plus(ms(lasts)));
            }
            Fault::ReadLag { ms: by } => {
                if by > 0 {
                    self.counts.happened("read_lag");
                }
                self.lag = ms(by);
                self.past.iter_mut().for_each(VecDeque::clear);
            }
            Fault::Skew { ms } => self.skew_ms = ms,
            Fault::EmptyBooks { on } => self.demo_books = on,
        }
    }

    fn each(&mut self, act: impl Fn(&mut Session)) {
        self.sessions.values_mut().for_each(act);
    }

    /// What was answered and what went wrong so far.
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts.clone();
        self.sessions.values().for_each(|session| counts.add(&session.trouble.happened));
        counts
    }

    /// Faults by chance from now on; connections that are open keep theirs.
    pub fn set_rates(&mut self, rates: FaultRates) {
        self.answers.rates = rates;
    }

    /// Pauses trading (cancels still work), or the exchange (nothing changes state).
    pub fn pause(&mut self, whole_exchange: bool) {
        self.asked = if whole_exchange { Halt::Exchange } else { Halt::Trading };
        self.reconcile_halt();
        self.flush();
    }

    /// Ends a pause that was asked for. One of the schedule goes on.
    pub fn resume(&mut self) {
        self.asked = Halt::None;
        self.reconcile_halt();
        self.flush();
    }

    fn reconcile_halt(&mut self) {
        let scheduled = self.maintenance && maintenance::pauses(self.time);
        let halt = if self.asked == Halt::None && scheduled { Halt::Trading } else { self.asked };
        if halt != self.exchange.halt {
            self.exchange.set_halt(halt, &mut self.changes);
        }
    }

    /// Pauses a market (`deactivated`) or resumes it (`activated`, which cancels its orders). `false` for an unknown one.
    pub fn pause_market(&mut self, ticker: &str, paused: bool) -> bool {
        let Some(market) = self.exchange.find(ticker) else { return false };
        self.exchange.set_paused(market, paused, &mut self.changes);
        self.flush();
        true
    }

    /// Closes a market early (`close_date_updated`). `false` for an unknown one and for a close that is not earlier.
    pub fn close_early(&mut self, ticker: &str, closes: Timestamp) -> bool {
        let market = self.exchange.find(ticker).filter(|market| closes < self.exchange.markets[*market].closes);
        let Some(market) = market else { return false };
        self.exchange.markets[market].closes = closes;
        self.plan(closes, Action::Close { market });
        self.changes.push(messages::close_moved(&self.exchange.markets[market], market));
        self.flush();
        true
    }

    fn plan(&mut self, at: Timestamp, action: Action) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), action);
    }

    /// Decides a market now, whatever the weather, closing it first where it is open. `false` for an unknown ticker and
    /// where the result is known.
    pub fn determine(&mut self, ticker: &str, yes: bool) -> bool {
        let now = self.now();
        let market = self.exchange.find(ticker).filter(|market| self.exchange.markets[*market].result.is_none());
        let Some(market) = market else { return false };
        if self.exchange.markets[market].closes > now {
            self.exchange.markets[market].closes = now;
            self.changes.push(messages::close_moved(&self.exchange.markets[market], market));
        }
        for action in [Action::Close { market }, Action::Determine { market, yes, value: None }] {
            self.exchange.apply(now, action, &mut self.changes);
            self.flush();
        }
        true
    }

    /// Pays a market whose result is known. `false` where there is nothing to be paid.
    pub fn settle(&mut self, ticker: &str) -> bool {
        let market = self.exchange.find(ticker).filter(|market| {
            let market = &self.exchange.markets[*market];
            market.result.is_some() && market.settled.is_none()
        });
        let Some(market) = market else { return false };
        self.remember(self.now());
        self.exchange.apply(self.now(), Action::Settle { market }, &mut self.changes);
        self.flush();
        true
    }

    /// Changes the strikes of a market (`metadata_updated`); absent ones go. `false` for an unknown ticker.
    pub fn restrike(&mut self, ticker: &str, floor: Option<i64>, cap: Option<i64>) -> bool {
        let Some(market) = self.exchange.find(ticker) else { return false };
        let strike = &mut self.exchange.markets[market].strike;
        (strike.floor, strike.cap) = (floor.map(Into::into), cap.map(Into::into));
        strike.word = match (floor, cap) {
            (Some(_), Some(_)) => "between",
            (None, _) => "less",
            (_, None) => "greater",
        };
        self.changes.push(messages::restruck(&self.exchange.markets[market], market));
        self.flush();
        true
    }

    /// Changes the price grid of a market (`price_level_structure_updated`): whole cents, or a tenth of them at the ends.
    /// `false` for an unknown ticker.
    pub fn regrid(&mut self, ticker: &str, tapered: bool) -> bool {
        let Some(market) = self.exchange.find(ticker) else { return false };
        let grid = if tapered { Grid::TaperedDeciCent } else { Grid::LinearCent };
        self.exchange.markets[market].grid = grid;
        self.changes.push(messages::regridded(&self.exchange.markets[market], market));
        self.flush();
        true
    }

    /// Overrides the fee type of an event (`event_fee_update`), or takes the override back: whether its makers pay.
    /// `false` for an unknown ticker.
    pub fn override_fee(&mut self, event: &str, makers_pay: Option<bool>) -> bool {
        let Some(listed) = self.exchange.events.get_mut(event) else { return false };
        listed.makers_pay = makers_pay;
        self.changes.push(messages::fee(listed));
        let change = FeeChange { event: event.to_owned(), makers_pay, at: self.exchange.now };
        self.exchange.fee_changes.push(change);
        self.flush();
        true
    }

    /// Lists another climate day of the six cities, brackets around `high` °F, and tells it (`event_lifecycle`, `created`).
    /// Nobody quotes in it; it closes, and is decided by `high`, in its own time.
    pub fn list_day(&mut self, date: jiff::civil::Date, high: i32) {
        for city in CITIES {
            let (series, event, markets) = city_day(city.series, date, high - 4);
            if self.exchange.events.contains_key(&event.ticker) {
                continue;
            }
            self.changes.push(messages::event(&event));
            let first = self.exchange.markets.len();
            self.exchange.list(series, event, markets);
            for market in first..self.exchange.markets.len() {
                let listed = &self.exchange.markets[market];
                self.changes.push(messages::created(listed, market));
                let yes = listed.strike.holds(high.into()).expect("weather strikes are whole degrees");
                for (at, action) in scene::ending(&self.exchange, market, Some((yes, Some(high.into())))) {
                    self.plan(at, action);
                }
            }
        }
        self.flush();
    }

    /// From now on the scene is played by [`Core::play_flood`] alone.
    pub(crate) const fn flood(&mut self) {
        self.flooding = true;
    }

    /// Plays until a client has enough to read, the exchange goes down or the scene ends.
    pub(crate) fn play_flood(&mut self) {
        while self.may_flood() {
            let Some(at) = self.script.peek() else { break };
            self.step(at);
        }
    }

    fn may_flood(&self) -> bool {
        let full = self.sessions.values().any(|session| session.out.text.len() >= FLOOD_BYTES);
        let heard = self.exchange.down || self.sessions.values().any(Session::listens);
        heard && !full
    }

    /// Recorded changes that could not be applied, because a level would have fallen below zero.
    pub fn refused(&self) -> u64 {
        self.exchange.refused()
    }

    /// Whether the scene is over and every frame is on its socket.
    pub(crate) fn finished(&self) -> bool {
        let delivered = |session: &Session| session.out.ends.is_empty() && !session.writing;
        self.script.peek().is_none() && self.sessions.values().all(delivered)
    }
}
