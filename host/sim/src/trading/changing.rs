//! Changes of resting orders: cancel, decrease, amend, queue position.

use super::order::{Key, Order, Reason, level};
use super::placing::Placed;
use crate::exchange::{Change, Exchange};
use crate::refusal::Refusal;
use isobar_engine::units::{Price, Quantity, SECOND, Side, Timestamp};

/// Longest time after which a cancel-all also takes what came after it, in seconds (PROTOCOL.md 3.6).
const SWEEP_S: i64 = 60;

/// By how much, or to how much, an order is decreased.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    By(Quantity),
    To(Quantity),
}

/// What an amend asks for.
#[derive(Clone, Debug)]
pub(crate) struct Amendment {
    pub(crate) market: usize,
    pub(crate) side: Side,
    pub(crate) price: Price,
    /// Contracts that were filled and those that are wanted.
    pub(crate) count: Quantity,
    pub(crate) client_order_id: Option<String>,
    pub(crate) updated_client_order_id: Option<String>,
    /// Outer nothing: keep. Inner nothing: remove.
    pub(crate) expires: Option<Option<Timestamp>>,
}

/// What an amend did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changed {
    pub(crate) placed: Placed,
    /// Whether the resting size changed or something was filled.
    pub(crate) resized: bool,
}

impl Exchange {
    fn resting_order(&self, account: usize, id: &str) -> Result<&Order, Refusal> {
        self.accounts[account].find_resting(id).ok_or(Refusal::NotFound)
    }

    /// Cancels a resting order: its number and how much it still wanted. Anything else is `not_found`.
    pub(crate) fn cancel(
        &mut self,
        account: usize,
        id: &str,
        changes: &mut Vec<Change>,
    ) -> Result<(u64, Quantity), Refusal> {
        // After the close an order is unreachable whether it still rests or not.
        let known = self.accounts[account].find(id).map(|order| order.market);
        if let Some(market) = known {
            self.reachable(market)?;
        }
        let order = self.resting_order(account, id)?;
        let (number, market) = (order.number, order.market);
        let reduced = self.end((account, number), Reason::Asked, changes);
        self.summarise(market, self.now.0.div_euclid(1_000_000), changes);
        Ok((number, reduced))
    }

    /// Cancels everything of an account, and once more at a moment of the following minute, as the venue may.
    pub(crate) fn cancel_all(&mut self, account: usize, changes: &mut Vec<Change>) -> Result<(), Refusal> {
        if self.halt == crate::exchange::Halt::Exchange {
            return Err(Refusal::ExchangePaused);
        }
        self.sweep(account, changes);
        let chance = (self.seed ^ self.numbers).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let after = 1 + i64::try_from(chance).unwrap_or(0) % SWEEP_S;
        self.accounts[account].sweep = Some(self.now.plus(after * SECOND));
        Ok(())
    }

    /// Cancels what can be cancelled.
    pub(crate) fn sweep(&mut self, account: usize, changes: &mut Vec<Change>) {
        let resting = self.resting(|order| order.account == account);
        let keys: Vec<Key> =
            resting.into_iter().filter(|key| self.reachable(self.order(*key).market).is_ok()).collect();
        self.end_all(&keys, Reason::Asked, changes);
    }

    /// Makes a resting order smaller; it keeps its place.
    pub(crate) fn decrease(
        &mut self,
        account: usize,
        id: &str,
        cut: Cut,
        changes: &mut Vec<Change>,
    ) -> Result<u64, Refusal> {
        let order = self.resting_order(account, id)?;
        let (key, market, level, remaining) = ((account, order.number), order.market, order.level(), order.remaining);
        self.reachable(market)?;
        let left = match cut {
            Cut::By(by) => remaining.saturating_sub(by),
            Cut::To(to) if to > remaining => return Err(Refusal::InvalidSize),
            Cut::To(to) => to,
        };
        if left.is_zero() {
            self.end(key, Reason::Asked, changes);
        } else if left < remaining {
            self.shift(market, level, left.signed() - remaining.signed(), Some(key), changes);
            let at = self.now;
            let order = self.order_mut(key);
            (order.remaining, order.updated) = (left, at);
            self.tell_order(key, Reason::Decrease, changes);
        }
        self.summarise(market, self.now.0.div_euclid(1_000_000), changes);
        Ok(key.1)
    }

