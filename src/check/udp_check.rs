//! `UDP_CHECK`: a datagram goes out, and no ICMP error comes back; with `require_reply` the expected datagram does.
//!
//! Silence is what most UDP services answer to a datagram that means nothing to them, so it is success unless a reply
//! is required.

use core::net::SocketAddr;
use std::rc::Rc;

use super::form::{Check, Form, Recheck, Talk, Transport, as_written};
use super::keywords::{COMMON, Draft, PACES};
use super::registry::{Checker, Dialogue};
use super::{ANSWERED, Failure, Progress, SILENT, Verdict, text};
use crate::syntax::keyword::INVALID;
use crate::syntax::{Context, Given, Keyword, Kind, Line, Table, Word};
use crate::time::Duration;
use crate::wire::bytes::Output;

/// Its facts.
pub static FORM: Form = Form {
    keyword: "UDP_CHECK",
    help: "UDP_CHECK|none|up unless a datagram is refused, or the reply is not as required",
    name: "UDP_CHECK",
    transport: Transport::Datagram,
    port: 0,
    retry: 1,
    pause: Some(Duration::from_secs(1)),
    recheck: Recheck::Interval,
    success: ("UDP connection to ", " success."),
    table: &TABLE,
    new: || Checker::Udp(UdpCheck::default()),
    complete,
    build: as_written,
};

static TABLE: Table<Draft> = Table { name: "UDP_CHECK", rows: &[PACES, COMMON, ROWS] };

/// What the buffer of all probes holds of a datagram for certain.
const LONGEST_REPLY: u32 = 8_192;
/// What is sent unless configured: 32 bytes, as many as keepalived sends.
const PAYLOAD: &[u8; 32] = b"lvsbox health check; ignore this";
const HEX: &str = "pairs of hexadecimal digits";
const PATTERN: &str = "pairs of hexadecimal digits, `x` for one that does not matter";

const ROWS: &[Keyword<Draft>] = &[
    Keyword {
        text: "payload|32 bytes of text|what is sent, in hexadecimal",
        kind: Kind::Words { expected: HEX, set: payload },
    },
    Keyword {
        text: "require_reply|off|a reply must come, and match these digits (x: any)",
        kind: Kind::Free(require_reply),
    },
    Keyword {
        text: "min_reply_length|0|shortest good reply, in bytes",
        kind: Kind::Integer { min: 0, max: LONGEST_REPLY, set: shortest },
    },
    Keyword {
        text: "max_reply_length|255|longest good reply, in bytes",
        kind: Kind::Integer { min: 0, max: 65_535, set: longest },
    },
];

/// `UDP_CHECK` with what is sent and expected.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct UdpCheck(Rc<Exchanged>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Exchanged {
    payload: Box<[u8]>,
    required: bool,
    reply: text::Pattern,
    shortest: u16,
    longest: u16,
}

impl Default for Exchanged {
    fn default() -> Self {
        let reply = (Box::default(), Box::default());
        Self { payload: Box::from(&PAYLOAD[..]), required: false, reply, shortest: 0, longest: 255 }
    }
}

fn own(draft: &mut Draft) -> Option<&mut Exchanged> {
    if let Checker::Udp(UdpCheck(own)) = &mut draft.checker { Some(Rc::make_mut(own)) } else { None }
}

fn shortest(draft: &mut Draft, given: Given<u32>) {
    own(draft).into_iter().for_each(|own| own.shortest = u16::try_from(given.value).unwrap_or(u16::MAX));
}

fn longest(draft: &mut Draft, given: Given<u32>) {
    own(draft).into_iter().for_each(|own| own.longest = u16::try_from(given.value).unwrap_or(u16::MAX));
}

fn payload(draft: &mut Draft, line: &mut Line<'_, '_>) {
    let Some((word, written)) = rest(line) else { return };
    match (text::bytes(&written), own(draft)) {
        (Some(bytes), Some(own)) => own.payload = bytes,
        _ => line.invalid(&word, HEX),
    }
}

fn require_reply(draft: &mut Draft, line: &mut Line<'_, '_>) {
    let Some(own) = own(draft) else { return };
    own.required = true;
    let Some((word, written)) = rest(line) else { return };
    match text::masked(&written, true) {
        Some(reply) => own.reply = reply,
        None => line.invalid(&word, PATTERN),
    }
}

/// The words that are left, put together, and the first of them: digits may stand in groups.
fn rest<'t>(line: &mut Line<'_, 't>) -> Option<(Word<'t>, String)> {
    let first = line.word()?;
    let mut written = first.text.to_string();
    while let Some(word) = line.word() {
        written.push_str(&word.text);
    }
    Some((first, written))
}

