//! A run on disk.
//!
//! ```text
//! RUN/feed/                  feed journal
//! RUN/slots/<name>/          one journal for each slot
//! RUN/components/<hash>.wasm every component that a slot ever held, by the hash of its bytes
//! RUN/models/<hash>/         every bundle that gave an opinion, by the hash of its manifest
//! RUN/run.db                 SQL projection; it can be deleted and rebuilt
//! ```

use crate::error::{Error, Result};
use crate::feed::{FeedReader, FeedWriter};
use crate::journal::Layout;
use crate::slot::{SlotReader, SlotWriter};
use isobar_engine::event::Input;
use isobar_engine::units::Digest;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The folder of a run. Cloning it clones a path.
#[derive(Clone, Debug)]
pub struct Run {
    folder: PathBuf,
}

impl Run {
    /// Begins a run in `folder`, which is made where it does not exist.
    ///
    /// Errors: [`Error::Exists`] where there is a run already.
    pub fn create(folder: &Path) -> Result<Self> {
        let run = Self { folder: folder.to_owned() };
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        match fs::create_dir(run.feed_folder()) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::Exists { path: folder.to_owned() });
            }
            made => made.map_err(Error::io(folder))?,
        }
        for part in [run.slots_folder(), run.components_folder()] {
            fs::create_dir_all(&part).map_err(Error::io(&part))?;
        }
        Ok(run)
    }

    /// A run that exists, to be read or continued.
    pub fn open(folder: &Path) -> Result<Self> {
        let run = Self { folder: folder.to_owned() };
        if run.feed_folder().is_dir() {
            return Ok(run);
        }
        Err(Error::Absent { path: folder.to_owned(), what: "is not a run: it has no feed journal" })
    }

    /// The random identity of the run, from the opening record of its feed.
    ///
    /// Errors: [`Error::Absent`] where there is no opening record.
    pub fn identity(&self) -> Result<String> {
        let mut reader = self.read_feed()?;
        match reader.next()?.map(|record| record.input) {
            Some(Input::Opening(opening)) => Ok(opening.run),
            _ => Err(Error::Absent { path: self.folder.clone(), what: "has no opening record" }),
        }
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the projection is.
    pub fn database(&self) -> PathBuf {
        self.folder.join("run.db")
    }

    fn feed_folder(&self) -> PathBuf {
        self.folder.join("feed")
    }

    fn slots_folder(&self) -> PathBuf {
        self.folder.join("slots")
    }

    fn components_folder(&self) -> PathBuf {
        self.folder.join("components")
    }

    fn slot_folder(&self, slot: &str) -> Result<PathBuf> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let good = (1..=64).contains(&slot.len()) && slot.bytes().all(allowed) && !slot.starts_with('.');
        if good { Ok(self.slots_folder().join(slot)) } else { Err(Error::SlotName(slot.to_owned())) }
    }

    /// Appends to the feed journal.
    pub fn write_feed(&self, layout: Layout) -> Result<FeedWriter> {
        FeedWriter::open(&self.feed_folder(), layout)
    }

    /// Reads the feed journal.
    pub fn read_feed(&self) -> Result<FeedReader> {
        FeedReader::open(&self.feed_folder())
    }

    /// Reads the feed journal from a position on.
    pub fn resume_feed(&self, position: crate::journal::Position) -> Result<FeedReader> {
        FeedReader::resume(&self.feed_folder(), position)
    }

    /// Appends to the journal of a slot, which is begun where it does not exist.
    pub fn write_slot(&self, slot: &str, layout: Layout) -> Result<SlotWriter> {
        SlotWriter::open(&self.slot_folder(slot)?, layout)
    }

    /// Reads the journal of a slot.
    pub fn read_slot(&self, slot: &str) -> Result<SlotReader> {
        SlotReader::open(&self.existing_slot(slot)?)
    }

    /// Reads the journal of a slot from a position on.
    pub fn resume_slot(&self, slot: &str, position: crate::journal::Position) -> Result<SlotReader> {
        SlotReader::resume(&self.existing_slot(slot)?, position)
    }

    fn existing_slot(&self, slot: &str) -> Result<PathBuf> {
        let path = self.slot_folder(slot)?;
        if path.is_dir() { Ok(path) } else { Err(Error::Absent { path, what: "is no slot of this run" }) }
    }

    /// Names of the slots, in alphabetical order.
    pub fn slots(&self) -> Result<Vec<String>> {
        let folder = self.slots_folder();
        let mut slots = Vec::new();
        for entry in fs::read_dir(&folder).map_err(Error::io(&folder))? {
            let entry = entry.map_err(Error::io(&folder))?;
            let name = entry.file_name().into_string().unwrap_or_default();
            if entry.path().is_dir() && self.slot_folder(&name).is_ok() {
                slots.push(name);
            }
        }
        slots.sort_unstable();
        Ok(slots)
    }

    /// Keeps the bytes of a component and returns their hash. Keeping the same bytes again changes nothing.
    pub fn keep_component(&self, bytes: &[u8]) -> Result<Digest> {
        let hash = Digest::of(bytes);
        let path = self.component_path(hash);
        if path.exists() {
            return Ok(hash);
        }
        let unfinished = path.with_extension(format!("unfinished-{}", std::process::id()));
        let mut file = fs::File::create(&unfinished).map_err(Error::io(&unfinished))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::io(&unfinished))?;
        fs::rename(&unfinished, &path).map_err(Error::io(&path))?;
        Ok(hash)
    }

    /// The bytes of a component that was kept.
    ///
    /// Errors: [`Error::Absent`] where it was not, or where the file no longer has that hash.
    pub fn component(&self, hash: Digest) -> Result<Vec<u8>> {
        let path = self.component_path(hash);
        match fs::read(&path) {
            Ok(bytes) if Digest::of(&bytes) == hash => Ok(bytes),
            Ok(_) => Err(Error::Absent { path, what: "does not have the bytes that its name says" }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(Error::Absent { path, what: "was never kept in this run" })
            }
            Err(error) => Err(Error::io(&path)(error)),
        }
    }

    /// Keeps the files of a model bundle, each a name and its bytes, under the hash that names the bundle. Keeping it again
    /// changes nothing. They survive the death of the process, like the journal; forcing them to disk would take seconds
    /// beside a journal that is written at full speed, in which the bundle could not speak.
    pub fn keep_model(&self, model: Digest, files: &[(&str, &[u8])]) -> Result<()> {
        let folder = self.model_folder(model);
        if folder.is_dir() {
            return Ok(());
        }
        let unfinished = folder.with_extension(format!("unfinished-{}", std::process::id()));
        fs::create_dir_all(&unfinished).map_err(Error::io(&unfinished))?;
        for (name, bytes) in files {
            let path = unfinished.join(name);
            fs::write(&path, bytes).map_err(Error::io(&path))?;
        }
        fs::rename(&unfinished, &folder).map_err(Error::io(&folder))
    }

    /// Where a bundle's files are kept. Whoever reads them checks that they are still those of the hash.
    pub fn model_folder(&self, model: Digest) -> PathBuf {
        self.folder.join("models").join(model.to_string())
    }

    /// Where a component's bytes are kept.
    pub fn component_path(&self, hash: Digest) -> PathBuf {
        self.components_folder().join(format!("{hash}.wasm"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_comes_back_by_its_hash_and_not_with_other_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::create(&folder.path().join("run")).unwrap();
        let hash = run.keep_component(b"\0asm").unwrap();
        assert_eq!(run.keep_component(b"\0asm").unwrap(), hash);
        assert_eq!(run.component(hash).unwrap(), b"\0asm");
        fs::write(run.component_path(hash), b"other").unwrap();
        assert!(matches!(run.component(hash), Err(Error::Absent { .. })));
        assert!(matches!(run.component(Digest::of(b"never")), Err(Error::Absent { .. })));
    }

    #[test]
    fn a_bundle_is_kept_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::create(&folder.path().join("run")).unwrap();
        let model = Digest::of(b"manifest");
        run.keep_model(model, &[("model.toml", b"manifest"), ("model.onnx", b"graph")]).unwrap();
        run.keep_model(model, &[]).unwrap();
        assert_eq!(fs::read(run.model_folder(model).join("model.onnx")).unwrap(), b"graph");
        assert_eq!(fs::read_dir(run.folder().join("models")).unwrap().count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn a_run_is_made_once_and_its_slots_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Run::open(folder.path()), Err(Error::Absent { .. })));
        let run = Run::create(folder.path()).unwrap();
        assert!(matches!(Run::create(folder.path()), Err(Error::Exists { .. })));
        for slot in ["edge", "a.b-c_9"] {
            run.write_slot(slot, Layout::default()).unwrap();
        }
        assert_eq!(Run::open(folder.path()).unwrap().slots().unwrap(), ["a.b-c_9", "edge"]);
        for bad in ["", "..", "a/b", ".hidden", "ä", &"x".repeat(65)] {
            assert!(matches!(run.write_slot(bad, Layout::default()), Err(Error::SlotName(_))), "{bad}");
        }
        assert!(matches!(run.read_slot("none"), Err(Error::Absent { .. })));
    }

    #[test]
    fn two_writers_cannot_have_one_journal() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::create(folder.path()).unwrap();
        let first = run.write_feed(Layout::default()).unwrap();
        assert!(matches!(run.write_feed(Layout::default()), Err(Error::Busy { .. })));
        drop(first);
        run.write_feed(Layout::default()).unwrap();
    }
}
