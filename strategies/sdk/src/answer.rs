//! Short ways to say what a rule answers.

use crate::{Decision, Parameter, Quote, Reason, Side, Unit, Verdict};

impl Decision {
    /// Nothing should rest, nothing is taken, nothing was looked at.
    pub fn nothing() -> Self {
        Self { quotes: Vec::new(), takes: Vec::new(), reasons: Vec::new(), state: Vec::new() }
    }

    /// Lets a quote rest.
    pub fn quote(&mut self, bracket: u16, side: Side, price: u16, quantity: u64) {
        self.quotes.push(Quote { bracket, side, price, quantity });
    }
}

impl Reason {
    /// A bracket that is left alone, with why.
    pub fn pass(bracket: u16, note: &str) -> Self {
        Self {
            bracket,
            verdict: Verdict::Pass,
            side: Side::Bid,
            price: None,
            quantity: 0,
            take_ev: None,
            make_ev: None,
            note: note.to_owned(),
        }
    }
}

impl Parameter {
    /// A number that the trader may set, in units of `unit`.
    pub fn new(name: &str, unit: Unit, default: i64, range: std::ops::RangeInclusive<i64>, about: &str) -> Self {
        Self {
            name: name.to_owned(),
            unit,
            default,
            minimum: *range.start(),
            maximum: *range.end(),
            about: about.to_owned(),
        }
    }
}
