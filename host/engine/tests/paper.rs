//! The paper exchange under random streams of orders and market events, and against a true queue.

use isobar_engine::book::Book;
use isobar_engine::event::{CancelReason, Level, Trade};
use isobar_engine::market::{FeeSchedule, Ladder, MarketId};
use isobar_engine::order::{NewOrder, OrderEvent, OrderId};
use isobar_engine::paper::{Paper, PaperSettings, QueueRule};
use isobar_engine::units::{Price, Quantity, Side, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;

const LATENCY: i64 = 5;
const FEES: FeeSchedule = FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 };

#[derive(Clone, Copy, Debug)]
enum Step {
    Place { market: u16, side: Side, price: u16, quantity: u64, take: bool },
    Cancel { order: u64 },
    Reduce { order: u64, to: u64 },
    Show { market: u16, side: Side, price: u16, quantity: u64 },
    Trade { market: u16, taker: Side, price: u16, quantity: u64 },
    Wait(i64),
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Bid), Just(Side::Ask)]
}

/// Seven prices only, so that quotes, levels and trades meet.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let price = 40u16..47;
    let step = prop_oneof![
        3 => (0u16..2, side(), price.clone(), 1u64..20, any::<bool>())
            .prop_map(|(market, side, price, quantity, take)| Step::Place { market, side, price, quantity, take }),
        1 => (1u64..20).prop_map(|order| Step::Cancel { order }),
        1 => (1u64..20, 0u64..10).prop_map(|(order, to)| Step::Reduce { order, to }),
        5 => (0u16..2, side(), price.clone(), 0u64..20)
            .prop_map(|(market, side, price, quantity)| Step::Show { market, side, price, quantity }),
        4 => (0u16..2, side(), price, 1u64..20)
            .prop_map(|(market, taker, price, quantity)| Step::Trade { market, taker, price, quantity }),
        2 => (0i64..8).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..120)
}

fn rule() -> impl Strategy<Value = QueueRule> {
    prop_oneof![Just(QueueRule::Never), Just(QueueRule::CapAtDisplayed)]
}

fn cents(cents: u16) -> Price {
    Price::from_cents(cents).expect("a price")
}

/// Whether an order of `side` at `limit` is good for something at `price`.
fn good(side: Side, limit: Price, price: Price) -> bool {
    if side == Side::Bid { price <= limit } else { price >= limit }
}

struct World {
    paper: Paper,
    books: Vec<Book>,
    now: Timestamp,
    orders: BTreeMap<OrderId, (NewOrder, Timestamp)>,
    filled: BTreeMap<OrderId, Quantity>,
    cancelled: BTreeMap<OrderId, Quantity>,
    reduced: Vec<OrderId>,
    /// Everything that the venue ever added to a level.
    offered: BTreeMap<(MarketId, Side, Price), Quantity>,
    consumed: BTreeMap<(MarketId, Side), Quantity>,
    taken: BTreeMap<(MarketId, Side, Price), Quantity>,
    log: Vec<OrderEvent>,
}

