//! What holds whatever members do: contracts and money are neither made nor lost, and books are what orders say.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod member;

use isobar_engine::units::{Money, Price, Quantity, SECOND, Side};
use isobar_sim::{Core, CoreConfig, Scene};
use member::{NOON, World, config};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One thing that a member does, or that time does.
#[derive(Clone, Debug)]
enum Step {
    Place { account: usize, bid: bool, cents: u8, units: u16, kind: u8, maker_stp: bool },
    Cancel { account: usize, nth: usize },
    Amend { account: usize, nth: usize, cents: u8, units: u16 },
    Decrease { account: usize, nth: usize, units: u16 },
    CancelAll { account: usize },
    Wait { seconds: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let account = 0..3_usize;
    // Prices close together, so that orders meet; odd hundredths of contracts, so that fees have to be rounded.
    let cents = 45..55_u8;
    prop_oneof![
        8 => (account.clone(), any::<bool>(), cents.clone(), 1..1_500_u16, 0..5_u8, any::<bool>())
            .prop_map(|(account, bid, cents, units, kind, maker_stp)| Step::Place { account, bid, cents, units, kind, maker_stp }),
        2 => (account.clone(), 0..20_usize).prop_map(|(account, nth)| Step::Cancel { account, nth }),
        2 => (account.clone(), 0..20_usize, cents, 1..2_000_u16)
            .prop_map(|(account, nth, cents, units)| Step::Amend { account, nth, cents, units }),
        1 => (account.clone(), 0..20_usize, 1..500_u16)
            .prop_map(|(account, nth, units)| Step::Decrease { account, nth, units }),
        1 => account.prop_map(|account| Step::CancelAll { account }),
        1 => (0..40_u8).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

fn fixed(units: u16) -> String {
    Quantity::new(units.into()).to_string()
}

fn price(cents: u8) -> String {
    Price::from_cents(cents.into()).unwrap().to_string()
}

impl Step {
    fn take(&self, world: &mut World) {
        let nth = |world: &World, account: usize, nth: usize| {
            let resting = world.core.inspect().resting(account);
            (!resting.is_empty()).then(|| resting[nth % resting.len()].clone())
        };
        match self {
            Self::Place { account, bid, cents, units, kind, maker_stp } => {
                let mut order = world.order(if *bid { "bid" } else { "ask" }, &price(*cents), &fixed(*units));
                if *maker_stp {
                    order["self_trade_prevention_type"] = "maker".into();
                }
                match kind {
                    0 => order["time_in_force"] = "immediate_or_cancel".into(),
                    1 => order["time_in_force"] = "fill_or_kill".into(),
                    2 => order["post_only"] = true.into(),
                    3 => order["expiration_time"] = (world.now.0 / SECOND + 20).into(),
                    _ => {}
                }
                let status = world.create(*account, &order).0;
                assert!([201, 400, 409].contains(&status), "{status}");
            }
            Self::Cancel { account, nth: at } => {
                if let Some(order) = nth(world, *account, *at) {
                    assert_eq!(world.cancel(*account, &order.order_id).0, 200);
                }
            }
            Self::Amend { account, nth: at, cents, units } => {
                if let Some(order) = nth(world, *account, *at) {
                    let side = if order.side == Side::Bid { "bid" } else { "ask" };
                    let body =
                        json!({"ticker": world.ticker, "side": side, "price": price(*cents), "count": fixed(*units)});
                    let path = format!("/portfolio/events/orders/{}/amend", order.order_id);
                    let status = world.call(*account, "POST", &path, &body).0;
                    assert!([200, 400].contains(&status), "{status}");
                }
            }
            Self::Decrease { account, nth: at, units } => {
                if let Some(order) = nth(world, *account, *at) {
                    let path = format!("/portfolio/events/orders/{}/decrease", order.order_id);
                    assert_eq!(world.call(*account, "POST", &path, &json!({"reduce_by": fixed(*units)})).0, 200);
                }
            }
            Self::CancelAll { account } => {
                assert_eq!(world.send(*account, "DELETE", "/portfolio/events/orders", "").status, 204);
            }
            Self::Wait { seconds } => world.pass(i64::from(*seconds) * SECOND),
        }
    }
}

type Levels = Vec<(Price, Quantity)>;

/// The book that the resting orders of all members make.
fn made(core: &Core, ticker: &str) -> (Levels, Levels) {
    let mut sides = [BTreeMap::<Price, Quantity>::new(), BTreeMap::new()];
    for account in core.inspect().accounts() {
        for order in core.inspect().resting(account).into_iter().filter(|order| order.ticker == ticker) {
            *sides[usize::from(order.side == Side::Ask)].entry(order.price).or_default() += order.remaining;
        }
    }
    let [bids, asks] = sides;
    (bids.into_iter().rev().collect(), asks.into_iter().collect())
}

/// A dollar for each contract of NO is what a member's cash lacks; with it, money only moves between members and fees.
fn wealth(core: &Core) -> Money {
    let inspect = core.inspect();
    let pledged = |positions: BTreeMap<String, i64>| {
        let short: u64 =
            positions.values().filter(|position| **position < 0).map(|position| position.unsigned_abs()).sum();
        Price::ONE.times(Quantity::new(short))
    };
    let members = inspect
        .accounts()
        .map(|account| inspect.cash(account) + pledged(inspect.positions(account)) + inspect.fees(account));
    members.sum::<Money>() + inspect.house_cash() + pledged(inspect.house_positions())
}

fn contracts(core: &Core) -> BTreeMap<String, i64> {
    let inspect = core.inspect();
    let mut sums = inspect.house_positions();
    for account in inspect.accounts() {
        for (ticker, position) in inspect.positions(account) {
            *sums.entry(ticker).or_default() += position;
        }
    }
    sums
}

fn holds(core: &Core, members: i32) {
    assert!(contracts(core).values().all(|sum| *sum == 0), "contracts: {:?}", contracts(core));
    assert_eq!(wealth(core), Money::dollars(1_000 * members), "money");
    for account in core.inspect().accounts() {
        assert!(core.inspect().available(account) >= Money::ZERO, "a member owes nothing");
        assert_eq!(core.inspect().cash(account).micros() % 100, 0, "cash stays on its grid");
        for order in core.inspect().orders(account) {
            let filled: Quantity = core
                .inspect()
                .fills(account)
                .iter()
                .filter(|fill| fill.order_id == order.order_id)
                .map(|fill| fill.quantity)
                .sum();
            assert_eq!(order.filled, filled, "an order is filled by its executions");
            assert_eq!(order.status == "resting", !order.remaining.is_zero());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn contracts_and_money_are_conserved_and_books_are_what_orders_say(
        steps in prop::collection::vec(step(), 1..60), maker_fees: bool,
    ) {
        let mut world = World::of(&CoreConfig { maker_fees, ..config(3) });
        let reader = world.listen(0, &["orderbook_delta"]);
        let ticker = world.ticker.clone();
        let mut read = (BTreeMap::<String, i64>::new(), BTreeMap::<String, i64>::new());
        for step in &steps {
            step.take(&mut world);
            holds(&world.core, 3);
            let (bids, asks) = world.core.inspect().book(&ticker).unwrap();
            prop_assert_eq!((&bids, &asks), (&made(&world.core, &ticker).0, &made(&world.core, &ticker).1));
            if let (Some(bid), Some(ask)) = (bids.first(), asks.first()) {
                prop_assert!(bid.0 < ask.0, "a book never crosses");
            }
            for frame in world.frames(reader) {
                let msg = &frame["msg"];
                let side = if msg["side"] == "yes" { &mut read.0 } else { &mut read.1 };
                let change = msg["delta_fp"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
                *side.entry(msg["price_dollars"].as_str().unwrap().to_owned()).or_default() += change;
                side.retain(|_, size| *size != 0);
            }
            let shown = |levels: &[(Price, Quantity)], no: bool| -> BTreeMap<String, i64> {
                let own = |price: Price| if no { price.complement() } else { price };
                levels.iter().map(|(price, size)| (own(*price).to_string(), size.signed())).collect()
            };
            prop_assert_eq!(&read.0, &shown(&bids, false), "a reader of the feed has the same book");
            prop_assert_eq!(&read.1, &shown(&asks, true));
        }
        // Decided and paid, nobody holds anything and the money is still all there.
        prop_assert!(world.core.determine(&ticker, true) && world.core.settle(&ticker));
        holds(&world.core, 3);
        prop_assert!(contracts(&world.core).is_empty());
    }

    #[test]
    fn a_living_crowd_trades_with_members_and_nothing_gets_lost(
        steps in prop::collection::vec(step(), 1..25), seed in 0..1_000_u64,
    ) {
        let scene = Scene::Living { date: jiff::civil::date(2026, 7, 1), start: NOON.parse().unwrap() };
        let mut world = World::of(&CoreConfig { scene, seed, ..config(3) });
        // The market whose price is nearest to those that are quoted.
        let distance = |ticker: &str| {
            let (bids, _) = world.core.inspect().book(ticker).unwrap();
            bids.first().map_or(u16::MAX, |level| level.0.units().abs_diff(5_000))
        };
        let markets = world.core.inspect().markets();
        world.ticker = markets.iter().map(|(ticker, _)| *ticker).min_by_key(|ticker| distance(ticker)).unwrap().to_owned();
        for step in &steps {
            step.take(&mut world);
            world.pass(20 * SECOND);
            holds(&world.core, 3);
            let (bids, asks) = world.core.inspect().book(&world.ticker).unwrap();
            if let (Some(bid), Some(ask)) = (bids.first(), asks.first()) {
                prop_assert!(bid.0 < ask.0, "a book never crosses: {bid:?} {ask:?}");
            }
        }
        world.pass(20 * 3_600 * SECOND);
        holds(&world.core, 3);
        prop_assert!(contracts(&world.core).is_empty(), "the day is over and paid");
    }
}

#[test]
fn the_same_calls_give_the_same_bytes() {
    let play = || {
        let scene = Scene::Living { date: jiff::civil::date(2026, 7, 1), start: NOON.parse().unwrap() };
        let mut world = World::of(&CoreConfig { scene, ..config(1) });
        let reader = world.listen(0, &["orderbook_delta", "fill", "user_orders", "trade"]);
        let mut out = Vec::new();
        for cents in 1..90_u8 {
            let order = world.order("bid", &price(cents), "1.00");
            out.push(world.create(0, &order).1.to_string());
            world.pass(7 * SECOND);
            out.extend(world.core.frames(reader));
        }
        out
    };
    let (first, again): (Vec<String>, Vec<String>) = (play(), play());
    assert!(first.len() > 200 && first == again);
}

#[test]
fn the_crowd_takes_a_better_price_and_leaves_a_worse_one() {
    let scene = Scene::Living { date: jiff::civil::date(2026, 7, 1), start: NOON.parse().unwrap() };
    let mut world = World::of(&CoreConfig { scene, ..config(1) });
    let middle = |world: &World, ticker: &str| {
        let (bids, asks) = world.core.inspect().book(ticker).unwrap();
        Some((bids.first()?.0, asks.first()?.0))
    };
    let markets: Vec<String> = world.core.inspect().markets().iter().map(|(ticker, _)| (*ticker).to_owned()).collect();
    let lively = markets.into_iter().find(|ticker| {
        middle(&world, ticker)
            .is_some_and(|(bid, ask)| bid.units() > 2_000 && ask.units() < 8_000 && ask.units() - bid.units() >= 200)
    });
    world.ticker = lively.unwrap();
    let far = world.place(0, "bid", "0.0100", "2.00");
    // A bid one cent above the crowd's, wherever the crowd goes, is met by the next who sells.
    let mut best = String::new();
    for _ in 0..360 {
        let (bid, ask) = middle(&world, &world.ticker).unwrap();
        let room = ask.units() - bid.units() >= 200;
        if room {
            best = world.place(0, "bid", &Price::new(bid.units() + 100).unwrap().to_string(), "2.00");
        }
        world.pass(30 * SECOND);
        if room && world.cancel(0, &best).0 == 404 {
            break;
        }
    }
    assert_eq!(world.shown(0, &best)["status"], "executed");
    assert_eq!(world.shown(0, &far)["status"], "resting");
    let fills: Vec<Value> = world.get(0, "/portfolio/fills")["fills"].as_array().unwrap().clone();
    assert!(fills.iter().all(|fill| fill["is_taker"] == false && fill["fee_cost"] == "0.000000"));
    // What was taken out of the crowd's quotes stays out while they stand.
    let (_, asks) = world.core.inspect().book(&world.ticker).unwrap();
    let (ask, size) = asks[0];
    let mut order = world.order("bid", &ask.to_string(), &size.to_string());
    order["time_in_force"] = "immediate_or_cancel".into();
    assert_eq!(world.create(0, &order).1["fill_count"], size.to_string());
    assert!(world.core.inspect().book(&world.ticker).unwrap().1[0].0 > ask);
    holds(&world.core, 1);
}
