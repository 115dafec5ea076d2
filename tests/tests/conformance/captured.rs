//! The captured refusals of the demo exchange, asked of the simulated one again: status and body are the same, byte for byte.
//!
//! The requests are the captured ones with another market, another key and other ids. What differs between the two answers
//! would be an id; no captured refusal has one.

use crate::client::{Answer, Client, now};
use crate::ledger::Ledger;
use crate::scenario::World;
use isobar_engine::units::Timestamp;
use isobar_kalshi::sign::Credentials;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A captured exchange.
pub struct Capture {
    pub status: u16,
    pub body: String,
    pub method: String,
    /// With its query.
    pub path: String,
    pub request: Value,
    /// How it was signed: `signed`, `bad-signature` and so on.
    pub auth: String,
}

/// Every refusal in the folder, by the name of its file.
pub fn refusals(folder: &Path) -> BTreeMap<String, Capture> {
    let mut captures = BTreeMap::new();
    for file in std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()) {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".meta.json") else { continue };
        let meta: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("a text")).expect("JSON");
        let status = meta["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
        if status < 400 {
            continue;
        }
        let body = std::fs::read_to_string(folder.join(format!("{name}.json"))).expect("a body");
        let word = |field: &str| meta[field].as_str().expect("a description").to_owned();
        let capture = Capture {
            status,
            body: body.trim_end().to_owned(),
            method: word("method"),
            path: word("path"),
            request: meta["request_body"].clone(),
            auth: word("auth"),
        };
        captures.insert(name.to_owned(), capture);
    }
    captures
}

/// Asks the exchange what the demo exchange was asked. `market` has an ask below 0.99 dollars.
pub async fn repeat(world: &World<'_>, ledger: &mut Ledger<'_>, market: &str, name: &str, capture: &Capture) -> Answer {
    let client = &Client::new(&world.host, Some(world.maker));
    let below = capture.path.strip_prefix("/trade-api/v2").expect("a path of the venue");
    match name {
        "auth__bad_signature" => signed(client, ledger, world.maker, capture, 0, "/trade-api/v2/another/path").await,
        "auth__missing_signature_header" => {
            let headers = world.maker.sign(now(), "GET", &capture.path);
            let some: Vec<_> = headers.pairs().into_iter().filter(|(name, _)| !name.ends_with("SIGNATURE")).collect();
            client.send(ledger, "GET", &capture.path, &some, None).await
        }
        "auth__skew_minus30s" => signed(client, ledger, world.maker, capture, -30, &capture.path).await,
        "auth__skew_plus5min" => signed(client, ledger, world.maker, capture, 300, &capture.path).await,
        "auth__unknown_key_id" => {
            let headers = world.maker.sign(now(), "GET", &capture.path);
            let nobody = "00000000-0000-0000-0000-000000000000";
            let pairs = headers.pairs().map(|(name, value)| (name, if name.ends_with("KEY") { nobody } else { value }));
            client.send(ledger, "GET", &capture.path, &pairs, None).await
        }
        "markets__limit_over_max" => client.get(ledger, below).await,
        "orders__cancel_unknown_id" => client.delete(ledger, below, None).await,
        "orders__cancel_already_canceled" => {
            let order = crate::scenario::order(market, "bid", "0.0100", "1.00", json!({}));
            let id = created(client.post(ledger, ORDERS, order).await);
            client.delete(ledger, &format!("{ORDERS}/{id}"), None).await.good();
            client.delete(ledger, &format!("{ORDERS}/{id}"), None).await
        }
        // An order that was over at once: it took what was there, or nothing.
        "orders__cancel_executed" | "cleanup__leftover_0" | "cleanup__leftover_1" | "cleanup__leftover_2" => {
            let ioc = json!({"time_in_force": "immediate_or_cancel"});
            let order = crate::scenario::order(market, "bid", "0.9900", "1.00", ioc);
            let id = created(client.post(ledger, ORDERS, order).await);
            client.delete(ledger, &format!("{ORDERS}/{id}"), None).await
        }
        "orders__duplicate_client_order_id" => {
            let request = elsewhere(&capture.request, market, "twice");
            let id = created(client.post(ledger, ORDERS, request.clone()).await);
            let answer = client.post(ledger, ORDERS, request).await;
            client.delete(ledger, &format!("{ORDERS}/{id}"), None).await.good();
            answer
        }
        "orders__insufficient_balance" => {
            let poor = Client::new(&world.host, Some(world.poor));
            poor.post(ledger, ORDERS, elsewhere(&capture.request, market, name)).await
        }
        "orders__invalid_price_structure" | "orders__numeric_field_types" | "orders__post_only_cross" => {
            client.post(ledger, ORDERS, elsewhere(&capture.request, market, name)).await
        }
        other => panic!("nobody decided on {other} ({}, {})", capture.method, capture.auth),
    }
}

const ORDERS: &str = "/portfolio/events/orders";

fn created(answer: Answer) -> String {
    answer.good()["order_id"].as_str().expect("an id").to_owned()
}

/// The captured order for another market and under a name of its own.
fn elsewhere(request: &Value, market: &str, name: &str) -> Value {
    let mut request = request.clone();
    request["ticker"] = market.into();
    request["client_order_id"] = format!("{name}-{}", now().0).into();
    request
}

/// Signs with a clock that is off by `skew` seconds, over `path`.
async fn signed(
    client: &Client<'_>,
    ledger: &mut Ledger<'_>,
    credentials: &Credentials,
    capture: &Capture,
    skew: i64,
    path: &str,
) -> Answer {
    let at = Timestamp(now().0 + skew * 1_000_000_000);
    let headers = credentials.sign(at, &capture.method, path);
    client.send(ledger, &capture.method, &capture.path, &headers.pairs(), None).await
}
