//! The ledger against a reference that knows nothing of averages, netting or rounding: every fill is a list entry, and
//! money is what the list says.

use isobar_engine::ledger::Ledger;
use isobar_engine::market::MarketId;
use isobar_engine::units::{Money, Price, Quantity, Side};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
struct Fill {
    market: MarketId,
    side: Side,
    price: Price,
    quantity: Quantity,
    fee: Money,
}

fn fills() -> impl Strategy<Value = Vec<Fill>> {
    let fill =
        (0u16..3, any::<bool>(), 0u16..=10_000, 0u64..5_000, 0i64..50_000).prop_map(|(m, bid, p, q, fee)| Fill {
            market: MarketId(m),
            side: if bid { Side::Bid } else { Side::Ask },
            price: Price::new(p).expect("a price"),
            quantity: Quantity::new(q),
            fee: Money::new(fee),
        });
    prop::collection::vec(fill, 0..40)
}

fn book(ledger: &mut Ledger, fill: Fill) {
    ledger.fill(fill.market, fill.side, fill.price, fill.quantity, fill.fee);
}

/// Net contracts and net dollars paid for them, were YES simply bought and sold short.
fn naive(fills: &[Fill], market: MarketId) -> (i64, i64) {
    fills.iter().filter(|f| f.market == market).fold((0, 0), |(position, paid), f| {
        let signed = f.side.sign() * f.quantity.signed();
        (position + signed, paid + signed * i64::from(f.price.units()))
    })
}

proptest! {
    #[test]
    fn every_micro_dollar_is_accounted_for_after_every_fill(fills in fills(), settled in 0u16..=10_000) {
        let start = Money::dollars(1_000);
        let mut ledger = Ledger::new(start);
        for (count, fill) in fills.iter().enumerate() {
            book(&mut ledger, *fill);
            prop_assert!(ledger.is_balanced());
            // A short YES of the reference is a NO with a dollar a contract set aside.
            let (mut cash, mut aside) = (start.micros(), 0);
            for market in (0..3).map(MarketId) {
                let (position, paid) = naive(&fills[..=count], market);
                prop_assert_eq!(ledger.position(market), position);
                cash -= paid;
                aside += (-position).max(0) * 10_000;
                let account = ledger.account(market);
                prop_assert!(account.cost >= Money::ZERO);
                prop_assert!(account.position != 0 || account.cost == Money::ZERO);
            }
            let fees: Money = fills[..=count].iter().map(|f| f.fee).sum();
            prop_assert_eq!(ledger.fees(), fees);
            prop_assert_eq!(ledger.cash().micros(), cash - aside - fees.micros());
        }
        // Settled at any value, profit is what the reference's cash says.
        let value = Price::new(settled).expect("a price");
        let mut expected = 0;
        for market in (0..3).map(MarketId) {
            let before = ledger.worth(|_| Some(value));
            let payout = ledger.settle(market, value);
            prop_assert_eq!(ledger.account(market).payouts, payout);
            prop_assert_eq!(ledger.worth(|_| Some(value)), before, "settling at the mark changes no worth");
            let (position, paid) = naive(&fills, market);
            expected += position * i64::from(settled) - paid;
            prop_assert_eq!(ledger.account(market).realised.micros(), position * i64::from(settled) - paid);
        }
        prop_assert_eq!(ledger.realised().micros(), expected);
        prop_assert_eq!(ledger.collateral(), Money::ZERO);
        prop_assert_eq!(ledger.cash(), start + ledger.realised() - ledger.fees());
        prop_assert!(ledger.is_balanced());
    }

    #[test]
    fn buying_and_selling_back_at_the_same_price_costs_the_fees(before in fills(), fill in fills()) {
        let mut ledger = Ledger::new(Money::dollars(1_000));
        before.iter().for_each(|f| book(&mut ledger, *f));
        for first in fill {
            // Average cost of what was held moves when a fill crosses zero, cash and worth do not.
            let (cash, position) = (ledger.cash(), ledger.position(first.market));
            book(&mut ledger, first);
            book(&mut ledger, Fill { side: first.side.opposite(), ..first });
            prop_assert_eq!(ledger.cash(), cash - first.fee - first.fee);
            prop_assert_eq!(ledger.position(first.market), position);
        }
    }

    #[test]
    fn yes_and_no_are_mirror_images(fills in fills(), value in 0u16..=10_000) {
        let value = Price::new(value).expect("a price");
        let (mut ours, mut mirrored) = (Ledger::new(Money::ZERO), Ledger::new(Money::ZERO));
        for fill in fills {
            book(&mut ours, fill);
            book(&mut mirrored, Fill { side: fill.side.opposite(), price: fill.price.complement(), ..fill });
            prop_assert_eq!(ours.cash(), mirrored.cash());
            prop_assert_eq!(ours.collateral(), mirrored.collateral());
        }
        for market in (0..3).map(MarketId) {
            prop_assert_eq!(ours.position(market), -mirrored.position(market));
            prop_assert_eq!(ours.settle(market, value), mirrored.settle(market, value.complement()));
            prop_assert_eq!(ours.account(market).realised, mirrored.account(market).realised);
        }
    }
}
