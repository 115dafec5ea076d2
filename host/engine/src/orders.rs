//! The live orders of one slot: what was sent to the venue, what was heard of it, and what has to be asked.
//!
//! Reports by socket and by REST are the same facts and may come in any order, twice, or not at all (see [`Life`]). A fill is
//! counted once, by the venue's number of the match, and may come before the answer to the order that it fills. An order
//! whose outcome is unknown counts as filled, freezes its market and side, and is looked for until the venue's evidence
//! decides; it is never sent again and no timer declares it dead.
//!
//! What has to be asked of the venue gathers here until [`Orders::drain`]. Nothing here knows books, limits or money.

use crate::event::{CancelReason, Effect, Report};
use crate::market::MarketId;
use crate::order::{NewOrder, OpenOrder, OrderEvent, OrderId};
use crate::units::{Price, Quantity, SECOND, Side, Timestamp};
use crate::venue::{OrderReport, RejectReason, Request, TradeId, VenueFill};
use life::{Allowed, Life};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

mod life;

/// How a live slot deals with its venue. Times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSettings {
    /// How long a resting order lives without renewal, so that a dead host's orders die by themselves; whole seconds.
    pub ttl: i64,
    /// A resting order is renewed once no more than this is left of its life.
    pub renew_left: i64,
    /// How long something that is due (a missing fill, the end of a take) may be on its way before it is looked for.
    pub patience: i64,
    /// How long to wait before a request is sent again, the first time. The wait doubles each time.
    pub retry: i64,
    /// The longest such wait.
    pub retry_most: i64,
    /// How much newer than a request a read has to be to prove something about it: the read side of the venue lags.
    pub margin: i64,
    /// The account is read at least this often.
    pub read_every: i64,
    /// A read of the account that brought nothing for this long is asked for again.
    pub read_again: i64,
    /// While orders rest, their places in the queues are read this often; 0 for never.
    pub queue_every: i64,
}

impl LiveSettings {
    /// Renewals that so many quotes need in a minute, rounded up: what the budget of writes has to have left for them.
    pub fn renewals_per_minute(&self, quotes: u32) -> u64 {
        let between = (self.ttl - self.renew_left).max(1).unsigned_abs();
        (u64::from(quotes) * 60 * SECOND.unsigned_abs()).div_ceil(between)
    }

    /// When an order sent or renewed now dies: the first whole second after its time to live.
    pub fn expiry(&self, now: Timestamp) -> Timestamp {
        let end = now.plus(self.ttl).0;
        Timestamp(end.div_euclid(SECOND).saturating_add(i64::from(end.rem_euclid(SECOND) > 0)).saturating_mul(SECOND))
    }
}

/// The live orders of one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    settings: LiveSettings,
    now: Timestamp,
    /// By market number.
    desks: Vec<Desk>,
    /// Which market an order is in, for all orders that are remembered.
    markets: BTreeMap<OrderId, MarketId>,
    open: u32,
    /// Whether the exchange takes cancels now.
    cancels: bool,
    /// Whether the exchange takes renewals now and the slot wants its quotes to live.
    renewals: bool,
    /// Until when the venue wants to be left alone with new orders, in all markets.
    held: Timestamp,
    /// What happened and was not taken away yet.
    events: Vec<OrderEvent>,
    effects: Vec<Effect>,
    account_wanted: bool,
    /// When places in the queues were last asked for.
    queue_asked: Timestamp,
    alarm: Option<String>,
    /// Markets in which new orders pass again that did not a moment ago.
    released: Vec<MarketId>,
}

/// Orders in one market.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Desk {
    /// Not over, first come first.
    open: Vec<Life>,
    /// Over, remembered because something may still be heard of them.
    over: BTreeMap<OrderId, Life>,
    /// Matches that were counted, and whether it was known whose order traded.
    matches: BTreeMap<TradeId, bool>,
    /// The market takes no cancels any more.
    dead: bool,
    /// Until when a side is left alone after the venue refused an order on it: bids, asks.
    held: [Timestamp; 2],
}

impl Desk {
    fn life(&mut self, id: OrderId) -> Option<&mut Life> {
        let open = self.open.iter_mut().find(|life| life.order().id == id);
        open.or_else(|| self.over.get_mut(&id))
    }
}

fn side_index(side: Side) -> usize {
    usize::from(side == Side::Ask)
}

