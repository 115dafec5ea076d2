//! Whatever order the words about an order come in, twice or not at all: the same end, and never less exposure than is true.

use super::*;
use crate::market::FeeSchedule;
use crate::units::Money;
use crate::venue::{OrderStatus, RequestKind};
use OrderStatus::{Cancelled, Executed, Resting};

const MARKET: MarketId = MarketId(0);
const ORDER: OrderId = OrderId(1);

const SETTINGS: LiveSettings = LiveSettings {
    ttl: 120 * SECOND,
    renew_left: 60 * SECOND,
    patience: 3 * SECOND,
    retry: SECOND,
    retry_most: 8 * SECOND,
    margin: 2 * SECOND,
    read_every: 60 * SECOND,
    read_again: 15 * SECOND,
    queue_every: 0,
};

/// One thing that is heard.
#[derive(Clone, Debug)]
enum Word {
    Says(OrderReport),
    /// A fill with the venue's number of the match: by socket or by REST it is the same.
    Fill(u128, u64),
    /// A complete read of the account without the order, newer than everything.
    Read,
}

/// What really happened to an order for ten contracts, and all that may be heard of it.
struct Truth {
    name: &'static str,
    take: bool,
    filled: u64,
    words: Vec<Word>,
}

fn state(status: OrderStatus, filled: u64, remaining: u64) -> Word {
    let (filled, remaining) = (Quantity::new(filled), Quantity::new(remaining));
    Word::Says(OrderReport::State { status, filled, remaining })
}

fn accepted(filled: u64, remaining: u64) -> Word {
    Word::Says(OrderReport::Accepted { filled: Quantity::new(filled), remaining: Quantity::new(remaining) })
}

fn cancelled(reduced: u64) -> Word {
    Word::Says(OrderReport::Cancelled { reduced: Quantity::new(reduced) })
}

fn truths() -> Vec<Truth> {
    let unknown = || Word::Says(OrderReport::Unknown(RequestKind::Create));
    let not_there = || Word::Says(OrderReport::NotThere(RequestKind::Cancel));
    let lost_cancel = || Word::Says(OrderReport::Unknown(RequestKind::Cancel));
    let decreased = Word::Says(OrderReport::Decreased { remaining: Quantity::new(5) });
    let truth = |name, filled, words| Truth { name, take: false, filled, words };
    vec![
        truth(
            "four of ten traded, six cancelled",
            4,
            vec![
                accepted(0, 10),
                Word::Fill(1, 4),
                Word::Fill(1, 4),
                state(Resting, 4, 6),
                cancelled(6),
                state(Cancelled, 4, 0),
            ],
        ),
        truth(
            "the cancel came too late",
            10,
            vec![
                accepted(0, 10),
                Word::Fill(1, 4),
                Word::Fill(2, 6),
                state(Resting, 4, 6),
                not_there(),
                state(Executed, 10, 0),
            ],
        ),
        truth(
            "the answer to the create was lost, the order lived",
            3,
            vec![
                unknown(),
                state(Resting, 0, 10),
                Word::Fill(1, 3),
                lost_cancel(),
                cancelled(7),
                state(Cancelled, 3, 0),
            ],
        ),
        truth("the create never arrived", 0, vec![unknown(), unknown(), Word::Read, Word::Read]),
        truth("the venue refused", 0, vec![Word::Says(OrderReport::Rejected(RejectReason::PostOnly)), Word::Read]),
        truth("it was never sent", 0, vec![Word::Says(OrderReport::Unsent), Word::Read]),
        truth(
            "decreased to five in its place, then traded whole",
            5,
            vec![
                accepted(0, 10),
                state(Resting, 0, 10),
                decreased,
                state(Resting, 0, 5),
                Word::Fill(1, 5),
                state(Executed, 5, 0),
            ],
        ),
        Truth {
            name: "a take found three",
            take: true,
            filled: 3,
            words: vec![accepted(3, 0), Word::Fill(1, 1), Word::Fill(2, 2), Word::Fill(2, 2), state(Cancelled, 3, 0)],
        },
        Truth {
            name: "a take met an own order: accepted and dead",
            take: true,
            filled: 0,
            words: vec![accepted(0, 0), state(Cancelled, 0, 0), accepted(0, 0)],
        },
        truth(
            "it ended with its market",
            2,
            vec![accepted(2, 8), Word::Fill(1, 2), Word::Fill(1, 2), state(Cancelled, 2, 0), not_there()],
        ),
    ]
}

