//! Patterns of `regex`: PCRE's notation, matched while the bytes arrive.
//!
//! Only whether there is a match is asked, so a set of states is all that is kept: no body, no capture, no
//! backtracking, and a byte costs at most one step per state whatever the server sends. What a set of states cannot do
//! (look-around, back-references and the like) is refused with its place by [`parse`]. Bytes are matched, not
//! characters, as PCRE does without `utf`.

use core::cell::RefCell;
use core::fmt;
use core::hash::{Hash, Hasher};
use std::rc::{Rc, Weak};

use crate::limits::{MAX_PATTERN_STATES, MAX_PATTERNS};

mod class;
mod parse;

/// 64-bit words of a set of states.
const WORDS: usize = MAX_PATTERN_STATES / 64;
/// Steps of states in one turn of the loop: about half a millisecond.
const STEPS: usize = 1 << 16;
/// What a byte costs besides, in steps.
const BYTE: usize = 4;

/// Options of PCRE by their names in `regex_options`, bit by bit, that change what matches.
const NAMES: [&str; 6] = ["caseless", "dollar_endonly", "dotall", "extended", "firstline", "multiline"];
/// Those that change how, or what of, but never whether.
const IDLE: &str = " auto_callout dupnames match_unset_backref never_ucp never_utf no_auto_capture \
                    no_auto_possess no_dotstar_anchor no_start_optimize ungreedy never_backslash_c \
                    alt_verbnames use_offset_limit ";

/// Options of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Options(u8);

impl Options {
    const CASELESS: Self = Self(1);
    const DOLLAR_ENDONLY: Self = Self(2);
    const DOTALL: Self = Self(4);
    const EXTENDED: Self = Self(8);
    const FIRSTLINE: Self = Self(16);
    const MULTILINE: Self = Self(32);

    /// Adds one by its name in `regex_options`; false if it is none that can be obeyed.
    pub fn add(&mut self, name: &str) -> bool {
        let found = NAMES.iter().position(|known| *known == name);
        self.0 |= found.map_or(0, |bit| 1 << bit);
        found.is_some() || IDLE.split(' ').any(|idle| idle == name && !name.is_empty())
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn set(&mut self, other: Self, on: bool) {
        self.0 = if on { self.0 | other.0 } else { self.0 & !other.0 };
    }

    /// True without one.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// As in `regex_options`.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = NAMES.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 != 0);
        let mut blank = "";
        for (_, name) in set {
            write!(f, "{blank}{name}")?;
            blank = " ";
        }
        Ok(())
    }
}

/// Bytes that match.
type Class = [u64; 4];

/// What must be so between two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assertion {
    Start,
    LineStart,
    /// The end, or a line feed that is the last byte.
    End,
    VeryEnd,
    LineEnd,
    Boundary,
    NoBoundary,
}

/// A state. Jumps are relative, so that a piece of program can be moved and repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Byte(u8),
    Class(u16),
    Assert(Assertion),
    Split(i16, i16),
    Jump(i16),
    Match,
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaw {
    /// Byte of the pattern where it begins.
    pub at: usize,
    /// What: "look-ahead is not supported".
    pub what: &'static str,
}

/// A compiled pattern; equal ones are one.
#[derive(Debug)]
pub struct Pattern {
    text: Box<[u8]>,
    options: Options,
    states: Box<[State]>,
    classes: Box<[Class]>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.options) == (&other.text, other.options)
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (&self.text, self.options).hash(hasher);
    }
}

thread_local! {
    /// The patterns there are. Not state but a saving: a pattern is the same wherever it comes from, and a reload finds
    /// those of the running configuration here.
    static KNOWN: RefCell<Vec<Weak<Pattern>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of all patterns there are.
pub fn bytes() -> usize {
    let of = |one: Rc<Pattern>| {
        let parts = size_of_val(&*one.states) + size_of_val(&*one.classes) + one.text.len();
        // Four pieces, of which the allocator rounds each up.
        size_of::<Pattern>() + parts + 4 * 32
    };
    KNOWN.with_borrow(|known| known.iter().filter_map(Weak::upgrade).map(of).sum())
}

impl Pattern {
    /// Compiles a pattern, or finds an equal one.
    ///
    /// # Errors
    /// What cannot be obeyed, and where.
    pub fn new(text: &[u8], options: Options) -> Result<Rc<Self>, Flaw> {
        KNOWN.with_borrow_mut(|known| {
            known.retain(|one| one.strong_count() > 0);
            let same = |one: &Rc<Self>| *one.text == *text && one.options == options;
            if let Some(found) = known.iter().filter_map(Weak::upgrade).find(same) {
                return Ok(found);
            }
            let (states, classes) = parse::program(text, options)?;
            if known.len() >= MAX_PATTERNS {
                return Err(Flaw { at: 0, what: "too many different patterns, the limit is 256" });
            }
            let pattern = Rc::new(Self { text: text.into(), options, states, classes });
            known.push(Rc::downgrade(&pattern));
            Ok(pattern)
        })
    }

    /// As it was written, without the quoting of the configuration.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Its options.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Bytes that may be matched in one turn of the loop.
    pub fn appetite(&self) -> usize {
        (STEPS / (self.states.len() + BYTE)).max(64)
    }

    fn takes(&self, state: State, byte: u8) -> bool {
        match state {
            State::Byte(one) => one == byte,
            State::Class(row) => {
                self.classes.get(usize::from(row)).is_some_and(|class| has(class, usize::from(byte)))
            }
            State::Assert(_) | State::Split(..) | State::Jump(_) | State::Match => false,
        }
    }
}

/// A set of numbers.
fn has(set: &[u64], at: usize) -> bool {
    set.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 != 0)
}