/// How long a refusal of this kind keeps new orders away: from one side of a market, or from the whole slot.
fn hold_after(reason: RejectReason) -> (i64, bool) {
    match reason {
        // The book that the order met is on its way to us.
        RejectReason::PostOnly => (SECOND, false),
        RejectReason::Invalid => (60 * SECOND, false),
        RejectReason::Balance | RejectReason::MarketClosed => (10 * SECOND, false),
        RejectReason::Other => (5 * SECOND, false),
        RejectReason::Paused => (5 * SECOND, true),
        RejectReason::RateLimited => (SECOND, true),
        // These halt the slot.
        RejectReason::Unauthorised | RejectReason::Group => (SECOND, true),
    }
}

impl Orders {
    /// No orders. Panics where the times make no sense.
    pub fn new(settings: LiveSettings) -> Self {
        assert!(settings.ttl >= SECOND && settings.ttl % SECOND == 0, "the venue knows whole seconds only");
        assert!((1..settings.ttl).contains(&settings.renew_left), "an order is renewed before it dies");
        assert!(settings.retry > 0 && settings.retry <= settings.retry_most, "a wait before asking again");
        Self {
            settings,
            now: Timestamp(0),
            desks: Vec::new(),
            markets: BTreeMap::new(),
            open: 0,
            cancels: true,
            renewals: true,
            held: Timestamp(0),
            events: Vec::new(),
            effects: Vec::new(),
            account_wanted: false,
            queue_asked: Timestamp(0),
            alarm: None,
            released: Vec::new(),
        }
    }

    /// How the slot deals with its venue.
    pub fn settings(&self) -> &LiveSettings {
        &self.settings
    }

    /// Tells the time and what the exchange allows.
    pub fn advance(&mut self, now: Timestamp, cancels: bool, renewals: bool) {
        self.now = now;
        self.cancels = cancels;
        self.renewals = renewals;
    }

    /// Sends an order. A quote lives until its expiry, a take carries none.
    pub fn place(&mut self, order: NewOrder) {
        assert!(!order.quantity.is_zero(), "an order is for something");
        let expires = (!order.take).then(|| self.settings.expiry(self.now));
        let life = Life::new(order, expires, self.now);
        self.effects.push(Effect::Send(life.create()));
        let before = self.markets.insert(order.id, order.market);
        assert!(before.is_none(), "a number is used once");
        self.desk(order.market).open.push(life);
        self.open += 1;
    }

    /// Wants an order gone; the cancel is sent once the order is known to exist, and again until it took effect.
    pub fn cancel(&mut self, id: OrderId, reason: CancelReason) {
        self.with(id, |life, _, _| life.pull(reason));
    }

    /// Wants no more than `to` of an order to rest, in its place in the queue; to nothing is a cancel.
    pub fn reduce(&mut self, id: OrderId, to: Quantity) {
        self.with(id, |life, _, _| if to.is_zero() { life.pull(CancelReason::Undesired) } else { life.shrink(to) });
    }

    /// Learns what the venue says about an order. What is said of an order that was forgotten changes nothing.
    pub fn hear(&mut self, id: OrderId, report: &OrderReport) {
        let mut notice = None;
        self.with(id, |life, now, settings| notice = life.hear(report, now, settings));
        match report {
            OrderReport::Rejected(reason) => self.hold(id, *reason),
            OrderReport::Failed { reason: reason @ RejectReason::Unauthorised, .. } => self.hold(id, *reason),
            _ => {}
        }
        self.effects.extend(notice.map(|notice| Effect::Report(Report::Notice(notice))));
    }

    /// Counts a fill, once. Says whether it was new.
    pub fn fill(&mut self, fill: &VenueFill) -> bool {
        let before = self.desk(fill.market).matches.get(&fill.trade).copied();
        let whose = before.unwrap_or_default() || fill.order.is_some();
        self.desk(fill.market).matches.insert(fill.trade, whose);
        #[cfg(feature = "mutants")]
        let before = before.filter(|_| !crate::mutant::active(crate::mutant::Mutant::Dedup));
        match (before, fill.order) {
            (None, _) => {}
            // It was counted when nobody knew that the order is ours: only the order still has to learn of it.
            (Some(false), Some(order)) => {
                self.with(order, |life, now, _| life.fill(fill.quantity, now));
                return false;
            }
            (Some(_), _) => return false,
        }
        if let Some(order) = fill.order {
            let VenueFill { market, side, price, quantity, fee, taker, .. } = *fill;
            self.events.push(OrderEvent::Filled { order, market, side, price, quantity, fee, taker });
            self.with(order, |life, now, _| life.fill(quantity, now));
        }
        true
    }

