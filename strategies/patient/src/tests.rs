//! Quotes keep their margin, stay out of the book's way and inside the limits.

use super::*;
use isobar_strategy::{FeeRates, FeeSchedule, Level, PriceRange, Resting, Strike};

fn bracket(ppm: u32, bid: Option<u16>, ask: Option<u16>) -> Bracket {
    let level = |cents: u16| Level { price: cents * 100, quantity: 10_000 };
    Bracket {
        market: 0,
        ticker: "KXHIGHNY-25NOV28-B45.5".to_owned(),
        strike: Strike::Less(45),
        probability: Some(ppm),
        tradable: true,
        bids: bid.map(level).into_iter().collect(),
        asks: ask.map(level).into_iter().collect(),
        last_trade: None,
        position: 0,
        resting: Vec::new(),
        fees: FeeSchedule::Quadratic(FeeRates { taker: 70_000, maker: 0 }),
        ladder: vec![PriceRange { start: 0, end: 10_000, step: 100 }],
        room_bid: 5_000,
        room_ask: 5_000,
    }
}

fn decided(bracket: Bracket) -> Decision {
    decide(&Snapshot {
        now: 0,
        event: "KXHIGHNY-25NOV28".to_owned(),
        closes: 1,
        changed: Some(0),
        forecast_issued: Some(0),
        brackets: vec![bracket],
        parameters: describe().parameters.iter().map(|parameter| parameter.default).collect(),
        state: Vec::new(),
    })
}

fn quotes(bracket: Bracket) -> Vec<(Side, u16, u64)> {
    decided(bracket).quotes.iter().map(|quote| (quote.side, quote.price, quote.quantity)).collect()
}

#[test]
fn both_sides_rest_a_margin_from_the_value() {
    let around = [(Side::Bid, 4_900, 1_000), (Side::Ask, 5_500, 1_000)];
    assert_eq!(quotes(bracket(520_000, Some(40), Some(60))), around);
    assert_eq!(quotes(bracket(520_000, None, None)), around);
    // Between two ticks both prices move away from the value.
    assert_eq!(quotes(bracket(525_000, None, None)), [(Side::Bid, 4_900, 1_000), (Side::Ask, 5_600, 1_000)]);
}

#[test]
fn quotes_never_cross_the_book() {
    assert_eq!(quotes(bracket(520_000, Some(30), Some(45)))[0], (Side::Bid, 4_400, 1_000));
    assert_eq!(quotes(bracket(520_000, Some(60), Some(70)))[1], (Side::Ask, 6_100, 1_000));
}

#[test]
fn a_maker_fee_widens_the_quotes() {
    let fees = FeeSchedule::Quadratic(FeeRates { taker: 70_000, maker: 17_500 });
    let charged = Bracket { fees, ..bracket(520_000, None, None) };
    assert_eq!(quotes(charged.clone()), [(Side::Bid, 4_800, 1_000), (Side::Ask, 5_600, 1_000)]);
    assert!(decided(charged).reasons.iter().all(|reason| reason.make_ev.is_some_and(|ev| ev >= 30_000)));
}

#[test]
fn no_side_is_quoted_beyond_the_ends_of_the_ladder() {
    assert_eq!(quotes(bracket(20_000, None, None)), [(Side::Ask, 500, 1_000)]);
    assert_eq!(quotes(bracket(1_000_000, None, None)), [(Side::Bid, 9_700, 1_000)]);
}

#[test]
fn size_stays_inside_the_room_and_counts_what_it_replaces() {
    let full = Bracket { room_bid: 0, room_ask: 350, ..bracket(520_000, None, None) };
    assert_eq!(quotes(full.clone()), [(Side::Ask, 5_500, 300)]);
    let own = Resting { side: Side::Bid, price: 4_900, quantity: 1_000 };
    assert_eq!(quotes(Bracket { resting: vec![own], ..full })[0], (Side::Bid, 4_900, 1_000));
}

#[test]
fn without_an_opinion_or_a_market_nothing_rests() {
    let note = |bracket| decided(bracket).reasons[0].note.clone();
    assert_eq!(note(Bracket { probability: None, ..bracket(0, None, None) }), "no opinion");
    assert_eq!(note(Bracket { tradable: false, ..bracket(500_000, None, None) }), "not tradable");
}
