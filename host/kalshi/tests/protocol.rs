//! The protocol's rules on hand-written frames: order, gaps, ends, silence, and both price scales.

mod support;

use isobar_engine::event::{Body, Input, Level, StaleReason, Trade};
use isobar_engine::market::{MarketId, MarketStatus};
use isobar_engine::order::OrderId;
use isobar_engine::units::{Money, Price, Quantity, SECOND, Side, Timestamp};
use isobar_engine::venue::{OrderReport, OrderStatus, TradeId, VenueFill};
use isobar_kalshi::protocol::Transmit;
use support::{BRACKET, Bench, TAIL, frames};

const M0: MarketId = MarketId(0);
const M1: MarketId = MarketId(1);

fn price(units: u16) -> Price {
    Price::new(units).expect("at most a dollar")
}

fn level(units: u16, size: u64) -> Level {
    Level { price: price(units), quantity: Quantity::new(size) }
}

fn delta(seq: u64) -> String {
    format!(
        r#"{{"type":"orderbook_delta","sid":1,"seq":{seq},"msg":{{"market_ticker":"{BRACKET}","market_id":"","price_dollars":"0.4700","delta_fp":"1.00","side":"yes"}}}}"#
    )
}

fn snapshot(seq: u64, ticker: &str) -> String {
    format!(
        r#"{{"type":"orderbook_snapshot","sid":1,"seq":{seq},"msg":{{"market_ticker":"{ticker}","market_id":""}}}}"#
    )
}

fn stale(markets: &[MarketId], reason: StaleReason) -> Body {
    Body::Stale { markets: markets.to_vec(), reason }
}

#[test]
fn every_message_type_has_its_body() {
    let mut bench = Bench::observed(false);
    let bodies: Vec<Body> = frames().iter().map(|text| bench.frame(text)).collect();
    let meaningful: Vec<&Body> = bodies.iter().filter(|body| **body != Body::Quiet).collect();
    let expected = [
        Body::Snapshot {
            market: M0,
            bids: vec![level(4_700, 300), level(4_600, 1_250), level(100, 50_000)],
            asks: vec![level(5_200, 200), level(9_800, 7_500)],
        },
        Body::Snapshot { market: M1, bids: vec![], asks: vec![] },
        Body::Delta { market: M0, side: Side::Bid, price: price(4_700), change: -300 },
        Body::Delta { market: M0, side: Side::Ask, price: price(5_200), change: 4_163 },
        Body::Delta { market: M0, side: Side::Bid, price: price(4_600), change: -200 },
        Body::Ticker(isobar_engine::event::Ticker {
            market: M0,
            bid: Some(price(4_600)),
            ask: Some(price(5_200)),
            bid_size: Some(Quantity::new(1_050)),
            ask_size: Some(Quantity::new(4_363)),
        }),
        Body::Ticker(isobar_engine::event::Ticker { market: M1, bid: None, ask: None, bid_size: None, ask_size: None }),
        Body::Trade(Trade { market: M0, price: price(4_700), quantity: Quantity::new(13_600), taker: Side::Ask }),
        Body::Trade(Trade { market: M0, price: price(4_700), quantity: Quantity::new(700), taker: Side::Bid }),
        Body::Closes { market: M0, at: Timestamp(1_795_500_000 * SECOND) },
        Body::Status { market: M0, status: MarketStatus::Paused },
        Body::Status { market: M0, status: MarketStatus::Active },
        Body::Status { market: M0, status: MarketStatus::Closed },
        Body::Settled { market: M0, value: Price::ONE },
        Body::Fill(VenueFill {
            trade: TradeId(0xd91bc706_ee49_470d_82d8_11418bda6fed),
            order: Some(OrderId(1)),
            market: M0,
            side: Side::Bid,
            price: price(4_700),
            quantity: Quantity::new(200),
            fee: Money::new(34_900),
            taker: true,
        }),
        Body::Order {
            order: OrderId(1),
            report: OrderReport::State {
                status: OrderStatus::Resting,
                filled: Quantity::ZERO,
                remaining: Quantity::contracts(10),
            },
        },
        Body::Position { market: M0, contracts: -200 },
    ];
    assert_eq!(meaningful, expected.iter().collect::<Vec<_>>());
    let counts = bench.protocol.counts();
    assert_eq!((counts.unparsed, counts.gaps, counts.accounted()), (0, 0, frames().len() as u64));
    // A new day of the series, and other fees of it that is not listed yet.
    assert!(bench.texts().is_empty(), "an observed connection is never spoken to");
}

