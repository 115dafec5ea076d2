//! Faults on demand and by chance: what can go wrong between a client and the exchange.
//!
//! [`Fault`] is the vocabulary, in the words of `POST /sim/faults`. Injecting one is exact: it happens to the next request
//! or frame that it names, or from now on until it is taken back. [`FaultRates`] let the seed choose.

use crate::http::{Delivery, HttpAnswer};
use crate::session::Channel;
use crate::trouble::FrameRates;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::VecDeque;

/// What a request wants, as far as faults tell requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Whatever comes.
    Any,
    /// One order or a batch of them.
    Create,
    /// One cancel or a batch of them.
    Cancel,
    /// Cancel-all.
    CancelAll,
    /// Amend.
    Amend,
    /// Decrease.
    Decrease,
    /// Anything that writes order groups.
    Group,
    /// Authenticated reads.
    Read,
    /// Public reads.
    Public,
}

impl Call {
    fn covers(self, call: Self) -> bool {
        self == Self::Any || self == call
    }
}

/// Shapes of error bodies: those of PROTOCOL.md 3.1 and what gateways in front of a venue answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// `{"error":{"code","message"}}`
    #[default]
    Wrapped,
    /// `{"code","message"}`, the shape of the venue's specification.
    Flat,
    /// `{"msg"}`
    Msg,
    /// `{"error":"…"}`
    Text,
    /// A page of HTML.
    Html,
    /// No body.
    Empty,
}

/// What happens to the answer of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Mishap {
    /// The request never reached the exchange.
    LostBefore,
    /// The request was carried out, its answer lost.
    LostAfter,
    /// The answer comes so many ms late.
    Late {
        /// Milliseconds.
        ms: u32,
    },
    /// Another answer: 409, 429, 500, 502, 503, 504 and the like.
    Status {
        /// HTTP status.
        status: u16,
        /// Shape of its body.
        #[serde(default)]
        shape: Shape,
        /// Whether the request was carried out all the same.
        #[serde(default)]
        executed: bool,
    },
}

/// A fault to inject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The next `count` requests of a kind go wrong.
    Answer {
        /// Which requests.
        on: Call,
        /// How.
        #[serde(flatten)]
        mishap: Mishap,
        /// How many; one without it.
        #[serde(default = "one")]
        count: u32,
    },
    /// The next frame of a channel gets lost on every open connection. On a sequenced channel this is a gap.
    Drop {
        /// Which channel.
        channel: Channel,
    },
    /// The next frame of a channel comes twice.
    Duplicate {
        /// Which channel.
        channel: Channel,
    },
    /// The next frame of a channel comes after the one that follows it on the connection.
    Reorder {
        /// Which channel.
        channel: Channel,
    },
    /// The frames of a channel are held back for so many ms.
    Delay {
        /// Which channel.
        channel: Channel,
        /// Milliseconds of the exchange's clock.
        ms: u32,
    },
    /// The next sequenced message of a channel gets lost: `seq` skips one.
    Gap {
        /// Which channel; `orderbook_delta` without it.
        #[serde(default = "books")]
        channel: Channel,
    },
    /// The next change of a level is told with one contract too many, while `seq` goes on as if all were well.
    Distort,
    /// The subscriptions of a channel say nothing more while their connections live and answer pings.
    Silence {
        /// Which channel.
        channel: Channel,
    },
    /// Subscriptions to a channel end with error 25 (slow consumer).
    Overflow {
        /// Which channel.
        channel: Channel,
    },
    /// Subscriptions to a channel end with error 10.
    ChannelError {
        /// Which channel.
        channel: Channel,
    },
    /// Every connection ends without a closing handshake.
    Disconnect,
    /// One connection ends so: the oldest one, or that so many after it.
    DisconnectOne {
        /// Its place among the open connections, the oldest one first.
        #[serde(default)]
        nth: usize,
    },
    /// For so many ms of the exchange's clock connections break and new ones and requests get 502.
    Outage {
        /// Milliseconds.
        ms: u32,
    },
    /// Portfolio reads show the state of so many ms ago; 0 ends it.
    ReadLag {
        /// Milliseconds.
        ms: u32,
    },
    /// The clock against which signatures are checked is ahead by so many ms; 0 ends it.
    Skew {
        /// Milliseconds, negative where it is behind.
        ms: i64,
    },
    /// Empty sides of books are shown as the demo exchange showed them: a free trade to the careless.
    EmptyBooks {
        /// On or off.
        on: bool,
    },
}

const fn one() -> u32 {
    1
}

const fn books() -> Channel {
    Channel::OrderbookDelta
}

/// How often things go wrong by chance, in cases of a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultRates {
    /// Frames.
    pub frames: FrameRates,
    /// Requests that never arrive.
    pub lost_before: u32,
    /// Answers that never arrive.
    pub lost_after: u32,
    /// 429 without execution.
    pub too_many: u32,
    /// 500, 502, 503 or 504, half of them after execution, each with any shape of body.
    pub server: u32,
    /// Connections that break, counted in requests and commands.
    pub disconnect: u32,
}

