//! Bytes as they are written in a configuration: hexadecimal digits, and text with escapes.

use core::fmt::Write as _;

/// Bytes, and which of their bits matter.
pub(super) type Pattern = (Box<[u8]>, Box<[u8]>);

/// Pairs of hexadecimal digits, blanks between them allowed.
pub(super) fn bytes(text: &str) -> Option<Box<[u8]>> {
    masked(text, false).map(|(bytes, _)| bytes)
}

/// The same with `x` for a digit that does not matter, if that is allowed.
pub(super) fn masked(text: &str, wild: bool) -> Option<Pattern> {
    let mut digits = text.bytes().filter(|byte| *byte != b' ').map(|byte| match byte {
        b'x' | b'X' if wild => Some((0, 0)),
        _ => {
            char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).map(|digit| (digit, 0xf))
        }
    });
    let (mut bytes, mut mask) = (Vec::new(), Vec::new());
    while let Some(high) = digits.next() {
        let ((high, relevant), (low, too)) = (high?, digits.next()??);
        bytes.push(high << 4 | low);
        mask.push(relevant << 4 | too);
    }
    (!bytes.is_empty()).then(|| (bytes.into(), mask.into()))
}

/// Text with `\r`, `\n`, `\t`, `\\` and `\xHH`; any other character behind a backslash stands for itself.
pub(super) fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(core::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                other => other,
            },
            byte => byte,
        });
    }
    Some(bytes)
}

/// keepalived's escapes: `\a \b \E \f \n \r \t \v`, `\nnn`, `\xHH…`, `\cC`; before anything else the backslash goes.
/// With the place of each byte, and of the first escape that means something else to PCRE.
pub(super) fn shell(text: &str) -> (Vec<u8>, Vec<u32>, Option<u32>) {
    const OF_PCRE: &[u8] = b"AbBdDhHNQsSvVwWzZ.()[]{}*+?|^$/";
    let (text, mut at) = (text.as_bytes(), 0);
    let (mut bytes, mut places, mut lost) = (Vec::new(), Vec::new(), None);
    let digits = |at: &mut usize, radix: u32, most: usize| {
        let mut number = 0_u32;
        for _ in 0..most {
            let Some(digit) = text.get(*at).and_then(|byte| char::from(*byte).to_digit(radix)) else { break };
            (number, *at) = (number.wrapping_mul(radix).wrapping_add(digit), *at + 1);
        }
        u8::try_from(number & 0xff).unwrap_or(0)
    };
    while let Some(byte) = text.get(at) {
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        at += 1;
        let letter = text.get(at).copied().filter(|_| *byte == b'\\');
        at += usize::from(letter.is_some());
        if letter.is_some_and(|letter| OF_PCRE.contains(&letter)) {
            lost = lost.or(Some(place));
        }
        places.push(place);
        bytes.push(match letter {
            None => *byte,
            Some(b'a') => 7,
            Some(b'b') => 8,
            Some(b'E') => 27,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'v') => 11,
            Some(b'0'..=b'7') => {
                at -= 1;
                digits(&mut at, 8, 3)
            }
            Some(b'x') => digits(&mut at, 16, usize::MAX),
            Some(b'c') => {
                at += 1;
                text.get(at - 1).map_or(0, |byte| byte & 0x1f)
            }
            Some(other) => other,
        });
    }
    (bytes, places, lost)
}

/// What [`shell`] reads: readable where it can be.
pub fn shell_escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = match byte {
            b'\\' => text.write_str("\\\\"),
            b'"' | b'~' | b'\'' => write!(text, "\\{byte:03o}"),
            b' '..=b'}' => text.write_char(char::from(*byte)),
            other => write!(text, "\\{other:03o}"),
        };
        text
    })
}

/// What [`bytes`] reads.
pub fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What [`masked`] reads.
pub(super) fn pattern((bytes, mask): &Pattern) -> String {
    let mut text = String::new();
    for (byte, mask) in bytes.iter().zip(mask) {
        for shift in [4, 0] {
            let _ = match mask >> shift & 0xf {
                0 => text.write_char('x'),
                _ => write!(text, "{:x}", byte >> shift & 0xf),
            };
        }
    }
    text
}

/// What [`unescaped`] reads: letters and digits as they are, everything that could mean something else as `\xHH`.
pub(super) fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = match byte {
            b'\r' => text.write_str("\\r"),
            b'\n' => text.write_str("\\n"),
            plain if plain.is_ascii_alphanumeric() || b"+-_.:,/".contains(plain) => {
                text.write_char(char::from(*plain))
            }
            other => write!(text, "\\x{other:02x}"),
        };
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_bytes_and_x_does_not_matter() {
        assert_eq!(bytes("00 fF1a").as_deref(), Some(&[0, 0xff, 0x1a][..]));
        for text in ["", "0", "0g", "0x", "00 f", "\u{e9}\u{e9}"] {
            assert_eq!(bytes(text), None, "{text}");
        }
        let (bytes, mask) = masked("1x xx x2", true).unwrap();
        assert_eq!((&*bytes, &*mask), (&[0x10, 0, 2][..], &[0xf0, 0, 0x0f][..]));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescaped(&escaped(&all)), Some(all.clone()));
        assert_eq!(bytes(&digits(&all)).as_deref(), Some(&all[..]));
        assert_eq!(pattern(&masked("1xxx2f", true).unwrap()), "1xxx2f");
    }

    #[test]
    fn escapes_of_a_pattern_are_keepalived_s() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(shell(&shell_escaped(&all)).0, all);
        // As `keepalived -d` prints them, 2.2.7.
        for (written, read) in
            [(r"a\d+", "ad+"), (r"a\x41\101\t.\x7fz(", "aAA\t.\x7fz("), (r"a\\d(", r"a\d("), (r"\cA", "\x01")]
        {
            assert_eq!(shell(written).0, read.as_bytes(), "{written}");
        }
        let (_, places, lost) = shell(r"\\w\d");
        assert_eq!((places, lost), (vec![0, 2, 3], Some(3)));
    }

    #[test]
    fn escapes_stand_for_bytes() {
        assert_eq!(unescaped(r#"a\r\n\t\\\"\x00\xff"#).as_deref(), Some(&b"a\r\n\t\\\"\0\xff"[..]));
        for text in [r"\", r"\x", r"\x1", r"\xzz", "\\x\u{e9}"] {
            assert_eq!(unescaped(text), None, "{text}");
        }
    }
}
