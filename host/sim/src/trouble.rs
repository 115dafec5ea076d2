//! What goes wrong with the frames of one connection: lost, doubled, swapped, late.
//!
//! Whole frames only, so that every one that arrives is well formed: a network that breaks bytes is not simulated, TLS
//! would end such a connection.

use crate::render::Outbox;
use crate::session::Channel;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};

/// What happens to the next frame of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameFault {
    Drop,
    Duplicate,
    /// It comes after the next frame of the connection.
    Reorder,
}

/// How often frames go wrong by chance, in frames of a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrameRates {
    /// Lost.
    pub drop: u32,
    /// Sent twice.
    pub duplicate: u32,
    /// Sent after the next one.
    pub reorder: u32,
    /// Held back, with all that follow on its channel, for up to `delay_ms`.
    pub delay: u32,
    /// Longest delay in milliseconds.
    pub delay_ms: u32,
}

/// The faults of one connection.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    next: VecDeque<(Channel, FrameFault)>,
    /// Until when (ms) the frames of a channel are held back.
    until: [i64; 8],
    held: VecDeque<(Channel, Vec<u8>)>,
    swapped: Option<Vec<u8>>,
    chance: Option<Box<(ChaCha8Rng, FrameRates)>>,
    /// Faults of the connection that took place, by kind.
    pub(crate) happened: BTreeMap<&'static str, u64>,
}

impl Trouble {
    pub(crate) fn by_chance(&mut self, rates: FrameRates, seed: u64) {
        let calm = rates == FrameRates::default();
        self.chance = (!calm).then(|| Box::new((ChaCha8Rng::seed_from_u64(seed), rates)));
    }

    pub(crate) fn plan(&mut self, channel: Channel, fault: FrameFault) {
        self.next.push_back((channel, fault));
    }

    /// Counts a fault.
    pub(crate) fn happened(&mut self, fault: &'static str) {
        *self.happened.entry(fault).or_default() += 1;
    }

    /// Holds the frames of a channel back until a moment in ms.
    pub(crate) fn delay(&mut self, channel: Channel, until_ms: i64) {
        self.happened("delay");
        self.until[channel as usize] = self.until[channel as usize].max(until_ms);
    }

    fn roll(&mut self, channel: Channel, now_ms: i64) -> Option<FrameFault> {
        let (random, rates) = &mut **self.chance.as_mut()?;
        let roll = random.random_range(0..1_000_000_u32);
        let bounds = [rates.drop, rates.duplicate, rates.reorder, rates.delay];
        let mut sum = 0;
        let hit = bounds.into_iter().position(|rate| {
            sum += rate;
            roll < sum
        })?;
        match hit {
            0 => Some(FrameFault::Drop),
            1 => Some(FrameFault::Duplicate),
            2 => Some(FrameFault::Reorder),
            _ => {
                let delay = i64::from(random.random_range(0..=rates.delay_ms));
                self.delay(channel, now_ms + delay);
                None
            }
        }
    }

    /// A frame of a channel was just rendered: it stays, or something happens to it.
    pub(crate) fn rendered(&mut self, channel: Channel, out: &mut Outbox, now_ms: i64) {
        let calm = self.chance.is_none() && self.next.is_empty() && self.swapped.is_none() && self.held.is_empty();
        if calm && self.until[channel as usize] <= now_ms {
            return;
        }
        let planned = self.next.iter().position(|(wanted, _)| *wanted == channel);
        let fault = planned.and_then(|at| self.next.remove(at)).map(|(_, fault)| fault);
        let fault = fault.or_else(|| self.roll(channel, now_ms));
        let Some(frame) = out.pop() else { return };
        let waits = self.until[channel as usize] > now_ms || self.held.iter().any(|(other, _)| *other == channel);
        match fault {
            Some(FrameFault::Drop) => self.happened("drop"),
            Some(FrameFault::Duplicate) => self.happened("duplicate"),
            Some(FrameFault::Reorder) => self.happened("reorder"),
            None => {}
        }
        let copies = match fault {
            Some(FrameFault::Drop) => 0,
            Some(FrameFault::Duplicate) => 2,
            Some(FrameFault::Reorder) | None => 1,
        };
        if fault == Some(FrameFault::Reorder) && self.swapped.is_none() {
            self.swapped = Some(frame);
            return;
        }
        for _ in 0..copies {
            if waits {
                self.held.push_back((channel, frame.clone()));
            } else {
                out.push(&frame);
            }
        }
        if let Some(late) = self.swapped.take() {
            out.push(&late);
        }
    }

    /// Lets go what was held back long enough.
    pub(crate) fn release(&mut self, out: &mut Outbox, now_ms: i64) {
        for (channel, frame) in std::mem::take(&mut self.held) {
            if self.until[channel as usize] <= now_ms {
                out.push(&frame);
            } else {
                self.held.push_back((channel, frame));
            }
        }
    }

    /// When (ms) the next held frame goes.
    pub(crate) fn wakes(&self) -> Option<i64> {
        self.held.iter().map(|(channel, _)| self.until[*channel as usize]).min()
    }
}
