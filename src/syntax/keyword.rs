//! Tables of keywords: how a row is written, and what a setter of a row works with. The mechanism only; the rows
//! belong to `config` and `check`. How a block is walked with its table is in `walk.rs`.
//!
//! A row says what stands behind the word and what becomes of it: a setter with a typed value, a block, or one of the
//! ways of not doing it (ignored with its reason, refused with an alternative, an old name of another word).

use core::fmt;
use core::net::IpAddr;

use super::diagnostic::{Code, Diagnostics, Quoted, Severity};
use super::shape::{Numbers, Times};
use super::tree::{NodeId, Position, Tree, Word};
use super::value::{self, Invalid};
use super::walk::{line_or_block, trailing};
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

/// A row: a word, what it means, and what becomes of its line.
pub struct Keyword<B: 'static> {
    /// `word|default|meaning`, with `|later` if it is checked only; an old name is the word alone. One string, because
    /// a row with three is 32 bytes longer.
    pub text: &'static str,
    /// The rest.
    pub kind: Kind<B>,
}

impl<B> Keyword<B> {
    /// The word.
    pub fn word(&self) -> &'static str {
        word(self.text)
    }
}

/// The word of a row's text.
pub fn word(text: &'static str) -> &'static str {
    text.split_once('|').map_or(text, |(word, _)| word)
}

/// True if a row's text is about this word.
fn is(text: &str, word: &str) -> bool {
    let text = text.as_bytes();
    matches!(text.get(word.len()), None | Some(b'|')) && text.starts_with(word.as_bytes())
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
    /// Words, and perhaps a block behind them.
    MayOpen(fn(&mut B, &mut Context<'_>, NodeId)),
    /// Warned about and ignored: it does not affect forwarding.
    Ignored {
        /// What must follow: a keyword that lost its value, or has one that it cannot have, is an error.
        value: Value,
        /// Why nothing changes: "changes nothing here: …".
        why: &'static str,
    },
    /// An error, the line is left out: what to do instead.
    Unsupported(&'static str),
    /// Fine if the value is one of [`OFF`], which is what happens anyway; otherwise unsupported: what to do instead.
    Off(&'static str),
    /// An old spelling of this word of the same table; warned about and treated as that word.
    OldName(&'static str),
}

/// Values that switch off; a flag without value counts as `on`.
pub const OFF: &[&str] = &["off", "false", "no"];

/// What an ignored keyword takes, as far as keepalived looks at it: a slip of the pen there is one here. Rows are
/// many: two words of memory, so that a row has six.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// So many words, or more.
    Words(u8),
    /// A truth value or nothing.
    Bool,
    /// A whole number of this range, and perhaps more behind it.
    Number(i32, u32),
    /// Seconds with decimals, from a microsecond up to this many microseconds.
    Time(u64),
    /// One of these words, or nothing.
    OneOf(&'static &'static [&'static str]),
}

const _: () = assert!(size_of::<Keyword<()>>() == 6 * size_of::<usize>());

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
        let first = word.as_bytes().first()?;
        let mut number = 0;
        for part in self.rows {
            for row in *part {
                if row.text.as_bytes().first() == Some(first) && is(row.text, word) {
                    return Some((number, row));
                }
                number += 1;
            }
        }
        None
    }

    /// All rows.
    pub fn keywords(&self) -> impl Iterator<Item = &'static Keyword<B>> + use<B> {
        self.rows.iter().flat_map(|part| part.iter())
    }

    /// All words.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + use<B> {
        self.keywords().map(|row| row.word())
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

    /// Reports that the keyword which is word `from` of a statement is known and not supported.
    pub fn unsupported(&mut self, node: NodeId, from: usize, instead: &str) {
        let Some(keyword) = self.tree.word(node, from) else { return };
        let what = line_or_block(self.tree, node);
        self.error(
            UNSUPPORTED,
            keyword.at,
            format_args!(
                "{} is not supported by this version; the {what} is left out",
                Quoted(&keyword.text)
            ),
            format_args!("{instead}"),
        );
    }

    /// The words of a statement, the keyword already taken.
    pub fn line<'c>(&'c mut self, node: NodeId) -> Line<'c, 't> {
        self.phrase(node, 0)
    }

    /// The words behind the keyword that is word `from` of a statement.
    pub(super) fn phrase<'c>(&'c mut self, node: NodeId, from: usize) -> Line<'c, 't> {
        Line { cx: self, node, from, next: from + 1 }
    }
}

/// The words of one statement, taken one after the other.
pub struct Line<'c, 't> {
    /// For diagnostics.
    pub cx: &'c mut Context<'t>,
    node: NodeId,
    /// The keyword.
    from: usize,
    next: usize,
}

impl<'c, 't> Line<'c, 't> {
    /// An item of a list: its first word is not taken yet.
    pub(super) fn item(cx: &'c mut Context<'t>, node: NodeId) -> Self {
        Self { cx, node, from: 0, next: 0 }
    }

    /// The next word.
    pub fn word(&mut self) -> Option<Word<'t>> {
        let word = self.peek();
        self.next += usize::from(word.is_some());
        word
    }

    /// The next word, not taken.
    pub fn peek(&self) -> Option<Word<'t>> {
        self.cx.tree.word(self.node, self.next)
    }

    /// True if nobody took the next word.
    pub fn has_more(&self) -> bool {
        self.next < self.cx.tree.words(self.node)
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
        self.cx.tree.word(self.node, self.from).unwrap_or_else(|| self.cx.tree.keyword(self.node))
    }

    /// Where the keyword stands.
    #[inline(never)]
    pub(super) fn at(&self) -> Position {
        self.keyword().at
    }

    /// How many words were taken, the keyword included.
    pub(super) fn taken(&self) -> usize {
        self.next
    }

    /// The next word, or an error that names the keyword and what is missing.
    pub fn need(&mut self, expected: &str) -> Option<Word<'t>> {
        self.need_one(&expected)
    }

    /// The same; what is missing is put into words only if it is.
    fn need_one(&mut self, expected: &dyn fmt::Display) -> Option<Word<'t>> {
        let word = self.word();
        if word.is_none() {
            let keyword = self.keyword();
            missing(self.cx, (self.node, &keyword), expected);
        }
        word
    }

    /// Reports a word that is not what was expected.
    pub fn invalid(&mut self, word: &Word<'_>, expected: &str) {
        self.wrong(Invalid::Form, word, &expected);
    }

    fn wrong(&mut self, why: Invalid, word: &Word<'_>, expected: &dyn fmt::Display) {
        let (keyword, left_out) = (self.keyword().text, line_or_block(self.cx.tree, self.node));
        let (code, is) = match why {
            Invalid::Form => (INVALID, "is not"),
            Invalid::Range => (RANGE, "is out of range, not"),
        };
        self.cx.error(
            code,
            word.at,
            format_args!("{keyword:.40}: {} {is} {expected}", Quoted(&word.text)),
            format_args!("write {expected}; the {left_out} is left out"),
        );
    }

    /// Takes the next word as a keyword of its own: messages about what follows name it.
    pub fn keyword_next(&mut self) -> Option<Word<'t>> {
        let word = self.word()?;
        self.from = self.next.saturating_sub(1);
        Some(word)
    }

    /// Reports that the keyword is understood and not supported; what else stands behind it is not looked at.
    pub fn unsupported(&mut self, instead: &str) {
        self.cx.unsupported(self.node, self.from, instead);
    }

    /// A whole number from the next word.
    pub fn integer(&mut self, min: u32, max: u32) -> Option<Given<u32>> {
        let expected = Numbers(min.into(), max.into());
        let word = self.need_one(&expected)?;
        match value::integer(&word.text, min, max) {
            Ok(value) => Some(Given { value, at: word.at }),
            Err(why) => {
                self.wrong(why, &word, &expected);
                None
            }
        }
    }

    /// A truth value from the next word; without one it is true.
    pub fn boolean(&mut self) -> Option<bool> {
        let Some(word) = self.word() else { return Some(true) };
        let value = value::boolean(&word.text);
        if value.is_none() {
            self.invalid(&word, "on, off, true, false, yes or no");
        }
        value
    }

    /// A time from the next word.
    pub fn timer(&mut self, min: Duration, max: Duration) -> Option<Given<Duration>> {
        let expected = Times(min, max);
        let word = self.need_one(&expected)?;
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
                self.wrong(why, &word, &expected);
                None
            }
        }
    }

    /// An IP address from the next word.
    pub fn address(&mut self) -> Option<Given<IpAddr>> {
        let word = self.need("an IP address")?;
        let address = self.host(&word);
        if address.is_none() {
            self.invalid(&word, "an IP address such as 192.0.2.1");
        }
        address.map(|value| Given { value, at: word.at })
    }

    /// A word as the address of a host. keepalived reads over a prefix length behind it: so do we, with a warning.
    pub fn host(&mut self, word: &Word<'_>) -> Option<IpAddr> {
        if let Ok(address) = word.text.parse() {
            return Some(address);
        }
        let (text, prefix) = word.text.split_once('/')?;
        let address: IpAddr = text.parse().ok()?;
        value::integer(prefix, 0, if address.is_ipv4() { 32 } else { 128 }).ok()?;
        self.cx.warn(
            TRAILING,
            word.at,
            format_args!("the `/{prefix}` behind the address is ignored"),
            format_args!("write `{address}`: this is the address of one host"),
        );
        Some(address)
    }
}

