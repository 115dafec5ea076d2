//! What the tests of this crate share: listed markets, a protocol with a clock, and where recordings are.
#![allow(dead_code, missing_docs)]

use isobar_engine::event::{Body, Input, Opening};
use isobar_engine::market::{FeeSchedule, Ladder, Market, MarketId, MarketStatus, Strike};
use isobar_engine::units::{Price, SECOND, Timestamp};
use isobar_kalshi::protocol::{Protocol, Transmit};
use std::path::PathBuf;

/// The markets of the hand-written frames.
pub const BRACKET: &str = "KXHIGHCHI-26NOV23-B33.5";
pub const TAIL: &str = "KXHIGHCHI-26NOV23-T40";

pub fn market(number: usize, ticker: &str) -> Market {
    Market {
        id: MarketId(number as u16),
        ticker: ticker.into(),
        event: ticker.rsplit_once('-').map_or(ticker, |(event, _)| event).into(),
        series: ticker.split('-').next().unwrap_or_default().into(),
        strike: Strike::Other,
        ladder: Ladder::uniform(Price::new(10).expect("a tenth of a cent")),
        fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
        status: MarketStatus::Active,
        opens: Timestamp(0),
        closes: Timestamp(i64::MAX),
    }
}

pub fn markets<'a>(tickers: impl IntoIterator<Item = &'a str>) -> Vec<Market> {
    tickers.into_iter().enumerate().map(|(number, ticker)| market(number, ticker)).collect()
}

/// A protocol, the time, and what it wanted to send.
pub struct Bench {
    pub protocol: Protocol,
    pub at: Timestamp,
    pub sent: Vec<Transmit>,
}

impl Bench {
    /// Markets listed, silence noticed after `stale_after` seconds, nothing connected.
    pub fn new(tickers: &[&str], stale_after: i64) -> Self {
        let mut bench = Self { protocol: Protocol::new(), at: Timestamp(0), sent: Vec::new() };
        bench.apply(&Input::Opening(Opening {
            run: "r1".into(),
            engine: "test".into(),
            clock: "stamped".into(),
            stale_after: stale_after * SECOND,
            source: "test".into(),
            late_after: 0,
        }));
        bench.apply(&Input::Listed(markets(tickers.iter().copied())));
        bench
    }

    /// The two markets of the hand-written frames on connection 0, which somebody else subscribed.
    pub fn observed(use_yes_price: bool) -> Self {
        let mut bench = Self::new(&[BRACKET, TAIL], 60);
        bench.apply(&Input::Connected { connection: 0, use_yes_price, observed: true, private: false });
        bench
    }

    pub fn apply(&mut self, input: &Input<'_>) -> Body {
        self.protocol.apply(self.at, input, &mut self.sent)
    }

    pub fn frame(&mut self, text: &str) -> Body {
        self.apply(&Input::Frame { connection: 0, text: text.as_bytes() })
    }

    /// Ticks once a second; gives the bodies that are not plain ticks, with their second.
    pub fn wait(&mut self, seconds: i64) -> Vec<(i64, Body)> {
        let mut news = Vec::new();
        for _ in 0..seconds {
            self.at = self.at.plus(SECOND);
            let body = self.apply(&Input::Tick);
            if body != Body::Tick {
                news.push((self.at.0 / SECOND, body));
            }
        }
        news
    }

    /// The texts sent since the last call.
    pub fn texts(&mut self) -> Vec<String> {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter()
            .filter_map(|sent| if let Transmit::Text { text, .. } = sent { Some(text) } else { None })
            .collect()
    }
}

/// The hand-written frames, one of each type.
pub fn frames() -> Vec<&'static str> {
    include_str!("../../testdata/frames.jsonl").lines().collect()
}

/// The folder of recordings, where there is one.
pub fn recordings(part: &str) -> Option<PathBuf> {
    let given = std::env::var_os("ISOBAR_DATA").map(PathBuf::from);
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let folder = given.unwrap_or(beside).join(part);
    if !folder.is_dir() {
        eprintln!("skipped: no recordings ({part}); set ISOBAR_DATA to their folder");
        return None;
    }
    Some(folder)
}

/// The lines of a capture, plain or packed.
pub fn capture(path: &std::path::Path) -> String {
    let bytes = std::fs::read(path).expect("a readable capture");
    let bytes = if path.extension().is_some_and(|end| end == "zst") {
        zstd::decode_all(&bytes[..]).expect("zstd")
    } else {
        bytes
    };
    String::from_utf8(bytes).expect("UTF-8")
}

/// The verbatim frame of a capture's line, with its connection and time.
pub fn line(line: &str) -> (i64, u32, Option<&str>) {
    #[derive(serde::Deserialize)]
    struct Head {
        recv_ns: i64,
        conn: i64,
    }
    let head: Head = serde_json::from_str(line).expect("a line of a capture");
    let frame = line.find("\"frame\":").map(|at| line[at + 8..].trim_end().strip_suffix('}').expect("an object"));
    (head.recv_ns, head.conn.max(0) as u32, frame)
}
