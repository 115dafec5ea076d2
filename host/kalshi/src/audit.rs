//! Streamed books against REST books: a sample that would show a decoder or a book that is quietly wrong.
//!
//! Pure. A REST book has neither sequence number nor clock, so it cannot be joined to the stream; it was true at some moment
//! between the request and its answer, or a little before, since reads may lag. The caller takes the engine's book before
//! the request and after the answer, each with a number that changes with every change of the book. Only a difference while
//! nothing changed says something, and only [`Audit::MISSES`] of them in a row are believed.

use isobar_engine::event::Level;
use isobar_engine::market::MarketId;
use isobar_engine::units::{Price, Quantity, Side};
use std::collections::BTreeMap;

/// A book at one moment: bids and asks in YES prices, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// YES bids.
    pub bids: Vec<Level>,
    /// YES asks.
    pub asks: Vec<Level>,
    /// A number that is another one after each change.
    pub revision: u64,
}

/// What one comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// REST shows the book as it was before or after.
    Equal,
    /// The book changed in between, and REST shows neither state: nothing is proved.
    Raced,
    /// Nothing changed in between, and REST shows something else.
    Differs(Difference),
}

/// The first level, from the best on, that is not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its side.
    pub side: Side,
    /// Its YES price.
    pub price: Price,
    /// Contracts in the engine's book.
    pub streamed: Quantity,
    /// Contracts in the REST book.
    pub rest: Quantity,
}

/// Compares a REST book (its bids and asks in YES prices, best first) with the engine's book before and after it was read.
pub fn compare(rest: (&[Level], &[Level]), before: &View, after: &View) -> Verdict {
    let same = |view: &View| view.bids == rest.0 && view.asks == rest.1;
    if same(before) || same(after) {
        return Verdict::Equal;
    }
    if before.revision != after.revision {
        return Verdict::Raced;
    }
    let sides = [(Side::Bid, &before.bids, rest.0), (Side::Ask, &before.asks, rest.1)];
    match sides.into_iter().find_map(|(side, ours, theirs)| difference(side, ours, theirs)) {
        Some(difference) => Verdict::Differs(difference),
        // The same levels in another order: no book is ordered wrongly by the wire.
        None => Verdict::Equal,
    }
}

fn difference(side: Side, ours: &[Level], theirs: &[Level]) -> Option<Difference> {
    let at = |levels: &[Level], price| {
        levels.iter().find(|level| level.price == price).map_or(Quantity::ZERO, |level| level.quantity)
    };
    let mut prices: Vec<Price> = ours.iter().chain(theirs).map(|level| level.price).collect();
    prices.sort_unstable();
    prices.dedup();
    if side == Side::Bid {
        prices.reverse();
    }
    let pairs = prices.into_iter().map(|price| (price, at(ours, price), at(theirs, price)));
    let mut differing = pairs.filter(|(_, ours, theirs)| ours != theirs);
    differing.next().map(|(price, streamed, rest)| Difference { side, price, streamed, rest })
}

/// Counts verdicts, market by market.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    misses: BTreeMap<MarketId, u32>,
    /// Comparisons that were equal.
    pub equal: u64,
    /// Comparisons that proved nothing.
    pub raced: u64,
    /// Comparisons that differed.
    pub differed: u64,
}

impl Audit {
    /// Differences in a row, each of a new reading, after which a book is wrong: reads may lag.
    pub const MISSES: u32 = 3;

    /// Counts a verdict. Says whether the book is now believed to be wrong: ask for it anew, and tell people.
    pub fn note(&mut self, market: MarketId, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Raced => {
                self.raced += 1;
                false
            }
            Verdict::Equal => {
                self.equal += 1;
                self.misses.remove(&market);
                false
            }
            Verdict::Differs(_) => {
                self.differed += 1;
                let misses = self.misses.entry(market).or_default();
                *misses += 1;
                misses.is_multiple_of(Self::MISSES)
            }
        }
    }

    /// Markets whose last conclusive comparison differed: compare them again soon.
    pub fn doubtful(&self) -> impl Iterator<Item = MarketId> {
        self.misses.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(cents: u16, contracts: u32) -> Level {
        Level { price: Price::from_cents(cents).expect("a price"), quantity: Quantity::contracts(contracts) }
    }

    fn view(bid: u32, revision: u64) -> View {
        View { bids: vec![level(47, bid), level(46, 5)], asks: vec![level(52, 2)], revision }
    }

    fn against(rest: &View, before: &View, after: &View) -> Verdict {
        compare((&rest.bids, &rest.asks), before, after)
    }

    #[test]
    fn a_rest_book_equals_the_one_before_or_after_or_proves_nothing() {
        assert_eq!(against(&view(3, 0), &view(3, 1), &view(3, 1)), Verdict::Equal);
        assert_eq!(against(&view(3, 0), &view(3, 1), &view(4, 2)), Verdict::Equal);
        assert_eq!(against(&view(4, 0), &view(3, 1), &view(4, 2)), Verdict::Equal);
        assert_eq!(against(&view(9, 0), &view(3, 1), &view(4, 2)), Verdict::Raced);
        assert_eq!(against(&view(9, 0), &view(3, 1), &view(3, 3)), Verdict::Raced, "it changed and changed back");
    }

    #[test]
    fn the_best_level_that_differs_is_named() {
        let mut rest = view(3, 0);
        rest.bids[1].quantity = Quantity::contracts(6);
        rest.asks.clear();
        let difference = |side, cents, streamed, rest| {
            let (price, streamed) = (Price::from_cents(cents).expect("a price"), Quantity::contracts(streamed));
            Verdict::Differs(Difference { side, price, streamed, rest: Quantity::contracts(rest) })
        };
        assert_eq!(against(&rest, &view(3, 1), &view(3, 1)), difference(Side::Bid, 46, 5, 6));
        rest.bids = view(3, 0).bids;
        assert_eq!(against(&rest, &view(3, 1), &view(3, 1)), difference(Side::Ask, 52, 2, 0));
    }

    #[test]
    fn only_differences_in_a_row_make_a_book_wrong() {
        let mut audit = Audit::default();
        let differs = against(&view(9, 0), &view(3, 1), &view(3, 1));
        let market = MarketId(0);
        assert!(!audit.note(market, differs) && !audit.note(market, differs));
        assert!(!audit.note(market, Verdict::Raced), "what proves nothing counts for nothing");
        assert_eq!(audit.doubtful().collect::<Vec<_>>(), [market]);
        assert!(audit.note(market, differs));
        assert!(!audit.note(market, Verdict::Equal) && !audit.note(market, differs));
        assert_eq!((audit.equal, audit.raced, audit.differed), (1, 1, 4));
    }
}
