//! The two-sided book of one market, an array over its price ladder.
//!
//! A level is found by its position in the ladder, and the best price by a bit set over the occupied positions, so an
//! update costs a few nanoseconds whatever the depth. The book also owns whether it can be trusted: a change to a book
//! that is not live is ignored, and only a snapshot makes it live again.

use crate::event::{Level, StaleReason};
use crate::market::Ladder;
use crate::units::{Price, Quantity, SECOND, Side, Timestamp};
use serde::{Deserialize, Serialize};

/// How long bids and asks may stay crossed before the book counts as broken. The longest crossing without a lost frame in
/// 14 recorded captures lasted 16 ms (data/README.md of the recordings), so five seconds is far outside.
pub const CROSSED_AFTER: i64 = 5 * SECOND;

/// Book of one market in YES prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    ladder: Ladder,
    bids: Ranks,
    asks: Ranks,
    stale: Option<StaleReason>,
    crossed_since: Option<Timestamp>,
    /// Whether the best bid is above the best ask, not only at it.
    overlapping: bool,
    crossed_episodes: u64,
}

impl Book {
    /// An empty book that has never been seen.
    pub fn new(ladder: Ladder) -> Self {
        let prices = ladder.len();
        Self {
            ladder,
            bids: Ranks::new(prices),
            asks: Ranks::new(prices),
            stale: Some(StaleReason::NeverSeen),
            crossed_since: None,
            overlapping: false,
            crossed_episodes: 0,
        }
    }

    /// Replaces the whole book, which is live from here on. A level off the ladder makes it corrupt instead.
    pub fn replace(&mut self, at: Timestamp, bids: &[Level], asks: &[Level]) {
        self.bids.clear();
        self.asks.clear();
        self.stale = None;
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            for level in levels {
                let Some(index) = self.ladder.index_of(level.price) else {
                    self.distrust(StaleReason::Corrupt);
                    return;
                };
                let ranks = self.ranks_mut(side);
                let sum = ranks.sizes[index] + level.quantity;
                ranks.set(index, sum);
            }
        }
        self.watch_crossing(at);
    }

    /// Changes one level. A level below zero or a price off the ladder makes the book corrupt.
    pub fn change(&mut self, at: Timestamp, side: Side, price: Price, change: i64) {
        if self.stale.is_some() {
            return;
        }
        let Some(index) = self.ladder.index_of(price) else {
            return self.distrust(StaleReason::Corrupt);
        };
        let ranks = self.ranks_mut(side);
        let Some(quantity) = ranks.sizes[index].checked_add_signed(change) else {
            return self.distrust(StaleReason::Corrupt);
        };
        ranks.set(index, quantity);
        self.watch_crossing(at);
    }

    /// Takes trust away until the next snapshot. The levels stay to be looked at.
    pub fn distrust(&mut self, reason: StaleReason) {
        self.stale = Some(reason);
        self.crossed_since = None;
        self.overlapping = false;
    }

    /// Takes trust away where bids and asks have been crossed for too long; says whether it did.
    pub fn check_crossing(&mut self, now: Timestamp) -> bool {
        let broken = self.crossed_since.is_some_and(|since| now.since(since) > CROSSED_AFTER);
        if broken {
            self.distrust(StaleReason::Crossed);
        }
        broken
    }

    /// Moves the book to another ladder, empty and not to be trusted until its next snapshot.
    pub fn regrade(&mut self, ladder: Ladder) {
        if ladder != self.ladder {
            let episodes = self.crossed_episodes;
            *self = Self::new(ladder);
            self.crossed_episodes = episodes;
        }
    }

    /// The prices that the market allows.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Whether the book is proved current.
    pub fn is_live(&self) -> bool {
        self.stale.is_none()
    }

    /// Why the book is not live.
    pub fn stale(&self) -> Option<StaleReason> {
        self.stale
    }

    /// Whether the best bid is at or above the best ask.
    pub fn is_crossed(&self) -> bool {
        self.crossed_since.is_some()
    }

    /// How many times the best bid came to be above the best ask. Prices that only touch are not counted, as they are not
    /// in the counts of data/README.md of the recordings.
    pub fn crossed_episodes(&self) -> u64 {
        self.crossed_episodes
    }

    /// Best level of a side: the highest bid or the lowest ask.
    pub fn best(&self, side: Side) -> Option<Level> {
        self.levels(side).next()
    }

    /// Size at a price, zero where nothing rests or the price is off the ladder.
    pub fn size(&self, side: Side, price: Price) -> Quantity {
        self.ladder.index_of(price).map_or(Quantity::ZERO, |index| self.ranks(side).sizes[index])
    }

    /// Levels of a side, best first.
    pub fn levels(&self, side: Side) -> Levels<'_> {
        let end = match side {
            Side::Bid => self.bids.sizes.len(),
            Side::Ask => 0,
        };
        Levels { book: self, side, end }
    }

    fn ranks(&self, side: Side) -> &Ranks {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    fn ranks_mut(&mut self, side: Side) -> &mut Ranks {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    fn watch_crossing(&mut self, at: Timestamp) {
        let bid = self.bids.highest(self.bids.sizes.len());
        let ask = self.asks.lowest(0);
        let best = bid.zip(ask);
        if !best.is_some_and(|(bid, ask)| crosses(bid, ask)) {
            self.crossed_since = None;
        } else if self.crossed_since.is_none() {
            self.crossed_since = Some(at);
        }
        let overlapping = best.is_some_and(|(bid, ask)| bid > ask);
        self.crossed_episodes += u64::from(overlapping && !self.overlapping);
        self.overlapping = overlapping;
    }
}

/// Whether a bid at one position of the ladder meets an ask at another.
fn crosses(bid: usize, ask: usize) -> bool {
    #[cfg(feature = "mutants")]
    if crate::mutant::active(crate::mutant::Mutant::Book) {
        return bid > ask;
    }
    bid >= ask
}

/// Iterator over the levels of one side, best first.
#[derive(Clone, Debug)]
pub struct Levels<'a> {
    book: &'a Book,
    side: Side,
    /// Levels of the bids are below this position of the ladder, those of the asks from it on.
    end: usize,
}

