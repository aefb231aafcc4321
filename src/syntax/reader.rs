//! The reader: text to a [`Tree`], in slices, with an explicit stack.
//!
//! keepalived's lexical rules: `!` and `#` start a comment anywhere outside quotes (`\#`, `\!` do not), words are split
//! on blanks, `"…"` is one word and must end on its line, text behind a brace is a new line, and otherwise there is
//! one keyword per line. A line with a NUL or over `MAX_LINE_BYTES` is reported and ignored. What `include`, `$NAME`,
//! `@id` and `~SEQ` do to a line before is in `expand.rs`; the reader opens no file but asks for it ([`Reader::want`]).

use super::diagnostic::{Code, Diagnostics, Quoted, Severity};
use super::expand::{Expansion, Facts, is_special};
use super::inclusion::Inclusion;
use super::line::Line;
use super::tree::{FileId, NodeId, Position, Tree, narrow};
use crate::limits::{MAX_DEPTH, MAX_LINE_BYTES, MAX_STATEMENTS, MAX_WORDS};

/// A block is never closed.
pub const UNCLOSED_BRACE: Code = Code(1);
/// A quote is never closed.
pub const UNCLOSED_QUOTE: Code = Code(2);
/// A `}` closes nothing.
pub const EXTRA_BRACE: Code = Code(3);
/// A `{` stands behind no keyword.
pub const LONELY_BRACE: Code = Code(4);
/// A line over the limit.
pub const LONG_LINE: Code = Code(5);
/// A line with a NUL.
pub const NUL_LINE: Code = Code(6);
/// Blocks nested over the limit.
pub const TOO_DEEP: Code = Code(7);
/// More statements or words than the limits.
pub const TOO_MANY: Code = Code(15);

/// Comments that swallowed a brace and are remembered.
const MAX_SWALLOWED: usize = 64;
/// Bytes looked at in one step at most, whatever the number of lines.
const MAX_STEP_BYTES: usize = 64 << 10;
/// Variables replaced in one step, about: each looks through the definitions and copies its line.
const MAX_STEP_VARIABLES: usize = 100;

/// Whether there is more to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Call again.
    More,
    /// A file is needed: see [`Reader::want`] and answer, then call again. Without an answer it is left out.
    Wants,
    /// Finished.
    Done,
}

/// What the reader needs; the path is relative to where the path of the first file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want<'r> {
    /// The names in this folder: [`Reader::give_names`].
    Names(&'r str),
    /// The text of this file: [`Reader::give_text`].
    Text(&'r str),
}

/// Reads one text. Drive it with [`Reader::step`] until it is done, then take the tree.
#[derive(Debug)]
pub struct Reader {
    pub(super) tree: Tree,
    pub(super) file: FileId,
    /// Bytes read.
    pub(super) at: usize,
    /// Number of the line that starts at `at`.
    pub(super) line: u32,
    /// The rest of a line that is too long is being skipped.
    pub(super) skipping: bool,
    /// The line that is read instead of one of the file.
    pub(super) made: Option<Line>,
    /// The line has a sign of those that `expand.rs` knows.
    pub(super) special: bool,
    pub(super) expansion: Expansion,
    pub(super) inclusion: Inclusion,
    /// Open blocks, at most `MAX_DEPTH`.
    pub(super) open: Vec<Open>,
    /// Blocks open beyond that; nothing in them is kept.
    pub(super) too_deep: u32,
    /// The statement that words are added to.
    pub(super) current: Option<NodeId>,
    /// The statement before the end of the last line: a `{` that comes next is its own.
    pub(super) pending: Option<NodeId>,
    /// Comments that swallowed a `{` whose `}` has not been seen in a comment.
    swallowed: Vec<Position>,
    /// The last comment that swallowed a `}`.
    swallowed_close: Option<Position>,
    unclosed: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) node: NodeId,
    pub(super) brace: Position,
}

impl Reader {
    /// A reader at the start of `text`. A byte order mark, which editors leave unseen, is no part of it.
    pub fn new(name: &str, text: String) -> Self {
        Self {
            inclusion: Inclusion::new(text.len()),
            tree: Tree::new(name, text),
            file: FileId(0),
            at: 0,
            line: 1,
            skipping: false,
            made: None,
            special: false,
            expansion: Expansion::default(),
            open: Vec::new(),
            too_deep: 0,
            current: None,
            pending: None,
            swallowed: Vec::new(),
            swallowed_close: None,
            unclosed: false,
        }
    }