fn complete(draft: &Draft, cx: &mut Context<'_>) -> bool {
    let Checker::Udp(UdpCheck(own)) = &draft.checker else { return false };
    if own.shortest > own.longest {
        cx.error(
            INVALID,
            draft.at,
            format_args!("no reply is as long as min_reply_length and as short as max_reply_length"),
            format_args!("make max_reply_length the larger one; the check is left out"),
        );
    }
    own.shortest <= own.longest
}

impl Check for UdpCheck {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("payload", text::digits(&self.0.payload))];
        if self.0.required {
            lines.push(("require_reply", text::pattern(&self.0.reply)));
        }
        lines.push(("min_reply_length", self.0.shortest.to_string()));
        lines.push(("max_reply_length", self.0.longest.to_string()));
        lines
    }

    fn begin(&self, _: usize, _: u32) -> Dialogue {
        Dialogue::Udp(Exchange(Rc::clone(&self.0)))
    }
}

/// A datagram on its way.
#[derive(Debug, Clone)]
pub struct Exchange(Rc<Exchanged>);

impl Talk for Exchange {
    fn request(&self, _: SocketAddr, out: &mut [u8]) -> Option<usize> {
        Output::new(out).put(&self.0.payload).finish()
    }

    fn feed(&mut self, _: SocketAddr, bytes: &[u8]) -> Progress {
        let Exchanged { required, reply: (expected, mask), shortest, longest, .. } = &*self.0;
        let fits = (usize::from(*shortest)..=usize::from(*longest)).contains(&bytes.len());
        // As keepalived: a reply that is shorter than the pattern is compared as far as it goes.
        let mut pairs = bytes.iter().zip(expected.iter().zip(mask.iter()));
        let same = pairs.all(|(byte, (expected, mask))| (byte ^ expected) & mask == 0);
        Progress::Done(if !required || (fits && same) {
            Verdict::Pass { status: ANSWERED }
        } else {
            Verdict::Fail(Failure::Mismatch)
        })
    }

    fn expire(&self) -> Verdict {
        if self.0.required { Verdict::Fail(Failure::Deadline) } else { Verdict::Pass { status: SILENT } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 53);

    fn check(reply: Option<&str>, lengths: (u16, u16)) -> Dialogue {
        let pattern = reply.and_then(|text| text::masked(text, true)).unwrap_or_default();
        let own = Exchanged {
            required: reply.is_some(),
            reply: pattern,
            shortest: lengths.0,
            longest: lengths.1,
            ..Exchanged::default()
        };
        UdpCheck(Rc::new(own)).begin(0, 0)
    }

    fn passes(reply: Option<&str>, lengths: (u16, u16), bytes: &[u8]) -> bool {
        match check(reply, lengths).talk().feed(TARGET, bytes) {
            Progress::Done(Verdict::Pass { status: ANSWERED }) => true,
            Progress::Done(Verdict::Fail(Failure::Mismatch)) => false,
            other @ (Progress::Send | Progress::NeedMore | Progress::Done(_)) => panic!("{other:?}"),
        }
    }

    #[test]
    fn silence_is_success_unless_a_reply_is_required() {
        assert_eq!(check(None, (0, 255)).talk().expire(), Verdict::Pass { status: SILENT });
        assert_eq!(check(Some(""), (0, 255)).talk().expire(), Verdict::Fail(Failure::Deadline));
        let mut out = [0; 64];
        assert_eq!(check(None, (0, 255)).talk().request(TARGET, &mut out), Some(32));
        assert_eq!(check(None, (0, 255)).talk().request(TARGET, &mut out[..31]), None);
    }

    #[test]
    fn a_required_reply_has_its_lengths_and_its_bytes() {
        assert!(passes(None, (0, 0), b"whatever"), "nothing is required");
        assert!(passes(Some(""), (0, 255), b"") && passes(Some(""), (0, 255), b"any"));
        for (length, good) in [(1, false), (2, true), (4, true), (5, false)] {
            assert_eq!(passes(Some(""), (2, 4), &vec![7; length]), good, "{length}");
        }
        assert!(passes(Some("1x x2 ff"), (0, 255), &[0x1a, 0xb2, 0xff, 9]));
        assert!(!passes(Some("1x x2 ff"), (0, 255), &[0x1a, 0xb2, 0xfe]));
        assert!(!passes(Some("1x x2 ff"), (0, 255), &[0x2a, 0xb2, 0xff]));
        assert!(passes(Some("1x x2 ff"), (0, 255), &[0x1a]), "as far as it goes");
    }

    proptest! {
        #[test]
        fn every_datagram_decides(bytes: Vec<u8>) {
            passes(Some("00x1"), (1, 9), &bytes);
        }
    }
}
