//! Tells which component files, or which bundles of files, of a folder are new or changed, and whole.
//!
//! The file system's events make it quick and a rescan makes it sure, since events can be lost and some file systems send
//! none. A file is told when its writer closed it or moved it in, or else when it has not changed for a while; a bundle
//! when none of its files has. What was still incomplete is told again as soon as it changes, so a refusal is never final.

use crate::error::Error;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long a file without a closing event must stand still.
const STILL: Duration = Duration::from_millis(50);
/// How often the folder is read whatever the events say.
const RESCAN: Duration = Duration::from_millis(500);

/// What is looked for in a folder.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// Files with this ending, without the dot.
    Files(&'static str),
    /// Subfolders in which the first of these files lies. A change of any of them is a change of the bundle. Those within
    /// a subfolder are found by the rescan: only the folder itself is watched by events.
    Bundles(&'static [&'static str]),
}

/// A folder being watched, until this value is dropped.
pub struct Watch {
    /// Dropping it ends the events, and so the thread.
    _watcher: RecommendedWatcher,
}

/// What tells two versions of a file apart without reading it. A bundle has one for each of its files.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Print {
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    file: u64,
}

/// What is known of one file or bundle.
struct Seen {
    prints: Vec<Option<Print>>,
    since: Instant,
    told: bool,
}

impl Watch {
    /// Watches `folder` and sends the path of everything in it that is `wanted` and whole: what is there already, in order
    /// of the names, and later each that is new or changed. What is written again with the same bytes is told again. The
    /// folder is made where it is missing.
    ///
    /// # Errors
    /// The folder cannot be made or the system cannot watch it.
    pub fn start(folder: &Path, wanted: Wanted, files: Sender<PathBuf>) -> Result<Self, Error> {
        let unusable = |source| Error::Folder { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(unusable)?;
        let folder = folder.canonicalize().map_err(unusable)?;
        let refused = |error: notify::Error| Error::Watch { path: folder.clone(), reason: error.to_string() };
        let (send, events) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(send).map_err(refused)?;
        watcher.watch(&folder, RecursiveMode::NonRecursive).map_err(refused)?;
        let watched = folder.clone();
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || follow(&watched, wanted, &events, &files))
            .map_err(unusable)?;
        Ok(Self { _watcher: watcher })
    }
}

/// Until the watcher or the receiver is gone.
fn follow(folder: &Path, wanted: Wanted, events: &Receiver<notify::Result<notify::Event>>, files: &Sender<PathBuf>) {
    let mut seen = BTreeMap::new();
    let mut rescanned = Instant::now();
    rescan(folder, wanted, &mut seen);
    loop {
        let now = Instant::now();
        for (path, file) in seen.iter_mut().filter(|(_, file)| !file.told && now >= file.since + STILL) {
            file.told = true;
            if files.send(path.clone()).is_err() {
                return;
            }
        }
        let settles = seen.values().filter(|file| !file.told).map(|file| file.since + STILL).min();
        let next = settles.unwrap_or(rescanned + RESCAN).min(rescanned + RESCAN);
        match events.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Ok(event)) => {
                let whole = is_whole(event.kind);
                // Reading the folder is an event of the folder itself.
                for path in event.paths.iter().filter(|path| path.parent() == Some(folder)) {
                    look(path, wanted, whole, &mut seen);
                }
            }
            // An error of the watcher is no reason to stop: the rescan goes on.
            Ok(Err(_)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if rescanned.elapsed() >= RESCAN {
            rescan(folder, wanted, &mut seen);
            rescanned = Instant::now();
        }
    }
}

/// Whether an event says that a file is complete: its writer closed it, or it was moved in.
fn is_whole(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write)) | EventKind::Modify(ModifyKind::Name(RenameMode::To))
    )
}

fn rescan(folder: &Path, wanted: Wanted, seen: &mut BTreeMap<PathBuf, Seen>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    seen.retain(|path, _| paths.contains(path));
    for path in paths {
        look(&path, wanted, false, seen);
    }
}

/// Notes what a file or bundle is now; where a file is `whole`, it need not stand still first.
fn look(path: &Path, wanted: Wanted, whole: bool, seen: &mut BTreeMap<PathBuf, Seen>) {
    let (prints, whole) = match wanted {
        Wanted::Files(ending) if path.extension().is_none_or(|extension| extension != ending) => return,
        Wanted::Files(_) => (vec![print(path)], whole),
        Wanted::Bundles(names) => (names.iter().map(|name| print(&path.join(name))).collect(), false),
    };
    if prints.first().is_none_or(Option::is_none) {
        seen.remove(path);
        return;
    }
    let now = Instant::now();
    let since = if whole { now.checked_sub(STILL).unwrap_or(now) } else { now };
    match seen.get_mut(path) {
        Some(file) if file.prints == prints && !whole => {}
        _ => drop(seen.insert(path.to_owned(), Seen { prints, since, told: false })),
    }
}

fn print(path: &Path) -> Option<Print> {
    let facts = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(Print {
        length: facts.len(),
        modified: facts.modified().ok(),
        #[cfg(unix)]
        file: std::os::unix::fs::MetadataExt::ino(&facts),
    })
}
