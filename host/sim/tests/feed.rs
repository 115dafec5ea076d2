//! What the feed tells a member of its own orders, and what it keeps from others.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod member;

use member::World;
use serde_json::{Value, json};

const PRIVATE: [&str; 3] = ["fill", "user_orders", "market_positions"];

fn kinds(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect()
}

#[test]
fn both_sides_of_a_match_are_told_and_nobody_else() {
    let mut world = World::new(3);
    let (maker, taker, other) = (world.listen(0, &PRIVATE), world.listen(1, &PRIVATE), world.listen(2, &PRIVATE));
    let public = world.listen(2, &["trade"]);
    let mut order = world.order("bid", "0.4000", "5.00");
    order["client_order_id"] = "mine".into();
    let resting = world.create(0, &order).1;
    assert_eq!(kinds(&world.frames(maker)), ["user_order"]);
    let sell = world.order("ask", "0.3500", "2.00");
    let taken = world.create(1, &sell).1;
    let (maker, taker) = (world.frames(maker), world.frames(taker));
    assert_eq!(kinds(&maker), ["fill", "market_position", "user_order"]);
    assert_eq!(kinds(&taker), ["fill", "market_position", "user_order"]);
    assert!(world.frames(other).is_empty());
    let fill = &maker[0]["msg"];
    assert_eq!((&fill["order_id"], &fill["client_order_id"]), (&resting["order_id"], &json!("mine")));
    assert_eq!(
        (&fill["is_taker"], &fill["outcome_side"], &fill["book_side"]),
        (&json!(false), &json!("yes"), &json!("bid"))
    );
    assert_eq!((&fill["yes_price_dollars"], &fill["post_position_fp"]), (&json!("0.4000"), &json!("2.00")));
    let fill = &taker[0]["msg"];
    assert_eq!((&fill["order_id"], &fill["is_taker"]), (&taken["order_id"], &json!(true)));
    assert_eq!((&fill["outcome_side"], &fill["post_position_fp"]), (&json!("no"), &json!("-2.00")));
    assert_eq!(fill["yes_price_dollars"], "0.4000", "the resting order's price, of YES");
    assert_eq!(fill["trade_id"], maker[0]["msg"]["trade_id"]);
    assert_eq!(world.frames(public)[0]["msg"]["trade_id"], fill["trade_id"]);
    assert_eq!(maker[2]["msg"]["last_update_reason"], "Trade");
    assert_eq!(
        (&maker[2]["msg"]["remaining_count_fp"], &maker[2]["msg"]["status"]),
        (&json!("3.00"), &json!("resting"))
    );
    assert_eq!((&taker[2]["msg"]["status"], &taker[2]["msg"]["book_side"]), (&json!("executed"), &json!("ask")));
    assert!(maker.iter().all(|frame| frame.get("seq").is_none()));
}

#[test]
fn only_the_owner_sees_the_client_id_in_the_book() {
    let mut world = World::new(2);
    let (mine, theirs) = (world.listen(0, &["orderbook_delta"]), world.listen(1, &["orderbook_delta"]));
    let mut order = world.order("ask", "0.4000", "5.00");
    order["client_order_id"] = "say \"no\"".into();
    let id = world.create(0, &order).1["order_id"].as_str().unwrap().to_owned();
    world.cancel(0, &id);
    let mine = world.frames(mine);
    assert_eq!(mine.len(), 2);
    for frame in &mine {
        assert_eq!(
            (&frame["msg"]["client_order_id"], &frame["msg"]["price_dollars"]),
            (&json!("say \"no\""), &json!("0.6000"))
        );
    }
    assert!(world.frames(theirs).iter().all(|frame| frame["msg"].get("client_order_id").is_none()));
}

#[test]
fn strangers_are_served_public_channels_only() {
    let mut world = World::of(&isobar_sim::CoreConfig { unsigned_feed: true, ..member::config(1) });
    let request = isobar_sim::HttpRequest::new("GET", "/trade-api/ws/v2", world.now);
    let stranger = world.core.connect(world.now, &request).unwrap();
    for (channel, kind) in [("trade", "subscribed"), ("fill", "error")] {
        let command = json!({"id": 1, "cmd": "subscribe", "params": {"channels": [channel]}});
        world.core.command(world.now, stranger, &command.to_string());
        assert_eq!(world.frames(stranger)[0]["type"], kind);
    }
}

#[test]
fn what_happens_to_markets_is_told_with_the_members_of_its_kind_alone() {
    let mut world = World::new(1);
    let reader = world.listen(0, &["market_lifecycle_v2"]);
    let ticker = world.ticker.clone();
    world.core.list_day(jiff::civil::date(2026, 7, 2), 84);
    let frames = world.frames(reader);
    assert_eq!((frames.len(), &frames[0]["type"]), (42, &json!("event_lifecycle")));
    assert_eq!(frames[1]["msg"]["event_type"], "created");
    assert!(frames[1]["msg"]["additional_metadata"]["expected_expiration_ts"].is_i64());
    assert_eq!(world.get(0, "/events?limit=200")["events"].as_array().unwrap().len(), 12);
    let core = &mut world.core;
    assert!(core.pause_market(&ticker, true) && core.pause_market(&ticker, false));
    assert!(core.restrike(&ticker, Some(80), Some(81)) && core.regrid(&ticker, true));
    assert!(core.determine(&ticker, true) && !core.determine(&ticker, false));
    assert!(core.settle(&ticker) && !core.settle(&ticker));
    let told: Vec<(String, Vec<String>)> = world
        .frames(reader)
        .iter()
        .map(|frame| {
            let msg = frame["msg"].as_object().unwrap();
            let names = msg.keys().filter(|name| !["event_type", "market_ticker"].contains(&name.as_str()));
            (msg["event_type"].as_str().unwrap().to_owned(), names.cloned().collect())
        })
        .collect();
    let expected = [
        ("deactivated", vec!["is_deactivated"]),
        ("activated", vec!["is_deactivated"]),
        ("metadata_updated", vec!["cap_strike", "floor_strike", "strike_type", "yes_sub_title"]),
        ("price_level_structure_updated", vec!["price_level_structure", "price_ranges"]),
        ("close_date_updated", vec!["close_ts"]),
        ("determined", vec!["determination_ts", "result", "settlement_value"]),
        ("settled", vec!["settled_ts"]),
    ];
    for ((kind, names), (expected, members)) in told.iter().zip(&expected) {
        assert_eq!((kind.as_str(), names.iter().map(String::as_str).collect::<Vec<_>>()), (*expected, members.clone()));
    }
    assert_eq!(told.len(), expected.len());
    let event = ticker.rsplit_once('-').unwrap().0.to_owned();
    assert!(world.core.override_fee(&event, Some(true)));
    let told = world.frames(reader);
    assert_eq!(
        (&told[0]["type"], &told[0]["msg"]["fee_type_override"]),
        (&json!("event_fee_update"), &json!("quadratic_with_maker_fees"))
    );
    assert_eq!(world.get(0, &format!("/events/{event}"))["event"]["fee_type_override"], "quadratic_with_maker_fees");
    let market = world.get(0, &format!("/markets/{ticker}"))["market"].clone();
    assert_eq!((&market["price_level_structure"], &market["result"]), (&json!("tapered_deci_cent"), &json!("yes")));
}
