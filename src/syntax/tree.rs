//! The tree of blocks: statements in an arena in the order of the text, each with its words and where they stand.
//!
//! A statement is followed by the statements of its block, so a block is a range and skipping one costs nothing. Words
//! are slices of the text; a large file costs 20 bytes per statement and 8 per word beside the text itself.

use core::fmt::Write as _;
use std::borrow::Cow;

use crate::limits::{MAX_LINE_BYTES, MAX_STATEMENTS, MAX_WORDS};

/// Ranges of lines that are remembered because a comment swallowed their `{`.
const MAX_ORPHANS: usize = 64;

/// A file of the tree; 0 is the one that includes the others, in the order in which they were opened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct FileId(pub u16);

/// Where something stands in the source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Position {
    /// The file.
    pub file: FileId,
    /// Line, from 1.
    pub line: u32,
    /// Byte offset in the file; the column is computed from it when somebody wants to see it.
    pub offset: u32,
    /// Length in bytes.
    pub len: u32,
    /// How the text got here from where it stands, a number of the tree's; 0 if it stands there as it is read.
    pub via: u16,
}

/// A statement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeId(pub(super) u32);

/// A word of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word<'t> {
    /// The text, without quotes and with `\#` and `\!` replaced.
    pub text: Cow<'t, str>,
    /// Where it stands, without its quotes.
    pub at: Position,
}

/// Where an iteration over a block stands; a value, so that it can be kept between two slices of work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cursor {
    next: u32,
    end: u32,
}

/// A file's name and text, and the line that includes it (line 0 for the first one).
#[derive(Debug)]
pub(super) struct File {
    name: Box<str>,
    pub(super) text: Box<str>,
    from: Position,
}

/// Where the words of lines stand that are not in a file as they are read.
const EXPANDED: FileId = FileId(u16::MAX);
/// Notes about how text got somewhere; lines generated beyond share the note of what generated them.
const MAX_VIAS: usize = 16_384;
/// Notes shown at most.
const MAX_NOTES: usize = 6;

/// A step on the way of a text from where it stands.
#[derive(Debug)]
struct Via {
    how: Box<str>,
    at: Position,
    next: u16,
}

/// Everything read so far.
#[derive(Debug, Default)]
pub struct Tree {
    pub(super) files: Vec<File>,
    nodes: Vec<Node>,
    pub(super) tokens: Vec<Token>,
    /// The words of replaced and generated lines, and where they come from.
    expanded: String,
    marks: Vec<Position>,
    vias: Vec<Via>,
    /// Lines between a comment that swallowed a `{` and the `}` that is extra because of it; explained once.
    orphans: Vec<(FileId, u32, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    line: u32,
    /// Its first word; they end where those of the next statement begin.
    first: u32,
    end: u32,
    start: u32,
    file: FileId,
    block: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) offset: u32,
    pub(super) len: u16,
    pub(super) escaped: bool,
}

/// Bytes that a table with rows of `size` bytes grows by at most when `step` of them are added.
pub(crate) fn doubling(rows: usize, capacity: usize, size: usize, step: usize) -> usize {
    if capacity - rows < step { capacity.max(step) * size } else { 0 }
}

