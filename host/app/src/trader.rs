//! Order, durability and the live slot: what every input of a run passes through, without any I/O of its own.
//!
//! An input is stamped once, journaled, shown to the venue's protocol core and applied to the live slot, where there is
//! one; paper slots follow the journal elsewhere. What the live slot asks of the venue leaves only after the journals that
//! led to it were handed over ([`Trader::hand_over`]): a request is never sent whose reason could be lost with the process.
//! The driver runs it over sockets, the fault matrix over a simulated exchange on virtual time.

use crate::seat::Seat;
use crate::slot::World;
use crate::stages::Stages;
use anyhow::{Context, Result};
use isobar_engine::engine::Engine;
use isobar_engine::event::Input;
use isobar_engine::units::Timestamp;
use isobar_engine::venue::Request;
use isobar_kalshi::gateway::{Action, Answer, Gateway, HttpRequest, Lost, Ticket};
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

/// What trades with money: the slot, and the way of its requests to the venue.
pub struct Live<W> {
    /// The slot with its world.
    pub seat: Seat<W>,
    /// Where its requests wait for their turn.
    pub gateway: Gateway,
}

/// Gives the gateway a request; a read with the orders that it has to tell of.
fn submit(gateway: &mut Gateway, now: Timestamp, request: Request, protocol: &Protocol, engine: &Engine) {
    match request {
        Request::ReadAccount => gateway.read_account(now, protocol, &engine.unfinished()),
        Request::ReadQueue => gateway.read_queue(now, protocol, &engine.unfinished()),
        request => gateway.submit(now, request, protocol),
    }
}

/// Stamps, journals and applies inputs, and gives out requests only after the journals were handed over.
pub struct Trader<J, W> {
    journal: J,
    protocol: Protocol,
    last: Timestamp,
    /// Nothing in a dry run.
    pub live: Option<Live<W>>,
    /// What the protocol core wants to have sent, in order.
    pub transmit: Vec<Transmit>,
    /// Where a measurement asks for stamps.
    pub stages: Option<Stages>,
}

impl<J: Journal, W: World> Trader<J, W> {
    /// A run at its beginning, or, with the protocol core and the time of its last input, one that goes on.
    pub fn new(journal: J, protocol: Protocol, last: Timestamp, live: Option<Live<W>>) -> Self {
        Self { journal, protocol, last, live, transmit: Vec::new(), stages: None }
    }

    /// The time of the last input.
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// What is known of the venue's subscriptions, orders and tickers.
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Stamps, journals and applies one input. A clock that was set back does not change the order of inputs.
    pub fn input(&mut self, now: Timestamp, input: &Input<'_>) -> Result<()> {
        self.last = self.last.max(now);
        let seq = self.journal.append(self.last, input).context("the journal of the run cannot be written: stopped")?;
        let body = self.protocol.apply(self.last, input, &mut self.transmit);
        if let Some(stages) = &mut self.stages {
            stages.decoded();
        }
        if let Some(Live { seat: Seat { slot, world }, .. }) = &mut self.live {
            slot.advance(seq, self.last, &body, world);
            if let Some(stages) = &mut self.stages {
                stages.decided(slot.asks());
            }
        }
        Ok(())
    }

    /// Hands the journals over, and only then the requests of the live slot to the gateway.
    pub fn hand_over(&mut self) -> Result<()> {
        #[cfg(feature = "mutants")]
        if isobar_engine::mutant::active(isobar_engine::mutant::Mutant::Journal) {
            return self.act_before_journal();
        }
        self.journal.flush().context("the journal of the run cannot be written: stopped")?;
        if let Some(Live { seat: Seat { slot, world }, gateway }) = &mut self.live {
            world.flush()?;
            for request in slot.take_requests() {
                submit(gateway, self.last, request, &self.protocol, &slot.engine);
            }
        }
        Ok(())
    }

    /// A deliberate fault: requests leave at once, and the journals are handed over when there is nothing to be sent.
    #[cfg(feature = "mutants")]
    fn act_before_journal(&mut self) -> Result<()> {
        let Some(Live { seat: Seat { slot, world }, gateway }) = &mut self.live else { return self.journal.flush() };
        let requests = slot.take_requests();
        if requests.is_empty() {
            self.journal.flush()?;
            world.flush()?;
        }
        for request in requests {
            submit(gateway, self.last, request, &self.protocol, &slot.engine);
        }
        Ok(())
    }

    /// Hands everything over and says what is to be sent now.
    pub fn outgoing(&mut self, now: Timestamp) -> Result<Vec<HttpRequest>> {
        self.hand_over()?;
        let mut requests = Vec::new();
        while let Some(Live { gateway, .. }) = &mut self.live {
            match gateway.poll(now, &self.protocol) {
                Some(Action::Send(request)) => requests.push(request),
                Some(Action::Reply(reply)) => {
                    self.input(now, &reply.input())?;
                    self.hand_over()?;
                }
                None => break,
            }
        }
        Ok(requests)
    }

    /// Takes what became of a request that was sent.
    pub fn answered(&mut self, now: Timestamp, ticket: Ticket, outcome: Result<Answer, Lost>) -> Result<()> {
        let Some(Live { gateway, .. }) = &mut self.live else { return Ok(()) };
        match gateway.answered(now, ticket, outcome, &self.protocol) {
            Some(reply) => self.input(now, &reply.input()),
            None => Ok(()),
        }
    }

    /// Has the account read without being asked by the engine.
    pub fn read_account(&mut self) {
        if let Some(Live { seat, gateway }) = &mut self.live {
            submit(gateway, self.last, Request::ReadAccount, &self.protocol, &seat.slot.engine);
        }
    }

    /// When there is something to send without an input before it; nothing where only an input brings more.
    pub fn next_wakeup(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.live.as_mut().and_then(|live| live.gateway.next_wakeup(now))
    }
}
