//! The exchange behind its port: signed requests and connections over real sockets.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use futures_util::{SinkExt, StreamExt};
use isobar_engine::units::Money;
use isobar_sim::{AccountConfig, Config, PublicKey, Running, Scene, Sim, Speed, Tier};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

fn start() -> Running {
    let account = AccountConfig {
        keys: vec![("key".to_owned(), PublicKey::Unchecked)],
        cash: Money::dollars(100),
        tier: Tier::Unlimited,
    };
    let scene = Scene::Quiet { date: jiff::civil::date(2026, 7, 1), start: "2026-07-01T18:00:00Z".parse().unwrap() };
    let config =
        Config { scene, speed: Speed::Factor(1), accounts: vec![account], unsigned_feed: false, ..Config::default() };
    Sim::start(config).unwrap()
}

fn headers() -> [(&'static str, String); 3] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    [
        ("kalshi-access-key", "key".to_owned()),
        ("kalshi-access-timestamp", now.to_string()),
        ("kalshi-access-signature", "AAAA".to_owned()),
    ]
}

/// What comes back, byte for byte; empty where the connection broke.
fn exchange(url: &str, method: &str, path: &str, body: &str, signed: bool) -> String {
    let (host, root) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let mut text = format!(
        "{method} /{root}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers().into_iter().filter(|_| signed) {
        text += &format!("{name}: {value}\r\n");
    }
    write!(stream, "{text}\r\n{body}").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn parsed(answer: &str) -> (u16, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn orders_and_private_channels_work_over_sockets() {
    let sim = start();
    let refused = tokio_tungstenite::connect_async(&sim.ws_url).await;
    let Err(Error::Http(response)) = refused else { panic!("an unsigned connection is refused") };
    assert_eq!(response.status(), 401);
    assert_eq!(parsed(&exchange(&sim.rest_url, "GET", "/portfolio/orders", "", false)).0, 401);

    let mut request = sim.ws_url.as_str().into_client_request().unwrap();
    for (name, value) in headers() {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let command = json!({"id": 1, "cmd": "subscribe", "params": {"channels": ["user_orders"]}});
    socket.send(Message::text(command.to_string())).await.unwrap();
    let mut next = async || loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            break serde_json::from_str::<Value>(&text).unwrap();
        }
    };
    assert_eq!(next().await["type"], "subscribed");

    let markets = parsed(&exchange(&sim.rest_url, "GET", "/markets?limit=1", "", false)).1;
    let ticker = markets["markets"][0]["ticker"].as_str().unwrap().to_owned();
    let order = |client: &str| {
        json!({
            "ticker": ticker, "side": "bid", "price": "0.1000", "count": "1.00", "client_order_id": client,
            "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
        })
        .to_string()
    };
    let (status, taken) = parsed(&exchange(&sim.rest_url, "POST", "/portfolio/events/orders", &order("a"), true));
    assert_eq!(status, 201, "{taken}");
    assert_eq!(next().await["msg"]["order_id"], taken["order_id"]);

    // The answer gets lost: the connection breaks, the order rests, the feed tells it.
    let fault = r#"{"kind":"answer","on":"create","how":"lost_after"}"#;
    assert_eq!(parsed(&exchange(&sim.sim_url, "POST", "/faults", fault, false)).0, 200);
    assert_eq!(exchange(&sim.rest_url, "POST", "/portfolio/events/orders", &order("b"), true), "");
    assert_eq!(next().await["msg"]["client_order_id"], "b");
    let accounts = parsed(&exchange(&sim.sim_url, "GET", "/accounts", "", false)).1;
    assert_eq!(accounts[0]["resting_orders"], 2);
    let all = exchange(&sim.rest_url, "DELETE", "/portfolio/events/orders", "", true);
    assert!(all.starts_with("HTTP/1.1 204"), "{all}");
    assert_eq!(next().await["msg"]["status"], "canceled");
    sim.stop();
}
