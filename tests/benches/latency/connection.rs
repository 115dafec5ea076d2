//! One accepted connection, by blocking reads: whole HTTP requests with the moment at which each was whole, then, after an
//! upgrade, the text frames of a WebSocket client.
//!
//! It speaks just the HTTP/1.1 and RFC 6455 of a trading client: bodies by `content-length`, unfragmented messages. What it
//! does not know ends the connection. It writes nothing by itself.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::Instant;

/// More than any request of a trading client; a longer one ends the connection.
const LARGEST: usize = 1 << 20;

/// A request as it was sent.
pub struct Request {
    pub method: String,
    /// From the host's root, without its query.
    pub path: String,
    pub query: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// When its last byte had been read.
    pub whole: Instant,
}

impl Request {
    /// The value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter of the query. The venue's values need no decoding.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// What a WebSocket client sent.
pub enum Frame {
    Text(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close,
}

/// The reading half of a connection.
pub struct Incoming {
    stream: TcpStream,
    buffer: Vec<u8>,
    last_read: Instant,
}

impl Incoming {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new(), last_read: Instant::now() }
    }

    /// The next request; nothing where the client hung up between two.
    pub fn request(&mut self) -> io::Result<Option<Request>> {
        loop {
            if let Some((mut request, length)) = head(&self.buffer)? {
                if self.buffer.len() >= length {
                    request.whole = self.last_read;
                    let whole: Vec<u8> = self.buffer.drain(..length).collect();
                    request.body = whole[length - request.body_length()?..].to_vec();
                    return Ok(Some(request));
                }
                if length > LARGEST {
                    return Err(ErrorKind::InvalidData.into());
                }
            } else if self.buffer.len() > LARGEST {
                return Err(ErrorKind::InvalidData.into());
            }
            match self.fill() {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof && self.buffer.is_empty() => return Ok(None),
                other => other?,
            }
        }
    }

    /// The next frame of a WebSocket client.
    pub fn frame(&mut self) -> io::Result<Frame> {
        loop {
            if let Some((opcode, payload, length)) = unmask(&self.buffer)? {
                self.buffer.drain(..length);
                return match opcode {
                    0x1 | 0x2 => Ok(Frame::Text(payload)),
                    0x8 => Ok(Frame::Close),
                    0x9 => Ok(Frame::Ping(payload)),
                    0xA => Ok(Frame::Pong),
                    _ => Err(ErrorKind::InvalidData.into()),
                };
            }
            self.fill()?;
        }
    }

    /// Waits for more bytes.
    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 << 10];
        let read = self.stream.read(&mut chunk)?;
        self.last_read = Instant::now();
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(())
    }
}

impl Request {
    fn body_length(&self) -> io::Result<usize> {
        match (self.header("content-length"), self.header("transfer-encoding")) {
            (None, None) => Ok(0),
            (Some(length), None) => length.parse().map_err(|_| ErrorKind::InvalidData.into()),
            (_, Some(_)) => Err(ErrorKind::Unsupported.into()),
        }
    }
}

/// The head at the beginning of `bytes`, and the length of the request with its body; nothing while it is not whole.
fn head(bytes: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| ErrorKind::InvalidData)?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(_)) = (first.next(), first.next(), first.next()) else {
        return Err(ErrorKind::InvalidData.into());
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.filter_map(|line| line.split_once(':'));
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect(),
        body: Vec::new(),
        whole: Instant::now(),
    };
    let length = end + 4 + request.body_length()?;
    Ok(Some((request, length)))
}

/// Opcode, payload and length of the masked frame at the beginning of `bytes`; nothing while it is not whole.
fn unmask(bytes: &[u8]) -> io::Result<Option<(u8, Vec<u8>, usize)>> {
    let [first, second, ..] = *bytes else { return Ok(None) };
    // Clients mask, and none of those measured here breaks its commands into pieces.
    if first & 0x80 == 0 || second & 0x80 == 0 {
        return Err(ErrorKind::InvalidData.into());
    }
    let big_endian = |from: usize, size: usize| {
        bytes
            .get(from..from + size)
            .map(|digits| digits.iter().fold(0usize, |sum, digit| sum << 8 | usize::from(*digit)))
    };
    let (length, mask_at) = match second & 0x7F {
        126 => (big_endian(2, 2), 4),
        127 => (big_endian(2, 8), 10),
        short => (Some(usize::from(short)), 2),
    };
    let Some(length) = length else { return Ok(None) };
    if length > LARGEST {
        return Err(ErrorKind::InvalidData.into());
    }
    let from = mask_at + 4;
    let (Some(mask), Some(masked)) = (bytes.get(mask_at..from), bytes.get(from..from + length)) else {
        return Ok(None);
    };
    let payload = masked.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Ok(Some((first & 0x0F, payload, from + length)))
}

/// A whole frame from the server's side.
pub fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    let length = u64::try_from(payload.len()).expect("a length has at most 64 bits").to_be_bytes();
    match payload.len() {
        0..=125 => frame.push(length[7]),
        126..=0xFFFF => {
            frame.push(126);
            frame.extend_from_slice(&length[6..]);
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&length);
        }
    }
    frame.extend_from_slice(payload);
    frame
}
