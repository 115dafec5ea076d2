//! Prices, quantities, money, probabilities and time as integers.
//!
//! The scales are the venue's own fixed-point scales, so nothing is ever rounded on the way in. One [`Price`] unit
//! times one [`Quantity`] unit is exactly one [`Money`] unit. No floating point is used past the wall.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Dollar price of a YES contract in 1/10 000 dollar, from 0 to 10 000 (one dollar).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Price(u16);

impl Price {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One dollar: what a contract that came true pays.
    pub const ONE: Self = Self(10_000);

    /// A price of `units`/10 000 dollar, or nothing where that is above one dollar.
    pub const fn new(units: u16) -> Option<Self> {
        if units <= Self::ONE.0 { Some(Self(units)) } else { None }
    }

    /// A price in whole cents, or nothing above 100.
    pub const fn from_cents(cents: u16) -> Option<Self> {
        if cents <= 100 { Some(Self(cents * 100)) } else { None }
    }

    /// The price in 1/10 000 dollar.
    pub const fn units(self) -> u16 {
        self.0
    }

    /// The same claim from the other side: a NO bid at `p` is a YES ask at `p.complement()`.
    pub const fn complement(self) -> Self {
        Self(Self::ONE.0 - self.0)
    }

    /// What `quantity` costs at this price.
    ///
    /// Panics when the product leaves the range of [`Money`] (more than 9 × 10¹² dollars).
    pub fn times(self, quantity: Quantity) -> Money {
        let product = u64::from(self.0).checked_mul(quantity.0).and_then(|p| i64::try_from(p).ok());
        Money(product.expect("price times quantity stays below 9e12 dollars"))
    }
}

/// The venue's spelling: dollars with four decimals, `0.4800`.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.0 / 10_000, self.0 % 10_000)
    }
}

/// Number of contracts in 1/100 contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Quantity(u64);

impl Quantity {
    /// No contracts.
    pub const ZERO: Self = Self(0);

    /// `units`/100 contracts.
    pub const fn new(units: u64) -> Self {
        Self(units)
    }

    /// Whole contracts.
    pub const fn contracts(count: u32) -> Self {
        Self(count as u64 * 100)
    }

    /// The quantity in 1/100 contract.
    pub const fn units(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The quantity left after `other` is taken away, never below zero.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This quantity changed by a signed number of units, or nothing where the result would be negative.
    pub fn checked_add_signed(self, change: i64) -> Option<Self> {
        self.0.checked_add_signed(change).map(Self)
    }

    /// The quantity as a signed number of units. Panics above 9 × 10¹⁶ contracts.
    pub fn signed(self) -> i64 {
        i64::try_from(self.0).expect("a quantity fits i64")
    }
}

impl std::ops::Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl std::ops::AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl std::ops::Sub for Quantity {
    type Output = Self;
    /// Panics when `other` is larger.
    fn sub(self, other: Self) -> Self {
        Self(self.0.checked_sub(other.0).expect("a quantity never goes below zero"))
    }
}

impl std::ops::SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, |sum, next| sum + next)
    }
}

/// The venue's spelling: contracts with two decimals, `10.00`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// An amount of dollars, positive or negative, in 1/1 000 000 dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Money(i64);

impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// `micros`/1 000 000 dollars.
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    /// Whole dollars.
    pub const fn dollars(dollars: i32) -> Self {
        Self(dollars as i64 * 1_000_000)
    }

    /// The amount in 1/1 000 000 dollar.
    pub const fn micros(self) -> i64 {
        self.0
    }
}

impl std::ops::Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("money stays below 9e12 dollars"))
    }
}

impl std::ops::AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::ops::Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.checked_sub(other.0).expect("money stays below 9e12 dollars"))
    }
}

impl std::ops::SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::ops::Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, |sum, next| sum + next)
    }
}

/// Dollars with six decimals, `-1.250000`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

/// A probability in parts per million, from 0 to 1 000 000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Probability(u32);

impl Probability {
    /// Impossibility.
    pub const NONE: Self = Self(0);
    /// Certainty.
    pub const ONE: Self = Self(1_000_000);

    /// `ppm` parts per million, or nothing above certainty.
    pub const fn new(ppm: u32) -> Option<Self> {
        if ppm <= Self::ONE.0 { Some(Self(ppm)) } else { None }
    }

    /// The probability in parts per million. As micro-dollars this is also the fair value of one contract.
    pub const fn ppm(self) -> u32 {
        self.0
    }
}

/// A moment in UTC, in nanoseconds since 1970. The engine learns of it only from events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This moment plus `nanos` nanoseconds (at the end of time, the end of time).
    pub const fn plus(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` until this moment; negative where `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;

/// Side of the YES book. Buying YES is [`Side::Bid`]; selling YES, which is the same as buying NO, is [`Side::Ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Buys YES.
    Bid,
    /// Sells YES (buys NO).
    Ask,
}

impl Side {
    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// `+1` for a bid and `-1` for an ask: the sign that a fill gives to a position.
    pub const fn sign(self) -> i64 {
        match self {
            Self::Bid => 1,
            Self::Ask => -1,
        }
    }
}

/// BLAKE3 hash of bytes: of a component, a model bundle, the state of an engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// Lower-case hexadecimal, 64 characters.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_price_unit_times_one_quantity_unit_is_one_money_unit() {
        let cost = Price::from_cents(48).expect("below 100").times(Quantity::contracts(41));
        assert_eq!(cost, Money::new(19_680_000));
        assert_eq!(cost.to_string(), "19.680000");
    }

    #[test]
    fn the_complement_is_the_other_side_of_the_claim() {
        let price = Price::new(4_700).expect("below one dollar");
        assert_eq!(price.complement().to_string(), "0.5300");
        assert_eq!(price.complement().complement(), price);
        assert_eq!(Price::new(10_001), None);
    }

    #[test]
    fn money_below_zero_keeps_its_sign_when_the_dollars_are_zero() {
        assert_eq!(Money::new(-250_000).to_string(), "-0.250000");
    }
}
