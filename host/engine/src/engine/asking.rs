//! What a component is asked about, and what it may see.

use super::Engine;
use crate::city_day::CityDay;
use crate::event::{Effect, Watch};
use crate::market::{MarketId, MarketStatus};
use crate::order::OpenOrder;
use crate::risk::check::premium;
use crate::risk::{SlotState, Stakes, Standing};
use crate::snapshot::{Bracket, Resting, Snapshot};
use crate::units::{Quantity, Side};
use crate::venue::ExchangeStatus;
use std::sync::Arc;

impl Engine {
    pub(super) fn want_market(&mut self, market: MarketId) {
        self.want(self.listings[market.index()].city_day, Some(market));
    }

    pub(super) fn want(&mut self, city_day: u16, changed: Option<MarketId>) {
        self.city_days[usize::from(city_day)].changed = changed;
        if !self.wanting.contains(&city_day) {
            self.wanting.push(city_day);
        }
    }

    /// Puts the questions that are wanted and allowed now. Nothing is asked twice before its answer came.
    pub(super) fn ask(&mut self, effects: &mut Vec<Effect>) {
        if self.wanting.is_empty() {
            return;
        }
        let Some(watch) = self.component.as_ref().filter(|_| !self.stopped).map(|c| c.watch) else {
            self.wanting.clear();
            return;
        };
        let mut wanting = std::mem::take(&mut self.wanting);
        wanting.retain(|city_day| !self.ask_about(*city_day, watch, effects));
        self.wanting = wanting;
    }

    /// Puts one question; says no where it must wait.
    fn ask_about(&mut self, city_day: u16, watch: Watch, effects: &mut Vec<Effect>) -> bool {
        let day = &mut self.city_days[usize::from(city_day)];
        let over = day.markets.iter().all(|id| self.listings[id.index()].market.status == MarketStatus::Settled);
        if over {
            return true;
        }
        if day.asked_at.is_some_and(|asked| self.now.since(asked) < watch.at_most_every) {
            return false;
        }
        day.asked_at = Some(self.now);
        self.counts.decisions += 1;
        let decision = self.counts.decisions;
        self.asked.push((decision, city_day));
        let snapshot = Box::new(self.snapshot(city_day, watch.levels));
        effects.push(Effect::Decide { decision, snapshot });
        true
    }

    fn snapshot(&self, city_day: u16, levels: u8) -> Snapshot {
        let day = &self.city_days[usize::from(city_day)];
        let issued = day.forecast.as_ref().map(|f| f.issued);
        let young = self.settings.limits.young(issued, self.now);
        let (stakes, slot) = (self.stakes(day), self.slot_state());
        let standing = |id: &MarketId| self.standing(*id, day, &stakes, slot);
        let brackets = day.markets.iter().map(|id| self.bracket(*id, day, &standing(id), young, levels)).collect();
        let closes = day.markets.iter().map(|id| self.listings[id.index()].market.closes).max();
        let changed = day.changed.and_then(|id| day.markets.iter().position(|other| *other == id));
        Snapshot {
            now: self.now,
            event: Arc::clone(&day.event),
            closes: closes.unwrap_or(self.now),
            changed: changed.map(|index| u16::try_from(index).expect("few brackets")),
            forecast_issued: issued.filter(|_| young),
            brackets,
            parameters: Arc::clone(&self.parameters),
            state: day.state.clone(),
        }
    }

    fn bracket(&self, id: MarketId, day: &CityDay, standing: &Standing<'_>, young: bool, levels: u8) -> Bracket {
        let (listing, book) = (&self.listings[id.index()], &self.books[id.index()]);
        let side = |side| self.execution.levels_of_others(id, book, side).take(usize::from(levels)).collect();
        Bracket {
            market: id,
            ticker: Arc::clone(&listing.ticker),
            strike: listing.market.strike,
            probability: day.probability(id).filter(|_| young),
            tradable: self.settings.limits.tradable(standing).is_ok(),
            bids: side(Side::Bid),
            asks: side(Side::Ask),
            last_trade: listing.last_trade,
            position: standing.position,
            resting: self.resting(id),
            fees: listing.market.fees,
            ladder: Arc::clone(&listing.ladder),
            room_bid: self.settings.limits.room(standing, Side::Bid),
            room_ask: self.settings.limits.room(standing, Side::Ask),
        }
    }

