//! Asks the exchange whether it works: no message of its feed says that everything is paused (PROTOCOL.md 7.2).

use crate::message::Message;
use isobar_engine::venue::ExchangeStatus;
use isobar_kalshi::rest::Rest;
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// Tells the driver what the exchange says of itself whenever that changes, until the driver is gone. An exchange that does
/// not answer says nothing: orders find out by themselves, and a silent feed makes its books stale.
pub async fn watch(rest: Rest, every: Duration, driver: Sender<Message>) {
    let mut told = ExchangeStatus::Open;
    while !driver.is_closed() {
        match rest.exchange_status().await {
            Ok(status) => {
                let now = match (status.exchange_active, status.trading_active) {
                    (false, _) => ExchangeStatus::ExchangePaused,
                    (true, false) => ExchangeStatus::TradingPaused,
                    (true, true) => ExchangeStatus::Open,
                };
                if now != told && driver.send(Message::Exchange(now)).await.is_err() {
                    return;
                }
                told = now;
            }
            Err(reason) => tracing::warn!(%reason, "the exchange does not say how it is"),
        }
        tokio::time::sleep(every).await;
    }
}
