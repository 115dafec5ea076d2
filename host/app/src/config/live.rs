//! Live trading: `[live]` of the file. That the table is there trades nothing; it takes `--live` as well.

use super::{Problem, Range, RawNumber, Slot, Source};
use isobar_engine::orders::LiveSettings;
use isobar_engine::units::{Quantity, SECOND};
use serde::Deserialize;
use toml::Spanned;

/// The slot that may trade with real money, and how it deals with the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Name of the slot.
    pub slot: String,
    /// How it deals with the venue. Its time to live is the longest one: the account's budget may allow a shorter one.
    pub settings: LiveSettings,
    /// Contracts that may be filled within any 15 seconds before the venue itself stops the slot by its order group.
    pub group_contracts: Quantity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLive {
    slot: Spanned<String>,
    max_contracts_per_15_sec: Spanned<u32>,
    order_ttl_sec: RawNumber,
    renew_when_left_sec: RawNumber,
    patience_sec: RawNumber,
    retry_sec: RawNumber,
    retry_most_sec: RawNumber,
    read_lag_sec: RawNumber,
    read_account_sec: RawNumber,
    read_timeout_sec: RawNumber,
    read_queue_sec: RawNumber,
}

impl Source<'_> {
    pub(super) fn live(&self, raw: Spanned<RawLive>, slots: &[Slot]) -> Result<Live, Problem> {
        let at = raw.span().start;
        let raw = raw.into_inner();
        if !slots.iter().any(|slot| slot.name == *raw.slot.get_ref()) {
            let problem = format!("live.slot: no slot is named {:?}", raw.slot.get_ref());
            return Err(Problem::new(raw.slot.span().start, problem));
        }
        let seconds = |key: &str, raw: &RawNumber, decimals: u8, default: i64| {
            let unit = if decimals == 0 { 1 } else { SECOND };
            let least = if decimals == 0 { 1 } else { SECOND / 1_000 };
            let range = Range { decimals, least, most: 86_400 * unit, default: default * unit };
            self.number(&format!("live.{key}"), raw, range)
        };
        let settings = LiveSettings {
            ttl: seconds("order_ttl_sec", &raw.order_ttl_sec, 0, 120)? * SECOND,
            renew_left: seconds("renew_when_left_sec", &raw.renew_when_left_sec, 9, 60)?,
            patience: seconds("patience_sec", &raw.patience_sec, 9, 3)?,
            retry: seconds("retry_sec", &raw.retry_sec, 9, 1)?,
            retry_most: seconds("retry_most_sec", &raw.retry_most_sec, 9, 30)?,
            margin: seconds("read_lag_sec", &raw.read_lag_sec, 9, 2)?,
            read_every: seconds("read_account_sec", &raw.read_account_sec, 9, 60)?,
            read_again: seconds("read_timeout_sec", &raw.read_timeout_sec, 9, 15)?,
            queue_every: self.number(
                "live.read_queue_sec",
                &raw.read_queue_sec,
                Range { decimals: 9, least: 0, most: 86_400 * SECOND, default: 10 * SECOND },
            )?,
        };
        if settings.renew_left >= settings.ttl {
            return Err(Problem::new(at, "live.renew_when_left_sec has to be less than live.order_ttl_sec"));
        }
        if settings.retry > settings.retry_most {
            return Err(Problem::new(at, "live.retry_sec cannot be more than live.retry_most_sec"));
        }
        // PROTOCOL.md 3.6: 1 to 1,000,000.
        if !(1..=1_000_000).contains(raw.max_contracts_per_15_sec.get_ref()) {
            let problem = "live.max_contracts_per_15_sec has to be from 1 to 1000000";
            return Err(Problem::new(raw.max_contracts_per_15_sec.span().start, problem));
        }
        let group_contracts = Quantity::contracts(raw.max_contracts_per_15_sec.into_inner());
        Ok(Live { slot: raw.slot.into_inner(), settings, group_contracts })
    }
}
