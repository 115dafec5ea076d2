//! Recording files: plain or zstd, whole into memory, and the exact decimals in them.

use crate::Error;
use isobar_engine::units::{Price, Quantity};
use std::path::Path;

/// The text of a file; one that ends in `.zst` is decompressed.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let text = if path.extension().is_some_and(|extension| extension == "zst") {
        zstd::decode_all(file).map_err(unreadable)?
    } else {
        std::io::read_to_string(file).map_err(unreadable)?.into_bytes()
    };
    String::from_utf8(text).map_err(|_| Error::Malformed { path: path.to_owned(), reason: "not UTF-8".to_owned() })
}

/// The rows of a CSV file with a header.
pub(super) fn rows<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    let text = read(path)?;
    csv::Reader::from_reader(text.as_bytes())
        .into_deserialize()
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Malformed { path: path.to_owned(), reason: error.to_string() })
}

/// A signed decimal as an integer of `digits` decimals, exactly or not at all.
pub(super) fn fixed(text: &str, digits: usize) -> Option<i64> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (kept, rest) = fraction.split_at_checked(digits).unwrap_or((fraction, ""));
    let valid = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !valid(whole) || !valid(kept) || rest.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let value: i64 = format!("{whole}{kept:0<digits$}").parse().ok()?;
    Some(if negative { -value } else { value })
}

/// A price in dollars.
pub(super) fn price(text: &str) -> Option<Price> {
    Price::new(u16::try_from(fixed(text, 4)?).ok()?)
}

/// A count of contracts.
pub(super) fn quantity(text: &str) -> Option<Quantity> {
    Some(Quantity::new(u64::try_from(fixed(text, 2)?).ok()?))
}

/// A field that is spelled as text, a date or a moment.
pub(super) fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = <String as serde::Deserialize>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}
