//! The bare reference bot: what a good Rust programmer writes in an afternoon, and nothing more.
//!
//! One thread: a frame by tokio-tungstenite, a typed parse, one book a market, a fair value with fee and edge, a signature
//! when it is needed, a POST by reqwest on a connection that stays open, its answer awaited. No journal, no risk, no
//! component, no sequence check, no recovery.

use crate::keys::{ID, Key};
use crate::stages::Stamps;
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

const ORDERS: &str = "/trade-api/v2/portfolio/events/orders";
const SOCKET: &str = "/trade-api/ws/v2";
/// What a contract is worth to it, in dollars: no model, so the same everywhere.
const FAIR: f64 = 0.5;
/// Dollars a contract that taking must earn, fee included.
const EDGE: f64 = 0.05;
/// Contracts of one order, in hundredths.
const MOST: i64 = 10_00;

/// What it is started with.
#[derive(clap::Args)]
pub struct Arguments {
    /// Address and port of the exchange
    #[arg(long)]
    exchange: String,
    #[arg(long)]
    key: PathBuf,
    #[arg(long, value_delimiter = ',')]
    tickers: Vec<String>,
    /// Where its stamps are written at the end
    #[arg(long)]
    stages: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "msg", rename_all = "snake_case")]
enum Told<'a> {
    #[serde(borrow)]
    OrderbookSnapshot(Snapshot<'a>),
    #[serde(borrow)]
    OrderbookDelta(Delta<'a>),
    Subscribed(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Snapshot<'a> {
    market_ticker: &'a str,
    #[serde(default, borrow)]
    yes_dollars_fp: Vec<(&'a str, &'a str)>,
    #[serde(default, borrow)]
    no_dollars_fp: Vec<(&'a str, &'a str)>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    market_ticker: &'a str,
    price_dollars: &'a str,
    delta_fp: &'a str,
    side: &'a str,
}

#[derive(Serialize)]
struct Order<'a> {
    ticker: &'a str,
    client_order_id: &'a str,
    side: &'a str,
    count: String,
    price: String,
    time_in_force: &'a str,
    self_trade_prevention_type: &'a str,
}

/// Bids and asks of YES: price in 1/10 000 dollar, size in 1/100 contract.
#[derive(Default)]
struct Book {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

/// A decimal with `places` digits after its point, in units of the last one.
fn fixed(text: &str, places: usize) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let unit = 10_i64.pow(u32::try_from(places).expect("few places"));
    let digits = |text: &str| text.parse::<i64>().unwrap_or_else(|_| panic!("{text:?} is no number"));
    let fraction = digits(&format!("{part:0<places$}"));
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    sign * (digits(whole).abs() * unit + fraction)
}

impl Book {
    fn snapshot(yes: &[(&str, &str)], no: &[(&str, &str)]) -> Self {
        let side =
            |levels: &[(&str, &str)]| levels.iter().map(|(price, size)| (fixed(price, 4), fixed(size, 2))).collect();
        Self { bids: side(yes), asks: side(no) }
    }

    fn change(&mut self, delta: &Delta<'_>) {
        let levels = if delta.side == "yes" { &mut self.bids } else { &mut self.asks };
        let (price, change) = (fixed(delta.price_dollars, 4), fixed(delta.delta_fp, 2));
        let size = levels.entry(price).or_default();
        *size += change;
        if *size <= 0 {
            levels.remove(&price);
        }
    }

    /// Price and size to take.
    fn decide(&self) -> Option<(i64, i64)> {
        let (price, size) = self.asks.first_key_value()?;
        let dollars = *price as f64 / 10_000.0;
        let value = FAIR - dollars - 0.07 * dollars * (1.0 - dollars);
        (value > EDGE).then_some((*price, (*size).min(MOST)))
    }
}

/// Timestamp and signature of a request.
fn sign(key: &Key, method: &str, path: &str) -> (String, String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_millis().to_string();
    let signature = key.sign(&format!("{now}{method}{path}"));
    (now, signature)
}

/// Trades until the exchange hangs up.
pub fn run(arguments: &Arguments) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(trade(arguments));
}

async fn trade(arguments: &Arguments) {
    rustls::crypto::ring::default_provider().install_default().expect("nobody has installed one before");
    let key = Key::read(&arguments.key);
    let client = reqwest::Client::builder().tcp_nodelay(true).no_proxy().build().expect("a client");
    let orders = format!("http://{}{ORDERS}", arguments.exchange);

    let mut request = format!("ws://{}{SOCKET}", arguments.exchange).into_client_request().expect("an address");
    let (timestamp, signature) = sign(&key, "GET", SOCKET);
    for (name, value) in [("access-key", ID), ("access-timestamp", &timestamp), ("access-signature", &signature)] {
        let name = format!("kalshi-{name}").parse::<tokio_tungstenite::tungstenite::http::HeaderName>();
        let value = HeaderValue::from_str(value).expect("Base64 is fit for a header");
        request.headers_mut().insert(name.expect("a header's name"), value);
    }
    let connected = tokio_tungstenite::connect_async_with_config(request, None, true).await;
    let (mut socket, _) = connected.expect("the exchange listens");
    let subscribe = serde_json::json!({"id": 1, "cmd": "subscribe", "params": {
        "channels": ["orderbook_delta"], "market_tickers": arguments.tickers, "use_yes_price": true}});
    socket.send(Message::text(subscribe.to_string())).await.expect("subscribed");

    let mut stamps = Stamps::new(&["read", "decoded", "decided", "signed"]);
    let mut books: HashMap<String, Book> = HashMap::new();
    let mut number = 0u64;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        stamps.mark(0);
        let told = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let ticker = match told {
            Told::Subscribed(_) => continue,
            Told::OrderbookSnapshot(Snapshot { market_ticker, yes_dollars_fp, no_dollars_fp }) => {
                books.insert(market_ticker.to_owned(), Book::snapshot(&yes_dollars_fp, &no_dollars_fp));
                market_ticker
            }
            Told::OrderbookDelta(delta) => {
                books.get_mut(delta.market_ticker).expect("a snapshot came first").change(&delta);
                delta.market_ticker
            }
        };
        stamps.mark(1);
        let Some((price, size)) = books[ticker].decide() else { continue };
        number += 1;
        let client_order_id = format!("bot-{number}");
        let order = Order {
            ticker,
            client_order_id: &client_order_id,
            side: "bid",
            count: format!("{}.{:02}", size / 100, size % 100),
            price: format!("0.{price:04}"),
            time_in_force: "immediate_or_cancel",
            self_trade_prevention_type: "taker_at_cross",
        };
        stamps.mark(2);
        let (timestamp, signature) = sign(&key, "POST", ORDERS);
        stamps.mark(3);
        stamps.order(&client_order_id);
        let request = client
            .post(&orders)
            .header("KALSHI-ACCESS-KEY", ID)
            .header("KALSHI-ACCESS-TIMESTAMP", timestamp)
            .header("KALSHI-ACCESS-SIGNATURE", signature)
            .json(&order);
        // The exchange may hang up in the middle of an order.
        let Ok(response) = request.send().await else { break };
        assert_eq!(response.status(), 201, "an order was refused");
        let Ok(_) = response.bytes().await else { break };
    }
    if let Some(file) = &arguments.stages {
        stamps.write(file);
    }
}
