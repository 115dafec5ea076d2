//! Faults do what they say, at the step for which they were asked.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod member;

use isobar_engine::units::SECOND;
use isobar_sim::{Call, Channel, Delivery, Fault, FaultRates, FrameRates, Mishap, Shape};
use member::World;
use serde_json::{Value, json};

fn answer(on: Call, mishap: Mishap) -> Fault {
    Fault::Answer { on, mishap, count: 1 }
}

#[test]
fn an_answer_can_be_lost_before_and_after_the_order_was_taken() {
    let mut world = World::new(1);
    let mut order = world.order("bid", "0.4000", "1.00");
    order["client_order_id"] = "mine".into();
    let text = order.to_string();
    world.core.inject(answer(Call::Create, Mishap::LostBefore));
    assert!(world.core.inspect().orders(0).is_empty());
    assert_eq!(world.send(0, "GET", "/markets", "").delivery, Delivery::Prompt, "other requests are spared");
    assert_eq!(world.send(0, "POST", "/portfolio/events/orders", &text).delivery, Delivery::Lost);
    assert!(world.core.inspect().orders(0).is_empty());
    world.core.inject(answer(Call::Create, Mishap::LostAfter));
    assert_eq!(world.send(0, "POST", "/portfolio/events/orders", &text).delivery, Delivery::Lost);
    assert_eq!(world.core.inspect().resting(0).len(), 1);
    assert_eq!(world.create(0, &order).0, 409, "once is enough");
    world.core.inject(answer(Call::Read, Mishap::Late { ms: 250 }));
    let late = world.send(0, "GET", "/portfolio/orders", "");
    assert_eq!((late.status, late.delivery), (200, Delivery::Late(250_000_000)));
    let counts = world.core.counts();
    let faults = counts.faults.iter().map(|(name, count)| (&**name, *count)).collect::<Vec<_>>();
    assert_eq!(faults, [("late", 1), ("lost_after", 1), ("lost_before", 1)]);
    assert_eq!(counts.answers.get("409 order_already_exists"), Some(&1), "{counts:?}");
}

#[test]
fn server_errors_have_every_shape_and_may_have_done_it_all_the_same() {
    let mut world = World::new(1);
    let mut orders = 0;
    for (status, shape, executed) in [
        (500, Shape::Wrapped, false),
        (502, Shape::Html, true),
        (503, Shape::Flat, false),
        (504, Shape::Empty, true),
        (429, Shape::Text, false),
        (500, Shape::Msg, false),
    ] {
        world.core.inject(answer(Call::Create, Mishap::Status { status, shape, executed }));
        let order = world.order("bid", "0.0100", "1.00").to_string();
        let answer = world.send(0, "POST", "/portfolio/events/orders", &order);
        assert_eq!(answer.status, status);
        let body: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        let shaped = match shape {
            Shape::Wrapped => body["error"]["code"].is_string(),
            Shape::Flat => body["code"].is_string(),
            Shape::Msg => body["msg"].is_string(),
            Shape::Text => body == json!({"error": "too many requests"}),
            Shape::Html => answer.body.starts_with("<html>"),
            Shape::Empty => answer.body.is_empty(),
        };
        assert!(shaped, "{}", answer.body);
        orders += usize::from(executed);
        assert_eq!(world.core.inspect().orders(0).len(), orders);
    }
}

#[test]
fn reads_lag_behind_writes_as_captured() {
    let mut world = World::new(1);
    world.core.inject(Fault::ReadLag { ms: 400 });
    world.pass(SECOND);
    let id = world.place(0, "bid", "0.4000", "1.00");
    let path = format!("/portfolio/orders/{id}");
    assert_eq!(world.send(0, "GET", &path, "").status, 404, "not there yet");
    world.pass(SECOND);
    assert_eq!(world.cancel(0, &id).0, 200);
    world.pass(360_000_000);
    assert_eq!(world.shown(0, &id)["status"], "resting", "360 ms after its cancel it still seems to rest");
    assert_eq!(world.cancel(0, &id).0, 404, "the engine knows better");
    world.pass(40_000_000);
    assert_eq!(world.shown(0, &id)["status"], "canceled");
    world.core.inject(Fault::ReadLag { ms: 0 });
    let id = world.place(0, "bid", "0.4000", "1.00");
    assert_eq!(world.shown(0, &id)["status"], "resting");
}

fn prices(frames: &[Value]) -> Vec<(u64, String)> {
    let one = |frame: &Value| {
        (frame["seq"].as_u64().unwrap(), frame["msg"]["price_dollars"].as_str().unwrap_or_default().to_owned())
    };
    frames.iter().map(one).collect()
}

