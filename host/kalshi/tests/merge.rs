//! Two connections, one book: a true row of changes is told on both, each with a lag, losses and late joins of its own.
//!
//! The reference knows no clocks. Every frame remembers how many changes of its market the venue had made when it said it,
//! and the book has to be the venue's after as many as the furthest frame that came on a connection without a loss.

mod support;

use isobar_engine::event::{Body, Input, Level, StaleReason};
use isobar_engine::market::MarketId;
use isobar_engine::units::{Price, Side, Timestamp};
use isobar_kalshi::protocol::Transmit;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use support::Bench;

const TICKERS: [&str; 3] = ["KXHIGHCHI-26NOV23-B33.5", "KXHIGHCHI-26NOV23-T40", "KXHIGHAUS-26NOV23-B71.5"];

type Ladder = BTreeMap<(bool, u16), i64>;

/// A frame under way.
#[derive(Clone, Debug)]
enum Told {
    /// Something that no book depends on.
    Other,
    Trade(u64),
    Book {
        market: usize,
        changes: usize,
        snapshot: bool,
    },
    End,
}

/// One connection: what the venue said on it and has not arrived, and what arrived.
#[derive(Default)]
struct Link {
    number: Option<u32>,
    queue: VecDeque<(String, Told)>,
    /// Of the subscription to books: its number and its last sequence number.
    books: Option<(u32, u64)>,
    trades: u64,
    sids: u32,
    /// A frame was lost whose absence has not been noticed yet.
    gap: bool,
    /// Changes that arrived, of markets of which nothing was lost since a snapshot.
    whole: [Option<usize>; 3],
}

/// The venue, its two connections, and the protocol that listens.
struct World {
    bench: Bench,
    clock: i64,
    /// Each market after each number of changes.
    truth: [Vec<Ladder>; 3],
    clocks: [i64; 3],
    trades: u64,
    links: [Link; 2],
    numbers: u32,
    told: Vec<u64>,
    arrived: BTreeSet<u64>,
    book: [Ladder; 3],
    fresh: [bool; 3],
    /// How far the book has to be.
    front: [usize; 3],
    /// Deltas and trades as they were applied.
    applied: Vec<Body>,
}

#[derive(Clone, Debug)]
enum Move {
    /// One clock, and what changes at it: market, side, cents, new size.
    Act(Vec<(usize, bool, u16, i64)>),
    Trade,
    Deliver(usize, usize),
    Lose(usize),
    Open(usize),
    Drop(usize),
    End(usize),
}

fn level(cents: u16) -> Price {
    Price::from_cents(u8::try_from(cents).expect("below a dollar").into()).expect("a price")
}

impl World {
    fn new() -> Self {
        Self {
            bench: Bench::new(&TICKERS, 3_600),
            clock: 100,
            truth: [(); 3].map(|()| vec![Ladder::new()]),
            clocks: [0; 3],
            trades: 0,
            links: Default::default(),
            numbers: 0,
            told: Vec::new(),
            arrived: BTreeSet::new(),
            book: Default::default(),
            fresh: [false; 3],
            front: [0; 3],
            applied: Vec::new(),
        }
    }

    fn make(&mut self, one: &Move) {
        self.bench.at = Timestamp(self.bench.at.0 + 1_000_000);
        match one {
            Move::Act(changes) => self.act(changes),
            Move::Trade => self.trade(),
            Move::Deliver(link, frames) => (0..*frames).for_each(|_| self.deliver(*link)),
            Move::Lose(link) => self.lose(*link),
            Move::Open(link) => self.open(*link),
            Move::Drop(link) => {
                let link = &mut self.links[*link];
                if matches!(link.queue.front(), Some((_, Told::Book { .. }))) {
                    link.queue.pop_front();
                    link.gap = true;
                }
            }
            Move::End(link) => {
                let link = &mut self.links[*link];
                if let Some((sid, seq)) = link.books.take() {
                    let error = json!({"type": "error", "sid": sid, "seq": seq + 1, "msg": {"code": 10, "msg": "Channel error"}});
                    link.queue.push_back((error.to_string(), Told::End));
                }
            }
        }
        self.check();
    }

