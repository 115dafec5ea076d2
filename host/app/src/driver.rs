//! The driver: the only place where order, time and durability meet.
//!
//! Everything that comes in is stamped, journaled and shown to the venue's protocol core, one thing at a time. `await`
//! ends here: past [`Driver::input`] all is plain functions. Slots follow the journal on another thread.

use crate::clock::Clock;
use crate::message::Message;
use crate::registry::Registry;
use crate::screen::Screen;
use crate::seat::{Running, Seat};
use crate::sockets::Sockets;
use crate::stages::Stages;
use crate::trader::{Live, Trader};
use anyhow::{Context, Result};
use isobar_engine::event::{Input, Opening};
use isobar_engine::market::Market;
use isobar_engine::units::{SECOND, Timestamp};
use isobar_engine::venue::{Command, Request};
use isobar_kalshi::feed::{Feed, FeedEvent};
use isobar_kalshi::gateway::{Answer, Link, Lost, Ticket};
use isobar_kalshi::protocol::{Protocol, Transmit};
use isobar_kalshi::sign::{Credentials, Headers};
use isobar_store::{FeedWriter, Notice};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::JoinSet;

/// Most frames taken from a socket before the inbox, the clock and the other socket are looked at.
const BURST: usize = 512;

/// Ticks come each second of the run's clock, but never closer than this in the machine's time: a day played a thousand
/// times faster is not mostly ticks.
const TICK_AT_LEAST: Duration = Duration::from_millis(5);

/// Longest that one attempt to connect may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Longest that a live slot may take to pull its orders at the end of a run.
const WIND: Duration = Duration::from_secs(20);

/// A connection for orders on which nothing was sent for so long is kept warm.
const WARM_AFTER: Duration = Duration::from_secs(5);

/// How often the clock of the venue is compared with ours.
const SKEW_EVERY: i64 = 10 * SECOND;

/// How much the difference of the clocks must change before it is told again.
const SKEW_STEP: i64 = SECOND / 100;

/// Markets as the driver last listed them, for those who ask outside the trading path (forecasts, settlements).
pub type Listings = Arc<Mutex<Vec<Market>>>;

/// The driver of one run.
pub struct Driver {
    clock: Clock,
    notice: Notice,
    trader: Trader<FeedWriter, Running>,
    registry: Registry,
    listings: Listings,
    websocket: String,
    use_yes_price: bool,
    sockets: Sockets,
    busy_poll: Duration,
    inbox: Receiver<Message>,
    sender: Sender<Message>,
    look_again: Arc<Notify>,
    screen: Arc<Screen>,
    credentials: Option<Arc<Credentials>>,
    link: Option<Link>,
    /// When something was last sent over it.
    sent: tokio::time::Instant,
    /// Requests on their way.
    flights: JoinSet<(Ticket, Result<Answer, Lost>)>,
    /// The difference of the clocks as it was last told, and when it was looked at.
    skew: (i64, Timestamp),
    /// The run is to end, and no later than this; the live slot pulls its orders first.
    ending: Option<tokio::time::Instant>,
}

/// How a run begins.
pub enum Beginning {
    New(Opening),
    Resumed {
        protocol: Box<Protocol>,
        registry: Registry,
        /// Number of the last connection.
        connection: u32,
        /// Connections that were open when the process died.
        open: Vec<u32>,
        /// Time of the last input.
        last: Timestamp,
        /// Requests whose answers are lost.
        awaiting: Vec<Request>,
    },
}

/// What a driver is made of.
pub struct Parts {
    pub clock: Clock,
    pub journal: FeedWriter,
    /// Who we are at the venue; private channels and live trading need it.
    pub credentials: Option<Arc<Credentials>>,
    /// What trades with money, and the link that its requests take. Nothing in a dry run.
    pub live: Option<(Live<Running>, Link)>,
    /// Where a measurement wants the stamps of orders.
    pub stages: Option<Stages>,
    pub listings: Listings,
    pub websocket: String,
    /// How many connections of the feed are held, each enough by itself.
    pub sockets: usize,
    /// How long after an event the driver looks for the next one without sleeping.
    pub busy_poll: Duration,
    pub use_yes_price: bool,
    pub inbox: Receiver<Message>,
    pub sender: Sender<Message>,
    /// Wakes those who read markets over REST.
    pub look_again: Arc<Notify>,
    pub screen: Arc<Screen>,
}

