//! A plain client over real sockets that hands everything it is told to the ledger before anyone looks at it.
//!
//! It is not the host's client: that one reads only what it needs. Requests are signed by the host's credentials, whose
//! implementation is another one than the exchange's.

use crate::ledger::Ledger;
use futures_util::{SinkExt as _, StreamExt as _};
use isobar_engine::units::Timestamp;
use isobar_kalshi::sign::Credentials;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long an expected message may take.
const PATIENCE: Duration = Duration::from_secs(10);
const ROOT: &str = "/trade-api/v2";

/// The time of a signature.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    Timestamp(i64::try_from(since.as_nanos()).expect("a clock before 2262"))
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
    /// The body, null where it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub fn good(self) -> Value {
        assert!(self.status < 300, "{} {}", self.status, self.text);
        self.body
    }
}

/// REST of one account, or of a stranger without a key.
pub struct Client<'a> {
    pub http: reqwest::Client,
    /// `http://127.0.0.1:PORT`
    pub host: String,
    pub credentials: Option<&'a Credentials>,
}

impl<'a> Client<'a> {
    pub fn new(host: &str, credentials: Option<&'a Credentials>) -> Self {
        // reqwest wants to know by which library it would speak TLS, though it speaks none here; a second time is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { http: reqwest::Client::new(), host: host.to_owned(), credentials }
    }

    /// A request below `/trade-api/v2`, signed where there is a key.
    pub async fn call(&self, ledger: &mut Ledger<'_>, method: &str, path: &str, body: Option<Value>) -> Answer {
        let path = format!("{ROOT}{path}");
        let signed = self.credentials.map(|credentials| credentials.sign(now(), method, &path));
        let pairs: Vec<(&str, &str)> = signed.iter().flat_map(|headers| headers.pairs()).collect();
        self.send(ledger, method, &path, &pairs, body).await
    }

    /// A request with these headers.
    pub async fn send(
        &self,
        ledger: &mut Ledger<'_>,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let verb = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(verb, format!("{}{path}", self.host));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        let asked = path.strip_prefix(ROOT).unwrap_or(path);
        ledger.answer(method, asked.split('?').next().unwrap_or_default(), status, &text);
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    pub async fn get(&self, ledger: &mut Ledger<'_>, path: &str) -> Answer {
        self.call(ledger, "GET", path, None).await
    }

    pub async fn post(&self, ledger: &mut Ledger<'_>, path: &str, body: Value) -> Answer {
        self.call(ledger, "POST", path, Some(body)).await
    }

    pub async fn put(&self, ledger: &mut Ledger<'_>, path: &str, body: Option<Value>) -> Answer {
        self.call(ledger, "PUT", path, body).await
    }

    pub async fn delete(&self, ledger: &mut Ledger<'_>, path: &str, body: Option<Value>) -> Answer {
        self.call(ledger, "DELETE", path, body).await
    }

    /// What only the simulation has, below `/sim`; no ledger.
    pub async fn control(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let verb = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(verb, format!("{}/sim{path}", self.host));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{method} /sim{path}: {error}"));
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }
}

/// One WebSocket and what it was told.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What each id was a command to do.
    commands: BTreeMap<u64, String>,
    /// Everything that came, in order.
    pub told: Vec<Value>,
    /// Bodies of the pings that came.
    pub pings: Vec<Vec<u8>>,
}

impl Socket {
    /// Opens a signed connection.
    pub async fn open(host: &str, credentials: &Credentials) -> Self {
        const PATH: &str = "/trade-api/ws/v2";
        let address = format!("{}{PATH}", host.replace("http://", "ws://"));
        let mut request = address.into_client_request().expect("an address");
        for (name, value) in credentials.sign(now(), "GET", PATH).pairs() {
            request.headers_mut().insert(name, value.parse().expect("a header"));
        }
        let (stream, _) = tokio_tungstenite::connect_async(request).await.expect("a connection");
        Self { stream, commands: BTreeMap::new(), told: Vec::new(), pings: Vec::new() }
    }

    /// Sends a command, and returns its id.
    pub async fn command(&mut self, command: &str, params: Value) -> u64 {
        let id = self.commands.len() as u64 + 1;
        let mut message = json!({"id": id, "cmd": command});
        if !params.is_null() {
            message["params"] = params;
        }
        self.commands.insert(id, command.to_owned());
        self.stream.send(Message::text(message.to_string())).await.expect("an open connection");
        id
    }

    /// Sends a command and waits for what answers it.
    pub async fn ask(&mut self, ledger: &mut Ledger<'_>, command: &str, params: Value) -> Value {
        let id = self.command(command, params).await;
        self.until(ledger, &format!("an answer to {command}"), |message| message["id"] == id).await
    }

    /// The sid of a new or an old subscription.
    pub async fn subscribe(&mut self, ledger: &mut Ledger<'_>, channel: &str, more: Value) -> u64 {
        let mut params = json!({"channels": [channel]});
        for (name, value) in more.as_object().into_iter().flatten() {
            params[name] = value.clone();
        }
        let answer = self.ask(ledger, "subscribe", params).await;
        // `subscribed` has it inside; `ok`, for markets added to a subscription that there is, beside.
        let sid = answer["msg"]["sid"].as_u64().or(answer["sid"].as_u64());
        sid.unwrap_or_else(|| panic!("{channel}: {answer}"))
    }

    /// Takes what comes until a message fits, and returns that one. Messages that came before are not asked.
    pub async fn until(&mut self, ledger: &mut Ledger<'_>, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(message) = self.next(ledger, left).await else {
                panic!("{what} did not come within {PATIENCE:?}")
            };
            if fits(&message) {
                return message;
            }
        }
    }

    /// Takes what comes until nothing came for a while.
    pub async fn drain(&mut self, ledger: &mut Ledger<'_>) {
        while self.next(ledger, Duration::from_millis(100)).await.is_some() {}
    }

    /// Whether something that fits was told, then or now.
    pub async fn heard(&mut self, ledger: &mut Ledger<'_>, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        match self.told.iter().find(|message| fits(message)) {
            Some(message) => message.clone(),
            None => self.until(ledger, what, fits).await,
        }
    }

    async fn next(&mut self, ledger: &mut Ledger<'_>, patience: Duration) -> Option<Value> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let frame = tokio::time::timeout(left, self.stream.next()).await.ok()?;
            match frame.expect("the connection stays open").expect("a whole frame") {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
                    let command = message["id"].as_u64().and_then(|id| self.commands.get(&id));
                    ledger.message(&text, command.map(String::as_str));
                    self.told.push(message.clone());
                    return Some(message);
                }
                Message::Ping(body) => self.pings.push(body.to_vec()),
                Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
