//! The simulated exchange against the venue's own specification and against what was captured from the venue.
//!
//! A day is traded over real sockets, and every answer and every message is held against openapi.yaml and asyncapi.yaml,
//! stricter than these are (see `schema`). Skipped where the specification and the captures are not at hand: they are not
//! part of the repository.

mod captured;
mod client;
mod ledger;
mod scenario;
mod schema;
mod spec;

use client::Client;
use isobar_engine::units::Money;
use isobar_kalshi::sign::Credentials;
use isobar_sim::{AccountConfig, Config, KeyKind, Running, Sim, Speed, Tier};
use ledger::Ledger;
use scenario::World;
use spec::Spec;

/// Dollars of the accounts that trade, and of the poor one.
const RICH: i64 = 25_000;
const POOR: i64 = 100;

/// Operations of PROTOCOL.md 3.2 that the exchange does not have, and why.
const NOT_SIMULATED: [(&str, &str); 13] = [
    ("GetFillsHistorical", "the exchange plays a day: nothing is older than the live window"),
    ("GetHistoricalMarket", "as above"),
    ("GetHistoricalMarkets", "as above"),
    ("GetHistoricalOrders", "as above"),
    ("GetHistoricalPositions", "as above"),
    ("GetMarketCandlesticksHistorical", "as above"),
    ("GetTradesHistorical", "as above"),
    ("GetTargetBalanceAllocation", "there is one shard: weather's"),
    ("SetTargetBalanceAllocation", "there is one shard: weather's"),
    ("IntraExchangeInstanceTransfer", "there is one shard: weather's"),
    ("GetWeatherIndex", "hourly products, which do not settle daily highs (PROTOCOL.md 5.7)"),
    ("GetWeatherIndexCalibrations", "hourly products"),
    ("UpgradeAccountApiUsageLevel", "the tier is a setting of the exchange"),
];

/// Operations that a trader uses: PROTOCOL.md 3.2.
const OPERATIONS: [&str; 42] = [
    "AmendOrderV2",
    "BatchCancelOrdersV2",
    "BatchCreateOrdersV2",
    "BatchGetMarketCandlesticks",
    "CancelAllOrders",
    "CancelOrderV2",
    "CreateOrderGroup",
    "CreateOrderV2",
    "DecreaseOrderV2",
    "DeleteOrderGroup",
    "GetAccountApiLimits",
    "GetAccountEndpointCosts",
    "GetBalance",
    "GetEvent",
    "GetEventFeeChanges",
    "GetEvents",
    "GetExchangeSchedule",
    "GetExchangeStatus",
    "GetFills",
    "GetHistoricalCutoff",
    "GetMarket",
    "GetMarketCandlesticks",
    "GetMarketOrderbook",
    "GetMarketOrderbooks",
    "GetMarkets",
    "GetOrder",
    "GetOrderGroup",
    "GetOrderGroups",
    "GetOrderQueuePosition",
    "GetOrderQueuePositions",
    "GetOrders",
    "GetPortfolioRestingOrderTotalValue",
    "GetPositions",
    "GetSeries",
    "GetSeriesFeeChanges",
    "GetSeriesList",
    "GetSettlements",
    "GetTrades",
    "GetUserDataTimestamp",
    "ResetOrderGroup",
    "TriggerOrderGroup",
    "UpdateOrderGroupLimit",
];

/// Places of required fields that nothing which this exchange says ever has, and why.
const NEVER_SHOWN: [(&str, &str); 4] = [
    ("GetAccountApiLimits 200 /grants/[]", "nobody was granted anything, as in the capture"),
    ("GetEvents 200 /milestones/[]", "events of the weather have no milestones"),
    ("GetExchangeSchedule 200 /schedule/maintenance_windows/[]", "none is announced, as in the recording"),
    ("GetSeriesFeeChanges 200 /series_fee_change_arr/[]", "none is announced, as in the capture"),
];

/// The messages that a trader is sent: PROTOCOL.md 2.3 and 2.5 to 2.12.
const MESSAGES: [&str; 17] = [
    "errorResponse",
    "eventFeeUpdate",
    "eventLifecycle",
    "fill",
    "listSubscriptionsResponse",
    "marketLifecycleV2",
    "marketMetadataUpdated",
    "marketPosition",
    "okResponse",
    "orderGroupUpdates",
    "orderbookDelta",
    "orderbookSnapshot",
    "subscribedResponse",
    "ticker",
    "trade",
    "unsubscribedResponse",
    "userOrder",
];

/// Three members: two that trade, one with an RSA and one with an Ed25519 key, and a poor one.
struct Members {
    credentials: [Credentials; 3],
    accounts: Vec<AccountConfig>,
}

impl Members {
    fn new() -> Self {
        let members = [
            (KeyKind::Ed25519, RICH, Tier::Unlimited),
            (KeyKind::Rsa, RICH, Tier::Unlimited),
            (KeyKind::Ed25519, POOR, Tier::Basic),
        ];
        let mut accounts = Vec::new();
        let credentials = members.map(|(kind, dollars, tier)| {
            let made = isobar_sim::generate(kind).expect("randomness");
            let cash = Money::new(dollars * 1_000_000);
            accounts.push(AccountConfig { keys: vec![(made.id.clone(), made.public)], cash, tier });
            Credentials::from_pem(&made.id, made.private_pem.as_bytes()).expect("a generated key")
        });
        Self { credentials, accounts }
    }

