//! `wss` and `https` over rustls: a certificate of a trusted authority is taken, any other is not. The certificates of
//! `testdata` belong to nobody; the trusted roots are the system's, so the tests run themselves again with other roots.

use futures_util::SinkExt;
use isobar_engine::units::Timestamp;
use isobar_kalshi::Error;
use isobar_kalshi::feed::{Feed, FeedEvent};
use isobar_kalshi::gateway::Link;
use isobar_kalshi::rest::Rest;
use isobar_kalshi::sign::{Credentials, Reuse};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

const TIMEOUT: Duration = Duration::from_secs(10);
const ROOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/tls/ca.pem");

fn acceptor() -> TlsAcceptor {
    let certificate =
        CertificateDer::from_pem_slice(include_bytes!("../testdata/tls/server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../testdata/tls/server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the certificate fits the key");
    TlsAcceptor::from(Arc::new(config))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Runs one of the ignored tests below in a process of its own that trusts the authority of `testdata`.
fn with_roots(test: &str) {
    let program = std::env::current_exe().expect("this program");
    let run = Command::new(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("SSL_CERT_FILE", ROOTS)
        .env_remove("SSL_CERT_DIR")
        .output();
    let run = run.expect("the same program again");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn the_feed_speaks_wss_to_a_venue_that_is_trusted() {
    with_roots("wss");
}

#[test]
fn rest_speaks_https_to_a_venue_that_is_trusted() {
    with_roots("https");
}

#[test]
fn orders_go_over_https_to_a_venue_that_is_trusted() {
    with_roots("orders");
}

/// Answers one request and gives its head, in lower case.
async fn answer(stream: &mut TlsStream<TcpStream>, body: &str) -> String {
    let mut head = vec![0; 8_192];
    let length = stream.read(&mut head).await.expect("a request");
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.expect("sent");
    stream.flush().await.expect("sent");
    String::from_utf8_lossy(&head[..length]).to_lowercase()
}

fn link(base: &str) -> Link {
    let pem = include_bytes!("../testdata/keys/ed25519.pem");
    let key = Arc::new(Credentials::from_pem("id", pem).expect("a key"));
    Link::new(base, TIMEOUT, key, 2_000_000_000, Reuse::WithinLife).expect("an address")
}

#[test]
fn a_venue_that_nobody_vouches_for_is_not_spoken_to() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            let acceptor = acceptor();
            while let Ok((stream, _)) = listener.accept().await {
                assert!(acceptor.accept(stream).await.is_err(), "the client must not go on");
            }
        });
        let feed = Feed::connect(&format!("wss://localhost:{port}/trade-api/ws/v2"), &[], TIMEOUT).await;
        assert!(matches!(feed, Err(Error::Unreachable(_))), "{feed:?}");
        let rest = Rest::new(&format!("https://localhost:{port}/trade-api/v2"), TIMEOUT).expect("an address");
        let status = rest.exchange_status().await;
        assert!(matches!(&status, Err(Error::Unreachable(_))), "{status:?}");
        let warm = link(&format!("https://localhost:{port}/trade-api/v2")).warm().await;
        assert!(matches!(&warm, Err(Error::Unreachable(_))), "{warm:?}");
    });
}

#[test]
#[ignore = "needs other trusted roots: run by the_feed_speaks_wss_to_a_venue_that_is_trusted"]
fn wss() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("wss://localhost:{}/trade-api/ws/v2", listener.local_addr().expect("an address").port());
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let stream = acceptor().accept(stream).await.expect("TLS");
            #[allow(clippy::result_large_err)]
            let signed = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
                assert_eq!(request.headers()["kalshi-access-timestamp"], "1781159348123");
                Ok(response)
            };
            let mut socket = tokio_tungstenite::accept_hdr_async(stream, signed).await.expect("a handshake");
            socket.send(Message::text("hello")).await.expect("sent");
        });
        let pem = include_bytes!("../testdata/keys/ed25519.pem");
        let key = Credentials::from_pem("id", pem).expect("a key");
        let now = Timestamp(1_781_159_348_123_456_789);
        let mut feed = Feed::connect_as(&url, &key, now, TIMEOUT).await.expect("connected");
        assert_eq!(feed.next().await, FeedEvent::Text("hello".into()));
        server.await.expect("served");
    });
}

#[test]
#[ignore = "needs other trusted roots: run by rest_speaks_https_to_a_venue_that_is_trusted"]
fn https() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("https://localhost:{}/trade-api/v2", listener.local_addr().expect("an address").port());
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let mut stream = acceptor().accept(stream).await.expect("TLS");
            let body = r#"{"balance":9801,"balance_dollars":"98.0186","portfolio_value":198,"updated_ts":1}"#;
            let head = answer(&mut stream, body).await;
            assert!(head.starts_with("get /trade-api/v2/portfolio/balance http/1.1\r\n"), "{head}");
            assert!(head.contains("kalshi-access-signature: "), "{head}");
        });
        let pem = include_bytes!("../testdata/keys/ed25519.pem");
        let key = Arc::new(Credentials::from_pem("id", pem).expect("a key"));
        let rest = Rest::new(&base, TIMEOUT).expect("an address").with_key(key, || Timestamp(1));
        assert_eq!(rest.balance().await.expect("a balance").balance_dollars, "98.0186");
    });
}

#[test]
#[ignore = "needs other trusted roots: run by orders_go_over_https_to_a_venue_that_is_trusted"]
fn orders() {
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("https://localhost:{}/trade-api/v2", listener.local_addr().expect("an address").port());
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let mut stream = acceptor().accept(stream).await.expect("TLS");
            // One connection serves them all.
            for _ in 0..3 {
                let head = answer(&mut stream, "{}").await;
                assert!(head.starts_with("get /trade-api/v2/exchange/status http/1.1\r\nhost: localhost:"), "{head}");
            }
        });
        let link = link(&base);
        for _ in 0..3 {
            link.warm().await.expect("an answer");
        }
        server.await.expect("served");
    });
}
