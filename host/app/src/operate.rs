//! `isobar halt`, `isobar rearm`, `isobar limits` and `isobar status`: what an operator says to a run that goes on.

use crate::cli;
use crate::control::{Door, LimitsAnswer, OrderStatus, SetLimits, Status};
use anyhow::{Context, Result, bail};
use isobar_engine::units::Side;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often the run is asked whether it is flat.
const GLANCE: Duration = Duration::from_millis(50);

/// What a command did.
#[derive(Debug, serde::Serialize)]
pub struct Outcome {
    /// Folder of the run.
    run: String,
    /// What the run says of itself afterwards; nothing where it does not answer.
    status: Option<Status>,
    /// Seconds until it said so.
    seconds: f64,
}

impl Outcome {
    /// Whether the run is halted and nothing of ours rests.
    pub fn flat(&self) -> bool {
        self.status.as_ref().is_some_and(Status::flat)
    }
}

/// Halts a run and waits until a read of the account showed that nothing rests.
pub fn halt(command: &cli::Halt) -> Result<Outcome> {
    let run = run_of(command.run.as_deref(), &command.runs)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = Instant::now();
    let ends = started + Duration::from_secs(command.wait);
    let said = runtime.block_on(async { Door::of(&run)?.halt(&command.reason).await });
    if let Err(error) = &said {
        // The file is seen by a host whose HTTP door is shut.
        let file = Door::halt_file(&run);
        std::fs::write(&file, &command.reason).with_context(|| format!("{error:#}; and {}", file.display()))?;
        eprintln!("isobar: {error:#}; {} was written, which halts a host that is alive", file.display());
    }
    let mut status = None;
    loop {
        if let Ok(told) = runtime.block_on(async { Door::of(&run)?.status().await }) {
            let flat = told.flat();
            status = Some(told);
            if flat {
                break;
            }
        }
        if Instant::now() >= ends {
            break;
        }
        std::thread::sleep(GLANCE);
    }
    Ok(Outcome { run: run.display().to_string(), status, seconds: started.elapsed().as_secs_f64() })
}

/// Lets a halted run trade again. The file that halts must be gone first.
pub fn rearm(command: &cli::Operate) -> Result<Outcome> {
    let run = run_of(command.run.as_deref(), &command.runs)?;
    let file = Door::halt_file(&run);
    if file.exists() {
        bail!("{} is there: delete it first", file.display());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = Instant::now();
    let status = runtime.block_on(async {
        let door = Door::of(&run)?;
        door.rearm().await?;
        tokio::time::sleep(4 * GLANCE).await;
        door.status().await
    })?;
    Ok(Outcome { run: run.display().to_string(), status: Some(status), seconds: started.elapsed().as_secs_f64() })
}

/// What a run does now.
pub fn status(command: &cli::Operate) -> Result<Outcome> {
    let run = run_of(command.run.as_deref(), &command.runs)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = Instant::now();
    let status = runtime.block_on(async { Door::of(&run)?.status().await })?;
    Ok(Outcome { run: run.display().to_string(), status: Some(status), seconds: started.elapsed().as_secs_f64() })
}

/// The limits of a run, and what was changed of them.
#[derive(Debug, serde::Serialize)]
pub struct LimitsOutcome {
    /// Folder of the run.
    run: String,
    #[serde(flatten)]
    answer: LimitsAnswer,
}

impl LimitsOutcome {
    /// Whether what was asked for is in force.
    pub fn in_force(&self) -> bool {
        self.answer.in_force
    }
}

/// Shows the limits of a run, or sets some of them.
pub fn limits(command: &cli::Limits) -> Result<LimitsOutcome> {
    let run = run_of(command.run.as_deref(), &command.runs)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let set = SetLimits { set: command.set.clone(), confirm: command.confirm };
    let answer = runtime.block_on(async { Door::of(&run)?.limits(&set).await })?;
    Ok(LimitsOutcome { run: run.display().to_string(), answer })
}

/// For people.
pub fn render_limits(outcome: &LimitsOutcome) -> String {
    let LimitsAnswer { in_force, changes, limits } = &outcome.answer;
    if changes.is_empty() {
        let lines = limits.iter().map(|(key, value)| format!("\n  {key} = {value}"));
        return format!("{}: limits in force{}", outcome.run, lines.collect::<String>());
    }
    let verdict = if *in_force {
        "these limits changed"
    } else {
        "NOTHING changed: what is marked lets more pass than before; to confirm it, say the same with --confirm"
    };
    let lines = changes.iter().map(|change| {
        let mark = if change.looser { " (looser)" } else { "" };
        format!("\n  {}: {} -> {}{mark}", change.key, change.before, change.after)
    });
    format!("{}: {verdict}{}", outcome.run, lines.collect::<String>())
}

/// The run that is meant: the one named, or the only one that goes on in the folder of runs.
fn run_of(named: Option<&Path>, runs: &Path) -> Result<PathBuf> {
    if let Some(run) = named {
        return Ok(run.to_owned());
    }
    let entries = std::fs::read_dir(runs).with_context(|| format!("{}: name the run by --run", runs.display()))?;
    let mut open: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|run| Door::of(run).is_ok()).collect();
    open.sort();
    match open.as_slice() {
        [run] => Ok(run.clone()),
        [] => bail!("no run goes on in {}", runs.display()),
        several => {
            let names: Vec<String> = several.iter().map(|run| run.display().to_string()).collect();
            bail!("several runs go on: name one by --run: {}", names.join(", "))
        }
    }
}

/// For people.
pub fn render(outcome: &Outcome) -> String {
    let Some(status) = &outcome.status else {
        return format!("{}: the host does not answer; check the venue's own page for resting orders", outcome.run);
    };
    let mut text = format!("{} ({:.2} s)", outcome.run, outcome.seconds);
    for (name, slot) in &status.slots {
        let kind = if slot.live { "live" } else { "paper" };
        let state = match (&slot.halted, slot.flat) {
            (None, _) if slot.proved => "trading".to_owned(),
            (None, _) => "waiting for the account to be proved equal to the ledger".to_owned(),
            (Some(reason), true) => format!("halted ({reason}); nothing of ours rests"),
            (Some(reason), false) => format!("halted ({reason}); NOT PROVED that nothing rests"),
        };
        text.push_str(&format!("\n  {name}: {kind}, {state}"));
        for OrderStatus { order, ticker, side, price, remaining, ahead } in &slot.orders {
            let verb = if *side == Side::Bid { "buys" } else { "sells" };
            let ahead = ahead.map_or("place in the queue not known".to_owned(), |ahead| format!("{ahead} ahead"));
            text.push_str(&format!("\n    order {order}: {ticker} {verb} {remaining} @ {price}, {ahead}"));
        }
    }
    text
}
