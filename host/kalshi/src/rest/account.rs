//! The account's own requests: reads with their paging, and the writes of an operator (stop, clean up, set up).

use super::{Error, MOST_PAGES, PAGE, Rest, With};
use crate::gateway::{AccountReading, Step, escaped};
use crate::wire;
use isobar_engine::event::AccountRead;
use isobar_engine::market::MarketId;
use isobar_engine::units::{Quantity, SECOND, Timestamp};
use reqwest::Method;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::time::Duration;

/// Longest pause between two steps of a read of the account: the bucket of the balance refills once a second.
const STEP: Duration = Duration::from_millis(1_100);
/// Rounds after which an account does not hold still.
const ROUNDS: u32 = 10;

/// Which orders are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter<'a> {
    /// `resting`, `canceled` or `executed`; all for nothing.
    pub status: Option<&'a str>,
    /// Those of one market.
    pub ticker: Option<&'a str>,
    /// Those after this time.
    pub since: Option<Timestamp>,
}

impl Rest {
    /// How new the account's reads are.
    pub async fn user_data_timestamp(&self) -> Result<wire::UserDataTimestamp, Error> {
        self.get("/exchange/user_data_timestamp", &[]).await
    }

    /// Tier and token buckets.
    pub async fn account_limits(&self) -> Result<wire::AccountLimits, Error> {
        self.signed(Method::GET, "/account/limits", &[], None).await
    }

    /// Cash, in total and shard by shard. It has a bucket of its own, of one request a second on the lower tiers.
    pub async fn balance(&self) -> Result<wire::Balance, Error> {
        self.signed(Method::GET, "/portfolio/balance", &[], None).await
    }

    /// All positions that are not settled.
    pub async fn positions(&self) -> Result<Vec<wire::RestPosition>, Error> {
        let page = |body: wire::PositionsBody| (body.market_positions, body.cursor);
        self.pages("/portfolio/positions", &[], page).await
    }

    /// All orders that pass the filter.
    pub async fn orders(&self, filter: OrderFilter<'_>) -> Result<Vec<wire::RestOrder>, Error> {
        let since = filter.since.map(seconds);
        let mut query = Vec::new();
        query.extend(filter.status.map(|status| ("status", status)));
        query.extend(filter.ticker.map(|ticker| ("ticker", ticker)));
        query.extend(since.as_deref().map(|since| ("min_ts", since)));
        self.pages("/portfolio/orders", &query, |body: wire::OrdersBody| (body.orders, body.cursor)).await
    }

    /// One order by the venue's id.
    pub async fn order(&self, id: &str) -> Result<wire::RestOrder, Error> {
        let path = format!("/portfolio/orders/{}", escaped(id));
        self.signed(Method::GET, &path, &[], None).await.map(|body: wire::OrderBody| body.order)
    }

    /// All fills since a time, the newest first.
    pub async fn fills(&self, since: Timestamp) -> Result<Vec<wire::RestFill>, Error> {
        let since = seconds(since);
        let page = |body: wire::FillsBody| (body.fills, body.cursor);
        self.pages("/portfolio/fills", &[("min_ts", &since)], page).await
    }

    /// All settlements since a time.
    pub async fn settlements(&self, since: Timestamp) -> Result<Vec<wire::Settlement>, Error> {
        let since = seconds(since);
        let page = |body: wire::SettlementsBody| (body.settlements, body.cursor);
        self.pages("/portfolio/settlements", &[("min_ts", &since)], page).await
    }

    /// Cancels all orders of the account. Orders of the minute that follows may be cancelled too.
    pub async fn cancel_all(&self) -> Result<(), Error> {
        let with = With { signed: true, ..With::default() };
        self.exchange(Method::DELETE, "/portfolio/events/orders", with).await.map(drop)
    }

    /// Places an order.
    pub async fn create(&self, order: &wire::CreateOrder<'_>) -> Result<wire::OrderCreated, Error> {
        self.signed(Method::POST, "/portfolio/events/orders", &[], Some(&json(order))).await
    }

    /// Places many orders; each has its own outcome, in their order.
    pub async fn create_batch(
        &self,
        orders: Vec<wire::CreateOrder<'_>>,
    ) -> Result<Vec<wire::Item<wire::OrderCreated>>, Error> {
        let body = json(&wire::CreateOrders { orders });
        let answer: wire::BatchBody<_> =
            self.signed(Method::POST, "/portfolio/events/orders/batched", &[], Some(&body)).await?;
        Ok(answer.orders)
    }

    /// Cancels an order by the venue's id.
    pub async fn cancel(&self, id: &str, ticker: &str, shard: u32) -> Result<wire::OrderCancelled, Error> {
        let (path, shard) = (format!("/portfolio/events/orders/{}", escaped(id)), shard.to_string());
        let query = [("market_ticker", ticker), ("exchange_index", shard.as_str())];
        self.signed(Method::DELETE, &path, &query, None).await
    }

    /// Cancels many orders; each has its own outcome, in their order.
    pub async fn cancel_batch(
        &self,
        orders: Vec<wire::CancelOrder<'_>>,
    ) -> Result<Vec<wire::Item<wire::OrderCancelled>>, Error> {
        let body = json(&wire::CancelOrders { orders });
        let answer: wire::BatchBody<_> =
            self.signed(Method::DELETE, "/portfolio/events/orders/batched", &[], Some(&body)).await?;
        Ok(answer.orders)
    }

