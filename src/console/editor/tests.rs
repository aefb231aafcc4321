//! Transcripts byte for byte, and a terminal of our own that says what the operator sees.

use proptest::prelude::*;

use super::*;

const PROMPT: &str = "lvsbox> ";

/// A terminal of so many columns: just what the editor may ask of it. Anything else is a failed test.
struct Screen {
    columns: usize,
    rows: Vec<Vec<char>>,
    column: usize,
}

impl Screen {
    fn new(columns: usize) -> Self {
        Self { columns, rows: vec![Vec::new()], column: 0 }
    }

    fn take(&mut self, text: &str) {
        let mut left = text;
        while let Some(character) = left.chars().next() {
            let rest = &left[character.len_utf8()..];
            left = rest;
            match character {
                '\r' => self.column = 0,
                '\n' => self.rows.push(Vec::new()),
                '\x1b' => left = self.escape(rest),
                plain => {
                    assert!(!plain.is_control(), "{plain:?} in {text:?}");
                    self.put(plain);
                }
            }
        }
    }

    fn escape<'a>(&mut self, rest: &'a str) -> &'a str {
        let rest = rest.strip_prefix('[').unwrap();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..digits].parse::<usize>().ok();
        match (rest.as_bytes()[digits], number) {
            (b'K', None) => self.rows.last_mut().unwrap().truncate(self.column),
            (b'C', Some(number)) => self.column += number,
            (b'H', None) => {}
            (b'J', Some(2)) => *self = Self::new(self.columns),
            other => panic!("unexpected sequence {other:?}"),
        }
        assert!(self.column < self.columns);
        &rest[digits + 1..]
    }

    fn put(&mut self, character: char) {
        let row = self.rows.last_mut().unwrap();
        row.resize(row.len().max(self.column + width(character)), ' ');
        row[self.column] = character;
        for filler in &mut row[self.column + 1..self.column + width(character)] {
            *filler = '\0';
        }
        self.column += width(character);
        assert!(self.column < self.columns, "the line wraps");
    }

    /// The last row and the cursor's column.
    fn row(&self) -> (String, usize) {
        (self.rows.last().unwrap().iter().filter(|character| **character != '\0').collect(), self.column)
    }
}

/// An editor at a terminal.
struct Seat {
    editor: Editor,
    screen: Screen,
    lines: Vec<String>,
}

impl Seat {
    fn new(columns: usize) -> Self {
        let mut seat = Self { editor: Editor::default(), screen: Screen::new(columns), lines: Vec::new() };
        seat.editor.set_columns(columns);
        let mut out = String::new();
        seat.editor.show(&mut out).unwrap();
        seat.screen.take(&out);
        seat
    }

    /// Types, and returns what was sent to the terminal.
    fn keys(&mut self, mut bytes: &[u8]) -> String {
        let mut out = String::new();
        while !bytes.is_empty() {
            let (taken, outcome) = self.editor.handle(bytes, &mut out).unwrap();
            bytes = &bytes[taken..];
            match outcome {
                Some(Outcome::Line) => self.lines.push(self.editor.entered().to_owned()),
                Some(Outcome::Leave) => self.lines.push("(leave)".to_owned()),
                Some(Outcome::Ask) | None => continue,
            }
            self.editor.show(&mut out).unwrap();
        }
        self.screen.take(&out);
        out
    }

    /// What the terminal shows is the line, or its part around the cursor.
    fn check(&self) {
        let (line, cursor) = self.editor.line();
        let (shown, column) = self.screen.row();
        let text = shown.strip_prefix("lvsbox>").unwrap();
        let (mark, text) = text.split_at(1);
        let before: usize = line[..cursor].chars().map(width).sum();
        let total: usize = line.chars().map(width).sum();
        if mark == " " {
            assert!(line.starts_with(text), "{line:?} shown as {text:?}");
            assert_eq!(column, PROMPT.len() + before);
            assert!(text == line || total > self.screen.columns - PROMPT.len() - 3);
        } else {
            assert_eq!(mark, "<");
            assert!(line.contains(text), "{line:?} shown as {text:?}");
            let left: usize = column - PROMPT.len();
            assert!(
                line[..cursor]
                    .chars()
                    .rev()
                    .scan(0, |sum, c| {
                        *sum += width(c);
                        Some(*sum)
                    })
                    .any(|sum| sum == left)
                    || left == 0
            );
        }
    }
}

#[test]
fn typing_costs_one_byte_a_key_and_editing_paints_the_line() {
    let mut seat = Seat::new(80);
    assert_eq!(seat.keys(b"statsu"), "statsu");
    assert_eq!(seat.keys(b"\x7f"), "\rlvsbox> stats\x1b[K");
    assert_eq!(seat.keys(b"\x1b[D\x1b[D"), "\rlvsbox> stats\x1b[K\r\x1b[11C");
    assert_eq!(seat.keys(b"\x05\x08us\r"), "\rlvsbox> status\x1b[K\r\n\rlvsbox> \x1b[K");
    assert_eq!(seat.lines, ["status"]);
}

#[test]
fn every_editing_key_does_what_it_says() {
    for (keys, line) in [
        (&b"abc\x01x"[..], "xabc"),
        (b"abc\x1b[D\x1b[Dx", "axbc"),
        (b"abc\x1b[H\x1b[3~", "bc"),
        (b"abc\x01\x04", "bc"),
        (b"abc\x01\x1b[C\x0b", "a"),
        (b"one two three\x17", "one two "),
        (b"one two \x17", "one "),
        (b"one two\x1b[D\x15", "o"),
        (b"abc\x03de", "de"),
        (b"a\xc3\xbcb\x1b[D\x7f", "ab"),
        (b"abc\x0c", "abc"),
    ] {
        let mut seat = Seat::new(80);
        seat.keys(keys);
        assert_eq!(seat.editor.line().0, line, "{keys:?}");
        seat.check();
    }
}

