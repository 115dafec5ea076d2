//! ONNX Runtime: the library, and one session per bundle.

use crate::{Bundle, Error, Golden, Manifest, NoOpinion};
use isobar_engine::units::Digest;
use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How far a sum of single-precision probabilities may be from one.
const SUM_TOLERANCE: f64 = 1e-4;

/// How far two computations of one probability may be apart.
pub const TOLERANCE: f64 = 1e-5;

/// ONNX Runtime allows one environment in a process and its library cannot be exchanged: the first one loaded serves all.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// ONNX Runtime's shared library, loaded.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
}

impl Runtime {
    /// Loads the library at `path`, else the one that `ORT_DYLIB_PATH` names. Where one was loaded before, that one.
    ///
    /// # Errors
    /// [`Error::Library`] where neither is given, or the file is no such library.
    pub fn open(path: Option<&Path>) -> Result<Self, Error> {
        let named = path.map(Path::to_owned).or_else(|| std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from));
        let path = named.unwrap_or_default();
        let library = |reason: String| Error::Library { path: path.clone(), reason };
        // Without this check `ort` would look for a library of that name all over the system.
        if !path.is_file() {
            return Err(library("not found; name it in the configuration or by ORT_DYLIB_PATH".to_owned()));
        }
        let mut loaded = LOADED.lock().expect("nothing panics while it loads");
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        let builder = ort::init_from(&path).map_err(|e| library(e.to_string()))?;
        let builder = builder.with_name("isobar").with_telemetry(false);
        let environment = builder.build().map_err(|e| library(e.to_string()))?;
        Ok(loaded.insert(Self { environment }).clone())
    }
}

/// What a model says about one city-day.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Temperature of the first class, °F; the classes go up by one degree each.
    pub lowest: i32,
    /// Probability of each class. The first is of its temperature or less, the last of its temperature or more.
    pub probabilities: Vec<f64>,
}

/// What a graph gave, as it gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Temperature of the first class, °F.
    pub lowest: i32,
    /// Probability of each class, all from 0 to 1 and summing to one as well as single precision can.
    pub classes: Vec<f32>,
}

impl Answer {
    /// The same numbers as a [`Prediction`].
    pub fn prediction(&self) -> Prediction {
        Prediction { lowest: self.lowest, probabilities: self.classes.iter().map(|p| f64::from(*p)).collect() }
    }
}

/// A bundle ready to answer.
pub struct Session {
    session: ort::session::Session,
    manifest: Manifest,
    model: Digest,
}

impl Session {
    /// Gives the bundle's graph to ONNX Runtime, for one thread, and compares names and shapes with the manifest.
    ///
    /// # Errors
    /// [`Error::Graph`].
    pub fn new(runtime: &Runtime, bundle: Bundle) -> Result<Self, Error> {
        let builder = ort::session::Session::builder(&runtime.environment).map_err(|e| Error::Graph(e.to_string()))?;
        let builder = builder.with_intra_threads(1).map_err(|e| Error::Graph(e.to_string()))?;
        let builder = builder.with_optimization_level(GraphOptimizationLevel::Level1);
        let mut builder = builder.map_err(|e| Error::Graph(e.to_string()))?;
        let session = builder.commit_from_memory(&bundle.onnx).map_err(|e| Error::Graph(e.to_string()))?;
        let Bundle { manifest, model, .. } = bundle;
        agrees("input", session.inputs(), &manifest.input, manifest.features.len())?;
        agrees("output", session.outputs(), &manifest.output, manifest.classes.count())?;
        Ok(Self { session, manifest, model })
    }

    /// A session whose answers to the golden rows are those of the training.
    ///
    /// # Errors
    /// [`Error::Graph`] or [`Error::Golden`].
    pub fn verified(runtime: &Runtime, mut bundle: Bundle) -> Result<Self, Error> {
        let golden = std::mem::take(&mut bundle.golden);
        let mut session = Self::new(runtime, bundle)?;
        session.verify(&golden)?;
        Ok(session)
    }

