//! From PCRE's notation (pcre2pattern) to states. The program is written in one go: a piece that is repeated or made an
//! alternative is moved or copied, which its relative jumps allow.

use super::class::{of, shorthand, single, without};
use super::{Assertion, Class, Flaw, Options, State};
use crate::limits::{MAX_PATTERN_DEPTH, MAX_PATTERN_STATES};

/// A program: its states and the classes they name.
type Program = (Box<[State]>, Box<[Class]>);

const TOO_LARGE: &str = "the pattern is too large: it needs more than 512 states";
const LOOK_AROUND: &str = "look-around is not supported";
const BACK_REFERENCE: &str = "a back-reference is not supported";
const RECURSION: &str = "recursion is not supported";
const ATOMIC: &str = "an atomic group is not supported";
const NO_GROUP: &str = "this kind of group is not supported";

pub(super) fn program(text: &[u8], options: Options) -> Result<Program, Flaw> {
    let mut parser = Parser { text, at: 0, options, depth: 0, states: Vec::new(), classes: Vec::new() };
    parser.alternatives()?;
    if parser.peek().is_some() {
        return Err(parser.flaw("a `)` too many"));
    }
    parser.push(State::Match)?;
    Ok((parser.states.into(), parser.classes.into()))
}

pub(super) struct Parser<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) options: Options,
    depth: usize,
    states: Vec<State>,
    classes: Vec<Class>,
}

