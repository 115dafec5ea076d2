//! The models of all cities, and the rule of when they are asked again.

use crate::conclude::bits;
use crate::{Manifest, NoOpinion, Timed, conclude, inputs_of};
use isobar_engine::event::Forecast;
use isobar_engine::market::{MarketId, Strike};
use isobar_engine::opinion::{Conditions, Evidence, Opinion, Role};
use isobar_engine::units::{Digest, SECOND, Timestamp};
use std::collections::BTreeMap;

/// One feature as it is served.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Its name.
    pub name: &'a str,
    /// The sources that it is made of, as manifests spell them.
    pub sources: &'a [&'a str],
    /// NaN for a missing value.
    pub value: f32,
}

/// Features as of one moment.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// All that is served.
    pub features: &'a [Given<'a>],
    /// When the newest value of all was published.
    pub issued: Timestamp,
    /// When the newest value of each source that counts was published, where it has given one. One that never said
    /// anything has no age; what it does not give is missing among the features.
    pub published: &'a [(&'a str, Timestamp)],
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
    pub inputs: Result<Inputs<'a>, NoOpinion>,
    /// What the day itself has shown.
    pub conditions: &'a Conditions,
    /// All markets of the city-day.
    pub markets: &'a [(MarketId, Strike)],
}

/// When there is an opinion at all, and how often. Nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Least time between two runs of a model for one city-day (INFERENCE_COOLDOWN_SEC).
    pub cooldown: i64,
    /// Inputs whose newest value was published longer ago give no opinion.
    pub oldest: i64,
    /// The same for the values of one source, by its name.
    pub oldest_by_source: BTreeMap<String, i64>,
}

/// What was last said about a city-day.
struct Said {
    city: String,
    /// When a model was last run for it, nothing where none was.
    asked: Option<Timestamp>,
    /// Hash of models, inputs, conditions and markets, or the reason for having no opinion.
    about: Result<Digest, NoOpinion>,
}

/// Models by city with the guide's cool-down.
///
/// A city-day is said something about only when that is new:
/// - the model is asked when model, inputs, conditions or markets changed since it was last asked, and then not before the
///   cool-down (INFERENCE_COOLDOWN_SEC) has passed since; what changed meanwhile waits for its end, except that a new
///   model speaks at once;
/// - losing the inputs needs no model and is said at once;
/// - a model that failed is asked again after the cool-down, though nothing changed.
///
/// A shadow is asked exactly when the traded model is, about the same features, and is never waited for a second time.
pub struct Forecaster {
    limits: Limits,
    models: BTreeMap<(String, Role), Timed>,
    said: BTreeMap<String, Said>,
}

