//! Finds markets over REST and keeps looking: new days, changed facts, results. Runs beside the driver and only tells it.
//!
//! A market whose facts cannot be understood (its price grid, its status, its fees) is left out with a warning; one that was
//! understood before is told as paused, so that no order meets rules that are not known. What decides how a series settles
//! (its sources, the wording of its rules) is kept in [`Settlements`] for whoever compares it with what a strategy assumes.

use crate::message::Message;
use isobar_engine::market::{Market, MarketId, MarketStatus};
use isobar_engine::units::Price;
use isobar_kalshi::rest::{Filter, Rest};
use isobar_kalshi::{Error, convert, wire};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;

/// How often the venue is asked while nothing was found yet.
const IMPATIENT: Duration = Duration::from_millis(500);

/// Looks that follow one that was asked for: the venue's REST may not know yet what its messages told (PROTOCOL.md 6,
/// gotcha 24).
const SECOND_LOOKS: u32 = 3;

/// How long after one another.
const SECOND_LOOK: Duration = Duration::from_secs(3);

/// The matching engine of weather markets (PROTOCOL.md 3.8). The account's cash is there: markets of another one are left out.
const SHARD: u32 = 0;

/// How each series settles, as the venue said last, by the ticker of the series.
pub type Settlements = Arc<Mutex<BTreeMap<String, Settlement>>>;

/// How a series settles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Who is asked, in order.
    pub sources: Vec<wire::SettlementSource>,
    /// The wording of the rules of one market of each day that is not over, by the ticker of the day.
    pub rules: BTreeMap<String, String>,
}

/// What is looked for, and who is told.
pub struct Discovery {
    /// The venue.
    pub rest: Rest,
    /// Tickers of the series.
    pub series: Vec<String>,
    /// How often.
    pub period: Duration,
    /// Who is told.
    pub driver: Sender<Message>,
    /// Wakes the search.
    pub again: Arc<Notify>,
    /// Where it is kept how the series settle.
    pub settlements: Settlements,
}

impl Discovery {
    /// Asks for the markets of all series every period and whenever it is woken, until the driver is gone.
    pub async fn run(self) {
        let mut memory = Memory::default();
        let mut second_looks = 0;
        loop {
            let mut found_any = false;
            for ticker in &self.series {
                match self.look(ticker, &mut memory).await {
                    Ok((markets, paid)) => {
                        found_any |= !markets.is_empty();
                        let listed = self.driver.send(Message::Found(markets)).await;
                        let told = paid.is_empty() || self.driver.send(Message::Settled(paid)).await.is_ok();
                        if listed.is_err() || !told {
                            return;
                        }
                    }
                    Err(reason) => tracing::warn!(series = ticker, %reason, "markets could not be read"),
                }
            }
            let pause = match (found_any, second_looks) {
                (false, _) => IMPATIENT.min(self.period),
                (true, 0) => self.period,
                (true, _) => SECOND_LOOK.min(self.period),
            };
            second_looks = match tokio::time::timeout(pause, self.again.notified()).await {
                Ok(()) => SECOND_LOOKS,
                Err(_) => second_looks.saturating_sub(1),
            };
            if self.driver.is_closed() {
                return;
            }
        }
    }

    /// The markets of one series, and those of them that are paid and were not told yet.
    async fn look(&self, ticker: &str, memory: &mut Memory) -> Result<(Vec<Market>, Vec<(String, Price)>), Error> {
        let series = self.rest.series(ticker).await?;
        let events = self.rest.events(ticker).await?;
        let events: BTreeMap<&str, &wire::Event> =
            events.iter().map(|event| (event.event_ticker.as_str(), event)).collect();
        let listed = self.rest.markets(ticker, Filter::All).await?;
        self.remember(&series, &listed);
        let mut markets = Vec::new();
        let mut paid = Vec::new();
        for listed in &listed {
            paid.extend(memory.pay(listed).map(|value| (listed.ticker.clone(), value)));
            markets.extend(memory.take(listed, convert(listed, &series, &events)));
        }
        Ok((markets, paid))
    }

    fn remember(&self, series: &wire::Series, listed: &[wire::Market]) {
        let open = listed.iter().filter(|market| market.result.is_empty());
        let rules = open.map(|market| (market.event_ticker.clone(), market.rules_primary.clone())).collect();
        let settlement = Settlement { sources: series.settlement_sources.clone().unwrap_or_default(), rules };
        let mut all = self.settlements.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(series.ticker.clone(), settlement);
    }
}

