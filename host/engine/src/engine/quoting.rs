//! What is done with a component's answer: the fewest operations that turn what rests into what is wanted.

use super::{Engine, FAULTS_TO_STOP};
use crate::city_day::Question;
use crate::event::{CancelReason, Effect, Fault, Report};
use crate::market::MarketId;
use crate::order::{NewOrder, OrderId, RefusalReason};
use crate::risk::Intent;
use crate::snapshot::{Decision, bounds};
use crate::units::{Price, Quantity, Side};
use std::collections::BTreeMap;

impl Engine {
    pub(super) fn decided(&mut self, decision: u64, outcome: &Result<Decision, Fault>, effects: &mut Vec<Effect>) {
        let question = self.asked.iter().position(|(number, _)| *number == decision);
        let (_, city_day) = self.asked.remove(question.expect("an answer has its question"));
        match outcome {
            Ok(wanted) if self.within_contract(city_day, wanted) => {
                self.faults_in_a_row = 0;
                self.city_days[usize::from(city_day)].state.clone_from(&wanted.state);
                self.carry_out(Question { decision, city_day }, wanted, effects);
            }
            _ => self.fault(effects),
        }
    }

    fn within_contract(&self, city_day: u16, wanted: &Decision) -> bool {
        let brackets = self.city_days[usize::from(city_day)].markets.len();
        let known = |index: u16| usize::from(index) < brackets;
        wanted.quotes.len() <= bounds::QUOTES
            && wanted.takes.len() <= bounds::TAKES
            && wanted.state.len() <= bounds::STATE_BYTES
            && wanted.quotes.iter().all(|quote| known(quote.bracket))
            && wanted.takes.iter().all(|take| known(take.bracket))
    }

    /// Pulls every order of the slot and asks for the version before, or stops the slot.
    fn fault(&mut self, effects: &mut Vec<Effect>) {
        self.counts.faults += 1;
        self.faults_in_a_row += 1;
        self.pull_all(CancelReason::Fault);
        if self.faults_in_a_row >= FAULTS_TO_STOP {
            self.stopped = true;
            effects.push(Effect::Report(Report::Stopped { faults: self.faults_in_a_row }));
        } else {
            effects.push(Effect::Revert);
        }
    }

    /// Turns what a component wants into the fewest operations on what rests and is in flight.
    fn carry_out(&mut self, question: Question, wanted: &Decision, effects: &mut Vec<Effect>) {
        let markets = self.city_days[usize::from(question.city_day)].markets.clone();
        for (index, market) in markets.iter().enumerate() {
            for side in [Side::Bid, Side::Ask] {
                let mut desired = BTreeMap::new();
                let here = wanted.quotes.iter().filter(|q| usize::from(q.bracket) == index && q.side == side);
                for quote in here {
                    *desired.entry(quote.price).or_insert(Quantity::ZERO) += quote.quantity;
                }
                self.requote(question, *market, side, desired, effects);
            }
        }
        for take in &wanted.takes {
            self.take(question, markets[usize::from(take.bracket)], take.position, take.limit, effects);
        }
    }

    /// Cancels or shrinks what is no longer wanted at a price, and places what is missing, by the fewest operations that
    /// keep places in the queue: a quote that stays wanted is not touched; one that is to be smaller is decreased in its
    /// place, the youngest order at the price first; one that is to be larger gets a further order beside it, since the
    /// venue gives up the place of an order that grows (PROTOCOL.md 3.6). Another price is another order.
    fn requote(
        &mut self,
        question: Question,
        market: MarketId,
        side: Side,
        mut desired: BTreeMap<Price, Quantity>,
        effects: &mut Vec<Effect>,
    ) {
        let open = self.execution.open(market).filter(|o| o.side == side && !o.take && !o.cancelling);
        let resting: Vec<(OrderId, Price, Quantity)> = open.map(|o| (o.id, o.price, o.staying)).collect();
        for (id, price, remaining) in resting {
            let left = desired.entry(price).or_insert(Quantity::ZERO);
            if left.is_zero() {
                self.execution.cancel(id, self.now, CancelReason::Undesired);
            } else if remaining > *left {
                self.execution.reduce(id, *left, self.now);
            }
            *left = left.saturating_sub(remaining);
        }
        for (price, quantity) in desired {
            if !quantity.is_zero() {
                self.place(question, market, Intent { side, price, quantity, take: false }, effects);
            }
        }
    }

    /// Takes what separates the target from what is held, less all that is in flight the same way (quotes too, since they
    /// may still fill), so that a repeated answer adds nothing. What is in flight the other way is not answered with more
    /// orders: once it filled, the next answer counts it as held.
    fn take(&mut self, question: Question, market: MarketId, target: i64, limit: Price, effects: &mut Vec<Effect>) {
        let wanted = target.saturating_sub(self.ledger.position(market));
        let side = if wanted >= 0 { Side::Bid } else { Side::Ask };
        let in_flight: Quantity = self.execution.open(market).filter(|o| o.side == side).map(|o| o.remaining).sum();
        let quantity = Quantity::new(wanted.unsigned_abs()).saturating_sub(in_flight);
        if !quantity.is_zero() {
            self.place(question, market, Intent { side, price: limit, quantity, take: true }, effects);
        }
    }

    fn place(&mut self, question: Question, market: MarketId, intent: Intent, effects: &mut Vec<Effect>) {
        let Question { decision, city_day } = question;
        let Intent { side, price, quantity, take } = intent;
        let order = NewOrder {
            id: OrderId(self.next_order),
            decision,
            market,
            side,
            price,
            quantity,
            take,
            fees: self.listings[market.index()].market.fees,
        };
        let day = &self.city_days[usize::from(city_day)];
        let (stakes, slot) = (self.stakes(day), self.slot_state());
        let approved = match self.settings.limits.approve(order, &self.standing(market, day, &stakes, slot)) {
            Ok(approved) => approved,
            Err(reason) => {
                if reason == RefusalReason::Rate && !self.postponed.contains(&city_day) {
                    self.postponed.push(city_day);
                }
                let refused = Report::Refused { decision, market, side, price, quantity, reason };
                return effects.push(Effect::Report(refused));
            }
        };
        self.next_order += 1;
        self.day.place(self.now);
        self.execution.place(approved, self.now);
        let order = order.id;
        effects.push(Effect::Report(Report::Placed { order, decision, market, side, price, quantity, take }));
    }
}
