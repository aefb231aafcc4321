//! Lines of canonical text: indent, keyword, value, and whether it is the default; words that are quoted where they
//! must be.

use core::fmt::{self, Display, Write};

use super::Style;
use crate::time::Duration;

/// Where lines go.
pub(super) struct Page<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) style: Style,
}

impl Page<'_> {
    /// `keyword value`, `depth` blocks deep.
    pub(super) fn line(&mut self, depth: usize, keyword: &str, value: &dyn Display) -> fmt::Result {
        self.write(depth, "", keyword, value, "\n")
    }

    /// The same as a comment if that is what happens anyway.
    pub(super) fn rated(
        &mut self,
        depth: usize,
        keyword: &str,
        value: &dyn Display,
        default: bool,
    ) -> fmt::Result {
        let (before, behind) = if default { ("# ", " (default)\n") } else { ("", "\n") };
        self.write(depth, before, keyword, value, behind)
    }

    /// A truth value that is off by default.
    pub(super) fn switch(&mut self, depth: usize, keyword: &str, on: bool) -> fmt::Result {
        self.rated(depth, keyword, &if on { "on" } else { "off" }, !on)
    }

    /// Numbers and their defaults.
    pub(super) fn numbers(&mut self, depth: usize, rows: &[(&str, u32, u32)]) -> fmt::Result {
        rows.iter()
            .try_for_each(|(keyword, value, default)| self.rated(depth, keyword, value, value == default))
    }

    /// Times and their defaults.
    pub(super) fn times(&mut self, depth: usize, rows: &[(&str, Duration, Duration)]) -> fmt::Result {
        rows.iter().try_for_each(|(keyword, value, default)| {
            self.rated(depth, keyword, &Seconds(*value), value == default)
        })
    }

    /// A keyword alone.
    pub(super) fn flag(&mut self, depth: usize, keyword: &str) -> fmt::Result {
        self.write(depth, "", keyword, &"", "\n")
    }

    /// `keyword name {`, the name being empty for a block without one.
    pub(super) fn open(&mut self, depth: usize, keyword: &str, name: &dyn Display) -> fmt::Result {
        self.write(depth, "", keyword, name, " {\n")
    }

    /// An empty line between two blocks of the top level.
    pub(super) fn gap(&mut self) -> fmt::Result {
        self.out.write_char('\n')
    }

    /// `}`
    pub(super) fn close(&mut self, depth: usize) -> fmt::Result {
        self.write(depth, "", "}", &"", "\n")
    }

    /// A word of the operator's.
    pub(super) fn word<'w>(&self, text: &'w str) -> Word<'w> {
        Word { text, longest: self.style.longest }
    }

    fn write(
        &mut self,
        depth: usize,
        before: &str,
        keyword: &str,
        value: &dyn Display,
        behind: &str,
    ) -> fmt::Result {
        for _ in 0..depth {
            self.out.write_str("    ")?;
        }
        self.out.write_str(before)?;
        self.out.write_str(keyword)?;
        write!(Behind { out: self.out, started: keyword.is_empty() }, "{value}")?;
        self.out.write_str(behind)
    }
}

/// Sets a blank before a value, if there is one.
struct Behind<'a> {
    out: &'a mut dyn Write,
    started: bool,
}

impl Write for Behind<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !self.started && !text.is_empty() {
            self.started = true;
            self.out.write_char(' ')?;
        }
        self.out.write_str(text)
    }
}

/// A word as the reader takes it for one: quoted unless it is plain.
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) longest: usize,
}

/// True for a word that means nothing else without quotes.
pub(super) fn is_plain(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,+*=%?&;@[]()|^".contains(&byte);
    !word.is_empty() && word.bytes().all(plain)
}

impl Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.text.floor_char_boundary(self.longest);
        let (text, rest) = self.text.split_at_checked(end).unwrap_or((self.text, ""));
        let quote = if is_plain(text) { "" } else { "\"" };
        f.write_str(quote)?;
        f.write_str(text)?;
        f.write_str(quote)?;
        if rest.is_empty() { Ok(()) } else { f.write_str("...") }
    }
}

/// Seconds with as many decimals as they need, down to microseconds.
pub(super) struct Seconds(pub(super) Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs())?;
        let (mut rest, mut digits) = (self.0.as_micros() % 1_000_000, 6);
        if rest == 0 {
            return Ok(());
        }
        while rest % 10 == 0 {
            (rest, digits) = (rest / 10, digits - 1);
        }
        write!(f, ".{rest:0digits$}")
    }
}
