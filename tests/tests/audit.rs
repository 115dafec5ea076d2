//! The audit of books through the real programs: a book that the feed told wrongly, with every number in order, is found by
//! the venue's own REST books and healed.

use isobar_engine::event::{Body, Input};
use isobar_engine::market::MarketId;
use isobar_kalshi::protocol::Protocol;
use isobar_store::Run;
use isobar_tests::play::Play;
use isobar_tests::venue::{Venue, live, proved};
use isobar_tests::{isobar, replay};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Early enough that the books of the day rest for seconds.
const MORNING: &str = "2026-11-26T14:00:00Z";

fn begin(folder: &Path, speed: &str) -> (Venue, PathBuf) {
    let venue = Venue::start(folder, &["--speed", speed, "--tier", "prestige", "--start", MORNING]);
    let config = venue.config(folder, "patient");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, text.replace("[venue]\n", "[venue]\naudit_sec = 0.2\n")).expect("written");
    (venue, config)
}

fn dry(config: &Path) -> Play {
    Play::start(isobar(["run", "--json", "--config"]).arg(config))
}

fn count(summary: &Value, what: &str) -> u64 {
    summary["audit"][what].as_u64().unwrap_or_else(|| panic!("{summary}"))
}

/// Books that were asked for anew, each with whether a snapshot of it came afterwards.
fn asked_anew(run: &Path) -> Vec<(MarketId, bool)> {
    let mut feed = Run::open(run).expect("a run").read_feed().expect("a feed");
    let (mut protocol, mut transmit, mut asked) = (Protocol::new(), Vec::new(), Vec::new());
    while let Some(record) = feed.next().expect("an undamaged journal") {
        if let Input::Resync(market) = record.input {
            asked.push((market, false));
        }
        if let Body::Snapshot { market, .. } = protocol.apply(record.at, &record.input, &mut transmit) {
            asked.iter_mut().filter(|(wanted, _)| *wanted == market).for_each(|(_, came)| *came = true);
        }
    }
    asked
}

/// Ends a run whose books were all right.
fn all_right(what: &str, host: Play, run: &Path) -> Value {
    std::thread::sleep(Duration::from_secs(8));
    let summary = host.interrupt();
    println!("{what}: {}", summary["audit"]);
    assert!(count(&summary, "equal") >= 20, "{what}: {}", summary["audit"]);
    assert_eq!((count(&summary, "differed"), count(&summary, "asked_anew")), (0, 0), "{what}: {}", summary["audit"]);
    replay(run);
    summary
}

#[test]
fn books_that_are_right_never_differ_in_a_dry_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_venue, config) = begin(folder.path(), "1");
    all_right("quiet", dry(&config), &folder.path().join("runs/run-1"));
    let folder = tempfile::tempdir().expect("a folder");
    let (_venue, config) = begin(folder.path(), "60");
    let busy = all_right("busy", dry(&config), &folder.path().join("runs/run-1"));
    assert!(count(&busy, "raced") > 0, "books that change within a second prove nothing: {}", busy["audit"]);
}

#[test]
fn the_books_of_a_live_slot_without_a_paper_one_are_compared_also_when_it_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_venue, config) = begin(folder.path(), "1");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    let twin = text.rfind("[[slot]]").expect("the twin is the last slot");
    std::fs::write(&config, &text[..twin]).expect("written");
    let mut host = live(&config);
    proved(&mut host);
    std::thread::sleep(Duration::from_secs(1));
    host.kill();
    let mut host = live(&config);
    proved(&mut host);
    let summary = all_right("live alone, after a kill", host, &folder.path().join("runs/live-1"));
    assert_eq!(summary["slots"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_book_that_the_feed_told_wrongly_in_order_is_found_and_healed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (venue, config) = begin(folder.path(), "1");
    let mut host = dry(&config);
    host.opinions(6);
    venue.tell("fault", &json!({"kind": "distort"}));
    let (_, note) = host
        .wait("the audit's note", |line| line["text"].as_str().is_some_and(|text| text.contains("is asked for anew")));
    println!("{}", note["text"]);
    // A book that were still wrong would be found again and again meanwhile.
    std::thread::sleep(Duration::from_secs(8));
    let summary = host.interrupt();
    println!("{}", summary["audit"]);
    assert_eq!((count(&summary, "differed"), count(&summary, "asked_anew")), (3, 1), "{}", summary["audit"]);
    assert!(count(&summary, "equal") > 0);
    let run = folder.path().join("runs/run-1");
    // The journal has it as an input, no gap was seen, and a replay does the same.
    replay(&run);
    let healed = asked_anew(&run);
    assert!(matches!(healed.as_slice(), [(_, true)]), "{healed:?}");
}

#[test]
fn nothing_is_compared_where_the_configuration_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_venue, config) = begin(folder.path(), "1");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, text.replace("audit_sec = 0.2", "audit_sec = 0")).expect("written");
    let mut host = dry(&config);
    host.opinions(1);
    assert_eq!(host.interrupt()["audit"], Value::Null);
}
