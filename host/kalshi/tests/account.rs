//! The account's messages and answers: what each proves of an order, and what it leaves open.

mod support;

use isobar_engine::event::{AccountRead, Body, Input, OrderRead, StaleReason};
use isobar_engine::market::{MarketId, MarketStatus};
use isobar_engine::order::OrderId;
use isobar_engine::units::{Money, Price, Quantity, SECOND, Side, Timestamp};
use isobar_engine::venue::{
    OrderReport, OrderStatus, RejectReason, Request, RequestKind, TradeId, VenueFill, VenueOrder,
};
use isobar_kalshi::protocol::Transmit;
use proptest::prelude::*;
use support::{BRACKET, Bench, TAIL};

const M0: MarketId = MarketId(0);
const ORDER: OrderId = OrderId(7);
const ID: &str = "2597b999-f887-4195-8bac-c3f97a1f2021";

fn price(units: u16) -> Price {
    Price::new(units).expect("at most a dollar")
}

fn contracts(count: u32) -> Quantity {
    Quantity::contracts(count)
}

fn create() -> Request {
    Request::Create {
        order: ORDER,
        market: M0,
        side: Side::Bid,
        price: price(4_600),
        quantity: contracts(10),
        take: false,
        expires: None,
    }
}

fn cancel() -> Request {
    Request::Cancel { order: ORDER }
}

fn find() -> Request {
    Request::Find { order: ORDER }
}

trait Answers {
    fn answer(&mut self, request: Request, status: u16, body: &str) -> OrderReport;
    fn silence(&mut self, request: Request, sent: bool) -> OrderReport;
}

fn report(body: Body) -> OrderReport {
    match body {
        Body::Order { order, report } => {
            assert_eq!(order, ORDER);
            report
        }
        other => panic!("no report: {other:?}"),
    }
}

impl Answers for Bench {
    fn answer(&mut self, request: Request, status: u16, body: &str) -> OrderReport {
        report(self.apply(&Input::Answered { request, status, body: body.as_bytes() }))
    }

    fn silence(&mut self, request: Request, sent: bool) -> OrderReport {
        report(self.apply(&Input::Unanswered { request, sent, reason: "no answer".into() }))
    }
}

fn bench() -> Bench {
    Bench::new(&[BRACKET, TAIL], 60)
}

fn placed() -> Bench {
    let mut bench = bench();
    let taken = bench.answer(create(), 201, &created("r1-7", "0.00", "10.00"));
    assert_eq!(taken, OrderReport::Accepted { filled: Quantity::ZERO, remaining: contracts(10) });
    bench
}

fn created(client: &str, filled: &str, remaining: &str) -> String {
    format!(
        r#"{{"client_order_id":"{client}","fill_count":"{filled}","order_id":"{ID}","remaining_count":"{remaining}","ts_ms":1781159360866}}"#
    )
}

fn code(code: &str) -> String {
    format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#)
}

fn listed(client: &str, status: &str, filled: &str, remaining: &str) -> String {
    format!(
        r#"{{"order_id":"{ID}","client_order_id":"{client}","ticker":"{BRACKET}","book_side":"bid","outcome_side":"yes","status":"{status}",
        "yes_price_dollars":"0.4600","no_price_dollars":"0.5400","fill_count_fp":"{filled}","remaining_count_fp":"{remaining}",
        "initial_count_fp":"10.00","taker_fees_dollars":"0.000000","maker_fees_dollars":"0.000000",
        "taker_fill_cost_dollars":"0.000000","maker_fill_cost_dollars":"0.000000"}}"#
    )
}

