//! `isobar demo` and `isobar run`: a run with its exchange, its screen and its summary.

use crate::audit;
use crate::cli;
use crate::clock::{Clock, Factor};
use crate::config::{Addresses, Config};
use crate::host::{self, Ended, Plan, Venue};
use crate::message::Message;
use crate::screen::{Screen, Style};
use crate::summary;
use anyhow::{Context, Result, bail};
use isobar_engine::event::Input;
use isobar_engine::units::Timestamp;
use isobar_sim::{Recording, Running, Scene, Sim, Speed};
use isobar_store::Run;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

/// How often the end of a run is looked for.
const GLANCE: Duration = Duration::from_millis(20);

/// After a scene ended, what is still under way may arrive for so long.
const AFTERGLOW: Duration = Duration::from_millis(300);

/// Where recordings lie beside a checkout, unless named.
const RECORDINGS: &str = "../shared/data";

/// Plays a simulated or recorded day on paper.
pub fn demo(command: &cli::Demo) -> Result<()> {
    let mut config = match &command.config {
        Some(file) => Config::load(file)?,
        None => Config::example(),
    };
    let scene = match &command.recording {
        None => simulated(command.frames),
        Some(folder) => recorded(folder, command.day.as_deref())?,
    };
    let speed = if command.flood { Speed::Flood } else { Speed::Factor(command.speed) };
    let exchange = Sim::start(isobar_sim::Config { scene, speed, seed: command.seed, ..isobar_sim::Config::default() })
        .context("the simulated exchange does not start")?;
    if command.recording.is_some() && is_new_york(command.day.as_deref()) {
        config.venue.series = vec!["KXHIGHNY".to_owned()];
    }
    if command.flood {
        // Its day passes as fast as it is read: there is no clock to be apart from.
        config.limits.skew = i64::MAX;
    }
    let folder = match &command.run {
        Some(folder) => folder.clone(),
        None => new_folder(&config.run_dir, "demo"),
    };
    let screen = Arc::new(Screen::new(Style::of(command.output)));
    match &command.recording {
        None => screen.note(&format!("a simulated day of six cities, {} times as fast as real time", command.speed)),
        Some(_) if is_new_york(command.day.as_deref()) => {
            screen.note("recorded quotes of New York, for which there is no model: no strategy has an opinion");
        }
        Some(_) => screen.note(
            "recorded quotes; forecasts of those days have a lead of nearly zero, so what they earn here flatters",
        ),
    }
    // A flood is for measuring the path from the socket to the decision.
    let purpose = Purpose { live: false, stages: None, resumed: false, project: !command.flood };
    play(&config, Some(exchange), &folder, &screen, command.output, command.seconds, purpose)
}

/// Runs by a configuration.
pub fn run(command: &cli::Run) -> Result<()> {
    let config = Config::load(&command.config)?;
    let exchange = match config.venue.addresses {
        Some(_) => None,
        None if command.live => bail!(
            "--live needs venue.rest and venue.websocket in the configuration; to practise, those that `isobar sim` prints"
        ),
        None => Some(Sim::start(isobar_sim::Config::default()).context("the simulated exchange does not start")?),
    };
    let screen = Arc::new(Screen::new(Style::of(command.output)));
    let killed = if command.live && !command.fresh { killed(&config.run_dir)? } else { None };
    let resumed = killed.is_some();
    let kind = if command.live { LIVE } else { "run" };
    let folder = killed.unwrap_or_else(|| new_folder(&config.run_dir, kind));
    let purpose = Purpose { live: command.live, stages: command.stages.as_deref(), resumed, project: true };
    play(&config, exchange, &folder, &screen, command.output, command.seconds, purpose)
}

/// What folders of live runs begin with.
const LIVE: &str = "live";

/// The newest live run, where it did not end in order: it goes on.
fn killed(runs: &Path) -> Result<Option<PathBuf>> {
    let live = (1..).map(|number| runs.join(format!("{LIVE}-{number}"))).take_while(|folder| folder.exists());
    let Some(folder) = live.last() else { return Ok(None) };
    let mut reader = Run::open(&folder)?.read_feed()?;
    let mut closed = false;
    while let Some(record) = reader.next()? {
        closed = matches!(record.input, Input::Closing);
    }
    Ok((!closed).then_some(folder))
}

/// What a run is for.
#[derive(Clone, Copy)]
struct Purpose<'a> {
    /// One slot trades with money.
    live: bool,
    /// Where the stamps of its orders go.
    stages: Option<&'a Path>,
    /// It was killed and goes on.
    resumed: bool,
    /// The SQL tables grow along.
    project: bool,
}

