//! The line editor: keys in, what the terminal shall do out. Fixed buffers, no system call, no clock.
//!
//! The line stands on one row of the terminal and scrolls sideways when it is longer. Lines that come from elsewhere
//! ([`Editor::above`]) are put above it. All that is ever sent besides printable characters is CR, LF, `CSI K`,
//! `CSI n C` and, for ^L, `CSI H CSI 2 J` (ECMA-48): what every terminal of the last forty years understands.

use core::fmt::{self, Write};

use super::keys::{Key, Keys, width};
use super::offer::Offer;
use super::table;
use crate::limits::{MAX_COMMAND_BYTES, MAX_HISTORY};

/// Stands before a line where no host has a name.
const NOBODY: &str = "lvsbox";
/// Columns of a host's name in the prompt.
const MAX_HOST: usize = 16;
/// Columns of a terminal that does not say how many it has.
pub const COLUMNS: usize = 80;
/// Columns that a scrolled line moves by, so that not every character of a long line paints it anew.
const LEAP: usize = 20;

/// Gives words and what they mean.
type Words<'a> = &'a mut dyn FnMut(&mut dyn FnMut(&str, &str));

/// A line of input.
pub type Line = heapless::String<MAX_COMMAND_BYTES>;

/// What the operator wants of whoever drives the editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A line was ended, [`Editor::entered`]. The row below it is free, and nothing is painted before
    /// [`Editor::show`].
    Line,
    /// ^D on an empty line.
    Leave,
    /// TAB where a name belongs: [`Editor::question`] asks for those there are.
    Ask,
}

/// The editor.
#[derive(Debug)]
pub struct Editor {
    keys: Keys,
    line: Line,
    /// Byte of the cursor.
    cursor: usize,
    /// First byte that is shown.
    left: usize,
    columns: usize,
    /// What stands before a line: printable ASCII, and a blank that is not painted as such.
    prompt: heapless::String<{ MAX_HOST + 2 }>,
    /// Newest first.
    history: heapless::Deque<Line, MAX_HISTORY>,
    /// Lines back in the history; 0 is the line being typed.
    back: usize,
    /// The line being typed while an older one is looked at.
    draft: Line,
    /// What the terminal shows is not what it should.
    stale: bool,
    hidden: bool,
}

impl Default for Editor {
    fn default() -> Self {
        let mut editor = Self {
            keys: Keys::default(),
            line: Line::new(),
            cursor: 0,
            left: 0,
            columns: COLUMNS,
            history: heapless::Deque::new(),
            back: 0,
            draft: Line::new(),
            stale: false,
            hidden: true,
            prompt: heapless::String::new(),
        };
        editor.set_prompt(NOBODY);
        editor
    }
}

impl Editor {
    /// The line as it is now, and the byte where the cursor is.
    pub fn line(&self) -> (&str, usize) {
        (&self.line, self.cursor)
    }

    /// The last line that was ended and is not empty.
    pub fn entered(&self) -> &str {
        self.history.front().map_or("", |line| line.as_str())
    }

    /// The name of the host, clipped to [`MAX_HOST`] columns. Takes effect with the next painting.
    pub fn set_prompt(&mut self, host: &str) {
        self.prompt.clear();
        let plain = host.chars().filter(char::is_ascii_graphic).take(MAX_HOST).chain("> ".chars());
        plain.for_each(|character| {
            let _ = self.prompt.push(character);
        });
    }

    /// How wide the terminal is; 0 if it does not say. Takes effect with the next painting.
    pub fn set_columns(&mut self, columns: usize) {
        self.columns = if columns == 0 { COLUMNS } else { columns };
    }

    /// True while the terminal does not belong to the editor.
    pub const fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// Paints prompt and line: the terminal belongs to the editor until a line is ended or [`Self::hide`] is called.
    ///
    /// # Errors
    /// Those of `out`, here and everywhere.
    pub fn show(&mut self, out: &mut dyn Write) -> fmt::Result {
        self.hidden = false;
        self.paint(out)
    }

