//! The simulated exchange of a fault run, with the host's account and the crowd that trades against it.

use super::native::{BRACKETS, middle};
use isobar_engine::market::{Market, MarketId};
use isobar_engine::units::{Money, Timestamp};
use isobar_kalshi::convert;
use isobar_kalshi::wire;
use isobar_sim::{AccountConfig, ConnId, Core, CoreConfig, HttpAnswer, HttpRequest, PublicKey, Scene, Tier};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Where the API begins.
pub const ROOT: &str = "/trade-api/v2";
/// Where the socket is.
const SOCKET: &str = "/trade-api/ws/v2";
/// The city that is traded.
const SERIES: &str = "KXHIGHCHI";
/// The account of the host, and that of the crowd.
pub const HOST: usize = 0;
const CROWD: usize = 1;

/// The exchange.
pub struct Venue {
    /// Its core.
    pub core: Core,
    /// The markets as the host lists them.
    pub markets: Vec<Market>,
    /// Tickers of the brackets that are traded.
    tickers: Vec<String>,
    /// Orders of the crowd that may rest.
    resting: Vec<String>,
}

impl Venue {
    /// A quiet day with two accounts.
    pub fn new(seed: u64) -> Self {
        let account = |number: usize, tier| AccountConfig {
            keys: vec![(format!("key-{number}"), PublicKey::Unchecked)],
            cash: Money::dollars(10_000),
            tier,
        };
        let start = "2026-07-01T18:00:00Z".parse().expect("a moment");
        let config = CoreConfig {
            scene: Scene::Quiet { date: jiff::civil::date(2026, 7, 1), start },
            seed,
            accounts: vec![account(HOST, Tier::Premier), account(CROWD, Tier::Unlimited)],
            unsigned_feed: false,
            ..CoreConfig::default()
        };
        let core = Core::new(&config).expect("a scene without recordings");
        let mut venue = Self { core, markets: Vec::new(), tickers: Vec::new(), resting: Vec::new() };
        venue.list();
        venue
    }

    fn list(&mut self) {
        let now = self.core.now();
        let series: wire::SeriesBody = self.read(now, &format!("/series/{SERIES}"), "");
        let listed: wire::MarketsBody = self.read(now, "/markets", &format!("series_ticker={SERIES}&limit=100"));
        for (number, market) in (0..).zip(&listed.markets) {
            let market = convert::market(MarketId(number), market, &series.series, None);
            self.markets.push(market.expect("the simulated markets are tradable"));
        }
        let mut sorted: Vec<&Market> = self.markets.iter().collect();
        sorted.sort_by_key(|market| (market.strike.rank(), market.id));
        let quoted = &sorted[usize::from(BRACKETS.start)..usize::from(BRACKETS.end)];
        self.tickers = quoted.iter().map(|market| market.ticker.clone()).collect();
    }

    fn read<T: serde::de::DeserializeOwned>(&mut self, now: Timestamp, path: &str, query: &str) -> T {
        let answer = self.call(now, HOST, "GET", path, query, "");
        serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}: {}", answer.body))
    }

    /// A signed request.
    pub fn signed(now: Timestamp, account: usize, method: &str, path: &str) -> HttpRequest {
        let mut request = HttpRequest::new(method, path, now);
        let headers = [
            ("kalshi-access-key", format!("key-{account}")),
            ("kalshi-access-timestamp", (now.0 / 1_000_000).to_string()),
            ("kalshi-access-signature", "AAAA".to_owned()),
        ];
        request.headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        request
    }

    /// A request below the root and its answer.
    pub fn call(
        &mut self,
        now: Timestamp,
        account: usize,
        method: &str,
        path: &str,
        query: &str,
        body: &str,
    ) -> HttpAnswer {
        let mut request = Self::signed(now, account, method, &format!("{ROOT}{path}"));
        (request.query, request.body) = (query.to_owned(), body.to_owned());
        self.core.request(now, &request)
    }

    /// Makes the order group of the run.
    pub fn group(&mut self, now: Timestamp) -> String {
        let body = r#"{"contracts_limit_fp":"1000000.00","exchange_index":0}"#;
        let answer = self.call(now, HOST, "POST", "/portfolio/order_groups/create", "", body);
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        body["order_group_id"].as_str().unwrap_or_else(|| panic!("no group: {}", answer.body)).to_owned()
    }

    /// Opens a socket for the host.
    pub fn connect(&mut self, now: Timestamp) -> Option<ConnId> {
        self.core.connect(now, &Self::signed(now, HOST, "GET", SOCKET)).ok()
    }

    /// The crowd does something: takes from the quotes, quotes behind them, or pulls.
    pub fn act(&mut self, now: Timestamp, random: &mut ChaCha8Rng) {
        let index = random.random_range(0..self.tickers.len());
        let middle = middle(BRACKETS.start + u16::try_from(index).expect("few brackets"));
        let ticker = self.tickers[index].clone();
        let buys = random.random_bool(0.5);
        let side = if buys { "bid" } else { "ask" };
        let count = format!("{}.{:02}", random.random_range(0..3), [25, 50, 99, 10][random.random_range(0..4)]);
        let order = |cents: u16, count: &str, force: &str| {
            json!({
                "ticker": ticker, "side": side, "price": format!("0.{cents:02}00"), "count": count,
                "time_in_force": force, "self_trade_prevention_type": "taker_at_cross",
            })
            .to_string()
        };
        match random.random_range(0..10) {
            0..6 => {
                let cents = if buys { middle + 4 } else { middle - 4 };
                self.create(now, &order(cents, &count, "immediate_or_cancel"));
            }
            6..9 => {
                let cents = if buys { middle - 5 } else { middle + 5 };
                if let Some(id) = self.create(now, &order(cents, "4.00", "good_till_canceled")) {
                    self.resting.push(id);
                }
            }
            _ => {
                if !self.resting.is_empty() {
                    let id = self.resting.swap_remove(random.random_range(0..self.resting.len()));
                    self.call(now, CROWD, "DELETE", &format!("/portfolio/events/orders/{id}"), "", "");
                }
            }
        }
    }

    fn create(&mut self, now: Timestamp, body: &str) -> Option<String> {
        let answer = self.call(now, CROWD, "POST", "/portfolio/events/orders", "", body);
        let body: Value = serde_json::from_str(&answer.body).ok()?;
        body["order_id"].as_str().map(str::to_owned)
    }
}
