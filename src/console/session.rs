//! A terminal and whoever sits at it: keys in, commands and terminal bytes out. The same for the client of the
//! control socket and for a serial line that the daemon serves itself.
//!
//! One command runs at a time; what is typed meanwhile waits, ^C ends the command. Output is kept in a buffer of fixed
//! size: a command is asked for more only while there is room ([`Session::wants_output`]), and what comes unasked is
//! dropped when there is none, which the terminal is told as soon as it reads again. What is longer than the terminal
//! is shown page by page ([`Pager`]), unless it is JSON or never ends.

use core::fmt::{self, Write};

use super::editor::{Editor, Line, Outcome};
use super::offer::Offer;
use super::pager::{Pager, Press};
use super::table::{self, Command, Format};
use crate::limits::MAX_CONSOLE_OUTPUT;

/// Bytes typed ahead while a command runs; further ones are dropped, as a terminal line does.
const AHEAD: usize = 512;
/// Room that a piece of output needs: every byte of it may be a line's end, which takes two.
const PIECE: usize = 2 * 4_096;

/// Bytes of a page of `watch` that may wait for a slow terminal before more is asked for.
const LATEST: usize = 2_048;

/// Stands below a page.
const MORE: &str = "-- more: space, Enter for a line, q --";

/// What the session wants of whoever drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Run the command in [`Session::command`], hand its output over, then call [`Session::end`].
    Run,
    /// End the command that runs; [`Session::end`] is to be called.
    Cancel,
    /// Nobody wants anything any more.
    Leave,
}

/// The session.
#[derive(Debug, Default)]
pub struct Session {
    editor: Editor,
    out: Output,
    ahead: heapless::Deque<u8, AHEAD>,
    pager: Pager,
    running: bool,
    /// The command is over, but not all of its output was shown.
    ended: bool,
    /// The command ends with any key.
    any_key: bool,
    /// The command is `watch`: what may still be shown of its page.
    page: Option<PageRoom>,
    /// The last byte typed was a CR: an LF or NUL behind it is part of the same key (RFC 854).
    after_return: bool,
    /// Nothing is read any more.
    closed: bool,
    want: Option<Want>,
    /// The command that runs asks for names, of which these have come.
    asking: Option<(Line, Offer)>,
    lost_total: u64,
}

impl Session {
    /// Says something and shows the prompt.
    pub fn greet(&mut self, text: fmt::Arguments<'_>) {
        self.change(|editor, out, _| {
            out.write_str("\r\n")?;
            fmt::write(out, text)?;
            out.write_str("\r\n")?;
            editor.show(out)
        });
        self.pump();
    }

    /// How wide the terminal is; 0 if it does not say.
    pub fn set_columns(&mut self, columns: usize) {
        self.editor.set_columns(columns);
        self.pager.set_columns(columns);
    }

    /// How high the terminal is; 0 shows everything at once.
    pub fn set_rows(&mut self, rows: usize) {
        self.pager.set_rows(rows);
    }

    /// The name of the host, for the prompt.
    pub fn set_prompt(&mut self, host: &str) {
        self.editor.set_prompt(host);
    }

    /// Nobody types any more: the prompt goes, a command that runs is not wanted any more, and what comes unasked still
    /// stands on rows of its own.
    pub fn close(&mut self) {
        self.closed = true;
        if self.running {
            self.cancel();
        }
        self.change(|editor, out, _| {
            let shown = !editor.is_hidden();
            editor.hide(out)?;
            out.at_start |= shown;
            Ok(())
        });
    }

    /// Takes what was typed.
    pub fn handle(&mut self, bytes: &[u8]) {
        if self.closed {
            return;
        }
        for byte in bytes {
            let pressed_before =
                core::mem::replace(&mut self.after_return, *byte == b'\r') && matches!(*byte, b'\n' | 0);
            if self.running && (*byte == 3 || (self.any_key && !pressed_before)) {
                self.cancel();
                if *byte == 0x1b {
                    // The rest of an arrow key is no text.
                    let _ = self.ahead.push_back(*byte);
                }
            } else if self.pager.is_waiting() && !pressed_before {
                self.turn_page(*byte);
            } else {
                let _ = self.ahead.push_back(*byte);
            }
            if self.ahead.is_full() {
                self.pump();
            }
        }
        self.pump();
    }

    fn cancel(&mut self) {
        self.ahead.clear();
        self.any_key = false;
        self.take_more_line();
        self.pager.drop_all();
        // The command may be over already: what was left of it is not wanted.
        if core::mem::take(&mut self.ended) {
            self.prompt();
        } else {
            self.want = Some(Want::Cancel);
        }
    }

    /// A key at the foot of a page.
    fn turn_page(&mut self, key: u8) {
        match self.pager.press(key) {
            Press::Nothing => {}
            Press::Leave => self.cancel(),
            // Without room the key is as good as not pressed.
            Press::Go if self.out.room() < PIECE => {}
            Press::Go => {
                self.take_more_line();
                self.page(&[]);
            }
        }
    }

