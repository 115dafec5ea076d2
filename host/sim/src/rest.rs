//! The venue's REST: which endpoint a request means, who may call it, what it costs, and its answer.
//!
//! Pure. Endpoints: PROTOCOL.md 3.2; costs: 3.7. What it refuses it refuses in the venue's words ([`crate::refusal`]).

mod body;
pub(crate) mod market_data;
mod orders;
mod page;
mod portfolio;

use crate::core::Core;
use crate::faults::Call;
use crate::gate::limits::Charge;
use crate::http::{HttpAnswer, HttpRequest, Query};
use crate::refusal::Refusal;
use orders::GroupAct;
use serde::Serialize;
use serde_json::{Value, json};

/// An answer, or why there is another.
pub(crate) type Answered = Result<HttpAnswer, Refusal>;

pub(crate) fn ok(body: &impl Serialize) -> Answered {
    Ok(HttpAnswer::json(200, body))
}

/// Where the venue's REST begins.
pub(crate) const ROOT: &str = "/trade-api/v2";
/// Tokens of what is not listed.
const COST: i64 = 10;
/// Tokens of cancels and of a read of one order.
const CHEAP: i64 = 2;

/// What a request means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Endpoint<'a> {
    ExchangeStatus,
    Schedule,
    UserDataTimestamp,
    SeriesList,
    SeriesFeeChanges,
    Series(&'a str),
    Events,
    EventFeeChanges,
    Event(&'a str),
    Markets,
    Market(&'a str),
    Orderbook(&'a str),
    Orderbooks,
    Trades,
    Candles(&'a str, &'a str),
    BatchCandles,
    Cutoff,
    Costs,
    Limits,
    Balance,
    Positions,
    Fills,
    Settlements,
    Orders,
    Order(&'a str),
    QueuePositions,
    QueuePosition(&'a str),
    RestingValue,
    Create,
    BatchCreate,
    BatchCancel,
    CancelAll,
    Cancel(&'a str),
    Amend(&'a str),
    Decrease(&'a str),
    Groups,
    Group(&'a str),
    GroupCreate,
    GroupAct(&'a str, GroupAct),
    /// The first generation of order writes.
    Gone,
}

impl<'a> Endpoint<'a> {
    /// The endpoint of a method and a path below [`ROOT`].
    pub(crate) fn of(method: &str, path: &'a str) -> Result<Self, Refusal> {
        let below = path.strip_prefix(ROOT).and_then(|path| path.strip_prefix('/')).ok_or(Refusal::NoSuch)?;
        let parts: Vec<&str> = below.trim_end_matches('/').split('/').collect();
        let endpoint = match (method, parts.as_slice()) {
            ("GET", ["exchange", "status"]) => Self::ExchangeStatus,
            ("GET", ["exchange", "schedule"]) => Self::Schedule,
            ("GET", ["exchange", "user_data_timestamp"]) => Self::UserDataTimestamp,
            ("GET", ["series"]) => Self::SeriesList,
            ("GET", ["series", "fee_changes"]) => Self::SeriesFeeChanges,
            ("GET", ["series", ticker]) => Self::Series(ticker),
            ("GET", ["series", series, "markets", ticker, "candlesticks"]) => Self::Candles(series, ticker),
            ("GET", ["events"]) => Self::Events,
            ("GET", ["events", "fee_changes"]) => Self::EventFeeChanges,
            ("GET", ["events", ticker]) => Self::Event(ticker),
            ("GET", ["markets"]) => Self::Markets,
            ("GET", ["markets", "trades"]) => Self::Trades,
            ("GET", ["markets", "orderbooks"]) => Self::Orderbooks,
            ("GET", ["markets", "candlesticks"]) => Self::BatchCandles,
            ("GET", ["markets", ticker]) => Self::Market(ticker),
            ("GET", ["markets", ticker, "orderbook"]) => Self::Orderbook(ticker),
            ("GET", ["historical", "cutoff"]) => Self::Cutoff,
            ("GET", ["account", "limits"]) => Self::Limits,
            ("GET", ["account", "endpoint_costs"]) => Self::Costs,
            ("GET", ["portfolio", "balance"]) => Self::Balance,
            ("GET", ["portfolio", "positions"]) => Self::Positions,
            ("GET", ["portfolio", "fills"]) => Self::Fills,
            ("GET", ["portfolio", "settlements"]) => Self::Settlements,
            ("GET", ["portfolio", "summary", "total_resting_order_value"]) => Self::RestingValue,
            ("GET", ["portfolio", "orders"]) => Self::Orders,
            ("GET", ["portfolio", "orders", "queue_positions"]) => Self::QueuePositions,
            ("GET", ["portfolio", "orders", id]) => Self::Order(id),
            ("GET", ["portfolio", "orders", id, "queue_position"]) => Self::QueuePosition(id),
            ("POST" | "DELETE" | "PUT", ["portfolio", "orders", ..]) => Self::Gone,
            ("POST", ["portfolio", "events", "orders"]) => Self::Create,
            ("DELETE", ["portfolio", "events", "orders"]) => Self::CancelAll,
            ("POST", ["portfolio", "events", "orders", "batched"]) => Self::BatchCreate,
            ("DELETE", ["portfolio", "events", "orders", "batched"]) => Self::BatchCancel,
            ("DELETE", ["portfolio", "events", "orders", id]) => Self::Cancel(id),
            ("POST", ["portfolio", "events", "orders", id, "amend"]) => Self::Amend(id),
            ("POST", ["portfolio", "events", "orders", id, "decrease"]) => Self::Decrease(id),
            ("GET", ["portfolio", "order_groups"]) => Self::Groups,
            ("POST", ["portfolio", "order_groups", "create"]) => Self::GroupCreate,
            ("GET", ["portfolio", "order_groups", id]) => Self::Group(id),
            ("DELETE", ["portfolio", "order_groups", id]) => Self::GroupAct(id, GroupAct::Delete),
            ("PUT", ["portfolio", "order_groups", id, "reset"]) => Self::GroupAct(id, GroupAct::Reset),
            ("PUT", ["portfolio", "order_groups", id, "trigger"]) => Self::GroupAct(id, GroupAct::Trigger),
            ("PUT", ["portfolio", "order_groups", id, "limit"]) => Self::GroupAct(id, GroupAct::Limit),
            (_, ["portfolio", "events", "orders", ..] | ["portfolio", "order_groups", ..]) => {
                return Err(Refusal::MethodNotAllowed);
            }
            _ => return Err(Refusal::NoSuch),
        };
        Ok(endpoint)
    }

    /// How faults call it.
    pub(crate) const fn call(self) -> Call {
        match self {
            Self::Create | Self::BatchCreate => Call::Create,
            Self::Cancel(_) | Self::BatchCancel => Call::Cancel,
            Self::CancelAll => Call::CancelAll,
            Self::Amend(_) => Call::Amend,
            Self::Decrease(_) => Call::Decrease,
            Self::GroupCreate | Self::GroupAct(..) => Call::Group,
            _ if self.private() => Call::Read,
            _ => Call::Public,
        }
    }

    /// Whether it needs a signature.
    pub(crate) const fn private(self) -> bool {
        matches!(
            self,
            Self::Limits
                | Self::Balance
                | Self::Positions
                | Self::Fills
                | Self::Settlements
                | Self::Orders
                | Self::Order(_)
                | Self::QueuePositions
                | Self::QueuePosition(_)
                | Self::RestingValue
                | Self::Create
                | Self::BatchCreate
                | Self::BatchCancel
                | Self::CancelAll
                | Self::Cancel(_)
                | Self::Amend(_)
                | Self::Decrease(_)
                | Self::Groups
                | Self::Group(_)
                | Self::GroupCreate
                | Self::GroupAct(..)
                | Self::Gone
        )
    }

    /// What it costs; `items` are those of a batch.
    const fn charge(self, items: i64) -> Charge {
        match self {
            Self::Balance => Charge::Balance,
            Self::Order(_) => Charge::Read(CHEAP),
            Self::Cancel(_) | Self::CancelAll => Charge::Write(CHEAP),
            Self::BatchCancel => Charge::Write(CHEAP * items),
            Self::BatchCreate => Charge::Write(COST * items),
            Self::Create | Self::Amend(_) | Self::Decrease(_) | Self::GroupCreate | Self::GroupAct(..) => {
                Charge::Write(COST)
            }
            _ => Charge::Read(COST),
        }
    }
}

/// Charges a request and carries it out.
pub(crate) fn serve(
    core: &mut Core,
    endpoint: Endpoint<'_>,
    account: Option<usize>,
    request: &HttpRequest,
) -> Answered {
    let query = Query::parse(&request.query);
    let batch = match endpoint {
        Endpoint::BatchCreate => orders::batch(&request.body, true)?,
        Endpoint::BatchCancel => orders::batch(&request.body, false)?,
        _ => Vec::new(),
    };
    if let Some(account) = account {
        core.charge(account, endpoint.charge(i64::try_from(batch.len()).unwrap_or(i64::MAX)))?;
    }
    match (endpoint, account) {
        (Endpoint::ExchangeStatus, _) => market_data::status(core),
        (Endpoint::Schedule, _) => market_data::schedule(),
        (Endpoint::UserDataTimestamp, _) => market_data::user_data_timestamp(core),
        (Endpoint::SeriesList, _) => market_data::series_list(core, &query),
        (Endpoint::SeriesFeeChanges, _) => ok(&json!({"series_fee_change_arr": []})),
        (Endpoint::Series(ticker), _) => market_data::series(core, ticker, &query),
        (Endpoint::Events, _) => market_data::events(core, &query),
        (Endpoint::EventFeeChanges, _) => market_data::event_fee_changes(core, &query),
        (Endpoint::Event(ticker), _) => market_data::event(core, ticker, &query),
        (Endpoint::Markets, _) => market_data::markets(core, &query),
        (Endpoint::Market(ticker), _) => market_data::market(core, ticker),
        (Endpoint::Orderbook(ticker), _) => market_data::orderbook(core, ticker, &query),
        (Endpoint::Orderbooks, _) => market_data::orderbooks(core, &query),
        (Endpoint::Trades, _) => market_data::trades(core, &query),
        (Endpoint::Candles(series, ticker), _) => market_data::candles(core, series, ticker, &query),
        (Endpoint::BatchCandles, _) => market_data::batch_candles(core, &query),
        (Endpoint::Cutoff, _) => market_data::cutoff(core),
        (Endpoint::Costs, _) => ok(&costs()),
        (_, None) => Err(Refusal::SignatureMissing),
        (Endpoint::Limits, Some(account)) => portfolio::limits(core, account),
        (Endpoint::Balance, Some(account)) => portfolio::balance(core, core.seen(account)),
        (Endpoint::Positions, Some(account)) => portfolio::positions(core, core.seen(account), &query),
        (Endpoint::Fills, Some(account)) => portfolio::fills(core, core.seen(account), &query),
        (Endpoint::Settlements, Some(account)) => portfolio::settlements(core, core.seen(account), &query),
        (Endpoint::Orders, Some(account)) => portfolio::orders(core, core.seen(account), &query),
        (Endpoint::Order(id), Some(account)) => portfolio::order(core, core.seen(account), id),
        (Endpoint::QueuePositions, Some(account)) => portfolio::queue_positions(core, account, &query),
        (Endpoint::QueuePosition(id), Some(account)) => portfolio::queue_position(core, account, id),
        (Endpoint::RestingValue, Some(account)) => portfolio::resting_value(core.seen(account)),
        (Endpoint::Create, Some(account)) => orders::create(core, account, &request.body),
        (Endpoint::BatchCreate, Some(account)) => orders::batch_create(core, account, &batch),
        (Endpoint::BatchCancel, Some(account)) => orders::batch_cancel(core, account, &batch),
        (Endpoint::CancelAll, Some(account)) => orders::cancel_all(core, account),
        (Endpoint::Cancel(id), Some(account)) => orders::cancel(core, account, id, &query),
        (Endpoint::Amend(id), Some(account)) => orders::amend(core, account, id, &request.body),
        (Endpoint::Decrease(id), Some(account)) => orders::decrease(core, account, id, &request.body),
        (Endpoint::Groups, Some(account)) => orders::groups(core, account),
        (Endpoint::Group(id), Some(account)) => orders::group(core, account, id),
        (Endpoint::GroupCreate, Some(account)) => orders::group_create(core, account, &request.body),
        (Endpoint::GroupAct(id, act), Some(account)) => orders::group_act(core, account, id, act, &request.body),
        (Endpoint::Gone, Some(_)) => Err(Refusal::Gone),
    }
}

/// The endpoints whose cost is not the default.
fn costs() -> Value {
    let orders = "/trade-api/v2/portfolio/events/orders";
    json!({
        "default_cost": COST,
        "endpoint_costs": [
            {"method": "DELETE", "path": orders, "cost": CHEAP},
            {"method": "DELETE", "path": format!("{orders}/{{order_id}}"), "cost": CHEAP},
            {"method": "DELETE", "path": format!("{orders}/batched"), "cost": CHEAP},
            {"method": "GET", "path": "/trade-api/v2/portfolio/orders/{order_id}", "cost": CHEAP},
        ],
    })
}