/// An order that was sent, with a cancel on its way where it may be cancelled.
fn sent(truth: &Truth) -> Orders {
    let mut orders = Orders::new(SETTINGS);
    let quantity = Quantity::new(10);
    let price = Price::from_cents(40).expect("a price");
    let fees = FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 };
    let order =
        NewOrder { id: ORDER, decision: 1, market: MARKET, side: Side::Bid, price, quantity, take: truth.take, fees };
    orders.place(order);
    orders
}

fn hear(orders: &mut Orders, word: &Word) {
    match word {
        Word::Says(report) => orders.hear(ORDER, report),
        Word::Fill(trade, quantity) => drop(orders.fill(&fill(*trade, *quantity))),
        Word::Read => orders.miss(orders.now.plus(60 * SECOND), &BTreeSet::new()),
    }
}

fn fill(trade: u128, quantity: u64) -> VenueFill {
    VenueFill {
        trade: TradeId(trade),
        order: Some(ORDER),
        market: MARKET,
        side: Side::Bid,
        price: Price::from_cents(40).expect("a price"),
        quantity: Quantity::new(quantity),
        fee: Money::ZERO,
        taker: false,
    }
}

fn booked(orders: &Orders) -> u64 {
    let filled = orders.events.iter().filter_map(|event| match event {
        OrderEvent::Filled { quantity, .. } => Some(quantity.units()),
        OrderEvent::Cancelled { .. } => None,
    });
    filled.sum()
}

fn exposure(orders: &Orders) -> u64 {
    orders.open(MARKET).map(|order| order.remaining.units()).sum()
}

/// Calls `visit` with every order of the numbers below `count`.
fn permute(count: usize, visit: &mut impl FnMut(&[usize])) {
    fn rest(order: &mut Vec<usize>, count: usize, visit: &mut impl FnMut(&[usize])) {
        if order.len() == count {
            return visit(order);
        }
        for next in 0..count {
            if !order.contains(&next) {
                order.push(next);
                rest(order, count, visit);
                order.pop();
            }
        }
    }
    rest(&mut Vec::new(), count, visit);
}

/// What a read of the account brings that holds everything: the fills, and how the order ended.
fn reconcile(orders: &mut Orders, truth: &Truth) {
    orders.advance(orders.now.plus(10 * SECOND), true, true);
    let mut shown = BTreeSet::new();
    for word in &truth.words {
        match word {
            Word::Fill(..) => hear(orders, word),
            Word::Says(OrderReport::State { status: Cancelled | Executed, .. }) => {
                hear(orders, word);
                shown.insert(ORDER);
            }
            _ => {}
        }
    }
    orders.miss(orders.now, &shown);
}

#[test]
fn every_order_of_hearing_ends_the_same_and_never_counts_too_little() {
    let mut orders_tried = 0_u64;
    for truth in truths() {
        permute(truth.words.len(), &mut |order| {
            orders_tried += 1;
            let mut orders = sent(&truth);
            for next in order {
                hear(&mut orders, &truth.words[*next]);
                let most = booked(&orders) + exposure(&orders);
                assert!(most >= truth.filled, "{}: {order:?} counts {most} at {next}", truth.name);
                assert!(booked(&orders) <= truth.filled, "{}: {order:?} books too much", truth.name);
            }
            // Absence proves something only about what is known to be unknown: it may have been read too early.
            reconcile(&mut orders, &truth);
            let end = (booked(&orders), exposure(&orders), orders.open_orders(), orders.unsettled());
            assert_eq!(end, (truth.filled, 0, 0, false), "{}: {order:?} {orders:#?}", truth.name);
            assert!(!orders.frozen(MARKET, Side::Bid) && orders.awaiting().is_empty() || !answered(&truth, order));
        });
    }
    println!("{orders_tried} orders of hearing");
}

