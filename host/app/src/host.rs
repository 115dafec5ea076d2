//! Wiring: one run of the host, from its folder to its end. Nothing is decided here.

use crate::audit::{self, Auditor, Books};
use crate::background::behind;
use crate::clock::Clock;
use crate::config::{self, Config, Fees, Queue, Reuse};
use crate::control::{Board, InForce, SlotStatus};
use crate::deploy::{Berth, Deployer, Place};
use crate::discovery::{Discovery, Settlements};
use crate::driver::{Beginning, Driver, Listings, Parts};
use crate::follower::Follower;
use crate::message::{INBOX, Message};
use crate::replay::decode;
use crate::screen::Screen;
use crate::seat::{Running, Seat};
use crate::slot::Slot;
use crate::stages::Stages;
use crate::{control, exchange, forecasts, identity, live, resume, trader, weather};
use anyhow::{Context, Result, anyhow, bail};
use isobar_engine::engine::{self, Engine, Settings};
use isobar_engine::event::{Component, Opening};
use isobar_engine::execution::ExecutionSettings;
use isobar_engine::paper::{PaperSettings, QueueRule};
use isobar_engine::units::{SECOND, Timestamp};
use isobar_kalshi::protocol::Protocol;
use isobar_kalshi::rest::Rest;
use isobar_kalshi::sign::Credentials;
use isobar_plugins::{Loader, Watch};
use isobar_store::projection::Projector;
use isobar_store::{Layout, Run, SlotRecord};
use std::path::Path;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// Longest that one request over REST may take.
const REQUEST: Duration = Duration::from_secs(5);

/// How often markets are looked for, in the machine's time at most.
const DISCOVERY: Duration = Duration::from_secs(30);

/// Age of messages beyond which books are stale, nanoseconds (PROTOCOL.md 6, gotcha 27: 4 to 20 s were seen).
const LATE_AFTER: i64 = 3 * SECOND;

/// How often the exchange is asked whether it works.
const EXCHANGE: Duration = Duration::from_secs(5);

/// How often the SQL tables are brought up to date.
const PROJECTION: Duration = Duration::from_secs(2);

/// Where a run connects to.
pub struct Venue {
    pub rest: String,
    pub websocket: String,
    /// Where the simulated exchange tells weather, where it is one.
    pub weather: Option<String>,
    pub series: Vec<String>,
    pub clock: Clock,
}

/// What the configuration says about an engine that trades on paper, in the engine's own words.
pub fn settings(config: &Config) -> Settings {
    let paper = PaperSettings {
        latency: i64::try_from(config.paper.latency.as_nanos()).unwrap_or(i64::MAX),
        queue: match config.paper.queue {
            Queue::Never => QueueRule::Never,
            Queue::CapAtDisplayed => QueueRule::CapAtDisplayed,
        },
    };
    settings_of(config, ExecutionSettings::Paper(paper))
}

fn settings_of(config: &Config, execution: ExecutionSettings) -> Settings {
    Settings {
        limits: config.limits.engine(config.models.forecast_age, config.feed.stale_rule()),
        execution,
        fees: match config.fees {
            Fees::Venue => None,
            Fees::Fixed(schedule) => Some(schedule),
        },
        cash: config.paper.starting_cash,
    }
}

/// How a slot's instances are used, in the plugin host's own words.
pub fn reuse(reuse: Reuse) -> isobar_plugins::Reuse {
    match reuse {
        Reuse::Fresh => isobar_plugins::Reuse::Never,
        Reuse::Audited => isobar_plugins::Reuse::AUDITED,
    }
}

/// A run about to begin.
pub struct Plan<'a> {
    pub config: &'a Config,
    pub venue: Venue,
    /// Where its journals are, or are to be.
    pub folder: &'a Path,
    /// It was killed and goes on.
    pub resumed: bool,
    /// One slot trades with money.
    pub live: bool,
    /// Where the stamps of its orders go.
    pub stages: Option<&'a Path>,
    pub screen: &'a Arc<Screen>,
    /// The SQL tables grow along.
    pub project: bool,
}

/// What a run leaves in memory at its end.
pub struct Ended {
    /// The slots, the live one first.
    pub seats: Vec<Seat>,
    /// What the comparisons of books came to; nothing where there were to be none.
    pub audit: Option<audit::Counts>,
}

