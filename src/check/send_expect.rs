//! `SEND_EXPECT`: something is sent over TCP, or nothing, and the reply has the expected text in it.
//!
//! keepalived has no such check; it is ldirectord's `simpletcp`, and with nothing to send it reads the banner of FTP,
//! IMAP, POP or NNTP. It is a block of its own and not two keywords of TCP_CHECK, so that a TCP_CHECK never asks for
//! more than a connection, and so that keepalived refuses the block whole instead of checking half of it.

use core::net::SocketAddr;
use std::rc::Rc;

use super::form::{Check, Form, Recheck, Talk, Transport, as_written};
use super::keywords::{COMMON, Draft, PACES, incomplete};
use super::registry::{Checker, Dialogue};
use super::{ANSWERED, Failure, Progress, Verdict, text};
use crate::limits::MAX_TALK;
use crate::syntax::{Context, Keyword, Kind, Line, Table};
use crate::time::Duration;
use crate::wire::bytes::Output;

/// Its facts.
pub static FORM: Form = Form {
    keyword: "SEND_EXPECT",
    help: "SEND_EXPECT|none|up if the reply to a text has another in it (ldirectord's simpletcp)",
    name: "SEND_EXPECT",
    transport: Transport::Stream { reply: true },
    port: 0,
    retry: 1,
    pause: Some(Duration::from_secs(1)),
    recheck: Recheck::Interval,
    success: ("SEND_EXPECT on service ", " success."),
    table: &TABLE,
    new: || Checker::SendExpect(SendExpect::default()),
    complete,
    build: as_written,
};

static TABLE: Table<Draft> = Table { name: "SEND_EXPECT", rows: &[PACES, COMMON, ROWS] };

const ROWS: &[Keyword<Draft>] = &[
    Keyword {
        text: "send|nothing|what is sent once connected",
        kind: Kind::Words { expected: TEXT, set: send },
    },
    Keyword {
        text: "expect|none|text that the reply must have in it",
        kind: Kind::Words { expected: TEXT, set: expect },
    },
];

const TEXT: &str = r#"a text such as "PING\r\n" in quotes, with \r \n \t \\ and \xHH, of at most 255 bytes"#;

/// `SEND_EXPECT` with its words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SendExpect(Rc<Words>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Words {
    send: Box<[u8]>,
    expect: Box<[u8]>,
    /// For each byte of `expect` how many bytes up to it are those it begins with, itself not counted: where to go on
    /// when the next one differs, so that a search takes its time of the reply only, whatever is sent.
    border: Box<[u8]>,
}

impl Words {
    fn expect(&mut self, expect: &[u8]) {
        let mut border = vec![0_u8; expect.len()];
        let mut length = 0;
        for at in 1..expect.len() {
            length = advance(expect, &border, length, expect.get(at).copied().unwrap_or(0));
            if let Some(place) = border.get_mut(at) {
                *place = length;
            }
        }
        (self.expect, self.border) = (expect.into(), border.into());
    }
}

/// How many bytes of the pattern are there after this byte, if it were `matched` before; less than all of them.
fn advance(expect: &[u8], border: &[u8], mut matched: u8, byte: u8) -> u8 {
    while expect.get(usize::from(matched)) != Some(&byte) {
        let Some(last) = matched.checked_sub(1) else { return 0 };
        matched = border.get(usize::from(last)).copied().unwrap_or(0);
    }
    matched + 1
}

fn words(draft: &mut Draft) -> Option<&mut Words> {
    if let Checker::SendExpect(SendExpect(words)) = &mut draft.checker {
        Some(Rc::make_mut(words))
    } else {
        None
    }
}

fn written(line: &mut Line<'_, '_>) -> Option<Vec<u8>> {
    let word = line.word()?;
    let bytes = text::unescaped(&word.text).filter(|bytes| !bytes.is_empty() && bytes.len() <= 255);
    if bytes.is_none() {
        line.invalid(&word, TEXT);
    }
    bytes
}

fn send(draft: &mut Draft, line: &mut Line<'_, '_>) {
    if let (Some(bytes), Some(words)) = (written(line), words(draft)) {
        words.send = bytes.into();
    }
}

fn expect(draft: &mut Draft, line: &mut Line<'_, '_>) {
    if let (Some(bytes), Some(words)) = (written(line), words(draft)) {
        words.expect(&bytes);
    }
}

