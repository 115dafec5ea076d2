//! The driver: the only place where order, time and durability meet.
//!
//! Everything that comes in is stamped, journaled and shown to the venue's protocol core, one thing at a time. `await`
//! ends here: past [`Driver::input`] all is plain functions. Slots follow the journal on another thread.

use crate::clock::Clock;
use crate::message::Message;
use crate::registry::Registry;
use crate::screen::Screen;
use anyhow::{Context, Result};
use isobar_engine::event::{Input, Opening};
use isobar_engine::market::Market;
use isobar_engine::units::{SECOND, Timestamp};
use isobar_kalshi::feed::{Feed, FeedEvent};
use isobar_kalshi::protocol::{Protocol, Transmit};
use isobar_store::{FeedWriter, Notice};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender};

/// Most frames taken from the socket before the inbox and the clock are looked at.
const BURST: usize = 512;

/// Ticks come each second of the run's clock, but never closer than this in the machine's time: a day played a thousand
/// times faster is not mostly ticks.
const TICK_AT_LEAST: Duration = Duration::from_millis(5);

/// Longest that one attempt to connect may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Longest wait between two attempts to connect.
const RETRY_AT_MOST: Duration = Duration::from_secs(10);

/// Markets as the driver last listed them, for those who ask outside the trading path (forecasts, settlements).
pub type Listings = Arc<Mutex<Vec<Market>>>;

/// The driver of one run.
pub struct Driver {
    clock: Clock,
    journal: FeedWriter,
    notice: Notice,
    protocol: Protocol,
    registry: Registry,
    listings: Listings,
    transmit: Vec<Transmit>,
    last: Timestamp,
    websocket: String,
    use_yes_price: bool,
    feed: Option<Feed>,
    connection: u32,
    attempts: u32,
    inbox: Receiver<Message>,
    sender: Sender<Message>,
    look_again: Arc<Notify>,
    screen: Arc<Screen>,
}

/// What a driver is made of.
pub struct Parts {
    pub clock: Clock,
    pub journal: FeedWriter,
    pub listings: Listings,
    pub websocket: String,
    pub use_yes_price: bool,
    pub inbox: Receiver<Message>,
    pub sender: Sender<Message>,
    /// Wakes those who read markets over REST.
    pub look_again: Arc<Notify>,
    pub screen: Arc<Screen>,
}

impl Driver {
    /// Begins the run by its opening record.
    pub fn open(parts: Parts, opening: Opening) -> Result<Self> {
        let Parts { clock, journal, listings, websocket, use_yes_price, inbox, sender, look_again, screen } = parts;
        let mut driver = Self {
            notice: journal.notice(),
            clock,
            journal,
            protocol: Protocol::new(),
            registry: Registry::default(),
            listings,
            transmit: Vec::new(),
            last: Timestamp(0),
            websocket,
            use_yes_price,
            feed: None,
            connection: 0,
            attempts: 0,
            inbox,
            sender,
            look_again,
            screen,
        };
        driver.input(&Input::Opening(opening))?;
        driver.hand_over()?;
        Ok(driver)
    }

    /// Runs until it is told to stop, or the journal fails.
    pub async fn run(mut self) -> Result<()> {
        let mut tick = Box::pin(tokio::time::sleep(self.until_tick()));
        loop {
            self.act().await?;
            self.hand_over()?;
            tokio::select! {
                biased;
                message = self.inbox.recv() => {
                    let message = message.context("the driver holds a sender of its own inbox")?;
                    if matches!(message, Message::Stop) {
                        break;
                    }
                    self.message(message)?;
                }
                () = &mut tick => {
                    self.input(&Input::Tick)?;
                    tick.as_mut().reset(tokio::time::Instant::now() + self.until_tick());
                }
                event = next(&mut self.feed) => self.burst(event)?,
            }
        }
        self.input(&Input::Closing)?;
        self.hand_over()
    }

    /// Stamps, journals and decodes one input.
    fn input(&mut self, input: &Input<'_>) -> Result<()> {
        // The machine's clock may be set back; the order of inputs is what counts.
        self.last = self.last.max(self.clock.now());
        self.journal.append(self.last, input).context("the journal of the run cannot be written: stopped")?;
        self.protocol.apply(self.last, input, &mut self.transmit);
        Ok(())
    }

