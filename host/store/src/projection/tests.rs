//! The projection is a function of the journals: rebuilt or updated step by step, it is the same.

use super::*;
use crate::journal::Layout;
use crate::slot::{Seen, SlotRecord};
use isobar_engine::event::*;
use isobar_engine::market::*;
use isobar_engine::order::*;
use isobar_engine::snapshot::*;
use isobar_engine::units::*;
use isobar_engine::venue::RequestKind;
use std::borrow::Cow;

const SMALL: Layout = Layout { segment_bytes: 2_000, block_bytes: 300, pack: true };
const TABLES: [&str; 16] = [
    "runs",
    "markets",
    "forecasts",
    "forecast_probabilities",
    "slots",
    "swaps",
    "refused_components",
    "decisions",
    "reasons",
    "orders",
    "refusals",
    "fills",
    "foreign_fills",
    "notices",
    "queue_positions",
    "positions",
];

fn cents(cents: u16) -> Price {
    Price::from_cents(cents).unwrap()
}

fn market(id: u16) -> Market {
    Market {
        id: MarketId(id),
        ticker: format!("KXHIGHCHI-26NOV23-B{id}"),
        event: "KXHIGHCHI-26NOV23".to_owned(),
        series: "KXHIGHCHI".to_owned(),
        strike: Strike::Between { floor: 30, cap: 31 },
        ladder: Ladder::cents(),
        fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
        status: MarketStatus::Active,
        opens: Timestamp(0),
        closes: Timestamp(9),
    }
}

fn write_feed(run: &Run) {
    let mut feed = run.write_feed(SMALL).unwrap();
    let opening = Opening {
        run: "r1".to_owned(),
        engine: "0.1.0".to_owned(),
        clock: "system".to_owned(),
        stale_after: 60,
        source: "test".to_owned(),
        late_after: 0,
    };
    let forecast = |outcome| {
        let event = "KXHIGHCHI-26NOV23".to_owned();
        Input::Forecast(Forecast {
            event,
            model: Digest::of(b"m"),
            issued: Timestamp(1),
            inputs: Digest::of(b"i"),
            outcome,
        })
    };
    let half = Probability::new(500_000).unwrap();
    feed.append(Timestamp(0), &Input::Opening(opening)).unwrap();
    feed.append(Timestamp(1), &Input::Listed(vec![market(0), market(1)])).unwrap();
    for at in 2..200 {
        feed.append(Timestamp(at), &Input::Frame { connection: 1, text: b"{\"type\":\"orderbook_delta\"}" }).unwrap();
    }
    feed.append(Timestamp(200), &forecast(Ok(vec![(MarketId(0), half), (MarketId(1), half)]))).unwrap();
    feed.append(Timestamp(201), &forecast(Err("no observation".to_owned()))).unwrap();
    feed.append(Timestamp(202), &Input::Settled { market: MarketId(0), value: Price::ONE }).unwrap();
    feed.append(Timestamp(203), &Input::Closing).unwrap();
}

fn decided(decision: u64) -> SlotRecord<'static> {
    let seen = [0, 1].map(|market| Seen {
        market: MarketId(market),
        probability: Probability::new(580_000),
        bid: Some(Level { price: cents(45), quantity: Quantity::contracts(10) }),
        ask: None,
        position: 0,
    });
    let reason = |bracket| Reason {
        bracket,
        verdict: Verdict::Take,
        side: Side::Bid,
        price: Some(cents(48)),
        quantity: Quantity::contracts(41),
        take_ev: Some(66_400),
        make_ev: None,
        note: "edge".to_owned(),
    };
    let answer = Decision { reasons: vec![reason(0), reason(1)], ..Decision::default() };
    let outcome = if decision.is_multiple_of(7) { Err(Fault::Trap("unreachable".to_owned())) } else { Ok(answer) };
    let event = Cow::Borrowed("KXHIGHCHI-26NOV23");
    SlotRecord::Decided { decision, event, seen: seen.to_vec(), outcome: Cow::Owned(outcome), took_ns: 4_000 }
}