/// A market with the fees of its day. The driver gives the number.
fn convert(
    listed: &wire::Market,
    series: &wire::Series,
    events: &BTreeMap<&str, &wire::Event>,
) -> Result<Market, Error> {
    if listed.exchange_index != SHARD {
        let reason = format!("it trades on matching engine {}, where the account has no cash", listed.exchange_index);
        return Err(Error::Untradable { ticker: listed.ticker.clone(), reason });
    }
    convert::market(MarketId(0), listed, series, events.get(listed.event_ticker.as_str()).copied())
}

/// What was told before.
#[derive(Debug, Default)]
struct Memory {
    paid: BTreeSet<String>,
    known: BTreeMap<String, Market>,
    /// Markets that were warned of, with the reason, so that each is warned of once.
    refused: BTreeMap<String, String>,
}

impl Memory {
    /// The worth of a YES contract of a market that was paid, the first time. One whose result is known is not paid yet: that
    /// takes an hour or a night, and a dispute may still change it.
    fn pay(&mut self, listed: &wire::Market) -> Option<Price> {
        let paid = convert::status(&listed.status) == Some(MarketStatus::Settled);
        let value = convert::settlement(listed).filter(|_| paid)?;
        self.paid.insert(listed.ticker.clone()).then_some(value)
    }

    /// The market as it is to be told: nothing for one that was never understood, paused for one that no longer is.
    fn take(&mut self, listed: &wire::Market, converted: Result<Market, Error>) -> Option<Market> {
        match converted {
            Ok(market) => {
                self.refused.remove(&listed.ticker);
                self.known.insert(listed.ticker.clone(), market.clone());
                Some(market)
            }
            Err(error) => {
                let reason = error.to_string();
                if self.refused.insert(listed.ticker.clone(), reason.clone()).as_ref() != Some(&reason) {
                    tracing::warn!(ticker = %listed.ticker, %reason, "a market is left out");
                }
                let known = self.known.get(&listed.ticker)?;
                let tradable = known.status == MarketStatus::Active;
                let status = if tradable { MarketStatus::Paused } else { known.status };
                Some(Market { status, ..known.clone() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(change: &str) -> wire::Market {
        let mut body: serde_json::Value = serde_json::json!({
            "ticker": "KXHIGHCHI-26NOV23-B33.5", "event_ticker": "KXHIGHCHI-26NOV23", "status": "active",
            "strike_type": "between", "floor_strike": 33, "cap_strike": 34,
            "open_time": "2026-11-22T15:00:00Z", "close_time": "2026-11-24T05:59:00Z",
            "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
        });
        let change: serde_json::Value = serde_json::from_str(change).expect("JSON");
        body.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        serde_json::from_value(body).expect("a market")
    }

    fn take(memory: &mut Memory, listed: &wire::Market) -> Option<MarketStatus> {
        let series = r#"{"ticker":"KXHIGHCHI","fee_type":"quadratic","fee_multiplier":1}"#;
        let series = serde_json::from_str(series).expect("a series");
        memory.take(listed, convert(listed, &series, &BTreeMap::new())).map(|market| market.status)
    }

    #[test]
    fn a_result_that_is_known_is_not_paid_before_the_market_is_final() {
        let mut memory = Memory::default();
        assert_eq!(memory.pay(&listed("{}")), None);
        for status in ["closed", "determined", "disputed", "amended"] {
            let change = format!(r#"{{"status":"{status}","result":"yes","settlement_value_dollars":"1.0000"}}"#);
            assert_eq!(memory.pay(&listed(&change)), None, "{status}");
        }
        let paid = listed(r#"{"status":"finalized","result":"no","settlement_value_dollars":"0.0000"}"#);
        assert_eq!(memory.pay(&paid), Some(Price::ZERO), "what was amended counts");
        assert_eq!(memory.pay(&paid), None, "once");
    }

    #[test]
    fn a_market_that_is_no_longer_understood_is_paused_and_one_that_never_was_is_left_out() {
        let mut memory = Memory::default();
        let odd = listed(r#"{"price_ranges":[{"start":"0.0000","end":"1.0000","step":"0.0300"}]}"#);
        assert_eq!(take(&mut memory, &odd), None);
        assert_eq!(take(&mut memory, &listed("{}")), Some(MarketStatus::Active));
        assert_eq!(take(&mut memory, &odd), Some(MarketStatus::Paused));
        assert_eq!(take(&mut memory, &listed(r#"{"status":"exploded"}"#)), Some(MarketStatus::Paused));
        assert_eq!(take(&mut memory, &listed("{}")), Some(MarketStatus::Active));
        assert_eq!(take(&mut memory, &listed(r#"{"status":"closed"}"#)), Some(MarketStatus::Closed));
        assert_eq!(take(&mut memory, &odd), Some(MarketStatus::Closed), "what is closed is not paused again");
        assert_eq!(take(&mut Memory::default(), &listed(r#"{"exchange_index":2}"#)), None);
    }
}
