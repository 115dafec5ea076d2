//! The guide's worked examples, and each way a bracket can be left alone.

use super::*;
use isobar_strategy::{FeeRates, FeeSchedule, Level, PriceRange, Resting, Strike};

/// A market in whole cents charged by the guide's formula, with room for fifty contracts.
fn bracket(ppm: u32, bid: Option<u16>, ask: Option<u16>) -> Bracket {
    let level = |cents: u16| Level { price: cents * 100, quantity: 10_000 };
    Bracket {
        market: 0,
        ticker: "KXHIGHDEN-25NOV28-B45.5".to_owned(),
        strike: Strike::Less(45),
        probability: Some(ppm),
        tradable: true,
        bids: bid.map(level).into_iter().collect(),
        asks: ask.map(level).into_iter().collect(),
        last_trade: None,
        position: 0,
        resting: Vec::new(),
        fees: FeeSchedule::FlatPremium(FeeRates { taker: 70_000, maker: 0 }),
        ladder: vec![PriceRange { start: 0, end: 10_000, step: 100 }],
        room_bid: 5_000,
        room_ask: 5_000,
    }
}

fn decided(bracket: Bracket) -> Decision {
    decided_with(bracket, |_| {})
}

fn decided_with(bracket: Bracket, set: fn(&mut Vec<i64>)) -> Decision {
    let mut parameters: Vec<i64> = describe().parameters.iter().map(|parameter| parameter.default).collect();
    set(&mut parameters);
    decide(&Snapshot {
        now: 0,
        event: "KXHIGHDEN-25NOV28".to_owned(),
        closes: 1,
        changed: Some(0),
        forecast_issued: Some(0),
        brackets: vec![bracket],
        parameters,
        state: Vec::new(),
    })
}

fn passes(bracket: Bracket) -> String {
    let decision = decided(bracket);
    assert!(decision.takes.is_empty() && decision.quotes.is_empty());
    assert_eq!(decision.reasons[0].verdict, Verdict::Pass);
    decision.reasons[0].note.clone()
}

#[test]
fn the_guides_first_example_passes() {
    let decision = decided(bracket(420_000, Some(40), Some(45)));
    let reason = &decision.reasons[0];
    assert_eq!((reason.verdict, reason.take_ev, reason.make_ev), (Verdict::Pass, Some(-61_500), Some(10_000)));
    assert!(decision.takes.is_empty() && decision.quotes.is_empty());
}

#[test]
fn the_guides_second_example_takes_41_contracts_at_48() {
    let decision = decided(bracket(580_000, Some(45), Some(48)));
    assert_eq!(decision.takes, [Target { bracket: 0, position: 4_100, limit: 4_800 }]);
    assert_eq!(decision.reasons[0].take_ev, Some(66_400));
    assert!(decision.quotes.is_empty());
}

#[test]
fn an_edge_exactly_at_its_threshold_is_too_small() {
    // 0.5636 − 0.48 × 1.07 = 0.05 exactly; the quote at 46 then earns 0.1036.
    assert_eq!(decided(bracket(563_600, Some(45), Some(48))).reasons[0].verdict, Verdict::Make);
    assert_eq!(decided(bracket(563_601, Some(45), Some(48))).reasons[0].verdict, Verdict::Take);
}

#[test]
fn a_quote_rests_one_tick_inside_and_never_reaches_the_ask() {
    let wide = decided(bracket(480_000, Some(40), Some(48)));
    assert_eq!(wide.quotes[0].price, 4_100);
    assert_eq!(wide.quotes[0].quantity, 4_800);
    let tight = decided(bracket(480_000, Some(44), Some(45)));
    assert_eq!((tight.quotes[0].side, tight.quotes[0].price), (Side::Bid, 4_400));
}

#[test]
fn one_sided_books_make_on_the_side_that_is_there_and_take_nothing_else() {
    let bids = decided(bracket(480_000, Some(40), None));
    assert_eq!((bids.quotes[0].side, bids.quotes[0].price, bids.takes.len()), (Side::Bid, 4_100, 0));
    let asks = decided(bracket(400_000, None, Some(48)));
    assert_eq!((asks.quotes[0].side, asks.quotes[0].price, asks.takes.len()), (Side::Ask, 4_700, 0));
    assert_eq!(passes(bracket(480_000, None, None)), "edge too small");
}

#[test]
fn no_is_bought_as_the_mirror_of_yes() {
    // Mirror of the second example: P(NO) 0.58, NO bid 45, NO ask 48.
    let decision = decided(bracket(420_000, Some(52), Some(55)));
    assert_eq!(decision.takes, [Target { bracket: 0, position: -4_100, limit: 5_200 }]);
    assert_eq!((decision.reasons[0].side, decision.reasons[0].take_ev), (Side::Ask, Some(66_400)));
    let yes_only = decided_with(bracket(420_000, Some(52), Some(55)), |parameters| parameters[4] = 0);
    assert_eq!(yes_only.reasons[0].verdict, Verdict::Pass);
}

#[test]
fn what_cannot_be_traded_is_left_alone_with_its_reason() {
    let good = || bracket(580_000, Some(45), Some(48));
    assert_eq!(passes(Bracket { probability: None, ..good() }), "no opinion");
    assert_eq!(passes(Bracket { tradable: false, ..good() }), "not tradable");
    assert_eq!(passes(Bracket { position: 100, ..good() }), "holds a position");
    assert_eq!(passes(Bracket { room_bid: 99, ..good() }), "no room for one contract");
    assert_eq!(passes(Bracket { ladder: Vec::new(), ..good() }), "no price ladder");
    let unlikely = decided_with(good(), |parameters| parameters[3] = 600_000);
    assert_eq!(unlikely.reasons[0].note, "chance too small");
}

#[test]
fn a_bet_stays_inside_the_room_in_whole_contracts() {
    let decision = decided(Bracket { room_bid: 1_050, ..bracket(580_000, Some(45), Some(48)) });
    assert_eq!(decision.takes[0].position, 1_000);
}

#[test]
fn a_late_fill_is_not_followed_by_a_second_order() {
    let order = Resting { side: Side::Bid, price: 4_800, quantity: 4_100 };
    // The ask fell to 47: alone that would be 42 contracts.
    let waiting = Bracket { resting: vec![order], room_bid: 900, ..bracket(580_000, Some(45), Some(47)) };
    assert_eq!(decided(waiting).takes[0].position, 4_100);
}

#[test]
fn a_quote_of_ours_is_neither_outbid_nor_shrunk() {
    // The levels are those of others: at 41 they are one tick below ours.
    let own = Resting { side: Side::Bid, price: 4_200, quantity: 4_700 };
    let standing = Bracket { resting: vec![own], room_bid: 300, ..bracket(480_000, Some(41), Some(48)) };
    let quote = decided(standing.clone()).quotes[0];
    assert_eq!((quote.price, quote.quantity), (4_200, 4_700));
    let outbid = Bracket { ..bracket(480_000, Some(42), Some(48)) };
    assert_eq!(decided(Bracket { resting: vec![own], ..outbid }).quotes[0].price, 4_300);
    let alone = Bracket { resting: vec![own], room_bid: 300, ..bracket(480_000, None, Some(48)) };
    assert_eq!(decided(alone).quotes[0].price, 4_200, "nobody is left to improve on: the quote stays");
}
