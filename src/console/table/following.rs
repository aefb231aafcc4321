//! What may follow where a word is being typed: for completion and for who asks.

use core::fmt;

use super::{GROUPS, JSON, Rows, SERVICE, is_own};
use crate::limits::MAX_COMMAND_BYTES;

/// The rows that the whole words of `typed` leave, and the word that is being typed behind them.
fn narrowed(typed: &str) -> Option<(Rows, &str)> {
    let (whole, partial) = typed.rsplit_once(' ').unwrap_or(("", typed));
    let mut rows = Rows::all();
    for word in whole.split_ascii_whitespace() {
        let fitting = rows.fitting(word.as_bytes());
        if fitting.is_empty() || fitting.words().nth(1).is_some() {
            return None;
        }
        rows = Rows { depth: rows.depth + 1, ..fitting };
    }
    Some((rows, partial))
}

/// Every word that may stand where the last one of `typed` is being typed, and what it means.
pub(in crate::console) fn follow(typed: &str, each: &mut dyn FnMut(&'static str, &'static str)) {
    let Some((rows, partial)) = narrowed(typed) else { return };
    let mut last = "";
    for row in rows.iter().filter(|row| !row.is_hidden()) {
        let Some(word) = row.words.get(rows.depth).filter(|word| word.starts_with(partial) && !is_own(word))
        else {
            continue;
        };
        if *word != last {
            let ends = row.words.get(rows.depth + 1).is_none_or(|next| is_own(next));
            let group = || GROUPS.iter().find(|(first, _)| first == word).map_or("", |(_, about)| about);
            each(word, if ends { row.help } else { group() });
        }
        last = word;
    }
    if rows.has_json() && JSON.starts_with(partial) {
        each(JSON, "the same for programs");
    }
}

/// The same for who asks what may follow: the end of a line included.
pub(in crate::console) fn hints(typed: &str, each: &mut dyn FnMut(&str, &str)) {
    follow(typed, &mut |word, help| each(word, help));
    if let Some((rows, "")) = narrowed(typed)
        && let Some((word, help)) =
            rows.iter().find_map(|row| Some((row.word(rows.depth).filter(|word| is_own(word))?, row.help)))
    {
        each(word, help);
    }
    if let Some((rows, "")) = narrowed(typed)
        && let Some(row) = rows.iter().find(|row| rows.depth > 0 && row.ends_at(rows.depth))
    {
        each("(Enter)", row.help);
    }
}

/// What to ask for the names that may stand where the last word of `typed` is being typed, and that word; `None` if
/// no name belongs there.
pub(in crate::console) fn question(typed: &str) -> Option<(heapless::String<MAX_COMMAND_BYTES>, &str)> {
    let (rows, partial) = narrowed(typed)?;
    let row = rows.iter().find(|row| row.words.get(rows.depth).is_some_and(|word| is_own(word)))?;
    let kind = if row.words.get(rows.depth) == Some(&SERVICE) { "service" } else { row.words.first()? };
    let mut question = heapless::String::new();
    fmt::write(&mut question, format_args!("complete {kind} {partial}")).ok()?;
    Some((question, partial))
}
