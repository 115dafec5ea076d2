//! The gateway against a small venue on virtual time: words, ranks, retries, evidence, and whatever faults a seed brings.

use super::*;
use crate::budget::{Costs, Limit, Limits, Shares};
use isobar_engine::event::{Body, Opening};
use isobar_engine::market::{FeeSchedule, Ladder, Market, MarketStatus, Strike};
use isobar_engine::units::{Price, Quantity, Side};
use isobar_engine::venue::{OrderReport, OrderStatus, RequestKind};
use proptest::prelude::*;
use serde_json::{Value, json};

const TICKER: &str = "KXHIGHCHI-26NOV23-B33.5";
const START: i64 = 1_795_000_000 * SECOND;

fn protocol() -> Protocol {
    let mut protocol = Protocol::new();
    let opening = Opening {
        run: "r1".into(),
        engine: "test".into(),
        clock: "virtual".into(),
        stale_after: 60 * SECOND,
        source: "test".into(),
        late_after: 0,
    };
    protocol.apply(Timestamp(START), &Input::Opening(opening), &mut Vec::new());
    let market = Market {
        id: MarketId(0),
        ticker: TICKER.into(),
        event: "KXHIGHCHI-26NOV23".into(),
        series: "KXHIGHCHI".into(),
        strike: Strike::Between { floor: 33, cap: 34 },
        ladder: Ladder::cents(),
        fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
        status: MarketStatus::Active,
        opens: Timestamp(0),
        closes: Timestamp(i64::MAX),
    };
    protocol.apply(Timestamp(START), &Input::Listed(vec![market]), &mut Vec::new());
    protocol
}

/// Much of everything, so that only a test that is about the budget feels it.
const PLENTY: Limits = {
    let limit = Limit { capacity: 10_000, rate: 10_000 };
    Limits { read: limit, write: limit, balance: Limit { capacity: 1, rate: 1 } }
};

fn create(order: u64) -> Request {
    Request::Create {
        order: OrderId(order),
        market: MarketId(0),
        side: Side::Bid,
        price: Price::from_cents(46).expect("a price"),
        quantity: Quantity::contracts(10),
        take: false,
        expires: Some(Timestamp(START + 60 * SECOND + 1)),
    }
}

fn cancel(order: u64) -> Request {
    Request::Cancel { order: OrderId(order) }
}

fn renew(order: u64) -> Request {
    Request::Renew { order: OrderId(order), expires: Timestamp(START + 120 * SECOND) }
}

/// What the venue does with the next requests, one each; then it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    NeverArrives,
    AnswerLost,
    Status(u16),
}

/// A venue with one market in which nothing trades.
#[derive(Debug, Default)]
struct Venue {
    orders: Vec<Value>,
    creates: u32,
    /// Nanoseconds by which its reads lag its writes, and what they show.
    lag: i64,
    shown: Vec<(Timestamp, Vec<Value>)>,
    page: Option<usize>,
    balance: u32,
}

impl Venue {
    fn handle(&mut self, now: Timestamp, request: &HttpRequest) -> (u16, Value) {
        let path = request.path.strip_prefix("/trade-api/v2").expect("the base");
        let body: Value = request.body.as_deref().map_or(Value::Null, |body| serde_json::from_str(body).expect("JSON"));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let answer = match (request.method, parts.as_slice()) {
            ("POST", ["portfolio", "events", "orders"]) => self.create(&body),
            ("DELETE", ["portfolio", "events", "orders", id]) => self.change(id, |order| {
                let left = std::mem::replace(&mut order["remaining_count_fp"], json!("0.00"));
                order["status"] = json!("canceled");
                json!({"order_id": order["order_id"], "reduced_by": left, "ts_ms": 1})
            }),
            ("POST", ["portfolio", "events", "orders", id, "amend"]) => self.change(id, |order| {
                assert_eq!(body["count"], order["initial_count_fp"], "a renewal changes no size");
                order["expiration_time"] = body["expiration_time"].clone();
                json!({"order_id": order["order_id"], "remaining_count": null, "fill_count": null, "ts_ms": 1})
            }),
            ("PUT", ["portfolio", "order_groups", _, _]) => (200, json!({})),
            ("GET", path) => self.read(now, path, &request.query),
            other => panic!("{other:?}"),
        };
        self.shown.push((now, self.orders.clone()));
        answer
    }