    fn act(&mut self, changes: &[(usize, bool, u16, i64)]) {
        self.clock += 3;
        for (market, bid, cents, size) in changes {
            let mut book = self.truth[*market].last().expect("a beginning").clone();
            let before = book.insert((*bid, *cents), *size).unwrap_or(0);
            if *size == 0 {
                book.remove(&(*bid, *cents));
            }
            if before == *size {
                continue;
            }
            self.truth[*market].push(book);
            self.clocks[*market] = self.clock;
            let told = Told::Book { market: *market, changes: self.truth[*market].len() - 1, snapshot: false };
            for link in &mut self.links {
                let Some((sid, seq)) = &mut link.books else { continue };
                *seq += 1;
                let (side, change) = (if *bid { "yes" } else { "no" }, format!("{}.00", size - before));
                let text = format!(
                    r#"{{"type":"orderbook_delta","sid":{sid},"seq":{seq},"msg":{{"market_ticker":"{}","market_id":"","clock":{},"price_dollars":"{}","delta_fp":"{change}","side":"{side}"}}}}"#,
                    TICKERS[*market],
                    self.clock,
                    level(*cents),
                );
                link.queue.push_back((text, told.clone()));
            }
        }
    }

    fn trade(&mut self) {
        self.trades += 1;
        for link in self.links.iter_mut().filter(|link| link.trades > 0) {
            let text = json!({"type": "trade", "sid": 99, "seq": link.trades, "msg": {
                "trade_id": format!("{:08x}-0000-0000-0000-000000000000", self.trades), "market_ticker": TICKERS[0],
                "yes_price_dollars": "0.4000", "count_fp": format!("{}.00", self.trades), "taker_outcome_side": "yes"}});
            link.trades += 1;
            link.queue.push_back((text.to_string(), Told::Trade(self.trades)));
        }
    }

    fn open(&mut self, at: usize) {
        if self.links[at].number.is_none() {
            self.numbers += 1;
            self.links[at] = Link { number: Some(self.numbers), ..Link::default() };
            let connection = self.numbers;
            self.hear(&Input::Connected { connection, use_yes_price: true, observed: false, private: false });
        }
    }

    fn lose(&mut self, at: usize) {
        if let Some(connection) = self.links[at].number {
            self.links[at] = Link::default();
            self.hear(&Input::Disconnected { connection, reason: String::new() });
        }
    }

    fn deliver(&mut self, at: usize) {
        let link = &mut self.links[at];
        let (Some(connection), Some((text, told))) = (link.number, link.queue.pop_front()) else { return };
        match told {
            Told::Book { .. } | Told::End if std::mem::take(&mut link.gap) => link.whole = [None; 3],
            Told::End => link.whole = [None; 3],
            Told::Book { market, changes, snapshot } if snapshot || link.whole[market].is_some() => {
                link.whole[market] = Some(changes);
                let others_whole = self.links.iter().filter(|link| link.whole[market].is_some()).count() > 1;
                let first = snapshot && !others_whole && !self.fresh[market];
                self.front[market] = if first { changes } else { self.front[market].max(changes) };
            }
            Told::Book { .. } | Told::Other => {}
            Told::Trade(number) => {
                if self.arrived.insert(number) {
                    self.told.push(number);
                }
            }
        }
        self.hear(&Input::Frame { connection, text: text.as_bytes() });
    }

    /// Shows the protocol an input, keeps the books by what it means, and does what is asked of the venue.
    fn hear(&mut self, input: &Input<'_>) {
        let body = self.bench.apply(input);
        match &body {
            Body::Snapshot { market, bids, asks } => {
                let side = |bid: bool, levels: &[Level]| -> Vec<_> {
                    let size = |level: &Level| i64::try_from(level.quantity.units()).expect("small") / 100;
                    levels.iter().map(|level| ((bid, level.price.units() / 100), size(level))).collect()
                };
                self.book[market.index()] = side(true, bids).into_iter().chain(side(false, asks)).collect();
                self.fresh[market.index()] = true;
            }
            Body::Delta { market, side, price, change } => {
                let key = (*side == Side::Bid, price.units() / 100);
                let size = self.book[market.index()].remove(&key).unwrap_or(0) + change / 100;
                if size != 0 {
                    self.book[market.index()].insert(key, size);
                }
                self.applied.push(body);
            }
            Body::Stale { markets, .. } => markets.iter().for_each(|market| self.fresh[market.index()] = false),
            Body::Trade(trade) => {
                assert_eq!(self.told.pop(), Some(trade.quantity.units() / 100), "told where it is news");
                self.applied.push(body);
            }
            Body::Quiet => {}
            other => panic!("{other:?}"),
        }
        assert!(self.told.is_empty(), "news is told");
        for transmit in std::mem::take(&mut self.bench.sent) {
            let Transmit::Text { connection, text } = transmit else { panic!("{transmit:?}") };
            self.command(connection, &serde_json::from_str(&text).expect("JSON"));
        }
    }

