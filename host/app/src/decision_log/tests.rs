//! Tests of the decision log: exact lines.

use super::*;
use isobar_engine::event::Level;
use isobar_engine::market::{FeeSchedule, MarketId, Strike};
use isobar_engine::snapshot::DesiredQuote;
use isobar_engine::units::{Probability, Timestamp};

fn cents(cents: u16) -> Price {
    Price::from_cents(cents).expect("a price")
}

fn bracket(ticker: &str, ppm: Option<u32>, bid: Option<u16>, ask: Option<u16>) -> Bracket {
    let level = |price: u16| Level { price: cents(price), quantity: Quantity::contracts(100) };
    Bracket {
        market: MarketId(0),
        ticker: ticker.into(),
        strike: Strike::Other,
        probability: ppm.map(|ppm| Probability::new(ppm).expect("a probability")),
        tradable: true,
        bids: bid.map(level).into_iter().collect(),
        asks: ask.map(level).into_iter().collect(),
        last_trade: None,
        position: 0,
        resting: vec![],
        fees: FeeSchedule::FlatPremium { taker_ppm: 70_000, maker_ppm: 0 },
        ladder: [].into(),
        room_bid: Quantity::contracts(50),
        room_ask: Quantity::contracts(50),
    }
}

/// Denver at 10:17:15 on 28 November 2025, with the bracket of the guide's example first.
fn denver() -> Snapshot {
    Snapshot {
        now: Timestamp(1_764_325_035 * SECOND + 999_999_999),
        event: "KXHIGHDEN-25NOV28".into(),
        closes: Timestamp(1_764_399_540 * SECOND),
        changed: Some(0),
        forecast_issued: None,
        brackets: vec![
            bracket("KXHIGHDEN-25NOV28-B45.5", Some(580_000), Some(45), Some(48)),
            bracket("KXHIGHDEN-25NOV28-B47.5", Some(420_000), Some(40), Some(45)),
            bracket("KXHIGHDEN-25NOV28-T49", None, Some(1), None),
        ],
        parameters: [].into(),
        state: vec![],
    }
}

fn reason(bracket: u16, verdict: Verdict, side: Side, price: Option<u16>, contracts: u32) -> Reason {
    Reason {
        bracket,
        verdict,
        side,
        price: price.map(cents),
        quantity: Quantity::contracts(contracts),
        take_ev: None,
        make_ev: None,
        note: String::new(),
    }
}

fn pass(bracket: u16, note: &str) -> Reason {
    Reason { note: note.to_owned(), ..reason(bracket, Verdict::Pass, Side::Bid, None, 0) }
}

/// The guide's take at 48 cents, and two passes.
fn guide() -> Decision {
    let take =
        Reason { take_ev: Some(66_400), make_ev: Some(120_000), ..reason(0, Verdict::Take, Side::Bid, Some(48), 41) };
    let small = Reason { take_ev: Some(-61_500), make_ev: Some(10_000), ..pass(1, "edge too small") };
    Decision {
        takes: vec![Target { bracket: 0, position: 4_100, limit: cents(48) }],
        reasons: vec![take, small, pass(2, "no ask")],
        ..Decision::default()
    }
}

fn shown(decision: &Decision, verbose: bool) -> String {
    render(&lines("edge", 7, &denver(), decision), &Palette::PLAIN, verbose)
}

#[test]
fn the_guides_example_is_one_line_and_its_passes_another() {
    let expected = "\
10:17:15 edge     DEN  KXHIGHDEN-25NOV28-B45.5   P 0.580  bid 45.00c ask 48.00c  take EV   +6.64c  make EV  +12.00c  TAKE 41 @ 48c = $19.68
10:17:15 edge     DEN  KXHIGHDEN-25NOV28  pass 2: edge too small 1, no ask 1
";
    assert_eq!(shown(&guide(), false), expected);
}

#[test]
fn verbose_tells_every_bracket() {
    let expected = "\
10:17:15 edge     DEN  KXHIGHDEN-25NOV28-B45.5   P 0.580  bid 45.00c ask 48.00c  take EV   +6.64c  make EV  +12.00c  TAKE 41 @ 48c = $19.68
10:17:15 edge     DEN  KXHIGHDEN-25NOV28-B47.5   P 0.420  bid 40.00c ask 45.00c  take EV   -6.15c  make EV   +1.00c  PASS  edge too small
10:17:15 edge     DEN  KXHIGHDEN-25NOV28-T49     P -      bid  1.00c ask      -  take EV        -  make EV        -  PASS  no ask
";
    assert_eq!(shown(&guide(), true), expected);
}

