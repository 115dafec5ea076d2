//! A simulated exchange that speaks the venue's real protocol over real sockets, with simulated or recorded days.
//!
//! [`Sim::start`] opens one port with the venue's REST and WebSocket and, below `/sim`, what only a simulation has: its
//! clock, its weather, the true books, faults on demand. One exchange holds the truth; what a client sees is rendered for
//! its own subscriptions. Signatures are not checked and orders are not taken. It knows nothing of the host.

mod book;
mod clock;
mod exchange;
mod listing;
mod render;
mod rest;
mod scene;
mod server;
mod session;
mod socket;
mod venue;
mod weather;
mod weather_http;

pub use clock::Speed;
pub use scene::{Recording, Scene};
pub use server::{Config, Running, Sim};

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why an exchange did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A recording cannot be opened or decompressed: check the path.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A recording is not in the format that it should be in: another file is needed.
    #[error("{} is not such a recording: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// Nothing was recorded on the wanted days: choose others.
    #[error("the recording holds nothing of these days")]
    Empty,
    /// The address is taken or forbidden, or the machine has no thread left: choose another address.
    #[error("cannot serve on {address}: {source}")]
    Unavailable {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}
