//! Finds markets over REST and keeps looking: new days, changed facts, results. Runs beside the driver and only tells it.

use crate::message::Message;
use isobar_engine::market::{Market, MarketId};
use isobar_kalshi::convert;
use isobar_kalshi::rest::{Filter, Rest};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;

/// How often the venue is asked while nothing was found yet.
const IMPATIENT: Duration = Duration::from_millis(500);

/// Asks for the markets of `series` every `period` and whenever it is woken by `again`, until the driver is gone.
pub async fn discover(rest: Rest, series: Vec<String>, period: Duration, driver: Sender<Message>, again: Arc<Notify>) {
    let mut told = BTreeSet::new();
    loop {
        let mut found_any = false;
        for ticker in &series {
            match look(&rest, ticker).await {
                Ok((markets, paid)) => {
                    found_any |= !markets.is_empty();
                    let news: Vec<_> = paid.into_iter().filter(|(ticker, _)| told.insert(ticker.clone())).collect();
                    let listed = driver.send(Message::Found(markets)).await;
                    if listed.is_err() || (!news.is_empty() && driver.send(Message::Settled(news)).await.is_err()) {
                        return;
                    }
                }
                Err(reason) => tracing::warn!(series = ticker, %reason, "markets could not be read"),
            }
        }
        let pause = if found_any { period } else { IMPATIENT.min(period) };
        // Woken or not, the venue is asked again.
        let _ = tokio::time::timeout(pause, again.notified()).await;
        if driver.is_closed() {
            return;
        }
    }
}

type Paid = Vec<(String, isobar_engine::units::Price)>;

/// The markets of one series, and those of them that are paid.
async fn look(rest: &Rest, series: &str) -> Result<(Vec<Market>, Paid), isobar_kalshi::Error> {
    let facts = rest.series(series).await?;
    let mut markets = Vec::new();
    let mut paid = Vec::new();
    for listed in rest.markets(series, Filter::All).await? {
        if let Some(value) = convert::settlement(&listed) {
            paid.push((listed.ticker.clone(), value));
        }
        // The driver gives the number.
        match convert::market(MarketId(0), &listed, &facts, None) {
            Ok(market) => markets.push(market),
            Err(reason) => tracing::warn!(ticker = %listed.ticker, %reason, "a market is left out"),
        }
    }
    Ok((markets, paid))
}
