//! Tables of keywords: how a row is written, how a block is walked with its table, what is said of a line that fits no
//! row. The mechanism only; the rows belong to `config` and `check`.
//!
//! A row says what stands behind the word and what becomes of it: a setter with a typed value, a block, or one of the
//! ways of not doing it (ignored with its reason, refused with an alternative, an old name of another word).

use core::fmt;
use core::net::IpAddr;

use super::diagnostic::{Code, Diagnostics, Quoted, Severity};
use super::nearest::nearest;
use super::tree::{Cursor, NodeId, Position, Tree, Word};
use super::value::{self, Invalid};
use crate::time::Duration;

/// A word that is no keyword at all.
pub const UNKNOWN: Code = Code(101);
/// A keyword of another block.
pub const MISPLACED: Code = Code(102);
/// A keyword without the value it needs.
pub const MISSING: Code = Code(103);
/// A value of another kind than expected.
pub const INVALID: Code = Code(104);
/// A number out of its range.
pub const RANGE: Code = Code(105);
/// A `{` is missing.
pub const NO_BLOCK: Code = Code(106);
/// A `{` that should not be there.
pub const EXTRA_BLOCK: Code = Code(107);
/// A keyword of keepalived that this version does not support.
pub const UNSUPPORTED: Code = Code(108);
/// `include`, `$NAME=`, `@id`, `~SEQ`.
pub const PREPROCESSOR: Code = Code(109);
/// A second keyword on the line.
pub const SECOND_KEYWORD: Code = Code(110);
/// Words behind a value.
pub const TRAILING: Code = Code(111);
/// A keyword that is ignored without effect on forwarding.
pub const IGNORED: Code = Code(112);
/// An old spelling.
pub const OLD_NAME: Code = Code(113);
/// A keyword given twice.
pub const TWICE: Code = Code(114);
/// A value was rounded.
pub const ROUNDED: Code = Code(115);

/// A value and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: Position,
}

/// Sets a value in the block's draft `B`.
pub type Set<B, T> = fn(&mut B, Given<T>);

/// A row: a word and what becomes of its line.
pub struct Keyword<B: 'static> {
    /// The word.
    pub word: &'static str,
    /// The rest.
    pub kind: Kind<B>,
}

/// What stands behind a word and what becomes of it.
pub enum Kind<B: 'static> {
    /// Nothing.
    Flag(fn(&mut B, Position)),
    /// `on off true false yes no`, or nothing for true.
    Bool(Set<B, bool>),
    /// A whole number.
    Integer {
        /// Smallest.
        min: u32,
        /// Largest.
        max: u32,
        /// Setter.
        set: Set<B, u32>,
    },
    /// Seconds with decimals.
    Timer {
        /// Shortest.
        min: Duration,
        /// Longest.
        max: Duration,
        /// Setter.
        set: Set<B, Duration>,
    },
    /// An IP address.
    Address(Set<B, IpAddr>),
    /// One word.
    Text(fn(&mut B, Given<&str>)),
    /// Several words with a form of their own.
    Words {
        /// The form, as a message would say it.
        expected: &'static str,
        /// Takes the words; what it leaves is reported as trailing.
        set: fn(&mut B, &mut Line<'_, '_>),
    },
    /// Words with a form of their own, of which there may be none.
    Free(fn(&mut B, &mut Line<'_, '_>)),
    /// A block with one item a line; the setter is called for each.
    List(fn(&mut B, &mut Line<'_, '_>)),
    /// A block with keywords of its own.
    Block(fn(&mut B, &mut Context<'_>, NodeId)),
    /// Warned about and ignored: it does not affect forwarding.
    Ignored {
        /// Words that must follow; a keyword that lost its value is an error.
        values: usize,
        /// Why nothing changes: "changes nothing here: …".
        why: &'static str,
    },
    /// An error, the line is left out: what to do instead.
    Unsupported(&'static str),
    /// Fine if the value is one of these, which is what happens anyway; otherwise unsupported.
    Only {
        /// Accepted values; a flag without value counts as `on`.
        values: &'static [&'static str],
        /// What to do instead.
        instead: &'static str,
    },
    /// An old spelling of this word of the same table; warned about and treated as that word.
    OldName(&'static str),
}

/// The keywords of one block.
pub struct Table<B: 'static> {
    /// The block, as messages name it.
    pub name: &'static str,
    /// The rows, in parts so that blocks can share some.
    pub rows: &'static [&'static [Keyword<B>]],
}

