//! What a run shows while it goes on: text for people on a terminal, one JSON object a line elsewhere, or nothing.

use crate::decision_log::{self, Act, Palette};
use isobar_engine::event::{Body, Component, Fault, Report};
use isobar_engine::market::{Market, MarketId};
use isobar_engine::opinion::Role;
use isobar_engine::snapshot::{Decision, Snapshot};
use isobar_engine::units::{Digest, Side, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Nothing: a rerun, a replay.
    Silent,
    /// Lines for people; with `verbose` every bracket of every decision.
    Text { palette: Palette, verbose: bool },
    /// One JSON object a line.
    Json,
}

impl Style {
    /// Text where standard output is a terminal, JSON elsewhere or where asked for.
    pub fn of(screen: crate::cli::Screen) -> Self {
        if screen.json || !std::io::stdout().is_terminal() {
            Self::Json
        } else {
            Self::Text { palette: Palette::of_stdout(), verbose: screen.verbose }
        }
    }
}

/// What was done last, by city-day: a decision that repeats it is not shown again.
type Acts = BTreeMap<Arc<str>, Vec<Act>>;

#[derive(Default)]
struct State {
    buffer: String,
    /// By slot.
    shown: BTreeMap<String, Acts>,
    tickers: Vec<String>,
}

/// Where a run is shown. Shared by the driver and the follower; lines of one call stay together.
pub struct Screen {
    style: Style,
    state: Mutex<State>,
}

impl Screen {
    pub fn new(style: Style) -> Self {
        Self { style, state: Mutex::default() }
    }

