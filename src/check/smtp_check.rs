//! `SMTP_CHECK`: the server greets with 220, takes a HELO with 250, and is told QUIT (RFC 5321 section 4.3).

use core::fmt::Write;
use core::net::SocketAddr;
use std::rc::Rc;

use super::form::{Check, Form, Recheck, Talk, Transport, as_written, whole};
use super::keywords::{COMMON, Draft, PACES, draft, host};
use super::registry::{Checker, Dialogue};
use super::{ANSWERED, Failure, Progress, Verdict};
use crate::limits::MAX_TALK;
use crate::syntax::{Context, Keyword, Kind, Line, NodeId, Table, Walk};
use crate::time::Duration;
use crate::wire::bytes::Output;

/// Its facts.
pub static FORM: Form = Form {
    keyword: "SMTP_CHECK",
    help: "SMTP_CHECK|none|up if a mail server greets",
    name: "SMTP_CHECK",
    transport: Transport::Stream { reply: true },
    port: 25,
    retry: 1,
    pause: Some(Duration::from_secs(1)),
    recheck: Recheck::Interval,
    success: ("Remote SMTP server ", " succeed on service."),
    table: &TABLE,
    new: || Checker::Smtp(SmtpCheck { name: Rc::from(NAME) }),
    complete: whole,
    build: as_written,
};

static TABLE: Table<Draft> = Table { name: "SMTP_CHECK", rows: &[PACES, COMMON, ROWS] };
/// Each `host` is a check of its own; what it does not say is as in the block around it.
static HOST: Table<Draft> = Table { name: "host", rows: &[COMMON, PACES] };

const ROWS: &[Keyword<Draft>] = &[
    Keyword {
        text: "helo_name|smtp_helo_name|how the server is greeted",
        kind: Kind::Words { expected: "a host name", set: helo_name },
    },
    Keyword {
        text: "host|the real server|an address that is checked instead; several allowed",
        kind: Kind::Block(another),
    },
];

/// keepalived's `helo_name`: a server that checks names has been told this one.
const NAME: &str = "smtpchecker.keepalived.org";

/// `SMTP_CHECK` with its `helo_name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SmtpCheck {
    name: Rc<str>,
}

fn helo_name(draft: &mut Draft, line: &mut Line<'_, '_>) {
    if let (Some(name), Checker::Smtp(own)) = (host(line), &mut draft.checker) {
        own.name = Rc::from(name);
    }
}

fn another(outer: &mut Draft, cx: &mut Context<'_>, node: NodeId) {
    let mut inner = draft(outer.checker.clone(), cx.tree.position(node));
    Walk::block(cx, node, &HOST, &mut inner);
    outer.hosts.push(inner);
}

