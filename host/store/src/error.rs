//! What can go wrong with a run on disk, named by what the caller can do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a journal, precise enough to look at it with a hex viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The segment's file.
    pub segment: PathBuf,
    /// Offset in bytes within the segment (uncompressed).
    pub offset: u64,
    /// The record there, or the next one where the place lies between records. In a feed journal this is the `seq`.
    pub record: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}, record {}", self.segment.display(), self.offset, self.record)
    }
}

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused; a writer that meets this has stopped for good.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another writer holds this journal: stop it first.
    #[error("{path} is being written by another process")]
    Busy {
        /// The folder of the journal.
        path: PathBuf,
    },
    /// Bytes that are not what was written: restore them from a copy. Nothing behind this place was read.
    #[error("damaged journal, {place}: {what}")]
    Corrupt {
        /// The first byte or record that is known to be wrong.
        place: Place,
        /// What does not hold.
        what: String,
    },
    /// Written by another version of this program: read it with that one.
    #[error("{path}: {what}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Version found and version known.
        what: String,
    },
    /// The writer met an error before and has stopped: stop trading.
    #[error("the journal stopped after an earlier error: {first}")]
    Poisoned {
        /// The first error, in words.
        first: String,
    },
    /// A record beyond the bound of one record, or one that cannot be encoded.
    #[error("a record cannot be written: {what}")]
    Record {
        /// Why.
        what: String,
    },
    /// There is no such thing here.
    #[error("{path} {what}")]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// There is a run here already: choose another folder.
    #[error("{path} holds a run already")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A name that is no slot's name: 1 to 64 of `a-z A-Z 0-9 - _ .`, not beginning with a dot.
    #[error("`{0}` cannot name a slot: use 1 to 64 letters, digits, `-`, `_` or `.`")]
    SlotName(String),
    /// The projection failed; it can be deleted and rebuilt.
    #[error("projection: {0}")]
    Sql(#[from] sqlx::Error),
    /// The projection has another shape than this version writes; delete and rebuild it.
    #[error("projection: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wraps an error of the operating system with the path it is about.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
