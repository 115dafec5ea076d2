//! One fault run on virtual time: host, network, exchange and crowd in one deterministic queue of events.
//!
//! Requests and answers travel by themselves and may overtake one another; frames of a connection keep their order. What was
//! sent by a process that died arrives all the same. The same [`Case`] plays the same way.

use super::host::{Host, TIMEOUT, TTL};
use super::native::{Native, mix};
use super::tape::{Point, Shared, Tape};
use super::truth::{self, Compared};
use super::venue::{HOST, ROOT, Venue};
use isobar_engine::event::Input;
use isobar_engine::market::MarketId;
use isobar_engine::units::{SECOND, Timestamp};
use isobar_engine::venue::Command;
use isobar_kalshi::gateway::{Answer, HttpRequest, Lost, Ticket};
use isobar_kalshi::protocol::Transmit;
use isobar_sim::{Call, Delivery, Fault, FaultRates, FrameRates, HttpAnswer, Mishap};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

const MS: i64 = SECOND / 1_000;
/// Within this the account has to be proved equal again.
const PROOF: i64 = 90 * SECOND;
/// How long nothing may come to rest after a halt.
const WATCH: i64 = 10 * SECOND;

/// A step of an order's life at which something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A create left the host.
    CreateSent,
    /// The exchange took it.
    Accepted,
    /// It rests for a while.
    Resting,
    /// A part of it was filled.
    PartlyFilled,
    /// All of it was.
    Filled,
    /// A cancel left the host.
    CancelSent,
    /// It took effect.
    Cancelled,
    /// A decrease left the host.
    DecreaseSent,
    /// A renewal left the host.
    RenewSent,
    /// No renewal arrived and it died.
    Expired,
    /// The answer to its create is lost.
    Unknown,
    /// Evidence of it was read.
    Found,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::CreateSent,
        Self::Accepted,
        Self::Resting,
        Self::PartlyFilled,
        Self::Filled,
        Self::CancelSent,
        Self::Cancelled,
        Self::DecreaseSent,
        Self::RenewSent,
        Self::Expired,
        Self::Unknown,
        Self::Found,
    ];
}

/// What goes wrong at the exchange or on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A fault that the exchange offers.
    Fault(Fault),
    /// Trading pauses for some seconds, or the whole exchange.
    Pause {
        /// Nothing changes state.
        whole: bool,
    },
}

/// What is played.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Everything that is left to chance.
    pub seed: u64,
    /// At this step of an order's life; nothing for a run in which all is left to chance.
    pub step: Option<Step>,
    /// What goes wrong there.
    pub trouble: Option<Trouble>,
    /// Where the process dies after it.
    pub point: Option<Point>,
}

/// What happened in a run.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Faults that took place, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Deaths of the host, by their point; those at any moment are under `None`.
    pub deaths: BTreeMap<Option<Point>, u64>,
    /// What was compared.
    pub compared: Compared,
    /// Creates that the exchange took.
    pub created: u64,
    /// Whether the step was reached.
    pub reached: bool,
    /// Virtual seconds.
    pub seconds: i64,
    /// Events of the queue.
    pub events: u64,
}

