//! Faults at every step of an order's life, deaths at every point, in one process on virtual time.
//!
//! [`play::play`] runs one case: the product's trading path ([`host`]), the core of the simulated exchange ([`venue`]) and a
//! network between them, in one queue of events. [`tape`] holds the journals and kills the process at its writes, [`truth`]
//! says what must be so, [`matrix`] enumerates the cases and counts.

pub mod host;
pub mod matrix;
pub mod native;
pub mod play;
pub mod tape;
pub mod truth;
pub mod venue;
