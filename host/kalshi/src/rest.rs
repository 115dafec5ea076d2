//! The venue's public REST reads: exchange status, series, markets, order books.
//!
//! It owns paging, timeouts and the error shapes of the venue (PROTOCOL.md 3.1). It converts nothing and retries nothing:
//! reads are idempotent, so the caller may try again when the error says that it helps.

use crate::error::{Error, VenueError};
use crate::wire;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Most markets on a page (PROTOCOL.md 3.1).
const PAGE: &str = "1000";
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
#[derive(Clone, Debug)]
pub struct Rest {
    base: String,
    timeout: Duration,
    client: reqwest::Client,
}

impl Rest {
    /// A client for `base`, for example `https://external-api.kalshi.com/trade-api/v2`; every request ends within `timeout`.
    pub fn new(base: &str, timeout: Duration) -> Result<Self, Error> {
        // An error says that the process has a provider already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let address = |reason: String| Error::Address { address: base.to_owned(), reason };
        if let Err(error) = reqwest::Url::parse(base) {
            return Err(address(error.to_string()));
        }
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| address(error.to_string()))?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), timeout, client })
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

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Error> {
        let failed = |error: reqwest::Error| {
            if error.is_timeout() { Error::TimedOut(self.timeout) } else { Error::Unreachable(error.to_string()) }
        };
        let request = self.client.get(format!("{}{path}", self.base)).query(query);
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let body = response.bytes().await.map_err(failed)?;
        if let Some(error) = VenueError::of(status.as_u16(), &body) {
            return Err(error.into());
        }
        serde_json::from_slice(&body)
            .map_err(|error| Error::Malformed { request: path.to_owned(), reason: error.to_string() })
    }
}
