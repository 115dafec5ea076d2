//! What the venue says of orders and of the account. A paper slot, which shares its feed with a live one, hears nothing.

use super::stopping::tell;
use super::{Engine, REMEMBER_PAID};
use crate::event::{Effect, Notice, Report};
use crate::market::{MarketId, MarketStatus};
use crate::order::{OrderEvent, OrderId};
use crate::reconcile::{Markets, Verdict};
use crate::risk::check::premium;
use crate::units::{Quantity, SECOND, Timestamp};
use crate::venue::{Account, OrderReport, OrderStatus, Request, VenueFill, VenueOrder};
use std::collections::BTreeSet;

/// How long the venue's reads may show a position that it paid.
const PAID_LAG: i64 = 600 * SECOND;

/// What a comparison has to know of the markets.
struct Facts<'a>(&'a Engine);

impl Markets for Facts<'_> {
    fn may_be_paid(&self, market: MarketId) -> bool {
        let listing = self.0.listings.get(market.index());
        listing.is_some_and(|l| l.paid.is_none() && (l.closed || l.market.status == MarketStatus::Closed))
    }

    fn just_paid(&self, market: MarketId) -> bool {
        let paid = self.0.listings.get(market.index()).and_then(|listing| listing.paid);
        paid.is_some_and(|(_, at)| self.0.now.since(at) < PAID_LAG)
    }
}

impl Engine {
    pub(super) fn order_heard(&mut self, order: OrderId, report: &OrderReport) {
        if let Some(orders) = self.execution.live_mut() {
            orders.hear(order, report);
        }
    }

    pub(super) fn queue_read(&mut self, places: &[(OrderId, Quantity)]) {
        if let Some(orders) = self.execution.live_mut() {
            places.iter().for_each(|(order, ahead)| orders.queued(*order, *ahead));
        }
    }

    /// A fill, told by the socket or found by a read. Before the account was taken over it is only remembered: the account
    /// that is read may hold it.
    pub(super) fn fill_heard(&mut self, fill: &VenueFill, done: &mut Vec<OrderEvent>, effects: &mut Vec<Effect>) {
        if self.count_fill(fill, done, effects) {
            self.reconciler.remember(self.now, fill);
        }
    }

    /// Counts a fill, once, and says whether it was new.
    fn count_fill(&mut self, fill: &VenueFill, done: &mut Vec<OrderEvent>, effects: &mut Vec<Effect>) -> bool {
        let Some(listing) = self.listings.get(fill.market.index()) else { return false };
        let forgotten = listing.forgotten;
        let Some(orders) = self.execution.live_mut() else { return false };
        if forgotten || !orders.fill(fill) {
            return false;
        }
        let mut events = Vec::new();
        orders.drain(&mut events);
        if !self.reconciler.adopted() {
            // What ended is told all the same; what was traded is in the account.
            done.extend(events.into_iter().filter(|event| matches!(event, OrderEvent::Cancelled { .. })));
            return true;
        }
        done.extend(events);
        if fill.order.is_none() {
            self.book_foreign(fill, effects);
        }
        true
    }

    /// The venue nets the whole account, so what others traded on it changes what we hold.
    fn book_foreign(&mut self, fill: &VenueFill, effects: &mut Vec<Effect>) {
        let VenueFill { market, side, price, quantity, fee, .. } = *fill;
        self.ledger.fill(market, side, price, quantity, fee);
        self.day.trade(premium(side, price, quantity));
        let position = self.ledger.position(market);
        effects.push(Effect::Report(Report::ForeignFill { market, side, price, quantity, fee, position }));
        self.pay_late(market, effects);
        self.want_market(market);
    }

    pub(super) fn position_pushed(&mut self, market: MarketId, contracts: i64) {
        if self.execution.live().is_some() && self.reconciler.adopted() {
            self.reconciler.hint(market, contracts, self.ledger.position(market), self.now);
        }
    }

    /// Fills may have been lost: nothing new is placed until a read shows them. Quotes stay where their books do.
    pub(super) fn unheard(&mut self, why: &str, effects: &mut Vec<Effect>) {
        if self.execution.live().is_some() && self.reconciler.doubt(self.now) {
            tell(effects, Notice::Unproved { reason: why.to_owned() });
        }
    }

    /// A read of the account: its fills are booked, its orders believed, and then both accounts have to be equal.
    pub(super) fn account_read(&mut self, account: &Account, effects: &mut Vec<Effect>) {
        if self.execution.live().is_none() || !self.reconciler.begin(account) {
            return;
        }
        let mut done = Vec::new();
        for fill in &account.fills {
            self.count_fill(fill, &mut done, effects);
        }
        let (rest, foreign) = self.believe_orders(account);
        let orders = self.execution.live_mut().expect("a live slot");
        orders.drain(&mut done);
        self.report(done, effects);
        if self.reconciler.foreign(foreign) {
            tell(effects, Notice::ForeignOrders { orders: foreign });
        }
        if !self.reconciler.adopted() {
            self.adopt(account, effects);
        }
        self.compare(account, effects);
        self.verify_flat(account, rest, effects);
    }

