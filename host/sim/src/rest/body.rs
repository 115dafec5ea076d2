//! Reading request bodies as the venue's decoder does, with its words for what does not fit.

use crate::refusal::Refusal;
use isobar_engine::units::{Price, Quantity, Side};
use serde_json::{Map, Value};

/// An object that is read as a struct of this name.
pub(crate) struct Body {
    name: &'static str,
    fields: Map<String, Value>,
}

/// The decoder's word for what a JSON value is.
const fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Decimal text as an integer of `digits` decimals; nothing where it has more or is none.
fn fixed(text: &str, digits: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    let (kept, rest) = fraction.split_at(fraction.len().min(digits));
    if rest.bytes().any(|byte| byte != b'0') {
        return None;
    }
    format!("{whole}{kept:0<digits$}").parse().ok()
}

impl Body {
    pub(crate) fn parse(name: &'static str, text: &str) -> Result<Self, Refusal> {
        if text.trim().is_empty() {
            return Err(Refusal::BadRequest("EOF".to_owned()));
        }
        let value: Value =
            serde_json::from_str(text).map_err(|_| Refusal::BadRequest("invalid JSON in request body".to_owned()))?;
        Self::of(name, value)
    }

    pub(crate) fn of(name: &'static str, value: Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(fields) => Ok(Self { name, fields }),
            other => Err(Refusal::BadRequest(format!(
                "json: cannot unmarshal {} into Go value of type {name}",
                word(&other)
            ))),
        }
    }

    fn mismatch(&self, field: &str, found: &Value, wanted: &str) -> Refusal {
        let (found, name) = (word(found), self.name);
        Refusal::BadRequest(format!(
            "json: cannot unmarshal {found} into Go struct field {name}.{field} of type {wanted}"
        ))
    }

    fn missing(&self, field: &'static str) -> Refusal {
        Refusal::Parameter(self.name, field, "required")
    }

    /// What stands in a field; `null` counts as absent.
    fn field(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// The types of all fields are checked before anything else is, as a decoder does.
    pub(crate) fn typed(&self, strings: &[&str], integers: &[&str], flags: &[&str]) -> Result<(), Refusal> {
        for (field, value) in self.fields.iter().filter(|(_, value)| !value.is_null()) {
            let wanted = match field.as_str() {
                name if strings.contains(&name) => Some(("string", value.is_string())),
                name if integers.contains(&name) => Some(("int64", value.is_i64())),
                name if flags.contains(&name) => Some(("bool", value.is_boolean())),
                _ => None,
            };
            if let Some((wanted, false)) = wanted {
                return Err(self.mismatch(field, value, wanted));
            }
        }
        Ok(())
    }

    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.field(field).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn integer(&self, field: &str) -> Option<i64> {
        self.field(field).and_then(Value::as_i64)
    }

    pub(crate) fn flag(&self, field: &str) -> bool {
        self.field(field).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A required text; `named` is how the validator spells the field.
    pub(crate) fn required(&self, field: &str, named: &'static str) -> Result<&str, Refusal> {
        self.text(field).ok_or_else(|| self.missing(named))
    }

    /// A required text that is one of a few words.
    pub(crate) fn one_of<T: Copy>(&self, field: &str, named: &'static str, words: &[(&str, T)]) -> Result<T, Refusal> {
        let text = self.required(field, named)?;
        let known = words.iter().find(|(word, _)| *word == text);
        known.map(|(_, value)| *value).ok_or(Refusal::Parameter(self.name, named, "oneof"))
    }

    pub(crate) fn side(&self) -> Result<Side, Refusal> {
        self.one_of("side", "Side", &[("bid", Side::Bid), ("ask", Side::Ask)])
    }

    /// A required price; one that is no price at all is as wrong as one off the grid.
    pub(crate) fn price(&self) -> Result<Price, Refusal> {
        let text = self.required("price", "Price")?;
        let units = fixed(text, 4).and_then(|units| u16::try_from(units).ok());
        units.and_then(Price::new).ok_or(Refusal::InvalidPrice)
    }

    /// A number of contracts, more than none.
    pub(crate) fn count(&self, field: &str) -> Result<Option<Quantity>, Refusal> {
        let Some(text) = self.text(field) else { return Ok(None) };
        let units = fixed(text, 2).filter(|units| *units < 1 << 50).ok_or(Refusal::InvalidSize)?;
        Ok(Some(Quantity::new(units)))
    }

    /// The objects of an array field, read as structs of `name`.
    pub(crate) fn items(&mut self, field: &str, name: &'static str) -> Result<Vec<Self>, Refusal> {
        match self.fields.remove(field) {
            Some(Value::Array(items)) => items.into_iter().map(|item| Self::of(name, item)).collect(),
            None | Some(Value::Null) => Err(self.missing("Orders")),
            Some(other) => Err(self.mismatch(field, &other, &format!("[]{name}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_nothing() {
        assert_eq!(fixed("0.56", 4), Some(5_600));
        assert_eq!(fixed("1", 2), Some(100));
        assert_eq!(fixed("0.560000", 4), Some(5_600));
        for wrong in ["", ".5", "0.56001", "-1", "1e2", "0,5", "+1"] {
            assert_eq!(fixed(wrong, 4), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_where_text_belongs_are_refused_in_the_decoders_words() {
        let body = Body::parse("CreateOrderV2Request", r#"{"count":1,"price":0.01,"side":"bid"}"#);
        let refused = body.and_then(|body| body.typed(&["count", "price", "side"], &[], &[]));
        let words = "json: cannot unmarshal number into Go struct field CreateOrderV2Request.count of type string";
        assert_eq!(refused, Err(Refusal::BadRequest(words.to_owned())));
    }
}
