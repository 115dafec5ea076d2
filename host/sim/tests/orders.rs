//! The life of orders as members see it: answers, books, positions, money.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod member;

use isobar_engine::units::{Money, SECOND};
use isobar_sim::{CoreConfig, Scene};
use member::{World, at, captured, config};
use serde_json::{Value, json};

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[test]
fn refusals_are_the_captured_bodies_byte_for_byte() {
    let mut world = World::new(2);
    world.place(1, "ask", "0.5200", "3.00");
    let id = world.place(0, "bid", "0.0100", "1.00");
    let order = |world: &World, part: Value| {
        let mut order = world.order("bid", "0.0100", "1.00");
        for (name, value) in part.as_object().unwrap() {
            order[name] = value.clone();
        }
        order.to_string()
    };
    let orders = "/portfolio/events/orders";
    let used = order(&world, json!({"client_order_id": "used"}));
    assert_eq!(world.send(0, "POST", orders, &used).status, 201);
    let path = format!("{orders}/{id}");
    assert_eq!(world.send(0, "DELETE", &path, "").status, 200);
    let taken = world.order("bid", "0.9900", "1.00");
    let executed = world.create(0, &taken).1["order_id"].as_str().unwrap().to_owned();
    let cases = [
        ("POST", orders.to_owned(), used, 409, "orders__duplicate_client_order_id"),
        (
            "POST",
            orders.to_owned(),
            order(&world, json!({"price": "0.9900", "count": "10099.00"})),
            400,
            "orders__insufficient_balance",
        ),
        ("POST", orders.to_owned(), order(&world, json!({"price": "0.5150"})), 400, "orders__invalid_price_structure"),
        (
            "POST",
            orders.to_owned(),
            order(&world, json!({"price": 0.01, "count": 1})),
            400,
            "orders__numeric_field_types",
        ),
        (
            "POST",
            orders.to_owned(),
            order(&world, json!({"price": "0.9900", "post_only": true})),
            400,
            "orders__post_only_cross",
        ),
        ("DELETE", path, String::new(), 404, "orders__cancel_already_canceled"),
        ("DELETE", format!("{orders}/{executed}"), String::new(), 404, "orders__cancel_executed"),
        (
            "DELETE",
            format!("{orders}/00000000-0000-0000-0000-000000000000"),
            String::new(),
            404,
            "orders__cancel_unknown_id",
        ),
        ("GET", "/markets?limit=1001".to_owned(), String::new(), 400, "markets__limit_over_max"),
        ("GET", "/series/fee_changes".to_owned(), String::new(), 200, "series__fee_changes"),
        ("GET", "/portfolio/settlements?limit=10".to_owned(), String::new(), 200, "settlements__page"),
    ];
    for (method, path, body, status, name) in cases {
        let answer = world.send(0, method, &path, &body);
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        if let Some(captured) = captured(name) {
            assert_eq!(answer.body, captured, "{name}");
        }
    }
    let (status, gone) = world.call(0, "POST", "/portfolio/orders", &json!({"yes_price": 1}));
    assert_eq!((status, gone["error"]["code"].as_str()), (410, Some("deprecated_v1_order_endpoint")));
}

/// Names and types of a captured body, in their order; values differ.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::Array(items) => items.first().map(shape).into_iter().collect(),
        Value::String(_) => "string".into(),
        Value::Number(_) => "number".into(),
        other => other.clone(),
    }
}

