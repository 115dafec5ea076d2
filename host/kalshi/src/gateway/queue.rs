//! Where orders stand in their queues: which markets to ask of, a part of them at a time (PROTOCOL.md 3.6).
//!
//! Pure. One answer tells of all orders of the account in the markets that were named, those of others too.

use super::request::escaped;
use crate::convert;
use crate::error::Error;
use crate::wire;
use isobar_engine::event::QueueRead;
use std::collections::BTreeSet;

pub(super) const PATH: &str = "/portfolio/orders/queue_positions";

/// Most markets in one question: an address of 8 KiB is too long for some servers.
const MARKETS: usize = 100;

#[derive(Debug)]
pub(super) struct QueueReading {
    /// Still to be asked of.
    tickers: Vec<String>,
    read: Vec<QueueRead>,
}

impl QueueReading {
    /// Nothing where no market is named.
    pub fn new(tickers: BTreeSet<&str>) -> Option<Self> {
        let tickers: Vec<String> = tickers.into_iter().map(escaped).collect();
        (!tickers.is_empty()).then(|| Self { tickers, read: Vec::new() })
    }

    /// The query of the next part. Asked again without an answer between, it says the same.
    pub fn query(&self) -> String {
        format!("market_tickers={}", self.part().join(","))
    }

    fn part(&self) -> &[String] {
        &self.tickers[self.tickers.len().saturating_sub(MARKETS)..]
    }

    /// Takes the body of a success; gives all that was read after the last part.
    pub fn answered(&mut self, body: &[u8]) -> Result<Option<Vec<QueueRead>>, Error> {
        let malformed = |reason: String| Error::Malformed { request: PATH.to_owned(), reason };
        let body: wire::QueuePositionsBody =
            serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
        for position in body.queue_positions.unwrap_or_default() {
            let ahead = convert::quantity(position.queue_position_fp.as_bytes())
                .ok_or_else(|| malformed(position.queue_position_fp.clone()))?;
            self.read.push(QueueRead { id: position.order_id, ahead });
        }
        self.tickers.truncate(self.tickers.len() - self.part().len());
        Ok(self.tickers.is_empty().then(|| std::mem::take(&mut self.read)))
    }
}
