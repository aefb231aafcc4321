//! What `lvsbox help keyword` says, made of the rows of the keyword tables. At most 80 columns wide.

use core::fmt::{self, Write as _};

use super::keywords::rows;
use crate::syntax::nearest::nearest;
use crate::syntax::walk::Place;
use crate::syntax::{Row, Shape};

/// Columns of a serial console.
const COLUMNS: usize = 80;

/// The blocks, or all about one keyword, or the keywords of one block; a word may be both. Without newline at the end.
///
/// # Errors
///
/// There is no such word; the text names the nearest one.
#[inline(never)]
pub fn keyword(name: &str) -> Result<String, String> {
    let mut text = String::new();
    if name.is_empty() {
        blocks(&mut text);
    }
    entries(&mut text, name);
    let name = if matches!(name, "top" | "top level") { "the top level" } else { name };
    if rows().any(|row| row.block == name) {
        block(&mut text, name);
    }
    text.truncate(text.trim_end().len());
    if !text.is_empty() {
        return Ok(text);
    }
    let near = nearest(name, &mut rows().map(|row| row.word()));
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(format!("there is no keyword {}{near}", crate::syntax::diagnostic::Quoted(name)))
}

fn blocks(text: &mut String) {
    text.push_str("`lvsbox help keyword BLOCK` lists the keywords of a block:\n");
    let mut last = "";
    for row in rows() {
        if row.block != last {
            last = row.block;
            let count = rows().filter(|row| row.block == last).count();
            line(text, format_args!("  {last:20} {count}"));
        }
    }
}

fn block(text: &mut String, name: &str) {
    let words = || rows().filter(|row| row.block == name);
    let width = words().map(|row| row.word().len()).max().unwrap_or(0);
    line(text, format_args!("Keywords {}:", Place(name)));
    for row in words() {
        let mark = if matches!(row.shape, Shape::Ignored(..)) {
            "ignored: "
        } else if row.later() || matches!(row.shape, Shape::Unsupported(_)) {
            "not supported: "
        } else {
            ""
        };
        let mut shown = format!("  {:width$}  {mark}{}", row.word(), row.meaning());
        if let Shape::Old(name) = row.shape {
            let _ = write!(shown, "old spelling of {name}");
        }
        let (word, meaning) = shown.split_at_checked(width + 4).unwrap_or((&shown, ""));
        paragraph(text, word, width + 4, meaning);
    }
}

/// All about a keyword: blocks in which it means the same share an entry.
fn entries(text: &mut String, name: &str) {
    let mut told: Vec<(String, String)> = Vec::new();
    for row in rows().filter(|row| row.word() == name) {
        let (place, mut body) = (Place(row.block).to_string(), String::new());
        entry(&mut body, &row);
        match told.iter_mut().find(|(_, same)| *same == body) {
            Some((places, _)) => {
                let _ = write!(places, ", {}", place.trim_start_matches("in "));
            }
            None => told.push((place, body)),
        }
    }
    for (places, body) in told {
        paragraph(text, &format!("{name}, "), name.len() + 2, &places);
        text.push_str(&body);
    }
}

fn entry(text: &mut String, row: &Row) {
    if let Shape::Old(name) = row.shape {
        part(text, "meaning", &format!("an old spelling of `{name}`, which works with a warning"));
        return text.push('\n');
    }
    part(text, "meaning", row.meaning());
    // What may stand behind such a word is part of its meaning.
    if !matches!(row.shape, Shape::Free | Shape::MayOpen) {
        part(text, "value", &row.shape.to_string());
    }
    part(text, "default", row.default());
    let (says, why) = if let Shape::Ignored(_, why) = row.shape {
        ("ignored with a warning, it changes nothing here: ", why)
    } else if let Shape::Unsupported(instead) = row.shape {
        ("not supported by this version: ", instead)
    } else if let Shape::Only(_, instead) = row.shape {
        ("other values are not supported by this version: ", instead)
    } else if row.later() {
        ("not supported by this version: ", "what is written is checked only")
    } else {
        return text.push('\n');
    };
    part(text, "but", &format!("{says}{why}"));
    text.push('\n');
}

fn part(text: &mut String, label: &str, body: &str) {
    if !body.is_empty() {
        paragraph(text, &format!("  {label:8}"), 10, body);
    }
}

/// A text broken between words behind a label; later lines are indented.
pub(super) fn paragraph(text: &mut String, label: &str, indent: usize, body: &str) {
    text.push_str(label);
    let mut used = indent;
    for (index, word) in body.split(' ').enumerate() {
        let len = word.chars().count();
        if index > 0 && used + 1 + len > COLUMNS {
            let _ = write!(text, "\n{:indent$}{word}", "");
            used = indent + len;
        } else {
            let blank = usize::from(index > 0);
            let _ = write!(text, "{:blank$}{word}", "");
            used += blank + len;
        }
    }
    text.push('\n');
}

/// Writing to a string cannot fail.
fn line(text: &mut String, what: fmt::Arguments<'_>) {
    let _ = writeln!(text, "{what}");
}
