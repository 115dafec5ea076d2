//! The operator's way into a run: what it does now, halt, re-arm, other limits.
//!
//! Three doors lead to the same commands: HTTP on loopback, a file named `halt` in the run's folder, and the signal SIGUSR1.
//! The HTTP door's address and a random token stand in `RUN/control.json`, which only its owner can read: another user of
//! the machine can neither halt nor re-arm. Nothing is decided here: a command is a message to the driver, and what came of
//! it is read from what the live slot reported. What comes of other limits is known before: this is the only place that sends
//! them, and whether they let more pass is said by the engine's own rule.

use crate::message::Message;
use crate::{config, identity};
use anyhow::{Context, Result, bail};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use isobar_engine::engine::Engine;
use isobar_engine::event::Notice;
use isobar_engine::risk::Limits;
use isobar_engine::units::{Price, Quantity, Side};
use isobar_engine::venue::Command;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// How often the folder is looked at for the file `halt`.
const GLANCE: Duration = Duration::from_millis(100);

/// What a run does now, as far as an operator must know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Identity of the run.
    pub run: String,
    /// Its slots, by name.
    pub slots: BTreeMap<String, SlotStatus>,
}

/// What a slot does now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotStatus {
    /// Whether it trades with money.
    pub live: bool,
    /// Why it is halted, where it is.
    pub halted: Option<String>,
    /// Whether nothing of ours rests since the halt: for a live slot, a read of the account after it showed so.
    pub flat: bool,
    /// Whether the account was proved equal to the ledger; a paper slot has none to differ from.
    pub proved: bool,
    /// Its orders that are not over, first come first within a market, as of the last second.
    pub orders: Vec<OrderStatus>,
}

/// An order that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStatus {
    /// Its number within the slot.
    pub order: u64,
    /// The venue's name of its market.
    pub ticker: String,
    /// `bid` or `ask`.
    pub side: Side,
    /// Limit, YES price, 1/10 000 dollar.
    pub price: Price,
    /// What may still fill, 1/100 contract.
    pub remaining: Quantity,
    /// Contracts that trade before it, 1/100 contract: as the venue said last, on paper as the model of the queue has it.
    /// Nothing where nobody said.
    pub ahead: Option<Quantity>,
}

impl Status {
    /// Whether every slot is halted and nothing of ours rests.
    pub fn flat(&self) -> bool {
        self.slots.values().all(|slot| slot.halted.is_some() && slot.flat)
    }
}

/// The status of a run, written by the driver and read by whoever asks.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Status>>);

impl Board {
    /// Looks at it, or changes it.
    pub fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    /// Takes down what a slot told of itself.
    pub fn note(&self, slot: &str, notice: &Notice) {
        let mut board = self.lock();
        let Some(slot) = board.slots.get_mut(slot) else { return };
        match notice {
            Notice::Halted { reason } => (slot.halted, slot.flat) = (Some(reason.clone()), false),
            Notice::Winding => (slot.halted, slot.flat) = (Some("winding down".to_owned()), false),
            Notice::Rearmed => (slot.halted, slot.flat) = (None, false),
            Notice::Flat => slot.flat = true,
            Notice::StillResting { .. } => slot.flat = false,
            Notice::Proved => slot.proved = true,
            Notice::Unproved { .. } => slot.proved = false,
            _ => {}
        }
    }

    /// Takes down the orders of a slot that are not over.
    pub fn show(&self, slot: &str, engine: &Engine) {
        let orders = engine.markets().flat_map(|market| {
            engine.open(market.id).map(|order| OrderStatus {
                order: order.id.0,
                ticker: market.ticker.clone(),
                side: order.side,
                price: order.price,
                remaining: order.remaining,
                ahead: order.ahead,
            })
        });
        if let Some(slot) = self.lock().slots.get_mut(slot) {
            slot.orders.clear();
            slot.orders.extend(orders);
        }
    }
}

/// Where a run can be told something, from `RUN/control.json`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Door {
    address: SocketAddr,
    token: String,
}