fn play(
    config: &Config,
    exchange: Option<Running>,
    folder: &Path,
    screen: &Arc<Screen>,
    output: cli::Screen,
    seconds: Option<u64>,
    purpose: Purpose<'_>,
) -> Result<()> {
    let Purpose { live, stages, resumed, project } = purpose;
    let addresses = match (&exchange, &config.venue.addresses) {
        (Some(running), _) => Addresses { rest: running.rest_url.clone(), websocket: running.ws_url.clone() },
        (None, Some(addresses)) => addresses.clone(),
        (None, None) => bail!("no exchange to connect to"),
    };
    let origin = addresses.rest.split("/trade-api").next().unwrap_or(&addresses.rest).to_owned();
    let simulated = exchange.is_some() || config.venue.simulated;
    let clock = if simulated { agree(&origin)? } else { Clock::System };
    let venue = Venue {
        rest: addresses.rest,
        websocket: addresses.websocket,
        weather: simulated.then_some(origin),
        series: config.venue.series.clone(),
        clock,
    };
    if live {
        screen.note(&format!("journals in {}", folder.display()));
    } else {
        screen.note(&format!("dry run: orders meet the paper exchange; journals in {}", folder.display()));
    }
    for slot in &config.slots {
        if let Some(watch) = &slot.watch {
            screen.note(&format!("{}: drop a .wasm into {} to swap it", slot.name, watch.display()));
        }
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    let (asked, ends) = (Arc::clone(&interrupted), seconds.map(|s| Instant::now() + Duration::from_secs(s)));
    let stop = move |driver: Sender<Message>| until_end(&driver, exchange.as_ref(), &asked, ends);
    on_interrupt(interrupted)?;
    let plan = Plan { config, venue, folder, resumed, live, stages, screen, project };
    finish(&host::run(plan, stop)?, folder, output)
}

/// Ends the run at an interrupt, at its time, or once the scene is over.
fn until_end(driver: &Sender<Message>, exchange: Option<&Running>, asked: &AtomicBool, ends: Option<Instant>) {
    loop {
        std::thread::sleep(GLANCE);
        let over = exchange.is_some_and(Running::finished);
        let late = ends.is_some_and(|end| Instant::now() >= end);
        if over {
            std::thread::sleep(AFTERGLOW);
        }
        if over || late || asked.load(Ordering::SeqCst) || driver.is_closed() {
            let _ = driver.blocking_send(Message::Stop);
            return;
        }
    }
}

pub(crate) fn on_interrupt(asked: Arc<AtomicBool>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return tracing::error!("signals cannot be received: end the run by --seconds");
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            asked.store(true, Ordering::SeqCst);
        });
    })?;
    Ok(())
}

fn finish(ended: &Ended, folder: &Path, output: cli::Screen) -> Result<()> {
    let slots: Vec<_> = ended.seats.iter().map(summary::of).collect();
    let json = Style::of(output) == Style::Json;
    let run = folder.display().to_string();
    let object = serde_json::json!({"type": "summary", "run": run, "slots": &slots, "audit": ended.audit});
    crate::print(json, &object, || {
        let audit = ended.audit.as_ref().map_or_else(String::new, audit::render);
        let hint = format!("\nisobar replay {0}    isobar decisions {0}\n", folder.display());
        summary::render(&slots) + &audit + &hint
    })
}

/// The clock of a simulated exchange, which the host takes over. A flood has no pace of its own: its day begins now.
fn agree(origin: &str) -> Result<Clock> {
    #[derive(Deserialize)]
    struct Told {
        now_ns: i64,
        factor: Option<u32>,
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told: Told = runtime
        .block_on(async { reqwest::get(format!("{origin}/sim/clock")).await?.error_for_status()?.json().await })?;
    let factor = Factor::new(told.factor.unwrap_or(1), 1).context("a clock that stands still")?;
    Ok(Clock::scaled(Timestamp(told.now_ns), factor))
}

fn simulated(limit: Option<u64>) -> Scene {
    match Scene::default() {
        Scene::Simulated { date, start, .. } => Scene::Simulated { date, start, frames: limit },
        other => other,
    }
}

/// The recorded days of December 2025 are New York's; those of March 2026 are the six cities'.
fn is_new_york(day: Option<&str>) -> bool {
    day.is_some_and(|day| day.starts_with("25DEC"))
}

pub(crate) fn recorded(folder: &Path, day: Option<&str>) -> Result<Scene> {
    let data = if folder.as_os_str().is_empty() { PathBuf::from(RECORDINGS) } else { folder.to_owned() };
    if !data.join("weather_quotes").is_dir() {
        bail!(
            "{} holds no recordings (no folder weather_quotes); name their folder by --recording DIR",
            data.display()
        );
    }
    let date =
        |text| jiff::civil::Date::strptime("%y%b%d", text).with_context(|| format!("{text} is no day like 26MAR10"));
    let days = day.map(date).transpose()?.into_iter().collect();
    let recording =
        if is_new_york(day) { Recording::TopOfBook { data, days } } else { Recording::Quotes { data, days } };
    Ok(Scene::Recorded(recording))
}

/// A folder that does not exist yet, numbered within `runs`.
fn new_folder(runs: &Path, kind: &str) -> PathBuf {
    let free = (1..).map(|number| runs.join(format!("{kind}-{number}"))).find(|folder| !folder.exists());
    free.expect("there is always another number")
}