#[test]
fn answers_have_exactly_the_members_of_the_captures() {
    let mut world = World::new(2);
    world.place(1, "ask", "0.5200", "5.00");
    let mut order = world.order("bid", "0.0100", "1.00");
    order["client_order_id"] = "mine".into();
    let maker = world.create(0, &order).1;
    let id = maker["order_id"].as_str().unwrap().to_owned();
    let shown = world.get(0, &format!("/portfolio/orders/{id}"));
    let cancelled = world.cancel(0, &id).1;
    let mut taker = world.order("bid", "0.9900", "1.00");
    (taker["time_in_force"], taker["client_order_id"]) = ("immediate_or_cancel".into(), "other".into());
    let taken = world.create(0, &taker).1;
    assert_eq!((&taken["average_fill_price"], &taken["average_fee_paid"]), (&json!("0.5200"), &json!("0.0175")));
    assert_eq!((&taken["fill_count"], &taken["remaining_count"]), (&json!("1.00"), &json!("0.00")));
    let (balance, positions) = (world.get(0, "/portfolio/balance"), world.get(0, "/portfolio/positions"));
    assert_eq!(balance["balance_dollars"], "999.4625");
    for (name, body) in [
        ("orders__create_v2_maker", maker),
        ("orders__cancel_v2", cancelled),
        ("orders__create_v2_taker_ioc", taken),
        ("auth__balance_ok", balance),
    ] {
        let Some(captured) = captured(name) else { continue };
        assert_eq!(shape(&body), shape(&serde_json::from_str(&captured).unwrap()), "{name}");
    }
    // Later specifications added members to these, and one is gone.
    for (name, body, added, gone) in [
        ("orders__get_after_create", shown, vec!["cancel_order_on_pause", "exchange_index"], vec![]),
        ("portfolio__positions", positions, vec!["exchange_index"], vec!["resting_orders_count"]),
    ] {
        let Some(captured) = captured(name) else { continue };
        let mut expected = shape(&serde_json::from_str(&captured).unwrap());
        let inner =
            if name.starts_with("orders") { &mut expected["order"] } else { &mut expected["market_positions"][0] };
        let inner = inner.as_object_mut().unwrap();
        gone.iter().for_each(|name: &&str| assert!(inner.remove(*name).is_some()));
        for name in added {
            inner.insert(name.to_owned(), if name == "exchange_index" { "number".into() } else { false.into() });
        }
        assert_eq!(shape(&body), expected, "{name}");
    }
}

#[test]
fn whoever_came_first_trades_first_and_a_better_price_before() {
    let mut world = World::new(4);
    let late = world.place(0, "ask", "0.5300", "5.00");
    let first = world.place(1, "ask", "0.5200", "5.00");
    let second = world.place(2, "ask", "0.5200", "5.00");
    let ahead = |world: &mut World, account: usize, id: &str| {
        world.get(account, &format!("/portfolio/orders/{id}/queue_position"))["queue_position_fp"].clone()
    };
    assert_eq!((ahead(&mut world, 1, &first), ahead(&mut world, 2, &second)), (json!("0.00"), json!("5.00")));
    let order = world.order("bid", "0.5300", "7.00");
    let (status, taken) = world.create(3, &order);
    assert_eq!((status, &taken["fill_count"]), (201, &json!("7.00")));
    assert_eq!(world.shown(1, &first)["status"], "executed");
    assert_eq!(world.shown(2, &second)["remaining_count_fp"], "3.00");
    assert_eq!(world.shown(0, &late)["remaining_count_fp"], "5.00");
    assert_eq!(ahead(&mut world, 2, &second), json!("0.00"));
    let fills = world.get(3, "/portfolio/fills")["fills"].clone();
    assert_eq!(fills[0]["count_fp"], "2.00", "the newest first");
    let trades = world.get(0, "/markets/trades")["trades"].clone();
    assert_eq!(trades[0]["trade_id"], fills[0]["trade_id"]);
    assert_eq!((&trades[0]["taker_book_side"], &trades[0]["yes_price_dollars"]), (&json!("bid"), &json!("0.5200")));
}

#[test]
fn an_order_never_trades_with_its_own_account() {
    let mut world = World::new(1);
    let resting = world.place(0, "bid", "0.4000", "2.00");
    let ask = world.order("ask", "0.4000", "1.00");
    let (status, dead) = world.create(0, &ask);
    assert_eq!((status, &dead["fill_count"], &dead["remaining_count"]), (201, &json!("0.00"), &json!("0.00")));
    let id = dead["order_id"].as_str().unwrap();
    assert_eq!(world.shown(0, id)["status"], "canceled");
    assert_eq!(world.shown(0, &resting)["status"], "resting");
    let mut ask = ask;
    ask["self_trade_prevention_type"] = "maker".into();
    let (_, lives) = world.create(0, &ask);
    assert_eq!(lives["remaining_count"], "1.00");
    assert_eq!(world.shown(0, &resting)["status"], "canceled");
    assert!(world.core.inspect().fills(0).is_empty());
}

