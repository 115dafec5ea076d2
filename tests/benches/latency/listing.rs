//! What the measuring exchange lists: six city-days with six brackets each, their weather, and the account's reads.
//!
//! Bodies have the shapes of PROTOCOL.md 3, with the fields that the venue requires. The day is tomorrow in each city, so
//! that nothing opens, closes or is observed while a measurement runs.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

/// A city of the guide.
struct City {
    series: &'static str,
    /// Its letters in rows of weather.
    code: &'static str,
    name: &'static str,
    /// The climate report that its rules name.
    report: &'static str,
    /// Hours of local standard time behind UTC.
    behind: i64,
    /// Every forecast and every high, in °F: where a late November is.
    high: i64,
}

const CITIES: [City; 6] = [
    City { series: "KXHIGHCHI", code: "CHI", name: "Chicago", report: "CLIMDW", behind: 6, high: 55 },
    City { series: "KXHIGHAUS", code: "AUS", name: "Austin", report: "CLIAUS", behind: 6, high: 72 },
    City { series: "KXHIGHDEN", code: "DEN", name: "Denver", report: "CLIDEN", behind: 7, high: 52 },
    City { series: "KXHIGHLAX", code: "LAX", name: "Los Angeles", report: "CLILAX", behind: 8, high: 71 },
    City { series: "KXHIGHMIA", code: "MIA", name: "Miami", report: "CLIMIA", behind: 5, high: 80 },
    City { series: "KXHIGHPHIL", code: "PHIL", name: "Philadelphia", report: "CLIPHL", behind: 5, high: 55 },
];
/// Days of weather that are told with their outcome.
const HISTORY_DAYS: i64 = 30;
/// Forecast models by the names that weather rows use.
const MODELS: [&str; 6] = ["gfs", "ecmwf_ifs025", "icon", "gem", "jma", "hrrr"];

/// A bracket of one city-day.
pub struct Market {
    pub ticker: String,
    pub event: String,
    pub series: &'static str,
    pub id: String,
    opens: Timestamp,
    closes: Timestamp,
    strike: Strike,
    /// What it is about, in the venue's words: a host compares them with what it believes.
    rules: String,
}

enum Strike {
    Less(i64),
    Between(i64, i64),
    Greater(i64),
}

/// Everything that is listed.
pub struct Listing {
    pub markets: Vec<Market>,
    weather: Value,
}

impl Listing {
    /// The city-days of the day after `now`.
    pub fn new(now: Timestamp) -> Self {
        let mut markets = Vec::new();
        let mut weather = Vec::new();
        for City { series, code, name, report, behind, high } in CITIES {
            let clock = |at: Timestamp| at.checked_sub(behind.hours()).expect("a time of our century");
            let today = clock(now).to_zoned(jiff::tz::TimeZone::UTC).date();
            let begins = |date: Date| {
                let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).expect("a day of our century").timestamp();
                midnight.checked_add(behind.hours()).expect("a time of our century")
            };
            let day = |ahead: i64| today.checked_add(ahead.days()).expect("a day of our century");
            let event = format!("{series}-{}", day(1).strftime("%y%b%d").to_string().to_uppercase());
            let opens = begins(today).checked_sub(14.hours()).expect("a time of our century");
            let closes = begins(day(2)).checked_sub(1.minute()).expect("a time of our century");
            let between = (0..4).map(|step| Strike::Between(high - 4 + 2 * step, high - 3 + 2 * step));
            let strikes = std::iter::once(Strike::Less(high - 4)).chain(between).chain([Strike::Greater(high + 3)]);
            for strike in strikes {
                let suffix = match strike {
                    Strike::Less(at) | Strike::Greater(at) => format!("T{at}"),
                    Strike::Between(floor, _) => format!("B{floor}.5"),
                };
                let id = format!("00000000-0000-4000-8000-{:012}", markets.len());
                let bound = match strike {
                    Strike::Less(cap) => format!("less than {cap}°"),
                    Strike::Between(floor, cap) => format!("between {floor}-{cap}°"),
                    Strike::Greater(floor) => format!("greater than {floor}°"),
                };
                let rules = format!(
                    "If the maximum temperature recorded at {name} ({report}) for {}, is {bound} fahrenheit according to \
                     The Weather Company, then the market resolves to Yes.",
                    day(1).strftime("%b %-d, %Y")
                );
                let (ticker, event) = (format!("{event}-{suffix}"), event.clone());
                markets.push(Market { ticker, event, series, id, opens, closes, strike, rules });
            }
            for ahead in -HISTORY_DAYS..=1 {
                // Forecasts come out a day and an evening before; a high is known in the night after its day.
                let published = begins(day(ahead - 1)).checked_sub(6.hours()).expect("a time of our century");
                let observed = begins(day(ahead + 1)).checked_add(3.hours()).expect("a time of our century");
                let known = ahead < 0 && observed <= now;
                weather.push(json!({
                        "city": code,
                        "date": day(ahead).to_string(),
                        "forecast_high_f": MODELS.iter().map(|model| ((*model).to_owned(), json!(high))).collect::<serde_json::Map<_, _>>(),
                        "published": published.to_string(),
                        "observed_high_f": known.then_some(high),
                        "observed_published": known.then(|| observed.to_string()),
                }));
            }
        }
        Self { markets, weather: weather.into() }
    }

    /// The market of a ticker.
    pub fn find(&self, ticker: &str) -> Option<usize> {
        self.markets.iter().position(|market| market.ticker == ticker)
    }
}