#[test]
fn buying_no_is_told_in_no_prices() {
    let make = Reason { make_ev: Some(-1), ..reason(1, Verdict::Make, Side::Ask, Some(44), 10) };
    let line = shown(&Decision { reasons: vec![make], ..Decision::default() }, false);
    assert!(line.ends_with("  make EV   +0.00c  MAKE NO 10 @ 56c = $5.60\n"), "{line}");
}

#[test]
fn an_action_without_a_reason_is_told_all_the_same() {
    let quote = DesiredQuote { bracket: 1, side: Side::Bid, price: cents(41), quantity: Quantity::new(50) };
    let takes = vec![Target { bracket: 0, position: -300, limit: cents(45) }];
    let decision = Decision { quotes: vec![quote], takes, ..Decision::default() };
    let text = shown(&decision, false);
    let actions: Vec<&str> =
        text.lines().filter_map(|line| line.rsplit_once("-  ").map(|(_, action)| action)).collect();
    assert_eq!(actions, ["TAKE NO 3 @ 55c = $1.65  no reason given", "MAKE 0.50 @ 41c = $0.205000  no reason given"]);
}

#[test]
fn a_reached_target_and_an_unknown_bracket_are_no_lines() {
    let takes =
        vec![Target { bracket: 0, position: 0, limit: cents(45) }, Target { bracket: 9, position: 1, limit: cents(1) }];
    let decision = Decision { takes, reasons: vec![pass(9, "nowhere")], ..Decision::default() };
    assert_eq!(lines("edge", 1, &denver(), &decision), []);
    assert_eq!(shown(&Decision::default(), false), "");
}

#[test]
fn whatever_a_strategy_claims_is_shown_without_harm() {
    let wild = Reason {
        quantity: Quantity::new(u64::MAX),
        take_ev: Some(i64::MIN),
        make_ev: Some(i64::MAX),
        note: "\u{1b}[2Jgone\n".to_owned(),
        ..reason(0, Verdict::Take, Side::Bid, Some(100), 0)
    };
    let text = shown(&Decision { reasons: vec![wild], ..Decision::default() }, false);
    assert!(text.ends_with("= $184467440737095516.15   [2Jgone \n"), "{text:?}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_terminal_gets_colours_and_nothing_else_does() {
    let all = lines("edge", 7, &denver(), &guide());
    let coloured = render(&all, &Palette::COLOURED, false);
    assert!(coloured.contains("\u{1b}[1m\u{1b}[32mTAKE 41 @ 48c = $19.68\u{1b}[0m"), "{coloured:?}");
    assert!(coloured.contains("\u{1b}[2m10:17:15"));
    assert_eq!(without_colours(&coloured), render(&all, &Palette::PLAIN, false));
}

/// The text without its escape sequences.
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |sum, part| sum + part.split_once('m').expect("a colour ends with m").1)
}

#[test]
fn json_has_exact_numbers() {
    let all = lines("edge", 7, &denver(), &guide());
    let expected = serde_json::json!({
        "at": 1_764_325_035_999_999_999_i64,
        "slot": "edge",
        "decision": 7,
        "event": "KXHIGHDEN-25NOV28",
        "ticker": "KXHIGHDEN-25NOV28-B45.5",
        "verdict": "take",
        "side": "bid",
        "probability_ppm": 580_000,
        "bid": "0.4500",
        "ask": "0.4800",
        "take_ev_micros": 66_400,
        "make_ev_micros": 120_000,
        "price": "0.4800",
        "quantity": "41.00",
        "note": "",
    });
    assert_eq!(serde_json::to_value(&all[0]).expect("JSON"), expected);
    let last = serde_json::to_value(&all[2]).expect("JSON");
    assert_eq!((&last["probability_ppm"], &last["ask"]), (&serde_json::Value::Null, &serde_json::Value::Null));
}

#[test]
fn numbers_are_rounded_half_away_from_zero_and_otherwise_exact() {
    assert_eq!(
        [49, 50, -49, -50, 66_449, -66_450].map(|ev| SignedCents(ev).to_string()),
        ["+0.00c", "+0.01c", "+0.00c", "-0.01c", "+6.64c", "-6.65c"]
    );
    assert_eq!(
        [0, 499, 500, 999_500, 1_000_000].map(|ppm| Thousandths(ppm).to_string()),
        ["0.000", "0.000", "0.001", "1.000", "1.000"]
    );
    assert_eq!(
        [4_800, 4_850, 4_805, 0].map(|units| Cents(Price::new(units).expect("a price")).to_string()),
        ["48c", "48.5c", "48.05c", "0c"]
    );
    assert_eq!(TimeOfDay(-1).to_string(), "23:59:59");
}

#[test]
fn the_city_is_what_the_name_says() {
    assert_eq!(["KXHIGHDEN-25NOV28", "KXLOWTNYC-25NOV28", "KXHIGH", ""].map(city), ["DEN", "KXLOWTNYC", "KXHIGH", ""]);
}
