//! Wiring: one run of the host, from its folder to its end. Nothing is decided here.

use crate::clock::Clock;
use crate::config::{Config, Fees, Queue, Reuse};
use crate::deploy::{Berth, Deployer};
use crate::discovery::discover;
use crate::driver::{Driver, Listings, Parts};
use crate::follower::{Follower, Live, Seat};
use crate::message::{INBOX, Message};
use crate::screen::Screen;
use crate::slot::Slot;
use crate::{forecasts, identity};
use anyhow::{Context, Result, anyhow};
use isobar_engine::engine::{self, Settings};
use isobar_engine::event::Opening;
use isobar_engine::paper::{PaperSettings, QueueRule};
use isobar_engine::risk::{Limits, StaleRule};
use isobar_engine::units::Timestamp;
use isobar_kalshi::rest::Rest;
use isobar_plugins::{Loader, Watch};
use isobar_store::projection::Projector;
use isobar_store::{Layout, Run, SlotRecord};
use isobar_weather::Source;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// Longest that one request over REST may take.
const REQUEST: Duration = Duration::from_secs(5);

/// How often markets are looked for, in the machine's time at most.
const DISCOVERY: Duration = Duration::from_secs(30);

/// How often the SQL tables are brought up to date.
const PROJECTION: Duration = Duration::from_secs(2);

/// Where a run connects to.
pub struct Venue {
    pub rest: String,
    pub websocket: String,
    /// Where weather is told.
    pub weather: String,
    pub series: Vec<String>,
    pub clock: Clock,
}

/// What the configuration says about an engine, in the engine's own words.
pub fn settings(config: &Config) -> Settings {
    Settings {
        limits: Limits {
            order: config.limits.order,
            position: config.limits.position,
            open_orders: config.limits.open_orders,
            forecast_age: config.models.forecast_age,
            stale: match config.feed.stale_by_last_change {
                true => StaleRule::LastChange(config.feed.stale_after),
                false => StaleRule::Proved,
            },
        },
        paper: PaperSettings {
            latency: i64::try_from(config.paper.latency.as_nanos()).unwrap_or(i64::MAX),
            queue: match config.paper.queue {
                Queue::Never => QueueRule::Never,
                Queue::CapAtDisplayed => QueueRule::CapAtDisplayed,
            },
        },
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

/// Runs the host until `stop` tells it to end. Returns the slots as they were at the end.
///
/// `stop` is given the driver's inbox and runs on a thread of its own. With `project` the SQL tables grow along.
pub fn run(
    config: &Config,
    venue: Venue,
    folder: &Path,
    screen: &Arc<Screen>,
    project: bool,
    stop: impl FnOnce(Sender<Message>) + Send + 'static,
) -> Result<Vec<Seat>> {
    let run = Run::create(folder)?;
    let identity = identity::run();
    let (sender, inbox) = tokio::sync::mpsc::channel(INBOX);
    let (commands, offered) = mpsc::channel();
    let loader = Arc::new(Loader::new(isobar_plugins::Limits::default(), Some(&config.run_dir.join("compiled")))?);
    let deployer = Deployer { loader, run: run.clone(), commands };

    let settings = settings(config);
    let mut seats = Vec::new();
    for slot in &config.slots {
        let mut journal = run.write_slot(&slot.name, Layout::default())?;
        let opening = SlotRecord::Opening {
            run: identity.as_str().into(),
            slot: slot.name.as_str().into(),
            settings: serde_json::to_string(&settings)?.into(),
        };
        journal.append(0, Timestamp(0), &opening)?;
        journal.flush()?;
        seats.push(Seat {
            slot: Slot::new(&slot.name, settings.clone()),
            live: Live::new(&slot.name, Some(journal), Arc::clone(screen), Some(sender.clone())),
        });
    }

    let listings = Listings::default();
    let look_again = Arc::new(tokio::sync::Notify::new());
    let opening = Opening {
        run: identity,
        engine: engine::VERSION.to_owned(),
        clock: venue.clock.describe(),
        stale_after: config.feed.stale_after,
        source: venue.websocket.clone(),
        late_after: 0,
    };
    let journal = run.write_feed(Layout::default())?;
    let notice = journal.notice();
    let parts = Parts {
        clock: venue.clock,
        journal,
        listings: Arc::clone(&listings),
        websocket: venue.websocket.clone(),
        use_yes_price: config.feed.use_yes_price,
        inbox,
        sender: sender.clone(),
        look_again: Arc::clone(&look_again),
        screen: Arc::clone(screen),
    };
    let driver = Driver::open(parts, opening)?;

    let follower = Follower::new(run.read_feed()?, notice, seats, offered, Arc::clone(screen));
    let watches = occupy(config, &deployer)?;
    drop(deployer);
    let follower = std::thread::Builder::new().name("follower".to_owned()).spawn(move || follower.run())?;

    let rest = Rest::new(&venue.rest, REQUEST)?;
    let desk = forecasts::Desk {
        clock: venue.clock,
        listings,
        models: config.models.folder.clone(),
        library: config.models.library.clone(),
        cooldown: config.models.cooldown,
        oldest: config.models.forecast_age,
        source: Source::new(reqwest::Client::new(), &venue.weather, REQUEST),
        driver: sender.clone(),
        screen: Arc::clone(screen),
    };
    std::thread::Builder::new().name("forecasts".to_owned()).spawn(move || desk.run())?;
    let (series, driver_inbox) = (venue.series, sender.clone());
    std::thread::Builder::new().name("discovery".to_owned()).spawn(move || {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(discover(rest, series, DISCOVERY, driver_inbox, look_again)),
            Err(error) => tracing::error!(%error, "markets cannot be looked for"),
        }
    })?;
    std::thread::Builder::new().name("stop".to_owned()).spawn(move || stop(sender))?;

    let projector = project.then(|| Projector::start(run, PROJECTION)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(driver.run());
    drop(watches);
    let seats = follower.join().map_err(|_| anyhow!("the follower panicked: its message is above"))?;
    if let Some(projector) = projector
        && let Err(error) = projector.stop()
    {
        screen.note(&format!("the SQL tables are behind ({error}); `isobar project` makes them anew"));
    }
    ended.context("the driver stopped")?;
    seats
}

/// Gives every slot its first component, and watches its folder.
fn occupy(config: &Config, deployer: &Deployer) -> Result<Vec<Watch>> {
    let mut watches = Vec::new();
    for (index, slot) in config.slots.iter().enumerate() {
        let berth = Berth { slot: index, reuse: reuse(slot.reuse), parameters: slot.parameter_texts() };
        let first = deployer.first(&berth, &slot.component);
        first.map_err(|reason| anyhow!("slot {}: {}: {reason}", slot.name, slot.component.display()))?;
        if let Some(folder) = &slot.watch {
            watches.push(deployer.watch(berth, folder)?);
        }
    }
    Ok(watches)
}
