//! A guest that misbehaves on demand, for the tests of the host. Never traded with.
//!
//! What it does is a byte of the component itself, so that one build gives every kind: tests replace `BEHAVIOUR=0`. A
//! snapshot of the event `HOSTILE-x` asks for behaviour `x` as well, so that a component can fail after it was loaded.

use isobar_strategy::{Decision, Description, Reason, Side, Snapshot, Watch};
use std::sync::atomic::{AtomicU64, Ordering};

isobar_strategy::export!(crate::describe, crate::decide);

/// The byte that tests replace is the last one.
#[used]
static BEHAVIOUR: [u8; 11] = *b"BEHAVIOUR=0";
/// What a pure function must not have.
static CALLS: AtomicU64 = AtomicU64::new(0);

fn behaviour() -> u8 {
    std::hint::black_box(&BEHAVIOUR)[10]
}

fn asked(snapshot: &Snapshot) -> u8 {
    snapshot.event.strip_prefix("HOSTILE-").and_then(|text| text.bytes().next()).unwrap_or_else(behaviour)
}

/// `7` never comes back from here; `8` asks for no levels.
pub fn describe() -> Description {
    if behaviour() == b'7' {
        spin();
    }
    let levels = if behaviour() == b'8' { 0 } else { 1 };
    Description {
        name: format!("hostile-{}", char::from(behaviour())),
        version: "1".to_owned(),
        watch: Watch { levels, sizes: true, trades: true, every: 0, at_most_every: 0 },
        parameters: Vec::new(),
    }
}

/// `1` spins, `2` traps, `3` takes memory until there is none, `4` counts its calls, `5` quotes above a dollar, `6` quotes
/// a bracket that is not there, `9` quotes too much; anything else looks at nothing and passes.
pub fn decide(snapshot: &Snapshot) -> Decision {
    let mut decision = Decision::nothing();
    let calls = CALLS.fetch_add(1, Ordering::Relaxed);
    match asked(snapshot) {
        b'1' => spin(),
        b'2' => panic!("hostile"),
        b'3' => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(std::hint::black_box(vec![1u8; 65_536]));
            }
        }
        b'4' if !snapshot.brackets.is_empty() => {
            decision.reasons.push(Reason { quantity: calls, ..Reason::pass(0, "counted") })
        }
        b'5' => decision.quote(0, Side::Bid, 10_001, 100),
        b'6' => decision.quote(u16::try_from(snapshot.brackets.len()).unwrap_or(u16::MAX), Side::Bid, 100, 100),
        b'9' => (0..65).for_each(|_| decision.quote(0, Side::Bid, 100, 100)),
        _ => {}
    }
    decision
}

fn spin() {
    let mut count = 0u64;
    while std::hint::black_box(count) < u64::MAX {
        count += 1;
    }
}
