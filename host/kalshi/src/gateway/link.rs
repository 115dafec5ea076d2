//! The shell around the gateway: one HTTP client for orders, warm, that never sends anything twice.
//!
//! It owns the connection and the signatures. Requests are signed at the last moment, creates by a signature made ahead. RSA
//! is never computed on the caller's thread. Retries are the gateway's business: the client's own are switched off.

use super::http::Client;
use super::{Answer, CREATE, HttpRequest, Lost, Ticket};
use crate::error::Error;
use crate::sign::{Algorithm, Credentials, Headers, Presigned, Reuse};
use hyper::http::uri::InvalidUri;
use hyper::{Method, Uri};
use isobar_engine::units::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub struct Link {
    client: Client,
    origin: String,
    base: String,
    /// Where creates go, parsed once.
    creates: Uri,
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
        let client = Client::new(timeout).map_err(|error| address(error.to_string()))?;
        let origin = url.origin().ascii_serialization();
        let base = url.path().trim_end_matches('/').to_owned();
        let path = format!("{base}{CREATE}");
        let creates = format!("{origin}{path}").parse().map_err(|error: InvalidUri| address(error.to_string()))?;
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
        let uri = if request.create { Ok(self.creates.clone()) } else { self.address(&request) };
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
            let method = Method::from_bytes(request.method.as_bytes()).expect("the gateway's methods are methods");
            let answer = match uri {
                Ok(uri) => client.send(method, uri, &headers.pairs(), request.body).await,
                Err(reason) => Err(Lost { sent: false, reason }),
            };
            (ticket, answer)
        }
    }

    fn address(&self, request: &HttpRequest) -> Result<Uri, String> {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let address = format!("{}{}{query}", self.origin, request.path);
        address.parse().map_err(|error: InvalidUri| format!("no address: {error}"))
    }

    /// Asks for something small and public, so that the connection stays open and warm. To be called when nothing was sent
    /// for some seconds.
    pub fn warm(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let (client, address) = (self.client.clone(), format!("{}{}/exchange/status", self.origin, self.base));
        async move {
            let uri = address.parse().map_err(|error: InvalidUri| Error::Unreachable(error.to_string()))?;
            let answer = client.send(Method::GET, uri, &[], None).await;
            answer.map(drop).map_err(|lost| Error::Unreachable(lost.reason))
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
