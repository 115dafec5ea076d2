//! How a slot is stopped and armed again, how its limits change, and what may not rest any longer.

use super::Engine;
use crate::conduct::{Conduct, Stop};
use crate::event::{CancelReason, Effect, Notice, Report};
use crate::market::MarketId;
use crate::order::{OpenOrder, OrderId};
use crate::risk::{Intent, Limits};
use crate::units::Timestamp;
use crate::venue::{Command, ExchangeStatus, Request};
use std::collections::BTreeSet;

pub(super) fn tell(effects: &mut Vec<Effect>, notice: Notice) {
    effects.push(Effect::Report(Report::Notice(notice)));
}

impl Engine {
    pub(super) fn command(&mut self, command: &Command, effects: &mut Vec<Effect>) {
        match command {
            Command::Halt { reason } => self.halt(reason.clone(), false, effects),
            Command::Rearm => self.rearm(effects),
            Command::Wind => self.wind(effects),
            Command::Limits { limits, confirmed } => self.change_limits(limits, *confirmed, effects),
        }
    }

    /// Places nothing more, cancels everything, triggers the order group and reads the account until nothing rests.
    pub(super) fn halt(&mut self, reason: String, differed: bool, effects: &mut Vec<Effect>) {
        let differed = differed || self.conduct.stop().is_some_and(|stop| stop.differed);
        self.conduct = Conduct::Halted(Stop { since: self.now, flat: false, differed });
        tell(effects, Notice::Halted { reason });
        self.pull_for_stop(effects);
        if self.execution.live().is_some() {
            effects.push(Effect::Send(Request::TriggerGroup));
            self.group.triggered = true;
            self.group.ask(true, self.now);
        }
    }

    fn wind(&mut self, effects: &mut Vec<Effect>) {
        if self.conduct.trades() {
            self.conduct = Conduct::Winding(Stop { since: self.now, flat: false, differed: false });
            tell(effects, Notice::Winding);
            self.pull_for_stop(effects);
        }
    }

    /// Cancels leave before anything else does.
    fn pull_for_stop(&mut self, effects: &mut Vec<Effect>) {
        self.tell_orders();
        self.pull_all(CancelReason::Halted);
        self.execution.drain_effects(effects);
        self.reconciler.want(self.now);
    }

    fn rearm(&mut self, effects: &mut Vec<Effect>) {
        if let Some(reason) = self.conduct.refuses_to_arm(self.now) {
            return tell(effects, Notice::NotRearmed { reason });
        }
        if self.conduct.stop().is_some_and(|stop| stop.differed) {
            self.reconciler.adopt_anew(self.now);
        } else {
            self.reconciler.doubt(self.now);
        }
        self.conduct = Conduct::Trading;
        self.tell_orders();
        if self.execution.live().is_some() {
            effects.push(Effect::Send(Request::ResetGroup));
            self.group.ask(false, self.now);
        }
        tell(effects, Notice::Rearmed);
        self.want_all();
    }

    pub(super) fn group_changed(&mut self, triggered: bool, effects: &mut Vec<Effect>) {
        if self.execution.live().is_none() {
            return;
        }
        if self.group.wanted == Some(triggered) {
            self.group.wanted = None;
        }
        // A late word about a trigger that is to be reset does not count: the reset is asked for until it is heard.
        if self.group.wanted.is_none() {
            self.group.triggered = triggered;
        }
        if triggered && self.conduct.trades() && self.group.wanted.is_none() {
            self.halt("the venue triggered the order group".to_owned(), false, effects);
        }
        if !triggered {
            self.want_all();
        }
    }

    /// Asks again for what the order group did not say that it did.
    pub(super) fn tick_group(&mut self, wait: i64, effects: &mut Vec<Effect>) {
        let Some(trigger) = self.group.wanted.filter(|_| self.now >= self.group.due) else { return };
        self.group.due = self.now.plus(wait);
        effects.push(Effect::Send(if trigger { Request::TriggerGroup } else { Request::ResetGroup }));
    }

    pub(super) fn exchange_changed(&mut self, status: ExchangeStatus) {
        if std::mem::replace(&mut self.exchange, status) != status {
            self.tell_orders();
            self.pull_what_may_not_rest();
            self.want_all();
        }
    }

