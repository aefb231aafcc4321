//! A row of a keyword table without its setter: what help prints of it. Rows of all tables are of one type here.

use core::fmt;

use super::keyword::{Keyword, Kind, OFF, Table, word};
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
    /// A block with one item a line.
    List,
    /// A block.
    Block,
    /// Ignored, and why nothing changes.
    Ignored(&'static str),
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
            Self::Free => f.write_str("a value, or nothing"),
            Self::List => f.write_str("a block with one item on each line"),
            Self::Block => f.write_str("a block"),
            Self::Only(values, _) => {
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("; nothing else yet")
            }
            Self::Ignored(_) | Self::Unsupported(_) | Self::Old(_) => Ok(()),
        }
    }
}

/// A table whatever its draft.
pub trait Rows {
    /// The row of this number.
    fn row(&self, index: usize) -> Option<Row>;
}

impl<B> Rows for Table<B> {
    fn row(&self, index: usize) -> Option<Row> {
        let row = self.keywords().nth(index)?;
        Some(Row { block: self.name, text: row.text, shape: shape(row) })
    }
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
        Kind::Free(_) | Kind::MayOpen(_) => Shape::Free,
        Kind::List(_) => Shape::List,
        Kind::Block(_) => Shape::Block,
        Kind::Ignored { why, .. } => Shape::Ignored(why),
        Kind::Unsupported(instead) => Shape::Unsupported(instead),
        Kind::Off(instead) => Shape::Only(OFF, instead),
        Kind::OldName(name) => Shape::Old(name),
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
