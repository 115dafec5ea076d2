//! What the venue answers to what it refuses: status and body, in the words of the captures.
//!
//! Bodies marked (capture) are byte for byte those of the June 2026 recordings, the member `service` included that the
//! venue's documentation says it has dropped since. `trading_is_paused` and the fill-or-kill body are public reports of
//! production (July and May 2026); the bodies of a paused exchange and a closed market are not recorded anywhere.

use crate::http::HttpAnswer;
use serde_json::{Value, json};

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Unknown, and also already cancelled or executed: the bodies are identical (capture).
    NotFound,
    /// Something that was never on this exchange: a path, a market.
    NoSuch,
    /// The client's id was used before (capture).
    OrderAlreadyExists,
    /// (capture)
    InsufficientBalance,
    /// Off the grid (capture).
    InvalidPrice,
    /// Nothing, or more than there is.
    InvalidSize,
    /// (capture, `post only cross`)
    InvalidOrder(&'static str),
    /// Fill-or-kill, and there is not enough to fill.
    FillOrKill,
    TickerMismatch,
    SideMismatch,
    ClientIdMismatch,
    /// After `close_time`, or before the opening.
    MarketInactive,
    TradingPaused,
    ExchangePaused,
    /// The body is not what the endpoint reads (capture): what Go's decoder says.
    BadRequest(String),
    /// A parameter breaks its rule (capture): endpoint, field, rule.
    Parameter(&'static str, &'static str, &'static str),
    /// The first generation of order endpoints.
    Gone,
    /// More than the bucket holds (capture).
    TooManyRequests,
    /// No signature header (capture).
    SignatureMissing,
    /// A signature of another key or text (capture).
    SignatureIncorrect,
    /// An unknown key id (capture).
    KeyUnknown,
    /// Too far from the exchange's clock (capture).
    TimestampExpired,
    /// An HTTP method that a path does not have.
    MethodNotAllowed,
}

impl Refusal {
    /// HTTP status, code, message and details; nothing where the body has another shape.
    fn parts(&self) -> (u16, &'static str, &'static str, Option<&str>) {
        match self {
            Self::NotFound | Self::NoSuch => (404, "not_found", "not found", None),
            Self::OrderAlreadyExists => (409, "order_already_exists", "order already exists", None),
            Self::InsufficientBalance => (400, "insufficient_balance", "insufficient balance", None),
            Self::InvalidPrice => (400, "invalid_price", "invalid price", None),
            Self::InvalidSize => (400, "invalid_order_size", "invalid order size", None),
            Self::InvalidOrder(details) => (400, "invalid_order", "invalid order", Some(details)),
            Self::FillOrKill => {
                (409, "fill_or_kill_insufficient_resting_volume", "fill or kill insufficient resting volume", None)
            }
            Self::TickerMismatch => (400, "order_ticker_mismatch", "order ticker mismatch", None),
            Self::SideMismatch => (400, "order_side_mismatch", "order side mismatch", None),
            Self::ClientIdMismatch => {
                (400, "order_id_and_client_order_id_mismatch", "order id and client order id mismatch", None)
            }
            Self::MarketInactive => (400, "MARKET_INACTIVE", "market inactive", None),
            Self::TradingPaused => (409, "trading_is_paused", "trading is paused", None),
            Self::ExchangePaused => (503, "exchange_is_paused", "exchange is paused", None),
            Self::BadRequest(details) => (400, "bad_request", "bad request", Some(details)),
            Self::Parameter(..) => (400, "invalid_parameters", "invalid parameters", None),
            Self::Gone => (410, "deprecated_v1_order_endpoint", "deprecated v1 order endpoint", None),
            Self::TooManyRequests => (429, "too_many_requests", "too many requests", None),
            Self::SignatureMissing => {
                (401, "signature_is_missing_from_headers", "signature is missing from headers", None)
            }
            Self::SignatureIncorrect => {
                (401, "authentication_error", "authentication_error", Some("INCORRECT_API_KEY_SIGNATURE"))
            }
            Self::KeyUnknown => (401, "authentication_error", "authentication_error", Some("NOT_FOUND")),
            Self::TimestampExpired => (401, "header_timestamp_expired", "header timestamp expired", None),
            Self::MethodNotAllowed => (405, "method_not_allowed", "method not allowed", None),
        }
    }

    /// Whether it was the matching engine that refused: its bodies name themselves (capture).
    const fn by_engine(&self) -> bool {
        matches!(
            self,
            Self::NotFound
                | Self::OrderAlreadyExists
                | Self::InsufficientBalance
                | Self::InvalidPrice
                | Self::InvalidSize
        )
    }

    /// The venue's word for it.
    pub(crate) fn code(&self) -> &'static str {
        self.parts().1
    }

    pub(crate) fn status(&self) -> u16 {
        self.parts().0
    }

    /// `{code, message, details?}`, as an item of a batch holds it.
    pub(crate) fn item(&self) -> Value {
        let (_, code, message, details) = self.parts();
        let mut item = json!({"code": code, "message": message});
        if let Some(details) = details {
            item["details"] = details.into();
        }
        item
    }

    fn body(&self) -> String {
        let (_, code, message, details) = self.parts();
        // Written by hand, because the venue's members stand in this order.
        let quoted = |text: &str| Value::from(text).to_string();
        let details = details.map_or_else(String::new, |details| format!(",\"details\":{}", quoted(details)));
        let service = if self.by_engine() { ",\"service\":\"exchange\"" } else { "" };
        match self {
            Self::TooManyRequests => r#"{"error":"too many requests"}"#.to_owned(),
            Self::BadRequest(_) => format!("{{\"code\":\"{code}\",\"message\":\"{message}\"{details}}}"),
            Self::Parameter(endpoint, field, tag) => format!(
                "{{\"msg\":\"Parameter validation failed for {endpoint}: Key: '{endpoint}Params.{field}' Error:Field validation for '{field}' failed on the '{tag}' tag\"}}"
            ),
            _ => format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"{message}\"{details}{service}}}}}"),
        }
    }

    pub(crate) fn answer(&self) -> HttpAnswer {
        HttpAnswer::text(self.status(), &self.body())
    }
}
