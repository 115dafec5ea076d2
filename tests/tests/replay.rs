//! Replay has teeth: a wrong engine, a changed byte and a cut tail are each told apart, on runs that are part of the
//! repository (`tests/recordings`, made by `recorder.rs`).

use isobar_engine::event::Report;
use isobar_engine::order::RefusalReason;
use isobar_store::{Run, SlotRecord};
use isobar_tests::{Answer, answer, isobar, program, recording, replay, succeed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy that may be damaged.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry").path();
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).expect("copied");
        }
    }
}

/// All segments of a run, in alphabetical order.
fn segments(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            segments(&entry, found);
        } else if entry.to_string_lossy().contains(".seg") {
            found.push(entry);
        }
    }
}

fn replayed(run: &Path) -> Answer {
    answer(isobar(["replay", "--json"]).arg(run))
}

/// Inputs at which the slots of a run have a report of this kind, the first first.
fn reports(run: &Path, kind: impl Fn(&Report) -> bool) -> Vec<u64> {
    let run = Run::open(run).expect("a run");
    let mut found = Vec::new();
    for slot in run.slots().expect("slots") {
        let mut reader = run.read_slot(&slot).expect("a slot");
        while let Some(entry) = reader.next().expect("readable") {
            if matches!(&entry.record, SlotRecord::Report(report) if kind(report)) {
                found.push(entry.seq);
            }
        }
    }
    found.sort_unstable();
    found
}

#[test]
fn the_recorded_day_replays_and_holds_what_the_tests_below_need() {
    let day = recording("day");
    replay(&day);
    let takers = reports(&day, |report| matches!(report, Report::Filled { taker: true, .. })).len();
    let makers = reports(&day, |report| matches!(report, Report::Filled { taker: false, .. })).len();
    let refusals = reports(&day, |report| matches!(report, Report::Refused { .. })).len();
    let (mut swaps, mut refused) = (0, 0);
    let run = Run::open(&day).expect("a run");
    for slot in run.slots().expect("slots") {
        let mut reader = run.read_slot(&slot).expect("a slot");
        while let Some(entry) = reader.next().expect("readable") {
            swaps += u32::from(matches!(entry.record, SlotRecord::Swapped(_)));
            refused += u32::from(matches!(entry.record, SlotRecord::Refused { .. }));
        }
    }
    eprintln!(
        "{takers} fills as taker, {makers} as maker, {refusals} refusals, {swaps} swaps, {refused} files refused"
    );
    assert!(takers > 0 && makers > 0 && refusals > 0);
    assert_eq!((swaps, refused), (3, 1), "each slot's first component and one more; one file that is none");
}

fn mutant(fault: &str, run: &Path) -> Answer {
    let mut command = Command::new(program("isobar-mutants"));
    command.args(["replay", "--json", "--mutant", fault]).arg(run);
    answer(&mut command)
}

/// The first input at which a wrong engine is noticed.
fn first_difference(fault: &str, run: &Path) -> u64 {
    let control = succeed(Command::new(program("isobar-mutants")).args(["replay", "--json"]).arg(run));
    assert_eq!(control["identical"], true, "the same program without its fault: {control}");
    let Answer { code, json, said } = mutant(fault, run);
    assert_eq!((code, &json["identical"]), (Some(3), &false.into()), "{fault}: {json} {said}");
    eprintln!("{fault}: {}", json["first_difference"]);
    json["first_difference"]["seq"].as_u64().expect("a number")
}

#[test]
fn one_changed_fee_constant_shows_at_the_first_fill_that_pays_it() {
    let day = recording("day");
    let paid = reports(&day, |report| matches!(report, Report::Filled { fee, .. } if fee.micros() > 0));
    assert_eq!(Some(&first_difference("fee", &day)), paid.first());
}

#[test]
fn one_changed_risk_limit_shows_before_the_first_order_that_it_would_let_pass() {
    let day = recording("day");
    let seq = first_difference("risk", &day);
    let placed = reports(&day, |report| matches!(report, Report::Placed { .. }));
    assert!(placed.first().is_some_and(|first| *first <= seq), "without orders and positions there is room either way");
    let refused = reports(&day, |report| matches!(report, Report::Refused { reason: RefusalReason::Position, .. }));
    assert!(refused.first().is_some_and(|first| seq <= *first), "a doubled limit would have let that order pass");
}

#[test]
fn one_changed_comparison_of_prices_shows_where_a_bid_meets_an_ask() {
    let touching = recording("touching");
    let outcome = replay(&touching);
    assert_eq!(outcome["crossed_episodes"], 0, "the bid is at the ask and never above it");
    // No component is asked in an imported run: the digest of the whole state at its end tells.
    let last = outcome["events"].as_u64().expect("events") - 1;
    assert_eq!(first_difference("book", &touching), last);
}

#[test]
fn an_unknown_fault_is_refused() {
    let Answer { code, said, .. } = mutant("weather", &recording("day"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no such mutant: weather"), "{said}");
}

#[test]
fn one_changed_bit_anywhere_is_detected_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    copy(&recording("day"), &run);
    let mut files = Vec::new();
    segments(&run, &mut files);
    assert!(files.iter().any(|file| file.ends_with("00000000.seg.zst")), "packed segments are among them");
    assert!(files.iter().any(|file| file.extension().is_some_and(|ending| ending == "seg")), "and plain ones");
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut damaged = 0;
    for file in &files {
        let whole = std::fs::read(file).expect("a segment");
        // The first and the last byte, and some between.
        let ends = [0, whole.len() - 1];
        let between: Vec<usize> = (0..4).map(|_| random.random_range(0..whole.len())).collect();
        for at in ends.into_iter().chain(between) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << random.random_range(0..8_u32);
            std::fs::write(file, &bytes).expect("written");
            let Answer { code, json, said } = replayed(&run);
            let name = file.strip_prefix(&run).expect("inside").display().to_string();
            assert_eq!(code, Some(1), "byte {at} of {name}: {json} {said}");
            assert!(said.contains(&name) && said.contains("at byte"), "byte {at} of {name}: {said}");
            damaged += 1;
        }
        std::fs::write(file, &whole).expect("written");
    }
    assert_eq!(replayed(&run).code, Some(0), "mended");
    eprintln!("{damaged} damaged bytes in {} segments, each named", files.len());
}

#[test]
fn a_cut_tail_loses_only_the_tail() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    copy(&recording("day"), &run);
    let whole = replay(&run);
    let mut random = ChaCha8Rng::seed_from_u64(4);
    for journal in ["feed", "slots/edge", "slots/patient"] {
        let mut files = Vec::new();
        segments(&run.join(journal), &mut files);
        let last = files.last().expect("a segment");
        assert!(last.extension().is_some_and(|ending| ending == "seg"), "the last segment is as it was written");
        let bytes = std::fs::read(last).expect("a segment");
        assert!(bytes.len() > 5_000, "there is something to lose");
        // One byte less, all but one byte, and somewhere between.
        for cut in [1, bytes.len() - 1, random.random_range(1..bytes.len()), random.random_range(1..bytes.len())] {
            std::fs::write(last, &bytes[..bytes.len() - cut]).expect("written");
            let outcome = replay(&run);
            let (events, all) =
                (outcome["events"].as_u64().expect("events"), whole["events"].as_u64().expect("events"));
            if journal == "feed" {
                assert!(outcome["torn_bytes"].as_u64().is_some_and(|torn| torn > 0), "{cut}: {outcome}");
                assert!(events < all && events > 0, "{events} of {all}");
            } else {
                assert_eq!(events, all);
            }
        }
        std::fs::write(last, &bytes).expect("written");
    }
}