#[derive(Debug)]
enum Event {
    Tick,
    Dispatch,
    Arrive { request: HttpRequest, sent: Timestamp },
    Answer { ticket: Ticket, outcome: Result<Answer, Lost> },
    Command { number: u32, text: String },
    Frame { number: u32, text: String },
    Ping { number: u32 },
    Pong { number: u32 },
    Closed { number: u32, reason: &'static str },
    Doubt(MarketId),
    Connect,
    Crowd,
    Note(Step),
    End(Trouble),
    Die,
    Restart,
    Random,
}

struct Play {
    case: Case,
    random: ChaCha8Rng,
    queue: BTreeMap<(Timestamp, u64), (u32, Event)>,
    queued: u64,
    now: Timestamp,
    began: Timestamp,
    venue: Venue,
    group: String,
    tape: Shared,
    calm: Rc<Cell<bool>>,
    host: Option<Host>,
    /// Number of the process: what was meant for an earlier one is not heard.
    life: u32,
    /// When the last frame of the connection arrives.
    line: Timestamp,
    closing: Option<u32>,
    /// What requests are for, and whether one looks for an order.
    kinds: BTreeMap<Ticket, (Call, bool)>,
    /// Answers that go wrong when their request arrives.
    planned: VecDeque<(Call, Mishap, u32)>,
    armed: Option<Point>,
    again: Option<Point>,
    lively: bool,
    left: u32,
    triggered: bool,
    fills: usize,
    ticked: bool,
    stopped: bool,
    wild: bool,
    private: bool,
    failure: Option<String>,
    played: Played,
}

/// Plays a case to its end.
///
/// # Errors
/// What was not as it has to be, with the time at which it was seen.
pub fn play(case: Case) -> Result<Played, String> {
    let mut play = Play::new(case);
    let outcome = play.run();
    let at = play.now.since(play.began) as f64 / SECOND as f64;
    play.played.seconds = play.now.since(play.began) / SECOND;
    outcome.map(|()| play.played).map_err(|failure| format!("{case:?}: at {at:.3} s: {failure}"))
}

fn call_of(request: &HttpRequest) -> Call {
    match (request.method, request.path.as_str()) {
        ("POST", path) if path.ends_with("/amend") => Call::Amend,
        ("POST", path) if path.ends_with("/decrease") => Call::Decrease,
        ("POST", _) => Call::Create,
        ("DELETE", _) => Call::Cancel,
        ("PUT", _) => Call::Group,
        _ => Call::Read,
    }
}

fn name_of(fault: &Fault) -> &'static str {
    match fault {
        Fault::Answer { mishap: Mishap::LostBefore, .. } => "request lost",
        Fault::Answer { mishap: Mishap::LostAfter, .. } => "answer lost",
        Fault::Answer { mishap: Mishap::Late { .. }, .. } => "answer late",
        Fault::Answer { mishap: Mishap::Status { executed: true, .. }, .. } => "error though executed",
        Fault::Answer { mishap: Mishap::Status { .. }, .. } => "error",
        Fault::Drop { .. } => "frame dropped",
        Fault::Duplicate { .. } => "frame doubled",
        Fault::Reorder { .. } => "frames swapped",
        Fault::Delay { .. } => "frames late",
        Fault::Gap { .. } => "sequence gap",
        Fault::Distort => "wrong size",
        Fault::Silence { .. } => "silent subscription",
        Fault::Overflow { .. } => "slow consumer",
        Fault::ChannelError { .. } => "channel error",
        Fault::Disconnect | Fault::DisconnectOne { .. } => "disconnect",
        Fault::Outage { .. } => "outage",
        Fault::ReadLag { .. } => "reads lag",
        Fault::Skew { .. } => "clock skew",
        Fault::EmptyBooks { .. } => "empty books",
    }
}

impl Play {
    fn new(case: Case) -> Self {
        let mut venue = Venue::new(case.seed);
        let now = venue.core.now();
        let group = venue.group(now);
        let mut random = ChaCha8Rng::seed_from_u64(mix(case.seed));
        let wild = case.step.is_none();
        let left = random.random_range(0..3);
        // Without its private channels the host learns of its orders by reads alone.
        let private = if wild { random.random_bool(0.75) } else { case.step != Some(Step::Found) };
        Self {
            case,
            random,
            queue: BTreeMap::new(),
            queued: 0,
            now,
            began: now,
            venue,
            group,
            tape: Rc::new(RefCell::new(Tape::default())),
            calm: Rc::new(Cell::new(true)),
            host: None,
            life: 0,
            line: now,
            closing: None,
            kinds: BTreeMap::new(),
            planned: VecDeque::new(),
            armed: None,
            again: None,
            lively: false,
            left,
            triggered: false,
            fills: 0,
            ticked: false,
            stopped: false,
            wild,
            private,
            failure: None,
            played: Played::default(),
        }
    }

