//! What the exchange itself does to orders: expiry, close, pause, payment.

use super::order::{Key, Reason};
use crate::exchange::{Change, Exchange, Halt};
use crate::messages;
use isobar_engine::units::Timestamp;

impl Exchange {
    /// Every resting order of which `which` is true.
    pub(crate) fn resting(&self, which: impl Fn(&super::Order) -> bool) -> Vec<Key> {
        let accounts = self.accounts.iter().enumerate();
        let orders = accounts.flat_map(|(index, account)| {
            let numbers = account.resting.values().flatten();
            numbers.map(move |number| (index, &account.orders[number]))
        });
        orders.filter(|(_, order)| which(order)).map(|(index, order)| (index, order.number)).collect()
    }

    /// Ends orders one after the other.
    pub(crate) fn end_all(&mut self, keys: &[Key], reason: Reason, changes: &mut Vec<Change>) {
        let now_ms = self.now.0.div_euclid(1_000_000);
        for key in keys {
            let market = self.order(*key).market;
            self.end(*key, reason, changes);
            self.summarise(market, now_ms, changes);
        }
    }

    /// Trading in a market is over.
    pub(crate) fn close_orders(&mut self, market: usize, changes: &mut Vec<Change>) {
        let keys = self.resting(|order| order.market == market);
        self.end_all(&keys, Reason::CloseCancel, changes);
    }

    /// Orders whose time has come die. Nothing dies while the whole exchange is paused.
    pub(crate) fn expire(&mut self, now: Timestamp, changes: &mut Vec<Change>) {
        while let Some((at, account, number)) = self.expiries.first().copied() {
            if at > now || self.halt == Halt::Exchange {
                return;
            }
            self.now = self.now.max(at);
            self.end_all(&[(account, number)], Reason::ExpiryCancel, changes);
        }
    }

    /// Pauses or resumes; orders that asked for it are cancelled at the beginning of a pause.
    pub(crate) fn set_halt(&mut self, halt: Halt, changes: &mut Vec<Change>) {
        if self.halt == Halt::None && halt != Halt::None {
            let keys = self.resting(|order| order.cancel_on_pause);
            self.end_all(&keys, Reason::HaltCancel, changes);
        }
        self.halt = halt;
    }

    /// Pauses one market (`deactivated`), or resumes it (`activated`), which cancels all its orders (PROTOCOL.md 7.3).
    pub(crate) fn set_paused(&mut self, market: usize, paused: bool, changes: &mut Vec<Change>) {
        if self.markets[market].paused == paused {
            return;
        }
        let keys = self.resting(|order| order.market == market && (!paused || order.cancel_on_pause));
        self.end_all(&keys, Reason::HaltCancel, changes);
        self.markets[market].paused = paused;
        changes.push(messages::paused(&self.markets[market], market));
    }

    /// Pays every position of a market whose result is known.
    pub(crate) fn pay(&mut self, market: usize, changes: &mut Vec<Change>) {
        let Some(yes) = self.markets[market].result.as_ref().map(|result| result.yes) else { return };
        let at = self.now;
        for account in 0..self.accounts.len() {
            if self.accounts[account].settle(market, yes, at).is_some() {
                changes.push(messages::position(self, account, market));
            }
        }
        self.house.settle(market, yes);
    }
}
