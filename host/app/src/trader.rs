//! Order, durability and the live slot: what every input of a run passes through, without any I/O of its own.
//!
//! An input is stamped once, journaled, shown to the venue's protocol core and applied to the live slot, where there is
//! one; paper slots follow the journal elsewhere. What the live slot asks of the venue leaves only after the journals that
//! led to it were handed over ([`Trader::hand_over`]): a request is never sent whose reason could be lost with the process.
//! The driver runs it over sockets, the fault matrix over a simulated exchange on virtual time.

use crate::seat::Seat;
use crate::slot::World;
use anyhow::{Context, Result};
use isobar_engine::event::Input;
use isobar_engine::units::Timestamp;
use isobar_engine::venue::Request;
use isobar_kalshi::protocol::{Protocol, Transmit};
use isobar_store::FeedWriter;

/// Where inputs are kept.
pub trait Journal {
    /// Takes an input and gives its number.
    fn append(&mut self, at: Timestamp, input: &Input<'_>) -> Result<u64>;
    /// Makes all inputs so far survive the death of the process.
    fn flush(&mut self) -> Result<()>;
}

impl Journal for FeedWriter {
    fn append(&mut self, at: Timestamp, input: &Input<'_>) -> Result<u64> {
        Ok(Self::append(self, at, input)?)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(Self::flush(self)?)
    }
}

/// See the module.
pub struct Trader<J, W> {
    journal: J,
    protocol: Protocol,
    last: Timestamp,
    /// The slot that trades with money, where there is one.
    pub live: Option<Seat<W>>,
    /// What the protocol core wants to have sent, in order.
    pub transmit: Vec<Transmit>,
}

impl<J: Journal, W: World> Trader<J, W> {
    /// A run at its beginning.
    pub fn new(journal: J, live: Option<Seat<W>>) -> Self {
        Self { journal, protocol: Protocol::new(), last: Timestamp(0), live, transmit: Vec::new() }
    }

    /// The time of the last input.
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// What is known of the venue's subscriptions, orders and tickers.
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Where inputs are kept.
    pub fn journal(&self) -> &J {
        &self.journal
    }

    /// Stamps, journals and applies one input. A clock that was set back does not change the order of inputs.
    pub fn input(&mut self, now: Timestamp, input: &Input<'_>) -> Result<()> {
        self.last = self.last.max(now);
        let seq = self.journal.append(self.last, input).context("the journal of the run cannot be written: stopped")?;
        let body = self.protocol.apply(self.last, input, &mut self.transmit);
        if let Some(Seat { slot, world }) = &mut self.live {
            slot.input(seq, self.last, &body, world);
        }
        Ok(())
    }

    /// Hands the journals over and only then gives out what the live slot asks of the venue.
    pub fn hand_over(&mut self) -> Result<Vec<Request>> {
        self.journal.flush().context("the journal of the run cannot be written: stopped")?;
        let Some(Seat { slot, world }) = &mut self.live else { return Ok(Vec::new()) };
        world.flush()?;
        Ok(slot.take_requests())
    }
}
