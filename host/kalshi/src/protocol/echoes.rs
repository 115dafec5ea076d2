//! What several connections tell without a number that they share: trades, changes of a market, positions, order groups.
//!
//! Each connection tells all of it in the same order. What one told first, the others still owe, and when they tell it, it is
//! known already. Nothing is remembered where there is one connection, and little where all of them are well.

use super::Protocol;
use isobar_engine::event::Body;
use isobar_engine::units::Timestamp;
use std::collections::VecDeque;

/// Most that is owed; beyond it the oldest is given up. Two connections are apart by what is told within their lag.
const MOST: usize = 4_096;

#[derive(Debug)]
struct Owed<K> {
    told: K,
    at: Timestamp,
    by: Vec<u32>,
}

/// Things told, and by which connections they are still to be told.
#[derive(Debug)]
pub(super) struct Echoes<K> {
    owed: VecDeque<Owed<K>>,
}

impl<K> Default for Echoes<K> {
    fn default() -> Self {
        Self { owed: VecDeque::new() }
    }
}

impl<K: PartialEq> Echoes<K> {
    /// Whether `connection` tells at `at` what another one told; otherwise it is news, which `others` owe from here on.
    pub(super) fn is_echo(
        &mut self,
        at: Timestamp,
        connection: u32,
        others: impl Iterator<Item = u32>,
        told: K,
    ) -> bool {
        let expected = |owed: &Owed<K>| owed.told == told && owed.by.contains(&connection);
        if let Some(index) = self.owed.iter().position(expected) {
            self.settle(index, connection);
            return true;
        }
        let by: Vec<u32> = others.filter(|other| *other != connection).collect();
        if !by.is_empty() {
            if self.owed.len() == MOST {
                self.owed.pop_front();
            }
            self.owed.push_back(Owed { told, at, by });
        }
        false
    }

    /// Whether nothing is owed.
    pub(super) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    /// A connection is gone: it tells nothing more.
    pub(super) fn gone(&mut self, connection: u32) {
        for index in (0..self.owed.len()).rev() {
            self.settle(index, connection);
        }
    }

    /// Gives up what was told before `at`: a connection that was not subscribed yet never tells it, and tells the same words
    /// later as news.
    pub(super) fn forget_before(&mut self, at: Timestamp) {
        while self.owed.front().is_some_and(|owed| owed.at < at) {
            self.owed.pop_front();
        }
    }

    fn settle(&mut self, index: usize, connection: u32) {
        let owed = &mut self.owed[index];
        owed.by.retain(|by| *by != connection);
        if owed.by.is_empty() {
            self.owed.remove(index);
        }
    }
}

impl Protocol {
    /// Whether another connection told the same: then it is counted, and there is nothing to apply.
    pub(super) fn is_echo(&mut self, at: Timestamp, index: usize, body: &Body) -> bool {
        if self.connections.len() == 1 && self.news.is_empty() {
            return false;
        }
        self.news.forget_before(at.plus(-self.stale_after));
        let open = self.connections.iter().map(|open| open.number);
        let echo = self.news.is_echo(at, self.connections[index].number, open, body.clone());
        self.counts.seen += u64::from(echo);
        echo
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(echoes: &mut Echoes<u8>, connection: u32, word: u8) -> bool {
        echoes.is_echo(Timestamp(0), connection, [1, 2].into_iter(), word)
    }

    #[test]
    fn what_both_tell_is_news_once_whoever_is_ahead() {
        let mut echoes = Echoes::default();
        let script = [(1, 7), (1, 8), (2, 7), (2, 8), (2, 9), (2, 7), (1, 9), (1, 7), (2, 9)];
        let news = script.map(|(connection, word)| !told(&mut echoes, connection, word));
        assert_eq!(news, [true, true, false, false, true, true, false, false, true]);
    }

    #[test]
    fn the_same_words_twice_on_one_connection_are_twice_news() {
        let mut echoes = Echoes::default();
        let news =
            [(1, 7), (1, 7), (2, 7), (2, 7), (2, 7)].map(|(connection, word)| !told(&mut echoes, connection, word));
        assert_eq!(news, [true, true, false, false, true]);
    }

    #[test]
    fn nothing_is_kept_for_one_connection_or_for_one_that_is_gone() {
        let mut echoes = Echoes::default();
        assert!(!echoes.is_echo(Timestamp(0), 1, [1].into_iter(), 7));
        assert!(echoes.is_empty());
        told(&mut echoes, 1, 7);
        echoes.gone(2);
        assert!(echoes.is_empty());
        for word in 0..=255 {
            for _ in 0..20 {
                told(&mut echoes, 1, word);
            }
        }
        assert_eq!(echoes.owed.len(), MOST);
        echoes.forget_before(Timestamp(1));
        assert!(echoes.is_empty());
    }
}