impl<B> Table<B> {
    /// The row of a word, with its number.
    pub fn find(&self, word: &str) -> Option<(usize, &'static Keyword<B>)> {
        self.keywords().enumerate().find(|(_, row)| row.word == word)
    }

    /// All rows.
    pub fn keywords(&self) -> impl Iterator<Item = &'static Keyword<B>> + use<B> {
        self.rows.iter().flat_map(|part| part.iter())
    }

    /// All words.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + use<B> {
        self.keywords().map(|row| row.word)
    }
}

/// What every setter may use: the tree, and the diagnostics.
pub struct Context<'t> {
    /// The tree.
    pub tree: &'t Tree,
    /// What is reported.
    pub diagnostics: &'t mut Diagnostics,
    /// The block that a word belongs to, if any has it: "it belongs in …".
    pub home: fn(&str) -> Option<&'static str>,
}

impl<'t> Context<'t> {
    /// Reports an error.
    pub fn error(&mut self, code: Code, at: Position, message: fmt::Arguments<'_>, hint: fmt::Arguments<'_>) {
        self.diagnostics.report(self.tree, (Severity::Error, code, at), message, hint);
    }

    /// Reports a warning.
    pub fn warn(&mut self, code: Code, at: Position, message: fmt::Arguments<'_>, hint: fmt::Arguments<'_>) {
        self.diagnostics.report(self.tree, (Severity::Warning, code, at), message, hint);
    }

    /// The words of a statement, the keyword already taken.
    pub fn line<'c>(&'c mut self, node: NodeId) -> Line<'c, 't> {
        Line { cx: self, node, next: 1 }
    }
}

/// The words of one statement, taken one after the other.
pub struct Line<'c, 't> {
    /// For diagnostics.
    pub cx: &'c mut Context<'t>,
    node: NodeId,
    next: usize,
}

impl<'t> Line<'_, 't> {
    /// The next word.
    pub fn word(&mut self) -> Option<Word<'t>> {
        let word = self.peek()?;
        self.next += 1;
        Some(word)
    }

    /// The next word, not taken.
    pub fn peek(&self) -> Option<Word<'t>> {
        self.cx.tree.word(self.node, self.next)
    }

    /// Takes the next word if it is this one.
    pub fn take(&mut self, text: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.text == text);
        self.next += usize::from(found);
        found
    }

    /// Takes all words that are left.
    pub fn rest(&mut self) {
        self.next = usize::MAX;
    }

    /// Reports what nobody took.
    pub fn end(&mut self) {
        trailing(self, &|_| false);
    }

    /// The statement.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The keyword (of an item of a list: its first word).
    pub fn keyword(&self) -> Word<'t> {
        self.cx.tree.keyword(self.node)
    }

    /// The next word, or an error that names the keyword and what is missing.
    pub fn need(&mut self, expected: &str) -> Option<Word<'t>> {
        let word = self.word();
        if word.is_none() {
            missing(self.cx, self.node, expected);
        }
        word
    }

    /// Reports a word that is not what was expected.
    pub fn invalid(&mut self, word: &Word<'_>, expected: &str) {
        let keyword = self.keyword();
        invalid(self.cx, &keyword.text, word, expected);
    }

    /// A whole number from the next word.
    pub fn integer(&mut self, min: u32, max: u32) -> Option<Given<u32>> {
        let word = self.need(&Numbers(min, max).to_string())?;
        self.integer_of(&word, min, max)
    }

    fn integer_of(&mut self, word: &Word<'_>, min: u32, max: u32) -> Option<Given<u32>> {
        let number = value::integer(&word.text, min, max);
        let keyword = self.keyword();
        number
            .map_err(|why| wrong(self.cx, (why, &keyword.text), word, &Numbers(min, max).to_string()))
            .ok()
            .map(|value| Given { value, at: word.at })
    }

    /// A time from the next word.
    pub fn timer(&mut self, min: Duration, max: Duration) -> Option<Given<Duration>> {
        let expected = format!("{min} to {max} seconds");
        let word = self.need(&expected)?;
        let keyword = self.keyword();
        match value::timer(&word.text, min, max) {
            Ok(timer) => {
                if timer.rounded {
                    self.cx.warn(
                        ROUNDED,
                        word.at,
                        format_args!("{} is rounded to microseconds", Quoted(&word.text)),
                        format_args!("write at most six decimals"),
                    );
                }
                Some(Given { value: timer.value, at: word.at })
            }
            Err(why) => {
                wrong(self.cx, (why, &keyword.text), &word, &expected);
                None
            }
        }
    }

    /// An IP address from the next word.
    pub fn address(&mut self) -> Option<Given<IpAddr>> {
        let word = self.need("an IP address")?;
        let address = word.text.parse();
        if address.is_err() {
            self.invalid(&word, "an IP address such as 192.0.2.1");
        }
        address.ok().map(|value| Given { value, at: word.at })
    }
}