impl Driver {
    /// Begins the run by its opening record, or goes on with one that was killed.
    pub fn open(parts: Parts, beginning: Beginning) -> Result<Self> {
        let Parts {
            clock,
            journal,
            credentials,
            live,
            stages,
            listings,
            websocket,
            sockets,
            busy_poll,
            use_yes_price,
            inbox,
            sender,
            look_again,
            screen,
        } = parts;
        let (live, link) = live.map_or((None, None), |(live, link)| (Some(live), Some(link)));
        let notice = journal.notice();
        let (trader, registry, connection, first) = match beginning {
            Beginning::New(opening) => {
                let trader = Trader::new(journal, Protocol::new(), Timestamp(0), live);
                (trader, Registry::default(), 0, vec![Input::Opening(opening)])
            }
            Beginning::Resumed { protocol, registry, connection, open, last, awaiting } => {
                let reason = "the host was killed".to_owned();
                let gone = |connection| Input::Disconnected { connection, reason: reason.clone() };
                let gone: Vec<Input<'_>> = open.into_iter().map(gone).collect();
                let lost = |request| Input::Unanswered { request, sent: true, reason: reason.clone() };
                let first = gone.into_iter().chain(awaiting.into_iter().map(lost)).collect();
                (Trader::new(journal, *protocol, last, live), registry, connection, first)
            }
        };
        let mut driver = Self {
            notice,
            clock,
            trader,
            registry,
            listings,
            websocket,
            use_yes_price,
            busy_poll,
            sockets: Sockets::new(sockets, connection, Clock::machine().0.unsigned_abs()),
            inbox,
            sender,
            look_again,
            screen,
            credentials,
            link,
            sent: tokio::time::Instant::now(),
            flights: JoinSet::new(),
            skew: (0, Timestamp(0)),
            ending: None,
        };
        driver.trader.stages = stages;
        for input in &first {
            driver.input(input)?;
        }
        driver.trader.hand_over()?;
        driver.notice.wake();
        if !driver.registry.markets().is_empty() {
            driver.show_listings();
        }
        Ok(driver)
    }

    /// Runs until it is told to stop, or the journal fails. Gives the live slot back.
    pub async fn run(mut self) -> Result<Option<Seat>> {
        if !self.registry.markets().is_empty() {
            self.connect_all();
        }
        let mut tick = Box::pin(tokio::time::sleep(self.until_tick()));
        loop {
            let wake = self.dispatch().await?;
            if self.over() {
                break;
            }
            let sleeps = tokio::time::Instant::now() + self.busy_poll;
            loop {
                tokio::select! {
                    biased;
                    message = self.inbox.recv() => {
                        let message = message.context("the driver holds a sender of its own inbox")?;
                        self.message(message)?;
                    }
                    () = &mut tick => {
                        self.tick()?;
                        tick.as_mut().reset(tokio::time::Instant::now() + self.until_tick());
                    }
                    (socket, connection, event) = self.sockets.next() => self.burst(socket, connection, event)?,
                    Some(done) = self.flights.join_next() => {
                        let (ticket, outcome) = done.context("a request panicked")?;
                        self.trader.answered(self.clock.now(), ticket, outcome)?;
                    }
                    () = until(wake) => {}
                    // Being woken costs more than a look at the sockets, but a look costs a processor.
                    () = tokio::task::yield_now(), if tokio::time::Instant::now() < sleeps => continue,
                }
                break;
            }
        }
        self.input(&Input::Closing)?;
        if let Some(Live { seat, .. }) = &mut self.trader.live {
            seat.slot.close(&mut seat.world);
            seat.tell();
        }
        if let Some(stages) = &self.trader.stages
            && let Err(error) = stages.write()
        {
            self.screen.note(&format!("the stamps of orders are lost: {error:#}"));
        }
        self.trader.hand_over()?;
        self.notice.wake();
        Ok(self.trader.live.map(|live| live.seat))
    }

