//! A row of a keyword table without its setter: what help prints of it, and what the walk needs to know. Rows of all
//! tables are of one type here, and so is a table with the draft that it fills: help and the walk are compiled once and
//! not for each type of draft.

use core::fmt;
use core::net::IpAddr;

use super::keyword::{Context, Given, Keyword, Kind, Line, OFF, Table, Value, word};
use super::tree::{NodeId, Position};
use crate::time::Duration;

/// A keyword as help knows it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The block it stands in, as messages name it.
    pub block: &'static str,
    /// `word|default|meaning`, and `|later` if it is only checked; see [`Keyword::text`].
    pub text: &'static str,
    /// What it takes.
    pub shape: Shape,
}

/// What a keyword takes, and what becomes of it: [`Kind`] without setters.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Nothing.
    Flag,
    /// A truth value or nothing.
    Bool,
    /// A whole number of this range.
    Integer(u32, u32),
    /// Seconds of this range.
    Timer(Duration, Duration),
    /// An IP address.
    Address,
    /// One word.
    Text,
    /// Words of this form.
    Words(&'static str),
    /// Words, or nothing.
    Free,
    /// The same, and perhaps a block behind them.
    MayOpen,
    /// A block with one item a line.
    List,
    /// A block.
    Block,
    /// Ignored, what must follow, and why nothing changes.
    Ignored(Value, &'static str),
    /// Not supported, and what to do instead.
    Unsupported(&'static str),
    /// These values are accepted; with others, what to do instead.
    Only(&'static [&'static str], &'static str),
    /// An old spelling of this word.
    Old(&'static str),
}

impl Row {
    /// The word.
    pub fn word(&self) -> &'static str {
        word(self.text)
    }

    /// The value that counts where the keyword is not given; empty for an old spelling.
    pub fn default(&self) -> &'static str {
        self.text.split('|').nth(1).unwrap_or("")
    }

    /// What it means, in a few words; empty for an old spelling.
    pub fn meaning(&self) -> &'static str {
        self.text.split('|').nth(2).unwrap_or("")
    }

    /// True if it is read and checked, and not acted on by this version.
    pub fn later(&self) -> bool {
        self.text.ends_with("|later")
    }
}

/// What is to be written behind the keyword; nothing if it is not said.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Flag => f.write_str("nothing"),
            Self::Bool => f.write_str("on or off; alone it means on"),
            Self::Integer(min, max) => Numbers(min.into(), max.into()).fmt(f),
            Self::Timer(min, max) => write!(f, "seconds with decimals, {min} to {max}"),
            Self::Address => f.write_str("an IP address"),
            Self::Text => f.write_str("one word"),
            Self::Words(expected) => f.write_str(expected),
            Self::Free | Self::MayOpen => f.write_str("a value, or nothing"),
            Self::List => f.write_str("a block with one item on each line"),
            Self::Block => f.write_str("a block"),
            Self::Only(values, _) => {
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("; nothing else yet")
            }
            Self::Ignored(..) | Self::Unsupported(_) | Self::Old(_) => Ok(()),
        }
    }
}

/// A table whatever its draft.
pub trait Rows {
    /// The block, as messages name it.
    fn name(&self) -> &'static str;

    /// The row of this number.
    fn row(&self, index: usize) -> Option<Row>;

    /// The row of a word: its number, and what it takes.
    fn shape_of(&self, word: &str) -> Option<(usize, Shape)>;
}

impl<B> Rows for Table<B> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn row(&self, index: usize) -> Option<Row> {
        let row = keyword(self, index)?;
        Some(Row { block: self.name, text: row.text, shape: shape(row) })
    }

    fn shape_of(&self, word: &str) -> Option<(usize, Shape)> {
        self.find(word).map(|(index, row)| (index, shape(row)))
    }
}

/// The words of a table.
pub(super) fn words(table: &dyn Rows) -> impl Iterator<Item = &'static str> {
    (0..).map_while(|index| table.row(index)).map(|row| row.word())
}

