//! Requests on their way to the venue: in which order, how fast, how often, and what became of them.
//!
//! Sans-IO: [`Gateway::poll`] says what to send, [`Gateway::answered`] is told what came back and says what to journal;
//! [`Link`] is the thin shell that talks HTTP. It sends by rank within the [`Budget`]: cancels before creates before
//! renewals. A create is sent once, never again: an answer that is lost is journaled as such. Cancels and reads are tried
//! again, later each time. A request that waits for a known id waits for the create that brings it; one whose order is
//! being changed waits for that answer. Every request ends in exactly one [`Reply`], which the driver journals and shows to
//! the protocol core before it polls again.

mod finding;
mod http;
mod link;
mod queue;
mod reading;
mod request;

pub use link::Link;
pub use reading::{AccountReading, Get, Step};
pub use request::CREATE;
pub(crate) use request::escaped;

use crate::backoff::Backoff;
use crate::budget::{Budget, Rank};
use crate::error::VenueError;
use crate::protocol::Protocol;
use finding::{Finding, Found};
use isobar_engine::event::{AccountRead, Input, QueueRead};
use isobar_engine::market::MarketId;
use isobar_engine::order::OrderId;
use isobar_engine::units::{SECOND, Timestamp};
use isobar_engine::venue::Request;
use queue::QueueReading;
use request::{Unspoken, call, cost, rank};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Clocks differ, and a fill may become readable after what happened later: reads reach back by so much more.
const CLOCKS: i64 = 60 * SECOND;
/// Orders that ended are read at least this far back, whether somebody waits for them or not.
const ENDED: i64 = 600 * SECOND;

/// How a gateway behaves. Times are nanoseconds of the run's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Path of the API on its host: `/trade-api/v2`.
    pub base: String,
    /// The matching engine of the markets that are traded; weather is on 0.
    pub shard: u32,
    /// The order group that all orders are put into.
    pub group: Option<String>,
    /// How long a create, decrease or renewal may wait before it is given up unsent: its price is old by then.
    pub patience: i64,
    /// Most creates, decreases and renewals that wait.
    pub most_waiting: usize,
    /// How often a cancel or a read is tried again.
    pub retries: u32,
    /// First and longest wait before it is.
    pub backoff: (i64, i64),
    /// How much newer than the question the reads must be before not seeing an order means something.
    pub settle: i64,
    /// How often it must be missed.
    pub misses: u32,
    /// How long an order is looked for.
    pub search: i64,
    /// How often the account is read before it is said not to hold still.
    pub rounds: u32,
    /// Seed of the jitter.
    pub seed: u64,
}

impl Settings {
    /// Settings that suit production: a create waits for half a second, cancels and reads are tried again 6 times within
    /// some seconds, an order is absent after two misses with reads 5 s newer than the question.
    pub fn usual(base: String, group: Option<String>, seed: u64) -> Self {
        Self {
            base,
            shard: 0,
            group,
            patience: SECOND / 2,
            most_waiting: 1_000,
            retries: 6,
            backoff: (SECOND / 20, 2 * SECOND),
            settle: 5 * SECOND,
            misses: 2,
            search: 60 * SECOND,
            rounds: 10,
            seed,
        }
    }
}

/// Number of one HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// One request to be signed and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// To be given back with its answer.
    pub ticket: Ticket,
    /// In upper case, as it is signed.
    pub method: &'static str,
    /// From the root of the host, as it is signed.
    pub path: String,
    /// Without its question mark; empty for none.
    pub query: String,
    /// JSON.
    pub body: Option<String>,
    /// A signature made ahead for creates fits.
    pub create: bool,
}

/// What the venue answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// As received.
    pub body: Vec<u8>,
}

/// No answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Whether the request may have reached the venue.
    pub sent: bool,
    /// Why, for people.
    pub reason: String,
}

/// What became of a request; to be journaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// See [`Input::Answered`].
    Answered {
        /// The request.
        request: Request,
        /// What came.
        answer: Answer,
    },
    /// See [`Input::Unanswered`].
    Unanswered {
        /// The request.
        request: Request,
        /// What was lost.
        lost: Lost,
    },
    /// The account was read.
    Account(AccountRead),
    /// Places in the queues were read.
    Queue(Vec<QueueRead>),
}

