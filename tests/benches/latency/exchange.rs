//! The measuring exchange: it shows an attractive ask, takes the time until an order for it has been read whole, and takes
//! the ask away.
//!
//! Threads that block, one a connection and the caller's for the triggers: nobody spins, since the measured program has
//! only the other processor. A trigger's time runs from just before the system call that writes its frame (a stamp after it
//! would come late whenever the woken program runs first on this processor) to the read that completed the order's request;
//! both ends are the same for every program. What the exchange does for an order comes after that: the ask is taken away, and
//! a moment later the order is answered, so that no program meets its own answer beside an ask that is gone.
//!
//! One trigger a market at a time: an order belongs to the trigger of its market. Signatures are kept as they came and
//! checked after the measurement.

use crate::books::{self, Book, Head};
use crate::connection::{Frame, Incoming, Request, server_frame};
use crate::listing::Listing;
use crate::orders::{self, Order};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A trigger without an order for so long is missed.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// From the frame that takes the ask away to the answer of the order: the venue's own time for an order, and enough for
/// the frame to be seen first.
const ANSWER_AFTER: Duration = Duration::from_micros(200);
/// The order group that every account has here.
const GROUP: &str = "30000000-0000-4000-8000-000000000000";

/// An order that answered a trigger.
pub struct Sample {
    pub latency: Duration,
    /// Unix nanoseconds of the frame and of the order's last byte, to place a program's own stamps between.
    pub written_ns: u64,
    pub read_ns: u64,
    pub client_order_id: String,
}

/// The proof that came with an order request.
pub struct Proof {
    pub timestamp: String,
    pub signature: String,
    pub path: String,
    /// Unix milliseconds at which it was read.
    pub read_ms: u64,
}

/// What a series of triggers gave.
#[derive(Default)]
pub struct Outcome {
    pub samples: Vec<Sample>,
    /// Triggers without an order within [`PATIENCE`].
    pub missed: u64,
    /// Orders that no trigger asked for, or that came too late for theirs.
    pub unasked: u64,
    /// Triggers that came later than planned because every market still had one.
    pub held_back: u64,
    pub proofs: Vec<Proof>,
}

/// A trigger whose market is not free yet.
struct Waiting {
    at: Instant,
    wall_ns: u64,
    answered: bool,
}

/// One WebSocket connection.
struct Client {
    number: u64,
    stream: TcpStream,
    /// By channel.
    subscriptions: BTreeMap<String, Subscription>,
}

struct Subscription {
    sid: u64,
    seq: u64,
    use_yes_price: bool,
    markets: Vec<usize>,
}

/// Everything that is said over WebSocket: one lock, so that every client sees the changes of a book in one order.
struct Hub {
    clients: Vec<Client>,
    books: Vec<Book>,
}

/// Which market waits for an order, and what came.
struct Board {
    waiting: Vec<Option<Waiting>>,
    outcome: Outcome,
}

struct Shared {
    listing: Listing,
    hub: Mutex<Hub>,
    board: Mutex<Board>,
    orders: AtomicU64,
    clients: AtomicU64,
    over: AtomicBool,
}

