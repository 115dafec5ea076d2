//! The audit of books: reads the venue's order books over REST every so often and compares them with the streamed ones.
//!
//! It runs beside the trading path and asks for public data without the key, some markets in one request. The streamed
//! books are those of the follower, which shows them when it has applied all that was journaled. A book that is believed
//! to be wrong is asked for anew, like one that the engine itself doubts; that is an input, so a replay sees it too.

use crate::message::Message;
use crate::screen::Screen;
use isobar_engine::engine::Engine;
use isobar_engine::event::Body;
use isobar_engine::market::MarketId;
use isobar_engine::units::{Side, Timestamp};
use isobar_kalshi::audit::{self, Audit, Difference, Verdict, View};
use isobar_kalshi::convert;
use isobar_kalshi::rest::Rest;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::{mpsc as inbox, oneshot};

/// Most markets of one request; the venue allows a hundred (PROTOCOL.md 3.2).
const SAMPLE: usize = 20;

/// Time between a look at the streamed books and the request, and between its answer and the next look: frames on their way,
/// and reads that lag a little, show themselves as a change in between, which proves nothing.
const SETTLE: Duration = Duration::from_millis(500);

/// A market that differed is compared again after this part of the usual time.
const SOON: u32 = 4;

/// What an audit came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Comparisons in which REST showed the streamed book.
    pub equal: u64,
    /// Comparisons that proved nothing, since the book changed meanwhile.
    pub raced: u64,
    /// Comparisons in which nothing changed and REST showed something else.
    pub differed: u64,
    /// Books that were believed to be wrong and asked for anew.
    pub asked_anew: u64,
}

/// Counts that grow while a run goes on.
pub type Shared = Arc<Mutex<Counts>>;

/// All live books with their tickers.
pub type Views = BTreeMap<MarketId, (String, View)>;

/// The streamed books as the follower knows them.
pub struct Books {
    asked: mpsc::Receiver<oneshot::Sender<Views>>,
    /// Changes so far, by market.
    revisions: Vec<u64>,
    /// Keeps the books where the follower has no slot that does.
    own: Option<Engine>,
}

impl Books {
    /// Books of the follower's slots or of an engine of its `own`, which was told all that came before.
    pub fn new(asked: mpsc::Receiver<oneshot::Sender<Views>>, own: Option<Engine>) -> Self {
        Self { asked, revisions: Vec::new(), own }
    }

    /// Takes note of an input.
    pub fn apply(&mut self, seq: u64, at: Timestamp, body: &Body) {
        match body {
            Body::Snapshot { market, .. } | Body::Delta { market, .. } => self.changed(*market),
            Body::Stale { markets, .. } => markets.iter().for_each(|market| self.changed(*market)),
            _ => {}
        }
        if let Some(engine) = &mut self.own {
            engine.apply(seq, at, body, &mut Vec::new());
        }
    }

    fn changed(&mut self, market: MarketId) {
        let index = market.index();
        if self.revisions.len() <= index {
            self.revisions.resize(index + 1, 0);
        }
        self.revisions[index] += 1;
    }

    /// Shows the books of `engine`, or its own, to whoever asked. Only where all that is journaled was applied.
    pub fn show(&self, engine: Option<&Engine>) {
        let Some(engine) = engine.or(self.own.as_ref()) else { return };
        while let Ok(asker) = self.asked.try_recv() {
            let live = engine.markets().filter(|market| engine.book(market.id).is_live());
            let views = live.map(|market| {
                let book = engine.book(market.id);
                let revision = self.revisions.get(market.id.index()).copied().unwrap_or_default();
                let [bids, asks] = [Side::Bid, Side::Ask].map(|side| book.levels(side).collect());
                (market.id, (market.ticker.clone(), View { bids, asks, revision }))
            });
            // The audit may have ended.
            let _ = asker.send(views.collect());
        }
    }
}

/// Whoever compares.
pub struct Auditor {
    /// Without a key: books are public.
    pub rest: Rest,
    /// Time between two comparisons.
    pub every: Duration,
    /// To the follower.
    pub books: mpsc::Sender<oneshot::Sender<Views>>,
    pub driver: inbox::Sender<Message>,
    pub screen: Arc<Screen>,
    pub counts: Shared,
}

impl Auditor {
    /// Compares until the run is over.
    pub async fn run(self) {
        let mut audit = Audit::default();
        let mut last = None;
        loop {
            let doubts = audit.doubtful().next().is_some();
            tokio::time::sleep(if doubts { self.every / SOON } else { self.every }).await;
            if self.round(&mut audit, &mut last).await.is_none() {
                return;
            }
        }
    }

