//! The exchange with its clients: plays the script on a given time, and renders every change for every connection.
//!
//! Pure but for the time it is given. One lock stands around it; sockets and REST only look in.

use crate::clock::Clock;
use crate::exchange::{Action, Change, Exchange};
use crate::scene::{Script, Stage};
use crate::session::{Channel, Session};
use crate::weather::Row;
use isobar_engine::units::Timestamp;
use std::collections::BTreeMap;

/// Unwritten bytes of a connection at which a flood waits for it.
const FLOOD_BYTES: usize = 256 * 1024;
/// Unwritten bytes of a connection at which its subscriptions end (error 25) when nothing waits.
const OVERFLOW_BYTES: usize = 64 * 1024 * 1024;

pub(crate) struct Venue {
    pub(crate) exchange: Exchange,
    script: Script,
    pub(crate) sessions: BTreeMap<u64, Session>,
    pub(crate) weather: Vec<Row>,
    pub(crate) clock: Clock,
    connections: u64,
    actions: Vec<Action>,
    changes: Vec<Change>,
}

fn millis(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000)
}

impl Venue {
    pub(crate) fn new(stage: Stage, clock: Clock) -> Self {
        let Stage { mut exchange, script, starts, weather } = stage;
        exchange.now = exchange.now.max(starts);
        Self {
            exchange,
            script,
            sessions: BTreeMap::new(),
            weather,
            clock,
            connections: 0,
            actions: Vec::new(),
            changes: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now(self.exchange.now)
    }

    /// A new connection; nothing while the exchange is down.
    pub(crate) fn connect(&mut self) -> Option<u64> {
        if self.exchange.down {
            return None;
        }
        self.connections += 1;
        self.sessions.insert(self.connections, Session::default());
        Some(self.connections)
    }

    pub(crate) fn command(&mut self, connection: u64, text: &str) {
        let now_ms = millis(self.now());
        if let Some(session) = self.sessions.get_mut(&connection).filter(|session| !session.closing) {
            session.command(text, &self.exchange, now_ms);
        }
    }

    /// Plays one step of the script and tells everyone.
    fn step(&mut self, at: Timestamp) {
        self.script.next(&self.exchange, &mut self.actions);
        for action in self.actions.drain(..) {
            self.exchange.apply(at, action, &mut self.changes);
            let now_ms = millis(self.clock.now(at));
            // A change is rendered only when the exchange stands where the change left it, hence one at a time; several
            // levels of one action differ in nothing that a delta shows but the clock, which may only be late.
            for change in self.changes.drain(..) {
                for session in self.sessions.values_mut().filter(|session| !session.closing) {
                    session.change(&change, &self.exchange, now_ms);
                }
            }
        }
    }

    /// Plays everything that is due on the scaled clock; when the next step is due.
    pub(crate) fn play_due(&mut self) -> Option<Timestamp> {
        let now = self.now();
        while let Some(at) = self.script.peek().filter(|at| *at <= now) {
            self.step(at);
        }
        let now_ms = millis(now);
        for session in self.sessions.values_mut().filter(|session| session.out.text.len() > OVERFLOW_BYTES) {
            session.overflow(now_ms);
        }
        self.script.peek()
    }

    /// Plays until a client has enough to read, the exchange goes down or the scene ends. `false` where it must wait.
    pub(crate) fn play_flood(&mut self) -> bool {
        let mut played = false;
        while self.may_flood() {
            let Some(at) = self.script.peek() else { break };
            self.step(at);
            played = true;
        }
        played
    }

    fn may_flood(&self) -> bool {
        let full = self.sessions.values().any(|session| session.out.text.len() >= FLOOD_BYTES);
        let heard = self.exchange.down || self.sessions.values().any(Session::listens);
        heard && !full
    }

    /// Whether the scene is over and every frame is on its socket.
    pub(crate) fn finished(&self) -> bool {
        let delivered = |session: &Session| session.out.ends.is_empty() && !session.writing;
        self.script.peek().is_none() && self.sessions.values().all(delivered)
    }

    pub(crate) fn disconnect_all(&mut self) {
        for session in self.sessions.values_mut() {
            session.closing = true;
        }
    }

    pub(crate) fn silence(&mut self, channel: Channel) {
        for session in self.sessions.values_mut() {
            session.silence(channel);
        }
    }

    pub(crate) fn lose_next(&mut self, channel: Channel) {
        for session in self.sessions.values_mut() {
            session.lose_next(channel);
        }
    }
}
