//! Proof of life: what silence means, and what is asked before it is believed.
//!
//! A quiet market alone is not stale. A quiet connection is asked by Ping, a quiet subscription by a snapshot of one of its
//! markets, each after a third of `stale_after`; without an answer until `stale_after` the connection is given up. An
//! observed connection cannot be asked anything, so its silence means nothing.

use super::connection::{Channel, Purpose};
use super::{Protocol, Transmit};
use isobar_engine::event::{Body, StaleReason};
use isobar_engine::market::MarketId;
use isobar_engine::units::Timestamp;

impl Protocol {
    /// Looks at every connection. Gives the first bad news; what else there is comes with the next call.
    pub(super) fn watch(&mut self, at: Timestamp, transmit: &mut Vec<Transmit>) -> Option<Body> {
        (0..self.connections.len()).find_map(|index| self.watch_connection(at, index, transmit))
    }

    fn watch_connection(&mut self, at: Timestamp, index: usize, transmit: &mut Vec<Transmit>) -> Option<Body> {
        let (limit, third) = (self.stale_after, self.stale_after / 3);
        let open = &mut self.connections[index];
        if open.observed || open.closing {
            return None;
        }
        if at.since(open.heard) >= limit {
            return self.give_up(index, StaleReason::SilentConnection, transmit);
        }
        if at.since(open.heard) >= third && at.since(open.pinged) >= third {
            open.pinged = at;
            transmit.push(Transmit::Ping { connection: open.number });
        }
        let overdue = |purpose: &Purpose| matches!(purpose, Purpose::Subscribe(_));
        if open.pending.iter().any(|pending| at.since(pending.at) >= limit && overdue(&pending.purpose)) {
            return self.give_up(index, StaleReason::SilentSubscription, transmit);
        }
        open.pending.retain(|pending| at.since(pending.at) < limit);
        if open.retry.is_some_and(|retry| retry <= at) {
            open.retry = None;
            self.reconcile(at, index, transmit);
        }
        for sub in 0..self.connections[index].subscriptions.len() {
            if self.silent(at, index, sub, transmit) {
                return self.give_up(index, StaleReason::SilentSubscription, transmit);
            }
        }
        None
    }

    /// Whether a subscription to books left its probe unanswered. Asks it where it is time to.
    fn silent(&mut self, at: Timestamp, index: usize, sub: usize, transmit: &mut Vec<Transmit>) -> bool {
        let (limit, third) = (self.stale_after, self.stale_after / 3);
        let state = &self.connections[index].subscriptions[sub];
        if state.channel != Channel::Book {
            return false;
        }
        let wanted = |market: &&MarketId| self.markets[market.index()].wanted();
        let Some(probe) = state.markets.iter().find(wanted).copied() else { return false };
        if at.since(state.heard) >= limit {
            return true;
        }
        let open = &self.connections[index];
        let missing: Vec<MarketId> = state
            .markets
            .iter()
            .filter(wanted)
            .filter(|market| {
                let asked = open.snapshots.get(market);
                let stands = self.markets[market.index()].merge.stands_on(open.number, state.sid);
                !stands && asked.is_none_or(|asked| at.since(*asked) >= third)
            })
            .copied()
            .collect();
        if !missing.is_empty() {
            self.ask(at, index, sub, &missing, transmit);
        } else if at.since(state.heard.max(state.probed)) >= third {
            self.ask(at, index, sub, &[probe], transmit);
        }
        false
    }

    fn give_up(&mut self, index: usize, reason: StaleReason, transmit: &mut Vec<Transmit>) -> Option<Body> {
        let deaf = self.deaf_without(index);
        let markets = self.doubt_connection(index);
        let open = &mut self.connections[index];
        open.closing = true;
        transmit.push(Transmit::Reconnect { connection: open.number, reason });
        match markets.is_empty() {
            true => deaf.then_some(Body::Unheard),
            false => Some(Body::Stale { markets, reason }),
        }
    }
}