    /// Compares some markets, those in doubt first and then in turn. Nothing where the run is over.
    async fn round(&self, audit: &mut Audit, last: &mut Option<MarketId>) -> Option<()> {
        let before = self.look().await?;
        let sample = sample(&before, audit.doubtful(), last);
        if sample.is_empty() {
            return Some(());
        }
        tokio::time::sleep(SETTLE).await;
        let tickers: Vec<&str> = sample.iter().map(|market| before[market].0.as_str()).collect();
        let read = match self.rest.orderbooks(&tickers).await {
            Ok(read) => read,
            Err(reason) => {
                tracing::warn!(%reason, "the books are not compared with the venue's");
                return Some(());
            }
        };
        tokio::time::sleep(SETTLE).await;
        let after = self.look().await?;
        for market in sample {
            let (ticker, before) = &before[&market];
            // A book that is no longer live is doubted already.
            let (Some(named), Some((_, after))) = (read.iter().find(|book| book.ticker == *ticker), after.get(&market))
            else {
                continue;
            };
            let rest = match convert::book(&named.body) {
                Ok(rest) => rest,
                Err(reason) => {
                    tracing::warn!(%reason, ticker, "a book of the venue's REST interface cannot be read");
                    continue;
                }
            };
            let verdict = audit::compare((&rest.0, &rest.1), before, after);
            let wrong = audit.note(market, verdict);
            self.count(audit, wrong);
            if let (true, Verdict::Differs(difference)) = (wrong, verdict) {
                self.screen.note(&told(ticker, difference));
                self.driver.send(Message::Resync(market)).await.ok()?;
            }
        }
        Some(())
    }

    fn count(&self, audit: &Audit, wrong: bool) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        (counts.equal, counts.raced, counts.differed) = (audit.equal, audit.raced, audit.differed);
        counts.asked_anew += u64::from(wrong);
    }

    async fn look(&self) -> Option<Views> {
        let (asker, views) = oneshot::channel();
        self.books.send(asker).ok()?;
        views.await.ok()
    }
}

/// The markets to compare: those in doubt, then those that follow the `last` one, from the beginning again after the end.
fn sample(views: &Views, doubtful: impl Iterator<Item = MarketId>, last: &mut Option<MarketId>) -> Vec<MarketId> {
    let mut sample: Vec<MarketId> = doubtful.filter(|market| views.contains_key(market)).take(SAMPLE).collect();
    let follows = |market: &MarketId| last.is_none_or(|last| *market > last);
    let (next, first): (Vec<MarketId>, Vec<MarketId>) = views.keys().copied().partition(follows);
    for market in next.into_iter().chain(first) {
        if sample.len() == SAMPLE {
            break;
        }
        if !sample.contains(&market) {
            sample.push(market);
            *last = Some(market);
        }
    }
    sample
}

fn told(ticker: &str, difference: Difference) -> String {
    let Difference { side, price, streamed, rest } = difference;
    let side = if side == Side::Bid { "bid" } else { "ask" };
    format!(
        "the book of {ticker} is not the venue's ({side} {price}: {streamed} here, {rest} there, {} times in a row): it is \
         asked for anew",
        Audit::MISSES
    )
}

/// For people.
pub fn render(counts: &Counts) -> String {
    let Counts { equal, raced, differed, asked_anew } = counts;
    format!(
        "\nbooks compared with the venue's: {equal} equal, {raced} changed meanwhile, {differed} differed, {asked_anew} asked \
         for anew\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_book_has_its_turn_and_a_doubtful_one_comes_first() {
        let view = || View { bids: Vec::new(), asks: Vec::new(), revision: 0 };
        let views: Views = (0..50).map(|id| (MarketId(id), (format!("M{id}"), view()))).collect();
        let mut last = None;
        let ids = |sample: Vec<MarketId>| sample.into_iter().map(|market| market.0).collect::<Vec<_>>();
        assert_eq!(ids(sample(&views, [].into_iter(), &mut last)), (0..20).collect::<Vec<_>>());
        let doubtful = [MarketId(3), MarketId(99)];
        let second = ids(sample(&views, doubtful.into_iter(), &mut last));
        assert_eq!(second, std::iter::once(3).chain(20..39).collect::<Vec<_>>());
        let third = ids(sample(&views, [].into_iter(), &mut last));
        assert_eq!(third, (39..50).chain(0..9).collect::<Vec<_>>());
        assert!(sample(&Views::new(), doubtful.into_iter(), &mut last).is_empty());
    }
}
