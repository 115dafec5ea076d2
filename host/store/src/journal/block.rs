//! Framing inside a segment: blocks of records, each block hashed together with all that came before it.
//!
//! ```text
//! block:   hash 16 | length u32 | count u32 | check u32 | `length` bytes of records       little endian
//! record:  length u32 | crc u32 | payload
//! ```
//!
//! `hash` is the beginning of BLAKE3 over everything in the block behind it, keyed with the chain up to the block; the
//! full hash is the chain up to its end. `check` is the CRC of `length` and `count`, so a damaged length is told from a
//! block that a crash cut short. A reader verifies the block; the CRC of a record (not verified otherwise) then tells
//! which record of a damaged block is the wrong one.

use super::segment::Chain;

/// Bytes of a block before its records.
pub(super) const BLOCK_HEADER: usize = 28;
/// Bytes of a record before its payload.
pub(super) const RECORD_HEADER: usize = 8;
/// Most bytes of one payload.
pub(super) const MAX_RECORD: usize = 64 << 20;

const HASH: usize = 16;

/// A block header that proves itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockHeader {
    /// Bytes of the records.
    pub length: usize,
    /// Number of the records.
    pub count: u32,
}

/// Fills in the header of a complete block and returns the chain behind it. `block` begins with room for the header.
pub(super) fn seal(block: &mut [u8], count: u32, chain: &Chain) -> Chain {
    let length = u32::try_from(block.len() - BLOCK_HEADER).expect("a block is far below 4 GiB");
    block[16..20].copy_from_slice(&length.to_le_bytes());
    block[20..24].copy_from_slice(&count.to_le_bytes());
    let check = crc32fast::hash(&block[16..24]);
    block[24..28].copy_from_slice(&check.to_le_bytes());
    let hash = blake3::keyed_hash(chain, &block[HASH..]);
    block[..HASH].copy_from_slice(&hash.as_bytes()[..HASH]);
    *hash.as_bytes()
}

/// The header at the beginning of `bytes`, or nothing where it is damaged.
pub(super) fn header(bytes: &[u8; BLOCK_HEADER]) -> Option<BlockHeader> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let (length, count) = (word(16), word(20));
    let whole = crc32fast::hash(&bytes[16..24]) == word(24) && count > 0;
    whole.then_some(BlockHeader { length: length as usize, count })
}

/// The chain behind a whole block, or nothing where the block is not what was written.
pub(super) fn verify(block: &[u8], chain: &Chain) -> Option<Chain> {
    let hash = blake3::keyed_hash(chain, &block[HASH..]);
    (hash.as_bytes()[..HASH] == block[..HASH]).then(|| *hash.as_bytes())
}

/// Length and CRC of the record at the beginning of `bytes`, where it lies within them.
pub(super) fn record(bytes: &[u8]) -> Option<(usize, u32)> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (crc, payload) = rest.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    (length <= payload.len()).then(|| (length, u32::from_le_bytes(*crc)))
}

/// Where a damaged block is wrong: offset of the first record that does not match its CRC and its place in the block.
/// Offset 0 where all records match, which leaves the header.
pub(super) fn locate(block: &[u8], count: u32) -> (usize, u64) {
    let mut at = BLOCK_HEADER;
    for index in 0..count {
        let start = at + RECORD_HEADER;
        match record(&block[at..]) {
            Some((length, crc)) if crc32fast::hash(&block[start..start + length]) == crc => at = start + length,
            _ => return (at, u64::from(index)),
        }
    }
    (0, 0)
}
