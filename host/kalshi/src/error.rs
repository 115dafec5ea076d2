//! What can go wrong on the way to the venue and at the venue, named by what the caller can do about it.
//!
//! [`VenueError::of`] is the one place that reads the venue's error bodies. It knows their four shapes (PROTOCOL.md 3.1) and
//! the codes seen so far; codes are an open set, so an unknown one is still placed by its status. It also looks at answers of
//! success, since a removed endpoint was once answered with 2xx and an error inside.

use isobar_engine::venue::RejectReason;
use serde::Deserialize;
use std::time::Duration;

/// Longest text of the venue that is kept, in bytes.
const LONGEST_DETAIL: usize = 200;

/// Longer than any error body.
const LONGEST_ERROR: usize = 4 << 10;

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
    /// The venue could not be reached: the request was never sent. Try again later.
    #[error("the venue is unreachable: {0}")]
    Unreachable(String),
    /// The connection broke after the request left. A read may be tried again; a write may have happened.
    #[error("the answer is lost: {0}")]
    Lost(String),
    /// No answer came in time. A read may be tried again; a write may have happened.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The venue answered no.
    #[error("the venue refuses: {0}")]
    Venue(#[from] VenueError),
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
    /// The request needs the key of an account, and there is none. Give credentials.
    #[error("{request} needs credentials")]
    NoCredentials {
        /// Path of the request.
        request: String,
    },
    /// Orders, fills, positions and cash kept changing while they were read. Read again when less happens.
    #[error("the account did not hold still in {rounds} rounds")]
    Restless {
        /// How often it was read.
        rounds: u32,
    },
}

/// A no of the venue, or an answer that does not tell. `detail` is the venue's own text, shortened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VenueError {
    /// HTTP 429: it was not taken. Wait for the token bucket to fill.
    #[error("too many requests")]
    RateLimited,
    /// The exchange or its trading is paused: it was not taken. Wait for it to resume.
    #[error("paused: {detail}")]
    Paused {
        /// The venue's text.
        detail: String,
    },
    /// The market takes no requests about orders, not even cancels. Wait for its state to change.
    #[error("the market is closed: {detail}")]
    MarketClosed {
        /// The venue's text.
        detail: String,
    },
    /// The key or its use is not accepted: nothing was taken, and nothing will be. A person must look.
    #[error("not authorised ({what:?}): {detail}")]
    Unauthorised {
        /// What was not accepted.
        what: Unauthorised,
        /// The venue's text.
        detail: String,
    },
    /// The client order id is used already: the order exists, or once did. Look for it.
    #[error("the order exists already")]
    AlreadyExists,
    /// No such thing. Of an order this says nothing: the venue answers the same for executed, cancelled and unknown ones.
    #[error("not found: {detail}")]
    NotFound {
        /// The venue's text.
        detail: String,
    },
    /// It was understood and not taken. The reason says what to do.
    #[error("refused ({reason:?}): {detail}")]
    Refused {
        /// What to do next.
        reason: RejectReason,
        /// The venue's text.
        detail: String,
    },
    /// The venue is in trouble (5xx). A read may be tried again; whether a write took effect is not known.
    #[error("unavailable with HTTP {status}: {detail}")]
    Unavailable {
        /// HTTP status.
        status: u16,
        /// The venue's text.
        detail: String,
    },
    /// An answer that is neither of success nor a known error. Whether a write took effect is not known.
    #[error("an unclear answer, HTTP {status}: {detail}")]
    Unclear {
        /// HTTP status.
        status: u16,
        /// The venue's text.
        detail: String,
    },
}

/// Which part of the authentication was not accepted (PROTOCOL.md 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthorised {
    /// The signature is wrong: another key belongs to this id, or the signed text differs.
    Signature,
    /// The id of the key is unknown here: typically a key of the other environment.
    UnknownKey,
    /// A header is missing.
    Headers,
    /// The timestamp is too far from the venue's clock: set the clock.
    Clock,
    /// The key may not do this.
    Scope,
    /// Something else.
    Other,
}

