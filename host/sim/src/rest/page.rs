//! Pages of a list: `limit`, `cursor`, and where the next page begins.
//!
//! A cursor names the last item that was shown, so that a list which grows at its head loses nothing. A cursor that is
//! not ours is taken for none, with 200, as at the venue (PROTOCOL.md 3.1).

use crate::http::Query;
use crate::refusal::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a request wants of a list.
pub(crate) struct Page {
    limit: usize,
    after: Option<u64>,
}

impl Page {
    /// Reads `limit` and `cursor`. `endpoint` and `tag` are the validator's words for a limit that is too large.
    pub(crate) fn read(
        query: &Query,
        endpoint: &'static str,
        tag: &'static str,
        default: usize,
        most: usize,
    ) -> Result<Self, Refusal> {
        let limit = query.integer("limit").map_err(|_| Refusal::BadRequest("invalid limit".to_owned()))?;
        let limit = match limit {
            None | Some(0) => default,
            Some(limit) => match usize::try_from(limit) {
                Ok(limit) if limit <= most => limit,
                Ok(_) => return Err(Refusal::Parameter(endpoint, "Limit", tag)),
                Err(_) => return Err(Refusal::Parameter(endpoint, "Limit", if tag == "lte" { "gte" } else { "min" })),
            },
        };
        let cursor = query.get("cursor").and_then(|cursor| URL_SAFE_NO_PAD.decode(cursor).ok());
        let after = cursor.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
        Ok(Self { limit, after })
    }

    /// One page of `items`, which fall in their numbers, and the cursor of the next.
    pub(crate) fn falling<T>(&self, items: impl Iterator<Item = (u64, T)>) -> (Vec<T>, String) {
        self.cut(items.skip_while(|(number, _)| self.after.is_some_and(|after| *number >= after)))
    }

    /// One page of `items`, which rise in their numbers.
    pub(crate) fn rising<T>(&self, items: impl Iterator<Item = (u64, T)>) -> (Vec<T>, String) {
        self.cut(items.skip_while(|(number, _)| self.after.is_some_and(|after| *number <= after)))
    }

    fn cut<T>(&self, mut items: impl Iterator<Item = (u64, T)>) -> (Vec<T>, String) {
        let mut page = Vec::new();
        let mut last = None;
        for (number, item) in items.by_ref().take(self.limit) {
            last = Some(number);
            page.push(item);
        }
        let more = items.next().is_some();
        let cursor = last.filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(last.to_be_bytes()));
        (page, cursor.unwrap_or_default())
    }
}
