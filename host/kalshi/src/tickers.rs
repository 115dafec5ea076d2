//! From a ticker to the market's number: looked up once per frame, so it is a flat table with open addressing.
//!
//! Deterministic (no random hash keys) and never iterated in hash order.

use isobar_engine::market::MarketId;

const FREE: u16 = u16::MAX;

/// Names of the listed markets, by number.
#[derive(Debug, Default)]
pub(crate) struct Tickers {
    names: Vec<Box<str>>,
    /// A power of two, at most half full; each slot an index into `names` or [`FREE`].
    slots: Vec<u16>,
}

impl Tickers {
    /// Names `market`, whose number must be the next one or known already. Says whether it did.
    pub(crate) fn insert(&mut self, market: MarketId, name: &str) -> bool {
        match self.names.get(market.index()) {
            Some(known) => return **known == *name,
            None if market.index() != self.names.len() || market.0 == FREE || self.find(name.as_bytes()).is_some() => {
                return false;
            }
            None => self.names.push(name.into()),
        }
        if self.slots.len() < 2 * self.names.len() {
            self.slots = vec![FREE; (4 * self.names.len()).next_power_of_two()];
            for index in 0..self.names.len() {
                self.place(index);
            }
        } else {
            self.place(market.index());
        }
        true
    }

    /// The market of that name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<MarketId> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = hash(name) & mask;
        while self.slots[slot] != FREE {
            let index = self.slots[slot];
            if self.names[usize::from(index)].as_bytes() == name {
                return Some(MarketId(index));
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    /// The name of a listed market.
    pub(crate) fn name(&self, market: MarketId) -> &str {
        &self.names[market.index()]
    }

    fn place(&mut self, index: usize) {
        let mask = self.slots.len() - 1;
        let mut slot = hash(self.names[index].as_bytes()) & mask;
        while self.slots[slot] != FREE {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = u16::try_from(index).expect("a market's number fits u16");
    }
}

/// Eight bytes a step; the last step overlaps so that no byte is left out.
fn hash(name: &[u8]) -> usize {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = name.len() as u64;
    let mut mix = |word: u64| state = (state.rotate_left(23) ^ word).wrapping_mul(MULTIPLIER);
    let (words, _) = name.as_chunks::<8>();
    words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
    match name.last_chunk::<8>() {
        Some(word) => mix(u64::from_le_bytes(*word)),
        None => name.iter().for_each(|byte| mix(u64::from(*byte))),
    }
    (state ^ (state >> 32)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_found_and_no_other() {
        let mut tickers = Tickers::default();
        assert_eq!(tickers.find(b"KX"), None);
        let names: Vec<String> = (0..500).map(|n| format!("KXHIGHCHI-26NOV23-B{n}.5")).collect();
        for (number, name) in names.iter().enumerate() {
            assert!(tickers.insert(MarketId(number as u16), name));
        }
        for (number, name) in names.iter().enumerate() {
            assert_eq!(tickers.find(name.as_bytes()), Some(MarketId(number as u16)));
        }
        assert_eq!(tickers.find(b"KXHIGHCHI-26NOV23-B500.5"), None);
        assert_eq!(tickers.find(b""), None);
    }

    #[test]
    fn a_number_out_of_order_and_a_name_used_twice_are_not_taken() {
        let mut tickers = Tickers::default();
        assert!(!tickers.insert(MarketId(3), "A"));
        assert!(tickers.insert(MarketId(0), "A"));
        assert!(tickers.insert(MarketId(0), "A"), "the same again is a change of other facts");
        assert!(!tickers.insert(MarketId(0), "B"));
        assert!(!tickers.insert(MarketId(1), "A"));
    }
}
