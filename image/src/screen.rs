//! What a serial line's bytes look like on a terminal, row by row: enough of ECMA-48 for the console's line editor,
//! which repaints its row with a carriage return, text, "erase to the end" and "cursor right".
//!
//! Rows never scroll away and are never split at a width. Other sequences are swallowed.

/// Rows as they stand; the last one holds the cursor.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    rows: Vec<String>,
    row: Vec<char>,
    column: usize,
    state: State,
    /// Bytes of a character of UTF-8 that is not whole yet.
    partial: Vec<u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    /// The digits of a control sequence so far.
    Sequence(String),
}

impl Screen {
    /// Takes bytes of the line.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let mut input = std::mem::take(&mut self.partial);
        input.extend_from_slice(bytes);
        // A character is at most four bytes: what may still become one waits.
        let whole = match std::str::from_utf8(&input) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => input.len(),
        };
        self.partial = input.split_off(whole);
        String::from_utf8_lossy(&input).chars().for_each(|character| self.put(character));
    }

    /// Rows that were ended.
    pub(crate) fn rows(&self) -> &[String] {
        &self.rows
    }

    /// The row of the cursor, up to the cursor.
    pub(crate) fn before_cursor(&self) -> String {
        self.row.iter().take(self.column).collect()
    }

    /// Ends the cursor's row, if there is something in it: what comes now is of another machine.
    pub(crate) fn end_row(&mut self) {
        if !self.row.is_empty() {
            self.put('\n');
        }
    }

    fn put(&mut self, character: char) {
        match (&mut self.state, character) {
            (State::Text, '\x1b') => self.state = State::Escape,
            (State::Text, '\n') => {
                self.rows.push(self.row.iter().collect::<String>().trim_end().to_owned());
                (self.row, self.column) = (Vec::new(), 0);
            }
            (State::Text, '\r') => self.column = 0,
            (State::Text, '\x08') => self.column = self.column.saturating_sub(1),
            (State::Text, character) if character.is_control() => {}
            (State::Text, character) => {
                self.row.resize(self.row.len().max(self.column + 1), ' ');
                self.row[self.column] = character;
                self.column += 1;
            }
            (State::Escape, '[') => self.state = State::Sequence(String::new()),
            (State::Escape, _) => self.state = State::Text,
            (State::Sequence(digits), '\x20'..='\x3f') => digits.push(character),
            (State::Sequence(digits), _) => {
                let count = digits.parse().unwrap_or(1).clamp(1, 1_000);
                let digits = std::mem::take(digits);
                self.state = State::Text;
                self.control(character, count, &digits);
            }
        }
    }

    fn control(&mut self, last: char, count: usize, digits: &str) {
        match last {
            'K' if digits.is_empty() => self.row.truncate(self.column),
            'J' => (self.row, self.column) = (Vec::new(), 0),
            'C' => self.column += count,
            'D' => self.column = self.column.saturating_sub(count),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repainted_rows_stand_as_they_are_seen() {
        let mut screen = Screen::default();
        for piece in [
            &b"\r\nhello\r\n\rlvsbox> \x1b[Ksta\rlvsbox> statu\x1b"[..],
            b"[Ks\r\none \xc3",
            b"\xa4\r\n\rlvsbox> \x1b[K",
        ] {
            screen.write(piece);
        }
        assert_eq!(screen.rows(), ["", "hello", "lvsbox> status", "one ä"]);
        assert_eq!(screen.before_cursor(), "lvsbox> ");
    }

    #[test]
    fn a_line_that_nobody_asked_for_stands_above_the_one_being_typed() {
        let mut screen = Screen::default();
        screen.write(b"\rlvsbox> sta\x1b[K\r\x1b[Kchange\r\n\rlvsbox> sta\x1b[K\r\x1b[9C");
        assert_eq!(screen.rows(), ["change"]);
        assert_eq!(screen.before_cursor(), "lvsbox> s");
    }

    #[test]
    fn broken_bytes_and_unknown_sequences_do_not_stop_it() {
        let mut screen = Screen::default();
        screen.write(b"a\xff\x1b[1;31mb\x1b(\x07c\x1b[2K\n");
        assert_eq!(screen.rows(), ["a\u{fffd}bc"]);
    }
}
