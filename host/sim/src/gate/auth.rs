//! Signed requests: three headers, one text, a clock that has to agree (PROTOCOL.md 1.2 to 1.4).

use super::keys::PublicKey;
use crate::http::HttpRequest;
use crate::refusal::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// How far a timestamp may be from the exchange's clock, either way, in ms. Not documented: ±10 s was accepted, −30 s and
/// ±60 s were refused (PROTOCOL.md 1.3); this lies between.
const WINDOW_MS: i64 = 20_000;

/// Keys by their id, with the number of the account.
pub(crate) type Keys = BTreeMap<String, (usize, PublicKey)>;

/// The account that signed a request. `skew_ms` is by how much the exchange's clock is ahead, a fault.
pub(crate) fn authenticate(keys: &Keys, request: &HttpRequest, skew_ms: i64) -> Result<usize, Refusal> {
    let header = |name| request.header(name).ok_or(Refusal::SignatureMissing);
    let signature = header("kalshi-access-signature")?;
    let (id, stamp) = (header("kalshi-access-key")?, header("kalshi-access-timestamp")?);
    let now_ms = request.wall.0.div_euclid(1_000_000) + skew_ms;
    let sent: i64 = stamp.parse().map_err(|_| Refusal::TimestampExpired)?;
    if now_ms.abs_diff(sent) > WINDOW_MS.unsigned_abs() {
        return Err(Refusal::TimestampExpired);
    }
    let (account, key) = keys.get(id).ok_or(Refusal::KeyUnknown)?;
    let text = format!("{stamp}{}{}", request.method, request.path);
    let signature = STANDARD.decode(signature).map_err(|_| Refusal::SignatureIncorrect)?;
    if key.verifies(text.as_bytes(), &signature) { Ok(*account) } else { Err(Refusal::SignatureIncorrect) }
}
