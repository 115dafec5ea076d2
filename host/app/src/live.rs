//! The start of live trading: everything that must be known of the account before a run with money begins.
//!
//! It reads the account's budget and refuses a configuration whose orders could not be kept alive within it, makes the
//! order group that bounds and stops everything at the venue itself, and ends what earlier runs of this host left there.
//! Orders of others are left alone. That the account equals the ledger is proved later, by the engine, before it trades.

use crate::clock::Clock;
use crate::config::{Config, Live};
use crate::screen::Screen;
use anyhow::{Context, Result, bail};
use isobar_engine::execution::ExecutionSettings;
use isobar_engine::units::{SECOND, Timestamp};
use isobar_kalshi::budget::{Budget, Costs, Limits, RenewalPlan, Shares};
use isobar_kalshi::gateway::{self, Gateway, Link};
use isobar_kalshi::rest::{OrderFilter, Rest};
use isobar_kalshi::sign::{Credentials, Reuse};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest that one request about orders may take before its answer counts as lost.
const REQUEST: Duration = Duration::from_secs(5);
/// How long signatures made ahead live (PROTOCOL.md 1.3 knows of ten seconds; a creeping clock needs room).
const SIGNATURE_LIFE: i64 = 2 * SECOND;
/// What a renewal may lose on its way, and clocks may differ by, before an order dies for it.
const RENEWAL_MARGIN: i64 = 5 * SECOND;
/// An order lives for at least this part of the longest time that is allowed: a shorter life costs budget all the time.
const SHORTEST_PART: i64 = 4;
/// How long the orders of earlier runs may take to end.
const SWEEP: Duration = Duration::from_secs(20);
/// Reads of the account reach back so far beyond the beginning of a run.
const REACH_BACK: i64 = 60 * SECOND;

/// What a live run leaves in its folder for those who come after it: `RUN/live.json`. No secret is in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Mark {
    /// Identity of the run: its client order ids begin with it.
    run: String,
    /// Id of the key.
    key: String,
    /// The order group of all its orders.
    group: String,
    /// When the run began, nanoseconds since 1970.
    began: i64,
}

impl Mark {
    fn of(run: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(run.join("live.json")).ok()?).ok()
    }
}

/// An account that is ready to be traded on.
pub struct Account {
    pub gateway: Gateway,
    pub link: Link,
    pub execution: ExecutionSettings,
}

/// What is needed to get an account ready.
pub struct Start<'a> {
    pub config: &'a Config,
    pub live: &'a Live,
    /// Address of the venue's API, and a client for it that signs.
    pub base: &'a str,
    pub rest: &'a Rest,
    /// Id of the key and the key itself.
    pub key: &'a str,
    pub credentials: Arc<Credentials>,
    pub clock: Clock,
    /// The run's folder and its identity.
    pub folder: &'a Path,
    pub run: &'a str,
    pub screen: &'a Screen,
}

/// Gets the account ready for a run; for one that goes on, its own order group is taken up again.
///
/// # Errors
/// The venue does not answer or does not accept the key, or the orders cannot be kept alive within the account's budget.
pub async fn open(start: Start<'_>) -> Result<Account> {
    let Start { config, live, base, rest, key, credentials, clock, folder, run, screen } = start;
    let limits = rest.account_limits().await.context("the account's limits cannot be read")?;
    let limits = Limits::of(&limits);
    let costs = Costs::of(&rest.endpoint_costs().await.context("the costs of requests cannot be read")?);
    let shares = Shares::usual(&limits, &costs);
    let longest = live.settings.ttl;
    let plan = RenewalPlan::new(
        &limits,
        &costs,
        &shares,
        config.limits.open_orders,
        (longest / SHORTEST_PART, longest),
        RENEWAL_MARGIN,
    )
    .context("live.order_ttl_sec and limits.max_open_orders do not fit the account")?;
    let mut settings = live.settings;
    (settings.ttl, settings.renew_left) = (plan.expiry, plan.expiry - plan.every);

    sweep(config, rest, run, screen).await?;
    let began = clock.now();
    let mark = match Mark::of(folder) {
        Some(mark) => mark,
        None => {
            let group = rest.create_order_group(live.group_contracts, 0).await.context("no order group")?;
            let mark = Mark { run: run.to_owned(), key: key.to_owned(), group, began: began.0 };
            std::fs::write(folder.join("live.json"), serde_json::to_vec(&mark)?)?;
            mark
        }
    };
    screen.note(&format!("LIVE: orders of slot {} go to {base} with key {}", live.slot, mark.key));
    screen.note(&format!(
        "resting orders die {} s after the host does; up to {} are renewed every {} s within a quarter of {} write tokens a second",
        plan.expiry / SECOND,
        config.limits.open_orders,
        plan.every / SECOND,
        limits.write.rate
    ));
    let budget = Budget::new(&limits, costs, shares, began).context("the account's budget is too small")?;
    let link = Link::new(base, REQUEST, credentials, SIGNATURE_LIFE, Reuse::WithinLife)?;
    let seed = u64::try_from(began.0).unwrap_or_default();
    let gateway = gateway::Settings::usual(link.base().to_owned(), Some(mark.group), seed);
    let since = Timestamp(mark.began).plus(-REACH_BACK);
    Ok(Account { gateway: Gateway::new(gateway, budget, since), link, execution: ExecutionSettings::Live(settings) })
}

/// Ends what earlier runs with this key left at the venue: a group that is deleted cancels its orders, and takes none that
/// arrive late.
async fn sweep(config: &Config, rest: &Rest, run: &str, screen: &Screen) -> Result<()> {
    let folders = std::fs::read_dir(&config.run_dir).into_iter().flatten().flatten();
    let marks: Vec<Mark> =
        folders.filter_map(|folder| Mark::of(&folder.path())).filter(|mark| mark.run != run).collect();
    if marks.is_empty() {
        return Ok(());
    }
    let ends = Instant::now() + SWEEP;
    loop {
        let resting = rest
            .orders(OrderFilter { status: Some("resting"), ..OrderFilter::default() })
            .await
            .context("resting orders cannot be read")?;
        let of_earlier = |client: &str| {
            marks.iter().any(|mark| client.strip_prefix(&mark.run).is_some_and(|rest| rest.starts_with('-')))
        };
        let left: Vec<_> = resting.iter().filter(|order| of_earlier(&order.client_order_id)).collect();
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= ends {
            bail!("{} orders of earlier runs still rest: end them by hand, or wait for their expiry", left.len());
        }
        screen.note(&format!("{} orders of earlier runs rest; they are cancelled", left.len()));
        for mark in &marks {
            // A group that is gone has no orders.
            if let Err(error) = rest.delete_order_group(&mark.group).await {
                tracing::info!(%error, group = mark.group, "an earlier order group was not deleted");
            }
        }
        for order in left {
            if let Err(error) = rest.cancel(&order.order_id, &order.ticker, 0).await {
                tracing::info!(%error, order = order.order_id, "an earlier order was not cancelled");
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
