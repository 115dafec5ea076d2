//! The budget against a model of the venue's own bucket, with requests that overtake one another on the way.

use super::*;
use proptest::prelude::*;

const COSTS: Costs = Costs::DOCUMENTED;

fn budget(limits: &Limits, shares: Shares) -> Budget {
    Budget::new(limits, COSTS, shares, at(0)).expect("room for an order")
}

fn at(millis: i64) -> Timestamp {
    Timestamp(1_000 * SECOND + millis * 1_000_000)
}

#[test]
fn a_new_budget_has_nothing_and_fills_to_its_capacity_less_the_jitter() {
    let shares = Shares { reserve: 20, renewals: 25, jitter: SECOND / 10 };
    let mut budget = budget(&Limits::BASIC, shares);
    assert!(!budget.write(at(0), Rank::Cancel, 2), "a process that died may have spent all");
    assert_eq!(budget.write_ready(at(0), Rank::Cancel, 2), Some(at(20)));
    assert!(budget.write(at(20), Rank::Cancel, 2));
    assert_eq!(budget.write_tokens(at(5_000)), 90);
}

#[test]
fn creates_leave_the_reserve_and_cancels_spend_it() {
    let shares = Shares { reserve: 20, renewals: 25, jitter: 0 };
    let mut budget = budget(&Limits::BASIC, shares);
    let created = (0..100).filter(|_| budget.write(at(1_000), Rank::Place, COSTS.create)).count();
    let cancelled = (0..100).filter(|_| budget.write(at(1_000), Rank::Cancel, COSTS.cancel)).count();
    assert_eq!((created, cancelled), (8, 10));
    assert_eq!(budget.write_ready(at(1_000), Rank::Place, COSTS.create), Some(at(1_300)));
}

#[test]
fn costs_are_those_of_the_list_and_the_default_elsewhere() {
    let list = r#"{"default_cost":11,"endpoint_costs":[
        {"method":"DELETE","path":"/trade-api/v2/portfolio/events/orders/{order_id}","cost":3},
        {"method":"DELETE","path":"/portfolio/events/orders","cost":4},
        {"method":"GET","path":"/portfolio/orders/:order_id","cost":5}]}"#;
    let costs = Costs::of(&serde_json::from_str(list).expect("a list"));
    let expected =
        Costs { default: 11, create: 11, cancel: 3, cancel_all: 4, amend: 11, decrease: 11, group: 11, order: 5 };
    assert_eq!(costs, expected);
}

#[test]
fn the_expiry_follows_from_the_number_of_quotes_or_is_refused() {
    let shares = Shares { reserve: 20, renewals: 25, jitter: 0 };
    let plan = |quotes, longest| {
        RenewalPlan::new(&Limits::BASIC, &COSTS, &shares, quotes, (10 * SECOND, longest * SECOND), 5 * SECOND)
    };
    // 72 quotes of 10 tokens at 25 tokens a second: once around in 28.8 s.
    let kept = plan(72, 120).expect("it can be kept");
    assert_eq!((kept.expiry, kept.every), (63 * SECOND, 29 * SECOND));
    assert_eq!(plan(1, 120).expect("it can be kept").expiry, 10 * SECOND);
    let refused = plan(72, 60).expect_err("too many");
    assert_eq!(refused, BudgetError::Expiry { quotes: 72, needed: 63, longest: 60, rate: 25, write: 100 });
    assert!(refused.to_string().contains("72 quotes need an expiry of 63 s"), "{refused}");
    let none = Shares { renewals: 0, ..shares };
    let plan = RenewalPlan::new(&Limits::BASIC, &COSTS, &none, 1, (0, 60 * SECOND), 0);
    assert_eq!(plan, Err(BudgetError::NoShare));
    assert!(matches!(
        Budget::new(&Limits::BASIC, COSTS, Shares { reserve: 95, renewals: 25, jitter: 0 }, at(0)),
        Err(BudgetError::Reserve { capacity: 100, reserve: 95, cost: 10 })
    ));
}

/// Found by the fault runs: the second of two reads overtook on its way, and the venue had no token for it.
#[test]
fn reads_of_the_balance_keep_their_distance_on_the_way_too() {
    let shares = Shares { reserve: 20, renewals: 25, jitter: SECOND / 10 };
    let mut budget = budget(&Limits::BASIC, shares);
    let sent: Vec<i64> = (0..10_000).filter(|millis| budget.balance(at(*millis))).collect();
    assert_eq!(sent[..3], [1_100, 2_200, 3_300], "a second of the venue, and the jitter");
    assert_eq!(budget.balance_ready(at(10_000)), Some(at(11_000)));
}

