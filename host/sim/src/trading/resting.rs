//! Clients' orders in the book of one market, and the background around them.

use super::order::Key;
use crate::book::Outcome;
use isobar_engine::units::{Price, Quantity};
use std::collections::{BTreeMap, VecDeque};

/// Queues of orders by level, first come first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resting {
    pub(crate) queues: BTreeMap<(Outcome, Price), VecDeque<Key>>,
    /// Contracts that clients took out of the background of a level and that the scene still believes to be there. They
    /// come back never: a level shrinks by them when the scene shrinks it.
    pub(crate) taken: BTreeMap<(Outcome, Price), Quantity>,
}

impl Resting {
    /// Prices at which clients took background contracts.
    pub(crate) fn prices(&self, outcome: Outcome) -> impl Iterator<Item = &Price> {
        let prices = self.taken.range((outcome, Price::ZERO)..=(outcome, Price::ONE));
        prices.map(|((_, price), _)| price)
    }

    pub(crate) fn join(&mut self, level: (Outcome, Price), key: Key) {
        self.queues.entry(level).or_default().push_back(key);
    }

    pub(crate) fn leave(&mut self, level: (Outcome, Price), key: Key) {
        let Some(queue) = self.queues.get_mut(&level) else { return };
        queue.retain(|other| *other != key);
        if queue.is_empty() {
            self.queues.remove(&level);
        }
    }

    /// The best level at which clients rest.
    pub(crate) fn best(&self, outcome: Outcome) -> Option<Price> {
        let levels = self.queues.range((outcome, Price::ZERO)..=(outcome, Price::ONE));
        levels.last().map(|((_, price), _)| *price)
    }

    pub(crate) fn queue(&self, level: (Outcome, Price)) -> Vec<Key> {
        self.queues.get(&level).map(|queue| queue.iter().copied().collect()).unwrap_or_default()
    }

    pub(crate) fn set_taken(&mut self, level: (Outcome, Price), quantity: Quantity) {
        if quantity.is_zero() {
            self.taken.remove(&level);
        } else {
            self.taken.insert(level, quantity);
        }
    }

    pub(crate) fn taken(&self, level: (Outcome, Price)) -> Quantity {
        self.taken.get(&level).copied().unwrap_or_default()
    }
}
