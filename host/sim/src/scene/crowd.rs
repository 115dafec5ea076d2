//! Who trades on a simulated day: two makers that quote several levels around what they believe, takers that do not care,
//! and one who knows a little more.
//!
//! Every resting contract belongs to a maker, so a book is the sum of their quotes. Makers are post-only towards each
//! other: a book of this crowd never crosses.

use crate::book::Outcome;
use crate::exchange::Action;
use crate::weather::normal;
use isobar_engine::units::{Price, Quantity};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Quotes of one maker in one market: outcome and whole cents to contracts.
type Quotes = BTreeMap<(Outcome, u16), Quantity>;

/// Half the spread in cents and levels a side, of each maker.
const MAKERS: [(f64, u16); 2] = [(0.7, 6), (1.8, 4)];

/// The participants of one market.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    makers: [Quotes; 2],
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a contract's cents")]
fn cents(value: f64) -> u16 {
    value.clamp(0.0, 100.0) as u16
}

fn price(cents: u16) -> Price {
    Price::from_cents(cents).expect("quotes stay within one dollar")
}

impl Crowd {
    fn best(&self, outcome: Outcome, of: impl Fn(usize) -> bool) -> Option<u16> {
        let makers = self.makers.iter().enumerate().filter(|(index, _)| of(*index));
        makers
            .filter_map(|(_, quotes)| quotes.range((outcome, 0)..=(outcome, 100)).next_back())
            .map(|(key, _)| key.1)
            .max()
    }

    /// One maker, chosen by chance, quotes anew around `fair` (probability of YES).
    pub(super) fn requote(&mut self, market: usize, fair: f64, random: &mut ChaCha8Rng, actions: &mut Vec<Action>) {
        let maker = usize::from(random.random_bool(0.4));
        let (half_spread, levels) = MAKERS[maker];
        let opinion = fair * 100.0 + 0.6 * normal(random);
        let mut wanted = Quotes::new();
        for outcome in Outcome::BOTH {
            let value = if outcome == Outcome::Yes { opinion } else { 100.0 - opinion };
            let room = self.best(outcome.opposite(), |other| other != maker).map_or(99, |bid| 99 - bid);
            let top = cents((value - half_spread).floor()).min(room);
            for level in 0..levels {
                // The second maker leaves gaps, as people do.
                let Some(at) = top.checked_sub(level * u16::try_from(maker + 1).expect("two makers")) else { break };
                if at == 0 {
                    break;
                }
                let old = self.makers[maker].get(&(outcome, at)).copied();
                let keep = old.filter(|_| level > 0 && random.random_bool(0.85));
                let fresh = 100 * random.random_range(5..60_u64) * u64::from(level + 1);
                let part = if random.random_bool(0.15) { random.random_range(1..100) } else { 0 };
                wanted.insert((outcome, at), keep.unwrap_or(Quantity::new(fresh + part)));
            }
        }
        let old = std::mem::replace(&mut self.makers[maker], wanted);
        // What shrinks comes first, so that a quote that moves does not cross its own past.
        for grows in [false, true] {
            let keys: std::collections::BTreeSet<_> = old.keys().chain(self.makers[maker].keys()).collect();
            for key in keys {
                let size = |quotes: &Quotes| quotes.get(key).copied().unwrap_or_default().signed();
                let change = size(&self.makers[maker]) - size(&old);
                if change != 0 && (change > 0) == grows {
                    actions.push(Action::Level { market, outcome: key.0, price: price(key.1), change, ts_ms: None });
                }
            }
        }
    }

    /// Someone buys `taker` for at most `limit` cents a contract: against bids for the other outcome, best first.
    pub(super) fn take(
        &mut self,
        market: usize,
        taker: Outcome,
        limit: u16,
        mut wanted: Quantity,
        actions: &mut Vec<Action>,
    ) {
        let resting = taker.opposite();
        while !wanted.is_zero() {
            let Some(bid) = self.best(resting, |_| true).filter(|bid| 100 - bid <= limit) else { return };
            let mut traded = Quantity::ZERO;
            for maker in &mut self.makers {
                let Some(size) = maker.get_mut(&(resting, bid)) else { continue };
                let part = wanted.min(*size);
                *size -= part;
                wanted -= part;
                traded += part;
                if size.is_zero() {
                    maker.remove(&(resting, bid));
                }
            }
            let yes = if taker == Outcome::Yes { 100 - bid } else { bid };
            actions.push(Action::Trade { market, taker, price: price(yes), quantity: traded });
            let change = -traded.signed();
            actions.push(Action::Level { market, outcome: resting, price: price(bid), change, ts_ms: None });
        }
    }

    /// Someone who has to trade now.
    pub(super) fn noise(&mut self, market: usize, random: &mut ChaCha8Rng, actions: &mut Vec<Action>) {
        let taker = if random.random_bool(0.5) { Outcome::Yes } else { Outcome::No };
        let Some(bid) = self.best(taker.opposite(), |_| true) else { return };
        let limit = (100 - bid + u16::from(random.random_bool(0.1))).min(99);
        self.take(market, taker, limit, Quantity::contracts(random.random_range(1..30)), actions);
    }

    /// Someone who believes in `fair` and takes what is better by more than three cents.
    pub(super) fn informed(&mut self, market: usize, fair: f64, random: &mut ChaCha8Rng, actions: &mut Vec<Action>) {
        let size = Quantity::contracts(random.random_range(10..80));
        for (taker, value) in [(Outcome::Yes, fair), (Outcome::No, 1.0 - fair)] {
            self.take(market, taker, cents((value * 100.0 - 3.0).floor()), size, actions);
        }
    }

    /// Trading is over.
    pub(super) fn leave(&mut self) {
        *self = Self::default();
    }
}