#[test]
fn immediate_orders_leave_nothing_behind() {
    let mut world = World::new(2);
    world.place(1, "ask", "0.5000", "3.00");
    let mut order = world.order("bid", "0.5000", "5.00");
    order["time_in_force"] = "fill_or_kill".into();
    let killed = world.create(0, &order);
    assert_eq!(code(&killed), (409, "fill_or_kill_insufficient_resting_volume"));
    assert!(world.core.inspect().orders(0).is_empty());
    order["time_in_force"] = "immediate_or_cancel".into();
    let (_, part) = world.create(0, &order);
    assert_eq!((&part["fill_count"], &part["remaining_count"]), (&json!("3.00"), &json!("0.00")));
    assert_eq!(world.core.inspect().book(&world.ticker).unwrap(), (vec![], vec![]));
    // It closes what is held and no more.
    world.place(1, "bid", "0.4000", "9.00");
    let mut sell = world.order("ask", "0.4000", "9.00");
    (sell["time_in_force"], sell["reduce_only"]) = ("immediate_or_cancel".into(), true.into());
    let (_, sold) = world.create(0, &sell);
    assert_eq!(sold["fill_count"], "3.00");
    assert!(world.core.inspect().positions(0).is_empty());
    sell["time_in_force"] = "good_till_canceled".into();
    assert_eq!(code(&world.create(0, &sell)), (400, "invalid_order"));
}

#[test]
fn an_amend_keeps_its_place_only_where_it_shrinks() {
    let mut world = World::new(3);
    let mine = world.place(0, "bid", "0.4000", "5.00");
    world.place(1, "bid", "0.4000", "5.00");
    let taker = world.order("ask", "0.4000", "2.00");
    world.create(2, &taker);
    let path = format!("/portfolio/events/orders/{mine}/amend");
    let wanted = |world: &World, price: &str, count: &str| json!({"ticker": world.ticker, "side": "bid", "price": price, "count": count});
    // 2 are filled: a total of 4 leaves 2.
    let body = wanted(&world, "0.4000", "4.00");
    let (status, answer) = world.call(0, "POST", &path, &body);
    assert_eq!((status, &answer["remaining_count"], &answer["fill_count"]), (200, &json!("2.00"), &json!("0.00")));
    assert_eq!(world.core.inspect().queue_position(0, &mine).unwrap().units(), 0);
    let mut expiry = body.clone();
    expiry["expiration_time"] = (world.now.0 / SECOND + 600).into();
    let (_, same) = world.call(0, "POST", &path, &expiry);
    assert_eq!((&same["remaining_count"], &same["fill_count"]), (&Value::Null, &Value::Null));
    assert_eq!(world.core.inspect().queue_position(0, &mine).unwrap().units(), 0);
    let body = wanted(&world, "0.4000", "6.00");
    world.call(0, "POST", &path, &body);
    assert_eq!(world.core.inspect().queue_position(0, &mine).unwrap().units(), 500);
    assert!(world.shown(0, &mine)["expiration_time"].is_string(), "an expiry that is not named stays");
    let mut wrong = body.clone();
    wrong["side"] = "ask".into();
    assert_eq!(code(&world.call(0, "POST", &path, &wrong)), (400, "order_side_mismatch"));
    // Moved across the book it takes.
    world.place(2, "ask", "0.6000", "1.00");
    let body = wanted(&world, "0.6000", "6.00");
    let (_, crossed) = world.call(0, "POST", &path, &body);
    assert_eq!((&crossed["fill_count"], &crossed["remaining_count"]), (&json!("1.00"), &json!("3.00")));
    assert_eq!(crossed["average_fill_price"], "0.6000");
}

#[test]
fn a_decrease_keeps_its_place_and_to_nothing_it_cancels() {
    let mut world = World::new(2);
    let mine = world.place(0, "bid", "0.4000", "5.00");
    world.place(1, "bid", "0.4000", "5.00");
    let path = format!("/portfolio/events/orders/{mine}/decrease");
    let (status, answer) = world.call(0, "POST", &path, &json!({"reduce_by": "1.50"}));
    assert_eq!((status, &answer["remaining_count"]), (200, &json!("3.50")));
    assert_eq!(world.core.inspect().queue_position(0, &mine).unwrap().units(), 0);
    assert_eq!(world.call(0, "POST", &path, &json!({"reduce_by": "1.00", "reduce_to": "1.00"})).0, 400);
    world.call(0, "POST", &path, &json!({"reduce_to": "0"}));
    assert_eq!(world.shown(0, &mine)["status"], "canceled");
    assert_eq!(code(&world.call(0, "POST", &path, &json!({"reduce_by": "1.00"}))), (404, "not_found"));
}

