//! Fees against what the venue charged, by the code that charges here: a month of an account under the rule of its time, the
//! fills of the demo exchange under today's, and orders filled in parts as worked out by hand after PROTOCOL.md 4.
//!
//! The recorded parts are skipped where the recordings are not at hand.

use isobar_engine::fees::{Grid, OrderFees};
use isobar_engine::market::FeeSchedule;
use isobar_engine::units::{Money, Price, Quantity, Side};
use isobar_kalshi::{convert, wire};
use serde::Deserialize;
use std::collections::BTreeMap;

const WEATHER: FeeSchedule = FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 };
const MAKERS_PAY: FeeSchedule = FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 17_500 };

/// A row of `fees/weather_fills.csv`.
#[derive(Deserialize)]
struct Row {
    order_no: u32,
    side: String,
    action: String,
    count: String,
    yes_price_dollars: String,
    is_taker: String,
    fee_cost: String,
}

impl Row {
    fn taker(&self) -> bool {
        match self.is_taker.as_str() {
            "True" => true,
            "False" => false,
            other => panic!("order {}: is_taker {other}", self.order_no),
        }
    }

    /// Selling NO is buying YES.
    fn direction(&self) -> Side {
        match (self.side.as_str(), self.action.as_str()) {
            ("yes", "buy") | ("no", "sell") => Side::Bid,
            ("no", "buy") | ("yes", "sell") => Side::Ask,
            other => panic!("order {}: {other:?}", self.order_no),
        }
    }

    fn charge(&self, fees: &mut OrderFees, grid: Grid) -> Money {
        let price = convert::price(self.yes_price_dollars.as_bytes()).expect("a price");
        let quantity = convert::quantity(self.count.as_bytes()).expect("a count");
        fees.charge_on(grid, WEATHER, self.taker(), self.direction(), price, quantity)
    }
}

fn money(text: &str) -> Money {
    convert::money(text.as_bytes()).unwrap_or_else(|| panic!("{text} is no amount"))
}

/// The orders of February 2026 by number, their fills in the order of the file.
fn recorded_orders() -> Option<BTreeMap<u32, Vec<Row>>> {
    let file = isobar_tests::data()?.join("fees/weather_fills.csv");
    let mut orders: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
    for row in csv::Reader::from_path(&file).expect("the fills").deserialize() {
        let row: Row = row.expect("a fill");
        orders.entry(row.order_no).or_default().push(row);
    }
    Some(orders)
}

/// Until spring 2026 the fee of an order was rounded up to a cent, however many fills it had. How the cents were spread over
/// the fills of one order is the venue's secret: the sums are compared.
#[test]
fn every_recorded_order_of_the_cent_era_costs_what_was_charged() {
    let Some(orders) = recorded_orders() else { return };
    let (mut equal, mut several, mut mixed, mut fills, mut same_fills) = (0, 0, 0, 0, 0);
    let mut different = Vec::new();
    for (number, order) in &orders {
        let mut fees = OrderFees::default();
        let charged: Vec<Money> = order.iter().map(|row| row.charge(&mut fees, Grid::CENT)).collect();
        let told: Vec<Money> = order.iter().map(|row| money(&row.fee_cost)).collect();
        let (ours, theirs): (Money, Money) = (charged.iter().copied().sum(), told.iter().copied().sum());
        if ours == theirs {
            equal += 1;
        } else {
            different.push(format!("order {number}: {ours} here, {theirs} there"));
        }
        several += usize::from(order.len() > 1);
        mixed += usize::from(order.iter().any(Row::taker) && !order.iter().all(Row::taker));
        fills += order.len();
        same_fills += charged.iter().zip(&told).filter(|(ours, theirs)| ours == theirs).count();
    }
    println!(
        "{equal} of {} orders equal ({several} with several fills, {mixed} as taker and maker); \
         {same_fills} of {fills} fills equal one by one",
        orders.len()
    );
    assert!(different.is_empty(), "{different:#?}");
    assert_eq!((orders.len(), fills), (731, 1_078), "the recording is whole");
}

/// The era matters: most of these orders would cost something else today, never more.
#[test]
fn todays_rule_is_not_the_one_of_the_cent_era() {
    let Some(orders) = recorded_orders() else { return };
    let mut cheaper = 0;
    for (number, order) in &orders {
        let mut fees = OrderFees::default();
        let today: Money = order.iter().map(|row| row.charge(&mut fees, Grid::MEMBER)).sum();
        let then: Money = order.iter().map(|row| money(&row.fee_cost)).sum();
        assert!(today <= then && then - today < Money::new(10_000), "order {number}: {today} today, {then} then");
        cheaper += usize::from(today < then);
    }
    println!("{cheaper} of {} orders would be cheaper by today's rule", orders.len());
    assert!(cheaper > orders.len() / 2);
}

