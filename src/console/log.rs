//! Lines of the log as answers: as they are, or as JSON. What is handed over are whole lines.

use core::fmt::{self, Write};

use super::json::Object;
use super::json::Shown;
use super::json::Value;

/// Lines as strings of a list that others open and close; `first` is true before the first of them.
///
/// # Errors
/// Those of `out`: twice the bytes of `lines` and four for each line fit always.
pub fn json_items(lines: &str, first: &mut bool, out: &mut dyn Write) -> fmt::Result {
    lines.lines().try_for_each(|line| {
        out.write_str(if core::mem::take(first) { "\n" } else { ",\n" })?;
        Shown(line).write(out)
    })
}

/// Lines as one object each, for a program that follows.
///
/// # Errors
/// Those of `out`.
pub fn json_objects(lines: &str, out: &mut dyn Write) -> fmt::Result {
    lines.lines().try_for_each(|line| {
        let mut object = Object::begin(out)?;
        object.field("line", line)?;
        object.end()?;
        out.write_char('\n')
    })
}

/// True if a line is about what is called so, as a whole word; a real server or service may be written in either form.
pub fn is_about(line: &str, name: &str) -> bool {
    super::show::why::mentions(line, name)
        || super::endpoint::Endpoint::parse(name).is_some_and(|endpoint| endpoint.is_in(line))
}

/// What is said of lines that were overwritten before they could be read.
///
/// # Errors
/// Those of `out`.
pub fn lost(bytes: u64, out: &mut dyn Write) -> fmt::Result {
    if bytes == 0 { Ok(()) } else { writeln!(out, "({bytes} bytes were lost: the terminal is too slow)") }
}