impl VenueError {
    /// What an answer says that is no success; nothing for a success.
    pub fn of(status: u16, body: &[u8]) -> Option<Self> {
        let success = (200..300).contains(&status);
        // No error body is long; a page of a thousand orders is, and is read once.
        if success && body.len() > LONGEST_ERROR {
            return None;
        }
        let said = Said::read(body);
        if success && !said.is_error() {
            return None;
        }
        let detail = said.text.clone();
        Some(match status {
            429 => Self::RateLimited,
            401 => Self::Unauthorised { what: said.unauthorised(), detail },
            403 => said.by_code().unwrap_or(Self::Unauthorised { what: Unauthorised::Scope, detail }),
            404 => said.by_code().unwrap_or(Self::NotFound { detail }),
            409 => said.by_code().unwrap_or(Self::Refused { reason: RejectReason::Other, detail }),
            410 => Self::Refused { reason: RejectReason::Invalid, detail },
            400..=499 => said.by_code().unwrap_or(Self::Refused { reason: RejectReason::Other, detail }),
            500.. => Self::Unavailable { status, detail },
            _ if success => said.by_code().unwrap_or(Self::Unclear { status, detail }),
            _ => Self::Unclear { status, detail },
        })
    }

    /// Why a write was certainly not taken; nothing where that is not certain.
    pub fn refusal(&self) -> Option<RejectReason> {
        Some(match self {
            Self::RateLimited => RejectReason::RateLimited,
            Self::Paused { .. } => RejectReason::Paused,
            Self::MarketClosed { .. } => RejectReason::MarketClosed,
            Self::Unauthorised { .. } => RejectReason::Unauthorised,
            Self::Refused { reason, .. } => *reason,
            Self::NotFound { .. } => RejectReason::Invalid,
            Self::AlreadyExists | Self::Unavailable { .. } | Self::Unclear { .. } => return None,
        })
    }
}

