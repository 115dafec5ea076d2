//! How much the venue lets an account ask: its token buckets, modelled, since it tells nothing but 429 (PROTOCOL.md 3.7).
//!
//! Pure: time is passed in. Requests are refused here before the venue would refuse them, by rank: [`Rank::Cancel`] may
//! spend all there is, [`Rank::Place`] leaves the reserve for cancels alone, and [`Rank::Renew`] has a bucket of its own
//! besides, with its share of the rate. So that no request meets an emptier bucket at the venue than here, our bucket begins
//! empty (a process that died a moment ago may have emptied the real one), and is smaller by what refills while requests may
//! overtake one another on their way. Tokens are counted in billionths: a rate in tokens a second times nanoseconds.

use crate::wire;
use isobar_engine::units::{SECOND, Timestamp};

/// Capacity and refill of a bucket, in tokens and tokens a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Most tokens that it holds.
    pub capacity: u32,
    /// Tokens a second that come back.
    pub rate: u32,
}

impl From<wire::BucketLimit> for Limit {
    fn from(limit: wire::BucketLimit) -> Self {
        Self { capacity: limit.bucket_capacity, rate: limit.refill_rate }
    }
}

/// The buckets of an account: `GET /account/limits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of reads.
    pub read: Limit,
    /// Of writes of orders and order groups.
    pub write: Limit,
    /// Of `GET /portfolio/balance`, which has its own bucket in requests: 1/s on the lower tiers.
    pub balance: Limit,
}

impl Limits {
    /// The tier of a new account, which every account has at least.
    pub const BASIC: Self = Self {
        read: Limit { capacity: 200, rate: 200 },
        write: Limit { capacity: 100, rate: 100 },
        balance: Limit { capacity: 1, rate: 1 },
    };

    /// As the venue tells them. The bucket of the balance is not told; its rate is that of the lower tiers.
    pub fn of(limits: &wire::AccountLimits) -> Self {
        Self { read: limits.read.into(), write: limits.write.into(), balance: Self::BASIC.balance }
    }
}

/// What each kind of request costs, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Whatever has no price of its own.
    pub default: u32,
    /// Create an order.
    pub create: u32,
    /// Cancel an order.
    pub cancel: u32,
    /// Cancel all orders.
    pub cancel_all: u32,
    /// Amend an order (renew it).
    pub amend: u32,
    /// Decrease an order.
    pub decrease: u32,
    /// Trigger or reset an order group.
    pub group: u32,
    /// Read one order.
    pub order: u32,
}

impl Costs {
    /// As documented in October 2026: 10, but 2 for cancels and for reading one order.
    pub const DOCUMENTED: Self =
        Self { default: 10, create: 10, cancel: 2, cancel_all: 2, amend: 10, decrease: 10, group: 10, order: 2 };

    /// As `GET /account/endpoint_costs` tells them: what is not named there costs the default.
    pub fn of(costs: &wire::EndpointCosts) -> Self {
        let cost = |method: &str, path: &str| {
            let same = |given: &str| {
                let given = given.strip_prefix("/trade-api/v2").unwrap_or(given);
                let mut parts = given.split('/').zip(path.split('/'));
                given.split('/').count() == path.split('/').count()
                    && parts.all(|(given, wanted)| given == wanted || given.starts_with(['{', ':']) && wanted == "*")
            };
            let named =
                costs.endpoint_costs.iter().find(|cost| cost.method.eq_ignore_ascii_case(method) && same(&cost.path));
            named.map_or(costs.default_cost, |named| named.cost)
        };
        Self {
            default: costs.default_cost,
            create: cost("POST", "/portfolio/events/orders"),
            cancel: cost("DELETE", "/portfolio/events/orders/*"),
            cancel_all: cost("DELETE", "/portfolio/events/orders"),
            amend: cost("POST", "/portfolio/events/orders/*/amend"),
            decrease: cost("POST", "/portfolio/events/orders/*/decrease"),
            group: cost("PUT", "/portfolio/order_groups/*/trigger"),
            order: cost("GET", "/portfolio/orders/*"),
        }
    }
}

/// Who may spend before whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// What takes risk away: cancels, the trigger of the order group.
    Cancel,
    /// What changes or adds: creates, decreases, the reset of the order group.
    Place,
    /// What keeps orders alive.
    Renew,
}

/// How the write bucket is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Tokens that only cancels may spend.
    pub reserve: u32,
    /// Most that renewals may spend of rate and capacity, in percent.
    pub renewals: u32,
    /// Longest time, nanoseconds, by which one request may overtake another on the way to the venue.
    pub jitter: i64,
}

impl Shares {
    /// A fifth of the bucket for cancels (but enough for one trigger of the order group and one cancel of all), a quarter
    /// for renewals, a tenth of a second of jitter.
    pub fn usual(limits: &Limits, costs: &Costs) -> Self {
        let reserve = (limits.write.capacity / 5).max(costs.group + costs.cancel_all);
        Self { reserve, renewals: 25, jitter: SECOND / 10 }
    }
}

