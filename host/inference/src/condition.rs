//! What the day itself has shown already, applied to a model's opinion.
//!
//! A maximum so far rules brackets out, but only as surely as its source is exact: 71 °F seen as 72 must not rule out
//! 70–71. So a bracket is lowered only where it lies wholly below the maximum less the source's error bound, and only to
//! a floor, until an official final report says how the day ended. Nothing is ever lowered for being partly below.

use crate::{NoOpinion, Prediction};
use isobar_engine::market::{MarketId, Strike};
use isobar_engine::opinion::Conditions;

/// The most degrees that the open last class is moved up by: more is no weather.
const REACH: i32 = 100;

/// The prediction under what is known of the day.
///
/// Each market that is ruled out keeps at most the floor, shared among its degrees as before; all others grow by one
/// factor, so that the sum is one again. The last class means "or more": where the day is beyond it already, it stands
/// for the lowest degree that is still possible.
///
/// # Errors
/// [`NoOpinion::Excluded`] where nothing is left of what the model holds possible.
pub fn condition(
    prediction: &Prediction,
    conditions: &Conditions,
    markets: &[(MarketId, Strike)],
) -> Result<Prediction, NoOpinion> {
    if let Some(high) = conditions.official {
        return Ok(Prediction { lowest: high, probabilities: vec![1.0] });
    }
    let Some(observed) = &conditions.observed else { return Ok(prediction.clone()) };
    let lowest_possible = observed.lowest_possible();
    let nothing_left = NoOpinion::Excluded { lowest_possible };
    let mut degrees = reaching(prediction, lowest_possible).ok_or_else(|| nothing_left.clone())?;
    let floor = f64::from(conditions.floor.ppm()) / 1e6;
    let ruled_out: Vec<bool> = markets.iter().map(|(_, strike)| is_below(*strike, lowest_possible)).collect();

    // The market of each degree that is ruled out.
    let lowered: Vec<Option<usize>> = (degrees.lowest..)
        .zip(&degrees.probabilities)
        .map(|(degree, _)| (0..markets.len()).find(|at| ruled_out[*at] && markets[*at].1.holds(degree) == Some(true)))
        .collect();
    let mut shares = vec![0.0; markets.len()];
    let mut open = 0.0;
    for (probability, market) in degrees.probabilities.iter().zip(&lowered) {
        match market {
            Some(at) => shares[*at] += probability,
            None => open += probability,
        }
    }
    let total = open + shares.iter().sum::<f64>();
    let kept: Vec<f64> = shares.iter().map(|share| (share / total).min(floor)).collect();
    let left = 1.0 - kept.iter().sum::<f64>();
    // Written so that NaN fails too.
    if !(open > 0.0 && left > 0.0) {
        return Err(nothing_left);
    }
    for (probability, market) in degrees.probabilities.iter_mut().zip(&lowered) {
        *probability *= match market {
            Some(at) if shares[*at] > 0.0 => kept[*at] / shares[*at],
            Some(_) => 0.0,
            None => left / open,
        };
    }
    Ok(degrees)
}

/// Whether no degree of a bracket is possible any more.
fn is_below(strike: Strike, lowest_possible: i32) -> bool {
    match strike {
        Strike::Less { cap } => cap <= lowest_possible,
        Strike::Between { cap, .. } => cap < lowest_possible,
        Strike::Greater { .. } | Strike::Other => false,
    }
}

