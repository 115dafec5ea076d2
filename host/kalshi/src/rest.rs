//! The venue over REST, one request at a time: public reads here, the account's own in a part of it.
//!
//! It owns paging, timeouts and signatures; what an answer means is said by [`VenueError`]. It converts nothing and retries
//! nothing: reads are idempotent, so the caller may try again when the error says that it helps. Orders of a run go through
//! the gateway instead, which knows what they may cost and what became of them.

mod account;

pub use account::OrderFilter;

use crate::error::{Error, VenueError};
use crate::sign::Credentials;
use crate::wire;
use isobar_engine::units::Timestamp;
use reqwest::Method;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Most markets on a page (PROTOCOL.md 3.1).
const PAGE: &str = "1000";
/// Most events on a page.
const EVENTS_PAGE: &str = "200";
/// A broken cursor is answered with some page and never ends: no series has this many pages.
const MOST_PAGES: usize = 1_000;

/// Which markets of a series are asked for. The venue takes one filter at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Every market that the venue still keeps live.
    All,
    /// Listed, before its open time.
    Unopened,
    /// Tradable.
    Open,
    /// Paused by the venue.
    Paused,
    /// Past its close (its result may be known), not paid yet.
    Closed,
    /// Paid.
    Settled,
}

impl Filter {
    fn word(self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::Unopened => Some("unopened"),
            Self::Open => Some("open"),
            Self::Paused => Some("paused"),
            Self::Closed => Some("closed"),
            Self::Settled => Some("settled"),
        }
    }
}

/// A client for one host.
#[derive(Clone)]
pub struct Rest {
    base: String,
    /// The path of `base`, which is signed.
    path: String,
    timeout: Duration,
    client: reqwest::Client,
    key: Option<Key>,
}

/// The key of an account and the clock that signs with it.
#[derive(Clone)]
struct Key {
    credentials: Arc<Credentials>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Tells the address only.
impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("base", &self.base).field("signs", &self.key.is_some()).finish_non_exhaustive()
    }
}

/// What a request carries beside its path.
#[derive(Clone, Copy, Debug, Default)]
struct With<'a> {
    query: &'a [(&'a str, &'a str)],
    body: Option<&'a str>,
    /// Without the key where it is public.
    signed: bool,
}

impl Rest {
    /// A client for `base`, for example `https://external-api.kalshi.com/trade-api/v2`; every request ends within `timeout`.
    pub fn new(base: &str, timeout: Duration) -> Result<Self, Error> {
        let address = |reason: String| Error::Address { address: base.to_owned(), reason };
        let url = reqwest::Url::parse(base).map_err(|error| address(error.to_string()))?;
        let client = client(timeout).map_err(|error| address(error.to_string()))?;
        let (base, path) = (base.trim_end_matches('/').to_owned(), url.path().trim_end_matches('/').to_owned());
        Ok(Self { base, path, timeout, client, key: None })
    }

    /// The same client with the key of an account. `now` is the run's clock, which the venue's must agree with to a few
    /// seconds.
    #[must_use]
    pub fn with_key(self, credentials: Arc<Credentials>, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { key: Some(Key { credentials, now: Arc::new(now) }), ..self }
    }

    /// Whether the exchange is up and trades.
    pub async fn exchange_status(&self) -> Result<wire::ExchangeStatus, Error> {
        self.get("/exchange/status", &[]).await
    }

    /// One series: its fees and where it settles from.
    pub async fn series(&self, series: &str) -> Result<wire::Series, Error> {
        self.get::<wire::SeriesBody>(&format!("/series/{series}"), &[]).await.map(|body| body.series)
    }

