//! Keeps opinions up to date: weather in, features, models, opinions to the driver. Threads of their own, since a source
//! may take seconds and a model milliseconds, and the driver has none to spare.
//!
//! Weather and new bundles reach the desk through one inbox, so that a source that is slow does not hold a bundle back.
//! Whatever fails is an opinion that is missing, never an old one.

mod bundles;
mod serving;

use crate::clock::Clock;
use crate::config::Models;
use crate::driver::Listings;
use crate::message::Message;
use crate::screen::Screen;
use bundles::Bundles;
use isobar_engine::market::{Market, MarketId, MarketStatus, Strike};
use isobar_engine::opinion::{Opinion, Role};
use isobar_engine::units::Timestamp;
use isobar_inference::{Forecaster, Inputs, Limits, NoOpinion, Question, Runtime};
use isobar_store::Run;
use isobar_weather::Source;
use serving::{Served, Weather};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

pub use bundles::folders as bundle_folders;

/// Shortest pause between two looks at the weather, however fast the run's clock goes, and the longest.
const PAUSE: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// How long the first bundles are waited for before the first opinion.
const FIRST_BUNDLES: Duration = Duration::from_secs(5);

/// How often the end of the run is looked for.
const GLANCE: Duration = Duration::from_millis(500);

/// What reaches the desk.
enum News {
    Weather(Result<Weather, NoOpinion>),
    Bundle(Role, PathBuf, Instant),
}

/// What the threads need.
pub struct Desk {
    pub clock: Clock,
    pub listings: Listings,
    /// Where bundles are kept by their hash.
    pub run: Run,
    pub models: Models,
    pub source: Source,
    pub driver: Sender<Message>,
    pub screen: Arc<Screen>,
}

impl Desk {
    /// Runs until the driver is gone.
    pub fn run(self) {
        let (send, inbox) = sync_channel(1);
        let mut bundles = self.bundles();
        let watches = self.watch(&send);
        let expected = bundles::folders(&self.models.folder).len()
            + self.models.shadow.as_deref().map_or(0, |shadow| bundles::folders(shadow).len());
        let (started, mut taken) = (Instant::now(), 0);
        // Not a word before the first bundles were looked at: having none yet is no opinion to be told.
        for _ in 0..expected {
            match inbox.recv_timeout(FIRST_BUNDLES.saturating_sub(started.elapsed())) {
                Ok(News::Bundle(role, folder, seen)) => {
                    taken += usize::from(self.offer(&mut bundles, role, &folder, seen))
                }
                Ok(News::Weather(_)) | Err(_) => break,
            }
        }
        self.screen.note(&format!("{taken} models loaded in {} ms", started.elapsed().as_millis()));
        if let Err(reason) = self.look_at_the_weather(send) {
            return self.screen.note(&format!("no forecasts: {reason}"));
        }
        self.follow(&inbox, &mut bundles);
        drop(watches);
    }

    fn bundles(&self) -> Bundles {
        let limits = Limits {
            cooldown: self.models.cooldown,
            oldest: self.models.forecast_age,
            oldest_by_source: self.models.source_age.clone(),
        };
        let runtime = Runtime::open(Some(&self.models.library)).map_err(|error| error.to_string());
        Bundles::new(runtime, Forecaster::new(limits), self.run.clone(), self.models.deadline)
    }

    /// Watches the folders of bundles; what lies in them already is told first.
    fn watch(&self, send: &SyncSender<News>) -> Vec<isobar_plugins::Watch> {
        let shadow = self.models.shadow.as_ref().map(|folder| (Role::Shadow, folder));
        let folders = std::iter::once((Role::Traded, &self.models.folder)).chain(shadow);
        let watched = folders.filter_map(|(role, folder)| {
            let told = send.clone();
            let watch = bundles::watch(folder, move |path| told.send(News::Bundle(role, path, Instant::now())).is_ok());
            match watch {
                Ok(watch) => Some(watch),
                Err(reason) => {
                    self.screen.note(&format!("no {role} models from {}: {reason}", folder.display()));
                    None
                }
            }
        });
        watched.collect()
    }

