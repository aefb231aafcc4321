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
    fn escapes_stand_for_bytes() {
        assert_eq!(unescaped(r#"a\r\n\t\\\"\x00\xff"#).as_deref(), Some(&b"a\r\n\t\\\"\0\xff"[..]));
        for text in [r"\", r"\x", r"\x1", r"\xzz", "\\x\u{e9}"] {
            assert_eq!(unescaped(text), None, "{text}");
        }
    }
}