    /// What the bundle says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The hash that names the bundle.
    pub fn model(&self) -> Digest {
        self.model
    }

    /// Asks the model about one row of features, given by name in any order, NaN for a missing value.
    ///
    /// # Errors
    /// [`NoOpinion`] where a feature is not given, no forecast has a value, or the answer is no distribution.
    pub fn predict(&mut self, features: &[(&str, f32)]) -> Result<Prediction, NoOpinion> {
        let row = self.manifest.row(features)?;
        self.ask(&row).map(|answer| answer.prediction())
    }

    /// Asks the model about a row in the graph's order, before the anchor is subtracted, NaN for a missing value.
    ///
    /// # Errors
    /// As [`Self::predict`].
    #[expect(clippy::cast_precision_loss, reason = "an anchor is below a thousand")]
    pub fn ask(&mut self, row: &[f32]) -> Result<Answer, NoOpinion> {
        let anchor = self.manifest.anchor(row)?;
        let columns = row.iter().zip(&self.manifest.features);
        let input: Vec<f32> = columns.map(|(v, column)| if column.relative { v - anchor as f32 } else { *v }).collect();
        let failed = |e: ort::Error| NoOpinion::BadAnswer(e.to_string());
        let tensor = TensorRef::from_array_view(([1, input.len()], &input[..])).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![tensor]).map_err(failed)?;
        let (_, values) = outputs[0].try_extract_tensor::<f32>().map_err(failed)?;
        // Written so that NaN fails too.
        if !values.iter().all(|p| (0.0..=1.0).contains(p)) {
            return Err(NoOpinion::BadAnswer("a value outside 0 to 1".to_owned()));
        }
        let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE || values.len() != self.manifest.classes.count() {
            return Err(NoOpinion::BadAnswer(format!("{} values that sum to {sum}", values.len())));
        }
        Ok(Answer { lowest: anchor + self.manifest.classes.lowest, classes: values.to_vec() })
    }

    /// Asks about every golden row and compares with what the training wrote down.
    ///
    /// # Errors
    /// [`Error::Golden`] where an answer is missing, not finite or further away than [`TOLERANCE`].
    pub fn verify(&mut self, golden: &[Golden]) -> Result<(), Error> {
        for (number, row) in golden.iter().enumerate() {
            let wrong = |reason: String| Error::Golden { number, reason };
            if row.features.len() != self.manifest.features.len() {
                return Err(wrong(format!("{} features", row.features.len())));
            }
            let features: Vec<f32> = row.features.iter().map(|value| value.unwrap_or(f32::NAN)).collect();
            let answer = self.ask(&features).map_err(|reason| wrong(reason.to_string()))?;
            let lowest = row.anchor_f + self.manifest.classes.lowest;
            if answer.lowest != lowest || answer.classes.len() != row.probabilities.len() {
                let (from, classes) = (answer.lowest, answer.classes.len());
                return Err(wrong(format!(
                    "{classes} classes from {from}°, not {} from {lowest}°",
                    row.probabilities.len()
                )));
            }
            let apart = |(ours, theirs): (&f32, &f64)| (f64::from(*ours) - theirs).abs();
            let worst = answer.classes.iter().zip(&row.probabilities).map(apart).fold(0.0, f64::max);
            if worst > TOLERANCE {
                return Err(wrong(format!("off by {worst:e}")));
            }
        }
        Ok(())
    }
}

/// Whether a graph has exactly one input (or output) of this name with the shape `[1, width]` of single precision.
fn agrees(what: &str, found: &[Outlet], name: &str, width: usize) -> Result<(), Error> {
    let [outlet] = found else { return Err(Error::Graph(format!("{} {what}s instead of one", found.len()))) };
    if outlet.name() != name {
        return Err(Error::Graph(format!("{what} {:?}, the manifest says {name:?}", outlet.name())));
    }
    let expected = [1, i64::try_from(width).expect("a bundle has few columns")];
    match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } if shape[..] == expected => Ok(()),
        other => Err(Error::Graph(format!("{what} is {other}, the manifest says float32 {expected:?}"))),
    }
}
