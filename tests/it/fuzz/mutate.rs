//! Texts that are nearly configurations: pieces of a corpus, cut, joined and sprinkled with keywords, numbers at the
//! edges of their ranges and bytes that trouble readers. The same seed gives the same texts.

use lvsbox::config::keywords::keywords;

/// Longest text; longer ones take longer and find no more.
const LONGEST: usize = 16 << 10;

/// What has a meaning to the reader, and values that are nearly right.
const TOKENS: &[&str] = &[
    "{",
    "}",
    "{\n",
    "\n}\n",
    "\n",
    "\r\n",
    "\r",
    "\"",
    "#",
    "!",
    "\\#",
    "\\!",
    "\\",
    "\\\n",
    "\t",
    "\x0b",
    "\0",
    "\u{feff}",
    "$",
    "${",
    "$A=",
    "$A=1\n",
    "$A",
    "${A}",
    "$A= \\\n x \\\n y\n",
    "${_PWD}",
    "${_RANDOM 1 5}",
    "${_ENV A}",
    "${_HASH}",
    "${_BANG}",
    "@a ",
    "@^a ",
    "@",
    "@^",
    "~SEQ(i,1,3) ",
    "~SEQ(i,3,-1,0)",
    "~SEQx(i,1,16)",
    "~LST(a,b,c)",
    "~LST({a,b},{1,2})",
    "~SEQ(",
    "~",
    "include ",
    "include *\n",
    "includer x\n",
    "include /\n",
    "0",
    "1",
    "-1",
    "255",
    "256",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "0x10",
    "010",
    "1e9",
    "1.5",
    ".5",
    "1.",
    "0.0000001",
    "1000.000001",
    "99999999999999999999.9",
    "NaN",
    "10.0.0.1",
    "10.0.0.1/33",
    "10.0.0.1-20",
    "256.1.1.1",
    "2001:db8::1",
    "::ffff:1.2.3.4",
    "::/129",
    "fe80::1%eth0",
    "0.0.0.0",
    "224.0.0.18",
    "eth0",
    "a-name-of-an-interface-that-is-too-long",
    "dev",
    "brd +",
    "label x",
    "fwmark",
    "group",
    "on",
    "off",
    "PASS",
    "MASTER",
    "é",
    "\u{202e}",
    "\u{1f980}",
    "ß",
];

/// Bytes that are no text.
const BYTES: &[&[u8]] =
    &[b"\xff", b"\xc3", b"\xe9t\xe9", b"\0\0", b"\x1b[2J", b"\x80\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf"];

pub(super) struct Mutator {
    texts: Vec<Vec<u8>>,
    words: Vec<&'static str>,
    state: u64,
}

impl Mutator {
    pub(super) fn new(texts: Vec<Vec<u8>>, seed: u64) -> Self {
        let words = keywords().map(|(_, word)| word).collect();
        // Any seed but 0 will do for xorshift.
        Self { texts, words, state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 20).unwrap_or(0) % bound.max(1)
    }

    fn one_of(&mut self, list: &'static [&'static str]) -> &'static [u8] {
        let index = self.below(list.len());
        list[index].as_bytes()
    }

    fn word(&mut self) -> &'static str {
        let index = self.below(self.words.len());
        self.words[index]
    }

    fn text(&mut self) -> Vec<u8> {
        let index = self.below(self.texts.len());
        self.texts[index].clone()
    }

    /// The next text.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut text = self.text();
        text.truncate(LONGEST);
        for _ in 0..=self.below(8) {
            self.change(&mut text);
        }
        text.truncate(LONGEST);
        text
    }

    fn change(&mut self, text: &mut Vec<u8>) {
        let at = self.below(text.len() + 1);
        match self.below(14) {
            0 => self.insert(text, at),
            1 => {
                let word = self.word();
                splice(text, at, 0, format!("\n{word} ").as_bytes());
            }
            2 => {
                let (start, end) = word_around(text, at);
                let token = self.one_of(TOKENS);
                splice(text, start, end - start, token);
            }
            3 => {
                let (start, end) = word_around(text, at);
                let word = self.word();
                splice(text, start, end - start, word.as_bytes());
            }
            4 => {
                let (start, end) = word_around(text, at);
                splice(text, start, end - start, b"");
            }
            5 => {
                let cut = self.below(64);
                splice(text, at, cut, b"");
            }
            6 => text.truncate(at),
            7 => drop(text.drain(..at)),
            8 => self.repeat(text, at),
            9 => {
                let other = self.text();
                let from = self.below(other.len() + 1);
                let len = self.below(1_024).min(other.len() - from);
                splice(text, at, 0, &other[from..from + len]);
            }
            10 => {
                let (start, end) = line_around(text, at);
                splice(text, start, end - start, b"");
            }
            11 => {
                let index = self.below(BYTES.len());
                splice(text, at, 0, BYTES[index]);
            }
            12 => {
                let bit = 1 << self.below(8);
                if let Some(byte) = text.get_mut(at) {
                    *byte ^= bit;
                }
            }
            _ => {
                let (first, last) = line_around(text, at);
                let line = text[first..last].to_vec();
                let to = self.below(text.len() + 1);
                splice(text, to, 0, &line);
            }
        }
    }

    fn insert(&mut self, text: &mut Vec<u8>, at: usize) {
        let token = self.one_of(TOKENS);
        // Now and then so many of them that a limit is reached.
        let times = if self.below(12) == 0 { 1 + self.below(5_000) } else { 1 };
        splice(text, at, 0, &token.repeat(times));
    }

    fn repeat(&mut self, text: &mut Vec<u8>, at: usize) {
        let len = self.below(300).min(text.len() - at);
        let piece = text[at..at + len].to_vec();
        let most = if self.below(8) == 0 { 300 } else { 4 };
        let times = 1 + self.below(most);
        splice(text, at, 0, &piece.repeat(times));
    }
}

/// Replaces `cut` bytes at `at`.
fn splice(text: &mut Vec<u8>, at: usize, cut: usize, with: &[u8]) {
    let at = at.min(text.len());
    let end = (at + cut).min(text.len());
    text.splice(at..end, with.iter().copied());
}

fn around(text: &[u8], at: usize, ends: fn(u8) -> bool) -> (usize, usize) {
    let start = text[..at].iter().rposition(|byte| ends(*byte)).map_or(0, |found| found + 1);
    let end = text[at..].iter().position(|byte| ends(*byte)).map_or(text.len(), |found| at + found);
    (start, end)
}

fn word_around(text: &[u8], at: usize) -> (usize, usize) {
    around(text, at, |byte| byte.is_ascii_whitespace())
}

/// The line without its end.
fn line_around(text: &[u8], at: usize) -> (usize, usize) {
    around(text, at, |byte| byte == b'\n')
}
