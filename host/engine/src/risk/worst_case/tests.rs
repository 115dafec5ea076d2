//! The worst outcome against brute force: every outcome, every subset of orders filled, by the rules of the ledger itself.

use super::*;
use crate::ledger::Ledger;
use crate::market::MarketId;
use proptest::prelude::*;

/// A fill or an open order: bracket, side, cents, contracts.
type Trade = (usize, Side, u16, u32);

fn trades(most: usize) -> impl Strategy<Value = Vec<Trade>> {
    let side = prop_oneof![Just(Side::Bid), Just(Side::Ask)];
    prop::collection::vec((0..4_usize, side, 1..100_u16, 1..30_u32), 0..most)
}

/// Four brackets that cover every temperature, or leave a hole between the second and the third.
fn strikes(exhaustive: bool) -> [Strike; 4] {
    let third = if exhaustive { 72 } else { 73 };
    [
        Strike::Less { cap: 70 },
        Strike::Between { floor: 70, cap: 71 },
        Strike::Between { floor: third, cap: 73 },
        Strike::Greater { floor: 73 },
    ]
}

fn market(bracket: usize) -> MarketId {
    MarketId(u16::try_from(bracket).expect("four"))
}

fn fill(ledger: &mut Ledger, (bracket, side, cents, contracts): Trade) {
    let price = Price::from_cents(cents).expect("a price");
    ledger.fill(market(bracket), side, price, Quantity::contracts(contracts), Money::new(i64::from(cents)));
}

fn stakes(ledger: &Ledger, orders: &[Trade], exhaustive: bool) -> Stakes {
    let accounts = (0..4).map(|bracket| ledger.account(market(bracket)));
    let mut stakes = Stakes::new(strikes(exhaustive).into_iter().zip(accounts));
    for (bracket, side, cents, contracts) in orders {
        stakes.add(*bracket, *side, Price::from_cents(*cents).expect("a price"), Quantity::contracts(*contracts));
    }
    stakes
}

/// What the whole city-day lost at the worst outcome and the worst subset of orders, won profits not counted against it.
fn brute_force(ledger: &Ledger, orders: &[Trade], exhaustive: bool) -> Money {
    let before: Money = (0..4).map(|bracket| ledger.account(market(bracket)).profit()).sum();
    let mut worst = Money::new(i64::MIN);
    for subset in 0..1_u32 << orders.len() {
        let mut filled = ledger.clone();
        for (index, (bracket, side, cents, contracts)) in orders.iter().enumerate() {
            if subset & (1 << index) != 0 {
                let price = Price::from_cents(*cents).expect("a price");
                filled.fill(market(*bracket), *side, price, Quantity::contracts(*contracts), Money::ZERO);
            }
        }
        let outcomes = if exhaustive { 4 } else { 5 };
        for outcome in 0..outcomes {
            let mut end = filled.clone();
            for bracket in 0..4 {
                end.settle(market(bracket), if bracket == outcome { Price::ONE } else { Price::ZERO });
            }
            let profit: Money = (0..4).map(|bracket| end.account(market(bracket)).profit()).sum();
            let from_here = profit - before;
            worst = worst.max(-from_here - before.min(Money::ZERO));
        }
    }
    worst
}

proptest! {
    #[test]
    fn the_worst_outcome_is_that_of_brute_force(fills in trades(8), orders in trades(7), exhaustive: bool) {
        let mut ledger = Ledger::new(Money::ZERO);
        fills.iter().for_each(|trade| self::fill(&mut ledger, *trade));
        prop_assert_eq!(stakes(&ledger, &orders, exhaustive).worst(), brute_force(&ledger, &orders, exhaustive));
    }

    #[test]
    fn room_is_the_most_that_stays_within_the_limit(
        fills in trades(6), orders in trades(4), exhaustive: bool, bracket in 0..4_usize, bid: bool, cents in 1..100_u16, most in 0..60_i32,
    ) {
        let mut ledger = Ledger::new(Money::ZERO);
        fills.iter().for_each(|trade| self::fill(&mut ledger, *trade));
        let stakes = stakes(&ledger, &orders, exhaustive);
        let (side, price) = (if bid { Side::Bid } else { Side::Ask }, Price::from_cents(cents).expect("a price"));
        let most = Money::dollars(most);
        let room = stakes.room(bracket, side, price, most);
        if stakes.worst() <= most {
            prop_assert!(stakes.worst_with(bracket, side, price, room) <= most);
            let one_more = room + Quantity::new(1);
            prop_assert!(stakes.worst_with(bracket, side, price, one_more) > most);
        }
    }
}

#[test]
fn yes_in_every_bracket_cannot_lose_more_than_it_cost_beyond_a_dollar() {
    let mut ledger = Ledger::new(Money::ZERO);
    for bracket in 0..4 {
        let price = Price::from_cents(30).expect("a price");
        ledger.fill(market(bracket), Side::Bid, price, Quantity::contracts(10), Money::ZERO);
    }
    // One of them pays ten dollars, all together cost twelve.
    assert_eq!(stakes(&ledger, &[], true).worst(), Money::dollars(2));
    // In the hole between the brackets none pays.
    assert_eq!(stakes(&ledger, &[], false).worst(), Money::dollars(12));
}

#[test]
fn a_strike_that_is_not_about_degrees_leaves_every_outcome_open() {
    let mut ledger = Ledger::new(Money::ZERO);
    fill(&mut ledger, (0, Side::Bid, 30, 10));
    let brackets = [Strike::Less { cap: 70 }, Strike::Greater { floor: 69 }, Strike::Other];
    let with_other = Stakes::new(brackets.into_iter().map(|strike| (strike, Account::default())));
    assert!(!with_other.exhaustive);
    let whole = Stakes::new(brackets.into_iter().take(2).map(|strike| (strike, Account::default())));
    assert!(whole.exhaustive);
}
