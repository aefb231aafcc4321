//! A line that no longer is what stands in a file: a piece of it was replaced, or it was generated.
//!
//! Every piece remembers where it comes from, so that a diagnostic about a word of the line points at what somebody
//! wrote, with its column: at the text itself, or at the `$NAME` that stands for it.

use super::tree::{Position, narrow};

/// Text and where each piece of it stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Where it starts in the line; it ends where the next one starts.
    start: usize,
    at: Position,
    /// The text stands at `at` as it is; otherwise all of it stands for what is there.
    literal: bool,
}

impl Line {
    /// A line of a file that begins at `at`: without its comment, with `\#` and `\!` replaced, without blanks at its
    /// ends. Quotes keep what is in them. Tells also where the comment begins.
    pub(super) fn from_file(source: &str, at: Position) -> (Self, Option<usize>) {
        let mut line = Self::default();
        let (mut quoted, mut from, mut comment) = (false, source.len() - source.trim_start().len(), None);
        let place = |start: usize, end: usize| Position {
            offset: at.offset + narrow(start),
            len: narrow(end - start),
            ..at
        };
        let bytes = source.as_bytes();
        let mut index = from;
        while let Some(byte) = bytes.get(index) {
            match byte {
                b'"' => quoted = !quoted,
                b'\\' if !quoted && matches!(bytes.get(index + 1), Some(b'#' | b'!')) => {
                    line.push(source.get(from..index).unwrap_or(""), place(from, index), true);
                    from = index + 1;
                    index += 1;
                }
                b'#' | b'!' if !quoted => {
                    comment = Some(index);
                    break;
                }
                _ => {}
            }
            index += 1;
        }
        let end = comment.unwrap_or(source.len()).max(from);
        line.push(source.get(from..end).unwrap_or(""), place(from, end), true);
        line.text.truncate(line.text.trim_end().len());
        (line, comment)
    }

    /// Text that stands for what is at `at`.
    pub(super) fn standing_for(text: &str, at: Position) -> Self {
        let mut line = Self::default();
        line.push(text, at, false);
        line
    }

    fn push(&mut self, text: &str, at: Position, literal: bool) {
        if !text.is_empty() {
            self.pieces.push(Piece { start: self.text.len(), at, literal });
            self.text.push_str(text);
        }
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Bytes `from..to` of it.
    pub(super) fn part(&self, from: usize, to: usize) -> Self {
        let mut part = Self::default();
        let to = to.min(self.text.len());
        for (index, piece) in self.pieces.iter().enumerate() {
            let end = self.end_of(index);
            let (start, stop) = (piece.start.max(from), end.min(to));
            if start >= stop {
                continue;
            }
            let mut at = piece.at;
            if piece.literal {
                at.offset += narrow(start - piece.start);
                at.len = narrow(stop - start);
            }
            part.push(self.text.get(start..stop).unwrap_or(""), at, piece.literal);
        }
        part
    }

    fn end_of(&self, index: usize) -> usize {
        self.pieces.get(index + 1).map_or(self.text.len(), |next| next.start)
    }

    /// Puts another line behind this one.
    pub(super) fn append(&mut self, other: &Self) {
        for (index, piece) in other.pieces.iter().enumerate() {
            self.push(
                other.text.get(piece.start..other.end_of(index)).unwrap_or(""),
                piece.at,
                piece.literal,
            );
        }
    }

    /// Puts another line into the place of bytes `from..to`.
    pub(super) fn replace(&mut self, from: usize, to: usize, by: &Self) {
        let mut line = self.part(0, from);
        line.append(by);
        line.append(&self.part(to, self.text.len()));
        *self = line;
    }

    /// Without the blanks at its start and `n` bytes before them.
    pub(super) fn cut(&mut self, n: usize) {
        let rest = self.text.get(n..).unwrap_or("");
        let from = self.text.len() - rest.trim_start().len();
        if from > 0 {
            *self = self.part(from, self.text.len());
        }
    }

    /// Everything came here in this way.
    pub(super) fn set_via(&mut self, via: u16) {
        self.pieces.iter_mut().for_each(|piece| piece.at.via = via);
    }

    /// Where bytes `from..from + len` stand in the source.
    pub(super) fn position(&self, from: usize, len: usize) -> Position {
        let last = from + len.max(1) - 1;
        let find = |offset: usize| self.pieces.iter().rposition(|piece| piece.start <= offset);
        let Some((first, last_piece)) = find(from).zip(find(last)) else {
            return self.pieces.first().map_or(Position::default(), |piece| piece.at);
        };
        let Some((head, tail)) = self.pieces.get(first).zip(self.pieces.get(last_piece)) else {
            return Position::default();
        };
        let mut at = head.at;
        if head.literal {
            at.offset += narrow(from - head.start);
            at.len = narrow((from + len).min(self.end_of(first)).saturating_sub(from));
        }
        let end = if tail.literal {
            // Behind the last word there may be an empty one.
            tail.at.offset + narrow((last + 1).min(self.end_of(last_piece)) - tail.start)
        } else {
            tail.at.offset + tail.at.len
        };
        if (tail.at.file, tail.at.line) == (at.file, at.line) && end > at.offset + at.len {
            at.len = end - at.offset;
        }
        let used = self.pieces.get(first..=last_piece).unwrap_or_default();
        at.via = used.iter().map(|piece| piece.at.via).find(|via| *via != 0).unwrap_or(0);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(source: &str) -> Line {
        Line::from_file(source, Position { line: 1, offset: 100, ..Position::default() }).0
    }

    #[test]
    fn comments_go_and_escaped_signs_stay() {
        assert_eq!(line("  a\\#b \"#\" c # d").text(), "a#b \"#\" c");
        assert_eq!(Line::from_file("ab ! x", Position::default()).1, Some(3));
        assert_eq!(line("# x").text(), "");
    }

    #[test]
    fn a_word_points_at_what_was_written() {
        let mut line = line(" k_${A}_b c");
        let by = Line::standing_for("value", line.position(2, 4));
        line.replace(2, 6, &by);
        assert_eq!(line.text(), "k_value_b c");
        let word = line.position(0, 9);
        assert_eq!((word.offset, word.len), (101, 8));
        let inside = line.position(2, 5);
        assert_eq!((inside.offset, inside.len), (103, 4));
        assert_eq!(line.position(10, 1).offset, 110);
        let behind = line.position(11, 0);
        assert_eq!((behind.offset, behind.len), (111, 0));
    }
}
