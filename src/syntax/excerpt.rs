//! The source line of a diagnostic: one line of at most 80 columns, harmless on a terminal, without passwords.

use super::tree::{Position, Tree};

/// Columns of a serial console.
pub(super) const COLUMNS: usize = 80;

/// A source line as shown, and what of it is underlined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Excerpt {
    pub(super) column: u32,
    /// Column behind the last character that is meant.
    pub(super) end: u32,
    pub(super) line: String,
    pub(super) indent: usize,
    pub(super) carets: usize,
}

/// A character that may be shown: nothing that moves the cursor, hides or reorders text.
pub(super) fn harmless(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => '?',
        c if c.is_control() => '?',
        c => c,
    }
}

/// What stands at `at`, cut around the caret to `width` columns.
pub(super) fn excerpt(tree: &Tree, at: Position, width: usize) -> Excerpt {
    let (source, byte) = tree.line_around(at);
    let start = source.get(..byte).unwrap_or(source).chars().count();
    let marked = source.get(byte..).unwrap_or("");
    let len = marked.char_indices().take_while(|(index, _)| *index < at.len as usize).count().max(1);
    let column = super::tree::narrow(start) + 1;
    let end = super::tree::narrow(start + len) + 1;
    let line: Vec<char> = mask(source);
    if line.len() <= width {
        return Excerpt { column, end, line: line.iter().collect(), indent: start, carets: len.min(width) };
    }
    let from = if start + len + 3 <= width { 0 } else { start.saturating_sub(width / 4) };
    let mut window: Vec<char> = line.iter().skip(from).take(width).copied().collect();
    if from > 0 {
        window.iter_mut().take(3).for_each(|c| *c = '.');
    }
    if from + width < line.len() {
        window.iter_mut().rev().take(3).for_each(|c| *c = '.');
    }
    let indent = start - from;
    Excerpt {
        column,
        end,
        line: window.into_iter().collect(),
        indent,
        carets: len.min(width - indent.min(width)),
    }
}

/// The line with everything behind a word that announces a secret replaced by stars: the reader's own diagnostics
/// know no keyword, and a misspelt one is followed by a password as well.
fn mask(source: &str) -> Vec<char> {
    let lower = source.to_ascii_lowercase();
    let secret = ["pass", "auth_", "secret", "key"]
        .iter()
        .filter_map(|word| lower.find(word))
        .min()
        .and_then(|found| {
            let ends = |c: char| c.is_whitespace() || matches!(c, '=' | ':');
            lower.get(found..).and_then(|rest| rest.find(ends)).map(|n| found + n)
        })
        .unwrap_or(source.len());
    let shown = |(index, c): (usize, char)| match harmless(c) {
        c if index < secret || matches!(c, ' ' | '{' | '}') => c,
        _ => '*',
    };
    source.char_indices().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::tree::FileId;

    fn of(text: &str, word: &str, width: usize) -> Excerpt {
        let tree = Tree::new("t", text.into());
        let offset = super::super::tree::narrow(text.find(word).unwrap());
        let at = Position {
            file: FileId(0),
            line: 1,
            offset,
            len: super::super::tree::narrow(word.len()),
            via: 0,
        };
        excerpt(&tree, at, width)
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{} bad {}", "a".repeat(200), "b".repeat(200));
        let shown = of(&text, "bad", 40);
        assert_eq!(shown.line.chars().count(), 40);
        assert!(shown.line.starts_with("...") && shown.line.ends_with("..."));
        assert_eq!(shown.line.chars().skip(shown.indent).take(shown.carets).collect::<String>(), "bad");
        assert_eq!(shown.column, 202);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(of("a\x1b[2J\u{202e}b\tbad", "bad", 40).line, "a?[2J?b bad");
    }

    #[test]
    fn what_follows_a_word_for_a_secret_is_stars() {
        assert_eq!(of("  auth_pass hunter2 # old: x", "auth_pass", 40).line, "  auth_pass ******* * **** *");
        assert_eq!(of("  Auth_Psas hunter2", "Auth", 40).line, "  Auth_Psas *******");
        assert_eq!(of("  auth_pass=hunter2", "auth", 40).line, "  auth_pass********");
    }
}
