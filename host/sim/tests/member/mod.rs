//! A member of a quiet exchange: requests without sockets, on virtual time.
#![allow(dead_code, clippy::unwrap_used, missing_docs, reason = "each test file uses a part of it")]

use isobar_engine::units::{Money, SECOND, Timestamp};
use isobar_sim::{AccountConfig, ConnId, Core, CoreConfig, HttpAnswer, HttpRequest, PublicKey, Scene, Tier};
use serde_json::{Value, json};
use std::path::PathBuf;

pub const ROOT: &str = "/trade-api/v2";
/// Noon in Chicago of the climate day.
pub const NOON: &str = "2026-07-01T18:00:00Z";

pub fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_second() * SECOND)
}

/// The captured bodies, where the recordings lie beside the checkout.
pub fn captured(name: &str) -> Option<String> {
    let data = std::env::var_os("ISOBAR_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let file = data.join("rest/demo_2026-06").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&file).ok();
    if text.is_none() {
        eprintln!("skipped: {} is not there", file.display());
    }
    text.map(|text| text.trim().to_owned())
}

pub struct World {
    pub core: Core,
    pub now: Timestamp,
    pub ticker: String,
    pub connections: Vec<ConnId>,
}

pub fn config(accounts: usize) -> CoreConfig {
    let account = |number| AccountConfig {
        keys: vec![(format!("key-{number}"), PublicKey::Unchecked)],
        cash: Money::dollars(1_000),
        tier: Tier::Unlimited,
    };
    CoreConfig {
        scene: Scene::Quiet { date: jiff::civil::date(2026, 7, 1), start: NOON.parse().unwrap() },
        accounts: (0..accounts).map(account).collect(),
        unsigned_feed: false,
        ..CoreConfig::default()
    }
}

impl World {
    pub fn new(accounts: usize) -> Self {
        Self::of(&config(accounts))
    }

    pub fn of(config: &CoreConfig) -> Self {
        let core = Core::new(config).unwrap();
        let ticker = core.inspect().markets()[2].0.to_owned();
        let now = core.now();
        Self { core, now, ticker, connections: Vec::new() }
    }

    pub fn pass(&mut self, nanos: i64) {
        self.now = self.now.plus(nanos);
        self.core.advance(self.now);
    }

    pub fn signed(&self, account: usize, method: &str, path: &str, body: &str) -> HttpRequest {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut request = HttpRequest::new(method, &format!("{ROOT}{path}"), self.now);
        request.query = query.to_owned();
        request.body = body.to_owned();
        let headers = [
            ("kalshi-access-key", format!("key-{account}")),
            ("kalshi-access-timestamp", (self.now.0 / 1_000_000).to_string()),
            ("kalshi-access-signature", "AAAA".to_owned()),
        ];
        request.headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        request
    }

    pub fn send(&mut self, account: usize, method: &str, path: &str, body: &str) -> HttpAnswer {
        let request = self.signed(account, method, path, body);
        self.core.request(self.now, &request)
    }

    /// Status and body of a request.
    pub fn call(&mut self, account: usize, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.send(account, method, path, &body);
        (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
    }

    pub fn get(&mut self, account: usize, path: &str) -> Value {
        let (status, body) = self.call(account, "GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub fn order(&self, side: &str, price: &str, count: &str) -> Value {
        json!({
            "ticker": self.ticker, "side": side, "price": price, "count": count,
            "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
        })
    }

    pub fn create(&mut self, account: usize, order: &Value) -> (u16, Value) {
        self.call(account, "POST", "/portfolio/events/orders", order)
    }

    /// Places an order that must be taken; its id.
    pub fn place(&mut self, account: usize, side: &str, price: &str, count: &str) -> String {
        let order = self.order(side, price, count);
        let (status, body) = self.create(account, &order);
        assert_eq!(status, 201, "{body}");
        body["order_id"].as_str().unwrap().to_owned()
    }

    pub fn cancel(&mut self, account: usize, id: &str) -> (u16, Value) {
        self.call(account, "DELETE", &format!("/portfolio/events/orders/{id}"), &Value::Null)
    }

    /// The order as REST shows it.
    pub fn shown(&mut self, account: usize, id: &str) -> Value {
        self.get(account, &format!("/portfolio/orders/{id}"))["order"].clone()
    }

    /// A connection that is subscribed to channels, its acknowledgements read.
    pub fn listen(&mut self, account: usize, channels: &[&str]) -> ConnId {
        let mut request = self.signed(account, "GET", "/ws", "");
        request.path = "/trade-api/ws/v2".to_owned();
        let connection = self.core.connect(self.now, &request).unwrap();
        for channel in channels {
            let mut params = json!({"channels": [channel]});
            if *channel == "orderbook_delta" {
                params["market_tickers"] = json!([self.ticker]);
            }
            let command = json!({"id": 1, "cmd": "subscribe", "params": params});
            self.core.command(self.now, connection, &command.to_string());
        }
        let frames = self.frames(connection);
        assert_eq!(frames.iter().filter(|frame| frame["type"] == "subscribed").count(), channels.len());
        connection
    }

    pub fn frames(&mut self, connection: ConnId) -> Vec<Value> {
        self.core.frames(connection).iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
    }
}