#[test]
fn history_holds_sixteen_lines_and_keeps_the_one_being_typed() {
    let mut seat = Seat::new(80);
    for number in 0..20 {
        seat.keys(format!("line {number}\r").as_bytes());
    }
    seat.keys(b"draft\x1b[A\x1b[A");
    assert_eq!(seat.editor.line().0, "line 18");
    seat.keys(&b"\x1b[A".repeat(30));
    assert_eq!(seat.editor.line().0, "line 4", "the oldest of sixteen");
    seat.check();
    seat.keys(&b"\x1b[B".repeat(30));
    assert_eq!(seat.editor.line().0, "draft");
    seat.keys(b"\x15again\ragain\r\x1b[A\x1b[A");
    assert_eq!(seat.editor.line().0, "line 19", "a line twice in a row counts once");
}

#[test]
fn tab_completes_what_is_certain_and_lists_what_is_not() {
    let mut seat = Seat::new(80);
    seat.keys(b"stat\t");
    assert_eq!(seat.editor.line().0, "status ");
    seat.keys(b"\x15sh\tvr\tj\t");
    assert_eq!(seat.editor.line().0, "show vrrp json ");
    seat.keys(b"\x03s\t");
    assert_eq!(seat.screen.rows[seat.screen.rows.len() - 2].iter().collect::<String>(), "status  show  set");
    assert_eq!(seat.editor.line().0, "s");
    seat.check();
    seat.keys(b"\x15nothing like it \t");
    assert_eq!(seat.editor.line().0, "nothing like it ");
}

#[test]
fn question_mark_lists_what_may_follow_and_is_not_typed() {
    let mut seat = Seat::new(80);
    let out = seat.keys(b"show ?");
    assert!(out.contains("  vrrp          instances: state, why"), "{out}");
    assert_eq!(seat.editor.line().0, "show ");
    seat.check();
    assert!(seat.keys(b"vrrp ?").contains("  (Enter)       instances"));
}

#[test]
fn a_long_line_scrolls_on_its_row() {
    let mut seat = Seat::new(80);
    let long = "0123456789".repeat(20);
    for byte in long.bytes() {
        seat.keys(&[byte]);
        seat.check();
    }
    assert!(seat.screen.row().0.ends_with('9'));
    for key in [&b"\x1b[D"[..], b"\x1b[C", b"\x7f"] {
        for _ in 0..150 {
            seat.keys(key);
            seat.check();
        }
        seat.keys(b"\x01");
        seat.check();
    }
    assert_eq!(seat.screen.rows.len(), 1, "one row all the time");
    seat.keys(&[b'x'; 2 * MAX_COMMAND_BYTES]);
    assert_eq!(seat.editor.line().0.len(), MAX_COMMAND_BYTES, "the rest is not taken");
}

#[test]
fn a_line_from_elsewhere_stands_above_and_the_typed_one_is_intact() {
    let mut seat = Seat::new(80);
    seat.keys(b"show vrrp\x1b[D\x1b[D");
    let mut out = String::new();
    seat.editor.above("(VI_1) Entering\x1b MASTER STATE", &mut out).unwrap();
    assert_eq!(out, "\r\x1b[K(VI_1) Entering? MASTER STATE\r\n\rlvsbox> show vrrp\x1b[K\r\x1b[15C");
    seat.screen.take(&out);
    seat.check();
    seat.keys(b"\r");
    assert_eq!(seat.lines, ["show vrrp"]);
}

#[test]
fn lines_end_once_and_empty_ones_are_no_commands() {
    let mut seat = Seat::new(80);
    seat.keys(b"a\rb\nc\r\n\r\n  \r\x04");
    assert_eq!(seat.lines, ["a", "b", "c", "(leave)"]);
}

#[test]
fn a_mebibyte_of_junk_leaves_an_editor_that_works() {
    let mut seat = Seat::new(80);
    let mut state = 1_u64;
    for _ in 0..1 << 10 {
        let mut block = [0_u8; 1 << 10];
        for byte in &mut block {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
        seat.keys(&block);
        seat.screen.rows.drain(..seat.screen.rows.len() - 1);
        seat.check();
    }
    seat.lines.clear();
    seat.keys(b"~\x03status\r");
    assert_eq!(seat.lines, ["status"]);
}

proptest! {
    /// Random bytes, biased to what means something; the terminal always shows the line, and nothing else is sent.
    #[test]
    fn terminal_shows_the_line_whatever_is_typed(
        columns in 16_usize..100,
        chunks in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 1..20),
            "[ -~]{1,30}".prop_map(String::into_bytes),
            "[üßя漢あ€]{1,10}".prop_map(String::into_bytes),
            prop::sample::select(vec![&b"\x1b[A"[..], b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x01", b"\x05", b"\x7f",
                b"\x17", b"\x0b", b"\x15", b"\x03", b"\t", b"?", b"\x1b[3~", b"\r"]).prop_map(<[u8]>::to_vec),
        ], 1..40),
    ) {
        let mut seat = Seat::new(columns);
        // What is listed may be wider than a terminal this narrow.
        let listing = |chunk: &[u8]| columns < 80 && chunk.iter().any(|byte| *byte == b'?' || *byte == b'\t');
        for chunk in chunks.iter().filter(|chunk| !listing(chunk)) {
            seat.keys(chunk);
            seat.check();
            let mut out = String::new();
            seat.editor.above("a line", &mut out).unwrap();
            seat.screen.take(&out);
            seat.check();
        }
    }
}
