//! The venue: Kalshi's spellings, its WebSocket protocol, its sockets.
//!
//! It owns everything that is a fact about Kalshi and nothing that is a decision: [`wire`] holds the JSON as it is spelled,
//! [`convert`] turns it into the engine's integers (and reflects NO into YES, once), [`protocol`] is the pure state machine
//! between received frames and events, [`gateway`] (as pure) is what becomes of requests within their [`budget`], [`sign`]
//! holds the key, [`feed`], [`gateway::Link`] and [`rest`] are the sockets. It keeps no books and knows no strategies.
#![forbid(unsafe_code)]

pub mod audit;
pub mod backoff;
pub mod budget;
pub mod convert;
pub mod error;
pub mod feed;
pub mod gateway;
pub mod protocol;
pub mod rest;
mod scan;
pub mod sign;
mod tickers;
pub mod wire;

pub use error::{Error, VenueError};
