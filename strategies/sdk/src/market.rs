//! What a rule asks of one bracket: best prices, steps of the ladder, fees, expected values, sizes.
//!
//! Prices are YES prices in 1/10 000 dollar, money is 1/1 000 000 dollar, contracts are 1/100. Selling YES at `p` is
//! buying NO at `1 − p`, so every function takes the side and speaks of the claim that the side buys.

use crate::{Bracket, FeeSchedule, Level, Side};
use isobar_engine::market::{FeeSchedule as EngineFees, Ladder, PriceRange};
use isobar_engine::units::{Price, Quantity, Side as EngineSide};

/// One dollar in 1/1 000 000 dollar, and certainty in ppm.
const ONE: i64 = 1_000_000;
/// Money units in one price unit, for one contract.
const MONEY_PER_PRICE: u32 = 100;
/// Units in one contract.
const CONTRACT: u64 = 100;

impl Side {
    /// The other side.
    pub fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// A size as a signed change of position: bought is positive.
    pub fn signed(self, quantity: u64) -> i64 {
        let size = quantity.cast_signed();
        match self {
            Self::Bid => size,
            Self::Ask => -size,
        }
    }
}

impl Bracket {
    /// The shown levels of a side, best first, own orders left out.
    pub fn levels(&self, side: Side) -> &[Level] {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// Best price that others show on a side.
    pub fn best(&self, side: Side) -> Option<u16> {
        self.levels(side).first().map(|level| level.price)
    }

    /// What we have resting, or on its way, on a side.
    pub fn own(&self, side: Side) -> u64 {
        self.resting.iter().filter(|order| order.side == side).map(|order| order.quantity).sum()
    }

    /// How much more may be bought (`bid`) or sold (`ask`) before a limit refuses.
    pub fn room(&self, side: Side) -> u64 {
        match side {
            Side::Bid => self.room_bid,
            Side::Ask => self.room_ask,
        }
    }

    /// The model's probability, ppm, of the claim that a side buys: YES for a bid, NO for an ask.
    pub fn chance(&self, side: Side) -> Option<i64> {
        let yes = i64::from(self.probability?);
        Some(match side {
            Side::Bid => yes,
            Side::Ask => ONE - yes,
        })
    }

    /// Fee for one contract bought on a side at a YES price.
    pub fn fee(&self, taker: bool, side: Side, price: u16) -> i64 {
        let Some(price) = Price::new(price) else { return 0 };
        let schedule = match self.fees {
            FeeSchedule::Quadratic(rates) => EngineFees::Quadratic { taker_ppm: rates.taker, maker_ppm: rates.maker },
            FeeSchedule::FlatPremium(rates) => {
                EngineFees::FlatPremium { taker_ppm: rates.taker, maker_ppm: rates.maker }
            }
        };
        let side = match side {
            Side::Bid => EngineSide::Bid,
            Side::Ask => EngineSide::Ask,
        };
        schedule.per_fill(taker, side, price, Quantity::contracts(1)).micros()
    }

    /// Expected value of one contract bought on a side at a YES price, fee included; nothing without an opinion.
    pub fn expected(&self, taker: bool, side: Side, price: u16) -> Option<i64> {
        Some(self.chance(side)? - premium(side, price) - self.fee(taker, side, price))
    }

    /// Whole contracts that `money` buys on a side at a YES price, fees not counted, in 1/100 contract.
    pub fn affordable(&self, side: Side, price: u16, money: i64) -> u64 {
        let contracts = money.checked_div(premium(side, price)).unwrap_or(0);
        u64::try_from(contracts).unwrap_or(0) * CONTRACT
    }

    /// The prices that the market allows; nothing where the venue's ranges make no ladder.
    pub fn grid(&self) -> Option<Grid> {
        let range = |range: &crate::PriceRange| {
            Some(PriceRange {
                start: Price::new(range.start)?,
                end: Price::new(range.end)?,
                step: Price::new(range.step)?,
            })
        };
        let ranges = self.ladder.iter().map(range).collect::<Option<_>>()?;
        Ladder::new(ranges).ok().map(Grid)
    }
}

/// The prices that a market allows.
pub struct Grid(Ladder);

impl Grid {
    /// The next price that is better for the others: above for a bid, below for an ask. Nothing at $0 and $1.
    pub fn step_in(&self, side: Side, price: u16) -> Option<u16> {
        let price = Price::new(price)?;
        let next = match side {
            Side::Bid => self.0.above(price),
            Side::Ask => self.0.below(price),
        };
        next.map(Price::units)
    }

    /// The next price that is better for us: below for a bid, above for an ask. Nothing at $0 and $1.
    pub fn step_out(&self, side: Side, price: u16) -> Option<u16> {
        self.step_in(side.opposite(), price)
    }

    /// The nearest price that costs a side no more than `money` says: at or below it for a bid, at or above it for an
    /// ask. Nothing at $0 and $1 and beyond.
    pub fn no_worse_than(&self, side: Side, money: i64) -> Option<u16> {
        let money = u32::try_from(money).ok()?;
        let units = match side {
            Side::Bid => money / MONEY_PER_PRICE,
            Side::Ask => money.div_ceil(MONEY_PER_PRICE),
        };
        let price = Price::new(u16::try_from(units).ok()?)?;
        let inside = price > Price::ZERO && price < Price::ONE;
        if inside && self.0.index_of(price).is_some() {
            return Some(price.units());
        }
        self.step_out(side, price.units())
    }
}

/// What one contract costs on a side at a YES price, without fee.
pub fn premium(side: Side, price: u16) -> i64 {
    let yes = i64::from(price) * i64::from(MONEY_PER_PRICE);
    match side {
        Side::Bid => yes,
        Side::Ask => ONE - yes,
    }
}

/// The part of a quantity that is whole contracts.
pub fn whole(quantity: u64) -> u64 {
    quantity - quantity % CONTRACT
}