impl Iterator for Levels<'_> {
    type Item = Level;

    fn next(&mut self) -> Option<Level> {
        let ranks = self.book.ranks(self.side);
        let index = match self.side {
            Side::Bid => ranks.highest(self.end),
            Side::Ask => ranks.lowest(self.end),
        }?;
        self.end = match self.side {
            Side::Bid => index,
            Side::Ask => index + 1,
        };
        Some(Level { price: self.book.ladder.price_at(index), quantity: ranks.sizes[index] })
    }
}

/// Sizes by position in the ladder, with a bit for each position that is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ranks {
    sizes: Vec<Quantity>,
    occupied: Vec<u64>,
}

impl Ranks {
    fn new(prices: usize) -> Self {
        Self { sizes: vec![Quantity::ZERO; prices], occupied: vec![0; prices.div_ceil(64)] }
    }

    fn clear(&mut self) {
        self.sizes.fill(Quantity::ZERO);
        self.occupied.fill(0);
    }

    fn set(&mut self, index: usize, quantity: Quantity) {
        self.sizes[index] = quantity;
        let bit = 1 << (index % 64);
        if quantity.is_zero() {
            self.occupied[index / 64] &= !bit;
        } else {
            self.occupied[index / 64] |= bit;
        }
    }

    /// The highest occupied position below `end`.
    fn highest(&self, end: usize) -> Option<usize> {
        let mut word = end / 64;
        let mut bits = match self.occupied.get(word) {
            Some(bits) => bits & ((1 << (end % 64)) - 1),
            None => 0,
        };
        loop {
            if bits != 0 {
                return Some(word * 64 + 63 - bits.leading_zeros() as usize);
            }
            word = word.checked_sub(1)?;
            bits = self.occupied[word];
        }
    }

