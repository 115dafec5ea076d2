//! Values of parameters, from what a trader writes to the integers of the contract. Exact: nothing is rounded.

use crate::description::{Description, Parameter, Unit};
use crate::error::ParameterError;

/// The values of all parameters in declared order, from names and decimal texts as written in the configuration
/// (`0.05` for a share, `20` for dollars). What is not given has its default.
///
/// # Errors
/// A name that the component does not declare or that is given twice, a text that is no decimal number or is finer than
/// the parameter's unit, a value outside the declared range.
pub fn resolve(description: &Description, given: &[(String, String)]) -> Result<Vec<i64>, ParameterError> {
    let mut values: Vec<Option<i64>> = vec![None; description.parameters.len()];
    for (name, text) in given {
        let position = description.parameters.iter().position(|parameter| parameter.name == *name);
        let Some(position) = position else {
            let known: Vec<_> = description.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(ParameterError::Unknown { strategy: description.name.clone(), name: name.clone(), known });
        };
        let value = value(&description.parameters[position], text)?;
        if values[position].replace(value).is_some() {
            return Err(ParameterError::Twice(name.clone()));
        }
    }
    let defaults = description.parameters.iter().map(|parameter| parameter.default);
    Ok(values.into_iter().zip(defaults).map(|(value, default)| value.unwrap_or(default)).collect())
}

fn value(parameter: &Parameter, text: &str) -> Result<i64, ParameterError> {
    let decimals = parameter.unit.decimals();
    let number = parse(text, decimals).map_err(|reason| ParameterError::Number {
        name: parameter.name.clone(),
        text: text.to_owned(),
        reason,
    })?;
    if (parameter.minimum..=parameter.maximum).contains(&number) {
        return Ok(number);
    }
    Err(ParameterError::Range {
        name: parameter.name.clone(),
        text: text.to_owned(),
        minimum: written(parameter.unit, parameter.minimum),
        maximum: written(parameter.unit, parameter.maximum),
    })
}

/// A decimal text as an integer of `decimals` more digits.
fn parse(text: &str, decimals: u32) -> Result<i64, &'static str> {
    const NO_NUMBER: &str = "not a decimal number";
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.') {
        return Err(NO_NUMBER);
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::try_from(decimals).ok().and_then(|d| d.checked_sub(fraction.len()));
    let missing = missing.ok_or("more decimals than its unit has")?;
    let units = format!("{whole}{fraction}{}", "0".repeat(missing));
    units.parse::<i64>().map(|number| sign * number).map_err(|_| "too large")
}

/// A value as a trader writes it.
fn written(unit: Unit, value: i64) -> String {
    let scale = 10u64.pow(unit.decimals());
    let (whole, rest) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
    let sign = if value < 0 { "-" } else { "" };
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{rest:0width$}", width = unit.decimals() as usize);
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use isobar_engine::event::Watch;

    fn description() -> Description {
        let parameter = |name: &str, unit, default, minimum, maximum| Parameter {
            name: name.to_owned(),
            unit,
            default,
            minimum,
            maximum,
            about: String::new(),
        };
        Description {
            name: "edge".to_owned(),
            version: "1".to_owned(),
            watch: Watch { levels: 1, sizes: true, trades: false, every: 0, at_most_every: 0 },
            parameters: vec![
                parameter("MIN_EDGE_TAKE", Unit::Ppm, 50_000, 0, 1_000_000),
                parameter("BET_AMOUNT_USD", Unit::Money, 20_000_000, -5, 1_000_000_000),
                parameter("COUNT", Unit::Count, 1, 0, 1),
            ],
        }
    }

    fn resolved(given: &[(&str, &str)]) -> Result<Vec<i64>, ParameterError> {
        let given: Vec<_> = given.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        resolve(&description(), &given)
    }

    #[test]
    fn decimals_become_integers_exactly_and_the_rest_has_its_default() {
        assert_eq!(resolved(&[]), Ok(vec![50_000, 20_000_000, 1]));
        assert_eq!(
            resolved(&[("BET_AMOUNT_USD", "12.5"), ("MIN_EDGE_TAKE", "0.05000")]),
            Ok(vec![50_000, 12_500_000, 1])
        );
        assert_eq!(resolved(&[("MIN_EDGE_TAKE", "0.000001")]), Ok(vec![1, 20_000_000, 1]));
        assert_eq!(resolved(&[("BET_AMOUNT_USD", "-0.000005")]), Ok(vec![50_000, -5, 1]));
    }

    #[test]
    fn what_is_not_a_value_is_refused_with_its_reason() {
        let text = |given: &[(&str, &str)]| resolved(given).expect_err("no value").to_string();
        assert_eq!(
            text(&[("MIN_EGDE", "1")]),
            "edge has no parameter MIN_EGDE; it has MIN_EDGE_TAKE, BET_AMOUNT_USD, COUNT"
        );
        assert_eq!(text(&[("COUNT", "1"), ("COUNT", "1")]), "COUNT is given twice");
        assert_eq!(
            text(&[("MIN_EDGE_TAKE", "0.0000001")]),
            "MIN_EDGE_TAKE = 0.0000001: more decimals than its unit has"
        );
        assert_eq!(text(&[("MIN_EDGE_TAKE", "1.5")]), "MIN_EDGE_TAKE = 1.5 is outside 0 to 1");
        assert_eq!(text(&[("BET_AMOUNT_USD", "-1")]), "BET_AMOUNT_USD = -1 is outside -0.000005 to 1000");
        assert_eq!(text(&[("COUNT", "99999999999999999999")]), "COUNT = 99999999999999999999: too large");
        for junk in ["", "-", ".", "1.", ".5", "1e3", "+1", "0x1", "1 ", "--1", "1.-2"] {
            assert!(text(&[("BET_AMOUNT_USD", junk)]).ends_with("not a decimal number"), "{junk}");
        }
    }
}