    fn create(&mut self, body: &Value) -> (u16, Value) {
        self.creates += 1;
        let client = &body["client_order_id"];
        if self.orders.iter().any(|order| order["client_order_id"] == *client) {
            return (409, json!({"error": {"code": "order_already_exists", "message": "order already exists"}}));
        }
        let id = format!("00000000-0000-4000-8000-{:012}", self.orders.len());
        self.orders.push(json!({
            "order_id": id, "client_order_id": client, "ticker": body["ticker"], "book_side": body["side"], "status": "resting",
            "yes_price_dollars": body["price"], "fill_count_fp": "0.00", "remaining_count_fp": body["count"],
            "initial_count_fp": body["count"], "taker_fees_dollars": "0.000000", "maker_fees_dollars": "0.000000",
            "taker_fill_cost_dollars": "0.000000", "maker_fill_cost_dollars": "0.000000",
        }));
        let answer = json!({"order_id": id, "client_order_id": client, "fill_count": "0.00", "remaining_count": body["count"], "ts_ms": 1});
        (201, answer)
    }

    fn change(&mut self, id: &str, act: impl FnOnce(&mut Value) -> Value) -> (u16, Value) {
        match self.orders.iter_mut().find(|order| order["order_id"] == id && order["status"] == "resting") {
            Some(order) => (200, act(order)),
            None => (404, json!({"error": {"code": "not_found", "message": "not found"}})),
        }
    }

    fn read(&mut self, now: Timestamp, path: &[&str], query: &str) -> (u16, Value) {
        let as_of = now.plus(-self.lag);
        let before = self.shown.iter().rev().find(|(at, _)| *at <= as_of);
        let orders = before.map_or_else(Vec::new, |(_, orders)| orders.clone());
        let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        match path {
            ["exchange", "user_data_timestamp"] => (200, json!({"as_of_time": rfc3339(as_of)})),
            ["portfolio", "orders"] => {
                let wanted = |order: &&Value| parameter("status").is_none_or(|status| order["status"] == status);
                let all: Vec<&Value> = orders.iter().filter(wanted).collect();
                let from: usize = parameter("cursor").map_or(0, |cursor| cursor.parse().expect("our cursor"));
                let page = self.page.unwrap_or(1_000);
                let cursor = if from + page < all.len() { (from + page).to_string() } else { String::new() };
                (200, json!({"orders": all.iter().skip(from).take(page).collect::<Vec<_>>(), "cursor": cursor}))
            }
            ["portfolio", "orders", id] if *id != "queue_positions" => {
                match orders.iter().find(|order| order["order_id"] == **id) {
                    Some(order) => (200, json!({ "order": order })),
                    None => (404, json!({"error": {"code": "not_found", "message": "not found"}})),
                }
            }
            ["portfolio", "orders", "queue_positions"] => {
                let tickers = parameter("market_tickers").expect("the venue wants markets");
                assert!(tickers.split(',').all(|ticker| ticker == TICKER), "{tickers}");
                let resting = self.orders.iter().enumerate().filter(|(_, order)| order["status"] == "resting");
                let place = |(index, order): (usize, &Value)| json!({"order_id": order["order_id"], "market_ticker": TICKER, "queue_position_fp": format!("{}.50", 7 * index)});
                let positions: Vec<Value> = resting.map(place).collect();
                (200, json!({"queue_positions": if positions.is_empty() { Value::Null } else { json!(positions) }}))
            }
            ["portfolio", "fills"] => (200, json!({"fills": [], "cursor": ""})),
            ["portfolio", "positions"] => (200, json!({"market_positions": [], "event_positions": [], "cursor": ""})),
            ["portfolio", "balance"] => {
                self.balance += 1;
                (
                    200,
                    json!({"balance": 9000, "balance_dollars": "90.0000", "balance_breakdown": [{"exchange_index": 0, "balance": "90.0000"}], "portfolio_value": 0, "updated_ts": 1}),
                )
            }
            other => panic!("{other:?}"),
        }
    }
}