fn reports() -> Vec<Report> {
    let (market, order) = (MarketId(0), OrderId);
    let placed = |id, side, price, contracts| Report::Placed {
        order: order(id),
        decision: 1,
        market,
        side,
        price,
        quantity: Quantity::contracts(contracts),
        take: true,
    };
    let filled = |id, side, price, contracts, position| Report::Filled {
        order: order(id),
        market,
        side,
        price,
        quantity: Quantity::contracts(contracts),
        fee: Money::new(10_000),
        taker: true,
        position,
    };
    vec![
        placed(1, Side::Bid, cents(48), 41),
        filled(1, Side::Bid, cents(48), 41, 4_100),
        placed(2, Side::Ask, cents(60), 10),
        filled(2, Side::Ask, cents(60), 4, 3_700),
        Report::Cancelled {
            order: order(2),
            market,
            remaining: Quantity::contracts(6),
            reason: CancelReason::Unfilled,
        },
        Report::Refused {
            decision: 2,
            market,
            side: Side::Bid,
            price: cents(40),
            quantity: Quantity::contracts(1),
            reason: RefusalReason::StaleBook,
        },
        Report::ForeignFill {
            market: MarketId(1),
            side: Side::Ask,
            price: cents(70),
            quantity: Quantity::contracts(2),
            fee: Money::new(29_400),
            position: -200,
        },
        Report::Queued { order: order(2), market, ahead: Quantity::new(1_250) },
        Report::Notice(Notice::Proved),
        Report::Notice(Notice::Unknown { order: order(2), request: RequestKind::Create }),
        Report::Notice(Notice::Limits { loosened: vec!["order".to_owned()] }),
        Report::Settled { market, position: 3_700, value: Price::ONE, payout: Money::dollars(37) },
        Report::Stopped { faults: 3 },
    ]
}

/// Writes a part of a slot's journal: the opening, or decisions and (in the middle one) what followed from them.
fn write_slot(run: &Run, part: u64) {
    let mut slot = run.write_slot("edge", SMALL).unwrap();
    if part == 0 {
        let (run, name, settings) = (Cow::Borrowed("r1"), Cow::Borrowed("edge"), Cow::Borrowed("{}"));
        slot.append(0, Timestamp(0), &SlotRecord::Opening { run, slot: name, settings }).unwrap();
        let watch = Watch { levels: 1, sizes: false, trades: false, every: 0, at_most_every: 0 };
        let component =
            Component { hash: Digest::of(b"c"), name: "edge 1".to_owned(), watch, parameters: vec![50_000, -1] };
        slot.append(1, Timestamp(1), &SlotRecord::Swapped(Cow::Owned(component))).unwrap();
        let (path, reason) = (Cow::Borrowed("x.wasm"), Cow::Borrowed("it imports wasi:clocks"));
        slot.append(1, Timestamp(1), &SlotRecord::Refused { path, hash: None, reason }).unwrap();
    }
    for decision in part * 50 + 1..=part * 50 + 50 {
        slot.append(decision, Timestamp(decision as i64), &decided(decision)).unwrap();
        slot.append(decision, Timestamp(decision as i64), &SlotRecord::Step { effects: Digest::of(b"e") }).unwrap();
    }
    if part == 1 {
        for report in reports() {
            slot.append(199, Timestamp(199), &SlotRecord::Report(Cow::Owned(report))).unwrap();
        }
    }
}

fn ask(run: &Run, sql: &str) -> Vec<String> {
    let mut projection = Projection::open(run.clone()).unwrap();
    let query = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql.to_owned()));
    projection.runtime.block_on(query.fetch_all(&mut projection.connection)).unwrap()
}

/// Every row of every table, as text in a fixed order.
fn dump(run: &Run) -> Vec<String> {
    let mut all = Vec::new();
    for table in TABLES {
        let columns = ask(run, &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"));
        let quoted: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
        let row = quoted.join(" || ',' || ");
        let rows = ask(run, &format!("SELECT '{table}: ' || {row} AS line FROM {table} ORDER BY line"));
        assert!(!rows.is_empty(), "{table} is empty");
        all.extend(rows);
    }
    all
}

#[test]
fn a_projection_is_the_same_rebuilt_twice_and_updated_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::create(folder.path()).unwrap();
    write_feed(&run);
    let mut stepped = Counts::default();
    for part in 0..3 {
        write_slot(&run, part);
        stepped.decisions += update(&run).unwrap().decisions;
        assert_eq!(update(&run).unwrap(), Counts::default(), "nothing new, nothing read");
    }
    let by_steps = dump(&run);
    let counts = rebuild(&run).unwrap();
    assert_eq!(dump(&run), by_steps);
    assert_eq!(rebuild(&run).unwrap(), counts);
    assert_eq!(dump(&run), by_steps);
    let expected = Counts {
        inputs: 204,
        records: 3 + 300 + 13,
        forecasts: 2,
        swaps: 1,
        decisions: 150,
        orders: 2,
        fills: 2,
        foreign_fills: 1,
        notices: 3,
        refusals: 2,
    };
    assert_eq!(counts, expected);
    assert_eq!(stepped.decisions, 150);
}