    /// Takes prompt and line from the terminal; the cursor is then at the start of an empty row.
    pub fn hide(&mut self, out: &mut dyn Write) -> fmt::Result {
        if !core::mem::replace(&mut self.hidden, true) {
            out.write_str("\r\x1b[K")?;
        }
        Ok(())
    }

    /// Puts a line, without its end, above the one being typed.
    pub fn above(&mut self, text: &str, out: &mut dyn Write) -> fmt::Result {
        let hidden = self.hidden;
        self.hide(out)?;
        plain(text, out)?;
        out.write_str("\r\n")?;
        if hidden { Ok(()) } else { self.show(out) }
    }

    /// Takes bytes until one of them has an outcome, and says how many it took. The terminal then shows the line.
    pub fn handle(
        &mut self,
        bytes: &[u8],
        out: &mut dyn Write,
    ) -> Result<(usize, Option<Outcome>), fmt::Error> {
        for (count, byte) in (1..).zip(bytes) {
            let Some(key) = self.keys.handle(*byte) else { continue };
            if let Some(outcome) = self.press(key, out)? {
                return Ok((count, Some(outcome)));
            }
        }
        if self.stale {
            self.paint(out)?;
        }
        Ok((bytes.len(), None))
    }

    fn press(&mut self, key: Key, out: &mut dyn Write) -> Result<Option<Outcome>, fmt::Error> {
        match key {
            Key::Text('?') => {
                let typed = self.typed();
                self.list(true, &mut |each| table::hints(&typed, each), out)?;
            }
            Key::Text(character) => self.insert(character, out)?,
            Key::Tab => return self.complete(out),
            Key::Enter => return self.enter(out),
            Key::Interrupt => {
                self.finish(out, "^C\r\n")?;
                self.clear();
                self.stale = true;
            }
            Key::EndOfInput if self.line.is_empty() => {
                self.finish(out, "\r\n")?;
                self.hidden = true;
                return Ok(Some(Outcome::Leave));
            }
            Key::EndOfInput | Key::Delete => self.remove(self.cursor, self.after(self.cursor)),
            Key::Backspace => self.remove(self.before(self.cursor), self.cursor),
            Key::Left => self.go(self.before(self.cursor)),
            Key::Right => self.go(self.after(self.cursor)),
            Key::Home => self.go(0),
            Key::End => self.go(self.line.len()),
            Key::KillLine => self.remove(0, self.cursor),
            Key::KillRest => self.remove(self.cursor, self.line.len()),
            Key::KillWord => self.remove(self.word_start(), self.cursor),
            Key::Up => self.recall(self.back + 1),
            Key::Down => self.recall(self.back.saturating_sub(1)),
            Key::Clear => {
                out.write_str("\x1b[H\x1b[2J")?;
                self.stale = true;
            }
        }
        Ok(None)
    }

    fn enter(&mut self, out: &mut dyn Write) -> Result<Option<Outcome>, fmt::Error> {
        self.finish(out, "\r\n")?;
        let line = self.line.clone();
        self.clear();
        if line.trim().is_empty() {
            self.stale = true;
            return Ok(None);
        }
        if self.history.front() != Some(&line) {
            if self.history.is_full() {
                self.history.pop_back();
            }
            let _ = self.history.push_front(line);
        }
        (self.hidden, self.stale) = (true, false);
        Ok(Some(Outcome::Line))
    }

    /// Leaves the line as it is, with its end in sight, and goes on below it.
    fn finish(&mut self, out: &mut dyn Write, end: &str) -> fmt::Result {
        if self.cursor < self.line.len() || self.stale {
            self.cursor = self.line.len();
            self.paint(out)?;
        }
        out.write_str(end)
    }

