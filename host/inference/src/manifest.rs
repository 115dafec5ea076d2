//! `model.toml`: all that a host must know to use a graph. Written by models/train.py.

use crate::{Error, NoOpinion};
use serde::Deserialize;

/// The format that this program reads.
const FORMAT: i64 = 2;

/// What a bundle says about its graph. Sections about its training are for people and left alone.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// Short name of the city, for example `CHI`.
    pub city: String,
    /// The venue's series that the model is about, for example `KXHIGHCHI`.
    pub series: String,
    /// Last day that the model was trained on, `YYYY-MM-DD`.
    pub cutoff: String,
    /// Lead of the forecasts that it was trained on, for people.
    pub lead: String,
    /// BLAKE3 of model.onnx, hexadecimal.
    pub onnx_blake3: String,
    /// Name of the graph's input, float32 `[1, features]`.
    pub input: String,
    /// Name of the graph's output, float32 `[1, classes]`.
    pub output: String,
    /// The classes.
    pub classes: Classes,
    /// Whose values the features are made of.
    pub sources: Sources,
    /// What delta counts from.
    pub anchor: Anchor,
    /// The graph's input in order.
    pub features: Vec<Feature>,
    /// Position among the features of each term's forecast, and of the season's sine and cosine.
    #[serde(skip)]
    places: Vec<usize>,
    #[serde(skip)]
    season: [usize; 2],
}

/// One class per whole degree of settled high minus anchor; the outermost are open-ended.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Classes {
    /// Delta of the first class: this or less, °F.
    pub lowest: i32,
    /// Delta of the last class: this or more, °F.
    pub highest: i32,
}

impl Classes {
    /// How many there are.
    pub fn count(self) -> usize {
        usize::try_from(self.highest - self.lowest + 1).expect("checked when the manifest was read")
    }
}

/// Names of sources, as the features' own sources are spelled.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Sources {
    /// Of forecast highs.
    pub forecast: String,
    /// Of final highs.
    pub report: String,
    /// Of station observations.
    pub observation: String,
}

/// The temperature that delta counts from.
#[derive(Clone, Debug, Deserialize)]
pub struct Anchor {
    /// What kind of temperature it is.
    pub kind: AnchorKind,
    /// What it is the mean of, by weight.
    pub terms: Vec<AnchorTerm>,
}

/// What kind of temperature an anchor is; the rule is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnchorKind {
    /// Made of forecast highs.
    ForecastHigh,
    /// The highest station temperature of the day so far.
    MaximumSoFar,
}

/// One temperature that the anchor is made of.
#[derive(Clone, Debug, Deserialize)]
pub struct AnchorTerm {
    /// The feature that holds it.
    pub feature: String,
    /// Its weight in the mean.
    pub weight: f64,
    /// What is added to it, °F: `bias[0] + bias[1] * season_sin + bias[2] * season_cos`.
    pub bias: [f64; 3],
}

/// One column of the graph's input.
#[derive(Clone, Debug, Deserialize)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Its unit, for people.
    pub unit: String,
    /// The sources that the value is made of; none for the calendar.
    pub source: Vec<String>,
    /// What it is, for people.
    pub about: String,
    /// Whether the anchor is subtracted before the graph sees it.
    pub relative: bool,
    /// Whether it may be missing (NaN): the model was trained with such rows.
    pub optional: bool,
    /// Lowest plausible value, before the anchor is subtracted.
    pub least: f32,
    /// Highest plausible value, before the anchor is subtracted.
    pub most: f32,
}

impl Feature {
    /// Whether these are its sources, in any order.
    pub fn is_from(&self, sources: &[&str]) -> bool {
        self.source.len() == sources.len() && self.source.iter().all(|source| sources.contains(&source.as_str()))
    }
}

