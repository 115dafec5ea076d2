//! The limits of a slot, as values: what they are, and whether new ones let more pass than old ones.
//!
//! There are no defaults here. Whoever makes limits states each of them.

use crate::units::{Money, Price, Quantity, SECOND, Timestamp};
use serde::{Deserialize, Serialize};

/// Limits of a slot. Times in nanoseconds. What an order costs is its premium: price × contracts of the side it buys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most contracts of one order.
    pub order: Quantity,
    /// Most that one order may cost.
    pub order_notional: Money,
    /// Most contracts held in one market, YES or NO, open orders counted as filled (MAX_POSITION_PER_MARKET).
    pub position: Quantity,
    /// Most contracts held in all markets of one city-day together, open orders counted as filled.
    pub city_day_contracts: Quantity,
    /// Most that one city-day may lose at its worst outcome, open orders filled as it hurts most.
    pub city_day_loss: Money,
    /// Most premium that may be traded in one UTC day, open orders counted as filled.
    pub day_notional: Money,
    /// Most money tied up in positions and open orders of the whole slot.
    pub exposure: Money,
    /// Most open orders of the slot.
    pub open_orders: u32,
    /// How far a price may be through the best price of the other side (where that side is empty: through its own).
    pub collar: Price,
    /// Most orders in any one second.
    pub orders_per_second: u32,
    /// Most orders in any 60 seconds.
    pub orders_per_minute: u32,
    /// Most that may be lost since the UTC day began: cash and positions at their mark.
    pub daily_loss: Money,
    /// Oldest forecast to trade on, nanoseconds since its newest input was published.
    pub forecast_age: i64,
    /// When a book counts as stale.
    pub stale: StaleRule,
    /// Most that the venue's clock and ours may be apart, either way.
    pub skew: i64,
    /// No new orders in a market this long before its close.
    pub before_close: i64,
    /// Weekly times without new orders.
    pub windows: Vec<Window>,
}

/// When a book counts as stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StaleRule {
    /// When its subscription is not proved current. A quiet market alone is not stale.
    Proved,
    /// The rule of the user's guide: also when the market did not change for so many nanoseconds.
    LastChange(i64),
}

/// A stretch of every week, UTC. The venue's pause, Thursday 03:00 to 05:00 in New York, is 07:00 to 09:00 UTC in daylight
/// time and 08:00 to 10:00 in standard time (PROTOCOL.md 7.2): state 07:00 to 10:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Seconds since Monday 00:00 UTC, included.
    pub from: u32,
    /// Seconds since Monday 00:00 UTC, excluded; at or before `from` where the window reaches into the next week.
    pub until: u32,
}

/// Seconds of a week.
pub const WEEK: i64 = 7 * 86_400;

impl Window {
    /// Whether a moment is inside.
    pub fn holds(&self, at: Timestamp) -> bool {
        // 1970 began on a Thursday.
        let second = (at.0.div_euclid(SECOND) + 3 * 86_400).rem_euclid(WEEK);
        let (from, until) = (i64::from(self.from), i64::from(self.until));
        if from < until { (from..until).contains(&second) } else { second >= from || second < until }
    }
}

impl Limits {
    /// Limits so wide that they refuse nothing: for tests and benchmarks of other things. Nothing that trades money starts
    /// from them.
    pub fn wide() -> Self {
        Self {
            order: Quantity::contracts(u32::MAX),
            order_notional: Money::new(i64::MAX / 4),
            position: Quantity::contracts(u32::MAX),
            city_day_contracts: Quantity::contracts(u32::MAX),
            city_day_loss: Money::new(i64::MAX / 4),
            day_notional: Money::new(i64::MAX / 4),
            exposure: Money::new(i64::MAX / 4),
            open_orders: u32::MAX,
            collar: Price::ONE,
            orders_per_second: u32::MAX,
            orders_per_minute: u32::MAX,
            daily_loss: Money::new(i64::MAX / 4),
            forecast_age: i64::MAX,
            stale: StaleRule::Proved,
            skew: i64::MAX,
            before_close: 0,
            windows: Vec::new(),
        }
    }

