//! One WebSocket: commands go to the venue, what the venue rendered for this client goes out.
//!
//! The upgrade is hyper's and the frames are tungstenite's, on the port of REST. Everything that waits is written before
//! the socket is flushed once. It decides nothing about content.

use crate::render::Outbox;
use crate::server::Shared;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

/// Distance of the venue's Pings, in wall time (PROTOCOL.md 2.1).
const HEARTBEAT: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

pub(crate) async fn upgrade(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (Some(accept), Some(upgrade)) = (key, upgrade) else {
        return (StatusCode::BAD_REQUEST, "expected a WebSocket upgrade").into_response();
    };
    let (parts, _) = request.into_parts();
    let connection = match shared.connect(&crate::server::read(&parts, String::new())) {
        Ok(connection) => connection,
        Err(answer) => return crate::server::respond(answer),
    };
    let accept = HeaderValue::from_str(&accept).expect("Base64 is a header value");
    tokio::spawn(async move {
        let told = shared.open(connection);
        if let Ok(upgraded) = upgrade.await {
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            if let Err(error) = serve(&shared, connection, socket, &told).await {
                tracing::debug!(connection, %error, "a client left");
            }
        }
        shared.close(connection);
    });
    let switch = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, switch, [(header::SEC_WEBSOCKET_ACCEPT, accept)]).into_response()
}

async fn serve(shared: &Shared, connection: u64, mut socket: Socket, told: &Notify) -> Result<(), Error> {
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    shared.command(connection, &text);
                }
                // Pings are answered by the reading itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => continue,
                None | Some(Ok(Message::Close(_))) => return Ok(()),
                Some(Err(error)) => return Err(error),
            },
            () = told.notified() => {}
            _ = heartbeat.tick() => {
                socket.send(Message::Ping(Bytes::from_static(b"heartbeat"))).await?;
                continue;
            }
        }
        let (out, closing) = shared.take(connection);
        write(&mut socket, out).await?;
        shared.written(connection);
        if closing {
            return Ok(());
        }
    }
}

async fn write(socket: &mut Socket, out: Outbox) -> Result<(), Error> {
    if out.ends.is_empty() {
        return Ok(());
    }
    let text = Bytes::from(out.text);
    let mut begin = 0;
    for end in out.ends {
        let end = end as usize;
        let frame = Utf8Bytes::try_from(text.slice(begin..end)).expect("messages are rendered as UTF-8");
        socket.feed(Message::Text(frame)).await?;
        begin = end;
    }
    socket.flush().await
}
