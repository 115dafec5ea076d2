//! From probabilities of whole degrees to probabilities of a city-day's markets.

use crate::{NoOpinion, Prediction};
use isobar_engine::market::{MarketId, Strike};
use isobar_engine::units::Probability;

/// Parts in one.
const WHOLE: u32 = 1_000_000;

/// The probability of each market, in the order given, summing to exactly 1 000 000 ppm.
///
/// A degree counts for the market whose strike holds for it. An outermost class counts with its own degree, so that what
/// lies beyond the classes falls into the tails. Fractions of a ppm go to the markets that lost most by rounding down,
/// the earlier one first where two lost the same.
///
/// # Errors
/// [`NoOpinion::Strikes`] where some degree belongs to no market or to several: the sum would be a lie.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1 000 000")]
pub fn brackets(
    prediction: &Prediction,
    markets: &[(MarketId, Strike)],
) -> Result<Vec<(MarketId, Probability)>, NoOpinion> {
    exhaustive(markets)?;
    let mut shares = vec![0.0; markets.len()];
    for (degrees, probability) in (prediction.lowest..).zip(&prediction.probabilities) {
        let market = markets.iter().position(|(_, strike)| strike.holds(degrees) == Some(true));
        shares[market.expect("strikes hold for every degree")] += probability;
    }
    let total: f64 = shares.iter().sum();
    let exact: Vec<f64> = shares.iter().map(|share| share / total * f64::from(WHOLE)).collect();
    let mut ppm: Vec<u32> = exact.iter().map(|share| share.floor() as u32).collect();
    let mut by_loss: Vec<usize> = (0..markets.len()).collect();
    by_loss.sort_by(|a, b| (exact[*b].fract()).total_cmp(&exact[*a].fract()));
    let left = WHOLE.checked_sub(ppm.iter().sum()).expect("rounded down, the sum is not above one");
    for at in by_loss.into_iter().cycle().take(left as usize) {
        ppm[at] += 1;
    }
    let probability = |ppm| Probability::new(ppm).expect("a part of one");
    Ok(markets.iter().zip(ppm).map(|((market, _), ppm)| (*market, probability(ppm))).collect())
}

