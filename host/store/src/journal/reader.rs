//! Reads a journal in order, verifying the chain, and follows one that is still being written.
//!
//! Records are lent from one large buffer. At the end the reader says nothing more comes *now*; asked again after more
//! was flushed, it goes on, across segments that were sealed and packed in the meantime.

use super::Kind;
use super::block::{self, BLOCK_HEADER, RECORD_HEADER};
use super::packed::{self, Unpacking};
use super::segment::{self, HEADER, Header, packed_path, plain_path};
use crate::error::{Error, Place, Result};
use serde::Deserialize;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const BUFFER: usize = 256 << 10;

/// A place between two blocks from which reading can go on later. The default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Number of the segment.
    pub segment: u64,
    /// Offset in bytes within the unpacked segment; 0 where its header was not read yet.
    pub offset: u64,
    /// Number of the next record.
    pub record: u64,
    /// The chained hash up to here: what follows must continue it.
    pub chain: [u8; 32],
}

/// How a journal ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// With a whole block.
    Whole,
    /// With a part of one: a crash while writing, or a write that is going on.
    Torn {
        /// Where the part begins.
        place: Place,
        /// Its bytes.
        bytes: u64,
    },
}

enum Source {
    Plain(File),
    Packed(Box<Unpacking>),
}

/// Reads records in order.
pub struct Reader {
    folder: PathBuf,
    kind: Kind,
    /// The open segment and its path.
    source: Option<(Source, PathBuf)>,
    buffer: Vec<u8>,
    /// Bytes read but not consumed; `here.offset` is the offset of the first.
    start: usize,
    end: usize,
    /// Behind the current block, and before it.
    here: Position,
    before: Position,
    /// Next record of the current block within the buffer, and how many it still holds.
    at: usize,
    left: u32,
    /// Reading begins with a segment whose chain is taken from its own header.
    adopt: bool,
    /// The segment was read to its end after its successor was seen.
    complete: bool,
    tail: Tail,
}

impl Reader {
    /// Reads from the beginning. A journal that does not exist yet is empty and can be followed.
    ///
    /// Errors: [`Error::Corrupt`] where a segment is missing, [`Error::Io`].
    pub fn open(folder: &Path, kind: Kind) -> Result<Self> {
        segment::count(folder)?;
        Ok(Self::new(folder, kind, Position::default()))
    }

    /// Goes on at a position that another reader of this journal had.
    pub fn resume(folder: &Path, kind: Kind, position: Position) -> Result<Self> {
        let mut reader = Self::new(folder, kind, position);
        if position.offset > 0 && !reader.open_source()? {
            let what = "was read before and is gone";
            return Err(Error::Absent { path: plain_path(folder, position.segment), what });
        }
        Ok(reader)
    }

    /// Reads the last segment only, trusting its header; the last two where the last has no whole header.
    pub(super) fn at_end(folder: &Path, kind: Kind) -> Result<Self> {
        let Some(last) = segment::count(folder)?.checked_sub(1) else {
            return Ok(Self::new(folder, kind, Position::default()));
        };
        let bytes = std::fs::metadata(plain_path(folder, last)).map_or(HEADER as u64, |meta| meta.len());
        let segment = if bytes < HEADER as u64 { last.saturating_sub(1) } else { last };
        let mut reader = Self::new(folder, kind, Position { segment, ..Position::default() });
        reader.adopt = segment > 0;
        Ok(reader)
    }

    fn new(folder: &Path, kind: Kind, here: Position) -> Self {
        Self {
            folder: folder.to_owned(),
            kind,
            source: None,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            here,
            before: here,
            at: 0,
            left: 0,
            adopt: false,
            complete: false,
            tail: Tail::Whole,
        }
    }

    /// The payload of the next record with its number, or nothing at the current end.
    ///
    /// Errors: [`Error::Corrupt`] with the place; nothing behind it is given out. [`Error::Version`], [`Error::Io`].
    #[expect(clippy::should_implement_trait, reason = "records are lent, which an iterator cannot do")]
    pub fn next(&mut self) -> Result<Option<(u64, &[u8])>> {
        Ok(self.advance()?.map(|(number, range)| (number, &self.buffer[range])))
    }

