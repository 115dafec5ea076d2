//! One process of the host: its beginning, and its beginning again after a death.
//!
//! It is the product's own [`Trader`] with the engine, the protocol core and the gateway in it. Going on is what the
//! product does: the durable journal is applied again, the old connection is gone, and every request without an answer
//! may or may not have been carried out.

use super::native::{Native, component};
use super::tape::{Memory, Shared, decode};
use anyhow::Result;
use isobar::{Live, Seat, Slot, Trader};
use isobar_engine::engine::{Engine, Settings};
use isobar_engine::event::{Forecast, Input, Opening};
use isobar_engine::execution::ExecutionSettings;
use isobar_engine::market::Market;
use isobar_engine::orders::LiveSettings;
use isobar_engine::risk::Limits;
use isobar_engine::units::{Digest, Money, Probability, Quantity, SECOND, Timestamp};
use isobar_kalshi::budget::{self, Budget, Costs, Limit, Shares};
use isobar_kalshi::gateway::{self, Gateway};
use isobar_kalshi::protocol::{Protocol, Transmit};
use isobar_sim::ConnId;

/// Identity of every run here: client order ids begin with it.
pub const RUN: &str = "f00d";
/// Longest that a request may take before its answer counts as lost.
pub const TIMEOUT: i64 = 5 * SECOND;
/// How long a quote lives unless it is renewed.
pub const TTL: i64 = 20 * SECOND;

fn settings() -> Settings {
    let execution = ExecutionSettings::Live(LiveSettings {
        ttl: TTL,
        renew_left: TTL / 2,
        patience: SECOND,
        retry: SECOND / 2,
        retry_most: 4 * SECOND,
        margin: 2 * SECOND,
        read_every: 15 * SECOND,
        read_again: 15 * SECOND,
        queue_every: 5 * SECOND,
    });
    let limits = Limits { position: Quantity::contracts(12), ..Limits::wide() };
    Settings { limits, execution, fees: None, cash: Money::ZERO }
}

/// The budget of the venue's tier `Premier`.
fn budget(now: Timestamp) -> Budget {
    let limits = budget::Limits {
        read: Limit { capacity: 1_200, rate: 1_200 },
        write: Limit { capacity: 3_600, rate: 1_200 },
        balance: Limit { capacity: 5, rate: 5 },
    };
    let costs = Costs::DOCUMENTED;
    Budget::new(&limits, costs, Shares::usual(&limits, &costs), now).expect("the tier has room for an order")
}

/// A process.
pub struct Host {
    /// The product's trading path.
    pub trader: Trader<Memory, Native>,
    /// Its connection, by its own number and by the exchange's.
    pub connection: Option<(u32, ConnId)>,
    /// Number of the last connection of the run.
    pub numbered: u32,
    /// When it wants to be woken.
    pub wakes: Option<Timestamp>,
}

impl Host {
    /// Begins the run, or goes on with what is on the tape.
    pub fn start(
        now: Timestamp,
        tape: &Shared,
        world: Native,
        (began, group): (Timestamp, &str),
        markets: &[Market],
    ) -> Result<Self> {
        let mut seat = Seat { slot: Slot::new("live", settings()), world };
        let mut protocol = Protocol::new();
        let mut transmit: Vec<Transmit> = Vec::new();
        let (mut last, mut numbered, mut connected) = (Timestamp(0), 0, false);
        let records = tape.borrow().len();
        for seq in 0..records {
            let record = tape.borrow().record(seq);
            let (at, input) = decode(&record);
            match &input {
                Input::Connected { connection, .. } => (numbered, connected) = (*connection, true),
                Input::Disconnected { .. } => connected = false,
                _ => {}
            }
            let body = protocol.apply(at, &input, &mut transmit);
            transmit.clear();
            seat.slot.input(seq as u64, at, &body, &mut seat.world);
            if seq == 0 {
                seat.slot.swap(component(), &mut seat.world);
            }
            // What was asked before the death is lost or was sent: nothing is sent twice.
            drop(seat.slot.take_requests());
            last = at;
        }
        seat.world.doubts.clear();
        let awaiting = seat.slot.engine.awaiting();
        let seed = u64::try_from(now.0).unwrap_or_default();
        let gateway = gateway::Settings::usual("/trade-api/v2".to_owned(), Some(group.to_owned()), seed);
        let gateway = Gateway::new(gateway, budget(now), began.plus(-60 * SECOND));
        let live = Live { seat, gateway };
        let trader = Trader::new(Memory(tape.clone()), protocol, last, Some(live));
        let mut host = Self { trader, connection: None, numbered, wakes: None };
        if records == 0 {
            host.begin(now, markets)?;
        } else {
            host.go_on(now, connected, awaiting, markets)?;
        }
        host.trader.hand_over()?;
        Ok(host)
    }

    fn begin(&mut self, now: Timestamp, markets: &[Market]) -> Result<()> {
        self.trader.input(
            now,
            &Input::Opening(Opening {
                run: RUN.to_owned(),
                engine: isobar_engine::engine::VERSION.to_owned(),
                clock: "stamped".to_owned(),
                stale_after: 6 * SECOND,
                source: "virtual".to_owned(),
                late_after: 0,
            }),
        )?;
        let seat = &mut self.trader.live.as_mut().expect("a live slot").seat;
        seat.slot.swap(component(), &mut seat.world);
        self.listed(now, markets)
    }

    /// What discovery and the models say at every beginning.
    fn listed(&mut self, now: Timestamp, markets: &[Market]) -> Result<()> {
        self.trader.input(now, &Input::Listed(markets.to_vec()))?;
        let chance = |index: usize| if index == 0 { 1_000_000 - 100_000 * (markets.len() as u32 - 1) } else { 100_000 };
        let chances = markets
            .iter()
            .enumerate()
            .map(|(index, market)| (market.id, Probability::new(chance(index)).expect("at most one in one")));
        let forecast = Forecast {
            event: markets[0].event.clone(),
            model: Digest::default(),
            issued: now,
            inputs: Digest::default(),
            outcome: Ok(chances.collect()),
        };
        self.trader.input(now, &Input::Forecast(forecast))
    }

    fn go_on(
        &mut self,
        now: Timestamp,
        connected: bool,
        awaiting: Vec<isobar_engine::venue::Request>,
        markets: &[Market],
    ) -> Result<()> {
        let reason = "the host was killed".to_owned();
        if connected {
            self.trader.input(now, &Input::Disconnected { connection: self.numbered, reason: reason.clone() })?;
        }
        for request in awaiting {
            self.trader.input(now, &Input::Unanswered { request, sent: true, reason: reason.clone() })?;
        }
        if self.trader.protocol().ticker(markets[0].id).is_none() {
            // The death came before the first list was durable.
            self.listed(now, markets)?;
        }
        Ok(())
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.trader.live.as_ref().expect("a live slot").seat.slot.engine
    }

    /// The world of the slot.
    pub fn world(&self) -> &Native {
        &self.trader.live.as_ref().expect("a live slot").seat.world
    }

    /// The world of the slot, to be changed.
    pub fn world_mut(&mut self) -> &mut Native {
        &mut self.trader.live.as_mut().expect("a live slot").seat.world
    }
}