    /// The venue takes a command.
    fn command(&mut self, connection: u32, command: &Value) {
        let Some(at) = self.links.iter().position(|link| link.number == Some(connection)) else { return };
        let named = |name: &Value| TICKERS.iter().position(|ticker| name == *ticker).expect("a market");
        let tickers = command["params"]["market_tickers"].as_array().into_iter().flatten();
        let markets: Vec<usize> = tickers.map(named).collect();
        let link = &mut self.links[at];
        match (command["cmd"].as_str(), command["params"]["channels"][0].as_str()) {
            (Some("subscribe"), Some(channel @ ("orderbook_delta" | "trade"))) => {
                link.sids += 1;
                let sid = if channel == "trade" { 99 } else { link.sids };
                let ack = json!({"id": command["id"], "type": "subscribed", "msg": {"channel": channel, "sid": sid}});
                link.queue.push_back((ack.to_string(), Told::Other));
                if channel == "trade" {
                    link.trades = 1;
                } else {
                    link.books = Some((sid, 0));
                    markets.iter().for_each(|market| self.snapshot(at, *market));
                }
            }
            (Some("update_subscription"), _) => markets.iter().for_each(|market| self.snapshot(at, *market)),
            _ => {}
        }
    }

    fn snapshot(&mut self, at: usize, market: usize) {
        let changes = self.truth[market].len() - 1;
        let side = |bid: bool| -> Vec<_> {
            let book = self.truth[market][changes].iter().filter(|((side, _), _)| *side == bid);
            book.map(|((_, cents), size)| json!([level(*cents).to_string(), format!("{size}.00")])).collect()
        };
        let link = &mut self.links[at];
        let Some((sid, seq)) = &mut link.books else { return };
        *seq += 1;
        let text = json!({"type": "orderbook_snapshot", "sid": sid, "seq": seq, "msg": {
            "market_ticker": TICKERS[market], "clock": self.clocks[market],
            "yes_dollars_fp": side(true), "no_dollars_fp": side(false)}});
        link.queue.push_back((text.to_string(), Told::Book { market, changes, snapshot: true }));
    }

    fn check(&self) {
        for market in 0..TICKERS.len() {
            let stands = self.links.iter().any(|link| link.whole[market].is_some());
            assert_eq!(self.fresh[market], stands, "market {market} is fresh where a connection lost nothing of it");
            let truth = &self.truth[market][self.front[market]];
            assert!(!stands || self.book[market] == *truth, "market {market}: {:?}, not {truth:?}", self.book[market]);
        }
        let counts = self.bench.protocol.counts();
        assert_eq!((counts.accounted(), counts.unparsed), (counts.frames, 0));
    }
}