impl Line<'_, '_> {
    /// Looks at the value of an ignored keyword; false if it is missing or wrong, which is reported.
    pub(super) fn judge(&mut self, value: Value) -> bool {
        match value {
            Value::Words(count) => (0..count).all(|_| self.need("its value").is_some()),
            Value::Bool => {
                let word = self.word().filter(|word| value::boolean(&word.text).is_none());
                word.is_none_or(|word| self.refuse(&word, "on, off, true, false, yes or no"))
            }
            Value::Number(min, max) => {
                let (min, max) = (i64::from(min), i64::from(max));
                let expected = Numbers(min, max);
                let Some(word) = self.need_one(&expected) else { return false };
                let wrong = value::whole(&word.text, min, max).err();
                wrong.map(|why| self.wrong(why, &word, &expected)).is_none()
            }
            Value::Time(most) => self.timer(Duration::from_micros(1), Duration::from_micros(most)).is_some(),
            Value::OneOf(words) => {
                let word = self.word().filter(|word| !words.contains(&&*word.text));
                word.is_none_or(|word| self.refuse(&word, &words.join(" or ")))
            }
        }
    }

    fn refuse(&mut self, word: &Word<'_>, expected: &str) -> bool {
        self.invalid(word, expected);
        false
    }
}

fn missing(cx: &mut Context<'_>, (node, keyword): (NodeId, &Word<'_>), expected: &dyn fmt::Display) {
    cx.error(
        MISSING,
        keyword.at,
        format_args!("{} lacks its value", Quoted(&keyword.text)),
        format_args!(
            "write {expected} behind it on the same line; the {} is left out",
            line_or_block(cx.tree, node)
        ),
    );
}