impl Market {
    fn body(&self) -> Value {
        let mut body = json!({
            "ticker": self.ticker, "event_ticker": self.event, "market_type": "binary", "status": "active", "result": "",
            "title": self.ticker, "subtitle": self.ticker, "yes_sub_title": self.ticker, "no_sub_title": self.ticker,
            "created_time": self.opens.to_string(), "updated_time": self.opens.to_string(),
            "open_time": self.opens.to_string(), "close_time": self.closes.to_string(),
            "expected_expiration_time": self.closes.to_string(), "latest_expiration_time": self.closes.to_string(),
            "settlement_timer_seconds": 3600, "can_close_early": true, "expiration_value": "", "exchange_index": 0,
            "price_level_structure": "linear_cent",
            "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
            "settlement_bounds_type": "default",
        });
        // In parts: one macro call of all fields is beyond the compiler's patience.
        let more = json!({
            "yes_bid_dollars": "0.0500", "yes_ask_dollars": "0.9000", "yes_bid_size_fp": "100.00",
            "yes_ask_size_fp": "100.00", "no_bid_dollars": "0.1000", "no_ask_dollars": "0.9500",
            "last_price_dollars": "0.0500", "previous_price_dollars": "0.0500", "previous_yes_bid_dollars": "0.0500",
            "previous_yes_ask_dollars": "0.9000", "volume_fp": "0.00", "volume_24h_fp": "0.00",
            "open_interest_fp": "0.00", "notional_value_dollars": "1.0000",
            "rules_primary": self.rules, "rules_secondary": "",
        });
        let strike = match self.strike {
            Strike::Less(cap) => json!({"strike_type": "less", "cap_strike": cap}),
            Strike::Between(floor, cap) => json!({"strike_type": "between", "floor_strike": floor, "cap_strike": cap}),
            Strike::Greater(floor) => json!({"strike_type": "greater", "floor_strike": floor}),
        };
        for (name, value) in [more, strike].iter().flat_map(|part| part.as_object().into_iter().flatten()) {
            body[name] = value.clone();
        }
        body
    }
}

fn series(ticker: &str) -> Value {
    json!({
        "ticker": ticker, "title": ticker, "frequency": "daily", "category": "Climate and Weather",
        "tags": ["Daily temperature"], "settlement_sources": sources(), "contract_url": "", "contract_terms_url": "",
        "fee_type": "quadratic", "fee_multiplier": 1, "additional_prohibitions": [], "exchange_index": 0,
    })
}

fn sources() -> Value {
    json!([{"name": "The Weather Company", "url": "https://weather.com/kalshi"}])
}

impl Listing {
    fn event(&self, ticker: &str, nested: bool) -> Option<Value> {
        let markets: Vec<&Market> = self.markets.iter().filter(|market| market.event == ticker).collect();
        let mut body = json!({
            "event_ticker": ticker, "series_ticker": markets.first()?.series, "title": ticker, "sub_title": "",
            "collateral_return_type": "MECNET", "mutually_exclusive": true, "category": "Climate and Weather",
            "strike_period": "", "settlement_sources": sources(), "exchange_index": 0,
        });
        if nested {
            body["markets"] = markets.iter().map(|market| market.body()).collect();
        }
        Some(body)
    }

