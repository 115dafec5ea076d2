//! What reaches the driver through its one bounded inbox.

use crate::seat::Order;
use isobar_engine::event::Forecast;
use isobar_engine::market::{Market, MarketId};
use isobar_engine::units::Price;
use isobar_engine::venue::Command;
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
    Forecast(Forecast),
    /// An engine doubts its book of a market.
    Resync(MarketId),
    /// The operator's command.
    Command(Command),
    /// The live slot is told something.
    Slot(Order),
    /// An attempt to connect is over.
    Linked(Result<Box<Feed>, String>),
    /// End the run in order.
    Stop,
}