impl Reply {
    /// The input that says so.
    pub fn input(&self) -> Input<'_> {
        match self {
            Self::Answered { request, answer } => {
                Input::Answered { request: *request, status: answer.status, body: &answer.body }
            }
            Self::Unanswered { request, lost } => {
                Input::Unanswered { request: *request, sent: lost.sent, reason: lost.reason.clone() }
            }
            Self::Account(read) => Input::Account(read.clone()),
            Self::Queue(read) => Input::Queue(read.clone()),
        }
    }
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sign this and send it.
    Send(HttpRequest),
    /// Journal this and show it to the protocol core.
    Reply(Reply),
}

/// A write that waits for its turn.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    request: Request,
    since: Timestamp,
    /// Not before this: it is tried again.
    from: Timestamp,
    attempt: u32,
}

#[derive(Debug)]
enum Task {
    Find(Finding),
    Read(Box<AccountReading>),
    Queue(QueueReading),
}

/// A read of one or many steps.
#[derive(Debug)]
struct Reading {
    task: Task,
    request: Request,
    from: Timestamp,
    attempt: u32,
}

#[derive(Debug)]
enum Flight {
    Write(Waiting),
    Read(Reading),
}

/// See the module.
#[derive(Debug)]
pub struct Gateway {
    settings: Settings,
    budget: Budget,
    backoff: Backoff,
    since: Timestamp,
    /// Everything of the account until this moment of the venue's clock was read and handed in.
    read_to: Timestamp,
    writes: [VecDeque<Waiting>; 3],
    reads: VecDeque<Reading>,
    /// A read of the account that was asked for while another goes on.
    next_account: Option<Reading>,
    replies: VecDeque<Reply>,
    flights: BTreeMap<Ticket, Flight>,
    last: u64,
    /// Creates whose outcome is not known yet: where to look for them.
    creates: BTreeMap<OrderId, (MarketId, Timestamp)>,
    strangers: BTreeSet<String>,
}

impl Gateway {
    /// A gateway that waits for requests. Reads of the account reach back to `since`.
    pub fn new(settings: Settings, budget: Budget, since: Timestamp) -> Self {
        let backoff = Backoff::new(settings.backoff.0, settings.backoff.1, settings.seed);
        Self {
            settings,
            budget,
            backoff,
            since,
            read_to: Timestamp(i64::MIN),
            writes: Default::default(),
            reads: VecDeque::new(),
            next_account: None,
            replies: VecDeque::new(),
            flights: BTreeMap::new(),
            last: 0,
            creates: BTreeMap::new(),
            strangers: BTreeSet::new(),
        }
    }

    /// Reads of the account reach back to this from here on.
    pub fn reach_back_to(&mut self, since: Timestamp) {
        self.since = since;
    }

    /// All orders go into this group from here on.
    pub fn set_group(&mut self, group: Option<String>) {
        self.settings.group = group;
    }

    /// The budget, to be asked or to be spent from by others who write for the same account.
    pub fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    /// Requests that wait or are on their way.
    pub fn pending(&self) -> usize {
        self.writes.iter().map(VecDeque::len).sum::<usize>()
            + self.reads.len()
            + usize::from(self.next_account.is_some())
            + self.flights.len()
            + self.replies.len()
    }

    /// Tickers in which the account has orders, fills or positions although they are not listed, as far as was read.
    pub fn strangers(&self) -> &BTreeSet<String> {
        &self.strangers
    }

    /// Takes a request. What becomes of it comes by [`Gateway::poll`] or [`Gateway::answered`].
    pub fn submit(&mut self, now: Timestamp, request: Request, protocol: &Protocol) {
        let ahead = protocol.venue_ahead().unwrap_or(0);
        let task = match request {
            Request::Find { order } => {
                let placed = self.creates.get(&order);
                let hint = placed.map_or((None, self.since), |(market, at)| (Some(*market), *at));
                Task::Find(Finding::new(order, now, ahead, hint, &self.settings))
            }
            Request::ReadAccount => return self.read_account(now, protocol, &[]),
            Request::ReadQueue => return self.read_queue(now, protocol, &[]),
            _ => return self.submit_write(now, request),
        };
        self.reads.push_back(Reading { task, request, from: now, attempt: 0 });
    }