    /// All markets of a series that pass the filter, page by page.
    pub async fn markets(&self, series: &str, filter: Filter) -> Result<Vec<wire::Market>, Error> {
        let mut markets = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MOST_PAGES {
            let mut query = vec![("series_ticker", series), ("limit", PAGE)];
            query.extend(filter.word().map(|word| ("status", word)));
            if !cursor.is_empty() {
                query.push(("cursor", &cursor));
            }
            let page: wire::MarketsBody = self.get("/markets", &query).await?;
            markets.extend(page.markets);
            if page.cursor.is_empty() || page.cursor == cursor {
                return Ok(markets);
            }
            cursor = page.cursor;
        }
        Err(Error::Malformed { request: "/markets".into(), reason: "pages without end".into() })
    }

    /// One market.
    pub async fn market(&self, ticker: &str) -> Result<wire::Market, Error> {
        self.get::<wire::MarketBody>(&format!("/markets/{ticker}"), &[]).await.map(|body| body.market)
    }

    /// The whole order book of a market. It has no sequence number: it cannot be joined to a stream of deltas.
    pub async fn orderbook(&self, ticker: &str) -> Result<wire::BookBody, Error> {
        self.get(&format!("/markets/{ticker}/orderbook"), &[]).await
    }

    /// The whole order books of up to a hundred markets. A market that the venue does not know is left out.
    pub async fn orderbooks(&self, tickers: &[&str]) -> Result<Vec<wire::NamedBook>, Error> {
        let query: Vec<_> = tickers.iter().map(|ticker| ("tickers", *ticker)).collect();
        self.get::<wire::BooksBody>("/markets/orderbooks", &query).await.map(|body| body.orderbooks)
    }

    /// All city-days of a series that the venue keeps live, page by page, without their markets.
    pub async fn events(&self, series: &str) -> Result<Vec<wire::Event>, Error> {
        let mut events = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MOST_PAGES {
            let mut query = vec![("series_ticker", series), ("limit", EVENTS_PAGE)];
            if !cursor.is_empty() {
                query.push(("cursor", &cursor));
            }
            let page: wire::EventsBody = self.get("/events", &query).await?;
            events.extend(page.events);
            if page.cursor.is_empty() || page.cursor == cursor {
                return Ok(events);
            }
            cursor = page.cursor;
        }
        Err(Error::Malformed { request: "/events".into(), reason: "pages without end".into() })
    }

    /// What each endpoint costs that does not cost the default.
    pub async fn endpoint_costs(&self) -> Result<wire::EndpointCosts, Error> {
        self.get("/account/endpoint_costs", &[]).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Error> {
        self.call(Method::GET, path, With { query, ..With::default() }).await
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, with: With<'_>) -> Result<T, Error> {
        let body = self.exchange(method, path, with).await?;
        serde_json::from_slice(&body)
            .map_err(|error| Error::Malformed { request: path.to_owned(), reason: error.to_string() })
    }

    /// One request and the body of its success.
    async fn exchange(&self, method: Method, path: &str, with: With<'_>) -> Result<Vec<u8>, Error> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base)).query(with.query);
        if with.signed {
            let key = self.key.as_ref().ok_or_else(|| Error::NoCredentials { request: path.to_owned() })?;
            let headers = key.credentials.sign((key.now)(), method.as_str(), &format!("{}{path}", self.path));
            for (name, value) in headers.pairs() {
                request = request.header(name, value);
            }
        }
        if let Some(body) = with.body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let failed = |error: reqwest::Error| match (error.is_connect(), error.is_timeout()) {
            (true, _) => Error::Unreachable(plain(&error)),
            (_, true) => Error::TimedOut(self.timeout),
            _ => Error::Lost(plain(&error)),
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(failed)?;
        match VenueError::of(status, &body) {
            Some(error) => Err(error.into()),
            None => Ok(body.to_vec()),
        }
    }
}

/// An HTTP client that sends every request at most once, at once, and keeps its connections.
pub(crate) fn client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    // An error says that the process has a provider already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .tcp_nodelay(true)
        .pool_idle_timeout(None)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
}

/// An error of the client with its causes, without the address.
pub(crate) fn plain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let said = error.to_string();
        let said = said.split(" for url").next().unwrap_or_default();
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(said);
        cause = error.source();
    }
    text
}