#[test]
fn an_order_dies_at_its_expiry_by_the_exchanges_clock() {
    let mut world = World::new(1);
    let listener = world.listen(0, &["user_orders"]);
    let mut order = world.order("bid", "0.4000", "5.00");
    order["expiration_time"] = (world.now.0 / SECOND + 30).into();
    let id = world.create(0, &order).1["order_id"].as_str().unwrap().to_owned();
    assert_eq!(world.core.next_wakeup(), Some(world.now.plus(30 * SECOND)));
    world.pass(30 * SECOND - 1);
    assert_eq!(world.core.inspect().resting(0).len(), 1);
    world.pass(1);
    assert!(world.core.inspect().resting(0).is_empty());
    let frames = world.frames(listener);
    let last = &frames.last().unwrap()["msg"];
    assert_eq!((&last["order_id"], &last["last_update_reason"]), (&json!(id), &json!("ExpiryCancel")));
    order["expiration_time"] = (world.now.0 / SECOND).into();
    assert_eq!(code(&world.create(0, &order)), (400, "invalid_order"));
}

#[test]
fn cancel_all_goes_on_for_a_minute() {
    let mut world = World::new(1);
    world.place(0, "bid", "0.4000", "5.00");
    let answer = world.send(0, "DELETE", "/portfolio/events/orders", "");
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert!(world.core.inspect().resting(0).is_empty());
    world.place(0, "bid", "0.4000", "5.00");
    world.pass(60 * SECOND);
    assert!(world.core.inspect().resting(0).is_empty(), "placed within the minute");
    world.place(0, "bid", "0.4000", "5.00");
    world.pass(120 * SECOND);
    assert_eq!(world.core.inspect().resting(0).len(), 1);
}

#[test]
fn a_batch_answers_item_by_item() {
    let mut world = World::new(1);
    let (good, mut bad) = (world.order("bid", "0.4000", "5.00"), world.order("bid", "0.4050", "5.00"));
    bad["client_order_id"] = "bad".into();
    let (status, answer) = world.call(0, "POST", "/portfolio/events/orders/batched", &json!({"orders": [good, bad]}));
    assert_eq!(status, 201);
    let orders = answer["orders"].as_array().unwrap();
    assert_eq!((&orders[0]["remaining_count"], &orders[1]["error"]["code"]), (&json!("5.00"), &json!("invalid_price")));
    let ids = json!({"orders": [{"order_id": orders[0]["order_id"]}, {"order_id": "nothing"}]});
    let (status, answer) = world.call(0, "DELETE", "/portfolio/events/orders/batched", &ids);
    assert_eq!((status, &answer["orders"][0]["reduced_by"]), (200, &json!("5.00")));
    assert_eq!(
        (&answer["orders"][1]["reduced_by"], &answer["orders"][1]["error"]["code"]),
        (&json!("0.00"), &json!("not_found"))
    );
}