    /// Has the account read ([`Request::ReadAccount`]). `open` are the orders that are not known to be over, each with the
    /// time at which it was sent.
    ///
    /// One read goes on at a time. A later question waits for its end, and stands for those that wait already: where the
    /// venue is slow and the engine asks again and again, reads do not pile up.
    pub fn read_account(&mut self, now: Timestamp, protocol: &Protocol, open: &[(OrderId, Timestamp)]) {
        let fresh = now.plus(protocol.venue_ahead().unwrap_or(0));
        let back = |to: Timestamp, by: i64| Timestamp(to.0.saturating_sub(by)).max(self.since);
        let open = open.iter().map(|(order, sent)| (protocol.client_order_id(*order), back(*sent, CLOCKS))).collect();
        let reading = AccountReading::new(back(self.read_to, CLOCKS), fresh, self.settings.shard, self.settings.rounds)
            .narrowed(back(fresh, ENDED), open);
        let reading =
            Reading { task: Task::Read(Box::new(reading)), request: Request::ReadAccount, from: now, attempt: 0 };
        if !self.reads_any(|task| matches!(task, Task::Read(_))) {
            self.reads.push_back(reading);
        } else if self.next_account.replace(reading).is_some() {
            self.unsent(Request::ReadAccount, "a later question stands for it");
        }
    }

    /// Has the places in the queues read ([`Request::ReadQueue`]) of the orders `open` that the venue has shown. One read
    /// goes on at a time.
    pub fn read_queue(&mut self, now: Timestamp, protocol: &Protocol, open: &[(OrderId, Timestamp)]) {
        if self.reads_any(|task| matches!(task, Task::Queue(_))) {
            return self.unsent(Request::ReadQueue, "an earlier question has no answer yet");
        }
        let resting = open.iter().filter_map(|(order, _)| protocol.placed(*order)).filter(|placed| !placed.over);
        match QueueReading::new(resting.filter_map(|placed| protocol.ticker(placed.market)).collect()) {
            Some(queue) => {
                let task = Task::Queue(queue);
                self.reads.push_back(Reading { task, request: Request::ReadQueue, from: now, attempt: 0 });
            }
            None => self.unsent(Request::ReadQueue, "nothing rests"),
        }
    }

    /// Whether a read of this kind goes on.
    fn reads_any(&self, kind: impl Fn(&Task) -> bool) -> bool {
        let flying = |flight: &Flight| matches!(flight, Flight::Read(reading) if kind(&reading.task));
        self.reads.iter().any(|reading| kind(&reading.task)) || self.flights.values().any(flying)
    }

    fn submit_write(&mut self, now: Timestamp, request: Request) {
        if let Request::Cancel { order } = request {
            let place = &mut self.writes[Rank::Place as usize];
            let create = |waiting: &Waiting| matches!(waiting.request, Request::Create { order: o, .. } if o == order);
            if let Some(index) = place.iter().position(create) {
                let never = place.remove(index).expect("found there").request;
                self.unsent(never, "cancelled before it left");
                return self.unsent(request, "its create never left");
            }
        }
        let rank = rank(&request);
        if rank != Rank::Cancel && self.writes[rank as usize].len() >= self.settings.most_waiting {
            return self.unsent(request, "too many requests wait");
        }
        self.writes[rank as usize].push_back(Waiting { request, since: now, from: now, attempt: 0 });
    }

    fn unsent(&mut self, request: Request, reason: &str) {
        let lost = Lost { sent: false, reason: reason.to_owned() };
        self.replies.push_back(Reply::Unanswered { request, lost });
    }

