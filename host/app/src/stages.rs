//! Where the time of an order goes inside the host: stamps on its way, kept until the run ends and written as one file.
//!
//! For measurements from outside, which place these stamps between their own: one line of names, then one line an order, its
//! client order id and Unix nanoseconds, separated by tabs. Off unless a file is named; nothing of it is journaled or
//! decides anything.

use crate::clock::Clock;
use anyhow::{Context, Result};
use isobar_engine::units::Timestamp;
use isobar_kalshi::gateway::HttpRequest;
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Names of the stamps in their order.
const NAMES: [&str; 5] = ["read", "journaled and decoded", "decided", "handed over", "request written"];

/// The stamps of a run.
pub struct Stages {
    /// The machine's own, whatever the run's is: the stamps of two processes are compared.
    clock: Clock,
    file: PathBuf,
    text: String,
    /// Of the input that is under way: read, decoded, decided.
    current: [Timestamp; 3],
    /// Of the first input since the last sending that had something sent.
    held: Option<[Timestamp; 3]>,
    handed_over: Timestamp,
    /// Bodies of the orders that are being sent.
    bodies: Vec<String>,
}

impl Stages {
    /// Stamps that go into `file` at the end.
    pub fn new(file: PathBuf) -> Self {
        let clock = Clock::System;
        let zero = Timestamp(0);
        let text = format!("order\t{}\n", NAMES.join("\t"));
        Self { clock, file, text, current: [zero; 3], held: None, handed_over: zero, bodies: Vec::new() }
    }

    /// A frame came out of the socket.
    pub fn read(&mut self) {
        self.current[0] = self.clock.now();
    }

    /// It is in the journal's buffer, and it is known what it means.
    pub fn decoded(&mut self) {
        self.current[1] = self.clock.now();
    }

    /// The slot has seen it; `asks` says whether it wants something of the venue.
    pub fn decided(&mut self, asks: bool) {
        self.current[2] = self.clock.now();
        if asks && self.held.is_none() {
            self.held = Some(self.current);
        }
    }

    /// The journals are with the operating system, and these requests may leave.
    pub fn handed_over(&mut self, requests: &[HttpRequest]) {
        self.handed_over = self.clock.now();
        self.bodies.extend(requests.iter().filter(|request| request.create).filter_map(|request| request.body.clone()));
    }

    /// They were written to their sockets, as far as the caller can tell.
    pub fn sent(&mut self) {
        #[derive(Deserialize)]
        struct Order<'a> {
            client_order_id: &'a str,
        }
        let now = self.clock.now();
        let Some([read, decoded, decided]) = self.held.take() else { return self.bodies.clear() };
        for body in self.bodies.drain(..) {
            // Only single creates are looked at.
            if let Ok(Order { client_order_id }) = serde_json::from_str(&body) {
                self.text.push_str(client_order_id);
                for stamp in [read, decoded, decided, self.handed_over, now] {
                    // Writing into a string cannot fail.
                    let _ = write!(self.text, "\t{}", stamp.0);
                }
                self.text.push('\n');
            }
        }
    }

    /// Writes the file.
    pub fn write(&self) -> Result<()> {
        std::fs::write(&self.file, &self.text).with_context(|| self.file.display().to_string())
    }
}