/// Whether every degree makes exactly one market come true. Between the bounds of strikes nothing changes, so it is
/// enough to look from below the lowest bound to above the highest.
fn exhaustive(markets: &[(MarketId, Strike)]) -> Result<(), NoOpinion> {
    let mut bounds = Vec::new();
    for (market, strike) in markets {
        match *strike {
            Strike::Less { cap } => bounds.push(cap),
            Strike::Greater { floor } => bounds.push(floor),
            Strike::Between { floor, cap } => bounds.extend([floor, cap]),
            Strike::Other => return Err(NoOpinion::Strikes(format!("market {} is not about degrees", market.0))),
        }
    }
    let (Some(lowest), Some(highest)) = (bounds.iter().min(), bounds.iter().max()) else {
        return Err(NoOpinion::Strikes("there is no market".to_owned()));
    };
    if highest - lowest > 1_000 {
        return Err(NoOpinion::Strikes(format!("from {lowest}° to {highest}°")));
    }
    for degrees in lowest - 1..=highest + 1 {
        let holding = markets.iter().filter(|(_, strike)| strike.holds(degrees) == Some(true)).count();
        if holding != 1 {
            return Err(NoOpinion::Strikes(format!("{degrees}° belongs to {holding} markets")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(strikes: &[Strike]) -> Vec<(MarketId, Strike)> {
        (10..).map(MarketId).zip(strikes.iter().copied()).collect()
    }

    fn ppm(lowest: i32, probabilities: &[f64], strikes: &[Strike]) -> Result<Vec<u32>, NoOpinion> {
        let prediction = Prediction { lowest, probabilities: probabilities.to_vec() };
        let result = brackets(&prediction, &ids(strikes))?;
        assert!(result.iter().map(|(market, _)| market.0).eq(10..10 + result.len() as u16));
        Ok(result.into_iter().map(|(_, probability)| probability.ppm()).collect())
    }

    const SIX: [Strike; 6] = [
        Strike::Less { cap: 74 },
        Strike::Between { floor: 74, cap: 75 },
        Strike::Between { floor: 76, cap: 77 },
        Strike::Between { floor: 78, cap: 79 },
        Strike::Between { floor: 80, cap: 81 },
        Strike::Greater { floor: 81 },
    ];

    #[test]
    fn degrees_go_to_the_bracket_that_settles_on_them() {
        // 73 is the last of `less than 74`, 82 the first of `greater than 81`.
        let degrees = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.16, 0.08, 0.06, 0.04, 0.03];
        let expected = [30_000, 120_000, 480_000, 240_000, 100_000, 30_000];
        assert_eq!(ppm(72, &degrees, &SIX).expect("exhaustive"), expected);
        // What lies beyond the classes falls into the tails, wherever the classes are.
        assert_eq!(ppm(90, &[0.4, 0.6], &SIX).expect("exhaustive"), [0, 0, 0, 0, 0, 1_000_000]);
        assert_eq!(ppm(50, &[0.4, 0.6], &SIX).expect("exhaustive"), [1_000_000, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_fraction_goes_to_whoever_lost_most() {
        let strikes = [Strike::Less { cap: 1 }, Strike::Between { floor: 1, cap: 1 }, Strike::Greater { floor: 1 }];
        let third = 1.0 / 3.0;
        assert_eq!(ppm(0, &[third; 3], &strikes).expect("exhaustive"), [333_334, 333_333, 333_333]);
        assert_eq!(ppm(0, &[0.000_000_2, 0.000_000_7, 0.999_999_1], &strikes).expect("exhaustive"), [0, 1, 999_999]);
    }

    #[test]
    fn strikes_that_do_not_divide_the_temperatures_give_no_opinion() {
        let refused = |strikes: &[Strike]| ppm(70, &[0.5, 0.5], strikes).expect_err("no opinion").to_string();
        assert!(refused(&[]).contains("no market"));
        assert!(refused(&SIX[1..]).contains("73° belongs to 0 markets"));
        assert!(refused(&SIX[..5]).contains("82° belongs to 0 markets"));
        assert!(refused(&[SIX[0], SIX[2], Strike::Greater { floor: 77 }]).contains("74° belongs to 0 markets"));
        assert!(refused(&[Strike::Less { cap: 75 }, Strike::Greater { floor: 73 }]).contains("74° belongs to 2"));
        assert!(refused(&[SIX[0], Strike::Other]).contains("not about degrees"));
    }

    proptest! {
        #[test]
        fn the_sum_is_exact_and_no_market_is_a_ppm_off(
            weights in prop::collection::vec(0.0_f64..1.0, 2..40),
            lowest in 40_i32..90,
            first in 60_i32..80,
            widths in prop::collection::vec(1_i32..4, 0..6),
        ) {
            let sum: f64 = weights.iter().sum();
            prop_assume!(sum > 1e-3);
            let probabilities: Vec<f64> = weights.iter().map(|w| w / sum).collect();
            let mut strikes = vec![Strike::Less { cap: first }];
            let mut next = first;
            for width in widths {
                strikes.push(Strike::Between { floor: next, cap: next + width - 1 });
                next += width;
            }
            strikes.push(Strike::Greater { floor: next - 1 });
            let result = ppm(lowest, &probabilities, &strikes).expect("exhaustive");
            prop_assert_eq!(result.iter().sum::<u32>(), WHOLE);
            for (strike, ppm) in strikes.iter().zip(result) {
                let degrees = (lowest..).zip(&probabilities);
                let exact: f64 = degrees.filter(|(d, _)| strike.holds(*d) == Some(true)).map(|(_, p)| p).sum();
                prop_assert!((exact * 1e6 - f64::from(ppm)).abs() < 1.0 + 1e-6);
            }
        }
    }
}
