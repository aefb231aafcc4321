//! The walk over a block with its table: each line finds its row, and what fits no row is explained.
//!
//! A walk can stop after any line and go on later, so that a large block is read in slices.

use core::fmt;

use super::diagnostic::{Quoted, Severity};
use super::keyword::{
    Context, EXTRA_BLOCK, Given, IGNORED, Line, MISPLACED, NO_BLOCK, OLD_NAME, SECOND_KEYWORD, TRAILING,
    TWICE, Table, UNKNOWN, Value,
};
use super::nearest::nearest;
use super::shape::{Fill, Filled, Rows, Shape, Taken, words};
use super::tree::{Cursor, NodeId, Tree, Word};

/// The walk over a block with its table. It can stop after any line and go on later.
#[derive(Debug, Default)]
pub struct Walk {
    cursor: Cursor,
    /// Rows seen, one bit each, for keywords given twice.
    seen: [u64; 4],
    /// A block without its `{` came last: the lines that follow are its own, whatever they are called.
    headless: bool,
}

impl Walk {
    /// At the start of a range of statements.
    pub fn new(cursor: Cursor) -> Self {
        Self { cursor, seen: [0; 4], headless: false }
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

    /// Leaves it out if it is a block of this keyword, which the table must know as a block; false if it is not.
    pub fn skip_block<const N: usize>(&mut self, tree: &Tree, keyword: &[u8; N]) -> bool {
        let found = self.peek(tree).is_some_and(|node| tree.is_block(node, keyword));
        if found {
            self.skip(tree);
            self.headless = false;
        }
        found
    }

    /// Reads one statement; false at the end of the block.
    pub fn step<B>(&mut self, cx: &mut Context<'_>, table: &Table<B>, draft: &mut B) -> bool {
        let Some(node) = cx.tree.next(&mut self.cursor) else { return false };
        self.apply(cx, node, &mut Filled { table, draft });
        true
    }

    /// Reads the whole block of `node`.
    pub fn block<B>(cx: &mut Context<'_>, node: NodeId, table: &Table<B>, draft: &mut B) {
        Self::all(cx, node, &mut Filled { table, draft });
    }

    fn all(cx: &mut Context<'_>, node: NodeId, block: &mut dyn Fill) {
        let mut walk = Self::new(cx.tree.children(node));
        while let Some(node) = cx.tree.next(&mut walk.cursor) {
            walk.apply(cx, node, block);
        }
    }

    /// Reads the items of a list by hand, where the block itself has something to say as well.
    pub fn items<B>(cx: &mut Context<'_>, node: NodeId, set: fn(&mut B, &mut Line<'_, '_>), draft: &mut B) {
        list(cx, node, &mut |line| set(draft, line));
    }

    /// Reads a block in which several keywords may share a line; only the last one of a line can open a block.
    pub fn shared<B>(cx: &mut Context<'_>, node: NodeId, table: &Table<B>, draft: &mut B) {
        Self::all_shared(cx, node, &mut Filled { table, draft });
    }

    fn all_shared(cx: &mut Context<'_>, node: NodeId, block: &mut dyn Fill) {
        let mut walk = Self::new(cx.tree.children(node));
        while let Some(node) = cx.tree.next(&mut walk.cursor) {
            if !cx.tree.keyword(node).text.is_empty() {
                walk.apply_phrases(cx, node, block);
            }
        }
    }

    fn apply_phrases(&mut self, cx: &mut Context<'_>, node: NodeId, block: &mut dyn Fill) {
        let mut from = 0;
        while let Some(word) = cx.tree.word(node, from) {
            let Some((row, shape)) = block.table().shape_of(&word.text) else {
                return unknown(cx, (node, &word), block.table());
            };
            if self.repeated(row, shape) {
                twice(cx, &word);
            }
            let last = from + 1 == cx.tree.words(node);
            let opens = matches!(shape, Shape::List | Shape::Block);
            if opens && !(last && cx.tree.has_block(node)) {
                return no_block(cx, &word);
            }
            if last && opens {
                return set(cx, (node, from), (row, shape), block, &mut |_, _| {});
            }
            let mut taken = None;
            set(cx, (node, from), (row, shape), block, &mut |line, _| taken = Some(line.taken()));
            // Where the next keyword begins is unknown behind a wrong value, and the line was said to be left out.
            let Some(taken) = taken else { return };
            from = taken.min(cx.tree.words(node));
            if from >= cx.tree.words(node) && cx.tree.has_block(node) {
                return extra_block(cx, &word);
            }
        }
    }

    fn apply(&mut self, cx: &mut Context<'_>, node: NodeId, block: &mut dyn Fill) {
        let word = cx.tree.keyword(node);
        if word.text.is_empty() {
            return; // the reader has reported a block without keyword
        }
        let mut found = block.table().shape_of(&word.text);
        if self.lost(cx.tree, node, found.map(|(_, shape)| shape)) {
            return;
        }
        if let Some((_, Shape::Old(name))) = found {
            cx.warn(
                OLD_NAME,
                word.at,
                format_args!("{} is an old spelling of `{name}`", Quoted(&word.text)),
                format_args!("it works as before; write `{name}`"),
            );
            found = block.table().shape_of(name);
        }
        let Some((row, shape)) = found else {
            return unknown(cx, (node, &word), block.table());
        };
        if self.repeated(row, shape) {
            twice(cx, &word);
        }
        self.headless = !apply_row(cx, node, (row, shape), block);
    }

    /// A line of a block whose `{` is missing or swallowed by a comment, both reported: nothing more is said about it.
    fn lost(&self, tree: &Tree, node: NodeId, shape: Option<Shape>) -> bool {
        let known = match shape {
            None => false,
            // `interface` is a line of an instance and a block of ours.
            Some(
                Shape::Ignored(..) | Shape::Unsupported(_) | Shape::Only(..) | Shape::Block | Shape::MayOpen,
            ) => tree.has_block(node),
            Some(_) => true,
        };
        !known && (self.headless || tree.is_orphan(tree.position(node)))
    }

    fn repeated(&mut self, row: usize, shape: Shape) -> bool {
        let scalar = match shape {
            Shape::Bool | Shape::Integer(..) | Shape::Timer(..) | Shape::Address | Shape::Text => true,
            Shape::Flag | Shape::Words(_) | Shape::Free | Shape::List | Shape::Block | Shape::MayOpen => {
                false
            }
            Shape::Ignored(..) | Shape::Unsupported(_) | Shape::Only(..) | Shape::Old(_) => false,
        };
        let bit = 1_u64 << (row % 64);
        let Some(seen) = self.seen.get_mut(row / 64).filter(|_| scalar) else { return false };
        let before = *seen & bit != 0;
        *seen |= bit;
        before
    }
}

pub(super) fn line_or_block(tree: &Tree, node: NodeId) -> &'static str {
    if tree.has_block(node) { "whole block" } else { "line" }
}

