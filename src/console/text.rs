//! Text for people: spans of time, sizes, and lines that keep their columns.
//!
//! A [`Line`] knows its column and lets no control character through, so that a name in a configuration or a byte of
//! a peer can neither break a table nor reprogram a terminal.

use core::fmt::{self, Write};

use crate::time::{Duration, Instant};

/// Columns of a serial console.
pub(super) const SCREEN_WIDTH: usize = 80;

/// A span: `3.4 s`, `03:04:05`, `2 d 03:04:05`.
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds < 60 {
            return write!(f, "{seconds}.{} s", self.0.as_micros() / 100_000 % 10);
        }
        if seconds >= 86_400 {
            write!(f, "{} d ", seconds / 86_400)?;
        }
        write!(f, "{:02}:{:02}:{:02}", seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
    }
}

/// A short span: `0.12 ms`, `3.4 ms`, `1.2 s`.
pub(super) struct Fine(pub(super) Duration);

impl fmt::Display for Fine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match micros {
            0..1_000 => write!(f, "0.{:02} ms", micros / 10),
            1_000..1_000_000 => write!(f, "{}.{} ms", micros / 1_000, micros / 100 % 10),
            _ => write!(f, "{}", Span(self.0)),
        }
    }
}

/// A moment of the past: `3.4 s ago`.
pub(super) struct Ago {
    pub(super) now: Instant,
    pub(super) at: Instant,
}

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ago", Span(self.now.since(self.at)))
    }
}

/// A moment to come: `in 0.6 s`, `now`, `never`.
pub(super) struct Until {
    pub(super) now: Instant,
    pub(super) at: Instant,
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Instant::NEVER => f.write_str("never"),
            at if at <= self.now => f.write_str("now"),
            at => write!(f, "in {}", Span(at.since(self.now))),
        }
    }
}

/// `1 service`, `2 services`.
pub(super) struct Count<T>(pub(super) T, pub(super) &'static str);

impl<T: fmt::Display + PartialEq + From<u8>> fmt::Display for Count<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == T::from(1) { "" } else { "s" };
        write!(f, "{} {}{plural}", self.0, self.1)
    }
}

/// Longest name in an answer, in bytes: a row with a few of them fits a buffer even if JSON must escape every letter.
const MAX_NAME: usize = 96;

/// The start of a name.
pub(super) fn clip(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MAX_NAME)).unwrap_or("")
}

/// The end of a path, where the file's name is.
pub(super) fn clip_path(path: &str) -> &str {
    path.get(path.ceil_char_boundary(path.len().saturating_sub(MAX_NAME))..).unwrap_or("")
}

/// Bytes as whole KiB, rounded up.
pub(super) fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1_024)
}

/// One line of a table.
pub(super) struct Line<'a> {
    out: &'a mut dyn Write,
    column: usize,
    width: usize,
}

impl<'a> Line<'a> {
    /// A line as long as its content.
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, column: 0, width: usize::MAX }
    }

    /// A line that is cut at the edge of the screen.
    pub(super) fn bounded(out: &'a mut dyn Write) -> Self {
        Self { out, column: 0, width: SCREEN_WIDTH }
    }

    /// Where it goes on.
    pub(super) fn column(&self) -> usize {
        self.column
    }

    /// Goes on at `column`; at least one blank separates it from what is there.
    pub(super) fn to(&mut self, column: usize) -> fmt::Result {
        let blanks = column.saturating_sub(self.column).max(usize::from(self.column > 0));
        (0..blanks).try_for_each(|_| self.write_char(' '))
    }

    /// Ends the line.
    pub(super) fn end(self) -> fmt::Result {
        self.out.write_char('\n')
    }
}

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.column < self.width {
                self.out.write_char(if character.is_control() { '?' } else { character })?;
                self.column += 1;
            }
        }
        Ok(())
    }
}

/// Bytes of an operator, at most 32 characters of them: what is not printable becomes a question mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clean<'a>(pub(super) &'a [u8]);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 32;
        for byte in self.0.iter().take(MOST) {
            let character = char::from(*byte);
            f.write_char(if character.is_ascii_graphic() { character } else { '?' })?;
        }
        if self.0.len() > MOST { f.write_str("...") } else { Ok(()) }
    }
}

/// What a server said, on one line: control bytes and what is no ASCII as `.`, ends of lines as `\r` and `\n`.
pub(super) struct Said<'a>(pub(super) &'a [u8]);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| match byte {
            b'\r' => f.write_str("\\r"),
            b'\n' => f.write_str("\\n"),
            b' '..=b'~' => f.write_char(char::from(*byte)),
            _ => f.write_char('.'),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_people_say_them() {
        let micros = Duration::from_micros;
        assert_eq!(Span(micros(3_456_789)).to_string(), "3.4 s");
        assert_eq!(Span(Duration::from_secs(60)).to_string(), "00:01:00");
        assert_eq!(Span(Duration::from_secs(2 * 86_400 + 11_045)).to_string(), "2 d 03:04:05");
        assert_eq!(Fine(micros(129)).to_string(), "0.12 ms");
        assert_eq!(Fine(micros(3_456)).to_string(), "3.4 ms");
        assert_eq!(Fine(micros(1_250_000)).to_string(), "1.2 s");
        let now = Instant::from_micros(10_000_000);
        assert_eq!(Until { now, at: Instant::from_micros(10_600_000) }.to_string(), "in 0.6 s");
        assert_eq!(Until { now, at: Instant::ZERO }.to_string(), "now");
        assert_eq!(Until { now, at: Instant::NEVER }.to_string(), "never");
        assert_eq!(Ago { now, at: Instant::ZERO }.to_string(), "10.0 s ago");
    }

    #[test]
    fn a_bounded_line_ends_at_the_edge_and_lets_no_escape_through() {
        let mut out = String::new();
        let mut line = Line::bounded(&mut out);
        line.write_str("a\x1b[2J\n").unwrap();
        line.to(10).unwrap();
        write!(line, "{}", "x".repeat(100)).unwrap();
        line.end().unwrap();
        assert_eq!(out, format!("a?[2J?    {}\n", "x".repeat(70)));
    }

    #[test]
    fn columns_move_right_when_they_must_but_never_touch() {
        let mut out = String::new();
        let mut line = Line::new(&mut out);
        write!(line, "longer").unwrap();
        line.to(4).unwrap();
        write!(line, "next").unwrap();
        line.end().unwrap();
        assert_eq!(out, "longer next\n");
    }
}
