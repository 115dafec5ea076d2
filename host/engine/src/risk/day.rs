//! What a slot did today and in the last minute: the premium that it traded, where it began, how often it placed.
//!
//! A day is a UTC day. It begins at its first event, with what the slot was worth then.

use crate::units::{Money, SECOND, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

const DAY: i64 = 86_400 * SECOND;

/// The running totals of one slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// When the day is over; nothing before the first one began.
    ends: Option<Timestamp>,
    /// Cash and positions at their mark when it began.
    worth: Money,
    /// Premium of today's fills.
    traded: Money,
    /// When orders were placed in the last minute, oldest first.
    placed: VecDeque<Timestamp>,
}

impl Day {
    /// Whether a new day began.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ends.is_none_or(|ends| now >= ends)
    }

    /// Begins a day with what the slot is worth.
    pub fn begin(&mut self, now: Timestamp, worth: Money) {
        self.ends = Some(Timestamp((now.0.div_euclid(DAY) + 1).saturating_mul(DAY)));
        self.worth = worth;
        self.traded = Money::ZERO;
    }

    /// Takes what the slot is worth as where the day began: what came or went otherwise was no trading.
    pub fn rebase(&mut self, worth: Money) {
        self.worth = worth;
    }

    /// Counts a fill.
    pub fn trade(&mut self, premium: Money) {
        self.traded += premium;
    }

    /// Counts an order.
    pub fn place(&mut self, now: Timestamp) {
        while self.placed.front().is_some_and(|first| now.since(*first) >= 60 * SECOND) {
            self.placed.pop_front();
        }
        self.placed.push_back(now);
    }

    /// Premium of today's fills.
    pub fn traded(&self) -> Money {
        self.traded
    }

    /// What was lost today, given what the slot is worth now; negative where it won.
    pub fn loss(&self, worth: Money) -> Money {
        self.worth - worth
    }

    /// Orders in the last second and in the last minute.
    pub fn rates(&self, now: Timestamp) -> (u32, u32) {
        let within = |time: i64| {
            let older = self.placed.partition_point(|at| now.since(*at) >= time);
            u32::try_from(self.placed.len() - older).unwrap_or(u32::MAX)
        };
        (within(SECOND), within(60 * SECOND))
    }
}
