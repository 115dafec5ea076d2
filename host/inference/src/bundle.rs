//! A bundle on disk: `model.toml` beside `model.onnx` and `golden.json`.

use crate::{Error, Manifest};
use isobar_engine::units::Digest;
use serde::Deserialize;
use std::path::Path;

/// The files of a bundle that a host needs.
pub const FILES: [&str; 3] = ["model.toml", "model.onnx", "golden.json"];

/// A bundle whose files are whole and belong together.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// What its manifest says.
    pub manifest: Manifest,
    /// Hash of the manifest, which holds the hash of the graph: names exactly this model.
    pub model: Digest,
    /// The graph.
    pub onnx: Vec<u8>,
    /// Rows with the answers of the training.
    pub golden: Vec<Golden>,
    /// The bytes of [`FILES`] in their order, to be kept.
    pub files: [Vec<u8>; 3],
}

/// A row of golden.json: features in the graph's order, and what the training's own library says about them.
#[derive(Clone, Debug, Deserialize)]
pub struct Golden {
    /// Values before the anchor is subtracted; null where one is missing.
    pub features: Vec<Option<f32>>,
    /// The anchor, °F.
    pub anchor_f: i32,
    /// Probability of each class.
    pub probabilities: Vec<f64>,
}

impl Bundle {
    /// Reads the bundle in `folder` and checks the graph against the manifest's hash.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::Format`], [`Error::Manifest`], or [`Error::Corrupt`] for another graph.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|source| Error::Unreadable { path, source })
        };
        let [text, onnx, rows] = FILES;
        let text = read(text)?;
        let utf8 = std::str::from_utf8(&text).map_err(|e| Error::Manifest(e.to_string()))?;
        let manifest = Manifest::parse(utf8)?;
        let onnx = read(onnx)?;
        let found = Digest::of(&onnx).to_string();
        if found != manifest.onnx_blake3 {
            return Err(Error::Corrupt { found, expected: manifest.onnx_blake3 });
        }
        let rows = read(rows)?;
        let golden: Vec<Golden> =
            serde_json::from_slice(&rows).map_err(|e| Error::Manifest(format!("golden.json: {e}")))?;
        if golden.is_empty() {
            return Err(Error::Manifest("golden.json has no row".to_owned()));
        }
        let model = Digest::of(&text);
        Ok(Self { manifest, model, onnx: onnx.clone(), golden, files: [text, onnx, rows] })
    }
}