fn rfc3339(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(SECOND) - START / SECOND;
    // START is 2026-11-18T11:06:40Z.
    let of_day = 11 * 3_600 + 6 * 60 + 40 + seconds;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("2026-11-18T{hour:02}:{minute:02}:{second:02}.{:09}Z", at.0.rem_euclid(SECOND))
}

/// Gateway, protocol and venue, with a clock; every answer takes 5 ms.
struct World {
    gateway: Gateway,
    protocol: Protocol,
    venue: Venue,
    now: Timestamp,
    faults: VecDeque<Fault>,
    sent: Vec<HttpRequest>,
    reports: Vec<Body>,
    under_way: VecDeque<(Timestamp, Ticket, Result<Answer, Lost>)>,
}

impl World {
    fn new(limits: Limits) -> Self {
        let costs = Costs::DOCUMENTED;
        let budget = Budget::new(&limits, costs, Shares::usual(&limits, &costs), Timestamp(START)).expect("room");
        let settings = Settings::usual("/trade-api/v2".into(), Some("og_1".into()), 7);
        Self {
            gateway: Gateway::new(settings, budget, Timestamp(START)),
            protocol: protocol(),
            venue: Venue::default(),
            now: Timestamp(START),
            faults: VecDeque::new(),
            sent: Vec::new(),
            reports: Vec::new(),
            under_way: VecDeque::new(),
        }
    }

    fn submit(&mut self, request: Request) {
        self.gateway.submit(self.now, request, &self.protocol);
    }

    fn journal(&mut self, reply: &Reply) {
        let body = self.protocol.apply(self.now, &reply.input(), &mut Vec::new());
        self.reports.push(body);
    }

    /// Sends what can be sent now.
    fn pump(&mut self) {
        while let Some(action) = self.gateway.poll(self.now, &self.protocol) {
            match action {
                Action::Reply(reply) => self.journal(&reply),
                Action::Send(request) => {
                    let lost = |sent| Err(Lost { sent, reason: "fault".into() });
                    let outcome = match self.faults.pop_front().unwrap_or(Fault::Nothing) {
                        Fault::NeverArrives => lost(true),
                        Fault::Status(status) => Ok(Answer { status, body: b"<html>".to_vec() }),
                        fault => {
                            let (status, body) = self.venue.handle(self.now, &request);
                            let body = body.to_string().into_bytes();
                            if fault == Fault::AnswerLost { lost(true) } else { Ok(Answer { status, body }) }
                        }
                    };
                    self.under_way.push_back((self.now.plus(SECOND / 200), request.ticket, outcome));
                    self.sent.push(request);
                }
            }
        }
    }

    /// Lets time pass until nothing is left to do, or for `seconds`.
    fn run(&mut self, seconds: i64) {
        self.run_for(seconds * SECOND);
    }

    fn run_for(&mut self, nanos: i64) {
        let end = self.now.plus(nanos);
        loop {
            self.pump();
            let answer = self.under_way.front().map(|(at, ..)| *at);
            let wake = self.gateway.next_wakeup(self.now);
            let Some(next) = answer.into_iter().chain(wake).min().filter(|next| *next <= end) else { break };
            assert!(next > self.now, "time stands still");
            self.now = next;
            while self.under_way.front().is_some_and(|(at, ..)| *at <= next) {
                let (_, ticket, outcome) = self.under_way.pop_front().expect("looked at");
                if let Some(reply) = self.gateway.answered(next, ticket, outcome, &self.protocol) {
                    self.journal(&reply);
                }
            }
        }
        self.now = end;
    }

    fn reports(&mut self) -> Vec<(u64, OrderReport)> {
        let report = |body| match body {
            Body::Order { order, report } => Some((order.0, report)),
            _ => None,
        };
        std::mem::take(&mut self.reports).into_iter().filter_map(report).collect()
    }

    fn lines(&mut self) -> Vec<String> {
        let line = |sent: HttpRequest| {
            let query = if sent.query.is_empty() { String::new() } else { format!("?{}", sent.query) };
            format!("{} {}{query}", sent.method, sent.path.trim_start_matches("/trade-api/v2/portfolio"))
        };
        self.sent.drain(..).map(line).collect()
    }
}

fn resting() -> OrderReport {
    OrderReport::Accepted { filled: Quantity::ZERO, remaining: Quantity::contracts(10) }
}