    /// The same, knowing the machine.
    #[must_use]
    pub fn on(mut self, facts: Facts) -> Self {
        self.expansion.facts = facts;
        self
    }

    /// Reads at most `lines` lines and 64 KiB.
    pub fn step(&mut self, lines: usize, diagnostics: &mut Diagnostics) -> Progress {
        if self.tree.is_over() {
            return self.overflow(diagnostics);
        }
        if self.want().is_some() {
            self.refuse(diagnostics);
        }
        let end = self.at + MAX_STEP_BYTES;
        let replaced = self.expansion.replaced + MAX_STEP_VARIABLES;
        for _ in 0..lines {
            if self.expansion.has_lines() {
                if let Some(line) = self.made_line(diagnostics) {
                    self.read_made(line, diagnostics);
                }
            } else if self.at >= self.tree.text(self.file).len() {
                if !self.inclusion.is_nested() {
                    return self.finish(diagnostics);
                }
                self.leave(diagnostics);
            } else if self.at >= end {
                break;
            } else if !self.read_plain(diagnostics) {
                self.read_line(diagnostics);
            } else {
                continue;
            }
            if self.want().is_some() {
                return Progress::Wants;
            }
            if end > self.at + MAX_STEP_BYTES || self.expansion.replaced > replaced {
                break; // an included file has begun, or these lines are dear
            }
        }
        Progress::More
    }

    /// True if the text would be another one with another [`Facts::config_id`].
    pub fn uses_id(&self) -> bool {
        self.expansion.id_used.get()
    }

    /// What was read so far.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The tree, and whether its blocks can be trusted: not if one was never closed.
    pub fn into_tree(mut self) -> (Tree, bool) {
        self.tree.shrink();
        (self.tree, !self.unclosed)
    }

    pub(super) fn position(&self, offset: usize, len: usize) -> Position {
        if let Some(line) = &self.made {
            return line.position(offset, len);
        }
        Position { file: self.file, line: self.line, offset: narrow(offset), len: narrow(len), via: 0 }
    }

    /// Takes the next line, or a piece of one that is too long.
    fn read_line(&mut self, diagnostics: &mut Diagnostics) {
        let start = self.at;
        let bytes = self.tree.text(self.file).as_bytes();
        let window = bytes.get(start..bytes.len().min(start + MAX_STEP_BYTES)).unwrap_or(&[]);
        let newline = window.iter().position(|byte| *byte == b'\n');
        let mut end = start + newline.unwrap_or(window.len());
        self.at = if newline.is_some() { end + 1 } else { end };
        if newline.is_some() {
            while end > start && bytes.get(end - 1) == Some(&b'\r') {
                end -= 1;
            }
        }
        let line = bytes.get(start..end).unwrap_or_default();
        let (nul, special) = (line.contains(&0), self.expansion.is_defining() || is_special(line));
        if self.skipping || end - start > MAX_LINE_BYTES {
            let comment = window.trim_ascii_start().first().is_some_and(|byte| matches!(byte, b'#' | b'!'));
            if !self.skipping && !comment {
                let at = self.position(start, 1);
                diagnostics.report(
                    &self.tree,
                    (Severity::Error, LONG_LINE, at),
                    format_args!("the line is over {MAX_LINE_BYTES} bytes long and is left out"),
                    format_args!("break it into shorter lines"),
                );
            }
            self.skipping = newline.is_none();
        } else if nul {
            let at = self.position(start, end - start);
            diagnostics.report(
                &self.tree,
                (Severity::Error, NUL_LINE, at),
                format_args!("the line holds a NUL character and is left out"),
                format_args!("the file is damaged or no text; write the line anew"),
            );
        } else if special {
            self.read_special(start, end, diagnostics);
        } else {
            self.read_words(start, end, diagnostics);
        }
        if newline.is_some() {
            self.line += 1;
        }
    }