/// The prediction with its last class moved up to `degree` where it lies below; nothing where that is too far to be true.
fn reaching(prediction: &Prediction, degree: i32) -> Option<Prediction> {
    let mut reaching = prediction.clone();
    let last = prediction.lowest + i32::try_from(prediction.probabilities.len()).ok()? - 1;
    let beyond = degree.saturating_sub(last);
    if beyond > REACH {
        return None;
    }
    if beyond > 0 {
        let open = reaching.probabilities.pop()?;
        reaching.probabilities.extend((0..beyond).map(|_| 0.0));
        reaching.probabilities.push(open);
    }
    Some(reaching)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brackets;
    use isobar_engine::opinion::Observed;
    use isobar_engine::units::Probability;
    use proptest::prelude::*;

    const SIX: [Strike; 6] = [
        Strike::Less { cap: 68 },
        Strike::Between { floor: 68, cap: 69 },
        Strike::Between { floor: 70, cap: 71 },
        Strike::Between { floor: 72, cap: 73 },
        Strike::Between { floor: 74, cap: 75 },
        Strike::Greater { floor: 75 },
    ];

    fn markets(strikes: &[Strike]) -> Vec<(MarketId, Strike)> {
        (0..).map(MarketId).zip(strikes.iter().copied()).collect()
    }

    fn seen(maximum: i32, bound: i32, floor: u32) -> Conditions {
        let observed = Observed { source: "station".to_owned(), maximum, bound };
        let floor = Probability::new(floor).expect("a probability");
        Conditions { observed: Some(observed), official: None, floor }
    }

    /// Two classes a bracket, 66° to 77°, the same for all.
    fn flat() -> Prediction {
        Prediction { lowest: 66, probabilities: vec![1.0 / 12.0; 12] }
    }

    fn ppm(prediction: &Prediction, conditions: &Conditions) -> Vec<u32> {
        let markets = markets(&SIX);
        let conditioned = condition(prediction, conditions, &markets).expect("something is left");
        let brackets = brackets(&conditioned, &markets).expect("exhaustive");
        brackets.into_iter().map(|(_, probability)| probability.ppm()).collect()
    }

    #[test]
    fn seventy_one_seen_as_seventy_two_does_not_rule_out_its_bracket() {
        let flat = flat();
        // 72 less one degree is 71: the bracket 70–71 is not wholly below and grows with the others.
        assert_eq!(ppm(&flat, &seen(72_000, 1_000, 500)), [500, 500, 249_750, 249_750, 249_750, 249_750]);
        // 72 to the degree: it is.
        assert_eq!(ppm(&flat, &seen(72_000, 0, 500)), [500, 500, 500, 332_834, 332_833, 332_833]);
        assert_eq!(ppm(&flat, &seen(72_000, 0, 0)), [0, 0, 0, 333_334, 333_333, 333_333]);
    }

    #[test]
    fn what_was_less_likely_than_the_floor_stays_so() {
        let mut steep = Prediction { lowest: 66, probabilities: vec![0.0; 12] };
        (steep.probabilities[1], steep.probabilities[3], steep.probabilities[7]) = (0.000_1, 0.099_9, 0.9);
        assert_eq!(ppm(&steep, &seen(72_000, 0, 500)), [100, 500, 0, 999_400, 0, 0]);
    }

    #[test]
    fn an_official_final_report_leaves_nothing_open() {
        let mut conditions = seen(72_000, 1_000, 500);
        conditions.official = Some(71);
        assert_eq!(ppm(&flat(), &conditions), [0, 0, 1_000_000, 0, 0, 0]);
        conditions.official = Some(140);
        assert_eq!(ppm(&flat(), &conditions), [0, 0, 0, 0, 0, 1_000_000]);
    }

    #[test]
    fn the_open_last_class_stands_for_what_is_beyond_it() {
        let low = Prediction { lowest: 60, probabilities: vec![0.5, 0.3, 0.2] };
        assert_eq!(ppm(&low, &seen(74_200, 0, 0)), [0, 0, 0, 0, 1_000_000, 0]);
        assert_eq!(ppm(&low, &seen(74_200, 0, 1_000)), [1_000, 0, 0, 0, 999_000, 0]);
        let never = Prediction { lowest: 60, probabilities: vec![0.5, 0.5, 0.0] };
        let excluded = condition(&never, &seen(74_200, 0, 0), &markets(&SIX));
        assert_eq!(excluded, Err(NoOpinion::Excluded { lowest_possible: 75 }));
        assert_eq!(
            condition(&low, &seen(900_000, 0, 0), &markets(&SIX)),
            Err(NoOpinion::Excluded { lowest_possible: 900 })
        );
    }

    proptest! {
        #[test]
        fn only_what_is_wholly_below_is_lowered_and_the_sum_stays_exact(
            weights in prop::collection::vec(0.001_f64..1.0, 2..40),
            lowest in 50_i32..90,
            maximum in 50_000_i32..100_000,
            bound in 0_i32..3_000,
            floor in 0_u32..20_000,
        ) {
            let sum: f64 = weights.iter().sum();
            let prediction = Prediction { lowest, probabilities: weights.iter().map(|w| w / sum).collect() };
            let (markets, conditions) = (markets(&SIX), seen(maximum, bound, floor));
            let after = condition(&prediction, &conditions, &markets).expect("every class has a chance");
            prop_assert!((after.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let before: Vec<u32> = brackets(&prediction, &markets).expect("exhaustive").iter().map(|(_, p)| p.ppm()).collect();
            let ppm: Vec<u32> = brackets(&after, &markets).expect("exhaustive").iter().map(|(_, p)| p.ppm()).collect();
            prop_assert_eq!(ppm.iter().sum::<u32>(), 1_000_000);
            let last = prediction.lowest + i32::try_from(prediction.probabilities.len()).expect("few") - 1;
            let beyond = last < conditions.observed.as_ref().expect("seen").lowest_possible();
            for (strike, (before, ppm)) in SIX.iter().zip(before.iter().zip(&ppm)) {
                let top = match strike { Strike::Less { cap } => cap - 1, Strike::Between { cap, .. } => *cap, _ => 1_000 };
                if top * 1_000 < maximum - bound {
                    prop_assert!(*ppm <= floor + 1, "{strike:?}: {ppm}");
                    prop_assert!(*ppm <= before + 1, "{strike:?} grew from {before} to {ppm}");
                } else if !beyond {
                    prop_assert!(ppm + 1 >= *before, "{strike:?} fell from {before} to {ppm}");
                }
            }
            // Seeing the same again changes nothing.
            let again = condition(&after, &conditions, &markets).expect("as before");
            for (a, b) in after.probabilities.iter().zip(&again.probabilities) {
                prop_assert!((a - b).abs() < 1e-9);
            }
        }
    }
}