    /// A complete read of the account as of `as_of` showed only the orders `shown`.
    pub fn miss(&mut self, as_of: Timestamp, shown: &BTreeSet<OrderId>) {
        for index in 0..self.desks.len() {
            let open = self.desks[index].open.iter().map(|life| life.order().id);
            for id in open.filter(|id| !shown.contains(id)).collect::<Vec<_>>() {
                self.with(id, |life, now, settings| life.miss(as_of, now, settings));
            }
        }
    }

    /// Asks for what has become due.
    pub fn tick(&mut self) {
        let everywhere = self.held != Timestamp(0) && self.now >= self.held;
        if everywhere {
            self.held = Timestamp(0);
        }
        for (market, desk) in (0..).map(MarketId).zip(&mut self.desks) {
            let over = desk.held.iter().any(|held| *held != Timestamp(0) && self.now >= *held);
            if over {
                desk.held = desk.held.map(|held| if self.now >= held { Timestamp(0) } else { held });
            }
            if over || everywhere {
                self.released.push(market);
            }
        }
        for index in 0..self.desks.len() {
            for at in 0..self.desks[index].open.len() {
                self.act(index, at);
            }
        }
        self.ask_queue();
    }

    /// Learns how many contracts are ahead of an order. What is said of one that does not rest changes nothing.
    pub fn queued(&mut self, id: OrderId, ahead: Quantity) {
        let Some(market) = self.markets.get(&id).copied() else { return };
        let mut open = self.desk(market).open.iter_mut();
        if open.find(|life| life.order().id == id).is_some_and(|life| life.queue(ahead)) {
            self.effects.push(Effect::Report(Report::Queued { order: id, market, ahead }));
        }
    }

    /// Asks for the places in the queues by time alone: an answer that is lost is no harm, and comes again.
    fn ask_queue(&mut self) {
        let every = self.settings.queue_every;
        let due = every > 0 && self.now.since(self.queue_asked) >= every;
        if due && self.desks.iter().flat_map(|desk| &desk.open).any(Life::rests) {
            self.queue_asked = self.now;
            self.effects.push(Effect::Send(Request::ReadQueue));
        }
    }

    /// A market takes no orders any more; where `dead`, no cancels either: the venue ends what rests.
    pub fn close_market(&mut self, market: MarketId, reason: CancelReason, dead: bool) {
        let desk = self.desk(market);
        desk.dead = dead;
        desk.open.iter_mut().for_each(|life| life.pull(reason));
        for at in 0..self.desks[market.index()].open.len() {
            self.act(market.index(), at);
        }
    }

    /// A market takes orders again.
    pub fn reopen_market(&mut self, market: MarketId) {
        self.desk(market).dead = false;
    }

    /// Forgets a market: its orders and its matches. Nothing is to be heard of it any more.
    pub fn forget(&mut self, market: MarketId) {
        let Some(desk) = self.desks.get_mut(market.index()).map(std::mem::take) else { return };
        self.open -= u32::try_from(desk.open.len()).expect("as many were counted");
        self.markets.retain(|_, other| *other != market);
        self.desks[market.index()].dead = true;
    }

    /// The orders of a market that are not over, first come first.
    pub fn open(&self, market: MarketId) -> impl Iterator<Item = OpenOrder> {
        self.desks.get(market.index()).into_iter().flat_map(|desk| &desk.open).map(Life::open)
    }

    /// The orders that are not over, with the time at which each was sent.
    pub fn unfinished(&self) -> impl Iterator<Item = (OrderId, Timestamp)> {
        self.desks.iter().flat_map(|desk| &desk.open).map(|life| (life.order().id, life.sent()))
    }

    /// How many orders are not over.
    pub fn open_orders(&self) -> u32 {
        self.open
    }

    /// How much of what the venue displays at a price is ours.
    pub fn displayed(&self, market: MarketId, side: Side, price: Price) -> Quantity {
        let all = self.desks.get(market.index()).into_iter().flat_map(|desk| &desk.open);
        all.filter(|life| life.order().side == side && life.order().price == price).map(Life::displayed).sum()
    }

    /// Whether any order of a market is open.
    pub fn any(&self, market: MarketId) -> bool {
        self.desks.get(market.index()).is_some_and(|desk| !desk.open.is_empty())
    }

    /// Whether an order of this market and side may or may not exist.
    pub fn frozen(&self, market: MarketId, side: Side) -> bool {
        let all = self.desks.get(market.index()).into_iter().flat_map(|desk| &desk.open);
        all.filter(|life| life.order().side == side).any(Life::is_unknown)
    }

