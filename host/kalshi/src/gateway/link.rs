//! The shell around the gateway: one HTTP client for orders, warm, that never sends anything twice.
//!
//! It owns the connection and the signatures. Requests are signed at the last moment, creates by a signature made ahead. RSA
//! is never computed on the caller's thread. Retries are the gateway's business: the client's own are switched off.

use super::{Answer, CREATE, HttpRequest, Lost, Ticket};
use crate::error::Error;
use crate::sign::{Algorithm, Credentials, Headers, Presigned, Reuse};
use isobar_engine::units::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub struct Link {
    client: reqwest::Client,
    origin: String,
    base: String,
    /// Where creates go, parsed once.
    creates: reqwest::Url,
    credentials: Arc<Credentials>,
    ahead: Presigned,
    /// Creates for which no signature was ready.
    late: u64,
}

impl Link {
    /// A link to `base`, for example `https://external-api.kalshi.com/trade-api/v2`. A request without answer within
    /// `timeout` is lost. Signatures made ahead live for `life` nanoseconds of the run's time (2 s).
    pub fn new(
        base: &str,
        timeout: Duration,
        credentials: Arc<Credentials>,
        life: i64,
        reuse: Reuse,
    ) -> Result<Self, Error> {
        let address = |reason: String| Error::Address { address: base.to_owned(), reason };
        let url = reqwest::Url::parse(base).map_err(|error| address(error.to_string()))?;
        let client = crate::rest::client(timeout).map_err(|error| address(error.to_string()))?;
        let origin = url.origin().ascii_serialization();
        let base = url.path().trim_end_matches('/').to_owned();
        let path = format!("{base}{CREATE}");
        let creates = url.join(&path).map_err(|error| address(error.to_string()))?;
        let signer = Presigned::new(Arc::clone(&credentials), "POST", path, life, reuse);
        let ahead = signer.map_err(|error| address(format!("no thread to sign on: {error}")))?;
        Ok(Self { client, origin, base, creates, credentials, ahead, late: 0 })
    }

    /// Path of the API on its host: [`super::Settings::base`].
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Has signatures for creates made on another thread. To be called when idle, at least twice within their life.
    pub fn refresh(&mut self, now: Timestamp) {
        self.ahead.refresh(now);
    }

    /// Creates that had to be signed at the last moment.
    pub fn signed_late(&self) -> u64 {
        self.late
    }

    /// Signs a request for `now` and sends it. The future borrows nothing: many can be under way.
    pub fn send(
        &mut self,
        now: Timestamp,
        request: HttpRequest,
    ) -> impl Future<Output = (Ticket, Result<Answer, Lost>)> + Send + use<> {
        let headers = if request.create { self.ahead.take(now) } else { None };
        self.late += u64::from(request.create && headers.is_none());
        let url = if request.create { Ok(self.creates.clone()) } else { self.address(&request) };
        let (client, credentials) = (self.client.clone(), Arc::clone(&self.credentials));
        async move {
            let ticket = request.ticket;
            let headers = match headers {
                Some(headers) => headers,
                None => match sign(credentials, now, request.method, request.path.clone()).await {
                    Ok(headers) => headers,
                    Err(reason) => return (ticket, Err(Lost { sent: false, reason })),
                },
            };
            let answer = match url {
                Ok(url) => exchange(client, url, request, &headers).await,
                Err(reason) => Err(Lost { sent: false, reason }),
            };
            (ticket, answer)
        }
    }

    fn address(&self, request: &HttpRequest) -> Result<reqwest::Url, String> {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        format!("{}{}{query}", self.origin, request.path).parse().map_err(|error| format!("no address: {error}"))
    }

    /// Asks for something small and public, so that the connection stays open and warm. To be called when nothing was sent
    /// for some seconds.
    pub fn warm(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let sending = self.client.get(format!("{}{}/exchange/status", self.origin, self.base)).send();
        async move {
            let response = sending.await.map_err(|error| Error::Unreachable(error.to_string()))?;
            response.bytes().await.map(drop).map_err(|error| Error::Lost(error.to_string()))
        }
    }
}

async fn sign(
    credentials: Arc<Credentials>,
    now: Timestamp,
    method: &'static str,
    path: String,
) -> Result<Headers, String> {
    match credentials.algorithm() {
        Algorithm::Ed25519 => Ok(credentials.sign(now, method, &path)),
        Algorithm::Rsa => tokio::task::spawn_blocking(move || credentials.sign(now, method, &path))
            .await
            .map_err(|error| format!("it could not be signed: {error}")),
    }
}

async fn exchange(
    client: reqwest::Client,
    url: reqwest::Url,
    request: HttpRequest,
    headers: &Headers,
) -> Result<Answer, Lost> {
    let method = reqwest::Method::from_bytes(request.method.as_bytes()).expect("the gateway's methods are methods");
    let mut sending = client.request(method, url);
    for (name, value) in headers.pairs() {
        sending = sending.header(name, value);
    }
    if let Some(body) = request.body {
        sending = sending.header("content-type", "application/json").body(body);
    }
    // Before the connection stands nothing can have been sent; after it, anything may have been.
    let lost = |error: reqwest::Error| {
        let sent = !(error.is_connect() || error.is_builder());
        Lost { sent, reason: crate::rest::plain(&error) }
    };
    let response = sending.send().await.map_err(lost)?;
    let status = response.status().as_u16();
    match response.bytes().await {
        Ok(body) => Ok(Answer { status, body: body.to_vec() }),
        Err(error) => Err(Lost { sent: true, reason: crate::rest::plain(&error) }),
    }
}
