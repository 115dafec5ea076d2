//! Gateway, link, feed and REST against the simulated exchange over real sockets: signed by either kind of key, checked by
//! an implementation that is not the one that signs.

use isobar_engine::event::{Body, Input, Opening};
use isobar_engine::market::{Market, MarketId};
use isobar_engine::order::OrderId;
use isobar_engine::units::{Money, Price, Quantity, SECOND, Side, Timestamp};
use isobar_engine::venue::{Account, OrderReport, OrderStatus, RejectReason, Request, RequestKind};
use isobar_kalshi::budget::{Budget, Costs, Limits, Shares};
use isobar_kalshi::convert;
use isobar_kalshi::feed::{Feed, FeedEvent};
use isobar_kalshi::gateway::{Action, Answer, Gateway, Link, Lost, Settings, Ticket};
use isobar_kalshi::protocol::{Protocol, Transmit};
use isobar_kalshi::rest::{Filter, OrderFilter, Rest};
use isobar_kalshi::sign::{Credentials, Reuse};
use isobar_sim::{AccountConfig, Config, KeyKind, Running, Sim, Speed, Tier, generate};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

const TIMEOUT: Duration = Duration::from_secs(10);
const KEY: &str = "6b3f2c1e-0000-4000-8000-000000000001";
const SERIES: &str = "KXHIGHCHI";

/// The clock of the exchange, as it tells it.
#[derive(Clone, Copy, serde::Deserialize)]
struct Clock {
    epoch_ns: i64,
    wall_epoch_ns: i64,
    factor: i64,
}

impl Clock {
    fn now(self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
        let wall = i64::try_from(wall).expect("before 2262");
        Timestamp(self.epoch_ns + (wall - self.wall_epoch_ns) * self.factor)
    }
}

/// A host without an engine: gateway, protocol core, sockets.
struct Host {
    sim: Running,
    clock: Clock,
    rest: Rest,
    gateway: Gateway,
    link: Link,
    protocol: Protocol,
    feed: Feed,
    flights: JoinSet<(Ticket, Result<Answer, Lost>)>,
    bodies: Vec<Body>,
    transmit: Vec<Transmit>,
    /// One with orders on both sides.
    market: MarketId,
}

impl Host {
    async fn start(kind: KeyKind) -> Self {
        let isobar_sim::NewKey { private_pem: pem, public, .. } = generate(kind).expect("a key");
        let account =
            AccountConfig { keys: vec![(KEY.into(), public)], cash: Money::dollars(1_000), tier: Tier::Basic };
        let config =
            Config { speed: Speed::Factor(10), accounts: vec![account], unsigned_feed: false, ..Config::default() };
        let sim = Sim::start(config).expect("an exchange");
        let rest = Rest::new(&sim.rest_url, TIMEOUT).expect("an address");
        let told = reqwest::get(format!("{}/clock", sim.sim_url)).await.expect("an answer");
        let clock: Clock = told.json().await.expect("a clock");
        let credentials = Arc::new(Credentials::from_pem(KEY, pem.as_bytes()).expect("a key"));
        let rest = rest.with_key(Arc::clone(&credentials), move || clock.now());
        let limits = Limits::of(&rest.account_limits().await.expect("limits"));
        assert_eq!(limits, Limits::BASIC);
        let costs = Costs::of(&rest.endpoint_costs().await.expect("costs"));
        assert_eq!(costs, Costs::DOCUMENTED);
        let group = rest.create_order_group(Quantity::contracts(500), 0).await.expect("a group");
        let link =
            Link::new(&sim.rest_url, TIMEOUT, Arc::clone(&credentials), 2 * SECOND, Reuse::WithinLife).expect("a link");
        let budget = Budget::new(&limits, costs, Shares::usual(&limits, &costs), clock.now()).expect("room");
        let settings = Settings { patience: 600 * SECOND, ..Settings::usual(link.base().into(), Some(group), 1) };
        let gateway = Gateway::new(settings, budget, clock.now());
        let feed = Feed::connect_as(&sim.ws_url, &credentials, clock.now(), TIMEOUT).await.expect("connected");
        let markets = markets(&rest).await;
        let mut host = Self {
            sim,
            clock,
            rest,
            gateway,
            link,
            protocol: Protocol::new(),
            feed,
            flights: JoinSet::new(),
            bodies: Vec::new(),
            transmit: Vec::new(),
            market: MarketId(0),
        };
        host.input(&Input::Opening(Opening {
            run: "5ea1".into(),
            engine: "test".into(),
            clock: "scaled".into(),
            stale_after: 3_600 * SECOND,
            source: "sim".into(),
            late_after: 0,
        }));
        host.input(&Input::Listed(markets));
        host.input(&Input::Connected { connection: 1, use_yes_price: true, observed: false, private: true });
        let busy = |body: &Body| match body {
            Body::Snapshot { market, bids, asks } => {
                let dear = asks.first().is_some_and(|ask| ask.price > Price::from_cents(5).expect("a price"));
                (dear && !bids.is_empty()).then_some(*market)
            }
            _ => None,
        };
        host.until(|bodies| bodies.iter().any(|body| busy(body).is_some())).await;
        host.market = host.bodies.iter().find_map(busy).expect("waited for");
        host.bodies.clear();
        host
    }