impl World {
    fn new(queue: QueueRule) -> Self {
        let mut book = Book::new(Ladder::cents());
        book.replace(Timestamp(0), &[], &[]);
        Self {
            paper: Paper::new(PaperSettings { latency: LATENCY, queue }),
            books: vec![book.clone(), book],
            now: Timestamp(0),
            orders: BTreeMap::new(),
            filled: BTreeMap::new(),
            cancelled: BTreeMap::new(),
            reduced: Vec::new(),
            offered: BTreeMap::new(),
            consumed: BTreeMap::new(),
            taken: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    fn step(&mut self, step: Step) {
        let mut out = Vec::new();
        match step {
            Step::Place { market, side, price, quantity, take } => {
                let id = OrderId(self.orders.len() as u64 + 1);
                let (market, price, quantity) = (MarketId(market), cents(price), Quantity::new(quantity));
                let order = NewOrder { id, decision: 1, market, side, price, quantity, take, fees: FEES };
                self.paper.place(order, self.now);
                self.orders.insert(id, (order, self.now));
            }
            Step::Cancel { order } => self.paper.cancel(OrderId(order), self.now, CancelReason::Undesired),
            Step::Reduce { order, to } => {
                self.paper.reduce(OrderId(order), Quantity::new(to), self.now);
                self.reduced.push(OrderId(order));
            }
            Step::Show { market, side, price, quantity } => {
                let (market, price) = (MarketId(market), cents(price));
                let book = &mut self.books[market.index()];
                let change = Quantity::new(quantity).signed() - book.size(side, price).signed();
                book.change(self.now, side, price, change);
                *self.offered.entry((market, side, price)).or_default() += Quantity::new(change.max(0).unsigned_abs());
                self.paper.on_book(market, &self.books[market.index()], &mut out);
                self.check_crossing(market, &out);
            }
            Step::Trade { market, taker, price, quantity } => {
                let trade =
                    Trade { market: MarketId(market), price: cents(price), quantity: Quantity::new(quantity), taker };
                self.paper.on_trade(&trade, &mut out);
                check_trade(&trade, &out);
            }
            Step::Wait(nanos) => {
                self.now = self.now.plus(nanos);
                self.paper.advance(self.now, &self.books, &mut out);
                self.check_takes(&out);
            }
        }
        for event in &out {
            self.check(event);
        }
        self.log.extend(out);
    }

    /// What holds of every event, whatever caused it.
    fn check(&mut self, event: &OrderEvent) {
        match *event {
            OrderEvent::Filled { order, market, side, price, quantity, taker, .. } => {
                let (sent, at) = self.orders[&order];
                assert_eq!((market, side, taker), (sent.market, sent.side, sent.take));
                assert!(!quantity.is_zero() && self.now.since(at) >= LATENCY, "a fill before the order could arrive");
                assert!(if taker { good(side, sent.price, price) } else { price == sent.price });
                *self.filled.entry(order).or_default() += quantity;
            }
            OrderEvent::Cancelled { order, remaining, .. } => {
                assert!(self.cancelled.insert(order, remaining).is_none(), "over twice");
            }
        }
        for (id, (sent, _)) in &self.orders {
            let ended = [&self.filled, &self.cancelled].map(|map| map.get(id).copied().unwrap_or_default());
            assert!(ended[0] + ended[1] <= sent.quantity);
        }
    }

    /// Maker fills after a change of the book stay within what the other side shows at or through their price, and all
    /// use of a side stays within what the venue ever added to it.
    fn check_crossing(&mut self, market: MarketId, out: &[OrderEvent]) {
        for side in [Side::Bid, Side::Ask] {
            let fills = fills(out).filter(|fill| fill.side == side).collect::<Vec<_>>();
            let Some(worst) = fills.iter().map(|fill| fill.price).reduce(|a, b| if good(side, a, b) { a } else { b })
            else {
                continue;
            };
            assert!(!self.books[market.index()].is_crossed());
            let total: Quantity = fills.iter().map(|fill| fill.quantity).sum();
            let levels = self.books[market.index()].levels(side.opposite());
            assert!(total <= levels.filter(|l| good(side, worst, l.price)).map(|l| l.quantity).sum());
            self.consume(market, side.opposite(), total);
        }
    }

    /// Taker fills stay within the depth displayed now, and over time within what was ever added to the level.
    fn check_takes(&mut self, out: &[OrderEvent]) {
        let mut now = BTreeMap::new();
        for fill in fills(out) {
            let key = (fill.market, fill.side.opposite(), fill.price);
            for sum in [now.entry(key).or_insert(Quantity::ZERO), self.taken.entry(key).or_default()] {
                *sum += fill.quantity;
            }
            assert!(now[&key] <= self.books[fill.market.index()].size(key.1, key.2));
            assert!(self.taken[&key] <= self.offered[&key]);
            self.consume(fill.market, key.1, fill.quantity);
        }
    }

    fn consume(&mut self, market: MarketId, side: Side, quantity: Quantity) {
        *self.consumed.entry((market, side)).or_default() += quantity;
        let offered = self.offered.iter().filter(|(key, _)| (key.0, key.1) == (market, side));
        assert!(self.consumed[&(market, side)] <= offered.map(|(_, quantity)| *quantity).sum());
    }
}

struct Fill {
    market: MarketId,
    side: Side,
    price: Price,
    quantity: Quantity,
}

fn fills(out: &[OrderEvent]) -> impl Iterator<Item = Fill> {
    out.iter().filter_map(|event| match *event {
        OrderEvent::Filled { market, side, price, quantity, .. } => Some(Fill { market, side, price, quantity }),
        OrderEvent::Cancelled { .. } => None,
    })
}

fn check_trade(trade: &Trade, out: &[OrderEvent]) {
    let side = trade.taker.opposite();
    for fill in fills(out) {
        assert!(fill.market == trade.market && fill.side == side && good(side, fill.price, trade.price));
    }
    assert!(fills(out).map(|fill| fill.quantity).sum::<Quantity>() <= trade.quantity);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn fills_stay_within_what_the_market_offered_and_every_order_ends_once(steps in steps(), rule in rule()) {
        let mut world = World::new(rule);
        steps.iter().for_each(|step| world.step(*step));
        world.step(Step::Wait(LATENCY));
        let mut out = Vec::new();
        for market in [MarketId(0), MarketId(1)] {
            world.paper.close_market(market, CancelReason::MarketClosed, &mut out);
        }
        out.iter().for_each(|event| world.check(event));
        prop_assert_eq!((world.paper.open_orders(), world.paper.next_due()), (0, None));
        for (id, (sent, _)) in &world.orders {
            let ended = [&world.filled, &world.cancelled].map(|map| map.get(id).copied().unwrap_or_default());
            let whole = ended[0] + ended[1] == sent.quantity;
            prop_assert!(whole || world.reduced.contains(id), "{:?} ended as {:?}", sent, ended);
        }
    }

    #[test]
    fn the_same_stream_gives_the_same_fills_also_when_written_down_in_between(steps in steps(), rule in rule()) {
        let (mut one, mut other) = (World::new(rule), World::new(rule));
        for step in steps {
            one.step(step);
            let bytes = postcard::to_stdvec(&other.paper).expect("plain state can be written");
            other.paper = postcard::from_bytes(&bytes).expect("what was written can be read");
            other.step(step);
        }
        prop_assert_eq!(one.log, other.log);
        prop_assert_eq!(one.paper, other.paper);
    }
}

/// What happens in a true queue that holds our quote.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Join(u64),
    CancelAhead(u64),
    CancelBehind(u64),
    Trade(u64),
}

/// What the venue tells of it. Changes and trades keep their own order, but one may lag behind the other.
#[derive(Clone, Copy, Debug)]
enum Told {
    Change(i64),
    Trade(u64),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Every happening is told as a change of the level, a trade as a trade too, the two streams shuffled. However late
    /// either is, the quote never has more than it would have had in the true queue.
    #[test]
    fn a_paper_quote_never_has_more_than_in_a_true_queue(
        start in 0u64..30,
        ours in 1u64..20,
        happenings in prop::collection::vec(prop_oneof![
            2 => (1u64..10).prop_map(Happening::Join),
            1 => (1u64..10).prop_map(Happening::CancelAhead),
            1 => (1u64..10).prop_map(Happening::CancelBehind),
            3 => (1u64..12).prop_map(Happening::Trade),
        ], 1..40),
        shuffle in prop::collection::vec(any::<bool>(), 80),
        rule in rule(),
    ) {
        let (mut ahead, mut behind, mut truly) = (start, 0, 0);
        let (mut changes, mut trades) = (Vec::new(), Vec::new());
        for happening in happenings {
            match happening {
                Happening::Join(size) => {
                    behind += size;
                    changes.push(Told::Change(size as i64));
                }
                Happening::CancelAhead(size) => {
                    let size = size.min(ahead);
                    ahead -= size;
                    changes.push(Told::Change(-(size as i64)));
                }
                Happening::CancelBehind(size) => {
                    let size = size.min(behind);
                    behind -= size;
                    changes.push(Told::Change(-(size as i64)));
                }
                Happening::Trade(size) => {
                    let size = size.min(ahead + behind);
                    let past = size.saturating_sub(ahead);
                    ahead -= size - past;
                    behind -= past;
                    truly += past;
                    changes.push(Told::Change(-(size as i64)));
                    trades.push(Told::Trade(size));
                }
            }
        }
        let price = cents(40);
        let mut book = Book::new(Ladder::cents());
        book.replace(Timestamp(0), &[Level { price, quantity: Quantity::new(start) }], &[]);
        let mut books = vec![book];
        let mut paper = Paper::new(PaperSettings { latency: 0, queue: rule });
        let (id, market, quantity) = (OrderId(1), MarketId(0), Quantity::new(ours));
        let order = NewOrder { id, decision: 1, market, side: Side::Bid, price, quantity, take: false, fees: FEES };
        paper.place(order, Timestamp(0));
        let mut out = Vec::new();
        paper.advance(Timestamp(0), &books, &mut out);
        let (mut changes, mut trades) = (changes.into_iter().peekable(), trades.into_iter().peekable());
        let mut first = shuffle.into_iter().cycle();
        while changes.peek().is_some() || trades.peek().is_some() {
            let change = first.next().expect("endless");
            let told = if change { changes.next().or_else(|| trades.next()) } else { trades.next().or_else(|| changes.next()) };
            match told.expect("one of them has more") {
                Told::Change(change) => {
                    books[0].change(Timestamp(0), Side::Bid, price, change);
                    paper.on_book(market, &books[0], &mut out);
                }
                Told::Trade(size) => {
                    let trade = Trade { market, price, quantity: Quantity::new(size), taker: Side::Ask };
                    paper.on_trade(&trade, &mut out);
                }
            }
        }
        prop_assert!(books[0].is_live());
        let filled: Quantity = fills(&out).map(|fill| fill.quantity).sum();
        prop_assert!(filled <= Quantity::new(truly.min(ours)), "{} on paper, {} in truth", filled, truly);
    }
}