/// Whether the create is answered by what was heard.
fn answered(truth: &Truth, order: &[usize]) -> bool {
    order.iter().any(|word| {
        matches!(
            truth.words[*word],
            Word::Says(
                OrderReport::Accepted { .. }
                    | OrderReport::Rejected(_)
                    | OrderReport::Unsent
                    | OrderReport::Unknown(RequestKind::Create)
            )
        )
    })
}

#[test]
fn without_the_read_every_order_of_hearing_everything_ends_the_same_too() {
    for truth in truths().into_iter().filter(|truth| !truth.words.iter().any(|word| matches!(word, Word::Read))) {
        let mut ends = BTreeMap::new();
        permute(truth.words.len(), &mut |order| {
            let mut orders = sent(&truth);
            order.iter().for_each(|next| hear(&mut orders, &truth.words[*next]));
            let end = (booked(&orders), exposure(&orders), orders.open_orders(), orders.unsettled());
            ends.insert(end, order.to_vec());
        });
        let all: Vec<_> = ends.keys().copied().collect();
        assert_eq!(all, [(truth.filled, 0, 0, false)], "{}: {ends:?}", truth.name);
    }
}

#[test]
fn whatever_is_lost_or_comes_twice_a_read_of_the_account_brings_the_same_end() {
    let mut tried = 0_u64;
    for truth in truths() {
        let count = truth.words.len();
        for lost in 0..1_u32 << count {
            let left: Vec<usize> = (0..count).filter(|word| lost & (1 << word) == 0).collect();
            permute(left.len(), &mut |order| {
                tried += 1;
                let mut orders = sent(&truth);
                for next in order {
                    let word = &truth.words[left[*next]];
                    hear(&mut orders, word);
                    hear(&mut orders, word);
                    let most = booked(&orders) + exposure(&orders);
                    assert!(most >= truth.filled, "{}: {order:?} of {left:?}: {most}", truth.name);
                }
                if !answered(&truth, &left) {
                    // Every request is answered, or its answer is said to be lost.
                    orders.hear(ORDER, &OrderReport::Unknown(RequestKind::Create));
                }
                reconcile(&mut orders, &truth);
                let end = (booked(&orders), exposure(&orders), orders.open_orders());
                assert_eq!(end, (truth.filled, 0, 0), "{}: {order:?} of {left:?} {orders:#?}", truth.name);
            });
        }
    }
    println!("{tried} ways of hearing");
}

fn quote() -> Orders {
    sent(&Truth { name: "a quote", take: false, filled: 0, words: vec![] })
}

fn sent_by(orders: &mut Orders) -> Vec<Request> {
    let mut effects = Vec::new();
    orders.drain_effects(&mut effects);
    effects
        .into_iter()
        .filter_map(|effect| if let Effect::Send(request) = effect { Some(request) } else { None })
        .collect()
}

fn pass(orders: &mut Orders, time: i64) {
    orders.advance(orders.now.plus(time), true, true);
    orders.tick();
}

#[test]
fn an_unknown_outcome_is_looked_for_ever_more_seldom_and_never_sent_again() {
    let mut orders = quote();
    assert!(matches!(sent_by(&mut orders)[..], [Request::Create { .. }]));
    orders.hear(ORDER, &OrderReport::Unknown(RequestKind::Create));
    assert!(orders.frozen(MARKET, Side::Bid) && !orders.frozen(MARKET, Side::Ask));
    assert_eq!(sent_by(&mut orders), [Request::Find { order: ORDER }]);
    let mut asked = 0;
    for _ in 0..3_600 {
        pass(&mut orders, SECOND);
        let requests = sent_by(&mut orders);
        assert!(requests.iter().all(|request| *request == Request::Find { order: ORDER }), "{requests:?}");
        asked += requests.len();
    }
    // Waits of 1, 2, 4 and from then on 8 seconds.
    assert!((440..=455).contains(&asked), "{asked}");
    assert_eq!(exposure(&orders), 10, "no timer declares it dead");
    assert!(orders.frozen(MARKET, Side::Bid));
    orders.hear(ORDER, &OrderReport::Absent);
    assert_eq!((exposure(&orders), orders.frozen(MARKET, Side::Bid)), (0, false));
    assert!(matches!(orders.events[..], [OrderEvent::Cancelled { reason: CancelReason::Absent, .. }]));
}