fn keyword<B>(table: &Table<B>, mut index: usize) -> Option<&'static Keyword<B>> {
    for part in table.rows {
        if let Some(row) = part.get(index) {
            return Some(row);
        }
        index -= part.len();
    }
    None
}

fn shape<B>(row: &Keyword<B>) -> Shape {
    match row.kind {
        Kind::Flag(_) => Shape::Flag,
        Kind::Bool(_) => Shape::Bool,
        Kind::Integer { min, max, .. } => Shape::Integer(min, max),
        Kind::Timer { min, max, .. } => Shape::Timer(min, max),
        Kind::Address(_) => Shape::Address,
        Kind::Text(_) => Shape::Text,
        Kind::Words { expected, .. } => Shape::Words(expected),
        Kind::Free(_) => Shape::Free,
        Kind::MayOpen(_) => Shape::MayOpen,
        Kind::List(_) => Shape::List,
        Kind::Block(_) => Shape::Block,
        Kind::Ignored { value, why } => Shape::Ignored(value, why),
        Kind::Unsupported(instead) => Shape::Unsupported(instead),
        Kind::Off(instead) => Shape::Only(OFF, instead),
        Kind::OldName(name) => Shape::Old(name),
    }
}

/// What a line gives to the setter of its row.
pub(super) enum Taken<'a, 'c, 't> {
    Flag(Position),
    Bool(Given<bool>),
    Integer(Given<u32>),
    Timer(Given<Duration>),
    Address(Given<IpAddr>),
    Text(Given<&'a str>),
    /// The words behind the keyword, or an item of a list.
    Line(&'a mut Line<'c, 't>),
    Block(&'a mut Context<'t>, NodeId),
}

/// A table with its draft, whatever the draft is.
pub(super) trait Fill {
    /// The table.
    fn table(&self) -> &dyn Rows;

    /// Calls the setter of the row of this number with what its shape asks for.
    fn fill(&mut self, row: usize, taken: Taken<'_, '_, '_>);
}

/// A table with the draft that its rows fill.
pub(super) struct Filled<'a, B: 'static> {
    pub(super) table: &'a Table<B>,
    pub(super) draft: &'a mut B,
}

impl<B> Fill for Filled<'_, B> {
    fn table(&self) -> &dyn Rows {
        self.table
    }

    fn fill(&mut self, row: usize, taken: Taken<'_, '_, '_>) {
        let (Some(Keyword { kind, .. }), draft) = (keyword(self.table, row), &mut *self.draft) else {
            return;
        };
        match (kind, taken) {
            (Kind::Flag(set), Taken::Flag(at)) => set(draft, at),
            (Kind::Bool(set), Taken::Bool(given)) => set(draft, given),
            (Kind::Integer { set, .. }, Taken::Integer(given)) => set(draft, given),
            (Kind::Timer { set, .. }, Taken::Timer(given)) => set(draft, given),
            (Kind::Address(set), Taken::Address(given)) => set(draft, given),
            (Kind::Text(set), Taken::Text(given)) => set(draft, given),
            (Kind::Words { set, .. } | Kind::Free(set) | Kind::List(set), Taken::Line(line)) => {
                set(draft, line)
            }
            (Kind::Block(set) | Kind::MayOpen(set), Taken::Block(cx, node)) => set(draft, cx, node),
            _ => debug_assert!(false, "the walk gives what the shape of the row asks for"),
        }
    }
}

/// "a number from 1 to 255".
pub(super) struct Numbers(pub(super) i64, pub(super) i64);

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(min, max) = self;
        if *max >= i64::from(u32::MAX) {
            write!(f, "a number from {min}")
        } else {
            write!(f, "a number from {min} to {max}")
        }
    }
}

/// "0 to 4294.967 seconds"; a bound below a millisecond would look like zero.
pub(super) struct Times(pub(super) Duration, pub(super) Duration);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(min, max) = self;
        if !min.is_zero() && *min < Duration::from_millis(1) {
            write!(f, "more than 0 and at most {max} seconds")
        } else {
            write!(f, "{min} to {max} seconds")
        }
    }
}
