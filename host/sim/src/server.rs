//! The running exchange: its thread, its listener, and the loop that plays the scene.

use crate::Error;
use crate::clock::{Clock, Speed};
use crate::render::Outbox;
use crate::scene::{Scene, Stage};
use crate::venue::Venue;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long no command may have come before a flood begins, so that a client that subscribes in several steps misses
/// nothing.
const SETTLED: Duration = Duration::from_millis(50);
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
}

impl Default for Config {
    /// The simulated summer day at 60 times, on a free port of this machine.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            scene: Scene::default(),
            speed: Speed::Factor(60),
            seed: 1,
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
        self.venue().sessions.remove(&connection);
        self.moved.notify_one();
    }

    pub(crate) fn command(&self, connection: u64, text: &str) {
        *lock(&self.commanded) = Instant::now();
        self.venue().command(connection, text);
        self.moved.notify_one();
    }

    /// What waits for a connection, and whether it is the last.
    pub(crate) fn take(&self, connection: u64) -> (Outbox, bool) {
        // The next part can be rendered while this one is written.
        self.moved.notify_one();
        self.venue().sessions.get_mut(&connection).map_or((Outbox::default(), true), |session| {
            session.writing = true;
            (std::mem::take(&mut session.out), session.closing)
        })
    }

    pub(crate) fn written(&self, connection: u64) {
        if let Some(session) = self.venue().sessions.get_mut(&connection) {
            session.writing = false;
        }
        self.moved.notify_one();
    }

    /// Wakes every connection that has something to write or to end.
    pub(crate) fn tell_all(&self) {
        let venue = self.venue();
        for (connection, told) in lock(&self.told).iter() {
            let session = venue.sessions.get(connection);
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
                        self.venue().play_flood();
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

/// The entry to the simulated exchange.
#[derive(Debug)]
pub struct Sim;

impl Sim {
    /// Reads the scene, opens the port and plays on a thread of its own.
    ///
    /// Fails where a recording cannot be read or understood, and where the address cannot be listened on.
    pub fn start(config: Config) -> Result<Running, Error> {
        let stage = Stage::build(&config.scene, config.seed)?;
        let unavailable = |source| Error::Unavailable { address: config.listen, source };
        let listener = std::net::TcpListener::bind(config.listen).map_err(unavailable)?;
        listener.set_nonblocking(true).map_err(unavailable)?;
        let address = listener.local_addr().map_err(unavailable)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unavailable)?;
        let clock = Clock::new(stage.starts, config.speed);
        let shared = Arc::new(Shared {
            venue: Mutex::new(Venue::new(stage, clock)),
            told: Mutex::default(),
            moved: Notify::new(),
            commanded: Mutex::new(Instant::now()),
        });
        let stop = Arc::new(Notify::new());
        let (serving, stopping) = (Arc::clone(&shared), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("exchange".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a bound listener registers");
                let weather = crate::weather_http::router(Arc::clone(&serving));
                let router = crate::rest::router().with_state(Arc::clone(&serving)).merge(weather);
                tokio::select! {
                    served = async { axum::serve(listener, router).await } => {
                        if let Err(error) = served {
                            tracing::error!(%error, "the simulated exchange stopped listening");
                        }
                    }
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
        self.shared.venue().finished()
    }

    /// Recorded changes that could not be applied, because a level would have fallen below zero.
    pub fn refused(&self) -> u64 {
        self.shared.venue().exchange.refused()
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