#[test]
fn frames_are_lost_doubled_swapped_and_late() {
    let mut world = World::new(1);
    let reader = world.listen(0, &["orderbook_delta"]);
    let told = |world: &mut World, fault: Option<Fault>| {
        fault.into_iter().for_each(|fault| world.core.inject(fault));
        for cents in ["0.1000", "0.1100", "0.1200"] {
            world.place(0, "bid", cents, "1.00");
        }
        prices(&world.frames(reader)).into_iter().map(|(seq, _)| seq).collect::<Vec<u64>>()
    };
    let channel = Channel::OrderbookDelta;
    assert_eq!(told(&mut world, None), [2, 3, 4]);
    assert_eq!(told(&mut world, Some(Fault::Drop { channel })), [6, 7]);
    assert_eq!(told(&mut world, Some(Fault::Gap { channel })), [9, 10]);
    assert_eq!(told(&mut world, Some(Fault::Duplicate { channel })), [11, 11, 12, 13]);
    assert_eq!(told(&mut world, Some(Fault::Reorder { channel })), [15, 14, 16]);
    assert_eq!(told(&mut world, Some(Fault::Delay { channel, ms: 500 })), [] as [u64; 0]);
    assert_eq!(world.core.next_wakeup(), Some(world.now.plus(500_000_000)));
    world.pass(500_000_000);
    assert_eq!(told(&mut world, None), [17, 18, 19, 20, 21, 22]);
    assert_eq!(told(&mut world, Some(Fault::Silence { channel })), [] as [u64; 0]);
    assert!(world.core.connected(reader));
}

#[test]
fn a_size_can_be_told_wrongly_with_every_number_in_order() {
    let mut world = World::new(1);
    let reader = world.listen(0, &["orderbook_delta"]);
    world.core.inject(Fault::Distort);
    for _ in 0..2 {
        world.place(0, "bid", "0.1000", "1.00");
    }
    let told: Vec<_> =
        world.frames(reader).iter().map(|frame| (frame["seq"].clone(), frame["msg"]["delta_fp"].clone())).collect();
    assert_eq!(told, [(json!(2), json!("2.00")), (json!(3), json!("1.00"))]);
    assert_eq!(
        world.get(0, &format!("/markets/{}/orderbook", world.ticker))["orderbook_fp"]["yes_dollars"][0][1],
        "2.00"
    );
}

#[test]
fn subscriptions_and_connections_end() {
    let mut world = World::new(1);
    for (fault, code) in [
        (Fault::Overflow { channel: Channel::Fill }, 25),
        (Fault::ChannelError { channel: Channel::OrderbookDelta }, 10),
    ] {
        let reader = world.listen(0, &["orderbook_delta", "fill"]);
        world.core.inject(fault);
        let frames = world.frames(reader);
        assert_eq!((&frames[0]["type"], &frames[0]["msg"]["code"]), (&json!("error"), &json!(code)));
        world.core.command(world.now, reader, r#"{"id":5,"cmd":"list_subscriptions"}"#);
        assert_eq!(world.frames(reader)[0]["msg"].as_array().unwrap().len(), 1);
    }
    let reader = world.listen(0, &["fill"]);
    world.core.inject(Fault::Outage { ms: 1_000 });
    assert!(!world.core.connected(reader));
    let mut request = world.signed(0, "GET", "/ws", "");
    request.path = "/trade-api/ws/v2".to_owned();
    assert_eq!(world.core.connect(world.now, &request).unwrap_err().status, 502);
    assert_eq!(world.send(0, "GET", "/markets", "").status, 502);
    world.pass(SECOND);
    assert_eq!(world.send(0, "GET", "/exchange/status", "").status, 200);
}

#[test]
fn an_empty_book_can_look_like_a_free_trade() {
    let mut world = World::new(1);
    let path = format!("/markets/{}", world.ticker);
    assert_eq!(world.get(0, &path)["market"]["yes_ask_dollars"], "1.0000");
    world.core.inject(Fault::EmptyBooks { on: true });
    let market = world.get(0, &path)["market"].clone();
    assert_eq!((&market["yes_ask_dollars"], &market["no_bid_dollars"]), (&json!("0.0000"), &json!("1.0000")));
    assert_eq!(market["yes_ask_size_fp"], "0.00");
    assert_eq!(world.get(0, &format!("{path}/orderbook")), json!({"orderbook": {}}));
}

#[test]
fn chance_is_the_seeds_and_is_reported() {
    let rates = FaultRates {
        frames: FrameRates { drop: 100_000, duplicate: 100_000, reorder: 100_000, delay: 50_000, delay_ms: 2_000 },
        lost_before: 50_000,
        lost_after: 50_000,
        too_many: 50_000,
        server: 100_000,
        disconnect: 5_000,
    };
    let play = |seed: u64| {
        let mut world = World::of(&isobar_sim::CoreConfig { rates, seed, ..member::config(1) });
        let reader = world.listen(0, &[]);
        let command = json!({"id": 1, "cmd": "subscribe", "params": {"channels": ["user_orders"]}});
        world.core.command(world.now, reader, &command.to_string());
        let mut out = Vec::new();
        for _ in 0..300 {
            let order = world.order("bid", "0.0100", "1.00").to_string();
            let answer = world.send(0, "POST", "/portfolio/events/orders", &order);
            out.push(format!("{} {:?} {}", answer.status, answer.delivery, answer.body));
            world.pass(SECOND / 10);
            out.extend(world.core.frames(reader));
        }
        let counts = world.core.counts();
        let of_requests =
            counts.faults.iter().filter(|(name, _)| name.starts_with("lost") || name.starts_with("status"));
        (out, of_requests.map(|(_, count)| count).sum::<u64>(), world.core.inspect().orders(0).len())
    };
    let (first, again, other) = (play(1), play(1), play(2));
    assert!(first == again && first.0 != other.0);
    eprintln!("{} of 300 requests went wrong, {} orders were taken", first.1, first.2);
    assert!((40..120).contains(&first.1), "{}", first.1);
    assert!(first.2 > 200 && first.2 < 300, "{}", first.2);
}
