//! The plugin host: trading rules as WebAssembly components of the world `isobar:strategy/strategy@1.0.0`.
//!
//! It owns compiled components by hash, their fuel, time and memory, and the conversion between the engine's values and
//! the WIT types. It gives guests nothing: no clock, no randomness, no files, no network. It knows nothing of orders or
//! positions beyond the snapshot that it carries.
//!
//! Start at [`Loader`], which makes a [`Loaded`] of bytes or refuses them with a [`Refusal`]; [`Loaded::strategy`] then
//! gives the [`Strategy`] that a slot asks. [`Watch`] tells which files of a folder are worth loading.

mod bindings;
mod cache;
mod convert;
mod description;
mod error;
mod loader;
mod parameters;
mod probe;
mod runtime;
mod strategy;
mod watch;

pub use description::{Description, Parameter, Unit};
pub use error::{Error, ParameterError, Refusal};
pub use loader::{Check, Loaded, Loader};
pub use parameters::resolve;
pub use runtime::Limits;
pub use strategy::{Answer, Reuse, Strategy};
pub use watch::{Wanted, Watch};

/// The world that a component must have.
pub const WORLD: &str = "isobar:strategy/strategy@1.0.0";