#[test]
fn a_group_that_reaches_its_limit_pulls_its_orders_and_takes_no_more_until_reset() {
    let mut world = World::new(2);
    let listener = world.listen(0, &["order_group_updates"]);
    let (status, group) = world.call(0, "POST", "/portfolio/order_groups/create", &json!({"contracts_limit": 4}));
    assert_eq!((status, &group["subaccount"]), (201, &json!(0)));
    let id = group["order_group_id"].as_str().unwrap().to_owned();
    let mut order = world.order("bid", "0.4000", "9.00");
    order["order_group_id"] = id.clone().into();
    world.create(0, &order);
    let mut other = world.order("bid", "0.3000", "5.00");
    other["order_group_id"] = id.clone().into();
    world.create(0, &other);
    let taker = world.order("ask", "0.4000", "2.00");
    world.create(1, &taker);
    assert_eq!(world.core.inspect().resting(0).len(), 2);
    // Sixteen seconds later the two contracts are out of the window.
    world.pass(16 * SECOND);
    world.create(1, &taker);
    assert_eq!(world.core.inspect().resting(0).len(), 2);
    let path = format!("/portfolio/order_groups/{id}");
    assert_eq!(world.get(0, &path)["orders"].as_array().unwrap().len(), 2);
    let taker = world.order("ask", "0.4000", "1.00");
    world.create(1, &taker);
    assert_eq!(world.core.inspect().resting(0).len(), 2, "three of four");
    world.place(0, "bid", "0.4000", "9.00");
    let (status, _) = world.call(0, "PUT", &format!("{path}/limit"), &json!({"contracts_limit_fp": "3.00"}));
    assert_eq!(status, 200);
    assert_eq!(world.core.inspect().resting(0).len(), 1, "only what is in no group");
    assert_eq!(code(&world.create(0, &order)), (400, "invalid_order"));
    world.call(0, "PUT", &format!("{path}/reset"), &json!({}));
    assert_eq!(world.create(0, &order).0, 201);
    world.call(0, "DELETE", &path, &Value::Null);
    assert_eq!(world.core.inspect().resting(0).len(), 1);
    assert_eq!(code(&world.call(0, "GET", &path, &Value::Null)), (404, "not_found"));
    let events: Vec<String> =
        world.frames(listener).iter().map(|frame| frame["msg"]["event_type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(events, ["created", "limit_updated", "triggered", "reset", "deleted"]);
}

#[test]
fn yes_and_no_of_one_market_cancel_out_at_a_dollar_a_pair_and_resting_orders_hold_collateral() {
    let mut world = World::new(2);
    world.place(0, "bid", "0.4000", "10.00");
    assert_eq!(world.core.inspect().cash(0), Money::dollars(1_000));
    assert_eq!(world.core.inspect().available(0), Money::dollars(996));
    let sell = world.order("ask", "0.4000", "10.00");
    world.create(1, &sell);
    // Ten NO at 0.60 and the fee of 0.07 × 10 × 0.24.
    assert_eq!(world.core.inspect().cash(1), Money::new(1_000_000_000 - 6_000_000 - 168_000));
    assert_eq!(world.core.inspect().positions(1).values().copied().collect::<Vec<_>>(), [-1_000]);
    world.place(0, "ask", "0.7000", "10.00");
    assert_eq!(world.core.inspect().available(0), Money::dollars(996), "what closes a position needs no money");
    let buy = world.order("bid", "0.7000", "10.00");
    world.create(1, &buy);
    assert!(world.core.inspect().positions(1).is_empty() && world.core.inspect().positions(0).is_empty());
    assert_eq!(world.core.inspect().cash(0), Money::dollars(1_003));
    assert_eq!(world.core.inspect().cash(1), Money::new(1_000_000_000 - 3_000_000 - 168_000 - 147_000));
    let position = world.get(0, "/portfolio/positions")["market_positions"][0].clone();
    assert_eq!(
        (&position["realized_pnl_dollars"], &position["total_traded_dollars"]),
        (&json!("3.000000"), &json!("7.000000"))
    );
}

#[test]
fn a_market_closes_is_decided_and_pays() {
    let mut world = World::new(2);
    let listener = world.listen(0, &["user_orders", "market_lifecycle_v2", "market_positions"]);
    world.place(0, "bid", "0.4000", "10.00");
    let sell = world.order("ask", "0.4000", "6.00");
    world.create(1, &sell);
    let id = world.core.inspect().resting(0)[0].order_id.clone();
    let closes =
        world.get(0, &format!("/markets/{}", world.ticker))["market"]["close_time"].as_str().unwrap().to_owned();
    world.now = at(&closes);
    // The engine's own answer at that moment, before it came to cancel anything.
    assert_eq!(code(&world.cancel(0, &id)), (400, "MARKET_INACTIVE"));
    let order = world.order("bid", "0.4000", "1.00");
    assert_eq!(code(&world.create(0, &order)), (400, "MARKET_INACTIVE"));
    assert!(world.core.inspect().resting(0).is_empty());
    world.pass(2 * 3_600 * SECOND);
    let frames = world.frames(listener);
    let reasons: Vec<&Value> = frames.iter().map(|frame| &frame["msg"]["last_update_reason"]).collect();
    assert!(reasons.contains(&&json!("CloseCancel")));
    let market = world.get(0, &format!("/markets/{}", world.ticker))["market"].clone();
    assert_eq!(market["status"], "finalized");
    let yes = market["result"] == "yes";
    let (winner, loser) = if yes { (0, 1) } else { (1, 0) };
    let paid = world.get(winner, "/portfolio/settlements")["settlements"][0].clone();
    assert_eq!((&paid["revenue"], &paid["market_result"]), (&json!(600), &market["result"]));
    assert_eq!(world.get(loser, "/portfolio/settlements")["settlements"][0]["revenue"], 0);
    assert_eq!(world.get(0, "/portfolio/positions")["market_positions"], json!([]));
    let settled = world.get(0, "/portfolio/positions?settlement_status=settled")["market_positions"].clone();
    assert_eq!(settled.as_array().unwrap().len(), 1);
    let sum = world.core.inspect().cash(0) + world.core.inspect().cash(1) + world.core.inspect().fees(1);
    assert_eq!(sum, Money::dollars(2_000));
}

#[test]
fn a_pause_forbids_what_it_should_and_spares_what_it_may() {
    let mut world = World::of(&CoreConfig {
        maintenance: true,
        scene: Scene::Quiet { date: jiff::civil::date(2026, 7, 2), start: "2026-07-02T06:59:00Z".parse().unwrap() },
        ..config(1)
    });
    let stays = world.place(0, "bid", "0.4000", "5.00");
    let mut order = world.order("bid", "0.3000", "5.00");
    order["cancel_order_on_pause"] = true.into();
    world.create(0, &order);
    world.pass(60 * SECOND);
    assert_eq!(world.get(0, "/exchange/status")["trading_active"], false);
    assert_eq!(world.core.inspect().resting(0).len(), 1);
    let order = world.order("bid", "0.2000", "1.00");
    assert_eq!(code(&world.create(0, &order)), (409, "trading_is_paused"));
    assert_eq!(world.cancel(0, &stays).0, 200);
    world.pass(2 * 3_600 * SECOND);
    assert_eq!(world.get(0, "/exchange/status")["trading_active"], true);
    let stays = world.place(0, "bid", "0.4000", "5.00");
    world.core.pause(true);
    assert_eq!(code(&world.cancel(0, &stays)), (503, "exchange_is_paused"));
    assert_eq!(world.get(0, "/exchange/status")["exchange_active"], false);
    world.core.resume();
    // One market alone: its orders are cancelled when it comes back.
    let ticker = world.ticker.clone();
    assert!(world.core.pause_market(&ticker, true));
    assert_eq!(world.get(0, &format!("/markets?status=paused&tickers={ticker}"))["markets"][0]["status"], "inactive");
    assert_eq!(code(&world.create(0, &order)), (409, "trading_is_paused"));
    assert_eq!(world.core.inspect().resting(0).len(), 1);
    assert!(world.core.pause_market(&ticker, false));
    assert!(world.core.inspect().resting(0).is_empty());
}

#[test]
fn pages_of_orders_are_complete_and_any_cursor_is_taken() {
    let mut world = World::new(1);
    for _ in 0..25 {
        world.place(0, "bid", "0.0100", "1.00");
    }
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = world.get(0, &format!("/portfolio/orders?limit=10&cursor={cursor}"));
        seen.extend(
            page["orders"].as_array().unwrap().iter().map(|order| order["order_id"].as_str().unwrap().to_owned()),
        );
        // What comes in between does not shift the pages.
        world.place(0, "bid", "0.0100", "1.00");
        cursor = page["cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    let placed: Vec<String> =
        world.core.inspect().orders(0)[..25].iter().rev().map(|order| order.order_id.clone()).collect();
    assert_eq!(seen, placed);
    let garbage = world.get(0, "/portfolio/orders?limit=10&cursor=garbage!!");
    assert_eq!(garbage["orders"].as_array().unwrap().len(), 10);
    assert_eq!(world.send(0, "GET", "/portfolio/orders?limit=1001", "").status, 400);
    let none = world.get(0, "/portfolio/orders?status=executed");
    assert_eq!(none, json!({"cursor": "", "orders": []}));
}
