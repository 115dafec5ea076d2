//! Files of a journal: their names, and the header each begins with.
//!
//! A journal is a folder of segments `00000000.seg`, `00000001.seg`, …; a sealed one may be packed as `00000000.seg.zst`
//! (see [`super::packed`]). Every segment begins with a header of [`HEADER`] bytes, each of which is determined by the
//! segments before, so that none can change unseen:
//!
//! ```text
//! magic 8 | number u64 | first record u64 | chain 32 | check 16        little endian
//! ```
//!
//! `chain` is the chained hash up to here (zeros in the first segment), `check` the beginning of the BLAKE3 hash of the
//! bytes before it.

use super::Kind;
use crate::error::{Error, Place, Result};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Bytes of a segment's header.
pub(super) const HEADER: usize = 72;
/// Version of the framing and of the record encoding. Change it whenever either changes.
const VERSION: u8 = 1;

/// The chained hash up to some place.
pub(super) type Chain = [u8; 32];

/// What stands at the beginning of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub number: u64,
    pub first: u64,
    pub chain: Chain,
}

fn magic(kind: Kind) -> [u8; 8] {
    let letter = match kind {
        Kind::Feed => b'F',
        Kind::Slot => b'S',
    };
    [b'i', b's', b'o', b'b', b'a', b'r', letter, VERSION]
}

impl Header {
    pub(super) fn to_bytes(self, kind: Kind) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&magic(kind));
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..56].copy_from_slice(&self.chain);
        let check = blake3::hash(&bytes[..56]);
        bytes[56..].copy_from_slice(&check.as_bytes()[..16]);
        bytes
    }

    /// Reads a header that proves itself; whether it continues the segment before is for the caller to say.
    pub(super) fn from_bytes(bytes: &[u8; HEADER], kind: Kind, segment: &Path) -> Result<Self> {
        let corrupt = |what: &str| {
            let place = Place { segment: segment.to_owned(), offset: 0, record: 0 };
            Error::Corrupt { place, what: what.to_owned() }
        };
        if blake3::hash(&bytes[..56]).as_bytes()[..16] != bytes[56..] {
            return Err(corrupt("the segment's header does not match its check"));
        }
        let expected = magic(kind);
        if bytes[..6] != expected[..6] || bytes[6] != expected[6] {
            return Err(corrupt("not a segment of this kind of journal"));
        }
        if bytes[7] != VERSION {
            let what = format!("journal version {}, this program knows {VERSION}", bytes[7]);
            return Err(Error::Version { path: segment.to_owned(), what });
        }
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let chain = bytes[24..56].try_into().expect("32 bytes");
        Ok(Self { number: word(8), first: word(16), chain })
    }
}

/// Path of a segment as it is written.
pub(super) fn plain_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.seg"))
}

/// Path of a segment after packing.
pub(super) fn packed_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.seg.zst"))
}

/// Whether there is a segment of this number, in either form. The plain file is removed only when the packed one is there.
pub(super) fn exists(folder: &Path, number: u64) -> bool {
    plain_path(folder, number).exists() || packed_path(folder, number).exists()
}

/// Number of the segment that a file holds, where it is one.
fn number_of(name: &OsStr) -> Option<u64> {
    let (digits, rest) = name.to_str()?.split_once('.')?;
    matches!(rest, "seg" | "seg.zst").then(|| digits.parse().ok()).flatten()
}

/// Number of segments in a folder, which run from 0 without a hole; none where the folder does not exist.
pub(super) fn count(folder: &Path) -> Result<u64> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(Error::io(folder)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        numbers.extend(number_of(&entry.map_err(Error::io(folder))?.file_name()));
    }
    numbers.sort_unstable();
    let count = numbers.last().map_or(0, |last| last + 1);
    // Asked again by name: a segment that is packed while the folder is listed may be seen under neither.
    let missing = (0..count).find(|number| numbers.binary_search(number).is_err() && !exists(folder, *number));
    if let Some(missing) = missing {
        let place = Place { segment: plain_path(folder, missing), offset: 0, record: 0 };
        return Err(Error::Corrupt { place, what: "the segment is missing".to_owned() });
    }
    Ok(count)
}
