//! Swaps by files put into a folder, with the real program: nothing is lost, nothing is answered by the wrong version, and
//! what may not trade is refused with its reason while the version before goes on.

use isobar_engine::snapshot::Decision;
use isobar_engine::units::{Digest, Quantity};
use isobar_store::{Run, SlotRecord};
use isobar_tests::play::{Play, config, slot};
use isobar_tests::{isobar, root, strategy, succeed};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const SWAPS: usize = 100;

/// What a new version may take from the closing of its file to its first decision, in the middle.
const TARGET: Duration = Duration::from_millis(100);

/// Notes that only one of the two strategies writes: its rule, as a decision shows it.
const EDGE: [&str; 6] =
    ["edge too small", "take edge", "make edge", "holds a position", "chance too small", "no room for one contract"];
const PATIENT: [&str; 4] = ["value less margin", "fee eats the margin", "no price", "no room"];

/// Which rule a decision shows; nothing where there was nothing to say (no opinion, nothing tradable).
fn author(decision: &Decision) -> Option<&'static str> {
    let wrote = |notes: &[&str]| decision.reasons.iter().any(|reason| notes.contains(&&*reason.note));
    match (wrote(&EDGE), wrote(&PATIENT)) {
        (true, false) => Some("edge"),
        (false, true) => Some("patient"),
        (false, false) => None,
        (true, true) => panic!("a decision of two rules: {decision:?}"),
    }
}

/// Puts a component into a folder, moved in or written in place; when that was done.
fn put(folder: &Path, name: &str, bytes: &[u8], moved: bool) -> Instant {
    let path = folder.join(name);
    if moved {
        let aside = folder.join("aside.partial");
        fs::write(&aside, bytes).expect("written");
        fs::rename(&aside, &path).expect("renamed");
    } else {
        fs::write(&path, bytes).expect("written");
    }
    Instant::now()
}

fn held(line: &Value, slot: &str, bytes: &[u8]) -> bool {
    line["type"] == "swapped" && line["slot"] == slot && line["component"] == Digest::of(bytes).to_string().as_str()
}

/// Every question has one answer, none is lost: the journal has the numbers 1, 2, 3, … and the engine asked no more.
fn answered_once(run: &Run, slot: &str, replayed: &Value) -> u64 {
    let mut reader = run.read_slot(slot).expect("a journal");
    let mut last = 0;
    while let Some(entry) = reader.next().expect("readable") {
        if let SlotRecord::Decided { decision, .. } = entry.record {
            assert_eq!(decision, last + 1, "{slot}");
            last = decision;
        }
    }
    let slots = replayed["slots"].as_array().expect("slots");
    let asked = slots.iter().find(|other| other["slot"] == slot).expect("the slot")["decisions"].as_u64();
    assert_eq!(asked, Some(last), "{slot}");
    last
}

fn replay(folder: &Path) -> Value {
    let replayed = succeed(isobar(["replay", "--json"]).arg(folder));
    assert_eq!(replayed["identical"], true, "{replayed}");
    replayed
}