/// Runs the host until `stop` tells it to end.
///
/// `stop` is given the driver's inbox and runs on a thread of its own.
pub fn run(plan: Plan<'_>, stop: impl FnOnce(Sender<Message>) + Send + 'static) -> Result<Ended> {
    let Plan { config, venue, folder, resumed, live, stages, screen, project } = plan;
    let run = if resumed { Run::open(folder)? } else { Run::create(folder)? };
    let clock = venue.clock;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let identity = if resumed { run.identity()? } else { identity::run() };
    let credentials = config.venue.key.as_ref().map(|key| Credentials::load(&key.id, &key.source)).transpose()?;
    let credentials = credentials.map(Arc::new);
    let mut rest = Rest::new(&venue.rest, REQUEST)?;
    if let Some(credentials) = &credentials {
        rest = rest.with_key(Arc::clone(credentials), Clock::machine);
    }
    let account = match (live, &config.live, &config.venue.key, &credentials) {
        (false, ..) => None,
        (true, Some(live), Some(key), Some(credentials)) => {
            let start = live::Start {
                config,
                live,
                base: &venue.rest,
                rest: &rest,
                key: &key.id,
                credentials: Arc::clone(credentials),
                clock,
                folder,
                run: &identity,
                screen,
            };
            let opened = live::open(start);
            Some(runtime.block_on(opened)?)
        }
        (true, None, ..) => bail!("--live needs the table [live] in the configuration, see isobar.example.toml"),
        (true, ..) => bail!("--live needs venue.key_id and a key in the configuration, see isobar.example.toml"),
    };

    let (sender, inbox) = tokio::sync::mpsc::channel(INBOX);
    let (orders, offered) = mpsc::channel();
    let loader = Arc::new(Loader::new(isobar_plugins::Limits::default(), Some(&config.run_dir.join("compiled")))?);
    let board = Board::default();
    board.lock().run.clone_from(&identity);
    let live_name = account.as_ref().and(config.live.as_ref()).map(|live| live.slot.as_str());
    let mut seats = Vec::new();
    for slot in slots(config, live_name) {
        let is_live = live_name == Some(&slot.name);
        let settings = match &account {
            Some(account) if is_live => settings_of(config, account.execution),
            _ => settings(config),
        };
        let mut journal = behind(|| run.write_slot(&slot.name, Layout::default()))?;
        if !resumed {
            let opening = SlotRecord::Opening {
                run: identity.as_str().into(),
                slot: slot.name.as_str().into(),
                settings: serde_json::to_string(&settings)?.into(),
            };
            journal.append(0, Timestamp(0), &opening)?;
            journal.flush()?;
        }
        let status = SlotStatus { live: is_live, proved: !is_live, ..SlotStatus::default() };
        board.lock().slots.insert(slot.name.clone(), status);
        seats.push(Seat {
            slot: Slot::new(&slot.name, settings),
            world: Running::attended(&slot.name, journal, Arc::clone(screen), board.clone(), sender.clone()),
        });
    }

    let listings = Listings::default();
    let look_again = Arc::new(tokio::sync::Notify::new());
    let (beginning, follower_from) = if resumed {
        let load = |index: usize, component: &Component| {
            let loaded = loader.load(&run.component(component.hash)?);
            let loaded = loaded.map_err(|refusal| anyhow!("the component {}: {refusal}", component.hash))?;
            let slot = slots(config, live_name).nth(index).context("a slot of the run is not in the configuration")?;
            Ok(loaded.strategy(reuse(slot.reuse)))
        };
        let resumed = resume::resume(&run, &mut seats, load)?;
        screen.note(&format!("goes on after input {}, as {}", resumed.inputs, folder.display()));
        let [driver, follower] = resumed.protocols;
        let beginning = Beginning::Resumed {
            protocol: Box::new(driver),
            registry: resumed.registry,
            connection: resumed.connection,
            open: resumed.open,
            last: resumed.last,
            awaiting: resumed.awaiting,
        };
        (beginning, Some((resumed.reader, follower)))
    } else {
        let opening = Opening {
            run: identity,
            engine: engine::VERSION.to_owned(),
            clock: clock.describe(),
            stale_after: config.feed.stale_after,
            source: venue.websocket.clone(),
            // Only real time tells how late a message is.
            late_after: if matches!(clock, Clock::System) { LATE_AFTER } else { 0 },
        };
        (Beginning::New(opening), None)
    };
    // A live slot alone leaves the follower without books to show.
    let alone = account.is_some() && seats.len() == 1;
    let own = (alone && config.venue.audit.is_some()).then(|| books_so_far(config, &run, resumed)).transpose()?;
    // Every slot has the same limits, and is told of the same changes.
    let limits = seats.first().context("a run has a slot")?.slot.engine.limits().clone();
    let in_force = InForce { limits, most_open_orders: account.as_ref().map(|_| config.limits.open_orders) };
    let journal = behind(|| run.write_feed(Layout::default()))?;
    let notice = journal.notice();
    let live = account.map(|account| {
        let seat = seats.remove(0);
        (trader::Live { seat, gateway: account.gateway }, account.link)
    });
    let parts = Parts {
        clock,
        journal,
        credentials,
        live,
        stages: stages.map(|file| Stages::new(file.to_owned())),
        listings: Arc::clone(&listings),
        websocket: venue.websocket.clone(),
        sockets: config.venue.sockets,
        busy_poll: config.busy_poll,
        use_yes_price: config.feed.use_yes_price,
        inbox,
        sender: sender.clone(),
        look_again: Arc::clone(&look_again),
        screen: Arc::clone(screen),
    };
    let driver = Driver::open(parts, beginning)?;
    control::open(run.folder(), board, in_force, sender.clone())?;

    let (reader, protocol) = match follower_from {
        Some(from) => from,
        None => (run.read_feed()?, Protocol::new()),
    };
    let (auditor, books) = match config.venue.audit {
        Some(every) => {
            let (asking, asked) = mpsc::channel();
            let books = Books::new(asked, own);
            let auditor = Auditor {
                rest: Rest::new(&venue.rest, REQUEST)?,
                every,
                books: asking,
                driver: sender.clone(),
                screen: Arc::clone(screen),
                counts: audit::Shared::default(),
            };
            (Some(auditor), Some(books))
        }
        None => (None, None),
    };
    let audited = auditor.as_ref().map(|auditor| Arc::clone(&auditor.counts));
    let follower = Follower::new(reader, protocol, notice, seats, offered, books, Arc::clone(screen));
    let deployer = Deployer { loader, run: run.clone(), orders, driver: sender.clone() };
    let watches = occupy(config, live_name, resumed, &deployer)?;
    drop(deployer);
    let follower = std::thread::Builder::new().name("follower".to_owned()).spawn(move || follower.run())?;

    let settlements = Settlements::default();
    let desk = forecasts::Desk {
        clock,
        listings,
        run: run.clone(),
        models: config.models.clone(),
        settlements: Arc::clone(&settlements),
        sources: weather::sources(&config.weather, &venue.series, venue.weather.as_deref())?,
        driver: sender.clone(),
        screen: Arc::clone(screen),
    };
    std::thread::Builder::new().name("forecasts".to_owned()).spawn(move || desk.run())?;
    let discovery = Discovery {
        rest,
        series: venue.series,
        period: DISCOVERY,
        driver: sender.clone(),
        again: look_again,
        settlements,
    };
    std::thread::Builder::new().name("discovery".to_owned()).spawn(move || {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(async {
                let watching = exchange::watch(discovery.rest.clone(), EXCHANGE, discovery.driver.clone());
                let auditing = async {
                    if let Some(auditor) = auditor {
                        auditor.run().await;
                    }
                };
                tokio::join!(discovery.run(), watching, auditing);
            }),
            Err(error) => tracing::error!(%error, "markets cannot be looked for"),
        }
    })?;
    std::thread::Builder::new().name("stop".to_owned()).spawn(move || stop(sender))?;

    let projector = project.then(|| behind(|| Projector::start(run, PROJECTION))).transpose()?;
    let ended = runtime.block_on(driver.run());
    drop(watches);
    let paper = follower.join().map_err(|_| anyhow!("the follower panicked: its message is above"))?;
    if let Some(projector) = projector
        && let Err(error) = projector.stop()
    {
        screen.note(&format!("the SQL tables are behind ({error}); `isobar project` makes them anew"));
    }
    let live = ended.context("the driver stopped")?;
    let audit = audited.map(|counts| *counts.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Ended { seats: live.into_iter().chain(paper?).collect(), audit })
}

