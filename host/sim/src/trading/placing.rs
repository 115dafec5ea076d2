//! Taking a new order: what is checked, in which order, and what becomes of it.

use super::order::{Key, NewOrder, Order, Reason, Status, TimeInForce, level};
use crate::book::Outcome;
use crate::exchange::{Change, Exchange, Halt};
use crate::listing::uuid;
use crate::refusal::Refusal;
use isobar_engine::fees::OrderFees;
use isobar_engine::units::{Money, Price, Quantity, Side};

/// What became of an order at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Placed {
    pub(crate) order: u64,
    pub(crate) filled: Quantity,
    pub(crate) remaining: Quantity,
    /// Contracts times YES price of the executions.
    pub(crate) value: Money,
    pub(crate) fees: Money,
}

impl Exchange {
    /// Whether orders of a market may be placed and amended now.
    pub(super) fn tradable(&self, market: usize) -> Result<(), Refusal> {
        self.reachable(market)?;
        match self.halt {
            Halt::None if !self.markets[market].paused => Ok(()),
            Halt::None | Halt::Trading => Err(Refusal::TradingPaused),
            Halt::Exchange => Err(Refusal::ExchangePaused),
        }
    }

    /// Whether anything can be done to orders of a market: not after its close, not while the exchange is paused.
    pub(super) fn reachable(&self, market: usize) -> Result<(), Refusal> {
        if self.halt == Halt::Exchange {
            return Err(Refusal::ExchangePaused);
        }
        match self.markets[market].status(self.now) {
            "active" | "inactive" => Ok(()),
            _ => Err(Refusal::MarketInactive),
        }
    }

    /// Whether a price may be quoted in a market.
    pub(super) fn priced(&self, market: usize, price: Price) -> Result<(), Refusal> {
        let inside = price > Price::ZERO && price < Price::ONE;
        if inside && self.markets[market].grid.allows(price) { Ok(()) } else { Err(Refusal::InvalidPrice) }
    }

    /// Whether an account can pay for an order at its worst, its taker fee included, `instead_of` a resting one. A better price never costs more:
    /// the fee grows by at most 7 cents for each dollar of price.
    pub(super) fn affordable(
        &self,
        account: usize,
        market: usize,
        wanted: (Side, Price, Quantity),
        instead_of: Option<u64>,
    ) -> Result<(), Refusal> {
        let account = &self.accounts[account];
        let fee = self.fees(market).per_fill(true, wanted.0, wanted.1, wanted.2);
        let others = account.pledge(market, instead_of, None);
        let needed = account.pledge(market, instead_of, Some(wanted)) - others;
        let released = account.pledge(market, None, None) - others;
        let short = needed > Money::ZERO && needed + fee > account.available() + released;
        if short { Err(Refusal::InsufficientBalance) } else { Ok(()) }
    }

    /// Contracts that an order could take at once, those of its own account left out.
    fn takeable(&self, account: usize, market: usize, buys: Outcome, most: Price) -> Quantity {
        let levels = self.markets[market].book.bids(buys.opposite()).iter().rev();
        let levels = levels.take_while(|(price, _)| price.complement() <= most);
        let foreign = levels.map(|(price, quantity)| {
            let queue = self.markets[market].resting.queue((buys.opposite(), *price));
            let own = queue.into_iter().filter(|key| key.0 == account);
            *quantity - own.map(|key| self.order(key).remaining).sum()
        });
        foreign.sum()
    }

    /// Places an order. Every refusal leaves everything as it was, the client's id unburnt.
    pub(crate) fn place(
        &mut self,
        account: usize,
        new: NewOrder,
        changes: &mut Vec<Change>,
    ) -> Result<Placed, Refusal> {
        let market = new.market;
        if !new.client_order_id.is_empty() && self.accounts[account].burnt.contains(&new.client_order_id) {
            return Err(Refusal::OrderAlreadyExists);
        }
        self.tradable(market)?;
        self.priced(market, new.price)?;
        let group = match &new.group {
            None => None,
            Some(id) => {
                let known = self.accounts[account].groups.values().find(|group| group.id == *id);
                let group = known.ok_or(Refusal::InvalidOrder("order group not found"))?;
                if group.triggered {
                    return Err(Refusal::InvalidOrder("order group has been triggered"));
                }
                Some(group.number)
            }
        };
        let mut count = new.count;
        if new.reduce_only {
            let position = self.accounts[account].position(market);
            count = count.min(Quantity::new((-position * new.side.sign()).max(0).unsigned_abs()));
        }
        let (buys, most) = level(new.side, new.price);
        if new.post_only && self.crossing(market, buys, most).is_some() {
            return Err(Refusal::InvalidOrder("post only cross"));
        }
        if new.time_in_force == TimeInForce::FillOrKill {
            // One that would meet an order of its own account is as immediate-or-cancel (PROTOCOL.md 3.6).
            let foreign = self.takeable(account, market, buys, most);
            let meets_own = self.own_crossing(account, market, buys, most);
            if foreign < count && !meets_own {
                return Err(Refusal::FillOrKill);
            }
        }
        self.affordable(account, market, (new.side, new.price, count), None)?;
        let key = self.enter(account, &new, count, group);
        let placed = self.run(key, new.time_in_force != TimeInForce::GoodTillCanceled, Reason::Placed, changes);
        self.summarise(market, self.now.0.div_euclid(1_000_000), changes);
        self.trip(changes);
        Ok(placed)
    }

