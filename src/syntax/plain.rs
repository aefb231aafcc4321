//! The lines that most of a large file consists of: words, and perhaps a `{` behind them; a brace alone; nothing.
//!
//! They are taken in one pass, byte by byte. Any other line (a comment, a quote, a sign for `expand.rs`, something
//! behind a brace) is left to `reader.rs` as if nobody had looked at it; that is where the rules are.

use super::diagnostic::Diagnostics;
use super::reader::Reader;
use super::tree::{FileId, NodeId, Token, Tree, narrow};
use crate::limits::MAX_LINE_BYTES;

/// Of a byte that is no part of a plain word.
const OTHER: u8 = 1;
/// Of those the blanks.
const BLANK: u8 = 2;

static SIGNS: [u8; 256] = {
    let mut signs = [0; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        signs[byte as usize] = match byte {
            b' ' | b'\t' | 0x0b..=b'\r' => BLANK,
            0 | b'\n' | b'"' | b'#' | b'!' | b'\\' | b'$' | b'@' | b'~' | b'{' | b'}' => OTHER,
            _ => 0,
        };
        byte += 1;
    }
    signs
};

/// A line that was taken.
struct Plain {
    /// Its statement, if there are words.
    node: Option<NodeId>,
    /// Its brace.
    brace: Option<(usize, u8)>,
    /// Where it ends.
    newline: usize,
}

impl Reader {
    /// Takes the next line if it is a plain one.
    pub(super) fn read_plain(&mut self, diagnostics: &mut Diagnostics) -> bool {
        if !self.is_between_lines() {
            return false;
        }
        let Some(Plain { node, brace, newline }) = self.tree.push_plain(self.file, self.line, self.at) else {
            return false;
        };
        self.take_plain(node, brace, diagnostics);
        self.at = newline + 1;
        self.line += 1;
        true
    }

    /// True if the next line is neither the rest of one nor in a place where it means something else.
    fn is_between_lines(&self) -> bool {
        !self.skipping && self.too_deep == 0 && self.current.is_none() && !self.expansion.is_defining()
    }

    /// What becomes of a line of words, perhaps with a brace behind them.
    fn take_plain(
        &mut self,
        node: Option<NodeId>,
        brace: Option<(usize, u8)>,
        diagnostics: &mut Diagnostics,
    ) {
        if node.is_some() {
            self.pending = node;
        }
        match brace {
            Some((at, b'{')) => self.open_block(at, diagnostics),
            Some((at, _)) => self.close_block(at, diagnostics),
            None => {}
        }
    }
}

impl Tree {
    /// Adds the statement of a plain line, if it is one.
    #[inline(always)]
    fn push_plain(&mut self, file: FileId, line: u32, start: usize) -> Option<Plain> {
        let text = self.files.get(usize::from(file.0))?.text.as_bytes();
        let text = text.get(..text.len().min(start + MAX_LINE_BYTES + 1))?;
        let first = self.tokens.len();
        let Some((newline, brace)) = scan(text, start, &mut self.tokens) else {
            self.tokens.truncate(first);
            return None;
        };
        let node = (self.tokens.len() > first).then(|| self.push_node(file, line, start, first));
        Some(Plain { node, brace, newline })
    }
}

/// Adds the words of a line. The newline and the brace; nothing if it is not plain.
#[inline(always)]
fn scan(text: &[u8], start: usize, words: &mut Vec<Token>) -> Option<(usize, Option<(usize, u8)>)> {
    let (mut at, mut brace, first) = (start, None, words.len());
    loop {
        let word = at;
        let mut byte = *text.get(at)?;
        while SIGNS[usize::from(byte)] == 0 {
            at += 1;
            byte = *text.get(at)?;
        }
        if at > word {
            let include = words.len() == first
                && text.get(word) == Some(&b'i')
                && text.get(word..).is_some_and(|it| it.starts_with(b"include"));
            if include || brace.is_some() {
                return None;
            }
            words.push(Token { offset: narrow(word), len: u16::try_from(at - word).ok()?, escaped: false });
        }
        match byte {
            b'\n' => return Some((at, brace)),
            b'{' if brace.is_none() => brace = Some((at, byte)),
            b'}' if brace.is_none() && words.len() == first => brace = Some((at, byte)),
            byte if SIGNS[usize::from(byte)] != BLANK => return None,
            _ => {}
        }
        at += 1;
        while text.get(at) == Some(&b' ') {
            at += 1;
        }
    }
}
