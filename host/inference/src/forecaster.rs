//! The sessions of all cities, and the rule of when they are asked again.

use crate::{Bundle, Error, Runtime, Session, brackets};
use isobar_engine::event::Forecast;
use isobar_engine::market::{MarketId, Strike};
use isobar_engine::units::{Digest, Timestamp};
use std::collections::BTreeMap;
use std::path::Path;

/// Features as of one moment.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Names and values, NaN for a missing value.
    pub features: &'a [(&'a str, f32)],
    /// When the newest value was published.
    pub issued: Timestamp,
}

/// One city-day that somebody wants an opinion on.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The venue's name of the city-day, for example `KXHIGHCHI-26NOV23`.
    pub event: &'a str,
    /// Short name of the city, for example `CHI`.
    pub city: &'a str,
    /// Now.
    pub at: Timestamp,
    /// The features, or why there are none.
    pub inputs: Result<Inputs<'a>, String>,
    /// All markets of the city-day.
    pub markets: &'a [(MarketId, Strike)],
}

/// What was last said about a city-day.
struct Said {
    /// When a model was last run for it, nothing where none was.
    asked: Option<Timestamp>,
    /// Hash of model, inputs and markets, or the reason for having no opinion.
    about: Result<Digest, String>,
}

/// Sessions by city with the guide's cool-down.
///
/// A city-day is said something about only when that is new:
/// - the model is asked when model, inputs or markets changed since it was last asked, and then not before the cool-down
///   (INFERENCE_COOLDOWN_SEC) has passed since; what changed meanwhile waits for its end;
/// - losing the inputs needs no model and is said at once.
pub struct Forecaster {
    sessions: BTreeMap<String, Session>,
    cooldown: i64,
    oldest: i64,
    said: BTreeMap<String, Said>,
}

impl Forecaster {
    /// No sessions yet. `cooldown` and `oldest` are nanoseconds; inputs issued longer than `oldest` ago give no opinion.
    pub fn new(cooldown: i64, oldest: i64) -> Self {
        Self { sessions: BTreeMap::new(), cooldown, oldest, said: BTreeMap::new() }
    }

    /// Takes the bundles in the subfolders of `models` and returns how many there are. Each subfolder with a manifest is
    /// a bundle.
    ///
    /// # Errors
    /// The first bundle that is refused, with its reason.
    pub fn load(&mut self, runtime: &Runtime, models: &Path) -> Result<usize, Error> {
        let unreadable = |source| Error::Unreadable { path: models.to_owned(), source };
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(models).map_err(unreadable)? {
            let folder = entry.map_err(unreadable)?.path();
            if folder.join("model.toml").is_file() {
                folders.push(folder);
            }
        }
        folders.sort();
        for folder in &folders {
            self.hold(Session::new(runtime, Bundle::load(folder)?)?);
        }
        Ok(folders.len())
    }

    /// Takes a session; it replaces the one of its city.
    pub fn hold(&mut self, session: Session) {
        self.sessions.insert(session.manifest().city.clone(), session);
    }

    /// The session of a city.
    pub fn session(&self, city: &str) -> Option<&Session> {
        self.sessions.get(city)
    }

    /// An opinion on the city-day, or nothing where nothing new can be said now. Then ask again later: the answer
    /// depends on `question.at` alone, no clock is read.
    pub fn forecast(&mut self, question: &Question<'_>) -> Option<Forecast> {
        let asked = self.said.get(question.event).and_then(|said| said.asked);
        let ready = self.ready(question);
        let about = ready.as_ref().map(|(_, inputs)| about(self.model_of(question), *inputs, question.markets));
        let about = about.map_err(String::clone);
        if self.said.get(question.event).is_some_and(|said| said.about == about) {
            return None;
        }
        let model = self.model_of(question);
        let (asked, inputs, outcome) = match ready {
            Err(reason) => (asked, Digest::default(), Err(reason)),
            Ok(_) if asked.is_some_and(|asked| question.at.since(asked) < self.cooldown) => return None,
            Ok((row, inputs)) => {
                let session = self.sessions.get_mut(question.city).expect("a row is of a session");
                let prediction = session.predict_row(&row);
                let outcome = prediction.and_then(|prediction| brackets(&prediction, question.markets));
                (Some(question.at), inputs, outcome.map_err(|reason| reason.to_string()))
            }
        };
        if let Err(reason) = &outcome {
            tracing::info!(event = question.event, %reason, "no opinion");
        }
        self.said.insert(question.event.to_owned(), Said { asked, about });
        let issued = question.inputs.as_ref().map_or(question.at, |inputs| inputs.issued);
        Some(Forecast { event: question.event.to_owned(), model, issued, inputs, outcome })
    }

    /// Forgets a city-day that is over.
    pub fn forget(&mut self, event: &str) {
        self.said.remove(event);
    }

    fn model_of(&self, question: &Question<'_>) -> Digest {
        self.sessions.get(question.city).map_or_else(Digest::default, Session::model)
    }

    /// The row for the model with the hash of its bits, or why the model cannot be asked.
    fn ready(&self, question: &Question<'_>) -> Result<(Vec<f32>, Digest), String> {
        let session = self.sessions.get(question.city).ok_or_else(|| format!("no model for {}", question.city))?;
        let inputs = question.inputs.as_ref().map_err(String::clone)?;
        if question.at.since(inputs.issued) > self.oldest {
            return Err("the inputs are too old".to_owned());
        }
        let row = session.manifest().row(inputs.features).map_err(|reason| reason.to_string())?;
        // All NaNs are one: their other bits mean nothing.
        let bits = |value: &f32| if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() };
        let bytes: Vec<u8> = row.iter().flat_map(|value| bits(value).to_le_bytes()).collect();
        Ok((row, Digest::of(&bytes)))
    }
}

/// What an opinion is about.
fn about(model: Digest, inputs: Digest, markets: &[(MarketId, Strike)]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&model.0).update(&inputs.0).update(format!("{markets:?}").as_bytes());
    Digest(*hasher.finalize().as_bytes())
}