fn offset(from: usize, to: usize) -> i16 {
    // Programs are far shorter than that.
    let distance = i16::try_from(to.abs_diff(from)).unwrap_or(i16::MAX);
    if to < from { -distance } else { distance }
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    pub(super) fn take(&mut self, text: &[u8]) -> bool {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(text));
        self.at += if found { text.len() } else { 0 };
        found
    }

    pub(super) fn flaw(&self, what: &'static str) -> Flaw {
        Flaw { at: self.at, what }
    }

    /// What is wrong began so many bytes ago.
    fn back(&self, bytes: usize, what: &'static str) -> Flaw {
        Flaw { at: self.at.saturating_sub(bytes), what }
    }

    fn push(&mut self, state: State) -> Result<(), Flaw> {
        self.insert(self.states.len(), state)
    }

    fn insert(&mut self, at: usize, state: State) -> Result<(), Flaw> {
        if self.states.len() >= MAX_PATTERN_STATES {
            return Err(self.flaw(TOO_LARGE));
        }
        self.states.insert(at, state);
        Ok(())
    }

    fn push_class(&mut self, mut class: Class) -> Result<(), Flaw> {
        if self.options.has(Options::CASELESS) {
            let found = |byte: u8| super::has(&class, usize::from(byte));
            class = of(&|byte| {
                found(byte.to_ascii_lowercase()) || found(byte.to_ascii_uppercase()) || found(byte)
            });
        }
        let known = self.classes.iter().position(|known| *known == class);
        let row = known.unwrap_or_else(|| {
            self.classes.push(class);
            self.classes.len() - 1
        });
        self.push(State::Class(u16::try_from(row).unwrap_or(0)))
    }

    fn push_byte(&mut self, byte: u8) -> Result<(), Flaw> {
        if self.options.has(Options::CASELESS) && byte.is_ascii_alphabetic() {
            self.push_class(single(byte))
        } else {
            self.push(State::Byte(byte))
        }
    }

    /// `a|b|c`, up to a `)` or the end. Options that are set within end with it.
    fn alternatives(&mut self) -> Result<(), Flaw> {
        let (options, mut jumps) = (self.options, Vec::new());
        loop {
            let start = self.states.len();
            while self.peek().is_some_and(|byte| !matches!(byte, b'|' | b')')) {
                self.item()?;
            }
            if !self.take(b"|") {
                break;
            }
            let length = self.states.len() - start;
            self.insert(start, State::Split(1, offset(0, length + 2)))?;
            jumps.push(self.states.len());
            self.push(State::Jump(0))?;
        }
        let end = self.states.len();
        for at in jumps {
            if let Some(state) = self.states.get_mut(at) {
                *state = State::Jump(offset(at, end));
            }
        }
        self.options = options;
        Ok(())
    }

    /// Something and how often.
    fn item(&mut self) -> Result<(), Flaw> {
        let start = self.states.len();
        if !self.atom()? {
            return Ok(());
        }
        self.skip_blanks();
        while let Some((least, most)) = self.quantifier() {
            match self.peek() {
                Some(b'?') => self.at += 1,
                Some(b'+') => return Err(self.flaw("a possessive quantifier is not supported")),
                _ => {}
            }
            self.repeat(start, least, most)?;
            self.skip_blanks();
            if let Some(b'*' | b'+' | b'?') = self.peek() {
                return Err(self.flaw("a quantifier of nothing"));
            }
        }
        Ok(())
    }

    /// With `extended`, blanks and comments are nothing.
    fn skip_blanks(&mut self) -> bool {
        let start = self.at;
        while self.options.has(Options::EXTENDED) {
            match self.peek() {
                Some(b' ' | 9..=13) => self.at += 1,
                Some(b'#') => while self.next().is_some_and(|byte| byte != b'\n') {},
                _ => break,
            }
        }
        self.at > start
    }

    fn quantifier(&mut self) -> Option<(usize, Option<usize>)> {
        let start = self.at;
        match self.next() {
            Some(b'*') => return Some((0, None)),
            Some(b'+') => return Some((1, None)),
            Some(b'?') => return Some((0, Some(1))),
            Some(b'{') => {
                let least = self.number();
                let most = if self.take(b",") { self.number() } else { least };
                if let (Some(least), true) = (least, self.take(b"}")) {
                    return Some((least, most));
                }
            }
            _ => {}
        }
        self.at = start;
        None
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number =
                Some(number.unwrap_or(0_usize).saturating_mul(10).saturating_add(usize::from(digit - b'0')));
            self.at += 1;
        }
        number
    }

    /// Repeats what was written since `start`.
    fn repeat(&mut self, start: usize, least: usize, most: Option<usize>) -> Result<(), Flaw> {
        if most.is_some_and(|most| most < least) {
            return Err(self.back(1, "the numbers of a quantifier are out of order"));
        }
        let piece = self.states.split_off(start);
        let length = piece.len();
        if length == 0 {
            return Ok(());
        }
        let copies = most.unwrap_or(least.max(1));
        if copies.saturating_mul(length) > MAX_PATTERN_STATES {
            return Err(self.back(1, TOO_LARGE));
        }
        for copy in 0..copies {
            if copy >= least {
                let behind = if most.is_none() { length + 2 } else { length + 1 };
                self.push(State::Split(1, offset(0, behind)))?;
            }
            piece.iter().try_for_each(|state| self.push(*state))?;
        }
        match most {
            None if least == 0 => self.push(State::Jump(offset(length + 1, 0))),
            None => self.push(State::Split(offset(length, 0), 1)),
            Some(_) => Ok(()),
        }
    }

    /// One thing that can be repeated; false if it was none.
    fn atom(&mut self) -> Result<bool, Flaw> {
        if self.skip_blanks() {
            return Ok(false);
        }
        let before = self.at;
        if self.quantifier().is_some() {
            self.at = before;
            return Err(self.flaw("a quantifier of nothing"));
        }
        let Some(byte) = self.next() else { return Ok(false) };
        match byte {
            b'(' => return self.group(),
            b'[' => {
                let class = self.class()?;
                self.push_class(class)?;
            }
            b'.' if self.options.has(Options::DOTALL) => self.push_class([u64::MAX; 4])?,
            b'.' => self.push_class(without(single(b'\n')))?,
            b'^' => {
                let many = self.options.has(Options::MULTILINE);
                self.push(State::Assert(if many { Assertion::LineStart } else { Assertion::Start }))?;
            }
            b'$' => {
                self.push(State::Assert(if self.options.has(Options::MULTILINE) {
                    Assertion::LineEnd
                } else if self.options.has(Options::DOLLAR_ENDONLY) {
                    Assertion::VeryEnd
                } else {
                    Assertion::End
                }))?;
            }
            b'\\' => return self.escape(),
            byte => self.push_byte(byte)?,
        }
        Ok(true)
    }

    /// Behind `(`.
    fn group(&mut self) -> Result<bool, Flaw> {
        let (start, options) = (self.at - 1, self.options);
        if self.take(b"*") {
            return Err(Flaw { at: start, what: "a verb is not supported" });
        }
        let mut alone = false;
        if self.take(b"?") {
            if self.take(b"#") {
                while self.peek().is_some_and(|byte| byte != b')') {
                    self.at += 1;
                }
                alone = true;
            } else {
                alone = self.kind(start)?;
            }
        }
        if !alone {
            self.depth += 1;
            if self.depth > MAX_PATTERN_DEPTH {
                return Err(Flaw { at: start, what: "groups are nested too deep, the limit is 32" });
            }
            self.alternatives()?;
            self.depth -= 1;
            self.options = options;
        }
        if self.take(b")") { Ok(!alone) } else { Err(Flaw { at: start, what: "a `(` without its `)`" }) }
    }

    /// Behind `(?`: true if it is no group but sets options for what follows.
    fn kind(&mut self, start: usize) -> Result<bool, Flaw> {
        let refuse = |what| Err(Flaw { at: start, what });
        match self.peek() {
            Some(b':' | b'|') => self.at += 1,
            Some(b'=' | b'!') => return refuse(LOOK_AROUND),
            Some(b'>') => return refuse(ATOMIC),
            Some(b'R' | b'&' | b'0'..=b'9' | b'+') => return refuse(RECURSION),
            Some(b'P') if self.take(b"P=") => return refuse(BACK_REFERENCE),
            Some(b'P') if self.take(b"P>") => return refuse(RECURSION),
            Some(b'P' | b'<' | b'\'') => {
                self.take(b"P");
                let end = if self.next() == Some(b'\'') { b'\'' } else { b'>' };
                if let Some(b'=' | b'!' | b'*') = self.peek() {
                    return refuse(LOOK_AROUND);
                }
                while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    self.at += 1;
                }
                if self.next() != Some(end) {
                    return refuse("a name without its end");
                }
            }
            _ => return self.flags(start),
        }
        Ok(false)
    }

    fn flags(&mut self, start: usize) -> Result<bool, Flaw> {
        let mut on = true;
        loop {
            match self.next() {
                Some(b'-') => on = false,
                Some(b'^') => {
                    for one in [Options::CASELESS, Options::MULTILINE, Options::DOTALL, Options::EXTENDED] {
                        self.options.set(one, false);
                    }
                }
                Some(b'i') => self.options.set(Options::CASELESS, on),
                Some(b'm') => self.options.set(Options::MULTILINE, on),
                Some(b's') => self.options.set(Options::DOTALL, on),
                Some(b'x') => self.options.set(Options::EXTENDED, on),
                // Names, greed and captures change nothing here.
                Some(b'J' | b'U' | b'n') => {}
                Some(b':') => return Ok(false),
                Some(b')') => {
                    self.at -= 1;
                    return Ok(true);
                }
                _ => return Err(Flaw { at: start, what: NO_GROUP }),
            }
        }
    }

    /// Behind a backslash outside of a class.
    fn escape(&mut self) -> Result<bool, Flaw> {
        let letter = self.peek().ok_or_else(|| self.back(1, "a `\\` at the end"))?;
        let assertion = match letter {
            b'A' => Some(Assertion::Start),
            b'Z' => Some(Assertion::End),
            b'z' => Some(Assertion::VeryEnd),
            b'b' => Some(Assertion::Boundary),
            b'B' => Some(Assertion::NoBoundary),
            _ => None,
        };
        if let Some(assertion) = assertion {
            self.at += 1;
            self.push(State::Assert(assertion))?;
        } else if let Some(class) = shorthand(letter) {
            self.at += 1;
            self.push_class(class)?;
        } else if letter == b'Q' {
            self.at += 1;
            while self.peek().is_some() && !self.take(b"\\E") {
                let byte = self.next().unwrap_or_default();
                // Each byte is an item of its own: what follows `\E` repeats the last one only.
                if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\E")) {
                    self.at += 2;
                    self.push_byte(byte)?;
                    return self.last_alone();
                }
                self.push_byte(byte)?;
            }
            return Ok(false);
        } else if letter == b'E' {
            self.at += 1;
            return Ok(false);
        } else if matches!(letter, b'1'..=b'9' | b'g' | b'k') {
            return Err(self.back(1, BACK_REFERENCE));
        } else {
            let byte = self.literal()?;
            self.push_byte(byte)?;
        }
        Ok(true)
    }

    /// The last state is what a quantifier would repeat; those before it are done.
    fn last_alone(&mut self) -> Result<bool, Flaw> {
        self.skip_blanks();
        let before = self.at;
        if self.quantifier().is_some() {
            self.at = before;
            return Err(self.flaw("a quantifier behind `\\E` is not supported"));
        }
        Ok(false)
    }

    /// The byte that an escape stands for, in a class and outside of it.
    pub(super) fn literal(&mut self) -> Result<u8, Flaw> {
        let letter = self.next().unwrap_or(b'\\');
        Ok(match letter {
            b'a' => 7,
            b'e' => 27,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'0'..=b'7' => self.digits(8, 2, u32::from(letter - b'0')),
            b'x' if self.take(b"{") => {
                let byte = self.digits(16, 2, 0);
                if !self.take(b"}") {
                    return Err(self.back(1, "a character beyond \\xff is not supported"));
                }
                byte
            }
            b'x' => self.digits(16, 2, 0),
            b'c' => match self.next() {
                Some(byte @ b' '..=b'~') => byte.to_ascii_uppercase() ^ 0x40,
                _ => return Err(self.back(2, "`\\c` without its character")),
            },
            letter if letter.is_ascii_alphanumeric() => {
                return Err(self.back(2, "this escape is not supported"));
            }
            other => other,
        })
    }

    fn digits(&mut self, radix: u32, most: usize, mut number: u32) -> u8 {
        for _ in 0..most {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(radix)) else { break };
            number = number * radix + digit;
            self.at += 1;
        }
        u8::try_from(number & 0xff).unwrap_or(0)
    }
}