    /// Amends a resting order. A smaller size or another expiry keeps its place, all else loses it and may trade.
    pub(crate) fn amend(
        &mut self,
        account: usize,
        id: &str,
        wanted: &Amendment,
        changes: &mut Vec<Change>,
    ) -> Result<(u64, Changed), Refusal> {
        let order = self.resting_order(account, id)?.clone();
        let (key, market) = ((account, order.number), order.market);
        if wanted.market != market {
            return Err(Refusal::TickerMismatch);
        }
        if wanted.side != order.side {
            return Err(Refusal::SideMismatch);
        }
        if wanted.client_order_id.as_ref().is_some_and(|client| *client != order.client_order_id) {
            return Err(Refusal::ClientIdMismatch);
        }
        self.tradable(market)?;
        self.priced(market, wanted.price)?;
        let renamed = wanted.updated_client_order_id.as_ref().filter(|client| **client != order.client_order_id);
        if renamed.is_some_and(|client| self.accounts[account].burnt.contains(client)) {
            return Err(Refusal::OrderAlreadyExists);
        }
        if wanted.count <= order.filled {
            return Err(Refusal::InvalidSize);
        }
        let remaining = wanted.count - order.filled;
        let moves = wanted.price != order.price || remaining > order.remaining;
        let (buys, most) = level(wanted.side, wanted.price);
        if moves && order.post_only && self.crossing(market, buys, most).is_some() {
            return Err(Refusal::InvalidOrder("post only cross"));
        }
        if moves {
            self.affordable(account, market, (wanted.side, wanted.price, remaining), Some(key.1))?;
        }
        if let Some(client) = renamed {
            self.accounts[account].burnt.insert(client.clone());
            self.order_mut(key).client_order_id.clone_from(client);
        }
        if let Some(expires) = wanted.expires {
            self.renew(key, expires);
        }
        let at = self.now;
        let changed = if moves {
            let level = order.level();
            self.shift(market, level, -order.remaining.signed(), Some(key), changes);
            self.retire(key, order.status);
            let amended = self.order_mut(key);
            (amended.price, amended.remaining, amended.initial) = (wanted.price, remaining, wanted.count);
            amended.updated = at;
            let placed = self.run(key, false, Reason::Amend, changes);
            Changed { placed, resized: !placed.filled.is_zero() || placed.remaining != order.remaining }
        } else {
            let change = remaining.signed() - order.remaining.signed();
            if change != 0 {
                self.shift(market, order.level(), change, Some(key), changes);
            }
            let amended = self.order_mut(key);
            (amended.remaining, amended.initial, amended.updated) = (remaining, wanted.count, at);
            self.tell_order(key, Reason::Amend, changes);
            Changed { placed: Placed { order: key.1, remaining, ..Placed::default() }, resized: change != 0 }
        };
        self.summarise(market, self.now.0.div_euclid(1_000_000), changes);
        self.trip(changes);
        Ok((key.1, changed))
    }

    fn renew(&mut self, key: Key, expires: Option<Timestamp>) {
        let order = self.order_mut(key);
        let old = std::mem::replace(&mut order.expires, expires);
        if let Some(at) = old {
            self.expiries.remove(&(at, key.0, key.1));
        }
        if let Some(at) = expires {
            self.expiries.insert((at, key.0, key.1));
        }
    }

    /// Contracts that trade before a resting order does.
    pub(crate) fn queue_position(&self, key: Key) -> Quantity {
        let order = self.order(key);
        let queue = self.markets[order.market].resting.queue(order.level());
        let earlier = queue.into_iter().take_while(|other| *other != key);
        order.ahead + earlier.map(|other| self.order(other).remaining).sum()
    }
}