    /// The next record, decoded, with its number. `T` borrows from the reader's buffer.
    pub(crate) fn decode<'a, T: Deserialize<'a>>(&'a mut self) -> Result<Option<(u64, T)>> {
        let Some((number, range)) = self.advance()? else { return Ok(None) };
        match postcard::from_bytes(&self.buffer[range]) {
            Ok(value) => Ok(Some((number, value))),
            Err(error) => {
                let place = self.place_at(self.before.offset, number);
                Err(Error::Corrupt { place, what: format!("a record of this block cannot be decoded: {error}") })
            }
        }
    }

    /// Steps to the next record: its number, and where its payload is in the buffer.
    fn advance(&mut self) -> Result<Option<(u64, Range<usize>)>> {
        if self.left == 0 && !self.next_block()? {
            return Ok(None);
        }
        let number = self.next_record();
        let Some((length, _)) = block::record(&self.buffer[self.at..self.start]) else {
            let offset = self.here.offset - (self.start - self.at) as u64;
            return Err(self.corrupt(offset, number, "a whole block has no whole record here"));
        };
        let from = self.at + RECORD_HEADER;
        self.at = from + length;
        self.left -= 1;
        Ok(Some((number, from..self.at)))
    }

    /// Where a later reader can go on: behind the last block whose records were all given out.
    pub fn position(&self) -> Position {
        if self.left == 0 { self.here } else { self.before }
    }

    /// Number of the record that [`Self::next`] gives next.
    pub fn next_record(&self) -> u64 {
        self.here.record - u64::from(self.left)
    }

    /// How the journal ended when [`Self::next`] last gave nothing.
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    fn next_block(&mut self) -> Result<bool> {
        self.before = self.here;
        loop {
            if self.source.is_none() && !self.open_source()? {
                self.tail = Tail::Whole;
                return Ok(false);
            }
            let progress = if self.here.offset == 0 { self.take_header()? } else { self.take_block()? };
            match progress {
                Progress::Header => {}
                Progress::Block => return Ok(true),
                Progress::End if self.continues()? => {}
                Progress::End => return Ok(false),
            }
        }
    }

    fn take_header(&mut self) -> Result<Progress> {
        if !self.fill(HEADER)? {
            return Ok(Progress::End);
        }
        let bytes: &[u8; HEADER] = self.window().first_chunk().expect("filled");
        let header = Header::from_bytes(bytes, self.kind, self.path())?;
        let expected = Header { number: self.here.segment, first: self.here.record, chain: self.here.chain };
        if self.adopt && header.number == expected.number {
            self.here.record = header.first;
            self.here.chain = header.chain;
        } else if header != expected {
            return Err(self.corrupt(0, self.here.record, "the segment does not continue the one before"));
        }
        self.adopt = false;
        self.consume(HEADER);
        self.before = self.here;
        Ok(Progress::Header)
    }

    fn take_block(&mut self) -> Result<Progress> {
        if !self.fill(BLOCK_HEADER)? {
            return Ok(Progress::End);
        }
        let Some(header) = block::header(self.window().first_chunk().expect("filled")) else {
            if self.rest_is_zero()? {
                return Ok(Progress::End);
            }
            return Err(self.corrupt(self.here.offset, self.here.record, "the head of a block is damaged"));
        };
        let size = BLOCK_HEADER + header.length;
        if !self.fill(size)? {
            return Ok(Progress::End);
        }
        let block = &self.window()[..size];
        let Some(chain) = block::verify(block, &self.here.chain) else {
            let (offset, index) = block::locate(block, header.count);
            let what = if offset == 0 { "a block does not continue the chain" } else { "a record is damaged" };
            return Err(self.corrupt(self.here.offset + offset as u64, self.here.record + index, what));
        };
        self.before = self.here;
        self.at = self.start + BLOCK_HEADER;
        self.left = header.count;
        self.consume(size);
        self.here.record += u64::from(header.count);
        self.here.chain = chain;
        Ok(Progress::Block)
    }

