//! What can go wrong on the way to the venue, named by what the caller can do about it.

use std::time::Duration;

/// A failed request, connection or conversion.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be used. Correct the configuration.
    #[error("cannot use the address {address}: {reason}")]
    Address {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The venue could not be reached or hung up. Try again later.
    #[error("the venue is unreachable: {0}")]
    Unreachable(String),
    /// No answer came in time. A read may be tried again; a write may have happened.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// Too many requests (HTTP 429). Wait for the token bucket to fill.
    #[error("too many requests")]
    RateLimited,
    /// The venue understood and refused. Trying the same again is pointless below 500.
    #[error("refused with HTTP {status}: {reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Code, message and details of the body, whichever of its shapes it has.
        reason: String,
    },
    /// The answer is not what the specification says. Nothing can be done but tell.
    #[error("the answer of {request} is not understood: {reason}")]
    Malformed {
        /// Path of the request.
        request: String,
        /// Where decoding failed.
        reason: String,
    },
    /// A market (or its series) has facts that cannot be traded on. Leave it out.
    #[error("{ticker} cannot be traded: {reason}")]
    Untradable {
        /// The market or series.
        ticker: String,
        /// Which fact.
        reason: String,
    },
}
