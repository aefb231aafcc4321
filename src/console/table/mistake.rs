//! What is said of a line that is no command.

use core::fmt;

use super::{Rows, is_own};
use crate::console::text::Clean;
use crate::limits::MAX_COMMAND_BYTES;

/// Why a line is not a command. Displays as a sentence for the operator, safe for a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake<'a> {
    /// Nothing but blanks.
    Empty,
    /// Longer than [`MAX_COMMAND_BYTES`].
    TooLong,
    /// No command has this word there.
    Unknown {
        /// The word.
        word: &'a [u8],
        /// The known word that resembles it.
        nearest: Option<&'static str>,
    },
    /// The word stands for several.
    Ambiguous {
        /// The word.
        word: &'a [u8],
        /// Rows of the table, as bits.
        rows: Rows,
    },
    /// More words are needed.
    Incomplete {
        /// The rows that are still possible.
        rows: Rows,
    },
}

impl fmt::Display for Mistake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, rows: Rows| {
            rows.words()
                .enumerate()
                .try_for_each(|(place, word)| write!(f, "{}{word}", if place == 0 { "" } else { ", " }))
        };
        match *self {
            Self::Empty => f.write_str("no command; `help` lists them"),
            Self::TooLong => write!(f, "longer than {MAX_COMMAND_BYTES} bytes"),
            Self::Unknown { word, nearest: Some(nearest) } => {
                write!(f, "unknown word `{}`: did you mean `{nearest}`?", Clean(word))
            }
            Self::Unknown { word, nearest: None } => {
                write!(f, "unknown word `{}`; `help` lists the commands", Clean(word))
            }
            Self::Ambiguous { word, rows } => {
                write!(f, "`{}` may be ", Clean(word))?;
                list(f, rows)
            }
            Self::Incomplete { rows } => {
                let known = rows.iter().next().and_then(|row| row.words.get(..rows.depth)).unwrap_or(&[]);
                known.iter().try_for_each(|word| write!(f, "{word} "))?;
                match rows.words().next() {
                    Some(word) if is_own(word) => write!(f, "needs {word}"),
                    _ => {
                        f.write_str("what? One of ")?;
                        list(f, rows)
                    }
                }
            }
        }
    }
}