/// The token is a secret.
impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Door {
    /// Where the door of a run is described.
    fn file(run: &Path) -> PathBuf {
        run.join("control.json")
    }

    /// The file that halts a run.
    pub fn halt_file(run: &Path) -> PathBuf {
        run.join("halt")
    }

    /// The door of a run that goes on.
    pub fn of(run: &Path) -> Result<Self> {
        let file = Self::file(run);
        let text =
            std::fs::read(&file).with_context(|| format!("{}: no run goes on in this folder", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))
    }

    /// What the run does now.
    pub async fn status(&self) -> Result<Status> {
        let request = reqwest::Client::new().get(format!("http://{}/status", self.address));
        Ok(self.ask(request).await?.json().await?)
    }

    /// Halts the run.
    pub async fn halt(&self, reason: &str) -> Result<()> {
        let request = reqwest::Client::new().post(format!("http://{}/halt", self.address));
        self.ask(request.json(&Halt { reason: reason.to_owned() })).await.map(drop)
    }

    /// Lets the run trade again.
    pub async fn rearm(&self) -> Result<()> {
        self.ask(reqwest::Client::new().post(format!("http://{}/rearm", self.address))).await.map(drop)
    }

    /// Shows the limits, and sets some where there is something to set.
    pub async fn limits(&self, set: &SetLimits) -> Result<LimitsAnswer> {
        let request = reqwest::Client::new().post(format!("http://{}/limits", self.address)).json(set);
        let answer = request.bearer_auth(&self.token).timeout(Duration::from_secs(2)).send().await;
        let answer = answer.context("the host does not answer")?;
        if answer.status() == StatusCode::BAD_REQUEST {
            bail!("{}", answer.text().await?);
        }
        Ok(answer.error_for_status().context("the host refused")?.json().await?)
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
        let answer = request.bearer_auth(&self.token).timeout(Duration::from_secs(2)).send().await;
        let answer = answer.context("the host does not answer")?;
        answer.error_for_status().context("the host refused")
    }
}

#[derive(Serialize, Deserialize)]
struct Halt {
    reason: String,
}

/// Limits to be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetLimits {
    /// Keys and values as in the configuration.
    pub set: Vec<(String, String)>,
    /// Whether more may pass than before.
    pub confirm: bool,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LimitsAnswer {
    /// Whether what was asked for is in force: not where it lets more pass and was not confirmed.
    pub in_force: bool,
    /// What was asked for and differs from before.
    pub changes: Vec<LimitChange>,
    /// All limits in force now, by their keys in the configuration.
    pub limits: BTreeMap<String, String>,
}

/// A limit with another value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LimitChange {
    /// Its key in the configuration.
    pub key: String,
    /// Its value before.
    pub before: String,
    /// The value that was asked for.
    pub after: String,
    /// Whether that lets more pass.
    pub looser: bool,
}

/// The limits of all slots.
pub struct InForce {
    /// As the engines have them.
    pub limits: Limits,
    /// What a live run's renewals were planned for: more orders could not be kept alive.
    pub most_open_orders: Option<u32>,
}

impl InForce {
    /// The new limits, and what has to be said of them.
    fn change(&self, set: &SetLimits) -> Result<(Limits, LimitsAnswer), String> {
        let limits = config::changed(&self.limits, &set.set)?;
        if let Some(most) = self.most_open_orders.filter(|most| limits.open_orders > *most) {
            return Err(format!(
                "limits.max_open_orders: this run began with {most}, and no more orders can be kept alive within the \
                 account's budget: start another run"
            ));
        }
        let loosened = limits.loosened(&self.limits);
        let in_force = set.confirm || loosened.is_empty();
        let pairs = config::shown(&self.limits).into_iter().zip(config::shown(&limits));
        let changes = pairs.filter(|(before, after)| before.value != after.value).map(|(before, after)| LimitChange {
            key: after.key.to_owned(),
            before: before.value,
            after: after.value,
            looser: loosened.contains(&after.name),
        });
        let changes = changes.collect();
        let held = if in_force { &limits } else { &self.limits };
        let shown = config::shown(held).into_iter().map(|limit| (limit.key.to_owned(), limit.value)).collect();
        Ok((limits, LimitsAnswer { in_force, changes, limits: shown }))
    }
}

#[derive(Clone)]
struct Desk {
    token: Arc<str>,
    board: Board,
    /// Held until a change was handed over: changes reach the engines in the order in which they were answered.
    in_force: Arc<tokio::sync::Mutex<InForce>>,
    driver: Sender<Message>,
}