#[test]
fn a_hundred_swaps_during_a_flood_lose_nothing_and_confuse_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (drop, run) = (folder.path().join("drop"), folder.path().join("run"));
    let slots = slot("swapped", &strategy("edge"), Some(&drop));
    let file = config(folder.path(), &slots);
    let mut play = Play::start(
        isobar(["demo", "--flood", "--frames", "4000000", "--json", "--config"]).arg(file).arg("--run").arg(&run),
    );
    play.opinions(6);
    let versions = ["patient", "edge"].map(|name| (name, fs::read(strategy(name)).expect("a component")));
    let mut took: Vec<Duration> = Vec::with_capacity(SWAPS);
    for number in 0..SWAPS {
        let (name, bytes) = &versions[number % 2];
        let closed = put(&drop, &format!("{name}.wasm"), bytes, number % 4 < 2);
        let (when, _) = play.wait("swap", |line| held(line, "swapped", bytes));
        took.push(when.saturating_duration_since(closed));
    }
    play.interrupt();

    took.sort_unstable();
    let (middle, most) = (took[SWAPS / 2], took[SWAPS - 1]);
    let replayed = replay(&run);
    println!(
        "swap from file close to active: p50 {:.1} ms, max {:.1} ms, {} frames meanwhile",
        middle.as_secs_f64() * 1e3,
        most.as_secs_f64() * 1e3,
        replayed["frames"]
    );
    let journals = Run::open(&run).expect("a run");
    let decisions = answered_once(&journals, "swapped", &replayed);

    let mut reader = journals.read_slot("swapped").expect("a journal");
    // A source of weather that is late beside the flood withdraws an opinion: answers without one do not show whose they
    // are, and a version may come and go meanwhile.
    let (mut holds, mut swaps, mut fresh, mut unshown) = (None::<&str>, 0, false, 0);
    // Answers since the first that shows whose it is: before it there was no opinion.
    let (mut told, mut since) = (0u64, 0u64);
    while let Some(entry) = reader.next().expect("readable") {
        match entry.record {
            SlotRecord::Swapped(component) => {
                unshown += usize::from(fresh);
                let name = if component.name.starts_with("edge ") { "edge" } else { "patient" };
                assert_ne!(holds, Some(name), "the versions take turns");
                // The first version comes before there is anything to ask about.
                fresh = holds.is_some();
                swaps += 1;
                holds = Some(name);
            }
            SlotRecord::Decided { outcome, decision, .. } => {
                let shown = author(outcome.as_ref().as_ref().expect("both strategies answer"));
                told += u64::from(shown.is_some());
                since += u64::from(told > 0);
                assert!(shown.is_none() || shown == holds, "decision {decision}: {shown:?} while {holds:?} is held");
                fresh &= shown.is_none();
            }
            // What stands still for too long before its writer closes it is taken for whole, and told again when it is.
            SlotRecord::Refused { reason, .. } => {
                assert!(
                    ["still being written", "changed while it was read"].iter().any(|why| reason.contains(why)),
                    "{reason}"
                )
            }
            _ => {}
        }
    }
    println!(
        "{decisions} decisions, {told} of the last {since} show whose they are; {unshown} of {} versions do not",
        swaps - 1
    );
    assert_eq!(swaps, SWAPS + 1);
    assert!(unshown <= SWAPS / 10, "{unshown} versions never showed themselves");
    assert!(told > since / 2, "most decisions show whose they are");
    assert!(middle <= TARGET, "{middle:?}");
}

/// `bytes` with every `from` replaced by `to`, which is as long: a guest that is wrong in one point.
fn altered(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "{from} is not in the component");
    places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to.as_bytes()));
    bytes
}

