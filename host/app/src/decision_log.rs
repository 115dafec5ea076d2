//! The decision log: what a strategy saw, what each action was worth and what it did, for people and for programs.
//!
//! One [`DecisionLine`] a bracket and side that was acted on or looked at, made from the snapshot and the answer alone.
//! Lines are rendered for a terminal, or serialised as JSON; every number comes from the engine's integers. Nothing is
//! decided here, and nothing is read back from here.

use anstyle::{AnsiColor, Style};
use isobar_engine::market::MarketId;
use isobar_engine::snapshot::{Bracket, Decision, Reason, Snapshot, Target, Verdict};
use isobar_engine::units::{Price, Quantity, SECOND, Side};
use serde::Serialize;
use std::fmt::{self, Write as _};
use std::io::IsTerminal;

/// One bracket of one decision. Serialised, prices are dollars, quantities contracts and money dollars, all as texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecisionLine {
    /// Time of the event that was answered, nanoseconds since 1970.
    pub at: i64,
    /// Name of the slot.
    pub slot: String,
    /// Number of the question within the slot.
    pub decision: u64,
    /// The venue's name of the city-day.
    pub event: String,
    /// The venue's name of the market.
    pub ticker: String,
    /// What came of it: `take`, `make` or `pass`.
    pub verdict: &'static str,
    /// Side of the book: `bid` buys YES, `ask` buys NO.
    pub side: &'static str,
    /// The model's probability in parts per million.
    pub probability_ppm: Option<u32>,
    /// Best YES bid.
    #[serde(serialize_with = "text")]
    pub bid: Option<Price>,
    /// Best YES ask.
    #[serde(serialize_with = "text")]
    pub ask: Option<Price>,
    /// Expected value of taking one contract, fee included, in 1/1 000 000 dollar.
    pub take_ev_micros: Option<i64>,
    /// Expected value of one contract bought by a resting quote, fee included, in 1/1 000 000 dollar.
    pub make_ev_micros: Option<i64>,
    /// YES price of the action.
    #[serde(serialize_with = "text")]
    pub price: Option<Price>,
    /// Contracts of the action.
    #[serde(serialize_with = "plain")]
    pub quantity: Quantity,
    /// The strategy's own words.
    pub note: String,
}

fn text<S: serde::Serializer>(price: &Option<Price>, serializer: S) -> Result<S::Ok, S::Error> {
    match price {
        Some(price) => serializer.collect_str(price),
        None => serializer.serialize_none(),
    }
}

fn plain<S: serde::Serializer>(quantity: &Quantity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(quantity)
}

/// What a decision does in one market, without its explanation.
pub type Act = (MarketId, Verdict, Side, Option<Price>, Quantity);

/// What a decision does, in the order of its lines. Cheap: asked for each decision, while most are not shown.
pub fn acts(snapshot: &Snapshot, decision: &Decision) -> Vec<Act> {
    let silent = silent(snapshot, decision);
    let acting = decision.reasons.iter().chain(&silent).filter(|reason| reason.verdict != Verdict::Pass);
    let act = |reason: &Reason| {
        let market = snapshot.brackets.get(usize::from(reason.bracket))?.market;
        Some((market, reason.verdict, reason.side, reason.price, reason.quantity))
    };
    acting.filter_map(act).collect()
}

/// Every line of one decision: the strategy's reasons in its order, then actions for which it gave none.
pub fn lines(slot: &str, number: u64, snapshot: &Snapshot, decision: &Decision) -> Vec<DecisionLine> {
    let line = |reason: &Reason| {
        let bracket = snapshot.brackets.get(usize::from(reason.bracket))?;
        Some(DecisionLine::new(slot, number, snapshot, bracket, reason))
    };
    decision.reasons.iter().chain(&silent(snapshot, decision)).filter_map(line).collect()
}

/// Actions for which no reason was given.
fn silent(snapshot: &Snapshot, decision: &Decision) -> Vec<Reason> {
    let explained = |bracket: u16, side: Side, verdict: Verdict| {
        let same = |reason: &Reason| (reason.bracket, reason.side, reason.verdict) == (bracket, side, verdict);
        decision.reasons.iter().any(same)
    };
    let takes = decision.takes.iter().filter_map(|target| taken(snapshot, target));
    let takes = takes.filter(|take| !explained(take.bracket, take.side, Verdict::Take));
    let quotes = decision.quotes.iter().filter(|quote| !explained(quote.bracket, quote.side, Verdict::Make));
    let quotes = quotes.map(|quote| unexplained(quote.bracket, quote.side, Verdict::Make, quote.price, quote.quantity));
    takes.chain(quotes).collect()
}