/// One bucket. Its level is exact: it has no fractions to lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    capacity: i64,
    rate: i64,
    level: i64,
    at: Option<Timestamp>,
}

impl Bucket {
    /// A bucket that is empty when it is first looked at.
    pub fn empty(limit: Limit) -> Self {
        Self { capacity: i64::from(limit.capacity) * SECOND, rate: i64::from(limit.rate), level: 0, at: None }
    }

    /// A bucket that is full.
    pub fn full(limit: Limit) -> Self {
        Self { level: i64::from(limit.capacity) * SECOND, ..Self::empty(limit) }
    }

    /// The same bucket, smaller by what refills within `jitter`, but not by more than half.
    fn shrunk(limit: Limit, jitter: i64) -> Self {
        let mut bucket = Self::empty(limit);
        bucket.capacity -= (bucket.rate * jitter).min(bucket.capacity / 2);
        bucket
    }

    fn fill(&mut self, now: Timestamp) {
        let passed = self.at.map_or(0, |at| now.since(at)).max(0);
        // A day of refill is more than any bucket holds.
        self.level =
            self.rate.saturating_mul(passed.min(86_400 * SECOND)).saturating_add(self.level).min(self.capacity);
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
    }

    /// Spends `cost` tokens where that leaves at least `floor`. Says whether it did.
    pub fn spend(&mut self, now: Timestamp, cost: u32, floor: u32) -> bool {
        let able = self.holds(now, cost, floor);
        if able {
            self.level -= i64::from(cost) * SECOND;
        }
        able
    }

    /// Whether `cost` tokens can be spent so that at least `floor` is left.
    fn holds(&mut self, now: Timestamp, cost: u32, floor: u32) -> bool {
        self.fill(now);
        self.level >= (i64::from(cost) + i64::from(floor)) * SECOND
    }

    /// When `cost` tokens above `floor` will be there, if nobody spends; never where the bucket is too small.
    pub fn ready(&mut self, now: Timestamp, cost: u32, floor: u32) -> Option<Timestamp> {
        self.fill(now);
        let needed = (i64::from(cost) + i64::from(floor)) * SECOND;
        if needed > self.capacity || self.rate == 0 {
            return None;
        }
        let missing = (needed - self.level).max(0);
        Some(now.plus(missing.div_euclid(self.rate) + i64::from(missing.rem_euclid(self.rate) > 0)))
    }

    /// The venue says that its bucket is empty: so is ours.
    fn drain(&mut self, now: Timestamp) {
        self.fill(now);
        self.level = 0;
    }

    /// Whole tokens that are there.
    pub fn tokens(&mut self, now: Timestamp) -> u32 {
        self.fill(now);
        u32::try_from(self.level / SECOND).unwrap_or(0)
    }
}

/// The budget of one account.
#[derive(Clone, Debug)]
pub struct Budget {
    costs: Costs,
    reserve: u32,
    write: Bucket,
    renewals: Bucket,
    read: Bucket,
    balance: Bucket,
    jitter: i64,
}

/// Why a budget or a plan cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// A single create does not fit beside the reserve. Make the reserve smaller.
    #[error("a bucket of {capacity} tokens cannot hold a reserve of {reserve} and one order of {cost}")]
    Reserve {
        /// Usable capacity of the write bucket, tokens.
        capacity: u32,
        /// Tokens for cancels alone.
        reserve: u32,
        /// Tokens of one create.
        cost: u32,
    },
    /// Renewals cannot keep so many quotes alive with so short an expiry. Quote less, allow a longer expiry, or get a
    /// higher tier.
    #[error(
        "{quotes} quotes need an expiry of {needed} s (renewals may spend {rate} of {write} write tokens a second), \
         but {longest} s is the longest allowed"
    )]
    Expiry {
        /// Quotes to keep alive.
        quotes: u32,
        /// Expiry that can be kept, seconds.
        needed: i64,
        /// Longest expiry allowed, seconds.
        longest: i64,
        /// Tokens a second that renewals may spend.
        rate: u32,
        /// Tokens a second of the write bucket.
        write: u32,
    },
    /// Renewals may spend nothing.
    #[error("renewals have no share of the write budget")]
    NoShare,
}

impl Budget {
    /// The budget of an account with these limits, which is empty `now`. Refused where the division leaves no room for a
    /// single order.
    pub fn new(limits: &Limits, costs: Costs, shares: Shares, now: Timestamp) -> Result<Self, BudgetError> {
        let write = Bucket::shrunk(limits.write, shares.jitter);
        let capacity = u32::try_from(write.capacity / SECOND).unwrap_or(0);
        if capacity < shares.reserve.saturating_add(costs.create) {
            return Err(BudgetError::Reserve { capacity, reserve: shares.reserve, cost: costs.create });
        }
        let share = share(limits.write, shares.renewals);
        // A share that is smaller than one amend must still let one pass, seldom.
        let renewals = Bucket::empty(Limit { capacity: share.capacity.max(costs.amend), ..share });
        let mut budget = Self {
            costs,
            reserve: shares.reserve,
            write,
            renewals,
            read: Bucket::shrunk(limits.read, shares.jitter),
            balance: Bucket::empty(limits.balance),
            jitter: shares.jitter,
        };
        for bucket in [&mut budget.write, &mut budget.renewals, &mut budget.read, &mut budget.balance] {
            bucket.fill(now);
        }
        budget.owe_for_jitter();
        Ok(budget)
    }