    fn own_crossing(&self, account: usize, market: usize, buys: Outcome, most: Price) -> bool {
        let resting = self.accounts[account].resting_in(market);
        let mut opposite = resting.filter(|order| order.outcome() == buys.opposite());
        opposite.any(|order| order.level().1.complement() <= most)
    }

    fn enter(&mut self, account: usize, new: &NewOrder, count: Quantity, group: Option<u64>) -> Key {
        self.numbers += 1;
        let number = self.numbers;
        let id = uuid(self.seed.rotate_left(17) ^ (1 << 62) ^ number);
        let order = Order {
            number,
            id: id.clone(),
            account,
            client_order_id: new.client_order_id.clone(),
            market: new.market,
            side: new.side,
            price: new.price,
            initial: count,
            filled: Quantity::ZERO,
            remaining: count,
            status: Status::Resting,
            self_trade: new.self_trade,
            post_only: new.post_only,
            cancel_on_pause: new.cancel_on_pause,
            expires: new.expires,
            group,
            created: self.now,
            updated: self.now,
            taker_cost: Money::ZERO,
            maker_cost: Money::ZERO,
            taker_fees: Money::ZERO,
            maker_fees: Money::ZERO,
            rounding: OrderFees::default(),
            ahead: Quantity::ZERO,
        };
        let member = &mut self.accounts[account];
        if !new.client_order_id.is_empty() {
            member.burnt.insert(new.client_order_id.clone());
        }
        member.ids.insert(id, number);
        member.orders.insert(number, order);
        (account, number)
    }

    /// Lets an order that is in no queue trade; what is left rests, or ends where it may not.
    pub(super) fn run(&mut self, key: Key, immediate: bool, reason: Reason, changes: &mut Vec<Change>) -> Placed {
        let (market, account, before) = {
            let order = self.order(key);
            (order.market, key.0, (order.filled, order.taker_fees))
        };
        let fills = self.accounts[account].fills.len();
        let (buys, most) = {
            let order = self.order(key);
            level(order.side, order.price)
        };
        let mut stopped = false;
        while !self.order(key).remaining.is_zero() && !stopped {
            let Some((price, _)) = self.crossing(market, buys, most) else { break };
            let wanted = self.order(key).remaining;
            let taken = self.take_level(market, (buys.opposite(), price), wanted, key, changes);
            stopped = taken.stopped;
        }
        let at = self.now;
        let remaining = self.order(key).remaining;
        let rests = !remaining.is_zero() && !stopped && !immediate;
        let reason = if rests {
            self.rest(key, changes);
            reason
        } else {
            let order = self.order_mut(key);
            order.updated = at;
            order.remaining = Quantity::ZERO;
            let dead = stopped || !remaining.is_zero() || order.filled.is_zero();
            self.retire(key, if dead { Status::Canceled } else { Status::Executed });
            if stopped { Reason::SelfTradeCancel } else { reason }
        };
        let filled = self.order(key).filled - before.0;
        let reason = if filled.is_zero() || reason == Reason::SelfTradeCancel { reason } else { Reason::Trade };
        self.tell_order(key, reason, changes);
        let mine = self.accounts[account].fills[fills..].iter().filter(|fill| fill.order == key.1);
        let order = self.order(key);
        Placed {
            order: key.1,
            filled,
            remaining: order.remaining,
            value: mine.map(|fill| fill.price.times(fill.quantity)).sum(),
            fees: order.taker_fees - before.1,
        }
    }

    /// Puts an order at the end of its level.
    pub(super) fn rest(&mut self, key: Key, changes: &mut Vec<Change>) {
        let order = self.order(key);
        let (market, level, remaining, expires) = (order.market, order.level(), order.remaining, order.expires);
        let ahead = self.visible(market, level);
        self.shift(market, level, remaining.signed(), Some(key), changes);
        self.order_mut(key).ahead = ahead;
        self.order_mut(key).status = Status::Resting;
        self.markets[market].resting.join(level, key);
        self.accounts[key.0].resting.entry(market).or_default().insert(key.1);
        if let Some(at) = expires {
            self.expiries.insert((at, key.0, key.1));
        }
    }
}