/// "1 to 255".
struct Numbers(u32, u32);

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(min, max) = self;
        if *max == u32::MAX {
            write!(f, "a number from {min}")
        } else {
            write!(f, "a number from {min} to {max}")
        }
    }
}

fn missing(cx: &mut Context<'_>, node: NodeId, expected: &str) {
    let keyword = cx.tree.keyword(node);
    cx.error(
        MISSING,
        keyword.at,
        format_args!("{} lacks its value", Quoted(&keyword.text)),
        format_args!("write {expected} behind it on the same line; the line is left out"),
    );
}

fn wrong(cx: &mut Context<'_>, (why, keyword): (Invalid, &str), word: &Word<'_>, expected: &str) {
    let (code, is) = match why {
        Invalid::Form => (INVALID, "is not"),
        Invalid::Range => (RANGE, "is out of range, not"),
    };
    let variable = if word.text.contains('$') { "variables are not supported by this version; " } else { "" };
    cx.error(
        code,
        word.at,
        format_args!("{keyword}: {} {is} {expected}", Quoted(&word.text)),
        format_args!("{variable}write {expected}; the line is left out"),
    );
}

fn invalid(cx: &mut Context<'_>, keyword: &str, word: &Word<'_>, expected: &str) {
    wrong(cx, (Invalid::Form, keyword), word, expected);
}

/// The walk over a block with its table. It can stop after any line and go on later.
#[derive(Debug, Default)]
pub struct Walk {
    cursor: Cursor,
    /// Rows seen, one bit each, for keywords given twice.
    seen: [u64; 4],
}

impl Walk {
    /// At the start of a range of statements.
    pub fn new(cursor: Cursor) -> Self {
        Self { cursor, seen: [0; 4] }
    }

    /// The statement that comes next.
    pub fn peek(&self, tree: &Tree) -> Option<NodeId> {
        let mut cursor = self.cursor;
        tree.next(&mut cursor)
    }

    /// Leaves out the statement that comes next.
    pub fn skip(&mut self, tree: &Tree) {
        tree.next(&mut self.cursor);
    }

    /// Reads one statement; false at the end of the block.
    pub fn step<B>(&mut self, cx: &mut Context<'_>, table: &Table<B>, draft: &mut B) -> bool {
        let Some(node) = cx.tree.next(&mut self.cursor) else { return false };
        self.apply(cx, node, table, draft);
        true
    }

    /// Reads the whole block of `node`.
    pub fn block<B>(cx: &mut Context<'_>, node: NodeId, table: &Table<B>, draft: &mut B) {
        let mut walk = Self::new(cx.tree.children(node));
        while walk.step(cx, table, draft) {}
    }

    /// Reads the items of a list by hand, where the block itself has something to say as well.
    pub fn items<B>(cx: &mut Context<'_>, node: NodeId, set: fn(&mut B, &mut Line<'_, '_>), draft: &mut B) {
        list(cx, node, set, draft);
    }

    fn apply<B>(&mut self, cx: &mut Context<'_>, node: NodeId, table: &Table<B>, draft: &mut B) {
        let word = cx.tree.keyword(node);
        if word.text.is_empty() || preprocessor(cx, node) {
            return; // the reader has reported a block without keyword
        }
        let mut found = table.find(&word.text);
        if let Some((_, Keyword { kind: Kind::OldName(name), .. })) = found {
            cx.warn(
                OLD_NAME,
                word.at,
                format_args!("{} is an old spelling of `{name}`", Quoted(&word.text)),
                format_args!("it works as before; write `{name}`"),
            );
            found = table.find(name);
        }
        let Some((row, Keyword { kind, .. })) = found else {
            return unknown(cx, node, table.name, table.words());
        };
        if self.repeated(row, kind) {
            cx.warn(
                TWICE,
                word.at,
                format_args!("{} stands in this block already; this line counts", Quoted(&word.text)),
                format_args!("remove one of the two lines"),
            );
        }
        apply_row(cx, node, kind, draft, &|word| table.find(word).is_some());
    }