    fn clear(&mut self) {
        self.line.clear();
        self.draft.clear();
        (self.cursor, self.left, self.back) = (0, 0, 0);
    }

    fn insert(&mut self, character: char, out: &mut dyn Write) -> fmt::Result {
        let mut bytes = [0; 4];
        let text = character.encode_utf8(&mut bytes);
        let at_end = self.cursor == self.line.len();
        if self.line.len() + text.len() > self.line.capacity() {
            return Ok(());
        }
        self.splice(self.cursor, self.cursor, text);
        if at_end && !self.stale && !self.hidden && self.column() <= self.room() {
            return out.write_char(character);
        }
        self.stale = true;
        Ok(())
    }

    fn remove(&mut self, from: usize, to: usize) {
        if from < to {
            self.splice(from, to, "");
            self.stale = true;
        }
    }

    /// Replaces bytes `from..to` by `text`, which fits; the cursor is behind it.
    fn splice(&mut self, from: usize, to: usize, text: &str) {
        let tail: Line = self.line.get(to..).and_then(|tail| Line::try_from(tail).ok()).unwrap_or_default();
        self.line.truncate(from);
        let _ = self.line.push_str(text);
        self.cursor = self.line.len();
        let _ = self.line.push_str(&tail);
        self.left = self.left.min(self.cursor);
    }

    fn go(&mut self, cursor: usize) {
        self.stale |= cursor != self.cursor;
        self.cursor = cursor;
    }

    fn before(&self, place: usize) -> usize {
        self.text(0, place).char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self, place: usize) -> usize {
        let next = self.text(place, self.line.len()).chars().next();
        place + next.map_or(0, char::len_utf8)
    }

    fn word_start(&self) -> usize {
        let before = self.text(0, self.cursor).trim_end();
        before.rfind(' ').map_or(0, |blank| blank + 1)
    }

    fn text(&self, from: usize, to: usize) -> &str {
        self.line.get(from..to).unwrap_or("")
    }

    fn recall(&mut self, back: usize) {
        let line = match back.checked_sub(1) {
            None => self.draft.clone(),
            Some(place) => match self.history.iter().nth(place) {
                Some(line) => line.clone(),
                None => return,
            },
        };
        if self.back == 0 && back > 0 {
            self.draft = self.line.clone();
        }
        self.line = line;
        (self.cursor, self.left, self.back, self.stale) = (self.line.len(), 0, back, true);
    }

