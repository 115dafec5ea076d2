//! The one writer of a journal.
//!
//! Records gather in a block in memory; a flush closes the block and hands it to the operating system in one write. An
//! error stops the writer for good, because a journal with a hole is worse than one that ends: the caller stops trading.

use super::block::{self, BLOCK_HEADER, MAX_RECORD, RECORD_HEADER};
use super::packed::{self, Packer};
use super::reader::{Position, Reader, Tail};
use super::segment::{self, HEADER, Header, plain_path};
use super::{Kind, Notice};
use crate::error::{Error, Result};
use serde::Serialize;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Sizes of a journal's parts. They may differ from one opening to the next.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// A segment is sealed once it has this many bytes.
    pub segment_bytes: u64,
    /// A block is closed and handed over at this many bytes, flushed or not.
    pub block_bytes: usize,
    /// Whether sealed segments are packed by zstd, on a thread of their own.
    pub pack: bool,
}

impl Default for Layout {
    /// Segments of 64 MiB, blocks of 64 KiB, packed.
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, block_bytes: 64 << 10, pack: true }
    }
}

/// Appends to a journal. Dropping it flushes it.
pub struct Writer {
    folder: PathBuf,
    kind: Kind,
    layout: Layout,
    path: PathBuf,
    file: File,
    /// End of what was handed over.
    end: Position,
    block: Vec<u8>,
    count: u32,
    recovered: Tail,
    notice: Notice,
    packer: Option<Packer>,
    /// Set by the first sync: from then on a segment is forced to disk before the next one begins.
    durable: bool,
    failed: Option<String>,
    _lock: File,
}

/// Where postcard writes to: the end of the block.
struct Payload<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Payload<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

