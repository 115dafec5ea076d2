//! The random identity of a run, from the operating system.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Sixteen hexadecimal characters that no two runs share.
pub fn run() -> String {
    // `RandomState` is seeded by the operating system, and is the standard library's only source of randomness.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}