/// Lengths and offsets are below `MAX_CONFIG_BYTES`, far from saturating.
pub(super) fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Tree {
    /// A tree without statements over one file.
    pub fn new(name: &str, text: String) -> Self {
        let mut tree = Self::default();
        tree.add_file(name, text, Position::default());
        tree
    }

    /// Adds a file that the line at `from` includes. A byte order mark, which editors leave unseen, is no part of it.
    pub(super) fn add_file(&mut self, name: &str, mut text: String, from: Position) -> FileId {
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        self.files.push(File { name: name.into(), text: text.into_boxed_str(), from });
        FileId(u16::try_from(self.files.len() - 1).unwrap_or(EXPANDED.0))
    }

    /// A file's name.
    pub fn name(&self, file: FileId) -> &str {
        self.files.get(usize::from(file.0)).map_or("", |file| &*file.name)
    }

    /// A file's text.
    pub fn text(&self, file: FileId) -> &str {
        self.files.get(usize::from(file.0)).map_or("", |file| &*file.text)
    }

    /// How many statements.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Statement number `index` in the order of the text, whatever block it stands in.
    pub fn at(&self, index: usize) -> Option<NodeId> {
        (index < self.nodes.len()).then(|| NodeId(narrow(index)))
    }

    /// Bytes that it takes, the texts of its files included.
    pub fn bytes(&self) -> usize {
        let files: usize = self.files.iter().map(|file| file.text.len()).sum();
        let marks = self.marks.capacity() * size_of::<Position>();
        let words = self.tokens.capacity() * size_of::<Token>() + self.expanded.capacity() + marks;
        files + words + self.nodes.capacity() * size_of::<Node>() + self.vias.capacity() * size_of::<Via>()
    }

    /// Bytes that it grows by at most when a further line is read: what is nearly full doubles.
    pub fn growth(&self) -> usize {
        // A line has so many words at most.
        let step = MAX_LINE_BYTES;
        doubling(self.nodes.len(), self.nodes.capacity(), size_of::<Node>(), step)
            + doubling(self.tokens.len(), self.tokens.capacity(), size_of::<Token>(), step)
            + doubling(self.marks.len(), self.marks.capacity(), size_of::<Position>(), step)
            + doubling(self.expanded.len(), self.expanded.capacity(), 1, step)
    }

    /// Gives back what was kept for further lines.
    pub(super) fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
        self.tokens.shrink_to_fit();
    }

    /// True if there are more statements or words than the limits.
    pub(super) fn is_over(&self) -> bool {
        self.nodes.len() > MAX_STATEMENTS || self.tokens.len() > MAX_WORDS
    }

    /// True without statements.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The statements outside of every block.
    pub fn root(&self) -> Cursor {
        Cursor { next: 0, end: narrow(self.nodes.len()) }
    }

    /// The statements of a block; none of a statement without one.
    pub fn children(&self, node: NodeId) -> Cursor {
        self.node(node).map_or(Cursor::default(), |found| Cursor { next: node.0 + 1, end: found.end })
    }

    /// The next statement, skipping the blocks of the ones before.
    pub fn next(&self, cursor: &mut Cursor) -> Option<NodeId> {
        if cursor.next >= cursor.end {
            return None;
        }
        let node = NodeId(cursor.next);
        cursor.next = self.node(node)?.end;
        Some(node)
    }

    /// The statements of a block as an iterator.
    pub fn iter(&self, mut cursor: Cursor) -> impl Iterator<Item = NodeId> + '_ {
        core::iter::from_fn(move || self.next(&mut cursor))
    }

    /// Statements in a node's block and all blocks inside.
    pub fn weight(&self, node: NodeId) -> usize {
        self.node(node).map_or(0, |found| (found.end - node.0) as usize)
    }

    /// How many words, the keyword included; 0 for a `{` that belongs to nothing.
    pub fn words(&self, node: NodeId) -> usize {
        self.node(node).map_or(0, |found| self.last(node) - found.first as usize)
    }

    /// Word `index` of a statement; 0 is the keyword.
    pub fn word(&self, node: NodeId, index: usize) -> Option<Word<'_>> {
        let found = self.node(node)?;
        let number = (found.first as usize).saturating_add(index);
        if number >= self.last(node) {
            return None;
        }
        let token = self.tokens.get(number)?;
        let range = token.offset as usize..token.offset as usize + usize::from(token.len);
        if found.file == EXPANDED {
            let at = self.marks.get(found.start as usize + index).copied().unwrap_or_default();
            return Some(Word { text: Cow::Borrowed(self.expanded.get(range)?), at });
        }
        let raw = self.text(found.file).get(range)?;
        let text = if token.escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) };
        let (file, line, offset, len) = (found.file, found.line, token.offset, u32::from(token.len));
        Some(Word { text, at: Position { file, line, offset, len, via: 0 } })
    }

    /// The keyword of a statement, or nothing.
    pub fn keyword(&self, node: NodeId) -> Word<'_> {
        self.word(node, 0).unwrap_or_else(|| Word { text: Cow::Borrowed(""), at: self.position(node) })
    }

    /// True for a block of this keyword, which has no sign of a comment in it.
    pub fn is_block<const N: usize>(&self, node: NodeId, keyword: &[u8; N]) -> bool {
        let Some(found) = self.node(node).filter(|found| found.block) else { return false };
        let (first, last) = (found.first as usize, self.last(node));
        let Some(token) = self.tokens.get(first..last).and_then(|words| words.first()) else { return false };
        let text = if found.file == EXPANDED { &*self.expanded } else { self.text(found.file) };
        let (start, len) = (token.offset as usize, usize::from(token.len));
        // Of a known length they are compared at once.
        let word = text.as_bytes().get(start..start + len).and_then(|word| <&[u8; N]>::try_from(word).ok());
        word == Some(keyword)
    }

    /// Where a statement starts, its keyword marked.
    pub fn position(&self, node: NodeId) -> Position {
        let Some(found) = self.node(node) else { return Position::default() };
        if found.file == EXPANDED {
            return self.marks.get(found.start as usize).copied().unwrap_or_default();
        }
        let token = self.tokens.get(found.first as usize..self.last(node)).and_then(|words| words.first());
        let (offset, len) = token.map_or((found.start, 1), |token| (token.offset, u32::from(token.len)));
        Position { file: found.file, line: found.line, offset, len, via: 0 }
    }

    /// How the text at a position got where it is read, one step a line; empty for most.
    pub(super) fn notes(&self, mut at: Position) -> String {
        let mut notes = String::new();
        for _ in 0..MAX_NOTES {
            let via = usize::from(at.via).checked_sub(1).and_then(|index| self.vias.get(index));
            let (how, from) = match via {
                Some(via) => (&*via.how, via.at),
                None => match self.files.get(usize::from(at.file.0)) {
                    Some(file) if file.from.line > 0 => ("included from", file.from),
                    Some(_) | None => break,
                },
            };
            // Writing to a string cannot fail.
            let _ = writeln!(notes, "{how} {}:{}", self.name(from.file), from.line);
            at = match via {
                Some(via) => Position { via: via.next, ..at },
                None => from,
            };
        }
        notes
    }

    /// A number for [`Position::via`]: `how` the text got here, what it was a part of (`next`) and the place to name.
    /// 0 when there are too many.
    pub(super) fn add_via(&mut self, how: String, at: Position, next: u16) -> u16 {
        if self.vias.len() >= MAX_VIAS {
            return next;
        }
        self.vias.push(Via { how: how.into_boxed_str(), at, next });
        u16::try_from(self.vias.len()).unwrap_or(0)
    }

    /// Bytes of words that stand in no file.
    pub(super) fn expanded_bytes(&self) -> usize {
        self.expanded.len()
    }

    /// True if `{` follows, even if nothing stands in the block.
    pub fn has_block(&self, node: NodeId) -> bool {
        self.node(node).is_some_and(|found| found.block)
    }

    /// True if the line was meant to be in a block whose `{` a comment swallowed: this is said elsewhere already.
    pub fn is_orphan(&self, at: Position) -> bool {
        self.orphans.iter().any(|(file, from, to)| *file == at.file && (*from..=*to).contains(&at.line))
    }

    /// The source line around a position, without its end, and the column in bytes.
    pub(super) fn line_around(&self, at: Position) -> (&str, usize) {
        let text = self.text(at.file);
        let offset = (at.offset as usize).min(text.len());
        let before = text.get(..offset).unwrap_or("");
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = text.get(start..).unwrap_or("");
        // A line may be as long as the file; what is shown never is.
        let mut end = rest.len().min(offset - start + 1_024);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let line = rest.get(..end).unwrap_or("");
        (line.split('\n').next().unwrap_or("").trim_end_matches('\r'), offset - start)
    }

    fn node(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(node.0 as usize)
    }

    /// The word behind the last one of a statement.
    fn last(&self, node: NodeId) -> usize {
        self.nodes.get(node.0 as usize + 1).map_or(self.tokens.len(), |next| next.first as usize)
    }

    /// Starts a statement with word `first`, the next one or one of the newest.
    pub(super) fn push_node(&mut self, file: FileId, line: u32, offset: usize, first: usize) -> NodeId {
        let id = narrow(self.nodes.len());
        let (first, start) = (narrow(first), narrow(offset));
        self.nodes.push(Node { line, first, end: id + 1, start, file, block: false });
        NodeId(id)
    }

    /// Adds a word to the newest statement.
    pub(super) fn push_word(&mut self, start: usize, end: usize, escaped: bool) {
        let len = u16::try_from(end - start).unwrap_or(u16::MAX);
        self.tokens.push(Token { offset: narrow(start), len, escaped });
    }

    /// Starts a statement whose first word, or brace, comes from `at`.
    pub(super) fn push_expanded_node(&mut self, at: Position) -> NodeId {
        let node = self.push_node(EXPANDED, 0, self.marks.len(), self.tokens.len());
        self.marks.push(at);
        node
    }

    /// Adds a word to the newest statement, which was started by [`Self::push_expanded_node`].
    pub(super) fn push_expanded_word(&mut self, text: &str, at: Position) {
        let start = self.expanded.len();
        self.expanded.push_str(text);
        if self.nodes.last().is_some_and(|node| (node.first as usize) < self.tokens.len()) {
            self.marks.push(at);
        }
        self.push_word(start, start + text.len(), false);
    }

    pub(super) fn open_block(&mut self, node: NodeId) {
        if let Some(found) = self.nodes.get_mut(node.0 as usize) {
            found.block = true;
        }
    }

    pub(super) fn close_block(&mut self, node: NodeId) {
        let end = narrow(self.nodes.len());
        if let Some(found) = self.nodes.get_mut(node.0 as usize) {
            found.end = end;
        }
    }

    pub(super) fn add_orphans(&mut self, file: FileId, from: u32, to: u32) {
        // Each is looked at for every unknown word: no more than anybody would read about.
        if self.orphans.len() < MAX_ORPHANS {
            self.orphans.push((file, from, to));
        }
    }
}

/// `\#` and `\!` stand for the characters; every other backslash is itself.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars().peekable();
    while let Some(c) = rest.next() {
        match rest.peek() {
            Some(next @ ('#' | '!')) if c == '\\' => {
                text.push(*next);
                rest.next();
            }
            Some(_) | None => text.push(c),
        }
    }
    text
}