#[test]
fn a_quote_is_said_in_the_words_of_the_venue() {
    let mut world = World::new(PLENTY);
    world.run(1);
    world.submit(create(1));
    let take = match create(2) {
        Request::Create { order, market, side, price, quantity, expires, .. } => {
            Request::Create { order, market, side: side.opposite(), price, quantity, take: true, expires }
        }
        other => other,
    };
    world.submit(take);
    world.run(1);
    let quote = r#"{"ticker":"KXHIGHCHI-26NOV23-B33.5","client_order_id":"r1-1","side":"bid","count":"10.00","price":"0.4600","time_in_force":"good_till_canceled","self_trade_prevention_type":"taker_at_cross","expiration_time":1795000060,"post_only":true,"cancel_order_on_pause":true,"order_group_id":"og_1","exchange_index":0}"#;
    let take = r#"{"ticker":"KXHIGHCHI-26NOV23-B33.5","client_order_id":"r1-2","side":"ask","count":"10.00","price":"0.4600","time_in_force":"immediate_or_cancel","self_trade_prevention_type":"taker_at_cross","post_only":false,"cancel_order_on_pause":false,"order_group_id":"og_1","exchange_index":0}"#;
    let bodies: Vec<_> = world.sent.iter().map(|sent| (sent.create, sent.body.as_deref())).collect();
    assert_eq!(bodies, [(true, Some(quote)), (true, Some(take))]);
    world.sent.clear();
    world.submit(renew(1));
    world.submit(Request::TriggerGroup);
    world.submit(Request::ResetGroup);
    world.run(1);
    world.submit(cancel(1));
    world.run(1);
    let amend = r#"{"ticker":"KXHIGHCHI-26NOV23-B33.5","side":"bid","price":"0.4600","count":"10.00","expiration_time":1795000120,"exchange_index":0}"#;
    assert!(world.sent.iter().any(|sent| sent.body.as_deref() == Some(amend)), "{:?}", world.sent);
    let id = "00000000-0000-4000-8000-000000000000";
    let expected = [
        "PUT /order_groups/og_1/trigger?exchange_index=0".to_owned(),
        "PUT /order_groups/og_1/reset?exchange_index=0".into(),
        format!("POST /events/orders/{id}/amend"),
        format!("DELETE /events/orders/{id}?market_ticker={TICKER}&exchange_index=0"),
    ];
    assert_eq!(world.lines(), expected);
    let reports = world.reports();
    assert_eq!(
        reports[2..],
        [(1, OrderReport::Renewed), (1, OrderReport::Cancelled { reduced: Quantity::contracts(10) })]
    );
}

#[test]
fn cancels_come_before_creates_and_creates_before_renewals() {
    let mut world = World::new(Limits::BASIC);
    world.run(2);
    world.submit(create(1));
    world.submit(create(2));
    world.run(2);
    world.lines();
    // The bucket holds 90 usable tokens of which 20 are for cancels.
    world.submit(renew(1));
    (3..18).for_each(|order| world.submit(create(order)));
    world.submit(cancel(2));
    world.pump();
    let lines = world.lines();
    assert!(lines[0].starts_with("DELETE"), "{lines:?}");
    assert_eq!(lines[1..], vec!["POST /events/orders"; 6], "the renewal waits behind creates that are being saved for");
    world.run(1);
    let reports = world.reports();
    let unsent = reports.iter().filter(|(_, report)| *report == OrderReport::Unsent).count();
    assert!((3..=5).contains(&unsent), "what waited for half a second is given up: {reports:?}");
}

#[test]
fn a_create_is_sent_once_whatever_happens() {
    let outcomes = [
        (Fault::NeverArrives, OrderReport::Unknown(RequestKind::Create)),
        (Fault::AnswerLost, OrderReport::Unknown(RequestKind::Create)),
        (Fault::Status(502), OrderReport::Unknown(RequestKind::Create)),
        (Fault::Status(429), OrderReport::Rejected(isobar_engine::venue::RejectReason::RateLimited)),
        (Fault::Nothing, resting()),
    ];
    for (fault, expected) in outcomes {
        let mut world = World::new(PLENTY);
        world.run(1);
        world.faults.push_back(fault);
        world.submit(create(1));
        world.run(30);
        assert_eq!((world.reports(), world.sent.len()), (vec![(1, expected)], 1), "{fault:?}");
        assert_eq!(world.gateway.pending(), 0);
    }
}

