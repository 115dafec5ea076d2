//! Keeps opinions up to date: weather in, features, models, forecasts to the driver. A thread of its own, since a model
//! may take milliseconds and the driver has none to spare.

use crate::clock::Clock;
use crate::driver::Listings;
use crate::message::Message;
use crate::screen::Screen;
use isobar_engine::market::{Market, MarketId, MarketStatus, Strike};
use isobar_engine::units::Timestamp;
use isobar_inference::{Forecaster, Inputs, Question, Runtime};
use isobar_weather::{City, Source, Sources, Weather, features};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

/// Shortest pause between two looks at the weather, however fast the run's clock goes.
const PAUSE_AT_LEAST: Duration = Duration::from_millis(200);

/// What the thread needs.
pub struct Desk {
    pub clock: Clock,
    pub listings: Listings,
    pub models: PathBuf,
    pub library: PathBuf,
    /// Nanoseconds between two predictions of a city (INFERENCE_COOLDOWN_SEC).
    pub cooldown: i64,
    /// Oldest inputs to have an opinion on, nanoseconds.
    pub oldest: i64,
    pub source: Source,
    pub driver: Sender<Message>,
    pub screen: Arc<Screen>,
}

impl Desk {
    /// Runs until the driver is gone. Whatever fails is an opinion that is missing, never an old one.
    pub fn run(self) {
        let mut forecaster = Forecaster::new(self.cooldown, self.oldest);
        let started = Instant::now();
        let loaded = Runtime::open(Some(&self.library)).and_then(|runtime| forecaster.load(&runtime, &self.models));
        match loaded {
            Ok(count) => self.screen.note(&format!("{count} models loaded in {} ms", started.elapsed().as_millis())),
            Err(reason) => self.screen.note(&format!("no models: {reason}")),
        }
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(reason) => return self.screen.note(&format!("no forecasts: {reason}")),
        };
        while !self.driver.is_closed() {
            let weather = runtime.block_on(self.source.fetch());
            let weather = weather.map(Weather::from_iter).map_err(|error| error.to_string());
            for forecast in self.opinions(&mut forecaster, &weather) {
                if self.driver.blocking_send(Message::Forecast(forecast)).is_err() {
                    return;
                }
            }
            let next = self.clock.now().plus(self.cooldown);
            std::thread::sleep(self.clock.wall_until(next).clamp(PAUSE_AT_LEAST, Duration::from_secs(5)));
        }
    }

    fn opinions(
        &self,
        forecaster: &mut Forecaster,
        weather: &Result<Weather, String>,
    ) -> Vec<isobar_engine::event::Forecast> {
        let now = self.clock.now();
        let mut days: BTreeMap<String, Vec<Market>> = BTreeMap::new();
        for market in self.listings.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            days.entry(market.event.clone()).or_default().push(market.clone());
        }
        let open = days.into_iter().filter(|(_, markets)| markets.iter().any(|m| is_open(m, now)));
        open.filter_map(|(event, markets)| opinion(forecaster, &event, &markets, weather, now)).collect()
    }
}

fn is_open(market: &Market, now: Timestamp) -> bool {
    market.closes > now && market.status != MarketStatus::Settled
}

fn opinion(
    forecaster: &mut Forecaster,
    event: &str,
    markets: &[Market],
    weather: &Result<Weather, String>,
    at: Timestamp,
) -> Option<isobar_engine::event::Forecast> {
    let series = &markets.first()?.series;
    let strikes: Vec<(MarketId, Strike)> = markets.iter().map(|market| (market.id, market.strike)).collect();
    let closes = markets.iter().map(|market| market.closes).max()?;
    let row = match (City::from_series(series), weather) {
        (None, _) => Err(format!("no city is known for the series {series}")),
        (Some(_), Err(reason)) => Err(reason.clone()),
        // A market closes at the end of its climate day, to the minute or one before it.
        (Some(city), Ok(weather)) => {
            let date = city.day_at(closes.plus(-12 * 3_600 * isobar_engine::units::SECOND));
            features(city, date, at, weather, Sources::TRAINED).map_err(|reason| reason.to_string())
        }
    };
    let city = City::from_series(series).map_or("?", City::code);
    let inputs = row.as_ref().map(|row| Inputs { features: &row.values, issued: row.issued() }).map_err(String::clone);
    forecaster.forecast(&Question { event, city, at, inputs, markets: &strikes })
}
