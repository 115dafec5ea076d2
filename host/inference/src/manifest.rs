//! `model.toml`: all that a host must know to use a graph. Written by models/train.py.

use crate::{Error, NoOpinion};
use serde::Deserialize;

/// The format that this program reads.
const FORMAT: i64 = 1;

/// What a bundle says about its graph. Sections about its training are for people and left alone.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// Short name of the city, for example `CHI`.
    pub city: String,
    /// The venue's series that the model is about, for example `KXHIGHCHI`.
    pub series: String,
    /// Last day that the model was trained on, `YYYY-MM-DD`.
    pub cutoff: String,
    /// BLAKE3 of model.onnx, hexadecimal.
    pub onnx_blake3: String,
    /// Name of the graph's input, float32 `[1, features]`.
    pub input: String,
    /// Name of the graph's output, float32 `[1, classes]`.
    pub output: String,
    /// The classes.
    pub classes: Classes,
    /// What the anchor is made of.
    pub anchor: Vec<AnchorTerm>,
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

/// One forecast that the anchor is made of.
#[derive(Clone, Debug, Deserialize)]
pub struct AnchorTerm {
    /// The feature that holds the forecast.
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
    /// Where it comes from, for people.
    pub source: String,
    /// Whether the anchor is subtracted before the graph sees it.
    pub relative: bool,
}

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
        let places = manifest.anchor.iter().map(|term| place(&term.feature)).collect::<Result<_, _>>()?;
        let sound = |term: &AnchorTerm| term.weight > 0.0 && term.weight.is_finite();
        if manifest.anchor.is_empty() || !manifest.anchor.iter().all(sound) {
            return Err(wrong("an anchor needs terms, and each a weight above zero".to_owned()));
        }
        (manifest.places, manifest.season) = (places, season);
        Ok(manifest)
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
        for (term, at) in self.anchor.iter().zip(&self.places) {
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