    fn take_more_line(&mut self) {
        if self.pager.is_waiting() {
            self.change(|_, out, _| {
                out.write_str("\r\x1b[K")?;
                out.at_start = true;
                Ok(())
            });
        }
        self.pager.resume();
    }

    /// What the session wants, once.
    pub fn poll_want(&mut self) -> Option<Want> {
        self.want.take()
    }

    /// The command to run.
    pub fn command(&self) -> &str {
        match &self.asking {
            Some((question, _)) => question.trim(),
            None => self.editor.entered().trim(),
        }
    }

    /// A new page of `watch`: the terminal is cleared.
    pub fn begin_page(&mut self) {
        let rows = match self.pager.rows() {
            0 => usize::MAX,
            rows => rows.saturating_sub(1),
        };
        self.page = Some(PageRoom { rows, column: 0 });
        self.change(|_, out, _| {
            out.write_str("\x1b[H\x1b[2J")?;
            out.at_start = true;
            Ok(())
        });
    }

    /// True if nothing more of a page of `watch` would be shown.
    pub fn is_page_full(&self) -> bool {
        self.page.is_some_and(|page| page.rows == 0)
    }

    /// True if a piece of at most 4,096 bytes of the command's output would be taken.
    pub fn wants_output(&self) -> bool {
        // Of pages that follow each other a slow terminal is to show the newest.
        let room = if self.page.is_some() { MAX_CONSOLE_OUTPUT - LATEST } else { PIECE };
        self.running && !self.ended && self.pager.is_empty() && self.out.room() >= room
    }

    /// Takes output of the command.
    pub fn write(&mut self, text: &[u8]) {
        let columns = self.pager.columns();
        match (&mut self.asking, &mut self.page) {
            (Some((_, offer)), _) => offer.take(text),
            (None, None) => self.page(text),
            (None, Some(page)) => {
                for line in text.split_inclusive(|byte| *byte == b'\n') {
                    let (part, ends) = page.take(line, columns);
                    self.out.show(part);
                    self.out.show(if ends { b"\n" } else { b"" });
                }
            }
        }
    }

    /// Shows what fits the page, of what was held back and then of `text`, and keeps the rest.
    fn page(&mut self, text: &[u8]) {
        self.pager.hold(text);
        self.change(|_, out, pager| {
            out.show(pager.page());
            if pager.is_waiting() { out.write_str(MORE) } else { Ok(()) }
        });
        self.pager.shown();
        if self.ended && self.pager.is_empty() {
            self.ended = false;
            self.prompt();
        }
    }

    /// The command is over.
    pub fn end(&mut self) {
        if let Some((_, offer)) = self.asking.take() {
            (self.running, self.any_key) = (false, false);
            if !self.closed {
                self.change(|editor, out, _| editor.offer(&offer, out));
            }
            return self.pump();
        }
        self.ended = !self.pager.is_empty();
        if !self.ended {
            self.prompt();
        }
    }

    fn prompt(&mut self) {
        (self.running, self.any_key, self.page) = (false, false, None);
        let closed = self.closed;
        self.change(|editor, out, _| {
            out.fresh_row()?;
            if closed { Ok(()) } else { editor.show(out) }
        });
        self.pump();
    }

    /// Takes a line that nobody asked for.
    pub fn event(&mut self, line: &str) {
        let waiting = self.pager.is_waiting();
        self.change(|editor, out, _| {
            // Of a command's output, only whole rows stand above.
            if waiting {
                out.write_str("\r\x1b[K")?;
            } else if editor.is_hidden() {
                out.fresh_row()?;
            }
            editor.above(line, out)?;
            if waiting { out.write_str(MORE) } else { Ok(()) }
        });
    }

    /// What is to be sent to the terminal.
    pub fn output(&self) -> &[u8] {
        self.out.pending()
    }

    /// The terminal took so many bytes of [`Self::output`].
    pub fn sent(&mut self, count: usize) {
        self.out.sent(count);
        if self.lost_total > 0 && self.out.room() >= MAX_CONSOLE_OUTPUT / 2 {
            let (lost, waiting) = (core::mem::take(&mut self.lost_total), self.pager.is_waiting());
            self.change(|editor, out, _| {
                match waiting || !editor.is_hidden() {
                    true => out.write_str("\r\x1b[K")?,
                    // Of a command's output there may be the first half of a row.
                    false => out.fresh_row()?,
                }
                write!(out, "({lost} lines were lost: the terminal is too slow)\r\n")?;
                match (waiting, editor.is_hidden()) {
                    (true, _) => out.write_str(MORE),
                    (false, true) => Ok(()),
                    (false, false) => editor.show(out),
                }
            });
        }
    }

