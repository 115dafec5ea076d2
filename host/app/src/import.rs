//! Import: turns a capture of the venue's WebSocket into a run, stamped with the times at which it was received.
//!
//! Line format: `{"recv_ns":…,"conn":N,"frame":{…}}` is one text frame, `{"recv_ns":…,"conn":N,"control":…}` a note of
//! the recorder. Frames are journaled byte for byte as they stand in the line.

use crate::registry::Registry;
use crate::slot::{Answer, Slot, World};
use anyhow::{Context, Result, bail};
use isobar_engine::engine::{self, Settings};
use isobar_engine::event::{Component, Fault, Input, Opening};
use isobar_engine::market::{FeeSchedule, Ladder, Market, MarketId, MarketStatus, Strike};
use isobar_engine::snapshot::Snapshot;
use isobar_engine::units::{Price, SECOND, Timestamp};
use isobar_kalshi::protocol::Protocol;
use isobar_store::{FeedWriter, Layout, Run, SlotRecord, SlotWriter};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Instant;

/// Name of the slot of an imported run. It holds no component: its checkpoints are what a replay compares with.
pub const SLOT: &str = "books";

/// One line of a capture.
#[derive(Deserialize)]
struct Line<'a> {
    recv_ns: i64,
    /// Number of the connection; -1 in a note made before there was one.
    conn: i64,
    #[serde(borrow)]
    frame: Option<&'a RawValue>,
}

/// What was imported.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub run: String,
    pub frames: u64,
    pub markets: usize,
    pub connections: u32,
    pub gaps: u64,
    pub unparsed: u64,
    pub seconds: f64,
}

