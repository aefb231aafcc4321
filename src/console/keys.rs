//! Bytes of a terminal to keys: control bytes, the escape sequences of a VT100 and its heirs (ECMA-48 section 5.4),
//! UTF-8. What is unknown, cut or broken is swallowed, so that binary junk gives nothing but keys.

/// Something that was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A printable character that takes one or two columns.
    Text(char),
    /// The end of a line: CR, LF, or both.
    Enter,
    /// TAB.
    Tab,
    /// ^C.
    Interrupt,
    /// ^D: the end of input on an empty line, else as [`Key::Delete`].
    EndOfInput,
    /// Backspace: takes the character before the cursor.
    Backspace,
    /// Takes the character under the cursor.
    Delete,
    /// One character back.
    Left,
    /// One character on.
    Right,
    /// The line before.
    Up,
    /// The line after.
    Down,
    /// To the start.
    Home,
    /// To the end.
    End,
    /// ^U: takes everything before the cursor.
    KillLine,
    /// ^W: takes the word before the cursor.
    KillWord,
    /// ^K: takes everything from the cursor on.
    KillRest,
    /// ^L: paints the screen anew.
    Clear,
}

/// Bytes of one control sequence; a longer one is none.
const MAX_SEQUENCE: u8 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ground,
    /// After ESC.
    Escape,
    /// After ESC O: one byte follows.
    Function,
    /// In ESC [: the number so far, and how many bytes there were.
    Sequence {
        number: u8,
        length: u8,
    },
}

/// The decoder: bytes in, at most one key each out.
#[derive(Debug)]
pub struct Keys {
    state: State,
    /// The last byte was a CR: an LF behind it ends no second line.
    after_return: bool,
    character: heapless::Vec<u8, 4>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { state: State::Ground, after_return: false, character: heapless::Vec::new() }
    }
}

impl Keys {
    /// Takes a byte.
    pub fn handle(&mut self, byte: u8) -> Option<Key> {
        let after_return = core::mem::replace(&mut self.after_return, byte == b'\r');
        if byte.is_ascii() {
            self.character.clear();
        }
        if byte < b' ' || byte == 0x7f {
            // A control byte ends whatever sequence it stands in (a cut one, then).
            self.state = if byte == 0x1b { State::Escape } else { State::Ground };
            return control(byte, after_return);
        }
        match self.state {
            State::Ground => self.text(byte),
            State::Escape => {
                self.state = match byte {
                    b'[' => State::Sequence { number: 0, length: 0 },
                    b'O' => State::Function,
                    _ => State::Ground,
                };
                None
            }
            State::Function => {
                self.state = State::Ground;
                last(byte, 0)
            }
            State::Sequence { number, length } => self.sequence(byte, number, length),
        }
    }

    fn sequence(&mut self, byte: u8, number: u8, length: u8) -> Option<Key> {
        let number = match byte {
            b'0'..=b'9' => number.saturating_mul(10).saturating_add(byte - b'0'),
            // Modifiers (`1;5C`) do not matter here: only what stands before counts.
            b';' => {
                if number == 0 {
                    1
                } else {
                    number
                }
            }
            b' '..=b'?' => number,
            _ => {
                self.state = State::Ground;
                return last(byte, number);
            }
        };
        self.state = if length < MAX_SEQUENCE {
            State::Sequence { number, length: length + 1 }
        } else {
            State::Ground
        };
        None
    }

    fn text(&mut self, byte: u8) -> Option<Key> {
        if byte.is_ascii() {
            return Some(Key::Text(char::from(byte)));
        }
        // A byte that begins a character ends a broken one before it.
        if byte >= 0xc0 || self.character.push(byte).is_err() {
            self.character.clear();
            let _ = self.character.push(byte);
        }
        match core::str::from_utf8(&self.character) {
            Ok(text) => {
                let character = text.chars().next();
                self.character.clear();
                character.filter(|character| width(*character) > 0).map(Key::Text)
            }
            Err(error) => {
                if error.error_len().is_some() {
                    self.character.clear();
                }
                None
            }
        }
    }
}

fn control(byte: u8, after_return: bool) -> Option<Key> {
    Some(match byte {
        b'\r' => Key::Enter,
        b'\n' if !after_return => Key::Enter,
        b'\t' => Key::Tab,
        1 => Key::Home,
        2 => Key::Left,
        3 => Key::Interrupt,
        4 => Key::EndOfInput,
        5 => Key::End,
        6 => Key::Right,
        8 | 0x7f => Key::Backspace,
        11 => Key::KillRest,
        12 => Key::Clear,
        14 => Key::Down,
        16 => Key::Up,
        21 => Key::KillLine,
        23 => Key::KillWord,
        _ => return None,
    })
}