    fn hand_over(&mut self) -> Result<()> {
        self.journal.flush().context("the journal of the run cannot be written: stopped")?;
        self.notice.wake();
        Ok(())
    }

    fn until_tick(&self) -> Duration {
        let next = Timestamp((self.last.0.div_euclid(SECOND) + 1) * SECOND);
        self.clock.wall_until(next).max(TICK_AT_LEAST)
    }

    /// Takes what the socket holds without waiting, up to a bound.
    fn burst(&mut self, first: FeedEvent) -> Result<()> {
        let mut event = first;
        let mut left = BURST;
        loop {
            let connection = self.connection;
            match event {
                FeedEvent::Text(text) => self.input(&Input::Frame { connection, text: &text })?,
                FeedEvent::Pong => self.input(&Input::Pong { connection })?,
                FeedEvent::Closed(reason) => return self.disconnected(reason),
            }
            left -= 1;
            match self.feed.as_mut().filter(|_| left > 0).and_then(Feed::try_next) {
                Some(next) => event = next,
                None => return Ok(()),
            }
        }
    }

    fn disconnected(&mut self, reason: String) -> Result<()> {
        self.feed = None;
        self.screen.note(&format!("the feed is gone: {reason}"));
        self.input(&Input::Disconnected { connection: self.connection, reason })?;
        self.connect();
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Found(found) => {
                let first = self.registry.markets().is_empty();
                let news = self.registry.found(found);
                if !news.is_empty() {
                    let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
                    *listings = self.registry.markets().to_vec();
                    drop(listings);
                    self.input(&Input::Listed(news))?;
                }
                if first && !self.registry.markets().is_empty() {
                    self.connect();
                }
                Ok(())
            }
            Message::Settled(paid) => {
                for (ticker, value) in paid {
                    if let Some(market) = self.registry.settle(&ticker) {
                        self.input(&Input::Settled { market, value })?;
                    }
                }
                Ok(())
            }
            Message::Forecast(forecast) => self.input(&Input::Forecast(forecast)),
            Message::Resync(market) => self.input(&Input::Resync(market)),
            Message::Linked(Ok(feed)) => {
                self.attempts = 0;
                self.connection += 1;
                self.feed = Some(*feed);
                self.screen.note(&format!("connected to {}", self.websocket));
                let (connection, use_yes_price) = (self.connection, self.use_yes_price);
                self.input(&Input::Connected { connection, use_yes_price, observed: false, private: false })
            }
            Message::Linked(Err(reason)) => {
                self.screen.note(&format!("cannot connect: {reason}"));
                self.connect();
                Ok(())
            }
            Message::Stop => unreachable!("ends the loop before"),
        }
    }

    /// Connects in the background, later after each failure.
    fn connect(&mut self) {
        let wait = match self.attempts {
            0 => Duration::ZERO,
            attempts => Duration::from_millis(250 << attempts.min(6)).min(RETRY_AT_MOST),
        };
        self.attempts += 1;
        let (sender, url) = (self.sender.clone(), self.websocket.clone());
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let linked = Feed::connect(&url, &[], HANDSHAKE).await.map(Box::new).map_err(|error| error.to_string());
            // The driver that would hear of it may have ended.
            let _ = sender.send(Message::Linked(linked)).await;
        });
    }

    /// Does what the protocol core asked for.
    async fn act(&mut self) -> Result<()> {
        for transmit in std::mem::take(&mut self.transmit) {
            let mine = |connection| connection == self.connection;
            let result = match (&mut self.feed, transmit) {
                (Some(feed), Transmit::Text { connection, text }) if mine(connection) => feed.send_text(text).await,
                (Some(feed), Transmit::Ping { connection }) if mine(connection) => feed.ping().await,
                (Some(_), Transmit::Reconnect { connection, reason }) if mine(connection) => {
                    self.disconnected(format!("given up: {reason:?}"))?;
                    Ok(())
                }
                (_, Transmit::Relist { .. }) => {
                    self.look_again.notify_one();
                    Ok(())
                }
                // Meant for a connection that is gone.
                _ => Ok(()),
            };
            if let Err(error) = result {
                self.disconnected(error.to_string())?;
            }
        }
        Ok(())
    }
}

/// The next event of the feed; never, where there is no feed.
async fn next(feed: &mut Option<Feed>) -> FeedEvent {
    match feed {
        Some(feed) => feed.next().await,
        None => std::future::pending().await,
    }
}