    /// Takes over what the read says of orders. Returns how many of ours and of others' rest.
    fn believe_orders(&mut self, account: &Account) -> (u32, u32) {
        let orders = self.execution.live_mut().expect("a live slot");
        let (mut rest, mut foreign) = (0, 0);
        let mut shown = BTreeSet::new();
        for VenueOrder { order, status, filled, remaining, .. } in &account.orders {
            let resting = u32::from(*status == OrderStatus::Resting);
            if let Some(order) = order {
                rest += resting;
                shown.insert(*order);
                orders.hear(*order, &OrderReport::State { status: *status, filled: *filled, remaining: *remaining });
            } else {
                foreign += resting;
            }
        }
        orders.miss(account.as_of, &shown);
        (rest, foreign)
    }

    fn adopt(&mut self, account: &Account, effects: &mut Vec<Effect>) {
        let settings = *self.execution.live().expect("a live slot").settings();
        self.reconciler.adopt(account, &mut self.ledger, settings.margin);
        self.day.rebase(self.ledger.worth(|market| self.mark(market)));
        let positions = u32::try_from(self.ledger.positions().count()).expect("fewer than there are markets");
        tell(effects, Notice::Adopted { cash: self.ledger.cash(), positions });
    }

    fn compare(&mut self, account: &Account, effects: &mut Vec<Effect>) {
        let orders = self.execution.live().expect("a live slot");
        let (settings, unsettled) = (*orders.settings(), orders.unsettled());
        let was_proved = self.reconciler.proved();
        let mut reconciler = std::mem::replace(&mut self.reconciler, crate::reconcile::Reconciler::new());
        let verdict = reconciler.compare(account, &self.ledger, &Facts(self), unsettled, self.now, &settings);
        self.reconciler = reconciler;
        match verdict {
            Verdict::Equal if !was_proved => {
                tell(effects, Notice::Proved);
                self.want_all();
            }
            Verdict::Equal => {}
            Verdict::Open(reason) => {
                if was_proved {
                    tell(effects, Notice::Unproved { reason });
                }
            }
            Verdict::Different(reason) => {
                if self.conduct.stop().is_none_or(|stop| !stop.differed) {
                    self.halt(format!("the account differs from the ledger: {reason}"), true, effects);
                }
            }
        }
    }

    /// After a halt or in a wind down: only a read that is newer than it shows that nothing of ours rests.
    fn verify_flat(&mut self, account: &Account, rest: u32, effects: &mut Vec<Effect>) {
        let orders = self.execution.live().expect("a live slot");
        let (settings, open) = (*orders.settings(), orders.open_orders());
        let Some(stop) = self.conduct.stop_mut().filter(|stop| !stop.flat) else { return };
        let newer = account.as_of.since(stop.since) >= settings.margin;
        if newer && rest == 0 && open == 0 {
            stop.flat = true;
            tell(effects, Notice::Flat);
        } else {
            if newer {
                tell(effects, Notice::StillResting { orders: rest.max(open) });
            }
            self.reconciler.want(self.now.plus(settings.retry));
        }
    }

    pub(super) fn tick_live(&mut self, effects: &mut Vec<Effect>) {
        let Some(orders) = self.execution.live_mut() else { return };
        orders.tick();
        let settings = *orders.settings();
        self.reconciler.check_hints(&self.ledger, self.now, settings.patience);
        self.tick_group(settings.retry_most, effects);
        self.forget_paid();
    }

    fn forget_paid(&mut self) {
        for listing in &mut self.listings {
            let old = |at: Timestamp| self.now.since(at) >= REMEMBER_PAID;
            if !listing.forgotten && listing.paid.is_some_and(|(_, at)| old(at)) {
                listing.forgotten = true;
                if let Some(orders) = self.execution.live_mut() {
                    orders.forget(listing.market.id);
                }
            }
        }
    }

    pub(super) fn heed_live_orders(&mut self, effects: &mut Vec<Effect>) {
        let Some(orders) = self.execution.live_mut() else { return };
        let (alarm, released) = (orders.take_alarm(), orders.take_released());
        for market in released {
            self.want_market(market);
        }
        if let Some(reason) = alarm.filter(|_| self.conduct.trades()) {
            self.halt(reason, false, effects);
        }
    }

    pub(super) fn read_account_if_due(&mut self, effects: &mut Vec<Effect>) {
        let Some(orders) = self.execution.live_mut() else { return };
        let (wanted, settings) = (orders.take_account_wanted(), *orders.settings());
        if wanted {
            self.reconciler.want(self.now);
        }
        // Before any market is listed the venue's positions have no names here.
        if !self.listings.is_empty() && self.reconciler.ask(self.now, &settings) {
            effects.push(Effect::Send(Request::ReadAccount));
        }
    }
}