    /// Sends what is to be sent, journals first; says when there is more without an input before it.
    async fn dispatch(&mut self) -> Result<Option<tokio::time::Instant>> {
        let now = self.clock.now();
        let requests = self.trader.outgoing(now)?;
        let sent = !requests.is_empty();
        if let Some(stages) = &mut self.trader.stages {
            stages.handed_over(&requests);
        }
        if let Some(link) = &mut self.link {
            for request in requests {
                self.flights.spawn(link.send(Clock::machine(), request));
            }
        }
        self.act().await?;
        if sent {
            self.sent = tokio::time::Instant::now();
            // The requests leave before anything is made ready for the next ones.
            tokio::task::yield_now().await;
        }
        if let Some(stages) = &mut self.trader.stages {
            stages.sent();
        }
        // Nor does the follower compete with them for a processor.
        self.notice.wake();
        if let Some(link) = &mut self.link {
            link.refresh(Clock::machine());
        }
        if let Some(live) = &mut self.trader.live {
            live.seat.tell();
            live.seat.world.prepare();
        }
        let wake = self.trader.next_wakeup(now);
        Ok(wake.map(|wake| tokio::time::Instant::now() + self.clock.wall_until(wake)))
    }

    fn tick(&mut self) -> Result<()> {
        self.input(&Input::Tick)?;
        if let Some(link) = self.link.as_ref().filter(|_| self.sent.elapsed() >= WARM_AFTER) {
            self.sent = tokio::time::Instant::now();
            tokio::spawn(link.warm());
        }
        let (now, (told, looked)) = (self.trader.last(), self.skew);
        if now.since(looked) >= SKEW_EVERY
            && let Some(ahead) = self.trader.protocol().venue_ahead()
        {
            self.skew.1 = now;
            if (ahead - told).abs() >= SKEW_STEP {
                self.skew.0 = ahead;
                self.input(&Input::Skew(ahead))?;
            }
        }
        Ok(())
    }

    /// Ends a run: the live slot pulls its orders first, and is given a little time for it.
    fn end(&mut self) -> Result<()> {
        if self.ending.is_none() {
            self.ending =
                Some(tokio::time::Instant::now() + if self.trader.live.is_some() { WIND } else { Duration::ZERO });
            if self.trader.live.is_some() {
                self.input(&Input::Command(Command::Wind))?;
            }
        }
        Ok(())
    }

    fn over(&self) -> bool {
        let Some(latest) = self.ending else { return false };
        let flat = self.trader.live.as_ref().is_none_or(|live| live.seat.slot.engine.flat());
        let late = tokio::time::Instant::now() >= latest;
        if late && !flat {
            self.screen.note("the venue did not prove in time that nothing of ours rests: orders die by their expiry");
        }
        flat || late
    }

    /// Stamps, journals and decodes one input.
    fn input(&mut self, input: &Input<'_>) -> Result<()> {
        self.trader.input(self.clock.now(), input)
    }

    fn show_listings(&self) {
        *self.listings.lock().unwrap_or_else(PoisonError::into_inner) = self.registry.markets().to_vec();
    }

    fn until_tick(&self) -> Duration {
        let next = Timestamp((self.trader.last().0.div_euclid(SECOND) + 1) * SECOND);
        self.clock.wall_until(next).max(TICK_AT_LEAST)
    }

    /// Takes what a socket holds without waiting, up to a bound.
    fn burst(&mut self, socket: usize, connection: u32, first: FeedEvent) -> Result<()> {
        let mut event = first;
        let mut left = BURST;
        loop {
            if let Some(stages) = &mut self.trader.stages {
                stages.read();
            }
            match event {
                FeedEvent::Text(text) => self.input(&Input::Frame { connection, text: &text })?,
                FeedEvent::Pong => self.input(&Input::Pong { connection })?,
                FeedEvent::Closed(reason) => return self.disconnected(socket, reason),
            }
            left -= 1;
            if left == 0 {
                return Ok(());
            }
            match self.sockets.try_next(socket) {
                Some(next) => event = next,
                None => return Ok(()),
            }
        }
    }

