//! Classes of bytes in a pattern: `[a-z]`, `\d`, `[:alpha:]`.

use super::parse::Parser;
use super::{Class, Flaw, Options, has, insert};

const NO_CLASS: &str = "a class of characters without its end";

pub(super) fn single(byte: u8) -> Class {
    let mut class = [0; 4];
    insert(&mut class, usize::from(byte));
    class
}

fn range(class: &mut Class, first: u8, last: u8) {
    (first..=last).for_each(|byte| {
        insert(class, usize::from(byte));
    });
}

/// The bytes that pass. (Once for all tests: inlined, each is a loop of its own.)
#[inline(never)]
pub(super) fn of(test: &dyn Fn(u8) -> bool) -> Class {
    let mut class = [0; 4];
    (0..=u8::MAX).filter(|byte| test(*byte)).for_each(|byte| {
        insert(&mut class, usize::from(byte));
    });
    class
}

pub(super) fn without(class: Class) -> Class {
    class.map(|word| !word)
}

/// What a backslash makes of a letter that stands for several bytes.
pub(super) fn shorthand(letter: u8) -> Option<Class> {
    let test: fn(u8) -> bool = match letter.to_ascii_lowercase() {
        b'd' => |byte| byte.is_ascii_digit(),
        b'w' => |byte| byte.is_ascii_alphanumeric() || byte == b'_',
        b's' => |byte| matches!(byte, 9..=13 | b' '),
        b'h' => |byte| matches!(byte, b'\t' | b' ' | 0xa0),
        b'v' => |byte| matches!(byte, 10..=13 | 0x85),
        b'n' if letter == b'N' => return Some(without(single(b'\n'))),
        _ => return None,
    };
    let class = of(&test);
    Some(if letter.is_ascii_uppercase() { without(class) } else { class })
}

/// `[:alpha:]` and the like.
fn posix(name: &[u8]) -> Option<Class> {
    let test: fn(u8) -> bool = match name {
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"ascii" => |byte| byte.is_ascii(),
        b"blank" => |byte| matches!(byte, b'\t' | b' '),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"space" => |byte| matches!(byte, 9..=13 | b' '),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"word" => |byte| byte.is_ascii_alphanumeric() || byte == b'_',
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    };
    Some(of(&test))
}

impl Parser<'_> {
    /// Behind `[`.
    pub(super) fn class(&mut self) -> Result<Class, Flaw> {
        let start = self.at - 1;
        let unended = Flaw { at: start, what: NO_CLASS };
        let negated = self.take(b"^");
        let mut class = [0; 4];
        let mut first = true;
        loop {
            let member = match self.peek().ok_or(unended)? {
                b']' if !first => {
                    self.at += 1;
                    let folded = self.folded(class);
                    return Ok(if negated { without(folded) } else { folded });
                }
                b'[' if matches!(self.text.get(self.at + 1), Some(b':' | b'.' | b'=')) => self.named()?,
                _ => self.member()?,
            };
            first = false;
            match member {
                Err(several) => class.iter_mut().zip(several).for_each(|(word, more)| *word |= more),
                Ok(low) => {
                    let dash = self.at;
                    // A dash in front of the end stands for itself.
                    if self.peek() == Some(b'-')
                        && self.text.get(self.at + 1).is_some_and(|next| *next != b']')
                    {
                        self.at += 1;
                        match self.member()? {
                            Ok(high) if high >= low => range(&mut class, low, high),
                            _ => return Err(Flaw { at: dash, what: "a range that is out of order" }),
                        }
                    } else {
                        range(&mut class, low, low);
                    }
                }
            }
        }
    }

    /// Upper and lower case before a class is turned into its opposite.
    fn folded(&self, class: Class) -> Class {
        if !self.options.has(Options::CASELESS) {
            return class;
        }
        let found = |byte: u8| has(&class, usize::from(byte));
        of(&|byte| found(byte) || found(byte.to_ascii_lowercase()) || found(byte.to_ascii_uppercase()))
    }

    /// `[:alpha:]` in a class, or a `[`.
    fn named(&mut self) -> Result<Result<u8, Class>, Flaw> {
        let rest = self.text.get(self.at + 2..).unwrap_or_default();
        let Some(length) = rest.windows(2).position(|end| end == b":]") else {
            self.at += 1;
            return Ok(Ok(b'['));
        };
        let name = rest.get(..length).unwrap_or_default();
        let (name, negated) = name.strip_prefix(b"^").map_or((name, false), |name| (name, true));
        let class = posix(name).ok_or_else(|| self.flaw("this class is unknown"))?;
        self.at += length + 4;
        Ok(Err(if negated { without(class) } else { class }))
    }

    /// One byte of a class, or several.
    fn member(&mut self) -> Result<Result<u8, Class>, Flaw> {
        let byte = self.next().ok_or_else(|| self.flaw(NO_CLASS))?;
        if byte != b'\\' {
            return Ok(Ok(byte));
        }
        let letter = self.peek().unwrap_or_default();
        if let Some(class) = shorthand(letter).filter(|_| letter != b'N') {
            self.at += 1;
            return Ok(Err(class));
        }
        if letter == b'b' {
            self.at += 1;
            return Ok(Ok(8));
        }
        self.literal().map(Ok)
    }
}