    fn run(&mut self) -> Result<(), String> {
        self.after(0, Event::Restart);
        self.until(30 * SECOND, "the account was not proved at the beginning", |play| {
            play.ticked && play.host.as_ref().is_some_and(|host| host.engine().proved())
        })?;
        self.lively(true);
        if self.wild {
            self.chaos()?;
        } else {
            self.life_of_an_order()?;
        }
        self.settle("after the recovery")?;
        if !self.halted() {
            self.lively(true);
            self.pass(3 * SECOND / 2)?;
            self.settle("at the end")?;
        }
        self.halt()
    }

    /// Until the step is reached, the fault took place and the process died and began again.
    fn life_of_an_order(&mut self) -> Result<(), String> {
        if matches!(self.case.step, Some(Step::Unknown | Step::Found)) {
            let lost = if self.case.seed.is_multiple_of(2) { Mishap::LostAfter } else { Mishap::LostBefore };
            self.planned.push_back((Call::Create, lost, 1));
        }
        self.until(60 * SECOND, "the step was not reached", |play| play.triggered)?;
        self.played.reached = true;
        if self.case.point.is_some() {
            self.until(40 * SECOND, "the process did not die", |play| play.life > 1)?;
            self.until(60 * SECOND, "the process did not begin again", |play| {
                play.host.is_some() && play.again.is_none() && play.armed.is_none()
            })?;
        }
        Ok(())
    }

    /// Everything at any time.
    fn chaos(&mut self) -> Result<(), String> {
        let scale = self.random.random_range(0..4_u32);
        let rates = FaultRates {
            frames: FrameRates {
                drop: 2_000 * scale,
                duplicate: 4_000 * scale,
                reorder: 4_000 * scale,
                delay: 4_000 * scale,
                delay_ms: 900,
            },
            lost_before: 5_000 * scale,
            lost_after: 5_000 * scale,
            too_many: 3_000 * scale,
            server: 5_000 * scale,
            disconnect: 300 * scale,
        };
        self.venue.core.set_rates(rates);
        for _ in 0..self.random.random_range(1..4) {
            let at = self.random.random_range(0..8 * SECOND);
            self.after(at, Event::Random);
        }
        for _ in 0..self.random.random_range(0..3) {
            let at = self.random.random_range(0..8 * SECOND);
            self.after(at, Event::Die);
        }
        self.pass(9 * SECOND)?;
        self.venue.core.set_rates(FaultRates::default());
        self.until(60 * SECOND, "the process did not begin again", |play| play.host.is_some())
    }

    fn lively(&mut self, lively: bool) {
        self.calm.set(!lively);
        if lively && !self.lively {
            self.after(50 * MS, Event::Crowd);
        }
        self.lively = lively;
    }

    fn halted(&self) -> bool {
        self.host.as_ref().is_some_and(|host| host.engine().halted())
    }

    /// Nobody trades any more; soon everything has to be equal.
    fn settle(&mut self, when: &str) -> Result<(), String> {
        self.lively(false);
        (self.armed, self.again, self.tape.borrow_mut().armed) = (None, None, None);
        let ends = self.now.plus(PROOF);
        loop {
            let difference = match &self.host {
                Some(host) => truth::equal(host, &self.venue, &mut self.played.compared),
                None => Err("the process did not begin again".to_owned()),
            };
            let Err(difference) = difference else { return Ok(()) };
            if self.now >= ends {
                return Err(format!("{when}: {difference}"));
            }
            self.pass(SECOND)?;
        }
    }

    /// After a halt nothing rests, also later.
    fn halt(&mut self) -> Result<(), String> {
        if !self.halted() {
            let command = Command::Halt { reason: "the run is over".to_owned() };
            self.input(&Input::Command(command));
            self.dispatch();
        }
        self.stopped = true;
        if self.wild && self.random.random_bool(0.3) {
            let at = self.random.random_range(0..2 * SECOND);
            self.after(at, Event::Die);
        }
        self.until(PROOF, "it was not proved that nothing rests", |play| {
            play.ticked && play.host.as_ref().is_some_and(|host| host.engine().flat())
        })?;
        let ends = self.now.plus(WATCH);
        while self.now < ends {
            truth::nothing_rests(&self.venue)?;
            self.pass(SECOND)?;
        }
        truth::nothing_rests(&self.venue)?;
        self.settle("after the halt")
    }