impl Forecaster {
    /// No models yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, models: BTreeMap::new(), said: BTreeMap::new() }
    }

    /// Takes a model; it replaces the one of its city and role, and may speak at once.
    pub fn hold(&mut self, role: Role, model: Timed) {
        let city = model.manifest().city.clone();
        self.said.values_mut().filter(|said| said.city == city).for_each(|said| said.asked = None);
        self.models.insert((city, role), model);
    }

    /// The hash of the bundle that speaks for a city in a role.
    pub fn model(&self, city: &str, role: Role) -> Option<Digest> {
        self.models.get(&(city.to_owned(), role)).map(Timed::model)
    }

    /// Opinions on the city-day: the traded one, and the shadow's where there is one and both were asked. None where
    /// nothing new can be said now. Then ask again later: the answer depends on `question.at` alone, no clock is read.
    pub fn forecast(&mut self, question: &Question<'_>) -> Vec<Opinion> {
        let said = self.said.get(question.event);
        let asked = said.and_then(|said| said.asked);
        let ready = self.ready(question, Role::Traded);
        let about = ready.as_ref().map(|row| self.about(question, row)).map_err(NoOpinion::clone);
        if said.is_some_and(|said| is_same(&said.about, &about)) {
            return Vec::new();
        }
        let row = match ready {
            Err(reason) => {
                self.note(question, asked, about);
                return vec![self.opinion(question, Role::Traded, Err(reason))];
            }
            Ok(_) if asked.is_some_and(|asked| question.at.since(asked) < self.limits.cooldown) => return Vec::new(),
            Ok(row) => row,
        };
        let before = said.map(|said| said.about.clone());
        let (opinion, failure) = self.ask(question, Role::Traded, row);
        // The same failure again is no news.
        let repeats = |failure: &NoOpinion| matches!(&before, Some(Err(reason)) if failure.repeats(reason));
        let news = !failure.as_ref().is_some_and(repeats);
        self.note(question, Some(question.at), failure.map_or(about, Err));
        let mut opinions = if news { vec![opinion] } else { Vec::new() };
        if self.model(question.city, Role::Shadow).is_some() {
            opinions.extend(match self.ready(question, Role::Shadow) {
                Ok(row) => Some(self.ask(question, Role::Shadow, row).0),
                Err(reason) => Some(self.opinion(question, Role::Shadow, Err(reason))),
            });
        }
        opinions
    }

    /// Forgets the city-days for which `keep` says no.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.said.retain(|event, _| keep(event));
    }

    fn note(&mut self, question: &Question<'_>, asked: Option<Timestamp>, about: Result<Digest, NoOpinion>) {
        let said = Said { city: question.city.to_owned(), asked, about };
        self.said.insert(question.event.to_owned(), said);
    }

    /// Runs a model on a row. The second value is a failure of the model itself.
    fn ask(&mut self, question: &Question<'_>, role: Role, row: Vec<f32>) -> (Opinion, Option<NoOpinion>) {
        let model = self.models.get_mut(&(question.city.to_owned(), role)).expect("a row is of a model");
        let bits = bits(&row);
        let inputs = inputs_of(&bits, question.conditions, question.markets);
        let answer = model.ask(row);
        let failure = answer.as_ref().err().filter(|reason| reason.is_failure()).cloned();
        let (lowest, classes) = answer.as_ref().map_or((0, Vec::new()), |answer| {
            (answer.lowest, answer.classes.iter().map(|probability| probability.to_bits()).collect())
        });
        let outcome = answer.and_then(|answer| conclude(&answer, question.conditions, question.markets));
        let evidence = Evidence {
            row: bits,
            lowest,
            classes,
            conditions: question.conditions.clone(),
            markets: question.markets.to_vec(),
        };
        let mut opinion = self.opinion(question, role, outcome);
        opinion.forecast.inputs = inputs;
        opinion.evidence = Some(evidence);
        (opinion, failure)
    }

    fn opinion(
        &self,
        question: &Question<'_>,
        role: Role,
        outcome: Result<Vec<(MarketId, isobar_engine::units::Probability)>, NoOpinion>,
    ) -> Opinion {
        if let Err(reason) = &outcome {
            tracing::info!(event = question.event, %role, %reason, "no opinion");
        }
        let forecast = Forecast {
            event: question.event.to_owned(),
            model: self.model(question.city, role).unwrap_or_default(),
            issued: question.inputs.as_ref().map_or(question.at, |inputs| inputs.issued),
            inputs: Digest::default(),
            outcome: outcome.map_err(|reason| reason.to_string()),
        };
        Opinion { role, city: question.city.to_owned(), forecast, evidence: None }
    }

    /// What an opinion is about.
    fn about(&self, question: &Question<'_>, row: &[f32]) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for role in [Role::Traded, Role::Shadow] {
            hasher.update(&self.model(question.city, role).unwrap_or_default().0);
        }
        hasher.update(&inputs_of(&bits(row), question.conditions, question.markets).0);
        Digest(*hasher.finalize().as_bytes())
    }

    /// The row for the model, or why it cannot be asked.
    fn ready(&self, question: &Question<'_>, role: Role) -> Result<Vec<f32>, NoOpinion> {
        let model = self.models.get(&(question.city.to_owned(), role));
        let manifest = model.ok_or_else(|| NoOpinion::NoModel(question.city.to_owned()))?.manifest();
        let inputs = question.inputs.as_ref().map_err(NoOpinion::clone)?;
        fresh("the newest input", question.at, inputs.issued, self.limits.oldest)?;
        let row = row(manifest, inputs.features)?;
        for (source, newest) in inputs.published {
            if let Some(limit) = self.limits.oldest_by_source.get(*source) {
                fresh(source, question.at, *newest, *limit)?;
            }
        }
        Ok(row)
    }
}

fn is_same(before: &Result<Digest, NoOpinion>, now: &Result<Digest, NoOpinion>) -> bool {
    match (before, now) {
        (Ok(before), Ok(now)) => before == now,
        (Err(before), Err(now)) => now.repeats(before),
        _ => false,
    }
}

fn fresh(origin: &str, now: Timestamp, published: Timestamp, limit: i64) -> Result<(), NoOpinion> {
    let age = now.since(published);
    if age <= limit {
        return Ok(());
    }
    let origin = origin.to_owned();
    Err(NoOpinion::Stale { origin, age_s: age / SECOND, limit_s: limit / SECOND })
}

/// The features in the graph's order, each of its own source and plausible.
fn row(manifest: &Manifest, given: &[Given<'_>]) -> Result<Vec<f32>, NoOpinion> {
    let column = |feature: &crate::Feature| {
        let found = given.iter().find(|given| given.name == feature.name);
        let found = found.ok_or_else(|| NoOpinion::MissingFeature(feature.name.clone()))?;
        let name = || feature.name.clone();
        if !feature.is_from(found.sources) {
            let (given, wanted) = (found.sources.join(", "), feature.source.join(", "));
            return Err(NoOpinion::OtherSource { feature: name(), given, wanted });
        }
        match found.value {
            value if value.is_nan() && !feature.optional => Err(NoOpinion::MissingValue(name())),
            value if value.is_nan() || (feature.least..=feature.most).contains(&value) => Ok(value),
            value => Err(NoOpinion::OutOfRange {
                feature: name(),
                value: value.to_string(),
                range: format!("{} to {}", feature.least, feature.most),
            }),
        }
    };
    manifest.features.iter().map(column).collect()
}