    /// The lowest occupied position from `start` on.
    fn lowest(&self, start: usize) -> Option<usize> {
        let mut word = start / 64;
        let mut bits = self.occupied.get(word)? & (u64::MAX << (start % 64));
        loop {
            if bits != 0 {
                return Some(word * 64 + bits.trailing_zeros() as usize);
            }
            word += 1;
            bits = *self.occupied.get(word)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn cents(cents: u16) -> Price {
        Price::from_cents(cents).expect("a price")
    }

    fn level(price: u16, contracts: u32) -> Level {
        Level { price: cents(price), quantity: Quantity::contracts(contracts) }
    }

    fn book(bids: &[Level], asks: &[Level]) -> Book {
        let mut book = Book::new(Ladder::cents());
        book.replace(Timestamp(0), bids, asks);
        book
    }

    #[test]
    fn a_book_is_not_trusted_before_its_first_snapshot() {
        let mut book = Book::new(Ladder::cents());
        book.change(Timestamp(0), Side::Bid, cents(40), 100);
        assert_eq!(book.stale(), Some(StaleReason::NeverSeen));
        assert_eq!(book.best(Side::Bid), None);
    }

    #[test]
    fn levels_come_best_first_on_both_sides() {
        let book = book(&[level(40, 1), level(39, 2)], &[level(45, 3), level(99, 4)]);
        assert_eq!(book.levels(Side::Bid).collect::<Vec<_>>(), [level(40, 1), level(39, 2)]);
        assert_eq!(book.levels(Side::Ask).collect::<Vec<_>>(), [level(45, 3), level(99, 4)]);
    }

    #[test]
    fn a_level_below_zero_makes_the_book_corrupt_until_its_next_snapshot() {
        let mut book = book(&[level(40, 1)], &[]);
        book.change(Timestamp(1), Side::Bid, cents(40), -101);
        assert_eq!(book.stale(), Some(StaleReason::Corrupt));
        book.replace(Timestamp(2), &[level(40, 1)], &[]);
        assert!(book.is_live());
    }

    #[test]
    fn a_price_off_the_ladder_makes_the_book_corrupt() {
        let mut book = book(&[level(40, 1)], &[]);
        book.change(Timestamp(1), Side::Bid, Price::new(4_010).expect("a price"), 100);
        assert_eq!(book.stale(), Some(StaleReason::Corrupt));
    }

    #[test]
    fn a_short_crossing_is_counted_and_a_long_one_breaks_the_book() {
        let mut book = book(&[level(40, 1)], &[level(45, 1)]);
        book.change(Timestamp(0), Side::Bid, cents(45), 100);
        assert!(book.is_crossed() && !book.check_crossing(Timestamp(CROSSED_AFTER)));
        book.change(Timestamp(1), Side::Bid, cents(45), -100);
        assert!(!book.is_crossed());
        assert_eq!(book.crossed_episodes(), 0, "prices that touch are not traded on, and not counted");
        book.change(Timestamp(2), Side::Bid, cents(46), 100);
        book.change(Timestamp(2), Side::Bid, cents(47), 100);
        assert_eq!(book.crossed_episodes(), 1);
        assert!(book.check_crossing(Timestamp(3 + CROSSED_AFTER)));
        assert_eq!(book.stale(), Some(StaleReason::Crossed));
    }

    proptest! {
        #[test]
        fn a_book_equals_a_map_of_prices(changes in prop::collection::vec((any::<bool>(), 0u16..=1_000, 0i64..500), 1..200)) {
            let ladder = Ladder::uniform(Price::new(10).expect("a price"));
            let mut book = Book::new(ladder);
            book.replace(Timestamp(0), &[], &[]);
            let mut naive: [BTreeMap<u16, u64>; 2] = [BTreeMap::new(), BTreeMap::new()];
            for (bid, step, size) in changes {
                let (side, price) = (if bid { Side::Bid } else { Side::Ask }, step * 10);
                let map = &mut naive[usize::from(!bid)];
                let old = map.get(&price).copied().unwrap_or(0);
                let change = if old > 0 && size % 3 == 0 { -(old as i64) } else { size };
                book.change(Timestamp(0), side, Price::new(price).expect("a price"), change);
                let new = old.checked_add_signed(change).expect("not negative");
                if new == 0 { map.remove(&price); } else { map.insert(price, new); }
            }
            let bids: Vec<_> = book.levels(Side::Bid).map(|l| (l.price.units(), l.quantity.units())).collect();
            let asks: Vec<_> = book.levels(Side::Ask).map(|l| (l.price.units(), l.quantity.units())).collect();
            prop_assert_eq!(bids, naive[0].iter().rev().map(|(p, q)| (*p, *q)).collect::<Vec<_>>());
            prop_assert_eq!(asks, naive[1].iter().map(|(p, q)| (*p, *q)).collect::<Vec<_>>());
        }
    }
}
