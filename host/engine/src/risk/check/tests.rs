//! Each limit refuses with its own reason, and room is what a check lets pass.

use super::*;
use crate::event::{Level, StaleReason};
use crate::ledger::Account;
use crate::market::{Ladder, Strike};
use crate::risk::Window;
use crate::units::SECOND;
use proptest::prelude::*;

fn cents(cents: u16) -> Price {
    Price::from_cents(cents).expect("a price")
}

fn limits() -> Limits {
    Limits {
        order: Quantity::contracts(50),
        position: Quantity::contracts(50),
        open_orders: 2,
        forecast_age: 100 * SECOND,
        ..Limits::wide()
    }
}

fn book() -> Book {
    let level = |price| [Level { price: cents(price), quantity: Quantity::contracts(10) }];
    let mut book = Book::new(Ladder::cents());
    book.replace(Timestamp(0), &level(40), &level(45));
    book
}

fn stakes(account: Account) -> Stakes {
    let other = (Strike::Greater { floor: 69 }, Account::default());
    Stakes::new([(Strike::Less { cap: 70 }, account), other])
}

fn standing<'a>(book: &'a Book, stakes: &'a Stakes) -> Standing<'a> {
    Standing {
        book,
        now: Timestamp(0),
        last_change: Timestamp(0),
        open: true,
        closes: Timestamp(10_000 * SECOND),
        forecast_issued: Some(Timestamp(0)),
        position: 0,
        open_bids: Quantity::ZERO,
        open_asks: Quantity::ZERO,
        own: [None; 2],
        frozen: [false; 2],
        held: [false; 2],
        bracket: 0,
        stakes,
        slot: SlotState::default(),
    }
}

fn bid(price: u16, contracts: u32) -> Intent {
    Intent { side: Side::Bid, price: cents(price), quantity: Quantity::contracts(contracts), take: false }
}