    /// Asks the source for weather again and again, on a thread of its own.
    fn look_at_the_weather(&self, send: SyncSender<News>) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (source, clock, cooldown) = (self.source.clone(), self.clock, self.models.cooldown);
        let look = move || {
            loop {
                let weather = runtime.block_on(source.fetch());
                let weather = weather.map_err(|error| NoOpinion::NoInputs(error.to_string()));
                if send.send(News::Weather(weather)).is_err() {
                    return;
                }
                let [least, most] = PAUSE;
                std::thread::sleep(clock.wall_until(clock.now().plus(cooldown)).clamp(least, most));
            }
        };
        std::thread::Builder::new().name("weather".to_owned()).spawn(look).map(drop)
    }

    fn follow(&self, inbox: &Receiver<News>, bundles: &mut Bundles) {
        let mut weather = None;
        while !self.driver.is_closed() {
            match inbox.recv_timeout(GLANCE) {
                Ok(News::Weather(news)) => weather = Some(news),
                Ok(News::Bundle(role, folder, seen)) => {
                    if !self.offer(bundles, role, &folder, seen) {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let Some(weather) = &weather else { continue };
            for opinion in self.opinions(bundles, weather) {
                self.tell(Message::Opinion(Box::new(opinion)));
            }
        }
    }

    /// Takes a bundle or refuses it, and tells; says whether a city has another model now.
    fn offer(&self, bundles: &mut Bundles, role: Role, folder: &std::path::Path, seen: Instant) -> bool {
        match bundles.offer(role, folder) {
            Ok(None) => false,
            Ok(Some((city, model))) => {
                self.tell(Message::ModelSwapped { city: city.clone(), role, model });
                self.screen.model_swapped(&city, role, model, folder, seen.elapsed());
                true
            }
            Err(reason) => {
                self.tell(Message::ModelRefused { path: folder.display().to_string(), reason: reason.clone() });
                self.screen.model_refused(folder, &reason);
                false
            }
        }
    }

    fn tell(&self, message: Message) {
        // The run may have ended: then nobody needs to know.
        let _ = self.driver.blocking_send(message);
    }

    fn opinions(&self, bundles: &mut Bundles, weather: &Result<Weather, NoOpinion>) -> Vec<Opinion> {
        let now = self.clock.now();
        let mut days: BTreeMap<String, Vec<Market>> = BTreeMap::new();
        for market in self.listings.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            days.entry(market.event.clone()).or_default().push(market.clone());
        }
        days.retain(|_, markets| markets.iter().any(|market| is_open(market, now)));
        bundles.forecaster.retain(|event| days.contains_key(event));
        let asked = days.iter().flat_map(|(event, markets)| self.about(bundles, event, markets, weather, now));
        asked.collect()
    }

    /// Opinions on one city-day.
    fn about(
        &self,
        bundles: &mut Bundles,
        event: &str,
        markets: &[Market],
        weather: &Result<Weather, NoOpinion>,
        at: Timestamp,
    ) -> Vec<Opinion> {
        let strikes: Vec<(MarketId, Strike)> = markets.iter().map(|market| (market.id, market.strike)).collect();
        let Served { city, row, conditions } = serving::serve(markets, weather, self.models.floor, at);
        let features = row.as_ref().map(|row| row.given()).map_err(NoOpinion::clone);
        let inputs = match (&row, &features) {
            (Ok(row), Ok(features)) => Ok(Inputs { features, issued: row.issued, published: &row.published }),
            (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
        };
        let question = Question { event, city: &city, at, inputs, conditions: &conditions, markets: &strikes };
        bundles.forecaster.forecast(&question)
    }
}

fn is_open(market: &Market, now: Timestamp) -> bool {
    market.closes > now && market.status != MarketStatus::Settled
}