    fn disconnected(&mut self, socket: usize, reason: String) -> Result<()> {
        if let Some(connection) = self.sockets.closed(socket) {
            self.screen.note(&format!("the feed is gone: {reason}"));
            self.input(&Input::Disconnected { connection, reason })?;
            self.connect(socket);
        }
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Found(found) => {
                let first = self.registry.markets().is_empty();
                let news = self.registry.found(found);
                if !news.is_empty() {
                    self.show_listings();
                    self.input(&Input::Listed(news))?;
                }
                if first && !self.registry.markets().is_empty() {
                    self.connect_all();
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
            Message::Opinion(opinion) => self.input(&Input::Opinion(opinion)),
            Message::ModelSwapped { city, role, model } => self.input(&Input::ModelSwapped { city, role, model }),
            Message::ModelRefused { path, reason } => self.input(&Input::ModelRefused { path, reason }),
            Message::Slot(order) => {
                if let Some(live) = &mut self.trader.live {
                    live.seat.obey(order);
                }
                Ok(())
            }
            Message::Exchange(status) => self.input(&Input::Exchange(status)),
            Message::Command(command) => self.input(&Input::Command(command)),
            Message::Resync(market) => self.input(&Input::Resync(market)),
            Message::Linked { socket, feed: Ok(feed) } => {
                let connection = self.sockets.opened(socket, *feed);
                self.screen.note(&format!("connected to {}", self.websocket));
                if connection > 1 {
                    // What happened while nobody listened is only in the lists: results, payments, new markets.
                    self.look_again.notify_one();
                }
                // Every socket hears of the account: what is told twice changes nothing.
                let (use_yes_price, private) = (self.use_yes_price, self.trader.live.is_some());
                self.input(&Input::Connected { connection, use_yes_price, observed: false, private })
            }
            Message::Linked { socket, feed: Err(reason) } => {
                self.screen.note(&format!("cannot connect: {reason}"));
                self.connect(socket);
                Ok(())
            }
            Message::Stop => self.end(),
        }
    }

    fn connect_all(&mut self) {
        (0..self.sockets.len()).for_each(|socket| self.connect(socket));
    }

    /// Connects a socket in the background, later after each failure.
    fn connect(&mut self, socket: usize) {
        let wait = self.sockets.attempt(socket);
        let (sender, url) = (self.sender.clone(), self.websocket.clone());
        let credentials = self.credentials.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            // Signed at the last moment: the venue looks at the age of a signature.
            let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or("/");
            let signed = credentials.map(|credentials| credentials.sign(Clock::machine(), "GET", path));
            let headers = signed.as_ref().map(Headers::pairs);
            let headers = headers.as_ref().map_or(&[][..], |pairs| &pairs[..]);
            let feed = Feed::connect(&url, headers, HANDSHAKE).await.map(Box::new).map_err(|error| error.to_string());
            // The driver that would hear of it may have ended.
            let _ = sender.send(Message::Linked { socket, feed }).await;
        });
    }

    /// Does what the protocol core asked for. What is meant for a connection that is gone is dropped.
    async fn act(&mut self) -> Result<()> {
        for transmit in std::mem::take(&mut self.trader.transmit) {
            match transmit {
                Transmit::Text { connection, text } => {
                    if let Some((socket, feed)) = self.sockets.find(connection)
                        && let Err(error) = feed.send_text(text).await
                    {
                        self.disconnected(socket, error.to_string())?;
                    }
                }
                Transmit::Ping { connection } => {
                    if let Some((socket, feed)) = self.sockets.find(connection)
                        && let Err(error) = feed.ping().await
                    {
                        self.disconnected(socket, error.to_string())?;
                    }
                }
                Transmit::Reconnect { connection, reason } => {
                    if let Some((socket, _)) = self.sockets.find(connection) {
                        self.disconnected(socket, format!("given up: {reason:?}"))?;
                    }
                }
                // Fills from before the private channel listened are only in the account.
                Transmit::Reconcile { .. } => self.trader.read_account(),
                Transmit::Relist { .. } => self.look_again.notify_one(),
            }
        }
        Ok(())
    }
}

/// At this time; never, where there is none.
async fn until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
