//! The running exchange: its thread, its listener, and the loop that plays the scene.

use crate::Error;
use crate::clock::{Clock, Speed, wall};
use crate::core::{AccountConfig, ConnId, Core, CoreConfig};
use crate::faults::FaultRates;
use crate::http::{Delivery, HttpAnswer, HttpRequest};
use crate::render::Outbox;
use crate::scene::Scene;
use crate::venue::Venue;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use isobar_engine::units::Timestamp;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long no command may have come before a flood begins, so that a client that subscribes in several steps misses
/// nothing.
const SETTLED: Duration = Duration::from_millis(50);
/// Longest body of a request.
const BODY_BYTES: usize = 4 * 1024 * 1024;
/// Longest sleep of the player.
const NAP: Duration = Duration::from_millis(20);

/// What the exchange plays, where and how fast.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What is played.
    pub scene: Scene,
    /// How fast.
    pub speed: Speed,
    /// Seed of everything that is left to chance.
    pub seed: u64,
    /// Who may sign; see [`CoreConfig`], as for all that follows.
    pub accounts: Vec<AccountConfig>,
    /// Serves connections without a key, public channels only.
    pub unsigned_feed: bool,
    /// Connections of one account at a time.
    pub connections: usize,
    /// Trading pauses on Thursdays.
    pub maintenance: bool,
    /// Makers pay fees.
    pub maker_fees: bool,
    /// Faults by chance.
    pub rates: FaultRates,
}

impl Default for Config {
    /// The simulated summer day at 60 times for strangers who only look, on a free port of this machine.
    fn default() -> Self {
        let CoreConfig { scene, seed, accounts, unsigned_feed, connections, maintenance, maker_fees, rates } =
            CoreConfig::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            scene,
            speed: Speed::Factor(60),
            seed,
            accounts,
            unsigned_feed,
            connections,
            maintenance,
            maker_fees,
            rates,
        }
    }
}

impl Config {
    fn core(&self) -> CoreConfig {
        CoreConfig {
            scene: self.scene.clone(),
            seed: self.seed,
            accounts: self.accounts.clone(),
            unsigned_feed: self.unsigned_feed,
            connections: self.connections,
            maintenance: self.maintenance,
            maker_fees: self.maker_fees,
            rates: self.rates,
        }
    }
}

/// What the tasks of the exchange share.
pub(crate) struct Shared {
    venue: Mutex<Venue>,
    told: Mutex<BTreeMap<u64, Arc<Notify>>>,
    /// Woken when a client was written to, subscribed or left.
    moved: Notify,
    commanded: Mutex<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn venue(&self) -> MutexGuard<'_, Venue> {
        lock(&self.venue)
    }

    pub(crate) fn open(&self, connection: u64) -> Arc<Notify> {
        Arc::clone(lock(&self.told).entry(connection).or_default())
    }

    pub(crate) fn close(&self, connection: u64) {
        lock(&self.told).remove(&connection);
        self.venue().core.disconnect(connection);
        self.moved.notify_one();
    }

    /// Opens a connection, or says why not.
    pub(crate) fn connect(&self, request: &HttpRequest) -> Result<ConnId, HttpAnswer> {
        let mut venue = self.venue();
        let now = venue.now();
        venue.core.connect(now, request)
    }

    fn request(&self, request: &HttpRequest) -> HttpAnswer {
        let mut venue = self.venue();
        let now = venue.now();
        let answer = venue.core.request(now, request);
        drop(venue);
        self.tell_all();
        answer
    }

    /// Does something to the exchange at its present time, and wakes whoever is told something by it.
    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        let mut venue = self.venue();
        let now = venue.now();
        venue.core.advance(now);
        let done = act(&mut venue.core);
        drop(venue);
        self.tell_all();
        done
    }

    pub(crate) fn command(&self, connection: u64, text: &str) {
        *lock(&self.commanded) = Instant::now();
        let mut venue = self.venue();
        let now = venue.now();
        venue.core.command(now, connection, text);
        drop(venue);
        self.moved.notify_one();
    }

    /// What waits for a connection, and whether it is the last.
    pub(crate) fn take(&self, connection: u64) -> (Outbox, bool) {
        // The next part can be rendered while this one is written.
        self.moved.notify_one();
        self.venue().core.sessions.get_mut(&connection).map_or((Outbox::default(), true), |session| {
            session.writing = true;
            (std::mem::take(&mut session.out), session.closing)
        })
    }

    pub(crate) fn written(&self, connection: u64) {
        if let Some(session) = self.venue().core.sessions.get_mut(&connection) {
            session.writing = false;
        }
        self.moved.notify_one();
    }

    /// Wakes every connection that has something to write or to end.
    pub(crate) fn tell_all(&self) {
        let venue = self.venue();
        for (connection, told) in lock(&self.told).iter() {
            let session = venue.core.sessions.get(connection);
            if session.is_none_or(|session| session.closing || !session.out.ends.is_empty()) {
                told.notify_one();
            }
        }
    }

    async fn play(&self, speed: Speed) {
        loop {
            let nap = match speed {
                Speed::Factor(_) => {
                    let mut venue = self.venue();
                    let next = venue.play_due();
                    next.map_or(NAP, |at| venue.clock.wait(at, NAP)).max(Duration::from_millis(1))
                }
                Speed::Flood => {
                    let settled = lock(&self.commanded).elapsed() >= SETTLED;
                    if settled {
                        self.venue().core.play_flood();
                    }
                    NAP
                }
            };
            self.tell_all();
            match speed {
                Speed::Factor(_) => tokio::time::sleep(nap).await,
                Speed::Flood => {
                    let _ = tokio::time::timeout(nap, self.moved.notified()).await;
                }
            }
        }
    }
}