    fn repeated<B>(&mut self, row: usize, kind: &Kind<B>) -> bool {
        let scalar = match kind {
            Kind::Bool(_) | Kind::Integer { .. } | Kind::Timer { .. } | Kind::Address(_) | Kind::Text(_) => {
                true
            }
            Kind::Flag(_) | Kind::Words { .. } | Kind::Free(_) | Kind::List(_) | Kind::Block(_) => false,
            Kind::Ignored { .. } | Kind::Unsupported(_) | Kind::Only { .. } | Kind::OldName(_) => false,
        };
        let bit = 1_u64 << (row % 64);
        let Some(seen) = self.seen.get_mut(row / 64).filter(|_| scalar) else { return false };
        let before = *seen & bit != 0;
        *seen |= bit;
        before
    }
}

/// What keepalived's preprocessor would have taken. True if the line is one of these; it is left out.
fn preprocessor(cx: &mut Context<'_>, node: NodeId) -> bool {
    let word = cx.tree.keyword(node);
    let (what, instead) = match word.text.as_bytes() {
        [b'$', ..] if word.text.contains('=') => ("a definition", "write the value itself where it is used"),
        [b'$', ..] => ("a variable", "write the text it stands for"),
        [b'@', ..] => ("a line for one configuration id", "write one file for each machine"),
        [b'~', ..] => ("a generator", "write the lines it would generate"),
        b"include" | b"includer" | b"includem" | b"includew" | b"includeb" | b"includea" => {
            ("the inclusion of another file", "copy the other file's text here")
        }
        _ => return false,
    };
    cx.error(
        PREPROCESSOR,
        word.at,
        format_args!("{what} ({}) is not supported yet by this version", Quoted(&word.text)),
        format_args!("{instead}; the {} is left out", line_or_block(cx.tree, node)),
    );
    true
}

fn line_or_block(tree: &Tree, node: NodeId) -> &'static str {
    if tree.has_block(node) { "whole block" } else { "line" }
}

/// A block in a message; a name of several words is not a keyword but a place.
struct Place<'a>(&'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(' ') { write!(f, "at {}", self.0) } else { write!(f, "in `{}`", self.0) }
    }
}

/// Reports a word that the table does not know, with the nearest one it does know.
fn unknown(cx: &mut Context<'_>, node: NodeId, block: &str, words: impl Iterator<Item = &'static str>) {
    let word = cx.tree.keyword(node);
    if cx.tree.is_orphan(word.at) {
        return;
    }
    let what = line_or_block(cx.tree, node);
    let block = Place(block);
    if let Some(home) = (cx.home)(&word.text).map(Place) {
        let message = format_args!("{} has no meaning {block}", Quoted(&word.text));
        return cx.error(
            MISPLACED,
            word.at,
            message,
            format_args!("it belongs {home}; the {what} is left out"),
        );
    }
    let message = format_args!("unknown keyword {} {block}", Quoted(&word.text));
    match nearest(&word.text, words) {
        Some(near) => {
            cx.error(
                UNKNOWN,
                word.at,
                message,
                format_args!("did you mean `{near}`? The {what} is left out"),
            );
        }
        None => cx.error(UNKNOWN, word.at, message, format_args!("the {what} is left out")),
    }
}

fn apply_row<B>(
    cx: &mut Context<'_>,
    node: NodeId,
    kind: &Kind<B>,
    draft: &mut B,
    known: &dyn Fn(&str) -> bool,
) {
    let opens = match kind {
        Kind::List(_) | Kind::Block(_) => true,
        Kind::Ignored { .. } | Kind::Unsupported(_) | Kind::Only { .. } => cx.tree.has_block(node),
        Kind::Flag(_) | Kind::Bool(_) | Kind::Integer { .. } | Kind::Timer { .. } => false,
        Kind::Address(_) | Kind::Text(_) | Kind::Words { .. } | Kind::Free(_) | Kind::OldName(_) => false,
    };
    let keyword = cx.tree.keyword(node);
    if opens && !cx.tree.has_block(node) {
        return cx.error(
            NO_BLOCK,
            keyword.at,
            format_args!("{} opens a block: expected `{{`", Quoted(&keyword.text)),
            format_args!("write `{{` at the end of this line and `}}` behind the block"),
        );
    }
    if !opens && cx.tree.has_block(node) {
        cx.error(
            EXTRA_BLOCK,
            keyword.at,
            format_args!("{} has no block", Quoted(&keyword.text)),
            format_args!("remove the braces; what stands between them is left out"),
        );
    }
    set(cx, node, kind, draft, known);
}

