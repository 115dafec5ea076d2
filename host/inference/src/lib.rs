//! Model bundles, ONNX Runtime sessions, and the way from class probabilities to bracket probabilities.
//!
//! It owns sessions and the rule of when to ask them again. It refuses bundles that are not what their manifest says,
//! never reads a clock (moments are passed in) and knows no source of weather: features come in by name.
//! Floating point ends here: what leaves is a [`Forecast`](isobar_engine::event::Forecast) in parts per million.
#![forbid(unsafe_code)]

mod brackets;
mod bundle;
mod forecaster;
mod manifest;
mod session;

pub use brackets::brackets;
pub use bundle::Bundle;
pub use forecaster::{Forecaster, Inputs, Question};
pub use manifest::{AnchorTerm, Classes, Feature, Manifest};
pub use session::{Prediction, Runtime, Session};

use std::path::PathBuf;

/// Why a bundle or the library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// ONNX Runtime's library is not there, or not fit; install it or name it.
    #[error("ONNX Runtime's library {}: {reason}", path.display())]
    Library {
        /// Where it was looked for.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// A file of the bundle cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The bundle was made for another version of this program.
    #[error("bundle of format {found}, this program reads format {known}")]
    Format {
        /// Format of the bundle.
        found: i64,
        /// The one that is read.
        known: i64,
    },
    /// The manifest contradicts itself or leaves something out.
    #[error("manifest: {0}")]
    Manifest(String),
    /// The graph is not the one that the manifest was written for.
    #[error("model.onnx has the hash {found}, its manifest says {expected}")]
    Corrupt {
        /// Hash of the file.
        found: String,
        /// Hash in the manifest.
        expected: String,
    },
    /// The graph has other names or shapes than the manifest, or ONNX Runtime refuses it.
    #[error("graph: {0}")]
    Graph(String),
}

/// Why a city-day has no probabilities. The text is journaled and shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoOpinion {
    /// A feature that the model needs is not among those given at all (a missing value is NaN, not an absence).
    #[error("feature {0} is missing")]
    MissingFeature(String),
    /// Not one of the forecasts that the anchor is made of has a value.
    #[error("no forecast to start from")]
    NoAnchor,
    /// The graph failed, or answered with something that is no probability distribution.
    #[error("the model answered with no probabilities: {0}")]
    BadAnswer(String),
    /// The markets do not divide the temperatures among them.
    #[error("strikes do not divide the temperatures: {0}")]
    Strikes(String),
}