/// A running exchange. It hangs up on everybody when it is dropped.
pub struct Exchange {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Exchange {
    /// Listens on a free port of loopback.
    pub fn start() -> io::Result<Self> {
        let listing = Listing::new(jiff::Timestamp::now());
        let count = listing.markets.len();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            hub: Mutex::new(Hub { clients: Vec::new(), books: vec![Book::default(); count] }),
            board: Mutex::new(Board { waiting: (0..count).map(|_| None).collect(), outcome: Outcome::default() }),
            listing,
            orders: AtomicU64::new(0),
            clients: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let served = Arc::clone(&shared);
        let accepting =
            std::thread::Builder::new().name("accept".to_owned()).spawn(move || accept(&listener, &served))?;
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// Tickers of all markets.
    pub fn tickers(&self) -> Vec<String> {
        self.shared.listing.markets.iter().map(|market| market.ticker.clone()).collect()
    }

    /// Waits until a client has subscribed to the books of all markets; false where none did by then.
    pub fn subscribed(&self, until: Instant, alive: &mut dyn FnMut() -> bool) -> bool {
        while Instant::now() < until && alive() {
            let hub = lock(&self.shared.hub);
            let books =
                |client: &Client| client.subscriptions.get("orderbook_delta").map_or(0, |books| books.markets.len());
            if hub.clients.iter().any(|client| books(client) == self.shared.listing.markets.len()) {
                return true;
            }
            drop(hub);
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Triggers each market of `among` once, one after the other, and tells which had an order. For warming up and for
    /// finding out on which markets a program acts.
    pub fn probe(&self, among: &[usize], patience: Duration) -> Vec<usize> {
        let mut answered = Vec::new();
        for market in among {
            let before = lock(&self.shared.board).outcome.samples.len();
            self.shared.trigger(*market);
            let until = Instant::now() + patience;
            while !self.shared.is_free(*market) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.shared.give_up(*market);
            if lock(&self.shared.board).outcome.samples.len() > before {
                answered.push(*market);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.take();
        answered
    }

    /// Triggers `count` times, `spacing` apart, on the markets of `among` in turn.
    pub fn measure(
        &self,
        among: &[usize],
        count: usize,
        spacing: Duration,
        alive: &mut dyn FnMut() -> bool,
    ) -> Outcome {
        self.take();
        let (mut next, mut held_back) = (0, 0);
        let mut due = Instant::now();
        for number in 0..count {
            due += spacing;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let free = |from: usize| (from..from + among.len()).find(|at| self.shared.is_free(among[at % among.len()]));
            let mut found = free(next);
            held_back += u64::from(found.is_none());
            while found.is_none() {
                std::thread::sleep(spacing / 4);
                self.shared.give_up_late(among);
                found = free(next);
            }
            let at = found.expect("the loop ended with one");
            self.shared.trigger(among[at % among.len()]);
            next = (at + 1) % among.len();
            // The plan is kept where it can be; what was held back is not made up for by a burst.
            due = due.max(Instant::now() - spacing);
            if number % 256 == 0 {
                self.shared.give_up_late(among);
                if !alive() {
                    break;
                }
            }
        }
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && !among.iter().all(|market| self.shared.is_free(*market)) {
            std::thread::sleep(spacing);
        }
        for market in among {
            self.shared.give_up(*market);
        }
        Outcome { held_back, ..self.take() }
    }

    /// What came since the last time.
    fn take(&self) -> Outcome {
        std::mem::take(&mut lock(&self.shared.board).outcome)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        for client in lock(&self.shared.hub).clients.drain(..) {
            // It may have hung up already.
            let _ = client.stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    u64::try_from(since).unwrap_or(u64::MAX)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.over.load(Ordering::SeqCst) {
            return;
        }
        let shared = Arc::clone(shared);
        let serving = std::thread::Builder::new().name("connection".to_owned());
        let served = serving.spawn(move || {
            if let Err(error) = serve(stream, &shared)
                && !shared.over.load(Ordering::SeqCst)
                && !matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
                )
            {
                eprintln!("exchange: a connection ended: {error}");
            }
        });
        served.expect("the system gives a thread to a connection");
    }
}

/// Serves one connection to its end.
fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut incoming = Incoming::new(stream.try_clone()?);
    while let Some(request) = incoming.request()? {
        if let Some(key) = request.header("sec-websocket-key") {
            let accept = derive_accept_key(key.as_bytes());
            let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket";
            (&stream).write_all(format!("{head}\r\nsec-websocket-accept: {accept}\r\n\r\n").as_bytes())?;
            return converse(stream, incoming, shared);
        }
        let (status, body) = shared.answer(&request);
        let body = body.map_or_else(String::new, |body| body.to_string());
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        (&stream).write_all((head + &body).as_bytes())?;
    }
    Ok(())
}

/// Serves a WebSocket connection to its end.
fn converse(stream: TcpStream, mut incoming: Incoming, shared: &Shared) -> io::Result<()> {
    let number = shared.clients.fetch_add(1, Ordering::Relaxed);
    lock(&shared.hub).clients.push(Client { number, stream, subscriptions: BTreeMap::new() });
    let result = loop {
        let done = match incoming.frame() {
            Ok(Frame::Text(text)) => shared.command(number, &text),
            Ok(Frame::Ping(payload)) => lock(&shared.hub).send(number, 0xA, &payload),
            Ok(Frame::Pong) => Ok(()),
            Ok(Frame::Close) => break lock(&shared.hub).send(number, 0x8, &[]),
            Err(error) => break Err(error),
        };
        if done.is_err() {
            break done;
        }
    };
    lock(&shared.hub).clients.retain(|client| client.number != number);
    result
}

impl Shared {
    fn is_free(&self, market: usize) -> bool {
        lock(&self.board).waiting[market].is_none()
    }

    /// Shows an attractive ask and lets the time run.
    fn trigger(&self, market: usize) {
        self.show(market, true, || {
            lock(&self.board).waiting[market] =
                Some(Waiting { wall_ns: unix_ns(), at: Instant::now(), answered: false });
        });
    }

    /// Tells every client that the trigger's ask appeared or is gone; `stamp` is called just before the first write.
    fn show(&self, market: usize, shown: bool, stamp: impl FnOnce()) {
        let mut hub = lock(&self.hub);
        let Hub { clients, books } = &mut *hub;
        books[market] = Book { shown, clock: books[market].clock + 1 };
        let mut stamp = Some(stamp);
        for client in clients {
            let Some(subscription) = client.subscriptions.get_mut("orderbook_delta") else { continue };
            if !subscription.markets.contains(&market) {
                continue;
            }
            let text = books::delta(&self.listing.markets[market], books[market], &subscription.head(None));
            let frame = server_frame(0x1, text.as_bytes());
            if let Some(stamp) = stamp.take() {
                stamp();
            }
            // A client that hung up is taken off the list by its own thread.
            let _ = client.stream.write_all(&frame);
        }
        if let Some(stamp) = stamp {
            stamp();
        }
    }

    /// Counts the triggers of `among` that have waited too long.
    fn give_up_late(&self, among: &[usize]) {
        for market in among {
            let late =
                lock(&self.board).waiting[*market].as_ref().is_some_and(|waiting| waiting.at.elapsed() > PATIENCE);
            if late {
                self.give_up(*market);
            }
        }
    }

    /// Counts a market's trigger as missed, where it still has one that no order came for.
    fn give_up(&self, market: usize) {
        let given_up = {
            let mut board = lock(&self.board);
            let Board { waiting, outcome } = &mut *board;
            let unanswered = waiting[market].as_ref().is_some_and(|waiting| !waiting.answered);
            if unanswered {
                waiting[market] = None;
                outcome.missed += 1;
            }
            unanswered
        };
        if given_up {
            self.show(market, false, || ());
        }
    }

    /// Status and body of the answer to a request.
    fn answer(&self, request: &Request) -> (&'static str, Option<Value>) {
        let path = request.path.strip_prefix("/trade-api/v2").unwrap_or(&request.path);
        match (request.method.as_str(), path) {
            ("POST", "/portfolio/events/orders" | "/portfolio/events/orders/batched") => self.create(request, path),
            ("POST", "/portfolio/order_groups/create") => {
                ("201 Created", Some(json!({"order_group_id": GROUP, "exchange_index": 0})))
            }
            ("PUT" | "POST" | "DELETE", path) if path.starts_with("/portfolio/order_groups/") => {
                ("200 OK", Some(json!({})))
            }
            ("DELETE", "/portfolio/events/orders") => ("204 No Content", None),
            ("DELETE", "/portfolio/events/orders/batched") => ("200 OK", Some(json!({"orders": []}))),
            ("GET", path) => match self.book(path, request) {
                Some(body) => ("200 OK", Some(body)),
                None => match self.listing.read(&request.path, |name| request.parameter(name).map(str::to_owned)) {
                    Some(body) => ("200 OK", Some(body)),
                    None => not_found(),
                },
            },
            // No order rests, so none can be cancelled or changed.
            _ => not_found(),
        }
    }

    /// Order books over REST.
    fn book(&self, path: &str, request: &Request) -> Option<Value> {
        let read = |ticker: &str| {
            let market = self.listing.find(ticker)?;
            Some(books::rest(&self.listing.markets[market], lock(&self.hub).books[market]))
        };
        if path == "/markets/orderbooks" {
            let tickers = request.query.split('&').filter_map(|pair| pair.strip_prefix("tickers="));
            return Some(json!({"orderbooks": tickers.filter_map(read).collect::<Vec<_>>()}));
        }
        let mut body = read(path.strip_prefix("/markets/")?.strip_suffix("/orderbook")?)?;
        body.as_object_mut()?.remove("ticker");
        Some(body)
    }

    /// Orders: the end of what is measured. All that is done here is off the clock, which stopped when the request was whole.
    fn create(&self, request: &Request, path: &str) -> (&'static str, Option<Value>) {
        let whole = request.whole;
        let read_ns = unix_ns() - u64::try_from(whole.elapsed().as_nanos()).expect("it was just read");
        let Ok(orders) = orders::parse(path, &request.body) else {
            return ("400 Bad Request", Some(json!({"code": "bad_request", "message": "bad request"})));
        };
        if orders.iter().any(|order| order.time_in_force == "good_till_canceled") {
            let reason = json!({"code": "invalid_order", "message": "invalid order", "details": "nothing rests here"});
            return ("400 Bad Request", Some(json!({ "error": reason })));
        }
        let mut markets = Vec::new();
        for order in &orders {
            let Some(market) = self.listing.find(&order.ticker) else { return not_found() };
            if self.count(order, market, whole, read_ns) {
                markets.push(market);
            }
        }
        self.keep_proof(request, read_ns);
        for market in &markets {
            self.show(*market, false, || ());
        }
        std::thread::sleep(ANSWER_AFTER);
        let first = self.orders.fetch_add(u64::try_from(orders.len()).expect("a batch is small"), Ordering::Relaxed);
        let mut answers: Vec<Value> = Vec::new();
        for (number, order) in (first..).zip(&orders) {
            self.tell_owner(order, number);
            answers.push(orders::created(order, number));
        }
        // Its turn comes again after those of the others: the answer is out by then.
        let mut board = lock(&self.board);
        for market in markets {
            board.waiting[market] = None;
        }
        drop(board);
        let body = if path.ends_with("/batched") { json!({"orders": answers}) } else { answers.swap_remove(0) };
        ("201 Created", Some(body))
    }

    /// Whether the order answers the trigger of its market; it is counted either way.
    fn count(&self, order: &Order, market: usize, whole: Instant, read_ns: u64) -> bool {
        let mut board = lock(&self.board);
        let Board { waiting, outcome } = &mut *board;
        match &mut waiting[market] {
            Some(waiting) if !waiting.answered => {
                waiting.answered = true;
                let latency = whole.duration_since(waiting.at);
                let (written_ns, client_order_id) = (waiting.wall_ns, order.client_order_id.clone());
                outcome.samples.push(Sample { latency, written_ns, read_ns, client_order_id });
                true
            }
            _ => {
                outcome.unasked += 1;
                false
            }
        }
    }

    fn keep_proof(&self, request: &Request, read_ns: u64) {
        let header = |name| request.header(name).unwrap_or_default().to_owned();
        lock(&self.board).outcome.proofs.push(Proof {
            timestamp: header("kalshi-access-timestamp"),
            signature: header("kalshi-access-signature"),
            path: request.path.clone(),
            read_ms: read_ns / 1_000_000,
        });
    }

    /// The cancelled order on every connection that follows the account's orders.
    fn tell_owner(&self, order: &Order, number: u64) {
        let mut hub = lock(&self.hub);
        for client in &mut hub.clients {
            let Some(subscription) = client.subscriptions.get("user_orders") else { continue };
            let text = orders::cancelled(order, number, subscription.sid).to_string() + "\n";
            // A client that hung up is taken off the list by its own thread.
            let _ = client.stream.write_all(&server_frame(0x1, text.as_bytes()));
        }
    }

    /// Does what a WebSocket client commands (PROTOCOL.md 2.2).
    fn command(&self, number: u64, text: &[u8]) -> io::Result<()> {
        let command: Value = serde_json::from_slice(text).map_err(|_| ErrorKind::InvalidData)?;
        let (id, parameters) = (command["id"].as_u64(), &command["params"]);
        let mut hub = lock(&self.hub);
        let Hub { clients, books } = &mut *hub;
        let Some(client) = clients.iter_mut().find(|client| client.number == number) else { return Ok(()) };
        let named: Vec<usize> = texts(&parameters["market_tickers"])
            .chain(parameters["market_ticker"].as_str())
            .filter_map(|ticker| self.listing.find(ticker))
            .collect();
        let mut say = Vec::new();
        match command["cmd"].as_str() {
            Some("subscribe") => {
                for channel in texts(&parameters["channels"]) {
                    let sid = client.subscriptions.len() as u64 + 1;
                    let use_yes_price = parameters["use_yes_price"] == true;
                    let fresh = || Subscription { sid, seq: 0, use_yes_price, markets: Vec::new() };
                    let subscription = client.subscriptions.entry(channel.to_owned()).or_insert_with(fresh);
                    say.push(json!({"id": id, "type": "subscribed", "sending_ts_ms": books::now_ms(),
                        "msg": {"channel": channel, "sid": subscription.sid}}));
                    self.add(channel, subscription, &named, books, &mut say);
                }
            }
            Some("update_subscription") => {
                let sid = parameters["sid"].as_u64().or_else(|| parameters["sids"][0].as_u64());
                let known = client.subscriptions.iter_mut().find(|(_, subscription)| Some(subscription.sid) == sid);
                match (known, parameters["action"].as_str()) {
                    (Some((_, subscription)), Some("get_snapshot")) => {
                        for market in named {
                            let head = subscription.head(id);
                            say.push(books::snapshot(&self.listing.markets[market], books[market], &head));
                        }
                    }
                    (Some((channel, subscription)), Some(action @ ("add_markets" | "delete_markets"))) => {
                        if action == "add_markets" {
                            self.add(channel, subscription, &named, books, &mut say);
                        } else {
                            subscription.markets.retain(|market| !named.contains(market));
                        }
                        let head = subscription.head(id);
                        let of = |market: &usize| self.listing.markets[*market].ticker.clone();
                        let tickers: Vec<String> = subscription.markets.iter().map(of).collect();
                        say.push(json!({"id": id, "sid": head.sid, "seq": head.seq, "type": "ok",
                            "sending_ts_ms": books::now_ms(), "msg": {"market_tickers": tickers}}));
                    }
                    _ => say.push(refused(id, 7, "Unknown subscription ID")),
                }
            }
            Some("unsubscribe") => {
                for sid in parameters["sids"].as_array().into_iter().flatten().filter_map(Value::as_u64) {
                    let (mut seq, before) = (0, client.subscriptions.len());
                    client.subscriptions.retain(|_, subscription| {
                        seq = if subscription.sid == sid { subscription.seq + 1 } else { seq };
                        subscription.sid != sid
                    });
                    say.push(if client.subscriptions.len() < before {
                        json!({"id": id, "sid": sid, "seq": seq, "type": "unsubscribed", "sending_ts_ms": books::now_ms()})
                    } else {
                        refused(id, 7, "Unknown subscription ID")
                    });
                }
            }
            Some("list_subscriptions") => {
                let of = |(channel, subscription): (&String, &Subscription)| json!({"channel": channel, "sid": subscription.sid});
                let all: Vec<Value> = client.subscriptions.iter().map(of).collect();
                say.push(json!({"id": id, "type": "ok", "sending_ts_ms": books::now_ms(), "msg": all}));
            }
            _ => say.push(refused(id, 5, "Unknown command")),
        }
        for message in say {
            client.stream.write_all(&server_frame(0x1, (message.to_string() + "\n").as_bytes()))?;
        }
        Ok(())
    }

    /// Adds markets to a subscription; one of books gets the snapshot of each new one.
    fn add(
        &self,
        channel: &str,
        subscription: &mut Subscription,
        named: &[usize],
        books: &[Book],
        say: &mut Vec<Value>,
    ) {
        for market in named {
            if !subscription.markets.contains(market) {
                subscription.markets.push(*market);
                if channel == "orderbook_delta" {
                    let head = subscription.head(None);
                    say.push(books::snapshot(&self.listing.markets[*market], books[*market], &head));
                }
            }
        }
    }
}

impl Hub {
    fn send(&mut self, number: u64, opcode: u8, payload: &[u8]) -> io::Result<()> {
        match self.clients.iter_mut().find(|client| client.number == number) {
            Some(client) => client.stream.write_all(&server_frame(opcode, payload)),
            None => Ok(()),
        }
    }
}

impl Subscription {
    /// The head of the next message.
    fn head(&mut self, id: Option<u64>) -> Head {
        self.seq += 1;
        Head { sid: self.sid, seq: self.seq, id, use_yes_price: self.use_yes_price }
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn refused(id: Option<u64>, code: u64, reason: &str) -> Value {
    json!({"id": id, "type": "error", "sending_ts_ms": books::now_ms(), "msg": {"code": code, "msg": reason}})
}

fn not_found() -> (&'static str, Option<Value>) {
    ("404 Not Found", Some(json!({"error": {"code": "not_found", "message": "not found"}})))
}