/// The key that the last byte of a sequence names.
fn last(byte: u8, number: u8) -> Option<Key> {
    Some(match (byte, number) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', 1 | 7) => Key::Home,
        (b'F', _) | (b'~', 4 | 8) => Key::End,
        (b'~', 3) => Key::Delete,
        _ => return None,
    })
}

/// Columns of a character; none for what does not stand for itself: controls, combining marks, marks of direction,
/// private use. Wide ones are those of East Asia and pictures, in blocks (Unicode annex 11).
pub fn width(character: char) -> usize {
    match u32::from(character) {
        0x20..=0x7e => 1,
        0x00..=0x9f | 0xad | 0x300..=0x36f | 0x483..=0x489 => 0,
        0xa0..=0x58f => 1,
        0x10a0..=0x10ff | 0x1e00..=0x1fff | 0x2010..=0x2027 | 0x2030..=0x205e | 0x20a0..=0x20bf => 1,
        0x2100..=0x2319 | 0x2400..=0x25fc => 1,
        0x3041..=0x3096 | 0x30a1..=0x30ff | 0x4e00..=0x9fff | 0xac00..=0xd7a3 | 0xff01..=0xff60 => 2,
        // Scripts whose shapes depend on their neighbours, and what is none: not for a command line.
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::default();
        bytes.iter().filter_map(|byte| keys.handle(*byte)).collect()
    }

    #[test]
    fn keys_of_several_terminals_are_understood() {
        for bytes in [&b"\x1b[A"[..], b"\x1bOA", b"\x1b[1;5A", b"\x10"] {
            assert_eq!(keys(bytes), [Key::Up], "{bytes:?}");
        }
        for bytes in [&b"\x1b[H"[..], b"\x1bOH", b"\x1b[1~", b"\x1b[7~", b"\x01"] {
            assert_eq!(keys(bytes), [Key::Home], "{bytes:?}");
        }
        for bytes in [&b"\x1b[F"[..], b"\x1bOF", b"\x1b[4~", b"\x1b[8~", b"\x05"] {
            assert_eq!(keys(bytes), [Key::End], "{bytes:?}");
        }
        assert_eq!(keys(b"\x08\x7f\x1b[3~"), [Key::Backspace, Key::Backspace, Key::Delete]);
    }

    #[test]
    fn a_line_ends_once_however_the_terminal_says_it() {
        assert_eq!(keys(b"\r"), [Key::Enter]);
        assert_eq!(keys(b"\n"), [Key::Enter]);
        assert_eq!(keys(b"\r\n"), [Key::Enter]);
        assert_eq!(keys(b"\r\n\n"), [Key::Enter; 2]);
        assert_eq!(keys(b"\r\r\n"), [Key::Enter; 2]);
    }

    #[test]
    fn unknown_and_cut_sequences_are_swallowed() {
        let x = [Key::Text('x')];
        for bytes in [&b"\x1b[200~x"[..], b"\x1b[?1049hx", b"\x1bqx", b"\x1bOPx", b"\x1b[5~x", b"\x1b\x1b[Zx"]
        {
            assert_eq!(keys(bytes), x, "{bytes:?}");
        }
        assert_eq!(keys(b"\x1b[1\rx"), [Key::Enter, Key::Text('x')], "a control byte ends a cut sequence");
        let endless = [b"\x1b[".as_slice(), &[b'1'; 18], b"x"].concat();
        assert_eq!(keys(&endless).last(), Some(&Key::Text('x')));
    }

    #[test]
    fn characters_count_only_if_they_are_whole_and_have_a_place() {
        assert_eq!(keys("ü€漢".as_bytes()), [Key::Text('ü'), Key::Text('€'), Key::Text('漢')]);
        assert_eq!(keys(b"\xc3x\xff\x80y"), [Key::Text('x'), Key::Text('y')]);
        assert_eq!(
            keys(b"\xe2\x82\xc3\xbc"),
            [Key::Text('ü')],
            "a cut character does not take the next one along"
        );
        assert_eq!(keys("\u{9b}\u{202e}\u{301}".as_bytes()), []);
    }
}