#[test]
fn an_absent_order_that_shows_up_after_all_counts_again() {
    let mut orders = quote();
    orders.hear(ORDER, &OrderReport::Unknown(RequestKind::Create));
    orders.hear(ORDER, &OrderReport::Absent);
    assert_eq!(orders.open_orders(), 1, "the search may have been too early");
    pass(&mut orders, 2 * SECOND);
    orders.hear(ORDER, &OrderReport::Absent);
    assert_eq!(orders.open_orders(), 0);
    orders.fill(&fill(1, 4));
    assert_eq!((booked(&orders), exposure(&orders), orders.open_orders()), (4, 6, 1));
}

#[test]
fn a_cancel_waits_until_the_order_is_known_to_exist_and_is_repeated_until_it_worked() {
    let mut orders = quote();
    sent_by(&mut orders);
    orders.cancel(ORDER, CancelReason::Undesired);
    assert!(sent_by(&mut orders).is_empty(), "the venue's number of it is not known");
    hear(&mut orders, &accepted(0, 10));
    assert_eq!(sent_by(&mut orders), [Request::Cancel { order: ORDER }]);
    assert_eq!(orders.awaiting(), [Request::Cancel { order: ORDER }]);
    pass(&mut orders, 5 * SECOND);
    assert!(sent_by(&mut orders).is_empty(), "its answer is promised");
    orders.hear(ORDER, &OrderReport::Failed { request: RequestKind::Cancel, reason: RejectReason::RateLimited });
    pass(&mut orders, 5 * SECOND);
    assert_eq!(sent_by(&mut orders), [Request::Cancel { order: ORDER }]);
    // The venue says the same of executed, cancelled and never existing orders.
    orders.hear(ORDER, &OrderReport::NotThere(RequestKind::Cancel));
    assert_eq!(sent_by(&mut orders), [Request::Find { order: ORDER }]);
    assert_eq!(exposure(&orders), 10);
    // A read that lags still shows it; only a later one is believed.
    hear(&mut orders, &state(Resting, 0, 10));
    pass(&mut orders, 3 * SECOND);
    assert_eq!(sent_by(&mut orders), [Request::Find { order: ORDER }]);
    hear(&mut orders, &state(Resting, 0, 10));
    pass(&mut orders, 8 * SECOND);
    assert_eq!(sent_by(&mut orders), [Request::Cancel { order: ORDER }]);
    hear(&mut orders, &cancelled(10));
    assert_eq!((exposure(&orders), orders.open_orders()), (0, 0));
}

#[test]
fn fills_that_the_venue_counted_and_nobody_told_keep_the_order_open() {
    let mut orders = quote();
    hear(&mut orders, &accepted(0, 10));
    sent_by(&mut orders);
    hear(&mut orders, &state(Cancelled, 4, 0));
    assert_eq!((exposure(&orders), orders.open_orders(), orders.unsettled()), (4, 1, true));
    let [order] = orders.open(MARKET).collect::<Vec<_>>()[..] else { panic!("one order") };
    assert!(order.cancelling && order.staying.is_zero(), "nothing of it rests");
    pass(&mut orders, SECOND);
    assert!(!orders.take_account_wanted(), "the fill may be on its way");
    pass(&mut orders, 3 * SECOND);
    assert!(orders.take_account_wanted());
    orders.fill(&fill(1, 4));
    assert_eq!((exposure(&orders), orders.open_orders(), booked(&orders)), (0, 0, 4));
}

#[test]
fn a_quote_is_renewed_while_the_host_lives_and_a_pulled_one_is_not() {
    let mut orders = quote();
    hear(&mut orders, &accepted(0, 10));
    let [Request::Create { expires: Some(first), .. }] = sent_by(&mut orders)[..] else { panic!("a quote expires") };
    assert_eq!(first, Timestamp(120 * SECOND));
    let (mut renewals, mut expires) = (0, first);
    for _ in 0..600 {
        pass(&mut orders, SECOND);
        for request in sent_by(&mut orders) {
            let Request::Renew { expires: next, .. } = request else { panic!("{request:?}") };
            assert!(next > expires && next.0 % SECOND == 0);
            (renewals, expires) = (renewals + 1, next);
            orders.hear(ORDER, &OrderReport::Renewed);
        }
        assert!(orders.now < expires);
    }
    assert_eq!(renewals, 10, "once in a minute");
    assert_eq!((SETTINGS.renewals_per_minute(1), SETTINGS.renewals_per_minute(200)), (1, 200));
    orders.cancel(ORDER, CancelReason::Undesired);
    let mut requests = sent_by(&mut orders);
    pass(&mut orders, 100 * SECOND);
    requests.extend(sent_by(&mut orders));
    assert!(requests.iter().all(|request| !matches!(request, Request::Renew { .. })), "{requests:?}");
}