/// Imports `capture` into a new run in `folder`.
pub fn import(capture: &Path, folder: &Path, use_yes_price: bool, settings: &Settings) -> Result<Outcome> {
    let started = Instant::now();
    let markets = survey(capture)?;
    if markets.is_empty() {
        bail!("{} holds no frame about any market", capture.display());
    }
    let run = Run::create(folder)?;
    let mut importer = Importer::new(&run, settings, capture)?;
    importer.input(&Input::Listed(markets.clone()))?;
    each_line(capture, |number, line| importer.line(number, line, use_yes_price))?;
    importer.finish()?;
    let counts = importer.protocol.counts();
    Ok(Outcome {
        run: folder.display().to_string(),
        frames: counts.frames,
        markets: markets.len(),
        connections: importer.connections,
        gaps: counts.gaps,
        unparsed: counts.unparsed,
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn each_line(capture: &Path, mut each: impl FnMut(usize, &str) -> Result<()>) -> Result<()> {
    let file = File::open(capture).with_context(|| format!("cannot open {}", capture.display()))?;
    let packed = capture.extension().is_some_and(|ending| ending == "zst");
    let reader: Box<dyn Read> = if packed { Box::new(zstd::Decoder::new(file)?) } else { Box::new(file) };
    let mut reader = BufReader::with_capacity(1 << 20, reader);
    let (mut line, mut number) = (String::new(), 0);
    loop {
        line.clear();
        number += 1;
        let read = reader.read_line(&mut line).with_context(|| format!("{}:{number}", capture.display()))?;
        if read == 0 {
            return Ok(());
        }
        if !line.trim().is_empty() {
            each(number, &line).with_context(|| format!("{}:{number}", capture.display()))?;
        }
    }
}

/// The markets that a capture speaks of. It says nothing of strikes, times or grids, so the grid is the coarsest of the
/// venue's steps that every price of the market lies on.
fn survey(capture: &Path) -> Result<Vec<Market>> {
    #[derive(Deserialize)]
    struct Frame<'a> {
        #[serde(borrow)]
        msg: Option<Body<'a>>,
    }
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        market_ticker: Option<Cow<'a, str>>,
        #[serde(borrow)]
        price_dollars: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        yes_dollars_fp: Vec<(Cow<'a, str>, Cow<'a, str>)>,
        #[serde(borrow, default)]
        no_dollars_fp: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    }
    let mut order: Vec<String> = Vec::new();
    let mut steps: BTreeMap<String, u16> = BTreeMap::new();
    each_line(capture, |_, text| {
        let line: Line<'_> = serde_json::from_str(text)?;
        let Some(body) = line.frame.and_then(|f| serde_json::from_str::<Frame<'_>>(f.get()).ok()).and_then(|f| f.msg)
        else {
            return Ok(());
        };
        let Some(ticker) = body.market_ticker else { return Ok(()) };
        let step = steps.entry(ticker.to_string()).or_insert_with(|| {
            order.push(ticker.to_string());
            100
        });
        let ladders = body.yes_dollars_fp.iter().chain(&body.no_dollars_fp).map(|(price, _)| price);
        for price in ladders.chain(&body.price_dollars) {
            let Some(price) = isobar_kalshi::convert::price(price.as_bytes()) else { continue };
            while !price.units().is_multiple_of(*step) {
                *step = if *step == 100 { 10 } else { 1 };
            }
        }
        Ok(())
    })?;
    let mut registry = Registry::default();
    let markets = order.into_iter().map(|ticker| observed(&ticker, steps[&ticker]));
    Ok(registry.found(markets))
}

fn observed(ticker: &str, step: u16) -> Market {
    let (event, _) = ticker.rsplit_once('-').unwrap_or((ticker, ""));
    let (series, _) = ticker.split_once('-').unwrap_or((ticker, ""));
    Market {
        id: MarketId(0),
        ticker: ticker.to_owned(),
        event: event.to_owned(),
        series: series.to_owned(),
        strike: Strike::Other,
        ladder: Ladder::uniform(Price::new(step).expect("a step of a cent or less")),
        fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
        status: MarketStatus::Active,
        opens: Timestamp(0),
        closes: Timestamp(i64::MAX),
    }
}

struct Importer {
    feed: FeedWriter,
    journal: SlotJournal,
    slot: Slot,
    protocol: Protocol,
    at: Timestamp,
    connection: Option<u32>,
    connections: u32,
}

impl Importer {
    fn new(run: &Run, settings: &Settings, capture: &Path) -> Result<Self> {
        let identity = crate::identity::run();
        let mut journal = SlotJournal(run.write_slot(SLOT, Layout::default())?, Ok(()));
        journal.open(&identity, SLOT, settings)?;
        let mut importer = Self {
            feed: run.write_feed(Layout::default())?,
            journal,
            slot: Slot::new(SLOT, settings.clone()),
            protocol: Protocol::new(),
            at: Timestamp(0),
            connection: None,
            connections: 0,
        };
        importer.input(&Input::Opening(Opening {
            run: identity,
            engine: engine::VERSION.to_owned(),
            clock: "stamped".to_owned(),
            stale_after: crate::config::Config::example().feed.stale_after,
            source: capture.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            late_after: 0,
        }))?;
        Ok(importer)
    }

    fn line(&mut self, number: usize, text: &str, use_yes_price: bool) -> Result<()> {
        let line: Line<'_> =
            serde_json::from_str(text).with_context(|| format!("line {number} is not of a capture"))?;
        let received = Timestamp(line.recv_ns);
        if self.at == Timestamp(0) {
            self.at = received;
        }
        self.tick_until(received)?;
        // A recorder's clock may be set back; the order of its lines is what counts.
        self.at = self.at.max(received);
        // A note of the recorder tells the time and nothing else: a connection begins with its first frame.
        let Some(frame) = line.frame else { return Ok(()) };
        let current = u32::try_from(line.conn).with_context(|| format!("a frame on connection {}", line.conn))?;
        if self.connection != Some(current) {
            if let Some(connection) = self.connection.replace(current) {
                let reason = "the capture goes on with another connection".to_owned();
                self.input(&Input::Disconnected { connection, reason })?;
            }
            self.connections += 1;
            self.input(&Input::Connected { connection: current, use_yes_price, observed: true, private: false })?;
        }
        self.input(&Input::Frame { connection: current, text: frame.get().as_bytes() })
    }

    fn tick_until(&mut self, moment: Timestamp) -> Result<()> {
        let mut next = Timestamp((self.at.0.div_euclid(SECOND) + 1) * SECOND);
        while next <= moment {
            self.at = next;
            self.input(&Input::Tick)?;
            next = next.plus(SECOND);
        }
        Ok(())
    }

    fn input(&mut self, input: &Input<'_>) -> Result<()> {
        let seq = self.feed.append(self.at, input)?;
        let mut unsent = Vec::new();
        let body = self.protocol.apply(self.at, input, &mut unsent);
        self.slot.input(seq, self.at, &body, &mut self.journal);
        std::mem::replace(&mut self.journal.1, Ok(()))
    }

    fn finish(&mut self) -> Result<()> {
        self.input(&Input::Closing)?;
        self.slot.close(&mut self.journal);
        self.journal.0.flush()?;
        self.feed.flush()?;
        std::mem::replace(&mut self.journal.1, Ok(()))
    }
}

/// A slot journal as a world without a component. The first error is kept, since a record cannot be refused.
struct SlotJournal(SlotWriter, Result<()>);

impl SlotJournal {
    fn open(&mut self, run: &str, slot: &str, settings: &Settings) -> Result<()> {
        let settings = serde_json::to_string(settings)?;
        let opening = SlotRecord::Opening { run: run.into(), slot: slot.into(), settings: settings.into() };
        Ok(self.0.append(0, Timestamp(0), &opening)?)
    }
}

impl World for SlotJournal {
    fn decide(&mut self, _: u64, _: &Snapshot) -> Answer {
        Answer { outcome: Err(Fault::Refused("no component".to_owned())), took_ns: 0 }
    }

    fn revert(&mut self) -> Option<Component> {
        None
    }

    fn record(&mut self, seq: u64, at: Timestamp, record: &SlotRecord<'_>) {
        if let Err(error) = self.0.append(seq, at, record)
            && self.1.is_ok()
        {
            self.1 = Err(error.into());
        }
    }

    fn resync(&mut self, _: MarketId) {}
}