    fn pass(&mut self, nanos: i64) -> Result<(), String> {
        let ends = self.now.plus(nanos);
        while self.step(ends)? {}
        Ok(())
    }

    fn until(&mut self, within: i64, otherwise: &str, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        let ends = self.now.plus(within);
        while !done(self) {
            self.ticked = false;
            if !self.step(ends)? {
                let world = self.host.as_ref().map(Host::world);
                let said = world.map(|world| (world.notices.last(), &world.refusals));
                return Err(format!("{otherwise}: {said:?}"));
            }
        }
        Ok(())
    }

    /// The next thing that happens until `ends`. Says whether there was one.
    fn step(&mut self, ends: Timestamp) -> Result<bool, String> {
        let wake = self.venue.core.next_wakeup();
        let first = self.queue.first_key_value().map(|((at, _), _)| *at);
        let next = wake.into_iter().chain(first).min().filter(|next| *next <= ends);
        let Some(next) = next else {
            self.now = ends;
            return Ok(false);
        };
        self.now = self.now.max(next);
        if first.is_none_or(|first| wake.is_some_and(|wake| wake <= first)) {
            self.play_venue();
        } else if let Some((_, (life, event))) = self.queue.pop_first() {
            self.venue.core.advance(self.now);
            self.collect();
            self.played.events += 1;
            self.happen(life, event);
        }
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(true),
        }
    }

    /// Lets the exchange do what is due by itself: orders die, frames that were held back go.
    fn play_venue(&mut self) {
        let watched = self.case.step == Some(Step::Expired) && !self.triggered;
        let resting = |play: &Self| if watched { play.venue.core.inspect().resting(HOST).len() } else { 0 };
        let before = resting(self);
        self.venue.core.advance(self.now);
        let after = resting(self);
        self.collect();
        if after < before {
            self.reach(Step::Expired);
        }
    }

    fn after(&mut self, nanos: i64, event: Event) {
        self.queued += 1;
        self.queue.insert((self.now.plus(nanos), self.queued), (self.life, event));
    }

    fn latency(&mut self) -> i64 {
        let usual = self.random.random_range(MS..8 * MS);
        let slow = self.wild && self.random.random_bool(0.02);
        if slow { self.random.random_range(MS..5 * SECOND / 2) } else { usual }
    }

    fn happen(&mut self, life: u32, event: Event) {
        let mine = life == self.life && self.host.is_some();
        match event {
            Event::Arrive { request, sent } => self.arrive(life, request, sent),
            Event::Command { number, text } => {
                let connection = self.host.as_ref().filter(|_| mine).and_then(|host| host.connection);
                if let Some((_, id)) = connection.filter(|(open, _)| *open == number) {
                    self.venue.core.command(self.now, id, &text);
                    self.collect();
                }
            }
            Event::Crowd => self.crowd(),
            Event::Note(step) => self.reach(step),
            Event::End(trouble) => self.end(trouble),
            Event::Restart => self.restart(),
            Event::Random => self.happen_by_chance(),
            Event::Die => {
                // Late deaths: the point was not met in time.
                let wanted =
                    self.wild || self.armed.is_some() || self.tape.borrow().armed.is_some() || self.again.is_some();
                if wanted && self.host.is_some() {
                    self.die(self.again.filter(|_| self.life == 1));
                }
            }
            _ if !mine => {}
            Event::Tick => self.tick(),
            Event::Dispatch => self.dispatch(),
            Event::Answer { ticket, outcome } => self.answer(ticket, outcome),
            Event::Frame { number, text } => {
                self.input(&Input::Frame { connection: number, text: text.trim_end().as_bytes() });
                self.soon();
            }
            Event::Ping { number } => {
                let open = self.host.as_ref().and_then(|host| host.connection);
                if open.is_some_and(|(open, id)| open == number && self.venue.core.connected(id)) {
                    let latency = self.latency();
                    self.after(latency, Event::Pong { number });
                }
            }
            Event::Pong { number } => {
                self.input(&Input::Pong { connection: number });
                self.soon();
            }
            Event::Closed { number, reason } => self.close(number, reason),
            Event::Doubt(market) => {
                self.input(&Input::Resync(market));
                self.soon();
            }
            Event::Connect => self.connect(),
        }
    }

    /// Requests of what just came in leave at once, or together with what comes within a millisecond.
    fn soon(&mut self) {
        if self.random.random_bool(0.75) {
            self.dispatch();
        } else {
            self.after(MS, Event::Dispatch);
        }
    }

    fn tick(&mut self) {
        self.ticked = true;
        self.after(SECOND, Event::Tick);
        self.input(&Input::Tick);
        self.dispatch();
        self.check();
    }

    fn check(&mut self) {
        let Some(host) = &self.host else { return };
        let differs = host.world().notices.iter().find(|notice| notice.starts_with("halted: the account differs"));
        let failure = match differs {
            Some(notice) => Err(notice.clone()),
            None => truth::always(host, &self.venue),
        };
        if let Err(failure) = failure {
            self.failure.get_or_insert(failure);
        }
    }

    fn input(&mut self, input: &Input<'_>) {
        let Some(host) = &mut self.host else { return };
        if let Err(error) = host.trader.input(self.now, input) {
            self.killed(&error);
        }
    }

    /// An error of the trading path is a death that was asked for, or a bug.
    fn killed(&mut self, error: &anyhow::Error) {
        let text = format!("{error:#}");
        let point = match text.rsplit("killed ").next() {
            _ if !text.contains("killed ") => panic!("the trading path failed: {text}"),
            Some("before an append") => Point::BeforeAppend,
            Some("after an append") => Point::AfterAppend,
            Some("before a flush") => Point::BeforeFlush,
            Some("within a flush") => Point::TornFlush,
            _ => Point::BetweenJournals,
        };
        let again = self.again.take_if(|_| self.life > 1).is_some();
        self.die(Some(if again { Point::DuringRecovery } else { point }));
    }

    fn dispatch(&mut self) {
        let now = self.now;
        let Some(host) = &mut self.host else { return };
        let requests = match host.trader.outgoing(now) {
            Ok(requests) => requests,
            Err(error) => return self.killed(&error),
        };
        for request in &requests {
            let call = call_of(request);
            let finds = request.path.contains("/portfolio/orders/") || request.query.contains("&ticker=");
            self.kinds.insert(request.ticket, (call, call == Call::Read && finds));
            match call {
                Call::Create => self.reach(Step::CreateSent),
                Call::Cancel => self.reach(Step::CancelSent),
                Call::Decrease => self.reach(Step::DecreaseSent),
                Call::Amend => self.reach(Step::RenewSent),
                _ => {}
            }
        }
        let sends = !requests.is_empty();
        if sends && self.armed == Some(Point::BeforeSend) {
            return self.die(Some(Point::BeforeSend));
        }
        for request in requests {
            let (latency, sent) = (self.latency(), self.now);
            self.after(latency, Event::Arrive { request, sent });
        }
        if sends && self.armed == Some(Point::AfterSend) {
            return self.die(Some(Point::AfterSend));
        }
        self.transmit();
        let Some(host) = &mut self.host else { return };
        let doubts = std::mem::take(&mut host.world_mut().doubts);
        let wake = host.trader.next_wakeup(now);
        let earlier = wake.filter(|wake| host.wakes.is_none_or(|known| known <= now || *wake < known));
        if let Some(wake) = earlier {
            host.wakes = Some(wake);
            self.after(wake.since(now), Event::Dispatch);
        }
        for market in doubts {
            self.after(MS, Event::Doubt(market));
        }
    }

    fn transmit(&mut self) {
        let Some(host) = &mut self.host else { return };
        for transmit in std::mem::take(&mut host.trader.transmit) {
            // Commands keep their order on the way.
            let latency = 2 * MS;
            match transmit {
                Transmit::Text { connection: number, text } => self.after(latency, Event::Command { number, text }),
                Transmit::Ping { connection: number } => self.after(latency, Event::Ping { number }),
                Transmit::Reconnect { connection, .. } => self.close(connection, "given up"),
                Transmit::Relist { .. } | Transmit::Reconcile { .. } => {}
            }
        }
    }

    fn connect(&mut self) {
        let Some(host) = &mut self.host else { return };
        if host.connection.is_some() {
            return;
        }
        let Some(id) = self.venue.connect(self.now) else {
            return self.after(SECOND / 2, Event::Connect);
        };
        host.numbered += 1;
        let number = host.numbered;
        host.connection = Some((number, id));
        (self.line, self.closing) = (self.now, None);
        let private = self.private;
        self.input(&Input::Connected { connection: number, use_yes_price: true, observed: false, private });
        self.dispatch();
    }

    fn close(&mut self, number: u32, reason: &str) {
        let Some(host) = &mut self.host else { return };
        let Some((_, id)) = host.connection.take_if(|(open, _)| *open == number) else { return };
        self.venue.core.disconnect(id);
        self.after(20 * MS, Event::Connect);
        self.input(&Input::Disconnected { connection: number, reason: reason.to_owned() });
        self.soon();
    }

    /// What the exchange has for the host's connection gets on its way.
    fn collect(&mut self) {
        let Some((number, id)) = self.host.as_ref().and_then(|host| host.connection) else { return };
        for text in self.venue.core.frames(id) {
            let latency = self.latency();
            self.line = self.line.max(self.now.plus(latency));
            self.after(self.line.since(self.now), Event::Frame { number, text });
        }
        if !self.venue.core.connected(id) && self.closing != Some(number) {
            self.closing = Some(number);
            self.after(self.line.since(self.now).max(0) + 1, Event::Closed { number, reason: "the connection broke" });
        }
    }

    fn crowd(&mut self) {
        if !self.lively {
            return;
        }
        self.venue.act(self.now, &mut self.random);
        self.collect();
        self.look_at_fills();
        let wait = self.random.random_range(40 * MS..300 * MS);
        self.after(wait, Event::Crowd);
    }

    fn look_at_fills(&mut self) {
        if self.triggered || self.wild {
            return;
        }
        let inspect = self.venue.core.inspect();
        let new: Vec<String> = inspect.fills_after(HOST, self.fills).into_iter().map(|fill| fill.order_id).collect();
        if new.is_empty() {
            return;
        }
        self.fills += new.len();
        let orders = inspect.orders(HOST);
        let left = |id: &String| orders.iter().find(|order| order.order_id == *id).map(|order| order.status);
        let steps: Vec<Option<&str>> = new.iter().map(left).collect();
        for status in steps.into_iter().flatten() {
            self.reach(if status == "resting" { Step::PartlyFilled } else { Step::Filled });
        }
    }

    /// A request reaches the exchange, or does not.
    fn arrive(&mut self, life: u32, request: HttpRequest, sent: Timestamp) {
        let call = call_of(&request);
        let late = self.case.step == Some(Step::Expired) && !self.triggered && call == Call::Amend;
        let planned = self.planned.iter().position(|(on, _, _)| *on == call || *on == Call::Any);
        let answer = if late {
            HttpAnswer { delivery: Delivery::Lost, ..HttpAnswer::default() }
        } else {
            if let Some((_, mishap, count)) = planned.and_then(|at| self.planned.get_mut(at)) {
                let fault = Fault::Answer { on: Call::Any, mishap: *mishap, count: 1 };
                *count -= 1;
                self.venue.core.inject(fault);
                *self.played.faults.entry(name_of(&fault)).or_default() += 1;
                self.planned.retain(|(_, _, count)| *count > 0);
            }
            let path = request.path.strip_prefix(ROOT).expect("below the root");
            let body = request.body.as_deref().unwrap_or_default();
            self.venue.call(self.now, HOST, request.method, path, &request.query, body)
        };
        self.collect();
        self.look_at_fills();
        let done = (200..300).contains(&answer.status);
        if answer.status == 429 && planned.is_none() && !self.wild {
            self.failure.get_or_insert(format!("a 429 that nobody injected: {} {}", request.method, request.path));
        }
        match call {
            Call::Create if done => {
                self.played.created += 1;
                self.reach(Step::Accepted);
                self.after(300 * MS, Event::Note(Step::Resting));
            }
            Call::Cancel if done => self.reach(Step::Cancelled),
            _ => {}
        }
        let latency = self.latency();
        let soon = self.random.random_bool(0.5);
        let lost = |reason: &str| Err(Lost { sent: true, reason: reason.to_owned() });
        let timeout = sent.plus(TIMEOUT).since(self.now).max(0);
        let (wait, outcome) = match answer.delivery {
            Delivery::Lost if soon => (latency, lost("the connection broke")),
            Delivery::Lost => (timeout, lost("no answer in time")),
            Delivery::Late(by) if by + latency > timeout => (timeout, lost("no answer in time")),
            Delivery::Late(by) => (by + latency, Ok(())),
            Delivery::Prompt => (latency, Ok(())),
        };
        let outcome = outcome.map(|()| Answer { status: answer.status, body: answer.body.into_bytes() });
        self.queued += 1;
        let key = (self.now.plus(wait), self.queued);
        self.queue.insert(key, (life, Event::Answer { ticket: request.ticket, outcome }));
    }

    fn answer(&mut self, ticket: Ticket, outcome: Result<Answer, Lost>) {
        let (call, finds) = self.kinds.remove(&ticket).unwrap_or((Call::Public, false));
        let reads = call == Call::Read && !finds;
        match self.armed {
            Some(Point::BeforeAnswer) => return self.die(self.armed),
            Some(Point::DuringRead) if reads => return self.die(self.armed),
            _ => {}
        }
        let lost = outcome.is_err();
        let Some(host) = &mut self.host else { return };
        if let Err(error) = host.trader.answered(self.now, ticket, outcome) {
            return self.killed(&error);
        }
        if lost && call == Call::Create {
            self.reach(Step::Unknown);
        } else if finds {
            self.reach(Step::Found);
        }
        self.soon();
    }

    /// An order came to a step: where it is the one of the case, what goes wrong goes wrong now.
    fn reach(&mut self, step: Step) {
        if self.triggered || self.case.step != Some(step) || !self.lively || self.host.is_none() {
            return;
        }
        let repeats = !matches!(step, Step::Expired | Step::Unknown | Step::Found);
        if repeats && self.left > 0 {
            self.left -= 1;
            return;
        }
        self.triggered = true;
        if let Some(trouble) = self.case.trouble {
            self.strike(trouble);
        }
        match self.case.point {
            None => {}
            Some(Point::DuringRecovery) => {
                self.again = Some(Point::DuringRecovery);
                self.after(1, Event::Die);
            }
            Some(point @ (Point::BeforeSend | Point::AfterSend | Point::BeforeAnswer | Point::DuringRead)) => {
                self.armed = Some(point);
                self.after(15 * SECOND, Event::Die);
            }
            Some(point) => {
                self.tape.borrow_mut().armed = Some((point, 0));
                self.after(15 * SECOND, Event::Die);
            }
        }
    }

    fn strike(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Fault(Fault::Answer { on, mishap, count }) => {
                self.planned.push_back((on, mishap, count));
                return;
            }
            Trouble::Fault(fault) => {
                *self.played.faults.entry(name_of(&fault)).or_default() += 1;
                self.venue.core.inject(fault);
            }
            Trouble::Pause { whole } => {
                let name = if whole { "exchange paused" } else { "trading paused" };
                *self.played.faults.entry(name).or_default() += 1;
                self.venue.core.pause(whole);
            }
        }
        self.collect();
        let lasts = match trouble {
            Trouble::Fault(Fault::ReadLag { .. }) => 6 * SECOND,
            Trouble::Fault(Fault::Skew { .. } | Fault::EmptyBooks { .. }) | Trouble::Pause { .. } => 3 * SECOND,
            Trouble::Fault(_) => return,
        };
        self.after(lasts, Event::End(trouble));
    }

    fn end(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Fault(Fault::ReadLag { .. }) => self.venue.core.inject(Fault::ReadLag { ms: 0 }),
            Trouble::Fault(Fault::Skew { .. }) => self.venue.core.inject(Fault::Skew { ms: 0 }),
            Trouble::Fault(Fault::EmptyBooks { .. }) => self.venue.core.inject(Fault::EmptyBooks { on: false }),
            Trouble::Pause { .. } => self.venue.core.resume(),
            Trouble::Fault(_) => {}
        }
        self.collect();
    }

    /// One more thing goes wrong in a run that is left to chance.
    fn happen_by_chance(&mut self) {
        let all = super::matrix::troubles();
        let trouble = all[self.random.random_range(0..all.len())];
        self.strike(trouble);
        if self.host.is_some() && self.random.random_bool(0.5) {
            let point = Point::ALL[self.random.random_range(0..Point::ALL.len())];
            let after = self.random.random_range(0..20);
            match point {
                Point::BeforeSend | Point::AfterSend | Point::BeforeAnswer | Point::DuringRead => {
                    self.armed = Some(point);
                }
                Point::DuringRecovery => {
                    self.again = Some(point);
                    self.after(1, Event::Die);
                }
                point => self.tape.borrow_mut().armed = Some((point, after)),
            }
        }
    }

    fn die(&mut self, point: Option<Point>) {
        let Some(host) = self.host.take() else { return };
        *self.played.deaths.entry(point).or_default() += 1;
        self.armed = None;
        if let Some((_, id)) = host.connection {
            self.venue.core.disconnect(id);
        }
        drop(host);
        self.tape.borrow_mut().lose();
        self.kinds.clear();
        // Now and then it stays away for longer than its orders live.
        let long = self.random.random_range(0..12) == 0;
        let away = if long { TTL + 2 * SECOND } else { self.random.random_range(5 * MS..2 * SECOND) };
        self.after(away, Event::Restart);
    }

    fn restart(&mut self) {
        if self.host.is_some() {
            return;
        }
        self.life += 1;
        if self.again.is_some() && self.life > 1 {
            // Within the recovery itself: at one of its first writes.
            let points = [Point::BeforeAppend, Point::AfterAppend, Point::BeforeFlush, Point::TornFlush];
            let point = points[self.random.random_range(0..points.len())];
            let appends = matches!(point, Point::BeforeAppend | Point::AfterAppend);
            let writes = if appends { self.random.random_range(0..12) } else { self.random.random_range(0..3) };
            self.tape.borrow_mut().armed = Some((point, writes));
        }
        let world = Native::new(self.tape.clone(), u64::from(self.life), self.calm.clone());
        let run = (self.began, self.group.as_str());
        match Host::start(self.now, &self.tape, world, run, &self.venue.markets) {
            Ok(host) => {
                self.host = Some(host);
                let tick = SECOND - self.now.0.rem_euclid(SECOND);
                self.after(tick, Event::Tick);
                self.after(5 * MS, Event::Connect);
                self.check();
                self.dispatch();
            }
            Err(error) => {
                assert!(format!("{error:#}").contains("killed"), "the host does not begin again: {error:#}");
                *self.played.deaths.entry(Some(Point::DuringRecovery)).or_default() += 1;
                self.again = None;
                self.tape.borrow_mut().lose();
                self.after(50 * MS, Event::Restart);
            }
        }
    }
}