#[test]
fn what_may_not_trade_is_refused_with_its_reason_and_the_version_before_goes_on() {
    let edge = fs::read(strategy("edge")).expect("a component");
    let patient = fs::read(strategy("patient")).expect("a component");
    let hostile = fs::read(root().join("target/guests/hostile.wasm")).expect("make build makes the hostile guest");
    let hostile = |behaviour: char| altered(hostile.clone(), "BEHAVIOUR=0", &format!("BEHAVIOUR={behaviour}"));
    // (component (import "clock" (func)))
    let clock = b"\0asm\x0d\0\x01\0\x07\x05\x01\x40\0\x01\0\x0a\x0a\x01\0\x05clock\x01\0".to_vec();
    let mut damaged = edge.clone();
    damaged[edge.len() / 2..][..512].fill(0xa5);
    let wrong = [
        ("garbage", b"this is no WebAssembly, but long enough".to_vec(), "not a WebAssembly file"),
        ("damaged", damaged, "not a valid component"),
        ("truncated", edge[..edge.len() / 2].to_vec(), "truncated after"),
        ("core-module", b"\0asm\x01\0\0\0".to_vec(), "a core module, not a component"),
        ("imports", clock, "imports clock"),
        ("world", altered(edge.clone(), "decide", "decade"), "no export `decide`"),
        ("shape", altered(edge.clone(), "room-ask", "room-all"), "its types are not those of"),
        ("loop", hostile('1'), "out of fuel"),
        ("trap", hostile('2'), "trap"),
        ("hog", hostile('3'), "memory"),
    ];

    let folder = tempfile::tempdir().expect("a folder");
    let (drop, run) = (folder.path().join("drop"), folder.path().join("run"));
    let file = config(folder.path(), &slot("one", &strategy("edge"), Some(&drop)));
    let mut play =
        Play::start(isobar(["demo", "--speed", "600", "--json", "--config"]).arg(file).arg("--run").arg(&run));
    play.opinions(6);
    let a_while = || std::thread::sleep(Duration::from_millis(250));
    a_while();
    for (number, (name, bytes, expected)) in wrong.iter().enumerate() {
        put(&drop, &format!("{name}.wasm"), bytes, number % 2 == 0);
        let (_, line) = play.wait(name, |line| line["type"] == "component_refused");
        let (path, reason) = (line["path"].as_str().expect("a path"), line["reason"].as_str().expect("a reason"));
        assert!(path.ends_with(&format!("/{name}.wasm")), "{line}");
        assert!(reason.contains(expected), "{name}: {reason}");
        println!("{name}: {reason}");
        a_while();
    }

    // A file that takes its time: looked at while half of it is missing, and again when it is whole.
    let mut slow = fs::File::create(drop.join("slow.wasm")).expect("created");
    slow.write_all(&patient[..patient.len() / 2]).expect("written");
    let (_, line) = play.wait("half a file", |line| line["type"] == "component_refused");
    assert!(line["reason"].as_str().expect("a reason").starts_with("truncated after"), "{line}");
    slow.write_all(&patient[patient.len() / 2..]).expect("written");
    std::mem::drop(slow);
    play.wait("the whole file", |line| held(line, "one", &patient));
    a_while();

    let counting = hostile('4');
    put(&drop, "counting.wasm", &counting, true);
    play.wait("the one that counts", |line| held(line, "one", &counting));
    a_while();
    put(&drop, "edge.wasm", &edge, true);
    play.wait("the first version", |line| held(line, "one", &edge));
    a_while();
    play.interrupt();
    let replayed = replay(&run);
    let journals = Run::open(&run).expect("a run");
    answered_once(&journals, "one", &replayed);

    // What the slot held, one name a stretch, and how often it was asked after each refusal or swap.
    let mut stretches: Vec<(String, usize)> = Vec::new();
    let (mut holds, mut refused) = (String::new(), 0);
    let mut reader = journals.read_slot("one").expect("a journal");
    while let Some(entry) = reader.next().expect("readable") {
        match entry.record {
            SlotRecord::Swapped(component) => {
                holds = component.name.split(' ').next().expect("a name").to_owned();
                stretches.push((holds.clone(), 0));
            }
            SlotRecord::Refused { .. } => {
                refused += 1;
                stretches.push((holds.clone(), 0));
            }
            SlotRecord::Decided { outcome, .. } => {
                stretches.last_mut().expect("a version").1 += 1;
                let decision = outcome.into_owned().expect("no version that trades fails");
                if holds == "hostile-4" {
                    let counted = decision.reasons.iter().map(|reason| (reason.quantity, &*reason.note));
                    assert_eq!(counted.collect::<Vec<_>>(), [(Quantity::ZERO, "counted")], "it remembers nothing");
                } else {
                    assert!(author(&decision).is_none_or(|author| author == holds), "{holds}: {decision:?}");
                }
            }
            _ => {}
        }
    }
    assert_eq!(refused, wrong.len() + 1);
    let names: Vec<&str> = stretches.iter().map(|(name, _)| name.as_str()).collect();
    let (before, after) = names.split_at(names.len() - 3);
    assert!(before.iter().all(|name| *name == "edge"), "{names:?}");
    assert_eq!(after, ["patient", "hostile-4", "edge"]);
    assert!(stretches.iter().all(|(_, asked)| *asked > 0), "the version before goes on: {stretches:?}");
    assert!(stretches[names.len() - 2].1 > 6, "asked often: {stretches:?}");
}
