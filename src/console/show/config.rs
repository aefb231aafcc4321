//! `show config`: the configuration in force in canonical form ([`canonical`]), passwords hidden. As JSON it is the
//! list of its lines. A word over 512 bytes is cut, so that every row fits a buffer.

use core::fmt::{self, Write};

use crate::config::canonical::{self, Passwords, Style};
use crate::console::answer::{Next, Place};
use crate::console::json::Escaped;
use crate::console::view::View;

/// In JSON a control character of one byte has six.
const STYLE: Style = Style { passwords: Passwords::Hidden, longest: 512 };

pub(in crate::console) fn text(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    row(view, place, &mut Clean(out))
}

pub(in crate::console) fn json(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    if place == Place::default() {
        out.write_str("{\"lines\":[")?;
    }
    let mut strings = Strings { out, first: place == Place::default(), inside: false };
    let next = row(view, place, &mut strings)?;
    if next.is_none() {
        out.write_str("]}\n")?;
    }
    Ok(next)
}

fn row(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    let Place { phase, row, sub, leaf } = place;
    let place = canonical::Place { phase, row, sub, leaf };
    let next = canonical::row(view.director.config(), STYLE, place, out)?;
    Ok(next.map(|canonical::Place { phase, row, sub, leaf }| Place { phase, row, sub, leaf }))
}

/// Lines for a terminal: a control character in a name becomes a question mark.
struct Clean<'a>(&'a mut dyn Write);

impl Write for Clean<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let harmless = |character: char| character == '\n' || !character.is_control();
        text.chars().try_for_each(|it| self.0.write_char(if harmless(it) { it } else { '?' }))
    }
}

/// Each line as a string of a list.
struct Strings<'a> {
    out: &'a mut dyn Write,
    first: bool,
    /// A string is open.
    inside: bool,
}

impl Write for Strings<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive('\n') {
            if !self.inside {
                self.out.write_str(if self.first { "\"" } else { ",\"" })?;
                (self.first, self.inside) = (false, true);
            }
            write!(Escaped(self.out), "{}", part.trim_end_matches('\n'))?;
            if part.ends_with('\n') {
                self.out.write_char('"')?;
                self.inside = false;
            }
        }
        Ok(())
    }
}
