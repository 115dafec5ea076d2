//! Each way a paper order can and cannot fill, computed by hand.

use super::*;
use crate::event::{Level, StaleReason};
use crate::market::{FeeSchedule, Ladder};
use Side::{Ask, Bid};

const MARKET: MarketId = MarketId(0);
const LATENCY: i64 = 100;

/// One market with bids 40 and 39 and asks 45 and 46, ten contracts each, and an exchange on it.
struct Floor {
    paper: Paper,
    books: Vec<Book>,
    now: Timestamp,
    placed: u64,
    maker_ppm: u32,
    out: Vec<OrderEvent>,
}

fn cents(cents: u16) -> Price {
    Price::from_cents(cents).expect("a price")
}

fn level(price: u16, contracts: u32) -> Level {
    Level { price: cents(price), quantity: Quantity::contracts(contracts) }
}

impl Floor {
    fn with(queue: QueueRule) -> Self {
        let mut book = Book::new(Ladder::cents());
        book.replace(Timestamp(0), &[level(40, 10), level(39, 10)], &[level(45, 10), level(46, 10)]);
        let paper = Paper::new(PaperSettings { latency: LATENCY, queue });
        Self { paper, books: vec![book], now: Timestamp(0), placed: 0, maker_ppm: 0, out: Vec::new() }
    }

    fn new() -> Self {
        Self::with(QueueRule::Never)
    }