    /// An exchange for these members, at the pace of the wall's clock.
    fn exchange(&self) -> (Running, World<'_>) {
        let config = Config {
            speed: Speed::Factor(1),
            accounts: self.accounts.clone(),
            unsigned_feed: false,
            ..Config::default()
        };
        let running = Sim::start(config).expect("an exchange");
        let [maker, taker, poor] = &self.credentials;
        let host = running.rest_url.trim_end_matches("/trade-api/v2").to_owned();
        (running, World { host, maker, taker, poor })
    }
}

/// The validator takes what the specification itself shows.
#[test]
fn the_examples_of_the_specification_are_valid() {
    let Some(spec) = Spec::at_hand() else { return };
    let mut taken = 0;
    for message in spec.socket.at("/components/messages").as_object().expect("messages").values() {
        for example in message["examples"].as_array().into_iter().flatten() {
            let payload = &example["payload"];
            if payload.is_object() {
                let faults = spec.socket.check(&message["payload"], payload);
                assert!(faults.is_empty(), "example {} of {}: {}", example["name"], message["name"], faults[0]);
                taken += 1;
            }
        }
    }
    println!("{taken} examples of the specification are valid");
    assert!(taken > 40, "{taken}");
}

#[tokio::test]
async fn every_answer_and_every_message_is_as_specified() {
    let Some(spec) = Spec::at_hand() else { return };
    let (members, ledger) = (Members::new(), &mut Ledger::new(&spec));
    let (_running, world) = members.exchange();
    let tickers = scenario::look(&Client::new(&world.host, None), ledger).await;
    let mut socket = scenario::subscribe(&world, ledger, &tickers).await;
    scenario::trade(&world, ledger, &mut socket, &tickers).await;
    scenario::refusals(&world, ledger, &tickers).await;
    scenario::lifecycle(&world, ledger, &mut socket, &tickers).await;
    scenario::settle(&world, ledger, &mut socket, &tickers).await;
    scenario::trouble(&world, ledger, &tickers).await;
    scenario::look(&Client::new(&world.host, Some(world.taker)), ledger).await;
    socket.drain(ledger).await;
    report(&spec, ledger);
}

/// Prints what was seen, and fails for whatever is not as it should be.
fn report(spec: &Spec, ledger: &Ledger<'_>) {
    let (answers, messages) = ledger.counts();
    println!("{answers} answers and {messages} messages held against the specification");
    let (operations, kinds) = (ledger.operations(), ledger.messages());
    println!("operations: {} of {} that a trader uses", operations.len(), OPERATIONS.len() + NOT_SIMULATED.len());
    println!("messages: {} of {}", kinds.len(), MESSAGES.len());
    for (operation, reason) in NOT_SIMULATED {
        println!("  not simulated: {operation}: {reason}");
        assert!(spec.operations.iter().any(|known| known.id == operation), "{operation} is not in the specification");
    }
    println!("  lifecycle events: {:?}", ledger.values("marketLifecycleV2", "/msg/event_type"));
    println!("  reasons of order updates: {:?}", ledger.values("userOrder", "/msg/last_update_reason"));
    for (name, reason, needed) in ledger.excuses() {
        println!("  excused{}: {name}: {reason}", if needed { "" } else { " and not needed" });
    }
    let control = ledger.control();
    let [dropped, renamed, retyped, added] = control.noticed;
    println!("mutations noticed: {dropped} dropped, {renamed} renamed, {retyped} retyped, {added} unknown fields");
    let mut idle: Vec<&str> = Vec::new();
    let mut unshown = control.never_shown.clone();
    for (place, reason) in NEVER_SHOWN {
        let before = unshown.len();
        unshown.retain(|field| !field.contains(place));
        println!("  never shown: {} required fields in {place}: {reason}", before - unshown.len());
        if unshown.len() == before {
            idle.push(place);
        }
    }

    let faults = ledger.faults();
    let missing = |wanted: &[&'static str], seen: &std::collections::BTreeSet<&str>| {
        wanted.iter().filter(|name| !seen.contains(**name)).copied().collect::<Vec<_>>()
    };
    assert!(faults.is_empty(), "{} kinds of faults:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(missing(&OPERATIONS, &operations), Vec::<&str>::new(), "operations that did not succeed");
    assert_eq!(operations.len(), OPERATIONS.len(), "operations that are in no list: {operations:?}");
    assert_eq!(missing(&MESSAGES, &kinds), Vec::<&str>::new(), "messages that did not come");
    let excuses = ledger.excuses();
    idle.extend(excuses.iter().filter(|(_, _, needed)| !needed).map(|(name, ..)| name.as_str()));
    assert!(idle.is_empty(), "excuses that nobody needs: {idle:?}");
    assert!(unshown.is_empty(), "required fields that nothing ever had: {unshown:?}");
    assert!(control.survived.is_empty(), "mutations that validation did not notice: {:?}", control.survived);
    assert!(dropped > 300 && dropped == renamed && dropped == retyped && dropped == added, "{:?}", control.noticed);
}

#[tokio::test]
async fn refusals_are_the_captured_ones() {
    let Some(spec) = Spec::at_hand() else { return };
    let folder = isobar_tests::data().expect("it was there").join("rest/demo_2026-06");
    let captures = captured::refusals(&folder);
    let (members, ledger) = (Members::new(), &mut Ledger::new(&spec));
    let (_running, world) = members.exchange();
    let tickers = scenario::look(&Client::new(&world.host, None), ledger).await;
    for (name, capture) in &captures {
        let answer = captured::repeat(&world, ledger, &tickers[2], name, capture).await;
        assert_eq!((answer.status, answer.text.trim_end()), (capture.status, capture.body.as_str()), "{name}");
    }
    println!("{} captured refusals are answered with the same status and the same bytes", captures.len());
    assert_eq!(captures.len(), 17);
}