impl Check for SmtpCheck {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        vec![("helo_name", self.name.to_string())]
    }

    fn begin(&self, _: usize, _: u32) -> Dialogue {
        Dialogue::Smtp(Greeting {
            name: Rc::clone(&self.name),
            stage: Stage::Banner,
            code: 0,
            at: 0,
            last: true,
            taken: 0,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Banner,
    Helo,
    Quit,
}

/// A greeting: replies are lines of a code, a blank or a hyphen, and a text; the last one has no hyphen (RFC 5321
/// section 4.2.1).
#[derive(Debug, Clone)]
pub struct Greeting {
    name: Rc<str>,
    stage: Stage,
    /// The code of the line, as far as it is read.
    code: u16,
    /// Bytes of the line read, 4 for all behind the code.
    at: u8,
    /// The line is the last one of the reply.
    last: bool,
    /// Bytes of all replies.
    taken: usize,
}

impl Greeting {
    /// Takes a byte; the code at the end of a reply.
    fn step(&mut self, byte: u8) -> Result<Option<u16>, Failure> {
        match (self.at, byte) {
            (0..=2, b'0'..=b'9') => {
                self.code = self.code * 10 + u16::from(byte - b'0');
                self.at += 1;
            }
            (3, b' ' | b'-' | b'\r') => (self.last, self.at) = (byte != b'-', 4),
            (3, b'\n') => return Ok(Some(self.code)),
            (4, b'\n') if self.last => return Ok(Some(self.code)),
            (4, b'\n') => (self.code, self.at, self.last) = (0, 0, true),
            (4, _) => {}
            _ => return Err(Failure::Garbage),
        }
        Ok(None)
    }

    fn judge(&mut self, code: u16) -> Progress {
        (self.stage, self.code, self.at) = match (self.stage, code) {
            (Stage::Banner, 220) => (Stage::Helo, 0, 0),
            (Stage::Helo, 250) => (Stage::Quit, 0, 0),
            _ => return Progress::Done(Verdict::Fail(Failure::ReplyCode(code))),
        };
        Progress::Send
    }
}

impl Talk for Greeting {
    fn start(&mut self) -> Progress {
        Progress::NeedMore
    }

    fn request(&self, _: SocketAddr, out: &mut [u8]) -> Option<usize> {
        let mut out = Output::new(out);
        match self.stage {
            Stage::Banner => {}
            Stage::Helo => write!(out, "HELO {}\r\n", self.name).ok()?,
            Stage::Quit => out.write_str("QUIT\r\n").ok()?,
        }
        out.finish()
    }

    fn feed(&mut self, _: SocketAddr, bytes: &[u8]) -> Progress {
        if self.stage == Stage::Quit {
            // What it says to a farewell does not matter.
            return Progress::Done(Verdict::Pass { status: ANSWERED });
        }
        for byte in bytes {
            self.taken += 1;
            match self.step(*byte) {
                Err(failure) => return Progress::Done(Verdict::Fail(failure)),
                Ok(Some(code)) => return self.judge(code),
                Ok(None) if self.taken >= MAX_TALK => {
                    return Progress::Done(Verdict::Fail(Failure::TooLong));
                }
                Ok(None) => {}
            }
        }
        Progress::NeedMore
    }

    fn end(&mut self) -> Verdict {
        match self.stage {
            Stage::Quit => Verdict::Pass { status: ANSWERED },
            Stage::Banner | Stage::Helo => Verdict::Fail(Failure::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 25);
    const BANNER: &[u8] = b"220-mail.example.org\r\n220-second line\r\n220 ready\r\n";
    const HELO: &[u8] = b"250 hello\r\n";

    fn said(dialogue: &mut Dialogue) -> String {
        let mut out = [0; 128];
        let length = dialogue.talk().request(TARGET, &mut out).unwrap();
        String::from_utf8(out[..length].to_vec()).unwrap()
    }

    fn begin() -> Dialogue {
        let mut dialogue = (FORM.new)().begin(0, 0);
        assert_eq!(dialogue.talk().start(), Progress::NeedMore, "the server speaks first");
        dialogue
    }

    /// How a first reply ends, fed in pieces of this size.
    fn verdict(reply: &[u8], piece: usize) -> Progress {
        let mut dialogue = begin();
        let mut progress = Progress::NeedMore;
        for piece in reply.chunks(piece) {
            progress = dialogue.talk().feed(TARGET, piece);
            if progress != Progress::NeedMore {
                break;
            }
        }
        progress
    }

    #[test]
    fn a_greeting_is_the_same_however_it_is_cut() {
        for cut in 1..BANNER.len() {
            let mut dialogue = begin();
            assert_eq!(dialogue.talk().feed(TARGET, &BANNER[..cut]), Progress::NeedMore);
            assert_eq!(dialogue.talk().feed(TARGET, &BANNER[cut..]), Progress::Send);
            assert_eq!(said(&mut dialogue), "HELO smtpchecker.keepalived.org\r\n");
            let cut = cut % (HELO.len() - 1) + 1;
            assert_eq!(dialogue.talk().feed(TARGET, &HELO[..cut]), Progress::NeedMore);
            assert_eq!(dialogue.talk().feed(TARGET, &HELO[cut..]), Progress::Send);
            assert_eq!(said(&mut dialogue), "QUIT\r\n");
            let pass = Verdict::Pass { status: ANSWERED };
            assert_eq!(dialogue.clone().talk().end(), pass);
            assert_eq!(dialogue.talk().feed(TARGET, b"2"), Progress::Done(pass));
        }
    }

    #[test]
    fn another_code_fails_with_it_at_any_stage() {
        for (reply, code) in [("554 no\r\n", 554), ("421\n", 421), ("220-x\r\n550 y\n", 550)] {
            for piece in 1..reply.len() {
                let fail = Progress::Done(Verdict::Fail(Failure::ReplyCode(code)));
                assert_eq!(verdict(reply.as_bytes(), piece), fail, "{reply:?}");
            }
        }
        let mut dialogue = begin();
        dialogue.talk().feed(TARGET, BANNER);
        let fail = Progress::Done(Verdict::Fail(Failure::ReplyCode(501)));
        assert_eq!(dialogue.talk().feed(TARGET, b"501 who?\r\n"), fail);
    }

    #[test]
    fn what_is_no_reply_fails_and_what_never_ends_costs_nothing() {
        for reply in ["SSH-2.0-x\r\n", "22 \r\n", "2200\r\n", "\r\n", "220-a\r\nb", "\0"] {
            let fail = Progress::Done(Verdict::Fail(Failure::Garbage));
            assert_eq!(verdict(reply.as_bytes(), 1), fail, "{reply:?}");
        }
        let too_long = Progress::Done(Verdict::Fail(Failure::TooLong));
        assert_eq!(
            verdict(&[b"220 ", &vec![b'x'; 1 << 20][..]].concat(), 4_096),
            too_long,
            "a line without end"
        );
        assert_eq!(verdict(&b"220-x\r\n".repeat(1 << 17), 4_096), too_long, "lines without end");
        assert_eq!(begin().talk().end(), Verdict::Fail(Failure::Closed));
    }

    proptest! {
        #[test]
        fn no_reply_panics_and_pieces_do_not_matter(reply: Vec<u8>, piece in 1_usize..9) {
            prop_assert_eq!(verdict(&reply, piece), verdict(&reply, reply.len().max(1)));
            let near: Vec<u8> = reply.iter().map(|byte| b"0125 -\r\n"[usize::from(byte % 8)]).collect();
            prop_assert_eq!(verdict(&near, piece), verdict(&near, near.len().max(1)));
        }
    }
}