#[test]
fn each_limit_refuses_with_its_own_reason() {
    use RefusalReason as Because;
    let (live, none) = (book(), stakes(Account::default()));
    let mut broken = book();
    broken.distrust(StaleReason::Gap);
    let well = standing(&live, &none);
    let slot = |slot: SlotState| Standing { slot, ..well };
    let wide = limits();
    let cases: Vec<(Limits, Intent, Standing<'_>, Result<(), Because>)> = vec![
        (wide.clone(), bid(41, 50), well, Ok(())),
        (wide.clone(), bid(41, 0), well, Err(Because::Empty)),
        (wide.clone(), bid(0, 1), well, Err(Because::Price)),
        (wide.clone(), bid(41, 51), well, Err(Because::OrderSize)),
        (wide.clone(), bid(45, 1), well, Err(Because::PostOnly)),
        (wide.clone(), Intent { take: true, ..bid(45, 1) }, well, Ok(())),
        (wide.clone(), bid(41, 1), standing(&broken, &none), Err(Because::StaleBook)),
        (wide.clone(), bid(41, 1), Standing { open: false, ..well }, Err(Because::MarketClosed)),
        (wide.clone(), bid(41, 1), Standing { now: Timestamp(101 * SECOND), ..well }, Err(Because::OldForecast)),
        (wide.clone(), bid(41, 1), Standing { frozen: [true, false], ..well }, Err(Because::UnknownOutcome)),
        (wide.clone(), bid(41, 1), Standing { frozen: [false, true], ..well }, Ok(())),
        (wide.clone(), bid(41, 1), Standing { held: [true, false], ..well }, Err(Because::Held)),
        (wide.clone(), bid(41, 1), Standing { own: [None, Some(cents(41))], ..well }, Err(Because::SelfTrade)),
        (wide.clone(), bid(41, 1), Standing { own: [Some(cents(41)), Some(cents(42))], ..well }, Ok(())),
        (wide.clone(), bid(41, 1), slot(SlotState { open_orders: 2, ..well.slot }), Err(Because::OpenOrders)),
        (wide.clone(), bid(41, 1), slot(SlotState { halted: true, ..well.slot }), Err(Because::Halted)),
        (wide.clone(), bid(41, 1), slot(SlotState { unproved: true, ..well.slot }), Err(Because::Unproved)),
        (wide.clone(), bid(41, 1), slot(SlotState { paused: true, ..well.slot }), Err(Because::ExchangePaused)),
    ];
    let cents_of = |cents: i64| Money::new(cents * 10_000);
    let tight = |change: &dyn Fn(&mut Limits)| {
        let mut limits = limits();
        change(&mut limits);
        limits
    };
    let rates = SlotState { rates: (3, 9), ..well.slot };
    let traded = SlotState { traded: Money::dollars(9), tied_up: Money::dollars(9), ..well.slot };
    let tightened = vec![
        (tight(&|l| l.order_notional = cents_of(409)), bid(41, 10), well, Err(Because::OrderNotional)),
        (tight(&|l| l.order_notional = cents_of(410)), bid(41, 10), well, Ok(())),
        (tight(&|l| l.city_day_contracts = Quantity::contracts(9)), bid(41, 10), well, Err(Because::CityDayContracts)),
        (tight(&|l| l.city_day_loss = cents_of(409)), bid(41, 10), well, Err(Because::CityDayLoss)),
        (tight(&|l| l.city_day_loss = cents_of(410)), bid(41, 10), well, Ok(())),
        (tight(&|l| l.day_notional = cents_of(1_309)), bid(41, 10), slot(traded), Err(Because::DayNotional)),
        (tight(&|l| l.exposure = cents_of(1_309)), bid(41, 10), slot(traded), Err(Because::Exposure)),
        (tight(&|l| l.exposure = cents_of(1_310)), bid(41, 10), slot(traded), Ok(())),
        (tight(&|l| l.collar = cents(2)), Intent { take: true, ..bid(48, 1) }, well, Err(Because::Collar)),
        (tight(&|l| l.collar = cents(2)), Intent { take: true, ..bid(47, 1) }, well, Ok(())),
        (tight(&|l| l.orders_per_second = 3), bid(41, 1), slot(rates), Err(Because::Rate)),
        (tight(&|l| l.orders_per_minute = 9), bid(41, 1), slot(rates), Err(Because::Rate)),
        (tight(&|l| (l.orders_per_second, l.orders_per_minute) = (4, 10)), bid(41, 1), slot(rates), Ok(())),
        (
            tight(&|l| l.daily_loss = Money::dollars(5)),
            bid(41, 1),
            slot(SlotState { loss: Money::new(5_000_001), ..well.slot }),
            Err(Because::DailyLoss),
        ),
        (tight(&|l| l.skew = 5), bid(41, 1), slot(SlotState { skew: -6, ..well.slot }), Err(Because::ClockSkew)),
        (tight(&|l| l.skew = 5), bid(41, 1), slot(SlotState { skew: 5, ..well.slot }), Ok(())),
        (tight(&|l| l.before_close = 10_001 * SECOND), bid(41, 1), well, Err(Because::Window)),
        // 1970 began on a Thursday.
        (
            tight(&|l| l.windows = vec![Window { from: 3 * 86_400, until: 3 * 86_400 + 60 }]),
            bid(41, 1),
            well,
            Err(Because::Window),
        ),
    ];
    for (limits, intent, standing, wanted) in cases.into_iter().chain(tightened) {
        assert_eq!(limits.check(&intent, &standing), wanted, "{intent:?} {limits:?}");
    }
}

#[test]
fn an_empty_book_gives_no_price_to_be_close_to() {
    let mut empty = Book::new(Ladder::cents());
    empty.replace(Timestamp(0), &[], &[]);
    let none = stakes(Account::default());
    let close = Limits { collar: cents(10), ..limits() };
    assert_eq!(close.check(&bid(41, 1), &standing(&empty, &none)), Err(RefusalReason::Collar));
    assert_eq!(limits().check(&bid(41, 1), &standing(&empty, &none)), Ok(()));
}

