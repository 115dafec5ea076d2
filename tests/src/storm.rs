//! A storm: faults of the simulated exchange by a seeded plan, while real programs trade there.
//!
//! Two layers. Rates make requests and frames of all kinds go wrong by chance all the time; on top of them every gust is
//! one fault that chance does not make: a silent subscription, a slow consumer, a lagging read, a conflict.

use crate::venue::Venue;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const CHANNELS: [&str; 8] = [
    "orderbook_delta",
    "ticker",
    "trade",
    "market_lifecycle_v2",
    "fill",
    "user_orders",
    "market_positions",
    "order_group_updates",
];
const CALLS: [&str; 8] = ["create", "cancel", "cancel_all", "amend", "decrease", "group", "read", "public"];
const SHAPES: [&str; 6] = ["wrapped", "flat", "msg", "text", "html", "empty"];
/// One gust of so many breaks subscriptions or connections: after each of them the account has to be proved again, and a
/// host that is never let trade shows nothing.
const HEAVY: u32 = 8;

/// Faults by a seed.
pub struct Storm {
    random: ChaCha8Rng,
    /// Gusts until reads no longer lag.
    lag: u32,
}

impl Storm {
    /// A storm of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), lag: 0 }
    }

    /// What goes wrong by chance with frames, in cases of a million. It holds for connections that are opened later, so it
    /// is told before the host begins.
    fn frames() -> Value {
        json!({"drop": 500, "duplicate": 500, "reorder": 500, "delay": 200, "delay_ms": 3_000})
    }

    /// Frames go wrong, requests do not: a host that begins is not told that its account cannot be read.
    pub fn rise(venue: &Venue) {
        venue.tell("faults/rates", &json!({"frames": Self::frames()}));
    }

    /// From now on requests go wrong too.
    pub fn rage(venue: &Venue) {
        let rates = json!({"lost_before": 3_000, "lost_after": 3_000, "too_many": 2_000, "server": 5_000,
            "disconnect": 100, "frames": Self::frames()});
        venue.tell("faults/rates", &rates);
    }

    /// Nothing more goes wrong on purpose, but for frames of connections that are open.
    pub fn rest(&mut self, venue: &Venue) {
        self.lag = 0;
        venue.tell("fault", &json!({"kind": "read_lag", "ms": 0}));
        venue.tell("faults/rates", &json!({}));
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.random.random_range(0..of.len())]
    }

    /// One more fault.
    pub fn gust(&mut self, venue: &Venue) {
        if self.lag > 0 {
            self.lag -= 1;
            if self.lag == 0 {
                venue.tell("fault", &json!({"kind": "read_lag", "ms": 0}));
            }
        }
        let fault = if self.random.random_ratio(1, HEAVY) { self.heavy() } else { self.light() };
        venue.tell("fault", &fault);
    }

    /// A subscription or the connection ends, or says nothing more.
    fn heavy(&mut self) -> Value {
        let channel = self.one(&CHANNELS);
        match self.random.random_range(0..5) {
            0 => json!({"kind": "silence", "channel": channel}),
            1 => json!({"kind": "overflow", "channel": channel}),
            2 => json!({"kind": "channel_error", "channel": channel}),
            3 => json!({"kind": "disconnect"}),
            _ => json!({"kind": "outage", "ms": self.random.random_range(1_000..20_000)}),
        }
    }

    /// A frame, a request or the reads of a while.
    fn light(&mut self) -> Value {
        let channel = self.one(&CHANNELS);
        match self.random.random_range(0..12) {
            0 => json!({"kind": "gap", "channel": channel}),
            1 => json!({"kind": "drop", "channel": channel}),
            2 => json!({"kind": "duplicate", "channel": channel}),
            3 => json!({"kind": "reorder", "channel": channel}),
            4 => json!({"kind": "delay", "channel": channel, "ms": self.random.random_range(500..5_000)}),
            5 => {
                self.lag = self.random.random_range(1..4);
                json!({"kind": "read_lag", "ms": self.random.random_range(100..5_000)})
            }
            6 => json!({"kind": "answer", "on": self.one(&CALLS), "how": "lost_before"}),
            7 => json!({"kind": "answer", "on": self.one(&CALLS), "how": "lost_after"}),
            // Of the machine's time: some come after the host has given up.
            8 => {
                let ms = self.random.random_range(50..7_000);
                json!({"kind": "answer", "on": self.one(&CALLS), "how": "late", "ms": ms})
            }
            _ => {
                let status = [409, 429, 500, 502, 503, 504][self.random.random_range(0..6)];
                // Whoever is told to come back was not served; all others may have been.
                let executed = status != 429 && self.random.random_bool(0.5);
                json!({"kind": "answer", "on": self.one(&CALLS), "how": "status", "status": status,
                    "shape": self.one(&SHAPES), "executed": executed})
            }
        }
    }
}