#[test]
fn an_answer_to_a_create_proves_that_it_was_taken_or_not_or_nothing() {
    let unknown = OrderReport::Unknown(RequestKind::Create);
    let rejected = OrderReport::Rejected;
    let filled = OrderReport::Accepted { filled: contracts(1), remaining: Quantity::ZERO };
    let dead = OrderReport::Accepted { filled: Quantity::ZERO, remaining: Quantity::ZERO };
    let cases = [
        (201, created("r1-7", "1.00", "0.00"), filled),
        (201, created("r1-7", "0.00", "0.00"), dead),
        (201, created("r1-8", "0.00", "10.00"), unknown.clone()),
        (201, r#"{"order_id":"x"}"#.into(), unknown.clone()),
        (201, String::new(), unknown.clone()),
        (200, code("gone_fishing"), unknown.clone()),
        (400, code("invalid_price"), rejected(RejectReason::Invalid)),
        (
            400,
            r#"{"error":{"code":"invalid_order","message":"invalid order","details":"post only cross"}}"#.into(),
            rejected(RejectReason::PostOnly),
        ),
        (400, code("insufficient_balance"), rejected(RejectReason::Balance)),
        (400, code("MARKET_INACTIVE"), rejected(RejectReason::MarketClosed)),
        (401, code("header_timestamp_expired"), rejected(RejectReason::Unauthorised)),
        (404, code("not_found"), rejected(RejectReason::Invalid)),
        (409, code("order_already_exists"), unknown.clone()),
        (429, r#"{"error":"too many requests"}"#.into(), rejected(RejectReason::RateLimited)),
        (500, String::new(), unknown.clone()),
        (502, "<html>".into(), unknown.clone()),
        (503, code("exchange_paused"), unknown.clone()),
    ];
    for (status, body, expected) in cases {
        assert_eq!(bench().answer(create(), status, &body), expected, "{status} {body}");
    }
    assert_eq!(bench().silence(create(), true), unknown);
    assert_eq!(bench().silence(create(), false), OrderReport::Unsent);
}

#[test]
fn a_404_on_a_cancel_is_no_outcome() {
    let cancelled = format!(r#"{{"order_id":"{ID}","reduced_by":"1.00","ts_ms":1781159364112}}"#);
    assert_eq!(placed().answer(cancel(), 200, &cancelled), OrderReport::Cancelled { reduced: contracts(1) });
    let other = cancelled.replace("2597", "2598");
    assert_eq!(placed().answer(cancel(), 200, &other), OrderReport::Unknown(RequestKind::Cancel));
    assert_eq!(placed().answer(cancel(), 404, &code("not_found")), OrderReport::NotThere(RequestKind::Cancel));
    let failed = |reason| OrderReport::Failed { request: RequestKind::Cancel, reason };
    assert_eq!(placed().answer(cancel(), 400, &code("MARKET_INACTIVE")), failed(RejectReason::MarketClosed));
    assert_eq!(placed().answer(cancel(), 429, ""), failed(RejectReason::RateLimited));
    assert_eq!(placed().answer(cancel(), 503, ""), OrderReport::Unknown(RequestKind::Cancel));
    assert_eq!(placed().silence(cancel(), false), failed(RejectReason::Other));
    assert_eq!(placed().silence(cancel(), true), OrderReport::Unknown(RequestKind::Cancel));
}

#[test]
fn decreases_and_renewals_are_reported_and_change_what_an_amend_must_say() {
    let mut bench = placed();
    let total = |bench: &Bench| bench.protocol.placed(ORDER).expect("placed").total;
    assert_eq!(total(&bench), Some(contracts(10)));
    let expires = Timestamp(2_000_000_000 * SECOND);
    let amended = format!(r#"{{"order_id":"{ID}","remaining_count":null,"fill_count":null,"ts_ms":1}}"#);
    assert_eq!(bench.answer(Request::Renew { order: ORDER, expires }, 200, &amended), OrderReport::Renewed);
    let decreased = format!(r#"{{"order_id":"{ID}","remaining_count":"4.00","ts_ms":2}}"#);
    let decrease = Request::Decrease { order: ORDER, to: contracts(4) };
    assert_eq!(bench.answer(decrease, 200, &decreased), OrderReport::Decreased { remaining: contracts(4) });
    assert_eq!(total(&bench), None, "what was filled before is not known");
    bench.apply(&Input::Connected { connection: 0, use_yes_price: true, observed: true, private: false });
    let message = listed("r1-7", "resting", "1.00", "4.00");
    bench.frame(&format!(r#"{{"type":"user_order","sid":1,"msg":{message}}}"#));
    assert_eq!(total(&bench), Some(contracts(5)));
    assert_eq!(bench.answer(decrease, 404, &code("not_found")), OrderReport::NotThere(RequestKind::Decrease));
}

#[test]
fn an_order_is_found_by_either_id_and_its_absence_is_proved_by_a_whole_list() {
    let state = |status, filled, remaining| OrderReport::State { status, filled, remaining };
    let one = format!(r#"{{"order":{}}}"#, listed("r1-7", "executed", "10.00", "0.00"));
    assert_eq!(bench().answer(find(), 200, &one), state(OrderStatus::Executed, contracts(10), Quantity::ZERO));
    let foreign = format!(r#"{{"order":{}}}"#, listed("r2-7", "executed", "10.00", "0.00"));
    assert_eq!(bench().answer(find(), 200, &foreign), OrderReport::Unknown(RequestKind::Find));
    let odd = format!(r#"{{"order":{}}}"#, listed("r1-7", "pondering", "0.00", "10.00"));
    assert_eq!(bench().answer(find(), 200, &odd), OrderReport::Unknown(RequestKind::Find));
    let list = |order: &str, cursor: &str| format!(r#"{{"orders":[{order}],"cursor":"{cursor}"}}"#);
    let resting = listed("r1-7", "resting", "3.00", "7.00");
    let mut found = bench();
    assert_eq!(
        found.answer(find(), 200, &list(&resting, "more")),
        state(OrderStatus::Resting, contracts(3), contracts(7))
    );
    assert_eq!(found.protocol.placed(ORDER).map(|placed| placed.id.as_str()), Some(ID));
    assert_eq!(bench().answer(find(), 200, &list("", "")), OrderReport::Absent);
    assert_eq!(bench().answer(find(), 200, &list("", "more")), OrderReport::Unknown(RequestKind::Find));
    assert_eq!(bench().answer(find(), 404, &code("not_found")), OrderReport::NotThere(RequestKind::Find));
    assert_eq!(bench().answer(find(), 429, ""), OrderReport::Unknown(RequestKind::Find));
}

#[test]
fn a_private_connection_subscribes_the_account_and_has_it_read() {
    let mut bench = bench();
    bench.apply(&Input::Connected { connection: 0, use_yes_price: true, observed: false, private: true });
    let texts = bench.texts();
    let about = |texts: &[String], channel: &str| {
        texts.iter().filter(|text| text.contains(&format!(r#"["{channel}"]"#))).count()
    };
    for channel in ["fill", "user_orders", "market_positions", "order_group_updates"] {
        assert_eq!(about(&texts, channel), 1, "{texts:?}");
    }
    let id = |channel: &str| {
        let text = texts.iter().find(|text| text.contains(channel)).expect("asked for");
        let command: serde_json::Value = serde_json::from_str(text).expect("JSON");
        command["id"].as_u64().expect("a number")
    };
    let ack = format!(r#"{{"type":"subscribed","id":{},"msg":{{"channel":"fill","sid":5}}}}"#, id("\"fill\""));
    bench.frame(&ack);
    assert_eq!(bench.sent, [Transmit::Reconcile { connection: 0 }]);
    bench.sent.clear();
    bench.frame(r#"{"type":"error","sid":5,"msg":{"code":25,"msg":"Subscription buffer overflow"}}"#);
    assert_eq!(about(&bench.texts(), "fill"), 1, "what the venue ended is subscribed again");
    bench.apply(&Input::Connected { connection: 1, use_yes_price: true, observed: false, private: false });
    assert_eq!(about(&bench.texts(), "fill"), 0);
}

#[test]
fn fills_and_orders_of_others_are_told_apart_from_ours() {
    let mut bench = Bench::observed(true);
    let fill = |client: &str, trade: &str| {
        format!(
            r#"{{"type":"fill","sid":5,"msg":{{"trade_id":"{trade}","order_id":"{ID}",{client}"market_ticker":"{BRACKET}","is_taker":false,
            "yes_price_dollars":"0.4600","count_fp":"2.50","fee_cost":"0.000000","outcome_side":"no","book_side":"ask","side":"yes","action":"buy"}}}}"#
        )
    };
    let order = |body: Body| match body {
        Body::Fill(VenueFill { order, side, .. }) => {
            assert_eq!(side, Side::Ask, "the older side and action are not read");
            order
        }
        other => panic!("no fill: {other:?}"),
    };
    assert_eq!(order(bench.frame(&fill("", "a"))), None);
    assert_eq!(order(bench.frame(&fill(r#""client_order_id":"r1-7","#, "b"))), Some(ORDER));
    assert_eq!(order(bench.frame(&fill("", "c"))), Some(ORDER), "by the venue's id, which the last one told");
    assert_eq!(order(bench.frame(&fill(r#""client_order_id":"someone-7","#, "d"))), Some(ORDER));
    let message = |client, status| {
        format!(r#"{{"type":"user_order","sid":6,"msg":{}}}"#, listed(client, status, "0.00", "10.00"))
    };
    assert_eq!(bench.frame(&message("r1-7", "unknown")), Body::Quiet);
    let elsewhere = message("r2-7", "resting").replace(ID, "another");
    assert_eq!(bench.frame(&elsewhere), Body::Quiet);
    let counts = bench.protocol.counts();
    assert_eq!((counts.unparsed, counts.accounted()), (0, counts.frames));
}

#[test]
fn the_group_that_is_shown_on_our_orders_is_ours() {
    let mut bench = Bench::observed(true);
    let update = |group: &str, what: &str| {
        format!(
            r#"{{"type":"order_group_updates","sid":8,"seq":1,"msg":{{"event_type":"{what}","order_group_id":"{group}"}}}}"#
        )
    };
    assert_eq!(bench.frame(&update("og_1", "triggered")), Body::Quiet, "no order of ours is in it");
    let shown = listed("r1-7", "resting", "0.00", "10.00").replacen('{', r#"{"order_group_id":"og_1","#, 1);
    bench.frame(&format!(r#"{{"type":"user_order","sid":6,"msg":{shown}}}"#));
    assert_eq!(bench.frame(&update("og_2", "triggered")), Body::Quiet);
    assert_eq!(bench.frame(&update("og_1", "triggered")), Body::Group { triggered: true });
    assert_eq!(bench.frame(&update("og_1", "reset")), Body::Group { triggered: false });
    let done = |request| Input::Answered { request, status: 200, body: b"{}" };
    assert_eq!(bench.apply(&done(Request::TriggerGroup)), Body::Group { triggered: true });
    assert_eq!(bench.apply(&done(Request::ResetGroup)), Body::Group { triggered: false });
    let refused = Input::Answered { request: Request::TriggerGroup, status: 500, body: b"" };
    assert!(matches!(bench.apply(&refused), Body::Unparsed(_)));
}

#[test]
fn a_read_of_the_account_names_our_orders_and_their_fills() {
    let mut bench = bench();
    let order = |client: &str, id: &str, status| OrderRead {
        client: client.into(),
        id: id.into(),
        market: M0,
        side: Side::Bid,
        price: price(4_600),
        status,
        filled: contracts(3),
        remaining: contracts(7),
    };
    let fill = VenueFill {
        trade: TradeId(1),
        order: None,
        market: M0,
        side: Side::Bid,
        price: price(4_600),
        quantity: contracts(3),
        fee: Money::ZERO,
        taker: false,
    };
    let read = AccountRead {
        cash: Money::dollars(90),
        positions: vec![],
        orders: vec![order("r1-7", ID, OrderStatus::Cancelled), order("", "other", OrderStatus::Resting)],
        fills: vec![(ID.into(), fill), ("other".into(), fill)],
        since: Timestamp(1),
        as_of: Timestamp(2),
    };
    let Body::Account(account) = bench.apply(&Input::Account(read)) else { panic!("no account") };
    let orders: Vec<_> =
        account.orders.iter().map(|VenueOrder { order, remaining, .. }| (*order, *remaining)).collect();
    assert_eq!(orders, [(Some(ORDER), Quantity::ZERO), (None, contracts(7))]);
    assert_eq!(account.fills.iter().map(|fill| fill.order).collect::<Vec<_>>(), [Some(ORDER), None]);
    assert!(bench.protocol.placed(ORDER).expect("placed").over);
}

#[test]
fn books_whose_messages_come_late_are_not_believed_until_they_come_in_time() {
    let mut bench = Bench::new(&[BRACKET, TAIL], 60);
    bench.apply(&Input::Opening(isobar_engine::event::Opening {
        run: "r1".into(),
        engine: "test".into(),
        clock: "stamped".into(),
        stale_after: 60 * SECOND,
        source: "test".into(),
        late_after: 2 * SECOND,
    }));
    bench.apply(&Input::Connected { connection: 0, use_yes_price: true, observed: false, private: false });
    bench.frame(r#"{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":1}}"#);
    bench.sent.clear();
    let snapshot = |seq: u64, sent: i64| {
        format!(
            r#"{{"type":"orderbook_snapshot","sending_ts_ms":{sent},"sid":1,"seq":{seq},"msg":{{"market_ticker":"{BRACKET}","market_id":""}}}}"#
        )
    };
    let delta = |seq: u64, sent: i64| {
        format!(
            r#"{{"type":"orderbook_delta","sending_ts_ms":{sent},"sid":1,"seq":{seq},"msg":{{"market_ticker":"{BRACKET}","market_id":"","price_dollars":"0.4700","delta_fp":"1.00","side":"yes"}}}}"#
        )
    };
    bench.at = Timestamp(100 * SECOND);
    assert!(matches!(bench.frame(&snapshot(1, 100_400)), Body::Snapshot { .. }), "the venue's clock is ahead by 0.4 s");
    bench.at = Timestamp(103 * SECOND);
    assert!(matches!(bench.frame(&delta(2, 101_500)), Body::Delta { .. }), "1.9 s late");
    assert_eq!(
        bench.frame(&delta(3, 101_300)),
        Body::Stale { markets: vec![M0, MarketId(1)], reason: StaleReason::Late }
    );
    assert_eq!(bench.frame(&delta(4, 102_000)), Body::Quiet, "less late than the limit is not yet in time");
    assert_eq!(bench.frame(&snapshot(5, 101_000)), Body::Quiet, "a late snapshot proves nothing");
    assert!(bench.texts().is_empty());
    assert_eq!(bench.frame(&delta(6, 103_000)), Body::Quiet);
    let asked = bench.texts();
    assert!(asked.len() == 1 && asked[0].contains("get_snapshot") && asked[0].contains(BRACKET), "{asked:?}");
    assert!(matches!(bench.frame(&snapshot(7, 103_000)), Body::Snapshot { .. }));
    assert!(matches!(bench.frame(&delta(8, 103_000)), Body::Delta { .. }));
    let ahead = bench.protocol.venue_ahead().expect("measured");
    assert!((ahead - 400_000_000).abs() < 10_000_000, "{ahead}");
    let counts = bench.protocol.counts();
    assert_eq!(counts.accounted(), counts.frames);
}

#[test]
fn markets_are_read_anew_when_they_open_and_close_and_when_their_facts_change() {
    let mut bench = bench();
    let mut market = support::market(0, BRACKET);
    (market.opens, market.closes) = (Timestamp(10 * SECOND), Timestamp(20 * SECOND));
    bench.apply(&Input::Listed(vec![market]));
    let relist = [Transmit::Relist { market: M0 }];
    for (seconds, expected) in [(9, 0), (1, 1), (9, 0), (1, 1), (5, 0)] {
        bench.wait(seconds);
        assert_eq!(std::mem::take(&mut bench.sent), relist[..expected], "at {}", bench.at.0 / SECOND);
    }
    bench.apply(&Input::Connected { connection: 0, use_yes_price: true, observed: true, private: false });
    let change = |text: &str| {
        format!(r#"{{"type":"market_lifecycle_v2","sid":4,"msg":{{"market_ticker":"{BRACKET}",{text}}}}}"#)
    };
    let known = r#""event_type":"price_level_structure_updated","price_ranges":[{"start":"0.0000","end":"1.0000","step":"0.0010"}]"#;
    assert_eq!(bench.frame(&change(known)), Body::Quiet);
    assert_eq!(std::mem::take(&mut bench.sent), relist);
    let unknown = known.replace("0.0010", "0.00001");
    let paused = Body::Status { market: M0, status: MarketStatus::Paused };
    assert_eq!(bench.frame(&change(&unknown)), paused, "no order on a grid that is not understood");
    assert_eq!(std::mem::take(&mut bench.sent), relist);
    let day = |series: &str| {
        format!(r#"{{"type":"event_lifecycle","sid":4,"msg":{{"event_ticker":"X","series_ticker":"{series}"}}}}"#)
    };
    bench.frame(&day("KXRAINNYC"));
    assert!(bench.sent.is_empty());
    bench.frame(&day("KXHIGHCHI"));
    assert_eq!(std::mem::take(&mut bench.sent), relist, "a new day of a listed series");
    let settled = Body::Status { market: M0, status: MarketStatus::Settled };
    assert_eq!(bench.frame(&change(r#""event_type":"settled""#)), settled, "its worth was told while nobody listened");
    assert_eq!(bench.sent, relist);
}

proptest! {
    /// Whatever is answered: one report about the order that was asked about, and nothing is taken for a success that does
    /// not name our order.
    #[test]
    fn any_answer_has_a_report(status in 100u16..600, body in ".{0,80}", which in 0usize..5) {
        let decrease = Request::Decrease { order: ORDER, to: contracts(1) };
        let renew = Request::Renew { order: ORDER, expires: Timestamp(1) };
        let request = [create(), cancel(), decrease, renew, find()][which];
        let told = placed().answer(request, status, &body);
        let success = matches!(
            told,
            OrderReport::Accepted { .. } | OrderReport::Cancelled { .. } | OrderReport::Decreased { .. }
                | OrderReport::Renewed | OrderReport::State { .. } | OrderReport::Absent
        );
        prop_assert!(!success, "{told:?}");
        let cut = created("r1-7", "0.00", "10.00");
        let cut = &cut[..usize::from(status) % cut.len()];
        prop_assert_eq!(bench().answer(create(), 201, cut), OrderReport::Unknown(RequestKind::Create));
    }
}