impl Desk {
    fn admit(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
        let wanted = format!("Bearer {}", self.token);
        // Every byte is looked at, so that the time taken tells nothing about the token.
        let same = given.len() == wanted.len()
            && given.iter().zip(wanted.as_bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0;
        if same { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
    }

    async fn tell(&self, command: Command) -> Result<(), StatusCode> {
        self.driver.send(Message::Command(command)).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    }
}

async fn status(State(desk): State<Desk>, headers: HeaderMap) -> Result<Json<Status>, StatusCode> {
    desk.admit(&headers)?;
    Ok(Json(desk.board.lock().clone()))
}

async fn halt(State(desk): State<Desk>, headers: HeaderMap, Json(halt): Json<Halt>) -> Result<(), StatusCode> {
    desk.admit(&headers)?;
    desk.tell(Command::Halt { reason: halt.reason }).await
}

async fn rearm(State(desk): State<Desk>, headers: HeaderMap) -> Result<(), StatusCode> {
    desk.admit(&headers)?;
    desk.tell(Command::Rearm).await
}

async fn limits(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Json(set): Json<SetLimits>,
) -> Result<Json<LimitsAnswer>, (StatusCode, String)> {
    desk.admit(&headers).map_err(|status| (status, String::new()))?;
    let mut in_force = desk.in_force.lock().await;
    let (limits, answer) = in_force.change(&set).map_err(|problem| (StatusCode::BAD_REQUEST, problem))?;
    if !set.set.is_empty() {
        let command = Command::Limits { limits: Box::new(limits.clone()), confirmed: set.confirm };
        desk.tell(command).await.map_err(|status| (status, String::new()))?;
        if answer.in_force {
            in_force.limits = limits;
        }
    }
    Ok(Json(answer))
}

/// Opens all three doors of a run, on a thread of its own, until the driver is gone.
pub fn open(run: &Path, board: Board, in_force: InForce, driver: Sender<Message>) -> Result<()> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no door for the operator")?;
    listener.set_nonblocking(true)?;
    let door = Door { address: listener.local_addr()?, token: format!("{}{}", identity::run(), identity::run()) };
    let file = Door::file(run);
    let mut options = std::fs::OpenOptions::new();
    let mut written = options.write(true).create(true).truncate(true).mode(0o600).open(&file)?;
    written.write_all(&serde_json::to_vec(&door)?)?;

    let in_force = Arc::new(tokio::sync::Mutex::new(in_force));
    let desk = Desk { token: door.token.as_str().into(), board, in_force, driver };
    let folder = run.to_owned();
    std::thread::Builder::new().name("control".to_owned()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "the run cannot be told anything"),
        };
        runtime.block_on(async {
            let driver = desk.driver.clone();
            tokio::select! {
                () = serve(listener, desk.clone()) => {}
                () = watch_file(&folder, &desk) => {}
                () = watch_signal(&desk) => {}
                () = driver.closed() => {}
            }
        });
        // Whoever looks for a run that goes on must not find one that ended.
        let _ = std::fs::remove_file(Door::file(&folder));
    })?;
    Ok(())
}

async fn serve(listener: std::net::TcpListener, desk: Desk) {
    let router = Router::new()
        .route("/status", get(status))
        .route("/halt", post(halt))
        .route("/rearm", post(rearm))
        .route("/limits", post(limits))
        .with_state(desk);
    let served = async { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await };
    if let Err(error) = served.await {
        tracing::error!(%error, "the operator's door is shut; the file and the signal still work");
        std::future::pending::<()>().await;
    }
}

/// The file halts once; it must be gone before the run can be re-armed for long.
async fn watch_file(folder: &Path, desk: &Desk) {
    let file = Door::halt_file(folder);
    let mut seen = false;
    loop {
        let there = file.exists();
        if there && !seen {
            // The driver that would hear of it may have ended.
            let _ = desk.tell(Command::Halt { reason: format!("the file {} is there", file.display()) }).await;
        }
        seen = there;
        tokio::time::sleep(GLANCE).await;
    }
}

async fn watch_signal(desk: &Desk) {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::user_defined1()) {
        Ok(mut signal) => {
            while signal.recv().await.is_some() {
                let _ = desk.tell(Command::Halt { reason: "the signal SIGUSR1".to_owned() }).await;
            }
        }
        Err(error) => tracing::error!(%error, "SIGUSR1 does not halt; HTTP and the file do"),
    }
    std::future::pending::<()>().await;
}
