//! Real components, good and hostile: what is loaded, what is refused and why, and how a fault in a running one is told.
//!
//! The guests are built by `.ci/guests`, as `make test` does.

use isobar_engine::event::{Fault, Level};
use isobar_engine::market::{FeeSchedule, Ladder, MarketId, Strike};
use isobar_engine::snapshot::{Bracket, Decision, Snapshot, Verdict};
use isobar_engine::units::{Digest, Price, Probability, Quantity, Side, Timestamp};
use isobar_plugins::{Answer, Limits, Loaded, Loader, Refusal, Reuse, Strategy, resolve};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

static LOADER: LazyLock<Loader> = LazyLock::new(|| {
    let limits = Limits { memory: 8 << 20, ..Limits::default() };
    Loader::new(limits, None).expect("the engine starts")
});

/// The bytes of a guest.
fn guest(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run .ci/guests first", path.display()))
}

fn edge() -> Vec<u8> {
    guest("strategies/edge.wasm")
}

/// `bytes` with every `from` replaced by `to`, which is as long.
fn patched(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<_> = bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from.as_bytes()).collect();
    let places: Vec<_> = places.into_iter().map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "{from} is not in the component");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// The hostile guest with one behaviour.
fn hostile(behaviour: char) -> Vec<u8> {
    patched(guest("guests/hostile.wasm"), "BEHAVIOUR=0", &format!("BEHAVIOUR={behaviour}"))
}

fn refusal(bytes: &[u8]) -> Refusal {
    LOADER.load(bytes).err().expect("refused")
}

