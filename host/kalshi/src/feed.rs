//! One WebSocket connection to the venue, for the driver's own current-thread runtime.
//!
//! It owns the socket and nothing else: frames are handed on as received, without a copy. Its methods are cancel-safe. `wss`
//! trusts the system's roots. It never reconnects by itself; that is decided by the protocol core and done by the driver,
//! whose waits between attempts are those of [`crate::backoff`].

use crate::error::{Error, VenueError};
use crate::sign::Credentials;
use futures_util::{FutureExt, SinkExt, StreamExt};
use isobar_engine::units::Timestamp;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub use tokio_tungstenite::tungstenite::Bytes;

/// Largest message that the venue sends (PROTOCOL.md 2.1).
const LARGEST_MESSAGE: usize = 64 << 20;
/// About sixty deltas a read. The library fills so many bytes with zeros before each read, so a larger buffer, which would
/// save system calls in a flood, costs every single frame time and the processor's caches.
const READ_BUFFER: usize = 16 << 10;

/// What came out of the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// A text frame (or, never seen so far, a binary one) as received.
    Text(Bytes),
    /// A Pong, or a Ping of the venue that is answered already: the connection lives.
    Pong,
    /// The connection is over, for this reason; nothing more comes.
    Closed(String),
}

/// An open connection.
#[derive(Debug)]
pub struct Feed {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    closed: bool,
    /// Something was read since [`acknowledge`].
    read: bool,
}

impl Feed {
    /// Opens a connection within `timeout`, as the owner of the key: the venue wants every connection signed. `now` is the
    /// time of the signature.
    pub async fn connect_as(
        url: &str,
        credentials: &Credentials,
        now: Timestamp,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let request = url.into_client_request();
        let path = request.map(|request| request.uri().path().to_owned()).unwrap_or_default();
        Self::connect(url, &credentials.sign(now, "GET", &path).pairs(), timeout).await
    }

    /// Opens a connection within `timeout`, with further `headers` on the upgrade request (those of the signature).
    pub async fn connect(url: &str, headers: &[(&str, &str)], timeout: Duration) -> Result<Self, Error> {
        let address = |reason: String| Error::Address { address: url.to_owned(), reason };
        let mut request = url.into_client_request().map_err(|error| address(error.to_string()))?;
        for (name, value) in headers {
            let name: HeaderName = name.parse().map_err(|_| address(format!("header name {name:?}")))?;
            let value = HeaderValue::from_str(value).map_err(|_| address(format!("value of header {name}")))?;
            request.headers_mut().insert(name, value);
        }
        // An error says that the process has a provider already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        let connecting = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
        match tokio::time::timeout(timeout, connecting).await {
            Ok(Ok((socket, _))) => Ok(Self { socket, closed: false, read: true }),
            Ok(Err(error)) => Err(refused(url, error)),
            Err(_) => Err(Error::TimedOut(timeout)),
        }
    }

    /// Waits for the next event. After [`FeedEvent::Closed`] it never completes.
    pub async fn next(&mut self) -> FeedEvent {
        loop {
            if self.closed {
                std::future::pending::<()>().await;
            }
            if std::mem::take(&mut self.read) {
                acknowledge(self.socket.get_ref());
            }
            let read = self.socket.next().await;
            if let Some(event) = self.event(read) {
                return event;
            }
        }
    }

    /// The next event that is here already, without waiting. Nothing does not mean that the socket is empty (the runtime
    /// may want its turn): go back to [`Feed::next`].
    pub fn try_next(&mut self) -> Option<FeedEvent> {
        while !self.closed {
            let read = self.socket.next().now_or_never()?;
            if let Some(event) = self.event(read) {
                return Some(event);
            }
        }
        None
    }

    /// Sends a text frame.
    pub async fn send_text(&mut self, text: String) -> Result<(), Error> {
        self.send(Message::text(text)).await
    }

    /// Sends a Ping.
    pub async fn ping(&mut self) -> Result<(), Error> {
        self.send(Message::Ping(Bytes::new())).await
    }

    /// Says goodbye and closes, without waiting for the venue to agree.
    pub async fn close(mut self) {
        // Whoever closes no longer cares whether the venue heard it.
        let _ = self.send(Message::Close(None)).await;
    }

    async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.socket.send(message).await.map_err(|error| Error::Unreachable(error.to_string()))
    }

    fn event(&mut self, read: Option<Result<Message, tungstenite::Error>>) -> Option<FeedEvent> {
        self.read = true;
        let reason = match read {
            Some(Ok(Message::Text(text))) => return Some(FeedEvent::Text(text.into())),
            Some(Ok(Message::Binary(bytes))) => return Some(FeedEvent::Text(bytes)),
            // The answer to a Ping is queued by tungstenite and leaves with the next read or write.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Some(FeedEvent::Pong),
            Some(Ok(Message::Frame(_))) => return None,
            Some(Ok(Message::Close(Some(frame)))) => format!("closed by the venue: {} {}", frame.code, frame.reason),
            Some(Ok(Message::Close(None))) => "closed by the venue".to_owned(),
            Some(Err(error)) => error.to_string(),
            None => "hung up".to_owned(),
        };
        self.closed = true;
        Some(FeedEvent::Closed(reason))
    }
}

/// Acknowledges what was read, and has the next read do so later. Otherwise every second small frame is acknowledged by the
/// read that brings it, before the frame is given out.
fn acknowledge(stream: &MaybeTlsStream<TcpStream>) {
    let stream = match stream {
        MaybeTlsStream::Plain(stream) => stream,
        MaybeTlsStream::Rustls(stream) => stream.get_ref().0,
        _ => return,
    };
    // It is a hint: a system that does not take it is a little slower.
    let _ = stream.set_quickack(true).and_then(|()| stream.set_quickack(false));
}

fn refused(url: &str, error: tungstenite::Error) -> Error {
    match error {
        tungstenite::Error::Url(error) => Error::Address { address: url.to_owned(), reason: error.to_string() },
        tungstenite::Error::Http(response) => {
            let (status, body) = (response.status().as_u16(), response.body().as_deref().unwrap_or_default());
            let unclear = || VenueError::Unclear { status, detail: String::new() };
            VenueError::of(status, body).unwrap_or_else(unclear).into()
        }
        other => Error::Unreachable(other.to_string()),
    }
}
