//! What a market is: its strike, its price ladder, its fee schedule, its times.
//!
//! Facts come from the venue over REST and are listed once per market; [`MarketId`] is the position in that list.
//! Tickers are names for people and for the venue, never parsed for meaning.

use crate::units::{Price, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of a market within a run, given in the order of listing from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MarketId(pub u16);

impl MarketId {
    /// The number as an index into the list of markets.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Which whole degrees Fahrenheit make a market come true. Source: PROTOCOL.md 5.3, checked on 2 247 settled markets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strike {
    /// YES below the cap: `high < cap`.
    Less {
        /// First degree that is NO.
        cap: i32,
    },
    /// YES from floor to cap, both included.
    Between {
        /// First degree that is YES.
        floor: i32,
        /// Last degree that is YES.
        cap: i32,
    },
    /// YES above the floor: `high > floor`.
    Greater {
        /// Last degree that is NO.
        floor: i32,
    },
    /// Not about whole degrees: kept and shown, never mapped to a probability.
    Other,
}

impl Strike {
    /// Whether a settled high of `degrees` °F makes the market YES; nothing where the strike is not about degrees.
    pub const fn holds(self, degrees: i32) -> Option<bool> {
        match self {
            Self::Less { cap } => Some(degrees < cap),
            Self::Between { floor, cap } => Some(floor <= degrees && degrees <= cap),
            Self::Greater { floor } => Some(degrees > floor),
            Self::Other => None,
        }
    }

    /// Sorts the brackets of a city-day by rising temperature; strikes that are not about degrees come last.
    pub const fn rank(self) -> i64 {
        match self {
            Self::Less { .. } => i64::MIN,
            Self::Between { floor, .. } => floor as i64,
            Self::Greater { floor } => floor as i64 + 1,
            Self::Other => i64::MAX,
        }
    }
}

/// The bracket in words: `73° or below`, `74° to 75°`, `82° or above`.
impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Less { cap } => write!(f, "{}° or below", cap - 1),
            Self::Between { floor, cap } => write!(f, "{floor}° to {cap}°"),
            Self::Greater { floor } => write!(f, "{}° or above", floor + 1),
            Self::Other => f.write_str("–"),
        }
    }
}

/// One stretch of a price grid: every `step` from `start` to `end`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRange {
    /// First price.
    pub start: Price,
    /// Last price.
    pub end: Price,
    /// Distance of two neighbours.
    pub step: Price,
}

/// The prices that a market allows, in ascending order, from the venue's `price_ranges`.
///
/// The venue's label for a grid (`linear_cent`, `tapered_deci_cent`, …) carries no meaning: new ones keep coming.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    ranges: Vec<PriceRange>,
}

/// Why a list of price ranges is no ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LadderError {
    /// There is no range.
    Empty,
    /// A step is zero, or does not divide its range.
    Step,
    /// A range does not begin where the one before it ends.
    Gap,
    /// The ladder does not reach from zero to one dollar.
    Ends,
}

impl fmt::Display for LadderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no price range",
            Self::Step => "a step that is zero or does not divide its range",
            Self::Gap => "a range that does not begin where the one before it ends",
            Self::Ends => "ranges that do not reach from $0 to $1",
        })
    }
}

impl std::error::Error for LadderError {}

impl Ladder {
    /// Checks and keeps the venue's ranges, which must be ascending and contiguous from $0 to $1.
    pub fn new(ranges: Vec<PriceRange>) -> Result<Self, LadderError> {
        let (first, last) = (ranges.first().ok_or(LadderError::Empty)?, ranges.last().ok_or(LadderError::Empty)?);
        if first.start != Price::ZERO || last.end != Price::ONE {
            return Err(LadderError::Ends);
        }
        for range in &ranges {
            let width = range.end.units().checked_sub(range.start.units()).ok_or(LadderError::Gap)?;
            if range.step == Price::ZERO || width == 0 || width % range.step.units() != 0 {
                return Err(LadderError::Step);
            }
        }
        if ranges.windows(2).any(|pair| pair[0].end != pair[1].start) {
            return Err(LadderError::Gap);
        }
        Ok(Self { ranges })
    }

    /// A grid with the same step everywhere. Panics where `step` does not divide one dollar.
    pub fn uniform(step: Price) -> Self {
        let range = PriceRange { start: Price::ZERO, end: Price::ONE, step };
        Self::new(vec![range]).expect("the step divides one dollar")
    }

    /// Whole cents, the grid of the weather markets (`linear_cent`).
    pub fn cents() -> Self {
        Self::uniform(Price::from_cents(1).expect("one cent"))
    }

    /// The ranges as the venue gave them.
    pub fn ranges(&self) -> &[PriceRange] {
        &self.ranges
    }

    /// Number of prices, $0 and $1 included.
    pub fn len(&self) -> usize {
        1 + self.ranges.iter().map(|r| usize::from((r.end.units() - r.start.units()) / r.step.units())).sum::<usize>()
    }

    /// Never: a ladder has at least two prices.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Position of `price` in the ladder, or nothing for a price off the grid.
    pub fn index_of(&self, price: Price) -> Option<usize> {
        let mut base = 0;
        for range in &self.ranges {
            if price <= range.end {
                let offset = price.units() - range.start.units();
                let exact = offset.is_multiple_of(range.step.units());
                return exact.then(|| base + usize::from(offset / range.step.units()));
            }
            base += usize::from((range.end.units() - range.start.units()) / range.step.units());
        }
        None
    }

