//! Rerun: asks components anew over the feed of a run, each in a slot of its own, and matches on paper.

use crate::cli;
use crate::config::Config;
use crate::host;
use crate::replay::{Recorded, decode};
use crate::seat::{Running, Seat};
use crate::slot::Slot;
use crate::summary::{self, SlotSummary};
use anyhow::{Context, Result, bail};
use isobar_engine::engine::Settings;
use isobar_engine::event::{Body, Component};
use isobar_engine::execution::ExecutionSettings;
use isobar_engine::units::Timestamp;
use isobar_kalshi::protocol::Protocol;
use isobar_plugins::{Loaded, Loader, Reuse, Strategy, resolve};
use isobar_store::{Run, SlotRecord};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

/// Inputs that are handed over at once: few enough to stay in the cache, enough for the hand-over not to count.
const BATCH: usize = 256;

/// Batches that may wait.
const AHEAD: usize = 8;

/// What a rerun came to.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub events: u64,
    pub frames: u64,
    pub seconds: f64,
    pub frames_per_second: f64,
    pub decisions_per_second: f64,
    /// Questions of all slots by frame: how often the strategies had to be asked.
    pub asked_share: f64,
    pub slots: Vec<SlotSummary>,
}

/// Runs the strategies of the command line over a run.
pub fn rerun(command: &cli::Rerun) -> Result<Outcome> {
    let run = Run::open(&command.run)?;
    let config = command.config.as_deref().map(Config::load).transpose()?;
    let began = command.slot.as_deref().map(|slot| beginning(&run, slot)).transpose()?;
    let settings = match &began {
        Some((settings, _)) => on_paper(&run, settings, config.as_ref())?,
        None => host::settings(&config.unwrap_or_else(Config::example)),
    };
    let reuse = match command.reuse {
        cli::Reuse::Fresh => Reuse::Never,
        cli::Reuse::Audited => Reuse::AUDITED,
    };
    let loader = Loader::new(isobar_plugins::Limits::default(), None)?;
    let set = &command.set;
    let mut unknown: BTreeSet<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
    let mut waiting = Vec::new();
    let mut seats: Vec<Seat> = Vec::new();
    let mut seat = |name: String, held: (Strategy, Component)| {
        seats.push(Seat { slot: Slot::new(&name, settings.clone()), world: Running::unwatched(&name) });
        waiting.push(Some(held));
    };
    let mut taken = Vec::new();
    for path in &command.strategy {
        let loaded = loader.load_file(path).with_context(|| format!("{} is refused", path.display()))?;
        let name = unused_name(path, &taken);
        taken.push(name.clone());
        seat(name, held(&loaded, None, set, reuse, &mut unknown)?);
    }
    if let (Some(slot), Some((_, first)), true) = (&command.slot, &began, command.strategy.is_empty()) {
        let first = first.as_ref().with_context(|| format!("slot {slot} never held a component: name --strategy"))?;
        let loaded = loader.load(&run.component(first.hash)?);
        let loaded = loaded.with_context(|| format!("the component {} is refused", first.hash))?;
        seat(slot.clone(), held(&loaded, Some(&first.parameters), set, reuse, &mut unknown)?);
    }
    if let Some(name) = unknown.first() {
        bail!("no strategy here has a parameter {name}");
    }
    let started = Instant::now();
    let mut events = 0;
    let protocol = decoded_apart(&run, |seq, at, body| {
        events += 1;
        for (Seat { slot, world }, waiting) in seats.iter_mut().zip(&mut waiting) {
            slot.input(seq, at, body, world);
            if let Some((strategy, component)) = waiting.take() {
                let component = world.hold(strategy, component);
                slot.swap(component, world);
            }
        }
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let slots: Vec<SlotSummary> = seats.iter().map(summary::of).collect();
    let frames = protocol.counts().frames;
    let decisions: u64 = slots.iter().map(|slot| slot.decisions).sum();
    Ok(Outcome {
        events,
        frames,
        seconds,
        frames_per_second: frames as f64 / seconds,
        decisions_per_second: decisions as f64 / seconds,
        asked_share: decisions as f64 / (frames.max(1) * slots.len().max(1) as u64) as f64,
        slots,
    })
}

/// Feeds every input of `run` to `each`. Reading and decoding run ahead on a thread of their own.
fn decoded_apart(run: &Run, mut each: impl FnMut(u64, Timestamp, &Body)) -> Result<Protocol> {
    let (sender, receiver) = mpsc::sync_channel::<Vec<(u64, Timestamp, Body)>>(AHEAD);
    std::thread::scope(|scope| {
        let decoding = scope.spawn(move || {
            let mut batch = Vec::with_capacity(BATCH);
            let (protocol, _) = decode(run, |seq, at, body, _| {
                batch.push((seq, at, body.clone()));
                if batch.len() == BATCH {
                    sender.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).context("nobody listens")?;
                }
                Ok(())
            })?;
            sender.send(batch).context("nobody listens")?;
            Ok(protocol)
        });
        for (seq, at, body) in receiver.iter().flatten() {
            each(seq, at, &body);
        }
        decoding.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What a slot of the run was set up with, and the component that it held first.
fn beginning(run: &Run, slot: &str) -> Result<(Settings, Option<Component>)> {
    let slots = run.slots()?;
    if !slots.iter().any(|name| name == slot) {
        bail!("the run has no slot {slot}; it has {}", slots.join(", "));
    }
    let settings = Recorded::open(run, slot, None)?.1;
    let mut reader = run.read_slot(slot)?;
    while let Some(entry) = reader.next()? {
        if let SlotRecord::Swapped(component) = entry.record {
            return Ok((settings, Some(component.into_owned())));
        }
    }
    Ok((settings, None))
}

/// The settings of a slot with its orders on paper: what was asked of the venue once has its answers, and a rerun asks
/// something else. How paper fills is for `config` to say, else for a paper slot of the same run, else for the example.
fn on_paper(run: &Run, settings: &Settings, config: Option<&Config>) -> Result<Settings> {
    let execution = match (settings.execution, config) {
        (paper @ ExecutionSettings::Paper(_), None) => paper,
        (_, Some(config)) => host::settings(config).execution,
        (ExecutionSettings::Live(_), None) => {
            let mut others = Vec::new();
            for slot in run.slots()? {
                others.push(Recorded::open(run, &slot, None)?.1.execution);
            }
            let paper = others.into_iter().find(|execution| matches!(execution, ExecutionSettings::Paper(_)));
            paper.unwrap_or_else(|| host::settings(&Config::example()).execution)
        }
    };
    Ok(Settings { execution, ..settings.clone() })
}

/// A component with those of the settings that it declares, which are taken out of `unknown`. What is not set is as it was
/// `before`, else as the component declares it.
fn held(
    loaded: &Loaded,
    before: Option<&[i64]>,
    set: &[(String, String)],
    reuse: Reuse,
    unknown: &mut BTreeSet<&str>,
) -> Result<(Strategy, Component)> {
    let given = loaded.description().declared(set);
    let is_given = |name: &str| given.iter().any(|(declared, _)| declared == name);
    unknown.retain(|name| !is_given(name));
    let mut values = resolve(loaded.description(), &given)?;
    let names = loaded.description().parameters.iter().map(|parameter| parameter.name.as_str());
    for ((value, name), before) in values.iter_mut().zip(names).zip(before.unwrap_or_default()) {
        if !is_given(name) {
            *value = *before;
        }
    }
    Ok((loaded.strategy(reuse), loaded.held(values)))
}

/// The file's name, with a number where a slot has it already.
fn unused_name(path: &Path, others: &[String]) -> String {
    let stem = path.file_stem().map_or_else(|| "slot".to_owned(), |stem| stem.to_string_lossy().into_owned());
    if !others.contains(&stem) {
        return stem;
    }
    let numbered = (2..).map(|number| format!("{stem}-{number}")).find(|name| !others.contains(name));
    numbered.expect("there is always another number")
}

/// The table of a terminal.
pub fn render(outcome: &Outcome) -> String {
    format!(
        "{} frames in {:.2} s: {:.0} frames/s, {:.0} decisions/s, asked at {:.1} % of the frames\n{}",
        outcome.frames,
        outcome.seconds,
        outcome.frames_per_second,
        outcome.decisions_per_second,
        outcome.asked_share * 100.0,
        summary::render(&outcome.slots)
    )
}