    fn input(&mut self, input: &Input<'_>) {
        let body = self.protocol.apply(self.clock.now(), input, &mut self.transmit);
        assert!(!matches!(body, Body::Unparsed(_)), "{body:?}");
        self.bodies.push(body);
    }

    fn submit(&mut self, request: Request) {
        self.gateway.submit(self.clock.now(), request, &self.protocol);
    }

    /// Does everything that is to be done, until the bodies so far are what is waited for.
    async fn until(&mut self, done: impl Fn(&[Body]) -> bool) {
        let waited = tokio::time::timeout(TIMEOUT * 3, async {
            while !done(&self.bodies) {
                self.turn().await;
            }
        });
        let waited = waited.await;
        let told = |body: &&Body| matches!(body, Body::Order { .. } | Body::Account(_) | Body::Group { .. });
        assert!(waited.is_ok(), "only {:?}", self.bodies.iter().filter(told).collect::<Vec<_>>());
    }

    async fn turn(&mut self) {
        for transmit in std::mem::take(&mut self.transmit) {
            match transmit {
                Transmit::Text { text, .. } => self.feed.send_text(text).await.expect("sent"),
                Transmit::Ping { .. } => self.feed.ping().await.expect("sent"),
                Transmit::Reconnect { .. } => panic!("the connection lives"),
                Transmit::Relist { .. } | Transmit::Reconcile { .. } => {}
            }
        }
        let now = self.clock.now();
        self.link.refresh(now);
        while let Some(action) = self.gateway.poll(now, &self.protocol) {
            match action {
                Action::Send(request) => drop(self.flights.spawn(self.link.send(now, request))),
                Action::Reply(reply) => self.input(&reply.input()),
            }
        }
        tokio::select! {
            event = self.feed.next() => match event {
                FeedEvent::Text(text) => self.input(&Input::Frame { connection: 1, text: &text }),
                FeedEvent::Pong => self.input(&Input::Pong { connection: 1 }),
                FeedEvent::Closed(reason) => panic!("{reason}"),
            },
            Some(done) = self.flights.join_next() => {
                let (ticket, outcome) = done.expect("no panic");
                let reply = self.gateway.answered(self.clock.now(), ticket, outcome, &self.protocol);
                if let Some(reply) = reply {
                    self.input(&reply.input());
                }
            }
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    }

    /// The first report of an order from here on that passes; what came before is forgotten.
    async fn report(&mut self, order: u64, wanted: impl Fn(&OrderReport) -> bool) -> OrderReport {
        let is = |body: &Body| match body {
            Body::Order { order: of, report } if of.0 == order && wanted(report) => Some(report.clone()),
            _ => None,
        };
        self.until(|bodies| bodies.iter().any(|body| is(body).is_some())).await;
        let found = self.bodies.iter().find_map(is).expect("waited for");
        self.bodies.clear();
        found
    }

    async fn account(&mut self) -> Account {
        self.submit(Request::ReadAccount);
        self.until(|bodies| bodies.iter().any(|body| matches!(body, Body::Account(_)))).await;
        let read =
            self.bodies.drain(..).find_map(|body| if let Body::Account(read) = body { Some(read) } else { None });
        read.expect("waited for")
    }

    async fn fault(&self, fault: &str) {
        let client = reqwest::Client::new();
        let request = client.post(format!("{}/fault", self.sim.sim_url)).header("content-type", "application/json");
        let answer = request.body(fault.to_owned()).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// A bid at a cent, which nobody meets.
    fn bid(&self, order: u64, contracts: u32) -> Request {
        Request::Create {
            order: OrderId(order),
            market: self.market,
            side: Side::Bid,
            price: Price::from_cents(1).expect("a cent"),
            quantity: Quantity::contracts(contracts),
            take: false,
            expires: Some(self.clock.now().plus(3_600 * SECOND)),
        }
    }
}

async fn markets(rest: &Rest) -> Vec<Market> {
    let series = rest.series(SERIES).await.expect("a series");
    let events = rest.events(SERIES).await.expect("events");
    let listed = rest.markets(SERIES, Filter::All).await.expect("markets");
    let number = |(number, listed): (usize, &isobar_kalshi::wire::Market)| {
        let event = events.iter().find(|event| event.event_ticker == listed.event_ticker);
        let id = MarketId(u16::try_from(number).expect("few"));
        convert::market(id, listed, &series, event).expect("tradable")
    };
    listed.iter().enumerate().map(number).collect()
}

fn is_state(status: OrderStatus) -> impl Fn(&OrderReport) -> bool {
    move |report| matches!(report, OrderReport::State { status: is, .. } if *is == status)
}

async fn an_order_lives_and_dies(kind: KeyKind) {
    let mut host = Host::start(kind).await;
    let ten = Quantity::contracts(10);
    host.submit(host.bid(1, 10));
    let accepted = host.report(1, |report| matches!(report, OrderReport::Accepted { .. })).await;
    assert_eq!(accepted, OrderReport::Accepted { filled: Quantity::ZERO, remaining: ten });
    assert_eq!(host.protocol.placed(OrderId(1)).and_then(|placed| placed.total), Some(ten));

    let expires = host.clock.now().plus(7_200 * SECOND);
    host.submit(Request::Renew { order: OrderId(1), expires });
    host.report(1, |report| *report == OrderReport::Renewed).await;
    let resting =
        host.rest.orders(OrderFilter { status: Some("resting"), ..OrderFilter::default() }).await.expect("orders");
    let until = resting[0].expiration_time.as_deref().and_then(convert::time).expect("an expiry");
    assert_eq!(until.0 / SECOND, expires.0 / SECOND, "the venue moved it");
    assert_eq!((resting.len(), resting[0].client_order_id.as_str()), (1, "5ea1-1"));
    assert!(resting[0].order_group_id.is_some());

    host.submit(Request::Decrease { order: OrderId(1), to: Quantity::contracts(4) });
    let decreased = OrderReport::Decreased { remaining: Quantity::contracts(4) };
    host.report(1, |report| *report == decreased).await;
    host.submit(Request::Find { order: OrderId(1) });
    host.report(1, is_state(OrderStatus::Resting)).await;

    let account = host.account().await;
    let shown: Vec<_> = account.orders.iter().map(|order| (order.order, order.status, order.remaining)).collect();
    assert_eq!(shown, [(Some(OrderId(1)), OrderStatus::Resting, Quantity::contracts(4))]);
    assert!(account.cash <= Money::dollars(1_000) && account.positions.is_empty() && account.fills.is_empty());

    host.submit(Request::Cancel { order: OrderId(1) });
    let cancelled = OrderReport::Cancelled { reduced: Quantity::contracts(4) };
    host.report(1, |report| *report == cancelled).await;
    host.submit(Request::Cancel { order: OrderId(1) });
    host.report(1, |report| *report == OrderReport::NotThere(RequestKind::Cancel)).await;
    assert_eq!(host.gateway.pending(), 0);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

#[test]
fn an_order_signed_by_ed25519_lives_and_dies() {
    runtime().block_on(an_order_lives_and_dies(KeyKind::Ed25519));
}

#[test]
fn an_order_signed_by_rsa_lives_and_dies() {
    runtime().block_on(an_order_lives_and_dies(KeyKind::Rsa));
}

#[test]
fn a_take_is_filled_by_socket_and_by_rest_alike() {
    runtime().block_on(async {
        let mut host = Host::start(KeyKind::Ed25519).await;
        let Request::Create { order, market, side, quantity, .. } = host.bid(1, 3) else { panic!("a create") };
        let price = Price::from_cents(99).expect("a price");
        host.submit(Request::Create { order, market, side, price, quantity, take: true, expires: None });
        let filled = |bodies: &[Body]| {
            let answered =
                bodies.iter().any(|body| matches!(body, Body::Order { report: OrderReport::Accepted { .. }, .. }));
            let told = bodies.iter().any(|body| matches!(body, Body::Fill(_)));
            answered && told && bodies.iter().any(|body| matches!(body, Body::Position { .. }))
        };
        host.until(filled).await;
        let pushed: Vec<_> = host
            .bodies
            .drain(..)
            .filter_map(|body| if let Body::Fill(fill) = body { Some(fill) } else { None })
            .collect();
        let account = host.account().await;
        assert!(pushed.iter().all(|fill| fill.order == Some(order) && fill.taker && fill.fee > Money::ZERO));
        let mut read = account.fills.clone();
        read.sort_by_key(|fill| fill.trade);
        let mut pushed = pushed;
        pushed.sort_by_key(|fill| fill.trade);
        pushed.dedup();
        assert_eq!(read, pushed, "the same fills, to the last field");
        let held: i64 = pushed.iter().map(|fill| fill.quantity.signed()).sum();
        assert_eq!(account.positions.iter().map(|held| held.contracts).collect::<Vec<_>>(), [held]);
        assert_eq!(host.protocol.counts().unparsed, 0);
    });
}

#[test]
fn what_is_refused_or_lost_is_told_as_it_is() {
    runtime().block_on(async {
        let mut host = Host::start(KeyKind::Ed25519).await;
        let crossing = match host.bid(1, 1) {
            Request::Create { order, market, side, quantity, take, expires, .. } => {
                let price = Price::from_cents(99).expect("a price");
                Request::Create { order, market, side, price, quantity, take, expires }
            }
            other => other,
        };
        host.submit(crossing);
        host.report(1, |report| *report == OrderReport::Rejected(RejectReason::PostOnly)).await;

        // Taken, but the answer is lost: found by its client order id.
        host.fault(r#"{"kind":"answer","on":"create","how":"lost_after"}"#).await;
        host.submit(host.bid(2, 5));
        host.report(2, |report| *report == OrderReport::Unknown(RequestKind::Create)).await;
        host.submit(Request::Find { order: OrderId(2) });
        host.report(2, is_state(OrderStatus::Resting)).await;

        // Never taken: absent, once reads are newer than the question.
        host.fault(r#"{"kind":"answer","on":"create","how":"status","status":503,"executed":false}"#).await;
        host.submit(host.bid(3, 5));
        host.report(3, |report| *report == OrderReport::Unknown(RequestKind::Create)).await;
        host.submit(Request::Find { order: OrderId(3) });
        host.report(3, |report| *report == OrderReport::Absent).await;

        // The trigger of the group pulls what rests, and the group takes nothing until it is reset.
        host.submit(Request::TriggerGroup);
        host.until(|bodies| bodies.contains(&Body::Group { triggered: true })).await;
        host.report(2, is_state(OrderStatus::Cancelled)).await;
        host.submit(host.bid(4, 5));
        host.report(4, |report| *report == OrderReport::Rejected(RejectReason::Group)).await;
        host.submit(Request::ResetGroup);
        host.until(|bodies| bodies.contains(&Body::Group { triggered: false })).await;
        host.submit(host.bid(5, 5));
        host.report(5, |report| matches!(report, OrderReport::Accepted { .. })).await;
        host.rest.cancel_all().await.expect("cancelled");
        host.report(5, is_state(OrderStatus::Cancelled)).await;
    });
}
