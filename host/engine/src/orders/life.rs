//! The life of one live order, from what is heard about it in any order and any number of times.
//!
//! What is heard is kept as facts that only grow: how much is filled at least, how much can be filled at most, that it
//! exists, that it is over. A fact never undoes another, so every order of hearing the same things ends in the same state,
//! and hearing something twice changes nothing. Where an order stands is derived from its facts.
//!
//! | it is        | facts                                                       | counts as exposure             |
//! |--------------|-------------------------------------------------------------|--------------------------------|
//! | submitting   | nothing heard yet                                           | whole                          |
//! | unknown      | its answer is lost                                          | whole; its side is frozen      |
//! | resting      | somebody saw it, nobody saw its end                         | the most that may still fill   |
//! | ended        | over, but with more filled than the fills that came         | the fills that are missing     |
//! | over         | every fill came, or it never existed                        | nothing                        |
//!
//! Beside it stand what the slot wants of the order (to go, to shrink) and which requests are on their way.

use crate::event::{CancelReason, Notice};
use crate::order::{NewOrder, OpenOrder};
use crate::orders::LiveSettings;
use crate::units::{Quantity, Timestamp};
use crate::venue::{OrderReport, OrderStatus, Request, RequestKind};
use serde::{Deserialize, Serialize};

/// One order and all that was heard of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Life {
    order: NewOrder,
    sent: Timestamp,
    expires: Option<Timestamp>,
    /// The request to create it was answered, or its answer is lost.
    answered: bool,
    /// Since when it is unknown whether it exists.
    unknown: Option<Timestamp>,
    /// Somebody saw it: an answer, a state, a fill.
    exists: bool,
    /// It never existed. Being seen is stronger.
    denied: Option<Denial>,
    /// When somebody saw it last.
    seen: Timestamp,
    /// What the fills that came add up to.
    booked: Quantity,
    /// The most that was said to be filled.
    reported: Quantity,
    /// The least that filled and resting together were said to be.
    most: Quantity,
    /// What a cancel took out.
    cancelled: Option<Quantity>,
    /// How it ended and how much was filled by then.
    ended: Option<(Quantity, End)>,
    /// When a complete read of the account did not show it any more.
    gone: Option<Timestamp>,
    /// It is to go.
    pull: Option<CancelReason>,
    /// It is to shrink to this.
    shrink: Option<Quantity>,
    /// The venue said that it shrank; how much was filled at that moment is not known until its state is heard.
    shrunk: bool,
    cancel: Attempt,
    decrease: Attempt,
    renew: Attempt,
    /// The expiry that was asked for.
    renewing: Option<Timestamp>,
    /// The venue did not find it, which says nothing about why: since when.
    doubt: Option<Timestamp>,
    /// A search did not find it although it existed: only a read of the account can tell.
    vanished: bool,
    search: Option<Attempt>,
    /// Contracts that trade before it, as they were last read.
    ahead: Option<Quantity>,
    /// Its end was told.
    told: bool,
}

/// Why an order never existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Denial {
    Refused,
    Unsent,
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum End {
    Cancelled,
    Executed,
}

/// A request that may have to be sent more than once. Waits grow twofold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
    underway: bool,
    due: Timestamp,
    wait: i64,
}

impl Attempt {
    fn start(&mut self, now: Timestamp, settings: &LiveSettings) {
        self.wait = if self.wait == 0 { settings.retry } else { (2 * self.wait).min(settings.retry_most) };
        self.due = now.plus(self.wait);
        self.underway = true;
    }

    fn is_due(&self, now: Timestamp) -> bool {
        !self.underway && now >= self.due
    }
}

/// What the venue allows now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    /// Cancels and decreases.
    pub cancels: bool,
    /// Renewals.
    pub renewals: bool,
}

/// What an order needs to be understood.
enum Need {
    Nothing,
    /// To be looked for, after this time.
    Find(i64),
    /// A read of the account, after this time.
    Account(i64),
    /// Both.
    Both(i64),
}

impl Life {
    pub fn new(order: NewOrder, expires: Option<Timestamp>, now: Timestamp) -> Self {
        Self {
            sent: now,
            expires,
            answered: false,
            unknown: None,
            exists: false,
            denied: None,
            seen: now,
            booked: Quantity::ZERO,
            reported: Quantity::ZERO,
            most: order.quantity,
            cancelled: None,
            ended: None,
            gone: None,
            pull: None,
            shrink: None,
            shrunk: false,
            cancel: Attempt::default(),
            decrease: Attempt::default(),
            renew: Attempt::default(),
            renewing: None,
            doubt: None,
            vanished: false,
            search: None,
            ahead: None,
            told: false,
            order,
        }
    }

