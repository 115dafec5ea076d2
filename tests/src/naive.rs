//! Books rebuilt from frames by the plainest means: JSON values and maps of decimal strings. It uses no code of the host,
//! so that both can only agree where both are right. It knows captures in the venue's default scale (NO levels in NO
//! prices) and checks no sequence.

use serde_json::Value;
use std::collections::BTreeMap;

/// The books of all markets that a capture speaks of, by ticker.
#[derive(Debug, Default)]
pub struct Naive {
    /// The books.
    pub books: BTreeMap<String, Book>,
}

/// Bids for YES and bids for NO: price to contracts, both as decimal strings.
#[derive(Debug, Default)]
pub struct Book {
    yes: BTreeMap<String, String>,
    no: BTreeMap<String, String>,
    locked_now: bool,
    crossed_now: bool,
    /// How many times the best bid came to be at the best ask or above.
    pub locked: u64,
    /// How many times the best bid came to be above the best ask.
    pub crossed: u64,
}

fn units(decimal: &str, digits: usize) -> i64 {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    assert!(fraction.len() <= digits, "{decimal}");
    format!("{whole}{fraction:0<digits$}").parse().expect("a decimal")
}

fn price(units: i64) -> String {
    format!("{}.{:04}", units / 10_000, units % 10_000)
}

fn complement(of: &str) -> String {
    price(10_000 - units(of, 4))
}

fn side(levels: &Value) -> BTreeMap<String, String> {
    let levels = levels.as_array().into_iter().flatten();
    let text = |value: &Value, digits| units(value.as_str().expect("a string"), digits);
    levels.map(|level| (price(text(&level[0], 4)), contracts(text(&level[1], 2)))).collect()
}

fn contracts(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

impl Naive {
    /// Applies one frame; whatever is neither a snapshot nor a delta changes nothing.
    pub fn apply(&mut self, frame: &Value) {
        let msg = &frame["msg"];
        let book = msg["market_ticker"].as_str().map(|ticker| self.books.entry(ticker.to_owned()).or_default());
        match (frame["type"].as_str(), book) {
            (Some("orderbook_snapshot"), Some(book)) => {
                (book.yes, book.no) = (side(&msg["yes_dollars_fp"]), side(&msg["no_dollars_fp"]));
                book.look();
            }
            (Some("orderbook_delta"), Some(book)) => {
                let levels = if msg["side"] == "yes" { &mut book.yes } else { &mut book.no };
                let at = price(units(msg["price_dollars"].as_str().expect("a price"), 4));
                let change = units(msg["delta_fp"].as_str().expect("a change"), 2);
                let held = levels.get(&at).map_or(0, |held| units(held, 2)) + change;
                assert!(held >= 0, "a level below zero: {frame}");
                if held == 0 {
                    levels.remove(&at);
                } else {
                    levels.insert(at, contracts(held));
                }
                book.look();
            }
            _ => {}
        }
    }
}

impl Book {
    /// The best price at which YES is bought.
    pub fn bid(&self) -> Option<String> {
        self.yes.keys().next_back().cloned()
    }

    /// The best price at which YES is sold.
    pub fn ask(&self) -> Option<String> {
        self.no.keys().next_back().map(|no| complement(no))
    }

    /// YES bids, best first, as `[price, contracts]`.
    pub fn bids(&self) -> Vec<[String; 2]> {
        self.yes.iter().rev().map(|(price, held)| [price.clone(), held.clone()]).collect()
    }

    /// YES asks, best first, as `[price, contracts]`.
    pub fn asks(&self) -> Vec<[String; 2]> {
        self.no.iter().rev().map(|(price, held)| [complement(price), held.clone()]).collect()
    }

    fn look(&mut self) {
        // Four decimals each and at most one dollar: as text they sort as numbers do.
        let (bid, ask) = (self.bid(), self.ask());
        let locked = bid.is_some() && ask.is_some() && bid >= ask;
        let crossed = locked && bid > ask;
        self.locked += u64::from(locked && !self.locked_now);
        self.crossed += u64::from(crossed && !self.crossed_now);
        (self.locked_now, self.crossed_now) = (locked, crossed);
    }
}
