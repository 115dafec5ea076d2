//! The bids of one market as the venue keeps them: a ladder of YES bids and a ladder of NO bids, each in its own prices.
//!
//! It refuses a level below zero and knows nothing of clients, scales or asks: an ask is a bid of the other outcome.

use isobar_engine::units::{Price, Quantity};
use std::collections::BTreeMap;

/// What a contract pays on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Yes,
    No,
}

impl Outcome {
    pub(crate) const BOTH: [Self; 2] = [Self::Yes, Self::No];

    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
        }
    }

    /// The venue's spelling.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
        }
    }
}

/// Price and contracts resting at it.
pub type Level = (Price, Quantity);

/// Both ladders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Book {
    yes: BTreeMap<Price, Quantity>,
    no: BTreeMap<Price, Quantity>,
}

impl Book {
    pub(crate) fn new(yes: Vec<Level>, no: Vec<Level>) -> Self {
        let ladder = |levels: Vec<Level>| levels.into_iter().filter(|level| !level.1.is_zero()).collect();
        Self { yes: ladder(yes), no: ladder(no) }
    }

    /// Bids for `outcome` by rising price, in prices of that outcome.
    pub(crate) const fn bids(&self, outcome: Outcome) -> &BTreeMap<Price, Quantity> {
        match outcome {
            Outcome::Yes => &self.yes,
            Outcome::No => &self.no,
        }
    }

    /// Highest bid for `outcome`.
    pub(crate) fn best(&self, outcome: Outcome) -> Option<Level> {
        self.bids(outcome).last_key_value().map(|(price, quantity)| (*price, *quantity))
    }

    pub(crate) fn at(&self, outcome: Outcome, price: Price) -> Quantity {
        self.bids(outcome).get(&price).copied().unwrap_or_default()
    }

    /// Changes one level by signed 1/100 contracts. `false`, and nothing changed, where it would fall below zero.
    pub(crate) fn change(&mut self, outcome: Outcome, price: Price, change: i64) -> bool {
        let Some(left) = self.at(outcome, price).checked_add_signed(change) else { return false };
        let ladder = match outcome {
            Outcome::Yes => &mut self.yes,
            Outcome::No => &mut self.no,
        };
        if left.is_zero() {
            ladder.remove(&price);
        } else {
            ladder.insert(price, left);
        }
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.yes.is_empty() && self.no.is_empty()
    }
}