    /// At the end of a segment: whether there is more to read, here or in the next one.
    fn continues(&mut self) -> Result<bool> {
        let next = self.here.segment + 1;
        let sealed = segment::exists(&self.folder, next);
        let packed = matches!(self.source, Some((Source::Packed(_), _)));
        if !sealed && packed {
            return Err(self.corrupt(self.here.offset, self.here.record, "the segment after this one is missing"));
        }
        if !sealed || !(self.complete || packed) {
            // What is cut short may be written anew by the next writer: read it again from its beginning.
            self.tail = self.measure_tail()?;
            self.start = 0;
            self.end = 0;
            self.complete = sealed;
            return Ok(sealed);
        }
        if self.end > self.start {
            return Err(self.corrupt(self.here.offset, self.here.record, "a sealed segment is cut short"));
        }
        self.source = None;
        self.start = 0;
        self.end = 0;
        self.complete = false;
        self.here.segment = next;
        self.here.offset = 0;
        Ok(true)
    }

    fn measure_tail(&self) -> Result<Tail> {
        let Some((Source::Plain(file), path)) = &self.source else { return Ok(Tail::Whole) };
        if self.end == self.start {
            return Ok(Tail::Whole);
        }
        let bytes = file.metadata().map_err(Error::io(path))?.len().saturating_sub(self.here.offset);
        Ok(Tail::Torn { place: self.place_at(self.here.offset, self.here.record), bytes })
    }

    fn open_source(&mut self) -> Result<bool> {
        let plain = plain_path(&self.folder, self.here.segment);
        match File::open(&plain) {
            Ok(file) => {
                let length = file.metadata().map_err(Error::io(&plain))?.len();
                self.check_length(&plain, length)?;
                self.source = Some((Source::Plain(file), plain));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return self.open_packed(),
            Err(error) => return Err(Error::io(&plain)(error)),
        }
        Ok(true)
    }

    /// Looked for after the plain file, which is removed only when the packed one is there.
    fn open_packed(&mut self) -> Result<bool> {
        let path = packed_path(&self.folder, self.here.segment);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let mut unpacking = packed::unpack(&path, bytes)?;
        let mut before = (&mut unpacking).take(self.here.offset);
        let skipped = std::io::copy(&mut before, &mut std::io::sink()).map_err(Error::io(&path))?;
        self.check_length(&path, skipped)?;
        self.source = Some((Source::Packed(Box::new(unpacking)), path));
        Ok(true)
    }

    fn check_length(&self, path: &Path, length: u64) -> Result<()> {
        let what = "ends before the place where reading should go on";
        if length < self.here.offset { Err(Error::Absent { path: path.to_owned(), what }) } else { Ok(()) }
    }

    /// Reads until `bytes` are in the window, or says that there are not that many.
    fn fill(&mut self, bytes: usize) -> Result<bool> {
        if self.buffer.len() - self.start < bytes {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < bytes {
            let Some((source, path)) = &mut self.source else { return Ok(false) };
            if self.end == self.buffer.len() {
                // A block larger than the buffer: grow as its bytes come, never by what its header claims.
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            let room = &mut self.buffer[self.end..];
            let read = match source {
                Source::Plain(file) => file.read_at(room, self.here.offset + (self.end - self.start) as u64),
                Source::Packed(unpacking) => unpacking.read(room),
            };
            match read {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(path)(error)),
            }
        }
        Ok(true)
    }

    /// Whether nothing but zeros follows: a file that a loss of power left longer than its content.
    fn rest_is_zero(&mut self) -> Result<bool> {
        let mut known = 0;
        loop {
            if self.window()[known..].iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            known = self.window().len();
            if !self.fill(known + 1)? {
                return Ok(true);
            }
        }
    }

    fn window(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.here.offset += bytes as u64;
    }

    fn path(&self) -> &Path {
        self.source.as_ref().map_or(&self.folder, |(_, path)| path)
    }

    fn place_at(&self, offset: u64, record: u64) -> Place {
        Place { segment: self.path().to_owned(), offset, record }
    }

    fn corrupt(&self, offset: u64, record: u64, what: &str) -> Error {
        Error::Corrupt { place: self.place_at(offset, record), what: what.to_owned() }
    }
}

enum Progress {
    Header,
    Block,
    End,
}