    pub fn order(&self) -> &NewOrder {
        &self.order
    }

    pub fn create(&self) -> Request {
        let NewOrder { id: order, market, side, price, quantity, take, .. } = self.order;
        Request::Create { order, market, side, price, quantity, take, expires: self.expires }
    }

    /// Learns what the venue says. Returns what a person has to know of it.
    pub fn hear(&mut self, report: &OrderReport, now: Timestamp, settings: &LiveSettings) -> Option<Notice> {
        let order = self.order.id;
        match *report {
            OrderReport::Accepted { filled, remaining } => {
                self.answered = true;
                self.see(now);
                let whole = filled >= self.order.quantity;
                let end = if whole { End::Executed } else { End::Cancelled };
                if remaining.is_zero() { self.end(filled, end) } else { self.rest(filled, remaining, now, settings) }
            }
            OrderReport::Rejected(reason) => {
                self.answered = true;
                self.deny(Denial::Refused);
                return Some(Notice::Refused { order, request: RequestKind::Create, reason });
            }
            OrderReport::Unsent => {
                self.answered = true;
                self.deny(Denial::Unsent);
            }
            OrderReport::Unknown(request) => return self.lose(request, now),
            OrderReport::State { status, filled, remaining } => {
                self.see(now);
                match status {
                    OrderStatus::Resting => self.rest(filled, remaining, now, settings),
                    OrderStatus::Cancelled => self.end(filled, End::Cancelled),
                    OrderStatus::Executed => self.end(filled, End::Executed),
                }
            }
            OrderReport::Cancelled { reduced } => {
                self.see(now);
                self.cancel.underway = false;
                self.cancelled = Some(self.cancelled.map_or(reduced, |before| before.max(reduced)));
                self.calm();
            }
            OrderReport::Decreased { remaining } => {
                self.see(now);
                self.decrease = Attempt::default();
                // Meanwhile less may be wanted than was asked for.
                self.shrunk = self.shrink.is_some_and(|to| remaining <= to);
            }
            OrderReport::Renewed => {
                self.see(now);
                self.renew = Attempt::default();
                self.expires = self.renewing.take().or(self.expires);
            }
            OrderReport::NotThere(request) => {
                self.land(request);
                if self.rests() {
                    self.doubt.get_or_insert(now);
                }
            }
            OrderReport::Failed { request, reason } => {
                self.land(request);
                if request == RequestKind::Decrease && !self.shrunk {
                    self.shrink = None;
                }
                return Some(Notice::Refused { order, request, reason });
            }
            // A search may read a side of the venue that lags behind the request; a later one will not.
            OrderReport::Absent if self.unknown.is_some() => {
                if self.unknown.is_some_and(|since| now.since(since) >= settings.margin) {
                    self.deny(Denial::Absent);
                }
            }
            OrderReport::Absent if self.rests() => {
                self.doubt.get_or_insert(now);
                self.vanished = true;
            }
            OrderReport::Absent => {}
        }
        None
    }

    /// When it was sent.
    pub fn sent(&self) -> Timestamp {
        self.sent
    }

    /// Learns of a fill.
    pub fn fill(&mut self, quantity: Quantity, now: Timestamp) {
        self.see(now);
        self.booked += quantity;
        self.calm();
    }

    /// A complete read of the account as of `as_of` did not show it.
    pub fn miss(&mut self, as_of: Timestamp, now: Timestamp, settings: &LiveSettings) {
        let newer = |than: Timestamp| as_of.since(than) >= settings.margin;
        if self.unknown.is_some_and(newer) {
            self.deny(Denial::Absent);
        } else if self.exists && self.ended.is_none() && newer(self.seen) {
            self.gone.get_or_insert(now);
            self.calm();
        }
    }

    /// Learns how many contracts trade before it, and says whether that was news.
    pub fn queue(&mut self, ahead: Quantity) -> bool {
        self.rests() && self.ahead.replace(ahead) != Some(ahead)
    }

    /// The slot wants it gone.
    pub fn pull(&mut self, reason: CancelReason) {
        self.pull.get_or_insert(reason);
    }

    /// The slot wants no more than `to` of it to rest.
    pub fn shrink(&mut self, to: Quantity) {
        if self.pull.is_none() && to < self.staying() {
            self.shrink = Some(to);
            self.shrunk = false;
        }
    }