#[test]
fn expiry_is_the_whole_second_after_the_time_to_live() {
    assert_eq!(SETTINGS.expiry(Timestamp(0)), Timestamp(120 * SECOND));
    assert_eq!(SETTINGS.expiry(Timestamp(1)), Timestamp(121 * SECOND));
    assert_eq!(SETTINGS.expiry(Timestamp(SECOND - 1)), Timestamp(121 * SECOND));
}

#[test]
fn a_refusal_keeps_its_side_away_for_a_moment_and_a_bad_key_raises_an_alarm() {
    let mut orders = quote();
    orders.hear(ORDER, &OrderReport::Rejected(RejectReason::PostOnly));
    assert!(orders.held(MARKET, Side::Bid) && !orders.held(MARKET, Side::Ask) && !orders.held(MarketId(1), Side::Bid));
    assert!(orders.take_released().is_empty());
    pass(&mut orders, SECOND);
    assert!(!orders.held(MARKET, Side::Bid));
    assert_eq!(orders.take_released(), [MARKET], "its component is asked again");
    pass(&mut orders, SECOND);
    assert!(orders.take_released().is_empty(), "once");
    let mut orders = quote();
    orders.hear(ORDER, &OrderReport::Rejected(RejectReason::RateLimited));
    assert!(orders.held(MarketId(1), Side::Ask), "the whole slot waits");
    pass(&mut orders, SECOND);
    assert_eq!(orders.take_released(), [MARKET]);
    let mut orders = quote();
    orders.hear(ORDER, &OrderReport::Rejected(RejectReason::Unauthorised));
    assert!(orders.take_alarm().is_some());
}

#[test]
fn a_fill_that_was_counted_as_somebody_elses_is_learned_by_its_order_and_not_counted_again() {
    let mut orders = quote();
    hear(&mut orders, &accepted(0, 10));
    let ours = fill(1, 4);
    assert!(orders.fill(&VenueFill { order: None, ..ours }));
    assert_eq!((booked(&orders), exposure(&orders)), (0, 10));
    assert!(!orders.fill(&ours) && !orders.fill(&ours));
    assert_eq!((booked(&orders), exposure(&orders)), (0, 6));
}

#[test]
fn what_is_forgotten_with_its_market_says_nothing_any_more() {
    let mut orders = quote();
    hear(&mut orders, &accepted(0, 10));
    orders.forget(MARKET);
    assert_eq!((orders.open_orders(), orders.any(MARKET)), (0, false));
    hear(&mut orders, &state(Executed, 10, 0));
    assert_eq!(orders.open_orders(), 0);
}

/// Found by the fault runs: the answer to the first decrease was taken for the second, and the order stayed too large.
#[test]
fn a_quote_that_is_to_shrink_further_while_a_decrease_is_under_way_is_decreased_again() {
    let mut orders = quote();
    hear(&mut orders, &accepted(0, 10));
    let mut sent = Vec::new();
    orders.drain_effects(&mut sent);
    sent.clear();
    orders.reduce(ORDER, Quantity::new(6));
    orders.reduce(ORDER, Quantity::new(4));
    hear(&mut orders, &Word::Says(OrderReport::Decreased { remaining: Quantity::new(6) }));
    hear(&mut orders, &state(Resting, 0, 6));
    pass(&mut orders, SECOND);
    orders.drain_effects(&mut sent);
    let decrease = |to| Effect::Send(Request::Decrease { order: ORDER, to: Quantity::new(to) });
    assert_eq!(sent, [decrease(6), decrease(4)]);
}
