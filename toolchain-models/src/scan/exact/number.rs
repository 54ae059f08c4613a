//! The values of numbers and character constants in `#if`, and arithmetic on them.
//!
//! Knows the types `intmax_t` and `uintmax_t`, of 64 bits, and no expressions.

use super::token::Op;
use super::unsure::Unsure;

/// A value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Value {
    pub(crate) bits: u64,
    pub(crate) unsigned: bool,
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self { bits: u64::from(truth), unsigned: false }
    }
}

impl Value {
    pub(crate) const ZERO: Self = Self { bits: 0, unsigned: false };

    pub(crate) fn truth(self) -> bool {
        self.bits != 0
    }

    fn signed(self) -> i64 {
        self.bits.cast_signed()
    }

    pub(crate) fn prefixed(self, op: Op) -> Self {
        match op {
            Op::Minus => Self { bits: self.bits.wrapping_neg(), ..self },
            Op::Complement => Self { bits: !self.bits, ..self },
            Op::Not => (!self.truth()).into(),
            _ => self,
        }
    }

    /// The value of an operation of two. `skipping`: nothing depends on it.
    pub(crate) fn with(self, op: Op, other: Self, skipping: bool) -> Result<Self, Unsure> {
        let unsigned = self.unsigned || other.unsigned;
        let (a, b) = (self.bits, other.bits);
        let of = |bits: u64| Self { bits, unsigned };
        Ok(match op {
            Op::Star => of(a.wrapping_mul(b)),
            Op::Slash | Op::Percent if b == 0 => {
                return if skipping { Ok(of(0)) } else { Err(Unsure::Malformed) };
            }
            Op::Slash if unsigned => of(a / b),
            Op::Slash => of(self.signed().wrapping_div(other.signed()).cast_unsigned()),
            Op::Percent if unsigned => of(a % b),
            Op::Percent => of(self.signed().wrapping_rem(other.signed()).cast_unsigned()),
            Op::Plus => of(a.wrapping_add(b)),
            Op::Minus => of(a.wrapping_sub(b)),
            Op::ShiftLeft | Op::ShiftRight => {
                let backwards = !other.unsigned && other.signed() < 0;
                let count = if backwards { b.wrapping_neg() } else { b };
                let left = (op == Op::ShiftLeft) != backwards;
                Self { bits: self.shifted(left, count), ..self }
            }
            Op::Less | Op::Greater | Op::LessEqual | Op::GreaterEqual => {
                let order = if unsigned { a.cmp(&b) } else { self.signed().cmp(&other.signed()) };
                match op {
                    Op::Less => order.is_lt(),
                    Op::Greater => order.is_gt(),
                    Op::LessEqual => order.is_le(),
                    _ => order.is_ge(),
                }
                .into()
            }
            Op::Equal => (a == b).into(),
            Op::Unequal => (a != b).into(),
            Op::And => of(a & b),
            Op::Xor => of(a ^ b),
            Op::Or => of(a | b),
            Op::Comma => other,
            _ => return Err(Unsure::Malformed),
        })
    }

    fn shifted(self, left: bool, count: u64) -> u64 {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        match (left, self.unsigned) {
            (true, _) => self.bits.checked_shl(count).unwrap_or(0),
            (false, true) => self.bits.checked_shr(count).unwrap_or(0),
            (false, false) => (self.signed() >> count.min(63)).cast_unsigned(),
        }
    }
}