/// A feature as a host can serve it: its name, and its sources in any order.
pub type Served<'a> = (&'a str, &'a [&'a str]);

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`Error::Format`] for another format, [`Error::Manifest`] for what is missing or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Manifest(reason);
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| wrong(e.message().to_owned()))?;
        match table.get("format").and_then(toml::Value::as_integer) {
            None => return Err(wrong("no format".to_owned())),
            Some(FORMAT) => {}
            Some(found) => return Err(Error::Format { found, known: FORMAT }),
        }
        let mut manifest: Self = table.try_into().map_err(|e: toml::de::Error| wrong(e.message().to_owned()))?;
        let Classes { lowest, highest } = manifest.classes;
        if !(-200..highest).contains(&lowest) || highest > 200 {
            return Err(wrong(format!("classes from {lowest} to {highest}")));
        }
        for (at, feature) in manifest.features.iter().enumerate() {
            if manifest.features[..at].iter().any(|other| other.name == feature.name) {
                return Err(wrong(format!("feature {} twice", feature.name)));
            }
        }
        let place = |name: &str| {
            let found = manifest.features.iter().position(|feature| feature.name == name);
            found.ok_or_else(|| wrong(format!("the anchor needs {name}, which is no feature")))
        };
        let season = [place("season_sin")?, place("season_cos")?];
        let places = manifest.anchor.terms.iter().map(|term| place(&term.feature)).collect::<Result<_, _>>()?;
        let sound = |term: &AnchorTerm| term.weight > 0.0 && term.weight.is_finite();
        let terms = &manifest.anchor.terms;
        if terms.is_empty() || !terms.iter().all(sound) {
            return Err(wrong("an anchor needs terms, and each a weight above zero".to_owned()));
        }
        // Written so that NaN is no range either.
        if let Some(feature) = manifest.features.iter().find(|f| !(f.least..=f.most).contains(&f.least)) {
            return Err(wrong(format!("feature {} has no range", feature.name)));
        }
        (manifest.places, manifest.season) = (places, season);
        Ok(manifest)
    }

    /// Whether a host that serves these features, each a name and its source, can ask the model.
    ///
    /// # Errors
    /// [`Error::Features`] names the first feature that is not served, or that comes from another source.
    pub fn is_served_by(&self, served: &[Served<'_>]) -> Result<(), Error> {
        for feature in &self.features {
            let Feature { name, source, .. } = feature;
            match served.iter().find(|(served, _)| served == name) {
                None => return Err(Error::Features(format!("{name} is not served here"))),
                Some((_, other)) if !feature.is_from(other) => {
                    return Err(Error::Features(format!("{name} is from {source:?}, here it is from {other:?}")));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The features in the graph's order, NaN where a value is missing. What is not of this model is left out.
    ///
    /// # Errors
    /// [`NoOpinion::MissingFeature`] where a name is not given at all.
    pub fn row(&self, features: &[(&str, f32)]) -> Result<Vec<f32>, NoOpinion> {
        let column = |feature: &Feature| {
            let found = features.iter().find(|(name, _)| *name == feature.name);
            found.map(|(_, value)| *value).ok_or_else(|| NoOpinion::MissingFeature(feature.name.clone()))
        };
        self.features.iter().map(column).collect()
    }

    /// The temperature that class 0 stands for, °F: the weighted mean of the forecasts present in `row`, each plus its
    /// bias, rounded half up. `row` is in the graph's order.
    ///
    /// # Errors
    /// [`NoOpinion::NoAnchor`] where no forecast has a value.
    #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
    pub fn anchor(&self, row: &[f32]) -> Result<i32, NoOpinion> {
        let [sine, cosine] = self.season.map(|at| f64::from(row[at]));
        let (mut total, mut weights) = (0.0, 0.0);
        for (term, at) in self.anchor.terms.iter().zip(&self.places) {
            let corrected = f64::from(row[*at]) + term.bias[0] + term.bias[1] * sine + term.bias[2] * cosine;
            if corrected.is_finite() {
                total += term.weight * corrected;
                weights += term.weight;
            }
        }
        let anchor = (total / weights + 0.5).floor();
        if anchor.abs() < 1_000.0 { Ok(anchor as i32) } else { Err(NoOpinion::NoAnchor) }
    }
}