/// A block in a message; a name of several words is not a keyword but a place.
pub struct Place<'a>(pub &'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(' ') { write!(f, "at {}", self.0) } else { write!(f, "in `{}`", self.0) }
    }
}

fn twice(cx: &mut Context<'_>, word: &Word<'_>) {
    cx.warn(
        TWICE,
        word.at,
        format_args!("{} stands in this block already; this line counts", Quoted(&word.text)),
        format_args!("remove one of the two lines"),
    );
}

fn no_block(cx: &mut Context<'_>, word: &Word<'_>) {
    cx.error(
        NO_BLOCK,
        word.at,
        format_args!("{} opens a block: expected `{{`", Quoted(&word.text)),
        format_args!("write `{{` at the end of this line and `}}` behind the block; it is left out"),
    );
}

fn extra_block(cx: &mut Context<'_>, word: &Word<'_>) {
    cx.error(
        EXTRA_BLOCK,
        word.at,
        format_args!("{} has no block", Quoted(&word.text)),
        format_args!("remove the braces; what stands between them is left out"),
    );
}

/// Reports a word that the table does not know, with the nearest one it does know.
fn unknown(cx: &mut Context<'_>, (node, word): (NodeId, &Word<'_>), table: &dyn Rows) {
    if !cx.diagnostics.keeps(Severity::Error) {
        // It is only counted: the words that are near it are not looked for.
        return cx.error(UNKNOWN, word.at, format_args!(""), format_args!(""));
    }
    let what = line_or_block(cx.tree, node);
    let (block, words) = (Place(table.name()), &mut words(table));
    if let Some(home) = (cx.home)(&word.text).map(Place) {
        let message = format_args!("{} has no meaning {block}", Quoted(&word.text));
        return cx.error(
            MISPLACED,
            word.at,
            message,
            format_args!("it belongs {home}; the {what} is left out"),
        );
    }
    // Behind `=` or `:` there may be a password: it is not shown.
    let name = word.text.split(['=', ':']).next().filter(|name| !name.is_empty()).unwrap_or(&word.text);
    if name.len() < word.text.len() {
        let near = nearest(name, words).unwrap_or(name);
        return cx.error(
            UNKNOWN,
            word.at,
            format_args!("unknown keyword {} {block}, with a sign and more behind it", Quoted(name)),
            format_args!("write {}, a blank and the value; the {what} is left out", Quoted(near)),
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

/// False if the line opens a block and its `{` is missing.
fn apply_row(cx: &mut Context<'_>, node: NodeId, (row, shape): (usize, Shape), block: &mut dyn Fill) -> bool {
    let opens = match shape {
        Shape::List | Shape::Block => true,
        Shape::Ignored(..) | Shape::Unsupported(_) | Shape::Only(..) | Shape::MayOpen => {
            cx.tree.has_block(node)
        }
        Shape::Flag | Shape::Bool | Shape::Integer(..) | Shape::Timer(..) => false,
        Shape::Address | Shape::Text | Shape::Words(_) | Shape::Free | Shape::Old(_) => false,
    };
    if opens != cx.tree.has_block(node) {
        let keyword = cx.tree.keyword(node);
        if opens {
            no_block(cx, &keyword);
            return false;
        }
        extra_block(cx, &keyword);
    }
    set(cx, (node, 0), (row, shape), block, &mut |line, table| {
        trailing(line, &|word| table.shape_of(word).is_some());
    });
    true
}

/// Takes what the row says behind the keyword, word `from` of the statement; `end` sees what is left of the line
/// unless the value was wrong or stood in a block.
fn set(
    cx: &mut Context<'_>,
    (node, from): (NodeId, usize),
    (row, shape): (usize, Shape),
    block: &mut dyn Fill,
    end: &mut dyn FnMut(&mut Line<'_, '_>, &dyn Rows),
) {
    let mut line = cx.phrase(node, from);
    match shape {
        Shape::Flag => block.fill(row, Taken::Flag(line.at())),
        Shape::Bool => match line.boolean() {
            Some(value) => block.fill(row, Taken::Bool(Given { value, at: line.at() })),
            None => return,
        },
        Shape::Integer(min, max) => match line.integer(min, max) {
            Some(given) => block.fill(row, Taken::Integer(given)),
            None => return,
        },
        Shape::Timer(min, max) => match line.timer(min, max) {
            Some(given) => block.fill(row, Taken::Timer(given)),
            None => return,
        },
        Shape::Address => match line.address() {
            Some(given) => block.fill(row, Taken::Address(given)),
            None => return,
        },
        Shape::Text => match line.need("one word") {
            Some(word) => block.fill(row, Taken::Text(Given { value: &word.text, at: word.at })),
            None => return,
        },
        Shape::Words(expected) => {
            if !line.has_more() {
                line.need(expected);
                return;
            }
            block.fill(row, Taken::Line(&mut line));
        }
        Shape::Free => block.fill(row, Taken::Line(&mut line)),
        Shape::List => return list(cx, node, &mut |line| block.fill(row, Taken::Line(line))),
        Shape::Block | Shape::MayOpen => return block.fill(row, Taken::Block(cx, node)),
        Shape::Ignored(value, why) => return ignored(&mut line, value, why),
        Shape::Unsupported(instead) => return cx.unsupported(node, from, instead),
        Shape::Only(values, instead) => {
            let given = line.word();
            let text = given.as_ref().map_or("on", |word| &word.text);
            if !values.contains(&text) {
                return cx.unsupported(node, from, instead);
            }
        }
        Shape::Old(_) => return, // resolved before
    }
    end(&mut line, block.table());
}

/// Words that nobody took: harmless junk, or a keyword that must stand on a line of its own.
pub(super) fn trailing(line: &mut Line<'_, '_>, known: &dyn Fn(&str) -> bool) {
    if !line.has_more() {
        return;
    }
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

fn list(cx: &mut Context<'_>, node: NodeId, set: &mut dyn FnMut(&mut Line<'_, '_>)) {
    let mut cursor = cx.tree.children(node);
    while let Some(item) = cx.tree.next(&mut cursor) {
        let word = cx.tree.keyword(item);
        if word.text.is_empty() {
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
        let mut line = Line::item(cx, item);
        set(&mut line);
        trailing(&mut line, &|_| false);
    }
}

fn ignored(line: &mut Line<'_, '_>, value: Value, why: &str) {
    let keyword = line.keyword();
    if !line.cx.tree.has_block(line.node()) && !line.judge(value) {
        return;
    }
    let word = Quoted(&keyword.text);
    line.cx.warn(
        IGNORED,
        keyword.at,
        format_args!("{word} is ignored"),
        format_args!("it changes nothing here: {why}"),
    );
}
