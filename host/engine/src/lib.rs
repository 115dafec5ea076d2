//! The pure engine: a function from an ordered list of events to a list of effects.
//!
//! It owns books, orders, the ledger, the limits in force and its one slot. It knows no I/O, no clock, no threads, no
//! floating point and no hash-ordered map; time comes in with each event. Start reading at [`event`].
#![forbid(unsafe_code)]
#![deny(missing_docs, clippy::float_arithmetic)]

pub mod book;
mod city_day;
mod conduct;
pub mod engine;
pub mod event;
pub mod execution;
pub mod fees;
pub mod ledger;
pub mod market;
#[cfg(feature = "mutants")]
pub mod mutant;
pub mod opinion;
pub mod order;
pub mod orders;
pub mod paper;
mod reconcile;
pub mod risk;
pub mod snapshot;
pub mod units;
pub mod venue;