    /// What to do now, one thing at a time, until there is nothing. A reply has to be shown to the protocol core before
    /// the next call.
    pub fn poll(&mut self, now: Timestamp, protocol: &Protocol) -> Option<Action> {
        if let Some(reply) = self.replies.pop_front() {
            return Some(Action::Reply(reply));
        }
        for rank in [Rank::Cancel, Rank::Place, Rank::Renew] {
            match self.poll_rank(now, rank, protocol) {
                Turn::Act(action) => return Some(action),
                // Whoever comes after must not spend what is being saved up.
                Turn::Saving => break,
                Turn::Nothing => {}
            }
        }
        self.poll_reads(now, protocol)
    }

    fn poll_rank(&mut self, now: Timestamp, rank: Rank, protocol: &Protocol) -> Turn {
        let mut index = 0;
        while let Some(waiting) = self.writes[rank as usize].get(index).copied() {
            let tired = rank != Rank::Cancel && now.since(waiting.since) >= self.settings.patience;
            let spoken = if waiting.from > now || self.is_busy(&waiting.request) {
                Err(Unspoken::NotYet("its turn has not come"))
            } else {
                call(&waiting.request, &self.settings, protocol)
            };
            match spoken {
                Ok(call) => {
                    let cost = cost(&waiting.request, self.budget.costs());
                    if self.budget.write(now, rank, cost) {
                        self.writes[rank as usize].remove(index);
                        return Turn::Act(Action::Send(self.send_write(now, waiting, call)));
                    }
                    if !tired && self.budget.write_ready(now, rank, cost).is_some() {
                        return Turn::Saving;
                    }
                    return self.give_up(rank, index, "the token budget does not allow it in time");
                }
                Err(Unspoken::Never(reason)) => return self.give_up(rank, index, reason),
                Err(Unspoken::NotYet(reason)) if tired => return self.give_up(rank, index, reason),
                Err(Unspoken::NotYet(_)) => index += 1,
            }
        }
        Turn::Nothing
    }

    fn give_up(&mut self, rank: Rank, index: usize, reason: &str) -> Turn {
        let Some(waiting) = self.writes[rank as usize].remove(index) else { return Turn::Nothing };
        let lost = Lost { sent: false, reason: reason.to_owned() };
        Turn::Act(Action::Reply(Reply::Unanswered { request: waiting.request, lost }))
    }

    /// Whether an answer that is on its way decides what this request can say. A cancel waits for nothing but the id.
    fn is_busy(&self, request: &Request) -> bool {
        let order = |request: &Request| match *request {
            Request::Create { order, .. }
            | Request::Cancel { order }
            | Request::Decrease { order, .. }
            | Request::Renew { order, .. } => Some(order),
            _ => None,
        };
        let Some(wanted) = order(request) else { return false };
        let cancels = matches!(request, Request::Cancel { .. });
        self.flights.values().any(|flight| match flight {
            Flight::Write(Waiting { request: other, .. }) => {
                let decides = !cancels || matches!(other, Request::Create { .. } | Request::Cancel { .. });
                order(other) == Some(wanted) && decides
            }
            Flight::Read(_) => false,
        })
    }

    fn send_write(&mut self, now: Timestamp, waiting: Waiting, call: request::Call) -> HttpRequest {
        if let Request::Create { order, market, .. } = waiting.request {
            self.creates.insert(order, (market, now));
        }
        let create = matches!(waiting.request, Request::Create { .. });
        let ticket = self.fly(Flight::Write(waiting));
        let path = format!("{}{}", self.settings.base, call.path);
        HttpRequest { ticket, method: call.method, path, query: call.query, body: call.body, create }
    }