    /// Tightening is immediate; letting more pass needs a confirmation, without which all old limits stay.
    fn change_limits(&mut self, limits: &Limits, confirmed: bool, effects: &mut Vec<Effect>) {
        let loosened: Vec<String> = limits.loosened(&self.settings.limits).into_iter().map(str::to_owned).collect();
        if !confirmed && !loosened.is_empty() {
            return tell(effects, Notice::LimitsUnconfirmed { loosened });
        }
        self.settings.limits = limits.clone();
        tell(effects, Notice::Limits { loosened });
        self.pull_beyond_limits();
        self.pull_what_may_not_rest();
        self.want_all();
    }

    /// Pulls the orders that would not pass now, the youngest first: each is held against those older ones that stay.
    fn pull_beyond_limits(&mut self) {
        let mut orders: Vec<(MarketId, OpenOrder)> = Vec::new();
        for id in self.listings.iter().map(|listing| listing.market.id) {
            orders.extend(self.execution.open(id).filter(|order| !order.cancelling).map(|order| (id, order)));
        }
        orders.sort_by_key(|(_, order)| order.id);
        let (mut kept, mut pulled) = (BTreeSet::new(), Vec::new());
        for (market, order) in orders {
            let counts = |other: &OpenOrder| kept.contains(&other.id);
            let day = &self.city_days[usize::from(self.listings[market.index()].city_day)];
            let (stakes, slot) = (self.stakes_of(day, counts), self.slot_state_of(counts));
            let standing = self.standing_of(market, day, &stakes, slot, counts);
            let OpenOrder { side, price, staying: quantity, take, .. } = order;
            let fits = self.settings.limits.sizes(&Intent { side, price, quantity, take }, &standing).is_ok();
            let few = u32::try_from(kept.len()).is_ok_and(|count| count < self.settings.limits.open_orders);
            if fits && few {
                kept.insert(order.id);
            } else {
                pulled.push(order.id);
            }
        }
        self.pull(pulled, CancelReason::Limits);
    }

    /// Pulls quotes at times at which nothing may be placed for a reason that lasts: the exchange is paused, a window without
    /// trading, clocks too far apart, a day that lost too much. (A slot that is only unproved keeps its quotes.)
    pub(super) fn pull_what_may_not_rest(&mut self) {
        let mut slot = self.slot_state();
        (slot.halted, slot.unproved) = (false, false);
        let was_barred = self.barred;
        self.barred = self.settings.limits.slot_trades(&slot, self.now).is_err();
        if self.barred {
            let paused = slot.paused;
            return self.pull_all(if paused { CancelReason::MarketClosed } else { CancelReason::Limits });
        }
        if was_barred {
            self.want_all();
        }
        let before_close = self.settings.limits.before_close;
        let soon = |closes: Timestamp| closes.since(self.now) < before_close;
        let closing = self.listings.iter().filter(|listing| !listing.closed && soon(listing.market.closes));
        for market in closing.map(|listing| listing.market.id).collect::<Vec<_>>() {
            self.pull_market(market, CancelReason::MarketClosed);
        }
    }

    pub(super) fn pull_all(&mut self, reason: CancelReason) {
        for index in 0..self.listings.len() {
            self.pull_market(self.listings[index].market.id, reason);
        }
    }

    pub(super) fn pull_market(&mut self, market: MarketId, reason: CancelReason) {
        let open = self.execution.open(market).filter(|order| !order.cancelling);
        self.pull(open.map(|order| order.id).collect(), reason);
    }

    fn pull(&mut self, orders: Vec<OrderId>, reason: CancelReason) {
        for order in orders {
            self.execution.cancel(order, self.now, reason);
        }
    }

    pub(super) fn want_all(&mut self) {
        for index in 0..self.city_days.len() {
            self.want(u16::try_from(index).expect("fewer than 65 536 city-days"), None);
        }
    }

    /// Nothing of a paper slot rests once its cancels took effect.
    pub(super) fn notice_paper_flat(&mut self, effects: &mut Vec<Effect>) {
        let none = self.execution.live().is_none() && self.execution.open_orders() == 0;
        if let Some(stop) = self.conduct.stop_mut().filter(|stop| none && !stop.flat) {
            stop.flat = true;
            tell(effects, Notice::Flat);
        }
    }
}

impl super::Group {
    fn ask(&mut self, trigger: bool, now: Timestamp) {
        self.wanted = Some(trigger);
        // The first request leaves at once; this is when it is repeated.
        self.due = now.plus(5 * crate::units::SECOND);
    }
}