#[test]
fn a_429_of_the_venue_empties_our_bucket_too() {
    let mut budget = budget(&Limits::BASIC, Shares { reserve: 0, renewals: 25, jitter: 0 });
    assert_eq!(budget.write_tokens(at(5_000)), 100);
    budget.write_limited(at(5_000));
    assert_eq!(budget.write_tokens(at(5_000)), 0);
    assert_eq!(budget.write_tokens(at(5_500)), 50);
}

fn limits() -> impl Strategy<Value = Limits> {
    (50u32..500, 1u32..4).prop_map(|(rate, seconds)| {
        let limit = Limit { capacity: rate * seconds, rate };
        Limits { read: limit, write: limit, balance: Limits::BASIC.balance }
    })
}

fn wishes() -> impl Strategy<Value = Vec<(u8, i64, i64)>> {
    // Which rank, milliseconds until it is wanted, milliseconds on the way.
    proptest::collection::vec((0u8..3, 0i64..120, 0i64..100), 1..400)
}

fn wish(kind: u8) -> (Rank, u32) {
    match kind {
        0 => (Rank::Cancel, COSTS.cancel),
        1 => (Rank::Place, COSTS.create),
        _ => (Rank::Renew, COSTS.amend),
    }
}

proptest! {
    /// The venue's bucket begins anywhere; requests arrive up to a tenth of a second late, in any order.
    #[test]
    fn the_venue_never_sees_more_than_its_bucket_holds(limits in limits(), begin in 0u32..=100, wishes in wishes()) {
        let mut ours = budget(&limits, Shares::usual(&limits, &COSTS));
        let mut venue = Bucket { level: i64::from(limits.write.capacity * begin / 100) * SECOND, ..Bucket::full(limits.write) };
        venue.tokens(at(0));
        let mut arrivals = Vec::new();
        let mut now = 0;
        for (kind, wait, way) in wishes {
            now += wait;
            let (rank, cost) = wish(kind);
            if ours.write(at(now), rank, cost) {
                arrivals.push((now + way, cost));
            }
        }
        arrivals.sort_unstable();
        for (when, cost) in arrivals {
            prop_assert!(venue.spend(at(when), cost, 0), "429 at {when} ms");
        }
    }

    /// However much is placed and renewed, a full reserve of cancels can be sent once it has filled.
    #[test]
    fn the_reserve_is_never_spent_by_others(limits in limits(), wishes in wishes()) {
        let shares = Shares::usual(&limits, &COSTS);
        let mut ours = budget(&limits, shares);
        let mut now = 3_000;
        for (kind, wait, _) in wishes {
            now += wait;
            let (rank, cost) = wish(kind.max(1));
            ours.write(at(now), rank, cost);
            prop_assert!(ours.write_tokens(at(now)) >= shares.reserve);
        }
    }

    /// Renewals alone, as many as can be sent: no more than their share of the rate, and one bucket of it at the start.
    #[test]
    fn renewals_spend_no_more_than_their_share(limits in limits(), seconds in 5i64..60) {
        let mut ours = budget(&limits, Shares::usual(&limits, &COSTS));
        let sent = (0..seconds * 100).filter(|tick| ours.write(at(tick * 10), Rank::Renew, COSTS.amend)).count();
        let share = share(limits.write, 25);
        let most = i64::from(share.rate) * seconds + i64::from(share.capacity.max(COSTS.amend));
        prop_assert!(sent as i64 * i64::from(COSTS.amend) <= most, "{sent} renewals in {seconds} s");
        prop_assert!(sent > 0);
    }

    /// What is said to be ready then is, and not a nanosecond before.
    #[test]
    fn the_time_that_is_promised_is_exact(limits in limits(), wishes in wishes()) {
        let mut ours = budget(&limits, Shares::usual(&limits, &COSTS));
        let mut now = at(0);
        for (kind, wait, _) in wishes {
            now = now.plus(wait * 1_000_000);
            let (rank, cost) = wish(kind);
            let ready = ours.write_ready(now, rank, cost).expect("it fits");
            if ready > now {
                let before = Timestamp(ready.0 - 1);
                prop_assert!(!ours.clone().write(before, rank, cost));
            }
            prop_assert!(ours.clone().write(ready, rank, cost));
            ours.write(now, rank, cost);
        }
    }
}
