//! Which cases there are, and what became of all of them.

use super::play::{Case, Played, Step, Trouble, play};
use super::tape::Point;
use isobar_sim::{Call, Channel, Fault, Mishap, Shape};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How an answer can go wrong: lost before and after, late within the timeout and beyond it, and other answers of every
/// status and shape, with and without effect.
fn mishaps() -> Vec<Mishap> {
    let mut all = vec![Mishap::LostBefore, Mishap::LostAfter, Mishap::Late { ms: 1_500 }, Mishap::Late { ms: 7_000 }];
    let statuses = [
        (409, Shape::Wrapped, true),
        (429, Shape::Text, false),
        (500, Shape::Wrapped, false),
        (500, Shape::Flat, true),
        (502, Shape::Html, false),
        (502, Shape::Empty, true),
        (503, Shape::Msg, false),
        (503, Shape::Text, true),
        (504, Shape::Empty, false),
        (504, Shape::Html, true),
    ];
    all.extend(statuses.map(|(status, shape, executed)| Mishap::Status { status, shape, executed }));
    all
}

/// Everything that can go wrong.
pub fn troubles() -> Vec<Trouble> {
    let mut faults = Vec::new();
    for mishap in mishaps() {
        for on in [Call::Create, Call::Cancel, Call::Amend, Call::Decrease, Call::Group, Call::Read] {
            faults.push(Fault::Answer { on, mishap, count: 1 });
        }
    }
    // Many in a row: whoever tries again meets it again.
    faults.push(Fault::Answer { on: Call::Any, mishap: Mishap::LostAfter, count: 8 });
    let unavailable = Mishap::Status { status: 503, shape: Shape::Wrapped, executed: false };
    faults.push(Fault::Answer { on: Call::Any, mishap: unavailable, count: 8 });
    for channel in Channel::ALL {
        faults.extend([
            Fault::Drop { channel },
            Fault::Duplicate { channel },
            Fault::Reorder { channel },
            Fault::Delay { channel, ms: 1_500 },
            Fault::Gap { channel },
            Fault::Silence { channel },
            Fault::Overflow { channel },
            Fault::ChannelError { channel },
        ]);
    }
    faults.extend([
        Fault::Disconnect,
        Fault::Outage { ms: 3_000 },
        Fault::ReadLag { ms: 1_500 },
        Fault::Skew { ms: 60_000 },
        Fault::EmptyBooks { on: true },
    ]);
    let mut all: Vec<Trouble> = faults.into_iter().map(Trouble::Fault).collect();
    all.extend([Trouble::Pause { whole: false }, Trouble::Pause { whole: true }]);
    all
}

/// Every trouble, and none, at every step of an order's life, with a death at every point, and without one.
pub fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let points: Vec<Option<Point>> = std::iter::once(None).chain(Point::ALL.map(Some)).collect();
    let troubles: Vec<Option<Trouble>> = std::iter::once(None).chain(troubles().into_iter().map(Some)).collect();
    for trouble in troubles {
        for step in Step::ALL {
            for point in &points {
                all.push(Case { seed: all.len() as u64, step: Some(step), trouble, point: *point });
            }
        }
    }
    all
}

/// A run in which everything is left to chance.
pub const fn wild(seed: u64) -> Case {
    Case { seed, step: None, trouble: None, point: None }
}

/// What became of many cases.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Cases that were played.
    pub cases: u64,
    /// Those whose step was reached.
    pub reached: u64,
    /// What was not as it has to be, a line a case.
    pub failures: Vec<String>,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Deaths by point.
    pub deaths: BTreeMap<Option<Point>, u64>,
    /// Fills, orders and states that were compared.
    pub compared: [u64; 3],
    /// Creates that the exchange took.
    pub created: u64,
    /// Virtual seconds.
    pub seconds: i64,
    /// Events.
    pub events: u64,
    /// Time that it took.
    pub took: Duration,
}

impl Tally {
    fn add(&mut self, outcome: Result<Played, String>) {
        self.cases += 1;
        match outcome {
            Ok(played) => {
                self.reached += u64::from(played.reached);
                for (fault, count) in played.faults {
                    *self.faults.entry(fault).or_default() += count;
                }
                for (point, count) in played.deaths {
                    *self.deaths.entry(point).or_default() += count;
                }
                let compared = [played.compared.fills, played.compared.orders, played.compared.states];
                for (sum, count) in self.compared.iter_mut().zip(compared) {
                    *sum += count;
                }
                self.created += played.created;
                self.seconds += played.seconds;
                self.events += played.events;
            }
            Err(failure) => self.failures.push(failure),
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [fills, orders, states] = self.compared;
        writeln!(f, "{} cases, {} failed, in {:.1} s", self.cases, self.failures.len(), self.took.as_secs_f64())?;
        writeln!(
            f,
            "{} h of virtual time, {} events, {} orders taken",
            self.seconds / 3_600,
            self.events,
            self.created
        )?;
        writeln!(f, "compared and equal: {states} states, {fills} fills, {orders} orders")?;
        let names = |counts: Vec<(String, u64)>| {
            let all: Vec<String> = counts.into_iter().map(|(name, count)| format!("{name} {count}")).collect();
            all.join(", ")
        };
        let faults = self.faults.iter().map(|(fault, count)| ((*fault).to_owned(), *count)).collect();
        writeln!(f, "{} faults: {}", self.faults.values().sum::<u64>(), names(faults))?;
        let name = |point: &Option<Point>| point.map_or("at any moment".to_owned(), |point| format!("{point:?}"));
        let deaths = self.deaths.iter().map(|(point, count)| (name(point), *count)).collect();
        write!(f, "{} deaths: {}", self.deaths.values().sum::<u64>(), names(deaths))
    }
}

/// Plays cases on all cores. A panic is a failure.
pub fn play_all(cases: &[Case]) -> Tally {
    let began = Instant::now();
    let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = std::panic::catch_unwind(|| play(*case)).unwrap_or_else(|panic| {
                        let said = panic.downcast_ref::<String>().map(String::as_str);
                        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
                        Err(format!("{case:?}: panic: {}", said.unwrap_or("without words")))
                    });
                    tally.lock().expect("nobody panics while adding").add(outcome);
                }
            });
        }
    });
    let mut tally = tally.into_inner().expect("nobody panics while adding");
    tally.took = began.elapsed();
    tally
}
