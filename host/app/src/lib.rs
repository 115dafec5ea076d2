//! The program `isobar` as a library: the command line, and everything that wires the rooms together.
//!
//! It is the single writer of the order and the time of events, of the driver loop and of the configuration, and holds no
//! business rules. The data path is in `driver` (in), `follower` (slots) and `slot` (one step).

mod audit;
mod background;
mod chart;
mod cli;
mod clock;
mod config;
mod control;
mod decision_log;
mod demo;
mod deploy;
mod discovery;
mod driver;
mod exchange;
mod features;
mod follower;
mod forecasts;
mod host;
mod identity;
mod import;
mod live;
mod look;
mod message;
mod models;
mod operate;
mod registry;
mod replay;
mod rerun;
mod resume;
mod screen;
mod seat;
mod sim;
mod slot;
mod sockets;
mod stages;
mod summary;
mod trader;
mod verify;
mod weather;

pub use seat::Seat;
pub use slot::{Answer, Slot, World};
pub use trader::{Journal, Live, Trader};

use anyhow::{Context, Result};
use clap::Parser;
use cli::{Cli, Command};
use serde::Serialize;
use std::process::ExitCode;

/// Exit code of a replay or a forecast that differs.
const DIFFERS: u8 = 3;
/// Exit code of a check that refuses a component.
const REFUSED: u8 = 4;

/// Runs the program by its command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("ISOBAR_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // Every client of the process signs and encrypts by this provider; a second call would only say so.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match obey(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("isobar: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn obey(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(demo) => demo::demo(&demo)?,
        Command::Sim(sim) => sim::sim(&sim)?,
        Command::Run(run) => demo::run(&run)?,
        Command::Import(import) => {
            let settings = host::settings(&config::Config::example());
            let outcome = import::import(&import.capture, &import.run, import.use_yes_price, &settings)?;
            print(import.json, &outcome, || {
                format!(
                    "{}: {} frames of {} markets over {} connections in {:.2} s, {} gaps, {} unparsed",
                    outcome.run,
                    outcome.frames,
                    outcome.markets,
                    outcome.connections,
                    outcome.seconds,
                    outcome.gaps,
                    outcome.unparsed
                )
            })?;
        }
        Command::Replay(replay) => return self::replay(&replay),
        Command::Rerun(rerun) => {
            let outcome = rerun::rerun(&rerun)?;
            print(rerun.json, &outcome, || rerun::render(&outcome))?;
        }
        Command::Book(book) => {
            let shown = look::book(&book)?;
            print(book.json, &shown, || look::render_book(&shown))?;
        }
        Command::Check(check) => {
            let found = look::check(&check)?;
            print(check.json, &found, || look::render_check(&check.file, &found))?;
            if !found.ok {
                return Ok(ExitCode::from(REFUSED));
            }
        }
        Command::Features(features) => features::features(&features)?,
        Command::Decisions(decisions) => look::decisions(&decisions)?,
        Command::Project(project) => {
            let counts = look::project(&project)?;
            print(project.json, &counts, || look::render_counts(&counts))?;
        }
        Command::Forecast(forecast) => {
            let shown = chart::forecast(&forecast)?;
            print(forecast.json, &shown, || chart::render(&shown))?;
        }
        Command::Models(models) => {
            let outcome = models::models(&models)?;
            print(models.json, &outcome, || models::render(&outcome))?;
        }
        Command::VerifyForecasts(verify) => {
            let outcome = verify::verify(&verify)?;
            print(verify.json, &outcome, || verify::render(&outcome))?;
            if !outcome.identical {
                return Ok(ExitCode::from(DIFFERS));
            }
        }
        Command::Halt(halt) => {
            let outcome = operate::halt(&halt)?;
            print(halt.json, &outcome, || operate::render(&outcome))?;
            if !outcome.flat() {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Rearm(command) => {
            let outcome = operate::rearm(&command)?;
            print(command.json, &outcome, || operate::render(&outcome))?;
        }
        Command::Limits(command) => {
            let outcome = operate::limits(&command)?;
            print(command.json, &outcome, || operate::render_limits(&outcome))?;
            if !outcome.in_force() {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Status(command) => {
            let outcome = operate::status(&command)?;
            print(command.json, &outcome, || operate::render(&outcome))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn replay(command: &cli::Replay) -> Result<ExitCode> {
    #[cfg(feature = "mutants")]
    if let Some(mutant) = &command.mutant {
        use isobar_engine::mutant::{Mutant, activate};
        activate(match mutant.as_str() {
            "fee" => Mutant::Fee,
            "book" => Mutant::Book,
            "risk" => Mutant::Risk,
            other => anyhow::bail!("no such mutant: {other}"),
        });
    }
    let outcome = replay::replay(&command.run)?;
    print(command.json, &outcome, || replay::render(&outcome))?;
    Ok(if outcome.identical { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

/// Prints a result as JSON or for people.
fn print(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
    use std::io::Write;
    let line =
        if json { serde_json::to_string(value).context("the result cannot be written as JSON")? } else { text() };
    let written = writeln!(std::io::stdout().lock(), "{}", line.trim_end_matches('\n'));
    match written {
        // The reader has seen enough (`isobar … | head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("standard output cannot be written"),
    }
}
