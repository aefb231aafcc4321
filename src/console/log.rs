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
    let mark = name.strip_prefix("fwmark ").map(str::trim_start);
    let is_mark = |mark: &str| {
        line.match_indices("FWM ").any(|(at, word)| {
            let rest = line.get(at + word.len()..).and_then(|rest| rest.strip_prefix(mark));
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
        })
    };
    super::show::why::mentions(line, name)
        || mark.is_some_and(is_mark)
        || super::endpoint::Endpoint::parse(name).is_some_and(|endpoint| endpoint.is_in(line))
}

/// What is said of lines that were overwritten before they could be read.
///
/// # Errors
/// Those of `out`.
pub fn lost(bytes: u64, out: &mut dyn Write) -> fmt::Result {
    if bytes == 0 { Ok(()) } else { writeln!(out, "({bytes} bytes were lost: the terminal is too slow)") }
}

#[cfg(test)]
mod tests {
    use super::is_about;

    #[test]
    fn a_line_about_a_mark_is_found_by_the_mark_as_it_is_configured() {
        let line = "Lost quorum 1-0=1 > 0 for VS FWM 7";
        for (name, expected) in
            [("fwmark 7", true), ("FWM 7", true), ("fwmark 70", false), ("fwmark x", false)]
        {
            assert_eq!(is_about(line, name), expected, "{name}");
        }
        assert!(!is_about("Lost quorum 1-0=1 > 0 for VS FWM 71", "fwmark 7"));
    }
}
