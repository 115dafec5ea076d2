//! `isobar models`: the bundles that there are, how good they were in validation, and how those of a run did.

use crate::cli;
use crate::forecasts::bundle_folders;
use crate::replay::decode_inputs;
use anyhow::{Context, Result};
use isobar_engine::event::{Body, Input};
use isobar_engine::market::MarketId;
use isobar_engine::opinion::{Opinion, Role};
use isobar_engine::units::{Digest, Price, Probability};
use isobar_inference::Bundle;
use isobar_store::Run;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A chance of nothing at all counts as half a part per million: the logarithm of zero would end every mean.
const LEAST_PPM: f64 = 0.5;

/// All that is told.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub bundles: Vec<Listed>,
    /// The validation tables, as `make validate` wrote them.
    pub tables: Vec<Validated>,
    /// How the models of a run did on its settled city-days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<Vec<Score>>,
}

/// A bundle in the folder.
#[derive(Debug, Serialize)]
pub struct Listed {
    pub folder: String,
    /// Why it would be refused; then nothing else is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    #[serde(flatten)]
    pub about: Option<About>,
}

/// What a bundle says about itself.
#[derive(Debug, Serialize)]
pub struct About {
    pub city: String,
    pub series: String,
    pub model: String,
    pub trained_until: String,
    pub lead: String,
    pub classes: usize,
    pub sources: [String; 3],
    pub features: Vec<String>,
}

/// A row of a validation table. Scores of the model and of the baseline are means over `n` city-days; the two ends are
/// those of the paired, day-clustered 90 % interval of the difference in log loss.
#[derive(Debug, Serialize, Deserialize)]
pub struct Validated {
    pub city: String,
    pub table: String,
    pub lead: String,
    pub n: u64,
    pub log_loss: Option<f64>,
    pub brier: Option<f64>,
    pub crps: Option<f64>,
    pub baseline_log_loss: Option<f64>,
    pub baseline_brier: Option<f64>,
    pub difference_low: Option<f64>,
    pub difference_high: Option<f64>,
    /// What else the validation wrote.
    #[serde(flatten)]
    pub more: BTreeMap<String, serde_json::Value>,
}

/// How one model did on one settled city-day: means over its opinions, or where there was a shadow, over those about which
/// both had one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    pub city: String,
    pub event: String,
    pub role: String,
    pub model: String,
    pub opinions: u64,
    /// −ln of the chance of the market that came true.
    pub log_loss: f64,
    /// Sum over the markets of the squared difference between chance and outcome.
    pub brier: f64,
}

/// Lists the bundles, and scores a run.
pub fn models(command: &cli::Models) -> Result<Outcome> {
    let folder = command.models.clone().unwrap_or_else(|| crate::config::Config::example().models.folder);
    let bundles = bundle_folders(&folder).iter().map(|folder| list(folder)).collect();
    let scores = command.run.as_deref().map(score).transpose()?;
    Ok(Outcome { bundles, tables: tables(&folder)?, scores })
}

fn list(folder: &Path) -> Listed {
    let name = folder.display().to_string();
    let bundle = match Bundle::load(folder) {
        Ok(bundle) => bundle,
        Err(reason) => return Listed { folder: name, refused: Some(reason.to_string()), about: None },
    };
    let manifest = bundle.manifest;
    let about = About {
        city: manifest.city,
        series: manifest.series,
        model: bundle.model.to_string(),
        trained_until: manifest.cutoff,
        lead: manifest.lead,
        classes: manifest.classes.count(),
        sources: [manifest.sources.forecast, manifest.sources.report, manifest.sources.observation],
        features: manifest.features.into_iter().map(|feature| feature.name).collect(),
    };
    Listed { folder: name, refused: None, about: Some(about) }
}