fn set<B>(cx: &mut Context<'_>, node: NodeId, kind: &Kind<B>, draft: &mut B, known: &dyn Fn(&str) -> bool) {
    let keyword = cx.tree.keyword(node);
    let mut line = cx.line(node);
    match kind {
        Kind::Flag(set) => set(draft, keyword.at),
        Kind::Bool(set) => {
            let given = line.peek().and_then(|word| value::boolean(&word.text));
            line.next += usize::from(given.is_some());
            set(draft, Given { value: given.unwrap_or(true), at: keyword.at });
        }
        Kind::Integer { min, max, set } => match line.integer(*min, *max) {
            Some(given) => set(draft, given),
            None => return,
        },
        Kind::Timer { min, max, set } => match line.timer(*min, *max) {
            Some(given) => set(draft, given),
            None => return,
        },
        Kind::Address(set) => match line.address() {
            Some(given) => set(draft, given),
            None => return,
        },
        Kind::Text(set) => match line.need("one word") {
            Some(word) => set(draft, Given { value: &word.text, at: word.at }),
            None => return,
        },
        Kind::Words { expected, set } => {
            if line.peek().is_none() {
                return missing(cx, node, expected);
            }
            set(draft, &mut line);
        }
        Kind::Free(set) => set(draft, &mut line),
        Kind::List(set) => return list(cx, node, *set, draft),
        Kind::Block(set) => return set(draft, cx, node),
        Kind::Ignored { values, why } => return ignored(cx, node, *values, why),
        Kind::Unsupported(instead) => return unsupported(cx, node, instead),
        Kind::Only { values, instead } => {
            let given = line.word();
            let text = given.as_ref().map_or("on", |word| &word.text);
            if !values.contains(&text) {
                return unsupported(cx, node, instead);
            }
        }
        Kind::OldName(_) => return, // resolved before
    }
    trailing(&mut line, known);
}

/// Words that nobody took: harmless junk, or a keyword that must stand on a line of its own.
fn trailing(line: &mut Line<'_, '_>, known: &dyn Fn(&str) -> bool) {
    let Some(junk) = line.word() else { return };
    let keyword = line.keyword();
    let first = Quoted(&keyword.text);
    let mut next = Some(junk.clone());
    while let Some(word) = next {
        if known(&word.text) {
            return line.cx.error(
                SECOND_KEYWORD,
                word.at,
                format_args!("{} stands on the line of {first} and is left out", Quoted(&word.text)),
                format_args!("there is one keyword per line: write it on a line of its own"),
            );
        }
        next = line.word();
    }
    line.cx.warn(
        TRAILING,
        junk.at,
        format_args!("what follows the value of {first} is ignored"),
        format_args!("write `#` before it to make it a comment"),
    );
}

fn list<B>(cx: &mut Context<'_>, node: NodeId, set: fn(&mut B, &mut Line<'_, '_>), draft: &mut B) {
    let mut cursor = cx.tree.children(node);
    while let Some(item) = cx.tree.next(&mut cursor) {
        let word = cx.tree.keyword(item);
        if word.text.is_empty() || preprocessor(cx, item) {
            continue;
        }
        if cx.tree.has_block(item) {
            cx.error(
                EXTRA_BLOCK,
                word.at,
                format_args!("{} in a list has no block", Quoted(&word.text)),
                format_args!("one item stands on one line, without braces; it is left out with its block"),
            );
            continue;
        }
        let mut line = Line { cx, node: item, next: 0 };
        set(draft, &mut line);
        trailing(&mut line, &|_| false);
    }
}

fn ignored(cx: &mut Context<'_>, node: NodeId, values: usize, why: &str) {
    let keyword = cx.tree.keyword(node);
    if cx.tree.words(node) <= values && !cx.tree.has_block(node) {
        return missing(cx, node, "its value");
    }
    let word = Quoted(&keyword.text);
    cx.warn(
        IGNORED,
        keyword.at,
        format_args!("{word} is ignored"),
        format_args!("it changes nothing here: {why}"),
    );
}

fn unsupported(cx: &mut Context<'_>, node: NodeId, instead: &str) {
    let keyword = cx.tree.keyword(node);
    let what = line_or_block(cx.tree, node);
    cx.error(
        UNSUPPORTED,
        keyword.at,
        format_args!("{} is not supported by this version; the {what} is left out", Quoted(&keyword.text)),
        format_args!("{instead}"),
    );
}