/// Marks a response that never reaches the client.
#[derive(Clone, Copy)]
struct Broken;

/// Serves every connection. axum's own loop would do, but that it cannot break off instead of answering.
async fn accept(listener: tokio::net::TcpListener, router: axum::Router) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of files, most likely: it passes when clients leave.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(NAP).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delays");
        }
        let service = TowerToHyperService::new(router.clone());
        let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let answer = hyper::service::Service::call(&service, request);
            async move {
                let Ok(response) = answer.await;
                if response.extensions().get::<Broken>().is_some() {
                    return Err(std::io::Error::other("an answer gets lost, as was asked for"));
                }
                Ok(response)
            }
        });
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection broke off");
            }
        });
    }
}

/// A request of a socket as the core reads it.
pub(crate) fn read(parts: &axum::http::request::Parts, body: String) -> HttpRequest {
    let text = |value: &axum::http::HeaderValue| value.to_str().map(str::to_owned).ok();
    let headers = parts.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)));
    HttpRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body,
        wall: Timestamp(wall()),
    }
}

/// An answer of the core as a socket sends it.
pub(crate) fn respond(answer: HttpAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if answer.body.starts_with('<') { "text/html" } else { "application/json" };
    if answer.body.is_empty() {
        return status.into_response();
    }
    (status, [(header::CONTENT_TYPE, kind)], answer.body).into_response()
}

/// Whatever is no endpoint of the simulation's own is the venue's.
async fn venue(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body): (_, Body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let answer = shared.request(&read(&parts, String::from_utf8_lossy(&body).into_owned()));
    match answer.delivery {
        Delivery::Prompt => respond(answer),
        Delivery::Late(nanos) => {
            tokio::time::sleep(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))).await;
            respond(answer)
        }
        Delivery::Lost => {
            let mut response = StatusCode::OK.into_response();
            response.extensions_mut().insert(Broken);
            response
        }
    }
}

/// The entry to the simulated exchange.
#[derive(Debug)]
pub struct Sim;

impl Sim {
    /// Reads the scene, opens the port and plays on a thread of its own.
    ///
    /// Fails where a recording cannot be read or understood, and where the address cannot be listened on.
    pub fn start(config: Config) -> Result<Running, Error> {
        let mut core = Core::new(&config.core())?;
        if config.speed == Speed::Flood {
            core.flood();
        }
        let unavailable = |source| Error::Unavailable { address: config.listen, source };
        let listener = std::net::TcpListener::bind(config.listen).map_err(unavailable)?;
        listener.set_nonblocking(true).map_err(unavailable)?;
        let address = listener.local_addr().map_err(unavailable)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unavailable)?;
        let clock = Clock::new(core.begins(), config.speed);
        let shared = Arc::new(Shared {
            venue: Mutex::new(Venue { core, clock }),
            told: Mutex::default(),
            moved: Notify::new(),
            commanded: Mutex::new(Instant::now()),
        });
        let stop = Arc::new(Notify::new());
        let (serving, stopping) = (Arc::clone(&shared), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("exchange".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a bound listener registers");
                let router = crate::control::router()
                    .route("/trade-api/ws/v2", axum::routing::get(crate::socket::upgrade))
                    .fallback(venue)
                    .with_state(Arc::clone(&serving))
                    .merge(crate::weather_http::router(Arc::clone(&serving)));
                tokio::select! {
                    () = accept(listener, router) => {}
                    () = serving.play(config.speed) => {}
                    () = stopping.notified() => {}
                }
            });
        });
        let thread = thread.map_err(unavailable)?;
        Ok(Running {
            rest_url: format!("http://{address}/trade-api/v2"),
            ws_url: format!("ws://{address}/trade-api/ws/v2"),
            sim_url: format!("http://{address}/sim"),
            shared,
            stop,
            thread: Some(thread),
        })
    }
}

/// An exchange that runs. It stops when this is dropped.
pub struct Running {
    /// Root of the venue's REST, `http://127.0.0.1:PORT/trade-api/v2`.
    pub rest_url: String,
    /// The venue's WebSocket.
    pub ws_url: String,
    /// Root of clock, weather, books and faults: what only a simulation has.
    pub sim_url: String,
    shared: Arc<Shared>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Whether the scene is over and every client has been sent all of it.
    pub fn finished(&self) -> bool {
        self.shared.venue().core.finished()
    }

    /// Recorded changes that could not be applied, because a level would have fallen below zero.
    pub fn refused(&self) -> u64 {
        self.shared.venue().core.refused()
    }

    /// Ends every connection and waits for the thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
