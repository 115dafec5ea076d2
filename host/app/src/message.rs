//! What reaches the driver through its one bounded inbox.

use crate::seat::Order;
use isobar_engine::market::{Market, MarketId};
use isobar_engine::opinion::{Opinion, Role};
use isobar_engine::units::{Digest, Price};
use isobar_engine::venue::{Command, ExchangeStatus};
use isobar_kalshi::feed::Feed;

/// Most messages that wait. Whoever finds the inbox full waits or drops what can be asked again, never the driver.
pub const INBOX: usize = 1_024;

/// A message to the driver.
pub enum Message {
    /// Markets as the venue lists them now. Numbers are given by the driver.
    Found(Vec<Market>),
    /// The venue paid these markets.
    Settled(Vec<(String, Price)>),
    /// A model's opinion.
    Opinion(Box<Opinion>),
    /// Another bundle speaks for a city from now on.
    ModelSwapped { city: String, role: Role, model: Digest },
    /// A bundle was offered and not taken.
    ModelRefused { path: String, reason: String },
    /// An engine doubts its book of a market.
    Resync(MarketId),
    /// The exchange says this of itself.
    Exchange(ExchangeStatus),
    /// The operator's command.
    Command(Command),
    /// The live slot is told something.
    Slot(Order),
    /// An attempt to connect a socket of the feed is over.
    Linked { socket: usize, feed: Result<Box<Feed>, String> },
    /// End the run in order.
    Stop,
}
