//! A bundle on disk: `model.toml` beside `model.onnx`.

use crate::{Error, Manifest};
use isobar_engine::units::Digest;
use std::path::Path;

/// A bundle whose files are whole and belong together.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// What its manifest says.
    pub manifest: Manifest,
    /// Hash of the manifest, which holds the hash of the graph: names exactly this model.
    pub model: Digest,
    /// The graph.
    pub onnx: Vec<u8>,
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
        let text = read("model.toml")?;
        let utf8 = std::str::from_utf8(&text).map_err(|e| Error::Manifest(e.to_string()))?;
        let manifest = Manifest::parse(utf8)?;
        let onnx = read("model.onnx")?;
        let found = Digest::of(&onnx).to_string();
        if found != manifest.onnx_blake3 {
            return Err(Error::Corrupt { found, expected: manifest.onnx_blake3 });
        }
        Ok(Self { manifest, model: Digest::of(&text), onnx })
    }
}
