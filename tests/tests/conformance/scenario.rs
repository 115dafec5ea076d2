//! What a trader does in a day, once: every endpoint that it uses and every message that it can be sent.
//!
//! Two accounts trade in one market, a third one is poor and slow (the tier that everyone begins with). Prices are chosen
//! off the book that the exchange shows, so that nobody else is in the way. What is asserted here is only what a later step
//! needs; whether the words are right is the ledger's business.

use crate::client::{Answer, Client, Socket, now};
use crate::ledger::Ledger;
use isobar_kalshi::sign::Credentials;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The exchange that runs, and who may sign there.
pub struct World<'a> {
    /// `http://127.0.0.1:PORT`
    pub host: String,
    pub maker: &'a Credentials,
    pub taker: &'a Credentials,
    /// Little money, lowest tier.
    pub poor: &'a Credentials,
}

/// A price or a count as the venue spells it.
fn decimal(units: i64, scale: u32) -> String {
    let one = 10_i64.pow(scale);
    format!("{}.{:0width$}", units / one, units % one, width = scale as usize)
}

fn cents(cents: i64) -> String {
    decimal(cents * 100, 4)
}

/// A name that no other order of this process has.
fn fresh() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("scenario-{}-{}", now().0, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A request to create an order; `more` overrides and adds.
pub fn order(ticker: &str, side: &str, price: &str, count: &str, more: Value) -> Value {
    let mut order = json!({
        "ticker": ticker,
        "side": side,
        "count": count,
        "price": price,
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
        "client_order_id": fresh(),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        order[name] = value.clone();
    }
    order
}

const ORDERS: &str = "/portfolio/events/orders";

/// Places an order and returns its id.
async fn place(client: &Client<'_>, ledger: &mut Ledger<'_>, order: Value) -> String {
    let placed = client.post(ledger, ORDERS, order).await.good();
    placed["order_id"].as_str().expect("an id").to_owned()
}

/// Everything that is public.
pub async fn look(client: &Client<'_>, ledger: &mut Ledger<'_>) -> Vec<String> {
    for path in ["/exchange/status", "/exchange/schedule", "/exchange/user_data_timestamp", "/account/endpoint_costs"] {
        client.get(ledger, path).await.good();
    }
    let series = client.get(ledger, "/series?category=Climate%20and%20Weather").await.good();
    let series = series["series"][0]["ticker"].as_str().expect("a series of the weather").to_owned();
    for path in ["/series", "/series/fee_changes", "/events/fee_changes", "/historical/cutoff"] {
        client.get(ledger, path).await.good();
    }
    client.get(ledger, &format!("/series/{series}?include_volume=true")).await.good();
    let events = client.get(ledger, &format!("/events?series_ticker={series}&status=open&limit=1")).await.good();
    let event = events["events"][0]["event_ticker"].as_str().expect("an open event").to_owned();
    client.get(ledger, &format!("/events?with_nested_markets=true&tickers={event}")).await.good();
    client.get(ledger, &format!("/events/{event}")).await.good();
    client.get(ledger, &format!("/events/{event}?with_nested_markets=true")).await.good();
    for status in ["unopened", "open", "paused", "closed", "settled"] {
        client.get(ledger, &format!("/markets?status={status}&limit=3")).await.good();
    }
    // All pages of the series: the last one has an empty cursor.
    let (mut tickers, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(ledger, &format!("/markets?event_ticker={event}&limit=4&cursor={cursor}")).await.good();
        let found = page["markets"].as_array().expect("markets");
        tickers.extend(found.iter().filter_map(|market| market["ticker"].as_str().map(str::to_owned)));
        match page["cursor"].as_str() {
            Some("") => break,
            next => cursor = next.expect("a cursor, empty on the last page").to_owned(),
        }
    }
    assert_eq!(tickers.len(), 6, "six markets a city-day");
    client.get(ledger, &format!("/markets?series_ticker={series}&mve_filter=exclude")).await.good();
    client.get(ledger, &format!("/markets?tickers={},{},NO-SUCH", tickers[0], tickers[1])).await.good();
    let market = &tickers[2];
    client.get(ledger, &format!("/markets/{market}")).await.good();
    client.get(ledger, &format!("/markets/{market}/orderbook")).await.good();
    client.get(ledger, &format!("/markets/{market}/orderbook?depth=1")).await.good();
    client.get(ledger, &format!("/markets/orderbooks?tickers={}&tickers={}", tickers[0], market)).await.good();
    client.get(ledger, &format!("/markets/trades?ticker={market}&limit=5")).await.good();
    let (_, end) = clock(client).await;
    // Until tomorrow: the candle of the present minute, hour and day has its end in the future.
    let (start, end) = (end - 86_400, end + 86_400);
    for minutes in [1, 60, 1440] {
        let window = format!("start_ts={start}&end_ts={end}&period_interval={minutes}");
        client.get(ledger, &format!("/series/{series}/markets/{market}/candlesticks?{window}")).await.good();
        client.get(ledger, &format!("/markets/candlesticks?market_tickers={market}&{window}")).await.good();
    }
    tickers
}

/// The exchange's own time: nanoseconds and Unix seconds.
async fn clock(client: &Client<'_>) -> (i64, i64) {
    let told = client.control("GET", "/clock", None).await.good();
    let now = told["now_ns"].as_i64().expect("a time");
    (now, now / 1_000_000_000)
}

/// Best bid and best ask in cents; 0 and 100 where there is none.
async fn best(client: &Client<'_>, ticker: &str) -> (i64, i64) {
    let book = client.control("GET", &format!("/book/{ticker}"), None).await.good();
    let cents = |side: &str| {
        let price = book[side][0][0].as_str()?;
        Some(price.replace('.', "").parse::<i64>().expect("a price") / 100)
    };
    (cents("bids").unwrap_or(0), cents("asks").unwrap_or(100))
}

/// A market with room for a quote inside the spread, and the price of that quote in cents.
async fn room(client: &Client<'_>, tickers: &[String]) -> (String, i64) {
    for _ in 0..200 {
        for ticker in tickers {
            let (bid, ask) = best(client, ticker).await;
            if ask - bid >= 2 && bid >= 5 && ask <= 95 {
                return (ticker.clone(), bid + 1);
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no market has room between its best bid and its best ask");
}

/// Another market in which a bid of a cent is behind others.
async fn deep(client: &Client<'_>, tickers: &[String], but: &str) -> String {
    for ticker in tickers.iter().filter(|ticker| *ticker != but) {
        if best(client, ticker).await.0 >= 5 {
            return ticker.clone();
        }
    }
    panic!("only one market has bids");
}

/// Every command and every refusal of one.
pub async fn subscribe(world: &World<'_>, ledger: &mut Ledger<'_>, tickers: &[String]) -> Socket {
    let mut socket = Socket::open(&world.host, world.maker).await;
    let some = &tickers[..3];
    let books = socket.subscribe(ledger, "orderbook_delta", json!({"market_tickers": some})).await;
    let again = socket.subscribe(ledger, "orderbook_delta", json!({"market_ticker": tickers[3]})).await;
    assert_eq!(again, books, "one sid a channel");
    socket.subscribe(ledger, "ticker", json!({"market_tickers": tickers, "send_initial_snapshot": true})).await;
    socket.subscribe(ledger, "trade", json!({"market_tickers": tickers})).await;
    for channel in ["fill", "user_orders", "market_positions", "market_lifecycle_v2", "order_group_updates"] {
        socket.subscribe(ledger, channel, json!({})).await;
    }
    let update =
        |action: &str, markets: &[String]| json!({"sids": [books], "market_tickers": markets, "action": action});
    socket.ask(ledger, "update_subscription", update("add_markets", &tickers[4..])).await;
    socket.ask(ledger, "update_subscription", update("delete_markets", &tickers[5..])).await;
    socket.ask(ledger, "update_subscription", update("add_markets", &tickers[5..])).await;
    let snapshot = json!({"sid": books, "market_tickers": [tickers[0]], "action": "get_snapshot"});
    socket.ask(ledger, "update_subscription", snapshot).await;
    let told = socket.ask(ledger, "list_subscriptions", Value::Null).await;
    assert_eq!(told["msg"].as_array().map(Vec::len), Some(8), "{told}");

    let refused = [
        (2, "subscribe", Value::Null),
        (3, "subscribe", json!({})),
        (4, "unsubscribe", json!({})),
        (5, "no_such_command", json!({})),
        (7, "unsubscribe", json!({"sids": [9_999]})),
        (8, "subscribe", json!({"channels": ["no_such_channel"]})),
        (12, "update_subscription", json!({"sids": [1, 2], "action": "add_markets", "market_tickers": some})),
        (13, "update_subscription", json!({"sid": books, "action": "no_such_action", "market_tickers": some})),
        (14, "subscribe", json!({"channels": ["orderbook_delta"]})),
        (15, "update_subscription", json!({"sid": books, "market_tickers": some})),
    ];
    for (code, command, params) in refused {
        let told = socket.ask(ledger, command, params.clone()).await;
        assert_eq!(
            (&told["type"], &told["msg"]["code"]),
            (&json!("error"), &json!(code)),
            "{command} {params}: {told}"
        );
    }

    let mut other = Socket::open(&world.host, world.taker).await;
    let prices = json!({"market_tickers": some, "use_yes_price": true});
    let sid = other.subscribe(ledger, "orderbook_delta", prices).await;
    other.drain(ledger).await;
    let told = other.ask(ledger, "unsubscribe", json!({"sids": [sid]})).await;
    assert_eq!(told["type"], "unsubscribed", "{told}");
    socket
}

/// Orders from their first to their last state.
pub async fn trade(world: &World<'_>, ledger: &mut Ledger<'_>, socket: &mut Socket, tickers: &[String]) {
    let maker = &Client::new(&world.host, Some(world.maker));
    let taker = &Client::new(&world.host, Some(world.taker));
    let (ticker, inside) = &room(maker, tickers).await;

    // One that rests, changes and ends.
    let mine = fresh();
    let rests =
        json!({"post_only": true, "client_order_id": mine, "cancel_order_on_pause": false, "exchange_index": 0});
    let id = place(maker, ledger, order(ticker, "bid", "0.0100", "10.00", rests)).await;
    maker.get(ledger, &format!("/portfolio/orders/{id}")).await.good();
    maker.get(ledger, &format!("/portfolio/orders/{id}/queue_position")).await.good();
    let queue = maker.get(ledger, &format!("/portfolio/orders/queue_positions?market_tickers={ticker}")).await.good();
    assert!(queue["queue_positions"].as_array().is_some_and(|positions| !positions.is_empty()), "{queue}");
    maker.get(ledger, "/portfolio/summary/total_resting_order_value").await.good();
    let (_, seconds) = clock(maker).await;
    let change = json!({"ticker": ticker, "side": "bid", "price": "0.0200", "count": "12.00", "expiration_time": seconds + 86_400});
    maker.post(ledger, &format!("{ORDERS}/{id}/amend"), change).await.good();
    maker.post(ledger, &format!("{ORDERS}/{id}/decrease"), json!({"reduce_by": "2.00"})).await.good();
    maker.post(ledger, &format!("{ORDERS}/{id}/decrease"), json!({"reduce_to": "5"})).await.good();
    maker.get(ledger, &format!("/portfolio/orders?status=resting&ticker={ticker}&limit=1")).await.good();
    maker.delete(ledger, &format!("{ORDERS}/{id}?market_ticker={ticker}&exchange_index=0"), None).await.good();
    socket
        .heard(ledger, "the end of an order", |told| {
            told["type"] == "user_order"
                && told["msg"]["client_order_id"] == mine
                && told["msg"]["status"] == "canceled"
        })
        .await;

    // One that two accounts trade.
    let price = &cents(*inside);
    let quote = place(maker, ledger, order(ticker, "bid", price, "5.00", json!({"post_only": true}))).await;
    let ioc = json!({"time_in_force": "immediate_or_cancel"});
    let take = taker.post(ledger, ORDERS, order(ticker, "ask", price, "3.00", ioc.clone())).await.good();
    assert_eq!((&take["fill_count"], &take["remaining_count"]), (&json!("3.00"), &json!("0.00")), "{take}");
    socket.heard(ledger, "the fill", |told| told["type"] == "fill" && told["msg"]["order_id"] == *quote).await;
    socket
        .heard(ledger, "the public trade", |told| told["type"] == "trade" && told["msg"]["market_ticker"] == **ticker)
        .await;
    socket.heard(ledger, "the position", |told| told["type"] == "market_position").await;
    socket
        .heard(ledger, "the ticker", |told| told["type"] == "ticker" && told["msg"]["market_ticker"] == **ticker)
        .await;
    for path in ["/portfolio/fills", "/portfolio/positions", "/portfolio/balance", "/account/limits"] {
        maker.get(ledger, path).await.good();
    }
    for path in [
        format!("/portfolio/fills?ticker={ticker}&limit=1"),
        format!("/portfolio/positions?ticker={ticker}&count_filter=position"),
        "/portfolio/positions?settlement_status=all".to_owned(),
        "/portfolio/orders?status=executed".to_owned(),
        "/portfolio/orders?status=canceled".to_owned(),
        "/portfolio/settlements".to_owned(),
    ] {
        taker.get(ledger, &path).await.good();
    }
    maker.get(ledger, &format!("/markets/trades?ticker={ticker}")).await.good();

    // Orders that are over when they are placed: filled not at all, reduced to nothing, stopped at one's own.
    taker.post(ledger, ORDERS, order(ticker, "bid", "0.0100", "1.00", ioc)).await.good();
    let reduce = json!({"time_in_force": "immediate_or_cancel", "reduce_only": true});
    taker.post(ledger, ORDERS, order(ticker, "bid", "0.0100", "9.00", reduce)).await;
    maker.post(ledger, ORDERS, order(ticker, "ask", price, "1.00", json!({}))).await.good();
    let fok = json!({"time_in_force": "fill_or_kill"});
    taker.post(ledger, ORDERS, order(ticker, "bid", "0.0100", "1.00", fok)).await;
    maker.delete(ledger, &format!("{ORDERS}/{quote}"), None).await.good();

    // Several at once, one of them wrong.
    let items = [("0.0100", "1.00"), ("0.0200", "1.00"), ("0.0151", "1.00")];
    let items = items.map(|(price, count)| order(ticker, "bid", price, count, json!({})));
    let placed = maker.post(ledger, &format!("{ORDERS}/batched"), json!({"orders": items})).await.good();
    let ids: Vec<Value> =
        placed["orders"].as_array().expect("items").iter().map(|item| item["order_id"].clone()).collect();
    assert!(ids[0].is_string() && ids[1].is_string() && !ids[2].is_string(), "{placed}");
    let some =
        json!({"orders": [{"order_id": ids[0]}, {"order_id": ids[1], "market_ticker": ticker}, {"order_id": mine}]});
    maker.delete(ledger, &format!("{ORDERS}/batched"), Some(some)).await.good();

    groups(world, ledger, socket, ticker).await;

    // All that remain: of the taker, whose later orders never rest, because it takes what is placed in the next minute too.
    place(taker, ledger, order(ticker, "bid", "0.0100", "1.00", json!({}))).await;
    let all = taker.delete(ledger, ORDERS, None).await;
    assert_eq!((all.status, all.text.as_str()), (204, ""));
}

async fn groups(world: &World<'_>, ledger: &mut Ledger<'_>, socket: &mut Socket, ticker: &str) {
    const GROUPS: &str = "/portfolio/order_groups";
    let maker = &Client::new(&world.host, Some(world.maker));
    let made = maker.post(ledger, &format!("{GROUPS}/create"), json!({"contracts_limit_fp": "50.00"})).await.good();
    let group = made["order_group_id"].as_str().expect("an id").to_owned();
    place(maker, ledger, order(ticker, "bid", "0.0100", "1.00", json!({"order_group_id": group}))).await;
    maker.get(ledger, GROUPS).await.good();
    maker.get(ledger, &format!("{GROUPS}/{group}")).await.good();
    let limit = json!({"contracts_limit_fp": "60.00"});
    maker.put(ledger, &format!("{GROUPS}/{group}/limit"), Some(limit)).await.good();
    maker.put(ledger, &format!("{GROUPS}/{group}/trigger"), Some(json!({}))).await.good();
    let blocked = order(ticker, "bid", "0.0100", "1.00", json!({"order_group_id": group}));
    assert!(maker.post(ledger, ORDERS, blocked).await.status >= 400, "a triggered group takes no order");
    maker.put(ledger, &format!("{GROUPS}/{group}/reset"), None).await.good();
    maker.delete(ledger, &format!("{GROUPS}/{group}"), None).await.good();
    for event in ["created", "limit_updated", "triggered", "reset", "deleted"] {
        socket
            .heard(ledger, event, |told| told["type"] == "order_group_updates" && told["msg"]["event_type"] == event)
            .await;
    }
}

/// What is refused, beyond the captured bodies.
pub async fn refusals(world: &World<'_>, ledger: &mut Ledger<'_>, tickers: &[String]) {
    let maker = &Client::new(&world.host, Some(world.maker));
    let poor = &Client::new(&world.host, Some(world.poor));
    let expect = |answer: Answer, status: u16| assert_eq!(answer.status, status, "{}", answer.text);
    for path in
        ["/series/NO-SUCH", "/events/NO-SUCH", "/markets/NO-SUCH", "/markets/NO-SUCH/orderbook", "/portfolio/orders/no"]
    {
        expect(maker.get(ledger, path).await, 404);
    }
    let candles = "/series/NO-SUCH/markets/NO-SUCH/candlesticks?start_ts=0&end_ts=1&period_interval=7";
    expect(maker.get(ledger, candles).await, 400);
    let old = json!({"ticker": tickers[0], "action": "buy", "side": "yes", "count": 1, "yes_price": 1});
    expect(maker.post(ledger, "/portfolio/orders", old).await, 410);
    expect(maker.delete(ledger, "/portfolio/orders/00000000-0000-0000-0000-000000000000", None).await, 410);
    // The lowest tier holds ten creates.
    let mut statuses = Vec::new();
    for _ in 0..30 {
        let order = order(&tickers[0], "bid", "0.0100", "1.00", json!({}));
        statuses.push(poor.post(ledger, ORDERS, order).await.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    // Its balance may be read once a second.
    poor.get(ledger, "/portfolio/balance").await;
    expect(poor.get(ledger, "/portfolio/balance").await, 429);
}

/// What happens to markets and not to orders, and what it does to orders all the same: pauses, other strikes, another grid,
/// new markets, an early close.
pub async fn lifecycle(world: &World<'_>, ledger: &mut Ledger<'_>, socket: &mut Socket, tickers: &[String]) {
    let maker = &Client::new(&world.host, Some(world.maker));
    let (ticker, _) = &room(maker, tickers).await;
    let last = &deep(maker, tickers, ticker).await;
    let control = |path: &'static str, what: Value| async move { maker.control("POST", path, Some(what)).await.good() };
    let event = |ticker: &str, event: &'static str| {
        let ticker = ticker.to_owned();
        move |told: &Value| told["msg"]["market_ticker"] == *ticker && told["msg"]["event_type"] == event
    };
    let bid = || order(ticker, "bid", "0.0100", "1.00", json!({}));
    let rests = place(maker, ledger, bid()).await;

    control("/market", json!({"act": "pause", "ticker": ticker})).await;
    socket.heard(ledger, "a pause", event(ticker, "deactivated")).await;
    maker.get(ledger, &format!("/markets/{ticker}")).await.good();
    assert!(maker.post(ledger, ORDERS, bid()).await.status >= 400, "a paused market takes no order");
    control("/market", json!({"act": "resume", "ticker": ticker})).await;
    socket.heard(ledger, "its end", event(ticker, "activated")).await;
    let read = maker.get(ledger, &format!("/portfolio/orders/{rests}")).await.good();
    assert_eq!(read["order"]["status"], "canceled", "orders do not survive the pause of their market");

    let rests = place(maker, ledger, bid()).await;
    control("/pause", json!({"what": "trading"})).await;
    maker.get(ledger, "/exchange/status").await.good();
    assert!(maker.post(ledger, ORDERS, bid()).await.status >= 400, "no order while trading pauses");
    let amend = json!({"ticker": ticker, "side": "bid", "price": "0.0200", "count": "1.00"});
    assert!(maker.post(ledger, &format!("{ORDERS}/{rests}/amend"), amend).await.status >= 400);
    maker.delete(ledger, &format!("{ORDERS}/{rests}"), None).await.good();
    control("/pause", json!({"what": "resume"})).await;

    let rests = place(maker, ledger, bid()).await;
    control("/pause", json!({"what": "exchange"})).await;
    maker.get(ledger, "/exchange/status").await.good();
    assert_eq!(maker.post(ledger, ORDERS, bid()).await.status, 503, "nothing changes while the exchange pauses");
    assert_eq!(maker.delete(ledger, &format!("{ORDERS}/{rests}"), None).await.status, 503, "cancels neither");
    control("/pause", json!({"what": "resume"})).await;

    control("/market", json!({"act": "structure", "ticker": last, "tapered": true})).await;
    socket.heard(ledger, "another grid", event(last, "price_level_structure_updated")).await;
    control("/market", json!({"act": "strike", "ticker": last, "floor": 70, "cap": 71})).await;
    socket.heard(ledger, "other strikes", event(last, "metadata_updated")).await;
    let listed = maker.get(ledger, &format!("/markets/{last}")).await.good();
    assert_eq!(listed["market"]["floor_strike"], 70, "{listed}");
    let event_ticker = ticker.rsplit_once('-').expect("a market of an event").0;
    for makers_pay in [json!(true), Value::Null] {
        control("/fee", json!({"event_ticker": event_ticker, "makers_pay": makers_pay})).await;
        socket.until(ledger, "another fee", |told| told["type"] == "event_fee_update").await;
        maker.get(ledger, &format!("/events/{event_ticker}")).await.good();
        maker.get(ledger, &format!("/events/fee_changes?event_ticker={event_ticker}")).await.good();
    }
    control("/day", json!({"date": "2026-07-09", "high": 88})).await;
    socket.heard(ledger, "a new event", |told| told["type"] == "event_lifecycle").await;
    socket.heard(ledger, "a new market", |told| told["msg"]["event_type"] == "created").await;
    maker.get(ledger, "/markets?status=unopened&limit=5").await.good();

    // Deaths of orders: by their own time, and by the close of their market.
    let (_, seconds) = clock(maker).await;
    place(maker, ledger, order(ticker, "bid", "0.0100", "1.00", json!({"expiration_time": seconds + 2}))).await;
    place(maker, ledger, order(last, "bid", "0.0100", "1.00", json!({}))).await;
    control("/market", json!({"act": "close", "ticker": last, "in_s": 1})).await;
    socket.heard(ledger, "an early close", event(last, "close_date_updated")).await;
    for reason in ["CloseCancel", "ExpiryCancel"] {
        socket.heard(ledger, reason, |told| told["msg"]["last_update_reason"] == reason).await;
    }
    let late = order(last, "bid", "0.0100", "1.00", json!({}));
    assert!(maker.post(ledger, ORDERS, late).await.status >= 400, "a closed market takes no order");
    maker.get(ledger, "/markets?status=closed&limit=5").await.good();
}

/// Trouble in every shape: bodies of failing servers and of gateways before them, and subscriptions that end.
pub async fn trouble(world: &World<'_>, ledger: &mut Ledger<'_>, tickers: &[String]) {
    let maker = &Client::new(&world.host, Some(world.maker));
    for status in [500, 502, 503, 504] {
        for shape in ["wrapped", "flat", "msg", "text", "html", "empty"] {
            let fault = json!({"kind": "answer", "on": "read", "how": "status", "status": status, "shape": shape});
            maker.control("POST", "/faults", Some(fault)).await.good();
            assert_eq!(maker.get(ledger, "/portfolio/orders").await.status, status, "{shape}");
        }
    }
    let mut socket = Socket::open(&world.host, world.taker).await;
    socket.subscribe(ledger, "orderbook_delta", json!({"market_tickers": tickers})).await;
    socket.subscribe(ledger, "ticker", json!({})).await;
    for (kind, channel, code) in [("overflow", "orderbook_delta", 25), ("channel_error", "ticker", 10)] {
        maker.control("POST", "/faults", Some(json!({"kind": kind, "channel": channel}))).await.good();
        socket.until(ledger, "the end of a subscription", |told| told["msg"]["code"] == code).await;
    }
}

/// From a position to its payment.
pub async fn settle(world: &World<'_>, ledger: &mut Ledger<'_>, socket: &mut Socket, tickers: &[String]) {
    let maker = &Client::new(&world.host, Some(world.maker));
    let taker = &Client::new(&world.host, Some(world.taker));
    let (ticker, inside) = &room(maker, tickers).await;
    let price = &cents(*inside);
    let quote = place(maker, ledger, order(ticker, "bid", price, "5.00", json!({}))).await;
    let ioc = json!({"time_in_force": "immediate_or_cancel"});
    taker.post(ledger, ORDERS, order(ticker, "ask", price, "5.00", ioc)).await.good();
    maker.delete(ledger, &format!("{ORDERS}/{quote}"), None).await;
    for (act, event) in [("determine", "determined"), ("settle", "settled")] {
        maker.control("POST", "/market", Some(json!({"act": act, "ticker": ticker, "yes": true}))).await.good();
        let fits = |told: &Value| told["msg"]["market_ticker"] == **ticker && told["msg"]["event_type"] == event;
        socket.heard(ledger, event, fits).await;
        maker.get(ledger, &format!("/markets/{ticker}")).await.good();
    }
    for account in [maker, taker] {
        let paid = account.get(ledger, &format!("/portfolio/settlements?ticker={ticker}")).await.good();
        assert_eq!(paid["settlements"].as_array().map(Vec::len), Some(1), "{paid}");
        let held = account.get(ledger, &format!("/portfolio/positions?ticker={ticker}")).await.good();
        assert_eq!(held["market_positions"], json!([]), "what is paid is no position any more");
        account.get(ledger, "/portfolio/positions?settlement_status=settled").await.good();
        account.get(ledger, "/portfolio/balance").await.good();
    }
    maker.get(ledger, "/markets?status=settled&limit=5").await.good();
    maker.get(ledger, "/events?status=settled&with_nested_markets=true").await.good();
}