/// An engine without a component: it keeps books. Of a run that goes on it is told all that was journaled.
fn books_so_far(config: &Config, run: &Run, resumed: bool) -> Result<Engine> {
    let mut engine = Engine::new(settings(config));
    if resumed {
        let mut effects = Vec::new();
        decode(run, |seq, at, body, _| {
            engine.apply(seq, at, body, &mut effects);
            effects.clear();
            Ok(())
        })?;
    }
    Ok(engine)
}

/// The slots of the configuration, the live one first.
fn slots<'a>(config: &'a Config, live: Option<&str>) -> impl Iterator<Item = &'a config::Slot> {
    let is_live = move |slot: &&config::Slot| live == Some(&slot.name);
    let live = live.map(str::to_owned);
    let paper = config.slots.iter().filter(move |slot| live.as_deref() != Some(&slot.name));
    config.slots.iter().filter(is_live).chain(paper)
}

/// Gives every slot its first component, unless it goes on with the one that it held, and watches its folder.
fn occupy(config: &Config, live: Option<&str>, resumed: bool, deployer: &Deployer) -> Result<Vec<Watch>> {
    let mut watches = Vec::new();
    let places = live.map(|_| Place::Live).into_iter().chain((0..).map(Place::Paper));
    for (slot, place) in slots(config, live).zip(places) {
        let berth = Berth { place, reuse: reuse(slot.reuse), parameters: slot.parameter_texts() };
        if !resumed {
            let first = deployer.first(&berth, &slot.component);
            first.map_err(|reason| anyhow!("slot {}: {}: {reason}", slot.name, slot.component.display()))?;
        }
        if let Some(folder) = &slot.watch {
            watches.push(deployer.watch(berth, folder)?);
        }
    }
    Ok(watches)
}