#[test]
fn a_cancel_is_tried_again_and_its_404_after_a_lost_answer_is_told() {
    let mut world = World::new(PLENTY);
    world.run(1);
    world.submit(create(1));
    world.run(1);
    world.reports();
    world.faults.extend([Fault::NeverArrives, Fault::Status(503), Fault::AnswerLost]);
    world.submit(cancel(1));
    world.run(10);
    assert_eq!(world.reports(), [(1, OrderReport::NotThere(RequestKind::Cancel))], "it took effect the third time");
    assert_eq!(world.lines().len(), 5);
    world.faults.extend([Fault::NeverArrives; 20]);
    world.submit(cancel(1));
    world.run(60);
    assert_eq!(world.reports(), [(1, OrderReport::Unknown(RequestKind::Cancel))]);
    assert_eq!(world.sent.len(), 7, "once and six times more");
}

#[test]
fn a_cancel_waits_for_the_id_that_its_create_brings() {
    let mut world = World::new(PLENTY);
    world.run(1);
    world.submit(create(1));
    world.pump();
    world.submit(cancel(1));
    world.run(1);
    assert_eq!(world.reports(), [(1, resting()), (1, OrderReport::Cancelled { reduced: Quantity::contracts(10) })]);
    // Not sent yet: neither is.
    world.submit(create(2));
    world.submit(cancel(2));
    world.run(1);
    let failed =
        OrderReport::Failed { request: RequestKind::Cancel, reason: isobar_engine::venue::RejectReason::Other };
    assert_eq!(world.reports(), [(2, OrderReport::Unsent), (2, failed.clone())]);
    // The id never comes.
    world.faults.push_back(Fault::AnswerLost);
    world.submit(create(3));
    world.pump();
    world.submit(cancel(3));
    world.run(1);
    assert_eq!(world.reports(), [(3, OrderReport::Unknown(RequestKind::Create)), (3, failed)]);
}

#[test]
fn a_lost_create_is_found_on_whatever_page_it_is_or_proved_absent() {
    let mut world = World::new(PLENTY);
    world.run(1);
    world.venue.page = Some(2);
    (1..=5).for_each(|order| world.submit(create(order)));
    world.run(1);
    world.faults.push_back(Fault::AnswerLost);
    world.submit(create(6));
    world.run(1);
    world.reports();
    world.submit(Request::Find { order: OrderId(6) });
    world.run(1);
    let state =
        OrderReport::State { status: OrderStatus::Resting, filled: Quantity::ZERO, remaining: Quantity::contracts(10) };
    assert_eq!(world.reports(), [(6, state.clone())]);
    world.submit(Request::Find { order: OrderId(6) });
    world.lines();
    world.run(1);
    assert_eq!(world.reports(), [(6, state)]);
    assert_eq!(world.lines().last().map(String::as_str), Some("GET /orders/00000000-0000-4000-8000-000000000005"));
    world.faults.push_back(Fault::NeverArrives);
    world.submit(create(7));
    world.run(1);
    world.reports();
    world.submit(Request::Find { order: OrderId(7) });
    world.run(4);
    assert_eq!(world.reports(), [], "not seeing it proves nothing until reads are 5 s newer than the question");
    world.run(4);
    assert_eq!(world.reports(), [(7, OrderReport::Absent)]);
}

#[test]
fn reads_that_lag_prove_no_absence() {
    let mut world = World::new(PLENTY);
    world.run(1);
    world.venue.lag = 20 * SECOND;
    world.faults.push_back(Fault::AnswerLost);
    world.submit(create(1));
    world.run(1);
    world.reports();
    world.submit(Request::Find { order: OrderId(1) });
    world.run(15);
    assert_eq!(world.reports(), []);
    world.run(20);
    assert!(matches!(world.reports()[..], [(1, OrderReport::State { status: OrderStatus::Resting, .. })]));
    world.venue.lag = 1_000 * SECOND;
    world.faults.push_back(Fault::NeverArrives);
    world.submit(create(2));
    world.run(1);
    world.submit(Request::Find { order: OrderId(2) });
    world.reports();
    world.run(70);
    assert_eq!(world.reports(), [(2, OrderReport::Unknown(RequestKind::Find))], "given up, with nothing proved");
    assert_eq!(world.gateway.pending(), 0);
}