#[test]
fn open_orders_count_as_filled() {
    let (book, none) = (book(), stakes(Account::default()));
    let standing = Standing { position: 3_000, open_bids: Quantity::contracts(15), ..standing(&book, &none) };
    assert_eq!(limits().room(&standing, Side::Bid), Quantity::contracts(5));
    assert_eq!(limits().room(&standing, Side::Ask), Quantity::contracts(50));
    assert_eq!(limits().check(&bid(41, 6), &standing), Err(RefusalReason::Position));
}

#[test]
fn what_only_closes_is_not_kept_from_getting_out() {
    let held = Account { position: -1_000, cost: Money::dollars(6), ..Account::default() };
    let (book, stakes) = (book(), stakes(held));
    let slot = SlotState { tied_up: Money::dollars(6), traded: Money::dollars(6), ..SlotState::default() };
    let full = Standing { position: -1_000, slot, ..standing(&book, &stakes) };
    let none_left = Limits {
        exposure: Money::dollars(6),
        day_notional: Money::dollars(6),
        city_day_contracts: Quantity::contracts(10),
        ..limits()
    };
    assert_eq!(none_left.check(&bid(41, 10), &full), Ok(()));
    assert_eq!(none_left.check(&bid(41, 11), &full), Err(RefusalReason::CityDayContracts));
    assert_eq!(none_left.room(&full, Side::Bid), Quantity::contracts(10));
    assert_eq!(none_left.room(&full, Side::Ask), Quantity::ZERO);
    let closing = Standing { open_bids: Quantity::contracts(4), ..full };
    assert_eq!(none_left.room(&closing, Side::Bid), Quantity::contracts(6), "four are about to be closed");
}

#[test]
fn the_rule_of_the_guide_calls_a_quiet_market_stale() {
    let (book, none) = (book(), stakes(Account::default()));
    let quiet = Standing { now: Timestamp(61 * SECOND), ..standing(&book, &none) };
    assert_eq!(limits().tradable(&quiet), Ok(()));
    let guide = Limits { stale: StaleRule::LastChange(60 * SECOND), ..limits() };
    assert_eq!(guide.tradable(&quiet), Err(RefusalReason::StaleBook));
}

proptest! {
    /// What the snapshot calls room passes at any price that the collar allows.
    #[test]
    fn room_passes(
        position in -40_i64..40, open in (0..20_u32, 0..20_u32), paid in 1..99_i64, price in 1..99_u16, is_bid: bool,
        dollars in (1..20_i32, 1..40_i32, 1..40_i32, 1..40_i32), collar in 0..60_u16,
    ) {
        let side = if is_bid { Side::Bid } else { Side::Ask };
        let account = Account {
            position: position * 100, cost: Money::new(position.abs() * paid * 10_000), ..Account::default()
        };
        let (book, mut stakes) = (book(), stakes(account));
        let (bids, asks) = (Quantity::contracts(open.0), Quantity::contracts(open.1));
        stakes.add(0, Side::Bid, cents(39), bids);
        stakes.add(0, Side::Ask, cents(46), asks);
        let tied = account.cost + cents(39).times(bids) + cents(54).times(asks);
        let slot = SlotState { tied_up: tied, traded: tied, ..SlotState::default() };
        let standing = Standing {
            position: position * 100, open_bids: bids, open_asks: asks, slot, ..standing(&book, &stakes)
        };
        let limits = Limits {
            order_notional: Money::dollars(dollars.0),
            city_day_loss: Money::dollars(dollars.1),
            exposure: Money::dollars(dollars.2),
            day_notional: Money::dollars(dollars.3),
            city_day_contracts: Quantity::contracts(60),
            collar: cents(collar),
            ..limits()
        };
        let intent = Intent { side, price: cents(price), quantity: limits.room(&standing, side), take: true };
        if !intent.quantity.is_zero() {
            let answer = limits.check(&intent, &standing);
            let of_price = [Ok(()), Err(RefusalReason::Collar)];
            prop_assert!(of_price.contains(&answer) || limits.price(&intent, &standing).is_err(), "{:?}", answer);
        }
    }
}