    /// Names of the limits that let more pass than they did in `before`.
    pub fn loosened(&self, before: &Self) -> Vec<&'static str> {
        let looser = [
            ("order", self.order > before.order),
            ("order_notional", self.order_notional > before.order_notional),
            ("position", self.position > before.position),
            ("city_day_contracts", self.city_day_contracts > before.city_day_contracts),
            ("city_day_loss", self.city_day_loss > before.city_day_loss),
            ("day_notional", self.day_notional > before.day_notional),
            ("exposure", self.exposure > before.exposure),
            ("open_orders", self.open_orders > before.open_orders),
            ("collar", self.collar > before.collar),
            ("orders_per_second", self.orders_per_second > before.orders_per_second),
            ("orders_per_minute", self.orders_per_minute > before.orders_per_minute),
            ("daily_loss", self.daily_loss > before.daily_loss),
            ("forecast_age", self.forecast_age > before.forecast_age),
            ("stale", self.stale.lets_more_pass_than(before.stale)),
            ("skew", self.skew > before.skew),
            ("before_close", self.before_close < before.before_close),
            ("windows", before.windows.iter().any(|window| !self.windows.contains(window))),
        ];
        looser.into_iter().filter(|(_, looser)| *looser).map(|(name, _)| name).collect()
    }
}

impl StaleRule {
    fn lets_more_pass_than(self, before: Self) -> bool {
        match (self, before) {
            (_, Self::Proved) => false,
            (Self::Proved, Self::LastChange(_)) => true,
            (Self::LastChange(now), Self::LastChange(before)) => now > before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_alone_is_known_to_let_more_pass() {
        let tight = Limits { windows: vec![Window { from: 0, until: 9 }], ..narrow() };
        assert!(tight.loosened(&tight).is_empty());
        let names = Limits::wide().loosened(&tight);
        let all = serde_names(&tight);
        assert_eq!(names.len(), all, "every field has its comparison");
        assert!(tight.loosened(&Limits::wide()).is_empty(), "tightening is not loosening");
    }

    /// As many as `Limits` has fields: one more would not be destructured here.
    fn serde_names(limits: &Limits) -> usize {
        let Limits {
            order: _,
            order_notional: _,
            position: _,
            city_day_contracts: _,
            city_day_loss: _,
            day_notional: _,
            exposure: _,
            open_orders: _,
            collar: _,
            orders_per_second: _,
            orders_per_minute: _,
            daily_loss: _,
            forecast_age: _,
            stale: _,
            skew: _,
            before_close: _,
            windows: _,
        } = limits;
        17
    }

    fn narrow() -> Limits {
        Limits {
            order: Quantity::ZERO,
            order_notional: Money::ZERO,
            position: Quantity::ZERO,
            city_day_contracts: Quantity::ZERO,
            city_day_loss: Money::ZERO,
            day_notional: Money::ZERO,
            exposure: Money::ZERO,
            open_orders: 0,
            collar: Price::ZERO,
            orders_per_second: 0,
            orders_per_minute: 0,
            daily_loss: Money::ZERO,
            forecast_age: 0,
            stale: StaleRule::LastChange(1),
            skew: 0,
            before_close: 1,
            windows: vec![],
        }
    }

    #[test]
    fn a_window_knows_its_days_and_wraps_around_the_week() {
        // 2026-11-26 is a Thursday; 08:00 UTC of it.
        let thursday = Timestamp(1_795_680_000 * SECOND);
        let day = 3 * 86_400;
        let pause = Window { from: day + 7 * 3_600, until: day + 10 * 3_600 };
        assert!(pause.holds(thursday) && pause.holds(thursday.plus(-3_600 * SECOND)));
        assert!(!pause.holds(thursday.plus(2 * 3_600 * SECOND)) && !pause.holds(thursday.plus(86_400 * SECOND)));
        let weekend = Window { from: 6 * 86_400, until: 3_600 };
        assert!(weekend.holds(thursday.plus(3 * 86_400 * SECOND)), "Sunday");
        assert!(weekend.holds(thursday.plus((4 * 86_400 - 8 * 3_600) * SECOND)), "Monday, first hour");
        assert!(!weekend.holds(thursday.plus(4 * 86_400 * SECOND)));
    }
}