    /// Asks for what is wanted and can be asked for now.
    pub fn act(&mut self, now: Timestamp, allowed: Allowed, settings: &LiveSettings, out: &mut Vec<Request>) {
        let order = self.order.id;
        let quiet = self.rests() && self.doubt.is_none() && !self.vanished;
        if quiet && self.pull.is_some() {
            if allowed.cancels && self.cancel.is_due(now) {
                self.cancel.start(now, settings);
                out.push(Request::Cancel { order });
            }
        } else if quiet {
            if let Some(to) = self.shrink.filter(|_| allowed.cancels && !self.shrunk && self.decrease.is_due(now)) {
                self.decrease.start(now, settings);
                out.push(Request::Decrease { order, to });
            }
            let short = self.expires.is_some_and(|expires| expires.since(now) <= settings.renew_left);
            if short && allowed.renewals && self.renew.is_due(now) {
                self.renew.start(now, settings);
                let expires = settings.expiry(now);
                self.renewing = Some(expires);
                out.push(Request::Renew { order, expires });
            }
        }
        self.search(now, settings, out);
    }

    fn search(&mut self, now: Timestamp, settings: &LiveSettings, out: &mut Vec<Request>) {
        let (find, account, patience) = match self.need(now, settings) {
            Need::Nothing => {
                self.search = None;
                return;
            }
            Need::Find(patience) => (true, false, patience),
            Need::Account(patience) => (false, true, patience),
            Need::Both(patience) => (true, true, patience),
        };
        let search = self.search.get_or_insert(Attempt { due: now.plus(patience), ..Attempt::default() });
        if search.is_due(now) {
            search.start(now, settings);
            // Asked again by time alone: an answer that settles nothing is no answer.
            search.underway = false;
            out.extend(find.then_some(Request::Find { order: self.order.id }));
            out.extend(account.then_some(Request::ReadAccount));
        }
    }

    fn need(&self, now: Timestamp, settings: &LiveSettings) -> Need {
        let expired = self.expires.is_some_and(|expires| now.since(expires) >= settings.patience);
        if self.is_over() {
            Need::Nothing
        } else if self.is_submitting() {
            if self.unknown.is_some() { Need::Find(0) } else { Need::Nothing }
        } else if self.vanished {
            Need::Account(0)
        } else if !self.rests() {
            if self.ended.is_some() { Need::Account(settings.patience) } else { Need::Both(settings.patience) }
        } else if self.doubt.is_some() || expired {
            Need::Find(0)
        } else if self.order.take || self.shrunk {
            Need::Find(settings.patience)
        } else if self.reported > self.booked {
            Need::Account(settings.patience)
        } else {
            Need::Nothing
        }
    }

    /// Whether nothing of it can change the position any more.
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Whether nobody knows whether it exists.
    pub fn is_unknown(&self) -> bool {
        self.unknown.is_some()
    }

    /// Whether something about it is still to be heard: what a comparison of accounts has to wait for.
    pub fn is_unsettled(&self) -> bool {
        self.is_submitting() || !self.rests() || self.order.take || self.reported > self.booked || self.doubt.is_some()
    }

    /// What may still be added to the position by it.
    fn remaining(&self) -> Quantity {
        self.total().saturating_sub(self.booked)
    }

    /// The most that can be filled of it from its beginning to its end.
    fn total(&self) -> Quantity {
        let known = self.booked.max(self.reported);
        if let Some((filled, _)) = self.ended {
            return known.max(filled);
        }
        if self.gone.is_some() || (!self.exists && self.denied.is_some()) {
            return known;
        }
        known.max(self.most.saturating_sub(self.cancelled.unwrap_or_default()))
    }

    fn is_submitting(&self) -> bool {
        !self.exists && self.denied.is_none()
    }

    /// Whether it is in the book, as far as is known.
    pub fn rests(&self) -> bool {
        let open = self.ended.is_none() && self.cancelled.is_none() && self.gone.is_none();
        self.exists && open && !self.is_over()
    }

    /// What will rest once all that is wanted was done.
    fn staying(&self) -> Quantity {
        if self.pull.is_some() || !(self.rests() || self.is_submitting()) {
            return Quantity::ZERO;
        }
        let resting = self.total().saturating_sub(self.booked.max(self.reported));
        self.shrink.map_or(resting, |to| to.min(resting))
    }

    /// What of the book is this order: what rests, or is about to.
    pub fn displayed(&self) -> Quantity {
        if self.order.take || !(self.rests() || self.is_submitting()) {
            return Quantity::ZERO;
        }
        self.total().saturating_sub(self.booked.max(self.reported))
    }

