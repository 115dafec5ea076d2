//! `kill -9` of a running host: what its journals held is read, replayed and projected, and nothing of it is lost.

use isobar_engine::event::Input;
use isobar_store::{Run, SlotRecord};
use isobar_tests::{isobar, replay, succeed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Kills the host when the test fails before it does.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(pace: &[&str], run: &Path) -> Host {
    let mut command = isobar(["demo", "--json", "--seconds", "60"]);
    command.args(pace).arg("--run").arg(run).stdout(Stdio::null()).stderr(Stdio::null());
    Host(command.spawn().expect("the program starts"))
}

/// Number of inputs that can be read from outside now.
fn readable(run: &Path) -> u64 {
    let Ok(run) = Run::open(run) else { return 0 };
    let mut feed = run.read_feed().expect("a feed");
    while feed.next().expect("an undamaged journal").is_some() {}
    feed.next_seq()
}

/// Lets the host journal something, waits for `longer`, kills it, and says how many inputs were readable just before.
fn killed(pace: &[&str], longer: Duration, run: &Path) -> u64 {
    let mut host = start(pace, run);
    let patience = Instant::now() + Duration::from_secs(20);
    while readable(run) < 100 {
        assert!(Instant::now() < patience, "nothing is journaled");
        assert!(host.0.try_wait().expect("a child").is_none(), "the host ended by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(longer);
    let before = readable(run);
    assert!(host.0.try_wait().expect("a child").is_none(), "the host ended by itself");
    host.0.kill().expect("a child is killed by SIGKILL");
    host.0.wait().expect("a child");
    before
}

/// Reads the feed: inputs are numbered without a hole, and so is what the exchange sent on each subscription.
fn whole_feed(run: &Run) -> u64 {
    let (mut next, mut frames) = (0, 0);
    let mut last: BTreeMap<(u32, u64), u64> = BTreeMap::new();
    let mut feed = run.read_feed().expect("a feed");
    while let Some(record) = feed.next().expect("an undamaged journal") {
        assert_eq!(record.seq, next, "inputs are consecutive");
        next += 1;
        match record.input {
            Input::Frame { connection, text } => {
                frames += 1;
                let frame: Value = serde_json::from_slice(text).expect("a whole frame");
                if let (Some(sid), Some(seq)) = (frame["sid"].as_u64(), frame["seq"].as_u64()) {
                    let last = last.entry((connection, sid)).or_default();
                    assert_eq!(seq, *last + 1, "a frame of the exchange is missing before {frame}");
                    *last = seq;
                }
            }
            Input::Closing => panic!("the run ended in order before it was killed"),
            _ => {}
        }
    }
    assert!(!last.is_empty() && frames > 0);
    next
}

/// Reads the slots: each answers inputs that are in the feed. Gives the number of their decisions.
fn whole_slots(run: &Run, inputs: u64) -> u64 {
    let slots = run.slots().expect("slots");
    assert_eq!(slots, ["edge", "patient"]);
    let mut decisions = 0;
    for slot in slots {
        let mut reader = run.read_slot(&slot).expect("a slot");
        while let Some(entry) = reader.next().expect("an undamaged journal") {
            assert!(entry.seq < inputs, "slot {slot} answers input {} of {inputs}", entry.seq);
            decisions += u64::from(matches!(entry.record, SlotRecord::Decided { .. }));
        }
    }
    decisions
}

fn survives(pace: &[&str], seed: u64, kills: usize) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..kills {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run");
        let longer = Duration::from_millis(random.random_range(0..1_500));
        let before = killed(pace, longer, &path);
        let run = Run::open(&path).expect("a run");
        let inputs = whole_feed(&run);
        assert!(inputs >= before, "{before} inputs could be read before the kill, {inputs} after");
        let decisions = whole_slots(&run, inputs);
        let replayed = replay(&path);
        assert_eq!(replayed["events"], inputs, "the replay reads all of it");
        let projected = succeed(isobar(["project", "--json"]).arg(&path));
        assert_eq!((&projected["inputs"], &projected["decisions"]), (&inputs.into(), &decisions.into()), "{projected}");
        eprintln!(
            "{pace:?}: killed {longer:?} after the first inputs: {inputs} inputs ({before} seen before), {decisions} \
             decisions, {} bytes torn",
            replayed["torn_bytes"]
        );
    }
}

#[test]
fn a_flooded_host_that_is_killed_loses_nothing_it_journaled() {
    survives(&["--flood", "--frames", "20000000"], 1, 3);
}

#[test]
fn a_paced_host_that_is_killed_loses_nothing_it_journaled() {
    survives(&["--speed", "600"], 2, 2);
}