    pub(super) fn read_words(&mut self, start: usize, end: usize, diagnostics: &mut Diagnostics) {
        let mut at = start;
        while let Some(byte) = self.byte(at, end) {
            match byte {
                b'#' | b'!' if self.made.is_none() => {
                    self.note_comment(at, end);
                    break;
                }
                b'{' | b'}' => {
                    if byte == b'{' {
                        self.open_block(at, diagnostics);
                    } else {
                        self.close_block(at, diagnostics);
                    }
                    at += 1;
                    if self.special
                        && let Some(rest) = self.rest_of_line(at, end)
                    {
                        self.made = None;
                        return self.read_made(rest, diagnostics);
                    }
                }
                b'"' => at = self.read_quoted(at, end, diagnostics),
                byte if is_blank(byte) => at += 1,
                _ => at = self.read_word(at, end),
            }
        }
        if let Some(current) = self.current.take() {
            self.pending = Some(current);
        }
    }

    fn byte(&self, at: usize, end: usize) -> Option<u8> {
        let text = match &self.made {
            None => self.tree.text(self.file),
            Some(line) => line.text(),
        };
        text.as_bytes().get(at).copied().filter(|_| at < end)
    }

    fn add_word(&mut self, from: usize, to: usize, escaped: bool) {
        if self.too_deep > 0 {
            return;
        }
        if self.current.is_none() {
            self.current = Some(self.push_node(from, to - from));
            self.pending = None;
        }
        match &self.made {
            None => self.tree.push_word(from, to, escaped),
            Some(line) => {
                let text = line.text().get(from..to).unwrap_or("");
                self.tree.push_expanded_word(text, line.position(from, to - from));
            }
        }
    }

    fn push_node(&mut self, offset: usize, len: usize) -> NodeId {
        match &self.made {
            None => self.tree.push_node(self.file, self.line, offset, self.tree.tokens.len()),
            Some(line) => self.tree.push_expanded_node(line.position(offset, len)),
        }
    }

    fn read_word(&mut self, start: usize, end: usize) -> usize {
        let (mut at, mut escaped, mut variable, mut parens) = (start, false, false, 0_u32);
        let generator = self.byte(start, end) == Some(b'~');
        while let Some(byte) = self.byte(at, end) {
            let next = self.byte(at + 1, end);
            match byte {
                b'#' | b'!' if self.made.is_some() => {}
                b'\\' if self.made.is_none() && matches!(next, Some(b'#' | b'!')) => {
                    escaped = true;
                    at += 1;
                }
                b'#' | b'!' => break,
                b'$' if next == Some(b'{') => {
                    variable = true;
                    at += 1;
                }
                b'}' if variable => variable = false,
                b'(' if generator => parens += 1,
                b')' if generator => parens = parens.saturating_sub(1),
                b'{' | b'}' | b'"' if parens == 0 => break,
                byte if is_blank(byte) && !variable && parens == 0 => break,
                _ => {}
            }
            at += 1;
        }
        let at = at.min(end);
        self.add_word(start, at, escaped);
        at
    }

    fn read_quoted(&mut self, quote: usize, end: usize, diagnostics: &mut Diagnostics) -> usize {
        let mut at = quote + 1;
        while let Some(byte) = self.byte(at, end) {
            if byte == b'"' {
                self.add_word(quote + 1, at, false);
                return at + 1;
            }
            at += 1;
        }
        let position = self.position(quote, 1);
        diagnostics.report(
            &self.tree,
            (Severity::Fatal, UNCLOSED_QUOTE, position),
            format_args!("this quote is never closed: a quoted word ends on its line"),
            format_args!("write a second `\"` behind the word, or remove this one"),
        );
        self.add_word(quote + 1, end, false);
        end
    }

    /// Remembers a line for another configuration id like a comment.
    pub(super) fn note_left_out(&mut self, line: &Line) {
        if line.text().ends_with('{') && self.swallowed.len() < MAX_SWALLOWED {
            self.swallowed.push(line.position(0, line.text().len()));
        }
    }

    /// Remembers a comment that looks like a line of configuration with a brace.
    pub(super) fn note_comment(&mut self, at: usize, end: usize) {
        let comment = self.tree.text(self.file).get(at..end).unwrap_or("");
        let body = comment.trim_start_matches(['!', '#', ' ', '\t']);
        let body = body.split(['!', '#']).next().unwrap_or("").trim();
        let position = self.position(at, comment.trim_end().len());
        if body.ends_with('{') && self.swallowed.len() < MAX_SWALLOWED {
            self.swallowed.push(position);
        } else if body.starts_with('}') && self.swallowed.pop().is_none() {
            self.swallowed_close = Some(position);
        }
    }

