//! Token buckets by tier (PROTOCOL.md 3.7): one for reads, one for writes, one for the balance, per account.

use isobar_engine::units::{SECOND, Timestamp};

/// How much an account may ask of the exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// What everyone begins with.
    #[default]
    Basic,
    /// Asked for once orders were placed.
    Advanced,
    /// By share of volume.
    Expert,
    /// By share of volume.
    Premier,
    /// By share of volume.
    Paragon,
    /// By share of volume.
    Prime,
    /// By share of volume.
    Prestige,
    /// No limits: not one of the venue's, for measurements.
    Unlimited,
}

impl Tier {
    const ALL: [Self; 8] = [
        Self::Basic,
        Self::Advanced,
        Self::Expert,
        Self::Premier,
        Self::Paragon,
        Self::Prime,
        Self::Prestige,
        Self::Unlimited,
    ];

    /// The tier of a word, as [`Tier::word`] spells it.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.word() == word)
    }

    /// The venue's word, in lower case.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Advanced => "advanced",
            Self::Expert => "expert",
            Self::Premier => "premier",
            Self::Paragon => "paragon",
            Self::Prime => "prime",
            Self::Prestige => "prestige",
            Self::Unlimited => "unlimited",
        }
    }

    /// Tokens a second of reads and of writes.
    const fn rates(self) -> (i64, i64) {
        match self {
            Self::Basic => (200, 100),
            Self::Advanced => (300, 300),
            Self::Expert => (600, 600),
            Self::Premier => (1_200, 1_200),
            Self::Paragon => (2_400, 2_400),
            Self::Prime => (4_800, 4_800),
            Self::Prestige => (12_000, 9_600),
            Self::Unlimited => (1_000_000_000, 1_000_000_000),
        }
    }

    /// Reads of the balance a second.
    const fn balances(self) -> i64 {
        match self {
            Self::Basic | Self::Advanced => 1,
            Self::Unlimited => 1_000_000_000,
            _ => 5,
        }
    }
}

/// A bucket: how fast it fills and how much it holds, in tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    pub(crate) rate: i64,
    pub(crate) capacity: i64,
    /// Nanotokens, so that a nanosecond fills it by exactly its rate.
    level: i64,
    filled: Option<Timestamp>,
}

impl Bucket {
    fn new(rate: i64, capacity: i64) -> Self {
        Self { rate, capacity, level: capacity.saturating_mul(SECOND), filled: None }
    }

    /// Takes tokens, all or none.
    fn take(&mut self, tokens: i64, now: Timestamp) -> bool {
        let elapsed = self.filled.map_or(0, |filled| now.since(filled).max(0));
        self.filled = Some(now);
        let most = self.capacity.saturating_mul(SECOND);
        self.level = self.level.saturating_add(elapsed.saturating_mul(self.rate)).min(most);
        let wanted = tokens.saturating_mul(SECOND);
        let enough = self.level >= wanted;
        if enough {
            self.level -= wanted;
        }
        enough
    }
}

/// What a request is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    Read(i64),
    Write(i64),
    Balance,
}

/// The buckets of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) tier: Tier,
    pub(crate) read: Bucket,
    pub(crate) write: Bucket,
    balance: Bucket,
}

impl Limits {
    pub(crate) fn new(tier: Tier) -> Self {
        let (read, write) = tier.rates();
        let three_seconds = |deep: bool| if deep { 3 } else { 1 };
        let (read_deep, write_deep) =
            (matches!(tier, Tier::Basic | Tier::Advanced), !matches!(tier, Tier::Basic | Tier::Unlimited));
        Self {
            tier,
            read: Bucket::new(read, read * three_seconds(read_deep)),
            write: Bucket::new(write, write * three_seconds(write_deep)),
            balance: Bucket::new(tier.balances(), tier.balances()),
        }
    }

    pub(crate) fn admit(&mut self, charge: Charge, now: Timestamp) -> bool {
        match charge {
            Charge::Read(tokens) => self.read.take(tokens, now),
            Charge::Write(tokens) => self.write.take(tokens, now),
            Charge::Balance => self.balance.take(1, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_account_creates_ten_orders_at_once_and_ten_a_second() {
        let mut limits = Limits::new(Tier::Basic);
        let creates = |limits: &mut Limits, now| (0..20).filter(|_| limits.admit(Charge::Write(10), now)).count();
        assert_eq!(creates(&mut limits, Timestamp(0)), 10);
        assert_eq!(creates(&mut limits, Timestamp(SECOND / 2)), 5);
        assert_eq!(creates(&mut limits, Timestamp(100 * SECOND)), 10, "one second of budget and no more");
        assert_eq!((limits.read.rate, limits.read.capacity), (200, 600));
    }

    #[test]
    fn a_batch_fits_the_bucket_at_once_or_not_at_all() {
        let mut limits = Limits::new(Tier::Basic);
        assert!(!limits.admit(Charge::Write(110), Timestamp(0)));
        assert!(limits.admit(Charge::Write(100), Timestamp(0)));
    }

    #[test]
    fn unlimited_never_says_no() {
        let mut limits = Limits::new(Tier::Unlimited);
        assert!(
            (0..100_000)
                .all(|_| limits.admit(Charge::Write(10), Timestamp(0)) && limits.admit(Charge::Balance, Timestamp(0)))
        );
    }
}