    /// The price at a position of the ladder. Panics beyond its end.
    pub fn price_at(&self, index: usize) -> Price {
        let mut rest = index;
        for range in &self.ranges {
            let steps = usize::from((range.end.units() - range.start.units()) / range.step.units());
            if rest <= steps {
                let offset = u16::try_from(rest).expect("a ladder has at most 10 001 prices") * range.step.units();
                return Price::new(range.start.units() + offset).expect("inside the range");
            }
            rest -= steps;
        }
        panic!("position {index} is beyond the ladder");
    }

    /// The next allowed price above `price` (which need not be on the grid), below one dollar.
    pub fn above(&self, price: Price) -> Option<Price> {
        let next = self.floor(price) + 1;
        (next + 1 < self.len()).then(|| self.price_at(next))
    }

    /// The next allowed price below `price` (which need not be on the grid), above zero.
    pub fn below(&self, price: Price) -> Option<Price> {
        let at = self.floor(price);
        let lower = if self.price_at(at) == price { at.checked_sub(1)? } else { at };
        (lower > 0).then(|| self.price_at(lower))
    }

    /// Position of the highest price on the grid that is not above `price`.
    fn floor(&self, price: Price) -> usize {
        let mut base = 0;
        for range in &self.ranges {
            if price < range.end {
                return base + usize::from((price.units() - range.start.units()) / range.step.units());
            }
            base += usize::from((range.end.units() - range.start.units()) / range.step.units());
        }
        base
    }
}

/// How a fill is charged. Rates are in parts per million.
///
/// Source of `Quadratic`: the venue's fee schedule (PROTOCOL.md 4). `FlatPremium` is the formula of the user's guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeeSchedule {
    /// `rate × contracts × price × (1 − price)`: symmetric between YES and NO.
    Quadratic {
        /// 70 000 on a series with multiplier 1.
        taker_ppm: u32,
        /// 0 on weather series; 17 500 where makers pay a quarter.
        maker_ppm: u32,
    },
    /// `rate × premium`, the premium being what the contracts cost.
    FlatPremium {
        /// TAKER_FEE_RATE of the guide, 70 000.
        taker_ppm: u32,
        /// MAKER_FEE_RATE of the guide, 0.
        maker_ppm: u32,
    },
}

/// Whether a market takes orders. Times open and close a market without any message from the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarketStatus {
    /// Trades between its open and close time.
    Active,
    /// Paused by the venue.
    Paused,
    /// Past its close, waiting for its result.
    Closed,
    /// Result known and paid.
    Settled,
}

/// One contract of one city-day, as listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// Its number in this run.
    pub id: MarketId,
    /// The venue's name of the contract, for example `KXHIGHCHI-26NOV23-B33.5`.
    pub ticker: String,
    /// The venue's name of the city-day, for example `KXHIGHCHI-26NOV23`: markets that share it exclude one another.
    pub event: String,
    /// The venue's series, for example `KXHIGHCHI`.
    pub series: String,
    /// Which degrees make it come true.
    pub strike: Strike,
    /// The prices it allows.
    pub ladder: Ladder,
    /// What a fill costs.
    pub fees: FeeSchedule,
    /// Whether it may be traded between its times.
    pub status: MarketStatus,
    /// When trading opens.
    pub opens: Timestamp,
    /// When trading closes.
    pub closes: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(units: u16) -> Price {
        Price::new(units).expect("a price")
    }

    #[test]
    fn strikes_follow_the_venue_and_not_the_guide() {
        let less = Strike::Less { cap: 75 };
        assert_eq!((less.holds(74), less.holds(75)), (Some(true), Some(false)));
        let between = Strike::Between { floor: 75, cap: 76 };
        assert_eq!([74, 75, 76, 77].map(|t| between.holds(t)), [Some(false), Some(true), Some(true), Some(false)]);
        let greater = Strike::Greater { floor: 82 };
        assert_eq!((greater.holds(82), greater.holds(83)), (Some(false), Some(true)));
    }

    #[test]
    fn a_tapered_ladder_maps_each_of_its_prices_to_a_position_and_back() {
        let range = |start, end, step| PriceRange { start: price(start), end: price(end), step: price(step) };
        let ranges = vec![range(0, 1_000, 10), range(1_000, 9_000, 100), range(9_000, 10_000, 10)];
        let ladder = Ladder::new(ranges).expect("contiguous");
        assert_eq!(ladder.len(), 281);
        for index in 0..ladder.len() {
            assert_eq!(ladder.index_of(ladder.price_at(index)), Some(index));
        }
        assert_eq!(ladder.index_of(price(1_010)), None);
        assert_eq!(ladder.above(price(1_000)), Some(price(1_100)));
        assert_eq!(ladder.below(price(1_000)), Some(price(990)));
        assert_eq!(ladder.below(price(1_050)), Some(price(1_000)));
        assert_eq!(ladder.above(price(9_990)), None);
        assert_eq!(ladder.below(price(10)), None);
    }

    #[test]
    fn ranges_with_a_hole_are_refused() {
        let range = |start, end, step| PriceRange { start: price(start), end: price(end), step: price(step) };
        assert_eq!(Ladder::new(vec![]), Err(LadderError::Empty));
        assert_eq!(Ladder::new(vec![range(0, 9_000, 100)]), Err(LadderError::Ends));
        assert_eq!(Ladder::new(vec![range(0, 10_000, 0)]), Err(LadderError::Step));
        let hole = vec![range(0, 1_000, 10), range(2_000, 10_000, 100)];
        assert_eq!(Ladder::new(hole), Err(LadderError::Gap));
    }
}