    /// Amends an order.
    pub async fn amend(&self, id: &str, change: &wire::AmendOrder<'_>) -> Result<wire::OrderAmended, Error> {
        let path = format!("/portfolio/events/orders/{}/amend", escaped(id));
        self.signed(Method::POST, &path, &[], Some(&json(change))).await
    }

    /// Decreases an order.
    pub async fn decrease(&self, id: &str, change: &wire::DecreaseOrder<'_>) -> Result<wire::OrderDecreased, Error> {
        let path = format!("/portfolio/events/orders/{}/decrease", escaped(id));
        self.signed(Method::POST, &path, &[], Some(&json(change))).await
    }

    /// Makes an order group that cancels all its orders once more than `limit` contracts of them fill within 15 seconds.
    pub async fn create_order_group(&self, limit: Quantity, shard: u32) -> Result<String, Error> {
        let body = json(&wire::CreateOrderGroup { contracts_limit_fp: limit.to_string(), exchange_index: shard });
        let made: wire::OrderGroupCreated =
            self.signed(Method::POST, "/portfolio/order_groups/create", &[], Some(&body)).await?;
        Ok(made.order_group_id)
    }

    /// The account's order groups.
    pub async fn order_groups(&self) -> Result<Vec<wire::OrderGroup>, Error> {
        let body: wire::OrderGroupsBody = self.signed(Method::GET, "/portfolio/order_groups", &[], None).await?;
        Ok(body.order_groups)
    }

    /// One order group and the orders in it.
    pub async fn order_group(&self, id: &str) -> Result<wire::OrderGroupBody, Error> {
        self.signed(Method::GET, &format!("/portfolio/order_groups/{}", escaped(id)), &[], None).await
    }

    /// Cancels all orders of the group; it takes no more until it is reset.
    pub async fn trigger_order_group(&self, id: &str) -> Result<(), Error> {
        self.change_group(Method::PUT, &format!("/portfolio/order_groups/{}/trigger", escaped(id))).await
    }

    /// Lets a triggered group take orders again.
    pub async fn reset_order_group(&self, id: &str) -> Result<(), Error> {
        self.change_group(Method::PUT, &format!("/portfolio/order_groups/{}/reset", escaped(id))).await
    }

    /// Cancels all orders of the group and deletes it.
    pub async fn delete_order_group(&self, id: &str) -> Result<(), Error> {
        self.change_group(Method::DELETE, &format!("/portfolio/order_groups/{}", escaped(id))).await
    }

    /// Reads the account until two rounds agree, both newer than `now`; see [`AccountReading`]. For a host that is not
    /// trading yet: it keeps below every tier's limits by its pace alone. Also gives the tickers that are not listed.
    pub async fn read_account(
        &self,
        since: Timestamp,
        now: Timestamp,
        shard: u32,
        find: impl Fn(&str) -> Option<MarketId>,
    ) -> Result<(AccountRead, BTreeSet<String>), Error> {
        let started = tokio::time::Instant::now();
        let clock = || now.plus(i64::try_from(started.elapsed().as_nanos()).unwrap_or(i64::MAX));
        let mut reading = AccountReading::new(since, now, shard, ROUNDS);
        loop {
            match reading.next(clock()) {
                Step::Ask(get) => {
                    if get.balance {
                        tokio::time::sleep(STEP).await;
                    }
                    let query = if get.query.is_empty() { String::new() } else { format!("?{}", get.query) };
                    let with = With { signed: true, ..With::default() };
                    let body = self.exchange_query(get.path, &query, with).await?;
                    reading.answered(clock(), &body);
                }
                Step::Wait(until) => {
                    let nanos = u64::try_from(until.since(clock())).unwrap_or(0);
                    tokio::time::sleep(Duration::from_nanos(nanos).min(STEP)).await;
                }
                Step::Done => return reading.finish(find),
                Step::Failed(error) => return Err(error),
            }
        }
    }

    async fn exchange_query(&self, path: &str, query: &str, with: With<'_>) -> Result<Vec<u8>, Error> {
        // The signature leaves the query out, wherever it stands.
        self.exchange(Method::GET, &format!("{path}{query}"), with).await
    }

    async fn change_group(&self, method: Method, path: &str) -> Result<(), Error> {
        let with = With { signed: true, body: Some("{}"), ..With::default() };
        self.exchange(method, path, with).await.map(drop)
    }

    async fn signed<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<T, Error> {
        self.call(method, path, With { query, body, signed: true }).await
    }

    async fn pages<B: DeserializeOwned, T>(
        &self,
        path: &str,
        filter: &[(&str, &str)],
        split: impl Fn(B) -> (Vec<T>, String),
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MOST_PAGES {
            let mut query = filter.to_vec();
            query.push(("limit", PAGE));
            if !cursor.is_empty() {
                query.push(("cursor", &cursor));
            }
            let (items, next) = split(self.signed(Method::GET, path, &query, None).await?);
            all.extend(items);
            if next.is_empty() || next == cursor {
                return Ok(all);
            }
            cursor = next;
        }
        Err(Error::Malformed { request: path.to_owned(), reason: "pages without end".into() })
    }
}

fn json(body: &impl serde::Serialize) -> String {
    serde_json::to_string(body).expect("a request has only strings and numbers")
}

fn seconds(at: Timestamp) -> String {
    at.0.div_euclid(SECOND).to_string()
}