    /// What requests cost.
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// Spends for a write. Says whether it may be sent now.
    pub fn write(&mut self, now: Timestamp, rank: Rank, cost: u32) -> bool {
        let floor = if rank == Rank::Cancel { 0 } else { self.reserve };
        if rank == Rank::Renew && !(self.write.holds(now, cost, floor) && self.renewals.spend(now, cost, 0)) {
            return false;
        }
        self.write.spend(now, cost, floor)
    }

    /// When a write of this rank and cost may be sent, if nothing else is. Never, where it costs more than there can be.
    pub fn write_ready(&mut self, now: Timestamp, rank: Rank, cost: u32) -> Option<Timestamp> {
        let floor = if rank == Rank::Cancel { 0 } else { self.reserve };
        let ready = self.write.ready(now, cost, floor)?;
        match rank {
            Rank::Renew => Some(ready.max(self.renewals.ready(now, cost, 0)?)),
            Rank::Cancel | Rank::Place => Some(ready),
        }
    }

    /// Spends for a read.
    pub fn read(&mut self, now: Timestamp, cost: u32) -> bool {
        self.read.spend(now, cost, 0)
    }

    /// When a read of this cost may be sent.
    pub fn read_ready(&mut self, now: Timestamp, cost: u32) -> Option<Timestamp> {
        self.read.ready(now, cost, 0)
    }

    /// Spends for a read of the balance, which has its own bucket beside that of reads.
    pub fn balance(&mut self, now: Timestamp) -> bool {
        let cost = self.costs.default;
        let able = self.balance.holds(now, 1, 0) && self.read.spend(now, cost, 0) && self.balance.spend(now, 1, 0);
        if able {
            self.owe_for_jitter();
        }
        able
    }

    /// A bucket of one token cannot be made smaller: the next read of the balance waits for longer instead.
    fn owe_for_jitter(&mut self) {
        self.balance.level -= self.balance.rate * self.jitter;
    }

    /// When the balance may be read.
    pub fn balance_ready(&mut self, now: Timestamp) -> Option<Timestamp> {
        let read = self.read.ready(now, self.costs.default, 0)?;
        Some(read.max(self.balance.ready(now, 1, 0)?))
    }

    /// The venue answered a write with 429: somebody else spends from the same account.
    pub fn write_limited(&mut self, now: Timestamp) {
        self.write.drain(now);
    }

    /// The venue answered a read with 429.
    pub fn read_limited(&mut self, now: Timestamp) {
        self.read.drain(now);
    }

    /// Tokens for writes that are there now.
    pub fn write_tokens(&mut self, now: Timestamp) -> u32 {
        self.write.tokens(now)
    }
}

fn share(limit: Limit, percent: u32) -> Limit {
    let part = |whole: u32| u32::try_from(u64::from(whole) * u64::from(percent.min(100)) / 100).unwrap_or(whole);
    Limit { capacity: part(limit.capacity), rate: part(limit.rate) }
}

/// How resting orders are kept alive, and how long they outlive their host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalPlan {
    /// Expiry that orders get, nanoseconds from their placing or renewal; whole seconds.
    pub expiry: i64,
    /// Age of an expiry, nanoseconds, at which it is renewed.
    pub every: i64,
}

impl RenewalPlan {
    /// The shortest expiry with which `quotes` orders can be kept: each has two turns to be renewed before it dies, and
    /// `margin` nanoseconds for the way and for clocks that differ. Refused above `longest`; never below `shortest`.
    pub fn new(
        limits: &Limits,
        costs: &Costs,
        shares: &Shares,
        quotes: u32,
        (shortest, longest): (i64, i64),
        margin: i64,
    ) -> Result<Self, BudgetError> {
        let rate = share(limits.write, shares.renewals).rate;
        if rate == 0 {
            return Err(BudgetError::NoShare);
        }
        let round = i64::from(quotes) * i64::from(costs.amend) * SECOND;
        let every = round.div_euclid(i64::from(rate)) + i64::from(round % i64::from(rate) > 0);
        let needed = seconds_up(2 * every + margin);
        if needed > longest {
            let (needed, longest) = (needed / SECOND, longest / SECOND);
            return Err(BudgetError::Expiry { quotes, needed, longest, rate, write: limits.write.rate });
        }
        let expiry = needed.max(seconds_up(shortest));
        Ok(Self { expiry, every: (expiry - margin) / 2 })
    }
}

/// The next whole second, in nanoseconds.
fn seconds_up(nanos: i64) -> i64 {
    (nanos + SECOND - 1).div_euclid(SECOND) * SECOND
}

#[cfg(test)]
mod tests;
