//! Pages over HTTP: tries and pauses, a bound on their size, and what was read before.
//!
//! It owns when a page was first seen and when its server last said that it is current. It refuses to hand out a page that
//! its server did not confirm: where the server is down the answer is an error, never what it said an hour ago. It does
//! not follow redirects (a key would be told to another host) and never writes a query into an error.

use crate::{Error, Secret};
use isobar_engine::units::{SECOND, Timestamp};
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use std::collections::BTreeMap;
use std::time::Duration;

/// First pause between two tries; it doubles up to [`LONGEST_PAUSE`].
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(50);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Pages that are kept; the one that was confirmed longest ago makes room.
const MOST_PAGES: usize = 128;
/// A page that was not confirmed for so long, nanoseconds, is forgotten, unless it need not be asked for yet.
const FORGOTTEN: i64 = 15 * 60 * SECOND;

/// The time of the run, asked for after an answer has arrived: what is stamped with it was known then.
pub type Now<'a> = &'a (dyn Fn() -> Timestamp + Send + Sync);

/// How patient a source is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Longest that one page may take, tries and pauses together.
    pub deadline: Duration,
    /// A page that was confirmed less than this ago, on the clock of the run, is not asked for again, nanoseconds.
    pub interval: i64,
    /// Largest page, bytes. A longer one is refused before it is read whole.
    pub most_bytes: usize,
}

impl Default for Patience {
    /// Ten seconds, a minute, eight megabytes.
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), interval: 60 * SECOND, most_bytes: 8 << 20 }
    }
}

/// What a server said.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) body: Vec<u8>,
    /// When it last said so.
    pub(crate) confirmed: Timestamp,
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
}

/// A request: an address without its query, and the query. The last pair may be secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) url: &'a str,
    pub(crate) query: &'a [(&'a str, String)],
    pub(crate) secret: Option<(&'a str, &'a Secret)>,
}

impl<'a> Request<'a> {
    pub(crate) const fn new(url: &'a str, query: &'a [(&'a str, String)]) -> Self {
        Self { url, query, secret: None }
    }

    /// What tells two pages apart. The secret is not in it.
    fn key(&self) -> String {
        self.query.iter().fold(self.url.to_owned(), |key, (name, value)| format!("{key}&{name}={value}"))
    }
}

/// How one try ended without a page.
enum Miss {
    /// Another try may do better.
    Again(String),
    /// It will not.
    Never(String),
}

/// A client with a memory.
#[derive(Debug)]
pub(crate) struct Transport {
    client: reqwest::Client,
    pub(crate) patience: Patience,
    pages: BTreeMap<String, Page>,
}

/// A client that names itself, as the National Weather Service asks, and follows no redirect.
///
/// # Errors
/// Where the machine has no usable TLS.
pub fn client(contact: &str) -> Result<reqwest::Client, Error> {
    // An error says that the process has a provider already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let agent = format!("isobar/{} ({contact})", env!("CARGO_PKG_VERSION"));
    let client = reqwest::Client::builder().user_agent(agent).redirect(reqwest::redirect::Policy::none()).build();
    client.map_err(|error| Error::Invalid { origin: "HTTP client".to_owned(), reason: error.to_string() })
}

impl Transport {
    pub(crate) fn new(client: reqwest::Client, patience: Patience) -> Self {
        Self { client, patience, pages: BTreeMap::new() }
    }

    /// The page, from memory where it was confirmed within the interval, else from its server.
    ///
    /// # Errors
    /// [`Error::Unavailable`] at the deadline, [`Error::Invalid`] where asking again will not help.
    pub(crate) async fn get(&mut self, request: Request<'_>, now: Now<'_>) -> Result<&Page, Error> {
        let key = request.key();
        let fresh = |page: &Page| (0..self.patience.interval).contains(&now().since(page.confirmed));
        if !self.pages.get(&key).is_some_and(fresh) {
            let answer = self.ask(request, self.pages.get(&key)).await?;
            let confirmed = now();
            match answer {
                Some(page) => {
                    self.make_room(confirmed);
                    self.pages.insert(key.clone(), Page { confirmed, ..page });
                }
                None => {
                    self.pages.entry(key.clone()).and_modify(|page| page.confirmed = confirmed);
                }
            }
        }
        Ok(self.pages.get(&key).expect("it was there, or was put there above"))
    }

    fn make_room(&mut self, now: Timestamp) {
        let kept = FORGOTTEN.max(self.patience.interval);
        self.pages.retain(|_, page| now.since(page.confirmed) <= kept);
        while self.pages.len() >= MOST_PAGES {
            let oldest = self.pages.iter().min_by_key(|(_, page)| page.confirmed).map(|(key, _)| key.clone());
            self.pages.remove(&oldest.expect("the memory is not empty"));
        }
    }

    /// Asks until the deadline. Nothing where the server says that `known` is still what it says.
    async fn ask(&self, request: Request<'_>, known: Option<&Page>) -> Result<Option<Page>, Error> {
        let mut last = "no answer".to_owned();
        let tries = async {
            let mut pause = FIRST_PAUSE;
            loop {
                match self.once(request, known).await {
                    Ok(page) => return Ok(page),
                    Err(Miss::Never(reason)) => return Err(Error::Invalid { origin: request.url.to_owned(), reason }),
                    Err(Miss::Again(reason)) => {
                        tracing::debug!(url = %request.url, %reason, "no weather yet");
                        last = reason;
                    }
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        let result = tokio::time::timeout(self.patience.deadline, tries).await;
        result.unwrap_or_else(|_| Err(Error::Unavailable { url: request.url.to_owned(), last }))
    }

    async fn once(&self, request: Request<'_>, known: Option<&Page>) -> Result<Option<Page>, Miss> {
        // The address of a failed request holds its query, and with it the key.
        let again = |error: reqwest::Error| Miss::Again(error.without_url().to_string());
        let mut call = self.client.get(request.url).query(request.query);
        if let Some((name, secret)) = request.secret {
            call = call.query(&[(name, secret.expose())]);
        }
        for (condition, value) in [
            (IF_NONE_MATCH, known.and_then(|page| page.etag.as_ref())),
            (IF_MODIFIED_SINCE, known.and_then(|page| page.modified.as_ref())),
        ] {
            if let Some(value) = value {
                call = call.header(condition, value);
            }
        }
        let mut response = call.send().await.map_err(again)?;
        let status = response.status();
        if status == reqwest::StatusCode::NOT_MODIFIED && known.is_some() {
            return Ok(None);
        }
        if status != reqwest::StatusCode::OK {
            let later = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
            let reason = format!("status {}", status.as_u16());
            return Err(if later { Miss::Again(reason) } else { Miss::Never(reason) });
        }
        let copy = |headers: &HeaderMap, name: HeaderName| headers.get(name).cloned();
        let (etag, modified) = (copy(response.headers(), ETAG), copy(response.headers(), LAST_MODIFIED));
        let most = self.patience.most_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(again)? {
            if body.len() + chunk.len() > most {
                return Err(Miss::Never(format!("more than {most} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(Page { body, confirmed: Timestamp(i64::MIN), etag, modified }))
    }
}
