//! A decimal number as a person writes it, kept exactly. It knows no unit and no rounding.

use std::fmt;

/// A number exactly as a person wrote it: `digits` with the decimal point `decimals` places from the right.
///
/// Trailing zeros after the point are dropped, so equal numbers are equal values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: i64,
    decimals: u8,
}

impl Decimal {
    /// `digits` with the decimal point `decimals` places from the right. Panics above 18 decimals.
    pub fn new(mut digits: i64, mut decimals: u8) -> Self {
        assert!(decimals <= 18, "a number has at most 18 decimals");
        while decimals > 0 && digits % 10 == 0 {
            (digits, decimals) = (digits / 10, decimals - 1);
        }
        Self { digits, decimals }
    }

    /// Reads `-12.50`, `7` or `.5`. The error is a sentence for the one who wrote it.
    pub fn read(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a decimal number such as 0.05");
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        if (whole.is_empty() && part.is_empty()) || !(whole.bytes().chain(part.bytes())).all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let part = part.trim_end_matches('0');
        let sign = if text.starts_with('-') { "-" } else { "" };
        let decimals = u8::try_from(part.len()).ok().filter(|decimals| *decimals <= 18);
        match (format!("{sign}0{whole}{part}").parse(), decimals) {
            (Ok(digits), Some(decimals)) => Ok(Self::new(digits, decimals)),
            _ => Err(format!("{text} has more digits than a number may have (18)")),
        }
    }

    /// The number in units of 10^-`decimals`, or nothing where it is finer than that or too large.
    pub fn units(self, decimals: u8) -> Option<i64> {
        let places = u32::from(decimals.checked_sub(self.decimals)?);
        self.digits.checked_mul(10_i64.checked_pow(places)?)
    }
}

/// The shortest text that reads as the same number.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = 10_u64.pow(u32::from(self.decimals));
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = self.digits.unsigned_abs();
        write!(f, "{sign}{}", digits / scale)?;
        match usize::from(self.decimals) {
            0 => Ok(()),
            width => write!(f, ".{:0width$}", digits % scale),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Decimal {
        Decimal::read(text).expect("a number")
    }

    #[test]
    fn what_was_written_is_what_is_read() {
        for text in ["0.05", "-12.5", "7", "0", "0.000000000000000001", "9223372036854775807", "-0.1", "0.3"] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read(".50").to_string(), "0.5");
        assert_eq!(read("+20.00"), read("20"));
        assert_eq!(read("-0.0"), read("0"));
    }

    #[test]
    fn units_are_exact_or_nothing() {
        assert_eq!(read("0.05").units(6), Some(50_000));
        assert_eq!(read("-1.25").units(2), Some(-125));
        assert_eq!(read("1.255").units(2), None);
        assert_eq!(read("9223372036854775807").units(1), None);
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["", ".", "-", "1e3", "inf", "nan", "0x10", "1,5", "--1", "1.2.3", "9223372036854775808", "5 %"] {
            assert!(Decimal::read(text).is_err(), "{text}");
        }
        assert!(Decimal::read("0.0000000000000000001").is_err());
    }
}
