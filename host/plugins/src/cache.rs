//! Compiled code of components, kept by the hash of their bytes in one folder: `<hash>-<engine>.cwasm`.
//!
//! A component is compiled once. A damaged or foreign file is treated as absent. The bytes themselves are the run's to keep.

use crate::error::Error;
use isobar_engine::units::Digest;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

const CHECKSUM_BYTES: usize = 32;

/// A folder of compiled code.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// Version and settings of the WebAssembly engine: compiled code is good for exactly these.
    engine: String,
}

impl Cache {
    /// The cache in `folder`, which is made where it is missing.
    pub fn open(folder: &Path, engine: &Engine) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
        let mut settings = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut settings);
        Ok(Self { folder: folder.to_owned(), engine: format!("{:016x}", settings.finish()) })
    }

    /// Compiled code of an earlier time, where it is whole and made by this very engine.
    pub fn code(&self, hash: Digest, engine: &Engine) -> Option<Component> {
        let file = fs::read(self.cwasm(hash)).ok()?;
        let (checksum, code) = file.split_at_checked(CHECKSUM_BYTES)?;
        if Digest::of(code).0 != checksum {
            return None;
        }
        // SAFETY: the code is what `keep_code` wrote, by its checksum; the engine checks version and settings itself. Who
        // can write to this folder can replace the program as well.
        #[allow(unsafe_code)]
        unsafe { Component::deserialize(engine, code) }.ok()
    }

    /// Keeps compiled code.
    pub fn keep_code(&self, hash: Digest, component: &Component) -> io::Result<()> {
        let code = component.serialize().map_err(io::Error::other)?;
        write_whole(&self.cwasm(hash), &[&Digest::of(&code).0[..], &code].concat())
    }

    fn cwasm(&self, hash: Digest) -> PathBuf {
        self.folder.join(format!("{hash}-{}.cwasm", self.engine))
    }
}

/// Writes aside and renames, so that nobody ever reads half a file.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension(format!("new-{}", std::process::id()));
    fs::write(&aside, bytes)?;
    fs::rename(&aside, path)
}