fn moves() -> impl Strategy<Value = Move> {
    let change = (0..3_usize, any::<bool>(), 1..4_u16, 0..3_i64);
    let link = 0..2_usize;
    prop_oneof![
        10 => prop::collection::vec(change, 1..5).prop_map(Move::Act),
        3 => Just(Move::Trade),
        20 => (link.clone(), 1..6_usize).prop_map(|(link, frames)| Move::Deliver(link, frames)),
        2 => link.clone().prop_map(Move::Lose),
        4 => link.clone().prop_map(Move::Open),
        1 => link.clone().prop_map(Move::Drop),
        1 => link.prop_map(Move::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_merged_book_is_the_true_one_and_fresh_while_one_connection_lost_nothing(
        row in prop::collection::vec(moves(), 1..120),
    ) {
        let mut world = World::new();
        world.make(&Move::Open(0));
        row.iter().for_each(|one| world.make(one));
    }

    /// The second socket is slower here, so that nothing may differ.
    #[test]
    fn a_second_connection_adds_no_change_and_no_trade(
        row in prop::collection::vec(moves(), 1..120),
        lag in 0..7_usize,
    ) {
        let (mut one, mut two) = (World::new(), World::new());
        one.make(&Move::Open(0));
        two.make(&Move::Open(0));
        two.make(&Move::Open(1));
        for step in row.iter().filter(|step| matches!(step, Move::Act(_) | Move::Trade)) {
            for world in [&mut one, &mut two] {
                world.make(step);
                world.make(&Move::Deliver(0, 100));
            }
            two.make(&Move::Deliver(1, lag));
        }
        prop_assert_eq!(one.applied, two.applied);
    }
}

const M0: MarketId = MarketId(0);

fn snapshot(seq: u64, clock: i64) -> String {
    format!(
        r#"{{"type":"orderbook_snapshot","sid":1,"seq":{seq},"msg":{{"market_ticker":"{}","market_id":"","clock":{clock}}}}}"#,
        TICKERS[0]
    )
}

fn delta(seq: u64, clock: i64) -> String {
    format!(
        r#"{{"type":"orderbook_delta","sid":1,"seq":{seq},"msg":{{"market_ticker":"{}","market_id":"","clock":{clock},"price_dollars":"0.4700","delta_fp":"1.00","side":"yes"}}}}"#,
        TICKERS[0]
    )
}

/// Two connections, 1 and 2, that somebody else subscribed.
fn two() -> Bench {
    let mut bench = Bench::new(&TICKERS, 60);
    for connection in [1, 2] {
        bench.apply(&Input::Connected { connection, use_yes_price: true, observed: true, private: false });
    }
    bench
}

fn on(bench: &mut Bench, connection: u32, text: &str) -> Body {
    bench.apply(&Input::Frame { connection, text: text.as_bytes() })
}

fn applies(bench: &mut Bench, connection: u32, text: &str) -> bool {
    let body = on(bench, connection, text);
    assert!(!matches!(body, Body::Unparsed(_)), "{body:?}");
    body != Body::Quiet
}

#[test]
fn a_switch_inside_a_clock_goes_on_with_the_next_change_of_it() {
    let mut bench = two();
    assert!(applies(&mut bench, 1, &snapshot(1, 10)) && !applies(&mut bench, 2, &snapshot(1, 10)));
    let first = [applies(&mut bench, 1, &delta(2, 12)), applies(&mut bench, 1, &delta(3, 12))];
    let gone = Input::Disconnected { connection: 1, reason: String::new() };
    assert_eq!((first, bench.apply(&gone)), ([true, true], Body::Quiet));
    let rest = [2, 3, 4].map(|seq| applies(&mut bench, 2, &delta(seq, 12)));
    assert_eq!(rest, [false, false, true]);
}

#[test]
fn a_snapshot_in_an_unfinished_clock_is_ahead_of_it() {
    let mut bench = two();
    on(&mut bench, 1, &snapshot(1, 10));
    on(&mut bench, 1, &delta(2, 12));
    assert!(applies(&mut bench, 2, &snapshot(1, 12)), "it holds all of the clock");
    assert!(!applies(&mut bench, 1, &delta(3, 12)), "and this with it");
    let gone = Input::Disconnected { connection: 1, reason: String::new() };
    assert_eq!(bench.apply(&gone), Body::Quiet);
    assert!(applies(&mut bench, 2, &delta(2, 13)));
}

#[test]
fn after_a_clock_was_set_back_places_from_before_count_no_more() {
    let mut bench = two();
    on(&mut bench, 1, &snapshot(1, 1_000));
    on(&mut bench, 2, &snapshot(1, 1_000));
    assert!(applies(&mut bench, 1, &delta(2, 5)), "the connection that is ahead goes on");
    assert!(!applies(&mut bench, 2, &delta(2, 5)), "the other one begins anew");
    assert!(applies(&mut bench, 2, &snapshot(3, 6)));
    assert!(!applies(&mut bench, 1, &delta(3, 6)) && applies(&mut bench, 2, &delta(4, 7)));
}

#[test]
fn a_book_does_not_wait_for_a_clock_that_was_set_back_on_a_new_connection() {
    let mut bench = two();
    on(&mut bench, 1, &snapshot(1, 1_000));
    on(&mut bench, 2, &snapshot(1, 5));
    bench.apply(&Input::Disconnected { connection: 1, reason: String::new() });
    assert!(!applies(&mut bench, 2, &delta(2, 6)), "it may be behind, which shows in seconds");
    bench.at = Timestamp(21_000_000_000);
    let stale = Body::Stale { markets: vec![M0], reason: StaleReason::Gap };
    assert_eq!(on(&mut bench, 2, &delta(3, 7)), stale);
    assert!(applies(&mut bench, 2, &snapshot(4, 8)) && applies(&mut bench, 2, &delta(5, 9)));
}

#[test]
fn a_quiet_market_keeps_both_connections() {
    let mut bench = two();
    on(&mut bench, 1, &snapshot(1, 10));
    bench.at = Timestamp(600_000_000_000);
    assert!(!applies(&mut bench, 2, &snapshot(1, 10)), "the same");
    let gone = Input::Disconnected { connection: 2, reason: String::new() };
    assert_eq!(bench.apply(&gone), Body::Quiet);
    assert!(applies(&mut bench, 1, &delta(2, 11)));
}

#[test]
fn without_clocks_another_connection_takes_over_by_a_snapshot_alone() {
    let mut bench = two();
    let plain = |text: String| {
        let clock = text.find(r#","clock":"#).expect("a clock");
        let end = clock + 9 + text[clock + 9..].find([',', '}']).expect("its end");
        format!("{}{}", &text[..clock], &text[end..])
    };
    assert!(applies(&mut bench, 1, &plain(snapshot(1, 0))) && !applies(&mut bench, 2, &plain(delta(1, 0))));
    assert!(applies(&mut bench, 1, &plain(delta(2, 0))) && applies(&mut bench, 2, &plain(snapshot(2, 0))));
    assert!(!applies(&mut bench, 1, &plain(delta(3, 0))) && applies(&mut bench, 2, &plain(delta(3, 0))));
    let gone = |connection| Input::Disconnected { connection, reason: String::new() };
    assert_eq!(bench.apply(&gone(1)), Body::Quiet);
    assert!(matches!(bench.apply(&gone(2)), Body::Stale { .. }));
}

#[test]
fn a_group_that_is_triggered_once_is_told_once_and_an_old_ticker_not_at_all() {
    let mut bench = two();
    let order = r#"{"type":"user_order","sid":5,"msg":{"order_id":"o1","ticker":"KXHIGHCHI-26NOV23-B33.5","status":"resting","outcome_side":"yes","book_side":"bid","yes_price_dollars":"0.3500","fill_count_fp":"0.00","remaining_count_fp":"10.00","initial_count_fp":"10.00","client_order_id":"r1-1","order_group_id":"g1"}}"#;
    assert!(applies(&mut bench, 1, order));
    let group = |word: &str| {
        format!(r#"{{"type":"order_group_updates","sid":6,"msg":{{"event_type":"{word}","order_group_id":"g1"}}}}"#)
    };
    for word in ["triggered", "reset"] {
        assert!(matches!(on(&mut bench, 1, &group(word)), Body::Group { .. }), "{word}");
    }
    for word in ["triggered", "reset"] {
        assert!(!applies(&mut bench, 2, &group(word)), "{word} is told already");
    }
    let ticker = |time: i64| {
        format!(
            r#"{{"type":"ticker","sid":7,"msg":{{"market_ticker":"{}","yes_bid_dollars":"0.4500","yes_ask_dollars":"0.5300","ts_ms":{time}}}}}"#,
            TICKERS[0]
        )
    };
    let told = [(1, 5), (1, 7), (2, 5), (2, 7), (2, 8), (1, 8), (1, 9)];
    let news = told.map(|(connection, time)| applies(&mut bench, connection, &ticker(time)));
    assert_eq!(news, [true, true, false, false, true, false, true]);
    assert_eq!(bench.protocol.counts().seen, 5);
}