/// Puts a number into a set; true if it was not there.
fn insert(set: &mut [u64], at: usize) -> bool {
    let Some(word) = set.get_mut(at / 64) else { return false };
    let before = *word;
    *word |= 1 << (at % 64);
    *word != before
}

/// Where a match may begin, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// `regex_min_offset`
    pub min: u32,
    /// `regex_max_offset`; the largest number for none.
    pub max: u32,
}

/// No window at all.
pub const ANYWHERE: Window = Window { min: 0, max: u32::MAX };

/// A search that is under way: a few bytes for each 64 states, whatever it has seen.
#[derive(Debug, Clone)]
pub struct Search {
    /// States that the next byte meets, before the empty steps from them.
    waiting: [u64; WORDS],
    /// The byte before `held`.
    before: Option<u8>,
    /// The last byte that came: whether it is the last of all decides what `$` means in front of it.
    held: Option<u8>,
    /// Bytes before `held`.
    at: u32,
    /// No match may begin any more.
    closed: bool,
    found: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self { waiting: [0; WORDS], before: None, held: None, at: 0, closed: false, found: false }
    }
}

impl Search {
    /// Takes bytes; true as soon as there is a match, which may be seen one or two bytes late.
    pub fn feed(&mut self, pattern: &Pattern, window: Window, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.is_settled(window) {
                break;
            }
            if let Some(held) = self.held.replace(*byte) {
                self.turn(pattern, window, Some(held), false);
            }
        }
        self.found
    }

    /// There are no more bytes: is there a match?
    pub fn end(&mut self, pattern: &Pattern, window: Window) -> bool {
        if !self.is_settled(window) {
            if let Some(held) = self.held.take() {
                self.turn(pattern, window, Some(held), true);
            }
            self.turn(pattern, window, None, true);
        }
        self.found
    }

    /// True if further bytes change nothing.
    pub fn is_settled(&self, window: Window) -> bool {
        self.found || self.is_over(window)
    }

    /// Nothing can become of it.
    fn is_over(&self, window: Window) -> bool {
        (self.closed || self.at > window.max) && self.waiting == [0; WORDS]
    }

    /// One place between two bytes: what is reached without a byte, then what `next` leads to. `last`: none follows it.
    fn turn(&mut self, pattern: &Pattern, window: Window, next: Option<u8>, last: bool) {
        if !self.closed && (window.min..=window.max).contains(&self.at) {
            insert(&mut self.waiting, 0);
        }
        let around = Around { before: self.before, next, last, start: self.at == 0 };
        let (mut stack, mut reached) = ([0_u16; MAX_PATTERN_STATES], [0_u64; WORDS]);
        let mut top = 0;
        let mut push = |top: &mut usize, stack: &mut [u16], at: usize| {
            if let (true, Some(place), Ok(at)) =
                (insert(&mut reached, at), stack.get_mut(*top), u16::try_from(at))
            {
                (*place, *top) = (at, *top + 1);
            }
        };
        for (word, mut bits) in core::mem::take(&mut self.waiting).into_iter().enumerate() {
            while bits != 0 {
                push(&mut top, &mut stack, word * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
                while let Some(at) = top.checked_sub(1).and_then(|last| stack.get(last).copied()) {
                    top -= 1;
                    let at = usize::from(at);
                    let to = |by: i16| at.saturating_add_signed(isize::from(by));
                    match pattern.states.get(at).copied().unwrap_or(State::Match) {
                        State::Match => self.found = true,
                        State::Jump(by) => push(&mut top, &mut stack, to(by)),
                        State::Split(first, second) => {
                            push(&mut top, &mut stack, to(first));
                            push(&mut top, &mut stack, to(second));
                        }
                        State::Assert(assertion) if around.is(assertion) => {
                            push(&mut top, &mut stack, at + 1)
                        }
                        State::Assert(_) => {}
                        state @ (State::Byte(_) | State::Class(_)) => {
                            if next.is_some_and(|byte| pattern.takes(state, byte)) {
                                insert(&mut self.waiting, at + 1);
                            }
                        }
                    }
                }
            }
        }
        self.closed |= next == Some(b'\n') && pattern.options.has(Options::FIRSTLINE);
        (self.before, self.at) = (next, self.at.saturating_add(1));
    }
}

/// The two bytes around a place.
struct Around {
    before: Option<u8>,
    next: Option<u8>,
    last: bool,
    start: bool,
}

impl Around {
    fn is(&self, assertion: Assertion) -> bool {
        let line_feed = self.next == Some(b'\n');
        let word = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match assertion {
            Assertion::Start => self.start,
            // Behind the last line feed there is no line (pcre2pattern, "circumflex and dollar").
            Assertion::LineStart => self.start || (self.before == Some(b'\n') && self.next.is_some()),
            Assertion::VeryEnd => self.next.is_none(),
            Assertion::End => self.next.is_none() || (line_feed && self.last),
            Assertion::LineEnd => self.next.is_none() || line_feed,
            Assertion::Boundary => word(self.before) != word(self.next),
            Assertion::NoBoundary => word(self.before) == word(self.next),
        }
    }
}

#[cfg(test)]
mod tests;
