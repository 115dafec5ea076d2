//! Slots beside each other under a flood: the same component does exactly the same in two of them, and what
//! one does depends on no other.

use isobar_engine::event::Report;
use isobar_store::{Run, SlotEntry, SlotRecord};
use isobar_tests::play::{Play, config, slot};
use isobar_tests::{isobar, strategy, succeed};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that a slot did, without its name, the run's identity and the time that its answers took.
fn deeds(run: &Run, slot: &str) -> Vec<SlotEntry> {
    let mut reader = run.read_slot(slot).expect("a journal");
    let mut deeds = Vec::new();
    while let Some(mut entry) = reader.next().expect("readable") {
        match &mut entry.record {
            SlotRecord::Opening { .. } => continue,
            SlotRecord::Decided { took_ns, .. } => *took_ns = 0,
            _ => {}
        }
        deeds.push(entry);
    }
    deeds
}

/// What a summary says of a slot, without what was measured and what it is called.
fn results(summary: &Value, slot: &str) -> Value {
    let slots = summary["slots"].as_array().expect("slots");
    let mut found = slots.iter().find(|other| other["slot"] == slot).expect("the slot").clone();
    let facts = found.as_object_mut().expect("an object");
    for measured in ["slot", "p50_us", "p99_us"] {
        assert!(facts.remove(measured).is_some(), "{measured}");
    }
    found
}

fn rerun(run: &Path, config: &Path, strategies: &[PathBuf]) -> Value {
    let mut command = isobar(["rerun", "--json", "--config"]);
    succeed(command.arg(config).arg(run).arg("--strategy").args(strategies))
}

#[test]
fn a_slot_does_the_same_as_its_twin_and_the_same_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let (edge, patient) = (strategy("edge"), strategy("patient"));
    let slots = slot("left", &edge, None) + &slot("other", &patient, None) + &slot("right", &edge, None);
    let file = config(folder.path(), &slots);
    // Until something was traded: when opinions come is a matter of the machine's load.
    let flood = ["demo", "--flood", "--frames", "100000000", "--json", "--config"];
    let mut play = Play::start(isobar(flood).arg(&file).arg("--run").arg(&run));
    play.wait("a fill", |line| line["type"] == "fill" && line["slot"] == "right");
    std::thread::sleep(Duration::from_millis(500));
    let summary = play.interrupt();
    let replayed = succeed(isobar(["replay", "--json"]).arg(&run));
    assert_eq!(replayed["identical"], true, "{replayed}");

    let journals = Run::open(&run).expect("a run");
    let (left, right) = (deeds(&journals, "left"), deeds(&journals, "right"));
    for (left, right) in left.iter().zip(&right) {
        assert_eq!(left, right);
    }
    assert_eq!(left.len(), right.len());
    let filled = |deed: &&SlotEntry| matches!(&deed.record, SlotRecord::Report(report) if matches!(**report, Report::Filled { .. }));
    let fills = left.iter().filter(filled).count();
    println!("{} records, {fills} fills, {} decisions", left.len(), results(&summary, "left")["decisions"]);
    assert!(fills > 0, "a day without a fill compares nothing");
    assert_ne!(results(&summary, "left"), results(&summary, "other"));

    let alone = rerun(&run, &file, std::slice::from_ref(&edge));
    let other = rerun(&run, &file, std::slice::from_ref(&patient));
    let together = rerun(&run, &file, &[patient, edge.clone(), edge]);
    for (slot, name, again) in [
        ("left", "edge", &alone),
        ("left", "edge", &together),
        ("left", "edge-2", &together),
        ("other", "patient", &other),
        ("other", "patient", &together),
    ] {
        assert_eq!(results(&summary, slot), results(again, name), "{slot} live, {name} again");
    }
}