    /// Whether nothing is shown at all.
    pub fn is_silent(&self) -> bool {
        self.style == Style::Silent
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes out what was gathered.
    pub fn flush(&self) {
        if self.is_silent() {
            return;
        }
        let text = std::mem::take(&mut self.state().buffer);
        let mut out = std::io::stdout().lock();
        // A reader that went away (`| head`) is no reason to stop trading.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn line(&self, text: impl FnOnce(&State) -> String, object: impl FnOnce(&State) -> serde_json::Value) {
        let mut state = self.state();
        let line = match self.style {
            Style::Silent => return,
            Style::Text { .. } => text(&state),
            Style::Json => object(&state).to_string(),
        };
        state.buffer.push_str(&line);
        state.buffer.push('\n');
    }

    /// A sentence about the run itself.
    pub fn note(&self, text: &str) {
        self.line(|_| text.to_owned(), |_| json!({"type": "note", "text": text}));
        self.flush();
    }

    /// One decision, unless it does what the last one for this city-day did.
    pub fn decision(&self, slot: &str, number: u64, snapshot: &Snapshot, outcome: &Result<Decision, Fault>) {
        if self.is_silent() {
            return;
        }
        let decision = match outcome {
            Ok(decision) => decision,
            Err(fault) => {
                let event = &snapshot.event;
                return self.line(
                    |_| format!("{slot}: {event}: the component failed: {fault:?}"),
                    |_| json!({"type": "fault", "slot": slot, "event": &**event, "fault": format!("{fault:?}")}),
                );
            }
        };
        let acts = decision_log::acts(snapshot, decision);
        let mut state = self.state();
        let verbose = matches!(self.style, Style::Text { verbose: true, .. });
        if !state.news(slot, &snapshot.event, acts) && !verbose {
            return;
        }
        let lines = decision_log::lines(slot, number, snapshot, decision);
        match self.style {
            Style::Silent => {}
            Style::Text { palette, verbose } => {
                state.buffer.push_str(&decision_log::render(&lines, &palette, verbose));
            }
            Style::Json => {
                for line in &lines {
                    let mut object = serde_json::to_value(line).unwrap_or_default();
                    object["type"] = json!("decision");
                    let _ = writeln!(state.buffer, "{object}");
                }
            }
        }
    }

    /// Fills, refusals and settlements of a slot.
    pub fn report(&self, slot: &str, at: Timestamp, report: &Report) {
        match report {
            Report::Filled { market, side, price, quantity, fee, taker, position, .. } => {
                let role = if *taker { "taker" } else { "maker" };
                let verb = if *side == Side::Bid { "bought" } else { "sold" };
                self.line(
                    |state| {
                        let ticker = state.ticker(*market);
                        let held = position.div_euclid(100);
                        format!(
                            "{} {slot:<7}  FILL {ticker} {verb} {quantity} @ {price} ({role}, fee {fee}), now {held}",
                            clock(at)
                        )
                    },
                    |state| {
                        json!({"type": "fill", "at": at.0, "slot": slot, "ticker": state.ticker(*market),
                            "side": verb, "price": price.to_string(), "quantity": quantity.to_string(),
                            "fee": fee.to_string(), "role": role, "position": position})
                    },
                );
            }
            Report::Settled { market, position, value, payout } => self.line(
                |state| {
                    let ticker = state.ticker(*market);
                    format!(
                        "{} {slot:<7}  SETTLED {ticker} at {value}: position {} pays {payout}",
                        clock(at),
                        position / 100
                    )
                },
                |state| {
                    json!({"type": "settled", "at": at.0, "slot": slot, "ticker": state.ticker(*market),
                        "value": value.to_string(), "position": position, "payout": payout.to_string()})
                },
            ),
            Report::Refused { market, price, quantity, reason, .. } => self.line(
                |state| {
                    let ticker = state.ticker(*market);
                    format!("{} {slot:<7}  REFUSED {ticker} {quantity} @ {price}: {reason:?}", clock(at))
                },
                |state| {
                    json!({"type": "refused", "at": at.0, "slot": slot, "ticker": state.ticker(*market),
                        "price": price.to_string(), "quantity": quantity.to_string(), "reason": format!("{reason:?}")})
                },
            ),
            Report::Stopped { faults } => self.line(
                |_| format!("{} {slot:<7}  STOPPED after {faults} faults in a row", clock(at)),
                |_| json!({"type": "stopped", "at": at.0, "slot": slot, "faults": faults}),
            ),
            Report::ForeignFill { market, side, price, quantity, fee, position } => {
                let verb = if *side == Side::Bid { "bought" } else { "sold" };
                self.line(
                    |state| {
                        let (ticker, held) = (state.ticker(*market), position.div_euclid(100));
                        format!(
                            "{} {slot:<7}  FOREIGN {ticker} {verb} {quantity} @ {price} (fee {fee}), now {held}",
                            clock(at)
                        )
                    },
                    |state| {
                        json!({"type": "foreign_fill", "at": at.0, "slot": slot, "ticker": state.ticker(*market),
                            "side": verb, "price": price.to_string(), "quantity": quantity.to_string(),
                            "fee": fee.to_string(), "position": position})
                    },
                );
            }
            Report::Notice(notice) => self.line(
                |_| format!("{} {slot:<7}  NOTICE {notice}", clock(at)),
                |_| json!({"type": "notice", "at": at.0, "slot": slot, "text": notice.to_string(), "notice": notice}),
            ),
            Report::Placed { .. } | Report::Cancelled { .. } | Report::Queued { .. } => {}
        }
    }

    /// Forecasts, lost trust and frames that nobody understands.
    pub fn body(&self, at: Timestamp, body: &Body) {
        if let Body::Listed(markets) = body {
            self.list(markets);
        }
        if self.is_silent() {
            return;
        }
        match body {
            Body::Forecast(forecast) => {
                let told = forecast.outcome.as_ref().map(|probabilities| {
                    let parts = probabilities.iter().map(|(market, p)| (*market, p.ppm()));
                    parts.collect::<Vec<_>>()
                });
                self.line(
                    |_| match &told {
                        Ok(parts) => {
                            let shares: Vec<_> = parts.iter().map(|(_, ppm)| format!("{}", ppm / 10_000)).collect();
                            format!("{} forecast {}: {} %", clock(at), forecast.event, shares.join(" | "))
                        }
                        Err(reason) => format!("{} forecast {}: no opinion: {reason}", clock(at), forecast.event),
                    },
                    |_| {
                        json!({"type": "forecast", "at": at.0, "event": forecast.event, "model": forecast.model.to_string(),
                            "ppm": told.as_ref().ok().map(|p| p.iter().map(|(_, ppm)| *ppm).collect::<Vec<_>>()),
                            "reason": told.as_ref().err()})
                    },
                );
            }
            Body::Stale { markets, reason } => self.line(
                |_| format!("{} {} books are not to be trusted: {reason:?}", clock(at), markets.len()),
                |_| json!({"type": "stale", "at": at.0, "markets": markets.len(), "reason": format!("{reason:?}")}),
            ),
            Body::Unparsed(reason) => self.line(
                |_| format!("{} a frame was not understood: {reason}", clock(at)),
                |_| json!({"type": "unparsed", "at": at.0, "reason": reason}),
            ),
            _ => {}
        }
    }

    fn list(&self, markets: &[Market]) {
        let mut state = self.state();
        for market in markets {
            let tickers = &mut state.tickers;
            tickers.resize(tickers.len().max(market.id.index() + 1), String::new());
            tickers[market.id.index()].clone_from(&market.ticker);
        }
    }

    /// A slot holds another component.
    pub fn swapped(&self, slot: &str, component: &Component, path: &str, took: Option<Duration>) {
        let hash = component.hash.to_string();
        let took_ms = took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        self.line(
            |_| {
                let took = took_ms.map_or(String::new(), |ms| format!(", {ms} ms after the file was whole"));
                format!("{slot}: now {} ({}){took}", component.name, &hash[..12])
            },
            |_| {
                json!({"type": "swapped", "slot": slot, "component": hash, "name": component.name, "path": path,
                    "took_ms": took_ms})
            },
        );
        self.flush();
    }

    /// Another bundle speaks for a city.
    pub fn model_swapped(&self, city: &str, role: Role, model: Digest, path: &Path, took: Duration) {
        let (hash, took_ms) = (model.to_string(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        self.line(
            |_| format!("{city}: {role} model is now {} from {}, {took_ms} ms", &hash[..12], path.display()),
            |_| {
                json!({"type": "model_swapped", "city": city, "role": role.to_string(), "model": hash,
                    "path": path.display().to_string(), "took_ms": took_ms})
            },
        );
        self.flush();
    }

    /// A bundle was offered and not taken.
    pub fn model_refused(&self, path: &Path, reason: &str) {
        let path = path.display();
        self.line(
            |_| format!("refused {path}: {reason}; the model before goes on"),
            |_| json!({"type": "model_refused", "path": path.to_string(), "reason": reason}),
        );
        self.flush();
    }

    /// A component was offered and not taken.
    pub fn refused(&self, slot: &str, path: &str, reason: &str) {
        self.line(
            |_| format!("{slot}: refused {path}: {reason}; the running version goes on"),
            |_| json!({"type": "component_refused", "slot": slot, "path": path, "reason": reason}),
        );
        self.flush();
    }
}

impl State {
    /// Whether a slot does something else than it did last for the city-day.
    fn news(&mut self, slot: &str, event: &Arc<str>, acts: Vec<Act>) -> bool {
        if !self.shown.contains_key(slot) {
            self.shown.insert(slot.to_owned(), Acts::new());
        }
        let shown = self.shown.get_mut(slot).expect("it was just put there");
        match shown.get_mut(event) {
            Some(last) if *last == acts => false,
            Some(last) => {
                *last = acts;
                true
            }
            None => {
                shown.insert(Arc::clone(event), acts);
                true
            }
        }
    }

    fn ticker(&self, market: MarketId) -> &str {
        self.tickers.get(market.index()).map_or("?", String::as_str)
    }
}

/// `10:17:15`, UTC.
fn clock(at: Timestamp) -> String {
    let second = at.0.div_euclid(1_000_000_000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}
