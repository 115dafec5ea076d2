//! What the exchange charges is what the engine computes: one code, and one accumulator for each order.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod member;

use isobar_engine::fees::OrderFees;
use isobar_engine::market::FeeSchedule;
use isobar_engine::units::{Money, SECOND, Side};
use member::{World, config};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The fees of an account by order, as the exchange booked them and as the engine charges the same fills in their order.
fn by_order(world: &World, account: usize, schedule: FeeSchedule) -> (usize, Money) {
    let mut orders: BTreeMap<String, (OrderFees, usize)> = BTreeMap::new();
    let mut sum = Money::ZERO;
    for fill in world.core.inspect().fills(account) {
        let (fees, fills) = orders.entry(fill.order_id.clone()).or_default();
        let fee = fees.charge(schedule, fill.taker, fill.side, fill.price, fill.quantity);
        assert_eq!(fill.fee, fee, "{fill:?}");
        sum += fee;
        *fills += 1;
    }
    assert_eq!(world.core.inspect().fees(account), sum);
    (orders.values().map(|(_, fills)| *fills).max().unwrap(), sum)
}

#[test]
fn overrides_of_fees_and_their_ends_are_listed_newest_first() {
    let mut world = World::new(1);
    let event = world.ticker.rsplit_once('-').unwrap().0.to_owned();
    let path = |more: &str| format!("/events/fee_changes{more}");
    assert_eq!(world.get(0, &path("")), json!({"event_fee_changes": [], "cursor": ""}));
    assert!(world.core.override_fee(&event, Some(true)));
    let began = world.now;
    world.pass(SECOND);
    assert!(world.core.override_fee(&event, None));
    assert!(!world.core.override_fee("NOSUCH", Some(true)));
    let told = world.get(0, &path(""));
    let facts = |change: &Value| (change["fee_type_override"].clone(), change["fee_multiplier_override"].clone());
    let changes = told["event_fee_changes"].as_array().unwrap();
    let listed: Vec<_> = changes.iter().map(facts).collect();
    assert_eq!(listed, [(Value::Null, Value::Null), (json!("quadratic_with_maker_fees"), json!(1))]);
    assert_eq!((&changes[1]["event_ticker"], &changes[1]["series_ticker"]), (&json!(event), &json!("KXHIGHCHI")));
    let scheduled: jiff::Timestamp = changes[1]["scheduled_ts"].as_str().unwrap().parse().unwrap();
    assert_eq!(scheduled.as_nanosecond(), began.0.into());
    assert_ne!(changes[0]["id"], changes[1]["id"]);
    // A page at a time, and only those of one event.
    let first = world.get(0, &path("?limit=1"));
    assert_eq!(first["event_fee_changes"][0], changes[0]);
    let second = world.get(0, &path(&format!("?limit=1&cursor={}", first["cursor"].as_str().unwrap())));
    assert_eq!((&second["event_fee_changes"][0], &second["cursor"]), (&changes[1], &json!("")));
    assert_eq!(world.get(0, &path(&format!("?event_ticker={event}"))), told);
    assert_eq!(world.get(0, &path("?event_ticker=OTHER"))["event_fee_changes"], json!([]));
}

#[test]
fn orders_filled_in_parts_are_charged_what_the_engine_says() {
    for (maker_fees, maker_ppm) in [(false, 0), (true, 17_500)] {
        let mut world = World::of(&isobar_sim::CoreConfig { maker_fees, ..config(3) });
        // Levels of odd sizes at several prices; the taker's one order goes through all, in parts, and rests with the rest.
        for (price, count) in [("0.5200", "1.00"), ("0.5200", "0.33"), ("0.5300", "3.07"), ("0.5500", "2.50")] {
            world.place(0, "ask", price, count);
        }
        let taker = world.place(1, "bid", "0.5600", "12.00");
        assert_eq!(world.shown(1, &taker)["fill_count_fp"], "6.90");
        // What is left of it is filled as maker, in parts that are not whole contracts; the accumulator goes on.
        for count in ["0.01", "0.01", "1.13", "2.00"] {
            world.place(2, "ask", "0.5600", count);
        }
        let schedule = FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm };
        let (parts, paid) = by_order(&world, 1, schedule);
        println!("makers pay {maker_ppm} ppm: {parts} parts of one order, {paid} $");
        assert_eq!(parts, 8);
        by_order(&world, 0, schedule);
        by_order(&world, 2, schedule);

        // REST tells the same to the last digit: fill by fill, and in the order's own sums.
        let told = world.get(1, "/portfolio/fills");
        let mut booked: Vec<String> = world.core.inspect().fills(1).iter().map(|fill| fill.fee.to_string()).collect();
        let mut shown: Vec<String> = told["fills"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fill| fill["fee_cost"].as_str().unwrap().to_owned())
            .collect();
        booked.sort();
        shown.sort();
        assert_eq!(shown, booked);
        let order = world.shown(1, &taker);
        let sum = |taker| -> Money {
            let fills = world.core.inspect().fills(1);
            fills.iter().filter(|fill| fill.taker == taker && fill.side == Side::Bid).map(|fill| fill.fee).sum()
        };
        assert_eq!(order["taker_fees_dollars"], sum(true).to_string());
        assert_eq!(order["maker_fees_dollars"], sum(false).to_string());
        assert_eq!(sum(false).micros() > 0, maker_fees, "makers pay only where the schedule says so");
    }
}
