//! What a city-day can lose at worst: exact, over the outcomes that its exclusive brackets leave possible.
//!
//! Exactly one bracket pays a dollar a YES contract and all others pay it to NO; where the brackets do not cover every
//! temperature, it is also possible that none does. An open order may fill or not, wholly or in part, and its profit is a
//! straight line in what fills: at each outcome it is taken as filled where that hurts and as unfilled where it would help.
//! Fees of fills to come are not in it (on weather series makers pay none; a taker's fee is known when it is paid); fees
//! and losses that were made are. Profits that were made do not give room for new losses.

use crate::ledger::Account;
use crate::market::Strike;
use crate::units::{Money, Price, Quantity, Side};

/// The stakes in one city-day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stakes {
    brackets: Vec<Stake>,
    /// Whether exactly one bracket comes true whatever the temperature.
    exhaustive: bool,
    /// What the city-day lost already, fees included; nothing where it won.
    lost: Money,
    contracts: Quantity,
}

/// The stake in one bracket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stake {
    /// What the position loses where the bracket does not come true (negative: wins).
    no: Money,
    /// What the position loses where it comes true.
    yes: Money,
    /// What open orders lose at most where it does not: bids.
    orders_no: Money,
    /// What open orders lose at most where it does: asks.
    orders_yes: Money,
}

impl Stakes {
    /// The stakes of the positions alone. `brackets` by rising temperature.
    pub fn new(brackets: impl IntoIterator<Item = (Strike, Account)>) -> Self {
        let mut stakes = Self { exhaustive: true, ..Self::default() };
        let (mut before, mut result) = (None, Money::ZERO);
        for (strike, account) in brackets {
            stakes.exhaustive &= follows(before, strike);
            before = Some(strike);
            let payout = |yes: bool| {
                let won = (account.position > 0) == yes;
                let contracts = Quantity::new(account.position.unsigned_abs());
                if won { Price::ONE.times(contracts) } else { Money::ZERO }
            };
            let (no, yes) = (account.cost - payout(false), account.cost - payout(true));
            stakes.brackets.push(Stake { no, yes, ..Stake::default() });
            stakes.contracts += Quantity::new(account.position.unsigned_abs());
            result += account.realised - account.fees;
        }
        stakes.exhaustive &= matches!(before, Some(Strike::Greater { .. }));
        stakes.lost = (-result).max(Money::ZERO);
        stakes
    }

    /// Adds an open order of a bracket.
    pub fn add(&mut self, bracket: usize, side: Side, price: Price, quantity: Quantity) {
        let stake = &mut self.brackets[bracket];
        match side {
            Side::Bid => stake.orders_no += price.times(quantity),
            Side::Ask => stake.orders_yes += price.complement().times(quantity),
        }
        self.contracts += quantity;
    }

    /// Contracts of positions and open orders together.
    pub fn contracts(&self) -> Quantity {
        self.contracts
    }

    /// The loss at the worst outcome; negative where every outcome wins.
    pub fn worst(&self) -> Money {
        let each = (0..self.brackets.len()).map(|bracket| self.loss_at(bracket));
        let none = (!self.exhaustive).then(|| self.loss_at_none());
        let worst = each.chain(none).max().unwrap_or_default();
        worst + self.lost
    }

    /// The loss at the worst outcome with one more order.
    pub fn worst_with(&self, bracket: usize, side: Side, price: Price, quantity: Quantity) -> Money {
        let mut more = self.clone();
        more.add(bracket, side, price, quantity);
        more.worst()
    }

    /// How many contracts may be added on one side of a bracket, at no worse than `price`, before the worst outcome loses
    /// more than `most`.
    pub fn room(&self, bracket: usize, side: Side, price: Price, most: Money) -> Quantity {
        let others = (0..self.brackets.len()).filter(|other| *other != bracket).map(|other| self.loss_at(other));
        let none = (!self.exhaustive).then(|| self.loss_at_none());
        let (hurt, premium) = match side {
            Side::Bid => (others.chain(none).max(), price),
            Side::Ask => (Some(self.loss_at(bracket)), price.complement()),
        };
        // An order that no outcome is hurt by is not bounded here.
        let Some(hurt) = hurt.filter(|_| premium > Price::ZERO) else { return Quantity::new(u64::MAX >> 1) };
        let left = (most - hurt - self.lost).max(Money::ZERO).micros().unsigned_abs();
        Quantity::new(left / u64::from(premium.units()))
    }

    fn loss_at(&self, bracket: usize) -> Money {
        let here = self.brackets[bracket];
        self.loss_at_none() - (here.no + here.orders_no) + here.yes + here.orders_yes
    }

    fn loss_at_none(&self) -> Money {
        self.brackets.iter().map(|stake| stake.no + stake.orders_no).sum()
    }
}

/// Whether `strike` begins where the one before it ended, so that no whole degree lies between.
fn follows(before: Option<Strike>, strike: Strike) -> bool {
    let next = match before {
        None => return matches!(strike, Strike::Less { .. }),
        Some(Strike::Less { cap }) => cap,
        Some(Strike::Between { cap, .. }) => cap + 1,
        Some(Strike::Greater { .. } | Strike::Other) => return false,
    };
    match strike {
        Strike::Between { floor, .. } => floor == next,
        Strike::Greater { floor } => floor + 1 == next,
        Strike::Less { .. } | Strike::Other => false,
    }
}

#[cfg(test)]
mod tests;
