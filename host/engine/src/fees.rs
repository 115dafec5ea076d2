//! What a fill costs: the venue's fee model, its rounding, and the flat formula of the user's guide.
//!
//! Exact integers throughout. Refuses nothing: a rate, a price and a quantity always give a fee.

use crate::market::FeeSchedule;
use crate::units::{Money, Price, Quantity, Side};
use serde::{Deserialize, Serialize};

/// What a balance is always a multiple of, micro-dollars. Source: PROTOCOL.md 4, docs.kalshi.com/getting_started/fee_rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid(i64);

impl Grid {
    /// Direct members since June 2026: $0.0001. What trades here is charged on it.
    pub const MEMBER: Self = Self(100);
    /// Customers of brokers, and everybody before June 2026: one cent. Recordings of that time are held against it.
    pub const CENT: Self = Self(10_000);
}

impl FeeSchedule {
    /// Fee of one fill by the model alone, rounded up to $0.000001.
    ///
    /// `side` is ours: a bid buys YES at `price`, an ask buys NO at one dollar less `price`. Only the flat formula looks
    /// at it; the quadratic one is symmetric.
    pub fn per_fill(self, taker: bool, side: Side, price: Price, quantity: Quantity) -> Money {
        match self {
            Self::Quadratic { taker_ppm, maker_ppm } => {
                let rate = rate(if taker { taker_ppm } else { maker_ppm });
                let spread = u64::from(price.units()) * u64::from(price.complement().units());
                // ppm × 1/100 contract × (1/10 000 $)² is 1e-16 $, of which 1e10 make one micro-dollar.
                share(rate, spread, quantity, 10_000_000_000)
            }
            Self::FlatPremium { taker_ppm, maker_ppm } => {
                let rate = rate(if taker { taker_ppm } else { maker_ppm });
                let paid = match side {
                    Side::Bid => price,
                    Side::Ask => price.complement(),
                };
                share(rate, u64::from(paid.units()), quantity, 1_000_000)
            }
        }
    }
}

/// `rate × price × quantity / scale`, rounded up. Guests call this for every bracket, and a wide division costs them
/// a thousand instructions: it is taken only where a narrow one does not suffice.
fn share(rate: u32, price: u64, quantity: Quantity, scale: u64) -> Money {
    let rate = u64::from(rate);
    let narrow = rate.checked_mul(price).and_then(|product| product.checked_mul(quantity.units()));
    let amount = match narrow {
        Some(product) => u128::from(product.div_ceil(scale)),
        None => (u128::from(rate) * u128::from(price) * u128::from(quantity.units())).div_ceil(u128::from(scale)),
    };
    Money::new(i64::try_from(amount).expect("a fee stays below 9e12 dollars"))
}

/// The rate in force. A build with the test feature `mutants` can raise it, to prove that a replay notices.
fn rate(ppm: u32) -> u32 {
    #[cfg(feature = "mutants")]
    if crate::mutant::active(crate::mutant::Mutant::Fee) {
        return ppm + ppm / 100;
    }
    ppm
}

/// Rounding of one order's fees: what earlier fills overpaid and has not been given back.
///
/// The venue rounds the change of balance of each fill down to its grid and remembers the difference per order, taker
/// and maker fills alike. A fill that brings the sum to a whole grid unit gets that unit back, as far as its own fee
/// reaches: a net fee is never negative. Source: PROTOCOL.md 4 (direct members).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderFees {
    overpaid: Money,
}

