//! A client as a stranger would write it: plain HTTP, a tungstenite socket, books kept from snapshots and deltas.
#![allow(dead_code, clippy::unwrap_used, missing_docs, reason = "each test file uses a part of it")]

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Status and body of a request to `url` (`http://host:port/path`).
pub fn request(method: &str, url: &str, body: &str) -> (u16, Value) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

pub fn get(url: &str) -> Value {
    let (status, body) = request("GET", url, "");
    assert_eq!(status, 200, "{url}: {body}");
    body
}

/// A book: price in 1/10 000 dollar of the ladder's own scale to 1/100 contracts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Book {
    pub yes: BTreeMap<i64, i64>,
    pub no: BTreeMap<i64, i64>,
}

pub fn fixed(text: &Value, digits: usize) -> i64 {
    let text = text.as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap();
    assert_eq!(fraction.len(), digits, "{text}");
    format!("{whole}{fraction}").parse().unwrap()
}

fn ladder(levels: &Value) -> BTreeMap<i64, i64> {
    let levels = levels.as_array().into_iter().flatten();
    levels.map(|level| (fixed(&level[0], 4), fixed(&level[1], 2))).collect()
}

pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub use_yes_price: bool,
    pub books: BTreeMap<String, Book>,
    pub seqs: BTreeMap<u64, u64>,
    pub frames: Vec<Value>,
}

impl Client {
    pub async fn connect(url: &str, use_yes_price: bool) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self { socket, use_yes_price, books: BTreeMap::new(), seqs: BTreeMap::new(), frames: Vec::new() }
    }

    pub async fn send(&mut self, command: Value) {
        self.socket.send(Message::text(command.to_string())).await.unwrap();
    }

    pub async fn subscribe(&mut self, channels: &[&str], tickers: &[String]) {
        let params = json!({"channels": channels, "market_tickers": tickers, "use_yes_price": self.use_yes_price});
        self.send(json!({"id": 1, "cmd": "subscribe", "params": params})).await;
    }

    /// The next message, applied; nothing at the end of the connection.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => {
                    assert!(text.ends_with('\n'), "a message is a line");
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    self.apply(&frame);
                    return Some(frame);
                }
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Everything that comes until `quiet` ms of silence or the end of the connection.
    pub async fn drain(&mut self, quiet: u64) -> bool {
        loop {
            match tokio::time::timeout(std::time::Duration::from_millis(quiet), self.next()).await {
                Ok(Some(frame)) => self.frames.push(frame),
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }

    fn apply(&mut self, frame: &Value) {
        assert!(frame["sending_ts_ms"].is_i64(), "{frame}");
        if let Some(seq) = frame["seq"].as_u64() {
            let last = self.seqs.entry(frame["sid"].as_u64().unwrap()).or_default();
            assert_eq!(seq, *last + 1, "{frame}");
            *last = seq;
        }
        let msg = &frame["msg"];
        let book = self.books.entry(msg["market_ticker"].as_str().unwrap_or_default().to_owned()).or_default();
        match frame["type"].as_str().unwrap() {
            "orderbook_snapshot" => {
                for side in ["yes_dollars_fp", "no_dollars_fp"] {
                    assert_ne!(msg[side], json!([]), "an empty side is left out");
                }
                *book = Book { yes: ladder(&msg["yes_dollars_fp"]), no: ladder(&msg["no_dollars_fp"]) };
            }
            "orderbook_delta" => {
                let side = if msg["side"] == "yes" { &mut book.yes } else { &mut book.no };
                let size = side.entry(fixed(&msg["price_dollars"], 4)).or_default();
                *size += fixed(&msg["delta_fp"], 2);
                assert!(*size >= 0, "{frame}");
                side.retain(|_, size| *size > 0);
            }
            _ => {}
        }
    }

    /// The book in YES prices: bids and asks.
    pub fn sides(&self, ticker: &str) -> (BTreeMap<i64, i64>, BTreeMap<i64, i64>) {
        let book = self.books.get(ticker).cloned().unwrap_or_default();
        let shown = |price: i64| if self.use_yes_price { price } else { 10_000 - price };
        (book.yes, book.no.into_iter().map(|(price, size)| (shown(price), size)).collect())
    }

    pub fn equals(&self, sim_url: &str, ticker: &str) {
        assert_eq!(self.sides(ticker), truth(sim_url, ticker), "{ticker}");
    }
}

/// Bids and asks of the exchange's own book.
pub fn truth(sim_url: &str, ticker: &str) -> (BTreeMap<i64, i64>, BTreeMap<i64, i64>) {
    let truth = get(&format!("{sim_url}/book/{ticker}"));
    (ladder(&truth["bids"]), ladder(&truth["asks"]))
}

pub fn tickers(rest_url: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(&format!("{rest_url}/markets?limit=1000&cursor={cursor}"));
        all.extend(page["markets"].as_array().unwrap().iter().map(|one| one["ticker"].as_str().unwrap().to_owned()));
        cursor = page["cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            return all;
        }
    }
}
