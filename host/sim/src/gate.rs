//! Who may come in and how often: keys, signatures, clocks, token buckets.

pub(crate) mod auth;
pub(crate) mod keys;
pub(crate) mod limits;