/// The value of a preprocessing number, if it is an integer.
pub(crate) fn integer(text: &[u8]) -> Result<Value, Unsure> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\'').collect();
    let (base, digits) = match digits.as_slice() {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        [b'0', b'b' | b'B', rest @ ..] => (2, rest),
        [b'0', rest @ ..] => (8, rest),
        rest => (10, rest),
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).filter(|digit| *digit < base);
    let length = digits.iter().take_while(|byte| digit(byte).is_some()).count();
    if length == 0 && matches!(base, 2 | 16) {
        return Err(Unsure::Malformed);
    }
    let mut bits = 0_u64;
    for byte in &digits[..length] {
        let next = bits.checked_mul(u64::from(base)).zip(digit(byte));
        bits = next.and_then(|(high, low)| high.checked_add(u64::from(low))).ok_or(Unsure::Malformed)?;
    }
    let suffix = digits[length..].to_ascii_lowercase();
    let long = suffix.iter().filter(|byte| **byte != b'u').count();
    let mixed = digits[length..].windows(2).any(|pair| matches!(pair, b"lL" | b"Ll"));
    let unsigned = match suffix.as_slice() {
        b"" | b"l" | b"ll" if !mixed => false,
        b"u" | b"ul" | b"ull" | b"lu" | b"llu" if !mixed && long <= 2 => true,
        // Floating, imaginary, of a user's own.
        _ => return Err(Unsure::Malformed),
    };
    Ok(Value { bits, unsigned: unsigned || bits.cast_signed() < 0 })
}

/// The value of a character constant without a prefix.
pub(crate) fn character(text: &[u8], unsigned_char: bool) -> Result<Value, Unsure> {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    if !inner.is_ascii() {
        return Err(Unsure::Characters);
    }
    let mut value = 0_u32;
    let mut count = 0;
    let mut rest = inner;
    while let Some((&first, behind)) = rest.split_first() {
        let byte;
        (byte, rest) = if first == b'\\' { escape(behind)? } else { (first, behind) };
        value = value << 8 | u32::from(byte);
        count += 1;
    }
    let bits = match count {
        0 => return Err(Unsure::Malformed),
        1 if unsigned_char => u64::from(value),
        1 => i64::from((value as u8).cast_signed()).cast_unsigned(),
        2..=4 => i64::from(value.cast_signed()).cast_unsigned(),
        _ => return Err(Unsure::Malformed),
    };
    Ok(Value { bits, unsigned: false })
}

/// The byte behind a backslash, and what follows it.
fn escape(text: &[u8]) -> Result<(u8, &[u8]), Unsure> {
    let (first, rest) = text.split_first().ok_or(Unsure::Malformed)?;
    let plain = match first {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        b'e' | b'E' => 27,
        b'\\' | b'\'' | b'"' | b'?' => *first,
        b'x' => return digits(rest, 16, usize::MAX),
        b'0'..=b'7' => return digits(text, 8, 3),
        _ => return Err(Unsure::Characters),
    };
    Ok((plain, rest))
}

fn digits(text: &[u8], base: u32, most: usize) -> Result<(u8, &[u8]), Unsure> {
    let digit = |byte: &u8| char::from(*byte).to_digit(base);
    let length = text.iter().take(most).take_while(|byte| digit(byte).is_some()).count();
    let value = text[..length].iter().filter_map(digit).try_fold(0_u32, |value, digit| {
        let value = value * base + digit;
        (value < 256).then_some(value)
    });
    let value = value.filter(|_| length > 0).and_then(|value| u8::try_from(value).ok());
    Ok((value.ok_or(Unsure::Malformed)?, &text[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, bits, unsigned) in [
            ("0", 0, false),
            ("012", 10, false),
            ("0x1F", 31, false),
            ("0b101L", 5, false),
            ("201703L", 201_703, false),
            ("1'000", 1000, false),
            ("7uLL", 7, true),
            ("18446744073709551615", u64::MAX, true),
            ("0x8000000000000000", 1 << 63, true),
        ] {
            assert_eq!(integer(text.as_bytes()), Ok(Value { bits, unsigned }), "{text}");
        }
        for text in ["08", "1.0", "1e3", "1lL", "1lul", "0x", "18446744073709551616", "1_x", "1i"] {
            assert!(integer(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn characters() {
        for (text, value) in [("'a'", 97), ("'\\377'", -1), ("'\\x41'", 65), ("'ab'", 24930), ("'\\n'", 10)] {
            assert_eq!(character(text.as_bytes(), false).unwrap().signed(), value, "{text}");
        }
        assert_eq!(character(b"'\\377'", true).unwrap().signed(), 255);
        for text in ["''", "'\\q'", "'\u{e9}'", "'abcde'", "'\\x'", "'\\x100'"] {
            assert!(character(text.as_bytes(), false).is_err(), "{text}");
        }
    }
}
