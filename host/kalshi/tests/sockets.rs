//! The sockets against servers on loopback: order, Ping, flood and close of the feed; paging and refusals of REST.

mod support;

use futures_util::{SinkExt, StreamExt};
use isobar_engine::market::{MarketId, Strike};
use isobar_kalshi::feed::{Feed, FeedEvent};
use isobar_kalshi::rest::{Filter, Rest};
use isobar_kalshi::{Error, VenueError, convert, wire};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

const TIMEOUT: Duration = Duration::from_secs(10);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn the_feed_hands_on_frames_in_order_and_answers_pings() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}/trade-api/ws/v2", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            #[allow(clippy::result_large_err)]
            let check = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
                assert_eq!(request.headers()["kalshi-access-key"], "key");
                assert_eq!(request.uri().path(), "/trade-api/ws/v2");
                Ok(response)
            };
            let mut socket = tokio_tungstenite::accept_hdr_async(stream, check).await.expect("a handshake");
            for text in ["one", "two"] {
                socket.send(Message::text(text)).await.expect("sent");
            }
            socket.send(Message::Ping("heartbeat".into())).await.expect("sent");
            let mut seen = Vec::new();
            while let Some(Ok(message)) = socket.next().await {
                seen.push(message);
                if seen.len() == 3 {
                    socket.send(Message::text("three")).await.expect("sent");
                    socket.close(None).await.expect("closed");
                    break;
                }
            }
            seen
        });
        let mut feed = Feed::connect(&url, &[("KALSHI-ACCESS-KEY", "key")], TIMEOUT).await.expect("connected");
        let text = |text: &'static str| FeedEvent::Text(text.as_bytes().into());
        assert_eq!(feed.next().await, text("one"));
        assert_eq!(feed.next().await, text("two"));
        assert_eq!(feed.next().await, FeedEvent::Pong);
        feed.send_text("hello".into()).await.expect("sent");
        feed.ping().await.expect("sent");
        let mut rest = Vec::new();
        while !matches!(rest.last(), Some(FeedEvent::Closed(_))) {
            rest.push(feed.next().await);
        }
        assert!(rest.contains(&text("three")) && rest.contains(&FeedEvent::Pong), "{rest:?}");
        assert_eq!(feed.try_next(), None);
        let seen = server.await.expect("served");
        assert!(
            seen.contains(&Message::Pong("heartbeat".into())) && seen.contains(&Message::text("hello")),
            "{seen:?}"
        );
    });
}

#[test]
fn a_refused_upgrade_and_a_dead_address_are_told_apart() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await;
        });
        let refused = Feed::connect(&format!("ws://{address}/"), &[], TIMEOUT).await;
        assert!(matches!(refused, Err(Error::Venue(VenueError::Unauthorised { .. }))), "{refused:?}");
        let dead = Feed::connect("ws://127.0.0.1:1/", &[], TIMEOUT).await;
        assert!(matches!(dead, Err(Error::Unreachable(_))), "{dead:?}");
        let wrong = Feed::connect("not an address", &[], TIMEOUT).await;
        assert!(matches!(wrong, Err(Error::Address { .. })), "{wrong:?}");
    });
}

#[test]
fn a_flooding_socket_is_drained_without_waiting_for_each_frame() {
    const FRAMES: usize = 200_000;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut socket = tokio_tungstenite::tungstenite::accept(stream).expect("a handshake");
        let frame = include_str!("../testdata/delta.json");
        for _ in 0..FRAMES {
            socket.write(Message::text(frame)).expect("written");
        }
        socket.close(None).expect("closed");
        while socket.read().is_ok() {}
    });
    let (seconds, drained) = runtime().block_on(async {
        let mut feed = Feed::connect(&url, &[], TIMEOUT).await.expect("connected");
        let (start, mut frames, mut drained) = (Instant::now(), 0, 0);
        let mut event = feed.next().await;
        while matches!(event, FeedEvent::Text(_)) {
            frames += 1;
            event = match feed.try_next() {
                Some(event) => {
                    drained += 1;
                    event
                }
                None => feed.next().await,
            };
        }
        assert_eq!(frames, FRAMES, "{event:?}");
        (start.elapsed().as_secs_f64(), drained)
    });
    server.join().expect("served");
    eprintln!("{:.0} frames/s, {drained} of {FRAMES} without waiting", FRAMES as f64 / seconds);
    assert!(drained > FRAMES / 2);
}

/// Serves canned answers: each request is answered by the first whose key its target contains.
async fn serve(answers: Vec<(&'static str, u16, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}/trade-api/v2", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut buffer = [0; 4_096];
            let read = stream.read(&mut buffer).await.expect("a request");
            let target = String::from_utf8_lossy(&buffer[..read]).lines().next().unwrap_or_default().to_owned();
            let (_, status, body) = answers.iter().find(|(key, ..)| target.contains(key)).expect("an expected request");
            let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.expect("answered");
        }
    });
    base
}

