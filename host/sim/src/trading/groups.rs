//! Order groups: a limit of contracts matched within a rolling window, and what happens when it is reached.

use super::order::Reason;
use crate::exchange::{Change, Exchange};
use crate::listing::uuid;
use crate::messages;
use crate::refusal::Refusal;
use isobar_engine::units::{Quantity, SECOND, Timestamp};
use std::collections::VecDeque;

/// The window of the limit (PROTOCOL.md 3.6).
const WINDOW: i64 = 15 * SECOND;

/// A group of one account's orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) number: u64,
    /// UUID.
    pub(crate) id: String,
    /// Nothing where it has no limit.
    pub(crate) limit: Option<Quantity>,
    /// No orders are taken until it is reset.
    pub(crate) triggered: bool,
    matched: VecDeque<(Timestamp, Quantity)>,
    /// The limit was reached by executions that are still being booked.
    reached: bool,
}

impl Group {
    fn sum(&mut self, now: Timestamp) -> Quantity {
        while self.matched.front().is_some_and(|(at, _)| now.since(*at) >= WINDOW) {
            self.matched.pop_front();
        }
        self.matched.iter().map(|(_, quantity)| *quantity).sum()
    }

    fn over(&mut self, now: Timestamp) -> bool {
        let sum = self.sum(now);
        self.limit.is_some_and(|limit| sum >= limit)
    }
}

impl Exchange {
    fn group(&mut self, account: usize, id: &str) -> Result<&mut Group, Refusal> {
        let groups = &mut self.accounts[account].groups;
        groups.values_mut().find(|group| group.id == id).ok_or(Refusal::NotFound)
    }

    pub(crate) fn create_group(
        &mut self,
        account: usize,
        limit: Option<Quantity>,
        changes: &mut Vec<Change>,
    ) -> String {
        self.numbers += 1;
        let number = self.numbers;
        let id = uuid(self.seed.rotate_left(17) ^ (1 << 61) ^ number);
        let group = Group { number, id: id.clone(), limit, triggered: false, matched: VecDeque::new(), reached: false };
        self.accounts[account].groups.insert(number, group);
        changes.push(messages::group(account, "created", &id, limit, self.now));
        id
    }

    /// Counts contracts of an execution.
    pub(super) fn count(&mut self, account: usize, number: u64, quantity: Quantity) {
        let now = self.now;
        if let Some(group) = self.accounts[account].groups.get_mut(&number) {
            group.matched.push_back((now, quantity));
            group.reached |= group.over(now) && !group.triggered;
        }
    }

    /// Triggers the groups whose limit was reached.
    pub(crate) fn trip(&mut self, changes: &mut Vec<Change>) {
        for account in 0..self.accounts.len() {
            let groups = self.accounts[account].groups.values_mut();
            let reached: Vec<u64> =
                groups.filter_map(|group| std::mem::take(&mut group.reached).then_some(group.number)).collect();
            for number in reached {
                self.pull(account, number, changes);
            }
        }
    }

    /// Triggers a group: its orders are cancelled and it takes no more.
    fn pull(&mut self, account: usize, number: u64, changes: &mut Vec<Change>) {
        let Some(group) = self.accounts[account].groups.get_mut(&number) else { return };
        group.triggered = true;
        let id = group.id.clone();
        self.end_group(account, number, changes);
        changes.push(messages::group(account, "triggered", &id, None, self.now));
    }

    fn end_group(&mut self, account: usize, number: u64, changes: &mut Vec<Change>) {
        let resting = self.accounts[account].resting.values().flatten();
        let members: Vec<u64> =
            resting.copied().filter(|order| self.accounts[account].orders[order].group == Some(number)).collect();
        for order in members {
            let market = self.order((account, order)).market;
            self.end((account, order), Reason::Asked, changes);
            self.summarise(market, self.now.0.div_euclid(1_000_000), changes);
        }
    }

    pub(crate) fn trigger_group(&mut self, account: usize, id: &str, changes: &mut Vec<Change>) -> Result<(), Refusal> {
        let number = self.group(account, id)?.number;
        self.pull(account, number, changes);
        Ok(())
    }

    pub(crate) fn reset_group(&mut self, account: usize, id: &str, changes: &mut Vec<Change>) -> Result<(), Refusal> {
        let group = self.group(account, id)?;
        group.triggered = false;
        group.matched.clear();
        changes.push(messages::group(account, "reset", id, None, self.now));
        Ok(())
    }

    pub(crate) fn delete_group(&mut self, account: usize, id: &str, changes: &mut Vec<Change>) -> Result<(), Refusal> {
        let number = self.group(account, id)?.number;
        self.end_group(account, number, changes);
        self.accounts[account].groups.remove(&number);
        changes.push(messages::group(account, "deleted", id, None, self.now));
        Ok(())
    }

    pub(crate) fn limit_group(
        &mut self,
        account: usize,
        id: &str,
        limit: Quantity,
        changes: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let group = self.group(account, id)?;
        group.limit = Some(limit);
        let (number, over) = (group.number, group.over(now) && !group.triggered);
        changes.push(messages::group(account, "limit_updated", id, Some(limit), now));
        if over {
            self.pull(account, number, changes);
        }
        Ok(())
    }
}