/// What is left to do of a target, counted from the position alone; nothing where it is reached.
fn taken(snapshot: &Snapshot, target: &Target) -> Option<Reason> {
    let held = snapshot.brackets.get(usize::from(target.bracket))?.position;
    let change = target.position.saturating_sub(held);
    let side = if change > 0 { Side::Bid } else { Side::Ask };
    let quantity = Quantity::new(change.unsigned_abs());
    (change != 0).then(|| unexplained(target.bracket, side, Verdict::Take, target.limit, quantity))
}

fn unexplained(bracket: u16, side: Side, verdict: Verdict, price: Price, quantity: Quantity) -> Reason {
    let price = Some(price);
    Reason { bracket, verdict, side, price, quantity, take_ev: None, make_ev: None, note: "no reason given".to_owned() }
}

impl DecisionLine {
    fn new(slot: &str, decision: u64, snapshot: &Snapshot, bracket: &Bracket, reason: &Reason) -> Self {
        Self {
            at: snapshot.now.0,
            slot: slot.to_owned(),
            decision,
            event: snapshot.event.to_string(),
            ticker: bracket.ticker.to_string(),
            verdict: match reason.verdict {
                Verdict::Take => "take",
                Verdict::Make => "make",
                Verdict::Pass => "pass",
            },
            side: match reason.side {
                Side::Bid => "bid",
                Side::Ask => "ask",
            },
            probability_ppm: bracket.probability.map(|probability| probability.ppm()),
            bid: bracket.bids.first().map(|level| level.price),
            ask: bracket.asks.first().map(|level| level.price),
            take_ev_micros: reason.take_ev,
            make_ev_micros: reason.make_ev,
            price: reason.price,
            quantity: reason.quantity,
            note: reason.note.clone(),
        }
    }

    fn acts(&self) -> bool {
        self.verdict != "pass"
    }

    /// `TAKE 41 @ 48c = $19.68`; buying NO is told in NO prices: `TAKE NO 41 @ 52c = $21.32`.
    fn action(&self) -> String {
        let verdict = self.verdict.to_uppercase();
        let (Some(price), true) = (self.price, self.acts()) else { return verdict };
        let (claim, price) = if self.side == "ask" { (" NO", price.complement()) } else { ("", price) };
        let cost = Dollars(u128::from(price.units()) * u128::from(self.quantity.units()));
        format!("{verdict}{claim} {} @ {} = {cost}", Contracts(self.quantity), Cents(price))
    }
}

/// How lines look on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    take: Style,
    make: Style,
    dim: Style,
    gain: Style,
    loss: Style,
}

impl Palette {
    /// Without any colour.
    pub const PLAIN: Self =
        Self { take: Style::new(), make: Style::new(), dim: Style::new(), gain: Style::new(), loss: Style::new() };

    /// With the colours of a terminal.
    pub const COLOURED: Self = Self {
        take: AnsiColor::Green.on_default().bold(),
        make: AnsiColor::Cyan.on_default().bold(),
        dim: Style::new().dimmed(),
        gain: AnsiColor::Green.on_default(),
        loss: AnsiColor::Red.on_default(),
    };

    /// Colours where standard output is a terminal and NO_COLOR is unset or empty (no-color.org).
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if std::io::stdout().is_terminal() && !refused && !dumb { Self::COLOURED } else { Self::PLAIN }
    }
}

/// The text of one decision, every line with its end. Without `verbose`, passes are told in one line together.
pub fn render(lines: &[DecisionLine], palette: &Palette, verbose: bool) -> String {
    let mut text = String::new();
    for line in lines.iter().filter(|line| verbose || line.acts()) {
        render_line(&mut text, line, palette).expect("a String takes any text");
    }
    if !verbose {
        render_passes(&mut text, lines, palette).expect("a String takes any text");
    }
    text
}

fn render_line(text: &mut String, line: &DecisionLine, palette: &Palette) -> fmt::Result {
    let Palette { dim, .. } = palette;
    let style = match line.verdict {
        "take" => palette.take,
        "make" => palette.make,
        _ => palette.dim,
    };
    let cents = |price: Option<Price>| price.map_or("-".to_owned(), |price| TwoDecimals(price).to_string());
    write!(
        text,
        "{dim}{}{dim:#} {:<7}  {:<4} {:<24}  ",
        TimeOfDay(line.at),
        line.slot,
        city(&line.event),
        line.ticker
    )?;
    match line.probability_ppm {
        Some(ppm) => write!(text, "P {}  ", Thousandths(ppm))?,
        None => write!(text, "P {:<5}  ", "-")?,
    }
    write!(text, "bid {:>6} ask {:>6}  take EV ", cents(line.bid), cents(line.ask))?;
    write_value(text, line.take_ev_micros, palette)?;
    text.push_str("  make EV ");
    write_value(text, line.make_ev_micros, palette)?;
    write!(text, "  {style}{}{style:#}", line.action())?;
    if !line.note.is_empty() {
        write!(text, "  {dim}{}{dim:#}", Safe(&line.note))?;
    }
    text.push('\n');
    Ok(())
}