#[test]
fn markets_come_page_by_page_and_refusals_with_their_reason() {
    runtime().block_on(async {
        let market = include_str!("../testdata/market.json");
        let page = |cursor: &str| format!(r#"{{"markets":[{market}],"cursor":"{cursor}"}}"#);
        let base = serve(vec![
            ("/trade-api/v2/markets?series_ticker=KXHIGHCHI&limit=1000&status=open&cursor=next", 200, page("")),
            ("/trade-api/v2/markets?series_ticker=KXHIGHCHI&limit=1000&status=open", 200, page("next")),
            ("/orderbook", 200, r#"{"orderbook_fp":{"yes_dollars":[["0.4600","1.00"],["0.4700","3.00"]],"no_dollars":[["0.4800","3.00"]]}}"#.into()),
            ("/exchange/status", 200, r#"{"exchange_active":true,"trading_active":false}"#.into()),
            ("/series/KXHIGHCHI", 200, r#"{"series":{"ticker":"KXHIGHCHI","fee_type":"quadratic","fee_multiplier":1}}"#.into()),
            ("/series/NONE", 404, r#"{"error":{"code":"not_found","message":"not found"}}"#.into()),
            ("/series/BUSY", 429, r#"{"error":"too many requests"}"#.into()),
            ("/series/ODD", 200, "<html>".into()),
        ])
        .await;
        let rest = Rest::new(&base, TIMEOUT).expect("a client");
        assert!(!rest.exchange_status().await.expect("a status").trading_active);
        let series = rest.series("KXHIGHCHI").await.expect("a series");
        let markets = rest.markets("KXHIGHCHI", Filter::Open).await.expect("two pages");
        assert_eq!(markets.len(), 2);
        assert_eq!(convert::market(MarketId(4), &markets[0], &series, None).expect("tradable").id, MarketId(4));
        let (bids, asks) = convert::book(&rest.orderbook("T").await.expect("a book")).expect("levels");
        assert_eq!((bids[0].price.units(), bids.len(), asks[0].price.units()), (4_700, 2, 5_200));
        let missing = rest.series("NONE").await;
        assert!(matches!(&missing, Err(Error::Venue(VenueError::NotFound { detail })) if detail.contains("not_found")), "{missing:?}");
        assert!(matches!(rest.series("BUSY").await, Err(Error::Venue(VenueError::RateLimited))));
        assert!(matches!(rest.series("ODD").await, Err(Error::Malformed { .. })));
        let nobody = Rest::new("http://127.0.0.1:1", TIMEOUT).expect("a client");
        assert!(matches!(nobody.exchange_status().await, Err(Error::Unreachable(_))));
        assert!(matches!(Rest::new("nowhere", TIMEOUT), Err(Error::Address { .. })));
    });
}

fn body<T: serde::de::DeserializeOwned>(folder: &Path, name: &str, pointer: &str) -> T {
    let text = std::fs::read_to_string(folder.join(name)).expect("a body");
    let body: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let part = body.pointer(pointer).unwrap_or_else(|| panic!("{name} has {pointer}")).clone();
    serde_json::from_value(part).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn recorded_bodies_are_read() {
    let Some(folder) = support::recordings("rest") else { return };
    let (weather, august) = (folder.join("weather_2026-07"), folder.join("prod_2026-08"));
    let series: wire::Series = body(&august, "series_fee_fields.json", "/payloads/KXATPDOUBLES/series");
    let listed: wire::MarketsBody = body(&weather, "kxhighny_open_trimmed.json", "");
    assert!(!listed.markets.is_empty());
    for (number, market) in listed.markets.iter().enumerate() {
        let market = convert::market(MarketId(number as u16), market, &series, None).expect("tradable");
        assert_ne!(market.strike, Strike::Other, "{}", market.ticker);
        assert_eq!(market.ladder, isobar_engine::market::Ladder::cents());
    }
    let candles: wire::CandlesticksBody = body(&weather, "candlesticks_trimmed.json", "");
    assert!(!candles.candlesticks.is_empty());
    for pointer in ["/nested", "/single/market"] {
        let market: wire::Market = body(&august, "market_single.json", pointer);
        assert_eq!(convert::market(MarketId(0), &market, &series, None).expect("tradable").strike, Strike::Other);
    }
    let book: wire::BookBody = body(&august, "market_single.json", "/orderbook");
    let (bids, asks) = convert::book(&book).expect("levels");
    assert_eq!((bids.len(), asks.len(), asks[0].price.units()), (10, 6, 9_400));
    let settlements: wire::SettlementsBody = body(&august, "portfolio_settlements_redacted.json", "/payload");
    assert_eq!(settlements.settlements.len(), 22);
    let fees = |series: &str| {
        let series: wire::Series = body(&august, "series_fee_fields.json", &format!("/payloads/{series}/series"));
        convert::fees(&series, None).expect("known fees")
    };
    use isobar_engine::market::FeeSchedule::Quadratic;
    assert_eq!(fees("KXMLBGAME"), Quadratic { taker_ppm: 35_000, maker_ppm: 8_750 });
    assert_eq!(fees("KXMLBSPREAD"), Quadratic { taker_ppm: 35_000, maker_ppm: 0 });
    assert_eq!(fees("KXWNBAGAME"), Quadratic { taker_ppm: 70_000, maker_ppm: 17_500 });
}
