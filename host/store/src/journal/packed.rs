//! Sealed segments packed by zstd, away from the writer's thread.
//!
//! A packed segment is one zstd frame, readable by any zstd tool, followed by a skippable frame that holds the BLAKE3 hash
//! of the bytes before it, so that no byte of the file can change unseen. A segment is replaced only after its packed form
//! was read back equal and forced to disk; whoever still reads the plain file keeps it through the open handle.

use super::segment::{packed_path, plain_path};
use crate::error::{Error, Place, Result};
use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

const LEVEL: i32 = 1;
/// Header of a skippable zstd frame with 32 bytes (RFC 8878, 3.1.2).
const TRAILER: [u8; 8] = [0x50, 0x2A, 0x4D, 0x18, 32, 0, 0, 0];

/// The thread that packs sealed segments. It ends, with its queue empty, when this value is dropped.
pub(super) struct Packer {
    queue: Option<mpsc::Sender<u64>>,
    thread: Option<JoinHandle<()>>,
}

impl Packer {
    pub(super) fn start(folder: PathBuf) -> Result<Self> {
        let (queue, sealed) = mpsc::channel();
        let place = folder.clone();
        let work = move || {
            for number in sealed {
                // The plain segment stays as it is, so nothing is lost but room.
                if let Err(error) = pack(&folder, number) {
                    tracing::warn!(%error, number, "a sealed segment stays unpacked");
                }
            }
        };
        let thread = std::thread::Builder::new().name("packer".to_owned()).spawn(work).map_err(Error::io(&place))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) fn pack(&self, number: u64) {
        if let Some(queue) = &self.queue {
            // The thread ends only with the queue, and a panic in it loses room and nothing else.
            let _ = queue.send(number);
        }
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Replaces a sealed segment by its packed form.
fn pack(folder: &Path, number: u64) -> Result<()> {
    let (plain, packed) = (plain_path(folder, number), packed_path(folder, number));
    let bytes = fs::read(&plain).map_err(Error::io(&plain))?;
    let mut frame = zstd::bulk::compress(&bytes, LEVEL).map_err(Error::io(&plain))?;
    let back = zstd::bulk::decompress(&frame, bytes.len()).map_err(Error::io(&plain))?;
    if back != bytes {
        let source = std::io::Error::other("packing did not give the same bytes back");
        return Err(Error::Io { path: plain, source });
    }
    let hash = blake3::hash(&frame);
    frame.extend_from_slice(&TRAILER);
    frame.extend_from_slice(hash.as_bytes());

    let unfinished = packed.with_extension("unfinished");
    let mut file = File::create(&unfinished).map_err(Error::io(&unfinished))?;
    file.write_all(&frame).and_then(|()| file.sync_all()).map_err(Error::io(&unfinished))?;
    fs::rename(&unfinished, &packed).map_err(Error::io(&packed))?;
    sync_folder(folder)?;
    fs::remove_file(&plain).map_err(Error::io(&plain))
}

/// Forces the names in a folder to disk.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))
}

/// A packed segment that is being unpacked.
pub(super) type Unpacking = zstd::stream::read::Decoder<'static, Cursor<Vec<u8>>>;

/// Checks a packed segment whole and begins to unpack it.
pub(super) fn unpack(path: &Path, mut bytes: Vec<u8>) -> Result<Unpacking> {
    let frame = bytes.len().saturating_sub(TRAILER.len() + 32);
    let (packed, trailer) = bytes.split_at(frame);
    let (mark, hash) = trailer.split_at(trailer.len().min(TRAILER.len()));
    if mark != TRAILER || hash != blake3::hash(packed).as_bytes() {
        let place = Place { segment: path.to_owned(), offset: 0, record: 0 };
        return Err(Error::Corrupt { place, what: "the packed file does not match its hash".to_owned() });
    }
    bytes.truncate(frame);
    zstd::stream::read::Decoder::with_buffer(Cursor::new(bytes)).map_err(Error::io(path))
}
