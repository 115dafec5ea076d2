//! What the exchange answered, and what went wrong on purpose: so that a 429 that a client earned can be told from one that
//! was injected.

use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Counts of the whole life of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Answers of the exchange itself by HTTP status, with the code of a refusal: `200`, `429 too_many_requests`. Whether a
    /// fault lost or replaced one on its way does not matter here.
    pub answers: BTreeMap<String, u64>,
    /// Faults that took place, by kind: frames as `gap`, requests as `lost_after`, `status 503` or `status 503, executed`.
    /// What befell several connections counts for each of them.
    pub faults: BTreeMap<Cow<'static, str>, u64>,
}

impl Counts {
    pub(crate) fn answered(&mut self, status: u16, code: Option<&str>) {
        let key = code.map_or_else(|| status.to_string(), |code| format!("{status} {code}"));
        *self.answers.entry(key).or_default() += 1;
    }

    pub(crate) fn happened(&mut self, fault: impl Into<Cow<'static, str>>) {
        *self.faults.entry(fault.into()).or_default() += 1;
    }

    /// Adds the faults of a connection.
    pub(crate) fn add(&mut self, faults: &BTreeMap<&'static str, u64>) {
        for (fault, count) in faults {
            *self.faults.entry(Cow::Borrowed(fault)).or_default() += count;
        }
    }
}