impl OrderFees {
    /// Net fee of the order's next fill, for a direct member. Under [`FeeSchedule::FlatPremium`] it is the formula's and
    /// nothing is remembered.
    pub fn charge(
        &mut self,
        schedule: FeeSchedule,
        taker: bool,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> Money {
        self.charge_on(Grid::MEMBER, schedule, taker, side, price, quantity)
    }

    /// [`Self::charge`] where balances lie on another grid.
    pub fn charge_on(
        &mut self,
        Grid(grid): Grid,
        schedule: FeeSchedule,
        taker: bool,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> Money {
        let model = schedule.per_fill(taker, side, price, quantity);
        if let FeeSchedule::FlatPremium { .. } = schedule {
            return model;
        }
        // Whether an ask sells YES or buys NO differs by whole cents, so the remainder on the grid is the same.
        let revenue = -side.sign() * price.times(quantity).micros();
        let rounding = Money::new((revenue - model.micros()).rem_euclid(grid));
        let gross = model + rounding;
        self.overpaid += rounding;
        let rebate = Money::new(self.overpaid.min(gross).micros() / grid * grid);
        self.overpaid -= rebate;
        gross - rebate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WEATHER: FeeSchedule = FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 };
    const MAKERS_PAY: FeeSchedule = FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 17_500 };
    const GUIDE: FeeSchedule = FeeSchedule::FlatPremium { taker_ppm: 70_000, maker_ppm: 0 };

    fn cents(cents: u16) -> Price {
        Price::from_cents(cents).expect("a price")
    }

    fn first_fill(schedule: FeeSchedule, taker: bool, side: Side, price: u16, contracts: u32) -> String {
        OrderFees::default().charge(schedule, taker, side, cents(price), Quantity::contracts(contracts)).to_string()
    }

    #[test]
    fn the_venues_fees_are_met_to_the_hundredth_of_a_cent() {
        let taker = |price, contracts| first_fill(WEATHER, true, Side::Bid, price, contracts);
        assert_eq!(taker(52, 1), "0.017500", "captured: fee_cost 0.017500");
        assert_eq!(taker(99, 1), "0.000700", "captured: fee_cost 0.000700");
        assert_eq!(taker(50, 100), "1.750000");
        assert_eq!(taker(90, 100), "0.630000");
        assert_eq!(taker(10, 100), "0.630000");
        assert_eq!(first_fill(WEATHER, false, Side::Bid, 50, 100), "0.000000");
        assert_eq!(first_fill(MAKERS_PAY, false, Side::Bid, 50, 100), "0.437500");
    }

    #[test]
    fn the_model_fee_is_rounded_up_to_a_millionth_and_not_further() {
        let model = |price, units| WEATHER.per_fill(true, Side::Bid, cents(price), Quantity::new(units));
        assert_eq!(model(52, 100), Money::new(17_472));
        assert_eq!(model(99, 100), Money::new(693));
        assert_eq!(model(99, 1), Money::new(7), "6.93 millionths");
        assert_eq!(model(0, 100), Money::ZERO);
    }

    #[test]
    fn no_at_a_price_costs_what_yes_costs_at_the_complement() {
        assert_eq!(first_fill(WEATHER, true, Side::Ask, 48, 7), first_fill(WEATHER, true, Side::Bid, 52, 7));
        assert_eq!(first_fill(GUIDE, true, Side::Ask, 48, 7), first_fill(GUIDE, true, Side::Bid, 52, 7));
    }

    #[test]
    fn the_guides_formula_is_seven_percent_of_the_premium() {
        assert_eq!(first_fill(GUIDE, true, Side::Bid, 50, 1), "0.035000");
        assert_eq!(first_fill(GUIDE, false, Side::Bid, 45, 1), "0.000000");
        assert_eq!(first_fill(GUIDE, true, Side::Bid, 50, 100), "3.500000");
        assert_eq!(first_fill(GUIDE, true, Side::Bid, 90, 100), "6.300000");
        assert_eq!(first_fill(GUIDE, true, Side::Bid, 10, 100), "0.700000");
        assert_eq!(first_fill(GUIDE, true, Side::Bid, 52, 1), "0.036400");
        assert_eq!(first_fill(GUIDE, true, Side::Bid, 48, 41), "1.377600");
    }

    #[test]
    fn the_fill_that_brings_the_overpaid_sum_to_a_grid_unit_gets_it_back() {
        // Each fill of 1 @ 0.52 overpays 28 millionths: 28, 56, 84, then 112, of which 100 return.
        let mut fees = OrderFees::default();
        let paid: Vec<_> =
            (0..4).map(|_| fees.charge(WEATHER, true, Side::Bid, cents(52), Quantity::contracts(1)).micros()).collect();
        assert_eq!(paid, [17_500, 17_500, 17_500, 17_400]);
        assert_eq!(fees.overpaid, Money::new(12));
        assert_eq!(paid.iter().sum::<i64>(), 69_900, "what one fill of 4 costs");
        assert_eq!(first_fill(WEATHER, true, Side::Bid, 52, 4), "0.069900");
    }

    #[test]
    fn a_fill_without_model_fee_pays_its_rounding_and_a_net_fee_is_never_negative() {
        // 0.01 contract at 0.5201 is 5 201 millionths; the balance loses 5 300.
        let mut fees = OrderFees::default();
        let price = Price::new(5_201).expect("a price");
        let mut maker = |units| fees.charge(WEATHER, false, Side::Bid, price, Quantity::new(units)).micros();
        assert_eq!([maker(1), maker(1), maker(100)], [99, 99, 0]);
        // The two units that 198 overpaid millionths would allow wait for a fill that has a fee.
        let taker = fees.charge(WEATHER, true, Side::Bid, cents(52), Quantity::contracts(1)).micros();
        assert_eq!(taker, 17_500 - 200);
        assert_eq!(fees.overpaid, Money::new(26));
    }

    #[test]
    fn a_sale_rounds_the_change_of_balance_down_too() {
        // Revenue 0.52 less 0.017472 is 0.502528, credited as 0.5025.
        assert_eq!(first_fill(WEATHER, true, Side::Ask, 52, 1), "0.017500");
        let price = Price::new(5_201).expect("a price");
        let fee = OrderFees::default().charge(WEATHER, false, Side::Ask, price, Quantity::new(1));
        assert_eq!(fee, Money::new(1), "5 201 millionths credited as 5 200");
    }

    proptest! {
        #[test]
        fn partial_fills_cost_the_model_plus_less_than_two_grid_units_outstanding(
            fills in prop::collection::vec((any::<bool>(), any::<bool>(), 1u16..10_000, 1u64..100_000), 1..30)
        ) {
            let mut fees = OrderFees::default();
            let (mut paid, mut model) = (Money::ZERO, Money::ZERO);
            for (taker, bid, price, units) in fills {
                let side = if bid { Side::Bid } else { Side::Ask };
                let (price, quantity) = (Price::new(price).expect("a price"), Quantity::new(units));
                let fee = fees.charge(MAKERS_PAY, taker, side, price, quantity);
                prop_assert!(fee >= Money::ZERO);
                let change = -side.sign() * price.times(quantity).micros() - fee.micros();
                prop_assert_eq!(change.rem_euclid(Grid::MEMBER.0), 0, "the balance stays on its grid");
                paid += fee;
                model += MAKERS_PAY.per_fill(taker, side, price, quantity);
            }
            prop_assert_eq!(paid - model, fees.overpaid);
        }
    }
}