#[test]
fn the_account_is_read_until_two_rounds_agree() {
    let mut world = World::new(PLENTY);
    world.run(1);
    world.submit(create(1));
    world.run(1);
    world.submit(Request::ReadAccount);
    // In the midst of the first round, after its orders were read.
    world.run_for(17 * SECOND / 1_000);
    world.submit(create(2));
    world.run(10);
    let accounts: Vec<_> = world
        .reports
        .iter()
        .filter_map(|body| if let Body::Account(account) = body { Some(account) } else { None })
        .collect();
    assert_eq!(accounts.len(), 1);
    let orders: Vec<_> = accounts[0].orders.iter().map(|order| order.order).collect();
    assert_eq!(orders, [Some(OrderId(1)), Some(OrderId(2))], "the first round had one order only");
    assert_eq!(accounts[0].cash, isobar_engine::units::Money::dollars(90));
    assert!(accounts[0].as_of > Timestamp(START + 2 * SECOND));
    assert_eq!(world.venue.balance, 3, "once a round");
}

#[test]
fn a_read_of_the_account_waits_for_reads_that_are_newer_than_the_question() {
    let mut world = World::new(PLENTY);
    world.run(1);
    world.venue.lag = 8 * SECOND;
    world.submit(create(1));
    world.run(1);
    world.submit(Request::ReadAccount);
    world.run(7);
    assert!(!world.reports.iter().any(|body| matches!(body, Body::Account(_))));
    world.run(10);
    let account =
        world.reports.iter().find_map(|body| if let Body::Account(account) = body { Some(account) } else { None });
    assert_eq!(account.map(|account| account.orders.len()), Some(1));
}

#[test]
fn reads_of_the_account_do_not_pile_up() {
    let mut world = World::new(PLENTY);
    world.run(1);
    // The venue's reads stay behind, and the engine asks again and again.
    world.venue.lag = 100 * SECOND;
    for _ in 0..20 {
        world.submit(Request::ReadAccount);
        world.run(3);
        assert!(world.gateway.pending() <= 2, "one goes on, one waits: {}", world.gateway.pending());
    }
    world.venue.lag = 0;
    world.run(60);
    assert_eq!(world.gateway.pending(), 0);
    assert_eq!(world.reports.len(), 20, "each question has an end");
    let accounts = world.reports.iter().filter(|body| matches!(body, Body::Account(_))).count();
    assert_eq!(accounts, 2, "the read that went on and the last that was asked for");
}

#[test]
fn a_read_of_the_account_reaches_back_no_further_than_somebody_waits_for() {
    let mut world = World::new(PLENTY);
    world.run(1);
    let begin = world.now;
    (1..=3).for_each(|order| world.submit(create(order)));
    world.run(3_000);
    let since = |world: &mut World| -> Vec<(String, i64)> {
        let seconds = |query: &str| query.split('&').find_map(|pair| pair.strip_prefix("min_ts=")?.parse().ok());
        let reads = world.sent.drain(..).filter_map(|sent| Some((sent.path.clone(), seconds(&sent.query)?)));
        let reads = reads.map(|(path, at): (String, i64)| (path, at - START / SECOND));
        reads.collect()
    };
    let read = |world: &mut World, open: &[(OrderId, Timestamp)]| {
        world.sent.clear();
        world.gateway.read_account(world.now, &world.protocol, open);
        world.run(10);
        let mut reads = since(world);
        reads.dedup();
        reads.truncate(2);
        reads
    };
    let (orders, fills) = ("/trade-api/v2/portfolio/orders".to_owned(), "/trade-api/v2/portfolio/fills".to_owned());
    // All three rest: what ended is of no interest. Nothing was read before, so fills are wanted from the beginning.
    let open = [1, 2, 3].map(|order| (OrderId(order), begin));
    assert_eq!(read(&mut world, &open), [(orders.clone(), 3_001 - 600), (fills.clone(), 0)]);
    // One ended and nobody was told: it is looked for where it began. Fills were read until a moment ago.
    world.venue.orders[1]["status"] = json!("canceled");
    world.venue.shown.push((world.now, world.venue.orders.clone()));
    let begun = begin.0.div_euclid(SECOND) - START / SECOND;
    let [of_orders, of_fills] = &read(&mut world, &open)[..] else { panic!("two reads") };
    assert_eq!(of_orders, &(orders, (begun - 60).max(0)));
    assert!(of_fills.0 == fills && (3_001 - 60..3_001).contains(&of_fills.1), "{of_fills:?}");
}

