//! The one message that comes a thousand times as often as all others, read without a JSON parser.
//!
//! It knows `orderbook_delta` with the keys in the order in which the venue writes them and gives up (nothing, never an
//! error) on anything else: the general reader then decides. What both read, they read alike (tested, and fuzzed).

use crate::convert;
use crate::wire::Outcome;
use isobar_engine::units::Price;

/// A change of one level, its price still on the scale of its ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delta<'a> {
    pub sid: u32,
    pub seq: Option<u64>,
    /// When the venue sent it, milliseconds since 1970 of its clock; nothing in older recordings.
    pub sent: Option<i64>,
    /// The exchange's clock of the change; nothing in older recordings.
    pub clock: Option<i64>,
    pub ticker: &'a [u8],
    pub outcome: Outcome,
    pub price: Price,
    pub change: i64,
}

/// Reads a delta in the venue's own key order, old (no `sending_ts_ms`, no `clock`) or new.
pub(crate) fn delta(frame: &[u8]) -> Option<Delta<'_>> {
    let mut rest = Scanner(frame);
    rest.expect(br#"{"type":"orderbook_delta","#)?;
    let mut sent = None;
    if rest.expect(br#""sending_ts_ms":"#).is_some() {
        sent = i64::try_from(rest.number()?).ok();
        rest.expect(b",")?;
    }
    rest.expect(br#""sid":"#)?;
    let sid = u32::try_from(rest.number()?).ok()?;
    rest.expect(br#","seq":"#)?;
    let seq = rest.number()?;
    rest.expect(br#","msg":{"market_ticker":""#)?;
    let ticker = rest.string()?;
    rest.expect(br#","market_id":""#)?;
    rest.string()?;
    let mut clock = None;
    if rest.expect(br#","clock":"#).is_some() {
        clock = i64::try_from(rest.number()?).ok();
    }
    rest.expect(br#","price_dollars":""#)?;
    let price = convert::price(rest.string()?)?;
    rest.expect(br#","delta_fp":""#)?;
    let change = convert::change(rest.string()?)?;
    rest.expect(br#","side":""#)?;
    let outcome = match rest.string()? {
        b"yes" => Outcome::Yes,
        b"no" => Outcome::No,
        _ => return None,
    };
    if rest.expect(br#","ts":""#).is_some() {
        rest.string()?;
    }
    if rest.expect(br#","ts_ms":"#).is_some() {
        rest.number()?;
    }
    rest.expect(b"}}")?;
    matches!(rest.0, b"" | b"\n").then_some(Delta { sid, seq: Some(seq), sent, clock, ticker, outcome, price, change })
}

struct Scanner<'a>(&'a [u8]);

impl<'a> Scanner<'a> {
    #[inline(always)]
    fn expect(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// A JSON integer without sign, at most 18 digits, no leading zero.
    fn number(&mut self) -> Option<u64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        if digits == 0 || digits > 18 || (digits > 1 && number[0] == b'0') {
            return None;
        }
        self.0 = rest;
        Some(number.iter().fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0')))
    }

    /// The rest of a string, its closing quote included: ASCII without escapes or control characters.
    #[inline]
    fn string(&mut self) -> Option<&'a [u8]> {
        let mut end = 0;
        while let Some(word) = self.0[end..].first_chunk::<8>() {
            let stops = stops(u64::from_le_bytes(*word));
            if stops != 0 {
                end += stops.trailing_zeros() as usize / 8;
                break;
            }
            end += 8;
        }
        end += self.0[end..].iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' ' | 0x80..))?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.strip_prefix(b"\"")?;
        Some(text)
    }
}

/// The high bit of the first byte of `word` that ends a plain string: a quote, a backslash, a control character, or no ASCII.
/// Bits above it mean nothing, since borrows run upwards.
fn stops(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & HIGHS;
    below(word ^ (ONES * 0x22), 1) | below(word ^ (ONES * 0x5c), 1) | below(word, 0x20) | (word & HIGHS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = include_str!("../testdata/delta.json");
    const NEW: &str = include_str!("../testdata/delta_clock.json");

    #[test]
    fn both_spellings_of_today_are_read() {
        let read = delta(OLD.as_bytes()).expect("a delta");
        assert_eq!((read.sid, read.seq, read.ticker), (1, Some(2), &b"KXHIGHCHI-26NOV23-B33.5"[..]));
        assert_eq!((read.outcome, read.price.units(), read.change), (Outcome::Yes, 4_700, -300));
        let read = delta(NEW.as_bytes()).expect("a delta");
        assert_eq!((read.sid, read.seq, read.outcome, read.change), (1, Some(3), Outcome::No, 4_163));
        assert_eq!(read.clock, Some(4_182_061));
    }

    #[test]
    fn a_string_ends_at_the_same_byte_whether_read_by_words_or_by_bytes() {
        for byte in 0..=255u8 {
            for at in 0..20 {
                let mut text = [b'x'; 24];
                text[at] = byte;
                text[23] = b'"';
                let plain = matches!(byte, b' '..=0x7f) && byte != b'\\';
                let expected = if byte == b'"' { Some(&text[..at]) } else { plain.then_some(&text[..23]) };
                assert_eq!(Scanner(&text).string(), expected, "byte {byte} at {at}");
            }
        }
    }

    #[test]
    fn anything_out_of_the_ordinary_is_left_to_the_general_reader() {
        for (from, to) in [
            ("\"yes\"", "\"maybe\""),
            ("0.4700", "0.47\\u0030"),
            ("KXHIGH", "KXHÏGH"),
            ("\"seq\":2", "\"seq\":02"),
            ("\"seq\":2", "\"seq\":-2"),
            ("\"seq\":2", "\"seq\":99999999999999999999"),
            ("}}", "}} x"),
            ("}}", "}"),
            ("\"sid\"", " \"sid\""),
        ] {
            assert_eq!(delta(OLD.replacen(from, to, 1).as_bytes()), None, "{from} -> {to}");
        }
    }
}