/// June 2026: the fees of direct members are told to $0.000001.
#[test]
fn every_order_that_the_demo_exchange_filled_costs_what_was_charged() {
    let Some(data) = isobar_tests::data() else { return };
    let text = |name: &str| std::fs::read_to_string(data.join("rest/demo_2026-06").join(name)).expect("a body");
    let listed: wire::OrdersBody = serde_json::from_str(&text("portfolio__orders_list.json")).expect("orders");
    let (mut filled, mut paid) = (0, Money::ZERO);
    for order in &listed.orders {
        let quantity = convert::quantity(order.fill_count_fp.as_bytes()).expect("a count");
        let (taker_cost, maker_cost) = (money(&order.taker_fill_cost_dollars), money(&order.maker_fill_cost_dollars));
        let told = (money(&order.taker_fees_dollars), money(&order.maker_fees_dollars));
        let mut charged = (Money::ZERO, Money::ZERO);
        if !quantity.is_zero() {
            // Each of them was one contract: one fill, whose price is its cost.
            assert_eq!((quantity, maker_cost), (Quantity::contracts(1), Money::ZERO), "{}", order.order_id);
            let price = u16::try_from(taker_cost.micros() / 100).ok().and_then(Price::new).expect("a price");
            charged.0 = OrderFees::default().charge(WEATHER, true, Side::Bid, price, quantity);
            println!("1 @ {price}: {}", charged.0);
            filled += 1;
        }
        assert_eq!(charged, told, "{}", order.order_id);
        paid += told.0 + told.1;
    }
    let positions: serde_json::Value = serde_json::from_str(&text("portfolio__positions.json")).expect("positions");
    let all = positions["event_positions"][0]["fees_paid_dollars"].as_str().expect("an amount");
    assert_eq!((filled, paid), (3, money(all)), "the account's own sum");

    let created: serde_json::Value =
        serde_json::from_str(&text("orders__create_v2_taker_ioc.json")).expect("an answer");
    let told = |field: &str| created[field].as_str().expect("a decimal").to_owned();
    let price = convert::price(told("average_fill_price").as_bytes()).expect("a price");
    let fee = OrderFees::default().charge(WEATHER, true, Side::Bid, price, Quantity::contracts(1));
    assert_eq!(fee, money(&told("average_fee_paid")));
}

/// Fees of an order's fills, micro-dollars: (taker, price 1/10 000 $, quantity 1/100 contract).
fn charged(schedule: FeeSchedule, side: Side, fills: &[(bool, u16, u64)]) -> Vec<i64> {
    let mut fees = OrderFees::default();
    let fill = |&(taker, price, units): &(bool, u16, u64)| {
        fees.charge(schedule, taker, side, Price::new(price).expect("a price"), Quantity::new(units)).micros()
    };
    fills.iter().map(fill).collect()
}

#[test]
fn a_purchase_in_parts_gets_back_what_its_parts_overpaid() {
    // Part 1, 1 @ 0.52: model 0.07 x 0.52 x 0.48 = 0.017472. Change -0.52 - 0.017472 = -0.537472, down to -0.5375: rounding
    // 0.000028, fee 0.0175. Accumulated 0.000028.
    // Part 2, 3 @ 0.51: model 0.07 x 3 x 0.51 x 0.49 = 0.052479. Change -1.53 - 0.052479 = -1.582479, down to -1.5825:
    // rounding 0.000021, fee 0.0525. Accumulated 0.000049.
    // Part 3, 2 @ 0.47: model 0.07 x 2 x 0.47 x 0.53 = 0.034874. Change -0.94 - 0.034874 = -0.974874, down to -0.9749:
    // rounding 0.000026, fee 0.0349. Accumulated 0.000075: no whole 0.0001.
    // Part 4, 1 @ 0.52 again: 0.000028 more make 0.000103, of which 0.0001 comes back: 0.0174.
    let parts = [(true, 5_200, 100), (true, 5_100, 300), (true, 4_700, 200), (true, 5_200, 100)];
    assert_eq!(charged(WEATHER, Side::Bid, &parts), [17_500, 52_500, 34_900, 17_400]);
}

#[test]
fn hundredths_of_contracts_are_rounded_on_the_whole_change_of_balance() {
    // 0.33 @ 0.07: costs 0.0231; model 0.07 x 0.33 x 0.07 x 0.93 = 0.00150381, up to 0.001504. Change -0.024604, down to
    // -0.0247: rounding 0.000096, fee 0.0016.
    // 0.01 @ 0.07: costs 0.0007; model 0.00004557, up to 0.000046. Change -0.000746, down to -0.0008: rounding 0.000054,
    // gross 0.0001. Accumulated 0.00015, of which 0.0001 comes back: the fill is free. 0.00005 stay.
    // 0.01 @ 0.07 again: 0.000054 more make 0.000104: free again, 0.000004 stay.
    // The third: 0.000058 are no whole 0.0001: the fee is 0.0001.
    let parts = [(true, 700, 33), (true, 700, 1), (true, 700, 1), (true, 700, 1)];
    assert_eq!(charged(WEATHER, Side::Bid, &parts), [1_600, 0, 0, 100]);
}

#[test]
fn a_sale_as_taker_and_then_maker_shares_one_accumulator() {
    // 1 sold @ 0.52 as taker: revenue 0.52 - 0.017472 = 0.502528, down to 0.5025: rounding 0.000028, fee 0.0175.
    // 5 sold @ 0.52 as maker: model 0.0175 x 5 x 0.52 x 0.48 = 0.02184. Revenue 2.6 - 0.02184 = 2.57816, down to 2.5781:
    // rounding 0.00006, fee 0.0219. Accumulated 0.000088.
    // 1 more @ 0.52 as maker: model 0.004368. Revenue 0.515632, down to 0.5156: rounding 0.000032, gross 0.0044.
    // Accumulated 0.00012, of which 0.0001 comes back: 0.0043.
    let parts = [(true, 5_200, 100), (false, 5_200, 500), (false, 5_200, 100)];
    assert_eq!(charged(MAKERS_PAY, Side::Ask, &parts), [17_500, 21_900, 4_300]);
    // Where makers pay nothing and prices are whole cents there is nothing to round, and nothing to give back from.
    assert_eq!(charged(WEATHER, Side::Ask, &parts), [17_500, 0, 0]);
}
