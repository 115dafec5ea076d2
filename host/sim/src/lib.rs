//! A simulated exchange that speaks the venue's real protocol, with simulated or recorded days and real orders.
//!
//! [`Core`] is the exchange itself: no socket, no clock, the same calls give the same bytes. [`Sim::start`] puts a port
//! around it, with the venue's REST and WebSocket and, below `/sim`, what only a simulation has: its clock, its weather, the
//! true books, faults on demand. One exchange holds the truth; what a client sees is rendered for its own subscriptions.
//! It knows nothing of the host, whose fee arithmetic it shares and nothing else.

mod book;
mod candles;
mod clock;
mod control;
mod core;
mod counts;
mod exchange;
mod faults;
mod gate;
mod http;
mod inspect;
mod listing;
mod maintenance;
mod messages;
mod refusal;
mod render;
mod rest;
mod rules;
mod scene;
mod server;
mod session;
mod socket;
mod trading;
mod trouble;
mod venue;
mod weather;
mod weather_http;

pub use clock::Speed;
pub use core::{AccountConfig, ConnId, Core, CoreConfig};
pub use counts::Counts;
pub use faults::{Call, Fault, FaultRates, Mishap, Shape};
pub use gate::keys::{KeyKind, NewKey, NoPublicKey, PublicKey, generate};
pub use gate::limits::Tier;
pub use http::{Delivery, HttpAnswer, HttpRequest};
pub use inspect::{FillView, Inspect, OrderView};
pub use scene::{Recording, Scene};
pub use server::{Config, Running, Sim};
pub use session::Channel;
pub use trouble::FrameRates;

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