#[test]
fn orders_positions_and_profit_follow_the_reports() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::create(folder.path()).unwrap();
    write_feed(&run);
    for part in 0..2 {
        write_slot(&run, part);
    }
    rebuild(&run).unwrap();
    let orders =
        ask(&run, "SELECT order_id || ' ' || state || ' ' || filled || ' ' || ifnull(reason, '-') FROM orders");
    assert_eq!(orders, ["1 filled 4100 -", "2 cancelled 400 unfilled"]);
    let position = "SELECT position || ' ' || paid || ' ' || fees || ' ' || settled || ' ' || profit FROM positions \
                    WHERE market = 0";
    // 41 × 0.48 − 4 × 0.60 = 17.28 paid, 37 × 1 settled, two fees of one cent.
    assert_eq!(ask(&run, position), ["0 17280000 20000 37000000 19700000"]);
    // Two contracts sold at 0.70 by somebody else on the account count as well, and belong to no order.
    let foreign = "SELECT f.side || ' ' || f.price || ' ' || f.quantity || ' ' || f.fee || ' ' || p.position || ' ' || p.paid \
                   FROM foreign_fills f JOIN positions p USING (slot, market)";
    assert_eq!(ask(&run, foreign), ["ask 7000 200 29400 -200 -1400000"]);
    let notices = ask(&run, "SELECT kind || ' ' || ifnull(order_id, '-') || ' ' || text FROM notices ORDER BY record");
    let expected = [
        "proved - the account equals the ledger",
        "unknown 2 order 2: the outcome of Create is unknown",
        "limits - other limits are in force, looser: order",
    ];
    assert_eq!(notices, expected);
    assert_eq!(ask(&run, "SELECT order_id || ' ' || ahead FROM queue_positions"), ["2 1250"]);
    let reason = "SELECT verdict || ' ' || price || ' ' || bid || ' ' || ifnull(ask, '-') || ' ' || probability \
                  FROM reasons WHERE decision = 1 AND market = 1";
    assert_eq!(ask(&run, reason), ["take 4800 4500 - 580000"]);
    let fault = ask(&run, "SELECT fault FROM decisions WHERE decision = 7");
    assert_eq!(fault, ["trap: unreachable"]);
    assert_eq!(ask(&run, "SELECT reason FROM refusals"), ["stale_book"]);
    assert_eq!(ask(&run, "SELECT run || closed_at FROM runs"), ["r1203"]);
}

#[test]
fn a_projector_keeps_up_with_a_run_and_reads_to_the_end_when_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::create(folder.path()).unwrap();
    let projector = Projector::start(run.clone(), Duration::from_millis(5)).unwrap();
    write_feed(&run);
    for part in 0..3 {
        write_slot(&run, part);
    }
    projector.stop().unwrap();
    let kept = dump(&run);
    rebuild(&run).unwrap();
    assert_eq!(dump(&run), kept);
}

/// A day of live trading inserted rows in every number, and each statement was kept: sixty megabytes of them.
#[test]
fn statements_of_uncommon_sizes_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::create(folder.path()).unwrap();
    write_feed(&run);
    let mut projection = Projection::open(run).unwrap();
    projection.update().unwrap();
    let kept = projection.connection.cached_statements_size();
    for rows in 1..=40_u64 {
        let mut bulk = bulk::Bulk::default();
        for row in 0..rows {
            let decision = rows * 1_000 + row;
            let event = "KXHIGHCHI-26NOV23".to_owned();
            let question = bulk::Question { decision, seq: 1, at: 1, event, took_ns: 1 };
            bulk.push(question, &[], Ok(Decision::default()));
        }
        projection.runtime.block_on(bulk.write(&mut projection.connection, "made")).unwrap();
    }
    assert_eq!(projection.connection.cached_statements_size(), kept);
}