/// The faults that wait for requests.
#[derive(Debug)]
pub(crate) struct Answers {
    planned: VecDeque<(Call, Mishap, u32)>,
    pub(crate) rates: FaultRates,
    random: ChaCha8Rng,
}

impl Answers {
    pub(crate) fn new(rates: FaultRates, seed: u64) -> Self {
        Self { planned: VecDeque::new(), rates, random: ChaCha8Rng::seed_from_u64(seed ^ 0xfa17) }
    }

    pub(crate) fn plan(&mut self, on: Call, mishap: Mishap, count: u32) {
        self.planned.push_back((on, mishap, count.max(1)));
    }

    /// What happens to a request.
    pub(crate) fn next(&mut self, call: Call) -> Option<Mishap> {
        self.planned(call).or_else(|| self.by_chance())
    }

    fn planned(&mut self, call: Call) -> Option<Mishap> {
        let at = self.planned.iter().position(|(on, _, _)| on.covers(call))?;
        let (_, mishap, count) = &mut self.planned[at];
        let mishap = *mishap;
        *count -= 1;
        if *count == 0 {
            self.planned.remove(at);
        }
        Some(mishap)
    }

    fn by_chance(&mut self) -> Option<Mishap> {
        let FaultRates { lost_before, lost_after, too_many, server, .. } = self.rates;
        if lost_before + lost_after + too_many + server == 0 {
            return None;
        }
        let mut roll = self.random.random_range(0..1_000_000_u32);
        let mut hit = |rate: u32| {
            let hit = roll < rate;
            roll = roll.wrapping_sub(rate);
            hit
        };
        if hit(lost_before) {
            return Some(Mishap::LostBefore);
        }
        if hit(lost_after) {
            return Some(Mishap::LostAfter);
        }
        if hit(too_many) {
            return Some(Mishap::Status { status: 429, shape: Shape::Text, executed: false });
        }
        if hit(server) {
            let status = [500, 502, 503, 504][self.random.random_range(0..4)];
            let shapes = [Shape::Wrapped, Shape::Flat, Shape::Msg, Shape::Text, Shape::Html, Shape::Empty];
            let shape = shapes[self.random.random_range(0..shapes.len())];
            return Some(Mishap::Status { status, shape, executed: self.random.random_bool(0.5) });
        }
        None
    }

    /// Whether the connections break now.
    pub(crate) fn disconnects(&mut self) -> bool {
        let rate = self.rates.disconnect;
        rate > 0 && self.random.random_range(0..1_000_000_u32) < rate
    }
}

impl Mishap {
    /// Its name among the counts.
    pub(crate) fn name(self) -> Cow<'static, str> {
        match self {
            Self::LostBefore => "lost_before".into(),
            Self::LostAfter => "lost_after".into(),
            Self::Late { .. } => "late".into(),
            Self::Status { status, executed: false, .. } => format!("status {status}").into(),
            Self::Status { status, executed: true, .. } => format!("status {status}, executed").into(),
        }
    }

    /// Whether the exchange carries the request out.
    pub(crate) const fn executes(self) -> bool {
        !matches!(self, Self::LostBefore | Self::Status { executed: false, .. })
    }

    /// What the client gets instead of `answer`.
    pub(crate) fn distort(self, answer: HttpAnswer) -> HttpAnswer {
        match self {
            Self::LostBefore | Self::LostAfter => HttpAnswer { delivery: Delivery::Lost, ..answer },
            Self::Late { ms } => HttpAnswer { delivery: Delivery::Late(i64::from(ms) * 1_000_000), ..answer },
            Self::Status { status, shape, .. } => HttpAnswer::text(status, &body(status, shape)),
        }
    }
}

fn body(status: u16, shape: Shape) -> String {
    let (code, message) = match status {
        409 => ("order_already_exists", "order already exists"),
        429 => ("too_many_requests", "too many requests"),
        500 => ("internal_server_error", "internal server error"),
        502 => ("bad_gateway", "bad gateway"),
        503 => ("service_unavailable", "service unavailable"),
        504 => ("gateway_timeout", "gateway timeout"),
        _ => ("error", "error"),
    };
    match shape {
        Shape::Wrapped => format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#),
        Shape::Flat => format!(r#"{{"code":"{code}","message":"{message}"}}"#),
        Shape::Msg => format!(r#"{{"msg":"{message}"}}"#),
        Shape::Text => format!(r#"{{"error":"{message}"}}"#),
        Shape::Html => format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body><center><h1>{status} {message}</h1></center></body>\r\n</html>\r\n"
        ),
        Shape::Empty => String::new(),
    }
}