impl Writer {
    /// Opens the journal in `folder` for appending, or begins it, after cutting off a torn tail.
    ///
    /// Errors: [`Error::Busy`] while another writer has it, [`Error::Corrupt`] where the last segment is damaged (which is
    /// never cut away), [`Error::Version`], [`Error::Io`].
    pub fn open(folder: &Path, kind: Kind, layout: Layout) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let lock = lock(folder)?;
        let sealed = segment::count(folder)?.saturating_sub(1);
        let (end, recovered) = recover(folder, kind)?;
        let path = plain_path(folder, end.segment);
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(Error::io(&path))?;
        let packer = if layout.pack { Some(Packer::start(folder.to_owned())?) } else { None };
        let mut writer = Self {
            folder: folder.to_owned(),
            kind,
            layout,
            path,
            file,
            end,
            block: vec![0; BLOCK_HEADER],
            count: 0,
            recovered,
            notice: Notice::default(),
            packer,
            durable: false,
            failed: None,
            _lock: lock,
        };
        writer.continue_segment().map_err(Error::io(&writer.path))?;
        writer.notice.publish(end.record);
        for number in (0..sealed).filter(|number| plain_path(folder, *number).exists()) {
            writer.seal(number);
        }
        Ok(writer)
    }

    /// Cuts the file at the end of what is whole, and gives it a header where it has none.
    fn continue_segment(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.end.offset)?;
        self.file.seek(SeekFrom::Start(self.end.offset))?;
        if self.end.offset == 0 {
            let Position { segment, record, chain, .. } = self.end;
            self.file.write_all(&Header { number: segment, first: record, chain }.to_bytes(self.kind))?;
            self.end.offset = HEADER as u64;
        }
        Ok(())
    }

    /// What was found at the end of the journal when it was opened.
    pub fn recovered(&self) -> &Tail {
        &self.recovered
    }

    /// Number of the next record, from 0. In a feed journal this is the next `seq`.
    pub fn next_record(&self) -> u64 {
        self.end.record + u64::from(self.count)
    }

    /// Tells followers in this process how far the journal was flushed.
    pub fn notice(&self) -> Notice {
        self.notice.clone()
    }

    /// Appends a record in memory and returns its number. It is safe against the death of the process after [`Self::flush`].
    pub fn append<T: Serialize>(&mut self, value: &T) -> Result<u64> {
        self.alive()?;
        let result = self.encode(value);
        self.keep(result)
    }

    /// Hands all records to the operating system (one `write`), where other processes see them.
    pub fn flush(&mut self) -> Result<()> {
        self.alive()?;
        let result = self.hand_over();
        self.keep(result)
    }

    /// Flushes, and forces everything to disk.
    pub fn sync(&mut self) -> Result<()> {
        self.alive()?;
        let result = self.hand_over().and_then(|()| self.force());
        self.keep(result)
    }

    fn encode<T: Serialize>(&mut self, value: &T) -> Result<u64> {
        let number = self.next_record();
        let start = self.block.len();
        self.block.extend_from_slice(&[0; RECORD_HEADER]);
        let encoded = postcard::serialize_with_flavor(value, Payload(&mut self.block));
        encoded.map_err(|error| Error::Record { what: error.to_string() })?;
        let (head, payload) = self.block[start..].split_at_mut(RECORD_HEADER);
        if payload.len() > MAX_RECORD {
            return Err(Error::Record { what: format!("{} bytes, at most {MAX_RECORD}", payload.len()) });
        }
        let length = u32::try_from(payload.len()).expect("bounded above");
        head[..4].copy_from_slice(&length.to_le_bytes());
        head[4..].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
        self.count += 1;
        if self.block.len() >= self.layout.block_bytes {
            self.hand_over()?;
        }
        Ok(number)
    }

    fn hand_over(&mut self) -> Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        self.end.chain = block::seal(&mut self.block, self.count, &self.end.chain);
        self.file.write_all(&self.block).map_err(Error::io(&self.path))?;
        self.end.offset += self.block.len() as u64;
        self.end.record += u64::from(self.count);
        self.block.truncate(BLOCK_HEADER);
        self.count = 0;
        self.notice.publish(self.end.record);
        if self.end.offset >= self.layout.segment_bytes { self.roll() } else { Ok(()) }
    }

    fn force(&mut self) -> Result<()> {
        self.file.sync_data().map_err(Error::io(&self.path))?;
        if !self.durable {
            self.durable = true;
            let earlier = (0..self.end.segment).map(|number| plain_path(&self.folder, number));
            for path in earlier.filter(|path| path.exists()) {
                match File::open(&path).and_then(|file| file.sync_data()) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&path)(error)),
                    _ => {} // Packed in the meantime, which forced it to disk.
                }
            }
            packed::sync_folder(&self.folder)?;
        }
        Ok(())
    }

    /// Begins the next segment. Everything of the one before is handed over by now: followers rely on that.
    fn roll(&mut self) -> Result<()> {
        if self.durable {
            self.file.sync_data().map_err(Error::io(&self.path))?;
        }
        let sealed = self.end.segment;
        self.end.segment += 1;
        self.end.offset = 0;
        self.path = plain_path(&self.folder, self.end.segment);
        let create = OpenOptions::new().create_new(true).write(true).open(&self.path);
        self.file = create.map_err(Error::io(&self.path))?;
        self.continue_segment().map_err(Error::io(&self.path))?;
        if self.durable {
            packed::sync_folder(&self.folder)?;
        }
        self.seal(sealed);
        Ok(())
    }

    fn seal(&self, number: u64) {
        if let Some(packer) = &self.packer {
            packer.pack(number);
        }
    }

    fn alive(&self) -> Result<()> {
        match &self.failed {
            Some(first) => Err(Error::Poisoned { first: first.clone() }),
            None => Ok(()),
        }
    }

    fn keep<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.failed = Some(error.to_string());
        }
        result
    }

    /// Makes every further write fail, as a full disk would.
    #[cfg(test)]
    pub(super) fn break_file(&mut self) {
        self.file = File::open(&self.path).expect("the segment is there");
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.failed.is_some() {
            return; // Whoever met the error knows.
        }
        if let Err(error) = self.flush() {
            tracing::error!(%error, journal = %self.folder.display(), "records were lost at the end of a journal");
        }
    }
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::io(&path)(error)),
    }
}

/// Reads the last segment (and the one before where the last has no whole header) to the end of what is whole.
fn recover(folder: &Path, kind: Kind) -> Result<(Position, Tail)> {
    let mut reader = Reader::at_end(folder, kind)?;
    while reader.next()?.is_some() {}
    Ok((reader.position(), reader.tail().clone()))
}