    /// Gives the editor what was typed, until a command has to run.
    fn pump(&mut self) {
        while !self.running && self.want.is_none() && !self.ahead.is_empty() {
            let mut bytes: heapless::Vec<u8, AHEAD> = heapless::Vec::new();
            bytes.extend(self.ahead.iter().copied());
            let (mut taken, mut outcome) = (bytes.len(), None);
            self.change(|editor, out, _| {
                (taken, outcome) = editor.handle(&bytes, out)?;
                Ok(())
            });
            for _ in 0..taken {
                self.ahead.pop_front();
            }
            match outcome {
                Some(Outcome::Ask) => {
                    self.asking = self.editor.question().map(|(line, partial)| (line, Offer::new(partial)));
                    if self.asking.is_some() {
                        (self.running, self.want) = (true, Some(Want::Run));
                    }
                }
                Some(Outcome::Leave) => self.want = Some(Want::Leave),
                Some(Outcome::Line) if ["exit", "quit", "logout"].contains(&self.command()) => {
                    self.want = Some(Want::Leave);
                }
                Some(Outcome::Line) => {
                    let request = table::parse(self.command().as_bytes());
                    let (endless, json) = request.map_or((false, false), |request| {
                        use Command::{Arping, LogChanges, LogFollow, Ping, Watch};
                        let endless = [LogFollow, LogChanges, Ping, Arping, Watch].contains(&request.command);
                        (endless, request.format == Format::Json)
                    });
                    self.any_key = endless;
                    self.pager.start(endless || json);
                    (self.running, self.want) = (true, Some(Want::Run));
                }
                None => {}
            }
        }
    }

    /// Does something that sends whole sequences: what does not fit is dropped as a whole, and counted.
    fn change(&mut self, act: impl FnOnce(&mut Editor, &mut Output, &mut Pager) -> fmt::Result) {
        let mark = self.out.mark();
        self.out.shut = self.lost_total > 0;
        if act(&mut self.editor, &mut self.out, &mut self.pager).is_err() || self.out.shut {
            self.out.back_to(mark);
            self.lost_total += 1;
        }
    }
}

/// What may still be shown of a page of `watch`.
#[derive(Debug, Clone, Copy)]
struct PageRoom {
    rows: usize,
    column: usize,
}

impl PageRoom {
    /// What is shown of a line, or of a part of one, and whether it ends: rows are cut at the edge, since a wrapped
    /// one takes two.
    fn take<'a>(&mut self, line: &'a [u8], columns: usize) -> (&'a [u8], bool) {
        if self.rows == 0 {
            return (&[], false);
        }
        let (text, ends) = match line.split_last() {
            Some((b'\n', text)) => (text, true),
            _ => (line, false),
        };
        let room = columns.saturating_sub(self.column).min(text.len());
        self.column += room;
        if ends {
            (self.rows, self.column) = (self.rows - 1, 0);
        }
        (text.get(..room).unwrap_or(&[]), ends)
    }
}

/// Bytes on their way to the terminal.
#[derive(Debug)]
struct Output {
    bytes: Box<[u8; MAX_CONSOLE_OUTPUT]>,
    start: usize,
    end: usize,
    /// The last byte ended a row.
    at_start: bool,
    /// Something did not fit.
    shut: bool,
}

impl Default for Output {
    fn default() -> Self {
        Self { bytes: Box::new([0; MAX_CONSOLE_OUTPUT]), start: 0, end: 0, at_start: true, shut: false }
    }
}

impl Output {
    fn pending(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or(&[])
    }

    fn room(&self) -> usize {
        MAX_CONSOLE_OUTPUT - (self.end - self.start)
    }

    fn sent(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// How much is pending, and whether a row was ended.
    fn mark(&self) -> (usize, bool) {
        (self.end - self.start, self.at_start)
    }

    fn back_to(&mut self, (pending, at_start): (usize, bool)) {
        (self.end, self.at_start) = (self.start + pending, at_start);
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.shut || bytes.len() > self.room() {
            self.shut = true;
            return;
        }
        if self.end + bytes.len() > MAX_CONSOLE_OUTPUT {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if let Some(room) = self.bytes.get_mut(self.end..self.end + bytes.len()) {
            room.copy_from_slice(bytes);
            self.end += bytes.len();
            self.at_start = bytes.last().map_or(self.at_start, |last| *last == b'\n');
        }
    }

    /// Text of a command: rows end as a raw terminal needs it, and nothing else moves the cursor.
    fn show(&mut self, text: &[u8]) {
        for byte in text {
            match byte {
                b'\n' => self.push(b"\r\n"),
                0..b' ' | 0x7f => self.push(b"?"),
                plain => self.push(&[*plain]),
            }
        }
    }

    fn fresh_row(&mut self) -> fmt::Result {
        if self.at_start { Ok(()) } else { self.write_str("\r\n") }
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