    fn resting(&self, id: MarketId) -> Vec<Resting> {
        let open = self.execution.open(id).filter(|order| !order.cancelling);
        open.map(|order| Resting { side: order.side, price: order.price, quantity: order.staying }).collect()
    }

    /// What the city-day can lose as things stand.
    pub(super) fn stakes(&self, day: &CityDay) -> Stakes {
        self.stakes_of(day, |_| true)
    }

    /// What the city-day can lose if only these of the open orders were there.
    pub(super) fn stakes_of(&self, day: &CityDay, counts: impl Fn(&OpenOrder) -> bool) -> Stakes {
        let bracket = |id: &MarketId| (self.listings[id.index()].market.strike, self.ledger.account(*id));
        let mut stakes = Stakes::new(day.markets.iter().map(bracket));
        for (bracket, id) in day.markets.iter().enumerate() {
            for order in self.execution.open(*id).filter(&counts) {
                stakes.add(bracket, order.side, order.price, order.remaining);
            }
        }
        stakes
    }

    /// What holds for the whole slot now.
    pub(super) fn slot_state(&self) -> SlotState {
        self.slot_state_of(|_| true)
    }

    /// What would hold for the whole slot if only these of the open orders were there.
    pub(super) fn slot_state_of(&self, counts: impl Fn(&OpenOrder) -> bool) -> SlotState {
        let markets = self.listings.iter().map(|listing| listing.market.id);
        let orders = markets.flat_map(|id| self.execution.open(id)).filter(&counts);
        let at_stake = if self.execution.open_orders() == 0 {
            Default::default()
        } else {
            orders.map(|order| premium(order.side, order.price, order.remaining)).sum()
        };
        SlotState {
            halted: self.stopped || !self.conduct.trades() || self.group.triggered,
            unproved: !self.proved(),
            paused: self.exchange != ExchangeStatus::Open,
            skew: self.skew,
            loss: self.day.loss(self.ledger.worth(|market| self.mark(market))),
            traded: self.day.traded() + at_stake,
            tied_up: self.ledger.collateral() + at_stake,
            open_orders: self.execution.open_orders(),
            rates: self.day.rates(self.now),
        }
    }

    pub(super) fn standing<'a>(
        &'a self,
        id: MarketId,
        day: &CityDay,
        stakes: &'a Stakes,
        slot: SlotState,
    ) -> Standing<'a> {
        self.standing_of(id, day, stakes, slot, |_| true)
    }

    /// How a market stands if only these of the open orders were there.
    pub(super) fn standing_of<'a>(
        &'a self,
        id: MarketId,
        day: &CityDay,
        stakes: &'a Stakes,
        slot: SlotState,
        counts: impl Fn(&OpenOrder) -> bool,
    ) -> Standing<'a> {
        let listing = &self.listings[id.index()];
        let (mut open_bids, mut open_asks) = (Quantity::ZERO, Quantity::ZERO);
        for order in self.execution.open(id).filter(&counts) {
            match order.side {
                Side::Bid => open_bids += order.remaining,
                Side::Ask => open_asks += order.remaining,
            }
        }
        let live = self.execution.live();
        let sides = [Side::Bid, Side::Ask];
        let trades = listing.market.status == MarketStatus::Active && self.now >= listing.market.opens;
        Standing {
            book: &self.books[id.index()],
            now: self.now,
            last_change: listing.last_change,
            open: trades && !listing.closed,
            closes: listing.market.closes,
            forecast_issued: day.forecast.as_ref().map(|f| f.issued),
            position: self.ledger.position(id),
            open_bids,
            open_asks,
            own: sides.map(|side| self.execution.own_best(id, side)),
            frozen: sides.map(|side| live.is_some_and(|orders| orders.frozen(id, side))),
            held: sides.map(|side| live.is_some_and(|orders| orders.held(id, side))),
            bracket: day.markets.iter().position(|other| *other == id).expect("a market is in its city-day"),
            stakes,
            slot,
        }
    }
}
