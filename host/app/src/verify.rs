//! `isobar verify-forecasts`: asks the models of a run again about the inputs that were journaled, and compares.
//!
//! The bundles are those that the run kept by their hash, so that a model that was swapped out since is still the one
//! that is asked. Nothing is read but the run and ONNX Runtime.

use crate::cli;
use anyhow::{Context, Result};
use isobar_engine::event::Input;
use isobar_engine::opinion::Opinion;
use isobar_engine::units::Digest;
use isobar_inference::{Bundle, Recomputed, Runtime, Session, recompute};
use isobar_store::Run;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Most differences that are told one by one.
const TOLD: usize = 20;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    /// Opinions in the journal, traded and shadow.
    pub opinions: u64,
    /// Those whose model was asked again.
    pub recomputed: u64,
    /// Those for which no model had been asked: there is nothing to compute again.
    pub without_evidence: u64,
    /// Whether nothing differs.
    pub identical: bool,
    /// How many opinions differ.
    pub different: u64,
    /// Largest difference of a probability.
    pub worst: f64,
    pub differences: Vec<Difference>,
    pub models: Vec<Model>,
}

/// One opinion that does not come out as journaled.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Number of the input.
    pub seq: u64,
    pub event: String,
    pub role: String,
    pub model: String,
    pub what: String,
}

/// One bundle of the run.
#[derive(Debug, Serialize)]
pub struct Model {
    pub model: String,
    pub city: String,
    pub opinions: u64,
    pub worst: f64,
}

/// The sessions of a run's bundles, made when they are first needed.
struct Sessions<'a> {
    run: &'a Run,
    runtime: Runtime,
    sessions: BTreeMap<Digest, Result<Session, String>>,
}

impl Sessions<'_> {
    fn of(&mut self, model: Digest) -> Result<&mut Session, String> {
        let session = match self.sessions.entry(model) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(load(self.run, &self.runtime, model)),
        };
        session.as_mut().map_err(|reason| reason.clone())
    }
}

fn load(run: &Run, runtime: &Runtime, model: Digest) -> Result<Session, String> {
    let bundle = Bundle::load(&run.model_folder(model)).map_err(|error| error.to_string())?;
    if bundle.model != model {
        return Err(format!("the bundle that was kept has the hash {}", bundle.model));
    }
    Session::verified(runtime, bundle).map_err(|error| error.to_string())
}

/// Computes every opinion of a run again.
pub fn verify(command: &cli::VerifyForecasts) -> Result<Outcome> {
    let run = Run::open(&command.run)?;
    let library = command.library.clone().unwrap_or_else(|| crate::config::Config::example().models.library);
    let runtime = Runtime::open(Some(&library))?;
    let mut sessions = Sessions { run: &run, runtime, sessions: BTreeMap::new() };
    let mut outcome = Outcome::default();
    let mut models: BTreeMap<Digest, Model> = BTreeMap::new();
    let mut reader = run.read_feed()?;
    while let Some(record) = reader.next().context("the feed journal")? {
        let Input::Opinion(opinion) = record.input else { continue };
        outcome.opinions += 1;
        let Some(Recomputed { worst, difference }) = again(&mut sessions, &opinion) else {
            outcome.without_evidence += 1;
            continue;
        };
        outcome.recomputed += 1;
        outcome.worst = outcome.worst.max(worst);
        let hash = opinion.forecast.model;
        let model = models.entry(hash).or_insert_with(|| Model {
            model: hash.to_string(),
            city: opinion.city.clone(),
            opinions: 0,
            worst: 0.0,
        });
        model.opinions += 1;
        model.worst = model.worst.max(worst);
        if let Some(what) = difference {
            outcome.different += 1;
            if outcome.differences.len() < TOLD {
                let (event, role) = (opinion.forecast.event, opinion.role.to_string());
                outcome.differences.push(Difference { seq: record.seq, event, role, model: hash.to_string(), what });
            }
        }
    }
    outcome.identical = outcome.different == 0;
    outcome.models = models.into_values().collect();
    Ok(outcome)
}

/// How a second computation of an opinion compares; nothing where no model was asked for it.
fn again(sessions: &mut Sessions<'_>, opinion: &Opinion) -> Option<Recomputed> {
    let evidence = opinion.evidence.as_ref()?;
    let forecast = &opinion.forecast;
    Some(match sessions.of(forecast.model) {
        Ok(session) => recompute(session, evidence, forecast.inputs, &forecast.outcome),
        Err(reason) => Recomputed { worst: 0.0, difference: Some(format!("its model cannot be asked: {reason}")) },
    })
}

/// What a person reads of it.
pub fn render(outcome: &Outcome) -> String {
    let mut text = format!(
        "{} opinions, {} computed again by {} models, {} without evidence; largest difference {:.1e}\n",
        outcome.opinions,
        outcome.recomputed,
        outcome.models.len(),
        outcome.without_evidence,
        outcome.worst
    );
    for Difference { seq, event, role, what, .. } in &outcome.differences {
        text.push_str(&format!("  input {seq}, {role}, {event}: {what}\n"));
    }
    text.push_str(&match outcome.different {
        0 => "as journaled".to_owned(),
        different => format!("DIFFERENT: {different} opinions"),
    });
    text
}