    /// Completes the word before the cursor as far as it is certain; if it is not, lists what it may become.
    fn complete(&mut self, out: &mut dyn Write) -> Result<Option<Outcome>, fmt::Error> {
        let typed = self.text(0, self.cursor);
        let partial = typed.get(typed.rfind(' ').map_or(0, |blank| blank + 1)..).unwrap_or("").len();
        let (mut common, mut count): (&'static str, u32) = ("", 0);
        table::follow(typed, &mut |word, _| {
            common = if count == 0 { word } else { shared(common, word) };
            count += 1;
        });
        if count == 0 {
            return Ok(self.question().map(|_| Outcome::Ask));
        }
        let blank = if count == 1 { " " } else { "" };
        let mut rest: heapless::String<64> = heapless::String::new();
        write!(rest, "{}{blank}", common.get(partial..).unwrap_or(""))?;
        if rest.is_empty() {
            let typed = self.typed();
            self.list(false, &mut |each| table::follow(&typed, &mut |word, help| each(word, help)), out)?;
            return Ok(None);
        }
        self.add(&rest);
        Ok(None)
    }

    fn add(&mut self, rest: &str) {
        if self.line.len() + rest.len() <= self.line.capacity() {
            self.splice(self.cursor, self.cursor, rest);
            self.stale = true;
        }
    }

    /// What is typed before the cursor.
    fn typed(&self) -> Line {
        self.text(0, self.cursor).try_into().unwrap_or_default()
    }

    /// The command that asks for names of the word before the cursor, and that word.
    pub(super) fn question(&self) -> Option<(Line, &str)> {
        table::question(self.text(0, self.cursor))
    }

    /// Completes the word before the cursor by the names that there are, or lists them. The line is what it was when
    /// they were asked for.
    pub(super) fn offer(&mut self, offer: &Offer, out: &mut dyn Write) -> fmt::Result {
        let (rest, whole) = offer.certain();
        if offer.is_empty() {
            return Ok(());
        }
        if whole || !rest.is_empty() {
            self.add(rest);
            if whole {
                self.add(" ");
            }
            return self.paint(out);
        }
        let mut names = |each: &mut dyn FnMut(&str, &str)| {
            let (names, more) = offer.names();
            names.for_each(|name| each(name, ""));
            if more {
                each("...", "");
            }
        };
        self.list(false, &mut names, out)?;
        self.paint(out)
    }

    /// Lists what may follow, with what it means or without.
    fn list(&mut self, meaning: bool, words: Words<'_>, out: &mut dyn Write) -> fmt::Result {
        if self.stale {
            self.paint(out)?;
        }
        out.write_str("\r\n")?;
        let (mut column, mut result) = (0, Ok(()));
        let each = |word: &str, help: &str| {
            result = result.and_then(|()| {
                if meaning {
                    return write!(out, "  {word:<14}{help}\r\n");
                }
                let gap = if column == 0 { "" } else { "  " };
                if column + gap.len() + word.len() >= self.columns {
                    column = word.len();
                    return write!(out, "\r\n{word}");
                }
                column += gap.len() + word.len();
                write!(out, "{gap}{word}")
            });
        };
        let mut each = each;
        words(&mut each);
        result?;
        if column > 0 {
            out.write_str("\r\n")?;
        }
        self.stale = true;
        Ok(())
    }

    /// Columns that the line may take. `^C` has room behind it, and the last column stays free, because terminals
    /// differ in what they do there.
    fn room(&self) -> usize {
        self.columns.max(self.prompt.len() + 8) - self.prompt.len() - 3
    }

    /// The cursor's column, counted from the first that is shown.
    fn column(&self) -> usize {
        self.text(self.left, self.cursor).chars().map(width).sum()
    }

    /// Moves what is shown so that the cursor is in it.
    fn scroll(&mut self) {
        if self.cursor < self.left || (self.left > 0 && self.cursor == self.left) {
            self.left = self.cursor;
            while self.left > 0 && self.column() < LEAP.min(self.room() / 2) {
                self.left = self.before(self.left);
            }
        }
        while self.column() > self.room() {
            for _ in 0..LEAP.min(self.room() / 2) {
                self.left = self.after(self.left).min(self.cursor);
            }
        }
    }

    fn paint(&mut self, out: &mut dyn Write) -> fmt::Result {
        self.stale = false;
        if self.hidden {
            return Ok(());
        }
        self.scroll();
        out.write_char('\r')?;
        out.write_str(self.prompt.trim_end())?;
        out.write_char(if self.left > 0 { '<' } else { ' ' })?;
        let (mut used, mut all) = (0, true);
        for character in self.text(self.left, self.line.len()).chars() {
            used += width(character);
            all = used <= self.room();
            if !all {
                break;
            }
            out.write_char(character)?;
        }
        out.write_str("\x1b[K")?;
        if self.cursor < self.line.len() || !all {
            write!(out, "\r\x1b[{}C", self.prompt.len() + self.column())?;
        }
        Ok(())
    }
}

/// Writes text; control characters become question marks.
fn plain(text: &str, out: &mut dyn Write) -> fmt::Result {
    text.chars()
        .try_for_each(|character| out.write_char(if character.is_control() { '?' } else { character }))
}

/// What two words begin with.
fn shared(one: &'static str, other: &str) -> &'static str {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    one.get(..same).unwrap_or("")
}

#[cfg(test)]
mod tests;
