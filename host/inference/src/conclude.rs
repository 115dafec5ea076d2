//! From a model's answer to probabilities of markets, and the way back for those who check.

use crate::{Answer, NoOpinion, Prediction, Session, TOLERANCE, brackets, condition};
use isobar_engine::market::{MarketId, Strike};
use isobar_engine::opinion::{Conditions, Evidence};
use isobar_engine::units::{Digest, Probability};

/// What follows from an answer under what is known of the day: one probability a market, summing to exactly one.
///
/// # Errors
/// Whatever stands against an opinion.
pub fn conclude(
    answer: &Answer,
    conditions: &Conditions,
    markets: &[(MarketId, Strike)],
) -> Result<Vec<(MarketId, Probability)>, NoOpinion> {
    let conditioned = condition(&answer.prediction(), conditions, markets)?;
    brackets(&conditioned, markets)
}

/// Hash of all that an opinion depends on beside the model: the row, the day's conditions and the markets.
pub fn inputs_of(row: &[u32], conditions: &Conditions, markets: &[(MarketId, Strike)]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    let length = |items: usize| u64::try_from(items).unwrap_or(u64::MAX).to_le_bytes();
    hasher.update(&length(row.len()));
    for bits in row {
        hasher.update(&bits.to_le_bytes());
    }
    // Their derived text names every field and its value, so equal texts are equal conditions.
    hasher.update(format!("{conditions:?}{markets:?}").as_bytes());
    Digest(*hasher.finalize().as_bytes())
}

/// The bits of a row. All NaNs are one: their other bits mean nothing.
pub(crate) fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|value| if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() }).collect()
}

/// The answer that evidence holds; nothing where the model gave none.
fn answer(evidence: &Evidence) -> Option<Answer> {
    let classes: Vec<f32> = evidence.classes.iter().map(|bits| f32::from_bits(*bits)).collect();
    (!classes.is_empty()).then_some(Answer { lowest: evidence.lowest, classes })
}

/// The distribution over whole degrees that evidence holds: as the model gave it, and under the day's conditions.
/// Nothing where the model gave none, or nothing was left of it.
pub fn degrees(evidence: &Evidence) -> Option<(Prediction, Prediction)> {
    let prediction = answer(evidence)?.prediction();
    let conditioned = condition(&prediction, &evidence.conditions, &evidence.markets).ok()?;
    Some((prediction, conditioned))
}

/// How a second computation of an opinion compares with the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Recomputed {
    /// Largest difference of a class's probability between the journal and the model asked again.
    pub worst: f64,
    /// What is not as the journal says; nothing where all is.
    pub difference: Option<String>,
}

/// Asks the model again about journaled inputs, and compares every number on the way: the hash of the inputs, the classes
/// (within [`TOLERANCE`]) and what the recorded classes lead to (exactly).
///
/// `outcome` and `inputs` are those of the journaled forecast.
pub fn recompute(
    session: &mut Session,
    evidence: &Evidence,
    inputs: Digest,
    outcome: &Result<Vec<(MarketId, Probability)>, String>,
) -> Recomputed {
    let differs = |worst: f64, what: String| Recomputed { worst, difference: Some(what) };
    let Evidence { row, conditions, markets, .. } = evidence;
    let hash = inputs_of(row, conditions, markets);
    if hash != inputs {
        return differs(0.0, format!("the inputs hash to {hash}, recorded is {inputs}"));
    }
    let row: Vec<f32> = row.iter().map(|bits| f32::from_bits(*bits)).collect();
    if row.len() != session.manifest().features.len() {
        return differs(0.0, format!("{} features instead of {}", row.len(), session.manifest().features.len()));
    }
    let Some(recorded) = answer(evidence) else {
        return Recomputed { worst: 0.0, difference: None };
    };
    let again = match session.ask(&row) {
        Ok(again) => again,
        Err(reason) => return differs(f64::INFINITY, reason.to_string()),
    };
    if (again.lowest, again.classes.len()) != (recorded.lowest, recorded.classes.len()) {
        let (from, recorded) = (again.lowest, recorded.lowest);
        return differs(f64::INFINITY, format!("classes from {from}°, recorded are those from {recorded}°"));
    }
    let apart = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).abs();
    let worst = again.classes.iter().zip(&recorded.classes).map(apart).fold(0.0, f64::max);
    if worst > TOLERANCE {
        return differs(worst, format!("a class is off by {worst:e}"));
    }
    let concluded = conclude(&recorded, conditions, markets).map_err(|reason| reason.to_string());
    if concluded != *outcome {
        return differs(worst, format!("the classes lead to {concluded:?}, recorded is {outcome:?}"));
    }
    Recomputed { worst, difference: None }
}
