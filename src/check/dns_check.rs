//! `DNS_CHECK`: the name server answers a query without an error (RFC 1035). What the answer holds does not matter.

use core::net::SocketAddr;
use std::rc::Rc;

use super::form::{Check, Form, Recheck, Talk, Transport, as_written, whole};
use super::keywords::{COMMON, Draft, PACES};
use super::registry::{Checker, Dialogue};
use super::{ANSWERED, Failure, Progress, Verdict};
use crate::syntax::{Keyword, Kind, Line, Table};
use crate::wire::dns::{TYPES, emit_query, is_name, parse_response};

/// Its facts: keepalived retries three times, `delay_loop` apart.
pub static FORM: Form = Form {
    keyword: "DNS_CHECK",
    help: "DNS_CHECK|none|up if a name server answers without an error",
    name: "DNS_CHECK",
    transport: Transport::Datagram,
    port: 0,
    retry: 3,
    pause: None,
    recheck: Recheck::Interval,
    success: ("DNS_CHECK on service ", " success."),
    table: &TABLE,
    new: || Checker::Dns(DnsCheck { name: Rc::from("."), kind: SOA }),
    complete: whole,
    build: as_written,
};

static TABLE: Table<Draft> = Table { name: "DNS_CHECK", rows: &[PACES, COMMON, ROWS] };

const ROWS: &[Keyword<Draft>] = &[
    Keyword {
        text: "type|SOA|type of the record that is asked for",
        kind: Kind::Words { expected: KINDS, set: kind },
    },
    Keyword {
        text: "name|.|name that is asked for",
        kind: Kind::Words { expected: "a name such as example.org", set: name },
    },
];

const KINDS: &str = "A, NS, CNAME, SOA, MX, TXT or AAAA";
const SOA: u16 = 6;

/// What is asked; SOA of the root unless configured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DnsCheck {
    /// `name`
    pub name: Rc<str>,
    /// `type`, a number of [`TYPES`].
    pub kind: u16,
}

fn kind(draft: &mut Draft, line: &mut Line<'_, '_>) {
    let (Some(word), Checker::Dns(own)) = (line.word(), &mut draft.checker) else { return };
    match TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word.text)) {
        Some((_, kind)) => own.kind = *kind,
        None => line.invalid(&word, KINDS),
    }
}

fn name(draft: &mut Draft, line: &mut Line<'_, '_>) {
    let (Some(word), Checker::Dns(own)) = (line.word(), &mut draft.checker) else { return };
    if is_name(&word.text) {
        own.name = Rc::from(&*word.text);
    } else {
        line.invalid(&word, "a name: labels of 1 to 63 characters with dots between them, or `.`");
    }
}

impl Check for DnsCheck {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let kind = TYPES.iter().find(|(_, number)| *number == self.kind).map_or("SOA", |(name, _)| *name);
        vec![("type", kind.to_owned()), ("name", self.name.to_string())]
    }

    fn begin(&self, _: usize, nonce: u32) -> Dialogue {
        let [a, b, ..] = nonce.to_be_bytes();
        Dialogue::Dns(Query { asked: self.clone(), id: u16::from_be_bytes([a, b]) })
    }
}

/// A query on its way.
#[derive(Debug, Clone)]
pub struct Query {
    asked: DnsCheck,
    id: u16,
}

impl Talk for Query {
    fn request(&self, _: SocketAddr, out: &mut [u8]) -> Option<usize> {
        emit_query(self.id, &self.asked.name, self.asked.kind, out)
    }

    fn feed(&mut self, _: SocketAddr, bytes: &[u8]) -> Progress {
        match parse_response(bytes).filter(|response| response.id == self.id) {
            Some(response) if response.code == 0 => Progress::Done(Verdict::Pass { status: ANSWERED }),
            Some(response) => Progress::Done(Verdict::Fail(Failure::ResponseCode(response.code))),
            // Somebody else's, or a late one of the check before.
            None => Progress::NeedMore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 53);

    fn begin() -> Dialogue {
        (FORM.new)().begin(0, 0xabcd_0000)
    }

    /// What the server makes of the query, with this code.
    fn answer(code: u8) -> Vec<u8> {
        let mut bytes = [0; 64];
        let length = begin().talk().request(TARGET, &mut bytes).unwrap();
        (bytes[2], bytes[3]) = (0x81, 0x80 | code);
        bytes[..length].to_vec()
    }

    #[test]
    fn an_answer_without_error_passes_and_one_with_an_error_names_it() {
        let pass = Progress::Done(Verdict::Pass { status: ANSWERED });
        assert_eq!(begin().talk().feed(TARGET, &answer(0)), pass);
        for code in 1..16 {
            let verdict = Verdict::Fail(Failure::ResponseCode(code));
            assert_eq!(begin().talk().feed(TARGET, &answer(code)), Progress::Done(verdict));
        }
    }

    #[test]
    fn answers_to_others_and_pieces_of_answers_are_not_waited_for_in_vain() {
        let good = answer(0);
        let mut dialogue = begin();
        for byte in 0..3 {
            let mut other = good.clone();
            other[byte] ^= 0x80;
            assert_eq!(dialogue.talk().feed(TARGET, &other), Progress::NeedMore, "{byte}");
        }
        for end in 0..12 {
            assert_eq!(dialogue.talk().feed(TARGET, &good[..end]), Progress::NeedMore, "{end}");
        }
        assert_eq!(dialogue.talk().feed(TARGET, &good), Progress::Done(Verdict::Pass { status: ANSWERED }));
        assert_eq!(dialogue.talk().expire(), Verdict::Fail(Failure::Deadline));
    }

    proptest! {
        #[test]
        fn no_datagram_panics_and_none_with_another_id_decides(bytes: Vec<u8>) {
            prop_assume!(!bytes.starts_with(&[0xab, 0xcd]));
            prop_assert_eq!(begin().talk().feed(TARGET, &bytes), Progress::NeedMore);
        }
    }
}
