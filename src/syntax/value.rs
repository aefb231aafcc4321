//! Values of one word: numbers, times, truth values. Total functions without a diagnostic of their own.

use crate::time::Duration;

/// What a number could not be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invalid {
    /// No number.
    Form,
    /// A number out of range.
    Range,
}

/// A time and whether it was rounded to microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer {
    /// The time.
    pub value: Duration,
    /// Digits behind the sixth decimal were dropped.
    pub rounded: bool,
}

/// A decimal number from `min` to `max`, with or without a plus.
pub fn integer(text: &str, min: u32, max: u32) -> Result<u32, Invalid> {
    let digits = if text.as_bytes().first() == Some(&b'+') { text.get(1..) } else { None };
    unsigned(digits.unwrap_or(text), min, max)
}

fn unsigned(text: &str, min: u32, max: u32) -> Result<u32, Invalid> {
    // Far too large is as wrong as too large: it stays at a number that is out of every range.
    let value = text.bytes().try_fold(0, |value: u64, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| (value * 10 + u64::from(digit)).min(1 << 32))
    });
    let Some(value) = value.filter(|_| !text.is_empty()) else {
        let signed =
            text.strip_prefix('-').is_some_and(|rest| unsigned(rest, 0, u32::MAX) != Err(Invalid::Form));
        return Err(if signed { Invalid::Range } else { Invalid::Form });
    };
    u32::try_from(value).ok().filter(|value| (min..=max).contains(value)).ok_or(Invalid::Range)
}

/// A whole number with an optional sign from `min` to `max`.
pub fn whole(text: &str, min: i64, max: i64) -> Result<i64, Invalid> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Invalid::Form);
    }
    text.parse().ok().filter(|value| (min..=max).contains(value)).ok_or(Invalid::Range)
}

/// A whole number with an optional sign from `-max` to `max`.
pub fn signed(text: &str, max: i16) -> Result<i16, Invalid> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = unsigned(digits, 0, u32::try_from(max).unwrap_or(0))?;
    let value = i16::try_from(value).map_err(|_| Invalid::Range)?;
    Ok(if negative { -value } else { value })
}

/// Seconds with decimals, `min` to `max`; what is below a microsecond is rounded.
pub fn timer(text: &str, min: Duration, max: Duration) -> Result<Timer, Invalid> {
    // Tenths of microseconds behind the point, and what the next digit there is worth.
    let (mut seconds, mut tenths, mut worth) = (0_u64, 0_u64, None);
    let (mut digits, mut rounded) = (false, false);
    for byte in text.bytes() {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        match &mut worth {
            None if byte == b'.' => worth = Some(1_000_000),
            _ if digit > 9 => return Err(integer(text, 0, 0).err().unwrap_or(Invalid::Form)),
            None => seconds = (seconds * 10 + digit).min(1 << 40), // out of every range
            Some(worth) => {
                tenths += digit * *worth;
                rounded |= *worth <= 1 && digit > 0;
                *worth /= 10;
            }
        }
        digits |= digit <= 9;
    }
    if !digits {
        return Err(Invalid::Form);
    }
    let value = Duration::from_secs(seconds) + Duration::from_micros((tenths + 5) / 10);
    if value < min || value > max { Err(Invalid::Range) } else { Ok(Timer { value, rounded }) }
}

/// `on true yes`, `off false no`.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_decimal_and_in_range() {
        assert_eq!(integer("255", 1, 255), Ok(255));
        assert_eq!(integer("0255", 1, 255), Ok(255));
        assert_eq!(integer("+255", 1, 255), Ok(255));
        for (text, expected) in [
            ("256", Invalid::Range),
            ("0", Invalid::Range),
            ("-1", Invalid::Range),
            ("99999999999999999999", Invalid::Range),
            ("", Invalid::Form),
            ("1x", Invalid::Form),
            ("0x1f", Invalid::Form),
            ("-", Invalid::Form),
            ("++1", Invalid::Form),
            ("-+1", Invalid::Form),
            ("+", Invalid::Form),
        ] {
            assert_eq!(integer(text, 1, 255), Err(expected), "{text}");
        }
        assert_eq!(whole("-20", -20, 19), Ok(-20));
        assert_eq!(whole("+19", -20, 19), Ok(19));
        for (text, expected) in [
            ("20", Invalid::Range),
            ("-21", Invalid::Range),
            ("-99999999999999999999", Invalid::Range),
            ("-", Invalid::Form),
            ("", Invalid::Form),
            ("1.5", Invalid::Form),
        ] {
            assert_eq!(whole(text, -20, 19), Err(expected), "{text}");
        }
        assert_eq!(signed("-253", 253), Ok(-253));
        assert_eq!(signed("+253", 253), Ok(253));
        assert_eq!(signed("254", 253), Err(Invalid::Range));
        assert_eq!(signed("-+1", 253), Err(Invalid::Form));
    }

    #[test]
    fn times_are_seconds_with_decimals() {
        let max = Duration::from_secs(1_000);
        let micros =
            |text| timer(text, Duration::ZERO, max).map(|timer| (timer.value.as_micros(), timer.rounded));
        assert_eq!(micros("3"), Ok((3_000_000, false)));
        assert_eq!(micros("0.25"), Ok((250_000, false)));
        assert_eq!(micros(".5"), Ok((500_000, false)));
        assert_eq!(micros("1.0000005"), Ok((1_000_001, true)));
        assert_eq!(micros("1000"), Ok((1_000_000_000, false)));
        for text in ["1000.000001", "-1", "99999999999999999999999"] {
            assert_eq!(micros(text), Err(Invalid::Range), "{text}");
        }
        for text in ["", ".", "1s", "1.x", "1.2.3", "1e3"] {
            assert_eq!(micros(text), Err(Invalid::Form), "{text}");
        }
    }
}