    fn send(&mut self, side: Side, price: u16, contracts: u32, take: bool) -> OrderId {
        self.placed += 1;
        let id = OrderId(self.placed);
        let fees = FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: self.maker_ppm };
        let (price, quantity) = (cents(price), Quantity::contracts(contracts));
        let order = NewOrder { id, decision: 1, market: MARKET, side, price, quantity, take, fees };
        self.paper.place(order, self.now);
        id
    }

    /// Sends a quote and waits until it rests.
    fn quote(&mut self, side: Side, price: u16, contracts: u32) -> OrderId {
        let id = self.send(side, price, contracts, false);
        assert_eq!(self.wait(LATENCY), [""; 0]);
        id
    }

    /// Sends a take and waits for what comes of it.
    fn take(&mut self, side: Side, price: u16, contracts: u32) -> Vec<String> {
        self.send(side, price, contracts, true);
        self.wait(LATENCY)
    }

    fn wait(&mut self, nanos: i64) -> Vec<String> {
        self.now = self.now.plus(nanos);
        self.paper.advance(self.now, &self.books, &mut self.out);
        self.told()
    }

    fn trade(&mut self, taker: Side, price: u16, contracts: u32) -> Vec<String> {
        let trade = Trade { market: MARKET, price: cents(price), quantity: Quantity::contracts(contracts), taker };
        self.paper.on_trade(&trade, &mut self.out);
        self.told()
    }

    /// Sets the size displayed at a price.
    fn show(&mut self, side: Side, price: u16, contracts: u32) -> Vec<String> {
        let old = self.books[0].size(side, cents(price)).signed();
        self.books[0].change(self.now, side, cents(price), i64::from(contracts) * 100 - old);
        self.paper.on_book(MARKET, &self.books[0], &mut self.out);
        self.told()
    }

    fn told(&mut self) -> Vec<String> {
        let tell = |event| match event {
            OrderEvent::Filled { order, price, quantity, taker, .. } => {
                format!("{} {} {quantity} @ {price}", order.0, if taker { "took" } else { "made" })
            }
            OrderEvent::Cancelled { order, remaining, reason, .. } => format!("{} {reason:?} {remaining}", order.0),
        };
        self.out.drain(..).map(tell).collect()
    }

    fn remaining(&self) -> Vec<(u64, String)> {
        self.paper.open(MARKET).map(|order| (order.id.0, order.remaining.to_string())).collect()
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_quote_fills_from_trades_at_its_price_after_the_queue_ahead_is_used_up() {
    let mut floor = Floor::new();
    floor.quote(Bid, 40, 5);
    assert_eq!(floor.trade(Ask, 40, 6), NOTHING, "six of ten ahead");
    assert_eq!(floor.trade(Ask, 40, 6), ["1 made 2.00 @ 0.4000"], "four ahead, two past them");
    assert_eq!(floor.trade(Ask, 40, 6), ["1 made 3.00 @ 0.4000"]);
    assert_eq!(floor.paper.open_orders(), 0);
    assert_eq!(floor.trade(Ask, 40, 6), NOTHING, "over");
}

#[test]
fn an_ask_fills_as_the_mirror_image_of_a_bid() {
    let mut floor = Floor::new();
    floor.quote(Ask, 45, 5);
    assert_eq!(floor.trade(Bid, 45, 10), NOTHING);
    assert_eq!(floor.trade(Bid, 45, 2), ["1 made 2.00 @ 0.4500"]);
    assert_eq!(floor.trade(Bid, 46, 1), ["1 made 1.00 @ 0.4500"]);
    assert_eq!(floor.show(Bid, 45, 1), NOTHING, "crossed with the ask of ten");
    assert_eq!(floor.show(Ask, 45, 0), ["1 made 1.00 @ 0.4500"]);
}

#[test]
fn a_quote_alone_at_its_price_has_nobody_ahead() {
    let mut floor = Floor::new();
    floor.quote(Bid, 41, 5);
    assert_eq!(floor.trade(Ask, 41, 1), ["1 made 1.00 @ 0.4100"]);
}

#[test]
fn those_who_come_later_are_behind() {
    let mut floor = Floor::new();
    floor.quote(Bid, 40, 5);
    assert_eq!(floor.show(Bid, 40, 30), NOTHING);
    assert_eq!(floor.trade(Ask, 40, 12), ["1 made 2.00 @ 0.4000"]);
}

#[test]
fn a_trade_through_the_price_fills_whatever_was_ahead() {
    let mut floor = Floor::new();
    floor.quote(Bid, 40, 5);
    assert_eq!(floor.trade(Ask, 39, 3), ["1 made 3.00 @ 0.4000"]);
    assert_eq!(floor.trade(Ask, 40, 1), ["1 made 1.00 @ 0.4000"], "nobody is ahead any more");
}

#[test]
fn a_trade_on_the_other_side_or_at_a_worse_price_fills_nothing() {
    let mut floor = Floor::new();
    floor.quote(Bid, 41, 5);
    assert_eq!(floor.trade(Bid, 41, 50), NOTHING, "the taker bought: it was an ask that filled");
    assert_eq!(floor.trade(Ask, 42, 50), NOTHING, "a better bid was hit");
    assert_eq!(floor.trade(Bid, 40, 50), NOTHING);
}

#[test]
fn a_trade_in_another_market_fills_nothing() {
    let mut floor = Floor::new();
    floor.quote(Bid, 41, 5);
    let trade = Trade { market: MarketId(1), price: cents(41), quantity: Quantity::contracts(9), taker: Ask };
    floor.paper.on_trade(&trade, &mut floor.out);
    assert_eq!(floor.told(), NOTHING);
}

#[test]
fn own_quotes_share_a_trade_best_price_first_then_first_come() {
    let mut floor = Floor::new();
    floor.quote(Bid, 41, 3);
    floor.quote(Bid, 42, 4);
    floor.quote(Bid, 41, 5);
    assert_eq!(floor.trade(Ask, 41, 9), ["2 made 4.00 @ 0.4200", "1 made 3.00 @ 0.4100", "3 made 2.00 @ 0.4100"]);
}

#[test]
fn volume_that_own_quotes_took_does_not_move_the_queue_of_the_next() {
    let mut floor = Floor::new();
    floor.quote(Bid, 40, 5);
    floor.show(Bid, 40, 25);
    floor.quote(Bid, 40, 5);
    // Ten strangers, the first five, fifteen strangers, the second five: 30 reach exactly the end of the strangers.
    assert_eq!(floor.trade(Ask, 40, 30), ["1 made 5.00 @ 0.4000"]);
    assert_eq!(floor.trade(Ask, 40, 2), ["2 made 2.00 @ 0.4000"]);
}

#[test]
fn a_shrinking_level_does_not_move_the_queue_by_default() {
    let mut floor = Floor::new();
    floor.quote(Bid, 40, 5);
    assert_eq!(floor.show(Bid, 40, 1), NOTHING);
    assert_eq!(floor.trade(Ask, 40, 10), NOTHING);
    assert_eq!(floor.trade(Ask, 40, 1), ["1 made 1.00 @ 0.4000"]);
}

#[test]
fn under_the_cap_nobody_is_ahead_who_is_not_displayed() {
    let mut floor = Floor::with(QueueRule::CapAtDisplayed);
    floor.quote(Bid, 40, 5);
    floor.show(Bid, 40, 3);
    floor.show(Bid, 40, 20);
    // The seven that left may still be announced as a trade: the first seven traded are taken for that one.
    assert_eq!(floor.trade(Ask, 40, 7), NOTHING);
    assert_eq!(floor.trade(Ask, 40, 4), ["1 made 1.00 @ 0.4000"], "three ahead at most");
}

#[test]
fn the_place_of_a_quote_is_told_by_the_rule_that_fills_it() {
    let ahead = |floor: &Floor| floor.paper.open(MARKET).next().expect("a quote").ahead;
    for (rule, after) in [(QueueRule::Never, 10), (QueueRule::CapAtDisplayed, 3)] {
        let mut floor = Floor::with(rule);
        floor.send(Bid, 40, 5, false);
        assert_eq!(ahead(&floor), None, "on its way");
        floor.wait(LATENCY);
        assert_eq!(ahead(&floor), Some(Quantity::contracts(10)));
        floor.show(Bid, 40, 3);
        assert_eq!(ahead(&floor), Some(Quantity::contracts(after)), "{rule:?}");
        floor.show(Bid, 40, 20);
        assert_eq!(ahead(&floor), Some(Quantity::contracts(after)), "{rule:?}: those who come are behind");
    }
}

#[test]
fn under_the_cap_a_trade_announced_after_its_change_is_not_counted_twice() {
    let mut floor = Floor::with(QueueRule::CapAtDisplayed);
    floor.quote(Bid, 40, 5);
    floor.show(Bid, 40, 4);
    assert_eq!(floor.trade(Ask, 40, 6), NOTHING, "the six that the level just lost; four are ahead");
    assert_eq!(floor.trade(Ask, 40, 5), ["1 made 1.00 @ 0.4000"]);
}

#[test]
fn an_opposite_quote_at_or_through_the_price_fills_up_to_its_size_at_our_price() {
    let mut floor = Floor::new();
    floor.quote(Bid, 42, 8);
    assert_eq!(floor.show(Ask, 42, 3), ["1 made 3.00 @ 0.4200"]);
    assert_eq!(floor.show(Ask, 41, 2), ["1 made 2.00 @ 0.4200"], "the level at 42 is used up");
}

#[test]
fn displayed_size_is_used_once_until_the_venue_shows_more() {
    let mut floor = Floor::new();
    floor.quote(Bid, 42, 20);
    assert_eq!(floor.show(Ask, 42, 4), ["1 made 4.00 @ 0.4200"]);
    assert_eq!(floor.show(Ask, 43, 9), NOTHING, "another level, out of reach");
    assert_eq!(floor.show(Ask, 42, 3), NOTHING, "shrunk: what is shown is still what was used");
    assert_eq!(floor.show(Ask, 42, 5), ["1 made 2.00 @ 0.4200"], "two more than the three that were used");
    assert_eq!(floor.show(Ask, 42, 0), NOTHING);
    assert_eq!(floor.show(Ask, 42, 5), ["1 made 5.00 @ 0.4200"], "a new level");
}

#[test]
fn own_quotes_share_an_opposite_quote_best_price_first() {
    let mut floor = Floor::new();
    floor.quote(Bid, 42, 3);
    floor.quote(Bid, 43, 3);
    assert_eq!(floor.show(Ask, 42, 5), ["2 made 3.00 @ 0.4300", "1 made 2.00 @ 0.4200"]);
}

#[test]
fn a_crossed_book_fills_nothing_until_it_uncrosses() {
    let mut floor = Floor::new();
    floor.quote(Bid, 40, 5);
    assert_eq!(floor.show(Ask, 40, 2), NOTHING, "the bids of ten still stand against it");
    assert_eq!(floor.show(Bid, 40, 0), ["1 made 2.00 @ 0.4000"]);
}

#[test]
fn a_stale_book_fills_nothing_and_a_snapshot_that_reaches_the_quote_does() {
    let mut floor = Floor::new();
    floor.quote(Bid, 42, 5);
    floor.books[0].distrust(StaleReason::Gap);
    assert_eq!(floor.show(Ask, 42, 5), NOTHING);
    floor.books[0].replace(floor.now, &[level(40, 10)], &[level(42, 1)]);
    floor.paper.on_book(MARKET, &floor.books[0], &mut floor.out);
    assert_eq!(floor.told(), ["1 made 1.00 @ 0.4200"]);
}

#[test]
fn nothing_fills_before_the_latency_has_passed() {
    let mut floor = Floor::new();
    floor.send(Bid, 41, 5, false);
    assert_eq!(floor.wait(LATENCY - 1), NOTHING);
    assert_eq!(floor.trade(Ask, 41, 50), NOTHING, "not there yet");
    assert_eq!(floor.paper.next_due(), Some(Timestamp(LATENCY)));
    assert_eq!(floor.wait(1), NOTHING);
    assert_eq!(floor.trade(Ask, 41, 50), ["1 made 5.00 @ 0.4100"]);
    assert_eq!(floor.paper.next_due(), None);
}

#[test]
fn the_queue_is_what_is_displayed_on_arrival_and_not_when_sent() {
    let mut floor = Floor::new();
    floor.send(Bid, 40, 5, false);
    floor.show(Bid, 40, 2);
    floor.wait(LATENCY);
    assert_eq!(floor.trade(Ask, 40, 3), ["1 made 1.00 @ 0.4000"]);
}

#[test]
fn a_quote_that_would_cross_on_arrival_is_cancelled() {
    let mut floor = Floor::new();
    floor.send(Bid, 44, 5, false);
    floor.show(Ask, 44, 1);
    assert_eq!(floor.wait(LATENCY), ["1 PostOnly 5.00"]);
}

#[test]
fn a_quote_that_arrives_at_a_stale_book_is_cancelled() {
    let mut floor = Floor::new();
    floor.send(Bid, 41, 5, false);
    floor.books[0].distrust(StaleReason::Gap);
    assert_eq!(floor.wait(LATENCY), ["1 Stale 5.00"]);
}

#[test]
fn a_take_walks_the_levels_within_its_limit_and_cancels_the_rest() {
    let mut floor = Floor::new();
    floor.show(Ask, 47, 10);
    assert_eq!(floor.take(Bid, 46, 25), ["1 took 10.00 @ 0.4500", "1 took 10.00 @ 0.4600", "1 Unfilled 5.00"]);
    assert_eq!(floor.take(Ask, 40, 4), ["2 took 4.00 @ 0.4000"]);
}

#[test]
fn a_take_meets_the_depth_that_exists_when_it_arrives() {
    let mut floor = Floor::new();
    floor.send(Bid, 45, 5, true);
    floor.show(Ask, 45, 2);
    assert_eq!(floor.wait(LATENCY), ["1 took 2.00 @ 0.4500", "1 Unfilled 3.00"]);
    floor.send(Bid, 45, 5, true);
    floor.show(Ask, 45, 0);
    assert_eq!(floor.wait(LATENCY), ["2 Unfilled 5.00"]);
}

#[test]
fn a_take_leaves_less_for_the_next_until_the_level_is_refreshed() {
    let mut floor = Floor::new();
    assert_eq!(floor.take(Bid, 45, 6), ["1 took 6.00 @ 0.4500"]);
    assert_eq!(floor.take(Bid, 45, 6), ["2 took 4.00 @ 0.4500", "2 Unfilled 2.00"]);
    assert_eq!(floor.show(Ask, 45, 11), NOTHING);
    assert_eq!(floor.take(Bid, 45, 6), ["3 took 1.00 @ 0.4500", "3 Unfilled 5.00"]);
}

#[test]
fn a_take_at_a_stale_or_crossed_book_is_cancelled() {
    let mut floor = Floor::new();
    floor.show(Bid, 45, 1);
    assert_eq!(floor.take(Bid, 45, 5), ["1 Stale 5.00"], "crossed");
    floor.show(Bid, 45, 0);
    floor.books[0].distrust(StaleReason::SilentConnection);
    assert_eq!(floor.take(Bid, 45, 5), ["2 Stale 5.00"]);
}

#[test]
fn a_cancelled_quote_may_fill_until_the_cancel_arrives() {
    let mut floor = Floor::new();
    let id = floor.quote(Bid, 41, 5);
    floor.paper.cancel(id, floor.now, CancelReason::Undesired);
    floor.paper.cancel(id, floor.now, CancelReason::Fault);
    assert_eq!(floor.wait(LATENCY - 1), NOTHING);
    assert_eq!(floor.trade(Ask, 41, 2), ["1 made 2.00 @ 0.4100"]);
    assert_eq!(floor.wait(1), ["1 Undesired 3.00"], "the first reason stands");
    assert_eq!(floor.trade(Ask, 41, 2), NOTHING);
}

#[test]
fn a_cancel_of_what_filled_in_the_meantime_is_silent() {
    let mut floor = Floor::new();
    let id = floor.quote(Bid, 41, 5);
    floor.paper.cancel(id, floor.now, CancelReason::Undesired);
    assert_eq!(floor.trade(Ask, 41, 5), ["1 made 5.00 @ 0.4100"]);
    assert_eq!(floor.wait(LATENCY), NOTHING);
}

#[test]
fn a_cancel_sent_before_arrival_takes_effect_after_it() {
    let mut floor = Floor::new();
    let id = floor.send(Bid, 45, 5, true);
    floor.paper.cancel(id, floor.now, CancelReason::Undesired);
    assert_eq!(floor.wait(LATENCY), ["1 took 5.00 @ 0.4500"], "too late");
}

#[test]
fn a_reduction_keeps_the_place_in_the_queue() {
    let mut floor = Floor::new();
    let id = floor.quote(Bid, 40, 5);
    floor.trade(Ask, 40, 9);
    floor.paper.reduce(id, Quantity::contracts(2), floor.now);
    assert_eq!(
        floor.paper.open(MARKET).map(|o| (o.remaining, o.staying)).collect::<Vec<_>>(),
        [(Quantity::contracts(5), Quantity::contracts(2))]
    );
    assert_eq!(floor.wait(LATENCY), NOTHING);
    assert_eq!(floor.remaining(), [(1, "2.00".to_owned())]);
    assert_eq!(floor.trade(Ask, 40, 9), ["1 made 2.00 @ 0.4000"], "one was ahead");
}

#[test]
fn a_reduction_never_increases_and_one_to_nothing_is_a_cancel() {
    let mut floor = Floor::new();
    let id = floor.quote(Bid, 41, 5);
    floor.paper.reduce(id, Quantity::contracts(4), floor.now);
    floor.trade(Ask, 41, 3);
    floor.wait(LATENCY);
    assert_eq!(floor.remaining(), [(1, "2.00".to_owned())]);
    floor.paper.reduce(id, Quantity::contracts(3), floor.now);
    assert_eq!(floor.paper.next_due(), None);
    floor.paper.reduce(id, Quantity::ZERO, floor.now);
    assert_eq!(floor.wait(LATENCY), ["1 Undesired 2.00"]);
}

#[test]
fn closing_a_market_ends_what_rests_and_what_is_on_its_way() {
    let mut floor = Floor::new();
    floor.quote(Bid, 41, 5);
    floor.send(Bid, 45, 7, true);
    floor.paper.close_market(MARKET, CancelReason::MarketClosed, &mut floor.out);
    assert_eq!(floor.told(), ["1 MarketClosed 5.00", "2 MarketClosed 7.00"]);
    assert_eq!(floor.paper.open_orders(), 0);
    assert_eq!(floor.wait(LATENCY), NOTHING);
}

#[test]
fn what_falls_due_together_takes_effect_in_the_order_of_sending() {
    let mut floor = Floor::new();
    floor.send(Bid, 45, 6, true);
    floor.send(Bid, 45, 6, true);
    assert_eq!(floor.wait(10 * LATENCY), ["1 took 6.00 @ 0.4500", "2 took 4.00 @ 0.4500", "2 Unfilled 2.00"]);
}

#[test]
fn the_rounding_of_fees_runs_over_all_fills_of_an_order() {
    // A quarter of the taker's rate: 1 @ 0.52 costs 4 368 millionths, rounded to 4 400; 32 are overpaid each time.
    let mut floor = Floor::new();
    floor.maker_ppm = 17_500;
    floor.books[0].replace(floor.now, &[], &[]);
    floor.quote(Bid, 52, 4);
    let trade = Trade { market: MARKET, price: cents(52), quantity: Quantity::contracts(1), taker: Ask };
    (0..4).for_each(|_| floor.paper.on_trade(&trade, &mut floor.out));
    let fees = floor.out.iter().map(|event| match event {
        OrderEvent::Filled { fee, .. } => fee.micros(),
        OrderEvent::Cancelled { .. } => panic!("nothing was cancelled"),
    });
    assert_eq!(fees.collect::<Vec<_>>(), [4_400, 4_400, 4_400, 4_300], "128 overpaid, 100 of them given back");
}
