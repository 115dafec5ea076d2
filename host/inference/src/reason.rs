//! Why a city-day has no probabilities. The texts are journaled and shown; the types are for those who act on them.

/// Why a city-day has no probabilities.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoOpinion {
    /// No bundle speaks for the city.
    #[error("no model for {0}")]
    NoModel(String),
    /// There are no features: a source is down, nothing was published yet, or the city is not to be traded. The text says.
    #[error("{0}")]
    NoInputs(String),
    /// A feature that the model needs is not among those given at all (a missing value is NaN, not an absence).
    #[error("feature {0} is missing")]
    MissingFeature(String),
    /// A value comes from another source than the one that the model was trained on.
    #[error("feature {feature} is from {given:?}, the model was trained on {wanted:?}")]
    OtherSource {
        /// The feature.
        feature: String,
        /// Where the value comes from.
        given: String,
        /// Where those of the training came from.
        wanted: String,
    },
    /// A value is missing that the model never saw missing.
    #[error("feature {0} has no value, and the model may not be asked without it")]
    MissingValue(String),
    /// A value is far from all that the model was trained on, or physically impossible.
    #[error("feature {feature} is {value}, outside of {range}")]
    OutOfRange {
        /// The feature.
        feature: String,
        /// Its value.
        value: String,
        /// What is plausible.
        range: String,
    },
    /// The newest value of a source is too old.
    #[error("{origin} is {age_s} s old, more than {limit_s} s")]
    Stale {
        /// The source, or "the newest input" of all.
        origin: String,
        /// Seconds since its newest value was published.
        age_s: i64,
        /// The limit, seconds.
        limit_s: i64,
    },
    /// Not one of the forecasts that the anchor is made of has a value.
    #[error("no forecast to start from")]
    NoAnchor,
    /// The graph failed, or answered with something that is no probability distribution.
    #[error("the model answered with no probabilities: {0}")]
    BadAnswer(String),
    /// The graph did not answer in time.
    #[error("the model did not answer within {limit_ms} ms")]
    Late {
        /// The deadline, milliseconds of the machine's time.
        limit_ms: u128,
    },
    /// The day has already exceeded all that the model holds possible.
    #[error("observations from {lowest_possible}° on leave nothing of what the model expects")]
    Excluded {
        /// Lowest degree that the day can still settle on, °F.
        lowest_possible: i32,
    },
    /// The markets do not divide the temperatures among them.
    #[error("strikes do not divide the temperatures: {0}")]
    Strikes(String),
}

impl NoOpinion {
    /// Whether saying this after `other` would be no news: growing older is none.
    pub(crate) fn repeats(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Stale { origin, limit_s, .. }, Self::Stale { origin: before, limit_s: limit, .. }) => {
                (origin, limit_s) == (before, limit)
            }
            _ => self == other,
        }
    }

    /// Whether the model itself failed: then the same inputs may end otherwise when it is asked again.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::BadAnswer(_) | Self::Late { .. })
    }
}