#[test]
fn places_in_the_queues_are_read_of_our_orders_one_read_at_a_time() {
    let mut world = World::new(PLENTY);
    world.run(1);
    (1..=2).for_each(|order| world.submit(create(order)));
    world.run(1);
    // Somebody else's order of the same account is none of ours.
    let foreign = json!({"order_id": "foreign", "client_order_id": "", "status": "resting"});
    world.venue.orders.push(foreign);
    world.reports.clear();
    let open = [1, 2, 3].map(|order| (OrderId(order), world.now));
    let ask = |world: &mut World, open: &[(OrderId, Timestamp)]| {
        world.gateway.read_queue(world.now, &world.protocol, open);
    };
    ask(&mut world, &open);
    ask(&mut world, &open);
    world.run(1);
    let places = vec![(OrderId(1), Quantity::new(50)), (OrderId(2), Quantity::new(750))];
    assert_eq!(world.reports, [Body::Quiet, Body::Queue(places)], "the second question came too early");

    // A read that fails is tried again; what cannot be understood is no place.
    world.reports.clear();
    world.faults.extend([Fault::Status(429), Fault::NeverArrives]);
    ask(&mut world, &open);
    world.run(10);
    assert!(matches!(&world.reports[..], [Body::Queue(places)] if places.len() == 2), "{:?}", world.reports);
    world.reports.clear();
    world.faults.push_back(Fault::Status(200));
    ask(&mut world, &open);
    world.run(10);
    assert_eq!(world.reports, [Body::Quiet], "HTML with a good status");

    // Nothing of ours rests, as far as the venue has shown: nothing is asked.
    let asked = world.sent.len();
    world.reports.clear();
    ask(&mut world, &open[2..]);
    world.run(1);
    assert_eq!((world.sent.len(), &world.reports[..]), (asked, &[Body::Quiet][..]));
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        6 => Just(Fault::Nothing),
        1 => Just(Fault::NeverArrives),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Status(429)),
        1 => Just(Fault::Status(502)),
    ];
    proptest::collection::vec(fault, 0..60)
}

fn asks() -> impl Strategy<Value = Vec<(u8, u64, i64)>> {
    proptest::collection::vec((0u8..7, 1u64..8, 0i64..700), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Whatever is asked and whatever goes wrong: each request has exactly one reply, no order is created twice, and the
    /// gateway comes to rest.
    #[test]
    fn every_request_has_one_reply_and_no_create_is_repeated(faults in faults(), asks in asks()) {
        let mut world = World::new(Limits::BASIC);
        world.run(2);
        world.faults.extend(faults);
        let mut created = BTreeSet::new();
        let mut asked = 0;
        for (what, order, wait) in asks {
            asked += 1;
            if what == 5 {
                let open = [1, 2, 3].map(|order| (OrderId(order), world.now));
                world.gateway.read_queue(world.now, &world.protocol, &open);
                continue;
            }
            let request = match what {
                0 | 1 if created.insert(order) => create(order),
                2 => cancel(order),
                3 => renew(order),
                4 => Request::Find { order: OrderId(order) },
                _ => Request::ReadAccount,
            };
            world.submit(request);
            world.run(wait / 100);
            world.pump();
        }
        world.run(400);
        prop_assert_eq!(world.gateway.pending(), 0);
        prop_assert_eq!(world.reports.len(), asked);
        prop_assert!(world.venue.creates as usize <= created.len(), "a create was sent twice");
        let mut clients: Vec<_> = world.venue.orders.iter().map(|order| order["client_order_id"].to_string()).collect();
        let all = clients.len();
        clients.sort();
        clients.dedup();
        prop_assert_eq!(clients.len(), all);
    }
}
