//! One city-day: the markets that exclude one another, the forecast over them, and when the component was asked.

use crate::event::Forecast;
use crate::market::MarketId;
use crate::units::{Probability, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the engine remembers of a city-day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CityDay {
    /// The venue's name of it.
    pub event: Arc<str>,
    /// Its markets by rising temperature.
    pub markets: Vec<MarketId>,
    /// The newest opinion; nothing while there is none.
    pub forecast: Option<Opinion>,
    /// Bytes of the component's last decision.
    pub state: Vec<u8>,
    /// When the component was asked last.
    pub asked_at: Option<Timestamp>,
    /// Which market made it worth asking.
    pub changed: Option<MarketId>,
}

/// Probabilities in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opinion {
    /// When the newest input was published.
    pub issued: Timestamp,
    probabilities: Vec<(MarketId, Probability)>,
}

/// A question about a city-day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    /// Its number within the slot.
    pub decision: u64,
    /// Index of the city-day.
    pub city_day: u16,
}

impl CityDay {
    pub fn new(event: &str) -> Self {
        Self {
            event: event.into(),
            markets: Vec::new(),
            forecast: None,
            state: Vec::new(),
            asked_at: None,
            changed: None,
        }
    }

    /// Takes a new opinion over the old one. A model without an opinion leaves none: an old one is not kept.
    pub fn take_forecast(&mut self, forecast: &Forecast) {
        self.forecast = forecast
            .outcome
            .as_ref()
            .ok()
            .map(|probabilities| Opinion { issued: forecast.issued, probabilities: probabilities.clone() });
    }

    /// What the opinion says about a market.
    pub fn probability(&self, market: MarketId) -> Option<Probability> {
        let opinion = self.forecast.as_ref()?;
        opinion.probabilities.iter().find(|(id, _)| *id == market).map(|(_, probability)| *probability)
    }
}