/// An error body, whichever shape it has.
struct Said {
    /// The code in lower case; empty where there is none.
    code: String,
    /// Code, message and details, shortened.
    text: String,
    /// The same in lower case.
    lower: String,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            Nested { error: Detail },
            Word { error: String },
            Flat(Detail),
            Message { msg: String },
        }
        #[derive(Deserialize)]
        struct Detail {
            code: String,
            #[serde(default)]
            message: String,
            #[serde(default)]
            details: String,
        }
        let (code, text) = match serde_json::from_slice(body) {
            Ok(Shape::Nested { error } | Shape::Flat(error)) => {
                let parts = [&error.code, &error.message, &error.details];
                let text = parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(": ");
                (error.code.to_ascii_lowercase(), text)
            }
            Ok(Shape::Word { error: text } | Shape::Message { msg: text }) => ("message".into(), text),
            Err(_) => (String::new(), String::from_utf8_lossy(&body[..body.len().min(LONGEST_DETAIL)]).into_owned()),
        };
        let mut text = text;
        let end = (0..=LONGEST_DETAIL.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        Self { code, lower: text.to_ascii_lowercase(), text }
    }

    fn is_error(&self) -> bool {
        !self.code.is_empty()
    }

    fn unauthorised(&self) -> Unauthorised {
        let says = |word| self.lower.contains(word);
        if says("timestamp_expired") {
            Unauthorised::Clock
        } else if says("missing") {
            Unauthorised::Headers
        } else if says("incorrect_api_key_signature") {
            Unauthorised::Signature
        } else if says("not_found") {
            Unauthorised::UnknownKey
        } else {
            Unauthorised::Other
        }
    }

    /// What a code says, whatever the status; nothing for an unknown one.
    fn by_code(&self) -> Option<VenueError> {
        let says = |word| self.lower.contains(word);
        let detail = || self.text.clone();
        let refused = |reason| VenueError::Refused { reason, detail: detail() };
        Some(match self.code.as_str() {
            "order_already_exists" => VenueError::AlreadyExists,
            "not_found" | "order_not_found" => VenueError::NotFound { detail: detail() },
            "too_many_requests" => VenueError::RateLimited,
            "insufficient_balance" | "insufficient_shard_balance" | "available_balance_too_low" => {
                refused(RejectReason::Balance)
            }
            "market_inactive" | "market_closed" | "market_not_active" => VenueError::MarketClosed { detail: detail() },
            "deprecated_v1_order_endpoint" => refused(RejectReason::Invalid),
            _ if says("post only") || says("post_only") => refused(RejectReason::PostOnly),
            _ if says("paused") || says("exchange_inactive") || says("maintenance") => {
                VenueError::Paused { detail: detail() }
            }
            code if code.contains("order_group") || says("order group") => refused(RejectReason::Group),
            code if code.starts_with("invalid_") || code.ends_with("_mismatch") || code == "bad_request" => {
                refused(RejectReason::Invalid)
            }
            "message" if says("too many requests") => VenueError::RateLimited,
            "message" if says("validation failed") => refused(RejectReason::Invalid),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> VenueError {
        VenueError::of(status, body.as_bytes()).expect("an error")
    }

    #[test]
    fn each_of_the_four_shapes_gives_its_text() {
        let nested = r#"{"error":{"code":"invalid_order","message":"invalid order","details":"post only cross"}}"#;
        let detail = "invalid_order: invalid order: post only cross".to_owned();
        assert_eq!(of(400, nested), VenueError::Refused { reason: RejectReason::PostOnly, detail });
        let flat = r#"{"code":"bad_request","message":"bad request"}"#;
        let detail = "bad_request: bad request".to_owned();
        assert_eq!(of(400, flat), VenueError::Refused { reason: RejectReason::Invalid, detail });
        let message = r#"{"msg":"Parameter validation failed for GetMarkets"}"#;
        let detail = "Parameter validation failed for GetMarkets".to_owned();
        assert_eq!(of(400, message), VenueError::Refused { reason: RejectReason::Invalid, detail });
        assert_eq!(of(429, r#"{"error":"too many requests"}"#), VenueError::RateLimited);
        let page = VenueError::Unavailable { status: 502, detail: "<html>502</html>".into() };
        assert_eq!(of(502, "<html>502</html>"), page);
    }

    #[test]
    fn authentication_failures_are_told_apart() {
        let what = |body: &str| match of(401, body) {
            VenueError::Unauthorised { what, .. } => what,
            other => panic!("{other:?}"),
        };
        let detail = |details: &str| {
            format!(
                r#"{{"error":{{"code":"authentication_error","message":"authentication_error","details":"{details}"}}}}"#
            )
        };
        assert_eq!(what(&detail("INCORRECT_API_KEY_SIGNATURE")), Unauthorised::Signature);
        assert_eq!(what(&detail("NOT_FOUND")), Unauthorised::UnknownKey);
        let missing =
            r#"{"error":{"code":"signature_is_missing_from_headers","message":"signature is missing from headers"}}"#;
        assert_eq!(what(missing), Unauthorised::Headers);
        let expired = r#"{"error":{"code":"header_timestamp_expired","message":"header timestamp expired"}}"#;
        assert_eq!(what(expired), Unauthorised::Clock);
        assert_eq!(what("no"), Unauthorised::Other);
    }

    #[test]
    fn only_a_definite_no_says_that_nothing_was_taken() {
        let code = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
        let refusal = |status, body: &str| of(status, body).refusal();
        assert_eq!(refusal(400, &code("insufficient_balance")), Some(RejectReason::Balance));
        assert_eq!(refusal(404, &code("insufficient_shard_balance")), Some(RejectReason::Balance));
        assert_eq!(refusal(400, &code("MARKET_INACTIVE")), Some(RejectReason::MarketClosed));
        assert_eq!(refusal(400, &code("trading_is_paused")), Some(RejectReason::Paused));
        assert_eq!(refusal(400, &code("order_group_triggered")), Some(RejectReason::Group));
        assert_eq!(refusal(403, &code("permission_denied")), Some(RejectReason::Unauthorised));
        assert_eq!(refusal(400, &code("a_code_of_next_year")), Some(RejectReason::Other));
        assert_eq!(refusal(410, &code("deprecated_v1_order_endpoint")), Some(RejectReason::Invalid));
        assert_eq!(refusal(429, ""), Some(RejectReason::RateLimited));
        assert_eq!(refusal(409, &code("order_already_exists")), None);
        assert_eq!(refusal(503, &code("trading_is_paused")), None, "a 5xx never tells whether it was taken");
        assert_eq!(refusal(302, ""), None);
    }

    #[test]
    fn a_success_with_an_error_inside_is_an_error() {
        assert_eq!(VenueError::of(201, br#"{"order_id":"1"}"#), None);
        assert_eq!(VenueError::of(204, b""), None);
        assert_eq!(of(200, r#"{"error":{"code":"not_found"}}"#), VenueError::NotFound { detail: "not_found".into() });
        assert!(matches!(of(200, r#"{"error":{"code":"gone_fishing"}}"#), VenueError::Unclear { status: 200, .. }));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let body = format!(r#"{{"msg":"{}"}}"#, "ü".repeat(300));
        let VenueError::Refused { detail, .. } = of(400, &body) else { panic!("refused") };
        assert_eq!(detail.len(), 200);
    }
}
