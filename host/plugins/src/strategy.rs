//! A component in a slot: one question, one answer.
//!
//! By default a fresh instance answers every question, so nothing can hide in guest memory. [`Strategy::prepare`] makes
//! the next one while nobody waits. No guest code runs before the question, so a prepared instance and a new one are the
//! same.

use crate::convert::{self, Lists};
use crate::loader::Loaded;
use crate::runtime::Instance;
use isobar_engine::event::Fault;
use isobar_engine::snapshot::{Decision, Snapshot};
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// Whether instances answer more than one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// A fresh instance each time.
    Never,
    /// One instance answers many. Both periods count the decisions of the slot, so they fall on the same ones in a rerun.
    Audited {
        /// The instance is thrown away after each decision whose number is a multiple of this.
        recycle_every: NonZeroU64,
        /// Each decision whose number is a multiple of this is asked of a fresh instance as well; a difference is
        /// [`Fault::NotPure`].
        audit_every: NonZeroU64,
    },
}

impl Reuse {
    /// Recycled every 4 096 decisions, audited every 64.
    pub const AUDITED: Self = Self::Audited {
        recycle_every: NonZeroU64::new(4_096).expect("not zero"),
        audit_every: NonZeroU64::new(64).expect("not zero"),
    };
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the component wants, or how it failed.
    pub outcome: Result<Decision, Fault>,
    /// Wall time from question to answer. Not part of the answer: never journaled as an input.
    pub took: Duration,
    /// Fuel that was used.
    pub fuel: u64,
}

/// A component that a slot asks. It belongs to one thread at a time.
pub struct Strategy {
    loaded: Loaded,
    reuse: Reuse,
    ready: Option<Instance>,
    /// The instance that answered last. It is taken apart when somebody prepares the next, or when the next is done.
    spent: Option<Instance>,
}

impl Strategy {
    pub(crate) fn new(loaded: Loaded, reuse: Reuse) -> Self {
        Self { loaded, reuse, ready: None, spent: None }
    }

    /// The component.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Does now, while nobody waits, what the next question would pay for. May be called at any time or never.
    pub fn prepare(&mut self) {
        self.spent = None;
        if self.ready.is_none() {
            // A failure comes again, and is told, with the question.
            self.ready = self.loaded.instance().ok();
        }
    }

    /// Asks for the slot's decision number `decision`.
    pub fn decide(&mut self, decision: u64, snapshot: &Snapshot) -> Answer {
        let started = Instant::now();
        let (mut outcome, fuel) = match self.ready.take().map_or_else(|| self.loaded.instance(), Ok) {
            Err(fault) => (Err(fault), 0),
            Ok(mut instance) => {
                let (outcome, fuel) = ask(&mut instance, snapshot);
                if outcome.is_ok() && self.keeps(decision) {
                    self.ready = Some(instance);
                } else {
                    self.spent = Some(instance);
                }
                (outcome, fuel)
            }
        };
        if self.audits(decision) && outcome.is_ok() {
            let fresh = self.loaded.instance().and_then(|mut instance| ask(&mut instance, snapshot).0);
            if fresh != outcome {
                self.ready = None;
                outcome = Err(Fault::NotPure);
            }
        }
        Answer { outcome, took: started.elapsed(), fuel }
    }

    fn keeps(&self, decision: u64) -> bool {
        matches!(self.reuse, Reuse::Audited { recycle_every, .. } if !decision.is_multiple_of(recycle_every.get()))
    }

    fn audits(&self, decision: u64) -> bool {
        matches!(self.reuse, Reuse::Audited { audit_every, .. } if decision.is_multiple_of(audit_every.get()))
    }
}

/// One question to one instance: the checked answer and the fuel used.
pub(crate) fn ask(instance: &mut Instance, snapshot: &Snapshot) -> (Result<Decision, Fault>, u64) {
    let lists = Lists::of(snapshot);
    let brackets = lists.brackets(snapshot);
    let question = convert::snapshot_out(snapshot, &brackets);
    let (answer, fuel) = instance.call(|world, store| world.call_decide(store, question));
    let decision = match answer {
        Ok(Ok(decision)) => convert::decision_in(decision, brackets.len()),
        Ok(Err(mut text)) => {
            text.truncate(text.floor_char_boundary(isobar_engine::snapshot::bounds::NOTE_BYTES));
            Err(Fault::Refused(text))
        }
        Err(fault) => Err(fault),
    };
    (decision, fuel)
}