    /// Answers a read. Nothing for a path that is not known here.
    pub fn read(&self, path: &str, parameter: impl Fn(&str) -> Option<String>) -> Option<Value> {
        let now = Timestamp::now();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let parts = parts.strip_prefix(&["trade-api", "v2"]).unwrap_or(&parts);
        let closed = parameter("status").is_some_and(|status| status != "open");
        Some(match parts {
            // What a host asks of a simulated exchange beside the venue's own: its clock, and weather.
            ["sim", "clock"] => json!({"now_ns": u64::try_from(now.as_nanosecond()).ok()?, "factor": 1}),
            ["sim", "weather"] => self.weather.clone(),
            ["sim", "nws", "stations", _, "observations"] => json!({"type": "FeatureCollection", "features": []}),
            ["exchange", "status"] => json!({
                "exchange_active": true, "trading_active": true, "intra_exchange_transfers_active": true,
                "exchange_index_statuses": [{"exchange_index": 0, "description": "", "exchange_active": true,
                    "trading_active": true, "intra_exchange_transfers_active": true}],
            }),
            ["exchange", "schedule"] => json!({"schedule": {"standard_hours": [], "maintenance_windows": []}}),
            ["exchange", "user_data_timestamp"] => json!({"as_of_time": now.to_string()}),
            ["series"] => json!({"series": CITIES.map(|city| series(city.series))}),
            ["series", "fee_changes"] => json!({"series_fee_change_arr": []}),
            ["events", "fee_changes"] => json!({"event_fee_change_arr": []}),
            ["series", ticker] if CITIES.iter().any(|city| city.series == *ticker) => json!({"series": series(ticker)}),
            ["events"] => {
                let mut known: Vec<&Market> = self.markets.iter().collect();
                known.dedup_by_key(|market| &market.event);
                let wanted = parameter("series_ticker");
                known.retain(|market| !closed && wanted.as_deref().is_none_or(|wanted| wanted == market.series));
                let nested = parameter("with_nested_markets").as_deref() == Some("true");
                let events: Vec<_> = known.iter().filter_map(|market| self.event(&market.event, nested)).collect();
                json!({"events": events, "milestones": [], "cursor": ""})
            }
            ["events", ticker] => json!({
                "event": self.event(ticker, parameter("with_nested_markets").as_deref() == Some("true"))?,
                "markets": self.markets.iter().filter(|market| market.event == *ticker).map(Market::body).collect::<Vec<_>>(),
            }),
            ["markets"] => {
                let (series, event, tickers) =
                    (parameter("series_ticker"), parameter("event_ticker"), parameter("tickers"));
                let wanted = |market: &&Market| {
                    !closed
                        && series.as_deref().is_none_or(|series| series == market.series)
                        && event.as_deref().is_none_or(|event| event == market.event)
                        && tickers.as_deref().is_none_or(|tickers| tickers.split([',']).any(|one| one == market.ticker))
                };
                json!({"markets": self.markets.iter().filter(wanted).map(Market::body).collect::<Vec<_>>(), "cursor": ""})
            }
            ["markets", ticker] => json!({"market": self.markets[self.find(ticker)?].body()}),
            ["account", "limits"] => json!({
                "usage_tier": "prestige", "grants": [],
                "read": {"bucket_capacity": 12_000, "refill_rate": 12_000},
                "write": {"bucket_capacity": 28_800, "refill_rate": 9_600},
            }),
            ["account", "endpoint_costs"] => json!({"default_cost": 10, "endpoint_costs": [
                {"method": "DELETE", "path": "/trade-api/v2/portfolio/events/orders", "cost": 2},
                {"method": "DELETE", "path": "/trade-api/v2/portfolio/events/orders/{order_id}", "cost": 2},
                {"method": "DELETE", "path": "/trade-api/v2/portfolio/events/orders/batched", "cost": 2},
                {"method": "GET", "path": "/trade-api/v2/portfolio/orders/{order_id}", "cost": 2},
            ]}),
            ["portfolio", "balance"] => json!({
                "balance": 10_000_000, "balance_dollars": "100000.0000", "portfolio_value": 0,
                "updated_ts": now.as_second(), "balance_breakdown": [{"balance": "100000.0000", "exchange_index": 0}],
            }),
            ["portfolio", "positions"] => json!({"market_positions": [], "event_positions": [], "cursor": ""}),
            ["portfolio", "orders"] => json!({"orders": [], "cursor": ""}),
            ["portfolio", "orders", "queue_positions"] => json!({"queue_positions": []}),
            ["portfolio", "fills"] => json!({"fills": [], "cursor": ""}),
            ["portfolio", "settlements"] => json!({"settlements": [], "cursor": ""}),
            ["portfolio", "order_groups"] => json!({"order_groups": []}),
            ["portfolio", "order_groups", _] => json!({
                "is_auto_cancel_enabled": true, "orders": [], "contracts_limit_fp": "1000000.00", "exchange_index": 0,
            }),
            _ => return None,
        })
    }
}