    pub(super) fn open_block(&mut self, at: usize, diagnostics: &mut Diagnostics) {
        let brace = self.position(at, 1);
        if self.too_deep > 0 || self.open.len() >= MAX_DEPTH {
            if self.too_deep == 0 {
                diagnostics.report(
                    &self.tree,
                    (Severity::Error, TOO_DEEP, brace),
                    format_args!("more than {MAX_DEPTH} blocks are open; this one is left out"),
                    format_args!("no block of this grammar is deeper than five: look for a missing `}}`"),
                );
            }
            self.too_deep = self.too_deep.saturating_add(1);
            return;
        }
        let owner = self.current.take().or(self.pending.take()).filter(|node| !self.tree.has_block(*node));
        let node = if let Some(owner) = owner {
            owner
        } else {
            diagnostics.report(
                &self.tree,
                (Severity::Error, LONELY_BRACE, brace),
                format_args!("`{{` stands behind no keyword; the block is left out"),
                format_args!("write the keyword of the block before it, or remove the braces"),
            );
            self.push_node(at, 1)
        };
        self.tree.open_block(node);
        self.open.push(Open { node, brace });
    }

    pub(super) fn close_block(&mut self, at: usize, diagnostics: &mut Diagnostics) {
        self.current = None;
        self.pending = None;
        if self.too_deep > 0 {
            self.too_deep -= 1;
        } else if let Some(open) = self.open.pop() {
            self.tree.close_block(open.node);
            self.warn_of_closing(open.node, self.position(at, 1), diagnostics);
        } else {
            self.report_extra(at, diagnostics);
        }
    }

    fn report_extra(&mut self, at: usize, diagnostics: &mut Diagnostics) {
        let position = self.position(at, 1);
        let what = (Severity::Error, EXTRA_BRACE, position);
        let Some(comment) = self.swallowed.pop() else {
            diagnostics.report(
                &self.tree,
                what,
                format_args!("this `}}` closes nothing: every block above is closed already"),
                format_args!("remove it, or look above for a `}}` too many or a missing `{{`"),
            );
            return;
        };
        self.tree.add_orphans(self.file, comment.line, position.line);
        let line = comment.line;
        let start = comment.offset as usize;
        let text = self.tree.text(comment.file).get(start..start + comment.len as usize).unwrap_or("");
        let (is, sign) = match text.starts_with('@') {
            true => ("is for another configuration id", "`@id`"),
            false => ("is a comment", "comment sign"),
        };
        diagnostics.report(
            &self.tree,
            what,
            format_args!("this `}}` closes nothing: line {line} {is}, and its `{{` with it"),
            format_args!(
                "line {line} is {}: remove its {sign}, or comment out all lines down to here",
                Quoted(text)
            ),
        );
    }

    /// The rest is not read: there is no room for it.
    fn overflow(&mut self, diagnostics: &mut Diagnostics) -> Progress {
        let position = self.position(self.at, 0);
        diagnostics.report(
            &self.tree,
            (Severity::Fatal, TOO_MANY, position),
            format_args!("the limits are {MAX_STATEMENTS} statements and {MAX_WORDS} words: there are more"),
            format_args!("this is probably not the configuration; from here on it was not read"),
        );
        self.unclosed = true;
        Progress::Done
    }

    fn finish(&mut self, diagnostics: &mut Diagnostics) -> Progress {
        if self.tree.is_over() {
            return self.overflow(diagnostics);
        }
        self.end_definition(diagnostics);
        self.current = None;
        self.pending = None;
        let open = core::mem::take(&mut self.open);
        for open in &open {
            self.tree.close_block(open.node);
            let word = self.tree.keyword(open.node).text;
            let what = (Severity::Fatal, UNCLOSED_BRACE, open.brace);
            let message = format_args!("the block of {} is never closed", Quoted(&word));
            match self.swallowed_close {
                Some(comment) => diagnostics.report(
                    &self.tree,
                    what,
                    message,
                    format_args!("line {} is a comment, and its `}}` with it", comment.line),
                ),
                None => diagnostics.report(
                    &self.tree,
                    what,
                    message,
                    format_args!("write the `}}` that is missing at the end of it or of a block inside it"),
                ),
            }
        }
        self.unclosed |= !open.is_empty() || self.too_deep > 0;
        Progress::Done
    }
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests;