    fn fly(&mut self, flight: Flight) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        self.flights.insert(ticket, flight);
        ticket
    }

    fn poll_reads(&mut self, now: Timestamp, protocol: &Protocol) -> Option<Action> {
        if self.next_account.is_some() && !self.reads_any(|task| matches!(task, Task::Read(_))) {
            self.reads.extend(self.next_account.take());
        }
        for index in 0..self.reads.len() {
            let reading = &mut self.reads[index];
            if reading.from > now {
                continue;
            }
            let (path, query, balance, cost) = match &mut reading.task {
                Task::Find(finding) if finding.wait > now => continue,
                Task::Find(finding) if now >= finding.deadline => {
                    return self.end(index, "the venue's reads stay behind");
                }
                Task::Find(finding) => {
                    let (path, query) = finding.ask(protocol);
                    let single = path.starts_with("/portfolio/orders/");
                    let costs = self.budget.costs();
                    let cost = if single { costs.order } else { costs.default };
                    (path, query, false, cost)
                }
                Task::Queue(queue) => (queue::PATH.to_owned(), queue.query(), false, self.budget.costs().default),
                Task::Read(account) => match account.next(now) {
                    Step::Ask(get) => (get.path.to_owned(), get.query, get.balance, self.budget.costs().default),
                    Step::Wait(until) => {
                        reading.from = until;
                        continue;
                    }
                    Step::Done => return self.finish(index, protocol),
                    Step::Failed(error) => return self.end(index, &error.to_string()),
                },
            };
            let able = if balance { self.budget.balance(now) } else { self.budget.read(now, cost) };
            if !able {
                let ready = if balance { self.budget.balance_ready(now) } else { self.budget.read_ready(now, cost) };
                self.reads[index].from = ready.unwrap_or(Timestamp(i64::MAX));
                continue;
            }
            let reading = self.reads.remove(index).expect("the index is in bounds");
            let ticket = self.fly(Flight::Read(reading));
            let path = format!("{}{path}", self.settings.base);
            return Some(Action::Send(HttpRequest { ticket, method: "GET", path, query, body: None, create: false }));
        }
        None
    }

    /// Ends a read without a result.
    fn end(&mut self, index: usize, reason: &str) -> Option<Action> {
        let reading = self.reads.remove(index)?;
        Some(Action::Reply(unread(reading.request, &reason)))
    }

    fn finish(&mut self, index: usize, protocol: &Protocol) -> Option<Action> {
        let reading = self.reads.remove(index)?;
        let Task::Read(account) = reading.task else { return None };
        let as_of = account.as_of();
        match account.finish(|ticker| protocol.market(ticker)) {
            Ok((read, strangers)) => {
                // What was left out is read again, once its market is listed.
                if strangers.is_empty() {
                    self.read_to = self.read_to.max(as_of);
                }
                self.strangers.extend(strangers);
                Some(Action::Reply(Reply::Account(read)))
            }
            Err(error) => Some(Action::Reply(unread(reading.request, &error))),
        }
    }

    /// What came back, or that nothing did. Gives what to journal, unless the matter goes on.
    pub fn answered(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        outcome: Result<Answer, Lost>,
        protocol: &Protocol,
    ) -> Option<Reply> {
        match self.flights.remove(&ticket)? {
            Flight::Write(waiting) => self.answered_write(now, waiting, outcome),
            Flight::Read(reading) => self.answered_read(now, reading, outcome, protocol),
        }
    }

    fn answered_write(&mut self, now: Timestamp, waiting: Waiting, outcome: Result<Answer, Lost>) -> Option<Reply> {
        let error = outcome.as_ref().ok().and_then(|answer| VenueError::of(answer.status, &answer.body));
        if error == Some(VenueError::RateLimited) {
            self.budget.write_limited(now);
        }
        let request = waiting.request;
        if rank(&request) == Rank::Cancel && self.may_retry(waiting.attempt, &outcome, error.as_ref()) {
            let from = now.plus(self.backoff.wait_after(waiting.attempt));
            let again = Waiting { from, attempt: waiting.attempt + 1, ..waiting };
            self.writes[Rank::Cancel as usize].push_back(again);
            return None;
        }
        if let Request::Create { order, .. } = request {
            let settled = match (&outcome, &error) {
                (Ok(_), None) => true,
                (Ok(_), Some(error)) => error.refusal().is_some(),
                (Err(lost), _) => !lost.sent,
            };
            if settled {
                self.creates.remove(&order);
            }
        }
        Some(match outcome {
            Ok(answer) => Reply::Answered { request, answer },
            Err(lost) => Reply::Unanswered { request, lost },
        })
    }

    fn may_retry(&self, attempt: u32, outcome: &Result<Answer, Lost>, error: Option<&VenueError>) -> bool {
        let passing = matches!(
            error,
            Some(VenueError::RateLimited | VenueError::Unavailable { .. } | VenueError::Unclear { .. })
        );
        attempt < self.settings.retries && (outcome.is_err() || passing)
    }

    fn answered_read(
        &mut self,
        now: Timestamp,
        mut reading: Reading,
        outcome: Result<Answer, Lost>,
        protocol: &Protocol,
    ) -> Option<Reply> {
        let error = outcome.as_ref().ok().and_then(|answer| VenueError::of(answer.status, &answer.body));
        if error == Some(VenueError::RateLimited) {
            self.budget.read_limited(now);
        }
        // An order that was just placed may not be readable yet.
        let unseen = matches!((&reading.task, &error), (Task::Find(_), Some(VenueError::NotFound { .. })));
        let again = self.may_retry(reading.attempt, &outcome, error.as_ref())
            || (unseen && reading.attempt < self.settings.retries);
        if again {
            reading.from = now.plus(self.backoff.wait_after(reading.attempt));
            reading.attempt += 1;
            self.reads.push_back(reading);
            return None;
        }
        let request = reading.request;
        let answer = match outcome {
            Ok(answer) => answer,
            Err(lost) => return Some(Reply::Unanswered { request, lost }),
        };
        if let Some(error) = error {
            return Some(match reading.task {
                Task::Find(_) => Reply::Answered { request, answer },
                Task::Read(_) | Task::Queue(_) => unread(request, &error),
            });
        }
        reading.attempt = 0;
        match &mut reading.task {
            Task::Read(account) => account.answered(now, &answer.body),
            Task::Queue(queue) => match queue.answered(&answer.body) {
                Ok(Some(read)) => return Some(Reply::Queue(read)),
                Ok(None) => {}
                Err(error) => return Some(unread(request, &error)),
            },
            Task::Find(finding) => match finding.answered(now, &answer.body, protocol, &self.settings) {
                Found::Further => {}
                Found::Evidence => {
                    self.creates.remove(&finding.order);
                    return Some(Reply::Answered { request, answer });
                }
                Found::Malformed => return Some(Reply::Answered { request, answer }),
            },
        }
        reading.from = now;
        self.reads.push_front(reading);
        None
    }

    /// When [`Gateway::poll`] has something to do again, if nothing is submitted or answered before. To be asked after it
    /// gave nothing.
    pub fn next_wakeup(&mut self, now: Timestamp) -> Option<Timestamp> {
        if !self.replies.is_empty() {
            return Some(now);
        }
        let mut wake: Option<Timestamp> = None;
        let mut at = |time: Timestamp| wake = Some(wake.map_or(time, |wake| wake.min(time)));
        for rank in [Rank::Cancel, Rank::Place, Rank::Renew] {
            for waiting in &self.writes[rank as usize] {
                let cost = cost(&waiting.request, self.budget.costs());
                if let Some(ready) = self.budget.write_ready(now, rank, cost) {
                    at(ready.max(waiting.from));
                }
                if rank != Rank::Cancel {
                    at(waiting.since.plus(self.settings.patience));
                }
            }
        }
        for reading in &self.reads {
            at(match &reading.task {
                Task::Find(finding) => reading.from.max(finding.wait),
                Task::Read(_) | Task::Queue(_) => reading.from,
            });
        }
        // What is blocked by an answer or by a higher rank is looked at again soon, not at once.
        wake.map(|wake| wake.max(now.plus(SECOND / 1_000)))
    }
}

/// A read that was asked for and brought nothing.
fn unread(request: Request, reason: &impl ToString) -> Reply {
    Reply::Unanswered { request, lost: Lost { sent: true, reason: reason.to_string() } }
}

enum Turn {
    Act(Action),
    /// It could be sent but for the budget.
    Saving,
    Nothing,
}

#[cfg(test)]
mod tests;
