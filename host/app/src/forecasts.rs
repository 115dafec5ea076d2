//! Keeps opinions up to date: weather in, features, models, opinions to the driver. Threads of their own, since a source
//! may take seconds and a model milliseconds, and the driver has none to spare.
//!
//! Weather and new bundles reach the desk through one inbox, so that a source that is slow does not hold a bundle back.
//! Whatever fails is an opinion that is missing, never an old one.

mod bundles;
mod serving;
mod sky;
#[cfg(test)]
mod tests;

use crate::clock::Clock;
use crate::config::Models;
use crate::discovery::{Settlement, Settlements};
use crate::driver::Listings;
use crate::message::Message;
use crate::screen::Screen;
use bundles::Bundles;
use isobar_engine::market::{Market, MarketId, MarketStatus, Strike};
use isobar_engine::opinion::{Opinion, Role};
use isobar_engine::units::{Probability, Timestamp};
use isobar_inference::{Forecaster, Inputs, Limits, NoOpinion, Question, Runtime};
use isobar_store::Run;
use isobar_weather::{Answer, Provider, SourceId};
use serving::Served;
use sky::Sky;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

pub use bundles::folders as bundle_folders;

/// How long the first bundles are waited for before the first opinion.
const FIRST_BUNDLES: Duration = Duration::from_secs(5);

/// How often the end of the run is looked for.
const GLANCE: Duration = Duration::from_millis(500);

/// What reaches the desk.
enum News {
    Weather(usize, Result<Answer, String>),
    Bundle(Role, PathBuf, Instant),
}

/// What the threads need.
pub struct Desk {
    pub clock: Clock,
    pub listings: Listings,
    /// Where bundles are kept by their hash.
    pub run: Run,
    pub models: Models,
    /// The sources of weather.
    pub sources: Vec<Provider>,
    /// What the venue says of how its series settle.
    pub settlements: Settlements,
    pub driver: Sender<Message>,
    pub screen: Arc<Screen>,
}

impl Desk {
    /// Runs until the driver is gone.
    pub fn run(mut self) {
        let (send, inbox) = sync_channel(1);
        let sources = std::mem::take(&mut self.sources);
        let mut sky = Sky::of(&sources);
        let mut bundles = self.bundles(sky.served());
        let watches = self.watch(&send);
        self.take_first(&inbox, &mut bundles);
        let tell = move |source, answer| send.send(News::Weather(source, answer)).is_ok();
        if let Err(reason) = sky::ask(sources, self.clock, self.models.cooldown, tell) {
            return self.screen.note(&format!("no forecasts: {reason}"));
        }
        self.follow(&inbox, &mut bundles, &mut sky);
        drop(watches);
    }

    /// Waits for the bundles that are there already. Not a word before: having none yet is no opinion to be told.
    fn take_first(&self, inbox: &Receiver<News>, bundles: &mut Bundles) {
        let folders = std::iter::once(&self.models.folder).chain(&self.models.shadow);
        let expected: usize = folders.map(|folder| bundles::folders(folder).len()).sum();
        let (started, mut taken) = (Instant::now(), 0);
        for _ in 0..expected {
            match inbox.recv_timeout(FIRST_BUNDLES.saturating_sub(started.elapsed())) {
                Ok(News::Bundle(role, folder, seen)) => taken += usize::from(self.offer(bundles, role, &folder, seen)),
                Ok(News::Weather(..)) | Err(_) => break,
            }
        }
        self.screen.note(&format!("{taken} models loaded in {} ms", started.elapsed().as_millis()));
    }

    fn bundles(&self, served: Vec<SourceId>) -> Bundles {
        let limits = Limits {
            cooldown: self.models.cooldown,
            oldest: self.models.forecast_age,
            oldest_by_source: self.models.source_age.clone(),
        };
        let runtime = Runtime::open(Some(&self.models.library)).map_err(|error| error.to_string());
        Bundles::new(runtime, Forecaster::new(limits), served, self.run.clone(), self.models.deadline)
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

    fn follow(&self, inbox: &Receiver<News>, bundles: &mut Bundles, sky: &mut Sky) {
        while !self.driver.is_closed() {
            match inbox.recv_timeout(GLANCE) {
                Ok(News::Weather(source, answer)) => sky.take(source, answer),
                Ok(News::Bundle(role, folder, seen)) => {
                    if !self.offer(bundles, role, &folder, seen) {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if !sky.is_heard() {
                continue;
            }
            for opinion in self.opinions(bundles, sky) {
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

    fn opinions(&self, bundles: &mut Bundles, sky: &Sky) -> Vec<Opinion> {
        let markets = self.listings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let started = Instant::now();
        let settlements = self.settlements.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let opinions = refresh(bundles, sky, &markets, &settlements, self.models.floor, self.clock.now());
        tracing::debug!(took = ?started.elapsed(), opinions = opinions.len(), "refreshed");
        opinions
    }
}

/// Whatever is new to say about the city-days of `markets` that are open at `now`.
fn refresh(
    bundles: &mut Bundles,
    sky: &Sky,
    markets: &[Market],
    settlements: &BTreeMap<String, Settlement>,
    floor: Probability,
    now: Timestamp,
) -> Vec<Opinion> {
    let mut days: BTreeMap<&str, Vec<&Market>> = BTreeMap::new();
    for market in markets {
        days.entry(&market.event).or_default().push(market);
    }
    days.retain(|_, markets| markets.iter().any(|market| is_open(market, now)));
    bundles.forecaster.retain(|event| days.contains_key(event));
    let mut opinions = Vec::new();
    for (event, markets) in days {
        let strikes: Vec<(MarketId, Strike)> = markets.iter().map(|market| (market.id, market.strike)).collect();
        let Served { city, mut row, conditions } =
            serving::serve(&markets, sky, |city| bundles.bound(city), floor, now);
        if let Some(reason) = serving::stopped(&markets, settlements, now) {
            row = Err(NoOpinion::NoInputs(reason));
        }
        let features = row.as_ref().map(|row| row.given());
        let inputs = match (&row, &features) {
            (Ok(row), Ok(features)) => Ok(Inputs { features, issued: row.issued, published: &row.published }),
            (Err(reason), _) => Err(reason.clone()),
            (_, Err(reason)) => Err((*reason).clone()),
        };
        let (conditions, markets) = (&conditions, &strikes[..]);
        opinions.extend(bundles.forecaster.forecast(&Question {
            event,
            city: &city,
            at: now,
            inputs,
            conditions,
            markets,
        }));
    }
    opinions
}

fn is_open(market: &Market, now: Timestamp) -> bool {
    market.closes > now && market.status != MarketStatus::Settled
}