fn write_value(text: &mut String, micros: Option<i64>, palette: &Palette) -> fmt::Result {
    let Some(micros) = micros else { return write!(text, "{:>8}", "-") };
    let style = if micros > 0 { palette.gain } else { palette.loss };
    write!(text, "{style}{:>8}{style:#}", SignedCents(micros).to_string())
}

/// `10:16:01 edge     CHI  KXHIGHCHI-25NOV28  pass 6: edge too small 5, no ask 1`
fn render_passes(text: &mut String, lines: &[DecisionLine], palette: &Palette) -> fmt::Result {
    let mut notes: Vec<(&str, u32)> = Vec::new();
    for line in lines.iter().filter(|line| !line.acts()) {
        match notes.iter_mut().find(|(note, _)| *note == line.note) {
            Some((_, count)) => *count += 1,
            None => notes.push((&line.note, 1)),
        }
    }
    let Some(first) = lines.first().filter(|_| !notes.is_empty()) else { return Ok(()) };
    let (dim, total) = (palette.dim, notes.iter().map(|(_, count)| count).sum::<u32>());
    let (at, city) = (TimeOfDay(first.at), city(&first.event));
    write!(text, "{dim}{at} {:<7}  {city:<4} {}  pass {total}", first.slot, first.event)?;
    let mut mark = ':';
    for (note, count) in notes.iter().filter(|(note, _)| !note.is_empty()) {
        write!(text, "{mark} {} {count}", Safe(note))?;
        mark = ',';
    }
    writeln!(text, "{dim:#}")
}

/// The city's part of the venue's name, for the eye only: `DEN` of `KXHIGHDEN-25NOV28`.
fn city(event: &str) -> &str {
    let series = event.split('-').next().unwrap_or(event);
    series.strip_prefix("KXHIGH").filter(|city| !city.is_empty()).unwrap_or(series)
}

/// Words of a strategy, which must not steer the terminal: control characters become spaces.
struct Safe<'a>(&'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| f.write_char(if c.is_control() { ' ' } else { c }))
    }
}

/// `10:17:15`, UTC.
struct TimeOfDay(i64);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.0.div_euclid(SECOND).rem_euclid(86_400);
        write!(f, "{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
    }
}

/// `0.580`: parts per million to three decimals, half up.
struct Thousandths(u32);

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 + 500) / 1_000;
        write!(f, "{}.{:03}", rounded / 1_000, rounded % 1_000)
    }
}

/// `48.00c`: exact, a price has no more decimals.
struct TwoDecimals(Price);

impl fmt::Display for TwoDecimals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}c", self.0.units() / 100, self.0.units() % 100)
    }
}

/// `48c`, `48.5c`: exact, without zeros at the end.
struct Cents(Price);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cents, rest) = (self.0.units() / 100, self.0.units() % 100);
        match (rest, rest % 10) {
            (0, _) => write!(f, "{cents}c"),
            (_, 0) => write!(f, "{cents}.{}c", rest / 10),
            _ => write!(f, "{cents}.{rest:02}c"),
        }
    }
}

/// `+6.64c` of 66 400 micro-dollars, to a hundredth of a cent, half away from zero.
struct SignedCents(i64);

impl fmt::Display for SignedCents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = self.0.unsigned_abs().saturating_add(50) / 100;
        let sign = if self.0 < 0 && hundredths > 0 { '-' } else { '+' };
        write!(f, "{sign}{}.{:02}c", hundredths / 100, hundredths % 100)
    }
}

/// `41`, `0.50`: whole contracts without a point.
struct Contracts(Quantity);

impl fmt::Display for Contracts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.units() % 100 {
            0 => write!(f, "{}", self.0.units() / 100),
            _ => self.0.fmt(f),
        }
    }
}

/// `$19.68`, of micro-dollars: exact, with more than two decimals only where they are not zero. Wide, because a strategy
/// may claim any quantity in its reasons.
struct Dollars(u128);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        match micros % 10_000 {
            0 => write!(f, "${dollars}.{:02}", micros / 10_000),
            _ => write!(f, "${dollars}.{micros:06}"),
        }
    }
}

#[cfg(test)]
mod tests;