    /// Whether the venue refused something here too short a time ago.
    pub fn held(&self, market: MarketId, side: Side) -> bool {
        let desk = self.desks.get(market.index()).map_or(Timestamp(0), |desk| desk.held[side_index(side)]);
        self.now < desk.max(self.held)
    }

    /// Whether something that is on its way could explain a difference of accounts.
    pub fn unsettled(&self) -> bool {
        self.desks.iter().flat_map(|desk| &desk.open).any(Life::is_unsettled)
    }

    /// Requests about orders that were sent and not answered: after the death of a process their answers are lost.
    pub fn awaiting(&self) -> Vec<Request> {
        let mut awaiting = Vec::new();
        for life in self.desks.iter().flat_map(|desk| desk.open.iter().chain(desk.over.values())) {
            life.awaiting(&mut awaiting);
        }
        awaiting
    }

    /// Takes away what happened since.
    pub fn drain(&mut self, events: &mut Vec<OrderEvent>) {
        events.append(&mut self.events);
    }

    /// Takes away what has to be sent and told.
    pub fn drain_effects(&mut self, effects: &mut Vec<Effect>) {
        effects.append(&mut self.effects);
    }

    /// Whether the account should be read, since something is missing that only the account shows.
    pub fn take_account_wanted(&mut self) -> bool {
        std::mem::take(&mut self.account_wanted)
    }

    /// Markets in which new orders pass again: a refusal or an unknown outcome kept them away until now.
    pub fn take_released(&mut self) -> Vec<MarketId> {
        std::mem::take(&mut self.released)
    }

    /// Why the slot has to halt, where the venue gave a reason.
    pub fn take_alarm(&mut self) -> Option<String> {
        self.alarm.take()
    }

    fn hold(&mut self, id: OrderId, reason: RejectReason) {
        let (time, everywhere) = hold_after(reason);
        let until = self.now.plus(time);
        if everywhere {
            self.held = self.held.max(until);
        } else if let Some(market) = self.markets.get(&id).copied() {
            let desk = self.desk(market);
            if let Some(side) = desk.life(id).map(|life| life.order().side) {
                let held = &mut desk.held[side_index(side)];
                *held = until.max(*held);
            }
        }
        match reason {
            RejectReason::Unauthorised => self.alarm = Some("the venue does not accept our key".to_owned()),
            RejectReason::Group => self.alarm = Some("the venue says that the order group was triggered".to_owned()),
            _ => {}
        }
    }

    fn desk(&mut self, market: MarketId) -> &mut Desk {
        if self.desks.len() <= market.index() {
            self.desks.resize_with(market.index() + 1, Desk::default);
        }
        &mut self.desks[market.index()]
    }

    /// Changes an order, moves it between open and over, and asks what it now needs. Nothing where it is not known.
    fn with(&mut self, id: OrderId, change: impl FnOnce(&mut Life, Timestamp, &LiveSettings)) {
        let Some(index) = self.markets.get(&id).map(|market| market.index()) else { return };
        let (now, settings) = (self.now, self.settings);
        let desk = &mut self.desks[index];
        let Some(life) = desk.life(id) else { return };
        let was_unknown = life.is_unknown();
        change(life, now, &settings);
        if was_unknown && !life.is_unknown() {
            self.released.push(life.order().market);
        }
        let at = desk.open.iter().position(|life| life.order().id == id);
        match at {
            Some(at) if desk.open[at].is_over() => {
                let mut life = desk.open.remove(at);
                self.open -= 1;
                if let Some((remaining, reason)) = life.tell_end(now) {
                    let NewOrder { id: order, market, .. } = *life.order();
                    self.events.push(OrderEvent::Cancelled { order, market, remaining, reason });
                }
                self.desks[index].over.insert(id, life);
            }
            Some(at) => self.act(index, at),
            // What was thought to be over lives: it was seen after all, or more was filled than was known.
            None if !desk.over[&id].is_over() => {
                let life = desk.over.remove(&id).expect("it was found there");
                let at = desk.open.partition_point(|other| other.order().id < id);
                desk.open.insert(at, life);
                self.open += 1;
                self.act(index, at);
            }
            None => {}
        }
    }

    fn act(&mut self, desk: usize, at: usize) {
        let dead = self.desks[desk].dead;
        let allowed = Allowed { cancels: self.cancels && !dead, renewals: self.renewals && !dead };
        let mut requests = Vec::new();
        self.desks[desk].open[at].act(self.now, allowed, &self.settings, &mut requests);
        for request in requests {
            match request {
                Request::ReadAccount => self.account_wanted = true,
                request => self.effects.push(Effect::Send(request)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
