//! The client for requests about orders: one connection that stays open, and nothing on the way to it.
//!
//! Where a general client looks for redirects, proxies, cookies and a second try, a request about an order wants none of
//! them; leaving them out saves a tenth of the time from a frame to its order (docs/benchmarks.md). Nothing is sent twice: a
//! request goes over another connection only where the one that was open proved to be gone before a byte was written.

use super::{Answer, Lost};
use crate::rest::plain;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls_platform_verifier::ConfigVerifierExt;
use std::time::Duration;

/// See the module. Clones share the connection.
#[derive(Clone, Debug)]
pub(super) struct Client {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl Client {
    /// A request without answer within `timeout` is lost. `https` trusts the system's roots.
    pub fn new(timeout: Duration) -> Result<Self, rustls::Error> {
        // An error says that the process has a provider already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_connect_timeout(Some(timeout));
        let tls = rustls::ClientConfig::with_platform_verifier()?;
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let client =
            legacy::Client::builder(TokioExecutor::new()).pool_idle_timeout(None).build(https.wrap_connector(http));
        Ok(Self { client, timeout })
    }

    /// One request with its answer; `body` is JSON.
    pub async fn send(
        &self,
        method: Method,
        uri: Uri,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, Lost> {
        let unsent = |reason: String| Lost { sent: false, reason };
        let json = body.is_some();
        let mut request = Request::new(Full::from(body.unwrap_or_default()));
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| unsent(error.to_string()))?;
            let value = HeaderValue::from_str(value).map_err(|error| unsent(error.to_string()))?;
            request.headers_mut().insert(name, value);
        }
        if json {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        // Before the connection stands nothing can have been sent; after it, anything may have been.
        let exchange = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|error| Lost { sent: !error.is_connect(), reason: plain(&error) })?;
            let status = answer.status().as_u16();
            match answer.into_body().collect().await {
                Ok(body) => Ok(Answer { status, body: body.to_bytes().into() }),
                Err(error) => Err(Lost { sent: true, reason: plain(&error) }),
            }
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Lost { sent: true, reason: format!("no answer within {:?}", self.timeout) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn what_nobody_took_was_not_sent_and_what_nobody_answers_may_have_been() {
        let client = Client::new(Duration::from_millis(200)).expect("a client");
        let ask = async |port: u16| {
            let uri = format!("http://127.0.0.1:{port}/trade-api/v2/portfolio/events/orders").parse().expect("a URI");
            client.send(Method::POST, uri, &[("KALSHI-ACCESS-KEY", "id")], Some("{}".to_owned())).await
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        // The system takes the connection and nobody reads from it.
        let silent = ask(port).await.expect_err("no answer");
        assert!(silent.sent && silent.reason.starts_with("no answer within"), "{silent:?}");
        let hung_up = tokio::join!(ask(port), async {
            for _ in 0..2 {
                drop(listener.accept().await.expect("a client"));
            }
        });
        let hung_up = hung_up.0.expect_err("hung up");
        assert!(hung_up.sent, "{hung_up:?}");
        drop(listener);
        let refused = ask(port).await.expect_err("nobody listens");
        assert!(!refused.sent && !refused.reason.is_empty(), "{refused:?}");
    }

    /// The connection was used before, so the client could think that it is merely stale.
    #[tokio::test]
    async fn what_was_read_is_not_sent_again_and_what_met_a_closed_connection_goes_over_another_once() {
        let client = Client::new(Duration::from_secs(5)).expect("a client");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri: Uri = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URI");
        // How many requests each connection is answered, and whether one more is read before it is closed.
        let venue = tokio::spawn(async move {
            let mut read = Vec::new();
            for (answers, reads_on) in [(1, true), (1, false), (1, false)] {
                let (mut stream, _) = listener.accept().await.expect("a client");
                for request in 0..answers + usize::from(reads_on) {
                    let mut bytes = vec![0; 4_096];
                    let length = stream.read(&mut bytes).await.expect("a request");
                    read.push(String::from_utf8_lossy(&bytes[..length]).lines().last().unwrap_or_default().to_owned());
                    if request < answers {
                        stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").await.expect("sent");
                    }
                }
            }
            read
        });
        let mut told = Vec::new();
        for body in ["a", "b", "c", "d"] {
            let answer = client.send(Method::POST, uri.clone(), &[], Some(body.to_owned())).await;
            told.push(answer.map(|answer| answer.status).map_err(|lost| lost.sent));
            // The end of a connection has to arrive before it can be found to be over.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(told, [Ok(201), Err(true), Ok(201), Ok(201)]);
        assert_eq!(venue.await.expect("served"), ["a", "b", "c", "d"], "each once");
    }
}
