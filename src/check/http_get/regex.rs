//! `regex` of a url: its keywords, and what a body that came or ended means for it.
//!
//! keepalived keeps what could still match and searches it again with what follows (PCRE2's partial matching); here the
//! search itself goes on, and nothing is kept of the body but its first bytes for `why`.

use std::rc::Rc;

use super::super::keywords::UrlDraft;
use super::super::pattern::{Flaw, Options, Pattern, Search, Window};
use super::super::{Evidence, Failure, text};
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::{INVALID, MISSING, Value};
use crate::syntax::{Context, Keyword, Kind, Line, Position};

/// What a good body does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Wish {
    /// It matches.
    #[default]
    Match,
    /// It does not: `regex_no_match`.
    NoMatch,
}

/// A pattern and what is wished of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Regex {
    /// The pattern, shared with all equal ones.
    pub pattern: Rc<Pattern>,
    /// What a good body does.
    pub wish: Wish,
    /// Where a match may begin.
    pub window: Window,
}

/// The keywords of a pattern as written.
#[derive(Debug, Default)]
pub struct Draft {
    /// `regex`: its bytes, and which byte of the word each begins at.
    text: Option<(Vec<u8>, Vec<u32>, Position)>,
    options: Options,
    wish: Wish,
    min: u32,
    max: Option<u32>,
    /// The first keyword that needs a `regex`.
    other: Option<Position>,
}

/// Its rows in `url`.
pub(in crate::check) const ROWS: &[Keyword<UrlDraft>] = &[
    Keyword {
        text: "regex|none|pattern that a good body matches",
        kind: Kind::Words { expected: "a pattern; `\\\\d` is a digit", set: text },
    },
    Keyword {
        text: "regex_no_match|off|a good body does not match it",
        kind: Kind::Flag(|b, at| (b.regex.wish, b.regex.other) = (Wish::NoMatch, Some(at))),
    },
    Keyword {
        text: "regex_options|none|how the pattern is read",
        kind: Kind::Words { expected: "options such as caseless or multiline", set: options },
    },
    Keyword {
        text: "regex_stack|none|memory of the pattern",
        kind: Kind::Ignored { value: Value::Words(2), why: "patterns are matched without a stack" },
    },
    Keyword {
        text: "regex_min_offset|0|where in the body a match may begin",
        kind: Kind::Integer {
            min: 0,
            max: u32::MAX - 1,
            set: |b, given| (b.regex.min, b.regex.other) = (given.value, Some(given.at)),
        },
    },
    Keyword {
        text: "regex_max_offset|none|where in the body a match must have begun",
        kind: Kind::Integer {
            min: 0,
            max: u32::MAX - 1,
            set: |b, given| (b.regex.max, b.regex.other) = (Some(given.value), Some(given.at)),
        },
    },
];

/// The word, or the words between `'` and `'`, with the escapes that keepalived replaces before PCRE sees them.
fn text(draft: &mut UrlDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    let (mut written, mut at) = (word.text.clone().into_owned(), word.at);
    if written.starts_with('\'') {
        while !(written.len() > 1 && written.ends_with('\'')) {
            let Some(more) = line.word() else { break };
            let blanks = more.at.offset.saturating_sub(at.offset + at.len).clamp(1, 80);
            (0..blanks).for_each(|_| written.push(' '));
            written.push_str(&more.text);
            at.len = (more.at.offset + more.at.len).saturating_sub(at.offset);
        }
        let inner = written.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        written = inner.unwrap_or_default().to_owned();
        (at.offset, at.len) = (at.offset + 1, at.len.saturating_sub(2));
    }
    let (bytes, places, lost) = text::shell(&written);
    if let Some(place) = lost {
        line.cx.warn(
            INVALID,
            narrowed(at, place, 2),
            format_args!("regex: this backslash is gone before the pattern is read, as with keepalived"),
            format_args!("write two of them"),
        );
    }
    if bytes.is_empty() {
        return line.invalid(&word, "a pattern");
    }
    // Where a piece of the word was replaced, places in it mean nothing.
    let exact = usize::try_from(at.len).is_ok_and(|len| len == written.len());
    draft.regex.text = Some((bytes, if exact { places } else { Vec::new() }, at));
}

fn narrowed(at: Position, place: u32, len: u32) -> Position {
    if place < at.len {
        Position { offset: at.offset + place, len: len.min(at.len - place), ..at }
    } else {
        at
    }
}

fn options(draft: &mut UrlDraft, line: &mut Line<'_, '_>) {
    draft.regex.other = Some(line.keyword().at);
    while let Some(word) = line.word() {
        for name in word.text.split_ascii_whitespace() {
            if !draft.regex.options.add(name) {
                line.cx.warn(
                    INVALID,
                    word.at,
                    format_args!("regex_options: {} changes nothing here", Quoted(name)),
                    format_args!(
                        "caseless, dollar_endonly, dotall, extended, firstline and multiline are obeyed; \
                         bytes are matched, not characters"
                    ),
                );
            }
        }
    }
}

impl Draft {
    /// The pattern, when the whole block was read; nothing, and what is wrong with it reported, if it is none.
    pub(in crate::check) fn finish(&self, cx: &mut Context<'_>) -> Option<Regex> {
        let Some((bytes, places, at)) = &self.text else {
            if let Some(at) = self.other {
                cx.warn(
                    MISSING,
                    at,
                    format_args!("regex parameters without a `regex` change nothing"),
                    format_args!("write `regex` and a pattern in this block"),
                );
            }
            return None;
        };
        let window = Window { min: self.min, max: self.max.unwrap_or(u32::MAX) };
        let flaw = match Pattern::new(bytes, self.options) {
            Ok(_) if window.min > window.max => {
                Flaw { at: 0, what: "regex_min_offset is beyond regex_max_offset" }
            }
            Ok(pattern) => return Some(Regex { pattern, wish: self.wish, window }),
            Err(flaw) => flaw,
        };
        let place = places.get(flaw.at).or(places.last()).map_or(*at, |place| narrowed(*at, *place, 1));
        cx.error(
            INVALID,
            place,
            format_args!("regex: {} (byte {} of the pattern)", flaw.what, flaw.at),
            format_args!("write it another way; the pattern is left out and the body not looked at"),
        );
        None
    }
}

/// A body that is being looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Looking {
    search: Search,
    /// What the body begins with.
    pub(super) head: Evidence,
}

impl Looking {
    pub(super) fn feed(&mut self, regex: &Regex, bytes: &[u8]) {
        self.head.add(bytes);
        self.search.feed(&regex.pattern, regex.window, bytes);
    }

    /// Bytes that may come in one turn.
    pub(super) fn appetite(&self, regex: &Regex) -> usize {
        if self.search.is_settled(regex.window) { usize::MAX } else { regex.pattern.appetite() }
    }

    /// What is wrong with the body, now that it has ended.
    pub(super) fn end(&self, regex: &Regex) -> Option<Failure> {
        let found = self.search.clone().end(&regex.pattern, regex.window);
        match (regex.wish, found) {
            (Wish::Match, false) => Some(Failure::Unmatched),
            (Wish::NoMatch, true) => Some(Failure::Matched),
            (Wish::Match, true) | (Wish::NoMatch, false) => None,
        }
    }
}
