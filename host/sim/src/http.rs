//! A request and its answer, without a socket.

use isobar_engine::units::Timestamp;
use std::collections::BTreeMap;

/// A REST request, or the upgrade of a WebSocket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: String,
    /// From the host's root, without the query: `/trade-api/v2/portfolio/balance`.
    pub path: String,
    /// What stands behind `?`, percent-encoded as it came; empty where there is none.
    pub query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body; empty where there is none.
    pub body: String,
    /// The clock that the time of a signature is measured against. On virtual time it is the exchange's own; behind a
    /// socket it is the wall's, because strangers sign with it.
    pub wall: Timestamp,
}

impl HttpRequest {
    /// A request without query, headers and body.
    pub fn new(method: &str, path: &str, wall: Timestamp) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), wall, ..Self::default() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// What reaches the client of an answer, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// At once.
    #[default]
    Prompt,
    /// After so many nanoseconds.
    Late(i64),
    /// Never: the connection breaks instead.
    Lost,
}

/// The answer to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: u16,
    /// JSON, or HTML where a gateway in front of the venue answers; empty for 204.
    pub body: String,
    /// Whether it arrives. Status and body say what the exchange answered even where they never do.
    pub delivery: Delivery,
}

impl HttpAnswer {
    pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Self {
        let body = serde_json::to_string(body).expect("a body is text, numbers, lists and named fields");
        Self { status, body, delivery: Delivery::Prompt }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned(), delivery: Delivery::Prompt }
    }
}

/// The pairs of a query, decoded; a name may occur more than once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

/// Percent-decoding of one part of a query; `+` is a space.
fn decoded(part: &str) -> String {
    let bytes = part.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let escaped = part.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match (bytes[at], escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (_, Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', None) => out.push(b' '),
            (byte, None) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    /// The value of a name; an empty one counts as none.
    pub(crate) fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(key, value)| key == name && !value.is_empty());
        named.map(|(_, value)| value.as_str())
    }

    /// Every value of a name, also those that stand in one, separated by commas.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<String>> {
        let values: Vec<String> = self.all(name).flat_map(|value| value.split(',')).map(str::to_owned).collect();
        (!values.is_empty()).then_some(values)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// An integer; `Err` with what stands there where it is none.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, String> {
        self.get(name).map(|value| value.parse().map_err(|_| value.to_owned())).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_names_repeat() {
        let query = Query::parse("tickers=A%2DB&tickers=C,D&limit=5&cursor=&x=1+2%zz");
        assert_eq!(query.list("tickers").as_deref(), Some(&["A-B".to_owned(), "C".to_owned(), "D".to_owned()][..]));
        assert_eq!(query.integer("limit"), Ok(Some(5)));
        assert_eq!(query.integer("x"), Err("1 2%zz".to_owned()));
        assert_eq!(query.get("cursor"), None);
    }
}