#[test]
fn both_price_scales_give_the_same_bodies() {
    let (mut plain, mut yes) = (Bench::observed(false), Bench::observed(true));
    for text in &frames()[..12] {
        let reflected = text
            .replace(r#"[["0.0200","75.00"],["0.4800","2.00"]]"#, r#"[["0.9800","75.00"],["0.5200","2.00"]]"#)
            .replace(
                r#""price_dollars":"0.4800","delta_fp":"41.63""#,
                r#""price_dollars":"0.5200","delta_fp":"41.63""#,
            );
        assert_eq!(plain.frame(text), yes.frame(&reflected));
    }
    assert_eq!(plain.protocol.counts().deltas, 3);
}

#[test]
fn all_three_eras_of_prices_give_the_same_book() {
    let snapshot = |sides: &str| {
        format!(r#"{{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{{"market_ticker":"{BRACKET}",{sides}}}}}"#)
    };
    let eras = [
        r#""yes":[[8,300],[22,333]],"no":[[54,20],[56,146]]"#,
        r#""yes":[[8,300],[22,333]],"yes_dollars":[["0.0800",300],["0.2200",333]],"no":[[54,20],[56,146]],"no_dollars":[["0.5400",20],["0.5600",146]]"#,
        r#""yes_dollars_fp":[["0.0800","300.00"],["0.2200","333.00"]],"no_dollars_fp":[["0.5400","20.00"],["0.5600","146.00"]]"#,
    ];
    let expected = Body::Snapshot {
        market: M0,
        bids: vec![level(2_200, 33_300), level(800, 30_000)],
        asks: vec![level(4_400, 14_600), level(4_600, 2_000)],
    };
    for era in eras {
        assert_eq!(Bench::observed(false).frame(&snapshot(era)), expected, "{era}");
    }
    let mixed_up = snapshot(r#""yes_dollars_fp":[[1,"300.00"]]"#);
    assert!(matches!(Bench::observed(false).frame(&mixed_up), Body::Unparsed(_)), "no dollar is taken for a cent");
    let twice = snapshot(r#""yes_dollars_fp":[["0.0800","300.00"],["0.0800","1.00"]]"#);
    assert!(matches!(Bench::observed(false).frame(&twice), Body::Unparsed(_)));
}

#[test]
fn acknowledgements_and_errors_use_up_sequence_numbers() {
    let mut bench = Bench::observed(false);
    bench.frame(&snapshot(1, BRACKET));
    bench.frame(r#"{"type":"ok","id":4,"sid":1,"seq":2,"msg":{"market_tickers":[]}}"#);
    bench.frame(r#"{"type":"error","sid":1,"seq":3,"msg":{"code":13,"msg":"Unsupported action"}}"#);
    assert!(matches!(bench.frame(&delta(4)), Body::Delta { .. }));
    assert_eq!(bench.protocol.counts().gaps, 0);
}

#[test]
fn a_skipped_number_makes_all_books_of_the_subscription_stale_at_once() {
    let mut bench = Bench::observed(false);
    bench.frame(&snapshot(7, BRACKET));
    bench.frame(&snapshot(8, TAIL));
    assert!(matches!(bench.frame(&delta(9)), Body::Delta { .. }), "a capture may begin in mid-stream");
    assert_eq!(bench.frame(&delta(11)), stale(&[M0, M1], StaleReason::Gap));
    assert_eq!(bench.frame(&delta(12)), Body::Quiet, "the order goes on, the book waits");
    assert!(matches!(bench.frame(&snapshot(13, BRACKET)), Body::Snapshot { market: M0, .. }));
    assert!(matches!(bench.frame(&delta(14)), Body::Delta { .. }));
    assert_eq!(bench.frame(&delta(14)), stale(&[M0, M1], StaleReason::Gap), "a repeated number is as bad");
    let counts = bench.protocol.counts();
    assert_eq!((counts.gaps, counts.awaiting, counts.stale), (2, 1, 2));
}

#[test]
fn a_gap_in_an_acknowledgement_counts_too() {
    let mut bench = Bench::observed(false);
    bench.frame(&snapshot(1, BRACKET));
    let ok = r#"{"type":"ok","id":4,"sid":1,"seq":3,"msg":{"market_tickers":[]}}"#;
    assert_eq!(bench.frame(ok), stale(&[M0], StaleReason::Gap));
}

#[test]
fn a_lost_trade_leaves_books_alone() {
    let mut bench = Bench::observed(false);
    bench.frame(&snapshot(1, BRACKET));
    let trade = frames()[13];
    assert!(matches!(bench.frame(trade), Body::Trade(_)));
    assert!(matches!(bench.frame(&trade.replace("\"seq\":1", "\"seq\":5")), Body::Trade(_)));
    assert!(matches!(bench.frame(&delta(2)), Body::Delta { .. }));
    assert_eq!(bench.protocol.counts().gaps, 1);
}

#[test]
fn a_message_of_a_known_book_that_cannot_be_read_makes_that_book_stale() {
    let mut bench = Bench::observed(false);
    bench.frame(&snapshot(1, BRACKET));
    bench.frame(&snapshot(2, TAIL));
    let broken = delta(3).replace("0.4700", "1.4700");
    assert_eq!(bench.frame(&broken), stale(&[M0], StaleReason::Corrupt));
    let nameless = delta(4).replace("market_ticker", "market_name");
    assert_eq!(bench.frame(&nameless), stale(&[M1], StaleReason::Corrupt));
    assert!(
        matches!(bench.frame(&delta(5).replace(BRACKET, "KXOTHER")), Body::Unparsed(reason) if reason.contains("unlisted"))
    );
}

#[test]
fn what_is_not_listed_is_counted_and_quiet() {
    let mut bench = Bench::observed(false);
    for index in [11, 13, 15] {
        assert_eq!(bench.frame(&frames()[index].replace(BRACKET, "KXRAIN-1")), Body::Quiet);
    }
    assert_eq!(bench.protocol.counts().unlisted, 3);
}

#[test]
fn nonsense_is_unparsed_with_a_reason() {
    let mut bench = Bench::observed(false);
    for text in [
        "",
        "{",
        "null",
        "[]",
        "\"orderbook_delta\"",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"orderbook_delta","sid":-1}"#,
        r#"{"type":"surprise","sid":1}"#,
        r#"{"type":"trade","type":"trade"}"#,
        r#"{"type":"trade","sid":3,"seq":99999999999999999999999}"#,
    ] {
        let body = bench.frame(text);
        assert!(matches!(&body, Body::Unparsed(reason) if !reason.is_empty()), "{text}: {body:?}");
    }
    let body = bench.apply(&Input::Frame { connection: 0, text: b"{\"type\":\"tr\xff\xfe\"}" });
    assert!(matches!(body, Body::Unparsed(_)), "{body:?}");
    assert!(matches!(bench.apply(&Input::Frame { connection: 9, text: b"{}" }), Body::Unparsed(_)));
    assert_eq!(bench.protocol.counts().accounted(), bench.protocol.counts().frames);
}

#[test]
fn block_trades_fill_nobody() {
    let mut bench = Bench::observed(false);
    assert_eq!(bench.frame(&frames()[13].replace("\"is_block_trade\":false", "\"is_block_trade\":true")), Body::Quiet);
}

// From here on the protocol subscribes by itself.

fn connected() -> Bench {
    let mut bench = Bench::new(&[BRACKET, TAIL], 60);
    bench.apply(&Input::Connected { connection: 0, use_yes_price: true, observed: false, private: false });
    bench
}

/// Acknowledged subscriptions and fresh books.
fn subscribed() -> Bench {
    let mut bench = connected();
    frames()[..4].iter().for_each(|ack| drop(bench.frame(ack)));
    bench.frame(&snapshot(1, BRACKET));
    bench.frame(&snapshot(2, TAIL));
    bench.sent.clear();
    bench
}

#[test]
fn a_connection_is_subscribed_by_ticker_with_the_price_scale_spelled_out() {
    let mut bench = connected();
    let both = format!(r#""market_tickers":["{BRACKET}","{TAIL}"]"#);
    assert_eq!(
        bench.texts(),
        [
            format!(
                r#"{{"id":1,"cmd":"subscribe","params":{{"channels":["orderbook_delta"],{both},"use_yes_price":true}}}}"#
            ),
            format!(r#"{{"id":2,"cmd":"subscribe","params":{{"channels":["ticker"],{both}}}}}"#),
            format!(r#"{{"id":3,"cmd":"subscribe","params":{{"channels":["trade"],{both}}}}}"#),
            r#"{"id":4,"cmd":"subscribe","params":{"channels":["market_lifecycle_v2"]}}"#.to_owned(),
        ]
    );
}

#[test]
fn markets_listed_later_are_added_to_the_subscriptions_as_they_are_acknowledged() {
    let mut bench = connected();
    bench.texts();
    bench.apply(&Input::Listed(vec![support::market(2, "KXHIGHCHI-26NOV24-T30")]));
    assert!(bench.texts().is_empty(), "no sid is known yet");
    bench.frame(frames()[0]);
    let add = r#"{"id":5,"cmd":"update_subscription","params":{"sid":1,"market_tickers":["KXHIGHCHI-26NOV24-T30"],"action":"add_markets"}}"#;
    assert_eq!(bench.texts(), [add]);
    let mut settled = support::market(3, "KXHIGHCHI-26NOV22-T30");
    settled.status = MarketStatus::Settled;
    bench.apply(&Input::Listed(vec![settled]));
    assert!(bench.texts().is_empty());
}

#[test]
fn a_first_number_other_than_one_is_a_gap_on_our_own_subscription() {
    let mut bench = connected();
    bench.frame(frames()[0]);
    assert_eq!(bench.frame(&snapshot(2, BRACKET)), stale(&[M0, M1], StaleReason::Gap));
}

#[test]
fn after_a_gap_all_snapshots_of_the_subscription_are_asked_for() {
    let mut bench = subscribed();
    assert_eq!(bench.frame(&delta(5)), stale(&[M0, M1], StaleReason::Gap));
    let ask = format!(
        r#"{{"id":5,"cmd":"update_subscription","params":{{"sid":1,"market_tickers":["{BRACKET}","{TAIL}"],"action":"get_snapshot"}}}}"#
    );
    assert_eq!(bench.texts(), [ask]);
    assert_eq!(bench.frame(&delta(6)), Body::Quiet);
    bench.frame(&snapshot(7, BRACKET));
    assert!(matches!(bench.frame(&delta(8)), Body::Delta { .. }));
    // The other one never came: it is asked for again.
    bench.frame(&delta(9));
    assert_eq!(bench.wait(21), []);
    assert!(bench.texts().iter().any(|text| text.contains("get_snapshot") && text.contains(TAIL)));
}

#[test]
fn terminal_errors_end_the_subscription_and_start_another() {
    for code in [10, 25] {
        let mut bench = subscribed();
        let error = format!(r#"{{"type":"error","sid":1,"seq":3,"msg":{{"code":{code},"msg":"over"}}}}"#);
        assert_eq!(bench.frame(&error), stale(&[M0, M1], StaleReason::Terminated));
        let texts = bench.texts();
        assert_eq!(texts.len(), 1);
        assert!(texts[0].contains(r#""cmd":"subscribe""#) && texts[0].contains(BRACKET) && texts[0].contains(TAIL));
        bench.frame(&frames()[0].replace("\"sid\":1", "\"sid\":9"));
        assert!(matches!(bench.frame(&snapshot(1, BRACKET).replace("\"sid\":1", "\"sid\":9")), Body::Snapshot { .. }));
    }
}

#[test]
fn a_refused_subscription_is_tried_again_later() {
    let mut bench = connected();
    bench.texts();
    bench.frame(r#"{"type":"error","id":1,"msg":{"code":27,"msg":"Too many requests"}}"#);
    assert!(bench.texts().is_empty());
    bench.wait(21);
    assert!(bench.texts().iter().any(|text| text.contains("orderbook_delta")));
}

#[test]
fn a_silent_connection_is_pinged_and_then_given_up() {
    let mut bench = subscribed();
    bench.wait(19);
    assert!(bench.sent.is_empty());
    bench.wait(1);
    assert!(bench.sent.contains(&Transmit::Ping { connection: 0 }));
    assert_eq!(bench.wait(39), []);
    assert_eq!(bench.wait(5), [(60, stale(&[M0, M1], StaleReason::SilentConnection))]);
    let reconnect = Transmit::Reconnect { connection: 0, reason: StaleReason::SilentConnection };
    assert_eq!(bench.sent.iter().filter(|sent| **sent == reconnect).count(), 1);
}

#[test]
fn a_subscription_that_died_under_a_living_connection_is_noticed() {
    let mut bench = subscribed();
    let mut news = Vec::new();
    for _ in 0..70 {
        news.extend(bench.wait(1));
        bench.frame(&frames()[11].replace("KXHIGH", "KXLOW"));
        bench.apply(&Input::Pong { connection: 0 });
    }
    assert_eq!(news, [(60, stale(&[M0, M1], StaleReason::SilentSubscription))]);
    assert!(bench.sent.iter().any(|sent| matches!(sent, Transmit::Text { text, .. } if text.contains("get_snapshot"))));
    let reconnect = Transmit::Reconnect { connection: 0, reason: StaleReason::SilentSubscription };
    assert!(bench.sent.contains(&reconnect));
    assert_eq!(bench.frame(&snapshot(3, BRACKET)), Body::Quiet, "what is given up is not believed again");
}

#[test]
fn an_answered_probe_keeps_quiet_books_fresh() {
    let mut bench = subscribed();
    let mut seq = 2;
    for _ in 0..300 {
        assert_eq!(bench.wait(1), []);
        bench.apply(&Input::Pong { connection: 0 });
        for text in bench.texts() {
            assert!(text.contains("get_snapshot"), "{text}");
            seq += 1;
            assert!(matches!(bench.frame(&snapshot(seq, BRACKET)), Body::Snapshot { .. }));
        }
    }
    assert!((12..=16).contains(&(seq - 2)), "about one probe in twenty seconds, not {}", seq - 2);
    assert!(matches!(bench.frame(&delta(seq + 1)), Body::Delta { .. }));
}

#[test]
fn a_lost_connection_makes_its_books_stale_and_the_next_one_starts_anew() {
    let mut bench = subscribed();
    let gone = Input::Disconnected { connection: 0, reason: "reset".into() };
    assert_eq!(bench.apply(&gone), stale(&[M0, M1], StaleReason::Disconnected));
    assert_eq!(bench.apply(&gone), Body::Quiet);
    bench.apply(&Input::Connected { connection: 1, use_yes_price: true, observed: false, private: false });
    assert_eq!(bench.texts().len(), 4);
    let mut next = |text: &str| bench.apply(&Input::Frame { connection: 1, text: text.as_bytes() });
    next(frames()[0]);
    assert_eq!(next(&delta(1)), Body::Quiet, "no book yet");
    assert!(matches!(next(&snapshot(2, BRACKET)), Body::Snapshot { .. }));
}

#[test]
fn a_book_belongs_to_the_connection_of_its_snapshot() {
    let mut bench = Bench::observed(false);
    bench.apply(&Input::Connected { connection: 1, use_yes_price: false, observed: true, private: false });
    bench.frame(&snapshot(1, BRACKET));
    let second = Input::Frame { connection: 1, text: snapshot(1, BRACKET).leak().as_bytes() };
    assert!(matches!(bench.apply(&second), Body::Snapshot { .. }));
    assert_eq!(bench.frame(&delta(2)), Body::Quiet, "the first connection no longer speaks for this book");
    assert_eq!(bench.apply(&Input::Disconnected { connection: 0, reason: "rotated".into() }), Body::Quiet);
    let second = Input::Frame { connection: 1, text: delta(2).leak().as_bytes() };
    assert!(matches!(bench.apply(&second), Body::Delta { .. }));
}

#[test]
fn a_doubted_book_is_stale_until_its_new_snapshot() {
    let mut bench = subscribed();
    assert_eq!(bench.apply(&Input::Resync(M1)), stale(&[M1], StaleReason::Corrupt));
    let texts = bench.texts();
    assert_eq!(texts.len(), 1);
    assert!(texts[0].contains("get_snapshot") && texts[0].contains(TAIL) && !texts[0].contains(BRACKET));
    assert!(matches!(bench.frame(&delta(3)), Body::Delta { .. }), "the other book is as good as before");
    assert!(matches!(bench.frame(&snapshot(4, TAIL)), Body::Snapshot { market: M1, .. }));
}

#[test]
fn changed_facts_are_listed_anew() {
    let mut bench = subscribed();
    let text = r#"{"type":"market_lifecycle_v2","sid":4,"seq":1,"msg":{"event_type":"metadata_updated","market_ticker":"KXHIGHCHI-26NOV23-T40","strike_type":"greater","floor_strike":41}}"#;
    assert_eq!(bench.frame(text), Body::Quiet);
    assert_eq!(bench.sent, [Transmit::Relist { market: M1 }]);
}
