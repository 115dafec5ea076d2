//! A model's opinion with what it was made of: enough to compute it again.
//!
//! The engine trades on the [`Forecast`] in it and on nothing else; the rest is evidence for those who come later. Floats
//! do not pass the wall: the model's own numbers are kept as their bits, which nobody in here interprets.

use crate::event::Forecast;
use crate::market::{MarketId, Strike};
use crate::units::Probability;
use serde::{Deserialize, Serialize};

/// What an opinion is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Strategies see it.
    Traded,
    /// It is only recorded, to be scored beside the traded one.
    Shadow,
}

/// The word for people.
impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Traded => "traded",
            Self::Shadow => "shadow",
        })
    }
}

/// One opinion of one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// What it is for.
    pub role: Role,
    /// Short name of the city, for example `CHI`.
    pub city: String,
    /// What was concluded.
    pub forecast: Forecast,
    /// What it was made of; nothing where the model was not asked.
    pub evidence: Option<Evidence>,
}

/// Everything between the features and the brackets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The features in the order of the bundle's manifest: bits of single-precision numbers, one NaN for what is missing.
    pub row: Vec<u32>,
    /// Temperature of the first class, °F; the classes go up by one degree each.
    pub lowest: i32,
    /// Probability of each class as the model gave it: bits of single-precision numbers. Empty where it gave none.
    pub classes: Vec<u32>,
    /// What the day itself has shown already.
    pub conditions: Conditions,
    /// The markets that the degrees were counted into.
    pub markets: Vec<(MarketId, Strike)>,
}

/// What is known of the day's high beside the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// The observation that rules out most, where the day has one.
    pub observed: Option<Observed>,
    /// The high of an official final report, °F. It leaves nothing open.
    pub official: Option<i32>,
    /// What a bracket that the observation rules out keeps at most.
    pub floor: Probability,
}

impl Conditions {
    /// Nothing is known beside the model.
    pub const NONE: Self = Self { observed: None, official: None, floor: Probability::NONE };
}

/// The maximum of a climate day so far, by one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Name of the source.
    pub source: String,
    /// The maximum, 1/1000 °F.
    pub maximum: i32,
    /// By how much the value settled on may be lower than what this source showed, 1/1000 °F, not negative. It covers
    /// rounding and conversion on both sides.
    pub bound: i32,
}

impl Observed {
    /// The lowest whole degree that the day can still settle on, °F.
    pub const fn lowest_possible(&self) -> i32 {
        self.maximum.saturating_sub(self.bound).saturating_add(999).div_euclid(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_degree_is_possible_as_long_as_the_bound_reaches_it() {
        let lowest = |maximum, bound| Observed { source: String::new(), maximum, bound }.lowest_possible();
        assert_eq!(lowest(72_000, 1_000), 71, "71 °F may have been seen as 72");
        assert_eq!(lowest(72_000, 0), 72);
        assert_eq!(lowest(71_600, 900), 71);
        assert_eq!(lowest(71_960, 900), 72, "71.06 rules out 71: the bound says what it covers");
        assert_eq!(lowest(-3_500, 1_000), -4);
    }
}