    pub fn open(&self) -> OpenOrder {
        let NewOrder { id, side, price, take, .. } = self.order;
        let (remaining, staying) = (self.remaining(), self.staying());
        let ahead = self.ahead.filter(|_| self.rests());
        OpenOrder { id, side, price, remaining, staying, take, cancelling: staying.is_zero(), ahead }
    }

    /// Requests that were sent and not answered.
    pub fn awaiting(&self, out: &mut Vec<Request>) {
        let order = self.order.id;
        out.extend((!self.answered).then(|| self.create()));
        out.extend(self.cancel.underway.then_some(Request::Cancel { order }));
        let to = self.shrink.unwrap_or_else(|| self.staying());
        out.extend(self.decrease.underway.then_some(Request::Decrease { order, to }));
        out.extend(self.renewing.filter(|_| self.renew.underway).map(|expires| Request::Renew { order, expires }));
    }

    /// What was left when it ended and why, once; nothing where it was filled whole.
    pub fn tell_end(&mut self, now: Timestamp) -> Option<(Quantity, CancelReason)> {
        let left = self.order.quantity.saturating_sub(self.booked);
        if left.is_zero() || std::mem::replace(&mut self.told, true) {
            return None;
        }
        let denied = self.denied.filter(|_| !self.exists);
        let reason = match (denied, self.ended, self.pull) {
            (Some(Denial::Refused), ..) => CancelReason::Refused,
            (Some(Denial::Unsent), ..) => CancelReason::Unsent,
            (Some(Denial::Absent), ..) => CancelReason::Absent,
            (None, _, Some(reason)) => reason,
            (None, ..) if self.order.take => CancelReason::Unfilled,
            (None, ..) if self.gone.is_some() => CancelReason::Absent,
            // Filled whole after it was made smaller.
            (None, Some((_, End::Executed)), None) => CancelReason::Undesired,
            (None, ..) if self.expires.is_some_and(|expires| now >= expires) => CancelReason::Expired,
            (None, Some((_, End::Cancelled)), None) => CancelReason::Venue,
            (None, None, None) if self.cancelled.is_some() => CancelReason::Venue,
            (None, None, None) => CancelReason::Undesired,
        };
        Some((left, reason))
    }

    fn see(&mut self, now: Timestamp) {
        self.exists = true;
        self.seen = now;
        self.denied = None;
        self.unknown = None;
    }

    fn deny(&mut self, denial: Denial) {
        if !self.exists {
            self.denied = Some(self.denied.map_or(denial, |before| before.min(denial)));
            self.unknown = None;
        }
    }

    fn lose(&mut self, request: RequestKind, now: Timestamp) -> Option<Notice> {
        if request == RequestKind::Find {
            return None;
        }
        self.land(request);
        if request == RequestKind::Create {
            self.answered = true;
            #[cfg(feature = "mutants")]
            if crate::mutant::active(crate::mutant::Mutant::Unknown) {
                self.deny(Denial::Refused);
            }
            if !self.is_submitting() {
                return None;
            }
            self.unknown.get_or_insert(now);
        }
        Some(Notice::Unknown { order: self.order.id, request })
    }

    fn land(&mut self, request: RequestKind) {
        match request {
            RequestKind::Cancel => self.cancel.underway = false,
            RequestKind::Decrease => self.decrease.underway = false,
            RequestKind::Renew => self.renew.underway = false,
            RequestKind::Create | RequestKind::Find => {}
        }
    }

    fn rest(&mut self, filled: Quantity, remaining: Quantity, now: Timestamp, settings: &LiveSettings) {
        self.reported = self.reported.max(filled);
        self.most = self.most.min(filled + remaining);
        if self.shrink.is_some_and(|to| remaining <= to) {
            (self.shrink, self.shrunk) = (None, false);
        }
        // Reads lag writes: only a later word undoes a doubt.
        let late = |since: Timestamp| now.since(since) >= settings.margin;
        if self.doubt.is_some_and(late) {
            (self.doubt, self.vanished) = (None, false);
        }
        if self.gone.is_some_and(late) {
            self.gone = None;
        }
        self.calm();
    }

    fn end(&mut self, filled: Quantity, end: End) {
        self.reported = self.reported.max(filled);
        let heard = (filled, end);
        self.ended = Some(self.ended.map_or(heard, |before| before.max(heard)));
        self.calm();
    }

    /// What no longer rests is not to be cancelled, shrunk or doubted.
    fn calm(&mut self) {
        if self.exists && !self.rests() {
            (self.doubt, self.vanished) = (None, false);
            (self.shrink, self.shrunk) = (None, false);
        }
    }
}