fn loaded(bytes: &[u8]) -> Loaded {
    LOADER.load(bytes).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn cents(cents: u16) -> Price {
    Price::from_cents(cents).expect("at most a dollar")
}

/// One bracket with a bid, an ask and an opinion, charged by the guide's formula.
fn snapshot(event: &str, bid: u16, ask: u16, ppm: u32, parameters: Vec<i64>) -> Snapshot {
    let level = |price| Level { price: cents(price), quantity: Quantity::contracts(100) };
    let bracket = Bracket {
        market: MarketId(3),
        ticker: "KXHIGHDEN-25NOV28-B45.5".into(),
        strike: Strike::Between { floor: 45, cap: 46 },
        probability: Probability::new(ppm),
        tradable: true,
        bids: vec![level(bid)],
        asks: vec![level(ask)],
        last_trade: None,
        position: 0,
        resting: Vec::new(),
        fees: FeeSchedule::FlatPremium { taker_ppm: 70_000, maker_ppm: 0 },
        ladder: Ladder::cents().ranges().into(),
        room_bid: Quantity::contracts(50),
        room_ask: Quantity::contracts(50),
    };
    Snapshot {
        now: Timestamp(1_764_324_960_000_000_000),
        event: event.into(),
        closes: Timestamp(1_764_399_600_000_000_000),
        changed: Some(0),
        forecast_issued: Some(Timestamp(1_764_320_000_000_000_000)),
        brackets: vec![bracket],
        parameters: parameters.into(),
        state: Vec::new(),
    }
}

fn ask(strategy: &mut Strategy, number: u64, snapshot: &Snapshot) -> Result<Decision, Fault> {
    let Answer { outcome, .. } = strategy.decide(number, snapshot);
    outcome
}

#[test]
fn the_guides_examples_come_out_of_the_component() {
    let loaded = loaded(&edge());
    let parameters = resolve(loaded.description(), &[]).expect("defaults");
    let mut strategy = loaded.strategy(Reuse::Never);
    let pass =
        ask(&mut strategy, 1, &snapshot("KXHIGHCHI-25NOV28", 40, 45, 420_000, parameters.clone())).expect("answers");
    assert_eq!(
        (pass.reasons[0].verdict, pass.reasons[0].take_ev, pass.reasons[0].make_ev),
        (Verdict::Pass, Some(-61_500), Some(10_000))
    );
    assert!(pass.takes.is_empty() && pass.quotes.is_empty());
    let take = ask(&mut strategy, 2, &snapshot("KXHIGHDEN-25NOV28", 45, 48, 580_000, parameters)).expect("answers");
    assert_eq!((take.takes[0].position, take.takes[0].limit), (4_100, cents(48)));
    assert_eq!(take.reasons[0].take_ev, Some(66_400));
}

#[test]
fn a_traders_parameter_reaches_the_rule() {
    let loaded = loaded(&edge());
    let parameters =
        resolve(loaded.description(), &[("BET_AMOUNT_USD".to_owned(), "9.60".to_owned())]).expect("values");
    let mut strategy = loaded.strategy(Reuse::Never);
    let take = ask(&mut strategy, 1, &snapshot("KXHIGHDEN-25NOV28", 45, 48, 580_000, parameters)).expect("answers");
    assert_eq!(take.takes[0].position, 2_000);
}

#[test]
fn patient_quotes_both_sides() {
    let loaded = loaded(&guest("strategies/patient.wasm"));
    let parameters = resolve(loaded.description(), &[]).expect("defaults");
    let answer =
        ask(&mut loaded.strategy(Reuse::Never), 1, &snapshot("KXHIGHDEN-25NOV28", 45, 60, 520_000, parameters));
    let quotes: Vec<_> =
        answer.expect("answers").quotes.iter().map(|q| (q.side, q.price, q.quantity.units())).collect();
    assert_eq!(quotes, [(Side::Bid, cents(49), 1_000), (Side::Ask, cents(55), 1_000)]);
}

#[test]
fn files_that_are_no_components_are_refused() {
    assert!(matches!(refusal(b"this is no WebAssembly, but long enough"), Refusal::NotWasm));
    assert!(matches!(refusal(b""), Refusal::Truncated(_)));
    assert!(matches!(refusal(b"\0asm\x01\0\0\0"), Refusal::CoreModule));
    assert!(matches!(refusal(b"\0asm\x09\0\x01\0"), Refusal::Invalid(_)));
    let mut garbage = edge();
    let half = garbage.len() / 2;
    garbage[half..half + 512].fill(0xa5);
    assert!(matches!(refusal(&garbage), Refusal::Invalid(_)));
    let small = Loader::new(Limits { file: 1_000, ..Limits::default() }, None).expect("the engine starts");
    assert!(matches!(small.load(&edge()), Err(Refusal::TooLarge { limit: 1_000 })));
}

#[test]
fn a_truncated_component_is_refused_wherever_it_ends() {
    let whole = edge();
    for eighth in 0..8 {
        let refusal = refusal(&whole[..whole.len() * eighth / 8]);
        assert!(matches!(refusal, Refusal::Truncated(_)), "{eighth}/8: {refusal}");
    }
    let refusal = refusal(&whole[..whole.len() - 1]);
    assert!(matches!(refusal, Refusal::Truncated(_)), "{refusal}");
}

#[test]
fn a_component_with_imports_is_refused_by_name() {
    // (component (import "clock" (func)))
    let clock = b"\0asm\x0d\0\x01\0\x07\x05\x01\x40\0\x01\0\x0a\x0a\x01\0\x05clock\x01\0";
    let Refusal::Imports(imports) = refusal(clock) else { panic!("another refusal") };
    assert_eq!(imports, ["clock"]);
}

#[test]
fn a_component_of_another_world_is_refused() {
    assert!(matches!(refusal(b"\0asm\x0d\0\x01\0"), Refusal::World(_)));
    let refusal = refusal(&patched(edge(), "decide", "decade"));
    assert!(matches!(refusal, Refusal::World(_)), "{refusal}");
    assert!(refusal.to_string().contains("`decide`"), "{refusal}");
}

#[test]
fn a_record_of_another_shape_is_refused() {
    for (from, to) in [("room-ask", "room-all"), ("probability", "possibility"), ("take-ev", "take-eu")] {
        let refusal = refusal(&patched(edge(), from, to));
        assert!(matches!(refusal, Refusal::Shape(_)), "{refusal}");
    }
}

#[test]
fn a_component_that_misbehaves_on_a_probe_is_refused() {
    let fault = |behaviour| match refusal(&hostile(behaviour)) {
        Refusal::Probe { fault, .. } => fault,
        other => panic!("{other}"),
    };
    assert_eq!(fault('1'), Fault::OutOfFuel);
    assert!(matches!(fault('2'), Fault::Trap(text) if text.contains("unreachable")));
    assert_eq!(fault('3'), Fault::OutOfMemory);
    assert_eq!(fault('5'), Fault::Contract("a price of 10001/10000 dollar".to_owned()));
    assert_eq!(fault('6'), Fault::Contract("bracket 6 of 6".to_owned()));
    assert_eq!(fault('7'), Fault::OutOfFuel);
    assert_eq!(fault('9'), Fault::Contract("65 quotes, at most 64".to_owned()));
    assert!(matches!(refusal(&hostile('8')), Refusal::Description(_)));
}

#[test]
fn a_fault_of_a_running_component_is_told_and_the_next_question_is_answered() {
    for reuse in [Reuse::Never, Reuse::AUDITED] {
        let mut strategy = loaded(&hostile('0')).strategy(reuse);
        let mut number = 0;
        let mut fault = |event: &str| {
            number += 1;
            let outcome = ask(&mut strategy, number, &snapshot(event, 45, 48, 580_000, Vec::new()));
            number += 1;
            assert_eq!(
                ask(&mut strategy, number, &snapshot("QUIET", 45, 48, 580_000, Vec::new())),
                Ok(Decision::default())
            );
            outcome.expect_err("a fault")
        };
        assert_eq!(fault("HOSTILE-1"), Fault::OutOfFuel);
        assert!(matches!(fault("HOSTILE-2"), Fault::Trap(_)));
        assert_eq!(fault("HOSTILE-3"), Fault::OutOfMemory);
        assert_eq!(fault("HOSTILE-6"), Fault::Contract("bracket 1 of 1".to_owned()));
    }
}

#[test]
fn wall_time_ends_what_fuel_does_not() {
    let limits = Limits { fuel: u64::MAX / 2, deadline: Duration::from_millis(30), ..Limits::default() };
    let loader = Loader::new(limits, None).expect("the engine starts");
    let mut strategy = loader.load(&hostile('0')).unwrap_or_else(|refusal| panic!("{refusal}")).strategy(Reuse::Never);
    let answer = strategy.decide(1, &snapshot("HOSTILE-1", 45, 48, 580_000, Vec::new()));
    assert_eq!(answer.outcome, Err(Fault::Deadline));
    assert!(answer.took < Duration::from_secs(5), "{:?}", answer.took);
}

#[test]
fn a_component_that_counts_in_its_memory_answers_the_same_every_time() {
    let question = snapshot("HOSTILE-4", 45, 48, 580_000, Vec::new());
    let mut strategy = loaded(&hostile('4')).strategy(Reuse::Never);
    let first = ask(&mut strategy, 1, &question).expect("answers");
    assert_eq!(first.reasons[0].quantity, Quantity::ZERO);
    for number in 2..200 {
        if number % 3 == 0 {
            strategy.prepare();
        }
        assert_eq!(ask(&mut strategy, number, &question), Ok(first.clone()));
    }
}

#[test]
fn reuse_finds_a_component_that_counts() {
    let question = snapshot("HOSTILE-4", 45, 48, 580_000, Vec::new());
    let mut strategy = loaded(&hostile('4')).strategy(Reuse::AUDITED);
    for number in 1..64 {
        assert!(ask(&mut strategy, number, &question).is_ok());
    }
    assert_eq!(ask(&mut strategy, 64, &question), Err(Fault::NotPure));
}

#[test]
fn a_reused_instance_is_recycled_at_fixed_decision_numbers() {
    let every = |count| NonZeroU64::new(count).expect("not zero");
    let reuse = Reuse::Audited { recycle_every: every(4), audit_every: every(1_000) };
    let question = snapshot("HOSTILE-4", 45, 48, 580_000, Vec::new());
    let mut strategy = loaded(&hostile('4')).strategy(reuse);
    let mut counts = |first| -> Vec<u64> {
        let answers = (first..first + 7).map(|number| ask(&mut strategy, number, &question).expect("answers"));
        answers.map(|decision| decision.reasons[0].quantity.units()).collect()
    };
    assert_eq!(counts(1), [0, 1, 2, 3, 0, 1, 2]);
    assert_eq!(counts(8), [3, 0, 1, 2, 3, 0, 1]);
}

#[test]
fn compiled_code_is_kept_by_hash() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = edge();
    let open = || Loader::new(Limits::default(), Some(folder.path())).expect("the engine starts");
    open().load(&bytes).unwrap_or_else(|refusal| panic!("{refusal}"));

    let files = std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
    let code =
        files.into_iter().find(|path| path.extension().is_some_and(|e| e == "cwasm")).expect("compiled code is kept");
    let mut damaged = std::fs::read(&code).expect("code");
    let half = damaged.len() / 2;
    damaged[half] ^= 1;
    std::fs::write(&code, &damaged).expect("written");
    assert!(open().load(&bytes).is_ok(), "damaged code is compiled anew");
    assert_ne!(std::fs::read(&code).expect("code"), damaged);
}

#[test]
fn a_check_tells_what_a_trader_wants_to_know() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("edge.wasm");
    std::fs::write(&path, edge()).expect("written");
    let check = LOADER.check(&path);
    assert!(check.ok && check.reason.is_none() && check.imports.is_empty());
    assert_eq!(check.component, Some(Digest::of(&edge()).to_string()));
    assert_eq!(check.world.as_deref(), Some("isobar:strategy/strategy@1.0.0"));
    assert!((1_000..1_000_000).contains(&check.fuel_max), "{}", check.fuel_max);
    std::fs::write(&path, hostile('1')).expect("written");
    let check = LOADER.check(&path);
    assert!(!check.ok && check.reason.is_some_and(|reason| reason.contains("out of fuel")));
    assert!(LOADER.check(&folder.path().join("none.wasm")).reason.is_some_and(|reason| reason.contains("cannot read")));
}