fn complete(draft: &Draft, cx: &mut Context<'_>) -> bool {
    let Checker::SendExpect(SendExpect(words)) = &draft.checker else { return false };
    !words.expect.is_empty()
        || incomplete(draft, cx, "`expect`", "`expect` and a text that is in every good reply")
}

impl Check for SendExpect {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("expect", text::escaped(&self.0.expect))];
        if !self.0.send.is_empty() {
            lines.push(("send", text::escaped(&self.0.send)));
        }
        lines
    }

    fn begin(&self, _: usize, _: u32) -> Dialogue {
        Dialogue::SendExpect(Waiting { words: Rc::clone(&self.0), matched: 0, taken: 0 })
    }
}

/// A reply that is waited for.
#[derive(Debug, Clone)]
pub struct Waiting {
    words: Rc<Words>,
    /// Bytes of `expect` that were there last.
    matched: u8,
    taken: usize,
}

impl Talk for Waiting {
    fn start(&mut self) -> Progress {
        if self.words.send.is_empty() { Progress::NeedMore } else { Progress::Send }
    }

    fn request(&self, _: SocketAddr, out: &mut [u8]) -> Option<usize> {
        Output::new(out).put(&self.words.send).finish()
    }

    fn feed(&mut self, _: SocketAddr, bytes: &[u8]) -> Progress {
        let Words { expect, border, .. } = &*self.words;
        for byte in bytes {
            self.matched = advance(expect, border, self.matched, *byte);
            self.taken += 1;
            if usize::from(self.matched) >= expect.len() {
                return Progress::Done(Verdict::Pass { status: ANSWERED });
            }
            if self.taken >= MAX_TALK {
                return Progress::Done(Verdict::Fail(Failure::TooLong));
            }
        }
        Progress::NeedMore
    }

    fn end(&mut self) -> Verdict {
        Verdict::Fail(if self.taken > 0 { Failure::Mismatch } else { Failure::Closed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 21);

    fn check(send: &[u8], expect: &[u8]) -> Dialogue {
        let mut words = Words { send: send.into(), ..Words::default() };
        words.expect(expect);
        SendExpect(Rc::new(words)).begin(0, 0)
    }

    fn finds(expect: &[u8], reply: &[u8], piece: usize) -> bool {
        let mut dialogue = check(b"", expect);
        let pass = Progress::Done(Verdict::Pass { status: ANSWERED });
        reply.chunks(piece).any(|piece| dialogue.talk().feed(TARGET, piece) == pass)
    }

    #[test]
    fn without_send_the_server_speaks_first() {
        assert_eq!(check(b"", b"220").talk().start(), Progress::NeedMore);
        let mut dialogue = check(b"PING\r\n", b"+PONG");
        assert_eq!(dialogue.talk().start(), Progress::Send);
        let mut out = [0; 16];
        assert_eq!(dialogue.talk().request(TARGET, &mut out), Some(6));
        assert_eq!(&out[..6], b"PING\r\n");
    }

    #[test]
    fn the_text_is_found_wherever_it_stands_and_however_it_is_cut() {
        let reply = b"220-welcome\r\n220 aaab ready\r\n";
        for cut in 1..reply.len() {
            assert!(finds(b"aab ready", reply, cut), "{cut}");
            assert!(!finds(b"aabb", reply, cut), "{cut}");
        }
    }

    #[test]
    fn a_reply_without_the_text_fails_by_how_it_ends() {
        let mut dialogue = check(b"", b"220");
        assert_eq!(dialogue.talk().end(), Verdict::Fail(Failure::Closed));
        assert_eq!(dialogue.talk().feed(TARGET, b"421 busy\r\n"), Progress::NeedMore);
        assert_eq!(dialogue.clone().talk().expire(), Verdict::Fail(Failure::Deadline));
        assert_eq!(dialogue.talk().end(), Verdict::Fail(Failure::Mismatch));
        let too_long = Progress::Done(Verdict::Fail(Failure::TooLong));
        assert_eq!(dialogue.talk().feed(TARGET, &vec![b'2'; 1 << 20]), too_long);
    }

    proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds(
            expect in proptest::collection::vec(0_u8..3, 1..6),
            reply in proptest::collection::vec(0_u8..3, 0..60),
            piece in 1_usize..7,
        ) {
            let there = reply.windows(expect.len()).any(|window| window == expect);
            prop_assert_eq!(finds(&expect, &reply, piece), there);
        }
    }
}