/// The rows of validation.json beside the bundles; none where there is no such file.
fn tables(folder: &Path) -> Result<Vec<Validated>> {
    let path = folder.join("validation.json");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// The probabilities of one opinion.
type Said = Vec<(MarketId, Probability)>;

/// What was said about a city-day. A round is a traded opinion and the shadow's about the same inputs.
#[derive(Default)]
struct Day {
    city: String,
    rounds: Vec<BTreeMap<Role, (Digest, Option<Said>)>>,
}

impl Day {
    fn take(&mut self, opinion: Opinion) {
        let Opinion { role, city, forecast, .. } = opinion;
        self.city = city;
        if role == Role::Traded || self.rounds.is_empty() {
            self.rounds.push(BTreeMap::new());
        }
        let round = self.rounds.last_mut().expect("there is one now");
        round.insert(role, (forecast.model, forecast.outcome.ok()));
    }

    /// Scores by role and model where `won` came true.
    fn scores(&self, event: &str, won: MarketId) -> Vec<Score> {
        let shadowed = self.rounds.iter().any(|round| round.contains_key(&Role::Shadow));
        let roles: &[Role] = if shadowed { &[Role::Traded, Role::Shadow] } else { &[Role::Traded] };
        let mut sums: BTreeMap<(Role, Digest), (u64, f64, f64)> = BTreeMap::new();
        for round in &self.rounds {
            let said: Option<Vec<_>> = roles
                .iter()
                .map(|role| round.get(role).and_then(|(model, said)| Some((*role, *model, said.as_ref()?))))
                .collect();
            for (role, model, said) in said.unwrap_or_default() {
                let (log_loss, brier) = losses(said, won);
                let sum = sums.entry((role, model)).or_default();
                *sum = (sum.0 + 1, sum.1 + log_loss, sum.2 + brier);
            }
        }
        let score = |((role, model), (opinions, log_loss, brier)): ((Role, Digest), (u64, f64, f64))| Score {
            city: self.city.clone(),
            event: event.to_owned(),
            role: role.to_string(),
            model: model.to_string(),
            opinions,
            log_loss: log_loss / opinions as f64,
            brier: brier / opinions as f64,
        };
        sums.into_iter().map(score).collect()
    }
}

/// Log loss and Brier score of one opinion.
fn losses(said: &Said, won: MarketId) -> (f64, f64) {
    let chance = |ppm: f64| ppm / 1e6;
    let of_won = said.iter().find(|(market, _)| *market == won).map_or(0.0, |(_, p)| f64::from(p.ppm()));
    let squares = said.iter().map(|(market, p)| {
        let outcome = if *market == won { 1.0 } else { 0.0 };
        (chance(f64::from(p.ppm())) - outcome).powi(2)
    });
    (-chance(of_won.max(LEAST_PPM)).ln(), squares.sum())
}

/// Scores every model of a run on every city-day of which exactly one market was paid in full.
fn score(folder: &Path) -> Result<Vec<Score>> {
    let mut days: BTreeMap<String, Day> = BTreeMap::new();
    let mut events: BTreeMap<MarketId, String> = BTreeMap::new();
    let mut won: BTreeMap<String, Vec<MarketId>> = BTreeMap::new();
    decode_inputs(&Run::open(folder)?, |record, body, _| {
        match body {
            Body::Settled { market, value } if *value == Price::ONE => {
                let of_day = events.get(market).map(|event| won.entry(event.clone()).or_default());
                if let Some(of_day) = of_day.filter(|of_day| !of_day.contains(market)) {
                    of_day.push(*market);
                }
            }
            Body::Listed(markets) => events.extend(markets.iter().map(|market| (market.id, market.event.clone()))),
            _ => {}
        }
        if let Input::Opinion(opinion) = &record.input {
            days.entry(opinion.forecast.event.clone()).or_default().take((**opinion).clone());
        }
        Ok(())
    })?;
    let scores = won.iter().filter_map(|(event, markets)| match markets[..] {
        [one] => Some(days.get(event)?.scores(event, one)),
        _ => None,
    });
    Ok(scores.flatten().collect())
}

/// What a person reads of it.
pub fn render(outcome: &Outcome) -> String {
    let mut text = String::new();
    for Listed { folder, refused, about } in &outcome.bundles {
        match (refused, about) {
            (Some(reason), _) => text.push_str(&format!("{folder}: refused: {reason}\n")),
            (None, Some(about)) => text.push_str(&format!(
                "{:<5} {}  trained until {}, lead {}, {} classes, {} features from {}\n",
                about.city,
                &about.model[..12],
                about.trained_until,
                about.lead,
                about.classes,
                about.features.len(),
                about.sources.join(", ")
            )),
            (None, None) => {}
        }
    }
    if outcome.bundles.is_empty() {
        text.push_str("no bundles\n");
    }
    for (table, title) in
        [("A", "A, walk-forward, leads of nearly zero: optimistic"), ("B", "B, honest leads, kept out of all tuning")]
    {
        let rows: Vec<&Validated> = outcome.tables.iter().filter(|row| row.table == table).collect();
        if rows.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{title}\n{:<6}{:<16}{:>6}", "city", "lead", "days"));
        text.push_str(&format!(
            "{:>10}{:>10}{:>9}{:>9}{:>8}   difference, 90 %\n",
            "log loss", "baseline", "Brier", "baseline", "CRPS"
        ));
        rows.iter().for_each(|row| text.push_str(&line(row)));
    }
    if let Some(scores) = &outcome.scores {
        text.push_str("\nthis run, settled city-days\n");
        for score in scores {
            text.push_str(&format!(
                "{:<20} {:<7} {}  {:>4} opinions  log loss {:.4}  Brier {:.4}\n",
                score.event,
                score.role,
                &score.model[..12],
                score.opinions,
                score.log_loss,
                score.brier
            ));
        }
        if scores.is_empty() {
            text.push_str("none\n");
        }
    }
    text
}

fn line(row: &Validated) -> String {
    let number =
        |value: Option<f64>, decimals: usize| value.map_or("–".to_owned(), |value| format!("{value:.decimals$}"));
    let verdict = match (row.difference_low, row.difference_high) {
        (_, Some(high)) if high < 0.0 => "better",
        (Some(low), _) if low > 0.0 => "worse",
        _ => "no difference shown",
    };
    format!(
        "{:<6}{:<16}{:>6}{:>10}{:>10}{:>9}{:>9}{:>8}   {} to {}  {verdict}\n",
        row.city,
        row.lead,
        row.n,
        number(row.log_loss, 4),
        number(row.baseline_log_loss, 4),
        number(row.brier, 4),
        number(row.baseline_brier, 4),
        number(row.crps, 3),
        number(row.difference_low, 4),
        number(row.difference_high, 4)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use isobar_engine::event::Forecast;
    use isobar_engine::units::Timestamp;

    fn opinion(role: Role, model: &[u8], outcome: Result<[u32; 2], &str>) -> Opinion {
        let probability = |ppm| Probability::new(ppm).expect("a probability");
        let outcome =
            outcome.map(|ppm| ppm.iter().zip(3..).map(|(ppm, id)| (MarketId(id), probability(*ppm))).collect());
        let (model, inputs, issued) = (Digest::of(model), Digest::default(), Timestamp(0));
        let forecast =
            Forecast { event: "E".to_owned(), model, issued, inputs, outcome: outcome.map_err(str::to_owned) };
        Opinion { role, city: "CHI".to_owned(), forecast, evidence: None }
    }

    #[test]
    fn two_models_are_scored_on_what_both_were_asked_about() {
        let mut day = Day::default();
        day.take(opinion(Role::Traded, b"a", Ok([500_000, 500_000])));
        day.take(opinion(Role::Shadow, b"b", Ok([250_000, 750_000])));
        // The shadow has no opinion here: it would be unfair to count the other's.
        day.take(opinion(Role::Traded, b"a", Ok([0, 1_000_000])));
        day.take(opinion(Role::Shadow, b"b", Err("late")));
        day.take(opinion(Role::Traded, b"a", Ok([1_000_000, 0])));
        day.take(opinion(Role::Shadow, b"b", Ok([750_000, 250_000])));
        let scores = day.scores("E", MarketId(3));
        assert_eq!(scores.len(), 2);
        let near = |score: &Score, log_loss: f64, brier: f64| {
            assert!((score.log_loss - log_loss).abs() < 1e-12 && (score.brier - brier).abs() < 1e-12, "{score:?}");
            assert_eq!(score.opinions, 2);
        };
        assert_eq!((scores[0].role.as_str(), scores[1].role.as_str()), ("traded", "shadow"));
        near(&scores[0], 2.0_f64.ln() / 2.0, 0.25);
        near(&scores[1], (4.0_f64.ln() + (4.0_f64 / 3.0).ln()) / 2.0, (2.0 * 0.75 * 0.75 + 2.0 * 0.25 * 0.25) / 2.0);
    }

    #[test]
    fn what_was_held_impossible_and_came_costs_much_but_not_everything() {
        let mut day = Day::default();
        day.take(opinion(Role::Traded, b"a", Ok([0, 1_000_000])));
        let scores = day.scores("E", MarketId(3));
        assert!((scores[0].log_loss - 2e6_f64.ln()).abs() < 1e-9 && (scores[0].brier - 2.0).abs() < 1e-12);
    }
}
