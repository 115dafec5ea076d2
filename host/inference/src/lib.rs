//! Model bundles, ONNX Runtime sessions, and the way from class probabilities to bracket probabilities.
//!
//! It owns sessions, their deadline and the rule of when to ask them again. It refuses bundles that are not what their
//! manifest says, never reads a clock (moments are passed in) and knows no source of weather: features come in by name.
//! Floating point ends here: what leaves is an [`Opinion`](isobar_engine::opinion::Opinion), its probabilities in parts
//! per million and its evidence as bits.
#![forbid(unsafe_code)]

mod brackets;
mod bundle;
mod conclude;
mod condition;
mod forecaster;
mod manifest;
mod reason;
mod session;
mod timed;

pub use brackets::brackets;
pub use bundle::{Bundle, FILES, Golden};
pub use conclude::{Recomputed, conclude, degrees, inputs_of, recompute};
pub use condition::condition;
pub use forecaster::{Forecaster, Given, Inputs, Limits, Question};
pub use manifest::{Anchor, AnchorKind, AnchorTerm, Classes, Feature, Manifest, Served, Sources};
pub use reason::NoOpinion;
pub use session::{Answer, Prediction, Runtime, Session, TOLERANCE};
pub use timed::Timed;

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
    /// A golden row does not come out as it did in training.
    #[error("golden row {number}: {reason}")]
    Golden {
        /// Its number, from 0.
        number: usize,
        /// What came out instead.
        reason: String,
    },
    /// The model wants features that the host does not have, or not from that source.
    #[error("features: {0}")]
    Features(String),
    /// There is no thread left to run the model on.
    #[error("no thread for the model: {0}")]
    Thread(std::io::Error),
}
